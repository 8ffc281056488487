"""Room for data sets, of which no more is given than there is, however many ask at once."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from covidct.data.index import CLASS_FOLDERS
from covidct.data.kept import keep
from covidct.data.room import reserved, room_for
from covidct.data.zip_dataset import unpack_dataset
from covidct.errors import DatasetError
from covidct.home import data_dir
from covidct.quota import DATA, MEGABYTE

LARGE = 600_000  # bytes: room for one, not for two


@pytest.fixture(autouse=True)
def one_megabyte(own_home, monkeypatch):
    monkeypatch.setenv("COVIDCT_DATA_MB", "1")
    data_dir().mkdir(parents=True)


def keep_slice():
    keep(np.random.default_rng(1).integers(0, 256, (LARGE // 600, 600), np.uint8), "patient")


def upload():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for folder in CLASS_FOLDERS.values():
            zipped.writestr(f"{folder}/a.png", bytes(LARGE // 2))
    unpack_dataset(archive, data_dir() / "uploaded")


@pytest.mark.parametrize("take", [keep_slice, upload])
def test_who_asks_while_another_one_writes_waits_and_is_given_what_is_left(take):
    answered = Event()

    def second():
        try:
            take()
        finally:
            answered.set()

    with ThreadPoolExecutor(1) as other:
        with room_for(LARGE):
            asked = other.submit(second)
            answered.wait(1)  # it would be, if it did not wait for the end of the block
            (data_dir() / "first").write_bytes(bytes(LARGE))
        with pytest.raises(DatasetError, match="COVIDCT_DATA_MB"):
            asked.result()
    assert DATA.taken() == LARGE
    (data_dir() / "first").unlink()
    take()
    assert DATA.taken() >= LARGE


def test_what_is_reserved_counts_until_it_is_written():
    stand_in = data_dir() / "stand-in"
    with reserved(MEGABYTE - 1000, stand_in):
        assert stand_in.stat().st_blocks == 0
        with pytest.raises(DatasetError, match="COVIDCT_DATA_MB"), room_for(2000):
            pass
        with room_for(1000):
            pass
    with room_for(2000):
        pass
    assert not stand_in.exists()
