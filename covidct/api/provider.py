"""Access tokens of the OpenID Connect provider that the pages sign in at.

A token is let in that the provider signed, for this audience, and that has not expired (RFC 9068,
section 4). What a provider signs with is asked of it once a minute at most; while it cannot be
reached, nobody is let in by its tokens.
"""

import logging
import time
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from covidct.files import MALFORMED

ALGORITHMS = ("RS256", "PS256", "ES256")  # by a key that only the provider has

_KEEP = 60  # seconds
_TIMEOUT = 5  # seconds
_LOG = logging.getLogger(__name__)


class _Rules(NamedTuple):
    """By what a token is judged."""

    issuer: str
    keys: KeySet


class Provider:
    """A provider, by the address of its metadata (OpenID Connect Discovery 1.0, section 4).

    Args:
        metadata_url: …/.well-known/openid-configuration.
        audience: for which tokens have to be.
    """

    def __init__(self, metadata_url: str, audience: str) -> None:
        self._metadata_url, self._audience = metadata_url, audience
        self._lock = Lock()
        self._rules: _Rules | None = None
        self._asked = float("-inf")

    def lets_in(self, token: str) -> bool:
        """Whether the provider says that who bears a token may come; may ask it, and wait."""
        rules = self._current() if token.count(".") == 2 else None
        if rules is None:
            return False
        claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        )
        try:
            claims.validate(jwt.decode(token, rules.keys, ALGORITHMS).claims)
        except (JoseError, *MALFORMED):
            return False
        return True

    def _current(self) -> _Rules | None:
        with self._lock:
            if time.monotonic() - self._asked > _KEEP:
                self._asked = time.monotonic()
                self._rules = self._ask()
            return self._rules

    def _ask(self) -> _Rules | None:
        try:
            metadata = _json(self._metadata_url)
            keys = KeySet.import_key_set(_json(metadata["jwks_uri"]))
            return _Rules(str(metadata["issuer"]), keys)
        except (requests.RequestException, JoseError, *MALFORMED) as error:
            _LOG.error("The keys of the OpenID Connect provider: %s.", type(error).__name__)
            return None


@lru_cache(1)
def provider(metadata_url: str, audience: str) -> Provider:
    """The provider of a server, of which there is one."""
    return Provider(metadata_url, audience)


def _json(url: str) -> Any:  # noqa: ANN401
    answer = requests.get(url, timeout=_TIMEOUT, allow_redirects=False)
    answer.raise_for_status()
    return answer.json()
