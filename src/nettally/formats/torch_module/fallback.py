"""Calls that no handler knows: torch's own shape functions are run on tensors without values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ...layers.data_movement import Procedure
from ...layers.opaque import Opaque
from ...network import NOTHING, Layer
from .shadow import BY_FUNCTION, METHODS, Answer, Shadow, shadow


def meta(x: Any) -> torch.Tensor:
    """A tensor without values of the stand-in's sizes and dtype."""
    if isinstance(x, Shadow):
        return torch.empty(x.sizes, dtype=x.kind, device="meta")
    return torch.empty(x.shape, dtype=x.dtype, device="meta")


if TYPE_CHECKING:
    from .following import Following

LEAVES = (torch.Tensor, Shadow)


def mapped(arguments: Any, change: Any) -> Any:
    """The arguments with each tensor, or its shadow, changed: through tuples, lists and dicts."""
    if isinstance(arguments, LEAVES):
        return change(arguments)
    if isinstance(arguments, tuple):
        if type(arguments) is torch.Size:
            return arguments
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


def unknown(following: Following, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a call that no handler knows.

    The call is made on tensors without values, and a node stands for it whose shape and weighted
    sums are torch's. Raises what torch raises.
    """
    trace = following.trace
    trace.spelled = NOTHING  # that of the call before is not this one's
    body = _opened(func)
    if body is not None and func not in following.opened:
        following.opened.add(func)  # one that calls itself is not opened twice
        try:
            with following:
                return body(*args, **kwargs)
        finally:
            following.opened.discard(func)
    tensors: list[torch.Tensor] = []
    mapped((args, kwargs), tensors.append)
    if not tensors:
        return following.made(func, args, kwargs)
    if isinstance(func, torch._ops.OpOverload):
        if func.namespace == "prims" and not following.beneath:
            trace.slip()
        handler = _of_operator(func)
        if handler is not None and BY_FUNCTION.get(func) is None:
            BY_FUNCTION[func] = Answer(handler, {"call": str(func)}, False, False)
            return following.__torch_function__(func, (), args, kwargs)
    xs = [following.shadow_of(x) for x in tensors]
    if getattr(func, "__module__", "") == "torch.nn.init":  # other values, and nothing else
        if xs[0].value is not None:
            following.privately(func, *_values(following, args, kwargs))
        return tensors[0]
    known = all(x.value is not None for x in xs)
    word = getattr(func, "__name__", type(func).__name__).rpartition(".")[0] or getattr(
        func, "__name__", type(func).__name__
    )
    if word in ("__get__", "__set__"):
        word = getattr(getattr(func, "__self__", None), "__name__", word)
    below = Weighted()
    real = None
    if known:
        with below:
            real = following.privately(func, *_values(following, args, kwargs))
        if all(x.name is None for x in xs):
            return mapped(real, following.constant)
    elif func in NEEDS_VALUES:
        xs[0].known(f"{word}()")
    if real is None:
        with below:
            output = func(*mapped(args, _on_meta), **mapped(kwargs, _on_meta))
    else:
        output = real
    return _nodes(following, word, args, xs, output, below, real is not None)


def _values(following: Following, args: Any, kwargs: Any) -> tuple[Any, Any]:
    def value(x: torch.Tensor) -> Any:
        return following.shadow_of(x).value

    return mapped(args, value), mapped(kwargs, value)


def _on_meta(x: torch.Tensor) -> torch.Tensor:
    return x if x.is_meta else x.detach().to("meta")


def _nodes(
    following: Following,
    word: str,
    args: Any,
    xs: list[Shadow],
    output: Any,
    below: Weighted,
    known: bool,
) -> Any:
    """The output, with a node for each tensor in it. known: it has values."""
    trace = following.trace
    tensors: list[torch.Tensor] = []
    mapped(output, tensors.append)
    if not tensors:
        return output
    trace.fallbacks.setdefault(word)
    sizes = tuple([x.sizes for x in xs])
    name = word.strip("_") or word
    in_place = word.endswith("_") and not word.startswith("_")
    n = 0

    def node_of(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal n
        if not in_place and any(tensor is arg for arg in args):
            return tensor
        shape = tuple(tensor.shape)
        layer: Layer = (
            Opaque(word, shape, None, (), whole=True)
            if below.strange and not n
            else Procedure(name, shape, sizes, 0 if n else below.macs)
        )
        n += 1
        node = trace.fresh(name)
        trace._append(node, layer, tuple([trace.name_of(x) for x in xs]), NOTHING)
        x = shadow(shape, node, tensor.dtype)
        if following.values:
            return following.computed(tensor, x)
        if known:
            x.value = tensor
        return following.handle(x)

    result = mapped(output, node_of)
    if in_place and args and isinstance(args[0], torch.Tensor) and isinstance(result, torch.Tensor):
        xs[0].become(following.shadow_of(result))
        return args[0]
    return result


NEEDS_VALUES = frozenset((torch.tensor, torch.as_tensor, torch.asarray))
"""Functions that make a tensor of numbers, which may be computed ones."""

OTHERWISE = ("batch_norm", "instance_norm", "embedding", "max", "min", "std", "var", "norm")
"""Operators whose arguments come in another order than those of the functions of their name."""


def _of_operator(func: Any) -> Any:
    """The handler for an operator that is called by its overload, as TorchScript does."""
    word = func._schema.name.rpartition("::")[2]
    if func.namespace != "aten" or word in OTHERWISE or word.endswith("_"):
        return None
    return METHODS.get(word)


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
