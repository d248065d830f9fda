"""Claims: what was published about a network, and whether it tallies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .. import expression
from ..arith import Named, Num, formula, show
from ..counting.quantities import SAME, NotDerivable, certainty, evaluate, measure, names_like
from ..counting.tally import Rows, Tally, tally
from ..display import Displayed
from ..errors import ClaimError, NettallyError
from ..network import Span
from ..record import Record
from .comparison import compare, shown_value
from .printed import Printed, parse_printed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..counting.rows import Row
    from ..network import Network, Shape

__all__ = [
    "TALLIES",
    "Claim",
    "Claims",
    "Printed",
    "Verdict",
    "Verdicts",
    "check",
    "judge",
    "load",
    "parse_claim",
]

RELATIONS = ("<=", ">=", "≤", "≥", "~", "≈", "=", "<", ">")
_RELATION = re.compile("|".join(RELATIONS))
_REFERENCE = re.compile(
    r"^(?:(?P<about>[^\s.*+()/'\"](?:[^\s*+()/'\"]*[^\s.*+()/'\"])?)\.)?(?P<quantity>[a-z_]\w*)$"
)

TALLIES = frozenset({"exact", "rounds", "truncates", "holds"})
"""The verdicts that say that a claim is true."""


class Claim(Record):
    """One published figure.

    text: the claim as written. subject: the expression left of the relation. printed: the figure
    right of it. every: the pattern of names that the claim is made of, each, or "". measured: it
    cannot follow from a description (an error rate). accounting: the convention it is counted by,
    or "" for the tally's own. input: the sizes of the input that it is about, where they are not
    the network's own. quote, place, work: what is printed, where, and in which work.
    """

    text: str
    subject: str
    relation: str
    printed: Printed
    every: str = ""
    quote: str = ""
    place: str = ""
    work: str = ""
    measured: bool = False
    accounting: str = ""
    input: Shape | None = None
    note: str = ""
    source: Span | None = None

    @property
    def reference(self) -> tuple[str, str] | None:
        """(about, quantity) where the subject is one figure and not a formula."""
        match = _REFERENCE.match(self.subject)
        return (match["about"] or "", match["quantity"]) if match and not self.every else None

    def value(self, counted: Tally, name: str = "") -> Any:
        """Our figure: an int (a Num if the tally has its working), a float, a shape, or a word.

        name: for a claim of every layer, the one meant. Raises ClaimError, NotDerivable.
        """
        if self.accounting:
            from ..counting.accounting import accounting

            counted = counted.under(accounting(self.accounting))
        if self.input is not None:
            counted = counted.at(self.input)
        reference = self.reference
        if reference is not None:
            return measure(counted, *reference)
        try:
            tree = expression.parse(self.subject, globs=bool(self.every))
            return evaluate(tree, counted, self.every, name)
        except expression.ExpressionError as error:
            raise error.at(str(self.source or "")) from None


class Verdict(Displayed, Record):
    """What came of a claim.

    ours: our figure, None where there is none. status: exact, rounds, truncates, holds (an
    inequality that is true), differs, unknown (cannot be derived). detail: by how much, by what
    factor, or why not. counted: the tally that our figure is of.
    """

    claim: Claim
    ours: Any
    status: str
    detail: str = ""
    counted: Tally | None = None

    @property
    def working(self) -> str:
        """The arithmetic of one layer's figure in one line; "" for sums over many layers."""
        return _working(self.counted, self.claim, self.ours) if self.counted is not None else ""

    def __repr__(self) -> str:
        said = f"{self.status}: {self.detail}" if self.detail else self.status
        return f"Verdict({self.claim.text!r}, ours={shown_value(self.ours)}, {said})"

    @property
    def tallies(self) -> bool:
        return self.status in TALLIES


class Verdicts(Displayed, tuple[Verdict, ...]):
    """What ``check`` gives: the verdicts in the claims' order. Printed, a line each."""

    __slots__ = ()


class Claims(Record):
    """A file of claims: the work they stand in, and the claims."""

    work: str
    claims: tuple[Claim, ...]
    source: str = ""


def parse_claim(text: str, *, thousand: int = 1000, where: str = "", **fields: Any) -> Claim:
    """A claim from its text: ``conv1.neurons = 253,440``, ``every conv*.macs <= 1G``.

    Raises ClaimError for what is no claim.
    """
    match = _RELATION.search(text)
    if match is None:
        raise ClaimError(
            "a claim needs =, <, <=, > or >=",
            where=where,
            values=text[:80],
            hint="as in conv1.neurons = 253,440",
        )
    subject, relation, figure = text[: match.start()].strip(), match[0], text[match.end() :]
    relation = {"≤": "<=", "≥": ">=", "≈": "=", "~": "="}.get(relation, relation)
    try:
        printed = parse_printed(figure, thousand=thousand)
        every = ""
        if subject.startswith("every "):
            subject = subject.removeprefix("every ").strip()
            every = _pattern(subject)
        if not subject:
            raise ClaimError("a claim needs a quantity left of its relation", values=text[:80])
        claim = Claim(text.strip(), subject, relation, printed, every=every, **fields)
        if claim.reference is None:
            expression.parse(subject, globs=bool(every))
    except NettallyError as error:
        raise ClaimError(
            error.what, where=error.where or where, values=error.values, hint=error.hint
        ) from None
    return claim


def _pattern(subject: str) -> str:
    """The pattern of names in ``conv*.parameters / parameters``."""
    found: list[str] = []

    def walk(tree: expression.Tree) -> None:
        if isinstance(tree, expression.Name):
            about = tree.text.rpartition(".")[0]
            if any(mark in about for mark in "*?["):
                found.append(about)
        elif isinstance(tree, expression.Operation):
            walk(tree.left)
            walk(tree.right)
        elif isinstance(tree, expression.FunctionCall):
            for argument in tree.arguments:
                walk(argument)

    walk(expression.parse(subject, globs=True))
    if len(set(found)) != 1:
        raise ClaimError(
            "'every' needs one pattern of names", values=subject[:80], hint="every conv*.parameters"
        )
    return found[0]


def load(path: str) -> Claims:
    """The claims of a YAML file. Raises ReadError and ClaimError with ``file:line``."""
    from ..formats import Source, read_bytes
    from ..formats.encodings.yaml import Mapping, Scalar, Sequence, compose

    tree = compose(Source(path, read_bytes(path)))
    if not isinstance(tree, Mapping) or not isinstance(items := tree.get("claims"), Sequence):
        raise ClaimError("this is no file of claims", where=path, hint="it has a list 'claims:'")
    work = tree.get("work")
    title = work.text if isinstance(work, Scalar) else ""
    claims: list[Claim] = []
    for item in items.items:
        where = Span(path, item.line)
        if isinstance(item, Scalar):
            claims.append(parse_claim(item.text, where=str(where), work=title, source=where))
            continue
        if not isinstance(item, Mapping):
            raise ClaimError("a claim is a line, or 'claim:' with its place", where=str(where))
        fields: dict[str, str] = {}
        for key, value in item.pairs.items():
            if key.text not in _CLAIM_KEYS or not isinstance(value, Scalar):
                from ..errors import closest

                raise ClaimError(
                    f"a claim has no '{key.text}'"
                    if key.text not in _CLAIM_KEYS
                    else f"'{key.text}' is one piece of text",
                    where=f"{path}:{key.line}",
                    hint=closest(key.text, _CLAIM_KEYS),
                )
            fields[key.text] = value.text
        claims.append(_from_fields(fields, where, title))
    return Claims(title, tuple(claims), path)


_CLAIM_KEYS = (
    "claim",
    "quote",
    "place",
    "work",
    "measured",
    "accounting",
    "thousand",
    "input",
    "note",
)


def _from_fields(fields: dict[str, str], where: Span, title: str) -> Claim:
    if "claim" not in fields:
        raise ClaimError("a claim without 'claim:'", where=str(where))
    thousand = fields.get("thousand", "1000")
    if thousand not in ("1000", "1024"):
        raise ClaimError(
            "thousand is 1000 or 1024", where=str(where), values=f"thousand {thousand}"
        )
    return parse_claim(
        fields["claim"],
        thousand=int(thousand),
        where=str(where),
        quote=fields.get("quote", ""),
        place=fields.get("place", ""),
        work=fields.get("work", title),
        measured=fields.get("measured", "false") == "true",
        accounting=fields.get("accounting", ""),
        input=_input(fields["input"], where) if "input" in fields else None,
        note=fields.get("note", ""),
        source=where,
    )


def _input(text: str, where: Span) -> Shape:
    """``3x224x224`` as a shape with a batch of 1."""
    parts = text.replace("×", "x").split("x")
    if not all(part.isascii() and part.isdigit() and len(part) < 11 for part in parts):
        raise ClaimError("this is no size of an input", where=str(where), values=text[:80])
    return (1, *(int(part) for part in parts))


def check(network: Network | Tally, claims: Claims | Iterable[Claim | str]) -> Verdicts:
    """A verdict for each claim.

    Raises ClaimError for a claim about a layer that is not there.
    """
    counted = network if isinstance(network, Tally) else tally(network)
    listed = claims.claims if isinstance(claims, Claims) else claims
    return Verdicts(
        judge(counted, parse_claim(claim) if isinstance(claim, str) else claim) for claim in listed
    )


def judge(counted: Tally, claim: Claim) -> Verdict:
    """The verdict on one claim."""
    if claim.measured:
        return Verdict(claim, None, "unknown", "measured: it cannot be derived")
    try:
        if claim.every:
            return _judge_every(counted, claim)
        ours = claim.value(counted)
    except NotDerivable as reason:
        return Verdict(claim, None, "unknown", str(reason))
    except ClaimError as error:
        raise error.at(str(claim.source or "")) from None
    status, detail = compare(ours, claim.printed, claim.relation)
    if status == "differs" and _may_grow(counted, claim, ours):
        return Verdict(claim, ours, "unknown", "at least this: some layers are not known")
    return Verdict(claim, ours, status, detail, counted)


def _may_grow(counted: Tally, claim: Claim, ours: Any) -> bool:
    """Whether layers that are not known could still make a figure of the whole net true."""
    about, quantity = claim.reference or ("no sum", "")
    sure = about or certainty(counted.rows, SAME.get(quantity, quantity)) == "exact"
    return not sure and ours < claim.printed.value


def _judge_every(counted: Tally, claim: Claim) -> Verdict:
    names = names_like(counted, claim.every)
    if not names:
        raise ClaimError(f"no layer matches '{claim.every}'", where=str(claim.source or ""))
    values = {name: claim.value(counted, name) for name in names}
    results = {name: compare(v, claim.printed, claim.relation)[0] for name, v in values.items()}
    worst = [name for name, status in results.items() if status == "differs"]
    percent = "%" in claim.printed.text
    if not worst:
        status = "holds" if claim.relation != "=" else max(results.values())
        return Verdict(claim, None, status, f"for each of {len(names)}: {', '.join(names)}")
    shown = ", ".join(f"{name} ({shown_value(values[name], percent)})" for name in worst)
    return Verdict(claim, values[worst[0]], "differs", f"not for {shown}")


def _working(counted: Tally, claim: Claim, ours: Any) -> str:
    reference = claim.reference
    if reference is None or not reference[0] or not isinstance(ours, int):
        return ""
    about = reference[0]
    row = next((row for row in counted.rows if row.node.name == about), None)
    if row is None or not row.known:
        return ""
    from ..counting.rows import count_node

    shapes = dict(zip(row.node.inputs, row.inputs, strict=True))
    counted_row = count_node(row.node, shapes, working=True)
    if reference[1] in ("neurons", "values") and counted_row.shape is not None:
        return _working_of_units(counted_row.shape) + _left_over(row)
    single = Tally(counted.network, counted.accounting, Rows((counted_row,)))
    value = claim.value(single)
    return show(value) if isinstance(value, Num) else ""


def _working_of_units(shape: Shape) -> str:
    """``55 · 55 · 96 = 290,400, where 55 = ⌈(224 - 11) / 4⌉ + 1``."""
    sizes = (*shape[2:], shape[1])
    text = " · ".join(formula(n) if n is sizes[-1] else f"{int(n):,}" for n in sizes)
    value = 1
    for size in sizes:
        value *= int(size)
    made = dict.fromkeys(
        f"{int(n):,} = {formula(n)}"
        for n in sizes[:-1]
        if isinstance(n, Num) and not isinstance(n.how, Named)
    )
    return f"{text} = {value:,}" + (", where " + ", ".join(made) if made else "")


def _left_over(row: Row) -> str:
    """Where a division does not come out even: the pixels dropped, or overhung."""
    layer: Any = row.node.layer
    if not hasattr(layer, "spare"):
        return ""
    left = layer.spare(row.inputs[0])[0]
    if not left:
        return ""
    pixels = f"{abs(left)} pixel{'s' if abs(left) > 1 else ''}"
    if left > 0:
        return f", rounded down: {pixels} at the edge are dropped"
    return f", rounded up: the last window hangs {pixels} over the edge"
