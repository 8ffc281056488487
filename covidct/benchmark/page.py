"""How long whoever looks at slices waits on a warm server: for the page, a slice, a slider."""

from itertools import cycle

from covidct.benchmark.samples import series_archive
from covidct.benchmark.server import free_port, serve
from covidct.benchmark.settings import Settings
from covidct.benchmark.timing import fastest
from covidct.benchmark.visitor import open_tab


def measure_page(settings: Settings) -> dict[str, object]:
    """Seconds until all was sent to the browser, which then draws it; the quickest of several.

    Returns:
        ``warm_page_s``, of a new session up to the Diagnose page, the notice accepted;
        ``next_slice_s``, from one slice of a DICOM series to another with its verdict and overlay;
        ``slider_step_s``, for a step of the overlay's opacity.
    """
    port = free_port()
    with serve(port, settings.model) as server, open_tab(server.url) as tab:
        tab.accept_notice()
        slices = settings.repeats + 2  # none is looked at twice
        for _ in tab.drop("series.zip", series_archive(slices, settings.side)):
            pass
        tab.slide("Slice, from the feet to the head", 1)
        opacities = cycle((30, 60))

        def visit() -> None:
            with open_tab(server.url) as other:
                other.accept_notice()

        page, next_slice, step = fastest(
            settings.repeats,
            visit,
            lambda: tab.press("Next"),
            lambda: tab.slide("Opacity", next(opacities)),
        )
    return {"warm_page_s": page, "next_slice_s": next_slice, "slider_step_s": step}
