"""What is drawn below an overlay, to be read by whoever meets it elsewhere."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from covidct.inference.heatmap import overlay
from covidct.reports.picture import captioned, overlay_png


@pytest.mark.parametrize("columns", [61, 512, 2048])
def test_the_verdict_stands_below_a_picture_of_any_size_that_stays_as_it_is(page, card, columns):
    picture = np.full((100, columns, 3), 90, np.uint8)
    drawn = captioned(picture, page, card)
    assert np.array_equal(drawn[:100], picture)
    below = drawn[100:]
    assert below.max() > 200
    assert not below[:, -2:].any() or columns < 100  # no line is cut off at the edge


def test_another_verdict_is_drawn_otherwise_and_the_file_tells_the_model(page, card, predict):
    picture = overlay(page.ct_slice, page.heat)
    drawn = captioned(picture, page, card)
    other = captioned(picture, replace(page, prediction=predict(0.1)), card)
    assert drawn.shape != other.shape or not np.array_equal(drawn, other)
    with Image.open(BytesIO(overlay_png(drawn, card))) as file:
        assert np.array_equal(np.asarray(file), drawn)
        assert card.model_id in file.text["Description"]
