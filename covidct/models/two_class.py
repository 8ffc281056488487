"""A one-logit network with a logit for each of two classes, as tf-keras-vis expects them."""

import keras
import numpy as np


class TwoClassModel(keras.Model):
    """The network with logits (N, 2) for (Negative, Positive).

    The softmax of the pair is the sigmoid of the one logit. Predicts without a progress bar, since
    Score-CAM calls ``predict``.
    """

    @classmethod
    def of(cls, model: keras.Model) -> "TwoClassModel":
        """Share the layers of a one-logit network; called with a list of one array."""
        logit = model.outputs[0]
        # Named, since names that Keras makes up collide with those of a model from a file
        pair = [
            keras.layers.Rescaling(scale, name=name)(logit)
            for name, scale in (("negative", -0.5), ("positive", 0.5))
        ]
        return cls(model.inputs[:1], keras.layers.Concatenate(name="pair")(pair))

    def predict(self, *args: object, **kwargs: object) -> np.ndarray:
        """``keras.Model.predict``, silent."""
        return super().predict(*args, **kwargs, verbose=0)
