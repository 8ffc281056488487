"""The results of one evaluation, from the headline figures to the worst mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from covidct.errors import DatasetError
from covidct.evaluation.recipes.cross_validation import cross_validation, label_flips_out_of_fold
from covidct.evaluation.request import read_request
from covidct.evaluation.results import METRICS_FILE, PREDICTIONS_FILE, Review, read_evaluation
from covidct.inference.learnt import how_many_learnt
from covidct.messages import N_, Message, ngettext, number
from covidct.ui.evaluation import (
    audit,
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
    if skipped := figures.get("skipped"):
        left_out = ngettext("{count:,} file left out", "{count:,} files left out", len(skipped))
        with st.expander(_(left_out)):
            for one in skipped:
                caption(_("{file}: {reason}", file=one["file"], reason=Message(one["reason"])))


@st.fragment
def _judgement(measured: _Measured, folder: Path, request: Request) -> None:
    from covidct.evaluation.operating_point import rates_at

    review, sample = measured.review, measured.sample
    prevalence = float(sample.labels.mean())
    _headline(measured)
    hint(_("Point at a chart to save it as a picture; the button below it saves its numbers."))
    _heading(_("Operating point"))
    presets: dict[str, float] = {_OWN: review.operating_point, _SENSITIVE: measured.sensitive}
    threshold = operating.choose(presets, f"operating point {folder}")
    rates = rates_at(sample, threshold)
    curves.show_ranking(measured.roc, measured.precision_recall, rates, prevalence)
    operating.show(rates, threshold, prevalence)
    _heading(_("Can the probability be believed?"))
    left, right = st.columns(2, gap="large")
    with left:
        curves.show_reliability(measured.bins, review.figures["expected_calibration_error"])
    with right:
        coverage.show(review, sample)
    _heading(_("Where it works"))
    groups.show(review.slices, sample, threshold)
    _heading(_("What it goes by"))
    audit.show(folder)
    if turned := label_flips_out_of_fold(request.model):
        audit.show_out_of_fold(turned)
    _heading(_("Can the heat maps be trusted?"))
    heat_maps.show(folder, request.model, review.figures["model_id"])
    if compared := cross_validation(request.model):
        _heading(_("Recipes compared by cross-validation"))
        recipes.show(compared)
    _heading(_("Worst mistakes"))
    mistakes.show(review.at(threshold).mistakes(), request, review.figures["model_id"])


def _heading(title: str) -> None:
    st.html(f'<h2 class="cv-heading">{literal(title)}</h2>')


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
