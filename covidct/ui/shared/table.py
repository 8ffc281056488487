"""A table that fits a narrow window as well; no Streamlit here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from covidct.ui.strings import literal


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names the rows; in a narrow window each cell says its column.

    Roles keep it a table for screen readers there, where it is laid out as blocks.

    Args:
        head: titles of the columns, plain text.
        rows: of cells, HTML.
    """
    titles = [literal(title) for title in head]
    named = "".join(f'<th role="columnheader" scope="col">{title}</th>' for title in titles)
    body = "".join(
        f'<tr role="row"><th role="rowheader" scope="row">{first}</th>'
        + "".join(
            f'<td role="cell" data-title="{title}"><div>{cell}</div></td>'
            for title, cell in zip(titles[1:], others, strict=True)
        )
        + "</tr>"
        for first, *others in rows
    )
    return (
        '<div class="cv-scroll"><table class="cv-table cv-stacked" role="table">'
        f'<thead role="rowgroup"><tr role="row">{named}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table></div>'
    )
