"""Small files that unpack to much, or keep a decoder busy, are refused or stay within bounds.

Each is read by a process of its own, which may take 1 GiB of memory and 20 s of the processor.
"""

import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO

import imagecodecs
import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from covidct.imaging.formats.pixels import MAX_PIXELS

READ = """
import resource, sys
from pathlib import Path
from covidct.errors import CovidCTError
from covidct.imaging import read_slice

resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
for path in sys.argv[1:]:
    try:
        answer = str(read_slice(path).shape)
    except CovidCTError as error:
        answer = str(error)
    status = Path("/proc/self/status").read_text()  # unlike getrusage, not of the parent too
    memory = int(status.split("VmHWM:")[1].split()[0]) // 1024
    print(Path(path).name, memory, answer, sep="|", flush=True)
"""
LARGE = (7000, 7140)  # rows and columns, just within the limit
GIBIBYTE = 1024  # MB


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(rows: int, columns: int, bits: int, colour: int, extra: bytes = b"") -> bytes:
    """A PNG of zeros but for its last row, as small as it can be."""
    line = bytes(1 + columns * bits * {0: 1, 2: 3, 4: 2, 6: 4}[colour] // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(line) for _ in range(rows - 1))
    packed += packer.compress(b"\0" + bytes(range(1, 256)) * (len(line) // 255 + 1))[: 1 << 30]
    head = struct.pack(">IIBBBBB", columns, rows, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", packed + packer.flush())
        + chunk(b"IEND", b"")
    )


def tiff(side: int, tile: int, compression: int, data: bytes) -> bytes:
    """A picture of a side in a tile of another."""
    tags = {256: side, 257: side, 258: 8, 259: compression, 262: 1, 277: 1, 322: tile, 323: tile}
    tags |= {324: 8 + 2 + 12 * 10 + 4, 325: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + data


def bitmap(rows: int, columns: int, runs: bytes) -> bytes:
    """A BMP in run lengths."""
    head = struct.pack("<IiiHHIIiiII", 40, columns, rows, 1, 8, 1, len(runs), 0, 0, 256, 0)
    offset = 14 + 40 + 4 * 256
    return struct.pack("<2sIHHI", b"BM", offset, 0, 0, offset) + head + bytes(4 * 256) + runs


def jpeg(passes: int) -> bytes:
    """A progressive picture whose last pass is repeated."""
    file = BytesIO()
    picture = np.zeros(LARGE, np.uint8)
    picture[:8] = 99
    Image.fromarray(picture).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + passes * last + b"\xff\xd9"


def zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def volume_of_zeros(slices: int, dtype: type = np.uint8) -> bytes:
    """A gzipped NIfTI volume of 512 × 512 × so many voxels, in a few kilobytes a megabyte."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape((512, 512, slices))
    header["magic"], header["vox_offset"] = b"n+1", 352
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    block = bytes(512 * 512 * np.dtype(dtype).itemsize)
    packed = packer.compress(header.binaryblock + bytes(4))
    return packed + b"".join(packer.compress(block) for _ in range(slices)) + packer.flush()


def pages(count: int) -> bytes:
    """A TIFF file of so many pages, all of the same 64 × 64 pixels."""
    tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 278: 64, 279: 64 * 64}
    entries = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()
    )
    at, length = 8 + 64 * 64, len(entries) + 4
    picture = (bytes(range(64)) * 64)[: 64 * 64]
    directories = (
        entries + struct.pack("<I", at + (page + 1) * length if page + 1 < count else 0)
        for page in range(count)
    )
    return b"II*\0" + struct.pack("<I", at) + picture + b"".join(directories)


REFUSED = {
    "text.png": lambda: png(80, 80, 8, 0, chunk(b"zTXt", b"Comment\0\0" + zeros(64))),
    "international.png": lambda: png(80, 80, 8, 0, chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(64))),
    "profile.png": lambda: png(80, 80, 8, 0, chunk(b"iCCP", b"a\0\0" + zeros(64))),
    "deep.png": lambda: png(*LARGE, 16, 2),
    "deflate.tif": lambda: tiff(100, 16_384, 8, zeros(256)),
    "lzw.tif": lambda: tiff(100, 46_000, 5, bytes(99)),
    "packbits.tif": lambda: tiff(100, 30_000, 32_773, bytes(99)),
    "lzma.tif": lambda: tiff(100, 112, 34_925, bytes(99)),
    "passes.jpg": lambda: jpeg(2_000),
    "pages.tif": lambda: pages(100_000),
    "large.nii.gz": lambda: volume_of_zeros(4_000),
    "lines.bmp": lambda: bitmap(64, MAX_PIXELS // 64, b"\1\5\0\0" * 64),
    "steps.bmp": lambda: bitmap(*LARGE, b"\0\2\xff\xff" * 1_000),
}
WITHIN_BOUNDS = {
    "zeros.nii.gz": lambda: volume_of_zeros(900, np.uint16),
    "grey.png": lambda: png(*LARGE, 8, 0),
    "colour.png": lambda: png(*LARGE, 8, 6),
    "grey16.png": lambda: png(*LARGE, 16, 0),
    "some-passes.jpg": lambda: jpeg(20),
    "useless.bmp": lambda: bitmap(64, 64, b"\5\5" * 1_000_000),
}


@pytest.fixture(scope="module")
def read_all(tmp_path_factory, root):
    """The answers of a process to files, by their names; memory is that of the worst so far."""

    def read(files: dict[str, Callable[[], bytes]]) -> dict[str, tuple[int, str]]:
        folder = tmp_path_factory.mktemp("bombs")
        for name, make in files.items():
            (folder / name).write_bytes(make())
        done = subprocess.run(
            [sys.executable, "-c", READ, *(str(folder / name) for name in files)],
            cwd=root,
            capture_output=True,
            text=True,
        )
        lines = [line.split("|", 2) for line in done.stdout.splitlines()]
        assert done.returncode == 0, (lines, done.stderr[-2000:])
        return {name: (int(memory), answer) for name, memory, answer in lines}

    return read


def test_what_only_a_bomb_needs_is_refused_before_it_is_unpacked(read_all):
    answers = read_all(REFUSED)
    assert answers.keys() == REFUSED.keys()
    assert [name for name, (_, answer) in answers.items() if answer.startswith("(")] == []
    assert max(memory for memory, _ in answers.values()) < GIBIBYTE // 4


def test_the_largest_pictures_are_read_within_a_gibibyte(read_all):
    answers = read_all(WITHIN_BOUNDS)
    assert answers.keys() == WITHIN_BOUNDS.keys()
    assert max(memory for memory, _ in answers.values()) < GIBIBYTE


@pytest.fixture(scope="module")
def compressed(ct_header, ct_file):
    """A DICOM file that declares so many pixels a side, around a frame."""

    def make(frame: bytes, syntax: str, side: int, bits: int = 16) -> bytes:
        header = ct_header(0, BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1)
        declared = np.broadcast_to(np.uint8(0), (side, side))
        return ct_file(header, declared, syntax, [frame])

    return make


def test_headers_that_only_a_bomb_has_are_refused_before_they_are_taken_apart(read_all, scan):
    def with_sequence(items: bytes) -> Callable[[], bytes]:
        voi_lut = struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, len(items))
        pixels = scan[0].rindex(b"\xe0\x7f\x10\0")
        return lambda: scan[0][:pixels] + voi_lut + items + scan[0][pixels:]

    def element(tag: int, representation: bytes, value: bytes) -> bytes:
        return struct.pack("<HH2sHI", 0x0028, tag, representation, 0, len(value)) + value

    def item(content: bytes) -> bytes:
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content

    files = {
        "items": with_sequence(item(b"") * 2_000_000),
        "table": with_sequence(item(element(0x3006, b"OW", b"\1\2" * 30_000_000))),
        "text": with_sequence(item(element(0x1050, b"UT", b"\\" * 60_000_000))),
        "few": with_sequence(item(b"") * 2),
    }
    answers = read_all(files)
    (_, few), refused = answers.pop("few"), answers.values()
    assert few.startswith("(")
    assert [answer for _, answer in refused if "which slices never have" not in answer] == []
    assert max(memory for memory, _ in refused) < GIBIBYTE


def forged(frame: bytes, at: int, *sides: int, width: int) -> bytes:
    """A frame that claims another size."""
    claim = b"".join(side.to_bytes(width, "big") for side in sides)
    return frame[:at] + claim + frame[at + len(claim) :]


def test_compressed_frames_that_claim_more_than_they_hold_are_refused(read_all, compressed):
    grey, colours = np.zeros((64, 64), np.uint16), np.zeros((64, 64, 3), np.uint8)
    grey[:, 1::3] = 900
    wavelet = imagecodecs.jpeg2k_encode(grey, codecformat="j2k")
    lossless = imagecodecs.jpegls_encode(grey)
    frame = lossless.index(b"\xff\xf7") + 5
    process = imagecodecs.jpeg8_encode(grey, lossless=True, bitspersample=16)
    third = process.index(b"\xff\xc3") + 5
    runs = struct.pack("<16I", 2, 64, 68, *[0] * 13) + b"\x81\0\x81\0\x81\0\x81\0"
    side = 4096
    progressive = BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(progressive, "JPEG", progressive=True)
    files = {
        "jpeg2000": (forged(wavelet, 8, side, side, width=4), uid.JPEG2000, side, 16),
        "tiles": (forged(wavelet, 24, 1, 1, width=4), uid.JPEG2000, 64, 16),
        "channels": (
            imagecodecs.jpeg2k_encode(colours, codecformat="j2k"),
            uid.JPEG2000,
            64,
            8,
        ),
        "jpeg-ls": (forged(lossless, frame, side, side, width=2), uid.JPEGLSLossless, side, 16),
        "lossless": (forged(process, third, side, side, width=2), uid.JPEGLosslessSV1, side, 16),
        "rle": (runs, uid.RLELossless, side, 16),
        "progressive": (progressive.getvalue(), uid.JPEGBaseline8Bit, 64, 8),
        "colours": (imagecodecs.jpeg8_encode(colours), uid.JPEGBaseline8Bit, 64, 8),
        "too-large": (forged(wavelet, 8, 7000, 7000, width=4), uid.JPEG2000, 7000, 16),
    }
    answers = read_all({name: lambda of=of: compressed(*of) for name, of in files.items()})
    read = {name for name, (_, answer) in answers.items() if answer.startswith("(")}
    assert read <= {"jpeg2000", "lossless"}  # whose decoders fill up, within the size declared
    assert max(memory for memory, _ in answers.values()) < GIBIBYTE


def test_a_deflated_dicom_file_may_not_unpack_a_hundredfold(read_all, ct_header, ct_file):
    header = ct_header(0, ImageComments="")
    blank = np.zeros((2048, 2048), np.uint16)
    blank[0] = 1
    packed = ct_file(header, blank, uid.DeflatedExplicitVRLittleEndian)
    assert len(packed) < blank.nbytes / 100
    ((memory, answer),) = read_all({"deflated": lambda: packed}).values()
    assert "unpacks to more than" in answer
    assert memory < GIBIBYTE // 4


def test_a_zip_full_of_one_overlapping_bomb_is_refused():
    from covidct.errors import ArchiveError
    from covidct.imaging.sources import uploaded

    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.png", np.random.default_rng(0).bytes(40_000))
    whole = file.getvalue()
    at = whole.index(b"PK\1\2")
    entry, end = whole[at : whole.index(b"PK\5\6")], whole[whole.index(b"PK\5\6") :]
    entries = b"".join(entry.replace(b"a.png", b"%05d" % number) for number in range(500))
    counted = end[:8] + struct.pack("<HHII", 500, 500, len(entries), at) + end[20:]
    with pytest.raises(ArchiveError):
        uploaded("bomb.zip", whole[:at] + entries + counted)
