import pytest

from covidct.evaluation.curves import precision_recall, roc
from covidct.evaluation.reliability import reliability
from covidct.evaluation.results import Reviewed
from covidct.evaluation.sample import sample_of
from covidct.ui.evaluation import charts


@pytest.fixture
def sample():
    """Forty patients of a slice each, of whom some are called wrongly."""
    slices = [
        Reviewed(f"{i}.png", name, f"{name}/{i}", (i * 7 % 40) / 80 + ill / 2.5, "Positive")
        for i in range(40)
        for ill, name in [(i % 2, ("NonCOVID", "COVID")[i % 2])]
    ]
    return sample_of(slices)


def layers(chart) -> list[dict]:
    return chart.to_dict()["layer"]


def test_a_curve_has_its_band_and_says_what_it_is(sample):
    for make, draw, prevalence in (
        (roc, charts.roc, ()),
        (precision_recall, charts.precision_recall, (0.5,)),
    ):
        curve = make(sample)
        chart = draw(curve, (0.2, 0.8), *prevalence)
        assert f"{curve.area.value:.3f}" in chart.to_dict()["title"]["subtitle"]
        marks = [layer["mark"]["type"] for layer in layers(chart)]
        assert marks == ["area", "line", "line", "point"]


def test_nothing_called_positive_has_no_precision_to_mark(sample):
    chart = charts.precision_recall(precision_recall(sample), None, 0.5)
    (point,) = [layer for layer in layers(chart) if layer["mark"]["type"] == "point"]
    assert chart.to_dict()["datasets"][point["data"]["name"]] == []


def test_the_table_of_a_curve_holds_its_corners_and_its_band(sample):
    curve = roc(sample)
    table = charts.curve_table(curve, "false_positive_rate", "sensitivity")
    assert list(table) == ["false_positive_rate", "sensitivity", "low", "high"]
    assert len(table) == len(curve.x) + len(curve.grid)
    assert table["low"].notna().sum() == len(curve.grid)


def test_the_reliability_diagram_counts_its_slices(sample):
    bins = reliability(sample)
    table = charts.reliability_table(bins)
    assert table["slices"].sum() == 40
    assert charts.reliability(bins, 0.1).to_dict()["title"]["subtitle"] == "calibration error 0.100"


def test_a_point_a_patient_stands_beside_the_line_of_full_agreement():
    rows = [
        {"patient": "a", "share_drawn": 0.1, "share_found": 0.2},
        {"patient": "b", "share_drawn": 0.5, "share_found": 0.3},
    ]
    chart = charts.agreement(rows, "share", "correlation 0.9").to_dict()
    line, points = chart["layer"]
    assert (line["mark"]["type"], points["mark"]["type"]) == ("line", "circle")
    assert chart["datasets"][points["data"]["name"]] == [
        {"patient": "a", "drawn": 0.1, "found": 0.2},
        {"patient": "b", "drawn": 0.5, "found": 0.3},
    ]
    assert chart["title"]["subtitle"] == "correlation 0.9"
    assert points["encoding"]["x"]["scale"]["domain"] == [0, 0.5]


def test_each_class_has_its_row_even_where_two_are_called_alike():
    counts = [[8, 2, 0], [1, 3, 0], [0, 0, 0]]
    chart = charts.confusion(counts, ["COVID-19", "Normal", "COVID-19"], "11 of 14").to_dict()
    cells, numbers, shares = chart["layer"]
    drawn = chart["datasets"][cells.get("data", chart.get("data"))["name"]]
    assert len({(one["row"], one["column"]) for one in drawn}) == 9
    assert [one["slices"] for one in drawn] == [slices for row in counts for slices in row]
    assert [one["share"] for one in drawn][:5] == [0.8, 0.2, 0, 0.25, 0.75]
    assert cells["mark"]["type"] == "rect"
    assert numbers["encoding"]["text"]["field"] == "slices"
    assert shares["encoding"]["text"]["field"] == "share"
    assert "transform" in shares and "transform" not in numbers  # none of an empty row
    assert '["COVID-19", "Normal", "COVID-19"]' in cells["encoding"]["x"]["axis"]["labelExpr"]
