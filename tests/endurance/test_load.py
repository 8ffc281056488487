"""Thirty people at once on one server, one more with a series of four hundred slices among them;
sixty on two servers behind a balancer.

COVIDCT_LOAD_SECONDS sets how long, five minutes by default; a third of it on two servers. On one,
nobody pauses for two thirds of it; in the last one each slice is looked at for a while.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from balanced import serve_balanced
from figures import figures_of, slices_in

from covidct.imaging.phantom import phantom_slice

pytestmark = pytest.mark.endurance

SESSIONS, SLICES_EACH, SERIES = 30, 3, 400
ON_TWO_SERVERS = 60
SECONDS = float(os.environ.get("COVIDCT_LOAD_SECONDS", 300))
SECONDS_ON_TWO = SECONDS / 3
LOOK = 5  # seconds that somebody looks at a slice, on average
NAME = re.compile(rb"session-(\d+)-")
CSV = "Results, CSV"
VERDICT = 'class="cv-decision"'
SLICE = "The CT slice "  # as it was read, or with its opacities outlined
REFUSAL = "This file was not classified."
METRICS_TOKEN = "the token for the figures of the load test"


@dataclass
class Account:
    """What one session came to.

    Attributes:
        seconds: from the start of each upload to its verdict.
        waited: whether it was ever told that others are before it.
    """

    seconds: list[float] = field(default_factory=list)
    waited: bool = False


@pytest.fixture(scope="module")
def slices(tmp_path_factory) -> dict[int, list[Path]]:
    """Synthetic slices of each session's own, marked in their pixels and names."""
    folder = tmp_path_factory.mktemp("slices")
    files = {}
    for session in range(ON_TWO_SERVERS):
        pixels = phantom_slice(session, session % 5, size=256).ct_slice.pixels
        files[session] = [folder / f"session-{session}-{n}.png" for n in range(SLICES_EACH)]
        for number, file in enumerate(files[session]):
            cv2.imwrite(str(file), np.roll(pixels, 3 * number, axis=1))
    return files


@pytest.fixture(scope="module")
def told_on_the_command_line(slices, root) -> dict[str, dict]:
    """What ``classify --json`` says of each slice, by the name of its file."""
    folder = next(iter(slices.values()))[0].parent
    command = [sys.executable, "-m", "covidct", "classify", folder, "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    lines = map(json.loads, done.stdout.splitlines())
    return {Path(line["file"]).name: line for line in lines}


@pytest.fixture
def series() -> bytes:
    """A ZIP of four hundred slices."""
    archive = io.BytesIO()
    pixels = [phantom_slice(100 + seed, seed, size=256).ct_slice.pixels for seed in range(8)]
    with zipfile.ZipFile(archive, "w") as out:
        for number in range(SERIES):
            shifted = np.roll(pixels[number % 8], number // 8, axis=1)
            out.writestr(f"{number:03d}.png", cv2.imencode(".png", shifted)[1].tobytes())
    return archive.getvalue()


@pytest.fixture(scope="module")
def _as_outside():
    """Servers have as many threads as outside of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            patch.delenv(threads, raising=False)
        patch.setenv("COVIDCT_METRICS_TOKEN", METRICS_TOKEN)
        yield


@pytest.fixture
def server(serve, _as_outside, tmp_path):
    with serve(tmp_path) as server:
        yield server


@pytest.fixture
def balanced(_as_outside, tmp_path):
    with serve_balanced(tmp_path) as balanced:
        yield balanced


def test_a_file_made_on_demand_waits_for_its_session_whatever_others_do(server, visit, slices):
    mine, other = visit(server.url), visit(server.url)
    file = slices[0][0]
    drop(mine, file)
    place = mine.press_download(CSV)
    for _ in range(3):
        other.run()
    assert file.name in mine.fetch(place).decode()


def test_thirty_sessions_get_the_verdicts_of_the_command_line_and_never_anothers_slice(
    server, visit, slices, told_on_the_command_line, series, record_property
):
    with ThreadPoolExecutor(SESSIONS + 1) as pool:
        tabs = list(pool.map(lambda _: visit(server.url), range(SESSIONS + 1)))
        many = pool.submit(read_series, tabs.pop(), series, time.monotonic() + SECONDS)
        work = partial(all_at_work, pool, tabs, slices, told_on_the_command_line)
        accounts, took = work(SECONDS * 2 / 3)
        looking, took_looking = work(SECONDS / 3, look=LOOK)
    seconds = np.concatenate([account.seconds for account in accounts])
    unhurried = np.concatenate([account.seconds for account in looking])
    counts = [len(account.seconds) for account in accounts]
    told = figures_of(server.url, METRICS_TOKEN)
    wait = told["covidct_wait_seconds_sum",] / told["covidct_wait_seconds_count",]
    record_property(
        "figure",
        f"load held: {SESSIONS} sessions for {SECONDS:.0f} s, none wrong, none of another session; "
        f"without a pause {len(seconds)} verdicts, {len(seconds) / took:.2f} a second, "
        f"time to a verdict {percentiles(seconds)}, {min(counts)} to {max(counts)} verdicts a "
        f"session; each slice looked at for {LOOK} s on average {len(unhurried)} verdicts, "
        f"{len(unhurried) / took_looking:.2f} a second, {percentiles(unhurried)}; "
        f"{many.result()} slices of the series of {SERIES} beside them; "
        f"server at most {peak_memory(server.process.pid):.0f} MB; by its own figures "
        f"{slices_in(told)} slices, their batches {1000 * wait:.0f} ms in the queue on average",
    )
    assert slices_in(told) >= len(seconds) + len(unhurried)
    assert min(counts) + 1 >= max(counts) / 2
    assert any(account.waited for account in accounts)
    assert server.process.poll() is None
    log = server.log.read_text()
    assert "Traceback" not in log, log
    assert not NAME.search(log.encode())


def test_sixty_sessions_over_two_servers_get_no_wrong_verdict_and_lose_none(
    balanced, visit, slices, told_on_the_command_line, record_property
):
    with ThreadPoolExecutor(ON_TWO_SERVERS) as pool:
        tabs = list(pool.map(lambda _: visit(balanced.url), range(ON_TWO_SERVERS)))
        before = [cpu_seconds(server.process.pid) for server in balanced.servers.values()]
        accounts, _ = all_at_work(pool, tabs, slices, told_on_the_command_line, SECONDS_ON_TWO)
    used = sum(cpu_seconds(server.process.pid) for server in balanced.servers.values())
    seconds = np.concatenate([account.seconds for account in accounts])
    a_verdict = (used - sum(before)) / len(seconds)
    judged = [slices_in(figures_of(s.url, METRICS_TOKEN)) for s in balanced.servers.values()]
    record_property(
        "figure",
        f"two servers held: {ON_TWO_SERVERS} sessions for {SECONDS_ON_TWO:.0f} s on "
        f"{os.cpu_count()} "
        f"cores, {len(seconds)} verdicts, {judged[0]} and {judged[1]} slices on the servers, none "
        f"wrong, none lost; time to a verdict {percentiles(seconds)}; balancer "
        f"{cpu_seconds(balanced.process.pid):.1f} s of a core in all; {a_verdict:.2f} s of a core "
        f"a verdict, so reckoned, not measured: {1 / a_verdict:.1f} verdicts a second a core",
    )
    assert min(judged) > 0
    assert sum(judged) >= len(seconds)
    assert min(len(account.seconds) for account in accounts) > 0
    for server in balanced.servers.values():
        log = server.log.read_text()
        assert "Traceback" not in log, log
        assert not NAME.search(log.encode())


def drop(tab, file) -> Account:
    """Drop a slice and wait for the whole page."""
    account, started = Account(), time.monotonic()
    for element in tab.drop(file.name, file.read_bytes()):
        if not account.seconds and any(sign in element.html.body for sign in (VERDICT, REFUSAL)):
            account.seconds.append(time.monotonic() - started)
        account.waited |= "before you" in element.progress.text
    return account


def all_at_work(pool, tabs, slices, told, seconds, look=0) -> tuple[list[Account], float]:
    """Have each tab used for so many seconds at once; what came of each, and how long it took."""
    started = time.monotonic()
    work = partial(use, told=told, deadline=started + seconds, look=look)
    accounts = list(pool.map(work, tabs, range(len(tabs)), slices.values()))
    return accounts, time.monotonic() - started


def use(tab, session, files, *, told, deadline, look=0) -> Account:
    """Drop slices and check all that comes back, until time is up.

    Each is looked at for so many seconds on average, the first as if one had come in the middle.
    """
    account, rng = Account(), np.random.default_rng(session)
    time.sleep(rng.uniform(0, look))
    for file in cycle(files):
        if time.monotonic() > deadline:
            return account
        one = drop(tab, file)
        account.seconds += one.seconds
        account.waited |= one.waited
        assert set(NAME.findall(b"".join(tab.received))) == {str(session).encode()}
        check(tab, file, told[file.name])
        time.sleep(rng.uniform(0.5, 1.5) * look)


def percentiles(seconds: np.ndarray) -> str:
    return f"p50 {np.percentile(seconds, 50):.1f} s, p95 {np.percentile(seconds, 95):.1f} s"


def check(tab, file, told) -> None:
    """Compare what stands on the page with the file and with the command line."""
    assert f'<h2 class="cv-file">{file.name}</h2>' in tab.html()
    (row,) = csv.DictReader(io.StringIO(tab.fetch(tab.press_download(CSV)).decode()))
    assert row["file"] == file.name
    if "error" in told:
        assert row["error"] == told["error"]
        return
    assert (row["label"], row["decision"]) == (told["label"], told["decision"])
    assert float(row["probability"]) == pytest.approx(told["probability"], abs=1e-5)
    assert f"{VERDICT}>{told['decision']}<" in tab.html()
    shown = next(i for images in tab.elements("imgs") for i in images.imgs if SLICE in i.alt)
    pixels = cv2.imdecode(np.frombuffer(tab.fetch(shown.url), np.uint8), cv2.IMREAD_COLOR)
    outline = np.ptp(pixels, axis=-1) > 0  # of opacities, in colour
    assert outline.mean() < 0.1
    own = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(pixels[~outline, 0], own[~outline])


def read_series(tab, series, deadline) -> int:
    """Drop the series; how many of its slices have been looked at when time is up."""
    reached = 0
    for element in tab.drop("series.zip", series):
        if said := re.match(r"Reading slice (\d+) of", element.progress.text):
            reached = int(said[1])
        if time.monotonic() > deadline:
            return reached
    return SERIES


def peak_memory(pid: int) -> float:
    """What a process has held in RAM at most, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """What a process has had of the processor's cores."""
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system
