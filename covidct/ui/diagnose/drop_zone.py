"""Where files are dropped, and those that are held while somebody looks at another page.

Streamlit forgets an uploader that is not drawn, and its files with it. So the session holds them,
in memory alone, until they are removed or it ends, as it does when the page is loaded again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from covidct.messages import ngettext
from covidct.ui import strings
from covidct.ui.strings import _
from covidct.ui.widgets import hint

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_ON_PAGE, _EARLIER, _TIMES_EMPTIED = "files on page", "earlier files", "times emptied"


def show() -> list[UploadedFile]:
    """Draw the drop zone; the files on the page, those of before it was left first."""
    state = st.session_state
    key = f"uploads {state.setdefault(_TIMES_EMPTIED, 0)}"
    if key not in state:  # it is new, or was not drawn the last time
        state[_EARLIER] = state.get(_ON_PAGE, [])
    with st.container(horizontal=True, vertical_alignment="bottom", key="drop"):
        dropped = st.file_uploader(_(strings.UPLOADER), accept_multiple_files=True, key=key)
        state[_ON_PAGE] = [*state[_EARLIER], *dropped]
        if state[_ON_PAGE]:
            _offer_removal(len(state[_ON_PAGE]))
    if not state[_ON_PAGE]:
        hint(_(strings.FORMATS))
    elif state[_EARLIER]:
        still_here = ngettext(
            "{count} file is still here from before you looked at another page.",
            "{count} files are still here from before you looked at another page.",
            len(state[_EARLIER]),
        )
        hint(_(still_here))
    return state[_ON_PAGE]


def _offer_removal(files: int) -> None:
    st.button(
        _(ngettext("Remove the file", "Remove all {count} files", files)),
        key="remove all",
        type="tertiary",
        icon=":material/delete:",
        on_click=_remove_all,
    )


def _remove_all() -> None:
    """An uploader cannot be emptied from here, but the next one starts empty."""
    st.session_state[_ON_PAGE] = []
    st.session_state[_TIMES_EMPTIED] += 1
