"""The figures of each epoch as event files, which TensorBoard draws beside those of other runs.

tensorboard --logdir .covidct/runs
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

EVENTS_FOLDER = "tensorboard"
_VALIDATION = "val_"


def write_events(run: Path, epoch: int, figures: Mapping[str, float]) -> None:
    """Add the figures of an epoch to the run's folder ``tensorboard``.

    As Keras' own callback does, training and validation are two runs of TensorBoard with the same
    names of figures, so that it draws one over the other.

    Args:
        run: the run folder.
        epoch: counted from 0.
        figures: of ``metrics.csv``, those of the validation slices with the prefix "val_".
    """
    import tensorflow as tf

    for part, prefix in (("training", ""), ("validation", _VALIDATION)):
        summary = tf.compat.v1.Summary()
        for name, value in figures.items():
            if name.startswith(_VALIDATION) == bool(prefix):
                summary.value.add(tag=name.removeprefix(prefix), simple_value=value)
        writer = _writer(run / EVENTS_FOLDER / part)
        with writer.as_default():
            tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=epoch)
        writer.flush()


@lru_cache(maxsize=2)  # those of the run that this process trains
def _writer(folder: Path) -> "tf.summary.SummaryWriter":
    import tensorflow as tf

    return tf.summary.create_file_writer(str(folder))
