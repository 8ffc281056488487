"""The results of one evaluation: headline, operating point, then a tab for each question."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from covidct.data.corrections import told
from covidct.errors import DatasetError
from covidct.evaluation.recipes.cross_validation import cross_validation, label_flips_out_of_fold
from covidct.evaluation.request import read_request
from covidct.evaluation.results import METRICS_FILE, PREDICTIONS_FILE, Review, read_evaluation
from covidct.inference.learnt import how_many_learnt
from covidct.messages import N_, Message, ngettext, number
from covidct.ui.evaluation import (
    audit,
    classes,
    coverage,
    curves,
    groups,
    heat_maps,
    mistakes,
    operating,
    recipes,
    tables,
)
from covidct.ui.strings import _, literal
from covidct.ui.training import words
from covidct.ui.widgets import callout, caption, hint

if TYPE_CHECKING:
    from covidct.evaluation.curves import Curve
    from covidct.evaluation.reliability import Bin
    from covidct.evaluation.request import Request
    from covidct.evaluation.sample import Sample

PART = "part of the results"  # which tab is open

_OWN, _SENSITIVE = N_("The model’s own"), N_("High sensitivity")
_OUT_OF_FOLD = "out-of-fold"
_CAVEATS = {
    "val": N_("If the model was chosen or calibrated on this list, these figures flatter it."),
    _OUT_OF_FOLD: N_(
        "Each slice was judged by a head that had seen no slice of its patient. Settings were "
        "compared on the same folds, so expect somewhat less on new data. Heat maps are those of "
        "the shipped head, which has learnt from all of them."
    ),
}


_SPLITS = {
    "all": N_("all slices"),
    "first-half": N_("the first half"),
    "second-half": N_("the second half"),
    _OUT_OF_FOLD: N_("the slices held out in turn"),
}


class _Measured(NamedTuple):
    """What is computed of an evaluation once a server."""

    review: Review
    sample: Sample
    roc: Curve
    precision_recall: Curve
    bins: tuple[Bin, ...]
    sensitive: float


def show(folder: Path) -> None:
    """Draw everything; the slider redraws only this part of the page."""
    try:
        request = read_request(folder)
        measured = _measure(folder, _stamp(folder))
    except (DatasetError, OSError) as error:
        message = (
            error.message if isinstance(error, DatasetError) else N_("The results are missing.")
        )
        callout(_("These results cannot be shown."), _(message), tone="stop")
        return
    _introduce(measured.review, request)
    _judgement(measured, folder, request)


def _stamp(folder: Path) -> tuple[int, ...]:
    """Changes when the results are written anew."""
    return tuple((folder / name).stat().st_mtime_ns for name in (METRICS_FILE, PREDICTIONS_FILE))


@st.cache_resource(show_spinner=False, max_entries=4)
def _measure(folder: Path, stamp: tuple[int, ...]) -> _Measured:
    from covidct.evaluation.curves import precision_recall, roc  # scikit-learn: a second
    from covidct.evaluation.operating_point import sensitive_threshold
    from covidct.evaluation.reliability import reliability
    from covidct.evaluation.sample import sample_of

    review = read_evaluation(folder)
    sample = sample_of(review.slices)
    return _Measured(
        review,
        sample,
        roc(sample),
        precision_recall(sample),
        reliability(sample),
        sensitive_threshold(sample),
    )


def _introduce(review: Review, request: Request) -> None:
    """What was judged by what, and what to keep in mind."""
    figures = review.figures
    listed = N_("the {split} list", split=request.split)
    split = _SPLITS.get(request.split, listed)
    hint(
        _(
            "{model_id} on {split} of {data}: {slices} of {patients}",
            model_id=figures["model_id"],
            split=split,
            data=request.data.name,
            slices=words.slices(len(review.slices)),
            patients=words.patients(figures["patients"]),
        )
    )
    learnt = figures.get("learnt")
    if request.split != _OUT_OF_FOLD:
        said = _(how_many_learnt(learnt, len(review.slices)))
        if learnt == 0:
            hint(said)
        else:
            callout(said, tone="caution")
    if caveat := _CAVEATS.get(request.split):
        callout(_(caveat), tone="caution")
    if corrected := told(figures.get("corrections", {})):
        hint(_(corrected))
    if skipped := figures.get("skipped"):
        left_out = ngettext("{count:,} file left out", "{count:,} files left out", len(skipped))
        with st.expander(_(left_out)):
            for one in skipped:
                caption(_("{file}: {reason}", file=one["file"], reason=Message(one["reason"])))


@st.fragment
def _judgement(measured: _Measured, folder: Path, request: Request) -> None:
    """Figures and slider, and the one tab that is open; the others are not computed."""
    review = measured.review
    _headline(measured)
    presets: dict[str, float] = {_OWN: review.operating_point, _SENSITIVE: measured.sensitive}
    threshold = operating.choose(presets, f"operating point {folder}")
    compared = cross_validation(request.model)
    model_id = review.figures["model_id"]
    parts: dict[str, Callable[[], None]] = {
        N_("Figures"): lambda: _figures(measured, threshold),
        N_("Worst mistakes"): lambda: mistakes.show(
            review.at(threshold).mistakes(), request, model_id
        ),
        N_("Where it works"): lambda: groups.show(review.slices, measured.sample, threshold),
        N_("Calibration"): lambda: _calibration(measured),
        N_("What it goes by"): lambda: _audit(folder, request),
        N_("Heat maps"): lambda: heat_maps.show(folder, request.model, model_id),
    }
    if "classes" in review.figures and review.slices[0].classes:
        parts[N_("Classes")] = lambda: _classes(review, threshold)
    if compared:
        parts[N_("Recipes")] = lambda: recipes.show(compared)
    tabs = st.tabs([_(title) for title in parts], key=PART, on_change="rerun")
    for tab, show_part in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                show_part()


def _figures(measured: _Measured, threshold: float) -> None:
    from covidct.evaluation.operating_point import rates_at

    sample = measured.sample
    prevalence = float(sample.labels.mean())
    rates = rates_at(sample, threshold)
    operating.show(rates, threshold, prevalence)
    curves.show_ranking(measured.roc, measured.precision_recall, rates, prevalence)
    hint(_("Point at a chart to save it as a picture; the button below it saves its numbers."))


def _classes(review: Review, threshold: float) -> None:
    from covidct.evaluation.classes import class_verdicts_of, confusion

    told = class_verdicts_of(review.at(threshold).slices)
    assert told  # as when they were recorded
    classes.show(review.figures["classes"] | {"confusion": confusion(told).tolist()}, threshold)


def _calibration(measured: _Measured) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        error = measured.review.figures["expected_calibration_error"]
        curves.show_reliability(measured.bins, error)
    with right:
        coverage.show(measured.review, measured.sample)


def _audit(folder: Path, request: Request) -> None:
    audit.show(folder, request)
    if turned := label_flips_out_of_fold(request.model):
        audit.show_out_of_fold(turned)


def _headline(measured: _Measured) -> None:
    """The figures that depend on no operating point."""
    error = measured.review.figures["expected_calibration_error"]
    tiles = (
        (_("ROC AUC"), tables.area(measured.roc.area), _("1 is perfect, 0.5 is chance")),
        (
            _("Average precision"),
            tables.area(measured.precision_recall.area),
            _("chance: {prevalence:.2f}", prevalence=measured.sample.labels.mean()),
        ),
        (
            _("Calibration error"),
            _(number(error, ".3f")),
            _("mean gap between probability and frequency"),
        ),
    )
    body = "".join(
        f"<div><dt>{literal(title)}</dt><dd>{figure}</dd><dd>{literal(note)}</dd></div>"
        for title, figure, note in tiles
    )
    st.html(f'<dl class="cv-tiles">{body}</dl>')
