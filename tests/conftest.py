"""Data that several tests share: real slices where they are, small synthetic ones everywhere."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import pytest

from covidct.imaging.phantom import phantom_slice

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _no_ones_home(tmp_path_factory):
    """Runs and promoted models of whoever calls the tests are neither seen nor touched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDCT_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def own_home(tmp_path, monkeypatch) -> Path:
    """A COVIDCT_HOME for one test."""
    monkeypatch.setenv("COVIDCT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of app.py."""
    return ROOT


@pytest.fixture(scope="session")
def covid_ct() -> Path:
    """The COVID-CT data set."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not on this machine")
    return SHARED_DATA / "COVID-CT"


@pytest.fixture(scope="session")
def real_files(covid_ct) -> list[Path]:
    """Every twentieth slice of COVID-CT."""
    return sorted((covid_ct / "Images-processed").glob("*/*"))[::20]


@pytest.fixture(scope="session")
def phantoms():
    """Eight synthetic slices, every other one with lesions."""
    return [phantom_slice(seed, lesions=3 * (seed % 2), size=256) for seed in range(8)]


@pytest.fixture(scope="session")
def phantom_dataset(tmp_path_factory) -> Path:
    """Two plain folders of 12 synthetic slices each, of one patient per slice."""
    root = tmp_path_factory.mktemp("dataset")
    for name, lesions in (("CT_COVID", 4), ("CT_NonCOVID", 0)):
        (root / name).mkdir()
        for seed in range(12):
            pixels = phantom_slice(100 + seed, lesions, size=160).ct_slice.pixels
            cv2.imwrite(str(root / name / f"{'abcdefghijkl'[seed]}.png"), pixels)
    return root


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """An untrained network of 64 pixels a side, with a card."""
    import keras

    from covidct.inference.calibration import Calibration
    from covidct.inference.store import MODEL_FILE, ModelCard, sha256_of
    from covidct.models.network import build_network

    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    keras.utils.set_random_seed(1)
    build_network("efficientnet_lite0", (64, 64), pretrained=False).save(folder / MODEL_FILE)
    calibration = Calibration(1.0, 0.5, (0.49, 0.51))
    digest = sha256_of(folder / MODEL_FILE)
    ModelCard("tiny", digest, "efficientnet_lite0", (64, 64), "backbone", calibration).write(folder)
    return folder
