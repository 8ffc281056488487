import keras
import pytest

from covidct.inference.calibration import Calibration
from covidct.inference.classifier import Classifier
from covidct.inference.store import MODEL_FILE, ModelCard, sha256_of
from covidct.models.network import build_network


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """An untrained network of 96 pixels a side, with a card."""
    folder = tmp_path_factory.mktemp("model")
    keras.utils.set_random_seed(1)
    build_network("efficientnet_lite0", (96, 96)).save(folder / MODEL_FILE)
    ModelCard(
        name="untrained",
        sha256=sha256_of(folder / MODEL_FILE),
        backbone="efficientnet_lite0",
        image_size=(96, 96),
        pixel_scaling="backbone",
        calibration=Calibration(2.0, 0.4, (0.3, 0.5)),
    ).write(folder)
    return folder


@pytest.fixture(scope="session")
def untrained(model_folder):
    return Classifier.load(model_folder)


@pytest.fixture(scope="session")
def shipped():
    return Classifier.load()
