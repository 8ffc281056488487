"""The app under Streamlit's AppTest, and small files to give to it."""

import shutil
from io import BytesIO
from pathlib import Path

import patience
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
    return AppTest.from_file(APP, default_timeout=patience.SECONDS).run()


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
def judged_run(tmp_path_factory, trained_run) -> Path:
    """A finished run, validated and compared with the model in use; to be copied, not changed."""
    from covidct.evaluation.compare import compare
    from covidct.evaluation.evaluate import evaluate_validation

    folder = shutil.copytree(trained_run, tmp_path_factory.mktemp("runs") / "judged")
    evaluate_validation(folder)
    compare(folder)
    return folder
