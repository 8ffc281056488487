"""What folders take of the disk, and what they may."""

import os

import pytest

from covidct.errors import ConfigError
from covidct.quota import RUNS, bytes_in


def test_each_file_counts_once_and_links_lead_nowhere(tmp_path):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    (folder / "deep" / ".hidden").mkdir(parents=True)
    (folder / "deep" / ".hidden" / "file").write_bytes(bytes(1000))
    (folder / "file").write_bytes(bytes(20))
    os.link(folder / "file", folder / "the same file")
    elsewhere.mkdir()
    (elsewhere / "large").write_bytes(bytes(5000))
    (folder / "link").symlink_to(elsewhere)
    assert bytes_in(folder) == 1020
    assert bytes_in(tmp_path / "none") == 0


def test_whoever_runs_the_server_says_how_much(monkeypatch):
    monkeypatch.delenv("COVIDCT_RUNS_MB", raising=False)
    assert RUNS.allowed() == 20_000 * 1024**2
    monkeypatch.setenv("COVIDCT_RUNS_MB", "3")
    assert RUNS.allowed() == 3 * 1024**2


@pytest.mark.parametrize("said", ("-1", "2.5", "many", "1e3", " ", "9" * 5000))
def test_a_setting_that_is_no_number_of_megabytes_is_refused(said, monkeypatch):
    monkeypatch.setenv("COVIDCT_RUNS_MB", said)
    with pytest.raises(ConfigError, match="COVIDCT_RUNS_MB"):
        RUNS.allowed()
