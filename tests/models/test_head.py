import io
import zipfile

import numpy as np
import pytest

from covidct.models.head import HEAD_FILE, Head, LinearHead
from covidct.runtime.graph import GraphError

GRAPH = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def head():
    kernel = np.random.default_rng(0).normal(size=24).astype(np.float32)
    return LinearHead(kernel, -0.1)


def _with(content):
    """A graph's file with something else in the place of the head."""
    archive = io.BytesIO(GRAPH)
    with zipfile.ZipFile(archive, "a") as appended:
        appended.writestr(HEAD_FILE, content)
    return archive.getvalue()


def _arrays(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def test_a_head_comes_back_as_it_was_appended(head):
    file = head.appended_to(GRAPH)
    assert file.startswith(GRAPH)
    read = LinearHead.read(file)
    assert np.array_equal(read.kernel, head.kernel)
    assert read.kernel.dtype == np.float32
    assert read.bias == head.bias


def test_equal_models_give_equal_bytes_and_others_do_not(head):
    file = head.appended_to(GRAPH)
    assert LinearHead(head.kernel.copy(), head.bias).appended_to(GRAPH) == file
    assert head._replace(bias=-0.2).appended_to(GRAPH) != file


def test_a_file_without_a_head_is_refused():
    for file in (b"", GRAPH):
        with pytest.raises(GraphError, match="no head"):
            LinearHead.read(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no arrays",
        _arrays(kernel=np.zeros(3, np.float32)),
        _arrays(bias=0.0),
        _arrays(kernel=np.zeros(3), bias=0.0),
        _arrays(kernel=np.zeros((3, 1), np.float32), bias=0.0),
        _arrays(kernel=np.array([1, np.nan], np.float32), bias=0.0),
        _arrays(kernel=np.zeros(3, np.float32), bias=np.inf),
        _arrays(kernel=np.zeros(3, np.float32), bias=np.zeros(2)),
        _arrays(kernel=np.array([print], object), bias=0.0),
        _arrays(kernel=np.zeros(3, np.float32), bias="1, or more"),
    ],
)
def test_a_malformed_head_is_refused(content):
    with pytest.raises(GraphError):
        LinearHead.read(_with(content))


def test_a_head_that_is_cut_off_is_refused(head):
    file = head.appended_to(GRAPH)
    for length in range(len(GRAPH), len(file)):
        with pytest.raises(GraphError):
            LinearHead.read(file[:length])


def test_a_changed_byte_is_refused_or_changes_nothing_of_the_head(head):
    file = head.appended_to(GRAPH)
    for place in range(len(GRAPH), len(file)):
        changed = bytearray(file)
        changed[place] ^= 0xFF
        try:
            read = LinearHead.read(bytes(changed))
        except GraphError:
            continue
        assert np.array_equal(read.kernel, head.kernel)
        assert read.bias == head.bias


def test_a_head_for_standardised_features_is_one_for_raw_features():
    rng = np.random.default_rng(1)
    features = rng.normal(3, 2, (20, 24))
    head = Head(features.mean(0), features.var(0), rng.normal(size=24), 0.3)
    raw = head.of_raw_features()
    assert np.allclose(features @ raw.kernel + raw.bias, head.logits(features), atol=1e-4)


def test_a_sum_of_heads_says_the_weighted_sum_of_what_they_say():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(20, 10))
    heads = [
        Head(rng.normal(size=size), rng.uniform(0.5, 2, size), rng.normal(size=size), bias)
        for size, bias in ((4, 0.5), (6, -1.0))
    ]
    both = Head.sum_of(heads, (1.0, 0.6))
    first, second = heads[0].logits(features[:, :4]), heads[1].logits(features[:, 4:])
    assert np.allclose(both.logits(features), first + 0.6 * second)
