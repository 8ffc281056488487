"""Where the lungs of a series begin and end."""

import pytest

from covidct.imaging.anatomy.lung_extent import tell_ends


@pytest.mark.parametrize(
    ("series", "told"),
    [
        ("", ""),
        ("LLL", "LLL"),
        ("xxLLx", "ooLLo"),
        ("xLxLx", "oLxLo"),
        ("xxx", "xxx"),
        ("x", "x"),
        ("LxxL", "LxxL"),
    ],
)
def test_what_is_refused_is_an_end_only_beyond_slices_that_pass(series, told):
    outcomes = tell_ends(iter(series), "L".__eq__, lambda _: "o")
    assert "".join(outcomes) == told


def test_outcomes_are_passed_on_as_soon_as_it_is_known_what_they_are():
    asked = []
    outcomes = tell_ends((asked.append(o) or o for o in "xLLx"), "L".__eq__, str.upper)
    assert [next(outcomes), next(outcomes)] == ["X", "L"]
    assert asked == ["x", "L"]
