import pytest

from covidct.jobs.status import STATES
from covidct.ui.training import words
from covidct.ui.training.live import log_tail


def test_every_state_has_its_word():
    assert tuple(words.STATES) == STATES


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 second"),
        (40, "40 seconds"),
        (61, "1 minute"),
        (3550, "59 minutes"),
        (3600, "1 hour"),
        (4800, "1 hour 20 minutes"),
        (7260, "2 hours 1 minute"),
    ],
)
def test_durations_are_as_coarse_as_an_estimate(seconds, said):
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    "moment", [1795435126, "2026-11-23T11:58:46+00:00", "2026-11-23T12:58:46+01:00"]
)
def test_moments_are_told_in_utc(moment):
    assert words.when(moment) == "23 Nov 2026, 11:58 UTC"


def test_progress_counts_the_epoch_that_is_under_way():
    assert words.progress(0, 3, None) == "Epoch 1 of 3"
    assert words.progress(1, 3, 90) == "Epoch 2 of 3, about 2 minutes left"
    assert words.progress(3, 3, 1) == "Epoch 3 of 3, about 1 second left"


def test_preparation_says_what_is_done_and_how_much_of_it():
    assert words.preparation("Reading slices.", 10, 1200) == "Reading slices: 10 of 1,200"
    assert words.preparation("", 0, 0) == "Getting ready"


def test_a_message_does_not_repeat_the_state():
    assert words.without_state("Stopped. 1 of 2 epochs are kept.") == "1 of 2 epochs are kept."
    assert words.without_state("The disk is full.") == "The disk is full."


def test_a_figure_brings_its_interval_where_it_has_one():
    figures = {"roc_auc": 0.9, "roc_auc_ci95": [0.8, 0.95], "accuracy": 0.5}
    assert words.figure(figures, "roc_auc") == "0.900 <small>0.800 to 0.950</small>"
    assert words.figure(figures, "accuracy") == "0.500"


def test_settings_are_told_in_words():
    assert [words.setting(v) for v in (None, True, False, 1e-4, 12, "unit")] == [
        "default",
        "yes",
        "no",
        "0.0001",
        "12",
        "unit",
    ]


def test_the_tail_of_a_log_is_whole_lines_whatever_bytes_are_in_it(tmp_path):
    log = tmp_path / "log.txt"
    assert log_tail(log) == ""
    log.write_bytes(b"first \xff\n")
    assert log_tail(log) == "first \N{REPLACEMENT CHARACTER}\n"
    log.write_text("".join(f"line {number}\n" for number in range(5000)))
    lines = log_tail(log).splitlines()
    assert lines[-1] == "line 4999"
    assert all(line.startswith("line ") for line in lines)
    assert len(lines) < 5000
