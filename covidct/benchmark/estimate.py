"""How true it is what a run is told to take before it starts."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from covidct.benchmark.process import run_python
from covidct.benchmark.settings import Settings
from covidct.data.index import read_index
from covidct.data.splits import split_for_training
from covidct.models.backbones import BACKBONES, has_shipped_weights
from covidct.training.config import TrainConfig
from covidct.training.estimate import estimate, measure_speed

_PROBED = 4  # slices, as on the Training page


def measure_estimate(settings: Settings) -> dict[str, object]:
    """Train each backbone with its own settings on a part of the data set, beside what the
    estimate says of it on the same computer just before.

    Where weights are not shipped, they are random, which takes as long.

    Returns:
        ``told_vs_taken``, of each backbone the time and the memory told over those taken;
        ``told_time_off`` and ``told_memory_off``, by what share the worst of them is off.

    Raises:
        DatasetError: the data cannot be trained on.
    """
    assert settings.data is not None  # else it is not measured
    told_vs_taken = {}
    with TemporaryDirectory() as scratch:
        data = _part_of(settings.data, Path(scratch) / "data", settings.slices_to_train_on)
        for backbone in settings.backbones or BACKBONES:
            told_vs_taken[backbone] = _told_vs_taken(data, Path(scratch) / backbone, backbone)
    return {
        "told_vs_taken": told_vs_taken,
        "told_slices": settings.slices_to_train_on,
        **{
            f"told_{what}_off": max(abs(ratios[what] - 1) for ratios in told_vs_taken.values())
            for what in ("time", "memory")
        },
    }


def _part_of(data: Path, folder: Path, slices: int) -> Path:
    """A data set of so many slices of another, every class as often as it is there."""
    items = read_index(data).items
    for at in np.linspace(0, len(items) - 1, min(slices, len(items))).astype(int):
        copy = folder / items[at].name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(items[at].path, copy)
    return folder


def _told_vs_taken(data: Path, run: Path, backbone: str) -> dict[str, float]:
    config = TrainConfig(backbone=backbone, pretrained=has_shipped_weights(backbone))
    index = read_index(data)
    training, validation = split_for_training(index, config.validation_share, config.seed)
    speed = measure_speed(index.items[:: max(1, len(index.items) // _PROBED)])
    assert speed is not None  # they are of a data set that is trained on
    told = estimate(speed, config, len(training), len(validation))
    weights = "--pretrained" if config.pretrained else "--no-pretrained"
    arguments = ("--data", str(data), "--run", str(run), "--backbone", backbone, weights)
    taken = run_python("-m", "covidct", "train", *arguments)
    return {"time": told.seconds / taken.seconds, "memory": told.memory_mb / taken.peak_mib}
