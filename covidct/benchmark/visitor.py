"""A visitor without a browser: a tab on the Diagnose page that speaks Streamlit's protocol.

What a server sees of it is the same as of a browser: a websocket with Streamlit's own messages
(``streamlit.proto``), uploads behind its XSRF token, pictures and files fetched over HTTP. Dozens
of browsers would take the processor's cores from the server that they are to load.

python -m covidct.benchmark.visitor URL measures a server: for each line [SESSIONS, FILE, …] on
standard input it opens so many tabs at once, accepts the notice, drops a file in each, and answers
with a JSON object of when the last notice was seen, the files were dropped, and the last verdict
was seen. Several files are taken in turn. For 0 it drops them in the tabs that are open, in place
of those before.
"""

import json
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from websockets.sync.client import ClientConnection

from covidct.ui.streamlit_internals import (
    BackMsg,
    Element,
    FileURLs,
    ForwardMsg,
    WidgetState,
    open_socket,
    xsrf_header,
)
from covidct.ui.strings import ACCEPT

_AGAIN = 0.02  # seconds
# As a browser does: the server closes a connection that was idle for 5 seconds, at times just when
# it is used again
_ASK_AGAIN = 1
_VERDICT = 'class="cv-decision"'
_RUN_ENDS = (  # of a page and of a fragment, and of what is no page
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
    ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
)


class Visitor:
    """A tab on the Diagnose page, before its first run.

    Attributes:
        page: what the last run of the page has drawn, by its place.
        received: the messages of the last run as they came.
    """

    def __init__(self, url: str, http: requests.Session, socket: ClientConnection) -> None:
        self.url, self.http, self.socket = url, http, socket
        self.session = ""
        self.page: dict[tuple[int, ...], Element] = {}
        self.received: list[bytes] = []
        self._dropped: FileURLs | None = None
        self._states: dict[str, WidgetState] = {}
        self._cached: dict[str, ForwardMsg] = {}
        self._fragments: dict[str, str] = {}

    def accept_notice(self) -> "Visitor":
        """Go past the notice to the page, and wait for all of it."""
        self.press(ACCEPT)
        return self

    def drop(self, name: str, data: bytes) -> Iterator[Element]:
        """Drop one file in place of what was dropped before; what is drawn as it comes."""
        if self._dropped:
            self._delete(self._dropped)
        self._dropped = place = self.upload_place(name)
        self.put(place, name, data).raise_for_status()
        (uploader,) = self.elements("file_uploader")
        state = WidgetState(id=uploader.id)
        uploaded = state.file_uploader_state_value.uploaded_file_info.add(
            file_id=place.file_id, name=name, size=len(data)
        )
        uploaded.file_urls.CopyFrom(place)
        self._states[uploader.id] = state
        yield from self.watch()

    def upload_place(self, name: str) -> FileURLs:
        """Where the server wants a file to be put."""
        message = BackMsg()
        message.file_urls_request.request_id = str(uuid.uuid4())
        message.file_urls_request.session_id = self.session
        message.file_urls_request.file_names.append(name)
        return self._ask(message, "file_urls_response").file_urls_response.file_urls[0]

    def put(self, place: FileURLs, name: str, data: bytes) -> requests.Response:
        """Upload a file."""
        return self.http.put(
            self.url + place.upload_url,
            files={"file": (name, data)},
            headers=xsrf_header(self.http),
        )

    def _delete(self, place: FileURLs) -> None:
        self.http.delete(
            self.url + place.delete_url, headers=xsrf_header(self.http)
        ).raise_for_status()

    def fetch(self, path: str) -> bytes:
        """A picture or a file that the page refers to."""
        answer = self.http.get(self.url + path)
        answer.raise_for_status()
        return answer.content

    def press_download(self, label: str) -> str:
        """Press the download button of that name; where the file made for it lies."""
        (button,) = (b for b in self.elements("download_button") if b.label == label)
        message = BackMsg()
        message.backend_operation_request.request_id = str(uuid.uuid4())
        message.backend_operation_request.session_id = self.session
        message.backend_operation_request.deferred_file.file_id = button.deferred_file_id
        answer = self._ask(message, "backend_operation_response").backend_operation_response
        assert not answer.error_msg, answer.error_msg
        return answer.deferred_file.url

    def elements(self, kind: str) -> list:
        """Those of a kind on the page."""
        return [getattr(e, kind) for e in self.page.values() if e.WhichOneof("type") == kind]

    def press(self, label: str) -> None:
        """Press the button of that name, and wait for all of the page."""
        (button,) = (one for one in self.elements("button") if one.label == label)
        self.run(WidgetState(id=button.id, trigger_value=True))

    def slide(self, label: str, value: float) -> None:
        """Move the slider of that name, and wait for the part of the page that it redraws."""
        (slider,) = (one for one in self.elements("slider") if one.label == label)
        self._states[slider.id] = state = WidgetState(id=slider.id)
        state.double_array_value.data.append(value)
        for _ in self.watch(fragment=self._fragments.get(slider.id, "")):
            pass

    def html(self) -> str:
        """All HTML on the page."""
        return "\n".join(element.body for element in self.elements("html"))

    def run(self, *pressed: WidgetState) -> None:
        """Let the page run to its end."""
        for _ in self.watch(*pressed):
            pass

    def watch(self, *pressed: WidgetState, fragment: str = "") -> Iterator[Element]:
        """Let the page run, or a fragment of it alone; what is drawn as it comes."""
        message = BackMsg()
        message.rerun_script.fragment_id = fragment
        message.rerun_script.widget_states.widgets.extend([*self._states.values(), *pressed])
        self.socket.send(message.SerializeToString())
        self.received.clear()
        while True:
            answer = self._next()
            kind = answer.WhichOneof("type")
            if kind == "new_session":
                self.session = answer.new_session.initialize.session_id
                if not fragment:
                    self.page.clear()
            elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                element = answer.delta.new_element
                self.page[tuple(answer.metadata.delta_path)] = element
                if answer.delta.fragment_id and element.WhichOneof("type") == "slider":
                    self._fragments[element.slider.id] = answer.delta.fragment_id
                yield element
            elif kind == "script_finished" and answer.script_finished in _RUN_ENDS:
                assert answer.script_finished == _RUN_ENDS[bool(fragment)]
                return

    def _ask(self, message: BackMsg, kind: str) -> ForwardMsg:
        self.socket.send(message.SerializeToString())
        while (answer := self._next()).WhichOneof("type") != kind:
            pass
        return answer

    def _next(self) -> ForwardMsg:
        """The next message, also where it only names one that was sent before."""
        data = self.socket.recv()
        assert isinstance(data, bytes)  # no message is text
        self.received.append(data)
        message = ForwardMsg.FromString(data)
        if message.WhichOneof("type") == "ref_hash":
            known = ForwardMsg()
            known.CopyFrom(self._cached[message.ref_hash])
            known.metadata.CopyFrom(message.metadata)
            return known
        if message.metadata.cacheable:
            self._cached[message.hash] = message
        return message


@contextmanager
def open_tab(url: str) -> Iterator[Visitor]:
    """A tab of a browser of its own, which shows the notice.

    Args:
        url: where the server listens, "http://localhost:8501"; it may still be starting.
    """
    with requests.Session() as http:
        _knock(http, url)
        http.mount(url, HTTPAdapter(max_retries=_ASK_AGAIN))
        with open_socket(url, http) as socket:
            visitor = Visitor(url, http, socket)
            visitor.run()
            yield visitor


def _knock(http: requests.Session, url: str) -> None:
    """Wait until the server answers, with a token for uploads."""
    while True:
        try:
            http.get(f"{url}/_stcore/health").raise_for_status()
            return
        except requests.ConnectionError:
            time.sleep(_AGAIN)


def _open(url: str, held: ExitStack) -> tuple[Visitor, float]:
    """A tab past the notice, and when the notice was seen."""
    tab = held.enter_context(open_tab(url))
    notice = time.time()
    return tab.accept_notice(), notice


def _drop(tab: Visitor, file: Path) -> float:
    """When all of the page with the verdict was seen."""
    for _ in tab.drop(file.name, file.read_bytes()):
        pass
    seen = time.time()
    assert _VERDICT in tab.html()
    return seen


def main(url: str) -> None:
    """Do what is asked until standard input ends."""
    print(json.dumps({}), flush=True)  # all is imported
    with ExitStack() as held:
        opened: list[tuple[Visitor, float]] = []
        for line in sys.stdin:
            sessions, *files = json.loads(line)
            with ThreadPoolExecutor(max(sessions, len(opened))) as threads:
                if sessions:
                    held.close()
                    opened = list(threads.map(lambda _: _open(url, held), range(sessions)))
                tabs = [tab for tab, _ in opened]
                dropped = time.time()
                verdicts = list(threads.map(_drop, tabs, cycle(map(Path, files))))
            notice = max(notice for _, notice in opened)
            seen = {"page": notice, "drop": dropped, "verdict": max(verdicts)}
            print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
