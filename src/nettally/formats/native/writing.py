"""A network as one of our own files: one line a layer, blocks written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import Difference, FloorDiv, Num, Product, Sum
from ...errors import NettallyError, ReadError
from ...layers.same_padding import resolve
from ...network import NOTHING, Node
from ..shapes import Shapes
from . import field_values, grammar, sequences

if TYPE_CHECKING:
    from collections.abc import Collection

    from ...network import Layer, Network, Shape


def write(network: Network) -> str:
    """The text of a file that reads back as the same network.

    Equal are names, layers, inputs, shared weights, groups (``module``), and what was ``written``
    as a product or as ``same``. ``from`` stands only where a layer does not read the one before.
    Raises ReadError for inputs whose batches differ, which a file can't say.
    """
    lines = ["nettally: 1", f"name: {quote(network.name)}"]
    if network.title:
        lines.append(f"title: {quote(network.title)}")
    notes = list(network.notes)
    if notes and notes[0].startswith("source: "):
        lines.append(f"source: {quote(notes.pop(0)[8:])}")
    if notes:
        lines += ["notes:", *(f"  - {quote(note)}" for note in notes)]
    lines += _inputs(network.inputs)
    lines.append("layers:")
    writer = _Writer(network)
    lines += [writer.node(node) for node in network.nodes]
    read = {name for node in network.nodes for name in node.inputs}
    if network.outputs != tuple(n.name for n in network.nodes if n.name not in read):
        lines += ["outputs:", *(f"  - {quote(name)}" for name in network.outputs)]
    return "\n".join(lines) + "\n"


def _inputs(inputs: Any) -> list[str]:
    if not inputs:
        return ["input: {}"]
    batches = {shape[0] for shape in inputs.values()}
    if len(batches) != 1:
        raise ReadError(
            "our own file gives all inputs one batch",
            values=", ".join(f"{name} {_sizes(shape)}" for name, shape in inputs.items()),
        )
    (batch,) = batches
    lines: list[str] = []
    if tuple(inputs) == ("data",):
        lines.append(f"input: {_sizes(inputs['data'][1:])}")
    else:
        lines.append("input:")
        lines += [f"  {quote(name)}: {_sizes(shape[1:])}" for name, shape in inputs.items()]
    if batch != 1:
        lines.append(f"batch: {batch}")
    return lines


def _flattening(network: Network) -> Collection[str]:
    """The layers whose axis has to be written, since a reader would ask whether it is meant."""
    try:
        shapes = Shapes(network.inputs, list(network.nodes))
        return sequences.flattening(network.nodes, network.inputs, shapes)
    except NettallyError:
        return ()  # no reader gets so far


class _Writer:
    def __init__(self, network: Network) -> None:
        self.before = next(iter(network.inputs), "")
        self.nodes: list[Node] = []
        self.shapes = Shapes(network.inputs, self.nodes)
        self.by_name = {node.name: node for node in network.nodes}
        self.flattening = _flattening(network)

    def node(self, node: Node) -> str:
        """One item of the list of layers."""
        inputs = None if node.inputs == (self.before,) else node.inputs
        written = self._true(node)
        weights = self._weights(node)
        self.before = node.name
        self.nodes.append(node)
        key = "- " + quote(node.name)
        parts = line(node.layer, written)
        if parts is not None and node.name in self.flattening:
            parts += ", axis 1"
        plain = node.module == node.name.rpartition(".")[0] and not isinstance(weights, dict)
        if parts is None or not plain or inputs == ():
            return f"  {key}: " + self._mapping(node, written, inputs, weights)
        if weights:
            parts += f", weights {_name(str(weights))}"
        if inputs is not None:
            parts += " from " + ", ".join(_name(name) for name in inputs)
        return f"  {key}: {quote(parts)}"

    def _true(self, node: Node) -> dict[str, Any]:
        """What the node's source wrote, as far as it still holds for the layer as it is."""
        still_true: dict[str, Any] = {}
        for name, value in node.written.items():
            if isinstance(value, Num) and value == getattr(node.layer, name, None):
                still_true[name] = value
            elif name == "padding" and value in ("same", "same_lower"):
                try:
                    if resolve(node, self.shapes.of(node.inputs)) == node.layer:
                        still_true[name] = value
                except NettallyError:
                    pass  # it cannot be resolved here: the numbers are written
        return still_true

    def _weights(self, node: Node) -> str | dict[str, str]:
        """The owner's name where ``weights NAME`` says it all, else every tensor's."""
        if not node.shared:
            return ""
        owners = {owner.rpartition(".")[0] for owner in node.shared.values()}
        owner = self.by_name.get(owners.pop()) if len(owners) == 1 else None
        if owner is not None and not owner.shared:
            try:
                theirs = owner.layer.parameters(self.shapes.of(owner.inputs))
                ours = node.layer.parameters(self.shapes.of(node.inputs))
            except NettallyError:
                return dict(node.shared)
            same = {t: f"{owner.name}.{t}" for t in ours if t in theirs}
            if same == node.shared and all(ours[t] == theirs[t] for t in same):
                return owner.name
        return dict(node.shared)

    def _mapping(
        self,
        node: Node,
        written: dict[str, Any],
        inputs: tuple[str, ...] | None,
        weights: str | dict[str, str],
    ) -> str:
        """The node fully written, every field that is not at its default."""
        layer = node.layer
        parts = [f"layer: {layer.kind}"]
        required = field_values.signature(type(layer)).required
        for name, value in layer.fields().items():
            if name in written:
                text = quote(_text(written[name], "any"), flow=True)
            elif field_values.signature(type(layer)).types[name] == "layers":
                inner = [line(each, {}) for each in value]
                text = "[" + ", ".join(quote(t or "", flow=True) for t in inner) + "]"
            elif value == layer._defaults.get(name) and name not in required:
                if name == "axis" and node.name in self.flattening:
                    parts.append("axis: 1")
                continue
            elif isinstance(value, str):
                text = _double(value)
            elif value and field_values.signature(type(layer)).types[name] == "tensors":
                pairs = (f"{_double(tensor)}: {_list(sizes)}" for tensor, sizes in value)
                text = "{" + ", ".join(pairs) + "}"
            else:
                text = _list(value)
            parts.append(f"{name}: {text}")
        if isinstance(weights, dict):
            pairs = (f"{quote(k, flow=True)}: {quote(v, flow=True)}" for k, v in weights.items())
            parts.append("weights: {" + ", ".join(pairs) + "}")
        elif weights:
            parts.append(f"weights: {_double(weights)}")
        if node.module != node.name.rpartition(".")[0]:
            parts.append(f"module: {_double(node.module)}")
        if inputs is not None:
            parts.append("from: [" + ", ".join(_double(name) for name in inputs) + "]")
        return "{" + ", ".join(parts) + "}"


def line(layer: Layer, written: dict[str, Any]) -> str | None:
    """The layer on one line, or None where one line can't say it; proven by reading it back."""
    cls = type(layer)
    sig = field_values.signature(cls)
    if any(
        kind in ("layers", "tensors") and layer.fields()[name] for name, kind in sig.types.items()
    ):
        return None
    for short in (True, False):
        text = _line_text(layer, written, sig, short)
        try:
            cut = grammar.split(text)
            bound = grammar.bind(cut, sig, ())
            values = {name: field_values.evaluate(value, NOTHING) for name, value in bound.items()}
            back, back_written = field_values.build(cls, values, sig)
        except (NettallyError, ValueError, TypeError):
            continue
        if "padding" in written and isinstance(written["padding"], str):
            back = back.replace(padding=layer.fields()["padding"])
            if layer.kind == "conv_transpose":
                back = back.replace(output_padding=layer.fields()["output_padding"])
        if back == layer and dict(back_written) == written:
            return text
    return None


def _line_text(
    layer: Layer, written: dict[str, Any], sig: field_values.Signature, short: bool
) -> str:
    parts: list[str] = []
    named: list[str] = []
    defaults = layer._defaults
    for name in (*sig.positional, *(n for n in sig.types if n not in sig.positional)):
        value = layer.fields()[name]
        kind = sig.types[name]
        text = _text(written.get(name, value), kind, short=short and name not in _SPELT_OUT)
        if name in sig.positional:
            parts.append(text)
        elif name not in written and (
            value == defaults[name] or text == _text(defaults[name], kind)
        ):
            continue
        elif kind == "bool":
            named.append(name if value else f"no {name}")
        else:
            named.append(f"{name} {text}")
    return " ".join((layer.kind, ", ".join((*parts, *named)))).strip()


_SPELT_OUT = ("kernel", "size", "order")
"""Fields whose values are written an axis each, ``3x3``, also where they are equal."""


def _text(value: Any, kind: str, *, short: bool = True) -> str:
    """A field's value as the one-line grammar has it."""
    if isinstance(value, Num):
        return _formula(value)
    if isinstance(value, str):
        return value if value.isidentifier() and value not in ("no", "from") else _single(value)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if not isinstance(value, tuple):
        return repr(value)
    axes = [_axis(each) for each in value]
    if not axes or None in axes:
        return _list(value)
    if kind == "sizes" and short and len(set(axes)) == 1:
        return str(axes[0])
    return "x".join(map(str, axes)) if len(axes) > 1 else f"[{axes[0]}]"


def _axis(value: Any) -> str | None:
    """``3``, or ``0:3``; None for what stands only in a list."""
    if isinstance(value, tuple):
        if len(value) != 2 or not all(type(v) is int for v in value):
            return None
        before, after = value
        return f"{before}" if before == after else f"{before}:{after}"
    return str(value) if type(value) is int else None


def _list(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_list(each) for each in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return repr(value)


def _formula(n: int, least: int = 1) -> str:
    """Arithmetic as an expression; what an expression can't say, as its result.

    least: what may stand here without parentheses: 1 a sum, 2 a product, 3 a number.
    """
    how = n.how if isinstance(n, Num) else None
    if isinstance(how, Sum):
        first, *others = how.terms
        text, binds = " + ".join((_formula(first), *(_formula(t, 2) for t in others))), 1
    elif isinstance(how, Difference):
        text, binds = f"{_formula(how.left)} - {_formula(how.right, 2)}", 1
    elif isinstance(how, Product):
        first, *others = how.factors
        text, binds = "*".join((_formula(first, 2), *(_formula(f, 3) for f in others))), 2
    elif isinstance(how, FloorDiv):
        text, binds = f"{_formula(how.left, 2)} // {_formula(how.right, 3)}", 2
    else:
        text, binds = str(int(n)), 3 if n >= 0 else 1
    return text if binds >= least else f"({text})"


def _sizes(shape: Shape) -> str:
    return "x".join(map(str, shape))


# --- quoting ------------------------------------------------------------------------------------


def _name(name: str) -> str:
    """A name as ``from`` has it: in quotes where it is not plain."""
    odd = not name or any(c.isspace() or not c.isprintable() or c in "'\"[](){},#:" for c in name)
    return _single(name) if odd or name == "from" else name


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789")
_INSIDE = _START | frozenset(" .,;/()*+=<>'-[]")
_FLOW = frozenset(",[]")


def quote(text: str, *, flow: bool = False) -> str:
    """Text as a YAML scalar: plain where that is sure to read back, else in double quotes.

    flow: it stands within ``{}`` or ``[]``.
    """
    if text and text[0] in _START and text[-1] not in " :":
        # a colon is plain where no blank follows it, as in the padding 0:3
        bare = text if flow else text.replace(": ", "\0").replace(":", "")
        if _INSIDE.issuperset(bare) and not (flow and _FLOW.intersection(text)):
            return text
    return _double(text)


def _double(text: str) -> str:
    shown: list[str] = []
    for c in text:
        if c in '"\\':
            shown.append("\\" + c)
        elif c.isprintable() and c != "\ufeff" and not 0xD800 <= ord(c) <= 0xDFFF:
            shown.append(c)
        elif ord(c) < 0x100:
            shown.append(f"\\x{ord(c):02x}")
        else:
            shown.append(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}")
    return '"' + "".join(shown) + '"'
