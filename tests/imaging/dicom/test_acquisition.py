import pytest

from covidct.imaging.dicom.acquisition import UNKNOWN, Acquisition, read_acquisition


@pytest.fixture
def read(ct_header, ct_file, volume):
    """What is read of a slice whose header has these elements."""
    return lambda **elements: read_acquisition(ct_file(ct_header(0, **elements), volume[0]))


def test_age_sex_scanner_and_thickness_are_those_of_the_header(read):
    told = read(
        PatientAge="061Y",
        PatientSex="F",
        Manufacturer="Some Maker",
        ManufacturerModelName="Model 64",
        SliceThickness="1.25",
    )
    assert told == Acquisition(61, "F", "Some Maker Model 64", 1.25)


@pytest.mark.filterwarnings("ignore:Invalid value")  # pydicom's, when the header is made
@pytest.mark.parametrize(
    ("age", "years"), [("018M", 1), ("003W", 0), ("400D", 1), ("61", None), ("61 years", None)]
)
def test_ages_are_in_whole_years(read, age, years):
    assert read(PatientAge=age).age == years


def test_what_a_header_leaves_out_or_mistakes_is_not_known(read):
    assert read() == UNKNOWN
    assert read(PatientSex="X", SliceThickness="0", Manufacturer=" ") == UNKNOWN
