"""What several commands ask for, show and say alike."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from covidct.terminal import visible

if TYPE_CHECKING:
    from covidct.imaging import CTSlice

DATA_SPLITS = ("train", "val", "test", "first-half", "second-half", "all")


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take another model than the one in use."""
    parser.add_argument("--model", metavar="NAME", help="a shipped model or a run's folder")


def add_gate_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take pictures that are no lung slices."""
    parser.add_argument(
        "--despite-gate",
        action="store_true",
        help="classify what is no lung slice as well, with a note",
    )


def admission(options: argparse.Namespace) -> Callable[[CTSlice], CTSlice]:
    """What passes a slice on or refuses it, as :func:`add_gate_option` let the user choose."""
    from covidct.imaging.anatomy.gate import check_lung_slice, past_gate

    return past_gate if options.despite_gate else check_lung_slice


def add_evaluation_options(parser: argparse.ArgumentParser, *, needs_data: bool = True) -> None:
    """What every command asks for that measures a model on a labelled data set."""
    parser.add_argument("--data", type=Path, required=needs_data, metavar="DIR")
    parser.add_argument("--split", choices=DATA_SPLITS, default="all")
    parser.add_argument("--out", type=Path, required=True, metavar="OUTDIR")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    add_model_option(parser)


def add_masks_option(
    parser: argparse.ArgumentParser, what: str, *, needs_masks: bool = True
) -> None:
    """Ask for folders of slices with drawn masks, and tell what has to be in them."""
    parser.add_argument(
        "--masks", type=Path, nargs="+", required=needs_masks, metavar="DIR", help=what
    )


def run_folder(name: str) -> Path:
    """A run by its name, or any run folder by its path."""
    from covidct.training.jobs import find_run
    from covidct.training.run_folder import CONFIG_FILE

    return Path(name) if (Path(name) / CONFIG_FILE).is_file() else find_run(name)


def progress_bar(title: str) -> Callable[[Iterable], Iterable]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        return iter
    from rich.console import Console
    from rich.progress import track

    return partial(track, description=title, console=Console(stderr=True))


def progress_of_steps(steps: Iterable, title: str) -> Iterable:
    """The same, for work that names its own steps."""
    return progress_bar(title)(steps)


def say(*lines: str, file: TextIO | None = None) -> None:
    """Print lines for people, at once; what could steer their terminal is escaped."""
    for line in lines:
        print(visible(line), file=file, flush=True)


def print_rates(figures: Mapping[str, Any]) -> None:
    """Accuracy, sensitivity, specificity and AUC with their intervals, a line each."""
    for name in ("accuracy", "sensitivity", "specificity", "roc_auc"):
        low, high = figures[f"{name}_ci95"]
        say(f"  {name:12s} {figures[name]:.3f}  (95 % interval {low:.3f} to {high:.3f})")


def print_figures(figures: Mapping[str, Any]) -> None:
    """What a model comes to on a split, and what was left out."""
    from covidct.inference.learnt import how_many_learnt

    say(
        f"{figures['split']}: {figures['n']} slices of {figures['patients']} patients, "
        f"model {figures['model_id']}"
    )
    print_rates(figures)
    say(f"  expected calibration error {figures['expected_calibration_error']:.3f}")
    say(how_many_learnt(figures["learnt"], figures["n"]))
    for skip in figures["skipped"]:
        say(f"  left out: {skip['file']}: {skip['reason']}")
