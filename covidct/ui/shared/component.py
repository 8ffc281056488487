"""Small components of ours, each a script in ``assets/components`` that no build step touches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from covidct.ui.streamlit_internals import component_of_file

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parents[1] / "assets" / "components"


def component(name: str) -> ComponentRenderer:
    """The component whose script is ``assets/components/<name>.js``, to be mounted.

    Its elements stand on the page itself, so that the one style sheet is for them, too.
    """
    return component_of_file(_FOLDER / f"{name}.js")
