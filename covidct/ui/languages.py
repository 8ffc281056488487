"""The language of whoever looks at a page: what they chose, or else their browser's.

Catalogues lie in subfolders as gettext has them, ``<language>/LC_MESSAGES/covidct.mo``. Without one
a page is in English. Numbers and days are written as CLDR, which Babel brings along, has it for the
language and the region of the browser.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from numbers import Number
from pathlib import Path
from string import Formatter
from typing import Any

import streamlit as st
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.numbers import get_decimal_symbol, get_group_symbol

CATALOGUES = Path(__file__).parents[1] / "locale"
COOKIE = "covidct_language"
CHOSEN = "language"  # the key of the choice in the session

ENGLISH = "en"
_ENGLISH = Locale(ENGLISH, "GB")


@dataclass(frozen=True, slots=True)
class Language:
    """What a page is written in.

    Attributes:
        name: "en", or that of a catalogue's folder.
        locale: with the region that decides how numbers and days are written.
        catalogue: of its texts.
        formatter: puts values into them.
    """

    name: str
    locale: Locale
    catalogue: NullTranslations
    formatter: Formatter

    @property
    def tag(self) -> str:
        """As HTML has it, "zh-Hans" (BCP 47)."""
        return self.name.replace("_", "-")


def current() -> Language:
    """The language of the session that is drawn."""
    browser = of_browser()
    chosen = st.session_state.get(CHOSEN) or remembered()
    if chosen is None or chosen == browser.name:
        return browser
    return _language(chosen, CATALOGUES)


def of_browser() -> Language:
    """That of the browser's first language, or English where there is none or no browser."""
    return _language(st.context.locale or "", CATALOGUES)


def remembered() -> str | None:
    """The language that was chosen in this session of the browser, before this page was loaded."""
    kept = st.context.cookies.get(COOKIE)
    return kept if kept in available() else None


def available() -> tuple[str, ...]:
    """English and the catalogues that there are, by the names of their folders."""
    return _available(CATALOGUES)


def own_name(language: str) -> str:
    """What a language calls itself, "Español"."""
    return (Locale.parse(language).get_display_name() or language).capitalize()


@cache
def _available(folder: Path) -> tuple[str, ...]:
    return ENGLISH, *sorted(file.parts[-3] for file in folder.glob("*/LC_MESSAGES/covidct.mo"))


@lru_cache(maxsize=256)  # what browsers ask for has no end
def _language(tag: str, folder: Path) -> Language:
    """That of a tag as browsers and our folders write it, or English where we do not have it."""
    try:
        locale = Locale.parse(tag.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        locale = _ENGLISH
    for name in _lookup(locale):
        file = folder / name / "LC_MESSAGES" / "covidct.mo"
        if file.is_file():
            with file.open("rb") as opened:
                return Language(name, locale, GNUTranslations(opened), _Numbers(locale))
    return Language(ENGLISH, _ENGLISH, NullTranslations(), _Numbers(_ENGLISH))


def _lookup(locale: Locale) -> Iterator[str]:
    """The names that a catalogue for a locale may have, the nearest first (RFC 4647, lookup)."""
    likely = get_global("likely_subtags")  # zh is zh_Hans_CN, say
    for whole in (str(locale), likely.get(str(locale), "")):
        parts = whole.split("_")
        yield from ("_".join(parts[:end]) for end in range(len(parts), 0, -1) if whole)


class _Numbers(Formatter):
    """Writes numbers with the signs of a locale: "1.234,5" and "50 %" in Spain."""

    def __init__(self, locale: Locale) -> None:
        _before, percent = locale.percent_formats[None].suffix
        self._signs = str.maketrans(
            {".": get_decimal_symbol(locale), ",": get_group_symbol(locale), "%": percent}
        )

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401
        """The value as Python writes it, in the locale's signs where it is a number."""
        text: str = super().format_field(value, format_spec)
        return text.translate(self._signs) if isinstance(value, Number) else text
