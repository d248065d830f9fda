"""Calls that no handler knows: torch's own shape functions are run on tensors without values."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ...layers.data_movement import Procedure
from ...layers.opaque import Opaque
from ...network import NOTHING, Layer
from .shadow import POISON, Current, Shadow, shadow, unseen


def meta(x: Any) -> torch.Tensor:
    """A tensor without values of the stand-in's sizes and dtype."""
    if isinstance(x, Shadow):
        return torch.empty(x.sizes, dtype=x.kind, device="meta")
    return torch.empty(x.shape, dtype=x.dtype, device="meta")


def mapped(arguments: Any, change: Any) -> Any:
    """The arguments with each tensor changed, through tuples, lists and dicts."""
    if isinstance(arguments, torch.Tensor):
        return change(arguments)
    if isinstance(arguments, tuple):
        values = [mapped(each, change) for each in arguments]
        kind: Any = type(arguments)
        # _make, since a named tuple may look at what it is made of, as PackedSequence does
        return kind._make(values) if hasattr(arguments, "_fields") else kind(values)
    if isinstance(arguments, list):
        return [mapped(each, change) for each in arguments]
    if isinstance(arguments, dict):
        return {name: mapped(each, change) for name, each in arguments.items()}
    if isinstance(arguments, slice):
        return slice(
            *(mapped(each, change) for each in (arguments.start, arguments.stop, arguments.step))
        )
    return arguments


def tensors_in(arguments: Any) -> list[torch.Tensor]:
    tensors: list[torch.Tensor] = []
    mapped(arguments, tensors.append)
    return tensors


NAMESPACES = ("aten", "prims", "prim")
"""Where torch's operators are whose weighted sums its counter knows."""


class Weighted(TorchDispatchMode):
    """Adds up the multiply-accumulates of what runs beneath, as torch's own counter knows them.

    strange: an operator that is not torch's own ran, or a quantised one: its work is not known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.strange = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        from torch.utils.flop_counter import flop_registry

        output = func(*args, **(kwargs or {}))
        if func.namespace not in NAMESPACES:
            self.strange = True
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.macs += count(*args, **(kwargs or {}), out_val=output) // 2
        return output


def unknown(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a call that no handler knows.

    The call is made on tensors without values, and a node stands for it whose shape and weighted
    sums are torch's. Raises what torch raises.
    """
    trace = Current.trace
    trace.spelled = NOTHING  # that of the call before is not this one's
    word = getattr(func, "__name__", type(func).__name__)
    if word in ("__get__", "__set__"):
        word = getattr(getattr(func, "__self__", None), "__name__", word)
    body = _opened(func)
    if body is not None:
        return body(*args, **kwargs)
    tensors = tensors_in((args, kwargs))
    pure = all(_value(x) is not None for x in tensors)
    below = Weighted()
    if pure:
        with torch._C.DisableTorchFunctionSubclass(), below:
            output = func(*mapped(args, _value), **mapped(kwargs, _value))
        if all(x.name is None for x in tensors if isinstance(x, Shadow)):
            return mapped(output, trace.stand_in)
        values = tensors_in(output)
    else:
        output, values = None, []
    xs = tuple([trace.stand_in(x) for x in tensors])
    if not pure:
        with torch._C.DisableTorchFunctionSubclass(), below:
            output = func(*mapped(args, meta), **mapped(kwargs, meta))
    out_tensors = tensors_in(output)
    if not out_tensors:
        return output
    trace.fallbacks.setdefault(word)
    places: dict[int, Shadow] = {}
    sizes = tuple([x.sizes for x in xs])
    name = word.strip("_") or word
    for n, tensor in enumerate(out_tensors):
        if tuple(tensor.shape) == POISON:
            raise unseen(trace.path)
        layer: Layer = (
            Opaque(word, tuple(tensor.shape), None, (), whole=True)
            if below.strange and not n
            else Procedure(name, tuple(tensor.shape), sizes, 0 if n else below.macs)
        )
        node = trace.fresh(name)
        trace._append(node, layer, tuple([trace.name_of(x) for x in xs]), NOTHING)
        value = values[n] if n < len(values) else None
        places[id(tensor)] = shadow(tuple(tensor.shape), node, tensor.dtype, value)

    def place_of(tensor: torch.Tensor) -> Shadow:
        return places[id(tensor)]

    result = mapped(output, place_of)
    if word.endswith("_") and not word.startswith("_") and args and isinstance(args[0], Shadow):
        return args[0].become(result) if isinstance(result, Shadow) else result
    return result


def _value(x: Any) -> torch.Tensor | None:
    if isinstance(x, Shadow):
        return x.value
    return None if x.is_meta else x


_bodies: dict[Any, Any] = {}


def _opened(func: Any) -> Any:
    """torch's own Python for a composite function, its question for overrides answered "no".

    ``multi_head_attention_forward`` and its like are written in calls that have handlers.
    """
    if func in _bodies:
        return _bodies[func]
    body = None
    code = getattr(func, "__code__", None)
    if code is not None and getattr(func, "__module__", "") == "torch.nn.functional":
        from types import FunctionType

        def never(*_: Any) -> bool:
            return False

        space = dict(func.__globals__)
        for name in (
            "has_torch_function",
            "has_torch_function_unary",
            "has_torch_function_variadic",
        ):
            space[name] = never
        body = FunctionType(code, space, func.__name__, func.__defaults__, func.__closure__)
        body.__kwdefaults__ = func.__kwdefaults__
    _bodies[func] = body
    return body
