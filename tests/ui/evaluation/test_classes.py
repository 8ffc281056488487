"""Figures of several classes on the Evaluation page and beside a run, without a browser."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import patience
import pytest
import streamlit as st
from drawn import html, show, training_page
from streamlit.testing.v1 import AppTest

from covidct.data.classes import COVID
from covidct.data.index import Item
from covidct.evaluation import jobs, request
from covidct.evaluation.compare import compare
from covidct.evaluation.evaluate import ClassifiedSlice, evaluate_validation, write_evaluation
from covidct.inference.classifier import Prediction
from covidct.jobs.status import JobStatus, write_status
from covidct.ui.evaluation import class_tables, one_result

NAMES = (COVID, "Normal", "COVID-19")  # of which two are told alike
OWN = 0.4


def evaluation_page() -> None:
    from covidct.ui.evaluation.page import page

    page()


def judged(label: str, patient: int, rng: np.random.Generator) -> ClassifiedSlice:
    logits = rng.normal(size=len(NAMES)) + 2 * (np.array(NAMES) == label)
    shares = dict(zip(NAMES, (np.exp(logits) / np.exp(logits).sum()).tolist(), strict=True))
    call = "Positive" if shares[COVID] >= OWN else "Negative"
    said = Prediction(call, shares[COVID], call, OWN, "some@0123", classes=shares)
    item = Item(Path(f"{patient}.png"), int(label == COVID), f"{label}/{patient}", other=label)
    return ClassifiedSlice(item, "PNG", (64, 64), said)


@pytest.fixture
def results(own_home, tmp_path, monkeypatch) -> Path:
    """An evaluation by a model of three classes on slices of these and of another one."""
    for module in (jobs, request):
        monkeypatch.setattr(module, "SHIPPED_DIR", tmp_path / "nothing shipped")
    folder = own_home / "evaluations" / "2026-11-03 10.02.11 some all"
    rng = np.random.default_rng(3)
    labels = [*NAMES * 20, "Abscess", "Abscess"]
    slices = [judged(label, number, rng) for number, label in enumerate(labels)]
    write_evaluation(folder, slices, [], "data", "all")
    asked = {"model": str(tmp_path / "some"), "data": str(tmp_path / "data"), "split": "all"}
    (folder / "request.json").write_text(json.dumps(asked))
    write_status(folder, JobStatus("finished"))
    return folder


@pytest.fixture
def page(results) -> AppTest:
    app = AppTest.from_function(evaluation_page, default_timeout=patience.SECONDS)
    app.session_state[one_result.PART] = "Classes"
    return app


def drawn(app: AppTest) -> str:
    app.run()
    assert not app.exception
    return html(app).replace("\N{NO-BREAK SPACE}", " ")


def matrices(app: AppTest) -> list[str]:
    """What is said in place of the confusion matrices of classes."""
    charts = app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")
    said = (chart.proto.alt.replace("\N{NO-BREAK SPACE}", " ") for chart in charts)
    return [text for text in said if text.startswith("Confusion matrix of the classes")]


def tabs(app: AppTest) -> list[str]:
    return [tab.label for tab in app.tabs]


def test_the_classes_have_a_tab_of_their_own(page, results):
    text = drawn(page)
    figures = json.loads((results / "metrics.json").read_text())["classes"]
    for name in NAMES:
        low, high = figures["each"][name]["roc_auc_ci95"]
        assert f"{figures['each'][name]['roc_auc']:.3f} <small>{low:.3f} to {high:.3f}" in text
    assert f"{figures['mean_roc_auc']:.3f}" in text
    assert "The classes without COVID-19 share what its probability leaves." in text
    assert "2 slices are left out here" in text
    (said,) = matrices(page)
    covid, normal, other = (figures["confusion"][k][k] for k in range(3))
    assert said.endswith(f"COVID-19 {covid} of 20, Normal {normal} of 20, COVID-19 {other} of 20")


def test_the_slider_moves_the_matrix_and_not_the_areas(page):
    text = drawn(page)
    areas = text[text.index("ROC AUC against the rest") :]
    for percent, found in ((100.0, "COVID-19 0 of 20, Normal"), (0.0, "COVID-19 20 of 20, Normal")):
        page.slider[0].set_value(percent)
        text = drawn(page)
        (said,) = matrices(page)
        assert found in said
        assert areas == text[text.index("ROC AUC against the rest") :]
    assert said.endswith("Normal 0 of 20, COVID-19 0 of 20")


def test_the_figures_can_be_saved(results):
    figures = json.loads((results / "metrics.json").read_text())["classes"]
    rows = list(csv.DictReader(class_tables.classes_csv(figures, OWN).splitlines()))
    assert [row["label"] for row in rows] == list(NAMES)
    for row, counts in zip(rows, figures["confusion"], strict=True):
        assert [int(row[f"called_{name}"]) for name in NAMES] == counts
        assert float(row["roc_auc"]) == figures["each"][row["label"]]["roc_auc"]
        assert (row["slices"], row["operating_point"]) == ("20", str(OWN))


def test_a_class_without_slices_or_with_few_patients_is_told_so(results):
    figures = json.loads((results / "metrics.json").read_text())["classes"]
    nobody = {"n": 0, "patients": 0, "roc_auc": None, "roc_auc_ci95": None}
    few = figures["each"]["Normal"] | {"roc_auc_ci95": None}
    each = figures["each"] | {"Normal": few, "COVID-19": nobody}
    text = class_tables.classes(figures | {"each": each})
    assert "too few patients for an interval" in text and "<div>0</div>" in text


@pytest.mark.parametrize("file", ["metrics.json", "predictions.csv"])
def test_results_without_them_have_no_such_tab(page, results, file):
    drawn(page)
    assert "Classes" in tabs(page)
    if file == "metrics.json":
        figures = json.loads((results / file).read_text())
        del figures["classes"]
        (results / file).write_text(json.dumps(figures))
    else:
        rows = list(csv.DictReader((results / file).read_text().splitlines()))
        with (results / file).open("w", newline="") as older:
            names = [name for name in rows[0] if not name.startswith("probability of ")]
            table = csv.DictWriter(older, names, extrasaction="ignore")
            table.writeheader()
            table.writerows(rows)
    drawn(page)
    assert "Classes" not in tabs(page) and "Figures" in tabs(page)


def test_a_run_on_several_classes_is_judged_by_them(own_home, three_class_run):
    run = shutil.copytree(three_class_run, own_home / "runs" / "three")
    figures = evaluate_validation(run)["classes"]
    compare(run)
    app = AppTest.from_function(training_page, default_timeout=patience.SECONDS)
    text = html(show(app, "Runs"))
    assert "Classes: This run" in text and "Classes: Model in use" not in text
    (said,) = matrices(app)
    counts = [f"{row[k]} of {sum(row)}" for k, row in enumerate(figures["confusion"])]
    assert said.endswith(f"COVID-19 {counts[0]}, Normal {counts[1]}, Striped {counts[2]}")
    for cell in [b for b in app.button if b.key and b.key.startswith("cell ") and not b.disabled]:
        cell.click().run()
        assert not app.exception

    (kept,) = (run / "comparison").iterdir()
    comparison = json.loads(kept.read_text())
    comparison["incumbent"]["classes"] = comparison["candidate"]["classes"]
    kept.write_text(json.dumps(comparison))
    st.cache_resource.clear()
    text = html(show(app, "Runs"))
    assert "Classes: Model in use" in text
    assert len(matrices(app)) == 2
