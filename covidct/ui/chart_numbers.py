"""Numbers on charts, written as the language of the page writes them.

Altair asks its theme anew for each chart that is drawn. To import this module is to have the theme.
"""

import altair as alt
from babel.numbers import get_decimal_symbol, get_group_symbol

from covidct.ui import languages


@alt.theme.register("covidct", enable=True)
def theme() -> alt.theme.ThemeConfig:
    """The signs of numbers, as Vega's locale (d3-format) has them; looks are Streamlit's."""
    locale = languages.current().locale
    _before, percent = locale.percent_formats[None].suffix
    signs: alt.theme.NumberLocaleKwds = {
        "decimal": get_decimal_symbol(locale),
        "thousands": get_group_symbol(locale),
        "grouping": [3],
        "currency": ["", ""],
        "percent": percent,
    }
    return {"config": {"locale": {"number": signs}}}
