"""The audit: what the model goes by apart from anatomy, and what it learnt from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from covidct.evaluation.audit.data_learnt import DataLearnt, read_data_learnt
from covidct.evaluation.audit.text import flattered, meaning
from covidct.evaluation.results import AUDIT_FILE
from covidct.files import MALFORMED
from covidct.messages import N_
from covidct.ui.evaluation import audit_tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.strings import _, literal
from covidct.ui.widgets import callout, caption, hint

if TYPE_CHECKING:
    from covidct.evaluation.request import Request

_PARTS = {
    "forests": (
        audit_tables.forests,
        N_("What tells the classes apart without anatomy"),
        N_(
            "0.5 is chance. What a simple method can tell from the file, a network can learn too, "
            "unless it never gets to see it."
        ),
    ),
    "anatomy": (
        audit_tables.anatomy,
        N_("What the network does when anatomy is occluded"),
        N_(
            "Without the lungs a network that judges by them is at a loss, near 0.5. Slices "
            "without lungs are left out."
        ),
    ),
    "painted": (
        audit_tables.painted,
        N_("Whether Positive verdicts hang on opacities"),
        N_(
            "Lung tissue is painted over the opacities of slices called Positive, as people drew "
            "them or as the program found them, and over as much other lung. A network that judges "
            "by opacities lets go of them, and other lung makes no difference."
        ),
    ),
    "flips": (
        audit_tables.flips,
        N_("What turns verdicts over that must not matter"),
        N_(
            "The same slice, stored or sized otherwise, should get the same verdict. Where nearly "
            "all turn to Positive, the change makes slices look more like COVID-19. Those with no "
            "“Uncertain” before or after came without any warning."
        ),
    ),
    "told_apart": (
        audit_tables.told_apart,
        N_("What tells the source of a slice"),
        N_(
            "The mean over sources of the share of their slices that is named, patients kept "
            "apart. A source of one class tells the class."
        ),
    ),
}
_NOT_IN_ALL = ("painted", "told_apart")  # audits; those of before had neither

_OUT_OF_FOLD = (
    N_("What turns verdicts over in cross-validation"),
    N_(
        "Some of the changes, asked of heads that had seen no slice of the patient: an audit of "
        "slices that a model learnt from speaks too well of it. What JPEG, size and contrast do "
        "was also learnt, of other patients; how shift and gamma alter a file was not."
    ),
)


_NOT_ASKED = N_("The model is not asked: a forest judges patients that it has not seen.")
_NOT_SEEN = N_("The head that judged a slice had learnt from no slice of its patient.")


def show(folder: Path, request: Request) -> None:
    """The tables of the audit in the folder of an evaluation that was asked for so."""
    learnt = read_data_learnt(request.model)
    try:
        audit = json.loads((folder / AUDIT_FILE).read_text(encoding="utf-8"))
        audit["sets"] = _of_sets(audit, learnt, request)
        drawn = [
            (table(audit), *texts, _of_part(part, audit, learnt, request))
            for part, (table, *texts) in _PARTS.items()
            if part in audit or part not in _NOT_IN_ALL
        ]
        told = audit.get("told_apart")
        meant = _(meaning(told["rows"])) if told else ""
    except FileNotFoundError:
        hint(_("There is no audit of this model on these slices."))
        return
    except (OSError, *MALFORMED):
        callout(_("The audit cannot be read."), tone="caution")
        return
    with st.container(key="audit"):
        if too_well := flattered(audit):
            caption(_(too_well))
        for part in drawn:
            _show_part(*part)
        if meant:
            caption(meant)
    offer_csv(_("Audit as CSV"), "audit", lambda: audit_tables.as_csv(audit))


def show_out_of_fold(rows: Sequence[Mapping[str, Any]]) -> None:
    """What of a model's cross-validation is like the flips of an audit."""
    flips = {"flips": rows}
    _show_part(audit_tables.flips(flips), *_OUT_OF_FOLD, _NOT_SEEN)
    offer_csv(
        _("Flips out of fold as CSV"), "flips-out-of-fold", lambda: audit_tables.as_csv(flips)
    )


def _of_part(part: str, audit: Mapping[str, Any], learnt: DataLearnt, request: Request) -> str:
    """What the model learnt from of the slices that a table is about; empty where rows say it."""
    match part:
        case "forests":
            return _NOT_ASKED
        case "painted":
            return ""
        case "told_apart":
            return learnt.said_of_all(str(one["source"]) for one in audit[part]["sources"])
        case _:
            split = str(audit.get("split", request.split))
            return learnt.said_of_split(request.data.name, split)


def _of_sets(audit: Mapping[str, Any], learnt: DataLearnt, request: Request) -> dict[str, str]:
    """The same of each set that is painted on; one that nobody drew on is the request's."""
    return {
        row["of"]: learnt.said_of(row["of"] if row["drawn"] else request.data.name)
        for row in audit.get("painted", ())
    }


def _show_part(table: str, title: str, explanation: str, about: str) -> None:
    with st.expander(_(title)):
        said = f'<p class="cv-learnt">{literal(_(about))}</p>' if about else ""
        st.html(said + table)
        caption(_(explanation))
