"""The script that Streamlit runs: page set-up, notices, navigation; nothing else."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import streamlit as st

from covidct.ui import access
from covidct.ui.received import server_node
from covidct.ui.shared import frame, notices, use_notice
from covidct.ui.streamlit_internals import keep_uploads_in_memory
from covidct.ui.strings import _

ICON = Path(__file__).parent / "assets" / "icon.png"


def main() -> None:
    """Draw the page that somebody asks for."""
    st.set_page_config(page_title="covidct", page_icon=str(ICON), layout="wide")
    keep_uploads_in_memory()
    frame.show()
    access.require_login()
    pages = [
        st.Page(_page("diagnose"), title=_("Diagnose"), url_path="diagnose", default=True),
        st.Page(_page("evaluation"), title=_("Evaluation"), url_path="evaluation"),
        st.Page(_page("training"), title=_("Training"), url_path="training"),
    ]
    if server_node.served() and access.may_use_archive():
        pages.insert(1, st.Page(_page("received"), title=_("Received"), url_path="received"))
    chosen = st.navigation(pages, position="top")
    use_notice.require()
    chosen.run()
    notices.watch()


def _page(name: str) -> Callable[[], None]:
    """A page whose module is imported when somebody opens it."""
    return lambda: import_module(f"covidct.ui.{name}.page").page()


if __name__ == "__main__":
    main()
