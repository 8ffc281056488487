from dataclasses import replace

import pytest

from covidct.inference.card import read_card
from covidct.inference.promotion import DEFAULT_MODEL, SHIPPED_DIR
from covidct.reports.words import calibration_statement, leaning, verdict_sentence, whose


def test_the_card_s_figures_are_stated_with_where_they_come_from(card):
    text = calibration_statement(card)
    assert "118 validation slices of 56 patients" in text
    assert "8.5 percentage points" in text
    assert "optimistic" in text
    out_of_fold = replace(card, about={"out_of_fold": card.about["validation"]})
    assert "118 out-of-fold slices of 56 patients" in calibration_statement(out_of_fold)


@pytest.mark.parametrize("about", [{}, {"validation": None}, {"validation": {"n": 1}}])
def test_what_the_card_does_not_know_is_not_stated(card, about):
    assert "does not say" in calibration_statement(replace(card, about=about))


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.1, "does not exclude"), (0.45, "make it Negative"), (0.55, "make it Positive")],
)
def test_a_verdict_says_its_limits(predict, card, probability, words):
    assert words in verdict_sentence(predict(probability), card.calibration.abstain_band)


@pytest.mark.parametrize(("probability", "label"), [(0.45, "Negative"), (0.55, "Positive")])
def test_only_of_an_uncertain_slice_the_side_of_the_operating_point_is_added(
    predict, probability, label
):
    (said,) = leaning(predict(probability))
    assert said == f"The operating point alone would make it {label}."
    assert [*leaning(predict(0.1)), *leaning(predict(0.9))] == []


def test_a_verdict_by_somebody_s_own_model_says_so_and_on_how_much_it_was_validated(card):
    assert whose(card) == "Own model, validated on 118 slices of 56 patients."
    assert whose(replace(card, about={})) == "Own model, not validated."
    assert whose(read_card(SHIPPED_DIR / DEFAULT_MODEL)) == ""
