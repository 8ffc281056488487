"""What a server tells Prometheus: what its process counted, its memory, and the runs on disk."""

from collections import Counter

from prometheus_client import Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from covidct.jobs.status import STATES
from covidct.training.jobs import list_runs
from covidct.training.progress import read_status

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_RUNS = Gauge("covidct_runs", "Training runs by their state.", ["state"])
_UPLOADS = Gauge("covidct_upload_bytes", "Bytes of uploads that open pages hold.")


def exposition(upload_bytes: int) -> bytes:
    """All figures in Prometheus' text format, version 0.0.4.

    Args:
        upload_bytes: that open pages hold.
    """
    _UPLOADS.set(upload_bytes)
    states = Counter(read_status(folder).state for folder in list_runs())
    for state in STATES:
        _RUNS.labels(state).set(states[state])
    return generate_latest()
