"""The notice to whoever runs the server, by a server that takes it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from covidct.jobs.status import JobStatus, write_status
from covidct.training.run_folder import append_metrics, start_run_folder
from covidct.training.webhook import tell_webhook


@pytest.fixture
def run(phantom_dataset, quick, tmp_path):
    folder = tmp_path / "my run"
    start_run_folder(folder, phantom_dataset, quick)
    append_metrics(folder, {"epoch": 0, "val_auc": 0.75})
    append_metrics(folder, {"epoch": 1, "val_auc": 0.5})
    write_status(folder, JobStatus("stopped", message="Stopped. 2 of 3 epochs are kept."))
    return folder


@pytest.fixture
def hooked(monkeypatch):
    """What came to the webhook; it answers with the status in its path, /200."""
    came = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(int(self.path[1:]))
            self.send_header("Location", "/200")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"http://secret:word@127.0.0.1:{server.server_port}"
        monkeypatch.setenv("COVIDCT_WEBHOOK", f"{address}/200")
        yield came, lambda status: monkeypatch.setenv("COVIDCT_WEBHOOK", f"{address}/{status}")
        server.shutdown()


def test_the_webhook_is_told_what_became_of_the_run(run, hooked, capsys):
    tell_webhook(run)
    assert hooked[0] == [
        {
            "text": "covidct: the run “my run” has stopped.",
            "run": "my run",
            "state": "stopped",
            "message": "Stopped. 2 of 3 epochs are kept.",
            "validation_auc": 0.75,
        }
    ]
    assert capsys.readouterr().out == ""


def test_a_run_without_an_epoch_has_no_figure(run, hooked):
    (run / "metrics.csv").unlink()
    tell_webhook(run)
    assert hooked[0][0]["validation_auc"] is None


def test_nothing_is_sent_where_no_address_is_named(run, hooked, monkeypatch):
    monkeypatch.delenv("COVIDCT_WEBHOOK")
    tell_webhook(run)
    assert hooked[0] == []


@pytest.mark.parametrize("status", [404, 500])
def test_a_refusal_is_said_without_the_address(run, hooked, capsys, status):
    hooked[1](status)
    tell_webhook(run)
    assert "was not taken (HTTPError)" in (said := capsys.readouterr().out)
    assert "secret" not in said
    assert "127.0.0.1" not in said


def test_a_redirection_is_not_followed(run, hooked):
    hooked[1](307)
    tell_webhook(run)
    assert len(hooked[0]) == 1


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "no address", "ftp://x", "http://["])
def test_an_address_that_cannot_be_reached_ends_nothing(run, monkeypatch, capsys, address):
    monkeypatch.setenv("COVIDCT_WEBHOOK", address)
    tell_webhook(run)
    assert "was not taken" in capsys.readouterr().out
