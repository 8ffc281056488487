"""Sources of labelled slices, from which a model to ship learns: two classes, or only one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from covidct.data.classes import COVID
from covidct.data.index import LESIONS, Item, class_folders, read_index
from covidct.data.masks import read_masked_slices
from covidct.errors import ConfigError, DatasetError
from covidct.messages import N_

_LEAST_OPAQUE = 0.01  # of the lungs; a slice with less drawn on it is no example of the disease


@dataclass(frozen=True, slots=True)
class Source:
    """Labelled slices of one origin.

    Attributes:
        name: what people call it.
        items: its slices.
        weight: of each class it has, against one of the first source's.
        corrections: how many of labels were applied, as :func:`.corrections.count` counts them.
    """

    name: str
    items: tuple[Item, ...]
    weight: float = 1.0
    corrections: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_both_classes(self) -> bool:
        """Whether slices with and without COVID-19 come from it."""
        return len({item.label for item in self.items}) == 2


def read_source(text: str) -> Source:
    """A source by ``NAME=DIR`` or ``NAME=DIR:WEIGHT``.

    The folder holds a data set with both classes, of which a test list is left out; or only
    ``CT_COVID`` or only ``CT_NonCOVID`` or others without it, of which slices that were relabelled
    to the other side are left out, since a few are no sample of it; or slices with
    ``lesion-masks``, of which those with opacities are taken for COVID-19 and the others left out.

    Raises:
        ConfigError: the text is none of these.
        DatasetError: the folder holds no such slices.
    """
    name, separator, rest = text.partition("=")
    path, _, weight = rest.rpartition(":") if not Path(rest).is_dir() else (rest, "", "1")
    try:
        counted = float(weight)
    except ValueError:
        counted = 0.0
    if not (separator and name and 0 < counted < math.inf):
        raise ConfigError(
            N_("“{text}” names no source. Write NAME=DIR or NAME=DIR:WEIGHT.", text=text)
        )
    folder = Path(path)
    labels = {int(class_name == COVID) for class_name in class_folders(folder)}
    if not labels:
        return Source(name, _with_opacities(folder), counted)
    index = read_index(folder, one_class=True)
    items = tuple(i for i in index.items if i.split != "test" and i.label in labels)
    return Source(name, items, counted, index.corrections)


def _with_opacities(folder: Path) -> tuple[Item, ...]:
    if not (folder / LESIONS).is_dir():
        raise DatasetError(
            N_(
                "{folder} holds no labelled slices: neither CT_COVID or CT_NonCOVID nor {lesions}.",
                folder=folder,
                lesions=LESIONS,
            )
        )
    items = tuple(
        Item(masked.file, 1, masked.patient)
        for masked in read_masked_slices(folder)
        if masked.file and masked.share >= _LEAST_OPAQUE
    )
    if not items:
        raise DatasetError(
            N_(
                "{folder} holds no file of one slice with opacities drawn on it; volumes serve "
                "train-opacities alone.",
                folder=folder,
            )
        )
    return items
