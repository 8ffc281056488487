"""How runs and data sets are put into words; no Streamlit here."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from babel.dates import format_date

from covidct.jobs.status import JobStatus
from covidct.messages import N_, Message, joined, ngettext, number
from covidct.ui import languages
from covidct.ui.strings import _, literal

STATES = {
    "queued": N_("Queued"),
    "starting": N_("Starting"),
    "running": N_("Running"),
    "stopping": N_("Stopping"),
    "stopped": N_("Stopped"),
    "finished": N_("Finished"),
    "failed": N_("Failed"),
}
FIGURES = {
    "roc_auc": N_("ROC AUC"),
    "sensitivity": N_("Sensitivity"),
    "specificity": N_("Specificity"),
    "accuracy": N_("Accuracy"),
    "expected_calibration_error": N_("Calibration error"),
}
_MINUTE, _HOUR = 60, 3600


def slices(number: int) -> Message:
    """ "1 slice", "2 slices"."""
    return ngettext("{count:,} slice", "{count:,} slices", number)


def patients(number: int) -> Message:
    """ "1 patient", "2 patients"."""
    return ngettext("{count:,} patient", "{count:,} patients", number)


def duration(seconds: float) -> Message:
    """As coarse as an estimate deserves: "40 seconds", "12 minutes", "1 hour 20 minutes"."""
    if seconds < _MINUTE:
        return ngettext("{count} second", "{count} seconds", max(1, round(seconds)))
    if seconds < _HOUR:
        return _minutes(round(seconds / _MINUTE))
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    whole = ngettext("{count} hour", "{count} hours", hours)
    return joined(whole, _minutes(minutes)) if minutes else whole


def _minutes(number: int) -> Message:
    return ngettext("{count} minute", "{count} minutes", number)


def preparation(message: str, done: int, planned: int) -> str:
    """What a run does before its first batch and after its last, with how much of it is done."""
    doing = _(message).rstrip(".。") or _("Getting ready")
    if not planned:
        return doing
    return _("{doing}: {done:,} of {planned:,}", doing=doing, done=done, planned=planned)


def without_state(message: str) -> str:
    """A run's message for beside its state, which it need not repeat."""
    return _(message.removeprefix(f"{STATES['stopped']}. "))


def run_option(name: str, state: str, is_live: bool) -> str:
    """A run in a list; what changes by the second is left out."""
    said = _("in progress") if is_live else _(STATES[state]).lower()
    return f"{name} · {said}"


def where(status: JobStatus) -> str:
    """The host of a job that is at work, where that is another one than this."""
    return _("On the host {host}", host=status.host) if status.is_elsewhere else ""


def progress(epoch: int, epochs: int, seconds_left: float | None) -> str:
    """Where a run is; `epoch` counts those that are done."""
    place: dict[str, Any] = {"epoch": min(epoch + 1, epochs), "epochs": epochs}
    if seconds_left is None:
        return _("Epoch {epoch} of {epochs}", **place)
    left = duration(seconds_left)
    return _("Epoch {epoch} of {epochs}, about {left} left", left=left, **place)


def when(moment: float | str) -> str:
    """A moment, as seconds since 1970 or in ISO 8601, as "23 Nov 2026, 11:30 UTC"."""
    if isinstance(moment, str):
        at = datetime.fromisoformat(moment)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    else:
        at = datetime.fromtimestamp(moment, UTC)
    return f"{format_date(at, locale=languages.current().locale)}, {at:%H:%M} UTC"


def setting(value: Any) -> str:  # noqa: ANN401 - whatever a setting may be
    """The value of a setting."""
    match value:
        case None:
            return _("default")
        case bool():
            return _("yes") if value else _("no")
        case float():
            return _(number(value, "g"))
        case other:
            return str(other)


def shortened(names: Iterable[str], at_most: int = 12) -> str:
    """Names in a row, the rest counted."""
    names = list(names)
    shown = ", ".join(names[:at_most])
    if len(names) <= at_most:
        return shown
    return _("{shown} and {more:,} more", shown=shown, more=len(names) - at_most)


def figure(figures: Mapping[str, Any], name: str) -> str:
    """A figure with its 95 % interval, as HTML."""
    value = _(number(figures[name], ".3f"))
    interval = figures.get(f"{name}_ci95")
    if not interval:
        return value
    between = _("{low:.3f} to {high:.3f}", low=interval[0], high=interval[1])
    return f"{value} <small>{literal(between)}</small>"
