import shutil
from collections import Counter

import cv2
import numpy as np
import pytest

from covidct.data.sources import read_source
from covidct.errors import ConfigError, DatasetError
from covidct.imaging.phantom import phantom_slice


def test_a_data_set_with_both_classes(phantom_dataset):
    source = read_source(f"drawn={phantom_dataset}")
    assert (source.name, source.weight, source.has_both_classes) == ("drawn", 1.0, True)
    assert len(source.items) == 24


def test_a_data_set_may_have_several_classes_without_covid_19(three_classes, tmp_path):
    source = read_source(f"all={three_classes}")
    assert Counter(item.class_name for item in source.items) == {
        "COVID": 10,
        "Normal": 10,
        "Striped": 10,
    }
    data = shutil.copytree(three_classes, tmp_path / "data")
    shutil.rmtree(data / "CT_COVID")
    (data / "CT_Normal").rename(data / "CT_NonCOVID")
    others = read_source(f"others={data}")
    assert not others.has_both_classes
    assert Counter(item.class_name for item in others.items) == {"NonCOVID": 10, "Striped": 10}


def test_a_weight_stands_after_the_folder(phantom_dataset):
    assert read_source(f"drawn={phantom_dataset}:0.25").weight == 0.25


@pytest.mark.parametrize("text", ["drawn", "={}", "drawn={}:much", "drawn={}:0", "drawn={}:-1"])
def test_what_names_no_source_is_refused(phantom_dataset, text):
    with pytest.raises(ConfigError, match="names no source"):
        read_source(text.format(phantom_dataset))


@pytest.mark.parametrize(("folder", "label"), [("CT_COVID", 1), ("CT_NonCOVID", 0)])
def test_a_source_may_have_one_class_only(tmp_path, folder, label):
    (tmp_path / folder).mkdir()
    for number in (3, 30):
        pixels = phantom_slice(number, 0, 120).ct_slice.pixels
        cv2.imwrite(str(tmp_path / folder / f"case{number}.png"), pixels)
    source = read_source(f"one={tmp_path}")
    assert not source.has_both_classes
    assert {item.label for item in source.items} == {label}
    assert len({item.patient for item in source.items}) == 2


def test_of_slices_with_masks_those_with_opacities_are_covid(tmp_path):
    for name in ("slices", "lung-masks", "lesion-masks"):
        (tmp_path / name).mkdir()
    for seed, lesions in ((1, 3), (2, 0)):
        phantom = phantom_slice(seed, lesions, 160)
        cv2.imwrite(str(tmp_path / "slices" / f"p{seed}_1.png"), phantom.ct_slice.pixels)
        for name, mask in (("lung", phantom.lung_mask), ("lesion", phantom.lesion_mask)):
            file = tmp_path / f"{name}-masks" / f"p{seed}_1.png"
            cv2.imwrite(str(file), mask * np.uint8(255))
    source = read_source(f"drawn={tmp_path}")
    assert [(item.path.name, item.label) for item in source.items] == [("p1_1.png", 1)]


def test_a_folder_without_labels_is_told(tmp_path):
    with pytest.raises(DatasetError, match="no labelled slices"):
        read_source(f"none={tmp_path}")
