"""Slices behind a data report, with their labels to correct, and slices to label next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from covidct.data import corrections
from covidct.data.corrections import Correction, read_corrections
from covidct.data.index import UNLABELLED_FOLDER, read_index
from covidct.errors import CovidCTError
from covidct.imaging.readers import read_slice
from covidct.inference.promotion import current_model
from covidct.messages import N_, Message, ngettext
from covidct.terminal import visible
from covidct.ui import access
from covidct.ui.shared import frame, network
from covidct.ui.shared.attempts import attempt, show_refusal
from covidct.ui.strings import _, literal, percent
from covidct.ui.training import correct, gallery
from covidct.ui.widgets import callout, caption, counted, download, hint, label, picture

if TYPE_CHECKING:
    from covidct.data.check import DataReport
    from covidct.data.index import Item
    from covidct.evaluation.most_useful import Suggestion

_PAGE, _CARD, _LARGEST = 12, 190, 1024
_JUDGING = N_("Asking the model about slice {number:,} of {slices:,}")
_TITLES = {
    "contradictions": N_("Under two labels ({slices:,})"),
    "leaks": N_("In leaks ({slices:,})"),
    "copies": N_("Copies ({slices:,})"),
    "no lungs": N_("Perhaps no lung slice ({slices:,})"),
    "corrected": N_("Corrected ({slices:,})"),
    "unlabelled": N_("Most useful to label next ({slices:,})"),
    "all": N_("All with a label ({slices:,})"),
}


@dataclass(frozen=True, slots=True)
class _Card:
    """A slice to show.

    Attributes:
        path: the file.
        line: what is said below it.
        correction: the one to tell of.
    """

    path: Path
    line: str = ""
    correction: Correction | None = None


def show(data: Path, report: DataReport | None) -> None:
    """Draw the choice of which slices to look at, and those that were chosen.

    Args:
        data: the data set folder.
        report: on it; None where the check refused it, as one without labels, and said why.
    """
    try:
        checked = read_corrections(data)
        numbers = {"corrected": len(checked), **_numbers(data, report)}
    except CovidCTError:
        return
    _draw(data, report, checked, numbers)


@st.fragment
def _draw(
    data: Path,
    report: DataReport | None,
    checked: tuple[Correction, ...],
    numbers: dict[str, int],
) -> None:
    """The list by itself, so that a correction does not check the whole data set again.

    Args:
        data: the data set folder.
        report: on it.
        checked: the corrections that were in force for that report.
        numbers: how many slices there are to choose from, by kind.
    """
    label(_("Look at slices, correct their labels"))
    kind = st.pills(
        _("Which slices"),
        [kind for kind, slices in numbers.items() if slices],
        format_func=lambda kind: _(Message(_TITLES[kind], slices=numbers[kind])),
        key=visible(f"labels of {data}"),
        label_visibility="collapsed",
    )
    show_refusal()
    in_force = read_corrections(data)
    if in_force != checked:
        _offer_check()
    if kind:
        correct.explain(data)
        cards = _cards(kind, data, report, checked)
        _gallery(cards, data, visible(f"{data} {kind}"))
    if in_force:
        _offer_table(data, in_force)


def _numbers(data: Path, report: DataReport | None) -> dict[str, int]:
    if report is None:
        index = read_index(data)
        return {"unlabelled": len(index.unlabelled), "all": len(index.items)}
    return {
        **{kind: len(_members(groups)) for kind, groups in _groups(report).items()},
        "no lungs": len(report.outside_use),
        "unlabelled": report.unlabelled,
        "all": sum(entry.slices for entry in report.counts),
    }


def _groups(report: DataReport | None) -> dict[str, Sequence[Sequence[Item]]]:
    """Slices that a finding puts side by side."""
    if report is None:
        return {}
    return {
        "contradictions": report.contradictions,
        "leaks": [leak.items for leak in report.leaks],
        "copies": [*report.duplicates, *report.near_duplicates],
    }


def _members(groups: Iterable[Sequence[Item]]) -> list[Path]:
    """The slices of groups, each once, side by side with those of its group."""
    return list(dict.fromkeys(item.path for group in groups for item in group))


def _cards(
    kind: str, data: Path, report: DataReport | None, checked: tuple[Correction, ...]
) -> Sequence[_Card]:
    if groups := _groups(report).get(kind):
        return [_Card(path) for path in _members(groups)]
    if kind == "no lungs" and report:
        return [_Card(skipped.path, _(skipped.reason)) for skipped in report.outside_use]
    index = read_index(data, corrections=checked)
    if kind == "corrected":
        return [_Card(one.path, correction=one.correction) for one in index.corrected]
    if kind == "unlabelled":
        return _most_useful(data, index.unlabelled)
    return [_Card(item.path) for item in index.items]


def _gallery(cards: Sequence[_Card], data: Path, key: str) -> None:
    pages = -(-len(cards) // _PAGE)
    page = st.pagination(pages, key=f"{key} of {pages}") if pages > 1 else 1
    opened = None
    if not cards:
        hint(_("None."))
    with st.container(horizontal=True, gap="medium", key="labels"):
        for card in cards[(page - 1) * _PAGE : page * _PAGE]:
            with st.container(width=_CARD, gap="xsmall"):
                gallery.thumbnail(card.path)
                lines = "<br>".join(map(literal, filter(None, (card.path.name, card.line))))
                st.html(f'<p class="cv-card-line"><span>{lines}</span></p>')
                if card.correction:
                    correct.tell_when(card.correction)
                correct.offer(data, card.path, "in the report")
                if st.button(_("Open"), key=visible(f"look at {card.path}"), width="stretch"):
                    opened = card.path
    if opened:
        st.dialog(_("Slice"), width="large")(_draw_slice)(opened)


def _draw_slice(path: Path) -> None:
    frame.carry_theme_into_dialog()
    st.html(f'<h2 class="cv-file">{literal(path.name)}</h2>')
    try:
        picture(read_slice(path).at_most(_LARGEST).pixels, _("The slice as it is read"))
    except (CovidCTError, OSError) as error:
        message = (
            error.message if isinstance(error, CovidCTError) else N_("The file cannot be read.")
        )
        callout(_("This slice cannot be shown."), _(message), tone="stop")


def _most_useful(data: Path, paths: tuple[Path, ...]) -> Sequence[_Card]:
    """Those of whose verdict the model in use is least sure come first."""
    from covidct.evaluation.most_useful import MOST

    hint(
        _(
            "Slices of {folder} that nobody has labelled yet, those first of whose verdict the "
            "model in use is least sure (uncertainty sampling, as in MONAI Label). Label what you "
            "see, whatever the model says.",
            folder=UNLABELLED_FOLDER,
        )
    )
    if len(paths) > MOST:
        caption(_("The model is asked about {count:,} of them, from all over.", count=MOST))
    try:
        found = _suggestions(data, paths)
    except (CovidCTError, OSError) as error:
        message = error.message if isinstance(error, CovidCTError) else N_("A file cannot be read.")
        callout(_("They cannot be put in order."), _(message), tone="stop")
        return [_Card(path) for path in paths]
    left = min(len(paths), MOST) - len(found)
    if left:
        unusable = ngettext(
            "{count:,} cannot be read or shows no lungs.",
            "{count:,} cannot be read or show no lungs.",
            left,
        )
        caption(_(unusable))
    return [
        _Card(
            one.path,
            _(
                "{label}, {probability}",
                label=Message(one.label),
                probability=percent(one.probability),
            ),
        )
        for one in found
    ]


def _suggestions(data: Path, paths: tuple[Path, ...]) -> tuple[Suggestion, ...]:
    """Made once a server for the same slices and model."""
    from covidct.evaluation.most_useful import most_useful

    place = st.empty()
    with st.spinner(_("Opening the model…")):
        classifier = network.open_classifier(current_model())
    held, key = _held(), (data, paths, classifier.card.model_id)
    if key not in held:
        held.clear()
        held[key] = most_useful(classifier, paths, lambda some: counted(some, place, _JUDGING))
        place.empty()
    return held[key]


@st.cache_resource(show_spinner=False)
def _held() -> dict[tuple, tuple[Suggestion, ...]]:
    return {}


def _offer_check() -> None:
    said, button = st.columns([3, 1], vertical_alignment="center")
    with said:
        hint(
            _("Labels were corrected since this check; the run is checked again before it starts.")
        )
    if button.button(_("Check again"), icon=":material/refresh:", width="stretch"):
        st.rerun()


def _offer_table(data: Path, in_force: tuple[Correction, ...]) -> None:
    """All corrections as a file, and the way back from all of them."""
    with st.container(horizontal=True, gap="small"):
        download(
            _("Corrections as CSV"),
            corrections.CORRECTIONS_FILE,
            "text/csv",
            lambda: corrections.as_csv(in_force),
            type="tertiary",
            key=visible(f"corrections of {data}"),
            help=_(
                "As {file} in the folder of a copy of the data set it corrects that copy, too.",
                file=corrections.CORRECTIONS_FILE,
            ),
        )
        if not access.may_change():
            return
        undo = ngettext(
            "Undo {count:,} correction", "Undo all {count:,} corrections", len(in_force)
        )
        with st.popover(_(undo), icon=":material/undo:", type="tertiary"):
            st.markdown(
                _("Every label is again as its slice was filed. The table keeps the history.")
            )
            st.button(
                _("Undo them"),
                type="primary",
                on_click=attempt,
                args=(corrections.undo_all, data, access.visitor().who),
            )
