import pytest

from covidct.archive.node_settings import NodeSettings, Peer, node_settings, peer_of, plain_address
from covidct.errors import ConfigError


def test_without_a_port_there_is_no_node():
    assert node_settings({}) is None
    assert node_settings({"archive": {"dicomweb": "https://pacs"}}) is None


def test_secrets_describe_it():
    section = {
        "receive_port": 104,
        "receive_peers": ["PACS=10.0.0.5:104", "CT 1=::1"],
        "receive_send_to": "PACS",
        "receive_what": ["seg", "sr"],
    }
    with pytest.raises(ConfigError, match="named as"):  # an IPv6 address without its brackets
        node_settings({"archive": section})
    section["receive_peers"][1] = "CT 1=[::1]"
    assert node_settings({"archive": section}) == NodeSettings(
        (Peer("PACS", "10.0.0.5", 104), Peer("CT 1", "::1")),
        104,
        send_to="PACS",
        what=("seg", "sr"),
    )


def test_the_environment_counts_alone(monkeypatch):
    monkeypatch.setenv("COVIDCT_RECEIVE_PORT", "11113")
    monkeypatch.setenv("COVIDCT_RECEIVE_PEERS", "A=localhost, B=pacs:104")
    monkeypatch.setenv("COVIDCT_RECEIVE_AET", "LUNGS")
    found = node_settings({"archive": {"receive_port": 1, "receive_what": ["sc"]}})
    assert found == NodeSettings((Peer("A", "localhost"), Peer("B", "pacs", 104)), 11113, "LUNGS")


@pytest.mark.parametrize("port", ["x", -1, "70000", "1.5"])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(ConfigError, match="65535"):
        node_settings({"archive": {"receive_port": port, "receive_peers": ["A=b"]}})


def test_a_node_without_peers_is_refused():
    with pytest.raises(ConfigError, match="needs a peer"):
        node_settings({"archive": {"receive_port": 104}})


@pytest.mark.parametrize("text", ["", "PACS", "=host", "PACS=", "PACS=host:", "  =host", "A=b:0"])
def test_what_names_no_peer_is_refused(text):
    with pytest.raises(ConfigError, match="named as"):
        peer_of(text)


def test_an_address_has_one_form():
    assert plain_address("::ffff:10.0.0.5") == "10.0.0.5"
    assert plain_address("fe80::1%eth0") == plain_address("fe80:0::0:1")
    assert "127.0.0.1" in Peer("A", "localhost").addresses()
