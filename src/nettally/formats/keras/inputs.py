"""A Keras model's inputs, of the file's sizes or the user's, and the model run on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ReadError
from ..graph_builder import by_axis, sizes_from_user
from .builder import KerasBuilder, LayerCall, Value, back
from .config import shape_of
from .layers import ALONG, HANDLERS, SPATIAL, STEPS
from .running import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...network import Shape
    from ..source import Source
    from .config import Spec
    from .graph import Model

Stated = tuple[int | None, ...] | None
"""A shape as the file has it, with the batch, None for sizes that are left open."""


class Input:
    """An input: its name, what the file states, whether its channels are brought to the front."""

    def __init__(self, name: str, stated: Stated, file: str) -> None:
        self.name = name
        self.stated = stated
        self.file = file
        self.first = False
        self.user: Shape | None = None

    def error(self, what: str, values: str, hint: str = "") -> ReadError:
        return ReadError(what, where=self.file, values=values, hint=hint)

    def shape(self, *, as_stated: bool = False) -> Shape:
        """The whole shape, channels first. as_stated: the user's sizes only where it is open."""
        stated = self.stated
        if stated is not None and self.first:
            stated = (stated[0], stated[-1], *stated[1:-1])
        shown = "" if stated is None else by_axis(["?" if n is None else n for n in stated[1:]])
        sizes, batch = self.user, 1
        if sizes is not None and stated is not None:
            if len(sizes) == len(stated):
                batch, *sizes = sizes
            # a size of space that the file states is not the only one that a convolution takes
            if len(sizes) != len(stated) - 1 or (sizes and stated[1] not in (None, sizes[0])):
                raise self.error(
                    f"the size given for '{self.name[:60]}' does not fit the model",
                    f"{by_axis(sizes)}, the file has {shown}"
                    + (" (channels first)" if self.first else ""),
                    "sizes are given as channels, height, width" if self.first else "",
                )
        if as_stated and stated is not None and sizes is not None:
            sizes = [b if a is None else a for a, b in zip(stated[1:], sizes, strict=True)]
        elif sizes is None and stated is not None:
            sizes = stated[1:]
        if sizes is None or None in sizes:
            example = shown.replace("?", "224" if self.first else "100") or "3x224x224"
            raise self.error(
                f"the size of the input '{self.name[:60]}' is left open",
                shown,
                f"--input {self.name[:60]}={example}",
            )
        whole: Any = (batch, *(sizes or (1,)))  # without a size it is a single number an example
        if not all(whole):
            raise self.error(
                f"the input '{self.name[:60]}' has a size that cannot be", by_axis(whole)
            )
        return whole

    @property
    def differs(self) -> bool:
        """Whether the user gives another size than the file states."""
        return self.user is not None and self.shape()[1:] != self.shape(as_stated=True)[1:]

    def value(self, builder: KerasBuilder, *, as_stated: bool = False) -> Value:
        whole = self.shape(as_stated=as_stated)
        builder.input(self.name, whole)
        return Value(self.name, back(whole) if self.first else whole, self.first)


def inputs_of(top: Model, source: Source) -> list[Input]:
    """The inputs, with the sizes that the file states, and those that the user gives."""
    if top.sequential:
        first = next(iter(top.layers.values()))
        stated = {first.name if first.cls == "InputLayer" else "input": top.built}
    else:
        specs = [top.layers[ref.layer] for ref in top.inputs]
        stated = {spec.name: _stated(spec) for spec in specs}
    sizes = sizes_from_user(source, list(stated))
    inputs = [Input(name, shape, source.name) for name, shape in stated.items()]
    layers = list(top.specs())
    kinds = {spec.cls for spec in layers}
    windows = [spec.last() for spec in layers if spec.cls in SPATIAL or spec.cls in ALONG]
    for each in inputs:
        each.user = sizes.get(each.name)
        rank = len(each.user or ()) + 1 if each.stated is None else len(each.stated)
        if rank < 3 or (windows and not any(windows)):
            continue  # a model that has its channels first has them where we do
        if rank == 3:
            each.first = not kinds.isdisjoint(ALONG) and kinds.isdisjoint(STEPS)
        else:
            each.first = not (
                kinds.isdisjoint(SPATIAL) or any("ConvLSTM" in kind for kind in kinds)
            )
    return inputs


def _stated(spec: Spec) -> Stated:
    """What an InputLayer, or a first layer of Keras 1, states of its input."""
    for key in ("batch_shape", "batch_input_shape"):
        if (shape := shape_of(spec, spec.config.get(key))) is not None:
            return shape
    for key in ("input_shape", "shape"):
        if (shape := shape_of(spec, spec.config.get(key))) is not None:
            return (None, *shape)
    return None


def run_top(
    top: Model, inputs: Sequence[Input], *, as_stated: bool = False
) -> tuple[KerasBuilder, list[str]]:
    """The nodes of a whole model, and the names of its outputs."""
    builder = KerasBuilder(top.file, HANDLERS, sum(len(s.inbound) or 1 for s in top.specs()))
    builder.stated_hold = as_stated or all(each.user is None for each in inputs)
    values = [each.value(builder, as_stated=as_stated) for each in inputs]
    outputs = [
        LayerCall(builder, top.calls[-1], (), value.node).in_steps(value) if value.steps else value
        for value in run(top, values, builder, "", top.trainable)
    ]
    return builder, [value.node for value in outputs if value.node not in builder.inputs]


def check_parameters(
    top: Model, inputs: Sequence[Input], builder: KerasBuilder, *, has_weights: bool
) -> None:
    """Hold the parameters against those that the model has with the sizes that the file states.

    Raises ReadError where they are others and the model was built; else a note says it.
    """
    built = has_weights or any(spec.built is not None for spec in top.specs())
    for key, (name, size) in run_top(top, inputs, as_stated=True)[0].owners.items():
        other = builder.owners.get(key, ("", size))[1]
        if other == size or size is None or other is None:
            continue
        if built:
            raise ReadError(
                f"'{name[:80]}' is of another size for this input than the model was built with",
                where=top.file,
                values=f"built {by_axis(size)}, it would be {by_axis(other)}",
                hint="leave --input out, or give the size that the file states: "
                + ", ".join(by_axis(each.shape(as_stated=True)[1:]) for each in inputs),
            )
        builder.note("sizes of parameters follow from --input, and are not the file's", name)
