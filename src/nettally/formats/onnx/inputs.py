"""The sizes of a graph's inputs: as the file states them, and as the user gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ReadError, closest
from ...network import MAX_SIZE
from .values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...network import Shape
    from .proto import Dims, Info

LENGTHS = ("seq", "len", "time", "step", "token", "frame", "word", "height", "width", "channel",
           "pos", "past")  # fmt: skip
"""Words in the name of a first axis that is no batch."""


class Sizes:
    """The sizes that symbols stand for, and whether the user overrode sizes of the file."""

    def __init__(self) -> None:
        self.symbols: dict[str, int] = {}
        self.trusted = True
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
    infos: Sequence[Info], user_shapes: Mapping[str, Shape], where: str
) -> tuple[dict[str, Shape], Sizes]:
    """Each input's shape; and what the symbols in the file stand for.

    user_shapes: as the user gave them, by name or under "" for the only one, with the batch or
    without. An unknown first axis is taken for a batch of 1, and a note says so.
    Raises ReadError where a size is missing, no input has the name, or a shape does not fit.
    """
    sizes = Sizes()
    by_name = {info.name: info for info in infos if not info.kind}
    named = _named(by_name, user_shapes, where)
    shapes: dict[str, Shape] = {}
    for name, shape in named.items():
        shapes[name] = _whole_shape(by_name[name], shape, sizes, where)
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
            if name not in by_name:
                raise ReadError(
                    f"the network has no input '{name}'",
                    where=where,
                    values=f"its inputs: {', '.join(list(by_name)[:12]) or 'none'}",
                    hint=closest(name, by_name),
                )
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
    rank = 4 if info.dims is None else len(info.dims)
    example = "3x224x224" if rank == 4 else "x".join(["128"] * max(rank - 1, 1))
    more = f" and {len(asked) - 8} more" if len(asked) > 8 else ""
    return ReadError(
        "the file leaves sizes of its inputs open",
        where=where,
        values=", ".join(asked[:8]) + more,
        hint="give them: "
        + (f"--input {example}" if len(by_name) == 1 else f"--input {name}={example}"),
    )
