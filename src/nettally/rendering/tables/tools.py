"""What other tools print for a module that was read, with what makes each number another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import plain
from ..escape import escape
from ..terminal import Terminal, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...counting.tally import Tally

INDENT = "    "


def tools_part(tally: Tally, reckonings: Sequence[Any], terminal: Terminal) -> list[str]:
    """The lines of the tools among the reckonings: figure, terms one below another, and why."""
    name = escape(tally.network.name)
    size = tally.network.inputs
    given = ", ".join("x".join(map(str, shape)) for shape in size.values())
    own = next((each for each in reckonings if each.accounting.name == "nettally"), None)
    head = f"{name} on {given}: what PyTorch's tools print, and why"
    made = [terminal.style(line, "bold") for line in wrap(head, terminal.prose)]
    tools = [each for each in reckonings if each.accounting.name != "nettally"]
    wide = max(
        len(text)
        for each in (own, *tools)
        if each is not None
        for text in _numbers({"": each.operations, **_split(each.terms)})
    )
    left = max(len(each.accounting.name) for each in reckonings) + 1
    if own is not None:
        made += ["", *_block(own, "nettally", left, wide, terminal, parameters=None)]
    for each in tools:
        usual = own.parameters if own is not None else None
        made += ["", *_block(each, each.accounting.name, left, wide, terminal, parameters=usual)]
    return made


def _block(
    each: Any, name: str, left: int, wide: int, terminal: Terminal, *, parameters: int | None
) -> list[str]:
    """One tool: its figure, the terms, a sentence; its parameters, where they are others."""
    number = f"{plain(each.operations):,}"
    unit = escape(each.accounting.unit)
    made = [f"{terminal.style(f'{name:<{left}}', 'bold')}{number:>{wide}}  {unit}"]
    if hasattr(each, "why"):
        if len(each.terms) > 1 or each.accounting.per_mac != 1:
            made += _terms(_split(each.terms), left, wide, terminal)
        if each.why:
            indent = " " * left
            lines = wrap(each.why, terminal.prose, indent)
            made += [terminal.style(line, "cyan") for line in lines]
    if parameters is None or plain(each.parameters) != parameters:
        made.append(f"{'':<{left}}{plain(each.parameters):>{wide},}  parameters")
        terms = getattr(each, "parameter_terms", None)
        if terms and len(terms) > 1:
            made += _terms(terms, left, wide, terminal)
    return made


def _terms(terms: Mapping[str, int], left: int, wide: int, terminal: Terminal) -> list[str]:
    """``= 17,563,828,224  multiply-adds``, and below it each that is added or taken away."""
    made: list[str] = []
    space = terminal.prose - left - wide - 2
    for i, ((label, _), number) in enumerate(zip(terms.items(), _numbers(terms), strict=True)):
        sign = "=" if not i else "-" if number.startswith("-") else "+"
        text = escape(label)
        text = text if len(text) <= space or space < 20 else text[: space - 1] + "…"
        line = f"{sign:>{left - 1}} {number.lstrip('-'):>{wide}}  {text}"
        made.append(terminal.style(line, "dim"))
    return made


def _split(terms: Mapping[str, int]) -> dict[str, int]:
    """The terms; a factor stays with its name: ``multiply-adds, 2 each``."""
    made: dict[str, int] = {}
    for label, n in terms.items():
        factor, cross, rest = label.partition(" × ")
        made[f"{rest}, {factor} each" if cross and factor.isdigit() else label] = n
    return made


def _numbers(terms: Mapping[str, int]) -> list[str]:
    return [f"{plain(n):,}" for n in terms.values()]
