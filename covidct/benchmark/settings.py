"""How much is measured: enough for a figure that can be published, or little for a test."""

from dataclasses import dataclass
from pathlib import Path

from covidct.home import data_dir


@dataclass(frozen=True, slots=True)
class Settings:
    """The amounts.

    Attributes:
        model: a shipped model, a run's folder, or None for the model in use.
        data: a data set to train on; where there is none, training is not measured.
        repeats: of what takes under a second; the quickest counts.
        naive_repeats: of the usual way, which takes seconds.
        folder: slices in the folder that is classified.
        on_workers: slices that Dask workers judge.
        side: rows and columns of the synthetic slices.
        verdicts: asked of one server, to see whether its memory grows.
        archive: slices in a ZIP that is dropped.
        disc: files on a CD that is sorted.
        sessions: that hold a slice each while the server's memory is looked at.
        batch_sizes: slices in a batch, to see how the time grows with them.
        pixel_sides: rows and columns of a slice, likewise.
        series_lengths: slices in a series, likewise.
        session_counts: sessions at once, likewise.
        backbones: that are trained beside what is told of them before; none are all.
        slices_to_train_on: for that.
        reference_draws: augmentations of the reference's training slices whose features are kept;
            as many as it has epochs, and none is used twice.
        reference_batch: slices in a batch of its training.
        reference_side: rows and columns of its pictures.
    """

    model: str | None = None
    data: Path | None = None
    repeats: int = 15
    naive_repeats: int = 3
    folder: int = 500
    on_workers: int = 256
    side: int = 512
    verdicts: int = 2000
    archive: int = 100
    disc: int = 2000
    sessions: int = 30
    batch_sizes: tuple[int, ...] = (2, 4, 8, 16)
    pixel_sides: tuple[int, ...] = (256, 512, 1024, 2048)
    series_lengths: tuple[int, ...] = (10, 20, 40, 80)
    session_counts: tuple[int, ...] = (1, 2, 4, 8)
    backbones: tuple[str, ...] = ()
    slices_to_train_on: int = 100
    reference_draws: int = 4
    reference_batch: int = 32
    reference_side: int = 224


def default_data() -> Path | None:
    """COVID-CT where it was fetched to, else None."""
    fetched = data_dir() / "COVID-CT"
    return fetched if fetched.is_dir() else None
