"""What a damaged model in use comes to on the command line, and the way back."""

import json
import shutil

import cv2
import pytest

from covidct.__main__ import main
from covidct.imaging.phantom import phantom_slice
from covidct.inference.promotion import DEFAULT_MODEL, SHIPPED_DIR, current_model, promote
from covidct.models.backbones import PRETRAINED_DIR


def truncate(folder):
    file = folder / "model.tflite"
    file.write_bytes(file.read_bytes()[:-1])


def flip_a_bit(folder):
    data = bytearray((folder / "model.tflite").read_bytes())
    data[len(data) // 3] ^= 4
    (folder / "model.tflite").write_bytes(data)


def replace_by_another(folder):
    shutil.copy(PRETRAINED_DIR / "astra_lite.tflite", folder / "model.tflite")


def lose_the_model(folder):
    (folder / "model.tflite").unlink()


def lose_the_card(folder):
    (folder / "card.json").unlink()


def cut_the_card(folder):
    text = (folder / "card.json").read_text()
    (folder / "card.json").write_text(text[: len(text) // 2])


def lose_the_hash(folder):
    card = json.loads((folder / "card.json").read_text())
    del card["sha256"]
    (folder / "card.json").write_text(json.dumps(card))


DAMAGES = (
    truncate,
    flip_a_bit,
    replace_by_another,
    lose_the_model,
    lose_the_card,
    cut_the_card,
    lose_the_hash,
    shutil.rmtree,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_model_is_named_judges_nothing_and_can_be_rolled_back(
    damage, tiny_model, own_home, tmp_path, capsys
):
    cv2.imwrite(str(tmp_path / "slice.png"), phantom_slice(1, 3, 200).ct_slice.pixels)
    promote(tiny_model)
    damage(current_model())
    assert main(["classify", str(tmp_path / "slice.png")]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith("covidct: The ")
    assert "roll back" in said.err
    assert main(["rollback"]) == 0
    assert current_model() == SHIPPED_DIR / DEFAULT_MODEL


def test_a_damaged_keras_file_stops_what_needs_it_and_nothing_else(
    tiny_model, own_home, tmp_path, capsys
):
    cv2.imwrite(str(tmp_path / "slice.png"), phantom_slice(1, 3, 200).ct_slice.pixels)
    promote(tiny_model)
    file = current_model() / "model.keras"
    file.write_bytes(file.read_bytes()[:-1])
    explain = ["explain", str(tmp_path / "slice.png"), "--out", str(tmp_path / "overlay.png")]
    assert main(explain) == 0
    (tmp_path / "overlay.png").unlink()
    capsys.readouterr()
    assert main([*explain, "--method", "gradcam++"]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert "model.keras is not the one its card describes" in said.err
    assert not (tmp_path / "overlay.png").exists()
