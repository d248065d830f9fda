"""How the rules of ONNX's operators put layers into the network."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ...network import MAX_SIZE, NOTHING
from .constants import computed_constant
from .proto import FLOATS, PACKED, Graph, TensorProto
from .state import BY_SIZE, FIRST_STATES, KEPT, LEARNED_ATTRIBUTES
from .stored import Stored
from .values import MAX_CONTENTS, MAX_DIM, Value, known, short, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from ...network import Layer
    from .proto import Dims
    from .state import NodeReader

MAX_WORD = 4096
"""Longer text in an attribute may hold more than a setting, as a compiled network does."""


class Layers(Stored):
    """Puts layers into the network."""

    def needed(self, name: str) -> bool:
        """Whether something reads an output."""
        raise NotImplementedError

    def emit(
        self,
        call: NodeReader,
        shape: Dims | None,
        make: Callable[[], Layer],
        data: Sequence[Value],
        place: int = 0,
        dtype: int | None = None,
        weights: Mapping[str, Value | None] | None = None,
        written: Mapping[str, Any] | None = None,
    ) -> Value:
        """An output of a node; see ``NodeCall.emit``."""
        outputs = call.node.outputs
        name = outputs[place] if place < len(outputs) else ""
        if dtype is None:
            dtype = data[0].dtype if data else 0
        if self.recorder is not None:
            self.recorder.note(shape, data, weights, written)
        if name in self.stated:
            computed, shape = shape, self.merged(name, shape, dtype, call)
            if computed is not shape and not known(computed) and known(shape):
                # only the file knows the size: the layer that the rule chose may not fit it
                kind, stated = BY_SIZE.get(call.node.op, "opaque"), shape
                make = lambda: self.by_size(call, kind, stated, data)  # noqa: E731 - takes the place of an argument
        value = Value(name, shape, dtype)
        if place and not self.needed(name):
            pass
        elif any([each.node is not None for each in data]):
            label = call.name if place == 0 else self.free(f"{call.name}.{name or place}")
            self.add(call, value, label, make, data, weights, written)
            value.raw = data[0].raw and not weights and self.stays_raw(call, data)
        else:
            if shape is not None:
                self.check_sizes(call, shape)
            stored = [each for each in (weights or {}).values() if each is not None]
            value = self.derive(call, value, [*data, *stored])
            value.contents = computed_constant(call, value, MAX_CONTENTS) if place == 0 else None
        if name:
            self.define(value, call)
        return value

    def check_sizes(self, call: NodeReader, shape: Dims) -> None:
        for size in shape:
            if type(size) is int and not 0 <= size <= MAX_DIM:
                raise call.error("a size is negative or too large", shown(shape))

    def step(
        self,
        call: NodeReader,
        suffix: str,
        shape: Dims | None,
        make: Callable[[], Layer],
        data: Sequence[Value],
        weights: Mapping[str, Value | None] | None = None,
        keys: Mapping[str, Hashable] | None = None,
    ) -> Value:
        """A layer on the way to an output, where a node is more than one of ours."""
        if self.recorder is not None:
            self.recorder.emitted.append(None)
        value = Value("", shape, data[0].dtype if data else 0)
        if any([each.node is not None for each in data]):
            label = self.free(f"{call.name}.{suffix}")
            self.add(call, value, label, make, data, weights, None, keys)
        return value

    def add(
        self,
        call: NodeReader,
        value: Value,
        label: str,
        make: Callable[[], Layer],
        data: Sequence[Value],
        weights: Mapping[str, Value | None] | None = None,
        written: Mapping[str, Any] | None = None,
        keys: Mapping[str, Hashable] | None = None,
    ) -> None:
        """A node of the network that makes the value, of the layer that ``make`` gives.

        Where a size is not known, nothing can be counted, and the layer is opaque.
        """
        inputs = tuple([each.node or self.node_of(each) for each in data])
        xs = tuple([each.shape for each in data])
        shape = value.shape
        ready = True
        for x in xs:
            ready = ready and known(x)
        if shape is not xs[0] and shape is not None:
            self.check_sizes(call, shape)
            ready = ready and known(shape)
            if ready and any([size > MAX_SIZE for size in shape]):  # type: ignore[operator] - ``ready`` says that it is known
                if self.counting:
                    raise call.error("a size is larger than 2^31 - 1", shown(shape))
                ready = False
        if not ready or shape is None:
            self.place_unknown(call, value, label, inputs, weights or {})
            return
        layer = make()
        self.place(call, value, label, layer, inputs, weights, written, keys)
        if self.shapes[label] != shape:
            # a rule of this reader and the layer it chose contradict each other
            raise call.error(
                f"the layer '{layer.kind}' does not make the output's shape",
                f"{shown(shape)} expected, {shown(self.shapes[label])} made",
                "this is an error of nettally's; please report it with the file",
            )

    def place(
        self,
        call: NodeReader,
        value: Value,
        label: str,
        layer: Layer,
        inputs: tuple[str, ...],
        weights: Mapping[str, Value | None] | None = None,
        written: Mapping[str, Any] | None = None,
        keys: Mapping[str, Hashable] | None = None,
    ) -> None:
        """A node of the network. keys: of parameters that are no constants of their own."""
        self.budget.layer(len(inputs), len(value.shape or ()))
        shared = NOTHING
        if weights or keys:
            tensors = {name: weight for name, weight in (weights or {}).items() if weight}
            for each in tensors.values():
                self.count_number(each)
            roots = {name: each.root for name, each in tensors.items() if each.parts is None}
            computed = {n: self.node_of(each) for n, each in tensors.items() if n not in roots}
            shared = self.share(call, label, {**roots, **(keys or {})}) | computed
        module = ""
        if "." in label and (self.prefix or "/" in call.node.name):
            module = label.rpartition(".")[0]
        if layer.kind == "opaque" and layer.size is None:  # type: ignore[attr-defined] - it is an Opaque
            self.open[label] = len(self.nodes)
        self.append(
            call, label, layer, inputs, shared=shared, module=module, written=written or NOTHING
        )
        self.read.update(inputs)
        value.node = label

    def hold(self, value: Value) -> str:
        """A layer that holds a constant, or computes it of those that hold its parts."""
        shape, parts = value.shape, value.parts or ()
        label = value.label or self.free(dotted(value.name))
        learned = False
        if not known(shape):
            layer = self.layer("opaque", type=value.made_by or "constant", tensors=())
        elif parts:
            of = tuple(part.sizes for part in parts) if all(known(p.shape) for p in parts) else ()
            layer = self.layer("arrange", type=value.made_by, size=shape, of=of)
        else:
            likely = (prod(shape) > 1 or value in self.numbers) and value.dtype in FLOATS
            learned = self.is_learned(value, likely)
            layer = self.layer(
                "tensor", size=shape, learned=learned, kept=value.root in self.kept and not learned
            )
        shared = self.share(self, label, {"weight": value.root} if learned else NOTHING)
        return self.append(
            self, label, layer, [self.holders[part] for part in parts], shared=shared
        )

    def combined(
        self,
        call: NodeReader,
        operation: str,
        a: Value,
        b: Value,
        shape: Dims | None,
        dtype: int | None = None,
    ) -> Value:
        """Two tensors, value by value. The layer stores a constant one, as a parameter.

        A single number is a constant of the arithmetic, and no parameter.
        """
        kind = operation if operation in _MERGES else "pointwise"
        fields = {} if kind == operation else {"function": operation}
        x, stored = (b, a) if a.constant else (a, b)
        size = stored.shape
        if (
            a.constant == b.constant
            or operation not in _WITH_STORED
            or not known(size)
            or self.set_apart(call, operation, stored, x)
        ):
            return self.emit(call, shape, lambda: self.layer(kind, **fields), [a, b], 0, dtype)
        single = prod(size) == 1
        learned = self.is_learned(stored, not single and stored.dtype in FLOATS)
        if single and not learned and x.shape is not None and len(size) <= len(x.shape):
            number = self.contents(stored)
            layer = _by_number(operation, short(float(number[0])), a.constant) if number else None
            if layer is not None:
                kind, numbers = layer
                return self.emit(call, shape, lambda: self.layer(kind, **numbers), [x], 0, dtype)
        parameter = "bias" if operation == "add" else "weight"
        combine = {"operation": operation, "size": size, "first": a.constant, "learned": learned}
        return self.emit(
            call,
            shape,
            lambda: self.layer("combine", **combine),
            [x],
            0,
            dtype,
            {parameter: stored} if learned else None,
        )

    # --- what is not known ----------------------------------------------------------------------

    def unresolved(self, call: NodeReader) -> None:
        """Outputs whose shapes are as the file states them, or not known."""
        node = call.node
        kind = "opaque" if node.domain else BY_SIZE.get(node.op, "opaque")
        data = [value for value in self.with_items(call.inputs) if value.node is not None]
        if kind != "opaque" and data:
            data = data[:1]  # the others say where or how many
        inputs = tuple(dict.fromkeys(each.node or "" for each in data))
        for place, name in enumerate(node.outputs):
            if not name or name in self.values:
                continue
            info = self.stated.get(name)
            shape = self.merged(name, None, 0, call)
            value = Value(name, shape, info.dtype if info else 0)
            if data:
                label = call.name if place == 0 else self.free(f"{call.name}.{name}")
                if kind != "opaque" and known(shape) and all(known(each.shape) for each in data):
                    layer = self.by_size(call, kind, shape, data)
                    self.place(call, value, label, layer, inputs)
                else:
                    tensors = self.tensors_of(call) if place == 0 else None
                    self.place_unknown(call, value, label, inputs, tensors)
            else:
                value = self.derive(call, value, [each for each in call.inputs if each is not None])
            self.define(value, call)

    def by_size(
        self, call: NodeReader, kind: str, shape: Dims | None, data: Sequence[Value]
    ) -> Layer:
        """The layer of an operator of which only the output's size is known."""
        if kind == "opaque":
            return self.layer("opaque", type=call.node.op, size=shape, whole=True, tensors=())
        of = tuple(each.shape for each in data)
        return self.layer(kind, type=call.node.op, size=shape, of=of)

    def tensors_of(self, call: NodeReader) -> dict[str, Value | None]:
        """The constants that an operator reads and may have learned, by their place."""
        kept = KEPT.get(call.node.op, ())
        states = FIRST_STATES.get(call.node.op, ())
        inputs = call.inputs[:1] if call.node.op in BY_SIZE else call.inputs  # others say where
        return {
            f"weight{place}": value
            for place, value in enumerate(inputs)
            if value is not None
            and value.constant
            and place not in kept
            and not (place in states and self.holds_zeros(value))
            and self.is_learned(value, self.may_be_learned(value))
        }

    def place_unknown(
        self,
        call: NodeReader,
        value: Value,
        label: str,
        inputs: tuple[str, ...],
        tensors: Mapping[str, Value | None] | None,
    ) -> None:
        """An opaque layer, with the parameters that the file states of it.

        tensors: the constants that it reads; None where another output has them. Its parameters are
        not known where weights may be packed, or there are graphs or more within the node.
        """
        fields: dict[str, Any] = {"type": call.node.op}
        shape = value.shape
        if known(shape) and all(size <= MAX_SIZE for size in shape):
            fields |= {"size": shape, "whole": True}
        stored: dict[str, Value | None] = {}
        sizes: list[tuple[str, Dims | None]] = []
        packed, apart = False, bool(call.node.domain) and call.node.op not in KEPT
        for name, tensor in (tensors or {}).items():
            if tensor is None or tensor.parts == ():
                continue
            if tensor.parts is not None:
                inputs = (*inputs, self.node_of(tensor))
                continue
            stored[name] = tensor
            sizes.append((name, tensor.shape))
            packed = packed or (tensor.dtype in PACKED and apart)
        attributes = call.node.attributes if tensors is not None else {}
        for name, each in attributes.items():
            if isinstance(each, TensorProto) and each.dtype in FLOATS and prod(each.dims) > 1:
                sizes.append((name, each.dims))
            elif isinstance(each, list) and name in LEARNED_ATTRIBUTES:
                sizes.append((name, (len(each),)))
            packed = packed or isinstance(each, Graph)
            packed = packed or (isinstance(each, bytes) and len(each) > MAX_WORD)
        if not packed and all(known(size) for _, size in sizes):
            fields["tensors"] = tuple(sizes)
        layer = self.layer("opaque", **fields)
        self.place(call, value, label, layer, tuple(dict.fromkeys(inputs)), stored)


_MERGES = frozenset(("add", "subtract", "multiply", "maximum", "minimum", "average"))
_WITH_STORED = frozenset(("add", "subtract", "multiply", "divide", "maximum", "minimum", "power"))


def _by_number(operation: str, number: float, first: bool) -> tuple[str, dict[str, float]] | None:
    """The layer that does this with one number; None where there is none."""
    if operation == "add":
        return "affine", {"offset": number}
    if operation == "subtract":
        return "affine", {"slope": -1.0, "offset": number} if first else {"offset": -number}
    if operation == "multiply":
        return "affine", {"slope": number}
    if operation == "divide" and not first and number:
        return "affine", {"slope": short(1 / number)}
    if operation == "power" and not first:
        named = {2.0: "square", 0.5: "sqrt"}.get(number)
        return (named, {}) if named else ("power", {"exponent": number})
    return None


def dotted(name: str) -> str:
    """``/layer1/layer1.0/conv1/Conv``, as PyTorch has it, is ``layer1.0.conv1.Conv``."""
    if "/" not in name:
        return name
    parts: list[str] = []
    before = ""
    for part in name.strip("/").split("/"):
        parts.append(part[len(before) + 1 :] if before and part.startswith(f"{before}.") else part)
        before = part
    return ".".join(filter(None, parts))
