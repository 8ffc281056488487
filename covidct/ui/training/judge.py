"""A run judged: figures, confusion matrix, ROC, the slices behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from covidct.data.corrections import told
from covidct.errors import DatasetError, NoUnseenSlices
from covidct.evaluation.comparison import by_slice, disagreed
from covidct.evaluation.results import Review, Reviewed, read_review, roc_points
from covidct.inference.card import read_card
from covidct.inference.learnt import how_many_learnt
from covidct.messages import N_, joined, ngettext
from covidct.reports.words import conversion, learnt_masks
from covidct.training.run_folder import read_settings
from covidct.ui import access
from covidct.ui.evaluation import classes
from covidct.ui.strings import _, literal
from covidct.ui.training import charts, epoch_figures, gallery, promote, words
from covidct.ui.widgets import callout, caption, hint, label

if TYPE_CHECKING:
    from covidct.evaluation.comparison import Comparison

_MISTAKES, _DISAGREE = "mistakes", "disagree"
_OURS, _THEIRS = N_("This run"), N_("Model in use")
_CELLS: dict[str, tuple[bool, bool, str]] = {
    N_("found"): (True, True, N_("COVID-19 slices called Positive")),
    N_("missed"): (True, False, N_("COVID-19 slices called Negative")),
    N_("false alarms"): (False, True, N_("Other slices called Positive")),
    N_("cleared"): (False, False, N_("Other slices called Negative")),
}
_ROWS = {N_("COVID-19"): ("found", "missed"), N_("Other"): ("false alarms", "cleared")}
_MATRIX = [2, 3, 3]


def show(run: Path) -> None:
    """Draw the judgement of a run that left a model."""
    try:
        review = read_review(run)
    except DatasetError as error:
        callout(_("There is nothing to judge yet."), _(error.message), tone="note")
        return
    st.subheader(_("Judge it"), anchor=False)
    number = len(review.slices)
    flatter = N_(
        "{slices} of {patients}. The operating point and, with fine-tuning, the epoch were chosen "
        "on them, so the figures flatter.",
        slices=ngettext("{count:,} validation slice", "{count:,} validation slices", number),
        patients=words.patients(review.figures["patients"]),
    )
    about = read_card(run).about
    learnt = how_many_learnt(review.figures.get("learnt"), number)
    corrected = told(review.figures.get("corrections", {}))
    hint(_(joined(learnt, flatter, learnt_masks(about), conversion(about), corrected)))
    in_use = promote.is_in_use(run)
    held = None if in_use else promote.held_comparison(run)
    comparison = None if isinstance(held, NoUnseenSlices) else held
    beside = st.container()
    figures, curve = st.columns([5, 6], gap="large")
    with figures:
        st.html(promote.figures_table(review.figures, comparison))
        if differs := epoch_figures.why_they_differ(run, review):
            caption(_(differs))
    with curve:
        _roc(review, comparison)
    matrix, slices = st.columns([5, 6], gap="large")
    with matrix:
        chosen = _confusion(run, review, comparison)
    with slices:
        _slices(run, review, comparison, chosen)
    _classes(review, comparison)
    with beside:
        if in_use:
            promote.show_in_use()
        elif comparison:
            promote.show(run, comparison)
        elif isinstance(held, NoUnseenSlices):
            promote.show_incomparable(run, held)
        elif access.may_change():
            promote.compare_now(run)
        else:
            callout(
                _("It has not been compared with the model in use."),
                _("That is done when somebody looks who may use it."),
                tone="note",
            )


def _confusion(run: Path, review: Review, comparison: Comparison | None) -> str:
    """The four cells as buttons; which slices are open."""
    key = f"cell {run.name}"
    chosen = st.session_state.setdefault(key, _MISTAKES)

    def opener(title: str, name: str, slices: int) -> None:
        right = name in _CELLS and _CELLS[name][0] == _CELLS[name][1]
        st.button(
            title,
            key=f"cell {'right' if right else 'wrong'} {name}",
            type="primary" if chosen == name else "secondary",
            width="stretch",
            disabled=not slices,
            on_click=st.session_state.update,
            args=({key: name},),
        )

    label(_("Confusion matrix: press a cell to see its slices"))
    with st.container(key="confusion", gap="xsmall"):
        heads = st.columns(_MATRIX, wrap=False, gap="xsmall")
        for head, title in zip(
            heads[1:], (_("Called Positive"), _("Called Negative")), strict=True
        ):
            head.html(f'<p class="cv-matrix-head">{literal(title)}</p>')
        for title, pair in _ROWS.items():
            side, *places = st.columns(
                _MATRIX, wrap=False, gap="xsmall", vertical_alignment="center"
            )
            side.html(f'<p class="cv-matrix-side">{literal(_(title))}</p>')
            for place, name in zip(places, pair, strict=True):
                slices = len(review.cell(*_CELLS[name][:2]))
                with place:
                    opener(f"**{slices}** {_(name)}", name, slices)
    wrong = len(review.mistakes())
    mistakes = ngettext("{count:,} mistake, worst first", "{count:,} mistakes, worst first", wrong)
    opener(_(mistakes), _MISTAKES, wrong)
    if comparison:
        differ = len(disagreed(review, comparison))
        disputed = ngettext(
            "{count:,} slice on which the models differ",
            "{count:,} slices on which the models differ",
            differ,
        )
        opener(_(disputed), _DISAGREE, differ)
    return chosen


def _roc(review: Review, comparison: Comparison | None) -> None:
    ours, theirs = _(_OURS), _(_THEIRS)
    curves, points = {ours: review.roc()}, {ours: review.at_operating_point()}
    if comparison:
        curves[theirs] = roc_points(
            [one.class_name == "COVID" for one in comparison.slices],
            [one.incumbent_probability for one in comparison.slices],
        )
        figures = comparison.incumbent
        points[theirs] = 1 - figures["specificity"], figures["sensitivity"]
    st.altair_chart(
        charts.roc(curves, points), key="roc", alt=_("ROC curves with the operating points")
    )
    caption(_("Diamonds: the operating points. Dotted: chance."))


def _classes(review: Review, comparison: Comparison | None) -> None:
    """How well each model tells several classes apart, where it does."""
    judged = [("classes", _OURS, review.figures)]
    if comparison:
        judged.append(("classes-of-the-model-in-use", _THEIRS, comparison.incumbent))
    for name, title, figures in judged:
        if told := figures.get("classes"):
            label(_("Classes: {model}", model=title))
            classes.show(told, figures["operating_point"], name)


def _slices(run: Path, review: Review, comparison: Comparison | None, chosen: str) -> None:
    title, slices = _chosen(review, comparison, chosen)
    label(_(title))
    if not slices:
        hint(_("None."))
        return
    data = Path(read_settings(run)["data"])
    gallery.show(
        slices, data, run, f"{run.name} {chosen}", by_slice(comparison) if comparison else {}
    )


def _chosen(
    review: Review, comparison: Comparison | None, chosen: str
) -> tuple[str, Sequence[Reviewed]]:
    if chosen in _CELLS:
        covid, positive, title = _CELLS[chosen]
        return title, review.cell(covid, positive)
    if chosen == _DISAGREE and comparison:
        return N_("Slices on which the two models differ"), disagreed(review, comparison)
    return N_("Mistakes, the most confident first"), review.mistakes()
