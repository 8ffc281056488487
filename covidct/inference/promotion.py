"""Which model is in use: the shipped one until another is promoted, and the way back.

Promoted models are copied to ``models_dir()/NAME-HASH``. One small file, replaced at once, says
which of them is in use, which ones were before it, and what was done when; so whatever kills a
promotion, the old model or the new one is in use, whole.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from covidct.errors import ModelError, ModelIntegrityError
from covidct.files import MALFORMED, flush_to_disk, replace_text, sha256_of
from covidct.home import SHIPPED, models_dir, runs_dir
from covidct.imaging.anatomy.segmentation import GRAPH_FILE, segmentation_id
from covidct.inference.card import (
    CARD_FILE,
    KERAS_FILE,
    MODEL_FILE,
    SEGMENTATION_FOLDER,
    ModelCard,
    read_card,
)
from covidct.jobs import action_log
from covidct.messages import N_

SHIPPED_DIR = SHIPPED / "weights"
DEFAULT_MODEL = "covidct-astra"

_RECORD_FILE, _LOCK_FILE, _UNFINISHED = "current.json", ".lock", ".unfinished"
_SEGMENTATION = f"{SEGMENTATION_FOLDER}/{GRAPH_FILE}"
_FILES = MODEL_FILE, KERAS_FILE, CARD_FILE, _SEGMENTATION, f"{SEGMENTATION_FOLDER}/{CARD_FILE}"
_SHORT_HASH = 12
_FOLDER_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Promotion:
    """One change of the model in use.

    Attributes:
        when: ISO 8601, UTC.
        model_id: the model in use from then on.
        source: the run it came from; empty for the shipped model.
        action: "promoted" or "rolled back".
    """

    when: str
    model_id: str
    source: str
    action: str


@dataclass(frozen=True, slots=True)
class _Record:
    """What ``current.json`` holds.

    Attributes:
        stack: folder names of the models promoted, the one in use last; empty while it is the
            shipped one.
        history: every change, oldest first.
    """

    stack: tuple[str, ...] = ()
    history: tuple[Promotion, ...] = ()


def current_model() -> Path:
    """The folder of the model in use: the promoted one if any, else the shipped default.

    Raises:
        ModelError: the record of promotions cannot be read.
    """
    stack = _read_record().stack
    return models_dir() / stack[-1] if stack else SHIPPED_DIR / DEFAULT_MODEL


def is_own(card: ModelCard) -> bool:
    """Whether somebody trained a model here; the one that comes with the program is not."""
    return card.sha256 != _shipped_hash()


@cache
def _shipped_hash() -> str:
    try:
        return read_card(SHIPPED_DIR / DEFAULT_MODEL).sha256
    except ModelError:
        return ""


def list_models() -> tuple[Path, ...]:
    """The folders of all models: the one in use, then those shipped, promoted and left by runs.

    Raises:
        ModelError: the record of promotions cannot be read.
    """
    found = (
        file.parent
        for root in (SHIPPED_DIR, models_dir(), runs_dir())
        for file in sorted(root.glob(f"[!.]*/{CARD_FILE}"))
        if any((file.parent / name).is_file() for name in (MODEL_FILE, KERAS_FILE))
    )
    return tuple(dict.fromkeys((current_model(), *found)))


def promote(folder: Path) -> str:
    """Put a run's model to use, at once or not at all.

    Args:
        folder: holds ``model.tflite``, ``model.keras`` and their card, and in ``segmentation``
            the network that finds lungs and opacities for it, unless that is the shipped one; all
            are copied.

    Returns:
        The name of the model's folder below :func:`covidct.home.models_dir`.

    Raises:
        ModelIntegrityError: a file is not the one that the model's card describes.
        ModelError: there is no model, or it is in use already.
        LogError: the log of actions cannot be written.
    """
    with _locked(), _room_for_a_copy() as copy:
        card = read_card(folder)
        _copy_model(folder, copy)
        if not _is_intact(copy):
            raise ModelIntegrityError(
                N_(
                    "A file of the model in {folder} is not the one its card describes (SHA-256 "
                    "differs), or it is missing. It was not promoted; the model in use is as "
                    "before.",
                    folder=folder,
                )
            )
        name = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', card.name)}-{card.sha256[:_SHORT_HASH]}"
        record = _read_record()
        in_use = record.stack[-1:] == (name,)
        if in_use and _is_intact(models_dir() / name):
            raise ModelError(N_("The model {model_id} is in use already.", model_id=card.model_id))
        _move_into_place(copy, models_dir() / name)
        stack = record.stack if in_use else (*record.stack, name)
        action_log.record(N_("Promoted a model"), card.model_id)
        _write_record(
            replace(record, stack=stack),
            Promotion(_now(), card.model_id, folder.resolve().name, "promoted"),
        )
    return name


def rollback() -> str:
    """Go back to the model that was in use before the last promotion.

    Earlier models that were damaged since are passed over.

    Returns:
        The name of the model in use now.

    Raises:
        ModelError: the shipped model is in use, there is nothing before it.
        LogError: the log of actions cannot be written.
    """
    with _locked():
        record = _read_record()
        if not record.stack:
            raise ModelError(N_("The shipped model is in use: there is nothing to go back to."))
        stack = record.stack[:-1]
        while stack and not _is_intact(models_dir() / stack[-1]):
            stack = stack[:-1]
        folder = models_dir() / stack[-1] if stack else SHIPPED_DIR / DEFAULT_MODEL
        model_id = _model_id(folder)
        source = next((p.source for p in reversed(record.history) if p.model_id == model_id), "")
        action_log.record(N_("Rolled back to a model"), model_id)
        _write_record(
            replace(record, stack=stack), Promotion(_now(), model_id, source, N_("rolled back"))
        )
    return folder.name


def history() -> tuple[Promotion, ...]:
    """Every change of the model in use, newest first.

    Raises:
        ModelError: the record of promotions cannot be read.
    """
    return _read_record().history[::-1]


def _read_record() -> _Record:
    try:
        values = json.loads((models_dir() / _RECORD_FILE).read_text(encoding="utf-8"))
        history = tuple(Promotion(**promotion) for promotion in values["history"])
        return _Record(tuple(map(_folder_name, values["stack"])), history)
    except FileNotFoundError:
        return _Record()
    except (OSError, *MALFORMED) as error:
        raise ModelError(
            N_(
                "{file}, which says what model is in use, cannot be read. Remove it to go back to "
                "the shipped model.",
                file=models_dir() / _RECORD_FILE,
            )
        ) from error


def _folder_name(name: str) -> str:
    """A name as :func:`promote` gives one, so that the record leads to no other folder."""
    if not _FOLDER_NAME.fullmatch(name) or not name.strip("."):
        raise ValueError("no name of a folder")
    return name


def _write_record(record: _Record, change: Promotion) -> None:
    values = asdict(replace(record, history=(*record.history, change)))
    replace_text(models_dir() / _RECORD_FILE, json.dumps(values, indent=2, ensure_ascii=False))


@contextlib.contextmanager
def _room_for_a_copy() -> Iterator[Path]:
    """An empty folder beside the models; gone afterwards, if not before."""
    folder = models_dir() / _UNFINISHED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_model(folder: Path, to: Path) -> None:
    if (folder / SEGMENTATION_FOLDER).is_dir():
        (to / SEGMENTATION_FOLDER).mkdir()
    for name in _FILES:
        with contextlib.suppress(FileNotFoundError):  # found out by its hash
            shutil.copyfile(folder / name, to / name)
            flush_to_disk(to / name)


def _move_into_place(copy: Path, target: Path) -> None:
    """Where the same model lies there already, it stays, unless it was damaged."""
    if target.exists() and _is_intact(target):
        (copy / CARD_FILE).replace(target / CARD_FILE)
        return
    shutil.rmtree(target, ignore_errors=True)
    copy.rename(target)


def _is_intact(folder: Path) -> bool:
    try:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        hashes = {MODEL_FILE: card["sha256"], KERAS_FILE: card.get("keras_sha256")}
        if card.get("segmentation") != segmentation_id():
            hashes[_SEGMENTATION] = card.get("segmentation")
        return all(sha256_of(folder / name) == known for name, known in hashes.items() if known)
    except (OSError, *MALFORMED):
        return False


def _model_id(folder: Path) -> str:
    """As :attr:`covidct.inference.card.ModelCard.model_id`."""
    try:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        return f"{card['name']}@{card['sha256'][:_SHORT_HASH]}"
    except (OSError, *MALFORMED) as error:
        raise ModelError(
            N_("The card of the model in {folder} cannot be read.", folder=folder)
        ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One change at a time, whoever makes it."""
    from filelock import FileLock  # here, since every verdict imports this module

    models_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(models_dir() / _LOCK_FILE):
        yield
