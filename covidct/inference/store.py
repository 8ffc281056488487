"""Models on disk: a folder each with the network and its card, opened only if they match.

A model is data, never code. What is used is ``model.tflite``, a LiteRT graph of the trunks with the
head appended. Beside it ``model.keras`` holds the same network for fine-tuning and for heat maps
that need gradients; Keras opens it in safe mode. Each is opened only if its SHA-256 is the one on
the card.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from covidct.errors import ConfigError, ModelError, ModelIntegrityError
from covidct.files import MALFORMED, replace_text, sha256_of
from covidct.home import models_dir, runs_dir
from covidct.inference.calibration import Calibration
from covidct.inference.promotion import (
    CARD_FILE,
    DEFAULT_MODEL,
    KERAS_FILE,
    MODEL_FILE,
    SHIPPED_DIR,
    Promotion,
    current_model,
    history,
    promote,
    rollback,
)
from covidct.models.backbones import get_backbone, get_preprocess_input
from covidct.models.head import LinearHead
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph, GraphError, WrongHash, read_verified

if TYPE_CHECKING:
    import keras

__all__ = [
    "CARD_FILE",
    "DEFAULT_MODEL",
    "KERAS_FILE",
    "MODEL_FILE",
    "SHIPPED_DIR",
    "ModelCard",
    "Promotion",
    "current_model",
    "find_model",
    "history",
    "open_keras_model",
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
        keras_sha256=str(values.get("keras_sha256", "")),
        mirrored=bool(values.get("mirrored", False)),
        in_integers=bool(values.get("in_integers", False)),
    )


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


def open_model(folder: Path) -> tuple[TrunkMaps, LinearHead, ModelCard]:
    """Trunks, head and card of a model, after checking the file against the card.

    Raises:
        ModelIntegrityError: the file is missing or is not the one the card describes.
        ModelError: the card or the network cannot be read, or is of an earlier version.
    """
    card = read_card(folder)
    if not card.keras_sha256 and not (folder / MODEL_FILE).exists():
        raise ModelError(
            f"The model in {folder} was made by an earlier version of covidct. Nothing of it is "
            f"lost: convert it (python -m covidct convert “{folder}”) or use another model."
        )
    data = _verified(folder / MODEL_FILE, card.sha256)
    try:
        trunks = TrunkMaps(Graph(data), get_backbone(card.backbone))
        head = LinearHead.read(data)
    except (ConfigError, GraphError) as error:
        raise ModelError(
            f"The model file {folder / MODEL_FILE} is no network that covidct can run."
        ) from error
    if len(head.kernel) != len(trunks.origins) or trunks.image_size != card.image_size:
        raise ModelError(
            f"The model file {folder / MODEL_FILE} holds another network than its card describes."
        )
    return trunks, head, card


def open_keras_model(folder: Path, card: ModelCard) -> keras.Model:
    """The Keras network of a model, after checking its file against the card; imports TensorFlow.

    Raises:
        ModelIntegrityError: the file is missing or is not the one the card describes.
        ModelError: it is no network that Keras can open.
    """
    import keras

    path = folder / KERAS_FILE
    _verified(path, card.keras_sha256)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ModelError(f"The model file {path} is no network that Keras can open.") from error


def _verified(path: Path, sha256: str) -> bytes:
    try:
        return read_verified(path, sha256)
    except OSError as error:
        raise ModelIntegrityError(f"The model file {path} cannot be read. {_WAY_OUT}") from error
    except WrongHash as error:
        raise ModelIntegrityError(
            f"The model file {path} is not the one its card describes (SHA-256 differs). It was "
            f"not opened. {_WAY_OUT}"
        ) from error
