"""What visitors of two servers behind the balancer see, and what is left when one is killed."""

import http.client
import json
import shutil
from contextlib import closing
from urllib.parse import urlsplit

import cv2
import pytest
import requests
from balanced import ADDRESS, serve_balanced

from covidct.api.guesses import MOST
from covidct.benchmark.visitor import open_tab
from covidct.inference.promotion import SHIPPED_DIR, promote

TOKEN, WRONG, NAME = "the token of these tests", "w" * 30, "covidct.example.org"
COOKIE, GUESSER = "COVIDCT_SERVER", "127.0.0.2"
MANY = 10


@pytest.fixture(scope="module")
def balanced(tmp_path_factory):
    folder = tmp_path_factory.mktemp("balanced")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDCT_HOME", str(folder / "one" / "home"))
        patch.setenv("COVIDCT_HOSTS", NAME)
        patch.setenv("COVIDCT_API_TOKEN", TOKEN)
        patch.setenv("FORWARDED_ALLOW_IPS", ADDRESS)  # the balancer's
        with serve_balanced(folder) as balanced:
            yield balanced


@pytest.fixture(scope="module")
def picture(phantoms) -> bytes:
    return cv2.imencode(".png", phantoms[1].ct_slice.pixels)[1].tobytes()


def script(server=""):
    """A script that has the cookie of a server, or none yet."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    if server:
        session.cookies.set(COOKIE, server, domain=ADDRESS, path="/")
    return session


def judge(visitor, url, picture):
    """The line for a slice, and which server it was that answered."""
    answer = visitor.post(f"{url}/api/v1/slices", data=picture)
    answer.raise_for_status()
    return json.loads(answer.text), visitor.cookies[COOKIE]


def test_who_comes_stays_with_a_server_and_both_say_the_same(balanced, picture):
    told = {}
    for name in balanced.servers:
        line, by = judge(script(name), balanced.url, picture)
        assert by == name
        told[by] = line
    assert told["one"] == told["two"]
    newcomer = script()
    names = {judge(newcomer, balanced.url, picture)[1] for _ in range(3)}
    assert len(names) == 1


def test_only_the_names_of_the_servers_are_answered(balanced):
    for host, status in ((NAME, 200), ("evil.example", 400)):
        answer = requests.get(f"{balanced.url}/_stcore/health", headers={"Host": host})
        assert answer.status_code == status


def test_who_guesses_tokens_waits_whatever_address_they_name(balanced):
    balancer = urlsplit(balanced.url)
    told = []
    for number in range(MOST + 1):
        headers = {
            "Authorization": f"Bearer {WRONG}",
            "Cookie": f"{COOKIE}=one",
            "X-Forwarded-For": f"10.0.0.{number}",
        }
        connection = http.client.HTTPConnection(
            ADDRESS, balancer.port, source_address=(GUESSER, 0), timeout=60
        )
        with closing(connection):
            connection.request("POST", "/api/v1/slices", b"x", headers)
            told.append(connection.getresponse().status)
    assert told == [401] * MOST + [429]
    answer = script("one").post(f"{balanced.url}/api/v1/slices", headers={"Content-Length": "0"})
    assert answer.status_code == 400  # let in; there is no file in it


def test_a_page_is_served_through_its_websocket(balanced, picture):
    with open_tab(balanced.url) as tab:
        tab.accept_notice()
        list(tab.drop("slice.png", picture))
        assert 'class="cv-decision"' in tab.html()


def test_a_promotion_on_one_server_is_used_by_the_next_slice_on_both(balanced, picture, tmp_path):
    model = shutil.copytree(SHIPPED_DIR / "covidct-astra", tmp_path / "model")
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps(card | {"name": "promoted"}))
    promote(model)
    for name in balanced.servers:
        line, by = judge(script(name), balanced.url, picture)
        assert by == name
        assert line["model_id"].startswith("promoted@")


def test_when_one_server_is_killed_the_other_answers_and_no_request_is_lost(balanced, picture):
    visitors = [script("one") for _ in range(MANY)]
    before, _ = judge(visitors[0], balanced.url, picture)
    balanced.servers["one"].process.kill()
    balanced.servers["one"].process.wait()
    assert [judge(visitor, balanced.url, picture) for visitor in visitors] == (
        [(before, "two")] * MANY
    )
