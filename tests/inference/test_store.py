import hashlib
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from own_segmentation import give_own_segmentation, write_segmentation

from covidct.data.index import read_index
from covidct.data.prepared import prepare, read_anew
from covidct.errors import ModelError, ModelIntegrityError
from covidct.imaging.anatomy.segmentation import FOLDER, open_segmenter
from covidct.imaging.formats.png import encode_png
from covidct.imaging.series import Place
from covidct.inference.card import read_card
from covidct.inference.cases import Case
from covidct.inference.classifier import Classifier
from covidct.inference.judge import judge_slices
from covidct.inference.opacities import findings_of
from covidct.inference.promotion import SHIPPED_DIR
from covidct.inference.store import find_model, open_keras_model, open_model
from covidct.models.backbones import PRETRAINED_DIR
from covidct.models.head import LinearHead

SIZE = (72, 96)


@pytest.fixture
def folder(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "copy")


def test_a_card_survives_being_written(model_folder, tmp_path):
    card = replace(
        read_card(model_folder),
        average_map=((0.5, -0.25), (0.0, 1e-9)),
        mirrored=True,
        in_integers=True,
    )
    card.write(tmp_path)
    assert read_card(tmp_path) == card


def test_a_model_that_was_changed_is_not_opened(folder):
    flip_a_bit(folder / "model.tflite")
    with pytest.raises(ModelIntegrityError, match="SHA-256"):
        open_model(folder)


def test_a_model_that_is_cut_off_or_missing_is_refused(folder):
    file = folder / "model.tflite"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelIntegrityError):
        open_model(folder)
    file.unlink()
    with pytest.raises(ModelIntegrityError, match="cannot be read"):
        open_model(folder)


def test_a_keras_file_that_was_changed_is_refused_when_it_is_needed(folder):
    file = folder / "model.keras"
    flip_a_bit(file)
    _, _, card, *_ = open_model(folder)
    with pytest.raises(ModelIntegrityError, match=r"model.keras .*SHA-256"):
        open_keras_model(folder, card)
    file.unlink()
    open_model(folder)
    with pytest.raises(ModelIntegrityError, match=r"model.keras cannot be read"):
        open_keras_model(folder, card)


def flip_a_bit(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def replace_file(folder, name, key, content):
    """Another file with its hash on the card."""
    (folder / name).write_bytes(content)
    card = json.loads((folder / "card.json").read_text())
    card[key] = hashlib.sha256(content).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


def without_head(file):
    """The graph alone."""
    with zipfile.ZipFile(file) as appended:
        return file.read_bytes()[: appended.infolist()[0].header_offset]


def test_a_file_that_is_no_network_is_refused_even_with_its_hash(folder):
    replace_file(folder, "model.keras", "keras_sha256", b"no network")
    _, _, card, *_ = open_model(folder)
    with pytest.raises(ModelError, match="no network"):
        open_keras_model(folder, card)
    replace_file(folder, "model.tflite", "sha256", b"no network")
    with pytest.raises(ModelError, match="no network"):
        open_model(folder)


def test_a_graph_without_its_head_is_refused_even_with_its_hash(folder):
    replace_file(folder, "model.tflite", "sha256", without_head(folder / "model.tflite"))
    with pytest.raises(ModelError, match="no network"):
        open_model(folder)


@pytest.mark.parametrize("seed", range(20))
def test_a_head_of_which_bytes_were_changed_is_opened_or_refused_even_with_its_hash(folder, seed):
    data = bytearray((folder / "model.tflite").read_bytes())
    generator = np.random.default_rng(seed)
    start = len(without_head(folder / "model.tflite"))
    for place in generator.integers(start, len(data), 1 + 4 * seed):
        data[place] = generator.integers(256)
    replace_file(folder, "model.tflite", "sha256", bytes(data))
    try:
        _, head, *_ = open_model(folder)
    except ModelError:
        return
    assert np.isfinite([*head.kernel, head.bias]).all()


@pytest.mark.parametrize("change", [{"backbone": "astra_resnet"}, {"image_size": [48, 64]}])
def test_a_network_that_is_not_the_one_on_its_card_is_refused(folder, change):
    card = json.loads((folder / "card.json").read_text()) | change
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="network"):
        open_model(folder)


def test_a_head_of_another_length_is_refused(folder):
    head = LinearHead(np.zeros(7, np.float32), 0.0)
    other = head.appended_to(without_head(folder / "model.tflite"))
    replace_file(folder, "model.tflite", "sha256", other)
    with pytest.raises(ModelError, match="another network"):
        open_model(folder)


def test_a_model_of_an_earlier_version_is_refused_with_what_to_do(folder):
    (folder / "model.tflite").unlink()
    card = json.loads((folder / "card.json").read_text())
    card |= {"sha256": card.pop("keras_sha256"), "activation_ranges": {"stem_relu": 1.5}}
    del card["mirrored"], card["in_integers"]
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"earlier version.*Nothing of it is lost: convert it"):
        open_model(folder)
    assert (folder / "model.keras").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "unknown"},
        {"image_size": [96]},
        {"image_size": "large"},
        {"calibration": {"temperature": "warm"}},
        {"calibration": None},
        {"about": 3},
        {"pixel_scaling": "percent"},
        {"average_map": 3},
        {"average_map": [[1, 2], [3]]},
        {"average_map": [["nan"]]},
    ],
)
def test_a_malformed_card_is_refused(folder, change):
    card = json.loads((folder / "card.json").read_text()) | change
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="malformed"):
        read_card(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00\xff"])
def test_a_card_that_is_no_json_object_is_refused(folder, text):
    (folder / "card.json").write_text(text)
    with pytest.raises(ModelError, match="malformed"):
        read_card(folder)


def test_a_model_goes_by_its_own_network_for_lungs_and_opacities(folder, model_folder, phantoms):
    """In its pixels, opacities and verdict, and in no other's."""
    give_own_segmentation(folder)
    own, shipped = Classifier.load(folder), Classifier.load(model_folder)
    ct_slice = phantoms[1].ct_slice
    crops = [one.crop_thorax(ct_slice) for one in (own, shipped)]
    assert np.array_equal(crops[0].pixels[..., 0], crops[1].pixels[..., 0])
    assert crops[0].pixels[..., 3].mean() > crops[1].pixels[..., 3].mean() + 10
    assert own.opacities(ct_slice).share_of_lung > shipped.opacities(ct_slice).share_of_lung + 0.1
    of_own, of_shipped = (
        next(judge_slices(one, [Case(Place("a.png"), lambda: ct_slice)])) for one in (own, shipped)
    )
    assert of_own.prediction == own.classify(ct_slice) != of_shipped.prediction
    assert of_own.opacities.share_of_lung == own.opacities(ct_slice).share_of_lung
    assert findings_of(of_own.seen[0]) == of_own.opacities
    assert findings_of(ct_slice) == of_shipped.opacities
    assert own.in_floats().crop_thorax(ct_slice).opaque_share == crops[0].opaque_share


def test_slices_are_prepared_with_the_network_they_are_given(tmp_path, phantom_dataset):
    items = read_index(phantom_dataset).items[:4]
    own = open_segmenter(write_segmentation(tmp_path / "own"))
    shipped, other = prepare(items, SIZE), prepare(items, SIZE, segmenter=own)
    assert other.pixels[..., 3].mean() > shipped.pixels[..., 3].mean() + 10
    assert np.array_equal(read_anew(other, encode_png).pixels, other.pixels)


def test_a_network_for_lungs_that_was_changed_is_not_opened(folder):
    own = give_own_segmentation(folder)
    flip_a_bit(own / "segmentation.tflite")
    with pytest.raises(ModelIntegrityError, match=r"segmentation.tflite .*SHA-256"):
        open_model(folder)
    (own / "segmentation.tflite").unlink()
    with pytest.raises(ModelIntegrityError, match="cannot be read"):
        open_model(folder)


def test_a_network_for_lungs_of_another_model_is_not_opened(folder):
    own = give_own_segmentation(folder)
    card = json.loads((own / "card.json").read_text())
    for change in ({"sha256": 64 * "0"}, {"slope": "steep"}):
        (own / "card.json").write_text(json.dumps(card | change))
        with pytest.raises(ModelIntegrityError, match="missing or changed"):
            open_model(folder)
    shutil.rmtree(own)
    with pytest.raises(ModelError, match="found in another way"):
        open_model(folder)


def test_a_graph_that_segments_nothing_is_refused_even_with_its_hash(folder):
    own = give_own_segmentation(folder)
    graph = without_head(folder / "model.tflite")
    replace_file(own, "segmentation.tflite", "sha256", graph)
    card = json.loads((folder / "card.json").read_text())
    card["segmentation"] = hashlib.sha256(graph).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="no network that covidct can run"):
        open_model(folder)


def test_an_unknown_model_is_refused_with_those_that_are_shipped():
    with pytest.raises(ModelError, match="covidct-astra"):
        find_model("no-such-model")


def test_shipped_models_match_their_cards_and_fit_into_80_mb():
    files = [file for file in SHIPPED_DIR.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 80e6
    for card in SHIPPED_DIR.glob("*/card.json"):
        if card.parent not in (PRETRAINED_DIR, FOLDER):
            _, _, read, *_ = open_model(card.parent)
            assert read.name == card.parent.name
            open_keras_model(card.parent, read)
