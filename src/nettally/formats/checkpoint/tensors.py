"""The tensors that a pickle of torch.save describes: what its calls would make, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..encodings.pickle import Dictionary, Global, Machine, Thing
from ..named_tensor import MAX_AXES

if TYPE_CHECKING:
    from collections.abc import Callable


class Storage(NamedTuple):
    """A row of numbers that lies outside the pickle. length: in numbers; itemsize: bytes of one.

    offset: where it begins in what is stored under its key.
    """

    key: str
    dtype: str
    itemsize: int
    length: int
    offset: int = 0
    stored: int = 0


class Described(NamedTuple):
    """A tensor. storage: None where its numbers lie elsewhere, or nowhere."""

    size: tuple[int, ...]
    dtype: str
    storage: Storage | None = None
    offset: int = 0
    stride: tuple[int, ...] = ()
    parameter: bool = False


DTYPES = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2,
    "int8": 1, "uint8": 1, "bool": 1, "complex32": 4, "complex64": 8, "complex128": 16,
    "qint8": 1, "quint8": 1, "qint32": 4, "quint4x2": 1, "quint2x4": 1, "uint16": 2, "uint32": 4,
    "uint64": 8, "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1, "float4_e2m1fn_x2": 1,
}  # fmt: skip
"""torch's kinds of numbers, and the bytes of one."""

STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "QInt8Storage": "qint8", "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32", "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "", "_UntypedStorage": "",
}  # fmt: skip

MAPPINGS = frozenset(
    (
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("builtins", "dict"),
        ("__builtin__", "dict"),
    )
)


def call(m: Machine, function: Any, args: Any) -> Any:
    """What a call makes: a dictionary, a tensor, or a Thing of which nothing is known."""
    if not isinstance(function, Global) or not isinstance(args, tuple):
        return Thing(function, args)
    if tuple(function) in MAPPINGS:
        return _mapping(m, args)
    module, name = function
    if module == "torch" and name == "Size":
        return _tuple(m, args[0]) if args else ()
    if module in ("torch._utils", "torch._tensor") and name in _MAKERS:
        return _MAKERS[name](m, args)
    if name in ("Parameter", "Buffer") and module in ("torch.nn.parameter", "torch.nn"):
        tensor = next((each for each in args[:3] if isinstance(each, Described)), None)
        if tensor is not None:
            return tensor._replace(parameter=name == "Parameter")
    return Thing(function, args)


def _mapping(m: Machine, args: tuple[Any, ...]) -> Dictionary:
    dictionary = Dictionary()
    for source in args[:2]:  # defaultdict's has its factory before it
        if isinstance(source, Dictionary):
            m.spend(len(source.pairs))
            dictionary.add(source.pairs)
        elif isinstance(source, (list, tuple)):
            m.spend(len(source))
            if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in source):
                raise m.error("a dictionary is made of what are no pairs")
            dictionary.add((pair[0], pair[1]) for pair in source)
    return dictionary


def _tuple(m: Machine, value: Any) -> tuple[Any, ...]:
    if isinstance(value, list):
        m.spend(len(value))
        return tuple(value)
    return value if isinstance(value, tuple) else ()


def load(m: Machine, what: Any) -> Any:
    """A storage, by ("storage", its class, key, device, number of numbers, part of another)."""
    parts: list[Any] = list(what[:7]) if isinstance(what, tuple) else []
    if parts[:1] == ["module"] and len(parts) > 1:
        return parts[1]
    if len(parts) not in (5, 6) or parts[0] != "storage" or not isinstance(parts[2], str):
        raise m.error("the pickle refers to something outside that is no storage")
    cls, key = parts[1:3]
    if not isinstance(cls, Global):
        raise m.error("a storage's kind is no name")
    if cls.name not in STORAGES:
        raise m.error("no storage of torch is called so", str(cls))
    dtype = STORAGES[cls.name]
    view = parts[5] if len(parts) == 6 else None
    offset, stored = 0, _number(m, parts[4])
    count = stored
    if isinstance(view, tuple) and len(view) == 3:
        offset, count = _number(m, view[1]), _number(m, view[2])
        if offset + count > stored:
            raise m.error("a storage is a part of another that is not so long", f"key {key[:40]}")
    return Storage(key, dtype, DTYPES.get(dtype, 1), count, offset, stored)


def _number(m: Machine, value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise m.error("a size is no whole number between 0 and 2^63 - 1")
    return value


def _sizes(m: Machine, value: Any) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)):
        raise m.error("a tensor's sizes are no tuple")
    if len(value) > MAX_AXES:
        raise m.error("a tensor has too many axes", f"{len(value):,}, at most {MAX_AXES}")
    for each in value:
        _number(m, each)
    return value if isinstance(value, tuple) else tuple(value)


def _tensor(m: Machine, args: tuple[Any, ...], dtype: str = "") -> Described:
    """``_rebuild_tensor(storage, offset, size, stride, …)``, checked against its storage."""
    if len(args) < 4 or not isinstance(args[0], Storage):
        raise m.error("a tensor is made of what is no storage")
    storage, offset = args[0], _number(m, args[1])
    size, stride = _sizes(m, args[2]), _sizes(m, args[3])
    if len(size) != len(stride):
        raise m.error("a tensor has not as many strides as sizes", f"{len(size)}, {len(stride)}")
    kind = dtype or storage.dtype or "bytes"
    room = storage.length * storage.itemsize // DTYPES.get(kind, 1)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    packed = kind.startswith(("quint4", "quint2"))  # several numbers in a byte
    if 0 not in size and last >= room and not packed:
        raise m.error(
            "a tensor lies beyond the end of its storage",
            f"sizes {'x'.join(map(str, size[:8])) or '1'}, offset {offset:,}, "
            f"storage {storage.key[:40]} of {room:,}",
        )
    return Described(size, kind, storage, offset, stride)


def _tensor_v3(m: Machine, args: tuple[Any, ...]) -> Described:
    if len(args) < 7 or not isinstance(args[6], Global):
        raise m.error("a tensor is made without its kind of numbers")
    return _tensor(m, args, args[6].name)


def _meta_tensor(m: Machine, args: tuple[Any, ...]) -> Any:
    """``(dtype, size, …)`` of a tensor without numbers."""
    if len(args) < 2 or not isinstance(args[0], Global):
        raise m.error("a tensor is made without its kind of numbers")
    return Described(_sizes(m, args[1]), args[0].name)


def _subclass(m: Machine, args: tuple[Any, ...]) -> Any:
    """``(class, dtype, size, …)``."""
    return _meta_tensor(m, args[1:])


def _parameter(m: Machine, args: tuple[Any, ...]) -> Any:
    if args and isinstance(args[0], Described):
        return args[0]._replace(parameter=True)
    return Thing(Global("torch._utils", "_rebuild_parameter"), args)


def _of_type(m: Machine, args: tuple[Any, ...]) -> Any:
    """``(function, class, arguments, state)``: the class adds nothing that is counted."""
    if len(args) < 3 or not isinstance(args[0], Global) or args[0].name == "_rebuild_from_type_v2":
        raise m.error("a tensor is made of what makes none")
    value = call(m, args[0], args[2])
    if isinstance(value, Described) and isinstance(args[1], Global) and args[1].name == "Parameter":
        return value._replace(parameter=True)
    return value


def _sparse(m: Machine, args: tuple[Any, ...]) -> Any:
    """``(layout, (indices, values, size))``: of sparse tensors the values are counted."""
    parts = args[1] if len(args) > 1 and isinstance(args[1], tuple) else ()
    return Thing(Global("torch._utils", "_rebuild_sparse_tensor"), parts)


_MAKERS: dict[str, Callable[[Machine, tuple[Any, ...]], Any]] = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor_v3": _tensor_v3,
    "_rebuild_qtensor": _tensor,
    "_rebuild_parameter": _parameter,
    "_rebuild_parameter_with_state": _parameter,
    "_rebuild_meta_tensor_no_storage": _meta_tensor,
    "_rebuild_wrapper_subclass": _subclass,
    "_rebuild_from_type_v2": _of_type,
    "_rebuild_sparse_tensor": _sparse,
}
"""torch's functions (torch/_utils.py, torch/_tensor.py), and what stands for each."""
