import csv

import numpy as np
import pytest

from covidct.evaluation.sample import Rate
from covidct.stats.bootstrap import Measured
from covidct.ui.evaluation import audit_tables, opacity_tables, tables

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


def _painted(what, turned, n=10):
    share = {"share": turned / n, "share_ci95": [0.0, 0.5]} if n else {"share": None}
    return {
        "of": "<i>drawn",
        "drawn": True,
        "painted": what,
        "turned": turned,
        "lower": turned,
        "n": n,
        "nothing_seen": 3,
        "too_full": 2,
        "before": 0.8 if n else None,
        "after": 0.4 if n else None,
        **share,
    }


def test_painting_out_is_told_with_what_it_did_and_could_not_be_done_to():
    rows = [_painted("opacities", 6), _painted("as much lung without opacities", 0, 0)]
    audit = {"painted": rows, "sets": {rows[0]["of"]: "learnt from <it>"}}
    shown = audit_tables.painted(audit).replace("\N{NO-BREAK SPACE}", " ")
    assert "6 of 10" in shown and "0.80 → 0.40" in shown
    assert "&lt;i&gt;drawn, as drawn: learnt from &lt;it&gt;" in shown
    assert "no such slices" in shown


def test_all_parts_of_an_audit_are_in_its_csv_and_those_of_before_too():
    told = {"features": "pooled features", "among": "all slices", "named": 4}
    for name in ("forest_accuracy", "regression_accuracy", "forest_roc_auc", "regression_roc_auc"):
        told |= {name: 0.9, f"{name}_ci95": [0.8, 0.95]}
    judged = {"target": None, "met": None}
    audit = {
        "painted": [_painted("opacities", 6) | judged],
        "told_apart": {"rows": [told]},
    }
    assert "25%" in audit_tables.told_apart(audit)
    rows = list(csv.DictReader(audit_tables.as_csv(audit).splitlines()))
    assert [(row["part"], row["figure"]) for row in rows] == [
        ("painted", "share"),
        ("told_apart", "forest_accuracy"),
        ("told_apart", "regression_accuracy"),
        ("told_apart", "forest_roc_auc"),
        ("told_apart", "regression_roc_auc"),
    ]
    assert rows[0]["value"] == "0.6" and rows[1]["low"] == "0.8"
    assert audit_tables.as_csv({"flips": []}).count("\n") == 1


def test_opacities_by_source_are_shown_as_far_as_they_were_drawn():
    count = {"slices": 3, "of": 4}
    source = {
        "slices": 9,
        "patients": 2,
        "lungs_dice": 0.96,
        "opacities_dice": None,
        "surface_distance": None,
        "share_error": 0.043,
        "detected": {"slices": 0, "of": 0},
        "falsely_detected": count,
    }
    figures = {"by_source": {"<b>one": source}}
    shown = opacity_tables.by_source(figures).replace("\N{NO-BREAK SPACE}", " ")
    assert "&lt;b&gt;one" in shown and "0.96" in shown and "4.3%" in shown
    assert "3 of 4" in shown and shown.count("–") == 3
    (row,) = csv.DictReader(opacity_tables.by_source_csv(figures).splitlines())
    assert (row["falsely_detected"], row["falsely_detected_of"]) == ("3", "4")
