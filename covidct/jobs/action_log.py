"""Who promoted, rolled back, relabelled, deleted or sent what, and when: a line for each action.

The file is only ever added to. Each line holds the SHA-256 of the one before it, so that lines that
were changed or taken out from between others show. Who may write the folder could still write the
whole file anew, or cut off its end.
"""

import errno
import getpass
import hashlib
import json
import os
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import Any, NamedTuple

from covidct.errors import LogError
from covidct.files import MALFORMED
from covidct.home import home
from covidct.messages import N_, Message

_FILE, _LOCK_FILE = "actions.jsonl", ".actions.lock"
_FIRST = hashlib.sha256(b"").hexdigest()  # stands in the first line for the one before it


class Actor(NamedTuple):
    """Who acts.

    Attributes:
        who: as the identity provider names somebody who has signed in; the account of the process
            for the command line; empty for a visitor of pages that ask nobody to sign in.
        signed_in: whether a provider vouches for that name.
    """

    who: str
    signed_in: bool


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody did.

    Attributes:
        when: ISO 8601, UTC.
        who: as in :class:`Actor`.
        signed_in: likewise.
        action: what was done, in English, of which pages find it in their catalogue.
        what: the names of what it was done to.
    """

    when: str
    who: str
    signed_in: bool
    action: str
    what: str


class ActionLog(NamedTuple):
    """The log as it was read.

    Attributes:
        actions: the newest first.
        broken_lines: numbers, from 1, of lines that cannot be read or do not follow from the one
            before them.
    """

    actions: tuple[Action, ...]
    broken_lines: tuple[int, ...]


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


def acting(actor: Actor | None) -> None:
    """Say who acts from now on in this thread; None is the account of the process."""
    _actor.set(actor)


def action_log_file() -> Path:
    """The file of the log, one JSON object a line; there is none before the first action."""
    return home() / _FILE


def record(action: Message, what: str) -> None:
    """Add a line to the log, on disk when this returns.

    Args:
        action: what is done, marked by ``N_`` and without parameters.
        what: the names of what it is done to; no names of patients or of slices to diagnose.

    Raises:
        LogError: it cannot be written.
    """
    from filelock import FileLock  # here, since every verdict imports who promotes

    who, signed_in = _actor.get() or Actor(_account(), False)
    made = Action(_now(), who, signed_in, str(action), what)
    file = action_log_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(_LOCK_FILE)), file.open("a+b", buffering=0) as log:
            _append(log, made)
    except OSError as error:
        raise LogError(
            N_(
                "This cannot be written into the log of actions, {file}: {reason}.",
                file=file,
                reason=error.strerror or error,
            )
        ) from error


def read_action_log() -> ActionLog:
    """The whole log, and whether it is as it was written.

    Raises:
        LogError: it cannot be read.
    """
    file = action_log_file()
    try:
        lines = file.read_bytes().splitlines() if file.exists() else []
    except OSError as error:
        raise LogError(
            N_(
                "The log of actions, {file}, cannot be read: {reason}.",
                file=file,
                reason=error.strerror or error,
            )
        ) from error
    actions, broken, before = [], [], _FIRST
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            actions.append(_action_of(values))
            follows = values["before"] == before
        except MALFORMED:
            follows = False
        if not follows:
            broken.append(number)
        before = _hash(line)
    return ActionLog(tuple(reversed(actions)), tuple(broken))


def _action_of(values: dict[str, Any]) -> Action:
    """Anything of the wrong kind raises what malformed JSON does."""
    datetime.fromisoformat(values["when"]).astimezone(UTC)
    texts = {name: str(values[name]) for name in ("when", "who", "action", "what")}
    return Action(**texts, signed_in=values["signed_in"] is True)


def _append(log: RawIOBase, action: Action) -> None:
    """Whole or not at all, unless the computer stops in the middle."""
    log.seek(0)
    held = log.readall()
    before = _hash(held.splitlines()[-1]) if held else _FIRST
    line = json.dumps(asdict(action) | {"before": before}).encode("ascii") + b"\n"
    try:
        whole = line if held.endswith(b"\n") or not held else b"\n" + line
        if log.write(whole) != len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(log.fileno())
    except OSError:
        os.truncate(log.fileno(), len(held))
        raise


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return str(os.getuid())
