"""The one-line grammar of our own files: ``conv 48*2, 11x11, stride 4, no bias from data``.

``split`` cuts a line into its parts, ``bind`` gives each part its field. The values are computed
where the parameters of the block are known: see ``field_values``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import ReadError, closest
from ...expression import ExpressionError
from ..encodings.yaml.tree import clip
from .field_values import Constant, Signature, Value, closing, pieces, read_value, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESERVED = ("layer", "from", "weights", "module")
"""Words of a line or mapping that are no fields; no layer may have a field of such a name."""


class Line(NamedTuple):
    """A line cut up, its fields not known yet. inputs: None where it does not say ``from``."""

    kind: str
    parts: tuple[str, ...]
    inputs: tuple[str, ...] | None


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
    return Line(kind, parts, None if sources is None else names(sources))


def names(text: str) -> tuple[str, ...]:
    """Names between commas, each plain or in quotes."""
    words: list[str] = []
    for piece in pieces(text):
        name = unquote(piece)
        if name is None:
            name = piece
            if not name or any(c.isspace() or c in "'\"[](){}" for c in name):
                raise ReadError(
                    "after 'from' stand names of layers, with commas between them",
                    values=repr(clip(text)),
                    hint="a name with blanks or brackets in it needs quotes",
                )
        words.append(name)
    return tuple(words)


def _cut_from(text: str) -> tuple[str, str | None]:
    """The line before ``from``, and the names after it."""
    if "from" not in text:
        return text.strip(), None
    at = 0
    while at < len(text):
        if text[at] in "'\"":
            at = closing(text, at)
        elif text.startswith("from", at) and (
            text[at - 1 : at].strip() == text[at + 4 : at + 5].strip() == ""  # a word of its own
        ):
            return text[:at].strip(), text[at + 4 :].strip()
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
