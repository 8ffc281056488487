import numpy as np
import pytest

from covidct.errors import DatasetError
from covidct.evaluation.faithfulness.marked_slices import planted_lesions, read_marked_series
from covidct.imaging.phantom import phantom_slice


@pytest.mark.parametrize(
    ("turned", "orientation"),
    [
        (np.array, "as the slices"),
        (np.fliplr, "mirrored left to right"),
        (np.flipud, "upside down"),
    ],
)
def test_masks_are_laid_as_their_lungs_fit(marked_series, volume, turned, orientation):
    series = read_marked_series(marked_series(turned))
    assert series.orientation == orientation
    assert series.overlap > 0.8
    with_lesions = [number for number in range(len(volume)) if number % 3]
    assert len(series.marked) + series.refused == len(with_lesions)
    assert series.refused == 0
    for number, marked in zip(with_lesions, series.marked, strict=True):
        lesions = phantom_slice(number, number % 3, volume.shape[1:]).lesion_mask
        assert np.array_equal(marked.lesions, lesions)


def test_masks_of_another_body_are_refused(marked_series):
    folder = marked_series(lambda mask: np.roll(mask, mask.shape[1] // 3, axis=1))
    with pytest.raises(DatasetError, match="do not fit"):
        read_marked_series(folder)


def test_a_missing_mask_and_a_missing_series_are_refused(marked_series, tmp_path):
    folder = marked_series(np.array)
    (folder / "lesion-masks" / "3.png").unlink()
    with pytest.raises(DatasetError, match="PNG of its name and size"):
        read_marked_series(folder)
    with pytest.raises(DatasetError, match="one series"):
        read_marked_series(tmp_path)


def test_the_shared_series_has_its_masks_in_a_mirror(covid_ct):
    series = read_marked_series(covid_ct.parent / "dicom-ct-series")
    assert series.orientation == "mirrored left to right"
    assert series.overlap > 0.85


def test_planted_lesions_are_the_same_each_time_and_lie_on_their_slices():
    (first, second), (again, _) = planted_lesions(2), planted_lesions(2)
    assert np.array_equal(first.ct_slice.pixels, again.ct_slice.pixels)
    assert np.array_equal(first.lesions, again.lesions)
    assert not np.array_equal(first.lesions, second.lesions)
    healthy = first.ct_slice.pixels[~first.lesions].mean()
    assert first.lesions.any()
    assert first.lesions.shape == first.ct_slice.shape
    assert first.ct_slice.pixels[first.lesions].mean() != healthy
