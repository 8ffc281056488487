"""Models on disk: a folder each with the network and its card, opened only if they match.

A model is data, never code: the file must be the ``.keras`` archive whose SHA-256 stands in the
card, and Keras opens it in safe mode.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from covidct.errors import ConfigError, ModelError, ModelIntegrityError
from covidct.files import MALFORMED, replace_text, sha256_of
from covidct.home import models_dir, runs_dir
from covidct.inference.calibration import Calibration
from covidct.inference.promotion import (
    CARD_FILE,
    DEFAULT_MODEL,
    MODEL_FILE,
    SHIPPED_DIR,
    Promotion,
    current_model,
    history,
    promote,
    rollback,
)
from covidct.models.backbones import get_preprocess_input

__all__ = [
    "CARD_FILE",
    "DEFAULT_MODEL",
    "MODEL_FILE",
    "SHIPPED_DIR",
    "ModelCard",
    "Promotion",
    "current_model",
    "find_model",
    "history",
    "open_model",
    "promote",
    "read_card",
    "rollback",
    "sha256_of",
]

_SHORT_HASH = 12
_WAY_OUT = "Restore it from where it came, or roll back to the model that was in use before."
_LONGEST_SIDE = 4096


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is and how to use it.

    Attributes:
        name: the model's name.
        sha256: of the model file.
        backbone: a name in :data:`covidct.models.backbones.BACKBONES`.
        image_size: rows and columns of its input.
        pixel_scaling: "backbone" or "unit", as in TrainConfig.
        calibration: how its logits are read.
        about: everything for people: data, recipe, metrics, licences, intended use.
        average_map: its class activation map, (h, w), the mean over the slices that it was trained
            on; empty where that is not known.
        activation_ranges: of the maps of its trunk where that runs in integers
            (:mod:`covidct.models.astra_int8`); empty where it runs in floats.
    """

    name: str
    sha256: str
    backbone: str
    image_size: tuple[int, int]
    pixel_scaling: str
    calibration: Calibration
    about: dict[str, Any] = field(default_factory=dict)
    average_map: tuple[tuple[float, ...], ...] = ()
    activation_ranges: dict[str, float] = field(default_factory=dict)

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
            f"The model folder {folder} has no readable card.json. {_WAY_OUT}"
        ) from error
    except (ConfigError, *MALFORMED) as error:
        raise ModelError(f"The card of the model in {folder} is malformed. {_WAY_OUT}") from error


def _card_of(values: dict[str, Any]) -> ModelCard:
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
        activation_ranges=_ranges_of(values.get("activation_ranges", {})),
    )


def _map_of(rows: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    read = tuple(tuple(map(float, row)) for row in rows)
    if len({len(row) for row in read}) > 1 or not all(map(math.isfinite, chain(*read))):
        raise ValueError("no map")
    return read


def _ranges_of(values: dict[str, Any]) -> dict[str, float]:
    read = {str(name): float(top) for name, top in values.items()}
    if not all(0 < top < math.inf for top in read.values()):
        raise ValueError("no ranges")
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


def find_model(name: str | PathLike | None = None) -> Path:
    """The folder of a model: a shipped or promoted one or a run by name, or any folder by path.

    Args:
        name: None is the model in use: the promoted one if any, else the shipped default.

    Raises:
        ModelError: there is none.
    """
    if not name:
        return current_model()
    for folder in (SHIPPED_DIR / name, models_dir() / name, runs_dir() / name, Path(name)):
        if (folder / CARD_FILE).is_file():
            return folder
    shipped = ", ".join(sorted(p.parent.name for p in SHIPPED_DIR.glob(f"*/{MODEL_FILE}")))
    raise ModelError(f"There is no model “{name}”. Shipped models: {shipped or 'none'}.")


def open_model(folder: Path) -> tuple[keras.Model, ModelCard]:
    """Load a network after checking it against its card.

    Raises:
        ModelIntegrityError: the file is missing or is not the one the card describes.
        ModelError: the card or the network cannot be read.
    """
    card = read_card(folder)
    path = folder / MODEL_FILE
    try:
        intact = sha256_of(path) == card.sha256
    except OSError as error:
        raise ModelIntegrityError(f"The model file {path} cannot be read. {_WAY_OUT}") from error
    if not intact:
        raise ModelIntegrityError(
            f"The model file {path} is not the one its card describes (SHA-256 differs). It was "
            f"not opened. {_WAY_OUT}"
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True), card
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ModelError(f"The model file {path} is no network that Keras can open.") from error
