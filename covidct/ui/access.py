"""Who may see the pages, and who may change what the server keeps.

Without a section ``[auth]`` in Streamlit's secrets whoever reaches the server may do both. With
one, nobody sees anything before signing in at the OpenID Connect provider that it names, and only
those whose identity token names the role of the section ``[access]`` may train, promote, delete, or
change anything else that outlasts their visit. The DICOM archive has a role of its own:

    [access]
    role = "covidct-trainer"
    archive_role = "covidct-archive"  # who may search the DICOM archive and send to it
    claim = "roles"  # of the identity token, where its holder's roles stand; this is the default

Where something is missing or cannot be read, the answer is no.
"""

from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from covidct.errors import AccessDenied
from covidct.jobs.action_log import Actor, acting
from covidct.ui import strings
from covidct.ui.streamlit_internals import is_named
from covidct.ui.strings import _
from covidct.ui.widgets import callout

_CLAIM = "roles"


def require_login() -> None:
    """Where there is a provider, end the page here for who has not signed in."""
    if secrets() is None:
        callout(_(strings.CLOSED), _(strings.BAD_SECRETS), tone="stop")
        st.stop()
    if not _asks_for_login():
        if _is_set_up_by_halves():
            callout(_(strings.CLOSED), _(strings.HALF_SET_UP), tone="stop")
            st.stop()
        return
    if not _is_logged_in():
        st.title(_(strings.SIGN_IN), anchor=False)
        st.button(_("Sign in"), type="primary", on_click=st.login)
        st.stop()
    st.button(_("Sign out"), type="tertiary", icon=":material/logout:", on_click=st.logout)


def may_change() -> bool:
    """Whether this visitor may change what the server keeps."""
    return _holds("role")


def may_use_archive() -> bool:
    """Whether this visitor may search the DICOM archive, read from it and send to it."""
    return _holds("archive_role")


def _holds(kind: str) -> bool:
    """Whether this visitor holds the role that the secrets name so, or nobody is asked for one."""
    if not _asks_for_login():
        return not _is_set_up_by_halves()
    access = st.secrets.get("access", {})
    role, held = access.get(kind), st.user.get(access.get("claim", _CLAIM))
    return _is_logged_in() and bool(role) and role in (held if isinstance(held, list) else [held])


def require_role() -> None:
    """Called by whatever changes what the server keeps, before it does; the log names who acts.

    Raises:
        AccessDenied: this visitor may not.
    """
    if not may_change():
        raise AccessDenied(strings.NO_ROLE)
    acting(visitor())


def require_archive_role() -> None:
    """Called by whatever asks the DICOM archive for something, before it does; likewise.

    Raises:
        AccessDenied: this visitor may not.
    """
    if not may_use_archive():
        raise AccessDenied(strings.NO_ARCHIVE_ROLE)
    acting(visitor())


def visitor() -> Actor:
    """Who has signed in, by the first claim of the identity token that names somebody."""
    claims = ("email", "preferred_username", "name", "sub")
    named = next((str(st.user[claim]) for claim in claims if st.user.get(claim)), "")
    return Actor(named, _is_logged_in())


def _asks_for_login() -> bool:
    return "is_logged_in" in st.user  # only where there is a section [auth]


def _is_set_up_by_halves() -> bool:
    """Whether somebody meant to close the pages, and Streamlit finds no provider."""
    there = secrets()
    return there is None or not there.keys().isdisjoint(("auth", "access"))


def _is_logged_in() -> bool:
    return st.user.get("is_logged_in") is True


def secrets() -> dict | None:
    """The secrets; None where there are some that cannot be read, so that Streamlit sees none, and
    where a file of them that was named is not there."""
    files = [Path(file) for file in st.get_option("secrets.files")]
    if is_named("secrets.files") and not all(file.exists() for file in files):
        return None
    try:
        return st.secrets.to_dict()
    except StreamlitSecretNotFoundError:
        return None if any(file.exists() for file in files) else {}
