"""Graph: a LiteRT file that is opened once and run many times, by several threads at once."""

import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue

import numpy as np
from ai_edge_litert.interpreter import Interpreter, SignatureRunner

_MOST_INTERPRETERS = 4  # a verdict takes up to three passes; each interpreter holds a copy
_NOISE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
_opening = threading.Lock()


class GraphError(ValueError):
    """The bytes are no graph that LiteRT can run."""


class WrongHash(GraphError):
    """A file is not the one whose SHA-256 is known."""


def read_verified(path: Path, sha256: str) -> bytes:
    """The bytes of a file whose hash is known, read once.

    Args:
        path: the file.
        sha256: its hexadecimal SHA-256.

    Raises:
        OSError: the file cannot be read.
        WrongHash: it is another file.
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise WrongHash(f"The SHA-256 of {path} differs from the known one.")
    return data


class Graph:
    """A LiteRT graph whose signatures each take one picture and give one or more maps.

    LiteRT lets one thread at a time use an interpreter, so calls from several threads take one
    each, or wait for one. Each runs on one processor core: two passes side by side keep two cores
    busier than one pass shared between them.

    Args:
        data: the content of a ``.tflite`` file; what is appended to it is ignored.
        interpreters: as below; by default one for each processor core, four at most.

    Attributes:
        data: the content of the file.
        interpreters: how many calls can run at a time.
        input_shapes: the shape of the picture that each signature takes, (1, h, w, 1).
        output_shapes: the shapes of the maps that each signature gives, (1, h', w', C).

    Raises:
        GraphError: LiteRT cannot read it.
    """

    def __init__(self, data: bytes, interpreters: int | None = None) -> None:
        self.data = data
        self.interpreters = interpreters or min(_MOST_INTERPRETERS, os.cpu_count() or 1)
        try:
            first = _open(data)
            self.input_shapes = {
                name: _shape(runner.get_input_details()["picture"])
                for name, runner in first.items()
            }
            self.output_shapes = {
                name: [_shape(one) for _, one in sorted(runner.get_output_details().items())]
                for name, runner in first.items()
            }
        except (ValueError, RuntimeError, KeyError) as error:
            raise GraphError("LiteRT cannot read this graph.") from error
        self._idle: LifoQueue[dict[str, SignatureRunner] | None] = LifoQueue()
        for _ in range(self.interpreters - 1):
            self._idle.put(None)  # opened when it is first needed
        self._idle.put(first)

    def __call__(self, signature: str, picture: np.ndarray) -> list[np.ndarray]:
        """Run a signature.

        Args:
            signature: its name.
            picture: float32 (1, h, w, 1).

        Returns:
            Its outputs in the order of their names, float32 (1, h', w', C).
        """
        runners = self._idle.get()
        try:
            runners = runners or _open(self.data)
            found = runners[signature](picture=picture)
        finally:
            self._idle.put(runners)
        return [found[name] for name in sorted(found)]


def _shape(details: dict) -> tuple[int, ...]:
    return tuple(map(int, details["shape"]))


def _open(data: bytes) -> dict[str, SignatureRunner]:
    """A new interpreter's signatures by name."""
    with _opening, _without_noise():
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
    return {
        name: interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()
    }


@contextmanager
def _without_noise() -> Iterator[None]:
    """Keep one line of LiteRT off standard error; there is no setting (LiteRT issue 7420).

    Whatever else is written to standard error meanwhile is passed on.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                if line.strip() != _NOISE:
                    os.write(2, line)
