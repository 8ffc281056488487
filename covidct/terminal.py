"""Texts of others on a terminal, which takes some characters for commands.

Whoever names a file or writes a DICOM header could move the cursor, forge a line or turn a text
round (CWE-150, Unicode Technical Report 36, "Bidirectional Text Spoofing").
"""

import unicodedata

_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogates, separators of lines


def visible(text: str) -> str:
    """One line in which no character steers a terminal; those that would are escaped."""
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if unicodedata.category(letter) in _STEERING
        else letter
        for letter in text
    )
