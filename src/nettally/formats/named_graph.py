"""The graph builder for files whose layers name what they read and what they make.

A format says for each of its layers, by a rule, which of ours it becomes; where it has no rule, or
the shapes that a rule asks for are not known, the layer is opaque, with the parameters that the
file says it has.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from ..errors import ReadError
from ..network import NOTHING
from .graph_builder import GraphBuilder, Place, by_axis, listing, sizes_from_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..network import Shape
    from .source import Source


class Step(NamedTuple):
    """One of the nodes that a layer of the file becomes.

    reads: inputs of the file's layer by their number from 0 on, steps before this one from -1 (the
    last) on. Where there are none, the first step reads all inputs, others the step before.
    """

    kind: str
    reads: tuple[int, ...]
    fields: dict[str, Any]


Steps: TypeAlias = "Step | Iterable[Step]"
Rule: TypeAlias = "Callable[..., Steps]"


def step(kind: str, *reads: int, **fields: Any) -> Step:
    """A ``Step``, with its fields by their names."""
    return Step(kind, reads, fields)


class NamedLayer(Place, Protocol):
    """A layer of a file: its type there, its name, and the names of what it reads and makes."""

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]


class NamedGraphBuilder(GraphBuilder):
    """The nodes so far. ``heads``: by a name in the file, the node that its readers read."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.heads: dict[str, str] = {}

    def open_inputs(self, source: Source, sizes: Mapping[str, Shape]) -> None:
        """The network's inputs: of the sizes that the user gave, else the file's.

        sizes: by the input's name, without the batch; () where the file has none. Raises ReadError
        where nobody says a size, or the user names an input that is not there.
        """
        user_sizes = sizes_from_user(source, tuple(sizes))
        for name, size in sizes.items():
            shape = user_sizes.get(name, size)
            if not shape:
                raise ReadError(
                    f"the file does not say the size of its input '{name[:60]}'",
                    where=self.file,
                    hint=f"--input {name[:60]}=3x224x224",
                )
            whole = name in user_sizes and len(shape) == (len(size) or 3) + 1
            self.heads[name] = self.input(name, shape if whole else (1, *shape))

    def add(
        self,
        layer: NamedLayer,
        rule: Rule | None,
        tensors: Sequence[Shape] | None = None,
        sizes: Sequence[Shape] = (),
    ) -> None:
        """Append what a layer of the file becomes. Raises ReadError where it does not fit.

        rule: called with the layer and the shapes of its inputs, gives the steps: in a row, or of
        a layer with several outputs one for each. Without steps, and where the rule fails with a
        LookupError or such since it does not know a parameter or so many inputs, the layer is
        opaque. tensors: what the file says that it has as parameters; None: it does not say.
        sizes: those that the file states of its outputs, without the batch.
        """
        inputs = self.sources(layer, layer.inputs)
        shapes = [shape for name in inputs if (shape := self.shapes[name]) is not None]
        steps: Sequence[Step] = ()
        known = len(shapes) == len(inputs)
        if rule is not None and known:
            try:
                rewritten = rule(layer, *shapes)
                steps = [rewritten] if isinstance(rewritten, Step) else list(rewritten)
            except (ArithmeticError, LookupError, TypeError):
                pass
        ahead = enumerate(each.reads for each in steps)
        there = all(-i <= read < len(inputs) for i, reads in ahead for read in reads)
        if steps and there and len(layer.outputs) in (0, 1, len(steps)):
            heads = self._steps(layer, inputs, steps, tensors)
        else:
            if rule is None or known:  # else it only stands behind one that is not understood
                self.note("not understood", layer.kind[:80])
            heads = self._opaque(layer, inputs, tensors, sizes)
        self._name(layer, heads[len(heads) - len(layer.outputs) :])

    def alias(self, layer: NamedLayer) -> None:
        """A layer that only gives its one input further names: it becomes no node."""
        if len(layer.inputs) != 1:
            raise layer.error("it takes 1 input(s)", values=f"{len(layer.inputs)}")
        self._name(layer, self.sources(layer, layer.inputs) * len(layer.outputs))

    def _name(self, layer: NamedLayer, heads: Sequence[str]) -> None:
        for name, head in zip(layer.outputs, heads, strict=True):
            if name in self.heads:
                raise layer.error(f"its output '{name[:60]}' is another layer's too")
            self.heads[name] = head

    def sources(self, place: Place, names: Sequence[str]) -> list[str]:
        """The nodes behind names of the file. Raises ReadError where nothing before makes one."""
        for name in names:
            if name not in self.heads:
                raise place.error(
                    f"it reads '{name[:60]}', which no layer before it makes",
                    hint=self.hint(name, self.heads),
                )
        return [self.heads[name] for name in names]

    def _steps(
        self,
        layer: NamedLayer,
        inputs: Sequence[str],
        steps: Sequence[Step],
        tensors: Sequence[Shape] | None,
    ) -> list[str]:
        """Append the nodes; the first is called as the layer, the others ``name.kind``."""
        heads: list[str] = []
        parameters = 0
        for kind, reads, fields in steps:
            sources = [inputs[i] if i >= 0 else heads[i] for i in reads] or heads[-1:] or inputs
            name = f"{layer.name}.{kind}" if heads else layer.name
            heads.append(self.make(layer, name, kind, sources, **fields))
            xs = tuple([self.shapes[each] or () for each in sources])
            counts = self.nodes[-1].layer.parameters(xs).values()
            parameters += sum([int(prod(size)) for size in counts])
        stated = sum([prod(size) for size in tensors or ()])
        if tensors is not None and parameters != stated:
            shapes = [by_axis((self.shapes[each] or ())[1:]) for each in inputs]
            raise layer.error(
                "its input asks for another number of parameters than the file states",
                values=f"{parameters:,} for an input of {listing(shapes)}, {stated:,} in the file",
            )
        return heads

    def _opaque(
        self,
        layer: NamedLayer,
        inputs: Sequence[str],
        tensors: Sequence[Shape] | None,
        sizes: Sequence[Shape],
    ) -> list[str]:
        """Append a node for each output; the first has the layer's parameters."""
        heads: list[str] = []
        stored = None if tensors is None else [(f"tensor{i}", n) for i, n in enumerate(tensors)]
        fields: dict[str, Any] = {"tensors": stored}
        for i in range(len(layer.outputs)):
            if len(sizes) == len(layer.outputs):
                fields["size"] = sizes[i]
            name = self.free(layer.name)
            heads.append(self.unknown(layer, name, layer.kind, inputs, why="", **fields))
            fields["tensors"] = ()
        return heads

    def make(self, place: Place, name: str, kind: str, inputs: Sequence[str], **fields: Any) -> str:
        """Append a node of a kind of layer, under the name or the next that is free; its name.

        A ``padding`` may be a word: ``same`` or ``same_lower``. Raises ReadError where the kind
        takes another number of inputs, and as ``layer`` and ``append`` do.
        """
        written: Mapping[str, Any] = NOTHING
        if isinstance(fields.get("padding"), str):
            written = {"padding": fields.pop("padding")}
        layer = self.layer(place, kind, **fields)
        if len(inputs) < layer.least or (layer.arity and len(inputs) != layer.arity):
            takes = layer.arity or f"at least {layer.least}"
            raise place.error(f"it takes {takes} input(s)", values=f"{len(inputs)}")
        return self.append(place, self.free(name), layer, inputs, written=written)
