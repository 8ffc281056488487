"""Charts of an evaluation: ROC, precision and recall, reliability, classes; no Streamlit here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from covidct.messages import N_, Message
from covidct.ui import chart_numbers  # noqa: F401 - they follow the language
from covidct.ui.strings import _

if TYPE_CHECKING:
    from covidct.evaluation.curves import Curve
    from covidct.evaluation.reliability import Bin
    from covidct.stats.bootstrap import Measured

_LINE, _MARK, _QUIET = "#2a8fa5", "#c8693a", "#7f9097"  # stand out on light and on dark
_HEIGHT = 380
_UNDER = -0.12  # room below the axis for the counts
_SHADES = ["#eaf4f6", "#0f5468"]  # of one hue, so that whoever sees no colours sees them
_DARK = 0.75  # share from which black is harder to read on them than white
_FEW = 4  # classes, whose names a narrow window has room for side by side


def roc(curve: Curve, point: tuple[float, float]) -> alt.LayerChart:
    """The ROC curve with its band, the operating point and chance.

    Args:
        curve: sensitivity by 1 - specificity.
        point: (1 - specificity, sensitivity) at the operating point.
    """
    chance = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    return _banded(curve, point, chance, (_("1 − specificity"), _("Sensitivity"))).properties(
        title=_title(_("ROC curve"), _("area {area}", area=_measured(curve.area)))
    )


def precision_recall(
    curve: Curve, point: tuple[float, float] | None, prevalence: float
) -> alt.LayerChart:
    """The precision-recall curve with its band, the operating point and chance.

    Args:
        curve: precision by recall.
        point: (recall, precision) at the operating point; None where nothing is called Positive.
        prevalence: share of COVID-19, which is the precision of calling at random.
    """
    chance = pd.DataFrame({"x": [0.0, 1.0], "y": [prevalence, prevalence]})
    return _banded(
        curve, point, chance, (_("Sensitivity (recall)"), _("PPV (precision)"))
    ).properties(
        title=_title(
            _("Precision-recall curve"), _("average precision {area}", area=_measured(curve.area))
        )
    )


def reliability(bins: Sequence[Bin], error: float) -> alt.LayerChart:
    """Observed share by predicted probability, with intervals and the number of slices below.

    Args:
        bins: from the lowest on.
        error: expected calibration error.
    """
    table = reliability_table(bins)
    x = alt.X(
        "predicted:Q",
        title=_("Probability, as the network estimates it"),
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5, grid=False),
    )
    y = alt.Y(
        "observed:Q",
        title=_("Share that is COVID-19"),
        scale=alt.Scale(domain=[_UNDER, 1.0], nice=False),
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    base = alt.Chart(table).encode(
        x=x,
        y=y,
        tooltip=[
            alt.Tooltip("slices:Q", title=_("Slices")),
            alt.Tooltip("predicted:Q", title=_("Mean probability"), format=".0%"),
            alt.Tooltip("observed:Q", title=_("Share that is COVID-19"), format=".0%"),
            alt.Tooltip("low:Q", title=_("95 % interval from"), format=".0%"),
            alt.Tooltip("high:Q", title=_("to"), format=".0%"),
        ],
    )
    perfect = pd.DataFrame({"predicted": [0.0, 1.0], "observed": [0.0, 1.0]})
    return _framed(
        alt.Chart(perfect)
        .mark_line(color=_QUIET, strokeDash=[3, 4], strokeWidth=1)
        .encode(x=x, y=y),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(color=_LINE, strokeWidth=1.5, opacity=0.6)
        .encode(y="low:Q", y2="high:Q"),
        base.mark_line(color=_LINE, strokeWidth=2),
        base.mark_circle(color=_LINE, size=70, opacity=1),
        base.mark_text(color=_QUIET, fontSize=11).encode(y=alt.datum(_UNDER / 2), text="slices:Q"),
    ).properties(
        title=_title(_("Reliability diagram"), _("calibration error {error:.3f}", error=error))
    )


def reliability_table(bins: Sequence[Bin]) -> pd.DataFrame:
    """A row a bin: edges, slices, patients, mean probability, observed share, its interval."""
    rows = [
        {
            "bin_from": b.low,
            "bin_to": b.high,
            "slices": b.observed.n,
            "patients": b.observed.patients,
            "predicted": b.predicted,
            "observed": b.observed.value,
            "low": b.observed.ci95[0] if b.observed.ci95 else math.nan,
            "high": b.observed.ci95[1] if b.observed.ci95 else math.nan,
        }
        for b in bins
    ]
    return pd.DataFrame(rows)


def confusion(counts: Sequence[Sequence[int]], titles: Sequence[str], about: str) -> alt.LayerChart:
    """The confusion matrix of several classes; the shade is the share of a row.

    Args:
        counts: of slices by label (rows) and call (columns).
        titles: of the classes.
        about: what stands below the title.
    """
    few = len(titles) <= _FEW
    base = alt.Chart(_cells(counts, titles)).encode(
        x=alt.X("column:O", title=_("Called"), axis=_names(titles, 0 if few else -90)),
        y=alt.Y("row:O", title=_("Labelled"), axis=_names(titles)),
        tooltip=[
            alt.Tooltip("label:N", title=_("Labelled")),
            alt.Tooltip("call:N", title=_("Called")),
            alt.Tooltip("slices:Q", title=_("Slices"), format=","),
            alt.Tooltip("share:Q", title=_("Share"), format=".1%"),
        ],
    )
    shade = alt.Color(
        "share:Q", scale=alt.Scale(domain=[0, 1], range=_SHADES, interpolate="rgb"), legend=None
    )
    ink = alt.condition(alt.datum.share < _DARK, alt.value("black"), alt.value("white"))
    written = base.transform_filter("datum.of > 0")
    return (
        alt.layer(
            base.mark_rect(stroke=_QUIET, strokeWidth=0.5).encode(color=shade),
            base.mark_text(dy=-8, fontSize=16 if few else 11, fontWeight="bold").encode(
                text=alt.Text("slices:Q", format=","), color=ink
            ),
            written.mark_text(dy=9, fontSize=12 if few else 9).encode(
                text=alt.Text("share:Q", format=".0%"), color=ink
            ),
        )
        .properties(
            height=130 + 56 * len(titles) if few else 220 + 36 * len(titles),
            title=_title(_("Confusion matrix"), about),
        )
        .configure_view(stroke=None)
    )


def agreement(rows: Sequence[Mapping[str, Any]], name: str, about: str) -> alt.LayerChart:
    """A figure of patients as found by the same as drawn, with the line of full agreement.

    Args:
        rows: of a patient each, with "patient", "<name>_drawn" and "<name>_found".
        name: "share" or "severity".
        about: what stands below the title.
    """
    is_share = name == "share"
    table = pd.DataFrame(
        [
            {
                "patient": row["patient"],
                "drawn": row[f"{name}_drawn"],
                "found": row[f"{name}_found"],
            }
            for row in rows
        ]
    )
    most = float(table[["drawn", "found"]].to_numpy().max()) or 1.0
    scale = alt.Scale(domain=[0, most], nice=True)
    axis = alt.Axis(format="%" if is_share else "d", tickCount=5)
    x = alt.X("drawn:Q", title=_("By drawn masks"), scale=scale, axis=axis)
    y = alt.Y("found:Q", title=_("As found"), scale=scale, axis=axis)
    form = ".1%" if is_share else "d"
    tooltip = [
        alt.Tooltip("patient:N", title=_("Patient")),
        alt.Tooltip("drawn:Q", title=_("By drawn masks"), format=form),
        alt.Tooltip("found:Q", title=_("As found"), format=form),
    ]
    same = pd.DataFrame({"drawn": [0.0, most], "found": [0.0, most]})
    title = _("Share of the lungs’ volume") if is_share else _("Score of six zones")
    return _framed(
        alt.Chart(same).mark_line(color=_QUIET, strokeDash=[3, 4], strokeWidth=1).encode(x=x, y=y),
        alt.Chart(table)
        .mark_circle(color=_LINE, size=90, opacity=0.8)
        .encode(x=x, y=y, tooltip=tooltip),
    ).properties(title=_title(title, about))


def curve_table(curve: Curve, x: str, y: str) -> pd.DataFrame:
    """The corners of a curve and its band, in the columns `x`, `y`, ``low`` and ``high``."""
    corners = pd.DataFrame({x: curve.x, y: curve.y})
    band = pd.DataFrame({x: curve.grid, "low": curve.low, "high": curve.high})
    return pd.concat([corners, band]).reset_index(drop=True)


def _banded(
    curve: Curve, point: tuple[float, float] | None, chance: pd.DataFrame, axes: tuple[str, str]
) -> alt.LayerChart:
    across, up = axes
    x = alt.X("x:Q", title=across, scale=alt.Scale(domain=[0, 1]), axis=_share_axis())
    y = alt.Y("y:Q", title=up, scale=alt.Scale(domain=[0, 1]), axis=_share_axis())
    tooltip = [
        alt.Tooltip("x:Q", title=across, format=".1%"),
        alt.Tooltip("y:Q", title=up, format=".1%"),
    ]
    band = pd.DataFrame({"x": curve.grid, "y": curve.low, "high": curve.high})
    line = pd.DataFrame({"x": curve.x, "y": curve.y, "step": range(len(curve.x))})
    mark = pd.DataFrame([point] if point else [], columns=["x", "y"]).astype(float)
    return _framed(
        alt.Chart(band).mark_area(color=_LINE, opacity=0.16).encode(x=x, y=y, y2="high:Q"),
        alt.Chart(chance)
        .mark_line(color=_QUIET, strokeDash=[3, 4], strokeWidth=1)
        .encode(x=x, y=y),
        alt.Chart(line)
        .mark_line(color=_LINE, strokeWidth=2)
        .encode(x=x, y=y, order="step:Q", tooltip=tooltip),
        alt.Chart(mark)
        .mark_point(color=_MARK, size=160, filled=True, opacity=1, shape="diamond")
        .encode(x=x, y=y, tooltip=tooltip),
    )


def _title(text: str, figure: str) -> alt.TitleParams:
    """So that a chart that is saved says what it is."""
    return alt.Title(text, subtitle=figure, anchor="start", fontSize=14, subtitleColor=_QUIET)


def _measured(area: Measured) -> Message:
    if area.ci95 is None:
        return N_("{value:.3f}, too few patients for an interval", value=area.value)
    low, high = area.ci95
    return N_(
        "{value:.3f}, 95 % interval {low:.3f} to {high:.3f}", value=area.value, low=low, high=high
    )


def _cells(counts: Sequence[Sequence[int]], titles: Sequence[str]) -> pd.DataFrame:
    """A row a cell of a confusion matrix: where it is, slices, of how many, share of these."""
    return pd.DataFrame(
        [
            {
                "label": titles[row],
                "call": titles[column],
                "row": row,
                "column": column,
                "slices": slices,
                "of": sum(counts[row]),
                "share": slices / max(1, sum(counts[row])),
            }
            for row in range(len(titles))
            for column, slices in enumerate(counts[row])
        ]
    )


def _names(titles: Sequence[str], angle: int = 0) -> alt.Axis:
    """An axis of places that are called by these titles, of which some may be alike."""
    return alt.Axis(
        labelExpr=f"{json.dumps(list(titles), ensure_ascii=False)}[datum.value]",
        labelLimit=90,
        labelOverlap=False,
        labelFlush=False,
        labelAngle=angle,
    )


def _share_axis() -> alt.Axis:
    return alt.Axis(format="%", tickCount=5)


def _framed(*layers: alt.Chart) -> alt.LayerChart:
    return alt.layer(*layers).properties(height=_HEIGHT).configure_view(stroke=None)
