"""Leave a trained network in a folder as a model that can be opened."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from covidct.data.stream import PreparedSlices
from covidct.files import deflate, flush_to_disk
from covidct.imaging.preprocess import network_pixels
from covidct.inference.classifier import Classifier
from covidct.inference.store import CARD_FILE, MODEL_FILE, ModelCard
from covidct.models.astra_int8 import activation_ranges, is_part_of

_DIGITS = 4  # of the average map that are kept
_MOST_FOR_RANGES = 100  # slices
_MODEL_PART = "unfinished.keras"  # Keras insists on the ending


def round_to_half_precision(network: keras.Model) -> None:
    """Inference needs no more, and the file shrinks to half its size."""
    for layer in network.layers:
        layer.set_weights([w.astype(np.float16).astype(np.float32) for w in layer.get_weights()])


def keep_model(folder: Path, network: keras.Model) -> None:
    """Put the model in its place at once; until its card is written there is no model here."""
    network.save(folder / _MODEL_PART)
    deflate(folder / _MODEL_PART)
    flush_to_disk(folder / _MODEL_PART)
    (folder / CARD_FILE).unlink(missing_ok=True)
    (folder / _MODEL_PART).replace(folder / MODEL_FILE)


def with_maps_of(
    card: ModelCard,
    network: keras.Model,
    slices: PreparedSlices,
    progress: Callable[[Iterable[np.ndarray]], Iterable[np.ndarray]] = iter,
) -> ModelCard:
    """The card with what is to be known of the network's maps of slices.

    That is the ranges of those that are rounded to integers, from some slices, and the class
    activation map, the mean over all.

    Args:
        card: of the network.
        network: as it is kept.
        slices: those that it was trained on.
        progress: wraps the slices' pixels, to show how far it is.
    """

    def images(pixels: np.ndarray) -> np.ndarray:
        return network_pixels(pixels, card.preprocess_input)

    if is_part_of(network):
        every = -(-len(slices.pixels) // _MOST_FOR_RANGES)
        ranges = activation_ranges(network, images(slices.pixels[::every]))
        card = replace(card, activation_ranges=ranges)
    classifier = Classifier(network, card)
    total = sum(
        classifier.forward(images(pixels[None]))[1][0] for pixels in progress(slices.pixels)
    )
    rows = (total / len(slices.pixels)).tolist()
    average = tuple(tuple(float(f"{value:.{_DIGITS}g}") for value in row) for row in rows)
    return replace(card, average_map=average)
