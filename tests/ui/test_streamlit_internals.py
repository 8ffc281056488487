"""What the pages need of Streamlit beyond its public API does what it is needed for."""

import pytest
from app_server import serve

from covidct.benchmark.visitor import open_tab

MEGABYTE = 2**20
SCRIPT = """
import streamlit as st
from covidct.ui.streamlit_internals import held_by_session, keep_uploads_in_memory

keep_uploads_in_memory()
dropped = st.file_uploader("A file")
st.html(f"{dropped.name} {dropped.size}" if dropped else "nothing")
st.download_button(
    "Take",
    data=held_by_session(lambda: b"made on demand", "text/plain", "made.txt"),
    file_name="made.txt",
    mime="text/plain",
    on_click="ignore",
)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A page that may write no file of a megabyte, as one that keeps uploads in memory."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "page.py").write_text(SCRIPT)
    with serve(folder, largest_file=MEGABYTE // 2, script=folder / "page.py") as server:
        yield server


def test_an_upload_of_more_than_a_megabyte_does_not_touch_the_disk(server):
    with open_tab(server.url) as tab:
        assert "nothing" in tab.html()
        for _ in tab.drop("slice.dcm", bytes(3 * MEGABYTE)):
            pass
        assert f"slice.dcm {3 * MEGABYTE}" in tab.html()


def test_a_file_made_on_demand_waits_for_its_session_whatever_others_do(server):
    with open_tab(server.url) as mine, open_tab(server.url) as other:
        place = mine.press_download("Take")
        for _ in range(3):
            other.run()
        assert mine.fetch(place) == b"made on demand"
