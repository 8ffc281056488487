"""Who guesses tokens has to wait, by the address that the request comes from; others need not."""

import http.client
import json
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from app_server import serve
from starlette.requests import Request

from covidct.api.guesses import MOST, MOST_ADDRESSES, Guesses
from covidct.api.routes import PREFIX

TOKEN, METRICS_TOKEN, WRONG = "the token of these tests", "the token for figures", "w" * 30
PROXY = "127.0.0.9"
DESCRIPTION = f"{PREFIX}/openapi.json"  # for anyone
SLICES = f"{PREFIX}/slices"


@pytest.fixture(scope="module")
def tokens():
    """Both tokens, in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDCT_API_TOKEN", TOKEN)
        patch.setenv("COVIDCT_METRICS_TOKEN", METRICS_TOKEN)
        yield patch


@pytest.fixture(scope="module")
def alone(tmp_path_factory, tokens):
    """A server that was told of no proxy."""
    tokens.delenv("FORWARDED_ALLOW_IPS", raising=False)
    with serve(tmp_path_factory.mktemp("alone")) as server:
        yield server


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory, tokens):
    """A server that was told of one."""
    tokens.setenv("FORWARDED_ALLOW_IPS", PROXY)
    with serve(tmp_path_factory.mktemp("behind")) as server:
        yield server


def ask(server, token, address, path="/metrics", forwarded=None):
    """Status and headers of an answer to a request that comes from an address of this machine."""
    host = urlsplit(server.url)
    connection = http.client.HTTPConnection(
        "127.0.0.1", host.port, source_address=(address, 0), timeout=60
    )
    headers = {"Authorization": f"Bearer {token}", "Host": host.netloc, "Content-Length": "0"}
    if forwarded:
        headers["X-Forwarded-For"] = forwarded
    with closing(connection):
        connection.request("POST" if path == SLICES else "GET", path, headers=headers)
        given = connection.getresponse()
        if given.status >= 400:
            assert json.loads(given.read()).keys() == {"error"}
        return given.status, given.headers


def guess(server, address, path="/metrics", times=MOST, forwarded=None):
    """The statuses of that many guesses."""
    return [ask(server, WRONG, address, path, forwarded)[0] for _ in range(times)]


def test_who_guesses_waits_with_a_right_token_too_and_others_do_not(alone):
    assert guess(alone, "127.0.0.2", SLICES) == [401] * MOST
    for path, right in ((SLICES, TOKEN), ("/metrics", METRICS_TOKEN)):
        for token in (WRONG, right):
            status, headers = ask(alone, token, "127.0.0.2", path)
            assert status == 429
            assert 0 < int(headers["Retry-After"]) <= 60
    assert ask(alone, METRICS_TOKEN, "127.0.0.1")[0] == 200
    assert ask(alone, TOKEN, "127.0.0.1", SLICES)[0] == 400  # let in; there is no file in it
    assert ask(alone, WRONG, "127.0.0.2", DESCRIPTION)[0] == 200


def test_guesses_of_both_tokens_count_together(alone):
    half = MOST // 2
    assert guess(alone, "127.0.0.3", SLICES, half) == [401] * half
    assert guess(alone, "127.0.0.3", "/metrics", MOST - half) == [401] * (MOST - half)
    assert guess(alone, "127.0.0.3", "/metrics", 1) == [429]


def test_no_token_and_right_ones_are_no_guesses(alone):
    for _ in range(MOST + 1):
        assert ask(alone, "", "127.0.0.4")[0] == 401
        assert ask(alone, METRICS_TOKEN, "127.0.0.4")[0] == 200


def test_nobody_gets_more_guesses_by_naming_another_address(alone):
    for number in range(MOST):
        assert ask(alone, WRONG, "127.0.0.1", forwarded=f"10.0.0.{number}")[0] == 401
    assert ask(alone, WRONG, "127.0.0.1", forwarded="10.0.1.1")[0] == 429
    assert ask(alone, METRICS_TOKEN, "127.0.0.1")[0] == 200


def test_a_proxy_that_is_named_says_whose_guesses_they_are(behind_proxy):
    server, guesser = behind_proxy, "10.0.0.1"
    assert guess(server, PROXY, forwarded=f"1.2.3.4, {guesser}") == [401] * MOST
    assert ask(server, METRICS_TOKEN, PROXY, forwarded=guesser)[0] == 429
    assert ask(server, METRICS_TOKEN, PROXY, forwarded="10.0.0.2")[0] == 200
    for number in range(MOST):  # what another says is not believed
        assert ask(server, WRONG, "127.0.0.5", forwarded=f"10.0.0.{number + 3}")[0] == 401
    assert ask(server, METRICS_TOKEN, "127.0.0.5")[0] == 429


@pytest.mark.parametrize(
    ("guessers", "other"),
    (
        # A customer has a network of 64 bits
        ([f"2001:db8:0:1::{number:x}" for number in range(MOST)], "2001:db8:0:2::1"),
        (["::ffff:10.0.0.1"] * (MOST - 1) + ["10.0.0.1"], "::ffff:10.0.0.2"),
    ),
)
def test_addresses_of_ipv6_count_as_their_network(guessers, other):
    guesses = Guesses()
    for address in guessers:
        assert not guesses.wait(request_from(address))
        guesses.count(request_from(address))
    assert all(guesses.wait(request_from(address)) for address in guessers)
    assert not guesses.wait(request_from(other))


def test_addresses_beyond_those_that_there_is_room_for_count_as_one():
    guesses = Guesses()
    for number in range(MOST_ADDRESSES + MOST):
        guesses.count(request_from(f"10.{number // 250}.{number % 250}.1"))
    assert guesses.wait(request_from("10.100.0.1"))
    assert not guesses.wait(request_from("10.0.0.1"))


def request_from(address):
    """A request that brings nothing."""
    return Request({"type": "http", "client": (address, 1), "headers": []})
