"""What there is to know about a model: a few lines first, the rest folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from covidct.messages import N_
from covidct.reports.words import uncertain_from_to, whose
from covidct.ui import languages, strings
from covidct.ui.strings import _, literal, percent
from covidct.ui.widgets import caption

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard

_MEASURED = {
    "out_of_fold": N_("{slices:,} slices of {patients:,} patients not seen, by cross-validation"),
    "validation": N_("{slices:,} validation slices of {patients:,} patients"),
}
_FIGURES = {
    "roc_auc": N_("ROC AUC"),
    "sensitivity": N_("Sensitivity"),
    "specificity": N_("Specificity"),
}
_FOLDED = {
    "limits": N_("Limits"),
    "not_known": N_("Not known"),
    "study_design": N_("Study design"),
    "data": N_("Data"),
    "ground_truth": N_("Ground truth"),
    "data_partitions": N_("Partitions"),
    "model": N_("Network"),
    "training": N_("Training"),
    "licences": N_("Licences"),
}
_INCOMPLETE = (AttributeError, KeyError, TypeError, ValueError, IndexError)


def show(card: ModelCard) -> None:
    """The model's name and, on demand, what its card says to a person."""
    model = _("Model {model_id}", model_id=card.model_id)
    st.html(f'<p class="cv-footer">{literal(model)}</p>')
    with st.expander(_("About this model"), type="compact"):
        rows = (
            f"<dt>{literal(_(term))}</dt><dd>{literal(said)}</dd>" for term, said in _lines(card)
        )
        folded = "".join(
            f"<details><summary>{literal(_(title))}</summary>"
            f'<div lang="en">{_prose(card.about[name])}</div></details>'
            for name, title in _FOLDED.items()
            if card.about.get(name)
        )
        st.html(f'<div class="cv-card"><dl>{"".join(rows)}</dl></div>')
        if not folded:
            return
        if languages.current().name != languages.ENGLISH:
            caption(_("What is folded here comes from the model’s card, which is in English."))
        st.html(f'<div class="cv-card">{folded}</div>')


def _lines(card: ModelCard) -> Iterator[tuple[str, str]]:
    """Those for which the card has what they need: its texts are whoever's who wrote it."""
    ways: tuple[Callable[[ModelCard], Iterator[tuple[str, str]]], ...] = (
        _use,
        _origin,
        _figures,
        _elsewhere,
        _limits,
    )
    for way in ways:
        try:
            yield from list(way(card))
        except _INCOMPLETE:
            continue


def _use(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield N_("For what"), _(str(card.about.get("intended_use") or strings.INTENDED_USE))
    point = percent(card.calibration.operating_point)
    band = _(uncertain_from_to(card.calibration.abstain_band))
    yield (
        N_("Operating point"),
        _("Positive from {operating_point}. {uncertain}.", operating_point=point, uncertain=band),
    )


def _origin(card: ModelCard) -> Iterator[tuple[str, str]]:
    if said := whose(card):
        yield N_("Whose"), _(said)
    learnt = [counts for name, counts in card.about["slices"].items() if name != "validation"]
    total = {name: sum(one[name] for one in learnt) for name in ("COVID", "NonCOVID", "patients")}
    yield (
        N_("Learnt from"),
        _(
            "{ill:,} slices with COVID-19 and {others:,} others, of {patients:,} patients",
            ill=total["COVID"],
            others=total["NonCOVID"],
            patients=total["patients"],
        ),
    )


def _figures(card: ModelCard) -> Iterator[tuple[str, str]]:
    """How good it is on patients that it did not see, with intervals."""
    name = "out_of_fold" if "out_of_fold" in card.about else "validation"
    measured = card.about[name]
    where = _(_MEASURED[name], slices=measured["n"], patients=measured["patients"])
    yield N_("Measured on"), where
    for figure, title in _FIGURES.items():
        yield title, _with_interval(measured, figure)


def _elsewhere(card: ModelCard) -> Iterator[tuple[str, str]]:
    sources = card.about["out_of_fold"]["out_of_source"]
    source = [row for row in sources if "roc_auc" in row][0]  # noqa: RUF015 - may be missing
    figure = _with_interval(source, "roc_auc")
    said = _("ROC AUC {figure} on {source}, left out whole", figure=figure, source=source["source"])
    yield N_("At a hospital never seen"), said


def _limits(_card: ModelCard) -> Iterator[tuple[str, str]]:
    yield N_("Limits"), _(strings.LIMITS)


def _with_interval(figures: Mapping[str, Any], name: str) -> str:
    low, high = figures[f"{name}_ci95"]
    return _(
        "{value:.2f} (95% interval {low:.2f} to {high:.2f})",
        value=float(figures[name]),
        low=float(low),
        high=float(high),
    )


def _prose(said: object) -> str:
    """A text, or several, as paragraphs."""
    match said:
        case dict():
            texts = [f"{name.replace('_', ' ')}: {text}" for name, text in said.items()]
        case list():
            texts = [str(text) for text in said]
        case _:
            texts = [str(said)]
    return "".join(f"<p>{literal(text)}</p>" for text in texts)
