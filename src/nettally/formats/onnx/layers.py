"""How the rules of ONNX's operators put layers into the network."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ...errors import LayerError
from ...layers import layer_class
from ...network import MAX_SIZE, NOTHING, Node
from .constants import computed_constant
from .proto import FLOATS
from .state import BY_SIZE, State
from .values import MAX_CONTENTS, MAX_DIM, Value, known, short, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Layer
    from .proto import Dims
    from .state import NodeReader


class Layers(State):
    """Puts layers into the network."""

    def needed(self, name: str) -> bool:
        """Whether something reads an output."""
        raise NotImplementedError

    def unique(self, name: str) -> str:
        """A name that no layer or input has yet."""
        names = self.names
        if name not in names and name:
            names.add(name)
            return name
        base = name or "node"
        number = self.numbers.get(base, 2)
        while f"{base}_{number}" in names:
            number += 1
        self.numbers[base] = number + 1
        names.add(f"{base}_{number}")
        return f"{base}_{number}"

    def layer(self, kind: str, **fields: Any) -> Layer:
        """A layer; the same object for the same fields, since networks repeat themselves."""
        key = (kind, *fields.items()) if fields else kind
        try:
            layer = self.layers.get(key)
        except TypeError:  # a field that can't be hashed
            return layer_class(kind)(**fields)
        if layer is None:
            layer = layer_class(kind)(**fields)
            self.layers[key] = layer
        return layer

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
            label = call.name if place == 0 else self.unique(f"{call.name}.{name or place}")
            self.add(call, value, label, make, data, weights, written)
        else:
            if shape is not None:
                self.check_sizes(call, shape)
            one = data[0].shape if len(data) == 1 else None
            if known(shape) and known(one) and prod(shape) == prod(one):
                value.root = data[0].root  # a view: the same weight
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
        shared: Mapping[str, str] | None = None,
    ) -> Value:
        """A layer on the way to an output, where a node is more than one of ours."""
        if self.recorder is not None:
            self.recorder.emitted.append(None)
        value = Value("", shape, data[0].dtype if data else 0)
        if any([each.node is not None for each in data]):
            label = self.unique(f"{call.name}.{suffix}")
            self.add(call, value, label, make, data, weights, None, shared)
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
        shared: Mapping[str, str] | None = None,
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
        if ready and shape is not None:
            try:
                layer = make()
                layer_shape = layer.shape(xs)  # type: ignore[arg-type] - ``ready`` says that they are known
            except LayerError as error:
                raise call.error(error.what, error.values, error.hint) from None
            if layer_shape is not shape and layer_shape != shape:
                # a rule of this reader and the layer it chose contradict each other
                raise call.error(
                    f"the layer '{layer.kind}' does not make the output's shape",
                    f"{shown(shape)} expected, {shown(layer_shape)} made",
                    "this is an error of nettally's; please report it with the file",
                )
        else:
            layer, weights = self.layer("opaque", type=call.node.op), None
        self.place(call, value, label, layer, inputs, weights, written, shared)

    def place(
        self,
        call: NodeReader,
        value: Value,
        label: str,
        layer: Layer,
        inputs: tuple[str, ...],
        weights: Mapping[str, Value | None] | None = None,
        written: Mapping[str, Any] | None = None,
        shared: Mapping[str, str] | None = None,
    ) -> None:
        """A node of the network."""
        self.budget.layer(len(inputs), len(value.shape or ()))
        if weights:
            tensors = {name: weight for name, weight in weights.items() if weight is not None}
            owners = {
                name: self.owner(weight, f"{label}.{name}") for name, weight in tensors.items()
            }
            shared = {name: of for name, of in owners.items() if of != f"{label}.{name}"}
        module = ""
        if "." in label and (self.prefix or "/" in call.node.name):
            module = label.rpartition(".")[0]
        self.append_node(label, layer, inputs, module, written, shared)
        self.read.update(inputs)
        value.node = label

    def append_node(
        self,
        label: str,
        layer: Layer,
        inputs: tuple[str, ...] = (),
        module: str = "",
        written: Mapping[str, Any] | None = None,
        shared: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes.append(
            Node(label, layer, inputs, shared or NOTHING, module, self.span, written or NOTHING)
        )

    def owner(self, weight: Value, parameter: str) -> str:
        """The parameter that a constant is: this one, or the first one that it was."""
        return self.owners.setdefault(weight.root, parameter)

    def node_of(self, value: Value) -> str:
        """The name of what makes a value; of a constant, a layer that holds it."""
        if value.node is not None:
            return value.node
        shape = value.shape
        count = prod(shape) if known(shape) else 0
        learned = self.is_learned(value, count > 1 and value.dtype in FLOATS)
        label = self.unique(dotted(value.name))
        if not known(shape):
            layer = self.layer("opaque", type="constant", tensors=())
        else:
            layer = self.layer("tensor", size=shape, learned=learned)
        of = self.owner(value, f"{label}.weight") if learned else ""
        shared = {"weight": of} if learned and of != f"{label}.weight" else None
        self.append_node(label, layer, shared=shared)
        if not self.probing:
            value.node, value.sort = label, None
        return label

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
        if a.constant == b.constant or operation not in _WITH_STORED or not known(size):
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
                label = call.name if place == 0 else self.unique(f"{call.name}.{name}")
                self.place(call, value, label, self.by_size(call, kind, shape, data), inputs)
            self.define(value, call)

    def by_size(
        self, call: NodeReader, kind: str, shape: Dims | None, data: Sequence[Value]
    ) -> Layer:
        """The layer of an operator of which only the output's size is known, or not even that."""
        fields: dict[str, Any] = {"type": call.node.op}
        if not known(shape):
            return self.layer("opaque", **fields)
        if kind != "opaque" and all(known(each.shape) for each in data):
            return self.layer(kind, **fields, size=shape, of=tuple(each.shape for each in data))
        # it stores its constant tensors, named by their place among the inputs
        tensors = tuple(
            (f"weight{place}", value.shape)
            for place, value in enumerate(call.inputs)
            if value is not None
            and value.constant
            and value.dtype in FLOATS
            and known(value.shape)
            and prod(value.shape) > 1
        )
        if tensors:
            fields["tensors"] = tensors
        return self.layer("opaque", **fields, size=shape, whole=True)


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


def listed(names: Sequence[str]) -> str:
    """Names, a dozen at most."""
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(name[:60] for name in names[:12]) + more
