"""What finds lungs and opacities for a run: a network learnt from masks, or the one in use.

The verdict rests on features that are pooled over lungs and opacities, so this is settled before
the slices are read. A network other than the shipped one is kept beside the run's model, which is
not to be used with any other.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from covidct.data.index import Item, read_index
from covidct.data.masks import MaskedSlice, read_masked_slices
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError
from covidct.files import replace_text
from covidct.imaging.anatomy.lungs import lungs_and_opacities
from covidct.imaging.anatomy.segmentation import (
    CALLED,
    FOLDER,
    GRAPH_FILE,
    Segmenter,
    open_segmenter,
)
from covidct.inference.card import SEGMENTATION_FOLDER
from covidct.inference.promotion import current_model
from covidct.inference.store import segmentation_folder
from covidct.messages import N_
from covidct.runtime.graph import read_verified
from covidct.stats.overlap import dice
from covidct.training.config import TrainConfig
from covidct.training.keep_segmentation import calibration_of, keep_segmentation, logits_of
from covidct.training.progress import ProgressWriter
from covidct.training.run_folder import BACKUP_FOLDER, RunRequest, read_run_folder
from covidct.training.segmentation import fit_segmentation

MAY_LOSE = 0.01  # of the lungs' Dice coefficient, for better opacities
_RECORD_FILE = "segmentation.json"


class MaskedSplit(NamedTuple):
    """Slices with masks to learn from and to judge by, of different patients."""

    training: list[MaskedSlice]
    validation: list[MaskedSlice]


def settle_segmenter(run: Path, writer: ProgressWriter) -> Segmenter | None:
    """What finds lungs and opacities for a run, settled once; None is the shipped network.

    With masks a network is trained. It is kept if it finds the opacities of the validation patients
    better than the network in use, and their lungs as well. Otherwise the run goes by the latter.

    Raises:
        DatasetError: the masks cannot be learnt from.
        ModelError: the network in use cannot be opened.
        TrainingStopped: stopped on request.
    """
    record = run / _RECORD_FILE
    if not record.exists():
        request, learnt = read_run_folder(run), run / BACKUP_FOLDER / "learnt-segmentation"
        in_use = segmentation_folder(current_model())
        judged = _learn(learnt, request, in_use, writer) if request.masks else {}
        _put_beside_model(run, learnt if judged.get("kept") else in_use)
        replace_text(record, json.dumps(judged) + "\n")
    own = segmentation_folder(run)
    return None if own == FOLDER else open_segmenter(own)


def _put_beside_model(run: Path, chosen: Path) -> None:
    """Copy a network into a run, at once; the shipped one stays where it is."""
    own, copy = run / SEGMENTATION_FOLDER, run / BACKUP_FOLDER / SEGMENTATION_FOLDER
    for left in (own, copy):
        shutil.rmtree(left, ignore_errors=True)
    if chosen != FOLDER:
        shutil.copytree(chosen, copy)
        copy.rename(own)


def how_segmentation_was_judged(run: Path) -> dict[str, Any]:
    """What a settled run's card tells of its masks; nothing where it had none.

    Returns:
        "kept", whether the network that was learnt from them is the run's; "new" and "in_use", as
        :func:`overlap` gives them; "training" and "validation", slices and patients of each.
    """
    return json.loads((run / _RECORD_FILE).read_text(encoding="utf-8"))


def validation_masks(run: Path) -> list[MaskedSlice]:
    """The slices with masks that a run is judged by; none where it has none.

    Raises:
        ConfigError: there is no run in the folder.
        DatasetError: its data set or its masks are gone.
    """
    request = read_run_folder(run)
    return _read_split(request, request.masks).validation if request.masks else []


def overlap(segmenter: Segmenter, slices: Sequence[MaskedSlice]) -> dict[str, float]:
    """How well a network finds what is drawn.

    Returns:
        "lungs" and "opacities", the mean Dice coefficient over patients; those without opacities
        count for the lungs only.
    """
    found: dict[str, list[float]] = {"lungs": [], "opacities": []}
    for own in _by_patient(slices).values():
        maps = [lungs_and_opacities(one.grey, segmenter) for one in own]
        drawn = np.stack([one.opacities for one in own]) > 0
        lungs = np.stack([one.lungs for one in own]) > 0
        found["lungs"].append(dice(np.stack([lungs for lungs, _ in maps]), lungs))
        if drawn.any():
            called = np.stack([opacities for _, opacities in maps]) >= CALLED
            found["opacities"].append(dice(called, drawn))
    return {name: float(np.mean(values)) for name, values in found.items()}


def is_better(new: dict[str, float], in_use: dict[str, float]) -> bool:
    """Whether a network finds opacities better than another, and lungs as well but for a hair."""
    as_well = new["lungs"] >= in_use["lungs"] - MAY_LOSE
    return as_well and new["opacities"] > in_use["opacities"]


def split_by_patient(
    slices: Sequence[MaskedSlice],
    data: Path,
    split: tuple[Iterable[Item], Iterable[Item]],
    config: TrainConfig,
) -> MaskedSplit:
    """Slices with masks to learn from and to judge by.

    Slices of the run's own data set stay on the side on which they are there, so that the verdict
    is not validated on opacities that were learnt; what the run leaves out is left out here, too.
    Of others whole patients are drawn, among those with and without opacities alike.

    Args:
        slices: with masks.
        data: the data set folder.
        split: its training and its validation items.
        config: names the share to set aside, and the seed.

    Raises:
        DatasetError: a side has no slice with opacities.
    """
    sides = MaskedSplit([], [])
    others = [one for one in slices if one.file is None or not one.file.is_relative_to(data)]
    for side, items in zip(sides, split, strict=True):
        patients = {item.path: item.patient for item in items}
        side.extend(replace(o, patient=patients[o.file]) for o in slices if o.file in patients)
    rng, by_patient = np.random.default_rng(config.seed), _by_patient(others)
    diseased = [name for name, own in by_patient.items() if _shows_opacities(own)]
    for names in (diseased, [name for name in by_patient if name not in diseased]):
        least = min(1, len(names) - 1)
        aside = max(least, round(config.validation_share * len(names)))
        for position, number in enumerate(rng.permutation(len(names)).tolist()):
            sides[position < aside].extend(by_patient[names[number]])
    if not all(map(_shows_opacities, sides)):
        raise DatasetError(
            N_(
                "To learn opacities and to judge what was learnt, masks with opacities are needed "
                "of two patients or more, on training and on validation slices. Add masks, or "
                "train without them."
            )
        )
    return sides


def _learn(folder: Path, request: RunRequest, in_use: Path, writer: ProgressWriter) -> dict:
    """Train and judge a network in a folder; what :func:`how_segmentation_was_judged` gives.

    The network in use goes on learning: it knows other scanners already. The calibration, two
    numbers, is fitted on the slices that are judged by.
    """
    config = request.config
    segmenter = open_segmenter(in_use)
    split = _read_split(request, writer.watch(request.masks, N_("Reading masks.")))
    network = fit_segmentation(
        split.training,
        config.seed,
        lambda epochs: writer.watch(epochs, N_("Learning lungs and opacities.")),
        read_verified(in_use / GRAPH_FILE, segmenter.sha256),
    )
    calibration = calibration_of(split.validation, logits_of(network, split.validation)[..., 1])
    keep_segmentation(folder, network, split.training, calibration, config.seed)
    new, old = (overlap(one, split.validation) for one in (open_segmenter(folder), segmenter))
    counts = {
        name: {"slices": len(side), "patients": len(_by_patient(side))}
        for name, side in split._asdict().items()
    }
    return {"kept": is_better(new, old), "new": new, "in_use": old, **counts}


def _read_split(request: RunRequest, folders: Iterable[Path]) -> MaskedSplit:
    data, config, exclude, _ = request
    slices = [one for folder in folders for one in read_masked_slices(folder)]
    index = read_index(data, exclude, official_lists=config.official_lists)
    split = split_for_training(index, config.validation_share, config.seed)
    return split_by_patient(slices, data, split, config)


def _by_patient(slices: Iterable[MaskedSlice]) -> dict[str, list[MaskedSlice]]:
    found: dict[str, list[MaskedSlice]] = {}
    for one in slices:
        found.setdefault(one.patient, []).append(one)
    return found


def _shows_opacities(slices: Iterable[MaskedSlice]) -> bool:
    return any((one.opacities & one.lungs).any() for one in slices)
