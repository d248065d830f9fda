"""The whole audit of a network as one page: the verdict first, then what it rests on.

``report`` takes what was counted and checked and returns the page's text; nothing here reads,
counts or searches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..escape import escape, html_text
from ..html import document, notes_html, table_html
from ..layer_line import size
from ..tables.architecture import architecture
from ..tables.columns import chosen, total_of
from ..tables.contents import architecture_table, reconcile_table, tally_table
from ..tables.tree import full_depth
from ..verdict_words import how, tallying
from .page_claims import differing_html, invalid_html, open_html, tallying_html, unknown_html

if TYPE_CHECKING:
    from ...counting.tally import Tally
    from .audit import Audit

MOST_LAYERS = 3000
"""A network of more layers than this is shown by its parts only; each layer is in the CSV."""


def summary(audit: Audit) -> str:
    """The verdict in one line."""
    return tallying(audit.verdicts) if audit.verdicts else "counted; no claims were given"


def report(audit: Audit) -> str:
    """The page, complete in itself. Each of its parts has a heading and an anchor."""
    sections = [
        ("differs", "What differs", differing_html(audit)),
        ("tallies", "What tallies", tallying_html(audit)),
        ("invalid", "What cannot be judged", invalid_html(audit)),
        ("unknown", "What is not known", unknown_html(audit)),
        ("open", "What cannot be derived", open_html(audit)),
        ("figure", "The network drawn", _figures(audit)),
        ("layers", "The network in numbers", _layers(audit)),
        ("accountings", "Counted by other conventions", _accountings(audit)),
        ("made", "How this was made", _provenance(audit)),
    ]
    sections = [section for section in sections if section[2]]
    links = "".join(f'<li><a href="#{anchor}">{title}</a></li>' for anchor, title, _ in sections)
    body = [
        f'<a class="skip" href="#{sections[0][0]}">To the first section</a>\n',
        _top(audit, links),
        "<main>\n",
    ]
    for anchor, title, inside in sections:
        body.append(
            f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
            f'<h2 id="{anchor}-title">{title}</h2>\n{inside}</section>\n'
        )
    body.append("</main>\n")
    body.append(
        '<footer class="foot"><p>Made by nettally, which works a network\'s numbers out from its '
        "description and runs nothing. An explanation is a hypothesis: nobody who published the "
        "figure has confirmed it.</p></footer>\n"
    )
    return document(f"{escape(audit.name)}: the figures checked", "".join(body))


def _top(audit: Audit, links: str) -> str:
    network = audit.tally.network
    says = network.title if network.title and network.title != audit.name else ""
    pieces = [
        '<header class="top">\n<p class="eyebrow">The published figures, checked</p>\n',
        f"<h1>{html_text(audit.name)}</h1>\n",
    ]
    if says:
        pieces.append(f'<p class="subtitle">{html_text(says)}</p>\n')
    pieces.append(_answer(audit))
    pieces.append(_facts(audit.tally))
    pieces.append(f'<nav aria-label="Parts of this page"><ul>{links}</ul></nav>\n</header>\n')
    return "".join(pieces)


def _answer(audit: Audit) -> str:
    """The verdict in one sentence, and how many claims fell where."""
    if not audit.verdicts:
        return (
            '<div class="verdict"><p class="answer">No published figures were given; this is the '
            "count alone.</p></div>\n"
        )
    head, _, more = tallying(audit.verdicts).partition("; ")
    first, comma, differ = head.partition(", ")
    text = html_text(first[:1].upper() + first[1:])
    if comma:
        text += f', <span class="bad">{html_text(differ)}</span>'
    small = f"{more}. " if more else ""
    against = f"Against {audit.work}. " if audit.work else ""
    counts = [
        ("exact", "✓", "exactly", ("exact", "holds")),
        ("near", "≈", "as rounded or cut off", ("rounded", "cut off")),
        ("differs", "✗", "differ", ("differs",)),
        ("unknown", "?", "cannot be derived", ("cannot be derived",)),
        ("unknown", "?", "not known", ("not known",)),
        ("differs", "!", "cannot be judged", ("cannot be judged",)),
    ]
    bar: list[str] = []
    legend: list[str] = []
    for name, sign, what, words in counts:
        number = sum(how(verdict) in words for verdict in audit.verdicts)
        if number:
            bar.append(f'<span class="{name}" style="flex:{number}"></span>')
            legend.append(
                f'<li class="{name}"><span class="sign" aria-hidden="true">{sign}</span> '
                f"<b>{number}</b> {what}</li>"
            )
    return (
        f'<div class="verdict">\n<p class="answer">{text}.'
        f"<small>{html_text(against)}{html_text(small[:1].upper() + small[1:])}</small></p>\n"
        f'<div class="bar" aria-hidden="true">{"".join(bar)}</div>\n'
        f'<ul class="legend">{"".join(legend)}</ul>\n</div>\n'
    )


def _facts(tally: Tally) -> str:
    weighted = sum(row.node.layer.weighted for row in tally.rows)
    inputs = [size(shape) or "a number" for shape in tally.network.inputs.values()]
    facts = [
        ("parameters", total_of(tally, "parameters")),
        (tally.accounting.unit, total_of(tally, "operations")),
        ("neurons", total_of(tally, "neurons")),
        ("layers with weights", f"{weighted:,}"),
    ]
    if inputs:
        more = f" and {len(inputs) - 1} more" if len(inputs) > 1 else ""
        facts.append(("input", inputs[0].replace("x", "×") + more))
    items = "".join(
        f"<div><dt>{html_text(name)}</dt><dd>{html_text(value)}</dd></div>" for name, value in facts
    )
    return f'<dl class="facts">{items}</dl>\n'


def _figures(audit: Audit) -> str:
    pieces: list[str] = []
    for place, each in enumerate(audit.figures, 1):
        pieces.append(
            f'<figure>\n<div class="scroll" role="region" tabindex="0" '
            f'aria-labelledby="figure-{place}">\n{each.svg}</div>\n'
            f'<figcaption id="figure-{place}">{html_text(each.caption)} '
            '<a href="#layers">The same in numbers.</a></figcaption>\n</figure>\n'
        )
    return "".join(pieces)


def _layers(audit: Audit) -> str:
    tally = audit.tally
    parts = architecture(tally)[0]
    columns = ",".join(each.name for each in chosen(None, tally))
    table = architecture_table(tally, columns)
    counted = f"Counted by the accounting '{tally.accounting.name}': {tally.accounting.title}."
    pieces = [f'<p class="intro">{html_text(counted)}</p>\n']
    grouped = len(parts) < len(tally.rows)
    caption = (
        "What is alike and follows one another stands on one line" if grouped else "Each layer"
    )
    pieces.append(table_html(table, caption, "layers-table"))
    pieces.append(notes_html(table.notes))
    if grouped and len(tally.rows) <= MOST_LAYERS:
        whole = tally_table(tally, columns, full_depth(tally))
        long = " long" if len(tally.rows) > 200 else ""
        markup = table_html(whole, "Each layer, in the tree of its modules", "every-layer")
        pieces.append(
            f'<details class="more{long}"><summary>Each of the {len(tally.rows):,} layers'
            f"</summary>\n{markup}</details>\n"
        )
    return "".join(pieces)


def _accountings(audit: Audit) -> str:
    if not audit.reckonings:
        return ""
    table = reconcile_table(audit.tally, audit.reckonings)
    intro = (
        '<p class="intro">Tools and papers add up different things and call them by the same '
        "names. The same network, as each of them counts it, and term by term what its number is "
        "the sum of.</p>\n"
    )
    return intro + table_html(table, table.lead, "accountings-table") + notes_html(table.notes)


def _provenance(audit: Audit) -> str:
    provenance = audit.provenance
    accounting = audit.tally.accounting
    items: list[tuple[str, str]] = [
        ("command", f"<code>{html_text(provenance.command)}</code>"),
        ("nettally", html_text(provenance.version)),
        ("accounting", f"{html_text(accounting.name)}: {html_text(accounting.title)}"),
    ]
    for what, name, digest, length in provenance.files:
        items.append(
            (
                what,
                f"<code>{html_text(name)}</code>, {length:,} bytes<br>SHA-256 "
                f"<code>{html_text(digest)}</code>",
            )
        )
    if audit.work:
        items.append(("checked against", html_text(audit.work)))
    listed = "".join(f"<dt>{html_text(name)}</dt><dd>{text}</dd>\n" for name, text in items)
    notes = [*audit.tally.network.notes, *audit.notes]
    notes_markup = f"<h3>Notes of the reader</h3>\n{notes_html(notes)}" if notes else ""
    return f'<div class="made"><dl>\n{listed}</dl>\n{notes_markup}</div>\n'
