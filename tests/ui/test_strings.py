import numpy as np
import pytest

from covidct.reports.words import is_mostly_outside
from covidct.ui.shared.slice_view import peak_place
from covidct.ui.strings import literal, percent


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "under 1%"),
        (0.004, "under 1%"),
        (0.01, "1%"),
        (0.5, "50%"),
        (0.99, "99%"),
        (0.996, "over 99%"),
        (1, "over 99%"),
    ],
)
def test_percent_never_claims_certainty(share, words):
    assert percent(share) == words


def test_literal_leaves_nothing_to_interpret():
    assert not set("<>\"'") & set(literal("""<img src="x" onerror='y'> & <script>"""))


@pytest.mark.parametrize(
    ("row", "column", "place"),
    [(0, 0, "upper left"), (0, 49, "upper right"), (15, 25, "centre"), (29, 25, "lower")],
)
def test_the_peak_is_named_as_it_lies_on_the_picture(row, column, place):
    values = np.zeros((30, 50), np.float32)
    values[row, column] = 1
    assert peak_place(values) == place


@pytest.mark.parametrize(
    ("share", "flagged"), [(None, False), (0.494, True), (0.496, False), (0.5, False)]
)
def test_only_a_map_that_is_shown_to_lie_mostly_outside_the_lungs_is_flagged(share, flagged):
    assert is_mostly_outside(share) is flagged
    assert share is None or (int(percent(share)[:-1]) < 50) is flagged
