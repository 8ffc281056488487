"""What it costs that a series comes from an archive."""

import pytest

from covidct.benchmark.archive import measure_archive
from covidct.benchmark.samples import dicom_slice
from covidct.inference.classifier import Classifier

MOST = 1.5  # times what fetching and judging take alone
MOST_MEMORY = 600  # MiB


@pytest.fixture(scope="module")
def classifier():
    return Classifier.load()


def test_fetching_and_judging_are_parts_of_the_whole(named, archive, classifier):
    named.put(*(dicom_slice(number, 160) for number in range(5)))
    figures = measure_archive(archive, "1.2.3", classifier)
    assert figures["archive_slices"] == 5
    assert figures["archive_vs_parts"] > 0


@pytest.mark.endurance
def test_a_series_of_400_slices_comes_almost_as_if_it_were_here(
    named, archive, classifier, record_property
):
    named.put(*(dicom_slice(number, 512) for number in range(400)))
    figures = measure_archive(archive, "1.2.3", classifier)
    assert figures["archive_slices"] == 400
    said = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
    record_property("figure", said)
    assert figures["archive_vs_parts"] <= MOST
    assert figures["archive_peak_mib"] <= MOST_MEMORY
