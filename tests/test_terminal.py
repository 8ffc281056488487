"""What others wrote reaches a terminal as text alone."""

import os
import subprocess
import sys
import unicodedata

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidct.imaging.phantom import phantom_slice
from covidct.terminal import visible

STEERING = "\x1b[2J \x9b1A \n\r\b \u202eforged\u2066 \u200b"
RAW = set("\x1b\x9b\r\b\u202e\u2066\u200b")


@given(st.text())
def test_whatever_is_shown_is_one_line_of_letters(text):
    shown = visible(text)
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len((shown + "x").splitlines()) == 1
    assert visible(shown) == shown


def test_what_steers_nothing_is_left_alone():
    assert visible("Größe 5 µm, 胸部 “a”.png") == "Größe 5 µm, 胸部 “a”.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A slice and a broken file whose names steer terminals; their folder has none in UTF-8."""
    folder = tmp_path_factory.mktemp("named") / os.fsdecode(b"\xff of the ward")
    folder.mkdir()
    pixels = cv2.imencode(".png", phantom_slice(1, 3, 200).ct_slice.pixels)[1].tobytes()
    (folder / f"slice {STEERING}.png").write_bytes(pixels)
    (folder / f"broken {STEERING}.png").write_bytes(pixels[:100])
    return folder


def said_by(root, *arguments):
    command = [sys.executable, "-m", "covidct", *map(str, arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


@pytest.mark.parametrize("command", ["classify", "report"])
def test_names_steer_no_terminal_and_forge_no_line(root, folder, tmp_path, command):
    table = tmp_path / "results.csv"
    options = ["--csv", table, "--pdf", tmp_path / "x.pdf"] if command == "report" else []
    done = said_by(root, command, folder, *options)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert not RAW & set(done.stdout + done.stderr)
    (refused,) = (line for line in done.stdout.splitlines() if "broken" in line)
    assert refused.startswith("Refused")
    assert r"\x1b[2J \x9b1A \n\r\x08 \u202eforged\u2066" in refused


def test_an_error_that_names_a_folder_steers_no_terminal(root, folder):
    done = said_by(root, "check", "--data", folder / f"none {STEERING}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not RAW & set(done.stderr)
    assert len(done.stderr.splitlines()) == 1


def test_a_data_set_in_a_folder_without_a_name_in_utf8_is_checked_and_evaluated(
    root, phantom_dataset, tmp_path
):
    data = tmp_path / os.fsdecode(b"data \xff")
    data.symlink_to(phantom_dataset)
    for command in (["check"], ["evaluate", "--out", tmp_path / "figures"]):
        done = said_by(root, command[0], "--data", data, *command[1:])
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, 1)
        assert done.stdout
