"""The Evaluation page's logic, without a browser."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import patience
import pytest
from drawn import html
from streamlit.testing.v1 import AppTest

from covidct.data.corrections import read_corrections
from covidct.evaluation import jobs, request
from covidct.evaluation.request import read_request
from covidct.imaging.formats.png import encode_png
from covidct.imaging.readers import read_slice
from covidct.inference import promotion
from covidct.inference.classifier import Classifier
from covidct.inference.heatmap import heat_map, overlay
from covidct.jobs.status import JobStatus, write_status
from covidct.ui.evaluation import mistakes, one_result, opacities

OWN = 0.45


def evaluation_page() -> None:
    from covidct.ui.evaluation.page import page

    page()


@pytest.fixture
def page(own_home, tmp_path, monkeypatch) -> AppTest:
    """The page, not yet run, of somebody who has evaluated nothing, where nothing was shipped."""
    for module in (jobs, request):
        monkeypatch.setattr(module, "SHIPPED_DIR", tmp_path / "nothing shipped")
    return AppTest.from_function(evaluation_page, default_timeout=patience.SECONDS)


def write_results(folder: Path, model: Path, data: Path, rows: int = 60) -> Path:
    """Results as `evaluate` and `audit` write them, of slices of as many patients."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    slices = []
    for number in range(rows):
        class_name = "COVID" if number % 2 else "NonCOVID"
        probability = 1 / (1 + np.exp(-rng.normal(1 if number % 2 else -1)))
        label = "Positive" if probability >= OWN else "Negative"
        slices.append(
            {
                "file": f"<i>{'abcdefghijkl'[number // 2 % 12]}.png",
                "class": class_name,
                "patient": f"{class_name}/{number}",
                "probability": f"{probability:.6f}",
                "label": label,
                "source": "PNG" if number % 3 else "JPEG",
                "height": 100 + number,
                "width": 200,
                "decision": "Uncertain" if abs(probability - OWN) < 0.1 else label,
            }
        )
    with (folder / "predictions.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(slices[0]))
        table.writeheader()
        table.writerows(slices)
    figures = {
        "model_id": "some@0123",
        "data": "COVID-CT",
        "split": "val",
        "operating_point": OWN,
        "n": rows,
        "patients": rows,
        "expected_calibration_error": 0.07,
        "skipped": [{"file": "<b>bad.png", "reason": "It is no picture."}],
    }
    (folder / "metrics.json").write_text(json.dumps(figures))

    def judged(name: str, value: float | None, target: float | None) -> dict:
        met = None if None in (value, target) else value <= target
        interval = None if value is None else [value - 0.1, value + 0.1]
        return {name: value, f"{name}_ci95": interval, "target": target, "met": met}

    audit = {
        "forests": [
            {"features": "format", "on": "file", **judged("roc_auc", 0.95, None)},
            {"features": "border", "on": "network pixels", **judged("roc_auc", 0.55, 0.6)},
        ],
        "anatomy": [
            {"shown": "everything", **judged("roc_auc", 0.9, None)},
            {"shown": "all but the lungs", **judged("roc_auc", 0.8, 0.6)},
            {"shown": "only the lungs", **judged("roc_auc", None, None)},
        ],
        "flips": [
            {"change": "JPEG 50", "flipped": 3, "n": 60, **judged("share", 0.05, 0.05)},
        ],
    }
    (folder / "audit.json").write_text(json.dumps(audit))
    heat_maps = {
        "model_id": "some@0123",
        "default": "gradcam",
        "winner": "random",
        "methods": {"gradcam": "Grad-CAM", "random": "<b>Random"},
        "sets": {"planted": {"lesion_slices": 24, "called_positive": 23}},
        "rows": [
            {
                "set": "planted",
                "method": method,
                "n": 24,
                "pointing": pointing,
                "energy": 0.1,
                "lung_share": 0.7,
                "deletion": 0.6,
                "insertion": None,
            }
            for method, pointing in (("gradcam", 0.25), ("random", 0.33))
        ],
        "randomisation": [
            {"method": "gradcam", "randomised": "every layer", "n": 4, "correlation": 0.12}
        ],
        "targets": [
            {"figure": "pointing, series", "value": None, "at_least": 0.6, "met": None},
            {"figure": "pointing, planted", "value": 0.25, "at_least": 0.8, "met": False},
            {"figure": "method that wins", "value": "random", "met": False},
        ],
    }
    (folder / "faithfulness.json").write_text(json.dumps(heat_maps))
    request = {"model": str(model), "data": str(data), "split": "val"}
    (folder / "request.json").write_text(json.dumps(request))
    write_status(folder, JobStatus("finished"))
    return folder


@pytest.fixture
def results(own_home, tmp_path) -> Path:
    """An evaluation whose model and data are gone."""
    folder = own_home / "evaluations" / "2026-11-03 10.02.11 some val"
    return write_results(folder, tmp_path / "some", tmp_path / "nowhere")


def predictions(folder: Path) -> list[dict]:
    return list(csv.DictReader((folder / "predictions.csv").read_text().splitlines()))


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def in_tabs(app: AppTest, *parts: str) -> str:
    """What is shown in these tabs of the results."""
    shown = []
    for part in parts:
        app.session_state[one_result.PART] = part
        shown.append(html(run(app)))
    return "\n".join(shown)


def button(app: AppTest, label: str):
    return next(b for b in app.button if b.label.startswith(label))


def charts(app: AppTest) -> int:
    return len(app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart"))


def cells(app: AppTest) -> list[int]:
    """The confusion matrix: found, missed, false alarms, cleared."""
    table = next(e.value for e in app.get("html") if "cv-confusion" in e.value)
    return [int(part.partition("<")[0]) for part in table.split("<strong>")[1:]]


def test_a_visitor_without_results_is_shown_how_to_make_some(page):
    run(page)
    assert page.session_state["results view"] == "New evaluation"
    assert button(page, "Evaluate and audit").disabled
    assert "Choose labelled slices first" in html(page)
    assert page.selectbox(key="evaluated model").value == promotion.current_model()
    page.session_state["results view"] = "Results"
    assert "No results yet" in html(run(page))


def test_results_are_shown_with_all_their_parts(page, results):
    text = html(run(page))
    for part in ("ROC AUC", "Average precision", "Confusion matrix", "PPV"):
        assert part in text
    assert "these figures flatter it" in text
    assert charts(page) == 2
    assert [tab.label for tab in page.tabs][:2] == ["Figures", "Worst mistakes"]
    calibration = in_tabs(page, "Calibration")
    assert "Called Uncertain" in calibration and "Confusion matrix" not in calibration
    assert charts(page) == 1
    audit = in_tabs(page, "What it goes by")
    assert "met: at most 0.60" in audit and "missed: at most 0.60" in audit
    assert "too few patients" in audit and "Target" in audit
    assert "Slices of nowhere: not known whether the model learnt from this data set." in audit
    text += in_tabs(page, "Worst mistakes", "Where it works")
    assert "JPEG" in text
    assert "Not known of these slices: Age, Sex, Opaque lung, Slice thickness, Scanner." in text
    assert "The pictures are not on this computer." in text
    assert "<b>bad" not in text and "<i>a" not in text


def test_the_slider_moves_the_confusion_matrix_and_presets_set_it(page, results):
    run(page)
    rows = predictions(results)
    found, missed, alarms, cleared = cells(page)
    assert found + alarms == sum(row["label"] == "Positive" for row in rows)
    assert found + missed == alarms + cleared == 30

    assert page.slider[0].value == 100 * OWN
    page.slider[0].set_value(0.0)
    assert cells(run(page)) == [30, 0, 30, 0]
    page.slider[0].set_value(100.0)
    assert cells(run(page)) == [0, 30, 0, 30]
    button(page, "High sensitivity").click()
    found, missed, *_ = cells(run(page))
    assert found / 30 >= 0.95 and missed
    button(page, "The model’s own").click()
    assert run(page).slider[0].value == 100 * OWN


def test_mistakes_are_shown_with_the_network_that_made_them(
    page, own_home, clean_dataset, tiny_model
):
    model_id = f"tiny@{json.loads((tiny_model / 'card.json').read_text())['sha256'][:12]}"
    folder = own_home / "evaluations" / "2026-11-03 10.02.11 tiny val"
    write_results(folder, tiny_model, clean_dataset)
    slices = (folder / "predictions.csv").read_text()
    (folder / "predictions.csv").write_text(slices.replace("<i>", ""))
    assert "The model in this place is another one now" in in_tabs(page, "Worst mistakes")

    figures = (folder / "metrics.json").read_text()
    (folder / "metrics.json").write_text(figures.replace("some@0123", model_id))
    opened = [b for b in run(page).button if b.label == "Open"]
    assert len(opened) == 8
    assert "mistakes at this operating point" in html(page)
    opened[0].click()
    assert "cv-verdict" in html(run(page))
    (label,) = (box for box in page.selectbox if box.label.startswith("Label of "))
    label.select("left out")
    assert "Corrected: left out" in html(run(page))
    (one,) = read_corrections(clean_dataset)
    assert Path(one.file).name == label.label.removeprefix("Label of ")


def test_the_map_of_a_mistake_is_that_of_its_label(clean_dataset, tiny_model):
    classifier = Classifier.load(tiny_model)
    file = next((clean_dataset / "CT_COVID").iterdir())
    ct_slice = read_slice(file)
    shown = ct_slice.at_most(400)
    evidence = classifier.predict(ct_slice)
    for label in ("Positive", "Negative"):
        judged = evidence._replace(prediction=replace(evidence.prediction, label=label))
        heat = heat_map(classifier, judged).resized(shown.shape)
        own = mistakes._overlay(file, label, classifier.card.model_id, classifier)
        assert np.array_equal(own, overlay(shown, heat))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (JobStatus("running", pid=1, process_started="gone"), "Interrupted"),
        (JobStatus("stopped"), "Cancelled"),
        (JobStatus("failed", message="The disk is <full>."), "The disk is &lt;full&gt;."),
    ],
)
def test_what_became_of_an_evaluation_is_said(page, results, status, said):
    for name in jobs.RESULT_FILES:
        (results / name).unlink()
    write_status(results, status)
    assert said in html(run(page))
    page.button(key=f"delete {results.name}").click()
    run(page)
    assert not results.exists()


def test_results_without_an_audit_and_of_older_making_are_shown_as_far_as_they_go(page, results):
    (results / "audit.json").unlink()
    rows = predictions(results)
    with (results / "predictions.csv").open("w", newline="") as file:
        table = csv.DictWriter(
            file, ["file", "class", "patient", "probability", "label"], extrasaction="ignore"
        )
        table.writeheader()
        table.writerows(rows)
    assert "There is no audit" in in_tabs(page, "What it goes by")
    assert in_tabs(page, "Calibration", "Where it works").count("Evaluate again") == 2
    (results / "predictions.csv").write_text("file\nx\n")
    assert "These results cannot be shown." in html(run(page))


def test_heat_maps_are_shown_as_measured_with_what_was_missed(page, results):
    text = in_tabs(page, "Heat maps")
    assert "23 are called so" in text
    assert "missed: at least 0.80" in text
    assert "not measured" in text
    assert "&lt;b&gt;Random points best" in text
    measured = json.loads((results / "faithfulness.json").read_text())
    (results / "faithfulness.json").write_text(json.dumps(measured | {"model_id": "other@1"}))
    assert "missed: at least 0.80" not in in_tabs(page, "Heat maps")
    (results / "faithfulness.json").write_text("{")
    assert "heat maps cannot be read" in html(run(page))


def test_start_hands_model_data_and_split_to_an_evaluation_and_shows_it(
    page, own_home, clean_dataset, tiny_model
):
    model = shutil.copytree(tiny_model, own_home / "models" / "tiny")
    page.session_state["data source"] = "On this server"
    page.session_state["data path"] = str(clean_dataset)
    run(page)
    assert "24 slices of 24 patients" in html(page)
    page.selectbox(key="evaluated model").select(model)
    run(page)
    button(page, "Evaluate and audit").click()
    run(page)
    (folder,) = jobs.list_evaluations()
    try:
        asked = read_request(folder)
        assert (asked.model, asked.data, asked.split) == (model, clean_dataset, "all")
        assert page.selectbox(key="evaluation").value == str(folder)
        page.session_state["results view"] = "New evaluation"
        run(page)
        assert button(page, "Evaluate and audit").disabled
        assert "one evaluation at a time" in html(page)
        page.session_state["results view"] = "Results"
        button(run(page), "Cancel").click()
        run(page)
    finally:
        if jobs.read_status(folder).is_live:
            jobs.cancel(folder)


def test_each_table_can_be_saved(page, results, monkeypatch):
    made = {}
    monkeypatch.setattr(
        "covidct.ui.evaluation.download.download",
        lambda title, name, mime, make, **_: made.update({name: make}),
    )
    in_tabs(page, *(tab.label for tab in run(page).tabs))
    rows = {
        name: list(csv.DictReader(make().decode().splitlines()))
        for name, make in made.items()
        if name.endswith(".csv")
    }
    assert all(rows.values())
    certain = {row["rate"]: row for row in rows["uncertain-verdicts.csv"]}
    decisions = [row["decision"] for row in predictions(results)]
    assert int(certain["called_uncertain"]["hits"]) == decisions.count("Uncertain")
    assert int(certain["rest_called_as_labelled"]["n"]) == 60 - decisions.count("Uncertain")
    assert [row["pointing"] for row in rows["heat-maps.csv"]] == ["0.25", "0.33"]
    assert rows["heat-maps-after-shuffling.csv"][0]["correlation"] == "0.12"
    assert [row["met"] for row in rows["targets-of-the-heat-maps.csv"]] == ["", "False", "False"]


def test_shipped_results_are_there_at_the_first_visit(page, tmp_path, monkeypatch):
    for module in (jobs, request):
        monkeypatch.setattr(module, "SHIPPED_DIR", tmp_path)
    folder = write_results(tmp_path / "some" / "evaluation", tmp_path / "some", tmp_path)
    (folder / "request.json").unlink()
    (folder / "status.json").unlink()
    text = html(run(page))
    assert "Confusion matrix" in text and "cv-state" not in text
    assert page.selectbox(key="evaluation").options == ["some on COVID-CT, val · as shipped"]
    assert not [b for b in page.button if b.label.startswith("Delete")]


def test_a_folder_that_is_no_data_set_is_said(page, tmp_path):
    page.session_state["data source"] = "On this server"
    page.session_state["data path"] = str(tmp_path)
    run(page)
    assert "This data set cannot be used." in html(page)
    assert button(page, "Evaluate and audit").disabled


def test_what_turned_over_out_of_fold_is_shown_beside_the_audit(page, results, tmp_path):
    counts = {"flipped": 7, "to_positive": 6, "both_decided": 1, "n": 41, "excluded": 0}
    row = {"change": "a storm", "share": 7 / 41, "share_ci95": [0.07, 0.32], "target": 0.05}
    row |= counts | {"met": False}
    (tmp_path / "some").mkdir()
    card = {"about": {"out_of_fold": {"flips": [row]}}}
    (tmp_path / "some" / "card.json").write_text(json.dumps(card))
    text = in_tabs(page, "What it goes by")
    assert "What turns verdicts over in cross-validation" in [one.label for one in page.expander]
    assert "had learnt from no slice of its patient" in text
    assert all(told in text for told in ("A storm", "17.1%", "7.0%", "6 to Positive and 1 without"))


def test_the_recipes_on_the_card_are_shown(page, results, tmp_path):
    row = {"recipe": "<u>plain", "roc_auc": 0.87, "roc_auc_folds": [0.8, 0.9], "accuracy": 0.8}
    card = {"about": {"cross_validation": [row | {"helped": "no", "note": "a note"}]}}
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "card.json").write_text(json.dumps(card))
    text = in_tabs(page, "Recipes")
    assert "0.870" in text and "&lt;u&gt;plain" in text


def test_opacities_are_held_against_masks_and_their_worst_slices_can_be_leafed_through(
    page, own_home
):
    page.session_state["results view"] = "Opacities"
    text = html(run(page))
    assert "coronacases" in text and "Severity of whole patients" in text
    assert "The network has learnt from these very patients." in text
    assert charts(page) == 3
    assert "Contact sheets show slices of data sets" in text

    sheets = own_home / "opacities" / "mine" / "sheets"
    sheets.mkdir(parents=True)
    for name in ("worst-false-01", "worst-missed-01", "worst-missed-02"):
        (sheets / f"{name}.png").write_bytes(encode_png(np.zeros((8, 8), np.uint8)))
    text = html(run(page))
    assert "Orange: as drawn" in text
    assert len(page.get("image")) == 1
    (network,) = [one for one in page.selectbox if one.label == "Network"]
    assert network.options == ["mine"]


def test_figures_of_opacities_that_cannot_be_read_are_said_so(page, tmp_path, monkeypatch):
    monkeypatch.setattr(opacities, "FOLDER", tmp_path)
    page.session_state["results view"] = "Opacities"
    text = html(run(page))
    assert "no figures beside the network" in text and "has not been measured" in text
    (tmp_path / "figures.json").write_text("{}")
    assert "cannot be read" in html(run(page))
