"""Small files that would cost much: each is refused, or costs no more than its length lets expect.

They are dropped on the page, as it were, in a process of its own. Work is counted in calls of
functions, which no other process on the machine changes; copies show in memory.
"""

import json
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import uid

DROP = """
import cProfile, json, pstats, resource, sys
from pathlib import Path
from covidct.data.zip_dataset import list_class_folders, unpack_dataset
from covidct.errors import CovidCTError
from covidct.ui.diagnose.uploads import sort_uploads

resource.setrlimit(resource.RLIMIT_CPU, (60, 60))  # so that a failure ends

def drop(path):
    for group in sort_uploads([(path.name, path.read_bytes())]):
        for case in group.cases:
            try:
                yield str(case.read().shape)
            except CovidCTError as error:
                yield str(error)
    if path.suffix == ".zip":
        try:
            with path.open("rb") as archive:
                unpack_dataset(archive, path.with_suffix(""))
            yield "unpacked"
        except CovidCTError as error:
            yield str(error)

list(drop(Path(sys.argv[1])))  # what is imported late
for path in map(Path, sys.argv[2:]):
    profile = cProfile.Profile()
    said = sorted(set(profile.runcall(lambda: list(drop(path)))))
    status = Path("/proc/self/status").read_text()
    memory = int(status.split("VmHWM:")[1].split()[0]) // 1024
    calls = pstats.Stats(profile).total_calls
    print(json.dumps([path.name, said, calls, memory]), flush=True)
"""
MOST_CALLS = 12_000_000  # as many as 300,000 elements, which are the most of a header, take twice
MOST_MEMORY = 256  # MB, of which the process itself takes 80
SIDE = 64
GREYS = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)
EXPLICIT, DEFLATED = uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian


def element(tag: int, kind: bytes, value: bytes) -> bytes:
    """Of explicit VR, little endian."""
    value += bytes(len(value) % 2)
    long = kind in (b"OB", b"OW", b"SQ", b"UT")
    length = struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))
    return struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, kind) + length + value


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def dicom(
    pixels: bytes,
    syntax: str = EXPLICIT,
    frames: int = 1,
    side: int = SIDE,
    extra: bytes = b"",
    series: bytes = b"1.2",
    position: tuple[bytes, bytes] = (b"DS", b"0\\0\\5"),
) -> bytes:
    short = {0x00280010: side, 0x00280011: side, 0x00280100: 8, 0x00280101: 8, 0x00280103: 0}
    body = b"".join(
        [
            element(0x00080016, b"UI", uid.CTImageStorage.encode()),
            element(0x00080060, b"CS", b"CT"),
            element(0x0020000E, b"UI", series),
            element(0x00200032, *position),
            element(0x00200037, b"DS", b"1\\0\\0\\0\\1\\0"),
            element(0x00280002, b"US", b"\1\0"),
            element(0x00280004, b"CS", b"MONOCHROME2"),
            element(0x00280008, b"IS", str(frames).encode()),
            *(element(tag, b"US", struct.pack("<H", value)) for tag, value in short.items()),
            extra,
            pixels,
        ]
    )
    if syntax == DEFLATED:
        packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
        noise = np.random.default_rng(0).bytes(len(body) // 90)  # or it would be packed too well
        body = packer.compress(body + element(0x7FE10010, b"OB", noise)) + packer.flush()
    meta = element(0x00020010, b"UI", syntax.encode())
    return (
        bytes(128)
        + b"DICM"
        + element(0x00020000, b"UL", struct.pack("<I", len(meta)))
        + meta
        + body
    )


def native(frames: int = 1) -> bytes:
    return element(0x7FE00010, b"OW", GREYS.tobytes() * frames)


def fragments(contents: Sequence[bytes], table: bytes = b"") -> bytes:
    """Compressed pixel data."""
    start = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    items = b"".join(item(content + bytes(len(content) % 2)) for content in contents)
    return start + item(table) + items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def nested(payload: int, levels: int = 200) -> bytes:
    content = element(0x00091001, b"OB", bytes(payload))
    for _ in range(levels):
        content = element(0x52009229, b"SQ", item(content))
    return content


FRAME = imagecodecs.jpeg8_encode(GREYS, level=60)
STUB = b"\xff\xd8\xff\xe0\xff\xd9"
EMPTY = element(0x00091001, b"SH", b"")
UNENDING = struct.pack("<HH2sHIHHI", 9, 0x1000, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
JPEG = uid.JPEGBaseline8Bit

HEADERS = {
    "nested": lambda: dicom(native(), extra=nested(2_000_000)),
    "nested-deflated": lambda: dicom(native(), DEFLATED, extra=nested(2_000_000)),
    "bottomless": lambda: dicom(native(), extra=UNENDING * 40_000),
    "elements": lambda: dicom(native(), extra=element(0x52009229, b"SQ", item(EMPTY * 310_000))),
    "long-position": lambda: dicom(
        native(200), frames=200, position=(b"UT", b"\\".join([b"1" * 300_000] * 3))
    ),
    "long-uid": lambda: dicom(native(), extra=element(0x00080018, b"UT", b"1." * 500_000)),
}
FRAMES_OVERLAP = {
    "basic-table": lambda: dicom(fragments([FRAME + bytes(10**6)], bytes(4 * 5000)), JPEG, 5000),
    "extended-table": lambda: dicom(
        element(0x7FE00001, b"OB", bytes(8 * 5000))
        + element(0x7FE00002, b"OB", struct.pack("<Q", 10**6) * 5000)
        + fragments([FRAME + bytes(10**6)]),
        JPEG,
        5000,
    ),
}
MANY_FRAMES: dict[str, Callable[[int], bytes]] = {
    "as-many-fragments": lambda count: dicom(fragments([STUB] * count), JPEG, count),
    "ends": lambda count: dicom(
        fragments([b"\xff\xd8\xff\xe0", *[b"\0\0"] * 9, b"\xff\xd9"] * count), JPEG, count
    ),
    "positions": lambda count: dicom(
        fragments([STUB] * count), JPEG, count, position=(b"DS", b"\\".join([b"1"] * 2000))
    ),
}


def jpeg_2000(frame: bytes, *, at: int, value: bytes) -> bytes:
    """With other bytes that far behind the mark of its coding style."""
    start = frame.index(b"\xff\x52") + at
    return frame[:start] + value + frame[start + len(value) :]


def in_tile(frame: bytes, segment: bytes) -> bytes:
    """With a segment in the header of its only tile part."""
    start = frame.index(b"\xff\x90")
    (length,) = struct.unpack_from(">I", frame, start + 6)
    longer = struct.pack(">I", length + len(segment))
    return (
        frame[: start + 6] + longer + frame[start + 10 : start + 12] + segment + frame[start + 12 :]
    )


def wavelets(side: int) -> bytes:
    return imagecodecs.jpeg2k_encode(np.zeros((side, side), np.uint8), codecformat="j2k")


def coding_style(side: int) -> bytes:
    frame = wavelets(side)
    start = frame.index(b"\xff\x52")
    return frame[start : start + 2 + int.from_bytes(frame[start + 2 : start + 4], "big")]


def tiny_precincts(side: int) -> bytes:
    """Of 2 pixels a side, in all resolutions."""
    frame, style = wavelets(side), coding_style(side)
    own = style[:4] + b"\1" + style[5:] + b"\x11" * (style[9] + 1)
    own = own[:2] + struct.pack(">H", len(own) - 2) + own[4:]
    return frame.replace(style, own)


def of_component(style: bytes) -> bytes:
    body = b"\0\0" + style[9:]
    return b"\xff\x53" + struct.pack(">H", 2 + len(body)) + body


MANY_LAYERS = b"\xff\xff"
WAVELETS: dict[str, tuple[Callable[[], bytes], int]] = {
    "layers": (lambda: jpeg_2000(wavelets(4096), at=6, value=MANY_LAYERS), 4096),
    "precincts": (lambda: tiny_precincts(1024), 1024),
    "blocks": (lambda: jpeg_2000(wavelets(4096), at=10, value=b"\0\0"), 4096),
    "layers-of-a-tile": (
        lambda: in_tile(wavelets(4096), jpeg_2000(coding_style(4096), at=6, value=MANY_LAYERS)),
        4096,
    ),
    "blocks-of-a-component": (
        lambda: in_tile(
            wavelets(4096), of_component(jpeg_2000(coding_style(4096), at=10, value=b"\0\0"))
        ),
        4096,
    ),
    "comments": (lambda: in_tile(wavelets(64), b"\xff\x64\0\4\0\0" * 100_000), 64),
}


def picture(kind: str) -> bytes:
    file = BytesIO()
    Image.fromarray(GREYS).save(file, kind)
    return file.getvalue()


def chunk(name: bytes, content: bytes = b"") -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def inserted(whole: bytes, at: int, more: bytes) -> bytes:
    return whole[:at] + more + whole[at:]


FILL, SEGMENT = b"\xff", b"\xff\xe4\0\2"
PICTURES = {
    "fill.jpg": lambda: inserted(picture("JPEG"), 2, FILL * 1_000_000),
    "fill-among-samples.jpg": lambda: inserted(picture("JPEG"), -2, FILL * 1_000_000),
    "fill-and-zero.jpg": lambda: inserted(picture("JPEG"), -2, FILL * 1_000_000 + b"\0"),
    "zeros.jpg": lambda: inserted(picture("JPEG"), 2, SEGMENT + bytes(1_000_000)),
    "segments.jpg": lambda: inserted(picture("JPEG"), 2, SEGMENT * 100_000),
    "exif.jpg": lambda: inserted(
        picture("JPEG"), 2, (b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 600
    ),
    "ancillary.png": lambda: inserted(picture("PNG"), 33, chunk(b"abCd") * 50_000),
    "texts.png": lambda: inserted(picture("PNG"), 33, chunk(b"tEXt", b"a\0b") * 50_000),
    "data.png": lambda: inserted(picture("PNG"), -12, chunk(b"IDAT") * 50_000),
    "fill.dcm": lambda: dicom(fragments([inserted(FRAME, 2, FILL * 1_000_000)]), JPEG),
    "segments.dcm": lambda: dicom(fragments([inserted(FRAME, 2, SEGMENT * 100_000)]), JPEG),
    "segments-ls.dcm": lambda: dicom(
        fragments([inserted(imagecodecs.jpegls_encode(GREYS), 2, SEGMENT * 100_000)]),
        uid.JPEGLSLossless,
    ),
}


def zipped(names: Sequence[str], extra: bytes = b"") -> bytes:
    """A picture under each name, with a field in each entry of the directory."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, picture("PNG"))
        for entry in archive.filelist:
            entry.extra = extra  # after the local headers were written
    return file.getvalue()


def tarred(name: str) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(picture("PNG"))
        archive.addfile(entry, BytesIO(picture("PNG")))
    return file.getvalue()


ARCHIVES = {
    "depth.zip": lambda: zipped([20_000 * "a/" + "b.png", "CT_COVID/a.png"]),
    "folders.zip": lambda: zipped([40 * "a/" + "b.png"]),
    "depth.tar": lambda: tarred(20_000 * "a/" + "b.png"),
    "names.zip": lambda: zipped([f"{i}/{60_000 * 'a'}.png" for i in range(100)]),
    "notes.zip": lambda: zipped(
        [f"{i}.png" for i in range(100)], struct.pack("<HH", 0x9999, 0) * 15_000
    ),
}


def series_of_one_scan(count: int) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            own = element(0x00200013, b"IS", str(number).encode())
            archive.writestr(f"{number}.dcm", dicom(own + native(), series=b"1.2.%d" % number))
    return file.getvalue()


@pytest.fixture(scope="module")
def drop(tmp_path_factory, root):
    """Sentences, calls and memory, by the name of the file."""

    def drop_all(files: dict[str, Callable[[], bytes]]) -> dict[str, tuple[list[str], int, int]]:
        folder = tmp_path_factory.mktemp("costly")
        first = folder / "first.zip"
        first.write_bytes(zipped(["CT_COVID/a.png", "CT_NonCOVID/b.png"]))
        for name, make in files.items():
            (folder / name).write_bytes(make())
        paths = [str(path) for path in (first, *(folder / name for name in files))]
        done = subprocess.run(
            [sys.executable, "-c", DROP, *paths], cwd=root, capture_output=True, text=True
        )
        assert done.returncode == 0, (done.stdout, done.stderr[-2000:])
        answers = (json.loads(line) for line in done.stdout.splitlines())
        return {name: (said, calls, memory) for name, said, calls, memory in answers}

    return drop_all


def refused(answers: dict[str, tuple[list[str], int, int]], why: str) -> None:
    """All with that sentence, and before much was done."""
    assert {name: said for name, (said, _, _) in answers.items() if why not in " ".join(said)} == {}
    assert {name: calls for name, (_, calls, _) in answers.items() if calls > MOST_CALLS} == {}
    assert max(memory for _, _, memory in answers.values()) < MOST_MEMORY


def test_headers_beyond_those_of_slices_are_refused_early(drop):
    answers = drop(HEADERS)
    bottomless, _, _ = answers["bottomless"]
    assert bottomless == ["The DICOM file is damaged or incomplete; copy or export it again."]
    refused({k: v for k, v in answers.items() if k != "bottomless"}, "slices never have")


def test_frames_that_overlap_are_refused(drop):
    refused(drop(FRAMES_OVERLAP), "xport it")


def test_work_grows_with_frames_and_files_and_no_faster(drop):
    files = {}
    for name, make in (MANY_FRAMES | {"series": series_of_one_scan}).items():
        kind = "zip" if name == "series" else "dcm"
        for count in (50, 400):
            files[f"{name} {count}.{kind}"] = partial(make, count)
    answers = drop(files)
    calls = [calls for _, calls, _ in answers.values()]
    assert [
        many / few for few, many in zip(calls[::2], calls[1::2], strict=True) if many > 10 * few
    ] == []
    assert max(memory for _, _, memory in answers.values()) < MOST_MEMORY


def test_codestreams_in_far_too_many_parts_are_refused(drop):
    def wrapped(make: Callable[[], bytes], side: int) -> bytes:
        return dicom(fragments([make()]), uid.JPEG2000Lossless, side=side)

    files = {f"{name}.dcm": lambda of=of: wrapped(*of) for name, of in WAVELETS.items()}
    refused(drop(files), "cut into far more parts")
    plain = {"plain.dcm": lambda: wrapped(lambda: imagecodecs.jpeg2k_encode(GREYS), SIDE)}
    assert drop(plain)["plain.dcm"][0] == [f"({SIDE}, {SIDE})"]


def test_pictures_in_far_too_many_pieces_are_refused(drop):
    refused(drop(PICTURES), "slices")


def test_archives_with_endless_paths_and_fields_are_refused(drop):
    refused(drop(ARCHIVES), " holds ")
