import cv2
import keras
import numpy as np
import pytest
from keras import layers

from covidct.evaluation.review import Reviewed
from covidct.imaging.phantom import phantom_slice
from covidct.inference.calibration import Calibration
from covidct.inference.classifier import Classifier
from covidct.inference.store import MODEL_FILE, ModelCard, sha256_of
from covidct.models.network import LOGIT_LAYER, POOLING_LAYER, STANDARDISE_LAYER


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
    """A network whose logit is the sum of its input (rows, columns) times these weights."""
    images = keras.Input((*weights.shape, 3))
    maps = layers.Conv2D(1, weights.shape, name="all_pixels")(images)
    covers = [maps, layers.Rescaling(0.0)(maps)]  # thorax and haze
    pooled = layers.Concatenate(name=POOLING_LAYER)(
        [
            layers.GlobalAveragePooling2D(name=f"averaged_only_{number}")(one)
            for number, one in enumerate(covers)
        ]
    )
    scaled = layers.BatchNormalization(
        center=False, scale=False, epsilon=1e-8, name=STANDARDISE_LAYER
    )(pooled)
    model = keras.Model(
        images, layers.Dense(1, name=LOGIT_LAYER)(scaled), name="efficientnet_lite0"
    )
    kernel = np.zeros((*weights.shape, 3, 1))
    kernel[:, :, 0, 0] = weights  # of the picture, not of the covers
    model.get_layer("all_pixels").set_weights([kernel, np.zeros(1)])
    model.get_layer(LOGIT_LAYER).set_weights([np.ones((2, 1)), np.zeros(1)])
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


def card_of(model, sha256="0" * 64):
    return ModelCard(
        name="linear",
        sha256=sha256,
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
        return Classifier(model, card_of(model))

    return make


@pytest.fixture(scope="session")
def deaf_model_folder(tmp_path_factory):
    """A model folder whose network says the same of everything."""
    folder = tmp_path_factory.mktemp("deaf")
    model = linear_network(np.zeros((48, 64)))
    model.save(folder / MODEL_FILE)
    card_of(model, sha256_of(folder / MODEL_FILE)).write(folder)
    return folder
