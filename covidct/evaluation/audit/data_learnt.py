"""Whether a model learnt from the data sets that its audit is about, in words for each row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from covidct.files import MALFORMED
from covidct.imaging.anatomy.segmentation import FOLDER
from covidct.inference.card import CARD_FILE
from covidct.messages import N_, Message

_OF_A_RUN = {"training", "validation"}  # its card counts slices by these, and names no data set


@dataclass(frozen=True, slots=True)
class DataLearnt:
    """The data sets, by name, that a model learnt from.

    Attributes:
        verdicts: those with labelled slices; None where its card does not name them.
        masks: those with drawn lungs or opacities, of the network that finds these for it.
    """

    verdicts: frozenset[str] | None
    masks: frozenset[str]

    def said_of(self, data: str) -> Message:
        """A phrase on one data set."""
        drawn = data in self.masks
        if self.verdicts is None:
            if drawn:
                return N_("opacities learnt from this data set, verdicts perhaps")
            return N_("not known whether the model learnt from this data set")
        if data in self.verdicts:
            if drawn:
                return N_("verdicts and opacities learnt from this data set")
            return N_("verdicts learnt from this data set")
        if drawn:
            return N_("opacities learnt from this data set, verdicts not")
        return N_("nothing learnt from this data set")

    def said_of_split(self, data: str, split: str) -> Message:
        """A sentence on a part of a data set; no run of this program learns from a test list."""
        said = self.said_of(data)
        if split == "test":
            return N_("Slices of {data}, of its test list: {said}.", data=data, said=said)
        return N_("Slices of {data}: {said}.", data=data, said=said)

    def said_of_all(self, sources: Iterable[str]) -> Message:
        """A sentence on several data sets."""
        sources = tuple(sources)
        if self.verdicts is None:
            return N_("It is not known which of these sources the model learnt from.")
        learnt = [source for source in sources if source in self.verdicts]
        if len(learnt) == len(sources):
            return N_("The model learnt from all of these sources.")
        if not learnt:
            return N_("The model learnt from none of these sources.")
        return N_("Of these sources the model learnt from {sources}.", sources=", ".join(learnt))


def read_data_learnt(model: Path) -> DataLearnt:
    """What the cards of a model folder and of the network that finds opacities say."""
    masks = _names(FOLDER / CARD_FILE, "trained_on") or frozenset()
    return DataLearnt(_names(model / CARD_FILE, "about", "slices"), masks)


def _names(card: Path, *path: str) -> frozenset[str] | None:
    """The names that stand at a place of a card; None where it names no data sets."""
    try:
        found = json.loads(card.read_text(encoding="utf-8"))
        for key in path:
            found = found[key]
        names = frozenset(map(str, dict(found)))
    except (OSError, *MALFORMED):
        return None
    return None if names <= _OF_A_RUN else names
