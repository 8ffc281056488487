"""Step 1 of a new run: which slices to learn from."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from hashlib import file_digest
from io import BytesIO
from pathlib import Path
from typing import Any

import streamlit as st

from covidct.data import corrections
from covidct.data.classes import MOST_CLASSES, class_title
from covidct.data.download import Download
from covidct.data.fetch import fetch
from covidct.data.kept import kept_folder
from covidct.data.zip_dataset import (
    ClassFolder,
    guess_classes,
    list_class_folders,
    name_classes,
    unpack_dataset,
)
from covidct.errors import ConfigError, CovidCTError
from covidct.evaluation.jobs import live_evaluation
from covidct.home import FOLDERS_VARIABLE, data_dir, data_folders
from covidct.jobs import action_log
from covidct.messages import N_, ngettext
from covidct.quota import MEGABYTE
from covidct.terminal import visible
from covidct.training import jobs, queue
from covidct.ui import strings
from covidct.ui.shared.attempts import attempt, show_refusal
from covidct.ui.strings import _
from covidct.ui.widgets import callout, hint

PUBLIC, UPLOAD, FOLDER = N_("Public COVID-CT"), N_("Upload a ZIP"), N_("On this server")
COVID_CT, _UPLOAD_PREFIX = "COVID-CT", "upload-"
_TAKEN, _FETCHING, _SOURCE = "data taken", "data fetching", "data source"


def choose() -> Path | None:
    """Draw the choice; the data set folder, once there is one."""
    st.session_state.setdefault(_SOURCE, _first_source())
    source = st.segmented_control(
        _("Where the slices are"),
        (PUBLIC, UPLOAD, FOLDER),
        format_func=_,
        key=_SOURCE,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    ways: dict[str | None, Callable[[], Path | None]]
    ways = {PUBLIC: _public, UPLOAD: _upload, FOLDER: _folder}
    return ways[source]()


def _first_source() -> str:
    if (data_dir() / COVID_CT).is_dir() or not _data_sets():
        return PUBLIC
    return FOLDER


def _public() -> Path | None:
    folder = data_dir() / COVID_CT
    if folder.is_dir():
        hint(_("The public COVID-CT data set has been fetched; nothing is left to do here."))
        return folder
    hint(
        _(
            "746 slices cut from publications, with official training, validation and test lists "
            "(UCSD-AI4H/COVID-CT, for research). Fetched once from GitHub and checked."
        )
    )
    left, place = st.empty(), st.empty()
    if not st.session_state.get(_FETCHING):
        left.button(
            _("Fetch COVID-CT"),
            icon=":material/download:",
            type="primary",
            on_click=st.session_state.update,
            args=({_FETCHING: True},),
        )
        return None
    left.button(_("Stop fetching"), on_click=st.session_state.update, args=({_FETCHING: False},))
    try:
        fetched = fetch(report=lambda download: _report(place, download))
    except CovidCTError as error:
        st.session_state[_FETCHING] = False
        with place:
            callout(_("COVID-CT was not fetched."), _(error.message), tone="stop")
        left.button(_("Try again"), on_click=st.session_state.update, args=({_FETCHING: True},))
        return None
    st.session_state[_FETCHING] = False
    place.empty()
    return fetched


def _report(place: st.delta_generator.DeltaGenerator, download: Download) -> None:
    what: dict[str, Any] = {
        "step": download.step,
        "file": download.file,
        "received": download.received / MEGABYTE,
    }
    if not download.total:
        place.progress(0.0, _("{step}: {file}, {received:.1f} MB", **what))
        return
    told = _(
        "{step}: {file}, {received:.1f} MB of {total:.1f} MB",
        total=download.total / MEGABYTE,
        **what,
    )
    place.progress(min(1.0, download.received / download.total), told)


def _upload() -> Path | None:
    file = st.file_uploader(_("A ZIP with a folder for each class"), type="zip", key="data upload")
    hint(
        _(
            "For example CT_COVID and CT_NonCOVID, or CT_COVID, CT_Normal and CT_Pneumonia, with "
            "PNG, JPEG, TIFF, BMP or DICOM slices. Drawn masks come along in folders lung-masks "
            "and lesion-masks. Unlike slices on the Diagnose page these are kept, on this server, "
            "until you delete them."
        )
    )
    taken = st.session_state.get(_TAKEN)
    if taken and taken[1].is_dir() and (file is None or taken[0] == file.file_id):
        if file is None:
            hint(_("The ZIP that you uploaded last is still chosen ({name}).", name=taken[1].name))
        return taken[1]
    if file is None:
        return None
    try:
        folders = list_class_folders(file)
        classes = guess_classes([folder.name for folder in folders])
        in_doubt = len(folders) > 2 or (len(folders) == 2 and classes is None)
        if in_doubt:
            classes = _ask_for_classes(folders, classes)
            if classes is None:
                return None
        folder = _unpacked(file, classes)
    except CovidCTError as error:
        callout(_("This ZIP was not taken."), _(error.message), tone="stop")
        return None
    st.session_state[_TAKEN] = file.file_id, folder
    if in_doubt:
        st.rerun()  # without the questions
    return folder


def _ask_for_classes(
    folders: Sequence[ClassFolder], guess: Sequence[str] | None
) -> tuple[str, ...] | None:
    """The folder of COVID-19 and those of other classes, once the user has said which they are.

    Args:
        folders: to choose from.
        guess: what is chosen at first, that of COVID-19 before the others.

    Raises:
        DatasetError: the folders cannot be classes beside each other.
    """
    callout(
        _("Which folder is which?"),
        _("Choose the one of COVID-19, and take out those that are no class."),
        tone="caution",
    )
    slices = {folder.name: folder.slices for folder in folders}

    def worded(name: str) -> str:
        return _(
            ngettext("{name} ({count:,} file)", "{name} ({count:,} files)", slices[name], name=name)
        )

    first, second = st.columns([1, 2])
    guessed = list(slices).index(guess[0]) if guess else None
    covid = first.selectbox(_("COVID-19 slices"), slices, index=guessed, format_func=worded)
    rest = [name for name in slices if name != covid]
    others = second.multiselect(
        _("Other classes"),
        rest,
        default=rest if len(slices) <= MOST_CLASSES else None,
        format_func=worded,
    )
    if covid is None or not others:
        return None
    classes = covid, *sorted(others)
    titles = [_(class_title(name)) for name in name_classes(classes).values()]
    hint(_("Classes of the data set: {names}.", names=", ".join(titles)))
    return classes if st.button(_("Take these classes")) else None


def _unpacked(archive: BytesIO, classes: Sequence[str] | None) -> Path:
    """The data set of a ZIP; the same ZIP and classes are the same folder."""
    archive.seek(0)
    digest = file_digest(archive, "sha256")
    digest.update("/".join(classes or ()).encode(errors="surrogateescape"))
    folder = data_dir() / f"{_UPLOAD_PREFIX}{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        with st.spinner(_("Unpacking…")):
            unpack_dataset(archive, folder, classes)
    return folder


def _folder() -> Path | None:
    known = _data_sets()
    place, typed = st.columns(2, gap="medium", vertical_alignment="top")
    chosen = place.selectbox(
        _("Data sets of this app"),
        known,
        format_func=lambda folder: visible(folder.name),
        disabled=not known,
        placeholder=_("none yet"),
    )
    path = typed.text_input(
        _("Or a folder of this server"),
        key="data path",
        placeholder=_("/path/to/a/folder"),
        persist_state="session",
    ).strip()
    hint(
        _(
            "Either the layout of COVID-CT, or just a folder for each class: CT_COVID and "
            "CT_NonCOVID, or CT_COVID and several others, as CT_Normal and CT_Pneumonia."
        )
    )
    own = chosen and (chosen.name.startswith(_UPLOAD_PREFIX) or chosen == kept_folder())
    if own and not path:
        with place:
            _offer_to_delete(chosen)
    _tell_folders()
    if not path:
        return chosen
    folder = _allowed(path)
    if folder is None:
        callout(_("This folder cannot be used."), _(strings.NOT_FROM_HERE), tone="stop")
    elif not folder.is_dir():
        callout(_("There is no such folder on this server."), tone="stop")
        return None
    return folder


def _tell_folders() -> None:
    """Which folders of the server may be read, and how one is added."""
    folders = data_folders()
    hint(
        _(
            "Data sets are read below {folders}. Whoever runs the server adds a folder when "
            "starting it:",
            folders=", ".join(visible(str(folder)) for folder in folders),
        )
    )
    named = os.pathsep.join(map(str, (*folders[1:], _("/path/to/a/folder"))))
    st.code(f"{FOLDERS_VARIABLE}={shlex.quote(named)} python -m covidct app", language="sh")


def _allowed(path: str) -> Path | None:
    """What a path means, links followed; None where it may not even be looked at."""
    try:
        folder = Path(path).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
    return folder if any(folder.is_relative_to(root) for root in data_folders()) else None


def _offer_to_delete(folder: Path) -> None:
    with st.popover(_("Delete these slices"), icon=":material/delete:", type="tertiary"):
        st.markdown(
            _(
                "These slices go for good. Runs that learnt from them stay, but their "
                "mistakes can no longer be looked at."
            )
        )
        st.button(_("Delete them"), type="primary", on_click=attempt, args=(_delete, folder))
    show_refusal()


def _delete(folder: Path) -> None:
    if jobs.live_run() or queue.queued_runs() or live_evaluation():
        raise ConfigError(
            N_(
                "A run or an evaluation is at work or waits, which may need the slices; they were "
                "kept. Delete them when it has ended, or stop it first."
            )
        )
    shutil.rmtree(folder)
    corrections.forget(folder)
    action_log.record(N_("Deleted a data set"), folder.name)


def _data_sets() -> list[Path]:
    """The data sets below the app's own data folder, the newest first."""
    root = data_dir()
    if not root.is_dir():
        return []
    folders = [f for f in root.iterdir() if f.is_dir() and not f.name.startswith(".")]
    return sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
