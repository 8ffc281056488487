"""Leave a trained network in a folder as a model that can be opened."""

from pathlib import Path

import keras
import numpy as np

from covidct.files import deflate, flush_to_disk
from covidct.inference.store import CARD_FILE, MODEL_FILE

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
