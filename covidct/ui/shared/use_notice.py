"""What a visitor has to accept before anything can be uploaded on any page.

It is asked once a session of the browser: a cookie that ends with it says that it was accepted.
"""

import streamlit as st

from covidct.ui import strings
from covidct.ui.shared.component import component
from covidct.ui.strings import _, literal

COOKIE, ACCEPTED = "covidct_notice", "accepted"
_ACCEPTED = "use notice accepted"


def require() -> None:
    """End the page here, with the notice in its place, until it has been accepted."""
    if st.context.cookies.get(COOKIE) == ACCEPTED:
        return
    if st.session_state.get(_ACCEPTED):
        with st.bottom:
            component("remember")(data=f"{COOKIE}={ACCEPTED}", height=1)
        return
    st.title(_(strings.TITLE), anchor=False)
    st.html(f'<p class="cv-lead">{literal(_(strings.LEAD))}</p>')
    with st.container(border=True, key="use_notice"):
        st.markdown(_(strings.USE_NOTICE))
        st.button(
            _(strings.ACCEPT),
            key="accept",
            type="primary",
            on_click=st.session_state.update,
            args=({_ACCEPTED: True},),
        )
    st.stop()
