"""Wrong tokens, counted by the address that they come from, so that whoever guesses has to wait.

By default an address is the one that a connection comes from. Behind a proxy that is the proxy's,
and all who come through it wait together. FORWARDED_ALLOW_IPS, which the server's uvicorn reads,
names proxies whose X-Forwarded-For is believed. Without it uvicorn believes this very machine, so
that a guesser could name another address each time; here such requests count as from one address.
"""

import math
import os
import time
from ipaddress import ip_address, ip_network

from starlette.requests import Request

PROXIES_VARIABLE = "FORWARDED_ALLOW_IPS"
MOST = 10  # wrong tokens from an address without a pause
MOST_ADDRESSES = 4096  # more than that at a time count as one

_PAUSE = 60  # seconds
_UNKNOWN = ""


class Guesses:
    """How many wrong tokens each address bore, until it has borne none for a minute."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[int, float]] = {}  # and until when that counts

    def wait(self, request: Request) -> int:
        """Seconds until the address of a request is answered again; 0 where it is now."""
        wrong, until = self._counted.get(self._counted_as(request), (0, 0.0))
        left = math.ceil(until - time.monotonic())
        return max(0, left) if wrong >= MOST else 0

    def count(self, request: Request) -> None:
        """Note that a request bore a wrong token."""
        now = time.monotonic()
        self._counted = {one: count for one, count in self._counted.items() if count[1] > now}
        counted_as = self._counted_as(request)
        wrong, _ = self._counted.get(counted_as, (0, 0.0))
        self._counted[counted_as] = wrong + 1, now + _PAUSE

    def _counted_as(self, request: Request) -> str:
        address = _address(request)
        is_full = len(self._counted) >= MOST_ADDRESSES
        return _UNKNOWN if is_full and address not in self._counted else address


def _address(request: Request) -> str:
    """Where a request comes from: an address of IPv4, a network of IPv6 as one customer has it."""
    is_forwarded = "x-forwarded-for" in request.headers
    if not request.client or (is_forwarded and not os.environ.get(PROXIES_VARIABLE)):
        return _UNKNOWN
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return _UNKNOWN
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
