"""Texts of others in comma-separated tables, which spreadsheets would take for formulas.

Whoever makes a ZIP or a table of patients chooses the names in it. An apostrophe before a name that
begins as formulas do keeps it a text (OWASP, "CSV Injection").
"""

_APOSTROPHE = "'"
_MEANS_SOMETHING = ("=", "+", "-", "@", "\t", "\r", _APOSTROPHE)


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula; :func:`original` undoes it."""
    return f"{_APOSTROPHE}{text}" if text.startswith(_MEANS_SOMETHING) else text


def original(text: str) -> str:
    """What was given to :func:`harmless`."""
    return text.removeprefix(_APOSTROPHE)
