"""The same network as TensorFlow runs it: one traced function in 32-bit floats."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from covidct.inference.classifier import Classifier


def traced_pass(classifier: Classifier, images: np.ndarray) -> Callable[[], np.ndarray]:
    """Logits (N, 1) of network pixels (N, h, w, 3), mirror images looked at as when served."""
    network, given = classifier.model, tf.constant(images)

    @tf.function
    def logits(images: tf.Tensor) -> tf.Tensor:
        return network(images, training=False)

    return lambda: logits(given).numpy()
