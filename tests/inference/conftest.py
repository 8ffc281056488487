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
def model_folder(tmp_path_factory):
    """An untrained network of 96 pixels a side, with a card."""
    folder = tmp_path_factory.mktemp("model")
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
    write_model_files(folder, card, network, float_graph(network), head_of(network)).write(folder)
    return folder


@pytest.fixture(scope="session")
def untrained(model_folder):
    return Classifier.load(model_folder)


@pytest.fixture(scope="session")
def shipped():
    return Classifier.load()
