"""Charts of a run: curves by epoch, ROC; no Streamlit here.

Each chart holds one table, so that a new epoch changes the data and never the chart around it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from covidct.messages import N_
from covidct.ui import chart_numbers  # noqa: F401 - they follow the language
from covidct.ui.strings import _

TRAINING, VALIDATION = N_("Training"), N_("Validation")
TITLES = {
    "auc": N_("ROC AUC"),
    "loss": N_("Loss"),
    "accuracy": N_("Accuracy"),
    "sensitivity": N_("Sensitivity"),
    "specificity": N_("Specificity"),
}
_COLOURS = {TRAINING: "#c8693a", VALIDATION: "#2a8fa5"}  # stand out on light and on dark
_RUN_COLOURS = ["#2a8fa5", "#c8693a", "#8a6fd1", "#7d8f1f", "#c2557f", "#7a8791"]
_QUIET = "#7f9097"

Rows = list[dict[str, float]]


def tidy(rows: Rows, metric: str, kept: int) -> pd.DataFrame:
    """A row a point: epoch from 1, series, value, and whether that epoch's weights are kept."""
    points = [
        (int(row["epoch"]) + 1, _(series), row[prefix + metric], int(row["epoch"]) + 1 == kept)
        for row in rows
        for series, prefix in ((TRAINING, ""), (VALIDATION, "val_"))
        if prefix + metric in row and not math.isnan(row[prefix + metric])
    ]
    frame = pd.DataFrame(points, columns=["epoch", "series", "value", "kept"])
    return frame.astype({"epoch": int, "series": str, "value": float, "kept": bool})


def curve(rows: Rows, metric: str, epochs: int, kept: int, height: int = 190) -> alt.LayerChart:
    """Training and validation values of one metric, the epoch whose weights are kept marked.

    Args:
        rows: of ``metrics.csv``.
        metric: a key of :data:`TITLES`.
        epochs: how many the run will have; the width of the chart.
        kept: the epoch whose weights are kept, counted from 1; 0 for none yet.
        height: in pixels.
    """
    names = list(map(_, _COLOURS))
    colours = alt.Scale(domain=names, range=list(_COLOURS.values()))
    table = tidy(rows, metric, kept)
    base = alt.Chart(table).encode(
        x=_epoch_axis(epochs),
        y=_value_axis(metric),
        color=alt.Color("series:N", scale=colours, legend=None),
        tooltip=[
            alt.Tooltip("series:N", title=_("Slices")),
            alt.Tooltip("epoch:Q", title=_("Epoch")),
            alt.Tooltip("value:Q", title=_(TITLES[metric]), format=".3f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2).encode(
        strokeDash=alt.StrokeDash(
            "series:N",
            scale=alt.Scale(domain=names, range=[[5, 3], [1, 0]]),
            legend=None,
        )
    )
    points = base.mark_circle(size=34, opacity=1)
    marker = base.transform_filter("datum.kept").mark_circle(
        size=150, filled=False, strokeWidth=2, opacity=1
    )
    rule = (
        alt.Chart(table)
        .transform_filter("datum.kept")
        .mark_rule(color=_QUIET, strokeDash=[2, 3])
        .encode(x=_epoch_axis(epochs))
    )
    return (
        alt.layer(rule, lines, points, marker)
        .properties(height=height, title=alt.Title(_(TITLES[metric]), anchor="start", fontSize=14))
        .configure_view(stroke=None)
    )


def _epoch_axis(epochs: int) -> alt.X:
    return alt.X(
        "epoch:Q",
        title=None,
        scale=alt.Scale(domain=[1, max(2, epochs)], nice=False, padding=8),
        axis=alt.Axis(format="d", tickMinStep=1, tickCount=min(epochs, 12), grid=False),
    )


def _value_axis(metric: str, title: str | None = None) -> alt.Y:
    """Rates from 0 to 1 with room for the marks; losses as they come."""
    if metric == "loss":
        return alt.Y("value:Q", title=title, scale=alt.Scale(zero=False))
    return alt.Y(
        "value:Q",
        title=title,
        scale=alt.Scale(domain=[-0.03, 1.03], nice=False),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2f"),
    )


def overlaid(
    runs: Mapping[str, Rows], metric: str, kept: Mapping[str, int], height: int = 320
) -> alt.LayerChart:
    """Validation values of one metric of several runs in one chart, kept epochs marked."""
    points = [
        (run, int(row["epoch"]) + 1, row[f"val_{metric}"], int(row["epoch"]) + 1 == kept[run])
        for run, rows in runs.items()
        for row in rows
        if not math.isnan(row.get(f"val_{metric}", math.nan))
    ]
    frame = pd.DataFrame(points, columns=["run", "epoch", "value", "kept"])
    colours = [_RUN_COLOURS[i % len(_RUN_COLOURS)] for i in range(len(runs))]
    base = alt.Chart(frame.astype({"epoch": int, "value": float, "kept": bool})).encode(
        x=_epoch_axis(max((len(rows) for rows in runs.values()), default=2)),
        y=_value_axis(metric, _("{metric}, validation", metric=TITLES[metric])),
        color=alt.Color(
            "run:N",
            scale=alt.Scale(domain=list(runs), range=colours),
            legend=alt.Legend(title=None, orient="bottom", columns=1, labelLimit=320),
        ),
        tooltip=[
            alt.Tooltip("run:N", title=_("Run")),
            alt.Tooltip("epoch:Q", title=_("Epoch")),
            alt.Tooltip("value:Q", title=_(TITLES[metric]), format=".3f"),
        ],
    )
    return (
        alt.layer(
            base.mark_line(strokeWidth=2),
            base.mark_circle(size=34, opacity=1),
            base.transform_filter("datum.kept").mark_circle(
                size=150, filled=False, strokeWidth=2, opacity=1
            ),
        )
        .properties(height=height)
        .configure_view(stroke=None)
    )


def swept(values: Sequence[tuple[str, Mapping[str, Any]]], height: int = 260) -> alt.LayerChart:
    """The AUC of each value of a sweep with its interval.

    Args:
        values: in words, each with figures among which are "roc_auc" and "roc_auc_ci95".
        height: in pixels.
    """
    rows = [(value, known["roc_auc"], *known["roc_auc_ci95"]) for value, known in values]
    table = pd.DataFrame(rows, columns=["value", "auc", "low", "high"])
    base = alt.Chart(table).encode(
        x=alt.X("value:N", title=None, sort=None, axis=alt.Axis(labelAngle=0)),
        tooltip=[
            alt.Tooltip("value:N", title=_("Value")),
            alt.Tooltip("auc:Q", title=_("ROC AUC"), format=".3f"),
            alt.Tooltip("low:Q", title=_("95 % interval from"), format=".3f"),
            alt.Tooltip("high:Q", title=_("to"), format=".3f"),
        ],
    )
    auc_axis = alt.Y("low:Q", title=_("ROC AUC"), scale=alt.Scale(zero=False))
    whiskers = base.mark_rule(strokeWidth=2, color=_COLOURS[VALIDATION]).encode(
        y=auc_axis, y2="high:Q"
    )
    points = base.mark_circle(size=90, opacity=1, color=_COLOURS[VALIDATION]).encode(
        y=alt.Y("auc:Q")
    )
    return alt.layer(whiskers, points).properties(height=height).configure_view(stroke=None)


def roc(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    points: Mapping[str, tuple[float, float]],
    height: int = 340,
) -> alt.LayerChart:
    """ROC curves with each model's operating point.

    Args:
        curves: (false positive rate, sensitivity) from (0, 0) to (1, 1), by model.
        points: the same of each model at its operating point.
        height: in pixels.
    """
    table = [(name, i, x, y) for name, steps in curves.items() for i, (x, y) in enumerate(steps)]
    frame = pd.DataFrame(table, columns=["model", "step", "false_positive_rate", "sensitivity"])
    marks = pd.DataFrame(
        [(name, x, y) for name, (x, y) in points.items()],
        columns=["model", "false_positive_rate", "sensitivity"],
    )
    x = alt.X(
        "false_positive_rate:Q",
        title=_("1 − specificity"),
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5),
    )
    y = alt.Y(
        "sensitivity:Q",
        title=_("Sensitivity"),
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5),
    )
    colour = alt.Color(
        "model:N",
        scale=alt.Scale(domain=list(curves), range=["#2a8fa5", "#c8693a"][: max(1, len(curves))]),
        legend=alt.Legend(title=None, orient="bottom", columns=1, labelLimit=320),
    )
    diagonal = (
        alt.Chart(pd.DataFrame({"false_positive_rate": [0, 1], "sensitivity": [0, 1]}))
        .mark_line(color=_QUIET, strokeDash=[3, 4], strokeWidth=1)
        .encode(x=x, y=y)
    )
    lines = (
        alt.Chart(frame)
        .mark_line(strokeWidth=2, interpolate="step-after")
        .encode(x=x, y=y, color=colour, order="step:Q", detail="model:N")
    )
    operating = (
        alt.Chart(marks)
        .mark_point(size=130, filled=True, opacity=1, shape="diamond")
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("model:N", title=_("Operating point of")),
                alt.Tooltip("sensitivity:Q", title=_("Sensitivity"), format=".1%"),
                alt.Tooltip("false_positive_rate:Q", title=_("False alarms"), format=".1%"),
            ],
        )
    )
    return (
        alt.layer(diagonal, lines, operating).properties(height=height).configure_view(stroke=None)
    )
