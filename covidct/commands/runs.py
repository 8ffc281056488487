"""The command that looks after runs: list, rename, delete, download."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from covidct.commands import DONE
from covidct.commands.shared import say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    runs = commands.add_parser("runs", help="list, rename, delete or download runs")
    runs.add_argument("--json", action="store_true", help="one JSON object a run")
    runs.set_defaults(run=_list)
    actions = runs.add_subparsers(metavar="ACTION")

    rename = actions.add_parser("rename", help="give a run another name")
    rename.add_argument("name", metavar="RUN")
    rename.add_argument("new_name", metavar="NAME")
    rename.set_defaults(run=_rename)

    delete = actions.add_parser("delete", help="remove a run and all it holds")
    delete.add_argument("name", metavar="RUN")
    delete.set_defaults(run=_delete)

    download = actions.add_parser("download", help="write a run as a ZIP archive")
    download.add_argument("name", metavar="RUN")
    download.add_argument("--out", type=Path, required=True, metavar="FILE")
    download.set_defaults(run=_download)


def _list(options: argparse.Namespace) -> int:
    from covidct.training.jobs import list_runs
    from covidct.training.progress import read_status

    for folder in list_runs():
        status = read_status(folder)
        if options.json:
            line = {"run": folder.name, "folder": str(folder), **asdict(status)}
            print(json.dumps(line, ensure_ascii=False))
        else:
            say(f"{status.state:9s} {status.epoch:4d} of {status.epochs:4d}  {folder.name}")
            if status.is_live and status.is_elsewhere:
                say(f"{'':23s}On the host {status.host}.")
            if status.message:
                say(f"{'':23s}{status.message}")
    return DONE


def _rename(options: argparse.Namespace) -> int:
    from covidct.training.jobs import find_run, rename

    say(f"The run is called “{rename(find_run(options.name), options.new_name).name}” now.")
    return DONE


def _delete(options: argparse.Namespace) -> int:
    from covidct.training.jobs import delete, find_run

    delete(find_run(options.name))
    say(f"The run “{options.name}” is deleted.")
    return DONE


def _download(options: argparse.Namespace) -> int:
    from covidct.training.jobs import find_run, zip_run

    archive = BytesIO()
    zip_run(find_run(options.name), archive)
    options.out.write_bytes(archive.getvalue())
    say(f"Written to {options.out}.")
    return DONE
