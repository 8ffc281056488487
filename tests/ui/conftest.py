"""The app under Streamlit's AppTest, and small files to give to it."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from covidct.imaging.phantom import phantom_slice

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(autouse=True)
def _folders_of_the_tests(tmp_path_factory, monkeypatch):
    """The pages may read what the tests make, as if whoever runs the server had named it."""
    monkeypatch.setenv("COVIDCT_DATA_FOLDERS", str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def at_the_door() -> AppTest:
    """The app as a new visitor finds it."""
    return AppTest.from_file(APP, default_timeout=60).run()


@pytest.fixture
def app(at_the_door) -> AppTest:
    """The app once its use notice is accepted, the network loaded."""
    return at_the_door.button(key="accept").click().run()


@pytest.fixture(scope="session")
def png() -> bytes:
    """A synthetic slice as a PNG file."""
    buffer = BytesIO()
    Image.fromarray(phantom_slice(1, 3, 256).ct_slice.pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def other_png() -> bytes:
    """Another one."""
    buffer = BytesIO()
    Image.fromarray(phantom_slice(2, 0, 200).ct_slice.pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def clean_dataset(tmp_path_factory) -> Path:
    """Two folders of 12 synthetic slices each, none like another."""
    root = tmp_path_factory.mktemp("clean")
    for name, lesions in (("CT_COVID", 4), ("CT_NonCOVID", 0)):
        (root / name).mkdir()
        for place, letter in enumerate("abcdefghijkl"):
            pixels = phantom_slice(100 * lesions + place, lesions, size=128).ct_slice.pixels
            Image.fromarray(pixels).save(root / name / f"{letter}.png")
    return root


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory, clean_dataset, quick) -> Path:
    """A finished run of one epoch, with its validation; to be copied, not changed."""
    from covidct.evaluation.evaluate import evaluate_validation
    from covidct.training.fit import fit

    folder = tmp_path_factory.mktemp("runs") / "trained"
    fit(clean_dataset, folder, replace(quick, epochs=1))
    evaluate_validation(folder)
    return folder
