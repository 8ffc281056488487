"""The view of opacities: how well they are found, severity of patients, the worst slices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from covidct.files import MALFORMED
from covidct.home import opacities_dir
from covidct.imaging.anatomy.segmentation import FOLDER
from covidct.ui.evaluation import charts, opacity_tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.strings import _, literal
from covidct.ui.widgets import callout, caption, hint


def show() -> None:
    """Draw the view."""
    hint(
        _(
            "Lungs and opacities are found by a small network of their own. Here it is held "
            "against masks that people drew, as “python -m covidct train-opacities” and “severity” "
            "measured it."
        )
    )
    _heading(_("Lungs and opacities, out of patient"))
    try:
        _show_measures()
        _heading(_("Severity of whole patients"))
        _show_severity()
    except (OSError, *MALFORMED):
        callout(_("The measurement of the opacities cannot be read."), tone="caution")
    _heading(_("Worst slices"))
    _show_sheets()


def _show_measures() -> None:
    # Imported here: scikit-learn takes a second
    from covidct.evaluation.opacities.cross_validation import FIGURES_FILE
    from covidct.evaluation.opacities.severity import agreement

    figures = _read(FOLDER / FIGURES_FILE)
    if figures is None:
        hint(_("There are no figures beside the network."))
        return
    st.html(opacity_tables.by_source(figures))
    caption(
        _(
            "Each patient was judged by a network that had not seen the patient ({folds} folds). "
            "Dice, distance (in 256ths of the figure) and error of the share are means over "
            "patients with opacities. A slice is called opaque from 1 % of the lungs on.",
            folds=figures["folds"],
        )
    )
    offer_csv(
        _("Opacities by source as CSV"),
        "opacities-by-source",
        lambda: opacity_tables.by_source_csv(figures),
    )
    rows = figures["by_patient"]
    if rows:
        about = _(opacity_tables.agreement(agreement(rows, "share")))
        chart = charts.agreement(rows, "share", about)
        left, _right = st.columns(2, gap="large")
        left.altair_chart(chart, key="share of patients, unseen", alt=about)
        caption(_("Slices on which opacities were drawn; a point a patient, out of patient."))


def _show_severity() -> None:
    from covidct.evaluation.opacities.severity import SEVERITY_FILE

    figures = _read(FOLDER / SEVERITY_FILE)
    if figures is None:
        hint(_("Severity has not been measured: “python -m covidct severity” does it."))
        return
    rows = figures["patients"]
    for column, name in zip(st.columns(2, gap="large"), ("share", "severity"), strict=True):
        about = _(opacity_tables.agreement(figures[name]))
        with column:
            st.altair_chart(
                charts.agreement(rows, name, about), key=f"{name} of patients", alt=about
            )
    caption(_(opacity_tables.errors(figures)))
    if figures["out_of_patient"]:
        caption(_("Each patient was judged by a network that had not seen the patient."))
    else:
        callout(
            _("The network has learnt from these very patients."),
            _("So the agreement flatters it; new patients will agree less."),
            tone="caution",
        )
    offer_csv(
        _("Severity of patients as CSV"),
        "severity-of-patients",
        lambda: opacity_tables.patients_csv(rows),
    )


def _show_sheets() -> None:
    from covidct.evaluation.opacities.sheets import SHEETS_FOLDER, TITLES, list_sheets

    networks = sorted(folder.parent for folder in opacities_dir().glob(f"*/{SHEETS_FOLDER}"))
    if not networks:
        hint(
            _(
                "Contact sheets show slices of data sets, so none are shipped. Run “python -m "
                "covidct train-opacities --masks … --out {folder}” to make them.",
                folder=opacities_dir() / "name",
            )
        )
        return
    left, right = st.columns(2, vertical_alignment="bottom")
    network = left.selectbox(_("Network"), networks, format_func=lambda folder: folder.name)
    kind = right.segmented_control(
        _("Sheets"),
        list(TITLES),
        format_func=lambda name: _(TITLES[name]),
        default=next(iter(TITLES)),
        required=True,
        width="stretch",
    )
    sheets = list_sheets(network / SHEETS_FOLDER, kind)
    if not sheets:
        hint(_("There is no such slice."))
        return
    place = st.container()
    page = st.pagination(len(sheets), key=f"sheets {network.name} {kind}") if sheets[1:] else 1
    with place:
        _show_sheet(sheets[page - 1], kind)


def _show_sheet(file: Path, kind: str) -> None:
    from covidct.evaluation.opacities.sheets import TITLES

    st.image(file.read_bytes(), width="stretch", output_format="PNG", alt=_(TITLES[kind]))
    caption(
        _(
            "Out of patient, the worst first. Orange: as drawn by people. Blue: as found. Shares "
            "are of the lungs."
        )
    )


def _read(file: Path) -> Mapping[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _heading(title: str) -> None:
    st.html(f'<h2 class="cv-heading">{literal(title)}</h2>')
