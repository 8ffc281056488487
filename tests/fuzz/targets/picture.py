"""Pictures of every kind, and what is none of them."""

from contextlib import suppress

from covidct.errors import CovidCTError
from covidct.imaging import read_slice


def target(data: bytes) -> None:
    with suppress(CovidCTError):
        read_slice(data, 0)
