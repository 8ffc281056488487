"""What an audit looks at in each slice: its file, and what the network makes of it, also with
anatomy occluded, opacities painted out, or stored otherwise.

What comes of a slice depends on that slice alone, so slices can be looked at anywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from covidct.data.file_attributes import FileAttributes, file_attributes
from covidct.data.index import Item, Skipped
from covidct.errors import UnreadableSlice
from covidct.evaluation.audit.painting import Repainted, opaque_places, repainted
from covidct.evaluation.audit.robustness import CHANGES, IN_FLOATS, Change, probabilities_after
from covidct.evaluation.audit.shortcuts import network_features, picture_features
from covidct.imaging.anatomy.occlusion import only_lungs, without_lungs, without_opacities
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.file import load
from covidct.imaging.readers import read_slice
from covidct.inference.classifier import Classifier, PredictionWithCAM

EVERYTHING, ALL_BUT_LUNGS, ONLY_LUNGS = "everything", "all but the lungs", "only the lungs"
NO_OPACITIES = "all, with opacities painted out"

_BATCH = 16


class Asked(NamedTuple):
    """A slice to be looked at.

    Attributes:
        item: where it is and what it is labelled.
        is_changed: whether it is also looked at changed and painted over.
    """

    item: Item
    is_changed: bool

    def absolute(self) -> "Asked":
        """The same by a path that other machines find."""
        return self._replace(item=replace(self.item, path=self.item.path.absolute()))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is kept of a slice.

    Attributes:
        item: where it is and what it is labelled.
        attributes: of its file.
        picture: features of the slice.
        network: features of what the network saw of it.
        scores: higher speaks for COVID-19, by what was shown; empty where no lungs were found.
        probability: of COVID-19, calibrated.
        changed: the probability by the name of the change, None where the changed file is refused;
            empty where no change was asked for.
        repainted: the slice painted over; None where that was not asked for, or where it is not
            called Positive.
    """

    item: Item
    attributes: FileAttributes
    picture: dict[str, np.ndarray]
    network: dict[str, np.ndarray]
    scores: dict[str, float]
    probability: float
    changed: dict[str, float | None]
    repainted: Repainted | None


class Looker(Protocol):
    """Has slices looked at; whoever does it, what comes of them is the same to the bit."""

    def __call__(self, classifier: Classifier, slices: Sequence[Asked]) -> Iterator[Seen | Skipped]:
        """What is kept of each slice, in order; skipped where it cannot be read."""
        ...


def look_here(classifier: Classifier, slices: Sequence[Asked]) -> Iterator[Seen | Skipped]:
    """A :class:`Looker`: this process, a few slices at a time."""
    by_change, rest = classifiers_by_change(classifier), iter(slices)
    while batch := list(islice(rest, _BATCH)):
        yield from look_at(classifier, by_change, batch)


def changes_for(classifier: Classifier) -> tuple[Change, ...]:
    """What is changed, of slices or of the network; in floats only where it runs in integers."""
    return (*CHANGES, IN_FLOATS) if classifier.card.in_integers else tuple(CHANGES)


def classifiers_by_change(classifier: Classifier) -> dict[Change, Classifier]:
    """The classifier that is asked after each change; one in floats needs TensorFlow."""
    return {
        change: classifier.in_floats() if change is IN_FLOATS else classifier
        for change in changes_for(classifier)
    }


def look_at(
    classifier: Classifier, by_change: Mapping[Change, Classifier], slices: Sequence[Asked]
) -> list[Seen | Skipped]:
    """What is kept of each slice of a few, in order.

    Args:
        classifier: the model.
        by_change: as :func:`classifiers_by_change` gives it.
        slices: to be looked at.
    """
    read = [_read(one.item) for one in slices]
    readable = [
        (one, *file)
        for one, file in zip(slices, read, strict=True)
        if not isinstance(file, Skipped)
    ]
    seen = iter(_seen(classifier, by_change, readable))
    return [file if isinstance(file, Skipped) else next(seen) for file in read]


def _read(item: Item) -> tuple[bytes, CTSlice] | Skipped:
    try:
        data = load(item.path)
        return data, read_slice(data)
    except UnreadableSlice as error:
        return Skipped(item.path, error.message)


def _seen(
    classifier: Classifier,
    by_change: Mapping[Change, Classifier],
    batch: Sequence[tuple[Asked, bytes, CTSlice]],
) -> list[Seen]:
    looks = classifier.predict_many([ct_slice for *_, ct_slice in batch])
    scores = _scores(classifier, looks)
    all_changed: list[dict[str, float | None]] = [{} for _ in batch]
    tried = [i for i, (asked, *_) in enumerate(batch) if asked.is_changed]
    slices = [batch[i][2] for i in tried]
    for change, other in by_change.items():
        for i, after in zip(tried, probabilities_after(other, slices, change), strict=True):
            all_changed[i][change.name] = after
    return [
        Seen(
            asked.item,
            file_attributes(data, ct_slice),
            picture_features(ct_slice.pixels),
            network_features(look.crop.pixels),
            score,
            look.prediction.probability,
            changed,
            _repainted(classifier, asked, ct_slice, look.prediction.probability),
        )
        for (asked, data, ct_slice), look, score, changed in zip(
            batch, looks, scores, all_changed, strict=True
        )
    ]


def _repainted(
    classifier: Classifier, asked: Asked, ct_slice: CTSlice, probability: float
) -> Repainted | None:
    if not asked.is_changed:
        return None
    segmented = classifier.segmented(ct_slice)
    known = asked.item.patient, segmented, opaque_places(segmented)
    return next(iter(repainted(classifier, [known], [probability])), None)


def _scores(classifier: Classifier, looks: Sequence[PredictionWithCAM]) -> list[dict[str, float]]:
    """The network's score of what is shown of each slice, nothing where there are no lungs."""
    scores: list[dict[str, float]] = [{} for _ in looks]
    found = [i for i, look in enumerate(looks) if look.crop.lungs.any()]
    if not found:
        return scores
    crops = [looks[i].crop for i in found]
    blanked = (
        classifier.forward(
            classifier.network_input([replace(c, pixels=blank(c.pixels)) for c in crops])
        )[0]
        for blank in (without_lungs, only_lungs, without_opacities)
    )
    for i, without, only, clean in zip(found, *blanked, strict=True):
        scores[i] = {
            EVERYTHING: looks[i].prediction.probability,
            ALL_BUT_LUNGS: float(without),
            ONLY_LUNGS: float(only),
            NO_OPACITIES: float(clean),
        }
    return scores
