"""The command that explains: a slice with its heat map."""

from __future__ import annotations

import argparse
from pathlib import Path

from covidct.commands import DONE, NOTICE
from covidct.commands.shared import add_gate_option, add_model_option, admission, say

METHOD_NAMES = (
    "gradcam-relative",
    "gradcam",
    "gradcam++",
    "layercam",
    "scorecam",
    "smoothgrad",
    "opacity",
)


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("explain", help="a slice with its heat map")
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--out", type=Path, required=True, help="the overlay, a PNG file")
    parser.add_argument("--heatmap", type=Path, help="the heat map, float32 on the slice's grid")
    parser.add_argument("--frame", type=int, metavar="N", help="of several in one file, from 1")
    parser.add_argument(
        "--method",
        choices=METHOD_NAMES,
        default=METHOD_NAMES[0],
        help="the first two and opacity are ready at once; the others load TensorFlow",
    )
    add_gate_option(parser)
    add_model_option(parser)
    parser.set_defaults(run=_explain)


def _explain(options: argparse.Namespace) -> int:
    import numpy as np

    from covidct.imaging import read_slice
    from covidct.inference.classifier import Classifier
    from covidct.inference.heatmap import METHODS, OPACITY, explain, overlay
    from covidct.reports.picture import overlay_png
    from covidct.reports.words import NO_LUNGS, OUTSIDE_LUNGS, is_mostly_outside, percent

    ct_slice = read_slice(options.path, None if options.frame is None else options.frame - 1)
    ct_slice = admission(options)(ct_slice)
    classifier = Classifier.load(options.model)
    prediction, heat = explain(classifier, ct_slice, options.method)
    options.out.write_bytes(overlay_png(overlay(ct_slice, heat), classifier.card))
    if options.heatmap:
        with options.heatmap.open("wb") as file:
            np.save(file, heat.values)
    say(f"{prediction.decision} {percent(prediction.probability)}, model {prediction.model_id}")
    for note in ct_slice.notes:
        say(note)
    opacities = classifier.opacities(ct_slice)
    say(opacities.findings.sentence)
    if options.method == OPACITY:
        say(f"Opacities outlined in {options.out}. {NOTICE}")
        return DONE
    if heat.is_empty:
        say(f"The map is empty: no region speaks for “{prediction.label}”.")
    elif heat.lung_share is None:
        say(NO_LUNGS)
    else:
        say(f"{percent(heat.lung_share)} of the heat map lies inside the lungs.")
        if is_mostly_outside(heat.lung_share):
            say(OUTSIDE_LUNGS)
    say(f"{METHODS[options.method].title} written to {options.out}. {NOTICE}")
    return DONE
