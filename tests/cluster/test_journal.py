from contextlib import closing

import pytest

from covidct.cluster.journal import Entry, Journal, slice_key
from covidct.errors import ConfigError


def test_rows_stay_and_give_way_to_those_of_another_content(tmp_path):
    path = tmp_path / "journal"
    with closing(Journal(path)) as journal:
        assert journal.content("a") == journal.row("a") == ""
        journal.add([Entry("a", "1", "first"), Entry("b", "1", "other")])
    with closing(Journal(path)) as journal:
        assert (journal.content("a"), journal.row("a")) == ("1", "first")
        journal.add([Entry("a", "2", "second")])
        assert (journal.content("a"), journal.row("a")) == ("2", "second")
        assert journal.row("b") == "other"


def test_a_slice_is_told_by_place_frame_and_judge(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys = {
        slice_key("a", None, "model"),
        slice_key("b", None, "model"),
        slice_key("a", 1, "model"),
        slice_key("a", None, "another model"),
        slice_key("a\udcff", None, "model"),
    }
    assert len(keys) == 5
    assert slice_key("a", None, "model") == slice_key(str(tmp_path / "a"), None, "model")


def test_what_is_no_journal_is_kept_and_told(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("worth keeping\n" * 100)
    with pytest.raises(ConfigError, match="cannot be used"):
        Journal(file)
    assert file.read_text().startswith("worth keeping")
    for wrong in (tmp_path, tmp_path / "none" / "journal"):
        with pytest.raises(ConfigError, match="cannot be used"):
            Journal(wrong)
