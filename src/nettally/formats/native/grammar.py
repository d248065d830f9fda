"""The one-line grammar of our own files: ``conv 48*2, 11x11, stride 4, no bias from data``.

``split`` cuts a line into its parts, ``bind`` gives each part its field. The values are computed
where the parameters of the block are known: see ``field_values``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import ReadError, closest
from ...expression import ExpressionError
from ..budget import NODES
from ..encodings.yaml.tree import clip
from .field_values import Constant, Signature, Value, closing, pieces, read_value, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

RESERVED = ("layer", "from", "each", "weights", "module")
"""Words of a line or mapping that are no fields; no layer may have a field of such a name."""


class Range(NamedTuple):
    """The names stem + each of ends + tail: ``conv4_{2..36}``."""

    stem: str
    ends: tuple[str, ...] | range
    tail: str

    def each(self, prefix: str = "") -> Iterator[str]:
        """The names, behind a prefix."""
        stem, ends, tail = self
        return (f"{prefix}{stem}{end}{tail}" for end in ends)


class Sources(NamedTuple):
    """What a line reads. each: every layer of a range reads it, so that they stand side by side."""

    names: tuple[str | Range, ...]
    each: bool


class Line(NamedTuple):
    """A line cut up, its fields not known yet. sources: None where it does not say ``from``."""

    kind: str
    parts: tuple[str, ...]
    sources: Sources | None


# --- cutting ------------------------------------------------------------------------------------


def split(text: str) -> Line:
    """The parts of a line. Raises ReadError, without a place."""
    body, sources = _cut_from(text)
    end = 0
    while end < len(body) and (body[end].isalnum() or body[end] in "_-"):
        end += 1
    kind, rest = body[:end], body[end:].strip()
    if not kind:
        raise ReadError(
            "a line begins with the name of a layer or block",
            values=repr(clip(text)),
            hint="as in '- conv1: conv 96, 11x11, stride 4'",
        )
    if rest.startswith(","):
        rest = rest[1:].strip()
    parts = tuple(pieces(rest)) if rest else ()
    if "" in parts:
        raise ReadError("there is nothing between two commas", values=repr(clip(text)))
    return Line(kind, parts, sources)


def name(text: str) -> str:
    """One name, plain or in quotes. Raises ReadError."""
    (first, *others), _ = sources(text)
    if others or not isinstance(first, str):
        raise ReadError("here stands the name of one layer", values=repr(clip(text)))
    return first


def sources(text: str, each: bool = False) -> Sources:
    """What stands after ``from``: names between commas, plain, in quotes, or as a range."""
    listed: list[str | Range] = []
    for piece in pieces(text):
        source: str | Range | None = unquote(piece)
        if source is None:
            source = piece
            if not piece or any(c.isspace() or c in "'\"[]()" for c in piece):
                raise ReadError(
                    "after 'from' stand names of layers, with commas between them",
                    values=repr(clip(text)),
                    hint="a name with blanks or brackets in it needs quotes",
                )
            if "{" in piece or "}" in piece:
                source = span(piece)
        listed.append(source)
    return Sources(tuple(listed), each)


def span(name: str) -> Range:
    """``conv4_{2..36}`` as a range; a name without one has the one end ""."""
    stem, opened, rest = name.partition("{")
    if not opened:
        if "}" in name:
            raise ReadError("'}' without '{' in a name", hint="put the name in quotes")
        return Range(name, ("",), "")
    inside, closed, tail = rest.partition("}")
    first, dots, last = inside.partition("..")
    if not closed or not dots or "{" in tail or "}" in tail:
        raise ReadError("this is no range of names", hint="as in 'conv4_{2..36}' or 'conv3_{b..d}'")
    if first.isascii() and last.isascii():
        if first.isdigit() and last.isdigit() and max(len(first), len(last)) <= 10:
            low, high = int(first), int(last)
            if high - low >= NODES:
                raise ReadError("the file stands for too many layers", values=f"over {NODES:,}")
            if low <= high:
                return Range(stem, range(low, high + 1), tail)
        if len(first) == len(last) == 1 and first.isalpha() and last.isalpha() and first <= last:
            ends = tuple(chr(c) for c in range(ord(first), ord(last) + 1))
            return Range(stem, ends, tail)
    raise ReadError(
        "a range goes up, from number to number or from letter to letter",
        values="{" + clip(inside) + "}",
    )


def _cut_from(text: str) -> tuple[str, Sources | None]:
    """The line before ``from`` or ``each from``, and what is read."""
    if "from" not in text:
        return text.strip(), None
    at = 0
    while at < len(text):
        if text[at] in "'\"":
            at = closing(text, at)
        elif text.startswith("from", at) and (
            text[at - 1 : at].strip() == text[at + 4 : at + 5].strip() == ""  # a word of its own
        ):
            body = text[:at].strip()
            each = body == "each" or body.endswith((" each", ",each"))
            if each:
                body = body[:-4].strip().removesuffix(",")
            return body, sources(text[at + 4 :].strip(), each)
        at += 1
    return text.strip(), None


# --- giving each part its field -----------------------------------------------------------------


def bind(line: Line, sig: Signature, params: Iterable[str]) -> dict[str, Value]:
    """Each field that the line gives, and its value. Raises ReadError, without a place."""
    values: dict[str, Value] = {}
    waiting = list(sig.positional)
    for part in line.parts:
        head, _, rest = part.partition(" ")
        rest = rest.strip()
        value: Value
        if head in sig.types and (rest or sig.types[head] == "bool") and not _operator(rest):
            field = head
            if not rest:
                value = Constant(True)
            else:
                value = _value(rest, sig.types[field])
        elif head == "no" and rest:
            field = rest
            _known(field, sig)
            if sig.types[field] not in ("bool", "any"):
                raise ReadError(
                    f"'no {field}': {field} is not a matter of yes or no",
                    hint=f"leave {field} out, or give it a value",
                )
            value = Constant(False)
        elif head.isidentifier() and rest and not _operator(rest):
            if rest.split()[0] in sig.types and head not in sig.types:
                raise _comma_left_out(part, head, rest)
            _known(head, sig)
            raise ReadError(f"'{clip(part)}' is not understood")
        elif waiting and all(name in sig.positional for name in values):
            field = waiting[0]
            value = _value(part, sig.types[field])
        elif head in sig.types and head not in values:
            raise ReadError(f"'{head}' needs a value", values=f"{sig.name} … {clip(part)}")
        elif head.isidentifier() and not rest and head not in params and not waiting:
            _known(head, sig)
            raise ReadError(f"{sig.name}: '{head}' is given twice")
        else:
            raise _surplus(part, sig, bool(waiting))
        if field in values:
            raise ReadError(f"{sig.name}: '{field}' is given twice", values=clip(part))
        if field in waiting:
            waiting.remove(field)
        values[field] = value
    missing(values, sig)
    return values


def _value(text: str, kind: str) -> Value:
    """A value of a type. Raises ReadError also where two values stand without a comma between."""
    try:
        return read_value(text, kind)
    except ExpressionError:
        words = text.split()
        for i in range(1, len(words)):
            first, rest = " ".join(words[:i]), " ".join(words[i:])
            if first[-1:] not in "+-*/(" and rest[:1] not in "+-*/)":
                sizes = "".join(words).replace("×", "x")
                if any(word.strip("x×") != word for word in words) and _is_read(sizes, kind):
                    raise ReadError(
                        "sizes are written with an x and without blanks",
                        values=repr(clip(text)),
                        hint=f"'{clip(sizes)}'",
                    ) from None
                if _is_read(first, kind):
                    raise _comma_left_out(text, first, rest) from None
        raise


def _is_read(text: str, kind: str) -> bool:
    try:
        read_value(text, kind)
    except (ReadError, ExpressionError):
        return False
    return True


def _comma_left_out(text: str, first: str, rest: str) -> ReadError:
    return ReadError(
        "two values stand side by side without a comma",
        values=repr(clip(text)),
        hint=f"'{clip(first)}, {clip(rest)}'",
    )


def missing(values: Mapping[str, object], sig: Signature) -> None:
    """ReadError where a value is not given that has to be."""
    for name in sig.required:
        if name not in values:
            raise ReadError(
                f"{sig.name} needs '{name}'",
                hint=f"'{' '.join((sig.name, ', '.join(n.upper() for n in sig.positional)))}'",
            )


def _surplus(part: str, sig: Signature, waiting: bool) -> ReadError:
    if waiting:
        return ReadError(
            f"{sig.name}: a value without a name stands after one with a name",
            values=clip(part),
            hint="values without a name stand first: " + ", ".join(sig.positional),
        )
    count = len(sig.positional)
    taken = ", ".join(sig.positional)
    others = [name for name in sig.types if name not in sig.positional]
    return ReadError(
        f"{sig.name} takes {count or 'no'} value{'' if count == 1 else 's'} without a name"
        + (f" ({taken})" if taken else ""),
        values=f"one too many: {clip(part)}",
        hint=("give it a name: " + ", ".join(others)) if others else "leave it out",
    )


def _known(field: str, sig: Signature) -> None:
    if field not in sig.types:
        known = [*sig.types, "weights"] if sig.types else []
        raise ReadError(
            f"{sig.name} has no field '{clip(field)}'",
            hint=closest(field, known) if known else f"{sig.name} stands alone",
        )


def _operator(rest: str) -> bool:
    """Whether an expression goes on here: ``* 2``, ``- 1``; but ``-1`` is a value."""
    return rest[:1] in ("*", "/", "+") or rest[:2] == "- "
