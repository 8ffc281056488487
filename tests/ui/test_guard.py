"""A real server answers to its own names and its own pages alone, and says what browsers may do."""

import os
import socket
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from app_server import serve
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from covidct.benchmark.visitor import open_tab

FOREIGN = ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "")
OWN = ("localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.9.8.7", "[::1]")
ASKS_FOR_ADDRESS = "from streamlit.net_util import get_external_ip; get_external_ip()"


@pytest.fixture(scope="module")
def internet():
    """Hears who asks the internet for anything, since it is what requests go through."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0)
        yield proxy


@pytest.fixture(scope="module")
def server(tmp_path_factory, internet):
    """A server behind a proxy that says its name; its secrets name the site that may frame it."""
    with pytest.MonkeyPatch.context() as patch:
        proxy = f"http://127.0.0.1:{internet.getsockname()[1]}"
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.setenv(variable, proxy)
        patch.setenv("NO_PROXY", "localhost")
        patch.setenv("no_proxy", "localhost")
        patch.setenv("COVIDCT_HOSTS", "covidct.example.org, other.example.org")
        secrets = 'COVIDCT_FRAMED_BY = "https://example.org"'
        with serve(tmp_path_factory.mktemp("server"), lambda _: secrets) as server:
            yield server


def answer(server, path="/", host=None, **headers):
    """Status and headers of an answer."""
    address = urlsplit(server.url).netloc
    connection = HTTPConnection(address)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", address if host is None else host)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    given = connection.getresponse()
    given.read()
    connection.close()
    return given.status, given.headers


def status_of_socket(server, host, origin):
    """With what a websocket is answered: 101 opens it."""
    address = urlsplit(server.url)
    try:
        with (
            socket.create_connection((address.hostname, address.port)) as to_server,
            connect(f"ws://{host}/_stcore/stream", sock=to_server, origin=origin, proxy=None),
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_gets_nothing(server, host):
    for path in ("/", "/_stcore/health", "/media/a.png", "/static/js/index.js"):
        assert answer(server, path, host)[0] == 400


@pytest.mark.parametrize("host", (*OWN, "covidct.example.org", "other.example.org"))
def test_own_names_are_answered_at_any_port(server, host):
    for port in ("", ":80", ":8501"):
        assert answer(server, "/_stcore/health", f"{host}{port}")[0] == 200


@pytest.mark.parametrize(
    "host", ("localhost@evil.example", "localhost/", "localhost:8501:1", "[::")
)
def test_what_is_no_name_is_refused(server, host):
    assert answer(server, "/_stcore/health", host)[0] == 400


def test_a_websocket_opens_for_pages_of_this_server_alone(server):
    own = urlsplit(server.url).netloc
    assert status_of_socket(server, own, f"http://{own}") == 101
    assert status_of_socket(server, "covidct.example.org", "https://covidct.example.org") == 101
    assert status_of_socket(server, "evil.example", "http://evil.example") == 400
    for origin in ("http://evil.example", "null", "http://localhost:1", "http://10.0.0.1"):
        assert status_of_socket(server, own, origin) == 403


def test_a_foreign_origin_makes_the_server_ask_nobody_for_its_address(server, internet):
    own = urlsplit(server.url).netloc
    assert status_of_socket(server, own, "http://evil.example") == 403
    assert answer(server, Origin="http://evil.example")[0] == 403
    with pytest.raises(BlockingIOError):
        internet.accept()


def test_who_asks_for_its_address_would_be_heard(server, internet):
    proxy = f"http://127.0.0.1:{internet.getsockname()[1]}"
    environment = {**os.environ, "http_proxy": proxy, "https_proxy": proxy}
    subprocess.run([sys.executable, "-c", ASKS_FOR_ADDRESS], env=environment, check=True)
    internet.accept()[0].close()


def test_every_answer_tells_browsers_what_they_may_do(server):
    for path, host in (("/", None), ("/_stcore/health", None), ("/media/none", None), ("/", "x")):
        headers = answer(server, path, host)[1]
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == "'self'"
        assert policy["object-src"] == "'none'"
        assert "unsafe" not in policy["script-src"]
        assert policy["frame-ancestors"] == "https://example.org"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


def test_nobody_is_told_how_many_sessions_there_are(server):
    address = urlsplit(server.url).netloc
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        for path in ("/_stcore/metrics", "/_stcore/%6Detrics", "/_stcore/metrics?families=x"):
            connection = HTTPConnection(address)
            connection.request(method, path, headers={"Accept": "application/x-protobuf"})
            given = connection.getresponse()
            assert given.status == 404, path
            assert b"session" not in given.read()
            connection.close()
    for path in ("/_stcore/metrics/", "//_stcore/metrics", "/_stcore/./metrics"):
        assert answer(server, path)[1].get("Content-Type") != "application/openmetrics-text"


def test_no_picture_stays_in_a_browsers_cache(server, png):
    with open_tab(server.url) as tab:
        tab.accept_notice()
        for _ in tab.drop("slice.png", png):
            pass
        media = {image.url for images in tab.elements("imgs") for image in images.imgs}
        media.add(tab.press_download("Results, CSV"))
        assert len(media) > 1
        for path in media:
            status, headers = answer(server, path)
            assert (status, headers["Cache-Control"]) == (200, "no-store")
