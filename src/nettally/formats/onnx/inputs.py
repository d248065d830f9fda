"""The sizes of a graph's inputs, and values of some: as the file states them, or the user does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...errors import ReadError, closest
from ...network import MAX_SIZE
from .proto import BITS, BOOL, FLOATS, TYPES
from .values import MAX_CONTENTS, Numbers, cast, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...network import Shape
    from ..source import Source
    from .proto import Dims, Info

LENGTHS = ("seq", "len", "time", "step", "token", "frame", "word", "height", "width", "channel",
           "pos", "past")  # fmt: skip
"""Words in the name of a first axis that is no batch."""

VALUE = "value:"
"""How the name of an option begins that gives an input a value: ``value:sr``."""

IGNORE_STATED = "ignore_stated_shapes"
"""The option that has all shapes computed anew."""


class Sizes:
    """What the user, and the file, say of the inputs.

    symbols: what they stand for. trusted: the user overrode no sizes of the file. ignored: what the
    file states of the values within the graph is not to be looked at. values: of inputs.
    """

    def __init__(self) -> None:
        self.symbols: dict[str, int] = {}
        self.trusted = True
        self.ignored = False
        self.values: dict[str, Numbers] = {}
        self.notes: list[str] = []

    def of(self, dims: Dims | None) -> Dims | None:
        """Stated sizes, with a number for each symbol that has one."""
        if dims is None:
            return None
        symbols = self.symbols
        if not symbols or all(type(size) is int for size in dims):
            return dims
        return tuple(symbols.get(size, size) if isinstance(size, str) else size for size in dims)


def bind(
    infos: Sequence[Info], defaults: Sequence[Info], source: Source
) -> tuple[dict[str, Shape], Sizes]:
    """Each input's shape; and what the symbols in the file stand for, and values.

    infos: the inputs; defaults: those for which the file has a value. The user's shapes stand by
    name or under "" for the only one, with the batch or without; values stand among the options.
    An unknown first axis is taken for a batch of 1, and a note says so.
    Raises ReadError where a size is missing, no input has the name, or a shape does not fit.
    """
    sizes, where = Sizes(), source.name
    sizes.ignored = bool(source.options.get(IGNORE_STATED))
    if sizes.ignored:
        sizes.notes.append("the shapes that the file states of its values are ignored, as asked")
    by_name = {info.name: info for info in infos if not info.kind}
    named = _named(by_name, source.inputs, where)
    _values(by_name | {info.name: info for info in defaults}, named, sizes, source)
    shapes: dict[str, Shape] = {}
    for name, shape in named.items():
        if name in by_name:
            shapes[name] = _whole_shape(by_name[name], shape, sizes, where)
    _batches(by_name, shapes, sizes)
    asked: list[str] = []
    first_open = ""
    for name, info in by_name.items():
        if name in shapes:
            continue
        dims = sizes.of(info.dims)
        if dims is not None and dims and dims[0] is None:
            dims = (1, *dims[1:])
        if dims is None or not all(type(size) is int for size in dims):
            first_open = first_open or name
            asked.append(f"{name[:80]} {_stated(info)}")
        else:
            shapes[name] = dims  # type: ignore[assignment] - they are all ints here
    if asked:
        raise _open_sizes(asked, first_open, by_name, where)
    for name, shape in shapes.items():
        if not all(0 <= size <= MAX_SIZE for size in shape):
            raise ReadError(
                f"the input '{name}' has a size that cannot be",
                where=where,
                values=shown(shape),
                hint="sizes are at most 2^31 - 1",
            )
    return {name: shapes[name] for name in by_name}, sizes


def _batches(by_name: Mapping[str, Info], shapes: Mapping[str, Shape], sizes: Sizes) -> None:
    """Take a first axis without a number for a batch of 1, and note it; not of those in shapes."""
    batches: dict[str, None] = {}
    for name, info in by_name.items():
        if name in shapes or info.dims is None or not info.dims:
            continue
        first = info.dims[0]
        if first is None or (isinstance(first, str) and _is_batch(first)):
            if isinstance(first, str) and first in sizes.symbols:
                continue
            if isinstance(first, str):
                sizes.symbols[first] = 1
            batches[f"'{first[:40]}'" if first else f"the first axis of '{name[:40]}'"] = None
    if batches:
        listed = list(batches)
        more = f" and {len(listed) - 6} more" if len(listed) > 6 else ""
        sizes.notes.append(
            f"a batch of 1 is counted: {', '.join(listed[:6])}{more} is not a number"
        )


def _is_batch(symbol: str) -> bool:
    """Whether a symbol of a first axis may be the batch; a length is asked for."""
    word = symbol.lower()
    return "batch" in word or not any(part in word for part in LENGTHS)


def _named(
    by_name: Mapping[str, Info], user_shapes: Mapping[str, Shape], where: str
) -> dict[str, Shape]:
    """The shapes that the user gave, by the inputs' names."""
    named: dict[str, Shape] = {}
    for name, shape in user_shapes.items():
        if name:
            _check_name(name, by_name, where)
            named[name] = shape
            continue
        fitting = [
            each
            for each, info in by_name.items()
            if each not in user_shapes and (info.dims is None or len(info.dims) in _ranks(shape))
        ]
        open_ones = [each for each in fitting if not _closed(by_name[each])]
        if len(fitting) > 1 and len(open_ones) == 1:
            fitting = open_ones
        if len(by_name) == 1:
            fitting = list(by_name)
        if len(fitting) != 1:
            raise ReadError(
                "the network has several inputs" if by_name else "the network has no inputs",
                where=where,
                values=", ".join(f"{each} {_stated(info)}" for each, info in by_name.items()),
                hint="say which: --input NAME=" + "x".join(map(str, shape)),
            )
        named[fitting[0]] = shape
    return named


def _check_name(name: str, by_name: Iterable[str], where: str) -> None:
    if name not in by_name:
        raise ReadError(
            f"the network has no input '{name[:80]}'",
            where=where,
            values=f"its inputs: {', '.join(list(by_name)[:12]) or 'none'}",
            hint=closest(name, by_name),
        )


def _values(
    by_name: Mapping[str, Info], named: dict[str, Shape], sizes: Sizes, source: Source
) -> None:
    """The values that the user gave, into ``sizes``; and the shapes that follow, into ``named``.

    Raises ReadError for what is no value, and for more or fewer numbers than the input has.
    """
    for option, text in source.options.items():
        name = option.removeprefix(VALUE)
        if name == option:
            continue
        _check_name(name, by_name, source.name)
        info, numbers = by_name[name], _numbers(name, text, by_name[name].dtype, source.name)
        several = len(numbers) != 1 or any(mark in text for mark in "[,")
        stated = named.get(name) or sizes.of(info.dims)
        if stated is None:
            stated = (None,) if several else ()
        shape = _shape_of_value(stated, len(numbers) if several else None)
        if math.prod(shape) != len(numbers):
            raise ReadError(
                f"the value of the input '{name[:80]}' does not fit its sizes",
                where=source.name,
                values=f"{len(numbers):,} {'numbers' if several else 'number'}, {_stated(info)}",
                hint=f"--input {name[:80]}=SIZE gives the sizes that the file leaves open",
            )
        named[name] = shape
        sizes.values[name] = numbers
        sizes.notes.append(f"the input '{name[:80]}' has the value {text[:40]}, as given")


def _shape_of_value(dims: Dims, count: int | None) -> Shape:
    """The sizes of an input of ``count`` numbers; what is open is 1, or the last of it the rest."""
    shape = [size if type(size) is int else 1 for size in dims]
    left = [axis for axis, size in enumerate(dims) if type(size) is not int]
    if count is not None and left and math.prod(shape):
        shape[left[-1]] = count // math.prod(shape)
    return tuple(shape)


def _numbers(name: str, text: str, dtype: int, where: str) -> Numbers:
    """``16000``, ``0.5``, ``true``, ``1,3,224`` or ``[1, 3, 224]``, in the input's own type."""
    parts = text.strip().removeprefix("[").removesuffix("]").split(",")
    words = [part.strip().lower() for part in parts]
    numbers: list[float] = []
    for word in words if words != [""] else ():
        try:
            numbers.append(_NUMBERS[word] if word in _NUMBERS else _number(word))
        except ValueError:
            numbers = [math.nan]
            break
    whole = dtype not in FLOATS
    if (
        len(numbers) > MAX_CONTENTS
        or not all(
            math.isfinite(number) and (number == int(number) or not whole) for number in numbers
        )
        or (dtype in BITS and cast(numbers, dtype) is None)
    ):
        raise ReadError(
            f"this is no value of the input '{name[:80]}'",
            where=where,
            values=f"{text[:80]}; {'whole numbers' if whole else 'numbers'} of type "
            f"{TYPES.get(dtype, dtype)}, at most {MAX_CONTENTS:,}, are needed",
            hint=f"--value {name[:80]}=16000, or several as 1,3,224; true and false are values too",
        )
    if dtype == BOOL:
        return [int(number != 0) for number in numbers]
    return [int(number) for number in numbers] if whole else numbers


_NUMBERS = {"true": 1, "false": 0}


def _number(word: str) -> float:
    """A number as it is typed. Raises ValueError."""
    if len(word) > 40:
        raise ValueError(word)
    return int(word) if word.lstrip("+-").isdecimal() else float(word)


def _ranks(shape: Shape) -> tuple[int, int]:
    return len(shape), len(shape) + 1


def _closed(info: Info) -> bool:
    """Whether the file states all the sizes but the batch."""
    return info.dims is not None and all(type(size) is int for size in info.dims[1:])


def _whole_shape(info: Info, shape: Shape, sizes: Sizes, where: str) -> Shape:
    """The shape that the user means, batch included; binds its symbols in ``sizes``."""
    dims = info.dims
    if dims is None:
        whole = (1, *shape) if len(shape) in (1, 3) else shape
    elif len(dims) == len(shape):
        whole = shape
    elif len(dims) == len(shape) + 1:
        whole = (1, *shape)
    else:
        raise ReadError(
            f"the input '{info.name[:80]}' has {len(dims)} axes",
            where=where,
            values=f"{shown(shape)} is given, the file has {_stated(info)}",
            hint="give a size for each axis, with the batch before them or without",
        )
    for axis, (stated, size) in enumerate(zip(dims or (), whole, strict=False)):
        if isinstance(stated, str):
            before = sizes.symbols.setdefault(stated, size)
            if before != size:
                raise ReadError(
                    f"'{stated[:80]}' is given two sizes",
                    where=where,
                    values=f"{before} and {size}",
                    hint=f"it stands in the sizes of '{info.name[:80]}' too",
                )
        elif stated is not None and stated != size:
            sizes.trusted = False
            sizes.notes.append(
                f"the input '{info.name[:80]}' is {size} along axis {axis}, as given; the file has "
                f"{stated}"
            )
    return whole


def _stated(info: Info) -> str:
    if info.dims is None:
        return "(no sizes)"
    return "[" + ", ".join("?" if size is None else str(size) for size in info.dims) + "]"


def _open_sizes(
    asked: Sequence[str], first: str, by_name: Mapping[str, Info], where: str
) -> ReadError:
    info, name = by_name[first], first[:80]
    example = _example(info.dims)
    more = f" and {len(asked) - 8} more" if len(asked) > 8 else ""
    return ReadError(
        "the file leaves sizes of its inputs open",
        where=where,
        values=", ".join(asked[:8]) + more,
        hint="give them: "
        + (f"--input {example}" if len(by_name) == 1 else f"--input {name}={example}"),
    )


def _example(dims: Dims | None) -> str:
    """Sizes that could be given, those that the file states among them; an open batch left out."""
    if dims is None:
        return "3x224x224"
    usual = (1, 3, 224, 224) if len(dims) == 4 else (128,) * len(dims)
    sizes = [size if type(size) is int else most for size, most in zip(dims, usual, strict=True)]
    first = dims[0]
    if len(dims) > 1 and (first is None or first == 1 or (type(first) is str and _is_batch(first))):
        sizes = sizes[1:]
    return "x".join(map(str, sizes))
