"""Classifier: a trained network that is loaded once and asked many times."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from covidct.data.classes import COVID
from covidct.errors import ModelError
from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.imaging.anatomy.segmentation import Segmenter
from covidct.imaging.anatomy.thorax_crop import ThoraxCrop, crop_thorax, network_pixels
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.readers import read_slice
from covidct.inference import store
from covidct.inference.calibration import (
    BLACK_LUNGS,
    DENSE,
    DENSE_LUNGS,
    EXTENSIVE_OPACITIES,
    EXTENSIVE_SHARE,
    NEGATIVE,
    POSITIVE,
    UNCERTAIN,
    Calibration,
)
from covidct.inference.card import ModelCard, read_card
from covidct.inference.opacities import Opacities, opacities_of
from covidct.messages import N_
from covidct.models.backbones import get_backbone
from covidct.models.head import ClassHead, LinearHead
from covidct.models.pooling import TrunkMaps
from covidct.runtime.fair_queue import FairQueue, Waiting
from covidct.runtime.graph import Graph
from covidct.telemetry import queued

if TYPE_CHECKING:
    import keras

AT_A_TIME = 2


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says of one slice.

    Attributes:
        label: "Positive" or "Negative".
        probability: calibrated probability of COVID-19, 0 to 1.
        decision: the label, or "Uncertain" inside the model's abstain band or where there is a
            doubt.
        operating_point: probability from which a slice is called Positive.
        model_id: the model's name and the start of its SHA-256.
        doubt: what makes the decision "Uncertain" for another reason: "extensive opacities" or
            "dense lungs" although the network calls the pattern Negative, or "black lungs" in a
            window for soft tissue; else empty.
        classes: the probability of each class, COVID-19 first, where the model tells classes
            without COVID-19 apart; they add up to 1. Else empty.
    """

    label: str
    probability: float
    decision: str
    operating_point: float
    model_id: str
    doubt: str = ""
    classes: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        card: ModelCard,
        logit: float,
        opaque_share: float = 0.0,
        density: float | None = None,
        lungs_are_black: bool = False,
    ) -> Prediction:
        """What a model's card makes of its logit and of what the lungs look like.

        Args:
            card: of the model.
            logit: of the slice.
            opaque_share: the part of the lungs that is opaque, 0 to 1.
            density: of the lungs as a whole, in Hounsfield units; None where it is not known.
            lungs_are_black: whether a window for soft tissue has blackened them.
        """
        probability = float(card.calibration.probability(logit))
        looks = opaque_share, density, lungs_are_black
        return cls.at(card.calibration, probability, card.model_id, *looks)

    @classmethod
    def at(
        cls,
        calibration: Calibration,
        probability: float,
        model_id: str,
        opaque_share: float = 0.0,
        density: float | None = None,
        lungs_are_black: bool = False,
    ) -> Prediction:
        """The same of a probability."""
        decision, doubt = calibration.decision(probability), ""
        if lungs_are_black:
            doubt = BLACK_LUNGS
        elif decision == NEGATIVE and opaque_share >= EXTENSIVE_SHARE:
            doubt = EXTENSIVE_OPACITIES
        elif decision == NEGATIVE and density is not None and density > DENSE:
            doubt = DENSE_LUNGS
        return cls(
            calibration.label(probability),
            probability,
            UNCERTAIN if doubt else decision,
            calibration.operating_point,
            model_id,
            doubt,
        )

    def with_classes(self, shares: Mapping[str, float]) -> Prediction:
        """The same with the probability of each class.

        Args:
            shares: of the classes without COVID-19 in the probability that it is none; their sum
                is 1.
        """
        rest = {name: (1 - self.probability) * share for name, share in shares.items()}
        return replace(self, classes={COVID: self.probability} | rest)

    @property
    def is_positive(self) -> bool:
        """Whether the label is "Positive"."""
        return self.label == POSITIVE


class PredictionWithCAM(NamedTuple):
    """A prediction with the class activation map out of the same forward pass.

    Attributes:
        prediction: the verdict.
        crop: what the network saw of the slice.
        cam: float32 (h, w), the class activation map: each place's share in the logit, above zero
            for COVID-19, below zero against it.
    """

    prediction: Prediction
    crop: ThoraxCrop
    cam: np.ndarray

    def called(self, label: str) -> PredictionWithCAM:
        """The same, to be explained as a prediction of this label."""
        return self._replace(prediction=replace(self.prediction, label=label))


class Classifier:
    """A trained network, ready for slices; safe to share between threads.

    Slices pass it two at a time, in the order of asking: two passes keep two processor cores busy,
    and more would only take memory.

    Args:
        trunks: its trunks as a LiteRT graph.
        head: of the trunks' features.
        card: the model's card.
        segmenter: what found lungs and opacities of the slices that it learnt from; None is the
            shipped network.
        classes: what tells classes without COVID-19 apart; None where the model knows one only.
        folder: where its Keras file lies; None where there is none.

    Attributes:
        card: the model's card.
        segmenter: as given.
        classes: as given.
        folder: where it was opened; None of one that was built.
        average_map: float32 (h, w), the class activation map of its average slice; a zero () where
            that is not known.

    Raises:
        ModelError: the average map on the card is not that of the network.
    """

    def __init__(
        self,
        trunks: TrunkMaps,
        head: LinearHead,
        card: ModelCard,
        segmenter: Segmenter | None = None,
        classes: ClassHead | None = None,
        folder: Path | None = None,
    ) -> None:
        self.card, self.trunks, self.head = card, trunks, head
        self.segmenter, self.classes, self.folder = segmenter, classes, folder
        self._queue = FairQueue(AT_A_TIME)
        self.average_map = np.array(card.average_map or 0, np.float32)
        if self.average_map.shape not in ((), trunks.grid):
            raise ModelError(
                N_(
                    "The average map on the card of {model_id} is not of the network’s size.",
                    model_id=card.model_id,
                )
            )

    @cached_property
    def model(self) -> keras.Model:
        """The Keras network, (N, h, w, 3) -> logits (N, 1), for heat maps that need gradients.

        Importing TensorFlow and opening the file take several seconds the first time.

        Raises:
            ModelIntegrityError: the Keras file is missing or is not the one on the card.
            ModelError: it cannot be opened.
        """
        if self.folder is None:
            raise ModelError(N_("This model has no Keras file, which this needs."))
        return store.open_keras_model(self.folder, self.card)

    @cached_property
    def on_common_grid(self) -> keras.Model:
        """The Keras network for heat maps that know one layer only."""
        from covidct.models.network import on_common_grid

        return on_common_grid(self.model)

    def in_floats(self) -> Classifier:
        """The same network with all of it in 32-bit floats; needs TensorFlow."""
        card = replace(self.card, in_integers=False)
        return Classifier.of_network(self.model, card, self.segmenter)

    @classmethod
    def of_network(
        cls, network: keras.Model, card: ModelCard, segmenter: Segmenter | None = None
    ) -> Classifier:
        """A Keras network from :func:`covidct.models.network.build_network`, run in floats."""
        from covidct.models.litert import float_graph
        from covidct.models.network import head_of

        trunks = TrunkMaps(Graph(float_graph(network)), get_backbone(card.backbone))
        made = cls(trunks, head_of(network), card, segmenter)
        made.model = network
        return made

    @classmethod
    def load(cls, name: str | PathLike | None = None) -> Classifier:
        """Open a model after checking its hash.

        Args:
            name: of a shipped or promoted model or a run, or the path of a model folder; None is
                the model in use: the one promoted last, else the shipped default.

        Raises:
            ModelError: there is none, or it cannot be read.
            ModelIntegrityError: the file is not the one that its card describes.
        """
        return cls.open(store.find_model(name))

    @classmethod
    def open(cls, folder: Path, interpreters: int | None = None) -> Classifier:
        """Open the model in a folder after checking its hash.

        Args:
            folder: of the model.
            interpreters: how many passes run side by side, as :class:`.Graph` takes them.

        Raises:
            ModelError: there is none, or it cannot be read.
            ModelIntegrityError: the file is not the one that its card describes.
        """
        return cls(*store.open_model(folder, interpreters), folder)

    def classify(self, ct_slice: CTSlice) -> Prediction:
        """The verdict on one slice."""
        return self.predict(ct_slice).prediction

    def opacities(self, ct_slice: CTSlice) -> Opacities:
        """The opacities of a slice."""
        return opacities_of(self.segmented(ct_slice))

    def segmented(self, ct_slice: CTSlice) -> CTSlice:
        """The slice with lungs and opacities as the model's own network finds them.

        The verdict rests on features that are pooled over these; with those of another network
        they would not be the features that it was trained on.
        """
        return ct_slice.segmented_by(self.segmenter)

    def predict(self, ct_slice: CTSlice, waiting: Waiting | None = None) -> PredictionWithCAM:
        """The verdict on one slice, with its class activation map.

        Args:
            ct_slice: the slice.
            waiting: told how many slices are ahead, while there are any.
        """
        return self.predict_many([ct_slice], waiting)[0]

    def predict_many(
        self, ct_slices: Sequence[CTSlice], waiting: Waiting | None = None
    ) -> list[PredictionWithCAM]:
        """The verdicts on a batch of slices, in order."""
        return self.predict_crops([self.crop_thorax(one) for one in ct_slices], waiting)

    def crop_thorax(self, ct_slice: CTSlice) -> ThoraxCrop:
        """The part of a slice that the network sees."""
        return crop_thorax(self.segmented(ct_slice), self.card.image_size)

    def predict_crops(
        self, crops: Sequence[ThoraxCrop], waiting: Waiting | None = None
    ) -> list[PredictionWithCAM]:
        """The verdicts on a batch of slices that were cropped before."""
        if not crops:
            return []
        images = self.network_input(crops)
        logits, activations = self.forward(images, waiting)
        predictions = [
            Prediction.of(self.card, logit, crop.opaque_share, crop.density, crop.lungs_are_black)
            for logit, crop in zip(logits, crops, strict=True)
        ]
        if self.classes:
            predictions = self._with_classes(predictions, images)
        return list(map(PredictionWithCAM, predictions, crops, activations))

    def _with_classes(
        self, predictions: Sequence[Prediction], images: np.ndarray
    ) -> list[Prediction]:
        """The classes without COVID-19 share what its probability leaves.

        That takes another look at the slices, in which they are not mirrored.
        """
        assert self.classes
        with self._queue.turn():
            shares = self.classes.shares(self.trunks.features(images)).tolist()
        names = self.classes.names
        return [
            one.with_classes(dict(zip(names, of_one, strict=True)))
            for one, of_one in zip(predictions, shares, strict=True)
        ]

    def network_input(self, crops: Sequence[ThoraxCrop]) -> np.ndarray:
        """Network pixels float32 (N, h, w, 3) of crops."""
        pixels = np.stack([crop.pixels for crop in crops])
        return network_pixels(pixels, self.card.preprocess_input)

    def forward(
        self, images: np.ndarray, waiting: Waiting | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logits float32 (N,) and class activation maps float32 (N, h, w) of network pixels."""
        with queued() as served, self._queue.turn(waiting):
            served()
            activations, logits = self.trunks.activations_and_logits(
                images, self.head, self.card.mirrored
            )
        return logits, activations


def find_opacities(classifier: Classifier, ct_slice: CTSlice) -> Opacities:
    """The opacities of a slice, as they are found where this classifier looks at it."""
    return classifier.opacities(ct_slice)


_loaded: Classifier | None = None  # by classify_image
_loading = threading.Lock()


def classify_image(path: str | PathLike, *, despite_gate: bool = False) -> str:
    """ "Positive" or "Negative" for one image file, by the model in use.

    The model is loaded at the first call, and again after another one was promoted.

    Args:
        path: the file.
        despite_gate: classify a picture that is no lung slice as well, outside the intended use.

    Raises:
        UnreadableSlice: the file is not a CT slice that can be read.
        NotALungSlice: it can be read, but does not show lungs in axial section.
        ModelError: the model in use is missing or damaged.
    """
    global _loaded
    ct_slice = read_slice(path)
    if not despite_gate:
        check_lung_slice(ct_slice)
    folder = store.find_model()
    with _loading:
        if _loaded is None or _loaded.card != read_card(folder):
            _loaded = Classifier.open(folder)
        classifier = _loaded
    return classifier.classify(ct_slice).label
