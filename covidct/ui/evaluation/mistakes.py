"""The worst mistakes as pictures: what the network saw in them, and how sure it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from covidct.errors import CovidCTError
from covidct.evaluation.results import Reviewed, path_of
from covidct.imaging.readers import read_slice
from covidct.messages import ngettext
from covidct.ui.evaluation import tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.shared import network
from covidct.ui.strings import _, literal, percent
from covidct.ui.training import correct
from covidct.ui.training.gallery import called, open_slice
from covidct.ui.widgets import callout, hint, picture

if TYPE_CHECKING:
    from covidct.evaluation.request import Request
    from covidct.inference.classifier import Classifier

_PAGE = 8
_SIDE = 400


def show(mistakes: Sequence[Reviewed], request: Request, model_id: str) -> None:
    """Draw a page of them, the most confident first.

    Args:
        mistakes: in the order to show them.
        request: names the data set they are in and the model that judged them.
        model_id: of that model as it was then.
    """
    if not mistakes:
        hint(_("None at this operating point."))
        return
    said = ngettext(
        "{count:,} mistake at this operating point, under the heat map of the verdict.",
        "{count:,} mistakes at this operating point, the most confident first, under the heat map "
        "of the verdict.",
        len(mistakes),
    )
    hint(_(said))
    pages = -(-len(mistakes) // _PAGE)
    place = st.container()
    page = st.pagination(pages, key=f"mistakes of {pages}") if pages > 1 else 1
    offer_csv(_("Mistakes as CSV"), "mistakes", lambda: _as_csv(mistakes))
    with place:
        _pictures(mistakes[(page - 1) * _PAGE : page * _PAGE], request, model_id)


def _pictures(mistakes: Sequence[Reviewed], request: Request, model_id: str) -> None:
    if not any(path_of(request.data, one).is_file() for one in mistakes):
        callout(
            _("The pictures are not on this computer."),
            _(
                "They would be read from {folder}. Fetch or copy the data set there to see them.",
                folder=request.data,
            ),
            tone="note",
        )
        return
    try:
        with st.spinner(_("Loading the network for the overlays…")):
            classifier = network.open_classifier(request.model)
    except CovidCTError as error:
        callout(_("The mistakes cannot be shown."), _(error.message), tone="caution")
        return
    if classifier.card.model_id != model_id:
        callout(
            _("The model in this place is another one now, so its overlays would mislead."),
            _(
                "Judged by {judge}; now there is {now}.",
                judge=model_id,
                now=classifier.card.model_id,
            ),
            tone="caution",
        )
        return
    with st.container(key="mistakes", horizontal=True, gap="medium"):
        for number, one in enumerate(mistakes):
            with st.container(key=f"mistake {number}", gap="xsmall"):
                _one(one, request, classifier, number)


def _one(one: Reviewed, request: Request, classifier: Classifier, number: int) -> None:
    path = path_of(request.data, one)
    covered = _overlay(path, one.label, classifier.card.model_id, classifier)
    if covered is None:
        gone = literal(_("not in the data set any more"))
        st.html(f'<p class="cv-missing">{gone}</p>')
        return
    picture(covered, _("{verdict}, under its heat map", verdict=called(one)))
    st.html(
        f'<p class="cv-card-line"><strong>{literal(percent(one.probability))}</strong><br>'
        f"{literal(called(one))}<br>"
        f"<span>{literal(one.file)}</span></p>"
    )
    correct.tell(request.data, path)
    if st.button(_("Open"), key=f"open mistake {number}", width="stretch"):
        open_slice(one, request.data, request.model)


@st.cache_data(show_spinner=False, max_entries=128)
def _overlay(path: Path, label: str, model_id: str, _classifier: Classifier) -> np.ndarray | None:
    """The slice under what speaks for its label, uint8 (H, W, 3); None if it cannot be read.

    The label is that of the mistake: the model's own may differ, where a fold's model made the
    mistake, or another operating point.
    """
    from covidct.inference.heatmap import heat_map, overlay

    try:
        ct_slice = read_slice(path)
    except (CovidCTError, OSError):
        return None
    shown = ct_slice.at_most(_SIDE)
    heat = heat_map(_classifier, _classifier.predict(ct_slice).called(label))
    return overlay(shown, heat.resized(shown.shape))


def _as_csv(mistakes: Sequence[Reviewed]) -> str:
    return tables.as_csv(
        ("file", "class", "patient", "probability", "label"),
        [(one.file, one.class_name, one.patient, one.probability, one.label) for one in mistakes],
    )
