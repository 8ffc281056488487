"""How runs and data sets are put into words; no Streamlit here."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

STATES = {
    "queued": "Queued",
    "starting": "Starting",
    "running": "Running",
    "stopping": "Stopping",
    "stopped": "Stopped",
    "finished": "Finished",
    "failed": "Failed",
}
FIGURES = {
    "roc_auc": "ROC AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "accuracy": "Accuracy",
    "expected_calibration_error": "Calibration error",
}
_MINUTE, _HOUR = 60, 3600


def count(number: int, singular: str, plural: str | None = None) -> str:
    """ "1 slice", "2 slices"."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def duration(seconds: float) -> str:
    """As coarse as an estimate deserves: "40 seconds", "12 minutes", "1 hour 20 minutes"."""
    if seconds < _MINUTE:
        return count(max(1, round(seconds)), "second")
    if seconds < _HOUR:
        return count(round(seconds / _MINUTE), "minute")
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{count(hours, 'hour')} {count(minutes, 'minute')}" if minutes else count(hours, "hour")


def preparation(message: str, done: int, planned: int) -> str:
    """What a run does before its first batch and after its last, with how much of it is done."""
    doing = message.rstrip(".") or "Getting ready"
    return f"{doing}: {done:,} of {planned:,}" if planned else doing


def without_state(message: str) -> str:
    """A run's message for beside its state, which it need not repeat."""
    return message.removeprefix(f"{STATES['stopped']}. ")


def run_option(name: str, state: str, is_live: bool) -> str:
    """A run in a list; what changes by the second is left out."""
    return f"{name} · {'in progress' if is_live else STATES[state].lower()}"


def progress(epoch: int, epochs: int, seconds_left: float | None) -> str:
    """Where a run is; `epoch` counts those that are done."""
    place = f"Epoch {min(epoch + 1, epochs)} of {epochs}"
    return place if seconds_left is None else f"{place}, about {duration(seconds_left)} left"


def when(moment: float | str) -> str:
    """A moment, as seconds since 1970 or in ISO 8601, as "23 Nov 2026, 11:30 UTC"."""
    if isinstance(moment, str):
        at = datetime.fromisoformat(moment)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    else:
        at = datetime.fromtimestamp(moment, UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def setting(value: Any) -> str:  # noqa: ANN401 - whatever a setting may be
    """The value of a setting."""
    match value:
        case None:
            return "default"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def shortened(names: Iterable[str], at_most: int = 12) -> str:
    """Names in a row, the rest counted."""
    names = list(names)
    shown = ", ".join(names[:at_most])
    return f"{shown} and {len(names) - at_most:,} more" if len(names) > at_most else shown


def figure(figures: Mapping[str, Any], name: str) -> str:
    """A figure with its 95 % interval, as HTML."""
    value = f"{figures[name]:.3f}"
    interval = figures.get(f"{name}_ci95")
    return f"{value} <small>{interval[0]:.3f} to {interval[1]:.3f}</small>" if interval else value
