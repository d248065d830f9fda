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
    """The lines of the tools among the reckonings: the count, its terms line by line, and why."""
    name = escape(tally.network.name)
    size = tally.network.inputs
    sizes = ", ".join("x".join(map(str, shape)) for shape in size.values())
    ours = next((each for each in reckonings if each.accounting.name == "nettally"), None)
    head = f"{name} on {sizes}: what PyTorch's tools print, and why"
    lines = [terminal.style(line, "bold") for line in wrap(head, terminal.prose)]
    tools = [each for each in reckonings if each.accounting.name != "nettally"]
    wide = max(
        len(text)
        for each in (ours, *tools)
        if each is not None
        for text in _numbers({"": each.operations, **_split(each.terms)})
    )
    left = max(len(each.accounting.name) for each in reckonings) + 1
    if ours is not None:
        lines += ["", *_block(ours, "nettally", left, wide, terminal, parameters=None)]
    for each in tools:
        usual = ours.parameters if ours is not None else None
        lines += ["", *_block(each, each.accounting.name, left, wide, terminal, parameters=usual)]
    return lines


def _block(
    each: Any, name: str, left: int, wide: int, terminal: Terminal, *, parameters: int | None
) -> list[str]:
    """One tool: its count, the terms, a sentence; its parameters, where they differ from ours."""
    number = f"{plain(each.operations):,}"
    unit = escape(each.accounting.unit)
    lines = [f"{terminal.style(f'{name:<{left}}', 'bold')}{number:>{wide}}  {unit}"]
    if hasattr(each, "why"):
        if len(each.terms) > 1 or each.accounting.per_mac != 1:
            lines += _terms(_split(each.terms), left, wide, terminal)
        if each.why:
            indent = " " * left
            reasons = wrap(each.why, terminal.prose, indent)
            lines += [terminal.style(line, "cyan") for line in reasons]
    if parameters is None or plain(each.parameters) != parameters:
        lines.append(f"{'':<{left}}{plain(each.parameters):>{wide},}  parameters")
        terms = getattr(each, "parameter_terms", None)
        if terms and len(terms) > 1:
            lines += _terms(terms, left, wide, terminal)
    return lines


def _terms(terms: Mapping[str, int], left: int, wide: int, terminal: Terminal) -> list[str]:
    """``= 17,563,828,224  multiply-adds``, and below it each that is added or taken away."""
    lines: list[str] = []
    space = terminal.prose - left - wide - 2
    for i, ((label, _), number) in enumerate(zip(terms.items(), _numbers(terms), strict=True)):
        sign = "=" if not i else "-" if number.startswith("-") else "+"
        text = escape(label)
        text = text if len(text) <= space or space < 20 else text[: space - 1] + "…"
        line = f"{sign:>{left - 1}} {number.lstrip('-'):>{wide}}  {text}"
        lines.append(terminal.style(line, "dim"))
    return lines


def _split(terms: Mapping[str, int]) -> dict[str, int]:
    """The terms; a factor stays with its name: ``multiply-adds, 2 each``."""
    labelled: dict[str, int] = {}
    for label, n in terms.items():
        factor, cross, rest = label.partition(" × ")
        labelled[f"{rest}, {factor} each" if cross and factor.isdigit() else label] = n
    return labelled


def _numbers(terms: Mapping[str, int]) -> list[str]:
    return [f"{plain(n):,}" for n in terms.values()]
