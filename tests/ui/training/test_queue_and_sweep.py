"""Runs that wait, and sweeps, on the Training page without a browser; nothing is trained."""

import os
import shutil

import patience
import pytest
from drawn import button, html, show, training_page
from streamlit.testing.v1 import AppTest

from covidct.jobs.lock import take_lock
from covidct.training import jobs, queue
from covidct.training.run_folder import read_run_folder
from covidct.training.sweep import start_sweep
from covidct.ui.training.sweep_form import parsed


@pytest.fixture
def page(own_home) -> AppTest:
    """The page, while a process that nobody sees holds up training."""
    lock = take_lock(jobs.runs_dir() / queue.TRAINING_LOCK, lambda: True)
    yield AppTest.from_function(training_page, default_timeout=patience.SECONDS)
    os.close(lock)


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def names() -> list[str]:
    return [folder.name for folder in queue.queued_runs()]


def test_runs_that_wait_are_shown_in_order_moved_and_taken_out(page, phantom_dataset, quick):
    for name in ("one", "two", "three (+)"):
        jobs.start(phantom_dataset, quick, name)
    shown = html(show(page, "Runs"))
    assert "3 runs wait for their turn" in shown
    assert shown.index("1. one") < shown.index("2. two") < shown.index("3. three (+)")
    assert page.button(key="earlier one").disabled
    assert page.button(key="later three (+)").disabled
    press(page, "earlier three (+)")
    assert names() == ["one", "three (+)", "two"]
    press(page, "later one")
    press(page, "take out two")
    assert names() == ["three (+)", "one"]
    assert "2 runs wait for their turn" in html(page)
    queue.cancel(jobs.find_run("one"))  # by somebody else, and this page is behind
    press(page, "take out one")
    assert "That was not done." in html(page)
    assert names() == ["three (+)"]


def test_values_of_a_setting_become_runs_in_the_queue(page, clean_dataset):
    page.session_state["data source"] = "On this server"
    page.session_state["data path"] = str(clean_dataset)
    show(page, "New run")
    page.toggle(key="sweep on").set_value(True).run()
    assert button(page, "Start").disabled
    for text, problem in (
        ("0.001", "two to 6"),
        ("0.1 0.1", "two to 6"),
        ("0.1 fast", "Write numbers"),
        ("0.1 nan", "Enter a value from"),
        ("1 2 3", "Enter a value from"),
    ):
        page.text_input(key="sweep text learning_rate").set_value(text).run()
        assert problem in html(page)
        assert button(page, "Start").disabled
    page.text_input(key="sweep text learning_rate").set_value("0.001, 0.0001").run()
    assert "6 runs: 0.001, 0.0001, each in 3 folds. All are compared with 0.001." in html(page)
    page.text_input(key="new run name").set_value("mine")
    button(page, "Start").click().run()
    assert not page.exception
    assert len(names()) == 6
    asked = read_run_folder(queue.queued_runs()[1])
    assert (asked.config.learning_rate, asked.config.fold) == (0.0001, "1/3")
    assert page.session_state["view"] == "Runs"
    assert "6 runs wait for their turn" in html(page)
    button(page, "Take all out").click().run()
    assert names() == []
    show(page, "Compare")
    assert "Figures come once every value has been judged on the same fold." in html(page)


def test_a_sweep_is_drawn_with_what_has_been_judged(page, phantom_dataset, quick, judged_run):
    runs = start_sweep(phantom_dataset, quick, "pretrained", [True, False], 3, "mine")
    for run in runs[:3]:
        shutil.copytree(judged_run / "validation", run / "validation")
    show(page, "Compare")
    assert page.selectbox[0].label == "Sweep"
    shown = html(page)
    assert ">Start from pretrained weights</th>" in shown
    assert shown.index(">yes</th>") < shown.index(">no</th>")
    assert "<div>2 of 3</div>" in shown
    assert "<div>1 of 3</div>" in shown
    assert "+0.000 <small>+0.000 to +0.000</small>" in shown
    assert page.get("vega_lite_chart") or page.get("arrow_vega_lite_chart")


@pytest.mark.parametrize(
    ("setting", "text", "values"),
    [
        ("epochs", "1 2;3", (1, 2, 3)),
        ("dropout", " 0.1,0.2 ", (0.1, 0.2)),
        ("batch_size", "", ()),
        ("image_size", "64 \n96", (64, 96)),
    ],
)
def test_values_are_read_as_the_setting_takes_them(setting, text, values):
    assert parsed(setting, text) == values


def test_a_whole_number_is_asked_for_where_the_setting_takes_one():
    with pytest.raises(ValueError, match="invalid literal"):
        parsed("epochs", "1.5")
