"""Decoders of imagecodecs in processes of their own: ``python -m covidct.runtime.decoder``.

They are C, fed by files of others. One that runs wild, takes too much memory or too long ends its
process, and nothing else.
"""

import atexit
import contextlib
import io
import os
import resource
import struct
import subprocess
import sys
from pathlib import Path
from queue import LifoQueue
from typing import BinaryIO

import imagecodecs
import numpy as np

_DECODERS = ("jpeg2k_decode", "jpegls_decode", "jpeg8_decode", "jpegxl_decode")
_CALLER = Path(__file__).parents[2]  # from which a process finds this very package
_MOST_MEMORY = 1024**3  # bytes beyond what the process itself takes; a frame of 4096² takes half
_MOST_SECONDS = 10  # of the processor for a frame; the largest takes three
_HEAD = struct.Struct("<BQ")  # which decoder, or whether it worked; how many bytes follow


def decode(decoder: str, data: bytes) -> np.ndarray:
    """What a decoder of imagecodecs makes of a frame.

    Args:
        decoder: its name, such as "jpeg2k_decode".
        data: the frame.

    Raises:
        ValueError: it cannot, or its process came to an end over it.
    """
    idle = _idle
    process = idle.get()
    try:
        process = process or _start()
        found = _ask(process, _DECODERS.index(decoder), data)
    except (OSError, struct.error) as error:  # it has ended, or is of no use any more
        if process:
            _stop(process)
        process = None
        raise ValueError("the decoder came to an end") from error
    finally:
        idle.put(process)
    if found is None:
        raise ValueError("the frame is damaged")
    return found


def _ask(process: subprocess.Popen, decoder: int, data: bytes) -> np.ndarray | None:
    assert process.stdin and process.stdout
    process.stdin.write(_HEAD.pack(decoder, len(data)))
    process.stdin.write(data)
    process.stdin.flush()
    worked, size = _HEAD.unpack(process.stdout.read(_HEAD.size))
    answer = io.BytesIO(process.stdout.read(size))
    return np.lib.format.read_array(answer, allow_pickle=False) if worked else None


def _start() -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-m", "covidct.runtime.decoder"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_CALLER,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # whose threads reserve memory
    )
    _running.add(process)
    return process


def _stop(process: subprocess.Popen) -> None:
    _running.discard(process)
    process.kill()
    with contextlib.suppress(OSError):
        process.communicate()


@atexit.register
def _stop_all() -> None:
    for process in tuple(_running):
        _stop(process)


def _none_yet() -> None:
    """As many places as processors; a process starts when its place is first needed."""
    global _idle, _running
    _idle, _running = LifoQueue(), set()
    for _ in range(os.cpu_count() or 1):
        _idle.put(None)


_idle: LifoQueue[subprocess.Popen | None]
_running: set[subprocess.Popen]
_none_yet()
os.register_at_fork(after_in_child=_none_yet)  # two processes cannot share a pipe


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Decode frames for as long as some come."""
    while len(head := requests.read(_HEAD.size)) == _HEAD.size:
        number, size = _HEAD.unpack(head)
        data = requests.read(size)
        _allow_seconds()
        content = io.BytesIO()
        try:
            found = getattr(imagecodecs, _DECODERS[number])(data)
            np.lib.format.write_array(content, found, allow_pickle=False)
            worked = True
        except (ValueError, RuntimeError, MemoryError):
            worked, content = False, io.BytesIO()
        answers.write(_HEAD.pack(worked, content.tell()))
        answers.write(content.getbuffer())
        answers.flush()


def _allow_seconds() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + _MOST_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in _DECODERS:
        getattr(imagecodecs, name)  # which loads its library
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + _MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    serve(sys.stdin.buffer, sys.stdout.buffer)
