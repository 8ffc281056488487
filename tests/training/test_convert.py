import json
import shutil

import keras
import numpy as np
import pytest
import two_convolutions

from covidct.errors import ModelError, ModelIntegrityError
from covidct.files import sha256_of
from covidct.inference.calibration import Calibration
from covidct.inference.card import ModelCard, read_card
from covidct.inference.classifier import Classifier
from covidct.models.folding import fold_batch_norm
from covidct.models.network import build_network, copy_weights
from covidct.training.convert import convert_earlier

SIZE = (48, 64)


def as_earlier(network):
    """The network as an earlier version saved it, without layers at the ends of the trunks."""

    def call(layer, *inputs, **options):
        at_an_end = layer.name.startswith(("picture_", "maps_"))
        return inputs[0] if at_an_end else layer(*inputs, **options)

    earlier = keras.models.clone_model(network, call_function=call)
    copy_weights(network, earlier)
    return earlier


@pytest.fixture(scope="module")
def earlier():
    keras.utils.set_random_seed(1)
    return as_earlier(fold_batch_norm(build_network(two_convolutions.NAME, SIZE, mirrored=True)))


@pytest.fixture(scope="module")
def kept(earlier, tmp_path_factory):
    """A model folder of an earlier version; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("earlier")
    earlier.save(folder / "model.keras")
    calibration = Calibration(1.5, 0.4, (0.3, 0.5))
    digest = sha256_of(folder / "model.keras")
    card = ModelCard("old", digest, two_convolutions.NAME, SIZE, "backbone", calibration)
    card.write(folder)
    values = json.loads((folder / "card.json").read_text())
    for unknown in ("keras_sha256", "mirrored", "in_integers"):
        del values[unknown]
    values |= {
        "about": {"data": "phantoms"},
        "average_map": [[0.5, -0.5, 0, 0.25]] * 3,
        "activation_ranges": {"stem_relu": 1.5},
    }
    (folder / "card.json").write_text(json.dumps(values))
    return folder


@pytest.fixture
def folder(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "copy")


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_converted_model_says_what_it_said_before(earlier, folder, phantoms):
    with pytest.raises(ModelError, match="earlier version"):
        Classifier.load(folder)
    card = convert_earlier(folder)
    assert card == read_card(folder)
    converted = Classifier.load(folder)
    pixels = converted.network_input([converted.crop_thorax(one.ct_slice) for one in phantoms])
    logits, _ = converted.forward(pixels)
    assert np.ptp(logits) > 0.01
    assert np.allclose(logits, earlier(pixels)[:, 0], atol=1e-4)
    assert np.allclose(logits, converted.model(pixels)[:, 0], atol=1e-4)


def test_the_card_stays_and_the_earlier_files_are_kept(kept, folder):
    before, files = read_card(folder), content(folder)
    card = convert_earlier(folder)
    for unchanged in ("name", "backbone", "image_size", "calibration", "about", "average_map"):
        assert getattr(card, unchanged) == getattr(before, unchanged)
    assert card.mirrored
    assert not card.in_integers
    assert card.sha256 == sha256_of(folder / "model.tflite")
    assert card.keras_sha256 == sha256_of(folder / "model.keras")
    assert (folder / "earlier.keras").read_bytes() == files["model.keras"]
    assert json.loads((folder / "earlier.card.json").read_text()) == json.loads(files["card.json"])


def test_a_model_of_todays_format_is_not_converted_again(folder):
    convert_earlier(folder)
    before = content(folder)
    with pytest.raises(ModelError, match="today’s format already"):
        convert_earlier(folder)
    assert content(folder) == before


def test_a_damaged_earlier_model_is_left_as_it_is(folder):
    data = bytearray((folder / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.keras").write_bytes(data)
    before = content(folder)
    with pytest.raises(ModelIntegrityError, match="SHA-256"):
        convert_earlier(folder)
    assert content(folder) == before


@pytest.mark.parametrize("name", [two_convolutions.NAME, "no_backbone_of_ours"])
def test_a_network_that_is_not_known_any_more_is_left_as_it_is(folder, name):
    images = keras.Input((*SIZE, 3))
    other = keras.Model(images, keras.layers.Flatten()(images), name=name)
    other.save(folder / "model.keras")
    card = json.loads((folder / "card.json").read_text())
    card["sha256"] = sha256_of(folder / "model.keras")
    (folder / "card.json").write_text(json.dumps(card))
    before = content(folder)
    with pytest.raises(ModelError, match="not known any more"):
        convert_earlier(folder)
    assert content(folder) == before


def test_what_is_no_model_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"card\.json"):
        convert_earlier(tmp_path)
