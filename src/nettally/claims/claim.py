"""Claims: what was published about a network, as typed or as a file lists it."""

from __future__ import annotations

import re
from math import log10
from typing import TYPE_CHECKING, Any

from .. import expression
from ..counting.quantities import COUNTS, SAME, evaluate, measure
from ..errors import ClaimError, NettallyError, closest
from ..network import Span
from ..record import Record
from .printed import Printed, parse_printed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..counting.tally import Tally
    from ..counting.values import Value
    from ..formats.encodings.yaml import Mapping
    from ..network import Shape

RELATIONS = ("<=", ">=", "≤", "≥", "~", "≈", "==", "=", "<", ">")
_RELATION = re.compile("|".join(RELATIONS))
_REFERENCE = re.compile(
    r"^(?:(?P<about>[^\s.*+()/'\"](?:[^\s*+()/'\"]*[^\s.*+()/'\"])?)\.)?(?P<quantity>[a-z_]\w*)$"
)


_NUMBER_WORDS = dict(enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven",
                                "eight", "nine", "ten", "eleven", "twelve")))  # fmt: skip

DECIDED = ("operations", "parameters", "neurons", "memory")
"""The quantities that an accounting decides; all others are the same by every accounting."""


class Claim(Record):
    """One published figure.

    text: the claim as written. subject: the expression left of the relation. printed: the figure
    right of it. every: the pattern of names that the claim is made of, each, or "". measured: it
    cannot follow from a description (an error rate). accounting: the convention it is counted by,
    or "" for the tally's own. input: the sizes of the input that it is about, where they are not
    the network's own. quote, place, work: what is printed, where, and in which work. error: why the
    text is no claim, None where it is one; without subject, relation and figure it is listed only.
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
    error: NettallyError | None = None

    @property
    def reference(self) -> tuple[str, str] | None:
        """(about, quantity) where the subject is one figure and not a formula."""
        match = _REFERENCE.match(self.subject)
        return (match["about"] or "", match["quantity"]) if match and not self.every else None

    @property
    def is_printed(self) -> bool:
        """Whether the figure is the work's own, and not that of a formula made of its words.

        It is ours where a formula is claimed and the quotation does not have its figure: that
        windows overlap is printed, and that one height less another is 0 is not.
        """
        return self.reference is not None or not self.quote or _has(self.quote, self.printed)

    @property
    def words(self) -> str:
        """The claim as its readers know it: in our form where it is printed, else as quoted."""
        if self.is_printed:
            return self.text
        return f"“{self.quote}”" + (f" ({self.place})" if self.place else "")

    @property
    def tree(self) -> expression.Tree:
        """The subject as an expression. Raises ExpressionError."""
        return self.once(_tree)

    @property
    def quantities(self) -> tuple[tuple[str, str], ...]:
        """(about, quantity) of each figure in the subject; about is "" for the whole network."""
        if self.reference is not None:
            about, quantity = self.reference
            return ((about, SAME.get(quantity, quantity)),)
        pairs = (name.rpartition(".") for name in _names(self.tree))
        return tuple((about, SAME.get(quantity, quantity)) for about, _, quantity in pairs)

    def counted_by(self, counted: Tally) -> Tally:
        """The tally that the claim speaks of: by the accounting and for the input that it states.

        The accounting is obeyed or refused, and never ignored. Raises ClaimError for one that there
        is not, that counts no operations where some are claimed, or that does not decide what is
        claimed.
        """
        if self.accounting:
            counted = _under(self, counted)
        return counted if self.input is None else counted.at(self.input)

    def value(self, counted: Tally, name: str = "") -> Value:
        """Our figure, of a kind of its own: see ``counting.values``.

        name: for a claim of every layer, the one meant. Raises ClaimError, NotDerivable.
        """
        counted = self.counted_by(counted)
        reference = self.reference
        if reference is not None:
            return measure(counted, *reference)
        try:
            return evaluate(self.tree, counted, self.every, name)
        except expression.ExpressionError as error:
            raise error.at(str(self.source or "")) from None


def _has(quote: str, printed: Printed) -> bool:
    """Whether a quotation has a figure: in digits, as a power of ten, or in words."""

    def plain(text: str) -> str:
        return text.casefold().replace(",", "").replace(" ", "").replace("×", "x")

    if plain(printed.text) in plain(quote):
        return True
    value = printed.value
    if value > 0 and (power := log10(value)).is_integer():
        return f"10{str(int(power)).translate(_SUPERSCRIPT)}" in quote
    return _NUMBER_WORDS.get(int(value), "-") in quote.casefold().split()


_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def _under(claim: Claim, counted: Tally) -> Tally:
    from ..counting.accounting import accounting

    try:
        convention = accounting(claim.accounting)
    except NettallyError as error:
        raise ClaimError(error.what, values=claim.text[:80], hint=error.hint) from None
    quantities = [quantity for _, quantity in claim.quantities]
    if "operations" in quantities and not convention.counts_operations:
        raise ClaimError(
            f"the accounting '{convention.name}' counts no operations",
            values=claim.text[:80],
            hint="claim parameters, or state another accounting",
        )
    if not any(quantity in DECIDED for quantity in quantities):
        raise ClaimError(
            f"the accounting '{convention.name}' does not decide what is claimed: it is the same "
            "by every accounting",
            values=claim.text[:80],
            hint=_instead(quantities),
        )
    return counted.under(convention)


def _instead(quantities: list[str]) -> str:
    if any(quantity in ("macs", "flops") for quantity in quantities):
        return "claim operations, which it decides"
    return closest(quantities[0], DECIDED) if quantities else f"one of {', '.join(DECIDED)}"


def _names(tree: expression.Tree) -> Iterator[str]:
    if isinstance(tree, expression.Name):
        yield tree.text
    elif isinstance(tree, expression.Operation):
        yield from _names(tree.left)
        yield from _names(tree.right)
    elif isinstance(tree, expression.FunctionCall) and tree.function != "count":
        for argument in tree.arguments:
            yield from _names(argument)


class Claims(Record):
    """A file of claims: the work they stand in, and the claims."""

    work: str
    claims: tuple[Claim, ...]
    source: str = ""

    @property
    def own(self) -> Claims:
        """Those that stand in the work itself, and not in others about it."""
        return self.replace(claims=tuple(each for each in self.claims if each.work == self.work))


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
    subject, relation, right = text[: match.start()].strip(), match[0], text[match.end() :]
    relation = {"≤": "<=", "≥": ">=", "≈": "=", "~": "=", "==": "="}.get(relation, relation)
    try:
        printed = parse_printed(right, thousand=thousand, words=_may_be_a_word(subject))
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


def _tree(claim: Claim) -> expression.Tree:
    return expression.parse(claim.subject, globs=bool(claim.every))


def _may_be_a_word(subject: str) -> bool:
    """Whether what is claimed can be a word: a field of a layer (``conv1.rounding``) can."""
    about, _, quantity = subject.removeprefix("every ").rpartition(".")
    return bool(about) and quantity.isidentifier() and SAME.get(quantity, quantity) not in COUNTS


def _pattern(subject: str) -> str:
    """The pattern of names in ``conv*.parameters / parameters``."""
    tree = expression.parse(subject, globs=True)
    abouts = [name.rpartition(".")[0] for name in expression.names(tree)]
    patterns = [about for about in abouts if any(mark in about for mark in "*?[")]
    if len(set(patterns)) != 1:
        raise ClaimError(
            "'every' needs one pattern of names", values=subject[:80], hint="every conv*.parameters"
        )
    return patterns[0]


def not_a_claim(text: str, error: NettallyError, **fields: Any) -> Claim:
    """What stands where a claim should and is none: it is listed with its error."""
    return Claim(text.strip(), "", "", Printed("", 0), error=error, **fields)


def read_claim(text: str, **fields: Any) -> Claim:
    """A claim from its text; of what is no claim, the text with its error."""
    try:
        return parse_claim(text, **fields)
    except ClaimError as error:
        return not_a_claim(text, error)


def load(path: str) -> Claims:
    """The claims of a YAML file; "-" is standard input.

    An item that is no claim is among them, with its error, which names ``file:line``. Raises
    ReadError and ClaimError for what is no file of claims.
    """
    from ..formats import STANDARD_INPUT, Source, read_bytes
    from ..formats.encodings.yaml import Mapping, Scalar, Sequence, compose

    data = read_bytes(path)
    name = STANDARD_INPUT if path == "-" else path
    tree = compose(Source(name, data))
    if not isinstance(tree, Mapping) or not isinstance(items := tree.get("claims"), Sequence):
        raise ClaimError("this is no file of claims", where=name, hint="it has a list 'claims:'")
    work = tree.get("work")
    title = work.text if isinstance(work, Scalar) else ""
    claims: list[Claim] = []
    for item in items.items:
        where = Span(name, item.line)
        text = item.text if isinstance(item, Scalar) else ""
        try:
            if isinstance(item, Scalar):
                claim = parse_claim(item.text, where=str(where), work=title, source=where)
            elif isinstance(item, Mapping):
                named = item.get("claim")
                text = named.text if isinstance(named, Scalar) else ""
                claim = _from_fields(_fields(item, name), where, title)
            else:
                what = "a claim is a line, or 'claim:' with its place"
                raise ClaimError(what, where=str(where))
        except ClaimError as error:
            claim = not_a_claim(text or f"claim {len(claims) + 1}", error, work=title, source=where)
        claims.append(claim)
    return Claims(title, tuple(claims), name)


def _fields(item: Mapping, name: str) -> dict[str, str]:
    """The fields of a claim as they are written. Raises ClaimError for others than there are."""
    from ..formats.encodings.yaml import Scalar

    fields: dict[str, str] = {}
    for key, value in item.pairs.items():
        where = f"{name}:{key.line}"
        if key.text not in _CLAIM_KEYS:
            hint = closest(key.text, _CLAIM_KEYS)
            raise ClaimError(f"a claim has no '{key.text}'", where=where, hint=hint)
        if not isinstance(value, Scalar):
            raise ClaimError(f"'{key.text}' is one piece of text", where=where)
        fields[key.text] = value.text
    return fields


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
    measured = fields.get("measured", "false")
    if measured not in ("true", "false"):
        raise ClaimError(
            "measured is true or false", where=str(where), values=f"measured {measured[:40]}"
        )
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
        measured=measured == "true",
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
