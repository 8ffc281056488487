"""The process of an evaluation, started by :mod:`covidct.evaluation.jobs`: evaluate, then audit.

python -m covidct.evaluation.work FOLDER
"""

import signal
import sys
from functools import partial
from pathlib import Path

from covidct.errors import CovidCTError
from covidct.evaluation.request import Request, read_request
from covidct.jobs.sign_of_life import sign_of_life
from covidct.jobs.status import STOP_FILE, StatusWriter, why_it_failed
from covidct.messages import N_


def main(folder: Path) -> int:
    """Do the work and leave in ``status.json`` how it ended; the exit status is 0 or 1."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    writer = StatusWriter(folder)
    try:
        with sign_of_life(folder):
            _work(folder, read_request(folder), writer)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or (folder / STOP_FILE).exists():
            return _end(writer, "stopped")
        _end(writer, "failed", why_it_failed(error))
        if not isinstance(error, CovidCTError):
            raise
        return 1
    return _end(writer, "finished")


def _work(folder: Path, request: Request, writer: StatusWriter) -> None:
    writer.say(message=N_("Loading the network"))
    writer.hold_reserve()
    from covidct.evaluation.audit.run import audit
    from covidct.evaluation.evaluate import evaluate
    from covidct.inference.classifier import Classifier

    classifier = Classifier.load(request.model)
    writer.say(state="running")
    for doing, work in ((N_("Evaluating"), evaluate), (N_("Auditing"), audit)):
        watch = partial(writer.watch, message=doing)
        work(classifier, request.data, request.split, folder, watch)


def _end(writer: StatusWriter, state: str, message: str = "") -> int:
    """Say the last word; the exit status."""
    writer.end(state=state, message=message)
    return int(state != "finished")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
