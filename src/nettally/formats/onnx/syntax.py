"""ONNX's own textual syntax (``.onnxtxt``), as objects with the names of onnx.proto's JSON.

The syntax is that of onnx's parser and printer (onnx/defs/parser.h):
``<ir_version: 8, opset_import: ["": 17]> net (float[N,3] x) => (y) { y = Relu (x) }``.
Written by ``onnx.save(model, "net.onnxtxt")``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from ...errors import ReadError
from .proto import TYPES as NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 100
"""How deep graphs and types may stand within each other."""

TYPES = {
    {"float32": "float", "float64": "double"}.get(word, word): number
    for number, word in NAMES.items()
}
"""The numbers of onnx.proto's types of tensors."""

DATA = {"float": "float_data", "double": "double_data", "int64": "int64_data",
        "string": "string_data", "uint32": "uint64_data", "uint64": "uint64_data"}  # fmt: skip
"""Where a tensor of a type has its numbers; all others in ``int32_data``."""

ATTRIBUTES = {
    "float": "f", "int": "i", "string": "s", "tensor": "t", "graph": "g", "type_proto": "tp",
    "floats": "floats", "ints": "ints", "strings": "strings", "tensors": "tensors",
    "graphs": "graphs", "type_protos": "type_protos",
}  # fmt: skip
"""The field of an attribute that has a value of a type."""

_TOKEN = re.compile(
    r"""(?:\s|\#[^\n]*)*+(?:(?P<text>"(?:[^"\\]|\\.)*+")|(?P<word>[A-Za-z_][A-Za-z0-9_]*+)
    |(?P<number>[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?|[-+](?:inf|nan)\b)
    |(?P<mark>=>|[<>(){}\[\],:=@?.])|(?P<end>\Z))""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)


_ENDS = re.compile(r"\s*+[,)>=]")
"""What stands behind a value that has no type."""


def is_syntax(head: bytes) -> bool:
    """Whether a text begins as such a model does."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return start[:1] == b"<" and b"ir_version" in start[:2000] and b"\0" not in head


def model(name: str, text: str) -> dict[str, Any]:
    """The model in a text. Raises ReadError, with the line, for what is none."""
    parser = _Parser(name, text)
    fields = parser.settings()
    fields["graph"] = parser.graph()
    functions: list[Any] = []
    while parser.kind != "end":
        functions.append(parser.function())
    return {**fields, "functions": functions}


class _Parser:
    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.at = 0
        self.depth = 0
        self.step()

    # --- words ----------------------------------------------------------------------------------

    def step(self) -> None:
        """Go to the next word."""
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            self.token = self.text[self.at : self.at + 20].strip()
            raise self.error("this has no meaning here")
        self.kind = match.lastgroup or "end"
        self.token, self.at = match[self.kind], match.end()

    def error(self, what: str) -> ReadError:
        line = self.text.count("\n", 0, self.at) + 1
        return ReadError(
            what,
            where=f"{self.name}:{line}",
            values=f"'{self.token[:40]}'" if self.token else "the end of the file",
        )

    def take(self, mark: str) -> bool:
        """Step over a mark, where it stands here."""
        if self.kind == "mark" and self.token == mark:
            self.step()
            return True
        return False

    def need(self, mark: str) -> None:
        if not self.take(mark):
            raise self.error(f"'{mark}' should come here")

    def word(self) -> str:
        """A name, in quotation marks or without."""
        if self.kind == "text":
            return self.string()
        if self.kind != "word":
            raise self.error("a name should come here")
        word = self.token
        self.step()
        return word

    def string(self) -> str:
        if self.kind != "text":
            raise self.error("a text in quotation marks should come here")
        text = re.sub(r"\\(.)", r"\1", self.token[1:-1], flags=re.DOTALL)
        self.step()
        return text

    def list(self, item: Callable[[], Any], end: str) -> list[Any]:
        """Items with commas between, up to a mark."""
        items: list[Any] = []
        while not self.take(end):
            if items:
                self.need(",")
            items.append(item())
        return items

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"graphs and types stand more than {MAX_DEPTH} deep in each other")

    # --- the model and its functions ------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """What stands between < and > before a graph or a function."""
        self.need("<")
        return dict(self.list(self.setting, ">"))

    def setting(self) -> tuple[str, Any]:
        key = self.word()
        self.need(":")
        if not self.take("["):
            return key, self.value()
        names = ("domain", "version") if key == "opset_import" else ("key", "value")
        return key, self.list(lambda: dict(zip(names, self.pair(), strict=True)), "]")

    def pair(self) -> tuple[str, Any]:
        key = self.string()
        self.need(":")
        return key, self.value()

    def value(self) -> Any:
        """A number or a text."""
        if self.kind == "text":
            return self.string()
        return self.number()

    def number(self) -> Any:
        word = self.token
        if self.kind != "number" and word not in ("inf", "nan", "true", "false"):
            raise self.error("a number should come here")
        self.step()
        if word in ("true", "false"):
            return int(word == "true")
        plain = re.fullmatch(r"[-+]?[0-9]{1,40}", word)
        return int(word) if plain else float(word)

    def function(self) -> dict[str, Any]:
        fields = self.settings() if self.token == "<" else {}
        fields["name"] = self.word()
        if self.take("<"):
            names = self.list(self.parameter, ">")
            fields["attribute"] = [each for each in names if isinstance(each, str)]
            fields["attribute_proto"] = [each for each in names if not isinstance(each, str)]
        self.need("(")
        fields["input"] = self.list(self.word, ")")
        self.need("=>")
        self.need("(")
        fields["output"] = self.list(self.word, ")")
        if self.take("<"):
            fields["value_info"] = [info for info, _ in self.list(self.info, ">")]
        return {**fields, "node": self.nodes()}

    def parameter(self) -> Any:
        """A name of an attribute, or one with its value."""
        name = self.word()
        return name if self.token in (",", ">") else self.attribute_of(name)

    # --- graphs ---------------------------------------------------------------------------------

    def graph(self, name: str | None = None) -> dict[str, Any]:
        self.deeper()
        fields: dict[str, Any] = {"name": self.word() if name is None else name}
        tensors: list[Any] = []
        for key in ("input", "output", "value_info"):
            if key == "output":
                self.need("=>")
            if key != "value_info":
                self.need("(")
            elif not self.take("<"):
                break
            pairs = self.list(self.info, ">" if key == "value_info" else ")")
            tensors += [tensor for _, tensor in pairs if tensor is not None]
            fields[key] = [info for info, tensor in pairs if tensor is None or key == "input"]
        fields |= {"node": self.nodes(), "initializer": tensors}
        self.depth -= 1
        return fields

    def info(self) -> tuple[dict[str, Any], Any]:
        """A value, and the tensor that it is, or None. The type may be left out."""
        if self.kind == "text" or _ENDS.match(self.text, self.at):
            return {"name": self.word()}, None
        kind, dims, type_ = self.type()
        name = self.word()
        tensor = None
        if self.take("="):
            tensor = {"name": name, **self.tensor(kind, dims)}
        return {"name": name, "type": type_}, tensor

    def type(self) -> tuple[str, list[Any], dict[str, Any]]:
        """The kind of a tensor's numbers, its sizes, and the type as a message."""
        word = self.word()
        if word in TYPES:
            shape: list[dict[str, Any]] | None = []
            if self.take("["):
                shape = self.list(self.size, "]") or None
            fields: dict[str, Any] = {"elem_type": TYPES[word]}
            if shape is not None:
                fields["shape"] = {"dim": shape}
            dims = [each.get("dim_value", 0) for each in shape or ()]
            return word, dims, {"tensor_type": fields}
        field = {"seq": "sequence_type", "optional": "optional_type", "map": "map_type",
                 "sparse_tensor": "sparse_tensor_type"}.get(word)  # fmt: skip
        if field is None:
            raise self.error(f"'{word[:40]}' is no type: float, int64, seq(...) are")
        self.deeper()
        self.need("(")
        if word == "map":
            self.word()
            self.need(",")
        inner = self.type()[2]
        self.need(")")
        self.depth -= 1
        held = inner.get("tensor_type", {}) if word == "sparse_tensor" else {"elem_type": inner}
        return word, [], {field: held}

    def size(self) -> dict[str, Any]:
        if self.take("?"):
            return {}
        if self.kind == "number":
            return {"dim_value": self.number()}
        return {"dim_param": self.word()}

    def tensor(self, kind: str, dims: list[Any]) -> dict[str, Any]:
        """The numbers of a tensor between { and }; a tensor in another file has none here."""
        fields: dict[str, Any] = {"dims": dims, "data_type": TYPES.get(kind, 0)}
        if self.take("["):  # [ "location": "weights.bin", ... ]
            pairs = self.list(self.pair, "]")
            entries = [{"key": key, "value": str(value)} for key, value in pairs]
            return {**fields, "data_location": "EXTERNAL", "external_data": entries}
        self.need("{")
        item = self.coded if kind == "string" else self.number
        return {**fields, DATA.get(kind, "int32_data"): self.list(item, "}")}

    def coded(self) -> str:
        return b64encode(self.string().encode()).decode()

    # --- nodes ----------------------------------------------------------------------------------

    def nodes(self) -> list[dict[str, Any]]:
        self.need("{")
        nodes: list[dict[str, Any]] = []
        while not self.take("}"):
            nodes.append(self.node())
        return nodes

    def node(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if self.take("["):
            fields["name"] = self.word()
            self.need("]")
        fields["output"] = [self.word()]
        while self.take(","):
            fields["output"].append(self.word())
        self.need("=")
        parts = [self.word()]
        while self.take("."):
            parts.append(self.word())
        *domain, fields["op_type"] = parts
        fields["domain"] = ".".join(domain)
        if self.take(":"):
            fields["overload"] = self.word()
        attributes = self.list(self.attribute, ">") if self.take("<") else []
        self.need("(")
        fields["input"] = self.list(lambda: "" if self.token in (",", ")") else self.word(), ")")
        if self.take("<"):
            attributes += self.list(self.attribute, ">")
        return {**fields, "attribute": attributes}

    def attribute(self) -> dict[str, Any]:
        return self.attribute_of(self.word())

    def attribute_of(self, name: str) -> dict[str, Any]:
        kind = self.word() if self.take(":") else ""
        self.need("=")
        if self.take("@"):
            type_ = (kind or "undefined").upper()
            return {"name": name, "ref_attr_name": self.word(), "type": type_}
        if self.take("["):
            values = self.list(lambda: self.one(kind.removesuffix("s")), "]")
            kind = kind or f"{_kind_of(values[0]) if values else 'int'}s"
            return {"name": name, ATTRIBUTES.get(kind, kind): values, "type": kind.upper()}
        value = self.one(kind)
        kind = kind or _kind_of(value)
        return {"name": name, ATTRIBUTES.get(kind, kind): value, "type": kind.upper()}

    def one(self, kind: str) -> Any:
        """A value of an attribute."""
        if self.kind == "text" and kind in ("", "string"):
            return self.coded()
        if self.kind == "number" or self.token in ("inf", "nan"):
            number = self.number()
            return float(number) if kind == "float" else number
        if kind == "type_proto":
            return self.type()[2]
        word = self.token
        if kind != "graph" and word in TYPES:
            kind, dims, _ = self.type()
            name = self.word() if self.kind in ("word", "text") else ""
            return {"name": name, **self.tensor(kind, dims)}
        return self.graph()


def _kind_of(value: Any) -> str:
    if isinstance(value, dict):
        return "tensor" if "data_type" in value else "graph"
    return {int: "int", float: "float"}.get(type(value), "string")
