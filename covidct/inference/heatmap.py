"""Where the network looked: Grad-CAM from the forward pass, others by tf-keras-vis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from covidct.imaging.anatomy.segmentation import CALLED
from covidct.imaging.ct_slice import CTSlice
from covidct.inference.classifier import Classifier, Prediction, PredictionWithCAM
from covidct.inference.opacities import outlined
from covidct.messages import N_, joined
from covidct.runtime.fair_queue import FairQueue

RELATIVE = "gradcam-relative"
OPACITY = "opacity"  # no explanation of the verdict: what there is to see
DEFAULT = RELATIVE
BY_CLASS = N_("One hue for each class")
COLORMAPS = {
    BY_CLASS: None,
    "Inferno": cv2.COLORMAP_INFERNO,
    "Viridis": cv2.COLORMAP_VIRIDIS,
    "Turbo": cv2.COLORMAP_TURBO,
    "Jet": cv2.COLORMAP_JET,
}
# Vermilion and blue, which all kinds of colour vision tell apart, as on gauge and charts; RGB of
# little and of much evidence
_CLASS_COLOURS = {
    "Positive": ((190, 60, 0), (255, 130, 40)),
    "Negative": ((0, 110, 150), (70, 205, 250)),
}
_SCORECAM_MAPS = 64
_SMOOTHGRAD_SAMPLES = 20
_costly_maps = FairQueue()  # many passes each, beside which verdicts go on


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Evidence for the predicted class, on the slice's own pixel grid.

    Attributes:
        values: float32 (H, W), 0 to 1, relative to the map's own peak; zero where there is no
            evidence for the class. All zero when there is none anywhere. Of :data:`OPACITY` the
            probability of an opacity.
        method: a key of :data:`METHODS`, or :data:`OPACITY`.
        label: the class that is explained, "Positive" or "Negative".
        lung_share: part of the map inside the lungs, as :meth:`ThoraxCrop.share_in_lungs` has it.
    """

    values: np.ndarray
    method: str
    label: str
    lung_share: float | None

    @property
    def is_empty(self) -> bool:
        """Whether no place speaks for the predicted class."""
        return not self.values.any()

    def resized(self, shape: tuple[int, int]) -> HeatMap:
        """The same map on a grid of another size, for a picture."""
        if self.values.shape == shape:
            return self
        return replace(self, values=cv2.resize(self.values, shape[::-1]))


@dataclass(frozen=True, slots=True)
class Method:
    """A way to make a heat map.

    Attributes:
        title: its name in the literature.
        description: one sentence for the user.
        compute: (classifier, evidence) -> float (h, w) of any resolution on the network's grid;
            what is not above zero is no evidence.
        needs_tensorflow: whether it asks the Keras network, which takes seconds to load.
    """

    title: str
    description: str
    compute: Callable[[Classifier, PredictionWithCAM], np.ndarray]
    needs_tensorflow: bool = True


def explain(
    classifier: Classifier, ct_slice: CTSlice, method: str = DEFAULT
) -> tuple[Prediction, HeatMap]:
    """Classify a slice and show where the evidence for the predicted class lies.

    Args:
        classifier: the network.
        ct_slice: the slice.
        method: a key of :data:`METHODS`, or :data:`OPACITY`.

    Raises:
        KeyError: there is no such method.
    """
    predicted = classifier.predict(ct_slice)
    return predicted.prediction, heat_map(classifier, predicted, method)


def heat_map(
    classifier: Classifier, predicted: PredictionWithCAM, method: str = DEFAULT
) -> HeatMap:
    """The heat map of a slice that was predicted."""
    if method == OPACITY:
        return _opacity_map(predicted)
    return on_slice_grid(coarse_map(METHODS[method], classifier, predicted), predicted, method)


def _opacity_map(predicted: PredictionWithCAM) -> HeatMap:
    crop = predicted.crop
    opaque = crop.pixels[..., 3] / np.float32(255)
    return HeatMap(
        crop.to_slice_grid(opaque),
        OPACITY,
        predicted.prediction.label,
        crop.share_in_lungs(opaque),
    )


def lung_share(classifier: Classifier, predicted: PredictionWithCAM) -> float | None:
    """:attr:`HeatMap.lung_share` of the default method, without drawing the map."""
    return predicted.crop.share_in_lungs(coarse_map(METHODS[DEFAULT], classifier, predicted))


def coarse_map(method: Method, classifier: Classifier, predicted: PredictionWithCAM) -> np.ndarray:
    """Evidence for the predicted class on the network's grid, float32 (h, w), not negative."""
    return np.maximum(method.compute(classifier, predicted), 0).astype(np.float32)


def on_slice_grid(coarse: np.ndarray, predicted: PredictionWithCAM, method: str) -> HeatMap:
    """A coarse map as the heat map of its slice."""
    values = predicted.crop.to_slice_grid(coarse)
    peak = values.max()
    if peak > 0:
        values /= peak
    lung_share = predicted.crop.share_in_lungs(coarse)
    return HeatMap(values, method, predicted.prediction.label, lung_share)


def overlay(
    ct_slice: CTSlice, heat: HeatMap, opacity: float = 0.5, colormap: str = BY_CLASS
) -> np.ndarray:
    """The slice with the heat map over it, as RGB uint8 (H, W, 3).

    A place is covered in proportion to its evidence, so that anatomy stays grey where there is
    none.

    Args:
        ct_slice: the slice.
        heat: its heat map.
        opacity: 0 to 1, the cover at the peak.
        colormap: a key of :data:`COLORMAPS`.
    """
    if heat.method == OPACITY:
        return outlined(ct_slice, heat.values >= CALLED)
    grey = cv2.cvtColor(ct_slice.pixels, cv2.COLOR_GRAY2RGB)
    cover = np.float32(opacity) * heat.values
    return cv2.blendLinear(grey, paint(heat.values, colormap, heat.label), 1 - cover, cover)


def paint(values: np.ndarray, colormap: str, label: str) -> np.ndarray:
    """Values 0 to 1 of evidence for a class in the colours of a map, RGB uint8 (H, W, 3)."""
    levels = np.rint(values * 255).astype(np.uint8)
    return cv2.applyColorMap(levels, _colours(colormap, label))


@cache
def _colours(colormap: str, label: str) -> np.ndarray:
    """Of the 256 levels, RGB uint8 (256, 1, 3)."""
    known = COLORMAPS[colormap]
    if known is None:
        ramp = np.linspace(*_CLASS_COLOURS[label], 256)
        return np.rint(ramp)[:, None].astype(np.uint8)
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return cv2.cvtColor(cv2.applyColorMap(levels, known), cv2.COLOR_BGR2RGB)


def _gradcam(_: Classifier, predicted: PredictionWithCAM) -> np.ndarray:
    return _for_the_verdict(predicted, predicted.cam)


def _relative(classifier: Classifier, predicted: PredictionWithCAM) -> np.ndarray:
    """Shapley values of the places, which are exact where shares add up to the score.

    Source: Lundberg and Lee 2017, arXiv:1705.07874, corollary 1 (Linear SHAP): what a feature adds
    to a linear score beyond what it adds on average.
    """
    return _for_the_verdict(predicted, predicted.cam - classifier.average_map)


def _for_the_verdict(predicted: PredictionWithCAM, shares: np.ndarray) -> np.ndarray:
    """Shares in the logit as evidence for the class that was predicted."""
    return shares if predicted.prediction.is_positive else -shares


def _tf_keras_vis(
    method: str, **options: object
) -> Callable[[Classifier, PredictionWithCAM], np.ndarray]:
    def compute(classifier: Classifier, predicted: PredictionWithCAM) -> np.ndarray:
        # Imported here: the default method does without TensorFlow, which takes seconds.
        from tf_keras_vis import gradcam_plus_plus, layercam, scorecam
        from tf_keras_vis.utils.scores import CategoricalScore

        from covidct.models.network import COMMON_GRID_LAYER
        from covidct.models.two_class import TwoClassModel

        visualiser = {
            "gradcam++": gradcam_plus_plus.GradcamPlusPlus,
            "layercam": layercam.Layercam,
            "scorecam": scorecam.Scorecam,
        }[method](TwoClassModel.of(classifier.on_common_grid), clone=False)
        with _costly_maps.turn():
            maps = visualiser(
                CategoricalScore([int(predicted.prediction.is_positive)]),
                classifier.network_input([predicted.crop]),
                penultimate_layer=COMMON_GRID_LAYER,
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
                **options,
            )
        return np.asarray(maps)[0]

    return compute


def _smoothgrad(classifier: Classifier, predicted: PredictionWithCAM) -> np.ndarray:
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    from covidct.models.two_class import TwoClassModel

    saliency = Saliency(TwoClassModel.of(classifier.model), clone=False)
    with _costly_maps.turn():
        return saliency(
            CategoricalScore([int(predicted.prediction.is_positive)]),
            classifier.network_input([predicted.crop]),
            smooth_samples=_SMOOTHGRAD_SAMPLES,
            keepdims=True,  # the picture alone, not the covers
            normalize_map=False,
        )[0, ..., 0]


_FEATURES_ONLY = N_(
    "It hardly changes when the network’s weights are shuffled: it shows features, not reasons."
)

METHODS = {
    RELATIVE: Method(
        N_("Relative Grad-CAM"),
        N_(
            "Each region's share in the score beyond its share on the average slice, exact for "
            "this network and the default."
        ),
        _relative,
        needs_tensorflow=False,
    ),
    "gradcam": Method(
        "Grad-CAM",
        N_(
            "Each region's share in the score, exact for this network; includes what the region "
            "says on nearly every slice."
        ),
        _gradcam,
        needs_tensorflow=False,
    ),
    "gradcam++": Method(
        "Grad-CAM++",
        joined(N_("Weighs feature maps by higher-order gradients."), _FEATURES_ONLY),
        _tf_keras_vis("gradcam++"),
    ),
    "layercam": Method(
        "LayerCAM",
        joined(
            N_("Weighs every place of a feature map by its own positive gradient."), _FEATURES_ONLY
        ),
        _tf_keras_vis("layercam"),
    ),
    "scorecam": Method(
        "Score-CAM",
        joined(
            N_(
                "Masks the slice by each of the 64 most varied feature maps and watches the score; "
                "slow."
            ),
            _FEATURES_ONLY,
        ),
        _tf_keras_vis("scorecam", max_N=_SCORECAM_MAPS),
    ),
    "smoothgrad": Method(
        "SmoothGrad",
        N_(
            "How strongly the score reacts to each pixel, averaged over noisy copies; fine-grained."
        ),
        _smoothgrad,
    ),
}
