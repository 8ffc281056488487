import shutil

import cv2
import nibabel
import numpy as np
import pytest

from covidct.data.masks import read_drawn_slices, read_masked_slices, synthetic_slices
from covidct.data.segmentation_views import random_view
from covidct.data.sources import read_source
from covidct.data.synthetic_opacities import add_opacities
from covidct.errors import DatasetError
from covidct.imaging.phantom import phantom_slice


def _folder(root, flip=slice(None), lesions=True):
    """Two synthetic slices of one patient each, their masks turned over by `flip`."""
    for name in ("slices", "lung-masks", *(["lesion-masks"] if lesions else [])):
        (root / name).mkdir(parents=True)
    for seed in (1, 2):
        phantom = phantom_slice(seed, 3, (150, 200))
        # Unlike a person a phantom is nearly the same mirrored, so it is set aside from the middle
        layers = {
            "slices": phantom.ct_slice.pixels,
            "lung-masks": phantom.lung_mask[:, flip] * np.uint8(255),
            "lesion-masks": phantom.lesion_mask[:, flip] * np.uint8(255),
        }
        for name, layer in layers.items():
            if (root / name).is_dir():
                shifted = np.roll(layer, 8 if name == "slices" or flip == slice(None) else -8, 1)
                cv2.imwrite(str(root / name / f"patient{seed}_01.png"), shifted)
    return root


def test_slices_are_read_with_their_masks(tmp_path):
    slices = read_masked_slices(_folder(tmp_path / "drawn"))
    assert [one.patient for one in slices] == ["drawn/patient1", "drawn/patient2"]
    for one in slices:
        assert one.grey.shape == one.lungs.shape == one.opacities.shape == (256, 256)
        assert 0 < one.share < 1
        around = cv2.dilate(one.lungs, np.ones((9, 9), np.uint8)) - one.lungs
        assert one.grey[one.lungs > 0].mean() < one.grey[around > 0].mean() - 50
        assert not one.grey[:20].any()  # wider than high, so it lies in the middle of a square


def test_on_its_own_grid_a_slice_is_as_it_was_read(tmp_path):
    for one in read_drawn_slices(_folder(tmp_path / "drawn")):
        assert one.ct_slice.shape == one.lungs.shape == one.opacities.shape == (150, 200)
        assert 0 < one.opacities.sum() < one.lungs.sum()
        assert set(np.unique(one.opacities)) == {0, 1}


def test_masks_that_lie_mirrored_are_laid_on_their_slices(tmp_path):
    straight = read_masked_slices(_folder(tmp_path / "a"))
    mirrored = read_masked_slices(_folder(tmp_path / "b", flip=slice(None, None, -1)))
    for one, other in zip(straight, mirrored, strict=True):
        assert np.mean(one.lungs != other.lungs) < 0.01


def test_without_lesion_masks_there_are_no_opacities(tmp_path):
    assert all(
        not one.opacities.any() for one in read_masked_slices(_folder(tmp_path, lesions=False))
    )


def test_another_layout_or_a_missing_mask_is_told(tmp_path):
    with pytest.raises(DatasetError, match="no slices with masks"):
        read_masked_slices(tmp_path)
    folder = _folder(tmp_path / "drawn")
    (folder / "lung-masks" / "patient2_01.png").unlink()
    with pytest.raises(DatasetError, match=r"patient2_01\.png is missing"):
        read_masked_slices(folder)


def test_of_a_data_set_the_slices_with_masks_are_read(tmp_path):
    folder = _folder(tmp_path / "drawn")
    (folder / "slices").rename(folder / "CT_COVID")
    (folder / "CT_NonCOVID").mkdir()
    (folder / "CT_COVID" / "patient2_01.png").rename(folder / "CT_NonCOVID" / "patient2_01.png")
    cv2.imwrite(str(folder / "CT_COVID" / "undrawn.png"), np.zeros((90, 90), np.uint8))
    slices = read_masked_slices(folder)
    assert [one.patient for one in slices] == ["drawn/patient1", "drawn/patient2"]
    (folder / "CT_NonCOVID").rename(folder / "CT_Pneumonia")
    assert [one.patient for one in read_masked_slices(folder)] == [one.patient for one in slices]
    (folder / "CT_Pneumonia").rename(folder / "CT_NonCOVID")
    shutil.copy(slices[0].file, folder / "CT_NonCOVID")
    with pytest.raises(DatasetError, match="several slices of the name patient1_01"):
        read_masked_slices(folder)
    shutil.rmtree(folder / "lung-masks")
    (folder / "lung-masks").mkdir()
    with pytest.raises(DatasetError, match="no slices with masks"):
        read_masked_slices(folder)


def test_added_opacities_lie_in_the_lungs_and_only_make_them_denser():
    denser = 0
    for seed in range(12):
        phantom = phantom_slice(seed, 0, 200)
        grey, lungs = phantom.ct_slice.pixels, phantom.lung_mask.view(np.uint8)
        changed, opaque = add_opacities(grey, lungs, np.random.default_rng(seed))
        assert not (opaque.astype(bool) & ~phantom.lung_mask).any()
        far = cv2.dilate(lungs, np.ones((9, 9), np.uint8)) == 0
        assert np.array_equal(changed[far], grey[far])
        assert (changed.astype(int) - grey >= -1).all()
        if opaque.any():
            where = opaque > 0
            denser += changed[where].mean() > grey[where].mean() + 5
    assert denser >= 10


def test_nothing_is_added_where_there_is_no_lung():
    grey = np.full((100, 100), 120, np.uint8)
    changed, opaque = add_opacities(grey, np.zeros_like(grey), np.random.default_rng(0))
    assert np.array_equal(changed, grey)
    assert not opaque.any()


def test_masks_move_along_with_the_slice():
    """Dark lungs stay dark under their mask, whatever else a view changes."""
    agreeing = 0
    drawn = list(synthetic_slices(6, 50))
    for seed in range(60):
        grey, lungs, opaque = random_view(drawn[seed % 6], np.random.default_rng(seed))
        assert grey.dtype == lungs.dtype == np.uint8
        assert not (opaque > 127)[lungs < 64].any()
        inside, aerated = lungs > 200, (lungs > 200) & (opaque < 50)
        if aerated.sum() < 300 or not (~inside).any():
            continue
        ring = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~inside
        agreeing += np.median(grey[aerated]) < np.median(grey[ring])
    assert agreeing >= 25


@pytest.fixture
def volumes(tmp_path):
    """Eight slices of a drawing, 2.5 mm apart, with masks that lie in the patient otherwise."""
    phantom = phantom_slice(3, 4, (150, 200))
    layers = {
        "slices": phantom.ct_slice.pixels * np.float32(1500 / 255) - 1350,
        "lung-masks": phantom.lung_mask * np.uint8(2),
        "lesion-masks": phantom.lesion_mask * np.uint8(1),
    }
    for name, layer in layers.items():
        (tmp_path / name).mkdir()
        laid = np.repeat(layer.T[:, :, None], 8, axis=2)
        image = nibabel.Nifti1Image(laid, np.diag([-0.7, -0.7, 2.5, 1]))
        if name == "lung-masks":
            image = nibabel.as_closest_canonical(image)
        nibabel.save(image, tmp_path / name / "case_01.nii.gz")
    return tmp_path, phantom


def test_volumes_are_read_with_their_mask_volumes(volumes):
    folder, phantom = volumes
    slices = read_masked_slices(folder)
    (folder / "png").mkdir()
    for name, layer in (
        ("slices", phantom.ct_slice.pixels),
        ("lung-masks", phantom.lung_mask * np.uint8(255)),
        ("lesion-masks", phantom.lesion_mask * np.uint8(255)),
    ):
        (folder / "png" / name).mkdir()
        cv2.imwrite(str(folder / "png" / name / "a.png"), layer)
    (twin,) = read_masked_slices(folder / "png")
    assert [one.patient for one in slices] == [f"{folder.name}/case_01"] * 4  # every 5 mm
    for one in slices:
        assert one.file is None
        assert np.abs(one.grey.astype(int) - twin.grey).max() <= 1
        assert np.array_equal(one.lungs, twin.lungs)
        assert np.array_equal(one.opacities, twin.opacities)


def test_a_mask_volume_that_is_missing_or_of_another_size_is_told(volumes):
    folder, _ = volumes
    mask = folder / "lesion-masks" / "case_01.nii.gz"
    other = nibabel.Nifti1Image(np.zeros((200, 150, 7), np.uint8), np.eye(4))
    for damage in (lambda: nibabel.save(other, mask), mask.unlink):
        damage()
        with pytest.raises(DatasetError, match=r"case_01\.nii\.gz is missing or of another size"):
            read_masked_slices(folder)


def test_volumes_are_no_source_of_single_slices(volumes):
    folder, _ = volumes
    with pytest.raises(DatasetError, match="volumes serve train-opacities alone"):
        read_source(f"drawn={folder}")
