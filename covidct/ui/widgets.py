"""Shared pieces of the pages. Every text that may come from a file goes through `literal`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from covidct.data.classes import own_title
from covidct.imaging.formats.png import encode_png
from covidct.reports.words import uncertain_from_to, whose
from covidct.ui.streamlit_internals import held_by_session
from covidct.ui.strings import _, literal, percent

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard

_TONES = {"stop": "alert", "caution": "alert", "note": "note"}
_EVERY = 8  # slices between two drawings of a progress bar


def callout(title: str, text: str = "", *, tone: str) -> None:
    """A framed message.

    Args:
        title: what is the matter.
        text: more about it.
        tone: "stop", "caution" or "note".
    """
    body = f"<p>{literal(text)}</p>" if text else ""
    st.html(
        f'<div class="cv-callout cv-{tone}" role="{_TONES[tone]}">'
        f"<strong>{literal(title)}</strong>{body}</div>"
    )


def hint(text: str) -> None:
    """A line that says what to know or to do."""
    st.html(f'<p class="cv-hint">{literal(text)}</p>')


def tell_whose(card: ModelCard) -> None:
    """Beside a verdict, that it is by somebody's own model; nothing of the shipped one."""
    if said := whose(card):
        st.html(f'<p class="cv-whose">{literal(_(said))}</p>')


def label(text: str) -> None:
    """A small heading of what stands below it."""
    st.html(f'<h3 class="cv-label">{literal(text)}</h3>')


def picture(pixels: np.ndarray, alt: str) -> None:
    """A picture as wide as its column, lossless.

    Args:
        pixels: uint8 (H, W) or (H, W, 3).
        alt: what it shows, for those who cannot see it.
    """
    st.image(encode_png(pixels), width="stretch", output_format="PNG", alt=alt)


def counted(items: Iterable, place: st.delta_generator.DeltaGenerator, doing: str) -> Iterator:
    """Pass items on and show how many of them have been reached.

    Args:
        items: slices.
        place: an empty place, for a progress bar.
        doing: what is done to slice {number} of {slices}, marked by ``N_``.
    """
    items = list(items)
    for number, item in enumerate(items, 1):
        if number % _EVERY == 1:
            share = number / len(items)
            place.progress(share, _(doing, number=number, slices=len(items)))
        yield item


def download(title: str, name: str, mime: str, make: Callable[[], bytes], **look: Any) -> None:  # noqa: ANN401
    """A button for a file that is made when it is pressed.

    Args:
        title: of the button.
        name: of the file.
        mime: its type.
        make: gives its content, without a session.
        look: as ``st.download_button`` takes it.
    """
    st.download_button(
        title,
        data=held_by_session(make, mime, name),
        file_name=name,
        mime=mime,
        icon=":material/download:",
        on_click="ignore",
        **look,
    )


def caption(text: str) -> None:
    """A line under a picture."""
    st.html(f'<p class="cv-caption">{literal(text)}</p>')


def class_scale(title: str, classes: Mapping[str, float], remark: str = "") -> None:
    """The probability of each class as a bar, the likeliest first; nothing where there are none."""
    if not classes:
        return
    rows = "".join(
        f'<li><span>{literal(_(own_title(name)))}</span><i style="--share:{share:.1%}"></i>'
        f"<b>{literal(percent(share))}</b></li>"
        for name, share in sorted(classes.items(), key=lambda one: -one[1])
    )
    label(title)
    st.html(f'<ul class="cv-classes">{rows}</ul>')
    caption(
        _(
            "The classes without COVID-19 share what its probability leaves. The verdict goes by "
            "the operating point, not by which class stands first."
        )
    )
    if remark:
        caption(remark)


def gauge(probability: float, operating_point: float, abstain_band: tuple[float, float]) -> None:
    """A probability on a scale from 0 to 100% with the operating point and the abstain band."""
    low, high = abstain_band
    band = named_band = ""
    if high > low:
        band = f'<div class="cv-band" style="left:{low:.1%};width:{high - low:.1%}"></div>'
        name = literal(_(uncertain_from_to(abstain_band)))
        named_band = f'<span class="cv-band-name">{name}</span>'
    point = percent(operating_point)
    spoken = _(
        "Probability {probability}, Positive from {operating_point}",
        probability=percent(probability),
        operating_point=point,
    )
    title = _("Probability of COVID-19, as the network estimates it")
    low_end, high_end = _("0% · Negative"), _("Positive · 100%")
    named = _("operating point {operating_point}", operating_point=point)
    st.html(f"""
    <h3 class="cv-label">{literal(title)}</h3>
    <div class="cv-gauge" role="img" aria-label="{literal(spoken)}">
      <div class="cv-reading" style="--at:{probability:.1%}">{percent(probability)}</div>
      <div class="cv-track">
        <div class="cv-positive-side" style="left:{operating_point:.1%}"></div>
        {band}
        <div class="cv-threshold" style="left:{operating_point:.1%}"></div>
        <div class="cv-marker" style="left:{probability:.1%}"></div>
      </div>
      <div class="cv-threshold-name" style="--at:{operating_point:.1%}">
        {literal(named)}
      </div>
      <div class="cv-ends">
        <span>{literal(low_end)}</span>{named_band}<span>{literal(high_end)}</span>
      </div>
    </div>
    """)


def colour_bar(colours: Sequence[Sequence[int]], opacity: float, peak: str) -> None:
    """The colours of an overlay from no evidence to the peak, as faint as they are on the slice.

    Args:
        colours: RGB 0 to 255 at even steps of evidence.
        opacity: 0 to 1, the cover at the peak.
        peak: what the upper end stands for.
    """
    none = _("0, no evidence")
    spoken = _("Colour bar from 0, no evidence, to {peak}", peak=peak)
    last = len(colours) - 1
    stops = ", ".join(
        f"rgb({red} {green} {blue} / {opacity * step / last:.3f})"
        for step, (red, green, blue) in enumerate(colours)
    )
    st.html(f"""
    <div class="cv-colours" role="img" aria-label="{literal(spoken)}">
      <div class="cv-colour-bar" style="background-image:linear-gradient(90deg, {stops})"></div>
      <div class="cv-ends">
        <span>{literal(none)}</span><span>{literal(peak)}</span>
      </div>
    </div>
    """)
