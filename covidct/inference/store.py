"""Models on disk: a folder each with the network and its card, opened only if they match.

A model is data, never code. What is used is ``model.tflite``, a LiteRT graph of the trunks with the
head appended. Beside it ``model.keras`` holds the same network for fine-tuning and for heat maps
that need gradients; Keras opens it in safe mode. Each is opened only if its SHA-256 is the one on
the card; a graph that was not shipped runs in a process of its own first.

A verdict rests on features that are pooled over the lungs and opacities which one network found, in
training as in use. That network goes with the model: the shipped one, or one of the model's own in
its folder ``segmentation``, known by its hash on the model's card.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from covidct.errors import ConfigError, ModelError, ModelIntegrityError
from covidct.files import MALFORMED
from covidct.home import models_dir, runs_dir
from covidct.imaging.anatomy.segmentation import (
    FOLDER,
    GRAPH_FILE,
    SIDE,
    Segmenter,
    open_segmenter,
    segmentation_id,
)
from covidct.inference.card import (
    CARD_FILE,
    KERAS_FILE,
    MODEL_FILE,
    SEGMENTATION_FOLDER,
    WAY_OUT,
    ModelCard,
    read_card,
)
from covidct.inference.promotion import SHIPPED_DIR, current_model
from covidct.messages import N_
from covidct.models.backbones import get_backbone
from covidct.models.head import ClassHead, LinearHead
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph, GraphError, WrongHash, read_verified
from covidct.runtime.trial import try_graph

if TYPE_CHECKING:
    import keras

_tried: set[str] = set()  # hashes of graphs that did no harm


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
    raise ModelError(
        N_(
            "There is no model “{name}”. Shipped models: {shipped}.",
            name=name,
            shipped=shipped or N_("none"),
        )
    )


def open_model(
    folder: Path, interpreters: int | None = None
) -> tuple[TrunkMaps, LinearHead, ModelCard, Segmenter | None, ClassHead | None]:
    """Trunks, head and card of a model, what finds lungs and opacities for it, and what tells
    classes without COVID-19 apart, after checking the files against the card.

    The last but one is None where that is the shipped network, the last where there is one class.

    Args:
        folder: of the model.
        interpreters: as :class:`.Graph` takes them.

    Raises:
        ModelIntegrityError: a file is missing or is not the one the card describes.
        ModelError: the card or the network cannot be read, or is of an earlier version.
    """
    card = read_card(folder)
    if not card.keras_sha256 and not (folder / MODEL_FILE).exists():
        raise ModelError(
            N_(
                "The model in {folder} was made by an earlier version of covidct. Nothing of it is "
                "lost: convert it (python -m covidct convert “{folder}”) or use another model.",
                folder=folder,
            )
        )
    segmenter = _segmenter(folder, card)
    data = _verified(folder / MODEL_FILE, card.sha256)
    try:
        if folder.parent != SHIPPED_DIR:
            _try_once(data, card.sha256)
        trunks = TrunkMaps(Graph(data, interpreters), get_backbone(card.backbone))
        head, classes = LinearHead.read(data), ClassHead.read(data)
    except (ConfigError, GraphError, *MALFORMED) as error:
        raise ModelError(
            N_(
                "The model file {file} is no network that covidct can run.",
                file=folder / MODEL_FILE,
            )
        ) from error
    features = {len(head.kernel), *(classes.kernels.shape[1:] if classes else ())}
    if features != {len(trunks.origins)} or trunks.image_size != card.image_size:
        raise ModelError(
            N_(
                "The model file {file} holds another network than its card describes.",
                file=folder / MODEL_FILE,
            )
        )
    return trunks, head, card, segmenter, classes


def segmentation_folder(model: Path) -> Path:
    """Where the network lies that finds lungs and opacities for a model: its own, or the shipped
    one."""
    own = model / SEGMENTATION_FOLDER
    return own if own.is_dir() else FOLDER


def _segmenter(folder: Path, card: ModelCard) -> Segmenter | None:
    """The very network that the model learnt with; None is the shipped one."""
    if card.segmentation == segmentation_id():
        return None
    own = segmentation_folder(folder)
    if own == FOLDER:
        raise ModelError(
            N_(
                "The model in {folder} learnt from slices whose lungs were found in another way "
                "than by this version of covidct, so its figures would not hold. Nothing of it is "
                "lost: train again, or use another model.",
                folder=folder,
            )
        )
    file = own / GRAPH_FILE
    data = _verified(file, card.segmentation)
    try:
        _try_once(data, card.segmentation)
        segmenter = open_segmenter(own)
        segmenter(np.zeros((SIDE, SIDE), np.uint8))
    except (GraphError, *MALFORMED) as error:
        raise ModelError(
            N_("The model file {file} is no network that covidct can run.", file=file)
        ) from error
    if segmenter.sha256 != card.segmentation:
        raise ModelIntegrityError(
            N_(
                "The card in {own} describes another network than the model’s card. It was not "
                "opened. {way_out}",
                own=own,
                way_out=WAY_OUT,
            )
        )
    return segmenter


def _try_once(graph: bytes, sha256: str) -> None:
    if sha256 not in _tried:
        try_graph(graph)
        _tried.add(sha256)


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
        raise ModelError(
            N_("The model file {path} is no network that Keras can open.", path=path)
        ) from error


def _verified(path: Path, sha256: str) -> bytes:
    try:
        return read_verified(path, sha256)
    except OSError as error:
        raise ModelIntegrityError(
            N_("The model file {path} cannot be read. {way_out}", path=path, way_out=WAY_OUT)
        ) from error
    except WrongHash as error:
        raise ModelIntegrityError(
            N_(
                "The model file {path} is not the one its card describes (SHA-256 differs). It was "
                "not opened. {way_out}",
                path=path,
                way_out=WAY_OUT,
            )
        ) from error
