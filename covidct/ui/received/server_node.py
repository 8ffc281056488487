"""The DICOM node within the server's process, as :mod:`covidct.archive.node` says why."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from covidct.errors import ConfigError
from covidct.inference.promotion import current_model
from covidct.ui.shared import network

if TYPE_CHECKING:
    from covidct.archive.inbox import Inbox
    from covidct.archive.node_settings import NodeSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A node that the server was told to be.

    Attributes:
        settings: who it is; None where they are none that a node can have.
        inbox: what came; None where it does not run.
        problem: why it does not run, else empty.
    """

    settings: NodeSettings | None = None
    inbox: Inbox | None = None
    problem: str = ""


_served: Served | None = None  # as there is one process, and one port


def served() -> Served | None:
    """The node of this server; None where it was not told to be one."""
    return _served


@contextmanager
def serve(secrets: Mapping[str, Any]) -> Iterator[None]:
    """Be a node if the settings say so. Where it cannot run, log and page say why.

    Args:
        secrets: Streamlit's.
    """
    global _served
    with ExitStack() as stack:
        try:
            _served = _started(secrets, stack)
        except ConfigError as error:
            _LOG.error(error.message)
            _served = Served(problem=error.message)
        try:
            yield
        finally:
            _served = None


def _started(secrets: Mapping[str, Any], stack: ExitStack) -> Served | None:
    """The node at work until the stack is left; None where none is wanted.

    Raises:
        ConfigError: it cannot run so.
    """
    from covidct.archive.node_settings import node_settings

    settings = node_settings(secrets)
    if settings is None:
        return None
    from covidct.archive.inbox import Inbox
    from covidct.archive.node import Node

    inbox = Inbox(settings.quiet)
    stack.enter_context(Node(settings, inbox))
    threading.Thread(target=_judge, args=(settings, inbox), daemon=True).start()
    return Served(settings, inbox)


def _judge(settings: NodeSettings, inbox: Inbox) -> None:
    """Judge what comes until the node ends; the inbox keeps the verdicts."""
    from covidct.archive.receiving import receive

    for _ in receive(inbox, settings, lambda: network.open_classifier(current_model())):
        network.give_freed_memory_back()
