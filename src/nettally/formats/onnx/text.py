"""ONNX in text: protobuf's text format, its JSON, and ONNX's own syntax, made binary.

Only the names and numbers of fields are here (onnx/onnx.proto3, IR version 3 to 13). What the
fields mean, and what cannot be, is for those to say who read the binary format.
"""

from __future__ import annotations

import struct
from binascii import a2b_base64
from functools import cache
from typing import TYPE_CHECKING, Any

from ...errors import ReadError, closest
from ..encodings.protobuf import BYTES, FIXED32, VARINT
from ..encodings.protobuf_tree import Message
from ..source import HEAD
from .syntax import is_syntax, model
from .tensors import as_varint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..source import Source

_MESSAGES = {
    "Model": "ir_version:1:int producer_name:2:text producer_version:3:text domain:4:text "
    "model_version:5:int doc_string:6:text graph:7:Graph opset_import:8:OperatorSet "
    "metadata_props:14:Entry training_info:20:- functions:25:Function configuration:26:-",
    "OperatorSet": "domain:1:text version:2:int",
    "Entry": "key:1:text value:2:text",
    "Graph": "node:1:Node name:2:text initializer:5:Tensor doc_string:10:text input:11:Info "
    "output:12:Info value_info:13:Info quantization_annotation:14:- sparse_initializer:15:Sparse "
    "metadata_props:16:Entry",
    "Node": "input:1:text output:2:text name:3:text op_type:4:text attribute:5:Attribute "
    "doc_string:6:text domain:7:text overload:8:text metadata_props:9:Entry "
    "device_configurations:10:-",
    "Attribute": "name:1:text f:2:float i:3:int s:4:bytes t:5:Tensor g:6:Graph floats:7:floats "
    "ints:8:ints strings:9:bytes tensors:10:Tensor graphs:11:Graph doc_string:13:text tp:14:Type "
    "type_protos:15:Type type:20:Kind ref_attr_name:21:text sparse_tensor:22:Sparse "
    "sparse_tensors:23:Sparse",
    "Tensor": "dims:1:ints data_type:2:int segment:3:- float_data:4:floats int32_data:5:ints "
    "string_data:6:bytes int64_data:7:ints name:8:text raw_data:9:bytes double_data:10:doubles "
    "uint64_data:11:ints doc_string:12:text external_data:13:Entry data_location:14:Location "
    "metadata_props:16:Entry",
    "Sparse": "values:1:Tensor indices:2:Tensor dims:3:ints",
    "Info": "name:1:text type:2:Type doc_string:3:text metadata_props:4:Entry",
    "Type": "tensor_type:1:TensorType sequence_type:4:SequenceType map_type:5:- denotation:6:text "
    "opaque_type:7:- sparse_tensor_type:8:TensorType optional_type:9:SequenceType",
    "TensorType": "elem_type:1:int shape:2:Shape",
    "SequenceType": "elem_type:1:Type",
    "Shape": "dim:1:Dimension",
    "Dimension": "dim_value:1:int dim_param:2:text denotation:3:text",
    "Function": "name:1:text input:4:text output:5:text attribute:6:text node:7:Node "
    "doc_string:8:text opset_import:9:OperatorSet domain:10:text attribute_proto:11:Attribute "
    "value_info:12:Info overload:13:text metadata_props:14:Entry",
}
"""The fields of each message: name, number, and what it holds; "-" is left out."""

_PACKED = {"ints": "int", "floats": "float", "doubles": "double"}

_ENUMS = {
    "Kind": "UNDEFINED FLOAT INT STRING TENSOR GRAPH FLOATS INTS STRINGS TENSORS GRAPHS "
    "SPARSE_TENSOR SPARSE_TENSORS TYPE_PROTO TYPE_PROTOS",
    "Location": "DEFAULT EXTERNAL",
}
"""The words that stand for numbers, in the order of the numbers."""

_NOUNS = {
    "int": "a whole number of 64 bits",
    "Kind": "a type of an attribute",
    "Location": "DEFAULT or EXTERNAL",
    "text": "a string",
    "bytes": "a string, which is in base64 in JSON",
}


def is_text(head: bytes) -> bool:
    """Whether a text begins as a ModelProto does, in the text format or in JSON."""
    if is_syntax(head):
        return True
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"{":
        has_version = b'"irVersion"' in head or b'"ir_version"' in head
        return b'"graph"' in head and (has_version or b'"opType"' in head or b'"op_type"' in head)
    while start[:1] == b"#":
        start = start.partition(b"\n")[2].lstrip()
    word = start[:40].split(b":")[0].split(b"{")[0].split(b"<")[0].strip().decode("latin-1")
    known = b"op_type" in head or (b"ir_version" in head and b"graph" in head)
    return known and word in _fields("Model") and b"\0" not in head


def binary(source: Source, data: bytes) -> bytes:
    """The model as the binary format has it. Raises ReadError for what is no such text."""
    text = source.replace(data=data).text
    if is_syntax(data[:HEAD]):
        return _encoded(model(source.name, text), "Model", _of_json(source.name))
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        from ..encodings.json import load

        return _encoded(load(text, source.name), "Model", _of_json(source.name))
    from ..encodings.prototxt import parse

    return _encoded(parse(source.name, text), "Model", _of_text)


# --- what the two have: names, values, and where they stand -----------------------------------


def _of_text(message: Any, what: str) -> Iterator[tuple[str, Any, str, bool]]:
    """The name of each field of a message, its value, where it stands, whether it is in base64."""
    if not isinstance(message, Message):
        raise ReadError(f"a {what} is a message", values=f"{message!r:.60}", hint="{ ... }")
    for field in message.fields:
        yield field.name, field.value, message.document.where(field.offset), False


def _of_json(name: str) -> Callable[[Any, str], Iterator[tuple[str, Any, str, bool]]]:
    def fields_of(value: Any, what: str) -> Iterator[tuple[str, Any, str, bool]]:
        if not isinstance(value, dict):
            raise ReadError(f"a {what} is an object", where=name, values=f"{value!r:.60}")
        for key, each in value.items():
            for one in each if isinstance(each, list) else () if each is None else (each,):
                yield key, one, name, True

    return fields_of


# --- writing the binary format ----------------------------------------------------------------


@cache
def _fields(what: str) -> dict[str, tuple[int, str]]:
    """The fields of a message by their names, also as JSON has them: ``opType`` for ``op_type``."""
    fields: dict[str, tuple[int, str]] = {}
    for each in _MESSAGES[what].split():
        name, number, holds = each.split(":")
        first, *rest = name.split("_")
        fields[name] = fields[first + "".join(map(str.title, rest))] = int(number), holds
    return fields


def _encoded(message: Any, what: str, fields_of: Any) -> bytes:
    known = _fields(what)
    parts: list[bytes] = []
    packed: dict[int, list[bytes]] = {}
    for name, value, where, is_base64 in fields_of(message, what):
        if name not in known:
            raise ReadError(
                f"a {what} has no field '{name[:60]}' in onnx.proto",
                where=where,
                hint=closest(name, known),
            )
        number, holds = known[name]
        try:
            if holds in _PACKED:
                packed.setdefault(number, []).append(_number(value, _PACKED[holds]))
            elif holds in _MESSAGES:
                parts += _with_length(number, _encoded(value, holds, fields_of))
            elif holds in ("text", "bytes"):
                parts += _with_length(number, _text(value, holds, is_base64))
            elif holds != "-":
                wire = FIXED32 if holds == "float" else VARINT
                parts += as_varint(number << 3 | wire), _number(value, holds)
        except (ValueError, TypeError, AttributeError, OverflowError):
            values = "a message" if isinstance(value, Message) else f"{value!r:.60}"
            noun = _NOUNS.get(_PACKED.get(holds, holds), "a number")
            raise ReadError(f"'{name[:40]}' is {noun}", where=where, values=values) from None
    for number, values in packed.items():
        parts += _with_length(number, b"".join(values))
    return b"".join(parts)


_SHORT = tuple(bytes([number]) for number in range(128))


def _with_length(number: int, data: bytes) -> tuple[bytes, bytes, bytes]:
    tag, size = number << 3 | BYTES, len(data)
    return (
        _SHORT[tag] if tag < 128 else as_varint(tag),
        _SHORT[size] if size < 128 else as_varint(size),
        data,
    )


def _number(value: Any, holds: str) -> bytes:
    """A number on the wire. Raises ValueError and the like for what is none."""
    if holds in ("float", "double"):
        number = float(value.lower().removesuffix("f") if isinstance(value, str) else value)
        return struct.pack("<f" if holds == "float" else "<d", number)
    if isinstance(value, str):
        is_word = holds in _ENUMS and value[:1].isalpha()
        value = _ENUMS[holds].split().index(value) if is_word else int(value[:40], 0)
    if type(value) is not int or not -(2**63) <= value < 2**64:
        raise ValueError
    return as_varint(value % 2**64)


def _text(value: Any, holds: str, is_base64: bool) -> bytes:
    """Text, or bytes: in base64 in JSON, with escapes in the text format."""
    if holds == "bytes" and is_base64:
        return a2b_base64(value, strict_mode=True)
    try:
        data = value.encode("latin-1")
        if holds == "text":
            data.decode()
    except UnicodeError:  # it has letters as they are, and not as escapes of their bytes
        return value.encode()
    return data
