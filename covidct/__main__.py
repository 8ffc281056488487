"""Command line: python -m covidct classify | explain | report | fetch | check | train | audit …"""

import argparse
import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covidct.commands import DONE, FAILED, NOTICE, bench, classify, convert, release, report, runs
from covidct.errors import CovidCTError
from covidct.files import NAMES

if TYPE_CHECKING:
    from covidct.data.download import Download

DATA_SPLITS = ("train", "val", "test", "first-half", "second-half", "all")
METHOD_NAMES = ("gradcam-relative", "gradcam", "gradcam++", "layercam", "scorecam", "smoothgrad")


def main(arguments: list[str]) -> int:
    """Run one command; the exit status is 0 all done, 1 something refused, 2 wrong usage."""
    sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid Unicode
    options = _parser(train=arguments[:1] == ["train"]).parse_args(arguments)
    try:
        return options.run(options)
    except (CovidCTError, OSError) as error:
        print(f"covidct: {error}", file=sys.stderr)
        return FAILED


def _explain(options: argparse.Namespace) -> int:
    import numpy as np

    from covidct.imaging import read_slice
    from covidct.imaging.gate import check_lung_slice, past_gate
    from covidct.inference.classifier import Classifier
    from covidct.inference.heatmap import METHODS, explain, overlay
    from covidct.reports.picture import overlay_png
    from covidct.reports.words import NO_LUNGS, OUTSIDE_LUNGS, is_mostly_outside, percent

    ct_slice = read_slice(options.path, None if options.frame is None else options.frame - 1)
    ct_slice = (past_gate if options.despite_gate else check_lung_slice)(ct_slice)
    classifier = Classifier.load(options.model)
    prediction, heat = explain(classifier, ct_slice, options.method)
    options.out.write_bytes(overlay_png(overlay(ct_slice, heat), classifier.card))
    if options.heatmap:
        with options.heatmap.open("wb") as file:
            np.save(file, heat.values)
    print(f"{prediction.decision} {percent(prediction.probability)}, model {prediction.model_id}")
    for note in ct_slice.notes:
        print(note)
    if heat.is_empty:
        print(f"The map is empty: no region speaks for “{prediction.label}”.")
    elif heat.lung_share is None:
        print(NO_LUNGS)
    else:
        print(f"{percent(heat.lung_share)} of the evidence lies inside the lungs.")
        if is_mostly_outside(heat.lung_share):
            print(OUTSIDE_LUNGS)
    print(f"{METHODS[options.method].title} written to {options.out}. {NOTICE}")
    return DONE


def _train(options: argparse.Namespace) -> int:
    from covidct.training import jobs
    from covidct.training.progress import read_status, recorded_run

    run = options.run_folder
    if options.stop:
        jobs.stop(run)
        print(f"{run} will end after its current batch and keep its best weights.")
        return DONE
    if options.resume:
        _refuse_settings(options)
    jobs.enter(run)
    if not options.resume:
        _start_run_folder(options)
    with recorded_run(run):
        from covidct.evaluation.evaluate import evaluate_validation
        from covidct.inference.store import read_card
        from covidct.reports.words import conversion
        from covidct.training.fit import resume

        resume(run, _progress("Reading slices"))
        figures = evaluate_validation(run, _progress("Validating"))
    _print_figures(figures)
    print(conversion(read_card(run).about))
    print(read_status(run).message or "All epochs are done.")
    print(f"The model is in {run}: classify with --model and that path. {NOTICE}")
    return DONE


def _refuse_settings(options: argparse.Namespace) -> None:
    """A run goes on with what it began with; whoever gives it other settings is told so."""
    from covidct.training.config import default_settings

    unset = default_settings() | {"data": None, "exclusions": None}
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
    start_run_folder(options.run_folder, options.data.resolve(), config, exclude)


def _evaluate(options: argparse.Namespace) -> int:
    from covidct.evaluation.evaluate import evaluate
    from covidct.inference.classifier import Classifier

    classifier = Classifier.load(options.model)
    figures = evaluate(
        classifier, options.data, options.split, options.out, _progress("Evaluating")
    )
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        _print_figures(figures)
        print(f"Written to {options.out}: metrics.json, predictions.csv. {NOTICE}")
    return FAILED if figures["skipped"] else DONE


def _audit(options: argparse.Namespace) -> int:
    from covidct.evaluation.audit import AUDIT_FILE, audit
    from covidct.evaluation.audit_text import as_text
    from covidct.inference.classifier import Classifier

    classifier = Classifier.load(options.model)
    figures = audit(classifier, options.data, options.split, options.out, _progress("Auditing"))
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        print(as_text(figures))
        print(f"Written to {options.out}: {AUDIT_FILE}. {NOTICE}")
    return FAILED if figures["skipped"] else DONE


def _faithfulness(options: argparse.Namespace) -> int:
    from covidct.evaluation.faithfulness import FAITHFULNESS_FILE, PLANTED_SLICES, faithfulness
    from covidct.evaluation.faithfulness_text import as_text
    from covidct.inference.classifier import Classifier

    figures = faithfulness(
        Classifier.load(options.model),
        options.out,
        options.series,
        options.data,
        options.split,
        PLANTED_SLICES if options.planted is None else options.planted,
        _progress("Measuring heat maps"),
    )
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        print(as_text(figures))
        print(f"Written to {options.out}: {FAITHFULNESS_FILE}. {NOTICE}")
    return DONE


def _fetch(options: argparse.Namespace) -> int:
    from covidct.data.fetch import COVID_CT_URL, fetch

    with _download_bar() as report:
        folder = fetch(options.to, source=options.source or COVID_CT_URL, report=report)
    print(f"COVID-CT is whole in {folder}.")
    return DONE


def _check(options: argparse.Namespace) -> int:
    from covidct.data.check import check_dataset
    from covidct.data.check_text import as_json, as_text

    report = check_dataset(
        options.data,
        options.validation_share,
        options.seed,
        _progress("Checking"),
        official_lists=options.official_lists,
    )
    if options.exclusions:
        names = "".join(f"{name}\n" for name in report.exclusions)
        options.exclusions.write_text(names, **NAMES)
    print(json.dumps(as_json(report), ensure_ascii=False) if options.json else as_text(report))
    return FAILED if report.leaks else DONE


def _print_figures(figures: dict[str, Any]) -> None:
    print(
        f"{figures['split']}: {figures['n']} slices of {figures['patients']} patients, "
        f"model {figures['model_id']}"
    )
    runs.print_rates(figures)
    print(f"  expected calibration error {figures['expected_calibration_error']:.3f}")
    for skip in figures["skipped"]:
        print(f"  left out: {skip['file']}: {skip['reason']}")


def _progress(title: str) -> Callable[[Iterable], Iterable]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        return iter
    from rich.console import Console
    from rich.progress import track

    return partial(track, description=title, console=Console(stderr=True))


@contextmanager
def _download_bar() -> Iterator[Callable[["Download"], None]]:
    """A progress bar for each file on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("", total=None)
        yield lambda at: bars.update(
            bar, description=f"{at.file} ({at.step})", completed=at.received, total=at.total
        )


def _parser(train: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("covidct", description=f"COVID-19 on CT slices. {NOTICE}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    classifying = classify.add_command(commands)
    reporting = report.add_command(commands)

    explain = commands.add_parser("explain", help="a slice with its heat map")
    explain.add_argument("path", type=Path, metavar="PATH")
    explain.add_argument("--out", type=Path, required=True, help="the overlay, a PNG file")
    explain.add_argument("--heatmap", type=Path, help="the heat map, float32 on the slice's grid")
    explain.add_argument("--frame", type=int, metavar="N", help="of several in one file, from 1")
    explain.add_argument(
        "--method",
        choices=METHOD_NAMES,
        default=METHOD_NAMES[0],
        help="the first two are ready at once; the others load TensorFlow, about ten seconds",
    )
    classify.add_gate_option(explain)

    evaluate = commands.add_parser("evaluate", help="figures of a model on a labelled data set")
    audit = commands.add_parser("audit", help="what a model goes by apart from anatomy")

    faithfulness = commands.add_parser("faithfulness", help="whether heat maps mean anything")
    faithfulness.add_argument(
        "--series", type=Path, metavar="DIR", help="with series, lesion-masks, lung-masks in it"
    )
    faithfulness.add_argument(
        "--planted", type=int, metavar="N", help="how many synthetic slices with lesions"
    )

    for command in (evaluate, audit, faithfulness):
        needed = command is not faithfulness
        command.add_argument("--data", type=Path, required=needed, metavar="DIR")
        command.add_argument("--split", choices=DATA_SPLITS, default="all")
        command.add_argument("--out", type=Path, required=True, metavar="OUTDIR")
        command.add_argument("--json", action="store_true", help="print the figures as JSON")

    for command in (classifying, reporting, explain, evaluate, audit, faithfulness):
        command.add_argument("--model", metavar="NAME", help="a shipped model or a run's folder")

    training = commands.add_parser("train", help="train a network on a data set")
    training.add_argument("--data", type=Path, metavar="DIR")
    training.add_argument("--run", type=Path, required=True, metavar="RUNDIR", dest="run_folder")
    training.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    training.add_argument("--stop", action="store_true", help="end a run after its current batch")
    training.add_argument(
        "--exclusions", type=Path, metavar="FILE", help="slices to leave out, one a line"
    )
    if train:
        _add_settings(training)

    fetch = commands.add_parser("fetch", help="fetch the public COVID-CT data set")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="the folder to make")
    fetch.add_argument("--source", metavar="URL", help="a copy of upstream's layout elsewhere")

    check = commands.add_parser("check", help="look for leaks and mistakes in a data set")
    check.add_argument("--data", type=Path, required=True, metavar="DIR")
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.add_argument("--exclusions", type=Path, metavar="FILE", help="list what to leave out")
    check.add_argument("--official-lists", action=argparse.BooleanOptionalAction, default=True)
    check.add_argument("--validation-share", type=float, default=0.2)
    check.add_argument("--seed", type=int, default=0)

    bench.add_command(commands)

    for command, run in (
        (audit, _audit),
        (explain, _explain),
        (fetch, _fetch),
        (check, _check),
        (evaluate, _evaluate),
        (faithfulness, _faithfulness),
        (training, _train),
    ):
        command.set_defaults(run=run, usage_error=command.error)
    runs.add_commands(commands)
    release.add_commands(commands, _progress)
    convert.add_commands(commands, _progress)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """One option for each field of TrainConfig."""
    from covidct.training.config import default_settings

    group = parser.add_argument_group("settings", "with their defaults")
    for name, default in default_settings().items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            group.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        else:
            kind = int if default is None else type(default)
            group.add_argument(option, type=kind, default=default, help=f"{default}")


def _train_and_leave(arguments: list[str]) -> None:
    """End the process without waiting for TensorFlow's threads, which hang once memory ran out."""
    status = FAILED
    try:
        status = main(arguments)
    except SystemExit as usage:
        status = usage.code
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        _train_and_leave(sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
