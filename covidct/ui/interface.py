"""The HTTP interface as part of this server: its tokens, its model, its memory."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute

from covidct.api.routes import Server, routes
from covidct.api.settings import admission, metrics_token
from covidct.errors import ConfigError
from covidct.inference.promotion import current_model
from covidct.ui import access
from covidct.ui.shared import network
from covidct.ui.streamlit_internals import upload_sizes

_LOG = logging.getLogger(__name__)


def interface() -> list[BaseRoute]:
    """The routes beside the pages."""
    return routes(
        Server(
            secrets=access.secrets,
            classifier=lambda: network.open_classifier(current_model()),
            uploads=lambda: sum(upload_sizes().values()),
            afterwards=network.give_freed_memory_back,
        )
    )


def check_settings(secrets: Mapping[str, Any] | None) -> None:
    """Let the log say of a setting that nobody can use why that is so."""
    for setting in (admission, metrics_token):
        try:
            setting(secrets)
        except ConfigError as error:
            _LOG.error(error.message)
