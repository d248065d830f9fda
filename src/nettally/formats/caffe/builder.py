"""A network in the making: Caffe's blobs, the nodes that fill them, and their shapes.

A blob is a name that layers write and read in the order of the file; a layer may write the blob
that it reads ("in place"). So a blob's name stands for the node that wrote it last.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ...network import NOTHING
from ..graph_builder import GraphBuilder, by_axis
from .net import made_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...network import Layer, Shape
    from .net import Net, Spec

    Handler = Callable[["CaffeBuilder", Spec], str]

NOT_UNDERSTOOD = "not understood, so that parameters and work are not known"


class Pending(NamedTuple):
    """A blob that a source of data writes, and that becomes an input where it is read.

    name: the input's. shape: with the batch; None where it is not known. why: what the shape was
    taken from, or what it would be taken from. note: to be noted where the blob is read. file: the
    shape with the file's own batch.
    """

    spec: Spec | None
    name: str
    shape: Shape | None
    why: str
    note: str = ""
    file: Shape | None = None


class CaffeBuilder(GraphBuilder):
    """The nodes, and what each blob stands for at this place of the file.

    input_sizes: what the user said, by blobs. groups: in which each layer stands, by its name.
    multiplies: whether Interp multiplies sizes by its factors, as some forks do.
    """

    AGAIN: ClassVar[str] = "."
    MAX_EDGES: ClassVar[int] = 100_000

    def __init__(
        self,
        net: Net,
        input_sizes: Mapping[str, Shape],
        groups: Mapping[str, str],
        *,
        multiplies: bool = False,
    ) -> None:
        super().__init__(net.message.document.name)
        self.net = net
        self.input_sizes = dict(input_sizes)
        self.groups = groups
        self.multiplies = multiplies
        self.used: set[str] = set()  # of the sizes that the user said
        self.blobs: dict[str, str | Pending] = {}
        self.missing: dict[str, Pending] = {}  # inputs without a size
        self.regions: set[str] = set()  # blobs that are read as regions of an image
        self.channels: dict[str, int] = {}  # of blobs, as the weights behind them see them
        self.batch_kept = False
        self.unpooled: dict[str, str] = {}  # what a pooling with a mask reads, by its node
        self.zoomed: list[str] = []  # how each Interp with a factor changes a size

    # --- reading blobs ---

    def get(self, spec: Spec, index: int) -> str:
        """The node or input that the layer's bottom ``index`` stands for."""
        blob = spec.bottoms[index]
        source = self.blobs.get(blob)
        if source is None and blob in self.input_sizes:
            self.used.add(blob)
            size = with_batch(self.input_sizes[blob])
            source = Pending(None, self.free(blob), size, "as it was given")
        if source is None:
            hint = self.hint(blob, self.blobs) if self.blobs else "a net begins with an input"
            raise made_elsewhere(self.net, spec, blob) or spec.error(
                f"its bottom '{blob[:60]}' is made by no layer, and is no input", hint=hint
            )
        if isinstance(source, Pending):
            source = self.blobs[blob] = self._let_in(blob, source)
        return source

    def _let_in(self, blob: str, source: Pending) -> str:
        if source.shape is None:
            self.missing[blob] = source
        if source.note:
            self.note(source.note)
        if source.file is not None and source.file != source.shape:
            size = by_axis(source.file)
            self.note(
                f"the file's batch of {source.file[0]} is read as 1; --input {size} asks for it"
            )
        return self.input(source.name, source.shape)

    def waiting(self, blobs: Iterable[str]) -> list[Pending]:
        """Those of the blobs that would be inputs without a size."""
        sources = [self.blobs.get(blob) for blob in blobs]
        return [each for each in sources if isinstance(each, Pending) and each.shape is None]

    def inputs_of(self, spec: Spec, most: int | None = None) -> tuple[str, ...]:
        """What all the layer's bottoms stand for, or its first few."""
        count = len(spec.bottoms) if most is None else min(most, len(spec.bottoms))
        self.ask(spec, nodes=0, edges=count)
        return tuple([self.get(spec, index) for index in range(count)])

    def shape(self, name: str) -> Shape | None:
        """The shape of a node or an input, None where it is not known."""
        return self.shapes[name]

    def sized(self, spec: Spec, most: int | None = None) -> tuple[tuple[str, ...], Shape]:
        """The inputs of a layer whose handler needs to know the first one's shape; and that."""
        inputs = self.inputs_of(spec, most)
        shape = self.shapes[inputs[0]]
        assert shape is not None, "else the layer is opaque"
        return inputs, shape

    # --- making nodes ---

    def add(
        self,
        spec: Spec,
        layer: Layer,
        inputs: Sequence[str],
        suffix: str = "",
        *,
        shared: Mapping[str, str] = NOTHING,
    ) -> str:
        """Append a node under the layer's name, with a suffix for what helps it; its name."""
        name = self.free_for(spec, suffix)
        module = self.groups.get(spec.name, "")
        return self.append(spec, name, layer, inputs, shared=shared, module=module)

    def free_for(self, spec: Spec, suffix: str = "") -> str:
        wanted = (spec.name or (spec.tops[0] if spec.tops else spec.type)) + suffix
        name = self.free(wanted)
        if name != wanted and not suffix and wanted not in self.inputs:
            self.note("names that more than one layer has", wanted)
        return name

    def make(self, spec: Spec, kind: str, inputs: Sequence[str], suffix: str = "", **k: Any) -> str:
        """Append a node of a kind of layer, given its fields. Raises ReadError where they clash."""
        return self.add(spec, self.layer(spec, kind, **k), inputs, suffix)

    def learned(
        self,
        spec: Spec,
        kind: str,
        inputs: Sequence[str],
        suffix: str = "",
        *,
        tensors: slice = slice(None),
        **fields: Any,
    ) -> str:
        """Append a node whose parameters are the layer's tensors; its name.

        They belong to the layer that first used their names, and are of the sizes that the file
        stores. tensors: which of the layer's are the node's. Raises ReadError.
        """
        layer = self.layer(spec, kind, **fields)
        names, stored = spec.params[tensors], spec.stored[tensors]
        name = self.free_for(spec, suffix)
        shared: dict[str, str] = {}
        if any(names) or stored:
            sizes: Mapping[str, Shape] = {}
            if self.output(spec, layer, inputs) is not None:
                sizes = layer.parameters(tuple([self.shapes[x] or () for x in inputs]))
                _agree(spec, sizes, stored)
            both = ("weight", "bias") if getattr(layer, "bias", True) else ("weight",)
            pairs = zip(sizes or both, names, strict=False)
            shared = self.share(spec, name, {tensor: key for tensor, key in pairs if key}, sizes)
        module = self.groups.get(spec.name, "")
        return self.append(spec, name, layer, inputs, shared=shared, module=module)

    def opaque(
        self,
        spec: Spec,
        inputs: Sequence[str],
        suffix: str = "",
        kind: str = "",
        *,
        why: str = NOT_UNDERSTOOD,
        **fields: Any,
    ) -> str:
        """Append a node that is not understood, with what the file stores of it; its name.

        A layer that is known but for the size of what it reads is not called unknown itself.
        """
        if not suffix:
            fields.update(stored_tensors(spec))
        known = spec.type in HANDLERS and any(self.shapes[name] is None for name in inputs)
        if known and spec.type not in ("LSTM", "RNN"):
            fields.setdefault("tensors", ())
        name = self.free_for(spec, suffix)
        tensors: Sequence[tuple[str, Shape]] = fields.get("tensors") or ()
        pairs = zip(tensors, spec.params, strict=False)
        return self.unknown(
            spec,
            name,
            kind or spec.type,
            inputs,
            why="" if known else why,
            module=self.groups.get(spec.name, ""),
            shared=self.share(spec, name, {tensor: key for (tensor, _), key in pairs if key}),
            **fields,
        )

    def finish(self, spec: Spec, name: str) -> None:
        """Let the layer's first top stand for a node, and its other tops for nothing known.

        No name: the layer's handler has said what its tops stand for.
        """
        for index, top in enumerate(spec.tops if name else ()):
            if index == 0:
                self.blobs[top] = name
            elif top in spec.read:
                self.blobs[top] = self.opaque(spec, (name,), f".{top}")

    def stretched(self, spec: Spec, name: str, axis: int, rank: int, suffix: str) -> str:
        """A blob whose axes begin at ``axis`` of a larger one's, given axes of size 1 to fit."""
        shape = self.shape(name)
        if shape is None or len(shape) == rank or axis != 0:
            return name
        size = (*shape[1:], *(1,) * (rank - len(shape)))
        return self.make(spec, "reshape", (name,), suffix, size=size)


def axis_of(spec: Spec, value: int, rank: int, name: str = "axis") -> int:
    """An axis, counted from the front. Raises ReadError where there is none such."""
    if not -rank <= value < rank:
        raise spec.error(
            f"its {name} is outside its input", values=f"{name} {value}, the input has {rank} axes"
        )
    return value + rank if value < 0 else value


def with_batch(shape: Shape) -> Shape:
    """A size that the user gave, with a batch of 1 where it has none."""
    return (1, *shape) if len(shape) in (1, 3) else shape


_TENSORS = {
    "BatchNorm": ("running_mean", "running_var", "factor", "weight", "bias"),
    **dict.fromkeys(
        ("BN", "CuDNNBatchNorm", "CudnnBatchNorm"),
        ("weight", "bias", "running_mean", "running_var"),
    ),
}
"""What the tensors of norms are, in the order in which they are stored."""

_STATISTICS = frozenset(("running_mean", "running_var", "factor"))


def stored_tensors(spec: Spec) -> dict[str, Any]:
    """A layer's stored tensors as an opaque layer has them: those that learn, and those kept."""
    if not spec.stored:
        return {}
    known = spec.type in HANDLERS
    names = _TENSORS.get(spec.type, ("weight", "bias") if known and len(spec.stored) <= 2 else ())
    rates = () if known else [param.real("lr_mult", 1.0) for param in spec.settings_of_params()]
    learned: list[tuple[str, Shape]] = []
    kept: list[tuple[str, Shape]] = []
    for index, shape in enumerate(spec.stored):
        name = names[index] if index < len(names) else f"blob{index}"
        fixed = name in _STATISTICS or (index < len(rates) and rates[index] == 0)
        (kept if fixed else learned).append((name, shape))
    return {"tensors": tuple(learned), "kept": tuple(kept)}


def _agree(spec: Spec, tensors: Mapping[str, Shape], stored: Sequence[Shape]) -> None:
    """ReadError where the file stores tensors of other sizes than the layer has."""
    if not stored:
        return
    if len(stored) != len(tensors) or any(
        prod(ours) != prod(theirs) for ours, theirs in zip(tensors.values(), stored, strict=True)
    ):
        raise spec.error(
            "its stored weights are not those of such a layer",
            values=f"stored {', '.join(map(by_axis, stored))}; it has "
            + ", ".join(f"{name} {by_axis(shape)}" for name, shape in tensors.items()),
            hint="is the size of the input the one that the net was trained for?",
        )


# --- the handlers -------------------------------------------------------------------------------

HANDLERS: dict[str, tuple[Handler, int, int, bool]] = {}
"""For each type of layer that is known: what makes its nodes and returns the one that its first
top stands for; how many bottoms it has; and whether it needs to know the first one's shape."""


def caffe(
    *types: str, bottoms: int | tuple[int, int] = 1, sized: bool = False
) -> Callable[[Handler], Handler]:
    """Register the handler of some types. bottoms: how many, or the least and the most."""
    least, most = (bottoms, bottoms) if isinstance(bottoms, int) else bottoms

    def register(handler: Handler) -> Handler:
        for type_ in types:
            assert type_ not in HANDLERS, type_
            HANDLERS[type_] = (handler, least, most, sized)
        return handler

    return register


MANY = 10**6
