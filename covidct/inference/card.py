"""The card of a model: which file it is, how to use it, and everything for people.

No network is opened to read one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from covidct.data.near_duplicates import FINGERPRINT_BYTES
from covidct.errors import ConfigError, ModelError
from covidct.files import MALFORMED, replace_text
from covidct.imaging.anatomy.segmentation import segmentation_id
from covidct.inference.calibration import Calibration
from covidct.messages import N_
from covidct.models.backbones import get_preprocess_input

MODEL_FILE, KERAS_FILE, CARD_FILE = "model.tflite", "model.keras", "card.json"
SEGMENTATION_FOLDER = "segmentation"  # of a model that does not go by the shipped network
WAY_OUT = N_("Restore it from where it came, or roll back to the model that was in use before.")

_SHORT_HASH = 12
_LONGEST_SIDE = 4096


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is and how to use it.

    Attributes:
        name: the model's name.
        sha256: of the model file, by which the model is known.
        keras_sha256: of the Keras file beside it; empty where there is none.
        backbone: a name in :data:`covidct.models.backbones.BACKBONES`.
        image_size: rows and columns of its input.
        pixel_scaling: "backbone" or "unit", as in TrainConfig.
        calibration: how its logits are read.
        about: everything for people: data, recipe, metrics, licences, intended use.
        average_map: its class activation map, (h, w), the mean over the slices that it was trained
            on; empty where that is not known.
        mirrored: whether it looks at the mirror image as well.
        in_integers: whether its trunks run in integers of 8 bits rather than in floats.
        segmentation: SHA-256 of the network that finds the lungs and opacities of its slices: the
            shipped one, or the one beside the model; empty for a model of before there was one.
        learnt_from: the slices that it was trained on, by their perceptual hashes
            (:func:`covidct.data.near_duplicates.fingerprint`) in hexadecimal; empty where they are
            not known.
    """

    name: str
    sha256: str
    backbone: str
    image_size: tuple[int, int]
    pixel_scaling: str
    calibration: Calibration
    about: dict[str, Any] = field(default_factory=dict)
    average_map: tuple[tuple[float, ...], ...] = ()
    keras_sha256: str = ""
    mirrored: bool = False
    in_integers: bool = False
    segmentation: str = field(default_factory=segmentation_id)
    learnt_from: tuple[str, ...] = ()

    @property
    def model_id(self) -> str:
        """Name and the start of the hash."""
        return f"{self.name}@{self.sha256[:_SHORT_HASH]}"

    @property
    def preprocess_input(self) -> Callable[[np.ndarray], np.ndarray]:
        """The normalisation of (N, h, w, 3) from 0..255 that this network was trained with."""
        return get_preprocess_input(self.backbone, self.pixel_scaling)

    def write(self, folder: Path) -> None:
        """Write ``card.json`` at once or not at all."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False)
        replace_text(folder / CARD_FILE, text + "\n")


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder.

    Raises:
        ModelError: it is missing or malformed.
    """
    try:
        values = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        return _card_of(values)
    except OSError as error:
        raise ModelError(
            N_(
                "The model folder {folder} has no readable card.json. {way_out}",
                folder=folder,
                way_out=WAY_OUT,
            )
        ) from error
    except (ConfigError, *MALFORMED) as error:
        raise ModelError(
            N_(
                "The card of the model in {folder} is malformed. {way_out}",
                folder=folder,
                way_out=WAY_OUT,
            )
        ) from error


def _card_of(values: dict[str, Any]) -> ModelCard:
    json.dumps(values, ensure_ascii=False).encode()  # no page can show half a surrogate pair
    rows, columns = map(int, values["image_size"])
    get_preprocess_input(values["backbone"], values["pixel_scaling"])
    if not (1 <= rows <= _LONGEST_SIDE and 1 <= columns <= _LONGEST_SIDE):
        raise ValueError("no size of a picture")
    return ModelCard(
        name=str(values["name"]),
        sha256=str(values["sha256"]),
        backbone=values["backbone"],
        image_size=(rows, columns),
        pixel_scaling=values["pixel_scaling"],
        calibration=_calibration_of(values["calibration"]),
        about=dict(values["about"]),
        average_map=_map_of(values.get("average_map", ())),
        keras_sha256=str(values.get("keras_sha256", "")),
        mirrored=bool(values.get("mirrored", False)),
        in_integers=bool(values.get("in_integers", False)),
        segmentation=str(values.get("segmentation", "")),
        learnt_from=_hashes_of(values.get("learnt_from", ())),
    )


def _hashes_of(texts: list[str]) -> tuple[str, ...]:
    if any(len(bytes.fromhex(text)) != FINGERPRINT_BYTES for text in texts):
        raise ValueError("no perceptual hash")
    return tuple(texts)


def _map_of(rows: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    read = tuple(tuple(map(float, row)) for row in rows)
    if len({len(row) for row in read}) > 1 or not all(map(math.isfinite, chain(*read))):
        raise ValueError("no map")
    return read


def _calibration_of(values: dict[str, Any]) -> Calibration:
    temperature, operating_point = float(values["temperature"]), float(values["operating_point"])
    low, high = map(float, values["abstain_band"])
    sensitive = values.get("sensitive_point")
    points = [operating_point, low, high, *([] if sensitive is None else [float(sensitive)])]
    if not (0 < temperature < math.inf and low <= high and all(0 <= at <= 1 for at in points)):
        raise ValueError("no calibration")
    return Calibration(
        temperature, operating_point, (low, high), None if sensitive is None else float(sensitive)
    )
