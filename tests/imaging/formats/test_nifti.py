import gzip
import zipfile
from io import BytesIO
from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.file import File
from covidct.imaging.formats import nifti
from covidct.imaging.gather import Stranger, gather
from covidct.imaging.readers import read_hounsfield, read_slice
from covidct.imaging.series import Series
from covidct.imaging.sources import files_at, uploaded

ORIENTATIONS = [
    "".join(ends[at] for at in order)
    for order, ends in product(permutations(range(3)), [("R", "A", "S"), ("L", "P", "I")])
]
CORNER = (-100.0, -90.0, 30.0)  # of the first slice of `scan`, whose coordinates are DICOM's
SPACING = (0.7, 0.8)


@pytest.fixture(scope="module")
def hounsfield_units(volume) -> np.ndarray:
    """Those of `scan`, (slices, rows, columns)."""
    return volume.astype(np.int16) - 1350


@pytest.fixture(scope="module")
def written(hounsfield_units):
    """A NIfTI file of that volume, its axes in any order and direction."""

    def write(
        values: np.ndarray = hounsfield_units,
        axes: str = "LPS",
        kind=nibabel.Nifti1Image,
        tilt: float = 0,
        change=lambda header: None,
    ) -> bytes:
        laid = np.moveaxis(values, (0, 1, 2), (2, 1, 0))
        rotation = np.eye(4)
        rotation[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
        affine = np.diag([-SPACING[1], -SPACING[0], 2.5, 1])
        affine[:3, 3] = -CORNER[0], -CORNER[1], CORNER[2]
        affine = rotation @ affine
        turn = ornt_transform(axcodes2ornt("LPS"), axcodes2ornt(axes))
        laid, affine = apply_orientation(laid, turn), affine @ inv_ornt_aff(turn, laid.shape)
        image = kind(laid, affine, dtype=values.dtype)
        change(image.header)
        return image.to_bytes()

    return write


@pytest.fixture(scope="module")
def expected(scan) -> Series:
    (series,) = gather(File(str(i), lambda data=data: data) for i, data in enumerate(scan))
    return series


def as_series(data: bytes) -> Series:
    (series,) = gather([File("volume", lambda: data)])
    assert isinstance(series, Series)
    return series


def same(found: Series, expected: Series) -> bool:
    assert [place.position_mm for place in found.places] == [
        place.position_mm for place in expected.places
    ]
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one.spacing_mm == pytest.approx(other.spacing_mm)
        assert np.array_equal(found.read_hounsfield(index), expected.read_hounsfield(index))
        assert np.array_equal(one.pixels, other.pixels)
    return True


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_however_the_voxels_lie_the_slices_are_those_of_the_dicom_series(written, expected, axes):
    found = as_series(written(axes=axes))
    assert same(found, expected)
    assert [place.frame for place in found.places] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", "<f4", ">f8", "<i8"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_neither_type_nor_packing_nor_version_shows(
    written, hounsfield_units, expected, dtype, pack, kind
):
    assert same(as_series(pack(written(hounsfield_units.astype(dtype), kind=kind))), expected)


def test_scaled_and_offset_values_are_hounsfield_units_all_the_same(written, volume, expected):
    def scale(header):
        header["scl_slope"], header["scl_inter"] = 0.5, -1350

    scaled = as_series(written(volume * np.uint16(2), change=scale))
    assert same(scaled, expected)
    above_zero = np.maximum(volume.astype(np.int16) - 1350 + 1024, 0)
    above_zero[:, 75:85, 85:91] = 1024 + 700  # bone
    stored = as_series(written(above_zero))
    assert "offset 1024" in stored.read(0).notes[0]


def test_a_frame_is_read_by_its_number_from_the_feet(written, expected):
    data = written(axes="RAI")
    assert np.array_equal(read_slice(data, 2).pixels, expected.read(2).pixels)
    assert np.array_equal(read_hounsfield(data, 2), expected.read_hounsfield(2))
    with pytest.raises(UnsupportedEncoding, match="holds 7 slices; open it as a series"):
        read_slice(data)
    with pytest.raises(UnreadableSlice, match="no such frame: it holds 7"):
        read_slice(data, 7)


def test_slices_without_hounsfield_units_share_one_range(written, volume):
    found = as_series(written(volume.astype(np.float32) / 1500))
    assert found.read_hounsfield(0) is None
    darkest, brightest = (float(end(volume)) / 1500 for end in (np.min, np.max))
    for index, ct_slice in enumerate(found):
        greys = (volume[index] / 1500 - darkest) * 255 / (brightest - darkest)
        assert np.abs(ct_slice.pixels - greys).max() < 0.51


def test_greys_of_eight_bits_stay_as_they_are(written, volume):
    greys = (volume // 6).astype(np.uint8)
    assert np.array_equal([one.pixels for one in as_series(written(greys))], greys)


def test_a_header_that_places_nothing_is_said(written):
    data = bytearray(written())
    data[252:256] = bytes(4)  # qform_code and sform_code
    assert "may be exchanged" in as_series(bytes(data)).read(0).notes[-1]
    assert not any("exchanged" in note for note in as_series(written()).read(0).notes)


def test_a_volume_in_a_folder_a_zip_or_an_upload_is_the_same(written, expected, tmp_path):
    data, zipped = gzip.compress(written()), BytesIO()
    (tmp_path / "scan.nii.gz").write_bytes(data)
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("case/scan.nii.gz", data)
    for files in (files_at(tmp_path), uploaded("a", data), uploaded("b", zipped.getvalue())):
        (series,) = gather(files)
        assert same(series, expected)


def test_a_mask_volume_is_no_ct(written, volume):
    mask = gzip.compress(written((volume > 700).astype(np.uint8) * 2))
    ct, stranger = gather([File("ct", written), File("mask", lambda: mask)])
    assert isinstance(ct, Series)
    assert isinstance(stranger, Stranger)
    assert stranger.reason == nifti.MASK
    with pytest.raises(UnreadableSlice, match="such as a mask"):
        read_slice(mask, 0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda v: np.stack([v, v], axis=3), "several volumes"),
        (lambda v: v.astype(np.complex64), "colours or complex"),
        (lambda v: v[:, :40], "too small"),
    ],
)
def test_what_is_no_volume_of_slices_is_named(hounsfield_units, written, change, sentence):
    with pytest.raises(UnreadableSlice, match=sentence):
        read_slice(written(change(hounsfield_units)), 0)


@pytest.mark.parametrize(("degrees", "is_axial"), [(30, True), (-30, True), (40, False)])
def test_planes_tilted_by_a_gantry_are_axial_and_oblique_ones_are_refused(
    written, expected, degrees, is_axial
):
    data = written(tilt=np.radians(degrees))
    if is_axial:
        found = as_series(data)
        assert np.array_equal(found.read(3).pixels, expected.read(3).pixels)
        assert np.diff([place.position_mm for place in found.places]) == pytest.approx(2.5)
    else:
        with pytest.raises(UnsupportedEncoding, match="oblique"):
            read_slice(data, 0)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_volume_that_is_cut_off_is_one_file_to_be_refused(written, pack):
    data = pack(written())
    for length in (len(data) - 200, len(data) // 2, 400):
        (file,) = gather([File("cut", lambda length=length: data[:length])])
        assert isinstance(file, File)
        with pytest.raises(UnreadableSlice):
            read_slice(data[:length], 0)


def test_a_damaged_packing_is_refused(written):
    data = bytearray(gzip.compress(written()))
    data[-6] ^= 1  # of the checksum
    with pytest.raises(UnreadableSlice, match="damaged or incomplete"):
        read_slice(bytes(data), 0)


def test_mutated_headers_are_read_or_refused(written):
    rng, whole = np.random.default_rng(3), written()
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(0, 352, rng.integers(1, 6)):
            data[at] = rng.integers(256)
        try:
            assert read_slice(bytes(data), 1).pixels.ndim == 2
        except UnreadableSlice as error:
            assert str(error).endswith(".")


def test_extensions_are_neither_read_nor_shown(written):
    image = nibabel.Nifti1Image.from_bytes(written())
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"Secret^Patient"))
    series = as_series(image.to_bytes())
    assert "Secret" not in repr((series.places, series.notes, series.read(0).notes))
