"""Who may have slices judged over HTTP, and who may read the server's figures: nobody by default.

Whoever runs the server says so in Streamlit's secrets:

    [api]
    token = "…"          # python -c "import secrets; print(secrets.token_urlsafe(32))"
    audience = "…"       # of access tokens by the provider that the section [auth] names
    metrics_token = "…"  # another token, for /metrics

or gives the tokens in the environment, which goes before them: COVIDCT_API_TOKEN,
COVIDCT_METRICS_TOKEN. A request bears its token as RFC 6750, section 2.1, has it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from starlette.datastructures import Headers

from covidct.errors import ConfigError
from covidct.messages import N_

TOKEN_VARIABLE, METRICS_TOKEN_VARIABLE = "COVIDCT_API_TOKEN", "COVIDCT_METRICS_TOKEN"
SHORTEST = 20  # characters

_SECTION, _TOKEN, _METRICS_TOKEN, _AUDIENCE = "api", "token", "metrics_token", "audience"


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may have slices judged; nobody, if all is empty.

    Attributes:
        token: of who may.
        audience: of access tokens, whose bearers may, too.
        metadata_url: of the provider that gives them.
    """

    token: str = ""
    audience: str = ""
    metadata_url: str = ""

    def __bool__(self) -> bool:
        return bool(self.token or self.audience)


def admission(secrets: Mapping[str, Any] | None) -> Admission:
    """Who may have slices judged.

    Args:
        secrets: Streamlit's; None where they cannot be read.

    Raises:
        ConfigError: a setting is none that there can be.
    """
    token, audience = _token(secrets, TOKEN_VARIABLE, _TOKEN), _of(secrets, _SECTION, _AUDIENCE)
    if not audience:
        return Admission(token)
    metadata_url = _of(secrets, "auth", "server_metadata_url")
    if not (isinstance(audience, str) and isinstance(metadata_url, str) and metadata_url):
        raise ConfigError(
            N_(
                "The audience in the section [{section}] of the secrets has to be text, and the "
                "section [auth] has to name a server_metadata_url. The HTTP interface stays "
                "closed.",
                section=_SECTION,
            )
        )
    return Admission(token, audience, metadata_url)


def metrics_token(secrets: Mapping[str, Any] | None) -> str:
    """The token of who may read the server's figures; empty where nobody may.

    Raises:
        ConfigError: it is too short, or no text.
    """
    return _token(secrets, METRICS_TOKEN_VARIABLE, _METRICS_TOKEN)


def _token(secrets: Mapping[str, Any] | None, variable: str, key: str) -> str:
    token = _of(secrets, _SECTION, key)
    if secrets is not None:
        token = os.environ.get(variable) or token
    if token == "":
        return ""
    if not isinstance(token, str) or len(token) < SHORTEST or token != token.strip():
        raise ConfigError(
            N_(
                "The {key} in the section [{section}] of the secrets, or in {variable}, has to be "
                "text of {shortest} characters or more without blanks around it. What it opens "
                "stays closed.",
                key=key,
                section=_SECTION,
                variable=variable,
                shortest=SHORTEST,
            )
        )
    return token


def _of(secrets: Mapping[str, Any] | None, section: str, key: str) -> object:
    """A value of a section; None where that is no section, empty where it has none."""
    there = (secrets or {}).get(section, {})
    return there.get(key, "") if isinstance(there, Mapping) else None


def borne(headers: Headers) -> str:
    """The token that a request bears; empty where it bears none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_same(given: str, token: str) -> bool:
    """Whether what a request bears is a token; an empty one is none."""
    return bool(token) and compare_digest(given.encode("latin-1"), token.encode())
