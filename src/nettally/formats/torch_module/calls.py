"""Which torch functions the handlers stand for, and how a handler is called."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from ...errors import LayerError
from . import (
    activations,
    constants,
    conversions,
    elementwise,
    indexing,
    normalization,
    recurrent,
    reductions,
    reshaping,
    weights,
    windows,
)
from .fallback import mapped, tensors_in, unknown
from .shadow import BY_FUNCTION, METHODS, Current, DependsOnValues, Handler, Shadow, note
from .trace import SMALL

FAMILIES = (
    activations,
    constants,
    conversions,
    elementwise,
    indexing,
    normalization,
    recurrent,
    reductions,
    reshaping,
    weights,
    windows,
)
"""The files of handlers: to import them is to register theirs."""

BENEATH = torch._C._nn  # pyright: ignore[reportAttributeAccessIssue] - it has no stub
SPACES = {
    "F": functional,
    "torch": torch,
    "Tensor": torch.Tensor,
    "torch._C._nn": BENEATH,
    "torch.special": torch.special,
}
"""Where torch's functions are, by what one writes before their names."""
_prepared = False


def prepare() -> None:
    """Give the stand-in its methods, and find the functions that bear the handlers' names."""
    global _prepared  # noqa: PLW0603 - once a process, and only when a module is read
    if _prepared:
        return
    _prepared = True
    Current.unknown = unknown
    for name, handler in METHODS.items():
        _stands_for(name, handler)
        if not name.startswith("__") and name + "_" not in METHODS:
            _stands_for(name + "_", _in_place(handler))
    _register(torch.linalg.norm, BY_FUNCTION[torch.norm])
    # torch.sparse.mm is another function than torch.mm, and does the same
    _register(torch.sparse.mm, _guarded(torch.sparse.mm, METHODS["matmul"], "torch.sparse.mm"))
    _register(torch.linalg.matmul, BY_FUNCTION[torch.matmul])
    Shadow.__setitem__ = indexing.put


def _stands_for(name: str, handler: Handler) -> None:
    """Let the handler answer for the functions and the method of that name."""
    for title, space in SPACES.items():
        function = getattr(space, name, None)
        if callable(function):
            _register(function, _guarded(function, handler, f"{title}.{name}"))
    method = getattr(torch.Tensor, name, None)
    if method is not None:
        setattr(Shadow, name, _method(method, handler, f"Tensor.{name}"))


def _register(function: Any, handler: Handler) -> None:
    BY_FUNCTION.setdefault(function, handler)


def _in_place(handler: Handler) -> Handler:
    def in_place(input: Any, *args: Any, **kwargs: Any) -> Any:
        result = handler(input, *args, **kwargs)
        if not isinstance(input, Shadow) or result is input:
            return result
        nodes = Current.trace.nodes
        if nodes and nodes[-1].name == result.name:
            Current.trace.says(inplace=True)
        return input.become(result)

    return in_place


def _guarded(function: Any, handler: Handler, spelled: str) -> Handler:
    """The handler for a call of torch's function: the first argument as a stand-in, and so on."""
    label = {"call": spelled}

    def guarded(*args: Any, **kwargs: Any) -> Any:
        trace = Current.trace
        trace.spelled = label
        if args:
            first = args[0]
            if type(first) is not Shadow and isinstance(first, torch.Tensor):
                first = trace.stand_in(first)
                args = (first, *args[1:])
            if type(first) is not Shadow or first.value is not None:
                result = _with_values(function, handler, args, kwargs)
                if result is not NotImplemented:
                    return result
        try:
            result = handler(*args, **kwargs)
        except (LayerError, TypeError, ValueError, IndexError, KeyError) as error:
            if isinstance(error, DependsOnValues):
                raise
            result = NotImplemented
        return unknown(function, args, kwargs) if result is NotImplemented else result

    return guarded


def _method(function: Any, handler: Handler, spelled: str) -> Handler:
    """The same as a method, which is the way that most calls come."""
    label = {"call": spelled}

    def method(self: Shadow, *args: Any, **kwargs: Any) -> Any:
        Current.trace.spelled = label
        if self.value is not None:
            result = _with_values(function, handler, (self, *args), kwargs)
            if result is not NotImplemented:
                return result
        try:
            result = handler(self, *args, **kwargs)
        except (LayerError, TypeError, ValueError, IndexError, KeyError) as error:
            if isinstance(error, DependsOnValues):
                raise
            result = NotImplemented
        return unknown(function, (self, *args), kwargs) if result is NotImplemented else result

    return method


def _changes_its_first(name: str) -> bool:
    """Whether the function of that name works in place: ``add_``, ``__iadd__``."""
    if name.startswith("__"):
        return name[2:3] == "i" and name not in ("__invert__", "__int__", "__index__")
    return name.endswith("_")


def _with_values(
    function: Any, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Beside the stand-in the values, where all of them are known: constants, indices, masks.

    What has no node yet stays without one. NotImplemented where a value is not known.
    """
    trace = Current.trace
    tensors = tensors_in((args, kwargs))
    if not tensors or not all(
        (type(x) is Shadow and x.value is not None) or (type(x) is not Shadow and not x.is_meta)
        for x in tensors
    ):
        return NotImplemented
    stand_ins = [trace.stand_in(x) for x in tensors]
    learned = any(id(x.stored) in trace.parameter_names for x in stand_ins if x.stored is not None)
    if not trace.values and (
        learned or any(x.name is not None and x.numel() > SMALL for x in stand_ins)
    ):
        return NotImplemented
    changes = _changes_its_first(function.__name__)
    known = [x.value for x in stand_ins]
    if changes and known[0] is not None and not trace.values:
        known[0] = known[0].clone()  # it may be the module's own
    values = iter(known)

    def following(_: torch.Tensor) -> Any:
        return next(values)

    with torch._C.DisableTorchFunctionSubclass():
        real = function(*mapped(args, following), **mapped(kwargs, following))
    if not learned and all(x.name is None for x in stand_ins):
        result = mapped(real, trace.stand_in)
        return stand_ins[0].become(result) if changes else result
    try:
        outputs = handler(*args, **kwargs)
    except (LayerError, TypeError, ValueError, IndexError, KeyError):
        return NotImplemented
    for x, value in zip(tensors_in(outputs), tensors_in(real), strict=False):
        if (
            isinstance(x, Shadow)
            and x.sizes == tuple(value.shape)
            and (trace.values or value.numel() <= SMALL)
        ):
            note(x, value=value)
    return outputs
