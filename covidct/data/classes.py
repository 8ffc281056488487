"""Classes of a data set: COVID-19, and others that are told apart where a folder has several.

The verdict is on COVID-19 against all others. Which of the others a slice is of comes after it.
"""

import re
import unicodedata

from covidct.messages import N_

COVID, NON_COVID = "COVID", "NonCOVID"
MOST_CLASSES = 12
CLASS_PREFIX = "CT_"  # of the folder of a class
PROBABILITY_OF = "probability of "  # begins the title of a class's column
_LONGEST = 40
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{_LONGEST - 1}}}")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_RESERVED = {"unlabelled", "other"}
_TITLES = {COVID: N_("COVID-19"), NON_COVID: N_("Other")}


def is_class_name(name: str) -> bool:
    """Whether a class can be called so: up to 40 letters, digits, hyphens and underscores.

    But for COVID-19's own, none begins with "COVID": its slices would count as others.
    """
    if name == COVID:
        return True
    taken = name.lower() in _RESERVED or name.lower().startswith(COVID.lower())
    return bool(_NAME.fullmatch(name)) and not taken


def as_class_name(text: str) -> str:
    """A text made fit to call a class by, its accents dropped and a hyphen for each other sign.

    Returns:
        The name; empty where nothing is left of the text.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = _UNFIT.sub("-", plain).strip("-_")[:_LONGEST]
    return name if is_class_name(name) else ""


def class_title(name: str) -> str:
    """What a class is called on pages and in reports; others than the usual two by their name."""
    return _TITLES.get(name, name)


def own_title(name: str) -> str:
    """The same where "Other" would be all classes without COVID-19."""
    return name if name == NON_COVID else class_title(name)
