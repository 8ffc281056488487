"""Lungs and opacities on a figure, by a small network that LiteRT runs.

The network (:mod:`covidct.models.segmentation`) is trained by ``train-opacities`` and shipped in
``weights/segmentation``, known by its hash. A model that was trained with masks holds one of its
own.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from covidct.errors import ModelIntegrityError
from covidct.home import SHIPPED
from covidct.messages import N_
from covidct.runtime.graph import Graph, GraphError, read_verified

SIDE = 256
CALLED = 0.5  # probability from which a place is called an opacity
FOLDER = SHIPPED / "weights" / "segmentation"
GRAPH_FILE, CARD_FILE, SIGNATURE = "segmentation.tflite", "card.json", "segmentation"


class Segmentation(NamedTuple):
    """What a figure shows, on its own grid.

    Attributes:
        lungs: float32 (h, w), the probability that a place is lung, opacities in it included.
        opacities: float32 (h, w), the probability that it is ground glass or consolidation.
    """

    lungs: np.ndarray
    opacities: np.ndarray


class Segmenter:
    """The network and how its opacities are calibrated.

    Args:
        graph: takes (1, 256, 256, 1) float32 and gives logits (1, h, w, 2).
        sha256: of the graph's file.
        slope: of an opacity's logit.
        intercept: likewise; both fitted out of patient, so that 0.5 means half.

    Attributes:
        sha256: of the graph's file, by which the network is known.
    """

    def __init__(self, graph: Graph, sha256: str, slope: float, intercept: float) -> None:
        self.sha256 = sha256
        self._graph, self._slope, self._intercept = graph, slope, intercept

    def __call__(self, grey: np.ndarray) -> Segmentation:
        """Segment a figure, uint8 (h, w), 256 pixels at the longer side."""
        square = in_square(grey)
        (logits,) = self._graph(SIGNATURE, square[None, ..., None].astype(np.float32))
        logits[..., 1] = self._slope * logits[..., 1] + self._intercept
        on_figure = of_square(cv2.resize(1 / (1 + np.exp(-logits[0])), (SIDE, SIDE)), grey.shape)
        return Segmentation(*np.ascontiguousarray(np.moveaxis(on_figure, -1, 0)))


def in_square(figure: np.ndarray) -> np.ndarray:
    """A figure in the middle of a black square of its longer side, (h, w) -> (256, 256)."""
    square = np.zeros((SIDE, SIDE), figure.dtype)
    of_square(square, figure.shape)[:] = figure
    return square


def of_square(square: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The part of a square that a figure of that shape takes up, as a view."""
    top, left = (SIDE - shape[0]) // 2, (SIDE - shape[1]) // 2
    return square[top : top + shape[0], left : left + shape[1]]


@cache
def segmentation_id() -> str:
    """The SHA-256 of the shipped network, by which a model tells what its crops were made with.

    Raises:
        ModelIntegrityError: its card cannot be read.
    """
    return _card(FOLDER)["sha256"]


@cache
def shipped_segmenter() -> Segmenter:
    """The shipped network, opened at the first call.

    Raises:
        ModelIntegrityError: its file is missing or is not the one on its card.
    """
    return open_segmenter(FOLDER)


def open_segmenter(folder: Path) -> Segmenter:
    """The network in a folder that ``train-opacities`` or a run with masks wrote.

    Raises:
        ModelIntegrityError: a file is missing, or the graph is not the one on the card.
    """
    card = _card(folder)
    try:
        graph = Graph(read_verified(folder / GRAPH_FILE, card["sha256"]))
    except (OSError, GraphError) as error:
        raise _missing(folder) from error
    return Segmenter(graph, card["sha256"], card["slope"], card["intercept"])


def _card(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        return {
            "sha256": str(card["sha256"]),
            "slope": float(card["slope"]),
            "intercept": float(card["intercept"]),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _missing(folder) from error


def _missing(folder: Path) -> ModelIntegrityError:
    return ModelIntegrityError(
        N_(
            "The network that finds the lungs, in {folder}, is missing or changed. Restore it from "
            "where it came.",
            folder=folder,
        )
    )
