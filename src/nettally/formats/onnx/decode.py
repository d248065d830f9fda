"""Decoding an ONNX file: the messages of onnx.proto from the wire, checked.

Field numbers are those of onnx/onnx.proto3 (IR version 3 to 12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encodings.protobuf import BYTES, FIXED32, fields, walk
from .nodes import Nodes
from .proto import (
    LEARNED,
    MAX_DEPTH,
    MAX_RANK,
    MAX_VALUES,
    Function,
    Graph,
    Info,
    Model,
    Ref,
    TensorProto,
    symbol,
)
from .tensors import from_bits

if TYPE_CHECKING:
    from ..encodings.blob import Blob
    from ..encodings.protobuf import Field
    from .proto import Dim, Dims


def model(blob: Blob) -> Model:
    """The model in the file. Raises ReadError for what is none."""
    return _Decoder(blob).model()


class _Decoder(Nodes):
    # --- messages -------------------------------------------------------------------------------

    def model(self) -> Model:
        blob, result = self.blob, self.result
        at = None
        for field in fields(blob, 0, blob.size):
            number = field[0]
            if number == 7:
                if at is not None:
                    raise blob.error("the model has two graphs", field[4])
                at = field
            elif number == 1:
                result.ir = self.integer(field, "ir_version")
            elif number == 2:
                result.producer = self.text(field, "producer_name")
            elif number == 8:
                self.opset(field, result.opsets)
            elif number == 14:
                self.learned(field, result.learned)
            elif number == 25:
                self.counted(field[4])
                function = self.function(field)
                key = (function.domain, function.name, function.overload)
                if key in result.functions:
                    raise blob.error(f"two functions are called '{function.name}'", field[4])
                result.functions[key] = function
            else:
                self.skip(field, "ModelProto", _MODEL)
        if at is None:
            raise blob.error("the model has no graph", blob.size, hint="is the file cut off?")
        result.graph = self.graph(at, 0)
        return result

    def learned(self, field: Field, into: dict[str, bool]) -> None:
        """A note that ``nettally export`` writes: whether a tensor is learned."""
        key = value = ""
        for each in self.message(field, "metadata_props"):
            if each[0] == 1 and each[3] is not None:
                key = each[3].decode("utf-8", "replace")
            elif each[0] == 2 and each[3] is not None:
                value = each[3].decode("utf-8", "replace")
        if key.startswith(LEARNED) and value in ("true", "false"):
            self.counted(field[4])
            into[key.removeprefix(LEARNED)] = value == "true"

    def opset(self, field: Field, into: dict[str, int]) -> None:
        domain, version = "", 0
        for each in self.message(field, "opset_import"):
            if each[0] == 1:
                domain = self.text(each, "domain")
            elif each[0] == 2:
                version = self.integer(each, "version")
        domain = "" if domain == "ai.onnx" else domain
        if into.get(domain, version) != version:
            raise self.blob.error(
                f"the domain '{domain or 'ai.onnx'}' has two versions",
                field[4],
                f"{into[domain]} and {version}",
            )
        into[domain] = version

    def graph(self, field: Field, depth: int) -> Graph:
        if depth > MAX_DEPTH:
            raise self.blob.error(f"graphs nest more than {MAX_DEPTH} deep", field[4])
        graph = Graph()
        nodes, infos = graph.nodes, graph.infos
        if field[1] != BYTES:
            raise self.wrong(field, "graph")
        for each in walk(self.blob, field[4], field[2], self.nodes(nodes, depth)):
            number = each[0]
            if number == 1:
                nodes.append(self.node(each, depth))
            elif number == 5:
                tensor = self.tensor(each)
                self.initializer(graph, tensor, each[4])
            elif number == 13:
                self.counted(each[4])
                info = self.info(each)
                infos[info.name] = info
            elif number in (11, 12):
                self.counted(each[4])
                (graph.inputs if number == 11 else graph.outputs).append(self.info(each))
            elif number == 2:
                graph.name = self.text(each, "graph's name")
            elif number == 15:
                self.initializer(graph, self.sparse(each), each[4])
            else:
                self.skip(each, "GraphProto", _GRAPH)
        return graph

    def initializer(self, graph: Graph, tensor: TensorProto, at: int) -> None:
        self.counted(at)
        if tensor.name in graph.initializers:
            raise self.blob.error(f"two initializers are called '{tensor.name}'", at)
        if not tensor.name:
            raise self.blob.error("an initializer has no name", at)
        graph.initializers[tensor.name] = tensor

    def named(self, field: Field, depth: int) -> tuple[str, object]:
        """An AttributeProto: its name, and an int, float, bytes, Tensor, Graph, Info or a list."""
        name, kind = "", 0
        single: dict[int, object] = {}
        several: dict[int, list[object]] = {}
        for each in self.message(field, "attribute"):
            number, wire = each[0], each[1]
            if several and sum(map(len, several.values())) > MAX_VALUES:
                raise self.blob.error("an attribute has too many values", field[4])
            if number == 1:
                name = self.text(each, "attribute's name")
            elif number == 20:
                kind = self.integer(each, "attribute's type")
            elif number == 3:
                single[number] = self.integer(each, "attribute")
            elif number == 8:
                several.setdefault(8, []).extend(self.integers(each, "ints"))
            elif number == 2:
                if wire != FIXED32:
                    raise self.wrong(each, "attribute's float")
                single[number] = from_bits(each[2])
            elif number == 7:
                several.setdefault(7, []).extend(self.floats(each))
            elif number == 4:
                # a long text (a serialized model) is of no use here
                single[number] = each[3] or b""
            elif number == 9:
                several.setdefault(9, []).append(each[3] or b"")
            elif number == 5:
                single[number] = self.tensor(each)
            elif number == 6:
                single[number] = self.graph(each, depth + 1)
            elif number == 10:
                self.counted(each[4])
                several.setdefault(10, []).append(self.tensor(each))
            elif number == 11:
                several.setdefault(11, []).append(self.graph(each, depth + 1))
            elif number == 22:
                single[number] = self.sparse(each)
            elif number == 14:
                single[number] = self.type(each, "")
            elif number == 21:
                return name, Ref(self.text(each, "ref_attr_name"))
            else:
                self.skip(each, "AttributeProto", _ATTRIBUTE)
        return name, self.chosen(name, kind, single, several, field[4])

    def chosen(
        self,
        name: str,
        kind: int,
        single: dict[int, object],
        several: dict[int, list[object]],
        at: int,
    ) -> object:
        """The value of an attribute of this type, among those that stand in its fields."""
        place = _ATTRIBUTE_TYPES.get(kind)
        if place is None and kind == 0:  # IR version 1 and 2 may leave the type out
            place = next(iter((*single, *several)), None)
        if place is None:
            if kind and kind not in (12, 14):
                raise self.blob.error(
                    f"the attribute '{name}' has an unknown type", at, f"type {kind}"
                )
            return None
        if place in single:
            return single[place]
        if place in several or place in (7, 8, 9, 10, 11):
            return several.get(place, [])
        if place in (5, 6, 22, 14):
            raise self.blob.error(f"the attribute '{name}' has no value", at)
        return {2: 0.0, 3: 0, 4: b""}[place]

    def info(self, field: Field) -> Info:
        name, info = "", Info("", 0, None)
        for each in self.message(field, "value_info"):
            if each[0] == 1:
                name = self.text(each, "value's name")
            elif each[0] == 2:
                info = self.type(each, name)
        return info._replace(name=name)

    def type(self, field: Field, name: str) -> Info:
        for each in self.message(field, "type"):
            number = each[0]
            if number in (1, 8):
                dtype, dims = 0, None
                for part in self.message(each, "tensor type"):
                    if part[0] == 1:
                        dtype = self.integer(part, "elem_type")
                    elif part[0] == 2:
                        dims = self.dims(part)
                return Info(name, dtype, dims)
            if number in (4, 5, 7, 9):
                return Info(
                    name, 0, None, {4: "sequence", 5: "map", 7: "opaque", 9: "optional"}[number]
                )
        return Info(name, 0, None)

    def dims(self, field: Field) -> Dims:
        dims: list[Dim] = []
        for each in self.message(field, "shape"):
            dims.append(self.dim(each))
            if len(dims) > MAX_RANK:
                raise self.blob.error("a shape has too many axes", each[4], f"over {MAX_RANK}")
        return tuple(dims)

    def dim(self, field: Field) -> Dim:
        size: Dim = None
        for each in self.message(field, "dimension"):
            if each[0] == 1:
                size = self.integer(each, "dim_value")
                # some writers have -1 and 0 for what they don't know
                if size < 0:
                    size = None
            elif each[0] == 2:
                size = symbol(self.text(each, "dim_param"))
        return size

    def function(self, field: Field) -> Function:
        function = Function()
        for each in self.message(field, "function"):
            number = each[0]
            if number == 1:
                function.name = self.text(each, "function's name")
            elif number == 4:
                function.inputs.append(self.text(each, "function's input"))
            elif number == 5:
                function.outputs.append(self.text(each, "function's output"))
            elif number == 6:
                function.attributes.append(self.text(each, "function's attribute"))
            elif number == 11:
                name, value = self.named(each, 1)
                function.defaults[name] = value
            elif number == 7:
                function.nodes.append(self.node(each, 1))
            elif number == 9:
                self.opset(each, function.opsets)
            elif number == 10:
                domain = self.text(each, "domain")
                function.domain = "" if domain == "ai.onnx" else domain
            elif number == 13:
                function.overload = self.text(each, "overload")
            else:
                self.skip(each, "FunctionProto", _FUNCTION)
        return function


_MODEL = frozenset((3, 4, 5, 6, 14, 20, 26))
_GRAPH = frozenset((10, 14, 16))
_ATTRIBUTE = frozenset((13, 15, 23))
_FUNCTION = frozenset((8, 12, 14))


_ATTRIBUTE_TYPES = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11, 11: 22, 13: 14}
"""AttributeProto.AttributeType, to the field that holds the value."""
