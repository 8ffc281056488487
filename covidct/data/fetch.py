"""The public COVID-CT data set, from its repository on GitHub to a folder that is whole or absent.

Zhao et al. 2020, "COVID-CT-Dataset: a CT scan dataset about COVID-19", arXiv:2003.13865.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from covidct.data.download import CHECKING, Download, Patience, download
from covidct.data.index import CLASS_FOLDERS, SPLITS
from covidct.data.room import require_room, reserved
from covidct.data.zip_dataset import list_class_folders, unpack_folder
from covidct.errors import DatasetError, FetchError
from covidct.files import replace_text, sha256_of
from covidct.home import data_dir
from covidct.messages import N_, ngettext
from covidct.quota import MEGABYTE

COVID_CT_URL = "https://raw.githubusercontent.com/UCSD-AI4H/COVID-CT/master"
IMAGE_COUNTS = {"CT_COVID": 349, "CT_NonCOVID": 397}
LISTS = tuple(
    f"Data-split/{name}/{split}CT_{name}.txt" for name in CLASS_FOLDERS for split in SPLITS
)
FILES = (*LISTS, *(f"Images-processed/{folder}.zip" for folder in IMAGE_COUNTS))

_TAKES = 150 * MEGABYTE  # of the disk while it is unpacked, half of that later
_LOCK_FILE, _STAND_IN = ".lock", ".room"
_LISTED_NAME_ENDS = (".png", ".jpg", ".jpeg")


def ignore(_: Download) -> None:
    """Report to nobody."""


def fetch(
    to: Path | None = None,
    *,
    source: str = COVID_CT_URL,
    report: Callable[[Download], None] = ignore,
    patience: Patience = Patience(),  # noqa: B008 - it is frozen
) -> Path:
    """Fetch COVID-CT, or check it where it has been fetched before.

    The folder appears when everything is there and verified: 349 and 397 images, every file that
    an official list names. At the first fetch the SHA-256 of every file is written beside the
    folder (``COVID-CT.sha256``, readable by ``sha256sum --check``) and compared ever after. What
    a failed fetch has received is kept in a hidden folder beside it, from which the next goes on.

    Args:
        to: the folder to make, by default ``COVID-CT`` in the program's data folder.
        source: URL of a folder with the upstream layout.
        report: called often with how far it is, by this thread.
        patience: with a bad connection.

    Returns:
        The folder.

    Raises:
        DatasetError: data sets may take no more of the disk.
        FetchError: it cannot be had, or is not what it was; nothing is at ``to`` that was not
            there before.
    """
    to = Path(to or data_dir() / "COVID-CT").resolve()
    try:
        if to.exists() and not _is_empty_folder(to):
            _check_again(to, report)
            return to
        partial = to.with_name(f".{to.name}.partial")
        counts = to.parent == data_dir().resolve()
        if counts:
            require_room(_TAKES)  # before anything is written
        partial.mkdir(parents=True, exist_ok=True)
        with _alone_in(partial), reserved(_TAKES, partial / _STAND_IN) if counts else nullcontext():
            for name in FILES:
                arriving = partial / name
                arriving.parent.mkdir(parents=True, exist_ok=True)
                check = _check_zip if name.endswith(".zip") else _check_list
                download(f"{source}/{name}", arriving, check, report, name, patience)
            _complete(partial, to, report)
    except OSError as error:
        raise FetchError(
            N_(
                "The data set could not be written to {folder}: {reason}. Make room or choose "
                "another folder, then fetch again.",
                folder=to.parent,
                reason=error.strerror or error,
            )
        ) from error
    return to


def _complete(partial: Path, to: Path, report: Callable[[Download], None]) -> None:
    """Unpack and verify what was received, and move it to its place.

    What does not verify is thrown away, since going on from it would end in the same way.
    """
    whole = _unpack(partial, report)
    try:
        _check_complete(whole)
        sums = _sums(whole, report)
        if _record(to).exists():
            _compare(sums, _record(to))
    except FetchError:
        shutil.rmtree(partial)
        raise
    _write_record(_record(to), sums)
    whole.rename(to)
    shutil.rmtree(partial)


def _unpack(partial: Path, report: Callable[[Download], None]) -> Path:
    """The upstream layout, made of the files received."""
    whole = partial / "whole"
    if whole.exists():
        shutil.rmtree(whole)
    for name in LISTS:
        (whole / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(partial / name, whole / name)
    for folder in IMAGE_COUNTS:
        name = f"Images-processed/{folder}.zip"
        packed = partial / name
        report(Download(name, packed.stat().st_size, packed.stat().st_size, CHECKING))
        try:
            with packed.open("rb") as archive:
                unpack_folder(archive, folder, whole / "Images-processed" / folder)
        except DatasetError as error:
            raise FetchError(
                N_(
                    "{name} of the data set cannot be unpacked: {error}",
                    name=name,
                    error=error.message,
                )
            ) from error
    return whole


def _check_complete(root: Path) -> None:
    """Every image and every listed file must be there."""
    for class_name, folder in CLASS_FOLDERS.items():
        held = {file.name for file in (root / "Images-processed" / folder).iterdir()}
        if len(held) != IMAGE_COUNTS[folder]:
            raise FetchError(
                N_(
                    "{folder} holds {held} images instead of {expected}: the data set has changed "
                    "upstream, or something else was sent. Nothing was kept.",
                    folder=folder,
                    held=len(held),
                    expected=IMAGE_COUNTS[folder],
                )
            )
        for name in LISTS:
            if name.startswith(f"Data-split/{class_name}/"):
                missing = set(_lines(root / name)) - held
                if missing:
                    raise FetchError(
                        ngettext(
                            "A file that {name} names is missing: {example}. Nothing was kept.",
                            "{count} files that {name} names are missing, such as {example}. "
                            "Nothing was kept.",
                            len(missing),
                            name=name,
                            example=min(missing),
                        )
                    )


def _check_zip(path: Path) -> None:
    with path.open("rb") as archive:
        folders = [PurePosixPath(folder.name).name for folder in list_class_folders(archive)]
    if folders.count(path.name.partition(".")[0]) != 1:
        raise DatasetError(N_("it is not the ZIP of slices that belongs there."))
    with zipfile.ZipFile(path) as zipped:
        if zipped.testzip():
            raise DatasetError(N_("a file in it does not match its checksum."))


def _check_list(path: Path) -> None:
    try:
        names = _lines(path)
    except UnicodeDecodeError as error:
        raise DatasetError(N_("it is not a list of files.")) from error
    if not names or not all(name.lower().endswith(_LISTED_NAME_ENDS) for name in names):
        raise DatasetError(N_("it is not a list of files."))


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _check_again(to: Path, report: Callable[[Download], None]) -> None:
    """Compare a folder that is there with the record of its first fetch."""
    if not to.is_dir() or not _record(to).exists():
        raise FetchError(
            N_(
                "{to} is there already, but was not fetched by this program. Choose another "
                "folder, or move it away.",
                to=to,
            )
        )
    _compare(_sums(to, report), _record(to))


def _compare(sums: dict[str, str], record: Path) -> None:
    first = {name: digest for digest, name in (line.split("  ", 1) for line in _lines(record))}
    differing = sorted(name for name in first | sums if first.get(name) != sums.get(name))
    if differing:
        raise FetchError(
            ngettext(
                "A file is not what it was at the first fetch: {example}. Fetch again into another "
                "folder; if the data set was changed on purpose, delete {name} first.",
                "{count} files are not what they were at the first fetch, such as {example}. Fetch "
                "again into another folder; if the data set was changed on purpose, delete {name} "
                "first.",
                len(differing),
                example=differing[0],
                name=record.name,
            )
        )


def _sums(root: Path, report: Callable[[Download], None]) -> dict[str, str]:
    """SHA-256 of every file by its path in the data set."""
    sums = {}
    for file in sorted(file for file in root.rglob("*") if file.is_file()):
        name, size = file.relative_to(root).as_posix(), file.stat().st_size
        report(Download(name, size, size, CHECKING))
        sums[name] = sha256_of(file)
    return sums


def _record(to: Path) -> Path:
    return to.with_name(f"{to.name}.sha256")


def _write_record(record: Path, sums: dict[str, str]) -> None:
    replace_text(record, "".join(f"{digest}  {name}\n" for name, digest in sums.items()))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder against a second fetch, by a lock that ends with the process."""
    try:
        lock = FileLock(folder / _LOCK_FILE).acquire(blocking=False)
    except Timeout as error:
        raise FetchError(N_("This data set is being fetched already; wait for that.")) from error
    with lock:
        yield


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
