"""Pages and their parts: one file, read without a script and without a network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ..escape import html_text
from .parts import notes_html, table_html

if TYPE_CHECKING:
    from ..tables.table import Table

__all__ = ["document", "notes_html", "page", "style", "table_html"]

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
"""Were a name ever to become markup, the browser would still run and fetch nothing."""


@cache
def style() -> str:
    """The style sheet, as text."""
    from importlib.resources import files

    return files("nettally.rendering.html").joinpath("page.css").read_text("utf-8")


def document(title: str, body: str, *, extra: str = "") -> str:
    """A whole page. title: text as it is. body: markup. extra: further rules of style."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html_text(title)}</title>\n<style>\n{style()}{extra}</style>\n</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )


def page(table: Table) -> str:
    """A page with one table."""
    lead = f'<p class="subtitle">{html_text(table.lead)}</p>\n' if table.lead else ""
    body = (
        f'<header class="top">\n<h1>{html_text(table.title)}</h1>\n{lead}</header>\n'
        f"<main>\n{table_html(table)}{notes_html(table.notes)}</main>\n"
    )
    return document(table.title, body)
