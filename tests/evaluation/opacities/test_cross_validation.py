import json

import cv2
import numpy as np
import pytest

from covidct.data.masks import MaskedSlice
from covidct.errors import ConfigError, DatasetError
from covidct.evaluation.opacities import cross_validation
from covidct.evaluation.opacities.cross_validation import FIGURES_FILE, folds_of, train_opacities
from covidct.evaluation.opacities.severity import SEVERITY_FILE
from covidct.evaluation.opacities.sheets import MISSED, SHEETS_FOLDER, list_sheets
from covidct.imaging.anatomy.segmentation import open_segmenter
from covidct.imaging.phantom import phantom_slice
from covidct.training import segmentation


def _drawn(root, patients):
    for name in ("slices", "lung-masks", "lesion-masks"):
        (root / name).mkdir(parents=True)
    for patient in range(patients):
        for number in range(3):
            phantom = phantom_slice(10 * patient + number, 3, 200)
            name = f"p{patient}_{number}.png"
            cv2.imwrite(str(root / "slices" / name), phantom.ct_slice.pixels)
            cv2.imwrite(str(root / "lung-masks" / name), phantom.lung_mask * np.uint8(255))
            cv2.imwrite(str(root / "lesion-masks" / name), phantom.lesion_mask * np.uint8(255))
    return root


def _slice(patient, lungs, opacities, source="drawn"):
    grey = np.zeros_like(lungs)
    return MaskedSlice(source, f"{source}/{patient}", "1", grey, lungs, opacities)


@pytest.mark.train
@pytest.mark.endurance
def test_from_folders_of_masks_to_a_network_that_opens_and_its_figures(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmentation, "EPOCHS", 1)
        patch.setattr(segmentation, "DRAWINGS", 12)
        patch.setattr(cross_validation, "FOLDS", 2)
        figures = train_opacities([_drawn(tmp_path / "drawn", 2)], tmp_path / "made")
    assert figures == json.loads((tmp_path / "made" / FIGURES_FILE).read_text(encoding="utf-8"))
    assert figures["by_source"]["drawn"]["slices"] == 6
    assert [row["patient"] for row in figures["by_patient"]] == [f"drawn/p{i}" for i in range(2)]
    assert figures["in_use"]["drawn"]["lungs_dice"] > figures["by_source"]["drawn"]["lungs_dice"]
    severity = json.loads((tmp_path / "made" / SEVERITY_FILE).read_text(encoding="utf-8"))
    assert severity["out_of_patient"]
    assert [row["slices"] for row in severity["patients"]] == [3, 3]
    assert list_sheets(tmp_path / "made" / SHEETS_FOLDER, MISSED)
    found = open_segmenter(tmp_path / "made")(np.full((192, 256), 90, np.uint8))
    assert found.lungs.shape == found.opacities.shape == (192, 256)
    assert 0 <= found.opacities.min() <= found.opacities.max() <= 1
    with pytest.raises(ConfigError, match="in use"):
        train_opacities([tmp_path / "drawn"], tmp_path / "made")


def test_no_patient_is_on_both_sides_and_neighbours_stay_together():
    empty = np.zeros((4, 4), np.uint8)
    slices = [_slice(f"p{i:02d}", empty, empty) for i in range(12) for _ in range(2)]
    folds = folds_of(slices)
    assert folds.tolist() == [i // 4 for i in range(12) for _ in range(2)]
    with pytest.raises(DatasetError, match="too few"):
        folds_of(slices[:4])
