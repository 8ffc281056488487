import json
import os
import re
import resource
import subprocess
import sys

import pytest

from covidct.errors import LogError
from covidct.jobs.action_log import Actor, acting, action_log_file, read_action_log, record
from covidct.messages import N_

DELETED = N_("Deleted a run")


@pytest.fixture(autouse=True)
def _own_home(own_home):
    """A log for each test."""
    yield
    acting(None)


def before_all_time(line):
    """The same at a time that no clock in UTC can show."""
    return re.sub("20[^+]*.0", "0001-01-01T00:00+1", line)


def whats():
    return [one.what for one in read_action_log().actions]


def test_there_is_no_log_before_the_first_action():
    assert read_action_log() == ((), ())
    assert not action_log_file().exists()


def test_actions_are_read_back_the_newest_first_with_who_did_them():
    record(DELETED, "first")
    acting(Actor("ann@example.org", True))
    record(DELETED, "second\nline “é” \udce9")
    newest, oldest = read_action_log().actions
    assert (newest.who, newest.signed_in) == ("ann@example.org", True)
    assert newest.what == "second\nline “é” \udce9"
    assert oldest.who and not oldest.signed_in
    assert oldest.when <= newest.when
    assert len(action_log_file().read_bytes().splitlines()) == 2


def test_processes_that_write_at_once_lose_nothing_and_leave_one_chain(root):
    code = (
        "import sys; from covidct.jobs.action_log import record; from covidct.messages import N_\n"
        "for number in range(20): record(N_('Deleted a run'), f'{sys.argv[1]} {number}')"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, name], cwd=root) for name in ("a", "b", "c")
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    log = read_action_log()
    assert not log.broken_lines
    assert sorted(one.what for one in log.actions) == sorted(
        f"{name} {number}" for name in "abc" for number in range(20)
    )


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda lines: [lines[0], lines[1].replace("1", "7"), *lines[2:]], (2, 3)),
        (lambda lines: [lines[0], *lines[2:]], (2,)),
        (lambda lines: [lines[1], lines[0], *lines[2:]], (1, 2, 3)),
        (lambda lines: [lines[0], "[1]", *lines[2:]], (2, 3)),
        (lambda lines: [lines[0], '{"before": 3, "when": []}', *lines[2:]], (2, 3)),
        (
            lambda lines: [
                lines[0],
                re.sub("20[^+]*.0", "0001-01-01T00:00+1", lines[1]),
                *lines[2:],
            ],
            (2, 3),
        ),
    ],
)
def test_a_line_that_was_changed_or_taken_out_shows(change, broken):
    for number in range(4):
        record(DELETED, f"run {number}")
    file = action_log_file()
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")
    assert read_action_log().broken_lines == broken


def test_half_a_line_left_by_a_crash_costs_no_other_line():
    record(DELETED, "first")
    whole = action_log_file().read_bytes()
    action_log_file().write_bytes(whole + whole[:40])
    record(DELETED, "second")
    assert whats() == ["second", "first"]
    assert read_action_log().broken_lines == (2,)


def test_a_log_that_cannot_grow_stays_whole_and_that_is_said():
    record(DELETED, "first")
    before = action_log_file().read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limit[1]))
    try:
        with pytest.raises(LogError, match="cannot be written into the log"):
            record(DELETED, "second")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert action_log_file().read_bytes() == before
    record(DELETED, "third")
    assert whats() == ["third", "first"]


def test_a_log_that_cannot_be_read_is_said():
    action_log_file().mkdir(parents=True)
    with pytest.raises(LogError, match="cannot be read"):
        read_action_log()


def test_an_account_without_a_name_is_named_by_its_number(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    record(DELETED, "first")
    (action,) = read_action_log().actions
    assert action.who == str(os.getuid())


def test_each_line_is_an_object_that_other_programs_can_read():
    record(DELETED, "first")
    (line,) = action_log_file().read_text(encoding="ascii").splitlines()
    assert {"when", "who", "signed_in", "action", "what", "before"} == json.loads(line).keys()
