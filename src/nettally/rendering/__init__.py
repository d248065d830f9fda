"""Rendering: what was counted, checked and explained, as text for people and for programs.

Each function takes a noun and returns a string; nothing here prints, reads or decides.
"""

from __future__ import annotations

from typing import Any

from .terminal import Terminal

PLAIN = Terminal(80, wide=True)
"""Where ``print(tally)`` goes: no colour, tables as wide as they are."""


def text(noun: Any) -> str:
    """What ``str()`` of a noun is: the same text that its command prints."""
    kind = type(noun).__name__
    if kind == "Tally":
        from .tables.terminal import tally_table

        return tally_table(noun, PLAIN).rstrip()
    if kind == "Verdict":
        from .reports.check_report import verdict_line

        return verdict_line(noun, PLAIN)
    if kind == "Verdicts":
        return "\n".join(map(text, noun))
    if kind == "Explanations":
        from .reports.check_report import explain_story

        counted = noun.verdict.counted
        name = counted.network.name if counted is not None else "the network"
        return explain_story(name, noun, PLAIN).rstrip()
    if kind == "Difference":
        from .tables.compare import diff_table

        return diff_table(noun, PLAIN).rstrip()
    if kind == "Network":
        from ..formats.native import write

        return write(noun).rstrip()
    return repr(noun)


def markup(noun: Any) -> str:
    """What a notebook shows of a noun (``_repr_html_``)."""
    from .html.notebook import notebook

    return notebook(noun)


def flat_rows(tally: Any) -> list[dict[str, Any]]:
    """What ``tally.rows()`` is: a dict a layer, for a table library."""
    from .tables.csv import flat_rows as made

    return made(tally)
