"""Who may have slices judged over HTTP, and who may read the server's figures: nobody by default.

Whoever runs the server gives each a token, in Streamlit's secrets:

    [api]
    token = "…"          # python -c "import secrets; print(secrets.token_urlsafe(32))"
    metrics_token = "…"  # another one, for /metrics

or in the environment, which goes before them: COVIDCT_API_TOKEN, COVIDCT_METRICS_TOKEN. A request
bears it as ``Authorization: Bearer …`` (RFC 6750, section 2.1).
"""

import os
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

from starlette.datastructures import Headers

from covidct.errors import ConfigError
from covidct.messages import N_

TOKEN_VARIABLE, METRICS_TOKEN_VARIABLE = "COVIDCT_API_TOKEN", "COVIDCT_METRICS_TOKEN"
SHORTEST = 20  # characters

_SECTION, _TOKEN, _METRICS_TOKEN = "api", "token", "metrics_token"


def api_token(secrets: Mapping[str, Any] | None) -> str:
    """The token of who may have slices judged; empty where nobody may.

    Args:
        secrets: Streamlit's; None where they cannot be read.

    Raises:
        ConfigError: it is too short, or no text.
    """
    return _token(secrets, TOKEN_VARIABLE, _TOKEN)


def metrics_token(secrets: Mapping[str, Any] | None) -> str:
    """The token of who may read the server's figures, likewise."""
    return _token(secrets, METRICS_TOKEN_VARIABLE, _METRICS_TOKEN)


def _token(secrets: Mapping[str, Any] | None, variable: str, key: str) -> str:
    if secrets is None:
        return ""
    section = secrets.get(_SECTION, {})
    token = os.environ.get(variable) or (
        section.get(key, "") if isinstance(section, Mapping) else None
    )
    if token == "":
        return ""
    if not isinstance(token, str) or len(token) < SHORTEST or token != token.strip():
        raise ConfigError(
            N_(
                "The token “{key}” in the section [{section}] of the secrets, or in {variable}, is "
                "no text of {shortest} characters or more without blanks around it. Nobody can use "
                "it, so what it opens stays closed.",
                key=key,
                section=_SECTION,
                variable=variable,
                shortest=SHORTEST,
            )
        )
    return token


def bears(headers: Headers, token: str) -> bool:
    """Whether a request bears a token; never an empty one."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    is_same = compare_digest(given.strip().encode("latin-1"), token.encode())
    return bool(token) and scheme.lower() == "bearer" and is_same
