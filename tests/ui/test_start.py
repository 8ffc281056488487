"""What happens before and instead of the network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import patience

REPOSITORY = Path(__file__).parents[2]


def python(code: str, folder: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_pages_import_no_tensorflow():
    code = """
import sys
import covidct.ui.diagnose.page, covidct.ui.training.page, covidct.ui.shared.use_notice
print(sorted({"tensorflow", "keras", "scipy", "sklearn"} & set(sys.modules)))
"""
    result = python(code, REPOSITORY)
    assert result.stdout.strip() == "[]", result.stderr


def test_the_first_page_does_without_the_libraries_of_charts():
    code = """
import sys
import covidct.ui.diagnose.page
print(sorted({"altair", "pandas", "pyarrow"} & set(sys.modules)))
"""
    result = python(code, REPOSITORY)
    assert result.stdout.strip() == "[]", result.stderr


def test_a_damaged_model_is_said_on_a_page_that_still_stands(tmp_path):
    (tmp_path / "covidct").symlink_to(REPOSITORY / "covidct")
    model = tmp_path / "weights" / "covidct-astra"
    model.mkdir(parents=True)
    shutil.copytree(REPOSITORY / "weights" / "segmentation", tmp_path / "weights" / "segmentation")
    shipped = REPOSITORY / "weights" / "covidct-astra"
    (model / "card.json").write_bytes((shipped / "card.json").read_bytes())
    (model / "model.tflite").write_bytes((shipped / "model.tflite").read_bytes()[:100_000])
    code = f"""
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("covidct/ui/main.py", default_timeout={patience.SECONDS}).run()
app.button(key="accept").click().run()
print(len(app.exception), len(app.file_uploader), len(app.title))
print("\\n".join(element.value for element in app.get("html")))
"""
    result = python(code, tmp_path)
    first, *html = result.stdout.splitlines()
    assert first == "0 1 1", result.stderr
    assert "No slice can be classified" in "\n".join(html)
    assert "SHA-256 differs" in "\n".join(html)
    assert "Research use only" in "\n".join(html)
