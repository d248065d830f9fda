"""The same values: copies, other devices, other dtypes."""

from __future__ import annotations

from typing import Any

import torch

from .reshaping import expand
from .shadow import Current, Shadow, call, note, shadow


@call("contiguous")
def contiguous(input: Shadow, *args: Any, **kwargs: Any) -> Shadow:
    """No node: the one that made the tensor says that it was laid row after row; memory asks."""
    trace = Current.trace
    if trace.nodes and trace.nodes[-1].name == input.name:
        trace.says(contiguous=True)
    if input.laid is None and not args and not kwargs:
        return input
    return _again(input)


def _again(x: Shadow) -> Shadow:
    """The same values in a tensor of their own, which may lie otherwise in memory."""
    y = shadow(x.sizes, x.name, x.kind, x.value)
    y.stored, y.later = x.stored, x.later
    return y


@call("cpu", "cuda", "requires_grad_", "fill_", "zero_",
      "pin_memory", "resolve_conj", "resolve_neg", "coalesce", "normal_", "uniform_",
      "share_memory_", "bernoulli_", "as_subclass", "refine_names", "view_as_real_")  # fmt: skip
def unchanged(input: Shadow, *_: Any, **__: Any) -> Shadow:
    return input


@call("clone", "alias")
def clone(input: Shadow, *_: Any, **__: Any) -> Shadow:
    return shadow(input.sizes, Current.trace.name_of(input), input.kind, input.value)


_KINDS = {"float": torch.float32, "double": torch.float64, "half": torch.float16,
          "bfloat16": torch.bfloat16, "int": torch.int32, "long": torch.int64,
          "bool": torch.bool, "short": torch.int16, "char": torch.int8,
          "byte": torch.uint8}  # fmt: skip


def as_kind(x: Shadow, kind: torch.dtype) -> Shadow:
    """The same tensor in another dtype: no node of its own, since no one counts it."""
    if kind is x.kind:
        return x
    value = x.value.to(kind) if x.value is not None else None
    if x.name is None and x.stored is None and value is not None:
        return shadow(x.sizes, None, kind, value)
    y = shadow(x.sizes, x.name, kind, value)
    if x.name is None:
        note(y, stored=x.stored)
    return y


def _to_kind(kind: torch.dtype) -> Any:
    def converted(input: Shadow, *_: Any, **__: Any) -> Shadow:
        return as_kind(input, kind)

    return converted


for _name, _kind in _KINDS.items():
    call(_name)(_to_kind(_kind))


def _type_name(kind: torch.dtype) -> str:
    """``torch.FloatTensor``: how torch has called the types since it was written in Lua."""
    place = Current.trace.device.type
    name = torch.empty(0, dtype=kind).type().rpartition(".")[2]
    return f"torch.{name}" if place == "cpu" else f"torch.{place}.{name}"


_TYPES = {
    start + torch.empty(0, dtype=kind).type().rpartition(".")[2]: kind
    for start in ("torch.", "torch.cuda.")
    for kind in _KINDS.values()
}


@call("to", "type")
def to(input: Shadow, *args: Any, **kwargs: Any) -> Any:
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, torch.dtype):
            return as_kind(input, argument)
        if isinstance(argument, Shadow):
            return as_kind(input, argument.kind)
        if isinstance(argument, str) and argument in _TYPES:
            return as_kind(input, _TYPES[argument])
    if not args and not kwargs:
        return _type_name(input.kind)
    if "memory_format" in kwargs:
        return _again(input)
    return input


@call("type_as")
def type_as(input: Shadow, other: Any) -> Shadow:
    return as_kind(input, other.kind)


@call("copy_", "set_")
def copy_(input: Shadow, src: Any = None, *_: Any, **__: Any) -> Any:
    x = src
    y = x if x.sizes == input.sizes else expand(x, input.sizes)
    return input.become(as_kind(y, input.kind))
