"""Folders of slices with masks -> the network that finds lungs and opacities, and how well it does.

It is trained several times, each time on all patients but some, and asked about those; then once
on all, to be kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from covidct.data.masks import MaskedSlice, read_masked_slices
from covidct.errors import ConfigError, DatasetError
from covidct.evaluation.opacities.measures import Found, by_patient, found_by, summarise
from covidct.evaluation.opacities.severity import SEVERITY_FILE, severity
from covidct.evaluation.opacities.sheets import SHEETS_FOLDER, write_sheets
from covidct.files import replace_text, sha256_of
from covidct.imaging.anatomy.lungs import as_lungs
from covidct.imaging.anatomy.segmentation import GRAPH_FILE, SIDE, shipped_segmenter
from covidct.messages import N_, ngettext
from covidct.training.keep_segmentation import calibration_of, keep_segmentation, logits_of
from covidct.training.segmentation import fit_segmentation

if TYPE_CHECKING:
    import keras

FOLDS = 3
FIGURES_FILE = "figures.json"
_COMPARED = ("lungs_dice", "opacities_dice")


def train_opacities(
    folders: Sequence[Path],
    out: Path,
    seed: int = 0,
    progress: Callable[[Iterable, str], Iterable] = lambda steps, _: steps,
) -> dict[str, Any]:
    """Measure the network out of patient, train it on all, and leave it in a new folder.

    Writes ``segmentation.tflite`` (integers of 8 bits), ``card.json`` (its hash, calibration and
    what it learnt from), ``figures.json``, ``severity.json`` where opacities are drawn, and in
    ``sheets`` pictures of the worst slices. Figures and sheets are out of patient.

    Args:
        folders: as :func:`covidct.data.masks.read_masked_slices` reads them.
        out: folder to make.
        seed: of weights and views.
        progress: wraps steps that take long, each with what is being done.

    Returns:
        What ``figures.json`` holds: "folds"; what :func:`.measures.summarise` gives, out of
        patient; "in_use", Dice coefficients of the network in use on the same slices by source,
        which flatter it where it has learnt from them; "by_patient".

    Raises:
        ConfigError: the folder is in use.
        DatasetError: a folder has another layout, or there are too few patients.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(N_("The folder {out} is in use. Name a new one.", out=out))
    slices = [
        one for folder in progress(folders, "Reading slices") for one in read_masked_slices(folder)
    ]

    def fit(known: Sequence[MaskedSlice], title: str) -> keras.Model:
        return fit_segmentation(known, seed, lambda steps: progress(steps, title))

    folds = folds_of(slices)
    logits = np.empty((len(slices), SIDE, SIDE, 2), np.float16)
    for fold in range(FOLDS):
        held_out = folds == fold
        known = [one for one, held in zip(slices, held_out, strict=True) if not held]
        network = fit(known, f"Fold {fold + 1} of {FOLDS}")
        logits[held_out] = logits_of(network, [slices[i] for i in np.flatnonzero(held_out)])
    slope, intercept = calibration_of(slices, logits[..., 1])
    found = [
        Found(
            one,
            as_lungs(expit(of_one[..., 0].astype(np.float32))),
            expit(slope * of_one[..., 1].astype(np.float32) + intercept),
        )
        for one, of_one in zip(slices, logits, strict=True)
    ]
    write_sheets(found, out / SHEETS_FOLDER)
    network = fit(slices, "All patients")
    in_use = shipped_segmenter()
    beside = summarise([found_by(in_use, one) for one in progress(slices, "The network in use")])
    figures = {
        "folds": FOLDS,
        **summarise(found),
        "in_use": {
            source: {name: row[name] for name in _COMPARED}
            for source, row in beside["by_source"].items()
        },
        "by_patient": by_patient([one for one in found if one.masked.opacities.any()]),
    }
    keep_segmentation(out, network, slices, (slope, intercept), seed)
    replace_text(out / FIGURES_FILE, json.dumps(figures, indent=2) + "\n")
    if figures["by_patient"]:
        which = {"segmentation": sha256_of(out / GRAPH_FILE), "out_of_patient": True}
        text = json.dumps(which | severity(found), indent=2)
        replace_text(out / SEVERITY_FILE, text + "\n")
    return figures


def folds_of(slices: Sequence[MaskedSlice]) -> np.ndarray:
    """The fold in which each slice is held out, int (N,).

    Each source's patients are cut, in their order, into as many parts as there are folds:
    neighbours, which may be one patient, mostly stay together.

    Raises:
        DatasetError: there are fewer patients than folds.
    """
    patients = {one.source: set[str]() for one in slices}
    for one in slices:
        patients[one.source].add(one.patient)
    fold_of = {
        patient: position * FOLDS // len(own)
        for own in patients.values()
        for position, patient in enumerate(sorted(own))
    }
    if len(set(fold_of.values())) < FOLDS:
        raise DatasetError(
            ngettext(
                "One patient with masks is too few to leave a part of them out {folds} times. Add "
                "folders of more patients.",
                "{count} patients with masks are too few to leave a part of them out {folds} "
                "times. Add folders of more patients.",
                len(fold_of),
                folds=FOLDS,
            )
        )
    return np.array([fold_of[one.patient] for one in slices])
