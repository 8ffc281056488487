"""The package as pip installs it, used from another folder."""

import json
import os
import subprocess
import sys

import patience
import pytest
from app_server import free_port, wait_until_healthy
from PIL import Image

from covidct.imaging.phantom import phantom_slice


@pytest.fixture(scope="module")
def installed(root, tmp_path_factory):
    """Runs Python with the installed package alone, in an empty folder, as a new user."""
    place = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-build-isolation", "--target", place / "lib")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *options, root], check=True)
    (place / "work").mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COVIDCT")},
        "PYTHONPATH": str(place / "lib"),
        "HOME": str(place / "work"),
    }
    return {"cwd": place / "work", "env": environment}


def test_the_shipped_model_classifies_from_any_folder(installed):
    Image.fromarray(phantom_slice(1, 3).ct_slice.pixels).save(installed["cwd"] / "a.png")
    command = [sys.executable, "-m", "covidct", "classify", "a.png", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, **installed)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model_id"].startswith("covidct-astra@")


def test_the_command_is_there(installed):
    script = installed["cwd"].parent / "lib" / "bin" / "covidct"
    done = subprocess.run([script, "--help"], capture_output=True, text=True, **installed)
    assert done.returncode == 0, done.stderr


def test_the_languages_are_there(installed):
    asked = "from covidct.ui import languages; print(*languages.available())"
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, **installed)
    assert done.stdout.split() == ["en", "es", "zh_Hans"], done.stderr


def test_the_app_brings_the_settings_that_make_it_safe(installed):
    port = free_port()
    command = [sys.executable, "-m", "covidct", "app", "--server.port", str(port)]
    log = installed["cwd"] / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--server.headless", "true"], stdout=output, stderr=output, **installed
        )
    try:
        wait_until_healthy(f"http://localhost:{port}/_stcore/health", process, log)
    finally:
        process.terminate()
        process.wait(patience.SECONDS)
    assert f"http://localhost:{port}" in log.read_text()
    assert "Network URL" not in log.read_text()
