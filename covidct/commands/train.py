"""The command that trains, in this process; the Training page starts it in one of its own."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from covidct.commands import DONE, NOTICE
from covidct.commands.shared import add_masks_option, print_figures, progress_bar, say
from covidct.files import NAMES
from covidct.messages import N_

if TYPE_CHECKING:
    from covidct.data.index import Item
    from covidct.training.progress import ProgressWriter


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("train", help="train a network on a data set")
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--run", type=Path, required=True, metavar="RUNDIR", dest="run_folder")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--stop", action="store_true", help="end a run after its current batch")
    parser.add_argument(
        "--exclusions", type=Path, metavar="FILE", help="slices to leave out, one a line"
    )
    add_masks_option(
        parser,
        "slices with lung-masks and lesion-masks, as for train-opacities, to learn these as well",
        needs_masks=False,
    )
    parser.set_defaults(run=_train, usage_error=parser.error)


def _train(options: argparse.Namespace) -> int:
    from covidct.training import jobs
    from covidct.training.progress import ProgressWriter, read_status, recorded_run

    run = options.run_folder
    if options.stop:
        jobs.stop(run)
        say(f"{run} will end after its current batch and keep its best weights.")
        return DONE
    if options.resume:
        _refuse_settings(options)
    with jobs.turn(run):
        if not options.resume:
            _start_run_folder(options)
        with recorded_run(run):
            jobs.require_room_for(run)
            from covidct.evaluation.evaluate import evaluate_validation
            from covidct.inference.card import read_card
            from covidct.reports.words import conversion, learnt_masks
            from covidct.training.fit import resume

            resume(run, progress_bar("Reading slices"))
            figures = evaluate_validation(run, partial(_watch_validation, ProgressWriter(run)))
    print_figures(figures)
    about = read_card(run).about
    say(*filter(None, (learnt_masks(about), conversion(about))))
    say(read_status(run).message or "All epochs are done.")
    say(f"The model is in {run}: classify with --model and that path. {NOTICE}")
    return DONE


def _watch_validation(writer: ProgressWriter, items: Iterable[Item]) -> Iterable[Item]:
    writer.say(state="running")
    return writer.count(items, N_("Evaluating on validation slices."), progress_bar("Validating"))


def _refuse_settings(options: argparse.Namespace) -> None:
    """A run goes on with what it began with; whoever gives it other settings is told so."""
    from covidct.training.config import default_settings

    unset = default_settings() | {"data": None, "exclusions": None, "masks": None}
    given = [name for name, value in unset.items() if getattr(options, name) != value]
    if given:
        options.usage_error(
            "--resume goes on with the data and the settings that the run began with: leave out "
            + ", ".join(f"--{name.replace('_', '-')}" for name in given)
        )


def _start_run_folder(options: argparse.Namespace) -> None:
    from covidct.training.config import TrainConfig, default_settings
    from covidct.training.run_folder import start_run_folder

    if options.data is None:
        options.usage_error("--data is needed, unless a run is resumed or stopped")
    config = TrainConfig.from_flat_dict(
        {name: getattr(options, name) for name in default_settings()}
    )
    exclude = options.exclusions.read_text(**NAMES).splitlines() if options.exclusions else ()
    masks = options.masks or ()
    start_run_folder(options.run_folder, options.data.resolve(), config, exclude, masks)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """One option for each field of TrainConfig."""
    from covidct.training.config import RANGES, default_settings

    group = parser.add_argument_group("settings", "with their defaults")
    for name, default in default_settings().items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            group.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        else:
            kind = type(RANGES[name][0] if default is None else default)
            shown = "what suits the backbone" if default is None else f"{default}"
            group.add_argument(option, type=kind, default=default, help=shown)
