"""Scripts get from a real server what the command line says, and nothing without its token."""

import io
import json
import re
import shlex
import subprocess
import time
import zipfile
from base64 import b64decode
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
import requests
from app_server import serve
from figures import figures_of, slices_in
from jsonschema import Draft202012Validator
from patience import SECONDS

from covidct.__main__ import main
from covidct.api import answers
from covidct.benchmark.visitor import open_tab
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.imaging.readers import read_slice
from covidct.inference.cases import groups_in
from covidct.inference.classifier import Classifier
from covidct.inference.heatmap import OPACITY, explain, overlay
from covidct.training.run_folder import start_run_folder

TOKEN, METRICS_TOKEN = "the token of these tests", "the token for their figures"
LARGEST_FILE = 64_000  # bytes, fewer than the slices that are sent have
MANY = 400
ANSWERED = ("covidct_requests_total", "slices", "200")


@dataclass(frozen=True)
class Interface:
    """A server, and the folder in which lies all that it wrote."""

    url: str
    folder: Path

    def ask(self, path, token=TOKEN, headers=None, **request):
        """The answer to a request; one that brings something is a POST."""
        method = "POST" if request.keys() & {"data", "files"} else "GET"
        headers = {"Authorization": f"Bearer {token}", **(headers or {})}
        return requests.request(method, self.url + path, headers=headers, **request)

    def figures(self):
        """Its figures by their names and labels."""
        return figures_of(self.url, METRICS_TOKEN)

    def logged(self):
        """What it logged so far."""
        lines = (self.folder / "server.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def comes_true(condition):
    """Whether something is so in the end: an answer is counted and logged once it was given."""
    until = time.monotonic() + SECONDS
    while not (is_true := condition()) and time.monotonic() < until:
        time.sleep(0.1)
    return is_true


@pytest.fixture(scope="module")
def server(tmp_path_factory, quick):
    """One with both tokens and a run that was never started; it can write no file of a slice."""
    folder = tmp_path_factory.mktemp("server")
    start_run_folder(folder / "home" / "runs" / "secret run", folder, quick)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDCT_API_TOKEN", TOKEN)
        patch.setenv("COVIDCT_METRICS_TOKEN", METRICS_TOKEN)
        patch.setenv("COVIDCT_LOG", "json")
        with serve(folder, largest_file=LARGEST_FILE) as server:
            yield Interface(server.url, folder)


@pytest.fixture(scope="module")
def png(phantoms):
    """A slice with lesions."""
    return cv2.imencode(".png", phantoms[1].ct_slice.pixels)[1].tobytes()


def zipped(files):
    """A ZIP of files by their names."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for name, data in files.items():
            out.writestr(name, data)
    return archive.getvalue()


@pytest.fixture(scope="module")
def mixed(scan, png, no_lungs):
    """A ZIP of a series that lacks a slice, and of what lies beside it."""
    named = {f"scan/{number}.dcm": data for number, data in enumerate(scan) if number != 3}
    return zipped(named | {"slice.png": png, "logo.png": no_lungs, "broken.dcm": scan[0][:2000]})


@pytest.fixture(scope="module")
def told(mixed, tmp_path_factory):
    """What ``classify --json`` says of it."""
    folder = tmp_path_factory.mktemp("told")
    (folder / "scan.zip").write_bytes(mixed)
    with pytest.MonkeyPatch.context() as patch, (folder / "said").open("w") as said:
        patch.setattr("sys.stdout", said)
        main(["classify", str(folder / "scan.zip"), "--json"])
    return as_lines((folder / "said").read_text().replace(f"{folder}/", ""))


def as_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def lines(answer):
    """The objects of an answer that holds one a line."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
    assert answer.headers["Cache-Control"] == "no-store"
    return as_lines(answer.text)


@pytest.fixture(scope="module")
def fits(server):
    """Whether an object is one that the description promises, which anybody may read."""
    components = server.ask("/api/v1/openapi.json", token="").json()["components"]

    def is_as_described(line, *kinds):
        schema = {"anyOf": [{"$ref": f"#/components/schemas/{kind}"} for kind in kinds]}
        return Draft202012Validator({**schema, "components": components}).is_valid(line)

    return is_as_described


def test_a_series_gets_the_lines_of_the_command_line(server, mixed, told, fits):
    found = lines(server.ask("/api/v1/series", files={"any": ("scan.zip", mixed)}))
    (notes,) = [line.pop("series_notes") for line in found if "series_notes" in line]
    assert found == told
    assert any("missing" in note for note in notes)
    assert {"series", "error", "set_aside"} <= {key for line in found for key in line}
    assert all(fits(line, "slice", "series") for line in found)


def test_the_probability_of_each_class_is_as_described(three_class_run, mixed, fits):
    groups = groups_in([("scan.zip", mixed)])
    found = answers.lines(Classifier.open(three_class_run), groups, with_series=True)
    told = [line for line in found if "label" in line]
    assert any("series" in line for line in told) and any("file" in line for line in told)
    for line in told:
        assert line["classes"]["COVID"] == line["probability"]
        assert sum(line["classes"].values()) == pytest.approx(1, abs=1e-5)
        assert fits(line, "slice", "series")


def test_slices_get_the_same_lines_without_those_of_series(server, mixed, told, fits):
    found = lines(server.ask("/api/v1/slices", files={"any": ("scan.zip", mixed)}))
    assert found == [line for line in told if "series" not in line]
    assert all(fits(line, "slice") for line in found)


def test_files_of_a_form_are_put_together_into_a_series(server, scan):
    files = [("file", (f"{number}.dcm", data)) for number, data in enumerate(scan)]
    found = lines(server.ask("/api/v1/series", files=files))
    assert [line["file"] for line in found[:-1]] == [name for _, (name, _) in files]
    assert found[-1]["slices"] == len(scan)


def test_pictures_come_with_a_line_that_asks_for_them(server, png, fits):
    asked = "/api/v1/slices?overlay=true&opacity_map=true"
    (line,) = lines(server.ask(asked, data=png))
    assert line["file"] == "upload"
    assert fits(line, "slice")
    classifier, ct_slice = Classifier.load(), read_slice(png)
    drawn = overlay(ct_slice, explain(classifier, ct_slice)[1])
    assert np.array_equal(decoded(line["overlay"], cv2.IMREAD_COLOR_RGB), drawn)
    opaque = explain(classifier, ct_slice, OPACITY)[1].values
    assert opaque.any()
    assert np.abs(decoded(line["opacity_map"], cv2.IMREAD_UNCHANGED) / 255 - opaque).max() < 0.01


def decoded(text, colours):
    return cv2.imdecode(np.frombuffer(b64decode(text), np.uint8), colours)


@pytest.mark.parametrize(
    "bearing", ("", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {METRICS_TOKEN}", f"Basic {TOKEN}")
)
def test_without_the_token_nothing_is_judged(server, png, bearing):
    before = server.figures()
    for path in ("/api/v1/slices", "/api/v1/series"):
        answer = server.ask(path, data=png, headers={"Authorization": bearing})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json().keys() == {"error"}
    assert slices_in(server.figures()) == slices_in(before)


def test_what_cannot_be_answered_is_said_in_a_sentence(server, png, fits):
    own = urlsplit(server.url)
    slices = "/api/v1/slices"
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    half = b'--x\r\nContent-Disposition: form-data; name="a"; filename="xn--a"\r\n\r\nhalf'
    odd = {"Content-Type": "multipart/form-data; boundary=x; charset=idna"}
    for status, answer in (
        (400, server.ask(slices, data=b"")),
        (400, server.ask(slices, data=b"no form", headers=form)),
        (400, server.ask(slices, data=half, headers=form)),
        (400, server.ask(slices, data=half + b"\r\n" + half, headers=form)),
        (400, server.ask(slices, data=half + b"\r\n--x--\r\n", headers=odd)),
        (400, server.ask(slices, data=png, headers={"Content-Type": "multipart/form-data"})),
        (400, server.ask(slices, files={"file": ("empty.png", b"")})),
        (400, server.ask(f"{slices}?overlay=yes", data=png)),
        (400, server.ask(f"{slices}?model=other", data=png)),
        (400, server.ask(slices, data=png, headers={"Host": "evil.example"})),
        (403, server.ask(slices, data=png, headers={"Origin": f"http://evil.{own.netloc}"})),
        (404, server.ask("/api/v1/nothing")),
        (404, server.ask("/api/v1/")),
        (405, server.ask(slices)),
        (405, server.ask("/api/v1/health", data=png)),
        (411, server.ask(slices, data=iter([png]))),
        (422, server.ask(slices, data=zipped({}))),
    ):
        assert answer.status_code == status, answer.text
        assert fits(answer.json(), "error")
        assert re.match(r"[A-Z].*\.|.*…", answer.json()["error"])


@pytest.mark.parametrize("length", (MAX_BYTES + 1, 1024**3 + 1))
def test_what_is_too_long_is_refused_before_it_is_sent(server, length):
    connection = HTTPConnection(urlsplit(server.url).netloc)
    connection.putrequest("POST", "/api/v1/slices")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read()).keys()) == (413, {"error"})
    connection.close()


def test_who_goes_away_lets_the_rest_be_and_holds_up_nobody(server, png):
    before = server.figures()
    many = zipped({f"{number}.png": png for number in range(MANY)})
    answer = server.ask("/api/v1/slices", data=many, stream=True)
    assert "label" in json.loads(next(answer.iter_lines()))
    assert server.ask("/api/v1/health", token="").json() == {"status": "ready"}
    (line,) = lines(server.ask("/api/v1/slices", data=png))
    assert "label" in line
    answer.close()
    assert comes_true(lambda: more(server, before, *ANSWERED) >= 2)
    assert slices_in(server.figures()) - slices_in(before) < MANY
    assert server.figures()["covidct_queue",] == 0


def more(server, before, *figure):
    """By how much a figure has grown."""
    return server.figures()[figure] - before.get(figure, 0)


def test_figures_count_verdicts_waits_and_runs_and_name_nobody(server, mixed, told):
    before = server.figures()
    lines(server.ask("/api/v1/series", files={"any": ("secret.zip", mixed)}))
    assert comes_true(lambda: more(server, before, "covidct_requests_total", "series", "200") >= 1)
    after = server.figures()
    for outcome in ("Positive", "Negative", "Uncertain"):
        of_slices = [line for line in told if "file" in line and line.get("decision") == outcome]
        assert more(server, before, "covidct_verdicts_total", outcome.lower()) == len(of_slices)
    assert more(server, before, "covidct_verdicts_total", "refused") >= sum(
        "error" in line for line in told
    )
    assert more(server, before, "covidct_wait_seconds_count") > 0
    assert after["process_resident_memory_bytes",] > 0
    assert after["covidct_runs", "failed"] == 1
    assert after["covidct_runs", "running"] == 0
    assert "secret" not in server.ask("/metrics", METRICS_TOKEN).text


def test_figures_count_what_pages_judge_and_hold(server, png):
    before = server.figures()
    with open_tab(server.url) as tab:
        tab.accept_notice()
        for _ in tab.drop("slice.png", png):
            pass
        after = server.figures()
    assert slices_in(after) == slices_in(before) + 1
    assert after["covidct_upload_bytes",] == len(png)


@pytest.mark.parametrize("token", ("", TOKEN, METRICS_TOKEN[:-1]))
def test_figures_are_told_to_who_bears_their_token_alone(server, token):
    answer = server.ask("/metrics", token)
    assert (answer.status_code, answer.json().keys()) == (401, {"error"})


def test_neither_disk_nor_log_holds_a_slice_or_a_name(server, scan, png):
    marks = (b"marked-name", b"Secret", png[-400:-200], scan[0][-400:-200])
    files = [("file", ("marked-name.dcm", scan[0])), ("file", ("marked-name.png", png))]
    lines(server.ask("/api/v1/slices", files=[*files, ("file", ("marked-name", b"broken"))]))
    lines(server.ask("/api/v1/series", data=zipped({"marked-name.dcm": scan[0]})))
    server.ask("/api/v1/slices?marked-name", data=png)
    server.ask("/api/v1/marked-name", token="marked-name")
    for path in filter(Path.is_file, server.folder.rglob("*")):
        assert not [mark for mark in marks if mark in path.read_bytes()], path
        assert "marked-name" not in path.name


def test_the_log_tells_what_was_asked_and_judged_in_json(server, png):
    before = len(server.logged())
    (line,) = lines(server.ask("/api/v1/slices", data=png))
    server.ask("/api/v1/slices", token="", data=png)

    def told(**facts):
        return any(facts.items() <= record.items() for record in server.logged()[before:])

    assert comes_true(lambda: told(message="answered", route="slices", status=200))
    assert comes_true(lambda: told(message="answered", route="slices", status=401))
    assert told(message="judged", **{line["decision"].lower(): 1})
    log = (server.folder / "server.log").read_text()
    assert not re.findall(r"^(?!\{).*\b(?:INFO|WARNING|ERROR)\b.*", log, re.MULTILINE)
    assert "127.0.0.1" not in log


def test_the_readmes_line_for_curl_gets_verdicts(server, root, png, tmp_path):
    (command,) = re.findall("`(curl [^`]+)`", (root / "README.md").read_text(encoding="utf-8"))
    (tmp_path / "scan.zip").write_bytes(zipped({"slice.png": png}))
    command = command.replace("http://localhost:8501", server.url)
    command = command.replace("$COVIDCT_API_TOKEN", TOKEN)
    done = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True)
    assert [line["file"] for line in as_lines(done.stdout)] == ["scan.zip/slice.png"]
