"""Sanity check: a heat map that explains the network must change when the network does.

Source: Adebayo et al. 2018, Sanity checks for saliency maps, arXiv:1810.03292: parameters are
randomised, first those of the head and then all, and each map is compared with the original.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import keras
import numpy as np
from scipy.stats import rankdata

from covidct.inference.classifier import Classifier, PredictionWithCAM
from covidct.inference.heatmap import Method, coarse_map
from covidct.messages import N_
from covidct.models.network import LOGIT_LAYER

HEAD: str = N_("the head")
EVERY: str = N_("every layer")


def correlations(
    classifier: Classifier, slices: Sequence[PredictionWithCAM], methods: Mapping[str, Method]
) -> dict[tuple[str, str], float]:
    """How alike maps are before and after, by method and by what was randomised.

    Args:
        classifier: the network.
        slices: what it saw of them; the class that is explained stays the same.
        methods: to check.

    Returns:
        Spearman's rank correlation inside the thorax, the mean over the slices; 1 where nothing
        has changed at all, NaN where a method gives no finite map of the randomised network.
    """
    before = {
        name: [coarse_map(method, classifier, one) for one in slices]
        for name, method in methods.items()
    }
    card = replace(classifier.card, average_map=(), in_integers=False)  # learnt too
    found = {}
    for what in (HEAD, EVERY):
        other = Classifier.of_network(_randomised(classifier.model, what == EVERY), card)
        _, activations = other.forward(other.network_input([one.crop for one in slices]))
        looks = [
            one._replace(cam=activation)
            for one, activation in zip(slices, activations, strict=True)
        ]
        for name, method in methods.items():
            found[name, what] = float(
                np.mean(
                    [
                        _alike(heat, coarse_map(method, other, one), one)
                        for heat, one in zip(before[name], looks, strict=True)
                    ]
                )
            )
    return found


def _randomised(model: keras.Model, every: bool) -> keras.Model:
    """A copy with the weights of every layer, or of the head alone, shuffled.

    Each array keeps its own values, so their scale stays.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    rng = np.random.default_rng(0)
    for layer in copy.layers if every else (copy.get_layer(LOGIT_LAYER),):
        layer.set_weights([rng.permuted(w.ravel()).reshape(w.shape) for w in layer.get_weights()])
    return copy


def _alike(before: np.ndarray, after: np.ndarray, predicted: PredictionWithCAM) -> float:
    if np.array_equal(before, after):
        return 1.0
    thorax = (
        cv2.resize(
            predicted.crop.pixels[..., 1], before.shape[::-1], interpolation=cv2.INTER_NEAREST
        )
        > 0
    )
    ranks = [rankdata(heat[thorax], nan_policy="propagate") for heat in (before, after)]
    if any(np.ptp(one) == 0 for one in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])
