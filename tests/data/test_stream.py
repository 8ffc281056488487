import shutil

import numpy as np
import pytest

from covidct.data.augment import Augmentation
from covidct.data.index import read_index
from covidct.data.prepared import prepare
from covidct.data.stream import (
    class_weights,
    evaluation_batches,
    load_dataset,
    training_batches,
)
from covidct.errors import DatasetError
from covidct.models.backbones import unit_preprocess_input


@pytest.fixture(scope="module")
def slices(phantom_dataset):
    return prepare(read_index(phantom_dataset).items, (64, 64))


def _batches(slices, *, augmentation=None, epoch=0, seed=0):
    stream = training_batches(slices, 5, unit_preprocess_input, augmentation, seed, lambda: epoch)
    return [(x.numpy(), y.numpy()) for x, y in stream]


def test_load_dataset_streams_training_and_validation(phantom_dataset):
    training, validation = load_dataset(phantom_dataset, (48, 64), batch_size=4)
    counted = []
    for stream in (training, validation):
        batches = list(stream)
        assert len(batches) == stream.cardinality()
        for x, y in batches:
            assert x.shape[1:] == (48, 64, 3)
            assert x.dtype == y.dtype == np.float32
            assert 0 <= x.numpy().min() <= x.numpy().max() <= 1
            assert set(y.numpy()) <= {0.0, 1.0}
        counted.append(sum(len(y) for _, y in batches))
    assert sum(counted) == 24
    assert 3 <= counted[1] <= 7


def test_corrupt_files_are_listed_and_skipped(phantom_dataset, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(phantom_dataset, root)
    (root / "CT_COVID" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (root / "CT_NonCOVID" / "notes.txt").write_text("not a slice")
    slices = prepare(read_index(root).items, (64, 64))
    assert {skip.path.name for skip in slices.skipped} == {"broken.png", "notes.txt"}
    assert all(skip.reason for skip in slices.skipped)
    assert len(slices.items) == len(slices.pixels) == 24


def test_a_class_without_a_readable_slice_is_refused(phantom_dataset):
    items = [item for item in read_index(phantom_dataset).items if item.label]
    with pytest.raises(DatasetError, match="both classes"):
        prepare(items, (64, 64)).of(items)


def test_every_slice_comes_once_an_epoch_with_its_label(slices):
    seen = [
        (x, y) for pixels, labels in _batches(slices) for x, y in zip(pixels, labels, strict=True)
    ]
    expected = slices.pixels[..., 0].astype(np.float32) / 255
    matches = [int(np.argmin(np.abs(expected - x[..., 0]).sum((1, 2)))) for x, _ in seen]
    assert sorted(matches) == list(range(24))
    assert all(slices.labels[match] == y for match, (_, y) in zip(matches, seen, strict=True))


def test_an_epoch_can_be_repeated_and_the_next_differs(slices):
    first, again, following = (
        np.concatenate([x for x, _ in _batches(slices, augmentation=Augmentation(), epoch=epoch)])
        for epoch in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, following)


def test_evaluation_keeps_the_order(slices):
    stream = evaluation_batches(slices, 7, unit_preprocess_input)
    pixels = np.concatenate([x.numpy() for x, _ in stream])
    assert np.allclose(pixels[..., :2], slices.pixels[..., :2] / 255)
    assert np.array_equal(np.concatenate([y.numpy() for _, y in stream]), slices.labels)


def test_class_weights_make_both_classes_count_the_same():
    labels = np.array([1, 1, 1, 0], np.float32)
    weights = class_weights(labels)
    assert weights[1] * 3 == pytest.approx(weights[0] * 1)
    assert sum(weights[int(label)] for label in labels) == pytest.approx(len(labels))
