"""A notice to an address of whoever runs the server, when a run of the queue has ended."""

import os
from pathlib import Path

from covidct.training.progress import read_status
from covidct.training.run_folder import MONITORED, kept_epoch, read_metrics

WEBHOOK_VARIABLE = "COVIDCT_WEBHOOK"
_TIMEOUT = 10  # seconds to connect, and without a byte


def tell_webhook(run: Path) -> None:
    """Post how a run ended, as JSON, to the address that COVIDCT_WEBHOOK names, if any.

    ``text`` is the field that chat programs show; ``run``, ``state``, ``message`` and
    ``validation_auc`` (of the epoch that was kept, or null) are for others. Nothing of slices or
    patients is in it. A failure is printed, and the address is not, since it is a secret.
    """
    address = os.environ.get(WEBHOOK_VARIABLE)
    if not address:
        return
    import requests  # here, since whoever lists runs imports this module

    status, rows, kept = read_status(run), read_metrics(run), kept_epoch(run)
    notice = {
        "text": f"covidct: the run “{run.name}” has {status.state}.",
        "run": run.name,
        "state": status.state,
        "message": status.message,
        "validation_auc": rows[kept - 1][MONITORED] if kept else None,
    }
    try:
        answer = requests.post(address, json=notice, timeout=_TIMEOUT, allow_redirects=False)
        answer.raise_for_status()
    except requests.RequestException as error:
        print(f"The notice of this run's end was not taken ({type(error).__name__}).")
