"""The seeds of the fuzzing: small synthetic files of every kind that is read.

python tests/fuzz/seeds.py writes those that are missing below tests/fuzz/corpus, beside files that
were found to do harm, which are named found-*. What is there stays as it is: other versions of the
encoders would write other bytes.
"""

import json
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import cv2
import imagecodecs
import nibabel
import numpy as np
import pillow_heif
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from targets.coding_style import STYLE
from targets.frame import SIDE, SYNTAXES

from covidct.imaging.phantom import phantom_slice

CORPUS = Path(__file__).parent / "corpus"
GREYS = phantom_slice(1, 2, size=SIDE).ct_slice.pixels // 16 * 16  # few greys, so small files
PICTURES = {
    "grey.png": ("PNG", "L", {}),
    "colour.png": ("PNG", "RGB", {}),
    "alpha.png": ("PNG", "LA", {}),
    "palette.png": ("PNG", "P", {}),
    "two.png": ("PNG", "1", {}),
    "deep.png": ("PNG", "I;16", {}),
    "grey.jpg": ("JPEG", "L", {"quality": 60}),
    "progressive.jpg": ("JPEG", "RGB", {"quality": 60, "progressive": True}),
    "cmyk.jpg": ("JPEG", "CMYK", {"quality": 30}),
    "plain.tif": ("TIFF", "1", {}),
    "lzw.tif": ("TIFF", "L", {"compression": "tiff_lzw"}),
    "deflate.tif": ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    "packbits.tif": ("TIFF", "L", {"compression": "packbits"}),
    "jpeg.tif": ("TIFF", "L", {"compression": "jpeg"}),
    "fax.tif": ("TIFF", "1", {"compression": "group4"}),
    "deep.tif": ("TIFF", "I;16", {"compression": "tiff_lzw"}),
    "grey.bmp": ("BMP", "L", {}),
    "lossy.webp": ("WEBP", "RGB", {"quality": 50}),
    "lossless.webp": ("WEBP", "RGBA", {"lossless": True}),
    "grey.avif": ("AVIF", "L", {"quality": 40}),
    "grey.jp2": ("JPEG2000", "L", {"quality_layers": [20]}),
}


def pictures() -> Iterator[tuple[str, bytes]]:
    """A picture of every kind, and metadata that unpack."""
    for name, (kind, mode, options) in PICTURES.items():
        image = Image.fromarray(GREYS)
        if mode == "I;16":
            image = Image.fromarray(GREYS.astype(np.uint16) * 200)
        elif mode != "L":
            image = image.convert(mode)
        file = BytesIO()
        image.save(file, kind, **options)
        yield name, file.getvalue()
    colours = np.stack([GREYS.astype(np.uint16) * shade for shade in (200, 210, 220)], axis=-1)
    for name in ("deep-colours.png", "deep-colours.tif"):
        yield name, cv2.imencode(name[-4:], colours)[1].tobytes()
    yield "runs.bmp", _run_length_bitmap()
    first, second = (Image.fromarray(GREYS[:, ::step].copy()) for step in (1, -1))
    file = BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=[second], compression="tiff_lzw")
    yield "pages.tif", file.getvalue()
    yield "stream.j2k", imagecodecs.jpeg2k_encode(GREYS, codecformat="j2k")
    yield "grey.jxl", imagecodecs.jpegxl_encode(GREYS, level=60)
    file = BytesIO()
    pillow_heif.from_pillow(first).save(file, quality=40)
    yield "grey.heic", file.getvalue()


def _run_length_bitmap() -> bytes:
    """A BMP in 8-bit run lengths, which Pillow reads and does not write."""
    runs = b"".join(bytes([SIDE // 2, row, SIDE // 2, 2 * row, 0, 0]) for row in range(SIDE))
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    offset = 14 + 40 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", offset + len(runs), 0, 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return head + info + palette + runs + b"\0\1"


def _header(**elements: object) -> Dataset:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = uid.CTImageStorage, "1.2.3"
    header.SeriesInstanceUID, header.Modality = "1.2", "CT"
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows = header.Columns = SIDE
    header.BitsAllocated = header.BitsStored = 16
    header.PixelRepresentation = 1
    header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, 5], [1, 0, 0, 0, 1, 0]
    header.RescaleSlope, header.RescaleIntercept = "1", "0"
    header.PixelData = (GREYS.astype(np.int16) * 5 - 1000).tobytes()
    header["PixelData"].VR = "OW"
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    return header


def _file(header: Dataset, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def dicom_files() -> Iterator[tuple[str, bytes]]:
    """A slice in every encoding, tables, and an object of several frames."""
    eight = GREYS.tobytes()
    byte = {"BitsAllocated": 8, "BitsStored": 8, "PixelRepresentation": 0, "PixelData": eight}
    table = {"LUTDescriptor": [256, 0, 8], "LUTData": bytes(range(256))}
    position = _item(PlanePositionSequence=[_item(ImagePositionPatient=[0, 0, 1])])
    yield "explicit.dcm", _file(_header())
    yield "implicit.dcm", _file(_header(), uid.ImplicitVRLittleEndian)
    yield "big.dcm", _file(_header(), uid.ExplicitVRBigEndian)
    yield "deflated.dcm", _file(_header(), uid.DeflatedExplicitVRLittleEndian)
    yield "window.dcm", _file(_header(**byte, WindowCenter="100", WindowWidth="90"))
    yield "table.dcm", _file(_header(**byte, VOILUTSequence=[_item(**table)]))
    frames = {
        "NumberOfFrames": "2",
        "PixelData": eight * 2,
        "SharedFunctionalGroupsSequence": [position],
        "PerFrameFunctionalGroupsSequence": [position, position],
    }
    yield "frames.dcm", _file(_header(**(byte | frames)))


def frames() -> Iterator[tuple[str, bytes]]:
    """A frame in each compression, its number before it."""
    deep = GREYS.astype(np.uint16)
    encoded = {
        uid.RLELossless: _run_lengths(deep),
        uid.JPEGBaseline8Bit: imagecodecs.jpeg8_encode(GREYS, level=60),
        uid.JPEGExtended12Bit: imagecodecs.jpeg8_encode(deep, level=60, bitspersample=12),
        uid.JPEGLosslessSV1: imagecodecs.jpeg8_encode(deep, lossless=True, bitspersample=16),
        uid.JPEGLSLossless: imagecodecs.jpegls_encode(deep),
        uid.JPEG2000: imagecodecs.jpeg2k_encode(deep, codecformat="j2k"),
        uid.HTJ2K: imagecodecs.htj2k_encode(deep),
    }
    for number, syntax in enumerate(SYNTAXES):
        yield f"{uid.UID(syntax).keyword}.frame", bytes([number]) + encoded[syntax]


def _run_lengths(values: np.ndarray) -> bytes:
    """PS3.5 annex G, with literal runs of a row each."""
    planes = (values >> 8, values & 255)
    segments = [
        b"".join(bytes([SIDE - 1]) + row.astype(np.uint8).tobytes() for row in plane)
        for plane in planes
    ]
    offsets = np.array([2, 64, 64 + len(segments[0]), *[0] * 13], "<u4")
    return offsets.tobytes() + b"".join(segments)


def archives() -> Iterator[tuple[str, bytes]]:
    """A data set, packed and stored."""
    tiny = BytesIO()
    Image.fromarray(GREYS).save(tiny, "PNG")
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("packed.zip", zipfile.ZIP_DEFLATED)):
        file = BytesIO()
        with zipfile.ZipFile(file, "w", method) as packed:
            packed.writestr("set/CT_COVID/a.png", tiny.getvalue())
            packed.writestr("set/CT_NonCOVID/b.png", b"no picture")
            packed.writestr("set/patients.csv", "class,file,patient\nCOVID,a.png,1\n")
        yield name, file.getvalue()
    inside = file.getvalue()
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("set.zip", inside)
    yield "nested.zip", file.getvalue()
    for name, mode in (("plain.tar", "w"), ("packed.tar.gz", "w:gz")):
        file = BytesIO()
        with tarfile.open(fileobj=file, mode=mode, format=tarfile.PAX_FORMAT) as tar:
            info = tarfile.TarInfo("set/ä.png")
            info.size = len(tiny.getvalue())
            tar.addfile(info, BytesIO(tiny.getvalue()))
        yield name, file.getvalue()


def coding_styles() -> Iterator[tuple[str, bytes]]:
    """In the header of all tiles and of one, of all components and of one; with own precincts."""
    yield "all", b"\0" + STYLE
    yield "precincts", b"\0" + b"\1" + STYLE[1:] + bytes([0x77] * (STYLE[5] + 1))
    yield "component", b"\1" + b"\0\0" + STYLE[5:]
    yield "tile", b"\2" + STYLE
    yield "component-of-tile", b"\3" + b"\0\1" + STYLE[5:] + bytes([0x77] * (STYLE[5] + 1))


def paths() -> Iterator[tuple[str, bytes]]:
    """Classes in folders, and folders in folders."""
    yield "classes", b"set/CT_COVID/a.png\nset/CT_NonCOVID/b.png\nset/patients.csv"
    yield "deep", b"a/" * 30 + b"b.png\n" + b"a/" * 40 + b"c.png"
    yield "out", b"../a.png\n/b.png\nC:\\c.png\n./d.png\n//e.png"


def cards() -> Iterator[tuple[str, bytes]]:
    """A card as it is shipped, without its history."""
    calibration = {"temperature": 1.5, "operating_point": 0.4, "abstain_band": [0.3, 0.5]}
    yield (
        "card.json",
        json.dumps(
            {
                "name": "tiny",
                "sha256": "0" * 64,
                "backbone": "efficientnet_lite0",
                "image_size": [48, 64],
                "pixel_scaling": "backbone",
                "calibration": calibration | {"sensitive_point": None},
                "about": {"data": "phantoms"},
                "average_map": [[0.5, -0.5]],
                "keras_sha256": "0" * 64,
                "mirrored": True,
                "in_integers": True,
            }
        ).encode(),
    )


def volumes() -> Iterator[tuple[str, bytes]]:
    """Two slices of a volume in either version and several types."""
    laid = np.stack([GREYS.T, GREYS.T[::-1]], axis=2)
    affine = np.diag([-0.7, -0.7, 5, 1])
    for name, kind, values in (
        ("bytes.nii", nibabel.Nifti1Image, laid),
        ("hounsfield.nii", nibabel.Nifti1Image, laid.astype(np.int16) * 5 - 1000),
        ("two.nii", nibabel.Nifti2Image, laid.astype(np.int16) * 5 - 1000),
    ):
        yield name, kind(values, affine).to_bytes()


SEEDS = {
    "picture": pictures,
    "dicom": dicom_files,
    "frame": frames,
    "nifti": volumes,
    "archive": archives,
    "coding_style": coding_styles,
    "paths": paths,
    "card": cards,
}

if __name__ == "__main__":
    for target, make in SEEDS.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in make():
            file = CORPUS / target / name
            if not file.exists():
                file.write_bytes(data)
