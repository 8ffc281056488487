import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from covidct.errors import DatasetError
from covidct.imaging.anatomy.thorax_crop import crop_thorax, network_pixels
from covidct.imaging.phantom import phantom_slice
from covidct.models.astra_resnet import OPACITY_LAYER
from covidct.models.backbones import get_backbone, read_pretrained_graph
from covidct.models.pooling import resized
from covidct.runtime.graph import Graph
from covidct.training.opacity_places import solve_opacity_places

LUNGS, LESIONS = "lung-masks", "lesion-masks"
BACKBONE = get_backbone("astra_resnet")


def draw(folder, seeds):
    """A folder of phantoms with their masks, each a patient."""
    for name in ("slices", LUNGS, LESIONS):
        (folder / name).mkdir(parents=True)
    for seed in seeds:
        one = phantom_slice(seed, lesions=seed % 3)
        layers = one.ct_slice.pixels, 255 * one.lung_mask, 255 * one.lesion_mask
        for name, layer in zip(("slices", LUNGS, LESIONS), layers, strict=True):
            cv2.imwrite(str(folder / name / f"p{seed}_0.png"), layer.astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def graph():
    return Graph(read_pretrained_graph("astra_lite"))


def test_places_of_slices_that_were_never_seen_are_told(graph, tmp_path):
    weights = solve_opacity_places(graph, [draw(tmp_path / "drawn", range(18))])
    kernel, bias = weights[f"{OPACITY_LAYER}/0"], weights[f"{OPACITY_LAYER}/1"]
    assert kernel.shape == (1, 1, 512, 1) and kernel.dtype == bias.dtype == np.float32
    scores, opaque = [], []
    for seed in range(40, 46):
        phantom = phantom_slice(seed, lesions=2)
        crop = crop_thorax(phantom.ct_slice, BACKBONE.input_size)
        image = network_pixels(crop.pixels[None], BACKBONE.preprocess_input)[0]
        maps = graph("Astra", image[None, ..., :1].copy())[0][0]
        inside = resized(image[..., 1], maps.shape[:2]) > 0.5
        drawn = resized(crop.from_slice_grid(phantom.lesion_mask.astype(np.uint8)), inside.shape)
        scores.append((maps @ kernel[0, 0, :, 0] + bias)[inside])
        opaque.append(drawn[inside] > 0.5)
    assert roc_auc_score(np.concatenate(opaque), np.concatenate(scores)) > 0.95


def test_a_folder_without_masks_is_refused(graph, tmp_path):
    with pytest.raises(DatasetError, match="no slices with masks"):
        solve_opacity_places(graph, [tmp_path])
