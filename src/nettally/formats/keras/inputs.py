"""A Keras model's inputs: the sizes that the file states, or the user's, channels first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ReadError
from ...network import MAX_SIZE
from .builder import Value, back

if TYPE_CHECKING:
    from ...network import Shape
    from ..source import Source
    from .builder import Builder
    from .graph import Model


def inputs(top: Model, source: Source, builder: Builder) -> list[Value]:
    """The inputs, of the sizes that the file states or the user gives."""
    from .config import shape_of

    stated: dict[str, Any] = {}
    if top.sequential:
        first = next(iter(top.layers.values()))
        name = first.name if first.cls == "InputLayer" else "input"
        stated[name] = top.built
    else:
        for ref in top.inputs:
            spec = top.layers[ref.layer]
            shape = None
            for key in ("batch_shape", "batch_input_shape"):
                shape = shape if shape is not None else shape_of(spec, spec.config.get(key))
            for key in ("input_shape", "shape"):
                if shape is None and spec.config.get(key) is not None:
                    example = shape_of(spec, spec.config[key])
                    shape = None if example is None else (None, *example)
            stated[spec.name] = shape
    sizes = _user_sizes(source, list(stated))
    builder.stated_hold = not sizes
    return [
        _input(name, shape, sizes.get(name), top, source, builder) for name, shape in stated.items()
    ]


def _user_sizes(source: Source, names: list[str]) -> dict[str, Shape]:
    from ...errors import closest

    sizes: dict[str, Shape] = {}
    for name, shape in source.inputs.items():
        if name not in names and (name or len(names) != 1):
            raise ReadError(
                f"the model has no input '{name[:60]}'" if name else "the model has several inputs",
                where=source.name,
                values=f"inputs: {', '.join(names)[:200]}",
                hint=closest(name, names) if name else f"say which, --input {names[0]}=3x224x224",
            )
        sizes[name or names[0]] = shape
    return sizes


def _input(
    name: str, stated: Any, user_shape: Shape | None, top: Model, source: Source, builder: Builder
) -> Value:
    """One input, channels first where the model works on images."""
    rank = len(stated) if stated is not None else 0
    if user_shape is not None and not rank:
        rank = len(user_shape) + 1
    first = _is_first(rank, top)
    open_: Any = stated
    if stated is not None and first:
        open_ = (stated[0], stated[-1], *stated[1:-1])
    batch = 1
    if user_shape is not None:
        if len(user_shape) == rank:
            batch, user_shape = user_shape[0], user_shape[1:]
        fits = (
            len(user_shape) == rank - 1
            and all(
                want is None or want == size or index
                for index, (want, size) in enumerate(zip(open_[1:], user_shape, strict=True))
            )
            if stated is not None and len(user_shape) == rank - 1
            else stated is None
        )
        if not fits:
            shown = "x".join("?" if size is None else str(size) for size in open_[1:])
            raise ReadError(
                f"the size given for '{name[:60]}' does not fit the model",
                where=source.name,
                values=f"{'x'.join(map(str, user_shape))}, the file has {shown}"
                + (" (channels first)" if first else ""),
                hint="sizes are given as channels, height, width" if first else "",
            )
        whole: Shape = (batch, *user_shape)
    else:
        if stated is None or None in stated[1:]:
            shown = (
                "" if stated is None
                else "x".join("?" if size is None else str(size) for size in open_[1:])
            )  # fmt: skip
            raise ReadError(
                f"the size of the input '{name[:60]}' is left open",
                where=source.name,
                values=shown,
                hint=f"--input {name[:60]}="
                + (shown.replace("?", "224" if first else "100") or "3x224x224"),
            )
        whole = (batch, *open_[1:])
    if len(whole) < 2 and stated is not None and len(stated) == 1:
        whole = (*whole, 1)  # a single number an example
    if any(not 1 <= size <= MAX_SIZE for size in whole):
        raise ReadError(
            f"the input '{name[:60]}' has a size that cannot be",
            where=source.name,
            values="x".join(map(str, whole)),
        )
    node = builder.free(name)
    builder.shapes[node] = whole
    return Value(node, back(whole) if first else whole, first)


def _is_first(rank: int, top: Model) -> bool:
    """Whether an input's channels stand last and are brought first."""
    from .layers import ALONG, SPATIAL, STEPS

    if rank < 3:
        return False
    kinds = {spec.cls for spec in top.specs()}
    works = [spec for spec in top.specs() if spec.cls in SPATIAL or spec.cls in ALONG]
    if works and not any(spec.last() for spec in works):
        return False  # the model has its channels first, as we do
    if rank == 3:
        return not kinds.isdisjoint(ALONG) and kinds.isdisjoint(STEPS)
    return not kinds.isdisjoint(SPATIAL) and not any("ConvLSTM" in kind for kind in kinds)
