"""Values of fields: as they are written, as they are computed, and the layers made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ... import expression
from ...arith import Num
from ...errors import LayerError, ReadError, closest
from ...expression import FunctionCall, Name, Number, Operation, Tree
from ...network import NOTHING
from ..encodings.yaml.tree import clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...network import Layer

PADDINGS = ("same", "same_lower", "valid")
"""Paddings that stand for a rule and not for a number."""

MAX_NUMBER = 10**40
"""A number that is larger on the way, or at the end, is refused."""


class Signature(NamedTuple):
    """What a layer or a block can be given.

    types: by field, one of int, float, bool, str, sizes, tuple, layers, tensors, any.
    positional: the fields given without a name, in order. required: those without a default.
    """

    name: str
    types: Mapping[str, str]
    positional: tuple[str, ...]
    required: tuple[str, ...]


class Constant(NamedTuple):
    value: Any


class Several(NamedTuple):
    """A list whose items are values."""

    items: tuple[Value, ...]


Value = Constant | Several | Tree


class Pair(tuple[int, ...]):
    """Padding before and after, said once for all axes: ``0:3``."""


class Word(str):
    """A word that stood without quotes and is no parameter: ``up``."""


# --- text ---------------------------------------------------------------------------------------


def pieces(text: str) -> list[str]:
    """What stands between the commas that are in no bracket and no quotes."""
    if not _MARKS.intersection(text):
        return [piece.strip() for piece in text.split(",")]
    parts: list[str] = []
    depth = start = at = 0
    while at < len(text):
        mark = text[at]
        if mark in "'\"":
            at = closing(text, at)
        elif mark in "[(":
            depth += 1
        elif mark in "])":
            depth -= 1
        elif mark == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    parts.append(text[start:].strip())
    return parts


_MARKS = frozenset("'\"[](){}")


def closing(text: str, at: int) -> int:
    """Where the quotation that opens here ends; a doubled mark inside stands for itself."""
    mark = text[at]
    end = text.find(mark, at + 1)
    while end >= 0 and text[end + 1 : end + 2] == mark:
        end = text.find(mark, end + 2)
    if end < 0:
        raise ReadError("a quotation mark is never closed", values=repr(clip(text[at:])))
    return end


def unquote(text: str) -> str | None:
    """What stands in the quotes, or None where the whole text is not one quotation."""
    if len(text) < 2 or text[0] not in "'\"" or closing(text, 0) != len(text) - 1:
        return None
    return text[1:-1].replace(text[0] * 2, text[0])


# --- reading ------------------------------------------------------------------------------------


_signatures: dict[type[Layer], Signature] = {}

_TYPES = {
    "int": "int",
    "int | None": "int",
    "float": "float",
    "bool": "bool",
    "str": "str",
    "tuple[int, ...]": "tuple",
    "tuple[int, ...] | None": "tuple",
    "tuple[Conv, ...]": "layers",
    "Tensors": "tensors",
    "Tensors | None": "tensors",
}


def signature(cls: type[Layer]) -> Signature:
    """A class of layers' signature, from its annotations."""
    if cls in _signatures:
        return _signatures[cls]
    types: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        for name, kind in base.__dict__.get("__annotations__", NOTHING).items():
            if name in cls._fields:
                types[name] = _TYPES.get(getattr(kind, "__name__", str(kind)), "sizes")
    defaults = cls._defaults
    sig = Signature(
        cls.kind,
        {name: types[name] for name in cls._fields},
        cls.positional,
        # 0 and () are no sizes: such a field has to be given
        tuple(n for n in cls.positional if defaults.get(n) in (0, ()) and types[n] != "float"),
    )
    _signatures[cls] = sig
    return sig


def read_value(text: str, kind: str, depth: int = 0) -> Value:
    """A value as it is written, for a field of a type. Raises ReadError or ExpressionError."""
    if text.isascii() and text.isdigit() and len(text) <= expression.MAX_DIGITS and kind != "str":
        return Constant(int(text))
    quoted = unquote(text) if text[:1] in ("'", '"') else None
    if quoted is not None:
        return Constant(quoted)
    if kind == "str":
        return Name(text, 0)
    if text[:1] == "[":
        if text[-1] != "]":
            raise ReadError("a bracket is never closed", values=repr(clip(text)))
        if depth >= 4:
            raise ReadError("lists nest more than 4 deep", values=repr(clip(text)))
        inner = text[1:-1].strip()
        return several([read_value(p, "any", depth + 1) for p in pieces(inner)] if inner else [])
    if text in _WORDS:
        return Constant(_WORDS[text])
    sizes = _sizes(text) if "x" in text or ":" in text else None
    return expression.parse(text) if sizes is None else Constant(sizes)


_WORDS = {"true": True, "false": False, "none": None}


def several(items: list[Value]) -> Value:
    if all(isinstance(item, Constant) for item in items):
        return Constant(tuple(item.value for item in items))  # type: ignore[union-attr] - all Constants, as just asked
    return Several(tuple(items))


def _sizes(text: str) -> tuple[Any, ...] | None:
    """``3x3`` and ``1x0:3`` as sizes an axis, ``0:3`` as a Pair; None where it is none of them."""
    sizes: list[Any] = []
    for axis in text.split("x"):
        ends = axis.split(":")
        if len(ends) > 2 or not all(_whole(end) for end in ends):
            return None
        sizes.append(int(ends[0]) if len(ends) == 1 else (int(ends[0]), int(ends[1])))
    return Pair(sizes[0]) if len(sizes) == 1 else tuple(sizes)


def _whole(text: str) -> bool:
    digits = text[1:] if text[:1] == "-" else text
    return digits.isascii() and digits.isdigit() and len(digits) <= expression.MAX_DIGITS


def evaluate(value: Value, env: Mapping[str, Any]) -> Any:
    """A value under the block's parameters. Raises LayerError where it can't be computed.

    What was computed with + - * // is a ``Num`` that knows its working.
    """
    if isinstance(value, Constant):
        return value.value
    if isinstance(value, Name):
        return env[value.text] if value.text in env else Word(value.text)
    if isinstance(value, Number):
        return value.value
    if isinstance(value, Several):
        return tuple(evaluate(item, env) for item in value.items)
    return _compute(value, env)


def operations(value: Value) -> int:
    """How many steps of arithmetic the value asks for."""
    if isinstance(value, Several):
        return sum(map(operations, value.items))
    if isinstance(value, Operation):
        return 1 + operations(value.left) + operations(value.right)
    return 0


def _compute(tree: Tree, env: Mapping[str, Any]) -> Any:
    if isinstance(tree, Number):
        return Num(tree.value, "") if type(tree.value) is int else tree.value
    if isinstance(tree, Name):
        if tree.text not in env:
            hint = closest(tree.text, env) if env else "only a block has parameters"
            raise LayerError(f"no parameter is called '{clip(tree.text)}'", hint=hint)
        value = env[tree.text]
        if type(value) is int:
            return Num(value, tree.text)
        if not isinstance(value, (Num, float)):
            raise LayerError("only numbers can be computed with", values=f"{tree.text} {value!r}")
        return value
    if isinstance(tree, FunctionCall):
        raise LayerError(f"there are no functions here: '{clip(tree.function)}(…)'")
    left, right = _compute(tree.left, env), _compute(tree.right, env)
    sign = tree.sign
    if sign in ("/", "//") and right == 0:
        raise LayerError("division by zero", values=f"{left} {sign} {right}")
    if sign == "/":
        return float(left) / float(right)
    if sign == "//" and not (isinstance(left, Num) and isinstance(right, Num)):
        raise LayerError("// divides whole numbers", values=f"{left} // {right}")
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    if sign == "+":
        result = left + right
    elif sign == "-":
        result = left - right
    else:
        result = left * right if sign == "*" else left // right
    if not -MAX_NUMBER < result < MAX_NUMBER:
        raise LayerError("the number is too large", hint="a size is at most 2^31 - 1")
    return result


def build(
    cls: type[Layer], values: Mapping[str, Any], sig: Signature
) -> tuple[Layer, Mapping[str, Any]]:
    """The layer, and what only the text has: computed numbers, and ``same``.

    Raises LayerError. A padding of ``same`` is left at 0, to be resolved where the input is known.
    """
    fields: dict[str, Any] = {}
    written: dict[str, Any] = {}
    for name, value in values.items():
        kind = sig.types[name]
        if isinstance(value, Num) and kind in ("int", "sizes"):
            written[name] = value
        if name == "padding" and value in PADDINGS:
            if value != "valid":
                if "kernel" not in sig.types:
                    raise LayerError(f"'{value}' needs a kernel", values=f"padding {value}")
                written[name] = str(value)
            continue
        fields[name] = coerce(value, kind, name)
    for name, value in fields.items():
        if isinstance(value, Pair):
            kernel = fields.get("kernel")
            axes = len(kernel) if isinstance(kernel, tuple) else 2
            fields[name] = (tuple(value),) * axes
    return cls(**fields), written or NOTHING


def coerce(value: Any, kind: str, field: str) -> Any:
    """The value as a field of its type holds it. Raises LayerError for one of another type."""
    if isinstance(value, Num):
        value = int(value)
    if kind == "float" and type(value) in (int, float):
        return float(value)
    if kind == "int" and (type(value) is int or value is None):
        return value
    if kind == "bool" and type(value) is bool:
        return value
    if kind == "str" and isinstance(value, str):
        return str(value)
    if kind == "tuple":
        if type(value) is int:
            return (value,)
        if value is None or (type(value) is tuple and all(type(v) is int for v in value)):
            return value
    if kind == "sizes" and (type(value) is int or _is_sizes(value)):
        return _plain(value)
    if kind == "layers" and type(value) is tuple:
        return value
    if kind == "tensors" and (value is None or _is_tensors(value)):
        return value if value is None else tuple((str(name), sizes) for name, sizes in value)
    raise LayerError(
        f"{field} {_WANTED[kind]}",
        values=f"{field} {clip(value if isinstance(value, str) else repr(value))}",
        hint=closest(value, PADDINGS) if field == "padding" and isinstance(value, str) else "",
    )


_WANTED = {
    "float": "is a number",
    "int": "is a whole number",
    "bool": "is a matter of yes or no",
    "str": "is a word",
    "tuple": "is a list of whole numbers",
    "sizes": "is a whole number, or one an axis, as in 3x3",
    "layers": "is a list of layers",
    "tensors": "holds sizes by name, as in {weight: [8, 3]}",
}


def _is_tensors(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(each, tuple)
        and len(each) == 2
        and isinstance(each[0], str)
        and type(each[1]) is tuple
        and all(type(size) is int for size in each[1])
        for each in value
    )


def _is_sizes(value: Any, depth: int = 0) -> bool:
    return isinstance(value, tuple) and all(
        type(v) is int or isinstance(v, Num) or (depth < 3 and _is_sizes(v, depth + 1))
        for v in value
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Pair):
        return value
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    return int(value)
