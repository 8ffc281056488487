import json
import shutil
import signal

import pytest
from forked import start_python
from own_segmentation import give_own_segmentation

from covidct.errors import ModelError, ModelIntegrityError
from covidct.imaging.anatomy.segmentation import GRAPH_FILE
from covidct.inference.card import read_card
from covidct.inference.classifier import Classifier
from covidct.inference.promotion import (
    DEFAULT_MODEL,
    SHIPPED_DIR,
    current_model,
    history,
    list_models,
    promote,
    rollback,
)
from covidct.inference.store import find_model

PROMOTE_AND_DIE = """
import os, signal, sys
from pathlib import Path
home, run, moment = sys.argv[1:]
moments = iter(range(int(moment)))
def hook(event, arguments):
    if event.startswith(("open", "os.", "shutil.")) and home in str(arguments):
        if next(moments, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
from covidct.inference.card import read_card
from covidct.inference.promotion import promote
read_card(Path(run))  # all modules are imported before the counting begins
sys.addaudithook(hook)
promote(Path(run))
"""


@pytest.fixture
def candidates(model_folder, own_home, tmp_path):
    """Two run folders whose models differ in name."""
    folders = []
    for name in ("first", "second"):
        folder = shutil.copytree(model_folder, tmp_path / name)
        card = json.loads((folder / "card.json").read_text()) | {"name": f"run {name}"}
        (folder / "card.json").write_text(json.dumps(card))
        folders.append(folder)
    return folders


def test_the_shipped_model_is_in_use_until_another_is_promoted(candidates):
    assert find_model() == find_model(None) == current_model() == SHIPPED_DIR / DEFAULT_MODEL
    assert history() == ()
    name = promote(candidates[0])
    assert find_model(None) == current_model() == find_model(name)
    assert read_card(current_model()) == read_card(candidates[0])
    assert Classifier.load().card.model_id.startswith("run first@")


@pytest.mark.parametrize("name", ["../elsewhere", "/tmp/elsewhere", "..", ".", "", "a/b", None, 3])
def test_the_record_leads_to_no_folder_but_those_of_models(candidates, own_home, name):
    shutil.copytree(candidates[0], own_home / "elsewhere")
    promote(candidates[0])
    record = own_home / "models" / "current.json"
    values = json.loads(record.read_text())
    record.write_text(json.dumps(values | {"stack": [*values["stack"], name]}))
    for ask in (current_model, list_models, rollback):
        with pytest.raises(ModelError, match="cannot be read"):
            ask()


def test_all_models_are_listed_the_one_in_use_first(candidates, own_home):
    assert list_models()[0] == SHIPPED_DIR / DEFAULT_MODEL
    run = shutil.copytree(candidates[1], own_home / "runs" / "second")
    shutil.copytree(candidates[1], own_home / "runs" / ".deleted")
    promote(candidates[0])
    models = list_models()
    assert models[0] == current_model()
    assert {current_model(), run, SHIPPED_DIR / DEFAULT_MODEL} <= set(models)
    assert len(models) == len(set(models))
    assert not [folder for folder in models if folder.name.startswith(".")]


def test_a_promoted_model_outlives_its_run(candidates):
    promote(candidates[0])
    shutil.rmtree(candidates[0])
    assert Classifier.load().card.name == "run first"


def test_its_own_network_for_lungs_and_opacities_goes_with_a_model_both_ways(candidates, phantoms):
    give_own_segmentation(candidates[0])
    ct_slice, shares = phantoms[1].ct_slice, []
    for one in candidates:
        promote(one)
        shares.append(Classifier.load().opacities(ct_slice).share_of_lung)
    assert shares[0] > shares[1]
    shutil.rmtree(candidates[0])
    rollback()
    assert Classifier.load().opacities(ct_slice).share_of_lung == shares[0]


@pytest.mark.parametrize("damage", [shutil.rmtree, lambda own: (own / GRAPH_FILE).write_bytes(b"")])
def test_without_its_network_for_lungs_a_model_is_neither_promoted_nor_gone_back_to(
    candidates, damage
):
    own = give_own_segmentation(candidates[0])
    promoted = promote(candidates[0])
    promote(candidates[1])
    damage(find_model(promoted) / own.name)
    assert rollback() == DEFAULT_MODEL
    damage(own)
    with pytest.raises(ModelIntegrityError, match="missing"):
        promote(candidates[0])
    assert current_model() == SHIPPED_DIR / DEFAULT_MODEL


def test_rolling_back_goes_one_promotion_back_each_time(candidates):
    names = [promote(folder) for folder in candidates]
    assert current_model().name == names[1]
    assert rollback() == names[0] == current_model().name
    assert rollback() == DEFAULT_MODEL == current_model().name
    with pytest.raises(ModelError, match="nothing to go back to"):
        rollback()
    assert [(p.action, p.model_id.split("@")[0], p.source) for p in history()] == [
        ("rolled back", DEFAULT_MODEL, ""),
        ("rolled back", "run first", "first"),
        ("promoted", "run second", "second"),
        ("promoted", "run first", "first"),
    ]
    assert all(p.when.endswith("+00:00") for p in history())


@pytest.mark.parametrize("name", ["model.tflite", "model.keras"])
def test_a_model_that_was_changed_is_not_promoted(candidates, name):
    promote(candidates[0])
    before, file = current_model(), candidates[1] / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ModelIntegrityError, match="SHA-256"):
        promote(candidates[1])
    file.unlink()
    with pytest.raises(ModelIntegrityError, match="missing"):
        promote(candidates[1])
    assert current_model() == before
    assert len(history()) == 1


def test_a_run_without_a_model_is_not_promoted(own_home, tmp_path):
    with pytest.raises(ModelError, match="card"):
        promote(tmp_path)
    assert current_model().name == DEFAULT_MODEL


def test_the_model_in_use_is_not_promoted_again_unless_it_was_damaged(candidates):
    name = promote(candidates[0])
    with pytest.raises(ModelError, match="in use already"):
        promote(candidates[0])
    (current_model() / "model.tflite").write_bytes(b"damaged")
    with pytest.raises(ModelIntegrityError):
        Classifier.load()
    assert promote(candidates[0]) == name
    assert Classifier.load().card.name == "run first"
    assert rollback() == DEFAULT_MODEL


@pytest.mark.parametrize("name", ["model.tflite", "model.keras"])
def test_rolling_back_passes_over_damaged_models(candidates, name):
    for folder in candidates:
        (find_model(promote(folder)) / name).write_bytes(b"damaged")
    assert rollback() == DEFAULT_MODEL


def test_a_record_that_cannot_be_read_is_said_so(own_home):
    (own_home / "models").mkdir(parents=True)
    (own_home / "models" / "current.json").write_text("{")
    with pytest.raises(ModelError, match="Remove it to go back to the shipped model"):
        find_model(None)


def test_a_promotion_killed_at_any_step_leaves_a_whole_model_in_use(candidates, tmp_path):
    """The process is killed at its first, fourth, seventh … access to the folder of models."""
    promote(candidates[0])
    old = current_model()
    for moment in range(0, 100, 3):
        arguments, log = (old.parent, candidates[1], moment), tmp_path / "log.txt"
        process = start_python(PROMOTE_AND_DIE, arguments, log, log)
        process.join()
        assert read_card(current_model()).sha256
        if current_model() != old:
            break
        assert process.exitcode == -signal.SIGKILL
        assert len(history()) == 1
    assert moment > 9
    assert Classifier.load().card.name == "run second"
    assert rollback() == old.name
