"""A network of one's own for lungs and opacities: the shipped one, which sees more opacities."""

import hashlib
import json
from pathlib import Path

from covidct.imaging.anatomy.segmentation import CARD_FILE, FOLDER, GRAPH_FILE
from covidct.inference.card import SEGMENTATION_FOLDER

MORE = 6.0  # added to the logit of an opacity


def write_segmentation(folder: Path) -> Path:
    """Write it into a new folder; the graph has a hash of its own."""
    folder.mkdir()
    graph = (FOLDER / GRAPH_FILE).read_bytes() + bytes(16)
    (folder / GRAPH_FILE).write_bytes(graph)
    card = json.loads((FOLDER / CARD_FILE).read_text())
    card["sha256"] = hashlib.sha256(graph).hexdigest()
    card["intercept"] += MORE
    (folder / CARD_FILE).write_text(json.dumps(card))
    return folder


def give_own_segmentation(model: Path) -> Path:
    """Let a model go by such a network; the folder of it."""
    folder = write_segmentation(model / SEGMENTATION_FOLDER)
    card = json.loads((model / CARD_FILE).read_text())
    card["segmentation"] = json.loads((folder / CARD_FILE).read_text())["sha256"]
    (model / CARD_FILE).write_text(json.dumps(card))
    return folder
