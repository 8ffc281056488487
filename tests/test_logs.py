import json
import logging
import sys

from covidct.logs import JsonLines, are_json


def record(message, *arguments, figures=None, error=None):
    made = logging.LogRecord("covidct.x", logging.ERROR, "x.py", 1, message, arguments, error)
    if figures:
        made.figures = figures
    return JsonLines().format(made)


def test_whatever_is_logged_is_one_line_of_json():
    line = record("two\nlines, %s", "“quoted” \x1b[2J\u202e", figures={"judged": 3})
    assert line.isascii() and line.isprintable()
    told = json.loads(line)
    assert told["message"] == "two\nlines, “quoted” \x1b[2J\u202e"
    assert (told["level"], told["logger"], told["judged"]) == ("error", "covidct.x", 3)
    assert told["time"].endswith("+00:00")


def test_an_error_is_told_by_kind_and_place_without_what_it_quotes():
    try:
        int("Secret^Patient")
    except ValueError:
        line = record("failed", error=sys.exc_info())
    assert "Secret" not in line
    told = json.loads(line)
    assert told["error"] == "ValueError"
    assert told["at"][-1].startswith(__file__)


def test_json_is_asked_for_by_the_environment(monkeypatch):
    for value, is_wanted in (("json", True), ("JSON ", True), ("", False), ("text", False)):
        monkeypatch.setenv("COVIDCT_LOG", value)
        assert are_json() == is_wanted
    monkeypatch.delenv("COVIDCT_LOG")
    assert not are_json()
