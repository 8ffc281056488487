from dataclasses import replace

import numpy as np
import pytest

from covidct.evaluation.groups import CRITERIA, NOT_SAID, results_by
from covidct.evaluation.sample import sample_of
from covidct.imaging.dicom.acquisition import Acquisition


@pytest.fixture
def told(make_slices):
    """Judged slices of which all is known."""
    return tuple(
        replace(
            one,
            opacity_share=number % 5 / 10,
            acquisition=Acquisition(
                30 + number // 2, "FM"[number % 2], ("Maker A", "Maker B")[number % 3 == 0], 1.25
            ),
        )
        for number, one in enumerate(make_slices())
    )


def grouped(criterion, slices, threshold=0.5):
    return results_by(criterion, slices, sample_of(slices), threshold)


def counted(groups):
    return {g.name: g.sensitivity.n + g.specificity.n for g in groups}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_groups_share_out_all_slices_and_their_hits(told, criterion):
    groups = grouped(criterion, told)
    assert sum(counted(groups).values()) == len(told)
    found = sum(one.is_covid and one.probability >= 0.5 for one in told)
    assert sum(g.sensitivity.hits for g in groups) == found


@pytest.mark.parametrize(
    ("age", "name"),
    [
        (0, "Under 40 years"),
        (39, "Under 40 years"),
        (40, "40 to 59 years"),
        (60, "60 to 79 years"),
        (79, "60 to 79 years"),
        (80, "80 years or more"),
        (120, "80 years or more"),
    ],
)
def test_ages_lie_where_their_names_say(told, age, name):
    same = tuple(replace(one, acquisition=Acquisition(age=age)) for one in told)
    assert counted(grouped("age", same)) == {name: len(told)}


def test_ranges_come_from_the_lowest_on_and_none_is_empty(told):
    assert list(counted(grouped("opacity-share", told))) == [
        "Under 1% of the lungs",
        "10% to under 25% of the lungs",
        "25% of the lungs or more",
    ]


def test_what_some_files_do_not_say_is_a_group_of_its_own(told):
    known = 100
    slices = (*told[:known], *(replace(one, acquisition=Acquisition()) for one in told[known:]))
    for criterion in ("age", "sex", "scanner", "slice-thickness"):
        groups = grouped(criterion, slices)
        assert groups[-1].name == NOT_SAID
        assert counted(groups)[NOT_SAID] == len(told) - known
    assert {g.name for g in grouped("sex", slices)} == {"Female", "Male", NOT_SAID}


def test_sources_come_by_how_many_there_are(make_slices):
    assert [g.name for g in grouped("source", make_slices())] == ["PNG", "JPEG"]


def test_thirds_of_size_are_told_by_their_pixels(make_slices):
    slices = make_slices()
    smallest, _, largest = grouped("size", slices)
    assert smallest.name == "Smallest third, 20 to 24 thousand pixels"
    assert largest.name.startswith("Largest third, 28")
    alike = tuple(replace(one, shape=(100, 100)) for one in slices)
    (only,) = grouped("size", alike)
    assert only.name == "All, 10 thousand pixels"


def test_a_class_of_few_patients_has_no_area(make_slices):
    slices = make_slices()
    patients = {one.patient for one in slices if one.is_covid}
    few = sorted(patients)[:3]
    slices = tuple(
        replace(one, source="TIFF" if one.patient in few or not one.is_covid else "PNG")
        for one in slices
    )
    groups = {g.name: g for g in grouped("source", slices)}
    assert groups["TIFF"].auc is None
    assert groups["TIFF"].sensitivity.ci95 is None
    assert groups["TIFF"].specificity.ci95 is not None
    assert groups["PNG"].auc is None
    assert groups["PNG"].specificity.n == 0
    assert np.isnan(groups["PNG"].specificity.value)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_what_was_not_recorded_makes_no_groups(make_slices, criterion):
    slices = tuple(replace(one, source="", shape=(0, 0)) for one in make_slices())
    assert grouped(criterion, slices) == ()
