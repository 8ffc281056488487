"""What a page says about a model, by whatever its card holds."""

import re
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from covidct.inference.card import read_card
from covidct.inference.promotion import DEFAULT_MODEL, SHIPPED_DIR

SHIPPED = read_card(SHIPPED_DIR / DEFAULT_MODEL)
MEASURED = {"n": 16, "patients": 9}


def draw(card) -> None:
    from covidct.ui.shared import about_model

    about_model.show(card)


def told(card) -> str:
    app = AppTest.from_function(draw, kwargs={"card": card}).run()
    assert not app.exception
    return "\n".join(element.value for element in app.get("html"))


def test_ten_lines_tell_what_a_model_is_for_how_good_it_is_and_its_limits():
    html = told(SHIPPED)
    assert len(re.findall("<dt>", html)) == 9
    point = f"Positive from {SHIPPED.calibration.operating_point:.0%}"
    for said in ("Research on COVID-19", point, "<dt>Limits</dt>", "never seen"):
        assert said in html
    for figure in ("ROC AUC", "Sensitivity", "Specificity"):
        assert re.search(rf"<dt>{figure}</dt><dd>0\.\d\d \(95% interval 0\.\d\d to 0\.\d\d\)", html)
    assert "<details><summary>Not known</summary>" in html
    assert "Own model" not in html
    assert "class_weights" not in html


@pytest.mark.parametrize(
    "about", [{}, {"slices": 3, "limits": {"a": [1]}}, {"validation": [1], "out_of_fold": {}}]
)
def test_what_a_card_does_not_hold_is_left_out(about):
    html = told(replace(SHIPPED, sha256="0" * 64, about=about))
    assert "<dt>Operating point</dt>" in html
    assert "ROC AUC" not in html


def test_markup_in_a_card_is_shown_literally():
    html = told(replace(SHIPPED, name="<b>x</b>", about={"limits": ["<b>y</b>"]}))
    assert "<b>" not in html
