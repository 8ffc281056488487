import csv

import numpy as np
import pytest

from covidct.evaluation.sample import Rate
from covidct.stats.bootstrap import Measured
from covidct.ui.evaluation import audit_tables, tables

RATES = {
    "sensitivity": Rate(9, 10, 8, (0.7, 0.98)),
    "specificity": Rate(7, 12, 9, (0.4, 0.8)),
    "ppv": Rate(9, 14, 9, (0.4, 0.8)),
    "npv": Rate(0, 0, 0, None),
    "accuracy": Rate(2, 3, 3, None),
}


def test_a_rate_is_shown_with_what_it_rests_on():
    shown = tables.rates_table(RATES).replace("\N{NO-BREAK SPACE}", " ")
    assert "90% <small>70% to 98%, 9 of 10</small>" in shown
    assert "no such slices" in shown
    assert "2 of 3 <small>too few patients for a rate: 3</small>" in shown
    assert "67%" not in shown


def test_csv_holds_the_same_and_nothing_where_there_is_nothing():
    rows = {row["rate"]: row for row in csv.DictReader(tables.rates_csv(RATES, 0.4).splitlines())}
    assert rows["sensitivity"] == {
        "rate": "sensitivity",
        "operating_point": "0.4",
        "value": "0.9",
        "low": "0.7",
        "high": "0.98",
        "hits": "9",
        "n": "10",
        "patients": "8",
    }
    assert (rows["npv"]["value"], rows["npv"]["low"]) == ("", "")
    matrix = list(csv.reader(tables.confusion_csv(RATES, 0.4).splitlines()))
    assert matrix[1:] == [["COVID-19", "0.4", "9", "1"], ["Other", "0.4", "5", "7"]]


def test_areas_have_intervals_or_say_why_not():
    shown = tables.area(Measured(np.float64(0.9), (0.85, 0.95)))
    assert "0.900" in shown and "0.850" in shown
    assert "too few patients" in tables.area(None)


@pytest.mark.parametrize(("met", "said"), [(True, "met"), (False, "missed")])
def test_targets_are_told_in_words_and_texts_are_never_markup(met, said):
    row = {"change": "<b>half", "flipped": 2, "n": 40, "share": 0.05, "target": 0.03, "met": met}
    shown = audit_tables.flips({"flips": [row | {"share_ci95": [0.01, 0.16]}]})
    assert f"{said}: at most 3%" in shown
    assert "&lt;b&gt;half" in shown and "<b>half" not in shown


def test_it_is_told_which_way_verdicts_turned_if_any_did():
    row = {"change": "half", "flipped": 2, "n": 40, "share": 0.05, "target": 0.03, "met": False}
    of_before = audit_tables.flips({"flips": [row | {"to_positive": 1}]})
    assert "1 to Positive" in of_before and "Uncertain" not in of_before
    told = audit_tables.flips({"flips": [row | {"to_positive": 1, "both_decided": 2}]})
    assert "1 to Positive and 2 without an “Uncertain”" in told
    none = row | {"flipped": 0, "to_positive": 0, "share": 0.0}
    assert "to Positive" not in audit_tables.flips({"flips": [none, row]})
