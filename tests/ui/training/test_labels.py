"""Labels corrected on the pages, without a browser."""

import json
import os
import shutil
from pathlib import Path

import patience
import pytest
from drawn import button, html, training_page
from streamlit.testing.v1 import AppTest

from covidct.data.corrections import LEFT_OUT, correct, read_corrections
from covidct.data.index import read_index
from covidct.evaluation.results import path_of, read_review

ROLE = "covidct-trainer"


@pytest.fixture
def data(own_home, clean_dataset, tmp_path) -> Path:
    """A data set with the same picture under both labels, and three slices without any."""
    folder = shutil.copytree(clean_dataset, tmp_path / "data")
    shutil.copy(folder / "CT_COVID" / "a.png", folder / "CT_NonCOVID" / "zz.png")
    (folder / "CT_Unlabelled").mkdir()
    for letter in "jkl":
        (folder / "CT_COVID" / f"{letter}.png").rename(folder / "CT_Unlabelled" / f"{letter}.png")
    return folder


def opened(data: Path, kind: str = "", **user: object) -> AppTest:
    app = AppTest.from_function(training_page, default_timeout=patience.SECONDS)
    if user:
        app.user = {"is_logged_in": True, "email": "ann@example.org", **user}
        app.secrets["access"] = {"role": ROLE}
    app.session_state["view"] = "New run"
    app.session_state["data source"] = "On this server"
    app.session_state["data path"] = str(data)
    if kind:
        app.session_state[f"labels of {data}"] = kind
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def open_one(app: AppTest) -> None:
    """Open the first slice of the first cell of the confusion matrix that has any."""
    cells = (b for b in app.button if b.key and b.key.startswith("cell ") and not b.disabled)
    next(cells).click()
    button(run(app), "Open").click()
    run(app)


def choices(app: AppTest) -> list:
    return [box for box in app.selectbox if box.label.startswith("Label of ")]


def choice(app: AppTest, path: Path):
    return app.selectbox(key=f"label in the report {path}")


def test_a_contradiction_is_settled_where_it_is_shown_and_settled_no_more_when_undone(data):
    app = opened(data, "contradictions", roles=[ROLE])
    assert button(app, "Start").disabled
    choice(app, data / "CT_NonCOVID" / "zz.png").select("left out")
    run(app)
    (one,) = read_corrections(data)
    assert (one.decision, one.file, one.by) == (
        "left out",
        "CT_NonCOVID/zz.png",
        "ann@example.org",
    )
    assert not button(app, "Start").disabled
    assert "applied to 2 slices: 2 left out." in html(app)  # it is there twice
    assert "under two labels: one of them" not in html(app)
    button(app, "Undo them").click()
    run(app)
    assert not read_corrections(data)
    assert button(app, "Start").disabled


def test_slices_without_a_label_are_put_in_order_and_labelled(data, tiny_model, monkeypatch):
    monkeypatch.setattr("covidct.ui.training.labels.current_model", lambda: tiny_model)
    app = opened(data, "unlabelled")
    assert "3 slices have no label yet" in html(app)
    assert "uncertainty sampling" in html(app)
    shown = choices(app)
    assert {box.label for box in shown} == {f"Label of {letter}.png" for letter in "jkl"}
    assert {box.options[0] for box in shown} == {"No label yet"}
    choice(app, data / "CT_Unlabelled" / "k.png").select("NonCOVID")
    run(app)
    assert "1 labelled for the first time" in html(app)
    assert "2 slices have no label yet" in html(app)
    assert {box.label for box in choices(app)} == {"Label of j.png", "Label of l.png"}


def test_a_slice_can_be_relabelled_to_each_class_of_its_data_set(own_home, three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    shutil.copy(data / "CT_Normal" / "a.png", data / "CT_Striped" / "z.png")
    app = opened(data, "contradictions")
    assert button(app, "Start").disabled
    twin = data / "CT_Striped" / "z.png"
    assert choice(app, twin).options == [
        "As filed: Striped",
        "COVID-19",
        "Normal",
        "Striped",
        "Leave out",
        "Second look",
    ]
    choice(app, twin).select("Normal")
    run(app)
    assert {item.class_name for item in read_index(data).items if item.path == twin} == {"Normal"}
    assert "under two labels: one of them" not in html(app)
    assert "1 relabelled" in html(app)


def test_what_a_slice_was_corrected_to_is_told_whatever_its_class(
    own_home, three_classes, tmp_path
):
    def telling(data, path):
        from covidct.ui.training.correct import tell

        tell(data, path)

    data = shutil.copytree(three_classes, tmp_path / "data")
    path = data / "CT_Normal" / "a.png"
    app = AppTest.from_function(
        telling, default_timeout=patience.SECONDS, kwargs={"data": data, "path": path}
    )
    for decision, told in {
        "Striped": "Corrected: Striped",
        "COVID": "Corrected: COVID-19",
        LEFT_OUT: "Corrected: left out",
    }.items():
        correct(data, path, decision)
        assert told in html(run(app))


def test_a_mistake_is_corrected_where_it_is_opened_by_those_with_the_role_alone(
    own_home, clean_dataset, judged_run, tmp_path
):
    data = shutil.copytree(clean_dataset, tmp_path / "data")
    folder = shutil.copytree(judged_run, own_home / "runs" / "first")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"data": str(data)}))
    for reviewed in read_review(folder).slices:
        correct(data, path_of(data, reviewed), LEFT_OUT)
    reader, trainer = (AppTest.from_function(training_page) for _ in range(2))
    for app, roles in ((reader, []), (trainer, [ROLE])):
        app.default_timeout = patience.SECONDS
        app.user = {"is_logged_in": True, "roles": roles}
        app.secrets["access"] = {"role": ROLE}
        app.session_state["view"] = "Runs"
        open_one(run(app))
        assert "Corrected: left out" in html(app)
    assert not choices(reader)
    (box,) = choices(trainer)
    box.select("second look")
    run(trainer)
    (marked,) = (one for one in read_corrections(data) if one.decision == "second look")
    assert Path(marked.file).name == box.label.removeprefix("Label of ")
    assert "Marked for a second look" in html(trainer)


def test_a_table_that_is_damaged_is_told_and_stops_nothing_else(data):
    (data / "corrections.csv").write_text("file\na.png\n")
    app = opened(data)
    assert "This data set cannot be used." in html(app)
    assert "must have the columns" in html(app)
    assert button(app, "Start").disabled


def test_the_page_says_which_folders_it_reads_and_how_one_is_added(data, monkeypatch, tmp_path):
    named = [str(tmp_path), str(tmp_path / "with a blank")]
    monkeypatch.setenv("COVIDCT_DATA_FOLDERS", os.pathsep.join(named))
    app = opened(data)
    for folder in (os.environ["COVIDCT_HOME"], *named):
        assert folder in html(app)
    (command,) = (code.value for code in app.code if "covidct app" in code.value)
    assert command == (
        f"COVIDCT_DATA_FOLDERS='{os.pathsep.join(named)}:/path/to/a/folder' python -m covidct app"
    )
