import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from covidct.data.index import read_index
from covidct.data.splits import split_for_training
from covidct.imaging.readers import read_slice
from covidct.inference.card import MODEL_FILE
from covidct.inference.classifier import Classifier
from covidct.models.head import CLASSES_FILE, ClassHead
from covidct.runtime.graph import GraphError
from covidct.training.fit import fit


@pytest.fixture(scope="module")
def classifier(three_class_run):
    return Classifier.open(three_class_run)


@pytest.fixture(scope="module")
def unseen(three_classes, quick):
    """Items of patients that the run validated on."""
    index = read_index(three_classes)
    return split_for_training(index, quick.validation_share, quick.seed)[1]


def test_all_classes_are_on_both_sides_of_a_split(three_classes, quick):
    index = read_index(three_classes)
    assert index.classes == ("COVID", "Normal", "Striped")
    sides = split_for_training(index, quick.validation_share, quick.seed)
    for side in sides:
        assert {item.class_name for item in side} == set(index.classes)


def test_classes_share_what_the_probability_of_covid_leaves(classifier, unseen):
    found = [classifier.classify(read_slice(item.path)) for item in unseen]
    for one in found:
        assert list(one.classes) == ["COVID", "Normal", "Striped"]
        assert one.classes["COVID"] == one.probability
        assert sum(one.classes.values()) == pytest.approx(1)
    likeliest = [max(("Normal", "Striped"), key=one.classes.__getitem__) for one in found]
    told = [(name, item.other) for name, item in zip(likeliest, unseen, strict=True)]
    assert all(name == other for name, other in told if other != "NonCOVID"), told


def test_the_verdict_is_what_it_is_without_them(classifier, unseen):
    without = Classifier(classifier.trunks, classifier.head, classifier.card, classifier.segmenter)
    for item in unseen:
        ct_slice = read_slice(item.path)
        one, other = (c.classify(ct_slice) for c in (classifier, without))
        assert replace(one, classes={}) == other
        assert other.classes == {}


def test_two_classes_need_no_head_of_their_own(trained_run):
    assert Classifier.open(trained_run).classes is None
    with zipfile.ZipFile(trained_run / MODEL_FILE) as appended:
        assert CLASSES_FILE not in appended.namelist()


def test_more_than_two_others_are_told_apart(three_classes, tmp_path, quick):
    data = shutil.copytree(three_classes, tmp_path / "data")
    shutil.copytree(data / "CT_Normal", data / "CT_Third")
    fit(data, tmp_path / "run", replace(quick, epochs=1))
    classes = Classifier.open(tmp_path / "run").classes
    assert classes.names == ("Normal", "Striped", "Third")
    shares = classes.shares(np.zeros((2, classes.kernels.shape[1]), np.float32))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_shares_do_not_depend_on_which_slices_come_along(classifier):
    head = classifier.classes
    features = np.random.default_rng(0).random((9, head.kernels.shape[1]), np.float32)
    each = [head.shares(one[None])[0] for one in features]
    np.testing.assert_array_equal(head.shares(features), each)


def test_a_damaged_head_is_refused(classifier):
    head = classifier.classes
    for damaged in (
        head._replace(names=("Normal", "Normal")),
        head._replace(names=("Normal", "<b>")),
        head._replace(names=("Normal",)),
        head._replace(names=(), kernels=head.kernels[:0], biases=head.biases[:0]),
        head._replace(names=("COVID", "Normal")),
        head._replace(biases=head.biases * np.nan),
        head._replace(kernels=head.kernels[0]),
        head._replace(kernels=head.kernels.astype(object)),
    ):
        with pytest.raises(GraphError, match="malformed"):
            ClassHead.read(damaged.appended_to(b""))
    whole = ClassHead.read(head.appended_to(b""))
    assert whole.names == head.names
    np.testing.assert_array_equal(whole.kernels, head.kernels)
