"""How long a run takes and what memory it needs, told before it starts.

A few of its own slices are read, changed and looked at by the default backbone, timed on this
computer. What else a run does is counted in such looks, as it was measured once on two cores.
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
        look: at a slice of the size that suits it, in integers,
        look_in_floats: or in floats.
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


# The default, EfficientNet-Lite0 and 2 were measured; the others are judged by their size.
_COSTS = {
    "astra_lite": _Costs(1.0, 2.5, 3.0, 6.0, 520, 46, 9792, 13),
    "astra_resnet": _Costs(0.6, 1.5, 2.0, 4.0, 450, 28, 4000, 10),
    "efficientnet_lite0": _Costs(0.22, 0.36, 0.85, 2.2, 900, 10, 2560, 13),
    "efficientnet_lite1": _Costs(0.36, 0.55, 1.1, 3.0, 950, 16, 2560, 18),
    "efficientnet_lite2": _Costs(0.51, 0.77, 1.4, 4.0, 1050, 23, 2560, 22),
    "vgg16": _Costs(5.0, 10.0, 12.0, 24.0, 900, 230, 1024, 40),
}
_STARTING = 130  # looks, until the first slice is read
_CONVERTING, _CALIBRATED_ON = 170, 100  # looks, and slices at most
_JUDGING = 2  # looks, at a validation slice with all that a verdict brings
_FITTING = 4e-6  # looks a feature of a view of a slice
_MEMORY, _MEMORY_OF_KERAS = 430, 950  # MB
_PREDICTED = 32  # slices at a time, when verdicts are compared
_MEGABYTE = 2**20


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
    costs, look = _COSTS[config.backbone], speed.looking
    size = prod(config.input_size) / prod(get_backbone(config.backbone).input_size)
    ready = (training + validation) * speed.reading + _STARTING * look
    ending = (training * costs.look + validation * costs.forward) * size * look
    ending += validation * _JUDGING * look
    if config.finetuning_epochs:
        first, total = _finetuning(speed, config, costs, size, training, validation)
        ending += _converting(costs, size, training) * look
    else:
        first, total = _solving(speed, config, costs, size, training, validation)
        ending += costs.building * look
    return Estimate(
        ready + total + ending,
        ready + first,
        _memory_mb(config, costs, size, training, validation),
    )


def _memory_mb(
    config: TrainConfig, costs: _Costs, size: float, training: int, validation: int
) -> float:
    """At the peak, while the head is solved or while Keras is asked."""
    pixels = (training + validation) * prod(config.input_size) * 4 / _MEGABYTE
    pictures = config.probe_views + len(REENCODED) + 1
    # Features as they are, one below the other, and standardised; float32
    features = 3 * pictures * training * costs.features * 4 / _MEGABYTE
    batch = max(_PREDICTED, config.batch_size if config.finetuning_epochs else 0)
    in_keras = _MEMORY_OF_KERAS + batch * costs.memory_of_batch * size
    # Keras is there before the head is solved, unless a shipped graph does without it
    held = in_keras if config.finetuning_epochs or not _is_shipped(config, size) else 0
    return pixels + max(_MEMORY + features + held, in_keras)


def _is_shipped(config: TrainConfig, size: float) -> bool:
    """Whether the graph of the frozen trunks need not be made."""
    usual = config.pretrained and config.pixel_scaling == "backbone"
    return config.backbone == _DEFAULT and size == 1 and usual


def _converting(costs: _Costs, size: float, training: int) -> float:
    """Looks that the conversion to integers takes."""
    return _CONVERTING + min(training, _CALIBRATED_ON) * costs.calibrating * size


def _solving(
    speed: Speed,
    config: TrainConfig,
    costs: _Costs,
    size: float,
    training: int,
    validation: int,
) -> tuple[float, float]:
    """Seconds of the first epoch, and of all, where the head is solved after each view."""
    look = costs.look * size * speed.looking
    preparing = 0.0
    if not _is_shipped(config, size):
        preparing = costs.building + _converting(costs, size, training)
    fitted = training * costs.features * _FITTING * speed.looking  # one view
    first = preparing * speed.looking + (2 * training + validation) * look
    first += training * speed.changing + 2 * fitted
    epochs = config.planned_epochs
    changed = max(0, config.probe_views - 1) * speed.changing + speed.rereading
    rest = (epochs - 1) * training * look + training * changed
    return first, first + rest + fitted * sum(range(3, epochs + 2))


def _finetuning(
    speed: Speed,
    config: TrainConfig,
    costs: _Costs,
    size: float,
    training: int,
    validation: int,
) -> tuple[float, float]:
    """The same with fine-tuning, after the head was solved on all views at once."""
    head = 0.0
    if config.probe_views:
        pictures = config.probe_views + len(REENCODED) + 1
        head = training * (config.probe_views * speed.changing + speed.rereading)
        head += training * pictures * costs.look_in_floats * size * speed.looking
        head += training * pictures * costs.features * _FITTING * speed.looking
    step = costs.forward + costs.backward * config.trainable_share
    epoch = (training * step + validation * costs.forward) * size * speed.looking
    epoch += training * speed.changing
    first = costs.building * speed.looking + head + epoch
    return first, first + (config.finetuning_epochs - 1) * epoch
