import hashlib
import io
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from covidct.data.download import Patience
from covidct.data.fetch import FILES, IMAGE_COUNTS, LISTS, fetch
from covidct.data.index import read_index
from covidct.data.room import room_for
from covidct.errors import DatasetError, FetchError

HASTY = Patience(stall_seconds=0.4, tries=3, pause_seconds=0.01)
ZIP = "Images-processed/CT_COVID.zip"


class Upstream:
    """The repository's files on a local server, and what goes wrong with them.

    ``faults[path]`` is a list of faults, one for each request of the path until none is left;
    a fault that ends in "…" stays.
    """

    def __init__(self, files):
        self.files, self.faults, self.requests = dict(files), {}, []
        self.etags, self.ranges = "strong", True
        self.released = threading.Event()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                upstream.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/master"

    def answer(self, request):
        path = request.path.removeprefix("/master/")
        wanted = request.headers.get("Range")
        self.requests.append((path, wanted))
        fault = self._next_fault(path)
        if fault.isdecimal() or path not in self.files:
            request.send_error(int(fault or 404))
            return
        data = self.files[path]
        tag = {"strong": '"{}"', "weak": 'W/"{}"', "none": ""}[self.etags]
        tag = tag.format(hashlib.md5(data).hexdigest())
        start = self._start(request, wanted, tag)
        if start >= len(data) > 0:
            request.send_error(416)
            return
        body = self._spoilt(fault, data)[start:]
        request.send_response(206 if start else 200)
        if tag:
            request.send_header("ETag", tag)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if fault != "unknown length":
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        half = len(body) // 2
        if fault in ("break off", "stall"):
            request.wfile.write(body[:half])
            request.wfile.flush()
            if fault == "stall":
                self.released.wait(30)
            return
        request.wfile.write(body)

    def _start(self, request, wanted, tag):
        if not wanted or not self.ranges:
            return 0
        condition = request.headers.get("If-Range")
        if condition and (condition != tag or tag.startswith("W/")):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _next_fault(self, path):
        faults = self.faults.get(path, [])
        if not faults:
            return ""
        return faults[0].removesuffix("…") if faults[0].endswith("…") else faults.pop(0)

    @staticmethod
    def _spoilt(fault, data):
        if fault == "corrupt":
            middle = len(data) // 2
            return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        return b"<html>Please log in to this network.</html>" if fault == "portal" else data

    def asked(self, path):
        return [wanted for asked, wanted in self.requests if asked == path]


@pytest.fixture(scope="module")
def upstream_files():
    """Upstream's layout and counts, with a few bytes for each image."""
    files = {}
    for folder, count in IMAGE_COUNTS.items():
        names = [f"2020.03.{i:03d} p%{i}.png" for i in range(count)]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as zipped:
            zipped.writestr(f"{folder}/", b"")
            zipped.writestr(f"__MACOSX/{folder}/._a.png", b"junk")
            zipped.writestr(f"{folder}/.DS_Store", b"junk")
            for name in names:
                zipped.writestr(f"{folder}/{name}", f"{folder} {name}".encode() * 20)
        files[f"Images-processed/{folder}.zip"] = packed.getvalue()
        name = folder.removeprefix("CT_")
        for split, part in (
            ("train", names[:200]),
            ("val", names[200:260]),
            ("test", names[260:]),
        ):
            files[f"Data-split/{name}/{split}CT_{name}.txt"] = "\r\n".join(part).encode() + b"\r\n"
    return files


@pytest.fixture
def upstream(upstream_files):
    upstream = Upstream(upstream_files)
    thread = threading.Thread(target=upstream.server.serve_forever, args=(0.02,))
    thread.start()
    yield upstream
    upstream.released.set()
    upstream.server.shutdown()
    thread.join()
    upstream.server.server_close()


@pytest.fixture
def to(tmp_path):
    return tmp_path / "COVID-CT"


def _fetch(upstream, to, **options):
    return fetch(to, source=upstream.url, patience=HASTY, **options)


@contextmanager
def _refused(to, reason):
    with pytest.raises(FetchError, match=reason) as refusal:
        yield
    assert str(refusal.value).endswith(".")
    assert not to.exists()


def _assert_whole(to):
    index = read_index(to)
    assert sum(item.label for item in index.items) == 349
    assert len(index.items) == 349 + 397
    assert index.splits == {"train", "val", "test"}
    assert not index.skipped
    assert {path.name for path in to.parent.iterdir()} == {"COVID-CT", "COVID-CT.sha256"}


def test_the_whole_data_set_is_fetched_and_verified(upstream, to):
    steps = []
    assert _fetch(upstream, to, report=steps.append) == to
    _assert_whole(to)
    assert [path for path, _ in upstream.requests] == list(FILES)
    arrived = [s for s in steps if s.file == ZIP and s.step == "downloading"]
    assert arrived[-1].received == arrived[-1].total == len(upstream.files[ZIP])
    assert [s.received for s in arrived] == sorted(s.received for s in arrived)


def test_the_record_is_read_by_sha256sum(upstream, to):
    _fetch(upstream, to)
    lines = (to.parent / "COVID-CT.sha256").read_text().splitlines()
    assert len(lines) == 349 + 397 + len(LISTS)
    for line in lines:
        digest, name = line.split("  ", 1)
        assert hashlib.sha256((to / name).read_bytes()).hexdigest() == digest


def test_fetching_again_asks_for_nothing_and_notices_every_change(upstream, to):
    _fetch(upstream, to)
    upstream.requests.clear()
    assert _fetch(upstream, to) == to
    assert not upstream.requests
    file = next((to / "Images-processed" / "CT_COVID").iterdir())
    file.write_bytes(b"altered")
    with pytest.raises(FetchError, match=r"A file is not what it was.*CT_COVID"):
        _fetch(upstream, to)
    file.unlink()
    (to / "extra.txt").write_text("new")
    with pytest.raises(FetchError, match="2 files"):
        _fetch(upstream, to)


def test_a_later_fetch_is_compared_with_the_first(upstream, upstream_files, to):
    _fetch(upstream, to)
    to.rename(to.with_name("moved away"))
    listing = LISTS[0]
    upstream.files[listing] = b"\r\n".join(upstream_files[listing].splitlines()[:-1])
    with _refused(to, f"A file is not what it was at the first fetch.*{listing}"):
        _fetch(upstream, to)
    upstream.files[listing] = upstream_files[listing]
    _fetch(upstream, to)
    assert read_index(to).splits == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (path, fault)
        for path in (ZIP, LISTS[3])
        for fault in ("break off", "stall", "portal", "500", "503", "429")
    ]
    + [(ZIP, "corrupt")],
)
def test_what_may_pass_is_tried_again(path, fault, upstream, to):
    upstream.faults[path] = [fault, fault]
    steps = []
    _fetch(upstream, to, report=steps.append)
    _assert_whole(to)
    assert {s.file for s in steps if s.step == "trying again"} == {path}


@pytest.mark.parametrize("fault", ["break off", "stall"])
@pytest.mark.parametrize("etags", ["strong", "weak"])
def test_a_broken_download_goes_on_where_it_ended(fault, etags, upstream, to):
    upstream.etags = etags
    upstream.faults[ZIP] = [fault] * 5
    _fetch(upstream, to)
    _assert_whole(to)
    starts = [int(wanted[6:-1]) for wanted in upstream.asked(ZIP)[1:] if wanted]
    assert len(starts) >= 4
    assert starts == sorted(starts)


def test_a_server_without_ranges_starts_over(upstream, to):
    upstream.ranges = False
    upstream.faults[ZIP] = ["break off"]
    _fetch(upstream, to)
    _assert_whole(to)


def test_without_an_etag_nothing_is_pieced_together(upstream, to):
    upstream.etags = "none"
    upstream.faults[ZIP] = ["break off"]
    _fetch(upstream, to)
    _assert_whole(to)
    assert upstream.asked(ZIP) == [None, None]


def test_an_unknown_length_is_no_obstacle(upstream, to):
    upstream.faults[ZIP] = ["unknown length"]
    _fetch(upstream, to)
    _assert_whole(to)


def test_the_next_fetch_goes_on_from_the_last(upstream, to):
    upstream.faults[ZIP] = ["break off", "500", "500", "500"]
    with _refused(to, "trouble at the moment.*goes on from there"):
        _fetch(upstream, to)
    upstream.requests.clear()
    _fetch(upstream, to)
    _assert_whole(to)
    assert not upstream.asked(LISTS[0])
    assert upstream.asked(ZIP)[0].startswith("bytes=")


@pytest.mark.parametrize("etags", ["strong", "weak"])
def test_parts_of_different_files_are_never_joined(etags, upstream, upstream_files, to):
    upstream.etags = etags
    upstream.files[ZIP] = bytes(len(upstream_files[ZIP]))
    upstream.faults[ZIP] = ["break off", "500…"]
    with _refused(to, "trouble"):
        _fetch(upstream, to)
    upstream.files[ZIP] = upstream_files[ZIP]
    upstream.faults.clear()
    _fetch(upstream, to)
    _assert_whole(to)


def test_a_part_that_is_longer_than_the_file_is_dropped(upstream, upstream_files, to):
    upstream.etags = "weak"
    upstream.faults[ZIP] = ["break off", "500…"]
    with _refused(to, "trouble"):
        _fetch(upstream, to)
    (part,) = to.parent.rglob("*.part")
    part.write_bytes(bytes(len(upstream_files[ZIP]) + 5))
    upstream.faults.clear()
    _fetch(upstream, to)
    _assert_whole(to)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404…", "has no Images-processed/CT_COVID.zip any more"),
        ("403…", "refuses to send.*403"),
        ("500…", "trouble at the moment"),
        ("stall…", "stopped while|broke off|cannot be reached"),
        ("corrupt…", "arrived damaged"),
        ("portal…", "arrived damaged"),
    ],
)
def test_what_does_not_pass_is_a_sentence_and_leaves_no_folder(fault, reason, upstream, to):
    upstream.faults[ZIP] = [fault]
    with _refused(to, reason):
        _fetch(upstream, to)


def test_no_network_is_said_plainly(to):
    with _refused(to, "there is no network, or it is blocked"):
        fetch(to, source="http://127.0.0.1:9/master", patience=HASTY)


def test_another_number_of_images_is_refused_and_not_kept(upstream, upstream_files, to):
    packed = io.BytesIO(upstream_files[ZIP])
    with zipfile.ZipFile(packed, "a") as zipped:
        zipped.writestr("CT_COVID/one too many.png", b"x")
    upstream.files[ZIP] = packed.getvalue()
    with _refused(to, "350 images instead of 349"):
        _fetch(upstream, to)
    assert not list(to.parent.iterdir())


def test_a_listed_file_that_is_missing_is_named(upstream, upstream_files, to):
    upstream.files[LISTS[0]] = upstream_files[LISTS[0]] + b"nowhere.png\n"
    with _refused(to, r"A file.*is missing: nowhere\.png"):
        _fetch(upstream, to)


def test_hostile_archives_are_refused_like_uploaded_ones(upstream, upstream_files, to):
    packed = io.BytesIO(upstream_files[ZIP])
    with zipfile.ZipFile(packed, "a") as zipped:
        zipped.writestr("../../outside.png", b"x")
    upstream.files[ZIP] = packed.getvalue()
    with _refused(to, "leads out of it"):
        _fetch(upstream, to)
    assert not list(to.parent.rglob("outside.png"))


def test_a_folder_of_the_users_own_is_left_alone(upstream, to):
    to.mkdir()
    (to / "mine.txt").write_text("mine")
    with pytest.raises(FetchError, match="not fetched by this program"):
        _fetch(upstream, to)
    assert [file.name for file in to.iterdir()] == ["mine.txt"]
    assert not upstream.requests


def test_an_empty_folder_is_filled(upstream, to):
    to.mkdir()
    _fetch(upstream, to)
    _assert_whole(to)


def test_a_second_fetch_at_the_same_time_is_refused(upstream, to):
    refusals = []

    def second(_):
        if not refusals:
            with pytest.raises(FetchError, match="being fetched already") as refusal:
                _fetch(upstream, to)
            refusals.append(refusal)

    _fetch(upstream, to, report=second)
    assert refusals
    _assert_whole(to)


def test_a_place_that_cannot_be_written_is_said(upstream, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FetchError, match="could not be written"):
        _fetch(upstream, tmp_path / "file" / "COVID-CT")


def test_by_default_it_goes_to_the_home_folder(upstream, tmp_path, monkeypatch):
    monkeypatch.setenv("COVIDCT_HOME", str(tmp_path))
    to = fetch(source=upstream.url, patience=HASTY)
    assert to == tmp_path / "data" / "COVID-CT"


def test_nothing_is_fetched_into_the_home_beyond_what_data_sets_may_take(
    upstream, own_home, monkeypatch, to
):
    monkeypatch.setenv("COVIDCT_DATA_MB", "1")
    with pytest.raises(DatasetError, match="COVIDCT_DATA_MB"):
        _fetch(upstream, None)
    assert not upstream.requests
    assert not own_home.exists()
    _fetch(upstream, to)  # elsewhere there is no limit
    _assert_whole(to)


def test_what_is_being_fetched_has_its_room_from_the_first_byte(upstream, own_home, monkeypatch):
    monkeypatch.setenv("COVIDCT_DATA_MB", "151")
    refusals = []

    def upload(_):
        try:
            with room_for(2 * 1024**2):
                pass
        except DatasetError as error:
            refusals.append(error)

    _fetch(upstream, None, report=upload)
    assert refusals
    told = len(refusals)
    upload(None)
    assert len(refusals) == told
