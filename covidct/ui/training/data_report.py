"""Step 2 of a new run: what is in the data, and what has to be settled before it is learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from covidct.data.classes import class_title
from covidct.data.corrections import read_corrections
from covidct.errors import CovidCTError
from covidct.imaging.anatomy.thorax_crop import chest_grid
from covidct.messages import N_, ngettext
from covidct.ui.strings import _, literal
from covidct.ui.training import findings, preview, words
from covidct.ui.training.findings import Finding
from covidct.ui.widgets import callout, caption, counted, picture

if TYPE_CHECKING:
    from covidct.data.check import DataReport
    from covidct.data.index import Item

_MARKS = {findings.GOOD: "✓", findings.NOTE: "i", findings.BAD: "!"}
_SPOKEN = {
    findings.GOOD: N_("Good"),
    findings.NOTE: N_("Worth knowing"),
    findings.BAD: N_("To be settled"),
}
_LOOKING = N_("Looking at slice {number:,} of {slices:,}")
_SAMPLE_SIDE = 160
_HELD = 8


def require(
    data: Path, validation_share: float, seed: int, official_lists: bool
) -> DataReport | None:
    """The report on a data set, made at most once a server; None where it is no data set."""
    from covidct.data.check import check_dataset  # scikit-learn: a second

    held, place = _held(), st.empty()
    try:
        key = data, validation_share, seed, official_lists, _stamp(data), read_corrections(data)
        if key not in held:
            report = check_dataset(
                data,
                validation_share,
                seed,
                lambda items: counted(items, place, _LOOKING),
                official_lists=official_lists,
            )
            place.empty()
            while len(held) >= _HELD:
                held.pop(next(iter(held)))
            held[key] = report
    except CovidCTError as error:
        callout(_("This data set cannot be used."), _(error.message), tone="stop")
        return None
    return held[key]


@st.cache_resource(show_spinner=False)
def _held() -> dict[tuple, DataReport]:
    return {}


def _stamp(data: Path) -> tuple[int, ...]:
    """Changes when files are added to or taken from a data set."""
    folders = (data, *sorted(f for f in data.glob("*") if f.is_dir()), *data.glob("*/CT_*"))
    return tuple(folder.stat().st_mtime_ns for folder in folders)


def show(report: DataReport) -> None:
    """Counts, samples and findings."""
    left, right = st.columns([5, 6], gap="large")
    with left:
        _counts(report)
        lines = "".join(map(_line, findings.findings(report)))
        st.html(f'<ul class="cv-findings">{lines}</ul>')
    with right:
        for name in dict.fromkeys(item.class_name for item in report.samples):
            _samples(_(class_title(name)), [i for i in report.samples if i.class_name == name])


def ask_for_exclusions(data: Path, report: DataReport) -> tuple[str, ...] | None:
    """The slices to leave out; None while the user has not agreed to what must be."""
    if not findings.blocks_start(report):
        return ()
    leave_out = ngettext(
        "Leave out {count:,} slice and go on",
        "Leave out {count:,} slices and go on",
        len(report.exclusions),
    )
    agreed = st.checkbox(
        _(leave_out),
        key=f"exclude {data}",
        help=_(
            "From training where a picture or patient is also in validation; from both where the "
            "same picture has two labels."
        ),
        persist_state="session",
    )
    caption(_("To be left out: {names}", names=words.shortened(report.exclusions)))
    return report.exclusions if agreed else None


def _counts(report: DataReport) -> None:
    splits, rows = findings.table(report)
    head = "".join(f"<th>{literal(_(split).capitalize())}</th>" for split in splits)
    body = "".join(
        f"<tr><th>{literal(_(class_title(name)))}</th>"
        + "".join(f"<td>{literal(_(cells[split]))}</td>" for split in splits)
        + "</tr>"
        for name, cells in rows
    )
    st.html(
        f'<table class="cv-table"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _line(finding: Finding) -> str:
    mark = (
        f'<span class="cv-mark" role="img" aria-label="{literal(_(_SPOKEN[finding.tone]))}">'
        f"{_MARKS[finding.tone]}</span>"
    )
    title = literal(_(finding.title))
    if not finding.details:
        return f'<li class="cv-{finding.tone}">{mark}<span>{title}</span></li>'
    details = "".join(f"<li>{literal(_(line))}</li>" for line in finding.details)
    return (
        f'<li class="cv-{finding.tone}">{mark}<details><summary>{title}</summary>'
        f"<ul>{details}</ul></details></li>"
    )


def _samples(title: str, items: list[Item]) -> None:
    thumbnails = _thumbnails(tuple(item.path for item in items))
    if thumbnails:
        picture(
            preview.montage([thumbnails], _SAMPLE_SIDE),
            _("Slices of the class {title}", title=title),
        )
        caption(_("{title}: some of its slices, cropped as the network sees them", title=title))


@st.cache_data(show_spinner=False, max_entries=16)
def _thumbnails(paths: tuple[Path, ...]) -> list[np.ndarray]:
    return preview.crops_of_files(paths, chest_grid(_SAMPLE_SIDE), len(paths))
