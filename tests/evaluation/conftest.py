import cv2
import keras
import numpy as np
import pytest
from keras import layers

from covidct.evaluation.results import Reviewed
from covidct.imaging.phantom import phantom_slice
from covidct.inference.calibration import Calibration
from covidct.inference.card import ModelCard
from covidct.inference.classifier import Classifier
from covidct.models.litert import float_graph
from covidct.models.network import LOGIT_LAYER, POOLING_LAYER, STANDARDISE_LAYER, head_of
from covidct.training.keep import write_model_files


@pytest.fixture(scope="session")
def make_slices():
    """Judged slices of patients with three slices each, better told apart than by chance."""

    def make(patients: int = 60, seed: int = 0, ties: bool = False) -> tuple[Reviewed, ...]:
        rng = np.random.default_rng(seed)
        slices = []
        for patient in range(patients):
            ill, level = patient % 2 == 0, rng.normal()
            for number in range(3):
                logit = level + rng.normal(scale=0.5) + (1.0 if ill else -1.0)
                probability = round(float(1 / (1 + np.exp(-logit))), 1 if ties else 6)
                class_name = "COVID" if ill else "NonCOVID"
                slices.append(
                    Reviewed(
                        f"{patient}-{number}.png",
                        class_name,
                        f"{class_name}/{patient}",
                        probability,
                        "Positive" if probability >= 0.5 else "Negative",
                        "Uncertain" if 0.4 <= probability < 0.6 else "certain",
                        "PNG" if patient % 3 else "JPEG",
                        (100 + patient, 200),
                    )
                )
        return tuple(slices)

    return make


def linear_network(weights):
    """A network whose logit is the sum of its picture (rows, columns) times these weights.

    Its maps have one place, where both covers are 1 however they lie.
    """
    images = keras.Input((*weights.shape, 3))
    picture = layers.Identity(name="grey_only")(images[..., :1])
    maps = layers.Conv2D(1, weights.shape, name="all_pixels")(picture)
    maps = layers.Identity(name="maps_only_0")(maps)
    pooled = layers.Concatenate(name=POOLING_LAYER)(
        [
            layers.GlobalAveragePooling2D(name=f"averaged_only_{number}")(maps)
            for number in range(2)  # under thorax and opacities
        ]
    )
    scaled = layers.BatchNormalization(
        center=False, scale=False, epsilon=1e-8, name=STANDARDISE_LAYER
    )(pooled)
    model = keras.Model(
        images, layers.Dense(1, name=LOGIT_LAYER)(scaled), name="efficientnet_lite0"
    )
    model.get_layer("all_pixels").set_weights([weights[:, :, None, None], np.zeros(1)])
    model.get_layer(LOGIT_LAYER).set_weights([np.array([[1], [0]]), np.zeros(1)])
    return model


@pytest.fixture(scope="session")
def marked_series(tmp_path_factory, volume, ct_header, ct_file):
    """Makes the folder of a series of phantoms, its masks turned over as a function turns them."""

    def make(turned):
        folder = tmp_path_factory.mktemp("marked")
        for kind in ("series", "lesion-masks", "lung-masks"):
            (folder / kind).mkdir()
        for number, values in enumerate(volume):
            phantom = phantom_slice(number, number % 3, values.shape)
            (folder / "series" / f"{number}.dcm").write_bytes(ct_file(ct_header(number), values))
            for kind, mask in (("lesion", phantom.lesion_mask), ("lung", phantom.lung_mask)):
                drawn = np.ascontiguousarray(turned(mask)).astype(np.uint8) * 255
                cv2.imwrite(str(folder / f"{kind}-masks" / f"{number}.png"), drawn)
        return folder

    return make


def card_of(model):
    return ModelCard(
        name="linear",
        sha256="0" * 64,
        backbone="efficientnet_lite0",
        image_size=model.input_shape[1:3],
        pixel_scaling="unit",
        calibration=Calibration(),
    )


@pytest.fixture(scope="session")
def linear_classifier():
    """Makes a classifier of a linear network from its weights (rows, columns)."""

    def make(weights):
        model = linear_network(weights)
        return Classifier.of_network(model, card_of(model))

    return make


@pytest.fixture(scope="session")
def deaf_model_folder(tmp_path_factory):
    """A model folder whose network says the same of everything."""
    folder = tmp_path_factory.mktemp("deaf")
    model = linear_network(np.zeros((48, 64)))
    files = (model, float_graph(model), head_of(model))
    write_model_files(folder, card_of(model), *files).write(folder)
    return folder
