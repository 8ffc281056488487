"""Recipes: how a head may be solved, the kept one and what is tried beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from covidct.data.reencode import REENCODED
from covidct.messages import N_
from covidct.models.backbones import Part, Trunk
from covidct.models.pooling import Origin
from covidct.training.probe import LABEL_SMOOTHING, PartFeatures


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is solved.

    Attributes:
        name: what is different from the first recipe.
        second_weight: of a slice of the second source in a part, against 1 for one of the first.
        weight: of a part's logit in the sum.
        mirrored: whether a trunk sees the mirror image as well.
        blank_weight: of a slice without its lungs, against 1 for one with them.
        label_smoothing: the share of a slice's weight that counts for the other class.
        regularisation: of each part's logistic regression, against 1 for as strong as is kept.
        views: up to which the views are used, as a slice's end tells; None is all.
        features: which pooled features are used, values by property.
    """

    name: str
    second_weight: Callable[[Part], float] = lambda part: part.second_weight
    weight: Callable[[Part], float] = lambda part: part.weight
    mirrored: Callable[[Trunk], bool] = lambda trunk: trunk.gains_by_mirror
    blank_weight: float = 1.0
    label_smoothing: float = LABEL_SMOOTHING
    regularisation: float = 1.0
    views: int | None = None
    features: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def terms(self, parts: Sequence[PartFeatures], sources: int) -> list["Term"]:
        """The logit's terms, one for each part from which it takes features.

        Recipes of which this is the same are the same for that network and number of sources.
        """
        taken = [
            (one, features)
            for one in parts
            if (features := tuple(i for i, origin in one.origins.items() if self._takes(origin)))
        ]
        largest = max((self.weight(one.part) for one, _ in taken), default=1.0)
        return [
            Term(
                Solving(
                    features=features,
                    second_weight=self.second_weight(one.part) if sources > 1 else 0.0,
                    blank_weight=self.blank_weight,
                    label_smoothing=self.label_smoothing,
                    views=self.views,
                    inverse_regularisation=one.part.inverse_regularisation / self.regularisation,
                ),
                weight=self.weight(one.part) / largest,
                mirrored=self.mirrored(one.trunk),
            )
            for one, features in taken
        ]

    def _takes(self, origin: Origin) -> bool:
        return all(getattr(origin, kind) in allowed for kind, allowed in self.features.items())


class Solving(NamedTuple):
    """How the head of a part is solved: what of :class:`Recipe` comes to bear on it.

    Attributes:
        features: the positions of the pooled features that it takes.
    """

    features: tuple[int, ...]
    second_weight: float
    blank_weight: float
    label_smoothing: float
    views: int | None
    inverse_regularisation: float


class Term(NamedTuple):
    """What a part's head adds to the logit.

    Attributes:
        solving: how the head is solved.
        weight: of its logit in the sum, against 1 for the part that counts most.
        mirrored: whether it is asked of the mirror image as well.
    """

    solving: Solving
    weight: float
    mirrored: bool


KEPT = Recipe(N_("as kept"))
NOT_REENCODED = Recipe(N_("no re-encoded copies"), views=-len(REENCODED))
VARIATIONS = (
    Recipe(N_("without SARS-CoV-2-CT"), second_weight=lambda _: 0.0),
    Recipe(
        N_("SARS-CoV-2-CT weighed half as much"), second_weight=lambda part: part.second_weight / 2
    ),
    Recipe(N_("SARS-CoV-2-CT for every part"), second_weight=lambda _: 0.2),
    Recipe(N_("Astra's trunk alone"), features={"trunk": ("Astra",)}),
    Recipe(N_("EfficientNet's trunk alone"), features={"trunk": ("Lite",)}),
    Recipe(N_("without Astra's second stage"), features={"part": ("stage 3", "early")}),
    Recipe(N_("without Astra's third stage"), features={"part": ("stage 2", "early")}),
    Recipe(N_("all parts weighed the same"), weight=lambda _: 1.0),
    Recipe(N_("labels not smoothed"), label_smoothing=0.0),
    Recipe(N_("labels smoothed twice as much"), label_smoothing=2 * LABEL_SMOOTHING),
    Recipe(N_("regularised three times as strongly"), regularisation=3.0),
    Recipe(N_("slices without lungs not shown"), blank_weight=0.0),
    Recipe(N_("slices without lungs weighed four times"), blank_weight=4.0),
    Recipe(N_("each slice shown once, unchanged"), views=1),
    NOT_REENCODED,
    Recipe(N_("pooled over the thorax only"), features={"cover": ("thorax",)}),
    Recipe(N_("pooled over the haze only"), features={"cover": ("haze",)}),
    Recipe(N_("means only"), features={"statistic": ("mean",)}),
    Recipe(N_("mirror image not asked"), mirrored=lambda _: False),
    Recipe(N_("mirror image asked of every trunk"), mirrored=lambda _: True),
)
