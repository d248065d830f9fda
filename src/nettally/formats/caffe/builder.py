"""A network in the making: Caffe's blobs, the nodes that fill them, and their shapes.

A blob is a name that layers write and read in the order of the file; a layer may write the blob
that it reads ("in place"). So a blob's name stands for the node that wrote it last.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LayerError, ReadError, closest
from ...layers import layer_class
from ...network import NOTHING, Node
from .net import included, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Layer, Shape
    from .net import Spec, State

    Handler = Callable[["Builder", Spec], None]

MAX_EDGES = 200_000
"""How many inputs all the layers may have together."""

MAX_NODES = 500_000
"""How many nodes a network may have; a layer may be several."""

MAX_NOTES = 100
"""How many notes there are at most, those that sum up at the end left out."""


class Pending(NamedTuple):
    """A blob that a source of data writes: its shape, with the batch; None where it is not known.

    why: what the shape was taken from, or what it would be taken from. note: to be noted where the
    blob is read. file: the shape with the file's own batch.
    """

    spec: Spec | None
    shape: Shape | None
    why: str = ""
    note: str = ""
    file: Shape | None = None


class Dropped(NamedTuple):
    """A blob that only training has: a loss, an accuracy."""

    spec: Spec


class Builder:
    """The nodes, and what each blob stands for at this place of the file."""

    def __init__(
        self, all_: Sequence[Spec], state: State, input_sizes: Mapping[str, Shape]
    ) -> None:
        self.all = all_
        self.state = state
        self.input_sizes = dict(input_sizes)
        self.used: set[str] = set()
        self.nodes: list[Node] = []
        self.stems: dict[str, str] = {}  # of each, what its name has before the last stroke
        self.inputs: dict[str, Shape] = {}
        self.shapes: dict[str, Shape | None] = {}
        self.blobs: dict[str, str | Pending | Dropped] = {}
        self.notes: list[str] = []
        self.kinds: dict[str, dict[str, int]] = {}
        self.owners: dict[str, tuple[str, str, Shape | None, Spec]] = {}
        self.missing: dict[str, Pending] = {}
        self.read: set[str] = set()
        self.regions: set[str] = set()
        self.batch_kept = False
        self.file_batch: Shape = (1,)
        self.seen: dict[str, int] = {}  # blobs: how many channels the weights behind them see
        self.edges = 0
        self.named: dict[str, Node] = {}
        self._taken: dict[str, int] = {}  # names, and how many nodes wanted them

    # --- notes ---

    def note(self, note: str) -> None:
        """Say something about the network, once."""
        if len(self.notes) < MAX_NOTES and note not in self.notes:
            self.notes.append(note)

    def count(self, kind: str, what: str) -> None:
        """One more of what has a sentence of its own among the notes, with how often it was met."""
        counts = self.kinds.setdefault(kind, {})
        counts[what] = counts.get(what, 0) + 1

    # --- reading blobs ---

    def reserve(self, name: str) -> None:
        """Keep a name for an input."""
        self._taken.setdefault(name, 1)

    def get(self, spec: Spec, index: int) -> str:
        """The node or input that the layer's bottom ``index`` stands for."""
        name = spec.bottoms[index]
        blob = self.blobs.get(name)
        if isinstance(blob, str):
            return blob
        if blob is None:
            if name not in self.input_sizes:
                raise self._unknown(spec, name)
            blob = Pending(None, with_batch(self.input_sizes[name]), "as it was given")
            self.used.add(name)
            self.blobs[name] = blob
        assert isinstance(blob, Pending), "what reads a dropped blob is dropped itself"
        if blob.shape is None:
            self.missing[name] = blob
        if blob.note:
            self.note(blob.note)
        if blob.file is not None and blob.file != blob.shape:
            self.file_batch = max(self.file_batch, blob.file)
        self.inputs[name] = blob.shape or ()
        self.shapes[name] = blob.shape
        self.blobs[name] = name
        return name

    def _unknown(self, spec: Spec, name: str) -> ReadError:
        """Why nobody has written a blob."""
        makers = [other for other in self.all if name in other.tops]
        place = self.all.index(spec)
        earlier = [other for other in makers if self.all.index(other) < place]
        left_out = [other for other in makers if not included(other, self.state)]
        if left_out:  # those of this phase first: they lack a stage
            left_out.sort(key=lambda other: self.state.phase not in rules(other))
            other = left_out[0]
            rule = rules(other)[:200]
            phase = "TRAIN" if self.state.phase == "TEST" else "TEST"
            wants = [word for word in rule.replace("}", " ").split() if word]
            hint = f"--input {name}=3x224x224, its size, would stand for it"
            if "stage" in wants:
                stage = wants[wants.index("stage") + 1].rstrip(",")
                hint = f"--stage {stage}; or " + hint
            elif phase in (word.rstrip(",") for word in wants):
                hint = f"--phase {phase.lower()}; or " + hint
            return spec.error(
                f"its bottom '{name[:60]}' is made by no layer in {self.state}",
                values=f"'{other.label}' at line {other.span.line} makes it: {rule}",
                hint=hint,
            )
        if makers and not earlier:
            return spec.error(
                f"its bottom '{name[:60]}' is made after it",
                values=f"'{makers[0].label}' at line {makers[0].span.line} makes it",
                hint="layers stand in the order in which they run",
            )
        return spec.error(
            f"its bottom '{name[:60]}' is made by no layer, and is no input",
            hint=closest(name, self.blobs) if self.blobs else "a net begins with an input",
        )

    def inputs_of(self, spec: Spec, most: int | None = None) -> tuple[str, ...]:
        """What all the layer's bottoms stand for, or its first few."""
        count = len(spec.bottoms) if most is None else min(most, len(spec.bottoms))
        self.edges += count
        if self.edges > MAX_EDGES:
            raise spec.error("the layers have too many bottoms", values=f"over {MAX_EDGES:,}")
        return tuple([self.get(spec, index) for index in range(count)])

    def shape(self, name: str) -> Shape | None:
        """The shape of a node or an input, None where it is not known."""
        return self.shapes[name]

    # --- making nodes ---

    def free(self, name: str) -> str:
        """The name, or where it is taken, the next with a number."""
        if name not in self._taken:
            self._taken[name] = 1
            return name
        number = self._taken[name] + 1
        while f"{name}.{number}" in self._taken:
            number += 1
        self._taken[name] = number
        free = f"{name}.{number}"
        self._taken[free] = 1
        return free

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
        wanted = (spec.name or (spec.tops[0] if spec.tops else spec.type)) + suffix
        name = self.free(wanted)
        if name != wanted and not suffix and wanted in self.named:
            self.count("twice", wanted)
        if len(self.nodes) >= MAX_NODES:
            raise spec.error("the network has too many layers", values=f"over {MAX_NODES:,}")
        node = Node(name, layer, tuple(inputs), shared=shared, source=spec.span)
        self.nodes.append(node)
        self.stems[name] = (spec.name or "").rpartition("/")[0]
        self.named[name] = node
        self.shapes[name] = self._shape(spec, node)
        return name

    def make(self, spec: Spec, kind: str, inputs: Sequence[str], suffix: str = "", **k: Any) -> str:
        """Append a node of a kind of layer, given its fields. Raises ReadError where they clash."""
        return self.add(spec, self.layer(spec, kind, **k), inputs, suffix)

    def layer(self, spec: Spec, kind: str, **fields: Any) -> Layer:
        """A layer of a kind. Raises ReadError, with the layer's place, where its fields clash."""
        try:
            return layer_class(kind)(**fields)
        except LayerError as error:
            raise spec.read_error(error) from None

    def _shape(self, spec: Spec, node: Node) -> Shape | None:
        xs = [self.shapes[name] for name in node.inputs]
        layer: Any = node.layer
        if layer.kind == "opaque":
            batch = next((x[0] for x in xs if x is not None), 1)
            return None if layer.size is None else (batch, *layer.size)
        if None in xs:
            return None
        try:
            return layer.shape(tuple(xs))
        except LayerError as error:
            raise spec.read_error(error) from None

    def finish(self, spec: Spec, name: str) -> None:
        """Let the layer's first top stand for a node, and its other tops for nothing known."""
        for index, top in enumerate(spec.tops):
            if index == 0:
                self.blobs[top] = name
            elif top in self.read:
                self.blobs[top] = self.unknown(spec, (name,), f".{top}")

    def unknown(
        self,
        spec: Spec,
        inputs: Sequence[str],
        suffix: str = "",
        size: Shape | None = None,
        kind: str = "",
        **fields: Any,
    ) -> str:
        """Append an opaque node, and say so. size: the output without the batch, where known.

        fields: of the opaque layer. What the file stores of the layer's tensors is taken with it.
        """
        kind = (kind or spec.type)[:80]
        if not suffix and "tensors" not in fields:
            fields |= stored_tensors(spec)
        if spec.type in HANDLERS and any(self.shapes[name] is None for name in inputs):
            # known, but for the size of what it reads
            if spec.type not in ("LSTM", "RNN"):
                fields.setdefault("tensors", ())
        else:
            self.count("opaque", kind)
        return self.make(spec, "opaque", inputs, suffix, type=kind, size=size, **fields)

    def share(self, spec: Spec, name: str, first: int = 0, count: int | None = None) -> None:
        """Let the node's parameters belong to the layer that first used their names.

        What the file stores of them has to be of their sizes. first, count: which of the layer's
        tensors are the node's. Raises ReadError.
        """
        end = None if count is None else first + count
        params, stored = spec.params[first:end], spec.stored[first:end]
        if not any(params) and not stored:
            return
        node = self.nodes[-1]
        assert node.name == name
        xs = [self.shapes[each] for each in node.inputs]
        tensors: Mapping[str, Shape | None]
        if None in xs:
            names = ["weight", "bias"] if getattr(node.layer, "bias", True) else ["weight"]
            tensors = dict.fromkeys(names)
        else:
            tensors = node.layer.parameters(tuple(xs))  # type: ignore[arg-type] - none is None here
            _agree(spec, tensors, stored)
        shared: dict[str, str] = {}
        for (tensor, shape), key in zip(tensors.items(), params, strict=False):
            if not key:
                continue
            owner = self.owners.setdefault(key, (name, tensor, shape, spec))
            if owner[0] == name and owner[1] == tensor:
                continue
            if shape is not None and owner[2] is not None and shape != owner[2]:
                raise spec.error(
                    f"its {tensor} is shared as '{key[:60]}', and the shapes differ",
                    values=f"{_sizes(shape)} here, {_sizes(owner[2])} in '{owner[3].label}' "
                    f"(line {owner[3].span.line})",
                )
            shared[tensor] = f"{owner[0]}.{owner[1]}"
        if shared:
            self.nodes[-1] = self.named[name] = node.replace(shared=shared)

    # --- the handlers' helpers ---

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


def stored_tensors(spec: Spec) -> dict[str, Any]:
    """A layer's stored tensors as an opaque layer has them: those that learn, and those kept."""
    if not spec.stored:
        return {}
    rates = [param.real("lr_mult", 1.0) for param in spec.settings_of_params()]
    learned: list[tuple[str, Shape]] = []
    kept: list[tuple[str, Shape]] = []
    for index, shape in enumerate(spec.stored):
        fixed = index < len(rates) and rates[index] == 0
        (kept if fixed else learned).append((f"blob{index}", shape))
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
            values=f"stored {', '.join(map(_sizes, stored))}; it has "
            + ", ".join(f"{name} {_sizes(shape)}" for name, shape in tensors.items()),
            hint="another size of the input would change what the layer has",
        )


def _sizes(shape: Shape) -> str:
    return "x".join(map(str, shape))


# --- the handlers -------------------------------------------------------------------------------

HANDLERS: dict[str, tuple[Handler, int, int]] = {}
"""For each type of layer that is known: what makes its nodes, and how many bottoms it has."""


def caffe(*types: str, bottoms: int | tuple[int, int] = 1) -> Callable[[Handler], Handler]:
    """Register the handler of some types. bottoms: how many, or the least and the most."""
    least, most = (bottoms, bottoms) if isinstance(bottoms, int) else bottoms

    def register(handler: Handler) -> Handler:
        for type_ in types:
            assert type_ not in HANDLERS, type_
            HANDLERS[type_] = (handler, least, most)
        return handler

    return register


MANY = 10**6
