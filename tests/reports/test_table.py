import csv
from io import StringIO

import pytest

from covidct.reports.result import Result
from covidct.reports.table import COLUMNS, results_csv


def read(text):
    return list(csv.DictReader(StringIO(text)))


def test_each_result_has_its_line(series, card):
    rows = read(results_csv(series, card))
    assert len(rows) == len(series)
    assert tuple(rows[0]) == COLUMNS
    for row, result in zip(rows, series, strict=True):
        assert (row["error"], row["set_aside"]) == (result.error, result.set_aside)
        assert row["slice"] == str(result.number or "")
        assert row["model_sha256"] == card.sha256
        if result.prediction:
            assert float(row["probability"]) == pytest.approx(
                result.prediction.probability, abs=1e-6
            )
            assert row["decision"] == result.prediction.decision
        else:
            assert row["probability"] == row["decision"] == row["label"] == ""


@pytest.mark.parametrize("name", ['a,"b"\nc.png', "ä 50% (1).png", "缺.png"])
def test_names_come_back_as_they_were(name, card):
    (row,) = read(results_csv([Result(1, 1, name)], card))
    assert row["file"] == name


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_name_is_a_formula_to_a_spreadsheet(name, card):
    (row,) = read(results_csv([Result(1, 1, name)], card))
    assert row["file"] == f"'{name}"
