import csv
import re
from io import StringIO

import pytest

from covidct.errors import UnreadableSlice
from covidct.inference.cases import SetAside
from covidct.inference.judge import Judged, Refused, SeriesJudged
from covidct.reports.table import COLUMNS, results_csv


def read(text):
    return list(csv.DictReader(StringIO(text)))


def test_each_slice_has_its_line(series, card):
    rows = read(results_csv(series, card))[:-1]
    slices = [one for one in series if not isinstance(one, SeriesJudged)]
    assert len(rows) == len(slices) == len(series) - 1
    assert tuple(rows[0]) == COLUMNS
    for row, one in zip(rows, slices, strict=True):
        assert row["error"] == (one.reason if isinstance(one, Refused) else "")
        assert row["set_aside"] == (one.reason if isinstance(one, SetAside) else "")
        assert row["slice"] == str(one.case.number or "")
        assert row["model_sha256"] == card.sha256
        if isinstance(one, Judged):
            assert float(row["probability"]) == pytest.approx(one.prediction.probability, abs=1e-6)
            assert row["decision"] == one.prediction.decision
        else:
            assert row["probability"] == row["decision"] == row["label"] == ""


def test_a_series_has_a_line_of_its_own(series, card):
    (whole,) = (one for one in series if isinstance(one, SeriesJudged))
    row = read(results_csv(series, card))[-1]
    assert (row["series"], row["slices"]) == ("a series", "29")
    assert (row["file"], row["slice"]) == ("", "")
    assert row["case"] == "2"
    assert row["decision"] == whole.prediction.decision
    assert float(row["probability"]) == pytest.approx(whole.prediction.probability, abs=1e-6)
    assert row["severity"] == str(whole.opacities.severity)
    assert [one["series"] for one in read(results_csv(series, card))[:-1]] == [""] * 31


@pytest.mark.parametrize("name", ['a,"b"\nc.png', "ä 50% (1).png", "缺.png"])
def test_names_come_back_as_they_were(name, card, case):
    refused = Refused(case(1, file=name), UnreadableSlice(""))
    (row,) = read(results_csv([refused], card))
    assert row["file"] == name


def test_every_field_is_quoted(card, case):
    lines = results_csv([Refused(case(1), UnreadableSlice("No slice."))], card).splitlines()
    for line in lines:
        assert re.fullmatch(r'("[^"]*",)+"[^"]*"', line)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_name_is_a_formula_to_a_spreadsheet(name, card, case):
    refused = Refused(case(1, file=name), UnreadableSlice(""))
    (row,) = read(results_csv([refused], card))
    assert row["file"] == f"'{name}"


def test_a_verdict_is_kept_where_its_overlay_could_not_be_made(predict, case, card, findings):
    judged = Judged(
        case(1), predict(0.8), 0.7, findings, (), "DICOM", (64, 64), error="Damaged header."
    )
    (row,) = read(results_csv([judged], card))
    assert (row["opacity_share"], row["opacity_sides"]) == ("0.1", "one")
    assert (row["label"], row["error"]) == ("Positive", "Damaged header.")


def test_a_series_has_the_columns_of_classes_as_well(classified_series, card):
    *slices, whole = read(results_csv(classified_series, card))
    assert whole["probability of COVID"] == whole["probability"]
    told = [float(whole[f"probability of {name}"]) for name in ("COVID", "Normal", "Pneumonia")]
    assert sum(told) == pytest.approx(1, abs=1e-5)
    assert told[1] == pytest.approx(3 * told[2], abs=1e-5)
    assert slices[0]["probability of Normal"]


def test_a_model_of_several_classes_adds_a_column_for_each(predict, case, card, findings):
    said = predict(0.8).with_classes({"Normal": 0.75, "Pneumonia": 0.25})
    judged = Judged(case(1), said, 0.7, findings, (), "PNG", (64, 64))
    refused = Refused(case(2), UnreadableSlice("No slice."))
    row, other = read(results_csv([judged, refused], card))
    assert row["probability of COVID"] == row["probability"] == "0.8"
    assert (row["probability of Normal"], row["probability of Pneumonia"]) == ("0.15", "0.05")
    assert other["probability of Normal"] == ""
    (two_classes,) = read(results_csv([refused], card))
    assert tuple(two_classes) == COLUMNS
