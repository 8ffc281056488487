"""A DICOM file, as a slice, for viewing, and as a series."""

from contextlib import suppress

from covidct.errors import CovidCTError
from covidct.imaging import read_hounsfield, read_slice
from covidct.imaging.file import File
from covidct.imaging.gather import gather
from covidct.imaging.series import Series

FEW = 3  # slices of a series that are looked at


def target(data: bytes) -> None:
    for read in (read_slice, read_hounsfield):
        with suppress(CovidCTError):
            read(data)
    for group in gather([File("fuzzed", lambda: data)]):
        if isinstance(group, Series):
            for index in range(min(FEW, len(group))):
                with suppress(CovidCTError):
                    group.read(index)
