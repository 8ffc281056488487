from dataclasses import replace

import pytest

from covidct.evaluation.groups import by_size, by_source
from covidct.evaluation.sample import sample_of


@pytest.mark.parametrize("group_by", [by_source, by_size])
def test_groups_share_out_all_slices(make_slices, group_by):
    slices = make_slices()
    groups = group_by(slices, sample_of(slices), 0.5)
    assert len(groups) in (2, 3)
    assert sum(g.sensitivity.n + g.specificity.n for g in groups) == len(slices)
    assert all(g.auc for g in groups)


def test_sources_come_by_how_many_there_are(make_slices):
    slices = make_slices()
    assert [g.name for g in by_source(slices, sample_of(slices), 0.5)] == ["PNG", "JPEG"]


def test_thirds_of_size_are_told_by_their_pixels(make_slices):
    slices = make_slices()
    smallest, _, largest = by_size(slices, sample_of(slices), 0.5)
    assert smallest.name == "Smallest third, 20 to 24 thousand pixels"
    assert largest.name.startswith("Largest third, 28")
    alike = tuple(replace(one, shape=(100, 100)) for one in slices)
    (only,) = by_size(alike, sample_of(alike), 0.5)
    assert only.name == "All, 10 thousand pixels"


def test_a_class_of_few_patients_has_no_area(make_slices):
    slices = make_slices()
    patients = {one.patient for one in slices if one.is_covid}
    few = sorted(patients)[:3]
    slices = tuple(
        replace(one, source="TIFF" if one.patient in few or not one.is_covid else "PNG")
        for one in slices
    )
    groups = {g.name: g for g in by_source(slices, sample_of(slices), 0.5)}
    assert groups["TIFF"].auc is None
    assert groups["TIFF"].sensitivity.ci95 is None
    assert groups["TIFF"].specificity.ci95 is not None
    assert groups["PNG"].auc is None
    assert groups["PNG"].specificity.n == 0


def test_what_was_not_recorded_makes_no_groups(make_slices):
    slices = tuple(replace(one, source="", shape=(0, 0)) for one in make_slices())
    sample = sample_of(slices)
    assert by_source(slices, sample, 0.5) == by_size(slices, sample, 0.5) == ()
