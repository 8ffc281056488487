"""Two servers of one home behind haproxy, with the file that is shipped for it."""

import json
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import cv2
import pytest
import requests
from app_server import REPOSITORY, Server, free_port, serve, wait_until_healthy

from covidct.benchmark.visitor import open_tab
from covidct.inference.promotion import SHIPPED_DIR, promote

TOKEN, NAME = "the token of these tests", "covidct.example.org"
COOKIE, ADDRESS = "COVIDCT_SERVER", "127.0.0.1"
MANY = 10


@dataclass(frozen=True)
class Balanced:
    """Where the balancer listens, and the servers behind it, by their cookies."""

    url: str
    servers: dict[str, Server]

    def visitor(self, server: str = "") -> requests.Session:
        """Who has the cookie of a server, or none yet."""
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        if server:
            session.cookies.set(COOKIE, server, domain=ADDRESS, path="/")
        return session


@pytest.fixture(scope="module")
def balanced(tmp_path_factory):
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    folders = {name: tmp_path_factory.mktemp(name) for name in ("one", "two")}
    (folders["one"] / "home").mkdir()
    (folders["two"] / "home").symlink_to(folders["one"] / "home")
    url = f"{ADDRESS}:{free_port()}"
    with ExitStack() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDCT_HOME", str(folders["one"] / "home"))
        patch.setenv("COVIDCT_HOSTS", NAME)
        patch.setenv("COVIDCT_API_TOKEN", TOKEN)
        servers = {name: running.enter_context(serve(one)) for name, one in folders.items()}
        patch.setenv("COVIDCT_BALANCER", url)
        for name, server in servers.items():
            patch.setenv(f"COVIDCT_SERVER_{name.upper()}", server.url.removeprefix("http://"))
        log = folders["one"] / "haproxy.log"
        haproxy = running.enter_context(_haproxy(log))
        wait_until_healthy(f"http://{url}/api/v1/health", haproxy, log)
        yield Balanced(f"http://{url}", servers)


@contextmanager
def _haproxy(log):
    command = ["haproxy", "-db", "-f", REPOSITORY / "covidct" / "docs" / "haproxy.cfg"]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def picture(phantoms) -> bytes:
    return cv2.imencode(".png", phantoms[1].ct_slice.pixels)[1].tobytes()


def judge(visitor, url, picture):
    """The line for a slice, and which server it was that answered."""
    answer = visitor.post(f"{url}/api/v1/slices", data=picture)
    answer.raise_for_status()
    return json.loads(answer.text), visitor.cookies[COOKIE]


def test_who_comes_stays_with_a_server_and_both_say_the_same(balanced, picture):
    told = {}
    for name in balanced.servers:
        line, by = judge(balanced.visitor(name), balanced.url, picture)
        assert by == name
        told[by] = line
    assert told["one"] == told["two"]
    newcomer = balanced.visitor()
    names = {judge(newcomer, balanced.url, picture)[1] for _ in range(3)}
    assert len(names) == 1


def test_only_the_names_of_the_servers_are_answered(balanced):
    for host, status in ((NAME, 200), ("evil.example", 400)):
        answer = requests.get(f"{balanced.url}/_stcore/health", headers={"Host": host})
        assert answer.status_code == status


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
        line, by = judge(balanced.visitor(name), balanced.url, picture)
        assert by == name
        assert line["model_id"].startswith("promoted@")


def test_when_one_server_is_killed_the_other_answers_and_no_request_is_lost(balanced, picture):
    visitors = [balanced.visitor("one") for _ in range(MANY)]
    before, _ = judge(visitors[0], balanced.url, picture)
    balanced.servers["one"].process.kill()
    balanced.servers["one"].process.wait()
    assert [judge(visitor, balanced.url, picture) for visitor in visitors] == (
        [(before, "two")] * MANY
    )
