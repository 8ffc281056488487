"""Recipes: how a head may be solved, the kept one and what is tried beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from covidct.data.reencode import REENCODED
from covidct.messages import N_
from covidct.models.backbones import Trunk
from covidct.models.pooling import Origin
from covidct.training.probe import PartFeatures


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is solved.

    Attributes:
        name: what is different from the first recipe.
        others_share: of the logit, from a head that learns from all sources; the rest is from one
            that learns from the first alone. Two such heads together do better on each side than
            one with the weights in between (ensembles: Hansen and Salamon 1990).
        mirrored: whether a trunk sees the mirror image as well.
        views: up to which the views are used, as a slice's end tells; None is all.
        features: which pooled features are used, values by property.
    """

    name: str
    others_share: float = 0.3
    mirrored: Callable[[Trunk], bool] = lambda trunk: trunk.gains_by_mirror
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
        largest = max((one.part.weight for one, _ in taken), default=1.0)
        return [
            Term(
                Solving(
                    features=features,
                    others_share=self.others_share if sources > 1 else 0.0,
                    views=self.views,
                    inverse_regularisation=one.part.inverse_regularisation,
                ),
                weight=one.part.weight / largest,
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
    others_share: float
    views: int | None
    inverse_regularisation: float | None


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


_FEATURE_MAPS = ("stage 2", "stage 3", "early")
KEPT = Recipe(N_("as kept"))
NOT_REENCODED = Recipe(N_("no re-encoded copies"), views=-len(REENCODED))
VARIATIONS = (
    Recipe(N_("the first source alone"), others_share=0.0),
    Recipe(N_("all sources in one head"), others_share=1.0),
    Recipe(N_("pooled over the thorax only"), features={"cover": ("thorax",)}),
    Recipe(N_("pooled over the opacities only"), features={"cover": ("opacities",)}),
    Recipe(N_("no matter whether an opacity is seen"), features={"part": _FEATURE_MAPS}),
    Recipe(N_("Astra's trunk alone"), features={"trunk": ("Astra",)}),
    Recipe(N_("EfficientNet's trunk alone"), features={"trunk": ("Lite",)}),
    Recipe(N_("each slice shown once, unchanged"), views=1),
    NOT_REENCODED,
    Recipe(N_("mirror image not asked"), mirrored=lambda _: False),
)
