"""An archive, dropped on the Diagnose page and taken as a data set."""

import tempfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from covidct.data.zip_dataset import list_class_folders, unpack_dataset
from covidct.errors import CovidCTError
from covidct.imaging.sources import uploaded


def target(data: bytes) -> None:
    with suppress(CovidCTError):
        for file in uploaded("fuzzed", data):
            with suppress(CovidCTError):
                file.read()
    with suppress(CovidCTError):
        list_class_folders(BytesIO(data))
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        with suppress(CovidCTError):
            unpack_dataset(BytesIO(data), home / "data")
        outside = [path.name for path in Path(place).iterdir() if path != home]
        assert not outside, outside
