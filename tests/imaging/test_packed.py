"""Archives, and archives within them, as people make them of a CT."""

import gzip
import io
import os
import stat
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from covidct.errors import ArchiveError, UnreadableSlice
from covidct.imaging import packed
from covidct.imaging.file import File
from covidct.imaging.gather import Stranger, gather
from covidct.imaging.series import Series
from covidct.imaging.sources import files_at, uploaded


def zipped(contents: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(contents: dict[str, bytes | tarfile.TarInfo], mode: str = "w", **options) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **options) as archive:
        for name, data in contents.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


PACKERS = {
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda contents: tarred(contents, "w:gz"),
    "pax.tar": lambda contents: tarred(contents, format=tarfile.PAX_FORMAT),
}


@pytest.fixture(scope="module")
def slices(scan) -> dict[str, bytes]:
    return {f"CT/IM{number}": data for number, data in enumerate(scan)}


def series_in(files: list[File]) -> Series:
    (series,) = (found for found in gather(files) if isinstance(found, Series))
    return series


@pytest.mark.parametrize("packer", PACKERS)
def test_an_archive_in_an_archive_is_walked_like_a_folder(slices, packer, tmp_path):
    expected = [one.pixels for one in series_in(uploaded("x.zip", zipped(slices)))]
    inner = PACKERS[packer](slices)
    outer = zipped({"readme.txt": b"one a patient", f"patient.{packer}": inner})
    (tmp_path / "study").write_bytes(outer)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / f"patient.{packer}").write_bytes(inner)
    for files, name in (
        (uploaded("a", inner), "a/CT/IM0"),
        (uploaded("b", outer), f"b/patient.{packer}/CT/IM0"),
        (files_at(tmp_path / "study"), f"{tmp_path}/study/patient.{packer}/CT/IM0"),
        (files_at(tmp_path / "folder"), f"{tmp_path}/folder/patient.{packer}/CT/IM0"),
    ):
        series = series_in(files)
        assert np.array_equal([one.pixels for one in series], expected)
        assert series.places[0].file == name


def test_archives_are_walked_up_to_a_depth(slices):
    nested = zipped(slices)
    for depth in range(2, packed.MAX_DEPTH + 1):
        nested = zipped({f"{depth}.zip": nested})
        assert len(series_in(uploaded("x", nested))) == 7
    (deepest,) = gather(uploaded("x", zipped({"one more.zip": nested})))
    assert isinstance(deepest, Stranger)
    assert "another archive" in deepest.reason


def test_several_archives_in_one_are_read_in_any_order(slices, scan):
    contents = {f"{n}.zip": zipped({"a": data, "b": data}) for n, data in enumerate(scan)}
    files = uploaded("x.zip", zipped(contents, zipfile.ZIP_STORED))
    assert [file.read() for file in files[::-1]] == [data for data in scan for _ in "ab"][::-1]


def test_only_one_archive_in_an_archive_is_held(scan):
    noise = [np.random.default_rng(number).bytes(2_000_000) for number in range(12)]
    data = zipped({f"{n}.zip": zipped({"a": one}) for n, one in enumerate(noise)})
    tracemalloc.start()
    files = uploaded("x.zip", data)
    for file in files:
        file.read()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(files) == 12
    assert kept < 2 * 2_100_000
    assert peak < 7 * 2_100_000


def test_the_limits_hold_for_all_archives_together(monkeypatch, slices):
    inner = zipped({f"{n}": b"x" for n in range(30)})
    data = zipped({f"{n}.zip": inner for n in range(4)})
    assert len(uploaded("x", data)) == 120
    monkeypatch.setattr("covidct.imaging.packed.MAX_MEMBERS", 100)
    files = uploaded("x", data)
    assert [bool(file.refusal) for file in files] == [False] * 90 + [True]
    assert "unpacks to more than is taken" in files[-1].refusal


@pytest.mark.parametrize("packer", ["zip", "tar.gz"])
def test_a_bomb_in_an_archive_is_set_aside_and_the_rest_is_read(slices, packer):
    bomb = PACKERS[packer]({"slice": bytes(40 * 1024**2)})
    files = uploaded("x", zipped(slices | {f"bomb.{packer}": bomb}))
    assert len(series_in(files)) == 7
    (refusal,) = (file.refusal for file in files if file.refusal)
    assert "100 times" in refusal


def test_a_bomb_in_many_layers_unpacks_to_no_more_than_the_ratio():
    layer = zipped({f"{n}": bytes(1024**2) for n in range(3)})
    assert len(layer) < 10_000
    layers = zipped({f"{n}.zip": layer for n in range(40)})
    files = uploaded("x", layers)
    assert sum(not file.refusal for file in files) * 1024**2 <= 101 * len(layers)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked():
    bomb = tarred({"slice": bytes(64 * 1024**2)}, "w:gz", compresslevel=9)
    tracemalloc.start()
    with pytest.raises(ArchiveError, match="100 times"):
        uploaded("x.tar.gz", bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * 1024**2


def test_links_and_encrypted_members_are_set_aside(slices):
    link = zipfile.ZipInfo("CT/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO(zipped(slices))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "IM0")
    found = gather(uploaded("x", buffer.getvalue()))
    (stranger,) = (one for one in found if isinstance(one, Stranger))
    assert (len(found), stranger.file.name) == (2, "x/CT/link")
    assert "a link" in stranger.reason


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_set_aside(slices, kind):
    odd = tarfile.TarInfo("CT/odd")
    odd.type, odd.linkname = kind, "/etc/passwd"
    found = gather(uploaded("x", tarred(slices | {"odd": odd})))
    (stranger,) = (one for one in found if isinstance(one, Stranger))
    assert (len(found), stranger.file.name) == (2, "x/CT/odd")
    assert "A link" in stranger.reason


@pytest.mark.parametrize("name", ["../escape", "/absolute", "a/../../b", "C:\\x"])
def test_a_path_that_leads_out_of_a_tar_refuses_it(name):
    with pytest.raises(ArchiveError, match="leads out"):
        uploaded("x", tarred({name: b"x"}))


def test_a_tar_that_is_cut_off_or_damaged_is_refused(slices):
    data = tarred(slices)
    for damaged in (
        data[: len(data) // 2],
        data[:700],
        data[: data.index(b"CT/IM3")] + b"\xff" * 200 + data[data.index(b"CT/IM3") + 200 :],
        gzip.compress(data)[:-3000],
    ):
        with pytest.raises(ArchiveError, match="damaged or incomplete"):
            uploaded("x", damaged)


def test_a_header_that_asks_for_more_than_a_megabyte_is_refused():
    long = tarfile.TarInfo("pax")
    long.type, long.size = tarfile.XHDTYPE, 3 * 1024**2
    with pytest.raises(ArchiveError, match="damaged"):
        uploaded("x", long.tobuf() + bytes(4 * 1024**2))


def test_office_files_and_viewers_are_not_walked(slices, tmp_path):
    document = zipped({"word/document.xml": b"<w/>"})
    for name in ("report.docx", "viewer.jar"):
        (tmp_path / name).write_bytes(document)
    for name, data in slices.items():
        (tmp_path / os.path.basename(name)).write_bytes(data)  # noqa: PTH119
    found = gather(files_at(tmp_path))
    reasons = [one.reason for one in found if isinstance(one, Stranger)]
    assert len(found) == 3
    assert all("ZIP archive or Office document" in reason for reason in reasons)


def test_what_systems_leave_behind_is_ignored_everywhere(slices, tmp_path):
    junk = ("Thumbs.db", ".DS_Store", "__MACOSX/._IM0", "@eaDir/IM0", "$RECYCLE.BIN/x")
    contents = slices | dict.fromkeys(junk, b"junk")
    for name, data in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    for files in (files_at(tmp_path), uploaded("x", zipped({"y.zip": zipped(contents)}))):
        assert len(files) == len(slices)


def test_a_damaged_member_is_an_error_of_its_own(slices):
    data = bytearray(zipped({"in.zip": zipped(slices, zipfile.ZIP_STORED)}, zipfile.ZIP_STORED))
    at = data.index(list(slices.values())[2][-900:-800])
    data[at] ^= 1
    with pytest.raises(UnreadableSlice, match="damaged"):
        for file in uploaded("x", bytes(data)):
            file.read()
