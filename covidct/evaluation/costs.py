"""What the figures of ``bench`` should be, and which of them are."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Target(NamedTuple):
    """What a figure should be: at most a limit, or at least."""

    figure: str
    meaning: str
    limit: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Whether a figure reaches it."""
        return value >= self.limit if self.at_least else value <= self.limit


TARGETS = (
    Target("verdict_vs_naive", "upload to overlay, times faster than the usual way", 8, True),
    Target("verdict_vs_naive_vgg16", "the same, than the usual way with VGG16", 15, True),
    Target("verdict_vs_forward", "upload to overlay, in bare forward passes", 3),
    Target("forward_vs_tensorflow", "TensorFlow’s pass in floats, in bare forward passes", 4, True),
    Target("folder_vs_forward", "folder of slices, share of the bare throughput", 0.8, True),
    Target("two_workers_vs_one", "two Dask workers of a thread, throughput of one", 1.8, True),
    Target("first_page_s", "first page, seconds from the server's start", 2),
    Target("first_verdict_after_drop_s", "first verdict of a server, seconds from the drop", 1),
    Target("warm_page_s", "page of a new session, seconds", 1),
    Target("next_slice_s", "next slice of a series, seconds to verdict and overlay", 0.3),
    Target("slider_step_s", "a step of the overlay's slider, seconds", 0.2),
    Target("drop_100_s", "100 slices dropped at once, seconds to the last verdict", 4),
    Target("sorting_s", "a CD of 2,000 files sorted into series, seconds", 5),
    Target("sorting_peak_mib", "the same, peak memory, MiB", 600),
    Target("archive_vs_parts", "400 slices from an archive, in fetching and judging alone", 1.5),
    Target("archive_peak_mib", "the same, peak memory, MiB", 600),
    Target("help_s", "--help, seconds", 0.5),
    Target("classify_vs_tensorflow", "classify one file, in imports of TensorFlow", 0.35),
    Target("classify_peak_mib", "the same, peak memory, MiB", 300),
    Target("server_resident_mb", "server after its first verdict, MB", 350),
    Target("server_resident_30_sessions_mb", "server under 30 sessions, MB", 600),
    Target("memory_growth", "its growth from the 200th to the 2,000th verdict, share", 0.05),
    Target("told_time_off", "what a run is told to take, share of its time that it is off", 1 / 3),
    Target("told_memory_off", "the same of its memory", 1 / 3),
    Target("train_vs_reference", "training to AUC 0.862, times sooner than VGG16", 5, True),
)
MOST_EXPONENT = 1.1  # linear, and what a measurement may be off


def rows(figures: Mapping) -> Iterator[tuple[str, str, str, bool]]:
    """The table: what, figure, target and whether it is met, of what was measured."""
    for target in TARGETS:
        value = figures.get(target.figure)
        if value is not None:
            limit = f"{'≥' if target.at_least else '≤'} {target.limit:.3g}"
            what = target.meaning + _caveat(target.figure, figures)
            yield what, f"{value:.3g}", limit, target.is_met(value)
    for name, curve in figures.get("growth", {}).items():
        value = curve["exponent"]
        what = f"growth with {name}, power"
        yield what, f"{value:.2f}", f"≤ {MOST_EXPONENT:g}", value <= MOST_EXPONENT


def _caveat(figure: str, figures: Mapping) -> str:
    """What the processor lacks for a figure, or whether that is unknown; else empty."""
    vnni = figures.get("vnni")
    if figure != "forward_vs_tensorflow" or vnni:
        return ""
    return " (no VNNI here)" if vnni is False else " (VNNI unknown)"
