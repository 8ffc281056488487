"""Bring a model of an earlier version, a Keras file and its card, to today's format."""

import json
from dataclasses import replace
from pathlib import Path

from covidct.errors import ModelError
from covidct.files import replace_text
from covidct.inference.card import CARD_FILE, KERAS_FILE, MODEL_FILE, ModelCard, read_card
from covidct.inference.store import open_keras_model
from covidct.messages import N_
from covidct.models.folding import fold_batch_norm
from covidct.models.litert import float_graph
from covidct.models.network import build_network, copy_weights, head_of, is_mirrored
from covidct.training.keep import write_model_files

EARLIER_KERAS, EARLIER_CARD = "earlier.keras", "earlier.card.json"


def convert_earlier(folder: Path) -> ModelCard:
    """Write ``model.tflite`` beside a model of an earlier version; it runs in floats.

    The earlier file and card are kept as ``earlier.keras`` and ``earlier.card.json``.

    Args:
        folder: of the model.

    Returns:
        The new card. Calibration and average map stay: the network is the same.

    Raises:
        ModelIntegrityError: the file is not the one its card describes.
        ModelError: the model is of today's format, or its network is not known any more.
    """
    card = read_card(folder)
    if (folder / MODEL_FILE).exists():
        raise ModelError(
            N_("The model {model_id} is of today’s format already.", model_id=card.model_id)
        )
    earlier = open_keras_model(folder, replace(card, keras_sha256=card.sha256))
    network = fold_batch_norm(
        build_network(
            card.backbone, card.image_size, pretrained=False, mirrored=is_mirrored(earlier)
        )
    )
    try:
        copy_weights(earlier, network)
    except ValueError as error:
        raise ModelError(
            N_(
                "The network of {model_id} is not known any more. It was left as it is.",
                model_id=card.model_id,
            )
        ) from error
    converted = replace(card, mirrored=is_mirrored(earlier), in_integers=False)
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    replace_text(folder / EARLIER_CARD, json.dumps(json.loads(text), indent=2) + "\n")
    (folder / KERAS_FILE).replace(folder / EARLIER_KERAS)
    converted = write_model_files(
        folder, converted, network, float_graph(network), head_of(network)
    )
    converted.write(folder)
    return converted
