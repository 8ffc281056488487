"""Commands that look after runs and the model in use: runs, compare, promote, rollback."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from covidct.commands import DONE, FAILED


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add them to the command line."""
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

    compare = commands.add_parser("compare", help="a run beside the model in use")
    compare.add_argument("--run", required=True, metavar="RUN", dest="name")
    compare.add_argument("--model", metavar="NAME", help="another model to compare with")
    compare.add_argument("--json", action="store_true", help="print one JSON object")
    compare.set_defaults(run=_compare)

    promote = commands.add_parser("promote", help="put a run's model to use")
    promote.add_argument("name", metavar="RUN")
    promote.add_argument(
        "--despite-worse", action="store_true", help="even if it does worse than the model in use"
    )
    promote.set_defaults(run=_promote)

    rollback = commands.add_parser("rollback", help="go back to the model in use before")
    rollback.set_defaults(run=_rollback)


def print_rates(figures: Mapping[str, Any]) -> None:
    """Accuracy, sensitivity, specificity and AUC with their intervals, a line each."""
    for name in ("accuracy", "sensitivity", "specificity", "roc_auc"):
        low, high = figures[f"{name}_ci95"]
        print(f"  {name:12s} {figures[name]:.3f}  (95 % interval {low:.3f} to {high:.3f})")


def _list(options: argparse.Namespace) -> int:
    from covidct.training.jobs import list_runs
    from covidct.training.progress import read_status

    for folder in list_runs():
        status = read_status(folder)
        if options.json:
            line = {"run": folder.name, "folder": str(folder), **asdict(status)}
            print(json.dumps(line, ensure_ascii=False))
        else:
            print(f"{status.state:9s} {status.epoch:4d} of {status.epochs:4d}  {folder.name}")
            if status.message:
                print(f"{'':23s}{status.message}")
    return DONE


def _rename(options: argparse.Namespace) -> int:
    from covidct.training.jobs import find_run, rename

    print(f"The run is called “{rename(find_run(options.name), options.new_name).name}” now.")
    return DONE


def _delete(options: argparse.Namespace) -> int:
    from covidct.training.jobs import delete, find_run

    delete(find_run(options.name))
    print(f"The run “{options.name}” is deleted.")
    return DONE


def _download(options: argparse.Namespace) -> int:
    from covidct.training.jobs import find_run, zip_run

    archive = BytesIO()
    zip_run(find_run(options.name), archive)
    options.out.write_bytes(archive.getvalue())
    print(f"Written to {options.out}.")
    return DONE


def _compare(options: argparse.Namespace) -> int:
    from covidct.evaluation.compare import compare
    from covidct.inference.store import find_model

    comparison = compare(_run_folder(options.name), find_model(options.model))
    if options.json:
        print(json.dumps(asdict(comparison), ensure_ascii=False))
        return DONE
    for figures in (comparison.candidate, comparison.incumbent):
        print(figures["model_id"])
        print_rates(figures)
    low, high = comparison.auc_difference_ci95
    print(f"Difference in AUC {comparison.auc_difference:+.3f} (95 % {low:+.3f} to {high:+.3f}).")
    print(comparison.verdict)
    return DONE


def _promote(options: argparse.Namespace) -> int:
    from covidct.evaluation.compare import compare
    from covidct.inference.store import promote

    folder = _run_folder(options.name)
    if not options.despite_worse:
        comparison = compare(folder)
        print(comparison.verdict)
        if comparison.is_worse:
            print("It was not promoted. To do so all the same, add --despite-worse.")
            return FAILED
    print(f"The model in use is {promote(folder)} now. To go back: python -m covidct rollback")
    return DONE


def _rollback(options: argparse.Namespace) -> int:
    from covidct.inference.promotion import rollback

    print(f"The model in use is {rollback()} now.")
    return DONE


def _run_folder(name: str) -> Path:
    """A run by its name, or any run folder by its path."""
    from covidct.training.jobs import find_run
    from covidct.training.run_folder import CONFIG_FILE

    return Path(name) if (Path(name) / CONFIG_FILE).is_file() else find_run(name)
