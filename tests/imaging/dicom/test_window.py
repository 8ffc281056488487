"""Windows and tables against pydicom's own; limits against values on either side of them."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing
from pydicom.sequence import Sequence

from covidct.imaging.dicom.header import read_header
from covidct.imaging.dicom.window import VIEWING_WINDOWS, is_hounsfield, look_up, show

HIDDEN, NO_WINDOW = "hides the picture", "No window in the header: full range shown."


@pytest.fixture
def stored() -> np.ndarray:
    """Stored values over most of twelve bits, uint16 (64, 64)."""
    return np.random.default_rng(2).integers(0, 4000, (64, 64)).astype(np.uint16)


@pytest.fixture
def shown(dicom):
    """What is shown of values under a header with these elements, and the notes."""

    def make(values: np.ndarray, **elements: object) -> tuple[np.ndarray, tuple[str, ...]]:
        header = read_header(dicom(values, **{"Modality": "OT", **elements}))
        return show(values.astype(float), np.ones(values.shape, bool), header)

    return make


def levels(*groups: tuple[int, int]) -> np.ndarray:
    """A picture of values, each with its count; int16 (H, 100)."""
    values, counts = zip(*groups, strict=True)
    return np.repeat(np.array(values, np.int16), counts).reshape(-1, 100)


def table(first: int, bits: int, data: np.ndarray, count: int | None = None) -> Sequence:
    """A sequence of one look-up table."""
    item = Dataset()
    length = len(data) if count is None else count
    item.add_new(0x00283002, "SS" if first < 0 else "US", [length, first, bits])
    item.add_new(0x00283006, "OW", data.tobytes())
    return Sequence([item])


def test_viewing_windows_run_from_black_to_white_over_their_width():
    ends = {"Lung": (-1350, 150), "Wide": (-1500, 1000), "Mediastinal": (-160, 240)}
    assert VIEWING_WINDOWS.keys() == ends.keys()
    for name, (black, white) in ends.items():
        level = (white - black) / 255
        low, high = (
            black + level * np.array([0, 0.49, 0.51]),
            white - level * np.array([0.51, 0.49]),
        )
        greys = VIEWING_WINDOWS[name].apply(np.r_[black - 1, low, high, white + 1])
        assert greys.tolist() == [0, 0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(2000, 3000), (1500.5, 700), (2000, 2), (1900, 1.5)])
def test_a_window_is_applied_as_pydicom_applies_it(stored, dicom, shown, function, centre, width):
    elements = {"WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": function}
    dataset = pydicom.dcmread(BytesIO(dicom(stored, **elements)))
    with np.errstate(over="ignore"):
        expected = apply_windowing(stored, dataset) * (255 / 65535)
    greys, notes = shown(stored, **elements)
    assert np.abs(greys - expected).max() <= 0.5 + 1e-9
    assert notes == ("The window in the header was used.",)


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_a_window_without_width_is_none(stored, shown, function):
    for width in (0, -100):
        window = {"WindowCenter": 2000, "WindowWidth": width, "VOILUTFunction": function}
        assert shown(stored, **window)[1] == (NO_WINDOW,)


@pytest.mark.parametrize("missing", ["WindowCenter", "WindowWidth"])
def test_half_a_window_is_none(stored, shown, missing):
    window = {"WindowCenter": 2000, "WindowWidth": 3000}
    assert shown(stored, **{k: v for k, v in window.items() if k != missing})[1] == (NO_WINDOW,)


@pytest.mark.parametrize(("darker", "is_used"), [(100, True), (101, False)])
def test_a_window_must_leave_thirty_two_grey_levels(shown, darker, is_used):
    exact = {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}
    greys, (note,) = shown(levels((darker, 5000), (132, 5000)), **exact)
    assert (HIDDEN not in note) == is_used
    assert np.unique(greys).tolist() == ([darker, 132] if is_used else [0, 255])


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize(("count", "is_used"), [(60, False), (150, True)])
def test_one_pixel_in_a_hundred_makes_no_contrast(shown, bright, count, is_used):
    exact = {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}
    other = 200 if bright else 50
    _, (note,) = shown(levels((other, count), (120, 10_000 - count)), **exact)
    assert (HIDDEN not in note) == is_used


@pytest.mark.parametrize(("white", "is_used"), [(7000, True), (7100, False)])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_a_window_may_leave_seven_tenths_white(shown, white, is_used, photometric):
    exact = {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}
    extreme, grey = (300, 100) if photometric == "MONOCHROME2" else (0, 155)
    values = levels((extreme, white), (grey, 10_000 - white))
    greys, (note,) = shown(values, PhotometricInterpretation=photometric, **exact)
    assert (HIDDEN not in note) == is_used
    if is_used:
        assert np.unique(greys).tolist() == [100, 255]


@pytest.mark.parametrize(("bits", "entries"), [(8, 200), (10, 300), (12, 3000), (16, 2**16)])
@pytest.mark.parametrize("first", [0, 30])
def test_a_table_for_display_is_applied_as_pydicom_applies_it(
    stored, dicom, shown, bits, entries, first
):
    values = stored // 16 if entries < 3000 else stored
    data = np.random.default_rng(bits).integers(0, 2**bits, entries).astype(np.uint16)
    sequence = table(first, bits, data, entries % 2**16)  # 0 stands for 2^16
    dataset = pydicom.dcmread(BytesIO(dicom(values, VOILUTSequence=sequence)))
    # pydicom counts in the table's own 8 or 16 bits
    expected = apply_voi(values.astype(np.int32), dataset) * (255 / (2**bits - 1))
    greys, notes = shown(values, VOILUTSequence=sequence)
    assert np.abs(greys - expected).max() <= 0.5 + 1e-9
    assert notes == ("The look-up table in the header was used.",)


@pytest.mark.parametrize(
    ("elements", "is_signed"),
    [
        ({"PixelRepresentation": 1}, True),
        ({"PixelRepresentation": 0, "RescaleIntercept": "-1"}, True),
        ({"PixelRepresentation": 0, "RescaleIntercept": "0"}, False),
        ({"PixelRepresentation": 0}, False),
    ],
)
def test_a_table_of_signed_values_may_start_below_nought(elements, is_signed, dicom):
    data = np.linspace(0, 4095, 100).astype(np.uint16)
    file = dicom(levels((0, 9000)), VOILUTSequence=table(-50, 12, data), **elements)
    start = -50 if is_signed else 2**16 - 50
    values = np.array([[-10.0, 0.0, 0.8, 50.0, 99.0, 110.0]]) + start
    greys, _ = show(values, np.ones(values.shape, bool), read_header(file))
    assert greys.tolist() == [np.rint(data[[0, 0, 1, 50, 99, 99]] * (255 / 4095)).tolist()]


def test_a_modality_table_is_applied_as_pydicom_applies_it(stored, dicom):
    data = np.random.default_rng(0).integers(0, 2**16, 3000).astype(np.uint16)
    file = dicom(stored, ModalityLUTSequence=table(500, 16, data))
    found = look_up(stored.astype(float), read_header(file), "ModalityLUTSequence", False)
    assert found.dtype == np.float64
    assert np.array_equal(found, apply_modality_lut(stored, pydicom.dcmread(BytesIO(file))))


@pytest.mark.parametrize(("bits", "is_one"), [(7, False), (8, True), (16, True), (17, False)])
@pytest.mark.parametrize("packed", [True, False])
def test_a_table_of_eight_to_sixteen_bits_is_one_packed_or_not(dicom, bits, is_one, packed):
    data = np.arange(100, 0, -1).astype(np.uint8 if packed else np.uint16)
    file = dicom(levels((0, 9000)), VOILUTSequence=table(5, bits, data))
    values = np.array([[0.0, 5.0, 6.0, 104.0, 105.0]])
    found = look_up(values, read_header(file), "VOILUTSequence", False)
    assert (found is not None) == is_one
    if is_one:
        assert found.tolist() == [[100, 100, 99, 1, 1]]


def test_a_table_that_lacks_a_word_is_none(dicom):
    data = np.arange(98).astype(np.uint8)
    file = dicom(levels((0, 9000)), VOILUTSequence=table(0, 8, data, count=100))
    assert look_up(np.zeros((1, 1)), read_header(file), "VOILUTSequence", False) is None


@pytest.mark.parametrize(
    ("elements", "is_said"),
    [
        ({"Modality": "CT"}, True),
        ({"Modality": "OT", "RescaleIntercept": "0"}, True),
        ({"Modality": "OT"}, False),
    ],
)
def test_who_claims_hounsfield_units_is_contradicted(stored, shown, elements, is_said):
    _, notes = shown(stored, **elements)
    said = f"they run from {stored.min()} to {stored.max()}."
    assert (said in notes[0], len(notes)) == (is_said, 1 + is_said)


@pytest.mark.parametrize(
    ("groups", "are_so"),
    [
        ([(-501, 5), (0, 50), (-400, 45)], True),
        ([(-501, 4), (0, 50), (-400, 46)], False),
        ([(-500, 50), (0, 50)], False),
        ([(-501, 95), (0, 5)], True),
        ([(-501, 95), (-299, 2), (0, 3)], True),
        ([(-501, 96), (0, 4)], False),
        ([(-501, 95), (-300, 1), (0, 4)], False),
        ([(-501, 50), (-150, 50)], True),
        ([(-501, 50), (-151, 50)], False),
        ([(-501, 50), (200, 50)], True),
        ([(-501, 50), (201, 50)], False),
    ],
)
def test_hounsfield_units_show_a_twentieth_of_air_and_of_soft_body(groups, are_so):
    assert is_hounsfield(levels(*groups)) == are_so


@pytest.mark.parametrize(
    ("rescale_type", "may_be"),
    [("", True), ("HU", True), ("HU_MOD", True), ("US", True), ("OD", False), ("MGML", False)],
)
def test_a_named_quantity_settles_the_matter(rescale_type, may_be):
    assert is_hounsfield(levels((-501, 50), (0, 50)), rescale_type) == may_be
