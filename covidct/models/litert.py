"""Keras network -> LiteRT graph, in 32-bit floats or in integers of 8 bits.

TensorFlow's own converter quantises after training: kernels channel by channel, maps by the least
and the greatest value that calibration slices give (Jacob et al. 2018, arXiv:1712.05877).
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import tensorflow as tf

from covidct.models.network import trunk_models
from covidct.models.pooling import resized

CALIBRATION_SLICES = 100  # the converter's guide asks for a hundred or more


def float_graph(network: keras.Model) -> bytes:
    """The trunks of a network as a LiteRT graph in floats, a signature for each trunk.

    Raises:
        ModelError: the network is not one of :func:`covidct.models.network.build_network`.
    """
    return converted(trunk_models(network))


def integer_graph(
    network: keras.Model,
    images: Sequence[np.ndarray] | np.ndarray,
    progress: Callable[[Iterable], Iterable] = iter,
) -> bytes:
    """The same graph in integers; its inputs and outputs stay floats.

    Args:
        network: batch normalisation folded into the convolutions.
        images: network pixels of slices to calibrate on, float32 (N, h, w, 3).
        progress: wraps the slices of each trunk, to show how far it is.

    Raises:
        ModelError: the network is not one of :func:`covidct.models.network.build_network`.
    """
    trunks = trunk_models(network)

    def pictures() -> Iterator[tuple[str, np.ndarray]]:
        for name, trunk in trunks.items():
            size = trunk.inputs[0].shape[1:3]
            for image in progress(images):
                yield name, resized(image[..., 0], size)[None, ..., None]

    return converted(trunks, pictures)


def spread(count: int, most: int = CALIBRATION_SLICES) -> np.ndarray:
    """Positions of at most so many slices, spread evenly over all."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def converted(
    models: Mapping[str, keras.Model],
    pictures: Callable[[], Iterable[tuple[str, np.ndarray]]] | None = None,
) -> bytes:
    """Keras models as one LiteRT graph, a signature for each by its name.

    Args:
        models: of one picture (1, h, w, 1) each.
        pictures: what integers are calibrated on, each with the name of its model; None for floats.
    """
    module = tf.Module()
    signatures = {name: _signature(model) for name, model in models.items()}
    module.functions = list(signatures.values())

    def representative() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        assert pictures is not None
        for name, picture in pictures():
            yield name, {"picture": picture}

    with TemporaryDirectory() as folder, _quiet():
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, list(signatures))
        if pictures is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative
        return converter.convert()


def _signature(model: keras.Model) -> tf.types.experimental.PolymorphicFunction:
    """A model as a function of one picture, with its weights as constants: the converter's
    calibration finds no variables when there are several signatures."""
    picture = tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32, name="picture")
    trainable = [variable.numpy() for variable in model.trainable_variables]
    fixed = [variable.numpy() for variable in model.non_trainable_variables]

    @tf.function(input_signature=[picture], autograph=False)
    def signature(picture: tf.Tensor) -> dict[str, tf.Tensor]:
        maps, _ = model.stateless_call(trainable, fixed, picture, training=False)
        return {f"maps_{number}": found for number, found in enumerate(keras.tree.flatten(maps))}

    return signature


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's remarks, most of them C++'s own, off standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            with warnings.catch_warnings():
                # Its calibration uses TensorFlow's own interpreter
                warnings.filterwarnings(
                    "ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated"
                )
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
