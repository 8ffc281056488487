import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from covidct.evaluation.curves import auc, precision_recall, roc
from covidct.evaluation.sample import sample_of
from covidct.stats.bootstrap import measured_auc


@pytest.fixture(params=[False, True], ids=["all different", "with ties"])
def sample(request, make_slices):
    return sample_of(make_slices(ties=request.param))


def test_the_roc_curve_is_scikit_learns(sample):
    curve = roc(sample)
    x, y, _ = roc_curve(sample.labels, sample.probabilities, drop_intermediate=False)
    assert curve.x == pytest.approx(x)
    assert curve.y == pytest.approx(y)
    expected = measured_auc(sample.labels, sample.probabilities, sample.patients)
    assert curve.area.value == pytest.approx(expected.value)
    assert curve.area.ci95 == pytest.approx(expected.ci95)
    assert auc(sample).value == pytest.approx(expected.value)
    assert auc(sample).ci95 == pytest.approx(expected.ci95)


def test_the_precision_recall_curve_is_scikit_learns(sample):
    curve = precision_recall(sample)
    y, x, _ = precision_recall_curve(sample.labels, sample.probabilities)
    assert curve.x == pytest.approx(x[::-1])
    assert curve.y == pytest.approx(y[::-1])
    assert curve.area.value == pytest.approx(
        average_precision_score(sample.labels, sample.probabilities)
    )
    low, high = curve.area.ci95
    assert low < curve.area.value < high


@pytest.mark.parametrize("make", [roc, precision_recall])
def test_a_band_lies_about_its_curve_and_inside_the_square(sample, make):
    curve = make(sample)
    assert (curve.low >= 0).all() and (curve.high <= 1).all()
    assert (curve.low <= curve.high).all()
    at_grid = np.interp(curve.grid[5:-5], curve.x, curve.y)
    inside = (curve.low[5:-5] - 0.02 <= at_grid) & (at_grid <= curve.high[5:-5] + 0.02)
    assert inside.all()


@pytest.mark.parametrize("make", [roc, precision_recall])
def test_more_patients_make_a_narrower_band_and_more_slices_of_them_do_not(make_slices, make):
    def width(slices):
        curve = make(sample_of(slices))
        return float(np.mean(curve.high - curve.low))

    some = make_slices(40)
    assert width(make_slices(400)) < 0.8 * width(some)
    assert width(some * 4) == pytest.approx(width(some))


@pytest.mark.parametrize("make", [roc, precision_recall])
def test_four_patients_of_a_class_give_an_area_without_interval_or_band(make_slices, make):
    patients = sorted({one.patient for one in make_slices() if one.is_covid})
    few = [one for one in make_slices() if not one.is_covid or one.patient in patients[:4]]
    curve = make(sample_of(few))
    assert 0 < curve.area.value <= 1
    assert curve.area.ci95 is None
    assert len(curve.grid) == len(curve.low) == len(curve.high) == 0


def test_slices_of_one_class_have_no_area(sample):
    assert auc(sample.part(sample.labels)) is None
    assert auc(sample.part(~sample.labels)) is None
