"""Calibrate a network for lungs and opacities, and leave it in a folder that can be opened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

from covidct.data.masks import MaskedSlice
from covidct.files import replace_bytes, replace_text, sha256_of
from covidct.imaging.anatomy.segmentation import CARD_FILE, GRAPH_FILE, SIDE, SIGNATURE
from covidct.training.segmentation import DRAWINGS, EPOCHS

if TYPE_CHECKING:
    import keras

_CALIBRATED_PLACES = 200  # of each slice
_AT_A_TIME = 32


def logits_of(network: keras.Model, slices: Sequence[MaskedSlice]) -> np.ndarray:
    """What a network says of slices, float32 (N, 256, 256, 2)."""
    pictures = np.stack([one.grey for one in slices])[..., None].astype(np.float32)
    logits = network.predict(pictures, batch_size=_AT_A_TIME, verbose=0)
    return np.stack([cv2.resize(one, (SIDE, SIDE)) for one in logits])


def calibration_of(slices: Sequence[MaskedSlice], logits: np.ndarray) -> tuple[float, float]:
    """Slope and intercept after which an opacity's probability of 0.5 means half of the places.

    Platt scaling (1999) on places in the lungs, each slice counting the same. Where all places show
    the same, nothing can be learnt of that, and nothing is changed.
    """
    rng = np.random.default_rng(0)
    values, drawn = [], []
    for one, of_one in zip(slices, logits, strict=True):
        places = np.flatnonzero(one.lungs)
        if places.size:
            chosen = rng.choice(places, _CALIBRATED_PLACES)
            values.append(of_one.ravel()[chosen])
            drawn.append(one.opacities.ravel()[chosen])
    if len(np.unique(np.concatenate(drawn))) < 2:
        return 1.0, 0.0
    scaling = LogisticRegression(C=np.inf).fit(
        np.concatenate(values)[:, None].astype(float), np.concatenate(drawn)
    )
    return float(scaling.coef_[0, 0]), float(scaling.intercept_[0])


def keep_segmentation(
    folder: Path,
    network: keras.Model,
    slices: Sequence[MaskedSlice],
    calibration: tuple[float, float],
    seed: int,
) -> None:
    """Write ``segmentation.tflite`` (integers of 8 bits) and, last, its ``card.json``.

    Args:
        folder: where to; made where there is none.
        network: as :func:`.segmentation.fit_segmentation` gives it.
        slices: that it learnt from.
        calibration: slope and intercept, as :func:`calibration_of` gives them.
        seed: that it was trained with.
    """
    from covidct.models.litert import converted, spread

    pictures = [slices[i].grey[None, ..., None].astype(np.float32) for i in spread(len(slices))]
    graph = converted({SIGNATURE: network}, lambda: ((SIGNATURE, one) for one in pictures))
    folder.mkdir(parents=True, exist_ok=True)
    replace_bytes(folder / GRAPH_FILE, graph)
    sources = sorted({one.source for one in slices})
    patients = {name: {one.patient for one in slices if one.source == name} for name in sources}
    counts = Counter(one.source for one in slices)
    slope, intercept = calibration
    card = {
        "title": "Lungs and opacities on a slice",
        "sha256": sha256_of(folder / GRAPH_FILE),
        "precision": "integers of 8 bits, kernels channel by channel",
        "slope": slope,
        "intercept": intercept,
        "trained_on": {
            name: {"slices": counts[name], "patients": len(patients[name])} for name in sources
        }
        | {"synthetic": {"slices": DRAWINGS}},
        "epochs": EPOCHS,
        "seed": seed,
    }
    replace_text(folder / CARD_FILE, json.dumps(card, indent=2) + "\n")
