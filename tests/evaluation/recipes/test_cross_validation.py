import json

import pytest

from covidct.evaluation.recipes.cross_validation import cross_validation, label_flips_out_of_fold

ROW = {
    "recipe": "more augmentation",
    "roc_auc": 0.9,
    "roc_auc_folds": [0.88, 0.92],
    "accuracy": 0.84,
    "helped": "yes",
    "note": "",
}


def test_the_card_tells_its_recipes(tmp_path):
    calibrated = ROW | {"expected_calibration_error": 0.05}
    card = {"about": {"cross_validation": [ROW, calibrated]}}
    (tmp_path / "card.json").write_text(json.dumps(card))
    plain, shipped = cross_validation(tmp_path)
    assert (plain.name, plain.roc_auc_folds) == ("more augmentation", (0.88, 0.92))
    assert (plain.calibration_error, shipped.calibration_error) == (None, 0.05)


@pytest.mark.parametrize(
    "card", ["", "{}", '{"about": {}}', '{"about": {"cross_validation": [{"recipe": 1}]}}']
)
def test_a_card_without_a_table_has_no_recipes(tmp_path, card):
    assert cross_validation(tmp_path) == ()
    (tmp_path / "card.json").write_text(card)
    assert cross_validation(tmp_path) == ()


@pytest.mark.parametrize("flips", [None, "many", [{}], [{"change": "a storm", "share": "much"}]])
def test_a_card_whose_flips_are_malformed_shows_none(tmp_path, flips):
    (tmp_path / "card.json").write_text(json.dumps({"about": {"out_of_fold": {"flips": flips}}}))
    assert label_flips_out_of_fold(tmp_path) == ()
