"""How long a run takes and what memory it needs, told before it starts.

A few of its own slices are read, changed and looked at by the default backbone, timed on this
computer. What else a run does is counted in such looks, as it was measured once on two cores; where
it is no work in integers, as fast as files are re-encoded here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from covidct.data.index import Item
from covidct.data.prepared import prepare
from covidct.data.reencode import REENCODED
from covidct.models.backbones import get_backbone, get_preprocess_input, read_pretrained_graph
from covidct.models.pooling import TrunkMaps
from covidct.quota import MEGABYTE
from covidct.runtime.graph import Graph
from covidct.training.config import TrainConfig
from covidct.training.probe import pooled_features, shows

_DEFAULT = "astra_lite"


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds a slice takes on this computer, all its cores at work.

    Attributes:
        reading: from its file to what a network sees.
        changing: augmentation.
        rereading: writing and reading all its re-encoded files.
        looking: the features of the default backbone.
    """

    reading: float
    changing: float
    rereading: float
    looking: float

    @property
    def working(self) -> float:
        """What counts as a look in work that is not in integers, which a processor without VNNI
        does as fast as its other work would let one expect."""
        return _LOOK_IN_REREADINGS * self.rereading


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take.

    Attributes:
        seconds: to its end.
        first_figures: seconds to the end of its first epoch.
        memory_mb: at its peak.
    """

    seconds: float
    first_figures: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class _Costs:
    """What a backbone costs, in looks of the default one unless said otherwise.

    Attributes:
        look: at a slice of the size that suits it, in integers; all else is other work,
        look_in_floats: the same in floats.
        forward: a slice's pass in a step of fine-tuning, and
        backward: what training all layers adds to it.
        building: in Keras, from its import on.
        calibrating: its integers on a slice.
        features: how many are pooled.
        memory_of_batch: MB that Keras needs for each slice of a batch.
    """

    look: float
    look_in_floats: float
    forward: float
    backward: float
    building: float
    calibrating: float
    features: int
    memory_of_batch: float


# `bench --only estimate` tells how true they are.
_COSTS = {
    "astra_lite": _Costs(1.0, 2.5, 3.0, 6.0, 520, 46, 9792, 13),
    "astra_resnet": _Costs(0.6, 1.5, 2.0, 4.0, 450, 28, 4000, 10),
    "efficientnet_lite0": _Costs(0.22, 0.36, 0.85, 2.2, 900, 10, 2560, 13),
    "efficientnet_lite1": _Costs(0.36, 0.55, 1.1, 3.0, 950, 16, 2560, 18),
    "efficientnet_lite2": _Costs(0.51, 0.77, 1.4, 4.0, 1050, 23, 2560, 22),
    "vgg16": _Costs(2.3, 4.5, 5.4, 11, 900, 100, 1024, 40),
}
_LOOK_IN_REREADINGS = 0.3  # as found without VNNI; with it about what a look takes
_STARTING = 130  # looks, until the first slice is read
_CONVERTING, _CALIBRATED_ON = 170, 100  # looks, and slices at most
_JUDGING = 2  # looks, at a validation slice with all that a verdict brings
_FITTING = 4e-6  # looks a feature of a view of a slice
_MEMORY, _MEMORY_OF_KERAS = 430, 950  # MB
_PREDICTED = 32  # slices at a time, when verdicts are compared


def measure_speed(items: Sequence[Item]) -> Speed | None:
    """Time a few slices; a few seconds. None where none of them can be read.

    Args:
        items: of the data set, some four.
    """
    config = TrainConfig(backbone=_DEFAULT)
    prepare(items[:1], config.input_size)  # opens the network that finds lungs
    started = time.perf_counter()
    slices = prepare(items, config.input_size)
    reading = time.perf_counter() - started
    graph = read_pretrained_graph(_DEFAULT)
    if not slices.items or graph is None:
        return None
    _, _, augmented, *reread = shows(slices, config.augmentation, views=2, seed=0)
    trunks = TrunkMaps(Graph(graph), get_backbone(_DEFAULT))
    preprocess_input = get_preprocess_input(_DEFAULT, config.pixel_scaling)

    def look() -> None:
        pooled_features(trunks, slices, preprocess_input)

    look()  # the first one takes memory
    return Speed(
        *(
            seconds / len(slices.items)
            for seconds in (
                reading,
                _seconds(augmented),
                sum(map(_seconds, reread)),
                _seconds(look),
            )
        )
    )


def _seconds(work: Callable) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def estimate(speed: Speed, config: TrainConfig, training: int, validation: int) -> Estimate:
    """What a run will take on the computer whose speed was measured.

    Args:
        speed: from :func:`measure_speed`.
        config: of the run.
        training: slices to train on.
        validation: slices to validate on.
    """
    run = _Run(speed, config, training, validation)
    first, total = run.finetuning() if config.finetuning_epochs else run.solving()
    ready = run.reading()
    return Estimate(ready + total + run.ending(), ready + first, run.memory_mb())


@dataclass(frozen=True, slots=True)
class _Run:
    """A run on a computer; its parts are in seconds."""

    speed: Speed
    config: TrainConfig
    training: int
    validation: int

    @property
    def costs(self) -> _Costs:
        return _COSTS[self.config.backbone]

    @property
    def size(self) -> float:
        """Of a slice, in sizes that suit the backbone."""
        suits = get_backbone(self.config.backbone).input_size
        return prod(self.config.input_size) / prod(suits)

    @property
    def pictures(self) -> int:
        """Of a slice that the head is solved on."""
        return self.config.probe_views + len(REENCODED) + 1

    @property
    def is_shipped(self) -> bool:
        """Whether the graph of the frozen trunks need not be made."""
        usual = self.config.pretrained and self.config.pixel_scaling == "backbone"
        return self.config.backbone == _DEFAULT and self.size == 1 and usual

    def reading(self) -> float:
        """Until its slices are in memory."""
        slices = self.training + self.validation
        return slices * self.speed.reading + _STARTING * self.speed.working

    def solving(self) -> tuple[float, float]:
        """The first epoch, and all, where the head is solved after each view."""
        look = self.costs.look * self.size * self.speed.looking
        fitted = self._fitted()
        first = 0.0 if self.is_shipped else self._building() + self._converting()
        first += (2 * self.training + self.validation) * look
        first += self.training * self.speed.changing + 2 * fitted
        epochs = self.config.planned_epochs
        changed = max(0, self.config.probe_views - 1) * self.speed.changing + self.speed.rereading
        rest = (epochs - 1) * self.training * look + self.training * changed
        return first, first + rest + fitted * sum(range(3, epochs + 2))

    def finetuning(self) -> tuple[float, float]:
        """The same with fine-tuning, after the head was solved on all views at once."""
        head = 0.0
        if self.config.probe_views:
            changed = self.config.probe_views * self.speed.changing + self.speed.rereading
            looks = self.pictures * self.costs.look_in_floats * self.size
            head = self.training * (changed + looks * self.speed.working)
            head += self.pictures * self._fitted()
        step = self.costs.forward + self.costs.backward * self.config.trainable_share
        passes = self.training * step + self.validation * self.costs.forward
        epoch = passes * self.size * self.speed.working + self.training * self.speed.changing
        first = self._building() + head + epoch
        return first, first + (self.config.finetuning_epochs - 1) * epoch

    def ending(self) -> float:
        """After the last epoch: what is served is made and judged."""
        looks = self.training * self.costs.look * self.size + self.validation * _JUDGING
        passes = self.validation * self.costs.forward * self.size
        made = self._converting() if self.config.finetuning_epochs else self._building()
        return looks * self.speed.looking + passes * self.speed.working + made

    def memory_mb(self) -> float:
        """At the peak, while the head is solved or while Keras is asked."""
        is_finetuned = bool(self.config.finetuning_epochs)
        slices = self.training + self.validation
        pixels = slices * prod(self.config.input_size) * 4 / MEGABYTE
        # Features as they are, one below the other, and standardised; float32
        features = 3 * self.pictures * self.training * self.costs.features * 4 / MEGABYTE
        batch = max(_PREDICTED, self.config.batch_size if is_finetuned else 0)
        in_keras = _MEMORY_OF_KERAS + batch * self.costs.memory_of_batch * self.size
        # Keras is there before the head is solved, unless a shipped graph does without it
        held = in_keras if is_finetuned or not self.is_shipped else 0
        return pixels + max(_MEMORY + features + held, in_keras)

    def _building(self) -> float:
        return self.costs.building * self.speed.working

    def _converting(self) -> float:
        """The conversion to integers."""
        calibrated = min(self.training, _CALIBRATED_ON) * self.costs.calibrating * self.size
        return (_CONVERTING + calibrated) * self.speed.working

    def _fitted(self) -> float:
        """The head on one view of all slices."""
        return self.training * self.costs.features * _FITTING * self.speed.working
