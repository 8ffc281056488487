"""A slice that somebody keeps for labelling, and all others, without a browser."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from covidct.data.index import read_index
from covidct.data.kept import keep, kept_folder
from covidct.imaging.readers import read_slice


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, data, "") for name, data in files])
    app.run()
    assert not app.exception
    return app


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def files(home: Path) -> list[Path]:
    return [path for path in (home / "data").rglob("*") if path.is_file()]


def test_a_slice_is_stored_when_somebody_says_so_and_not_before(own_home, app, png):
    upload(app, ("Secret^Patient.png", png))
    assert not files(own_home)
    next(button for button in app.button if button.label == "Store this slice").click().run()
    assert not app.exception
    (stored,) = files(own_home)
    assert "Secret" not in (own_home / "actions.jsonl").read_text()
    assert "Secret" not in str(stored)
    assert np.array_equal(read_slice(stored).pixels, read_slice(png).pixels)
    assert read_index(kept_folder()).unlabelled == (stored,)
    assert "Store this slice" not in labels(app)


def test_a_drawn_slice_is_not_offered_to_be_kept(own_home, app):
    app.button(key="sample Healthy").click().run()
    assert "Store this slice" not in labels(app)


def test_who_may_not_change_anything_cannot_store_a_slice(own_home, app, png):
    app.user = {"is_logged_in": True, "roles": []}
    app.secrets["access"] = {"role": "covidct-trainer"}
    upload(app, ("slice.png", png))
    assert "Store this slice" not in labels(app)


@pytest.mark.parametrize("times", [1, 2])
def test_slices_that_belong_together_count_as_one_patient(own_home, phantoms, times):
    for number, phantom in enumerate(phantoms[:4]):
        for _time in range(times):
            keep(phantom.ct_slice.pixels, f"series {number // 2}")
    kept = read_index(kept_folder()).unlabelled
    assert len(kept) == 4
    assert len({path.parent for path in kept}) == 2
