"""Processes of their own, forked from one that has imported TensorFlow, which takes seconds.

Each begins where a fresh one stands after its imports: no network is built and no thread of
TensorFlow runs yet, so it shares nothing with the others.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "covidct.evaluation.audit.run",
        "covidct.evaluation.compare",
        "covidct.evaluation.evaluate",
        "covidct.inference.heatmap",
        "covidct.models.litert",  # which imports TensorFlow
        "covidct.training.finetune",
        "covidct.training.fit",
    ]
)
_COMMAND_LINE = "import runpy; runpy.run_module('covidct', run_name='__main__', alter_sys=True)"


def start_python(code: str, arguments: Sequence[object], output: Path, errors: Path) -> BaseProcess:
    """``python -c`` with this code and these arguments; what it prints is added to two files."""
    arguments = [*map(str, arguments)]
    process = _FORKS.Process(target=_run, args=(code, arguments, dict(os.environ), output, errors))
    with _without_main_module():
        process.start()
    return process


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Streamlit's tests put the script of a page there, which each fork would run again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def start_covidct(
    arguments: Sequence[object], output: Path, errors: Path, before: str = ""
) -> BaseProcess:
    """``python -m covidct`` likewise, after some code if any is given."""
    return start_python(before + _COMMAND_LINE, arguments, output, errors)


def _run(
    code: str, arguments: list[str], environment: dict[str, str], output: Path, errors: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, descriptor in ((output, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), descriptor)
    sys.argv = ["-c", *arguments]
    exec(code, {"__name__": "__main__"})
