"""Command line: python -m covidct COMMAND …, one module of :mod:`covidct.commands` each."""

import argparse
import contextlib
import io
import os
import sys
import traceback

from covidct.commands import (
    FAILED,
    NOTICE,
    app,
    archive,
    audit,
    bench,
    card,
    check,
    classify,
    compare,
    convert,
    convert_backbone,
    cross_validate,
    evaluate,
    explain,
    faithfulness,
    fetch,
    promote,
    receive,
    report,
    rollback,
    runs,
    severity,
    train,
    train_opacities,
)
from covidct.commands.shared import say
from covidct.errors import CovidCTError

COMMANDS = (
    app,
    classify,
    explain,
    report,
    archive,
    receive,
    evaluate,
    audit,
    faithfulness,
    train,
    runs,
    compare,
    promote,
    rollback,
    convert,
    fetch,
    check,
    bench,
    cross_validate,
    train_opacities,
    severity,
    card,
    convert_backbone,
)


def main(arguments: list[str]) -> int:
    """Run one command; the exit status is 0 all done, 1 something refused, 2 wrong usage."""
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid Unicode
    parser = argparse.ArgumentParser("covidct", description=f"COVID-19 on CT slices. {NOTICE}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_command(commands)
    if arguments[:1] == ["train"]:  # its settings take a moment to import
        train.add_settings(commands.choices["train"])
    options, others = parser.parse_known_args(arguments)
    if others and "streamlit_options" not in options:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    options.streamlit_options = others
    try:
        return options.run(options)
    except (CovidCTError, OSError) as error:
        say(f"covidct: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        say("covidct: Interrupted.", file=sys.stderr)
    return FAILED


def _train_and_leave(arguments: list[str]) -> None:
    """End the process without waiting for TensorFlow's threads, which hang once memory ran out."""
    status = FAILED
    try:
        status = main(arguments)
    except SystemExit as usage:
        status = usage.code if isinstance(usage.code, int) else FAILED
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(status)


def run() -> None:
    """Run the command that the process was started with, and end the process."""
    if sys.argv[1:2] == ["train"]:
        _train_and_leave(sys.argv[1:])
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
