"""What several commands ask for, show and say alike."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from covidct.errors import ConfigError
from covidct.messages import N_
from covidct.terminal import visible

if TYPE_CHECKING:
    from covidct.imaging import CTSlice
    from covidct.inference.judge import SliceJudge

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


def add_cluster_option(parser: argparse.ArgumentParser, what: str) -> None:
    """Let a command have work done by the workers of a Dask cluster, and tell which."""
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help=f"{what} by Dask workers: local, slurm, slurm:QUEUE, or their scheduler, tcp://… or "
        "tls://…",
    )


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Let a command have slices judged by the workers of a Dask cluster."""
    add_cluster_option(parser, "judge")
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="with --cluster, keep each row there, and judge no slice again that has one",
    )
    parser.set_defaults(usage_error=parser.error)


def prepare_for_cluster(address: str) -> None:
    """Warn of an address that is not encrypted.

    Raises:
        ConfigError: Dask is not installed.
    """
    if not find_spec("distributed"):
        raise ConfigError(N_('A cluster needs Dask: pip install "dask[distributed]".'))
    from covidct.cluster.connect import leaves_machine_unencrypted

    if leaves_machine_unencrypted(address):
        say(
            f"covidct: {address} is not encrypted, and whoever reaches that scheduler can "
            "run programs on its workers and here. Use tls:// in a network that others use.",
            file=sys.stderr,
        )


@contextmanager
def slice_judge(
    options: argparse.Namespace, *, fingerprinted: bool = False
) -> Iterator[SliceJudge]:
    """What judges slices, as :func:`add_cluster_options` let the user choose.

    Args:
        options: of the command.
        fingerprinted: whether workers send :attr:`.Judged.fingerprint` as well.

    Raises:
        ClusterError: there is no such cluster, or it was lost on the way.
        ConfigError: it cannot be asked as things are.
    """
    from covidct.inference.judge import judge_slices

    if options.journal and not options.cluster:
        options.usage_error("--journal is for --cluster")
    if not options.cluster:
        yield judge_slices
        return
    prepare_for_cluster(options.cluster)
    from covidct.cluster.judge import judge_of

    with judge_of(options.cluster, options.journal, fingerprinted=fingerprinted) as judge:
        yield judge


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
        say(f"  {name:12s} {_with_interval(figures, name)}")


def print_classes(figures: Mapping[str, Any]) -> None:
    """The confusion matrix of several classes and each class's AUC, where a model tells them
    apart."""
    told = figures.get("classes")
    if not told:
        return
    width = max(map(len, told["names"]))
    heads = [f"{name:>6s}" for name in told["names"]]
    say(f"  classes, labelled (down) and called (across), of {told['n']} slices:")
    say("  ".join(["  " + " " * width, *heads, "ROC AUC against the rest"]))
    for (name, of_class), row in zip(told["each"].items(), told["confusion"], strict=True):
        cells = (f"{slices:{len(head)}d}" for head, slices in zip(heads, row, strict=True))
        say("  ".join([f"  {name:{width}s}", *cells, _with_interval(of_class, "roc_auc")]))
    say(f"  mean of their ROC AUC {_with_interval(told, 'mean_roc_auc')}")
    if told["unknown"]:
        say(f"  left out of them: {told['unknown']} slices of classes that the model does not know")


def _with_interval(figures: Mapping[str, Any], name: str) -> str:
    value, ends = figures[name], figures[f"{name}_ci95"]
    if value is None:
        return "no slices"
    if ends is None:
        return f"{value:.3f}  (too few patients for an interval)"
    low, high = ends
    return f"{value:.3f}  (95 % interval {low:.3f} to {high:.3f})"


def print_figures(figures: Mapping[str, Any]) -> None:
    """What a model comes to on a split, what was corrected and what was left out."""
    from covidct.data.corrections import told
    from covidct.inference.learnt import how_many_learnt

    say(
        f"{figures['split']}: {figures['n']} slices of {figures['patients']} patients, "
        f"model {figures['model_id']}"
    )
    print_rates(figures)
    say(f"  expected calibration error {figures['expected_calibration_error']:.3f}")
    print_classes(figures)
    say(how_many_learnt(figures["learnt"], figures["n"]))
    if figures["corrections"]:
        say(f"  {told(figures['corrections'])}")
    for skip in figures["skipped"]:
        say(f"  left out: {skip['file']}: {skip['reason']}")
