"""A run beside the model in use on the same slices, and the step from one to the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from covidct.errors import CovidCTError, ModelError, NoUnseenSlices
from covidct.files import MALFORMED
from covidct.inference import promotion
from covidct.inference.card import CARD_FILE
from covidct.messages import N_, ngettext
from covidct.reports.words import overlaps
from covidct.ui import access
from covidct.ui.shared import frame
from covidct.ui.shared.attempts import attempt, show_refusal
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal
from covidct.ui.training import words
from covidct.ui.widgets import callout, counted, hint

if TYPE_CHECKING:
    from covidct.evaluation.comparison import Comparison

_HELD = 16
_COMPARING = N_("Comparing with the model in use: slice {number:,} of {slices:,}")


def held_comparison(run: Path) -> Comparison | NoUnseenSlices | None:
    """The comparison with the model in use, or why there can be none, once that was found out in
    this server."""
    return _held().get(_key(run))


def compare_now(run: Path) -> None:
    """Compare, showing how far it is, and draw the page again; say so where it cannot be done."""
    place = st.empty()
    try:
        with place, st.spinner(_("Comparing with the model in use…")):
            from covidct.evaluation.compare import compare

        comparison: Comparison | NoUnseenSlices
        comparison = compare(run, progress=lambda items: counted(items, place, _COMPARING))
    except NoUnseenSlices as error:
        comparison = NoUnseenSlices(error.message)  # without what it was raised over
    except CovidCTError as error:
        with place.container():
            show_incomparable(run, error)
        return
    held = _held()
    while len(held) >= _HELD:
        held.pop(next(iter(held)))
    held[_key(run)] = comparison
    st.rerun()


@st.cache_resource(show_spinner=False)
def _held() -> dict[tuple, Comparison | NoUnseenSlices]:
    return {}


def _key(run: Path) -> tuple:
    return run, (run / CARD_FILE).stat().st_mtime_ns, promotion.current_model()


def is_in_use(run: Path) -> bool:
    """Whether the run's model is the one that judges on the Diagnose page."""
    return _hash(run) == _hash(promotion.current_model())


def _hash(folder: Path) -> str:
    try:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        return str(card["sha256"])
    except (OSError, *MALFORMED) as error:
        raise ModelError(
            N_("The card of the model in {folder} cannot be read.", folder=folder.name)
        ) from error


def show_in_use() -> None:
    """Say that this model is in use, and offer the way back."""
    said, action = st.columns([3, 2], gap="large", vertical_alignment="center")
    with said:
        callout(_("This model is in use: it judges every slice on the Diagnose page."), tone="note")
    with action:
        roll_back()
        show_refusal()


def show(run: Path, comparison: Comparison) -> None:
    """The verdict of the comparison, and what can be done about it."""
    verdict, action = st.columns([3, 2], gap="large", vertical_alignment="center")
    with verdict:
        low, high = comparison.auc_difference_ci95
        callout(
            _(comparison.verdict),
            _(
                "Difference in AUC {difference:+.3f}, 95 % interval {low:+.3f} to {high:+.3f} by a "
                "paired bootstrap over patients.",
                difference=comparison.auc_difference,
                low=low,
                high=high,
            ),
            tone="caution" if comparison.is_worse else "note",
        )
        if comparison.left_out:
            hint(_left_out(comparison))
        elif comparison.incumbent["learnt"] is None:
            hint(
                _(
                    "Which slices the model in use learnt from is not known: where these are among "
                    "them, the comparison flatters it."
                )
            )
        if comparison.masks:
            hint(_(overlaps(**comparison.masks)))
    with action:
        if not comparison.is_worse:
            _promote_button(on_click=attempt, args=(promotion.promote, run))
        elif _promote_button():
            _confirm(run, comparison.verdict)
        show_refusal()


def _left_out(comparison: Comparison) -> str:
    left_out = ngettext(
        "{count:,} validation slice is left out here: one of the models learnt from it, or from "
        "nearly the same picture.",
        "{count:,} validation slices are left out here: one of the models learnt from them, or "
        "from nearly the same pictures.",
        comparison.left_out,
    )
    return _(left_out)


def roll_back() -> None:
    """A button that puts the model back that was in use before."""
    st.button(
        _("Roll back"),
        icon=":material/undo:",
        width="stretch",
        disabled=not access.may_change()
        or not promotion.history()
        or promotion.current_model().parent == promotion.SHIPPED_DIR,
        help=_("Puts the model back that was in use before."),
        on_click=attempt,
        args=(promotion.rollback,),
    )


def _promote_button(on_click: Callable | None = None, args: tuple = ()) -> bool:
    return st.button(
        _("Use this model"),
        type="primary",
        icon=":material/check_circle:",
        width="stretch",
        help=_("It judges on the Diagnose page from the next slice on. One press rolls back."),
        disabled=not access.may_change(),
        on_click=on_click,
        args=args,
    )


def show_incomparable(run: Path, error: CovidCTError) -> None:
    """Why nobody knows which model is better; once that is confirmed, it can be used."""
    callout(_("It cannot be compared with the model in use."), _(error.message), tone="caution")
    if _promote_button():
        _confirm(run, N_("It could not be compared with the model in use, so nobody knows."))


def _confirm(run: Path, why: str) -> None:
    st.dialog(_("Use a model that is not better?"))(_ask)(run, why)


def _ask(run: Path, why: str) -> None:
    frame.carry_theme_into_dialog()
    st.html(f"<p>{literal(_(why))}</p>")
    keep, use = st.columns(2)
    kept = keep.button(_("Keep the model in use"), type="primary", width="stretch")
    used = use.button(
        _("Use it nevertheless"),
        width="stretch",
        on_click=attempt,
        args=(promotion.promote, run),
    )
    if kept or used:
        st.rerun()


def figures_table(figures: Mapping[str, Any], comparison: Comparison | None) -> str:
    """The run's figures, and those of the model in use where they are known, as HTML."""
    other = comparison.incumbent if comparison else None
    columns = [figures, other] if other else [figures]
    names = [_("This run"), _("Model in use")][: len(columns)]
    rows = [
        [literal(_(title)), *(words.figure(column, name) for column in columns)]
        for name, title in words.FIGURES.items()
    ]
    return table((_("Metric"), *names), rows)
