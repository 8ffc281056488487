from dataclasses import replace

import cv2
import numpy as np
import pytest

from covidct.data.index import read_index
from covidct.data.prepared import prepare
from covidct.data.reencode import as_jpeg, resized
from covidct.errors import ModelError
from covidct.imaging.formats.png import encode_png
from covidct.imaging.readers import read_slice
from covidct.inference.calibration import Calibration
from covidct.inference.card import ModelCard, read_card
from covidct.inference.learnt import LearntSlices, hashes_of, how_many_learnt

CARD = ModelCard("taught", "0" * 64, "efficientnet_lite0", (48, 64), "unit", Calibration())


@pytest.fixture(scope="module")
def prepared(phantom_dataset):
    return prepare(read_index(phantom_dataset).items, (48, 64))


def other_files(pixels: np.ndarray) -> list[bytes]:
    """The same picture as somebody else may have published it."""
    framed = cv2.copyMakeBorder(pixels, 7, 3, 2, 9, cv2.BORDER_CONSTANT, value=0)
    return [as_jpeg(pixels, 60), encode_png(resized(pixels, 1.7)), encode_png(framed)]


def test_what_was_learnt_from_is_known_again_in_other_files_and_nothing_else_is(prepared, tmp_path):
    replace(CARD, learnt_from=hashes_of(prepared.fingerprints[::2])).write(tmp_path)
    learnt = LearntSlices(read_card(tmp_path))
    assert learnt.are_known
    for position, item in enumerate(prepared.items):
        ct_slice = read_slice(item.path)
        for seen in (ct_slice, *map(read_slice, other_files(ct_slice.pixels))):
            assert (seen in learnt) == (position % 2 == 0)


def test_a_card_that_does_not_tell_knows_no_slice(prepared):
    learnt = LearntSlices(CARD)
    assert not learnt.are_known
    assert read_slice(prepared.items[0].path) not in learnt
    assert "not known" in how_many_learnt(None, 5)


@pytest.mark.parametrize("hashes", [["00"], ["xy" * 32], ["0" * 63], [7], "00" * 32, 3])
def test_what_is_no_hash_is_refused(hashes, tmp_path):
    replace(CARD, learnt_from=hashes).write(tmp_path)
    with pytest.raises(ModelError, match="malformed"):
        read_card(tmp_path)
