"""The second way in on the Diagnose page beside a real archive, without a browser."""

import patience
import pytest
from drawn import html
from streamlit.testing.v1 import AppTest

ROLE = "covidct-archive"
READER = {"is_logged_in": True, "sub": "ben", "roles": ["covidct-trainer"]}
RADIOLOGIST = {"is_logged_in": True, "sub": "ann", "roles": [ROLE]}


def diagnose_page() -> None:
    from covidct.ui.diagnose.page import page

    page()


@pytest.fixture
def visit(named):
    """The Diagnose page of a server that knows the archive."""

    def open_page(user=None, access=None) -> AppTest:
        app = AppTest.from_function(diagnose_page, default_timeout=patience.SECONDS)
        if user:
            app.user = user
            app.secrets["access"] = access or {"archive_role": ROLE}
        app.run()
        assert not app.exception
        return app

    return open_page


def ways(app):
    return [control for control in app.get("button_group") if "way_in" in str(control.key)]


def press(app, label):
    (button,) = (button for button in app.button if button.label == label)
    return button.click().run()


def search(app, patient):
    app.session_state["way_in"] = "Archive"
    app.run()
    (field,) = (field for field in app.text_input if field.label == "Patient ID")
    field.set_value(patient)
    return press(app, "Search")


def select(app, row):
    state = app.session_state["archive_found"]
    app.session_state["archive_chosen"] = state.series[row]
    return app.run()


def test_without_an_archive_nothing_of_it_is_shown(app):
    assert not ways(app)
    shown = [element.value for element in app.get("html") if "<style" not in element.value]
    assert not [text for text in shown if "rchive" in text]


def test_a_series_is_searched_fetched_and_judged_as_a_dropped_one(visit, named, stored):
    files = stored("1.2.829.1", PatientID="u1")
    named.put(*files)
    app = select(search(visit(), "u1"), 0)
    assert not app.exception
    there = [app.dataframe[1].value[column].tolist() for column in ("Decision", "Probability")]
    assert app.dataframe[0].value["Patient ID"].tolist() == ["u1"]
    assert "Send results back" in str([one.label for one in app.get("expander")])
    app.session_state["way_in"] = "Files"
    app.run()
    app.file_uploader[0].set_value([(f"{n}", data, "") for n, data in enumerate(files)]).run()
    here = [app.dataframe[0].value[column].tolist() for column in ("Decision", "Probability")]
    assert here == there
    assert "Send results back" not in str([one.label for one in app.get("expander")])


def test_no_identifier_reaches_what_is_shown_of_the_slices(visit, named, stored):
    named.put(*stored("1.2.829.2", PatientID="u2", PatientName="Secret^Patient"))
    app = select(search(visit(), "u2"), 0)
    slices = app.dataframe[1].value
    assert set(slices["File"]) == {f"archive/{number:04d}.dcm" for number in range(1, 8)}
    for secret in ("u2", "Secret", "1.2.829"):
        assert secret not in html(app)


def test_a_series_that_is_gone_is_said_and_fetched_once(visit, named, stored):
    named.put(*stored("1.2.829.3", PatientID="u3"))
    app = search(visit(), "u3")
    found = named.session.post(
        f"{named.root}/tools/find", json={"Level": "Series", "Query": {"PatientID": "u3"}}
    ).json()
    named.session.delete(f"{named.root}/series/{found[0]}").raise_for_status()
    app = select(app, 0)
    assert "The series was not fetched." in html(app)
    assert "Nothing of the series was kept." in html(app)
    named.put(*stored("1.2.829.3", PatientID="u3"))
    assert "The series was not fetched." in html(app.run())
    assert "cv-verdict" in html(press(app, "Fetch it again"))


def test_an_archive_that_lets_nobody_in_is_said(visit, monkeypatch):
    monkeypatch.setenv("COVIDCT_DICOMWEB_PASSWORD", "wrong")
    app = search(visit(), "u4")
    assert "The archive was not searched." in html(app)
    assert "does not let this program in" in html(app)
    assert not app.exception


def test_what_is_not_found_is_said(visit):
    assert "The archive holds no such series." in html(search(visit(), "nobody"))


@pytest.mark.parametrize(
    ("user", "access", "may"),
    [
        (RADIOLOGIST, None, True),
        (READER, None, False),
        (RADIOLOGIST, {"role": ROLE}, False),
        (READER, {"role": "covidct-trainer", "archive_role": ""}, False),
    ],
)
def test_the_archive_has_a_role_of_its_own(visit, user, access, may):
    assert bool(ways(visit(user, access))) is may


def test_a_role_withdrawn_on_an_open_page_counts_at_the_next_press(visit, named, stored):
    named.put(*stored("1.2.829.5", PatientID="u5"))
    app = select(search(visit(RADIOLOGIST), "u5"), 0)
    (box,) = (box for box in app.checkbox if "structured report" in box.label)
    box.check().run()
    app.user = READER
    app.button(key="send").click().run()
    assert len(named.files(PatientID="u5")) == 7


def test_what_is_sent_is_shown_before_and_what_became_of_it_after(visit, named, stored):
    named.put(*stored("1.2.829.6", PatientID="u6"))
    app = select(search(visit(), "u6"), 0)
    assert not [button for button in app.button if button.key == "send"]
    for box in app.checkbox:
        if "structured report" in box.label or "secondary captures" in box.label:
            box.check()
    app.run()
    assert "8 objects go into the study of the slices" in html(app)
    assert len(named.files(PatientID="u6")) == 7
    app.button(key="send").click().run()
    assert "The archive stored all 8 objects." in html(app)
    assert len(named.files(PatientID="u6")) == 15


def test_an_archive_that_goes_away_while_sending_is_said(visit, named, stored, monkeypatch):
    named.put(*stored("1.2.829.7", PatientID="u7"))
    app = select(search(visit(), "u7"), 0)
    (box,) = (box for box in app.checkbox if "structured report" in box.label)
    box.check().run()
    monkeypatch.setenv("COVIDCT_DICOMWEB", "http://localhost:1/dicom-web")
    app.button(key="send").click().run()
    assert "Not everything was sent." in html(app)
    assert "0 objects were stored before" in html(app)
