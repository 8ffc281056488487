import subprocess
import sys

import pytest

from covidct.files import link_or_copy, nothing_left, replace_text

KILLED_IN_BETWEEN = """
import os, signal, sys
from pathlib import Path
from covidct.files import replace_text
moments = iter(range(int(sys.argv[2])))
def hook(event, arguments):
    if event in ("open", "os.rename") and sys.argv[1] in str(arguments[0]):
        if next(moments, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
replace_text(Path(sys.argv[1]) / "note.txt", "new")
"""


def test_a_killed_writer_leaves_the_old_text_whole(tmp_path, root):
    for moment in range(3):
        replace_text(tmp_path / "note.txt", "old")
        code = [sys.executable, "-c", KILLED_IN_BETWEEN, tmp_path, str(moment)]
        killed = subprocess.run(code, cwd=root).returncode
        assert (tmp_path / "note.txt").read_text() == ("old" if killed else "new")
    assert not killed


def test_a_folder_that_could_not_be_filled_is_gone_and_any_other_stays(tmp_path):
    with nothing_left(tmp_path / "kept"):
        (tmp_path / "kept").mkdir()
    with pytest.raises(FileNotFoundError), nothing_left(tmp_path / "gone"):
        (tmp_path / "gone").mkdir()
        (tmp_path / "gone" / "text").write_text("half")
        (tmp_path / "no such file").read_text()
    assert [folder.name for folder in tmp_path.iterdir()] == ["kept"]


def test_a_file_gets_a_second_name(tmp_path):
    (tmp_path / "one").write_text("text")
    link_or_copy(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "one").samefile(tmp_path / "two")
