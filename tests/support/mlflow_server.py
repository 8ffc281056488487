"""The calls of MLflow's REST interface that tell it of runs, answered from memory.

`mlflow server` needs all of mlflow, an older pyarrow among it, and makes a database for longer than
the tests take. Its client, which they use as it is, needs mlflow-skinny alone. As there, a setting
that was told cannot be changed.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Tracked:
    """What a server was told.

    Attributes:
        address: of the server, with a name and a password in it.
        experiments: their names.
        runs: by id, each with run_id, run_name, status, params by name, and metrics, lists of
            (step, value) by name.
        came: all requests as they came.
        status: 200 answers them, anything else refuses.
    """

    def __init__(self) -> None:
        self.address = ""
        self.experiments: list[str] = []
        self.runs: dict[str, dict] = {}
        self.came: list[str] = []
        self.status = 200

    def answer(self, call: str, asked: dict) -> tuple[int, dict]:
        """The status and the body of an answer."""
        if self.status != 200:
            return self.status, {}
        match call:
            case "experiments/get-by-name" if asked["experiment_name"] not in self.experiments:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}
            case "experiments/get-by-name":
                number = self.experiments.index(asked["experiment_name"])
                return 200, {"experiment": {"experiment_id": f"{number}"}}
            case "experiments/create":
                self.experiments.append(asked["name"])
                return 200, {"experiment_id": f"{len(self.experiments) - 1}"}
            case "runs/create":
                number = f"{len(self.runs)}"
                about = {"run_id": number, "run_name": asked["run_name"], "status": "RUNNING"}
                self.runs[number] = {**about, "params": {}, "metrics": {}}
        run = self.runs[asked.get("run_id", f"{len(self.runs) - 1}")]
        if call == "runs/update":
            run["status"] = asked["status"]
        for param in asked.get("params", ()):
            if run["params"].setdefault(param["key"], param["value"]) != param["value"]:
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "changed"}
        for metric in asked.get("metrics", ()):
            drawn = run["metrics"].setdefault(metric["key"], [])
            drawn.append((int(metric.get("step", 0)), metric["value"]))
        info = {name: run[name] for name in ("run_id", "run_name", "status")}
        return 200, {"run": {"info": info, "data": {}}, "run_info": info}


@contextmanager
def serve_mlflow() -> Iterator[Tracked]:
    """A server on this machine."""
    tracked = Tracked()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            self._answer({name: values[0] for name, values in query.items()})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, asked: dict) -> None:
            tracked.came.append(f"{self.path} {self.headers} {json.dumps(asked)}")
            call = urlsplit(self.path).path.removeprefix("/api/2.0/mlflow/")
            status, body = tracked.answer(call, asked)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))  # seconds
        thread.start()
        tracked.address = f"http://secret:word@127.0.0.1:{server.server_port}"
        yield tracked
        server.shutdown()
        thread.join()
