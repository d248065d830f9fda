"""Decoding the nodes of an ONNX file, of which there may be 100,000."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encodings.protobuf import split
from .proto import MAX_EDGES, MAX_NODES, Kind, NodeDef
from .tensors import Tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..encodings.blob import Blob
    from ..encodings.protobuf import Field

SHORT = 256
"""Attributes of a node that are longer together, in bytes, are decoded each time."""

_new_node = tuple.__new__  # a third of the time of NodeDef(...)


class Nodes(Tensors):
    """Decodes nodes, each by itself or many that stand together."""

    def __init__(self, blob: Blob) -> None:
        super().__init__(blob)
        self.count = self.edges = 0
        self.attributes: dict[bytes, tuple[str, object]] = {}
        self.alike: dict[tuple[object, ...], Kind] = {}
        self.shared: set[Kind] = set()  # those in ``alike``
        self.kinds: dict[bytes, Kind] = {}  # by all that stands after a node's names

    def named(self, field: Field, depth: int) -> tuple[str, object]:
        """An attribute: its name and its value."""
        raise NotImplementedError

    def counted(self, at: int) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.blob.error("the file has too many nodes", at, f"over {MAX_NODES:,}")

    # long: this is the inner loop for each node, where a call would be felt
    def nodes(self, into: list[NodeDef], depth: int) -> Callable[[bytes, int, int], int]:
        """A function that decodes consecutive plain nodes, as nearly all are.

        A plain node begins with its names, each shorter than 16,384 bytes. What follows them is
        mostly the same, byte by byte, in the nodes of a long network, so that it is decoded once.
        """

        def run(data: bytes, place: int, base: int) -> int:
            """Decode plain nodes from ``place`` on; returns where the first other node begins.

            data: a part of the file, which begins at ``base``.
            """
            if data[place] != 10:
                return place
            kinds, end, edges, before = self.kinds, len(data), 0, len(into)
            try:
                while place < end and data[place] == 10:
                    size, at = data[place + 1], place + 2
                    if size > 127:
                        size, at = _two(size, data[at]), at + 1
                    start, stop, name = at, at + size, ""
                    inputs: list[str] = []
                    outputs: list[str] = []
                    tag = data[at]
                    while tag == 10:
                        size, at = data[at + 1], at + 2
                        if size > 127:
                            size, at = _two(size, data[at]), at + 1
                        to = at + size
                        inputs.append(data[at:to].decode())
                        tag, at = data[to], to
                    while tag == 18:
                        size, at = data[at + 1], at + 2
                        if size > 127:
                            size, at = _two(size, data[at]), at + 1
                        to = at + size
                        outputs.append(data[at:to].decode())
                        tag, at = data[to], to
                    if tag == 26:
                        size, at = data[at + 1], at + 2
                        if size > 127:
                            size, at = _two(size, data[at]), at + 1
                        to = at + size
                        name = data[at:to].decode()
                        at = to
                    if at >= stop or stop > end:
                        break
                    tail = data[at:stop]
                    kind = kinds.get(tail) or self.tail(tail, base + at, depth, name)
                    if kind is None:
                        break
                    edges += len(inputs) + len(outputs)
                    into.append(_new_node(NodeDef, (base + start, name, kind, inputs, outputs)))
                    place = stop
            except (IndexError, UnicodeDecodeError):
                pass  # at the end of what was fetched; or it is damaged, and the other way says how
            if len(into) > before:
                self.linked(len(into) - before, edges, base + place)
            return place

        return run

    def linked(self, nodes: int, edges: int, at: int) -> None:
        """Count nodes, and their inputs and outputs."""
        self.count += nodes - 1
        self.edges += edges
        self.counted(at)
        if self.edges > MAX_EDGES:
            raise self.blob.error("the nodes have too many inputs", at, f"over {MAX_EDGES:,}")

    def tail(self, data: bytes, at: int, depth: int, name: str) -> Kind | None:
        """What a node does, from what stands after its names; None where more names do."""
        parts = split(self.blob, data, at)
        numbers = {part[0] for part in parts}
        if 4 not in numbers or min(numbers) < 4:
            return None
        kind = self.kind(parts, at, depth, name)
        if len(data) <= SHORT and kind in self.shared:
            self.kinds[data] = kind
        return kind

    def node(self, field: Field, depth: int) -> NodeDef:
        """Any node."""
        inputs: list[str] = []
        outputs: list[str] = []
        rest: list[Field] = []
        name = ""
        for each in self.message(field, "node"):
            number = each[0]
            if number > 3:
                rest.append(each)
            elif number == 3:
                name = self.text(each, "node's text")
            else:
                (inputs if number == 1 else outputs).append(self.text(each, "node's text"))
            if len(inputs) + len(outputs) + len(rest) > MAX_EDGES:
                raise self.blob.error("a node has too many inputs", each[4])
        self.linked(1, len(inputs) + len(outputs), field[4])
        return NodeDef(field[4], name, self.kind(rest, field[4], depth, name), inputs, outputs)

    def kind(self, parts: Sequence[Field], at: int, depth: int, name: str = "") -> Kind:
        """What a node does, from the fields of it that are no names; the same object if it can be.

        name: of the node, for errors.
        """
        op = domain = overload = ""
        attributes: dict[str, object] = {}
        attribute_fields: list[Field] = []
        for part in parts:
            number = part[0]
            if number == 5:
                attribute_fields.append(part)
            elif number == 4:
                op = self.text(part, "node's text")
            elif number == 7:
                domain = self.text(part, "node's text")
            elif number == 8:
                overload = self.text(part, "node's text")
            else:
                self.skip(part, "NodeProto", _NODE)
        if not op:
            raise self.blob.error("a node has no op_type", at, f"name '{name}'")
        domain = "" if domain == "ai.onnx" else domain
        key = None
        if sum([part[2] for part in attribute_fields]) <= SHORT:
            key = (op, domain, overload, *[part[3] for part in attribute_fields])
            same = self.alike.get(key)
            if same is not None:
                return same
        for part in attribute_fields:
            self.attribute(part, attributes, depth, op, name)
        kind = Kind(op, domain, overload, attributes)
        if key is not None and all(map(_alike, attributes.values())):
            self.alike[key] = kind
            self.shared.add(kind)
        return kind

    def attribute(
        self, field: Field, into: dict[str, object], depth: int, op: str, node: str
    ) -> None:
        data = field[3]
        pair = self.attributes.get(data) if data is not None else None
        if pair is None:
            pair = self.named(field, depth)
            self.counted(field[4])
            if field[2] <= SHORT and _alike(pair[1]):
                self.attributes[data or b""] = pair  # kernel_shape and such stand in each node
        name, value = pair
        if name in into:
            raise self.blob.error(
                f"the attribute '{name}' stands twice in a node", field[4], f"{op} '{node}'"
            )
        into[name] = value


def _two(low: int, high: int) -> int:
    """A length of two bytes. Raises IndexError where it has more."""
    if high > 127:
        raise IndexError
    return low & 127 | high << 7


def _alike(value: object) -> bool:
    """Whether the value of an attribute is the same wherever its bytes are."""
    if isinstance(value, list):
        return all(isinstance(each, (int, float, bytes)) for each in value)
    return isinstance(value, (int, float, bytes))


_NODE = frozenset((6, 9, 10))
