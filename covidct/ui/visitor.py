"""A visitor without a browser: opens the Diagnose page over its websocket and uploads files.

python -m covidct.ui.visitor URL measures a server: for each line [SESSIONS, FILE] on standard
input it opens so many sessions at once, uploads the file as soon as the page is there, and answers
with a JSON object of when the last page and the last verdict were seen.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileUploaderState, FileURLsRequest, UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect

_PATIENCE = 600  # seconds
_AGAIN = 0.02  # seconds
_XSRF = "_streamlit_xsrf"
_VERDICT = "cv-gauge"  # the probability on its scale, which no page shows without a verdict


class Visit:
    """One session with a running app, from opening the page.

    Args:
        url: where it listens, "http://localhost:8501".
        socket: connected with it.

    Attributes:
        html: what the page has shown since the last upload.
    """

    def __init__(self, url: str, socket: ClientConnection) -> None:
        self._url, self._socket = url, socket
        self._session, self._uploader, self.html = "", "", ""
        self._send(BackMsg(rerun_script={}))
        self._listen(lambda message: bool(self._uploader))

    def upload(self, name: str, data: bytes) -> None:
        """Put a file into the uploader, and wait until all of the page shows its verdict."""
        request = FileURLsRequest(request_id="upload", file_names=[name], session_id=self._session)
        self._send(BackMsg(file_urls_request=request))
        answer = self._listen(lambda message: message.WhichOneof("type") == "file_urls_response")
        urls = answer.file_urls_response.file_urls[0]
        with requests.Session() as http:
            http.get(f"{self._url}/_stcore/health")
            token = http.cookies.get(_XSRF, "")
            http.put(
                self._url + urls.upload_url, files={name: data}, headers={"X-Xsrftoken": token}
            ).raise_for_status()
        info = UploadedFileInfo(name=name, size=len(data), file_id=urls.file_id, file_urls=urls)
        state = WidgetState(
            id=self._uploader,
            file_uploader_state_value=FileUploaderState(uploaded_file_info=[info]),
        )
        self.html = ""
        self._send(BackMsg(rerun_script={"widget_states": {"widgets": [state]}}))
        self._listen(lambda message: _VERDICT in self.html and _is_done(message))

    def _send(self, message: BackMsg) -> None:
        self._socket.send(message.SerializeToString())

    def _listen(self, is_awaited: Callable[[ForwardMsg], bool]) -> ForwardMsg:
        while True:
            message = ForwardMsg.FromString(self._socket.recv(_PATIENCE))
            if message.HasField("new_session"):
                self._session = message.new_session.initialize.session_id
            element = message.delta.new_element
            if not self._uploader and element.HasField("file_uploader"):
                self._uploader = element.file_uploader.id
            self.html += element.html.body
            if is_awaited(message):
                return message


def _is_done(message: ForwardMsg) -> bool:
    """Whether the page is whole, rather than broken off to be drawn anew."""
    kind = message.WhichOneof("type")
    return kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY


@contextmanager
def visit(url: str) -> Iterator[Visit]:
    """Open the page of a server that may still be starting."""
    address = f"ws{url.removeprefix('http')}/_stcore/stream"
    while True:
        try:
            with connect(address, max_size=None) as socket:
                yield Visit(url, socket)
                return
        except ConnectionRefusedError:
            time.sleep(_AGAIN)


def _upload(url: str, file: Path) -> tuple[float, float]:
    """When the page and the verdict were seen."""
    with visit(url) as session:
        page = time.time()
        session.upload(file.name, file.read_bytes())
        return page, time.time()


def main(url: str) -> None:
    """Do what is asked until standard input ends."""
    print(json.dumps({}), flush=True)  # all is imported
    for line in sys.stdin:
        sessions, file = json.loads(line)
        with ThreadPoolExecutor(sessions) as threads:
            seen = list(threads.map(_upload, [url] * sessions, [Path(file)] * sessions))
        pages, verdicts = zip(*seen, strict=True)
        print(json.dumps({"page": max(pages), "verdict": max(verdicts)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
