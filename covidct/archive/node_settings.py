"""Who this program is as a DICOM node, and which other nodes it knows; without a port it is none.

The command ``receive`` takes this from its options. The server takes it from Streamlit's secrets:

    [archive]
    receive_port = 11112
    receive_peers = ["PACS=10.0.0.5:104", "CT1=ct1.example.org"]
    receive_aet = "COVIDCT"       # these are the defaults
    receive_host = "127.0.0.1"    # the address to listen on; 0.0.0.0 for all of this machine
    receive_send_to = ""          # the peer that gets the results
    receive_what = []             # of "sc", "seg", "sr", "map"

or from the environment, which then counts alone: COVIDCT_RECEIVE_PORT, COVIDCT_RECEIVE_PEERS and so
on, where lists have commas.
"""

import os
import re
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

from covidct.errors import ConfigError
from covidct.messages import N_
from covidct.reports.dicom_results import KINDS

AE_TITLE, HOST, PORT = "COVIDCT", "127.0.0.1", 11112
QUIET = 5.0  # seconds

_SECTION, _KEY, _VARIABLE = "archive", "receive_", "COVIDCT_RECEIVE_"
_NAMES = ("port", "peers", "aet", "host", "send_to", "what")
_AE_TITLE = re.compile(r"(?=.*[^ ])[ -\[\]-~]{1,16}")  # PS3.5 section 6.2
_PEER = re.compile(r"(?P<title>[^=]+)=(?P<host>\[[^]]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Peer:
    """Another DICOM node.

    Attributes:
        ae_title: its application entity title.
        host: its name or address.
        port: where it takes objects; None where nothing is sent to it.
    """

    ae_title: str
    host: str
    port: int | None = None

    def addresses(self) -> frozenset[str]:
        """The addresses that its host has now.

        Raises:
            ConfigError: it has none.
        """
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ConfigError(
                N_("The host of the peer {title} has no address.", title=self.ae_title)
            ) from None
        return frozenset(plain_address(str(address[0])) for *_, address in found)


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """A DICOM node and its peers.

    Attributes:
        peers: from which alone it takes objects.
        port: that it listens on.
        ae_title: by which it has to be called.
        host: the address that it listens on.
        quiet: seconds without a slice after which a series is judged.
        keep: where each start of the node makes a folder of slices; None where nothing is kept.
        send_to: AE title of the peer that gets the results of each series, or empty.
        what: of :data:`covidct.reports.dicom_results.KINDS`.
    """

    peers: tuple[Peer, ...]
    port: int = PORT
    ae_title: str = AE_TITLE
    host: str = HOST
    quiet: float = QUIET
    keep: Path | None = None
    send_to: str = ""
    what: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.peers:
            raise ConfigError(
                N_("A DICOM node needs a peer, such as PACS=10.0.0.5: it takes from no other.")
            )
        if not _AE_TITLE.fullmatch(self.ae_title):
            raise ConfigError(N_("An AE title has 1 to 16 characters, and none of them is a \\."))
        if not 0 < self.port < 2**16:
            raise ConfigError(N_("A port is a number from 1 to 65535."))
        _check_sending(self)

    @property
    def receiver(self) -> Peer | None:
        """The peer that gets the results."""
        return next((peer for peer in self.peers if peer.ae_title == self.send_to), None)


def _check_sending(settings: NodeSettings) -> None:
    if unknown := set(settings.what) - set(KINDS):
        raise ConfigError(
            N_(
                "There is no kind of results called {names}; there are {kinds}.",
                names=", ".join(sorted(unknown)),
                kinds=", ".join(KINDS),
            )
        )
    if bool(settings.send_to) != bool(settings.what):
        raise ConfigError(
            N_("To send results, name both the peer that gets them and what it gets.")
        )
    if settings.send_to and (settings.receiver is None or settings.receiver.port is None):
        raise ConfigError(
            N_(
                "The node that gets the results has to be one of the peers, with its port: "
                "PACS=10.0.0.5:104."
            )
        )


def peer_of(text: str) -> Peer:
    """A peer as AET=HOST[:PORT]; an IPv6 address stands in brackets.

    Raises:
        ConfigError: the text is something else.
    """
    match = _PEER.fullmatch(text.strip())
    port = int(match["port"]) if match and match["port"] else None
    if match is None or not _AE_TITLE.fullmatch(match["title"]) or port == 0:
        raise ConfigError(N_("A peer is named as AET=HOST or AET=HOST:PORT, PACS=10.0.0.5:104."))
    return Peer(match["title"].strip(), match["host"].strip("[] "), port)


def peers_of(texts: Iterable[str]) -> tuple[Peer, ...]:
    """Peers, each as :func:`peer_of` reads it."""
    return tuple(map(peer_of, texts))


def node_settings(secrets: Mapping[str, Any]) -> NodeSettings | None:
    """The node that whoever runs the server wants it to be, or None.

    Args:
        secrets: Streamlit's.

    Raises:
        ConfigError: a value is none that a node can have.
    """
    if os.environ.get(f"{_VARIABLE}PORT"):
        given: dict[str, Any] = {
            name: os.environ.get(f"{_VARIABLE}{name.upper()}", "") for name in _NAMES
        }
    else:
        section = secrets.get(_SECTION, {})
        given = {name: section.get(f"{_KEY}{name}", "") for name in _NAMES}
    if not given["port"]:
        return None
    return NodeSettings(
        peers_of(_listed(given["peers"])),
        int(given["port"]) if str(given["port"]).isdecimal() else 0,
        given["aet"] or AE_TITLE,
        given["host"] or HOST,
        send_to=given["send_to"],
        what=_listed(given["what"]),
    )


def _listed(value: str | Collection[str]) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in map(str, parts) if part.strip())


def plain_address(address: str) -> str:
    """An address in its shortest form; IPv4 within IPv6, as some sockets give it, is IPv4."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)
