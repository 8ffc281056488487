"""A backbone that stays as it was pretrained: its LiteRT graph, its Keras network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from covidct.data.index import read_index
from covidct.data.prepared import prepare
from covidct.files import replace_text, sha256_of
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.models.backbones import (
    ASTRA_OPACITIES,
    PRETRAINED_DIR,
    get_backbone,
    get_preprocess_input,
    read_pretrained_graph,
)
from covidct.runtime.graph import Graph
from covidct.training.config import TrainConfig

if TYPE_CHECKING:
    import keras


def pretrained_graph(
    config: TrainConfig,
    pixels: np.ndarray,
    progress: Callable[[Iterable], Iterable] = iter,
    *,
    in_integers: bool = True,
) -> bytes:
    """The graph of a run's backbone before fine-tuning.

    The default backbone's was converted once and is shipped, so a run that asks for nothing else
    needs no TensorFlow. Others are converted here.

    Args:
        config: of the run.
        pixels: training slices to calibrate integers on, uint8 (N, h, w, 4).
        progress: wraps the slices of each trunk that is calibrated, to show how far it is.
        in_integers: whether it is to run in integers.

    Raises:
        ConfigError: the pretrained weights cannot be had.
        ModelIntegrityError: the shipped weights or graph are damaged.
    """
    backbone = get_backbone(config.backbone)
    is_shipped = config.pretrained and config.pixel_scaling == "backbone" and in_integers
    if is_shipped and config.input_size == backbone.input_size:
        shipped = read_pretrained_graph(backbone.name)
        if shipped is not None:
            return shipped
    from covidct.models.litert import float_graph, integer_graph, spread

    network = pretrained_network(config)
    if not in_integers:
        return float_graph(network)
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    chosen = network_pixels(pixels[spread(len(pixels))], preprocess_input)
    return integer_graph(network, chosen, progress)


def pretrained_network(config: TrainConfig, *, mirrored: bool = False) -> keras.Model:
    """The Keras network with the same weights, its batch normalisation folded; the head is random.

    Raises:
        ConfigError: the pretrained weights cannot be had.
        ModelIntegrityError: the shipped weights are damaged.
    """
    from covidct.models.folding import fold_batch_norm, round_to_half_precision
    from covidct.models.network import build_network

    network = fold_batch_norm(
        build_network(
            config.backbone, config.input_size, pretrained=config.pretrained, mirrored=mirrored
        )
    )
    round_to_half_precision(network)
    return network


def ship_opacity_places(
    folders: Sequence[Path],
    progress: Callable[[Iterable, str], Iterable] = lambda steps, _: steps,
) -> None:
    """Solve the classifier of single places on Astra's maps and put it beside Astra's weights.

    Args:
        folders: as :func:`covidct.data.masks.read_drawn_slices` reads them.
        progress: wraps steps that take long, each with what is being done.

    Raises:
        DatasetError: a folder has another layout.
        UnreadableSlice: a file is no slice that can be read.
    """
    from covidct.models.litert import float_graph
    from covidct.training.opacity_places import solve_opacity_places

    graph = Graph(float_graph(pretrained_network(TrainConfig(backbone="astra_resnet"))))
    weights = solve_opacity_places(graph, folders, progress)
    file = PRETRAINED_DIR / f"{ASTRA_OPACITIES}.npz"
    halved: dict[str, Any] = {name: values.astype(np.float16) for name, values in weights.items()}
    np.savez(file, **halved)
    names = ", ".join(folder.resolve().name for folder in folders)
    _put_on_card(
        file,
        {
            "pretrained_on": f"hand-drawn opacities of {names}, on maps of astra_resnet.npz",
            "licence": "CC BY-NC-SA, as the masks",
        },
    )


def ship_graph(
    data: str | PathLike,
    backbone: str,
    progress: Callable[[Iterable, str], Iterable] = lambda steps, _: steps,
) -> None:
    """Convert a backbone's pretrained trunks to integers and put them beside its weights.

    Args:
        data: a data set folder; slices of its training list are calibrated on.
        backbone: a name in :data:`covidct.models.backbones.BACKBONES`.
        progress: wraps steps that take long, each with what is being done.

    Raises:
        DatasetError: no such data set.
    """
    config, index = TrainConfig(backbone=backbone), read_index(data)
    slices = prepare(
        index.subset("train"), config.input_size, lambda items: progress(items, "Reading slices")
    )
    file = PRETRAINED_DIR / f"{backbone}.tflite"
    file.unlink(missing_ok=True)
    _put_on_card(file, None)  # from here on it is converted, not read
    graph = pretrained_graph(
        config, slices.pixels, lambda some: progress(some, "Converting to integers")
    )
    file.write_bytes(graph)
    _put_on_card(
        file,
        {
            "precision": "integers of 8 bits, kernels channel by channel",
            "calibrated_on": f"slices of the training list of {index.name}",
        },
    )


def _put_on_card(file: Path, facts: dict[str, str] | None) -> None:
    """Describe a file on the card of the pretrained weights, or take it off."""
    card_file = PRETRAINED_DIR / "card.json"
    card = json.loads(card_file.read_text(encoding="utf-8"))
    if facts is None:
        card["files"].pop(file.name, None)
    else:
        card["files"][file.name] = {"sha256": sha256_of(file), **facts}
    replace_text(card_file, json.dumps(card, indent=2, ensure_ascii=False) + "\n")
