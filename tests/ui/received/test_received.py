"""The Received page beside a node that is sent to, without a browser."""

import time
from contextlib import contextmanager

import patience
import pytest
from app_server import free_port
from dicom_peer import TITLE, associated, store
from drawn import html
from streamlit.testing.v1 import AppTest

from covidct.ui.received.server_node import serve, served


def received_page() -> None:
    from covidct.ui.received.page import page

    page()


@pytest.fixture
def node():
    """Starts the server's node, and sends a series to it."""

    @contextmanager
    def start():
        port = free_port()
        named = {"receive_port": port, "receive_peers": [f"{TITLE}=127.0.0.1"]}
        with serve({"archive": named}):
            yield port

    return start


def send(port, files):
    before = len(served().inbox.received())
    with associated(port) as association:
        store(association, *files)
    deadline = time.monotonic() + patience.SECONDS
    while len(served().inbox.received()) == before and time.monotonic() < deadline:
        time.sleep(0.1)


def visit(user=None):
    app = AppTest.from_function(received_page, default_timeout=patience.SECONDS)
    if user:
        app.user = user
        app.secrets["access"] = {"archive_role": "covidct-archive"}
    app.run()
    assert not app.exception
    return app


def slices(app):
    """Decision and probability of each slice."""
    tables = [table.value for table in app.dataframe if "File" in table.value]
    return tables[0][["Decision", "Probability"]].values.tolist()


def test_a_series_that_came_is_opened_as_a_dropped_one(node, stored, app):
    first, second = stored("1.2.910.1", 3), stored("1.2.911.2", 5)
    with node() as port:
        page = visit()
        assert "No series has come yet." in html(page)
        send(port, first)
        send(port, second)
        page.run()
        listed = page.dataframe[0].value
        assert listed["Slices"].tolist() == [5, 3]
        assert listed["Patient ID"].tolist() == ["patient 1.2.911.2", "patient 1.2.910.1"]
        page.session_state["received_chosen"] = 2
        page.run()
        assert not page.exception
        (received, _) = served().inbox.received()
        assert f"{listed['Decision'][0]}</p>" in html(page)
        there = slices(page)
    app.file_uploader[0].set_value([(f"{n}", data, "") for n, data in enumerate(second)]).run()
    assert slices(app) == there
    assert len(received.arrival.files) == 5


def test_only_the_role_sees_what_came(node, stored):
    signed_in = {"is_logged_in": True, "sub": "ben"}
    with node() as port:
        send(port, stored("1.2.912.1", 1))
        page = visit({**signed_in, "roles": ["covidct-trainer"]})
        assert not page.dataframe
        assert "may not use the archive" in html(page)
        assert visit({**signed_in, "roles": ["covidct-archive"]}).dataframe


def test_without_a_node_there_is_no_page(app):
    assert served() is None
    assert "Received" not in str(app.sidebar) + html(app)


def test_a_node_that_cannot_run_says_why(caplog):
    with serve({"archive": {"receive_port": 104}}):
        assert "needs a peer" in html(visit())
    assert "needs a peer" in caplog.text
    assert served() is None
