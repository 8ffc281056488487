"""VGG16 with its ImageNet weights; downloads 61 MB, so it only runs when asked."""

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from covidct.benchmark.vgg16 import imagenet_weights
from covidct.inference.card import KERAS_FILE, MODEL_FILE, read_card
from covidct.inference.classifier import Classifier
from covidct.training.config import TrainConfig
from covidct.training.fit import fit
from covidct.training.run_folder import read_metrics
from covidct.training.trunks import pretrained_network

pytestmark = pytest.mark.vgg16

CONFIG = TrainConfig(
    backbone="vgg16", image_size=64, epochs=0, probe_views=1, validation_share=0.25
)


@pytest.fixture(scope="module")
def weights():
    return imagenet_weights()


@pytest.fixture(scope="module", autouse=True)
def _keras_has_downloaded_them(weights, tmp_path_factory):
    """Keras' own loader finds the weights in a file, as if it had downloaded it."""
    file = tmp_path_factory.mktemp("keras") / "vgg16.weights.h5"
    network = keras.applications.VGG16(include_top=False, weights=None)
    network.set_weights(weights)
    network.save_weights(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_utils, "get_file", lambda *_, **__: str(file))
        yield


@pytest.fixture(scope="module")
def run(phantom_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "vgg16"
    fit(phantom_dataset, folder, CONFIG)
    return folder


def test_the_package_holds_the_weights_that_keras_has(weights):
    # Of Keras' file, as printed in public; [row, column, blue green red, map]
    first = weights[0][0, 0, :, :3]
    assert np.allclose(
        first,
        [
            [0.429470569, 0.117273867, 0.0340129584],
            [0.550379455, 0.0208774377, 0.0988311544],
            [0.480015397, -0.17269668, 0.0375577137],
        ],
        rtol=1e-6,
    )
    # Of each layer's first map, from its authors' own file, whose first layer takes red first
    kernels = [weights[0][0, 0, 2, 0], *(kernel[0, 0, 0, 0] for kernel in weights[2::2])]
    assert np.allclose(
        kernels,
        [
            *(0.4800154, 0.16621928, -0.008902963, -0.0023012366, 0.002486315, -0.0103266295),
            *(0.0024918285, -0.012453815, 0.007116542, -0.0041355654, -0.0006068934),
            *(-0.0011261065, 0.00040788297),
        ],
        rtol=1e-6,
    )
    assert np.allclose(
        [bias[0] for bias in weights[1::2]],
        [
            *(0.73429835, -0.30912212, -0.04577766, -0.06418542, -0.074358866, 0.019675018),
            *(0.035415243, 0.013485669, 0.023680462, 0.03757768, 0.09722325, 0.21327873),
            0.18837857,
        ],
        rtol=1e-6,
    )


def test_a_run_starts_from_these_weights(weights):
    network = pretrained_network(CONFIG)
    kernel, bias = network.get_layer("block5_conv3").get_weights()
    assert np.allclose(kernel, weights[-2], rtol=1e-3, atol=1e-6)  # rounded to half precision
    assert np.allclose(bias, weights[-1], rtol=1e-3, atol=1e-6)


def test_it_trains_and_is_converted(run):
    rows = read_metrics(run)
    assert len(rows) == CONFIG.planned_epochs
    assert all(np.isfinite(row["val_auc"]) for row in rows)
    assert (run / MODEL_FILE).is_file() and (run / KERAS_FILE).is_file()
    card = read_card(run)
    assert card.about["conversion"]["in_integers"] == card.in_integers


def test_the_converted_model_judges_a_slice(run, phantoms):
    classifier = Classifier.load(run)
    prediction = classifier.classify(phantoms[0].ct_slice)
    assert prediction.label in ("Positive", "Negative")
    assert 0 < prediction.probability < 1
