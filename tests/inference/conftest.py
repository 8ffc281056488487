import keras
import pytest

from covidct.inference.calibration import Calibration
from covidct.inference.card import ModelCard
from covidct.inference.classifier import Classifier
from covidct.models.folding import fold_batch_norm
from covidct.models.litert import float_graph
from covidct.models.network import build_network, head_of
from covidct.training.keep import write_model_files


@pytest.fixture(scope="session")
def model_folder(make_once):
    """An untrained network of 96 pixels a side, with a card."""

    def fill(folder):
        keras.utils.set_random_seed(1)
        network = fold_batch_norm(build_network("efficientnet_lite0", (96, 96)))
        card = ModelCard(
            name="untrained",
            sha256="",
            backbone="efficientnet_lite0",
            image_size=(96, 96),
            pixel_scaling="backbone",
            calibration=Calibration(2.0, 0.4, (0.3, 0.5)),
        )
        files = (network, float_graph(network), head_of(network))
        write_model_files(folder, card, *files).write(folder)

    return make_once("untrained", fill)


@pytest.fixture(scope="session")
def untrained(model_folder):
    return Classifier.load(model_folder)


@pytest.fixture(scope="session")
def shipped():
    return Classifier.load()
