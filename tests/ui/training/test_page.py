"""The Training page's logic, without a browser."""

import getpass
import json
import os
import re
import shutil
import time
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import patience
import pytest
from drawn import button, html, show, training_page
from streamlit.testing.v1 import AppTest

from covidct.data.index import CLASS_FOLDERS, LESIONS, LUNGS, read_index
from covidct.data.prepared import prepare
from covidct.evaluation.evaluate import validation_items
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.imaging.formats.png import encode_png
from covidct.imaging.phantom import phantom_slice
from covidct.inference import promotion
from covidct.inference.card import read_card
from covidct.inference.learnt import hashes_of
from covidct.jobs.status import JobStatus, write_status
from covidct.training import jobs


@pytest.fixture
def page(own_home) -> AppTest:
    """The page, not yet run, of somebody who has no data and no runs."""
    return AppTest.from_function(training_page, default_timeout=patience.SECONDS)


@pytest.fixture
def two_runs(own_home, judged_run) -> list[Path]:
    """Two runs of this home, the second with a lower AUC and other settings."""
    runs = [own_home / "runs" / name for name in ("first", "second")]
    for run in runs:
        shutil.copytree(judged_run, run)
    settings = json.loads((runs[1] / "config.json").read_text())
    (runs[1] / "config.json").write_text(json.dumps(settings | {"seed": 7}))
    return runs


def choose_folder(app: AppTest, folder: Path) -> AppTest:
    app.session_state["data source"] = "On this server"
    app.session_state["data path"] = str(folder)
    app.run()
    assert not app.exception
    return app


def zipped(dataset: Path, names: dict[str, str]) -> bytes:
    """A data set as a ZIP, its folders under other names."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for folder, name in names.items():
            for file in (dataset / folder).iterdir():
                archive.write(file, f"{name}/{file.name}")
    return buffer.getvalue()


@pytest.fixture
def leaky(clean_dataset, tmp_path) -> Path:
    """A data set with the same picture under both labels."""
    folder = shutil.copytree(clean_dataset, tmp_path / "leaky")
    shutil.copy(folder / "CT_COVID" / "a.png", folder / "CT_NonCOVID" / "zz.png")
    return folder


def test_a_visitor_finds_the_steps_and_is_told_what_is_missing(page):
    page.run()
    assert not page.exception
    for step in ("Choose data", "Check it", "Set the run"):
        assert step in html(page)
    assert button(page, "Start").disabled
    assert "Choose data first" in html(page)
    assert {field.label for field in page.number_input} >= {
        "Epochs of fine-tuning",
        "Batch size",
        "Image size",
    }


@pytest.mark.parametrize(("setting", "bad"), [("epochs", 1001), ("dropout", 2.0)])
def test_a_bad_value_is_refused_beside_its_field(page, clean_dataset, setting, bad):
    choose_folder(page, clean_dataset)
    assert not button(page, "Start").disabled
    assert "about" in html(page) and "GB of memory" in html(page)
    page.number_input(key=f"setting {setting}").set_value(bad).run()
    assert "GB of memory" not in html(page)
    assert html(page).count('class="cv-problem"') == 1
    assert button(page, "Start").disabled
    button(page, "Back to the defaults").click().run()
    assert 'class="cv-problem"' not in html(page)
    assert not button(page, "Start").disabled


def test_a_folder_that_is_no_data_set_is_said(page, tmp_path):
    choose_folder(page, tmp_path)
    assert "This data set cannot be used." in html(page)
    assert button(page, "Start").disabled
    choose_folder(page, tmp_path / "<b>nowhere</b>")
    assert "There is no such folder" in html(page)
    assert "<b>nowhere" not in html(page)


@pytest.mark.parametrize("written", ["as it is", "with dots", "through a link"])
def test_a_folder_that_is_not_allowed_is_refused_whether_it_exists_or_not(
    page, own_home, clean_dataset, tmp_path, monkeypatch, written
):
    monkeypatch.setenv("COVIDCT_DATA_FOLDERS", str(tmp_path / "allowed"))
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "link").symlink_to(clean_dataset.parent)
    before = {
        "as it is": clean_dataset.parent,
        "with dots": tmp_path / "allowed" / ".." / "..",
        "through a link": tmp_path / "allowed" / "link",
    }[written]
    answers = []
    for name in (clean_dataset.name, "absent", "a\0b", "~nobody"):
        answers.append(html(choose_folder(page, before / name)))
        assert button(page, "Start").disabled
    assert "It may not be read from here" in answers[0]
    assert len(set(answers)) == 1


@pytest.mark.parametrize("place", ["home", "allowed"])
def test_a_folder_below_an_allowed_one_can_be_chosen(
    page, own_home, clean_dataset, tmp_path, monkeypatch, place
):
    monkeypatch.setenv("COVIDCT_DATA_FOLDERS", f"{tmp_path / 'other'}:{tmp_path / 'allowed'}")
    folder = shutil.copytree(clean_dataset, tmp_path / place / "some" / "slices")
    assert not button(choose_folder(page, folder), "Start").disabled


def test_a_contradiction_holds_the_start_up_until_it_is_settled(page, leaky):
    choose_folder(page, leaky)
    assert "under two labels" in html(page)
    assert button(page, "Start").disabled
    page.checkbox[0].check().run()
    assert not button(page, "Start").disabled


def test_start_hands_data_settings_and_exclusions_to_a_run_and_shows_it(page, leaky):
    choose_folder(page, leaky)
    page.checkbox[0].check()
    for setting, value in {"epochs": 1, "image_size": 64, "batch_size": 4}.items():
        page.number_input(key=f"setting {setting}").set_value(value)
    page.text_input(key="new run name").set_value("mine (1)")
    page.run()
    button(page, "Start").click().run()
    assert not page.exception
    (run,) = jobs.list_runs()
    try:
        settings = json.loads((run / "config.json").read_text())
        assert run.name == "mine (1)"
        assert (settings["epochs"], settings["image_size"]) == (1, 64)
        assert settings["data"] == str(leaky)
        assert set(settings["exclude"]) >= {"CT_COVID/a.png", "CT_NonCOVID/zz.png"}
        assert page.session_state["view"] == "Runs"
        assert page.selectbox(key="run").value == run.name
        assert button(page, "Stop the run")

        show(page, "New run")
        assert "One run comes before it" in html(page)
        page.text_input(key="new run name").set_value("next")
        button(page, "Add to the queue").click().run()
        assert page.selectbox(key="run").value == "next"
        assert "1 run waits for its turn" in html(page)
        button(page, "Take it out of the queue").click().run()
        assert "for its turn" not in html(page)
        assert "<strong>Stopped</strong><span>Taken out of the queue.</span>" in html(page)
        page.button(key="delete next").click().run()
        assert jobs.list_runs() == (run,)
    finally:
        jobs.stop(run)


def test_masks_beside_the_slices_are_learnt_from_unless_that_is_unwanted(
    page, clean_dataset, tmp_path
):
    choose_folder(page, clean_dataset)
    assert "learn masks" not in {toggle.key for toggle in page.toggle}
    folder = shutil.copytree(clean_dataset, tmp_path / "drawn")
    for name in (LUNGS, LESIONS):
        (folder / name).mkdir()
    choose_folder(page, folder)
    assert page.toggle(key="learn masks").value
    button(page, "Start").click().run()
    assert not page.exception
    (run,) = jobs.list_runs()
    assert json.loads((run / "config.json").read_text())["masks"] == [str(folder)]
    while jobs.live_run():  # nothing is drawn in these folders
        time.sleep(0.02)
    assert "holds no slices with masks" in json.loads((run / "status.json").read_text())["message"]


def test_a_bad_name_is_refused_with_its_reason(page, clean_dataset):
    choose_folder(page, clean_dataset)
    page.text_input(key="new run name").set_value("../<b>out</b>")
    button(page, "Start").click().run()
    assert not jobs.list_runs()
    assert "The run was not started." in html(page)
    assert "<b>out" not in html(page)


def test_a_zip_is_taken_by_its_folders_names(page, clean_dataset):
    page.session_state["data source"] = "Upload a ZIP"
    page.run()
    assert page.file_uploader[0].proto.max_upload_size_mb << 20 == MAX_BYTES
    page.file_uploader[0].set_value(
        [("<i>s.zip", zipped(clean_dataset, {f: f for f in CLASS_FOLDERS.values()}), "")]
    )
    page.run()
    assert not page.exception
    assert not button(page, "Start").disabled
    assert "<i>s.zip" not in html(page)


def test_folders_whose_names_tell_nothing_are_asked_about(page, own_home, clean_dataset):
    page.session_state["data source"] = "Upload a ZIP"
    page.run()
    data = zipped(clean_dataset, {"CT_COVID": "ward", "CT_NonCOVID": "street"})
    page.file_uploader[0].set_value([("s.zip", data, "")])
    page.run()
    assert "Which folder is which?" in html(page)
    assert button(page, "Start").disabled
    covid(page).select("ward").run()
    assert "Classes of the data set: COVID-19, Other." in html(page)
    button(page, "Take these classes").click().run()
    assert not page.exception
    assert not button(page, "Start").disabled
    (folder,) = own_home.glob("data/upload-*")
    assert len(list((folder / "CT_COVID").iterdir())) == 12


def covid(app: AppTest):
    """The choice of the folder with COVID-19."""
    return next(box for box in app.selectbox if box.label == "COVID-19 slices")


def upload(app: AppTest, data: bytes) -> AppTest:
    app.session_state["data source"] = "Upload a ZIP"
    app.run()
    app.file_uploader[0].set_value([("s.zip", data, "")])
    return app.run()


def test_of_more_than_two_folders_each_that_is_kept_becomes_a_class(page, own_home, three_classes):
    names = {"CT_COVID": "x/covid", "CT_Normal": "x/Normal lungs", "CT_Striped": "x/CT_Striped"}
    upload(page, zipped(three_classes, names))
    assert covid(page).value == "x/covid"
    assert page.multiselect[0].value == ["x/CT_Striped", "x/Normal lungs"]
    assert "Classes of the data set: COVID-19, Striped, Normal-lungs." in html(page)
    assert button(page, "Start").disabled
    assert not list(own_home.glob("data/*"))
    button(page, "Take these classes").click().run()
    assert not page.exception
    assert not page.multiselect
    assert not button(page, "Start").disabled
    (folder,) = own_home.glob("data/upload-*")
    assert read_index(folder).classes == ("COVID", "Normal-lungs", "Striped")
    for title in ("COVID-19", "Normal-lungs", "Striped"):
        assert f"<tr><th>{title}</th><td>8 slices of 8 patients</td>" in html(page)
        assert f"{title}: some of its slices" in html(page)


def test_folders_are_left_out_of_the_classes_and_what_cannot_be_one_is_told(
    page, own_home, three_classes
):
    names = {"CT_COVID": "train/Lungs", "CT_Normal": "test/Lungs", "CT_Striped": "stripes"}
    upload(page, zipped(three_classes, names))
    assert covid(page).value is None
    covid(page).select("stripes").run()
    assert "test/Lungs and train/Lungs would be the same class, Lungs." in html(page)
    page.multiselect[0].unselect("test/Lungs").run()
    assert "would be the same class" not in html(page)
    assert "Classes of the data set: COVID-19, Other." in html(page)
    page.multiselect[0].unselect("train/Lungs").run()
    assert "Take these classes" not in {b.label for b in page.button}
    page.multiselect[0].select("train/Lungs").run()
    button(page, "Take these classes").click().run()
    assert not page.exception
    (folder,) = own_home.glob("data/upload-*")
    assert read_index(folder).classes == ("COVID", "NonCOVID")


def test_what_runs_take_is_said_and_a_run_for_which_there_is_no_room_is_refused(
    page, two_runs, clean_dataset, monkeypatch
):
    (two_runs[0] / "ballast").write_bytes(bytes(3 * 1024**2))
    monkeypatch.setenv("COVIDCT_RUNS_MB", "2000")
    assert "MB of the disk; they may take 2,000 MB." in html(show(page, "Runs"))
    monkeypatch.setenv("COVIDCT_RUNS_MB", "3")
    page.session_state["view"] = "New run"
    choose_folder(page, clean_dataset)
    button(page, "Start").click().run()
    for said in ("The run was not started.", "may take 3 MB", "“first”", "COVIDCT_RUNS_MB"):
        assert said in html(page)
    assert len(jobs.list_runs()) == 2


def test_a_limit_on_runs_that_is_no_number_is_told_beside_them(page, two_runs, monkeypatch):
    monkeypatch.setenv("COVIDCT_RUNS_MB", "plenty")
    assert "COVIDCT_RUNS_MB has to be a whole number of MB." in html(show(page, "Runs"))
    assert "cv-state" in html(page)


def test_a_zip_for_which_there_is_no_room_is_refused_and_leaves_nothing(
    page, own_home, clean_dataset, monkeypatch
):
    monkeypatch.setenv("COVIDCT_DATA_MB", "0")
    page.session_state["data source"] = "Upload a ZIP"
    page.run()
    data = zipped(clean_dataset, {f: f for f in CLASS_FOLDERS.values()})
    page.file_uploader[0].set_value([("s.zip", data, "")])
    page.run()
    assert "This ZIP was not taken." in html(page)
    assert "COVIDCT_DATA_MB" in html(page)
    assert not list(own_home.glob("data/*"))


@pytest.mark.parametrize("data", [b"no zip at all", b""])
def test_what_is_no_zip_is_refused_and_leaves_nothing(page, own_home, data):
    page.session_state["data source"] = "Upload a ZIP"
    page.run()
    page.file_uploader[0].set_value([("s.zip", data, "")])
    page.run()
    assert not page.exception
    assert "This ZIP was not taken." in html(page)
    assert not list(own_home.glob("data/*"))


def test_a_run_is_judged_beside_the_model_in_use_and_its_cells_open_their_slices(page, two_runs):
    show(page, "Runs")
    assert "by a paired bootstrap over patients" in html(page)
    assert ">Model in use</th>" in html(page)
    cells = [b for b in page.button if b.key and b.key.startswith("cell ")]
    counted = [int(b.label.strip("*").partition("*")[0]) for b in cells if b.label.startswith("**")]
    figures = json.loads((two_runs[0] / "validation" / "metrics.json").read_text())
    assert sum(counted) == figures["n"]
    for cell in cells:
        if not cell.disabled:
            cell.click().run()
            assert not page.exception
            assert [b for b in page.button if b.label == "Open"]


@pytest.mark.parametrize("difference", [-0.1, 0.1])
def test_a_model_is_promoted_and_rolled_back_and_a_worse_one_is_asked_about_twice(
    page, two_runs, difference
):
    for run in two_runs:
        (kept,) = run.glob("comparison/*.json")
        kept.write_text(json.dumps(json.loads(kept.read_text()) | {"auc_difference": difference}))
    show(page, "Runs")
    shipped = promotion.current_model()
    button(page, "Use this model").click().run()
    if difference < 0:
        assert promotion.current_model() == shipped
        button(page, "Use it nevertheless").click().run()
    assert not page.exception
    assert promotion.current_model() != shipped
    assert "This model is in use" in html(page)

    show(page, "Model in use")
    assert "<div>Promoted</div>" in html(page)
    button(page, "Roll back").click().run()
    assert promotion.current_model() == shipped
    assert "<div>Rolled back</div>" in html(page)
    assert button(page, "Roll back").disabled


def test_the_log_of_actions_tells_of_the_command_line_and_of_what_was_changed_in_it(
    page, two_runs, own_home
):
    show(page, "Log of actions")
    assert "cv-hint" in html(page)
    promotion.promote(two_runs[0])
    promotion.rollback()
    jobs.delete(two_runs[1])
    shown = html(show(page, "Log of actions"))
    assert shown.index("Deleted a run") < shown.index("Rolled back") < shown.index("Promoted")
    assert f"account {getpass.getuser()} of this computer" in shown
    assert "not as it was written" not in shown
    log = own_home / "actions.jsonl"
    log.write_text(log.read_text().replace("Promoted a model", "<b>Promoted"))
    shown = html(show(page, "Log of actions"))
    assert "not as it was written" in shown
    assert "<b>Promoted" not in shown


def test_a_damaged_model_in_use_is_rolled_back_by_a_press(page, two_runs):
    promotion.promote(two_runs[0])
    (promotion.current_model() / "card.json").write_text("{")
    show(page, "Model in use")
    assert "The model in use cannot be read." in html(page)
    button(page, "Roll back").click().run()
    assert not page.exception
    assert promotion.current_model().parent == promotion.SHIPPED_DIR
    assert "judges every slice on the Diagnose page" in html(page)


def test_a_run_says_what_it_was_asked_for_and_what_of_it_is_not_usual(page, two_runs):
    config = two_runs[1] / "config.json"
    odd = {"data": "/somewhere/<b>slices", "pixel_scaling": "unit"}
    config.write_text(json.dumps(json.loads(config.read_text()) | odd))
    page.session_state["run"] = "second"
    shown = html(show(page, "Runs"))
    line = shown[shown.index("Data: ") :].partition("</p>")[0]
    assert line.startswith("Data: &lt;b&gt;slices · 1 slice left out · ")
    assert "Seed: 7" in line
    assert "Pixel values: Divided by 255" in line
    assert "Weight decay" not in line
    assert re.search(">Seed</th><td[^>]*><div><strong>7</strong></div></td>", shown)
    assert re.search(">Weight decay</th><td[^>]*><div>0.01</div></td>", shown)


def test_runs_are_compared_by_what_differs(page, two_runs):
    show(page, "Compare")
    assert len(page.get("vega_lite_chart") or page.get("arrow_vega_lite_chart")) == 1
    assert ">Seed</th>" in html(page)
    assert ">Epochs</th>" not in html(page)


def test_runs_can_be_renamed_and_deleted_and_bad_names_are_refused(page, two_runs):
    show(page, "Runs")
    shown = page.selectbox(key="run").value
    page.text_input(key=f"new name {shown}").set_value("a/b")
    button(page, "Rename").click().run()
    assert "That was not done." in html(page)
    page.text_input(key=f"new name {shown}").set_value("better name")
    button(page, "Rename").click().run()
    assert page.selectbox(key="run").value == "better name"
    page.button(key="delete better name").click().run()
    assert not page.exception
    assert len(jobs.list_runs()) == 1
    assert "better name" not in page.selectbox(key="run").options


def test_a_run_whose_process_is_gone_says_so_and_offers_to_resume(page, two_runs):
    status = json.loads((two_runs[0] / "status.json").read_text())
    for run in two_runs:
        (run / "status.json").write_text(
            json.dumps(status | {"state": "running", "process_started": "gone"})
        )
    show(page, "Runs")
    assert "<strong>Failed</strong>" in html(page)
    assert "it was killed" in html(page)
    assert not button(page, "Resume").disabled
    assert "Log" in [e.label for e in page.expander]


def test_a_run_of_another_host_says_where_it_is(page, two_runs):
    for run in two_runs:
        write_status(run, JobStatus("running", pid=1, host="far-<away>", process_space="another"))
    show(page, "Runs")
    assert "<strong>Running</strong><span>On the host far-&lt;away&gt;</span>" in html(page)
    assert button(page, "Stop the run")


def test_a_view_without_runs_says_so(page):
    for view in ("Runs", "Compare", "Model in use"):
        show(page, view)
        assert "cv-hint" in html(page)


def test_damaged_runs_block_no_view(page, two_runs):
    status = json.loads((two_runs[1] / "status.json").read_text())
    damages = [
        ("status.json", '{"state": ["running"]}', {}),
        ("status.json", "{status}", {}),
        ("metrics.csv", "epoch,auc\n0,0.5\n1", {}),
        ("metrics.csv", "epoch,val_auc\n0,high\n", {}),
        ("config.json", "[]", {}),
        ("config.json", '{"data": "x", "epochs": "many"}', {}),
        ("metrics.csv", "", {"state": []}),
        ("metrics.csv", "", {"epochs": None}),
        ("metrics.csv", "", {"host": None}),
    ]
    for number, (file, text, damage) in enumerate(damages):
        run = shutil.copytree(two_runs[0], two_runs[0].with_name(f"damaged {number}"))
        (run / "status.json").write_text(json.dumps(status | {"state": "running"} | damage))
        (run / file).write_text(text)
    for view in ("New run", "Runs", "Compare", "Model in use"):
        assert "This cannot be shown" not in html(show(page, view)), view
    show(page, "Runs")
    for run in page.selectbox(key="run").options:
        page.session_state["run"] = run
        page.run()
        assert not page.exception
        assert "This cannot be shown" not in html(page), run


def test_folders_and_files_whose_names_are_not_utf_8_are_shown(page, own_home):
    odd = os.fsdecode(b"\xe9")
    for number, name in enumerate(CLASS_FOLDERS.values()):
        for patient in range(3):
            folder = own_home / "data" / f"s{odd}t" / name / f"p{odd}{patient}"
            folder.mkdir(parents=True)
            picture = encode_png(phantom_slice(3 * patient + number, size=96).ct_slice.pixels)
            (folder / f"im{odd}.png").write_bytes(picture)
    page.session_state["data source"] = "On this server"
    page.run()
    assert not page.exception
    assert page.selectbox[0].options == ["s\\udce9t"]


def test_where_the_model_in_use_learnt_from_the_slices_nothing_is_promoted_unasked(
    page, two_runs, tiny_model, tmp_path
):
    model = shutil.copytree(tiny_model, tmp_path / "seen")
    items = validation_items(two_runs[1])  # which is shown first
    hashes = hashes_of(prepare(items, (48, 64)).fingerprints)
    replace(read_card(model), learnt_from=hashes).write(model)
    promotion.promote(model)
    in_use = promotion.current_model()
    show(page, "Runs")
    assert f"the model in use from {len(items)}" in html(page)
    assert "paired bootstrap" not in html(page)
    button(page, "Use this model").click().run()
    assert not page.exception
    assert promotion.current_model() == in_use
    button(page, "Use it nevertheless").click().run()
    assert promotion.current_model() != in_use


def test_it_is_said_how_many_slices_were_learnt_and_why_the_curves_differ(page, two_runs):
    show(page, "Runs")
    assert "The model learnt from none of these" in html(page)
    figures = json.loads((two_runs[0] / "validation" / "metrics.json").read_text())
    assert "The curves show for the kept epoch" in html(page)
    assert f"from the operating point, {figures['operating_point']:.3f}" in html(page)


def test_a_network_brings_its_settings(page):
    show(page, "New run")
    for network, rate, epochs in (
        ("astra_lite", "1e-05", "0"),
        ("efficientnet_lite1", "0.0001", "12"),
    ):
        page.selectbox(key="setting backbone").select(network).run()
        held = {field.label: field for field in page.number_input}
        assert held["Learning rate"].placeholder == rate
        assert held["Epochs of fine-tuning"].placeholder == epochs
        assert held["Learning rate"].value is None
