import json
import shutil
from dataclasses import replace

import pytest

from covidct.errors import ModelError, ModelIntegrityError
from covidct.inference.store import SHIPPED_DIR, find_model, open_model, read_card


@pytest.fixture
def folder(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "copy")


def test_a_card_survives_being_written(model_folder, tmp_path):
    card = replace(
        read_card(model_folder),
        average_map=((0.5, -0.25), (0.0, 1e-9)),
        activation_ranges={"stem_relu": 1.25},
    )
    card.write(tmp_path)
    assert read_card(tmp_path) == card


def test_a_model_that_was_changed_is_not_opened(folder):
    data = bytearray((folder / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.keras").write_bytes(data)
    with pytest.raises(ModelIntegrityError, match="SHA-256"):
        open_model(folder)


def test_a_model_that_is_cut_off_or_missing_is_refused(folder):
    file = folder / "model.keras"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelIntegrityError):
        open_model(folder)
    file.unlink()
    with pytest.raises(ModelIntegrityError, match="cannot be read"):
        open_model(folder)


def test_a_file_that_is_no_network_is_refused_even_with_its_hash(folder):
    import hashlib

    (folder / "model.keras").write_bytes(b"no network")
    card = json.loads((folder / "card.json").read_text())
    card["sha256"] = hashlib.sha256(b"no network").hexdigest()
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="no network"):
        open_model(folder)


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
        {"activation_ranges": 3},
        {"activation_ranges": {"stem_relu": 0}},
        {"activation_ranges": {"stem_relu": "inf"}},
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


def test_an_unknown_model_is_refused_with_those_that_are_shipped():
    with pytest.raises(ModelError, match="covidct-astra"):
        find_model("no-such-model")


def test_shipped_models_match_their_cards_and_fit_into_80_mb():
    files = [file for file in SHIPPED_DIR.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 80e6
    for card in SHIPPED_DIR.glob("*/card.json"):
        if (card.parent / "model.keras").exists():
            assert open_model(card.parent)[1].name == card.parent.name
