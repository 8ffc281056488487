"""The usual way to write it: ``predict``, tf-keras-vis' Grad-CAM, a figure by matplotlib."""

from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO

import keras
import numpy as np
from keras import layers
from PIL import Image
from tf_keras_vis.gradcam import Gradcam

from covidct.inference.classifier import Classifier
from covidct.models.network import COMMON_GRID_LAYER

_VGG16_SIDE = 224


def naive_way(classifier: Classifier, data: bytes) -> Callable[[], bytes]:
    """File to overlay PNG by the classifier's own network."""
    size = classifier.card.image_size
    model, preprocess_input = classifier.on_common_grid, classifier.card.preprocess_input
    return lambda: _verdict(model, data, size, preprocess_input, COMMON_GRID_LAYER)


def naive_way_vgg16(data: bytes) -> Callable[[], bytes]:
    """File to overlay PNG by VGG16 with a dense layer on top.

    Its weights are random, since they need a download and make no difference to the time.
    """
    trunk = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(_VGG16_SIDE, _VGG16_SIDE, 3)
    )
    model = keras.Model(trunk.input, layers.Dense(1)(layers.Flatten()(trunk.output)))
    size = _VGG16_SIDE, _VGG16_SIDE
    preprocess_input = keras.applications.vgg16.preprocess_input
    return lambda: _verdict(model, data, size, preprocess_input, "block5_conv3")


def draws_with_matplotlib() -> bool:
    """Whether the overlay is part of what is timed; tests/requirements.txt brings matplotlib."""
    return find_spec("matplotlib") is not None


def _verdict(
    model: keras.Model, data: bytes, size: tuple[int, int], preprocess_input: Callable, maps: str
) -> bytes:
    picture = Image.open(BytesIO(data)).convert("RGB").resize(size[::-1])
    images = preprocess_input(np.asarray(picture, np.float32)[None])
    model.predict(images, verbose=0)
    visualiser = Gradcam(model, clone=False)
    heat = visualiser(lambda logits: logits[:, 0], images, penultimate_layer=maps)[0]
    return _overlay(picture, heat) if draws_with_matplotlib() else heat.tobytes()


def _overlay(picture: Image.Image, heat: np.ndarray) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.imshow(picture)
    axes.imshow(heat, cmap="jet", alpha=0.5)
    axes.axis("off")
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
