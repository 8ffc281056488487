"""Runs a graph in a process of its own: ``python -m covidct.runtime.trial``, its bytes as input.

LiteRT trusts what stands in a graph, so one that is damaged or made on purpose can end the process
that opens it, or take all of its memory.
"""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from covidct.runtime.graph import Graph, GraphError

_CALLER = Path(__file__).parents[2]  # from which a process finds this very package
_MOST_MEMORY = 4 * 1024**3  # bytes of addresses, of which LiteRT and NumPy reserve most unused
_MOST_SECONDS = 30  # of the processor; the shipped model takes one


def try_graph(data: bytes) -> None:
    """Open a graph and run each of its signatures, where no harm is done.

    Args:
        data: the content of a ``.tflite`` file.

    Raises:
        GraphError: LiteRT cannot, or its process came to an end over it.
    """
    trial = subprocess.run(
        [sys.executable, "-m", "covidct.runtime.trial"],
        input=data,
        capture_output=True,
        cwd=_CALLER,
        check=False,
    )
    if trial.returncode:
        raise GraphError("LiteRT cannot run this graph.")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    graph = Graph(sys.stdin.buffer.read())
    for name, shape in graph.input_shapes.items():
        graph(name, np.zeros(shape, np.float32))
