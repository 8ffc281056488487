"""Who may change what the server keeps; that nothing is served before login is for a browser."""

import re
import shutil

import patience
import pytest
from drawn import html
from streamlit.testing.v1 import AppTest

from covidct.inference import promotion
from covidct.jobs.status import JobStatus, write_status
from covidct.training.run_folder import start_run_folder

ROLE = "covidct-trainer"
TRAINER = {"is_logged_in": True, "sub": "ann", "roles": ["reader", ROLE]}
READER = {"is_logged_in": True, "sub": "ben", "roles": ["reader"]}


def training_page() -> None:
    from covidct.ui import access
    from covidct.ui.training.page import page

    access.require_login()
    page()


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def visit(user: dict, access: dict | None = None, view: str = "New run") -> AppTest:
    app = AppTest.from_function(training_page, default_timeout=patience.SECONDS)
    app.user = user
    if user or access:
        app.secrets["access"] = {"role": ROLE} if access is None else access
    app.session_state["view"] = view
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def stopped_run(own_home, phantom_dataset, quick):
    """A run without a network, of which little is to be drawn."""
    folder = own_home / "runs" / "first"
    start_run_folder(folder, phantom_dataset, quick)
    write_status(folder, JobStatus("stopped"))
    return folder


@pytest.fixture
def finished_run(own_home, judged_run):
    return shutil.copytree(judged_run, own_home / "runs" / "first")


def test_a_role_without_a_provider_closes_the_pages(own_home):
    app = visit({}, {"role": ROLE})
    assert "These pages are closed." in html(app)
    assert not labels(app)
    assert not app.get("file_uploader")


def test_who_has_not_signed_in_sees_a_button_and_nothing_else(own_home):
    app = visit({"is_logged_in": False})
    assert labels(app) == {"Sign in"}
    assert not html(app)
    assert not app.get("file_uploader")


@pytest.mark.parametrize(
    ("user", "access", "may"),
    [
        ({}, {}, True),  # no [auth]: as it always was
        (TRAINER, None, True),
        (TRAINER | {"roles": ROLE}, None, True),
        (READER, None, False),
        (TRAINER, {}, False),
        (TRAINER, {"role": ""}, False),
        (TRAINER | {"roles": None}, {"role": None}, False),
        (TRAINER, {"role": ROLE, "claim": "groups"}, False),
        (READER | {"groups": [ROLE]}, {"role": ROLE, "claim": "groups"}, True),
        (READER | {"roles": [ROLE + "s"]}, None, False),
    ],
)
def test_runs_are_started_by_those_with_the_role_alone(own_home, user, access, may):
    app = visit(user, access)
    assert ("Start" in labels(app)) == may
    assert ("Your account may look" in html(app)) != may


def test_without_the_role_a_run_can_be_looked_at_and_nothing_be_done_to_it(finished_run):
    shutil.rmtree(finished_run / "comparison")
    early = visit(READER, view="Runs")
    assert "It has not been compared" in html(early)
    assert not (finished_run / "comparison").exists()
    trainer, reader = visit(TRAINER, view="Runs"), visit(READER, view="Runs")
    assert "Judge it" in {heading.value for heading in reader.subheader}
    assert {"Rename", "Delete this run"} <= labels(trainer)
    assert not {"Rename", "Delete this run", "Stop the run", "Resume"} & labels(reader)
    (use,) = (button for button in reader.button if button.label == "Use this model")
    assert use.disabled


@pytest.mark.parametrize("label", ["Use this model", "Delete this run"])
def test_a_role_withdrawn_on_an_open_page_counts_at_the_next_press(finished_run, label):
    app = visit(TRAINER, view="Runs")
    app.user = READER
    next(button for button in app.button if button.label == label).click().run()
    confirm = [button for button in app.button if button.label == "Use it nevertheless"]
    for button in confirm:
        button.click().run()
    assert finished_run.is_dir()
    assert promotion.current_model().parent == promotion.SHIPPED_DIR


@pytest.mark.parametrize(
    ("user", "named"),
    [
        (TRAINER | {"email": "ann@example.org"}, "ann@example.org"),
        (TRAINER, "ann"),
        ({}, "a visitor, not signed in"),
    ],
)
def test_the_log_names_who_did_what_to_those_with_the_role_alone(stopped_run, user, named):
    app = visit(user, view="Runs")
    next(button for button in app.button if button.label == "Delete this run").click().run()
    assert not stopped_run.exists()
    log = html(visit(user, view="Log of actions"))
    cells = re.findall(r"<td[^>]*><div>(.*?)</div></td>", log)
    assert cells[:3] == [named, "Deleted a run", "first"]
    if user:
        assert "<div>Deleted a run</div>" not in html(visit(READER, view="Log of actions"))
