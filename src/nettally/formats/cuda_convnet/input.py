"""The input's size, which a cuda-convnet file does not say: taken from the user, or inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ReadError
from ...network import MAX_SIZE, Shape
from ..graph_builder import by_axis, sizes_from_user
from .builder import Extent, Plan, check_extent
from .values import Cost, Data
from .weights import FullyConnected, TreeFullyConnected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..source import Source

CANDIDATES = range(8, 513)
"""The sides of a square input that are tried."""

MAX_STEPS = 200_000
"""How many layers are worked out at most while sizes are tried: about half a second."""

WHY = {
    224: "the crop of ImageNet's images that the code's shownet.py hard-codes",
    32: "the size of CIFAR's images",
    24: "CIFAR's images less a border of 4",
}
"""The inputs that the code's own data providers make."""


def extents(plans: Sequence[Plan], data: Mapping[str, Extent | None]) -> dict[str, Extent | None]:
    """The output's size of each layer, None where it is not known; costs are left out.

    Raises ReadError at the first layer whose input does not fit it.
    """
    known: dict[str, Extent | None] = dict(data)
    for plan in plans:
        if isinstance(plan, (Data, Cost)):
            continue
        xs = [known.get(source.name) for source in plan.inputs]
        ready = [x for x in xs if x is not None]
        y = None
        if len(ready) == len(xs) and not isinstance(plan, TreeFullyConnected):
            y = check_extent(plan, plan.extent(ready))
        elif isinstance(plan, FullyConnected):
            y = Extent(plan.outputs * plan.parts)
        known[plan.name] = y
    return known


def images(plans: Sequence[Plan]) -> dict[str, int]:
    """The channels as which each data layer's output is read, where a layer says so."""
    roots: dict[str, str] = {}
    channels: dict[str, int] = {}
    for plan in plans:
        if isinstance(plan, Data):
            roots[plan.name] = plan.name
            continue
        for source, wanted in zip(plan.inputs, plan.wanted(), strict=False):
            if source.name in roots:
                channels.setdefault(roots[source.name], wanted)
        if plan.keeps_shape and plan.inputs[0].name in roots:
            roots[plan.name] = roots[plan.inputs[0].name]
    return channels


def input_from_user(
    data: Sequence[Data], channels: Mapping[str, int], source: Source
) -> tuple[dict[str, Extent], int]:
    """The inputs' sizes that the user or the file states, and the batch (1 where neither does)."""
    sizes = sizes_from_user(source, [plan.name for plan in data])
    known = {plan.name: Extent(plan.values) for plan in data if plan.values}
    batches: set[int] = set()
    for name, shape in sizes.items():
        known[name], batch = _extent(shape, name, source.name)
        batches.add(batch)
    for name, size in known.items():
        wanted = channels.get(name)
        if not size.side and wanted:
            side = round((size.channels / wanted) ** 0.5)
            if side * side * wanted == size.channels:
                known[name] = Extent(wanted, side)
    if len(batches) > 1:
        raise ReadError(
            "the inputs have different batches", where=source.name, values=f"{sorted(batches)}"
        )
    return known, batches.pop() if batches else 1


def _extent(shape: Shape, name: str, file: str) -> tuple[Extent, int]:
    shown = by_axis(shape)
    if not 1 <= len(shape) <= 4 or not all(1 <= size <= MAX_SIZE for size in shape):
        raise ReadError(
            f"the input '{name}' has a size that cannot be",
            where=file,
            values=shown[:80],
            hint="channels x height x width, as 3x224x224, or a number of values",
        )
    batch = shape[0] if len(shape) in (2, 4) else 1
    *_, last = shape
    if len(shape) <= 2:
        return Extent(last), batch
    if last != shape[-2]:
        raise ReadError(
            "cuda-convnet's images are square",
            where=file,
            values=f"input {shown}",
            hint="give the same height and width",
        )
    return Extent(shape[-3], last), batch


def infer(
    plans: Sequence[Plan],
    unknown: Sequence[Data],
    channels: Mapping[str, int],
    known: Mapping[str, Extent],
    file: str,
) -> tuple[int, str]:
    """The side of the square images that ``unknown`` stand for, and a note that says why.

    Tried are the sides of CANDIDATES. One is consistent when every layer's input fits it: windows
    are not larger than it, partialSum divides the number of modules, the inputs of a layer of
    several agree. Raises ReadError where none is, and where nothing decides between many.
    """
    name = unknown[0].name
    hint = f"say it: --input {channels.get(name, 3)}x32x32"
    if len(unknown) > 1:
        hint = f"say each: --input {name}={channels.get(name, 3)}x32x32"
    if len({plan.index for plan in unknown}) > 1 or any(p.name not in channels for p in unknown):
        names = ", ".join(plan.name for plan in unknown)
        what = "no layer says how many channels" if len(unknown) == 1 else "their sizes may differ"
        raise ReadError(
            f"the file does not say the size of its input, and {what}",
            where=unknown[0].section.where(),
            values=f"input {names}",
            hint=hint,
        )
    if len(plans) * len(CANDIDATES) > MAX_STEPS:
        raise ReadError(
            "the file does not say the size of its input, and has too many layers to try sizes",
            where=file,
            values=f"{len(plans):,} layers",
            hint=hint,
        )
    consistent: list[int] = []
    failures: dict[int, ReadError] = {}
    for side in CANDIDATES:
        data = {**known, **{p.name: Extent(channels[p.name], side) for p in unknown}}
        try:
            extents(plans, data)
            consistent.append(side)
        except ReadError as error:
            failures[side] = error
    if not consistent:
        raise _nothing_fits(plans, failures)
    classes = next((p.outputs for p in reversed(plans) if isinstance(p, FullyConnected)), 0)
    taken, why = _choose(consistent, classes)
    listed = f"of {CANDIDATES[0]} to {CANDIDATES[-1]}, {_consistent(consistent)}"
    if not taken:
        raise ReadError(
            "the file does not say the size of its input, and nothing decides it",
            where=unknown[0].section.where(),
            values=listed,
            hint=hint,
        )
    return taken, f"input {taken}: the file does not say it; {listed}; {why}"


def _choose(sizes: Sequence[int], classes: int) -> tuple[int, str]:
    """The size to take, and why; 0 where nothing decides.

    A single consistent size is taken. Else a size that the code's own data providers make: 224 for
    1000 classes and more, 32 and then 24 for CIFAR's 10 and 100; for any other number of classes,
    only where one of the three alone is consistent.
    """
    if len(sizes) == 1:
        return sizes[0], "it is the only one"
    usual = [size for size in WHY if size in sizes]
    if classes >= 1000:
        usual = [size for size in usual if size == 224]
    elif classes in (10, 100):
        usual = [size for size in usual if size != 224]
    elif len(usual) != 1:
        return 0, ""
    if not usual:
        return 0, ""
    others = "".join(f"; --input 3x{size}x{size} for {WHY[size]}" for size in usual[1:])
    return usual[0], f"{usual[0]} is {WHY[usual[0]]}{others}"


def _consistent(sizes: Sequence[int]) -> str:
    """``12 sizes are consistent: 24, 32, 219-222, ...``."""
    runs: list[list[int]] = []
    for size in sizes:
        if runs and size == runs[-1][1] + 1:
            runs[-1][1] = size
        else:
            runs.append([size, size])
    shown = [f"{a}-{b}" if a < b else f"{a}" for a, b in runs]
    if len(shown) > 12:
        shown = [*shown[:11], "…", shown[-1]]
    plural = "s are" if len(sizes) > 1 else " is"
    return f"{len(sizes)} size{plural} consistent: {', '.join(shown)}"


def _nothing_fits(plans: Sequence[Plan], failures: Mapping[int, ReadError]) -> ReadError:
    """The complaint of the candidate that came furthest down the file."""
    order = {plan.name: index for index, plan in enumerate(plans)}

    def depth(side: int) -> int:
        return order.get(failures[side].what.partition(":")[0], -1)

    best = max(failures, key=lambda side: (depth(side), side == 224, -side))
    error = failures[best]
    if len({failure.what + failure.values for failure in failures.values()}) == 1:
        return error  # it has nothing to do with the size
    return ReadError(
        error.what,
        where=error.where,
        values=f"{error.values}; no input of {CANDIDATES[0]} to {CANDIDATES[-1]} fits all layers, "
        f"{best} comes furthest",
        hint=error.hint or "is a number in this layer, or in one before it, mistaken?",
    )
