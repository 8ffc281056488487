"""The app under Streamlit's AppTest, and small files to give to it."""

import functools
import shutil
from io import BytesIO
from pathlib import Path

import patience
import pytest
from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from covidct.imaging.phantom import phantom_slice

APP = Path(__file__).parents[2] / "covidct" / "ui" / "main.py"


@pytest.fixture(scope="session", autouse=True)
def _components_are_looked_for_once():
    """Each new AppTest would read the metadata of all packages that are installed."""
    look = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", look)
        yield


@pytest.fixture(autouse=True)
def _folders_of_the_tests(common_folder, monkeypatch):
    """The pages may read what the tests make, as if whoever runs the server had named it."""
    monkeypatch.setenv("COVIDCT_DATA_FOLDERS", str(common_folder))


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
def clean_dataset(make_once) -> Path:
    """Two folders of 12 synthetic slices each, none like another."""

    def fill(folder: Path) -> None:
        for name, lesions in (("CT_COVID", 4), ("CT_NonCOVID", 0)):
            (folder / name).mkdir()
            for place, letter in enumerate("abcdefghijkl"):
                pixels = phantom_slice(100 * lesions + place, lesions, size=128).ct_slice.pixels
                Image.fromarray(pixels).save(folder / name / f"{letter}.png")

    return make_once("clean", fill)


@pytest.fixture(scope="session")
def judged_run(make_once, trained_run) -> Path:
    """A finished run, validated and compared with the model in use."""

    def fill(folder: Path) -> None:
        from covidct.evaluation.compare import compare
        from covidct.evaluation.evaluate import evaluate_validation

        shutil.copytree(trained_run, folder, dirs_exist_ok=True)
        evaluate_validation(folder)
        compare(folder)

    return make_once("judged", fill)
