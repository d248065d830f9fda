"""Every call of torch that a forward makes, answered in torch's place, in this thread alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.overrides import TorchFunctionMode

from ...errors import LayerError
from .copying import ATOMS
from .fallback import mapped, unknown
from .operators import (
    DRAWS,
    DRAWS_UNASKED,
    EMPTY,
    LARGE,
    MAKES,
    META,
    Draws,
    blank,
    by_operator,
    is_large,
    strides_of,
)
from .shadow import BY_FUNCTION, NATIVE, Answer, Shadow, ask_who_calls, shadow, unseen

if TYPE_CHECKING:
    from .trace import Trace

SMALL = 100_000
"""Tensors of at most so many values are computed, where all that goes into them is known."""

PLAIN = (Tensor, Parameter)
REFUSED = (LayerError, TypeError, ValueError, IndexError, KeyError)
"""What a handler raises that can't answer; torch then says what is wrong, or does it itself."""

_empty = torch.empty_strided
_detach = torch.Tensor.detach


class Following(TorchFunctionMode):
    """Answers the calls of one run. It is the thread's own while it is entered.

    A stand-in is known by what lies in its attributes under ``key``, which is this run's alone; a
    tensor of the user's, which is not to be touched, by its id. beneath: what gets past torch's
    function protocol is seen too, by ``Beneath``. apart: each stand-in has a storage of its own.
    """

    def __init__(self, trace: Trace, beneath: bool, apart: bool) -> None:
        super().__init__()
        self.bases: dict[Any, Tensor] = {}
        self.apart = apart
        self.beneath = beneath
        self.trace = trace
        self.key = trace.key
        self.values = trace.values
        self.live: dict[int, Shadow] = {}
        self.kept: list[Any] = []  # so that ids stay those of living tensors
        self.handles: list[Tensor] = []
        self.started = False
        self.opened: set[Any] = set()
        self.storages: dict[int, Any] = {}
        self.generator = torch.Generator().manual_seed(0)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        answer = BY_FUNCTION.get(func)
        if type(answer) is not Answer:
            if answer is NATIVE:
                return func(*args, **kwargs) if kwargs else func(*args)
            if answer is not None:
                return answer(self, *args, **kwargs) if kwargs else answer(self, *args)
            return self.unanswered(func, args, kwargs or {})
        key = self.key
        known = True
        laid = answer.views
        shadows: list[Any] = []
        for arg in args:
            kind = type(arg)
            if kind is Tensor or kind is Parameter:
                x = arg.__dict__.get(key)
                if x is None:
                    x = self.adopt(arg)
                if x.value is None:
                    known = False
                if x.laid is not None:
                    laid = True
                shadows.append(x)
            elif kind in ATOMS:
                shadows.append(arg)
            else:
                shadows.append(self.lowered(arg))
                known = known and self.all_known(shadows[-1])
        if kwargs:
            kwargs = self.lowered(kwargs)
            known = known and self.all_known(kwargs)
        try:
            if known:
                result = self.with_values(func, answer, args, shadows, kwargs or {})
                if result is not NotImplemented:
                    return result
            written = answer.written
            if answer.sign is not None and by_operator(sys._getframe(1), func.__name__):
                written = answer.sign
            self.trace.spelled = written
            result = answer.handler(*shadows, **kwargs) if kwargs else answer.handler(*shadows)
        except REFUSED:
            result = NotImplemented
        if type(result) is Shadow:
            if shadows and result is shadows[0]:
                return args[0]
            if laid and result.laid is None:
                result.laid = (func, args, kwargs, None)
            return self.handle(result)
        if result is NotImplemented:
            return self.unanswered(func, args, kwargs or {})
        return self.raised(result, (func, args, kwargs) if laid else None)

    # --- tensors and what is known of them ---------------------------------------------------

    def handle(self, x: Shadow) -> Tensor:
        """A new stand-in of which this is known.

        Those of one shape share what lies beneath, which costs a third: none of them has memory.
        Where the forward makes a parameter of one, which torch does unseen, each gets its own.
        """
        sizes = x.sizes
        base = self.bases.get((sizes, x.kind))
        if base is None:
            base = _empty(sizes, strides_of(sizes), dtype=x.kind, device=META)
            if not self.apart:
                self.bases[sizes, x.kind] = base
        tensor = _detach(base)
        tensor.__dict__[self.key] = x  # type: ignore[index] - a tensor's is a dict
        self.handles.append(tensor)
        return tensor

    def known_as(self, tensor: Tensor, x: Shadow) -> Tensor:
        """The tensor itself, of which this is known from now on."""
        tensor.__dict__[self.key] = x  # type: ignore[index] - a tensor's is a dict
        if not self.values:
            self.handles.append(tensor)
        return tensor

    def shadow_of(self, tensor: Any) -> Shadow:
        """What is known of a tensor."""
        if type(tensor) is Shadow:
            return tensor
        x = tensor.__dict__.get(self.key)
        return self.adopt(tensor) if x is None else x

    def lowered(self, arguments: Any) -> Any:
        """The arguments with shadows in the place of tensors."""
        return mapped(arguments, self.shadow_of)

    def all_known(self, arguments: Any) -> bool:
        """Whether the values of all tensors in the arguments are known."""
        known = True

        def look(x: Shadow) -> Shadow:
            nonlocal known
            known = known and x.value is not None
            return x

        mapped(arguments, look)
        return known

    def raised(self, result: Any, call: Any = None) -> Any:
        """A handler's result with stand-ins in the place of shadows. call: what laid them out."""
        if call is None:
            return mapped(result, self.handle)
        place = 0

        def laid(x: Shadow) -> Tensor:
            nonlocal place
            if x.laid is None:
                x.laid = (*call, place)
            place += 1
            return self.handle(x)

        return mapped(result, laid)

    def stand_in(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor of the user's, in the twin of what holds it."""
        late = self.started and id(tensor) not in self.trace.tensors
        if late and (self.key in tensor.__dict__ or self._source(tensor) is not None):
            return tensor  # of a module that the forward itself has made
        x = self.stored(tensor)
        if self.values:
            value = x.value = self._cloned(tensor)
            twin = value.detach()
        else:
            twin = blank(tensor)
        if isinstance(tensor, Parameter):
            twin = Tensor._make_subclass(Parameter, twin, tensor.requires_grad)
            if tensor.grad is not None:
                twin.grad = self.stand_in(tensor.grad)
        return self.known_as(twin, x)

    def _cloned(self, tensor: Tensor) -> Tensor:
        """A copy of the values; tensors that lie in one memory do so in the copies too."""
        if tensor.layout is not torch.strided or tensor.is_quantized or type(tensor) not in PLAIN:
            return tensor.detach().clone()
        memory = tensor.untyped_storage()
        if memory.nbytes() > 2 * tensor.nbytes + LARGE and not self.values:
            return tensor.detach().clone()  # a small part of something large
        copied = self.storages.get(memory._cdata)
        if copied is None:
            copied = self.storages[memory._cdata] = memory.clone()
            self.kept.append(memory)
        blank = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        return blank.set_(copied, tensor.storage_offset(), tensor.size(), tensor.stride())

    def stored(self, tensor: Tensor) -> Shadow:
        """What is known of a tensor of the user's; of small constants, a copy of their values."""
        trace = self.trace
        number = id(tensor)
        x = shadow(tuple(tensor.shape), None, tensor.dtype)
        x.stored = tensor
        self.kept.append(tensor)
        if self.values or tensor.is_meta or number in trace.parameter_names:
            return x
        if number in trace.buffer_names and tensor.dtype.is_floating_point:
            return x
        if not isinstance(tensor, Parameter) and x.numel() <= LARGE:
            x.value = self._cloned(tensor)
        return x

    def adopt(self, tensor: Tensor) -> Shadow:
        """What is known of a tensor that was not met before."""
        x = self.live.get(id(tensor))
        if x is not None:
            return x
        source = self._source(tensor)
        if source is not None:  # Parameter(x), and its like: the same values under another name
            x = shadow(source.sizes, source.name, source.kind, source.value)
            x.stored, x.later = source.stored, source.later
            tensor.__dict__[self.key] = x  # type: ignore[index] - a tensor's is a dict
            self.handles.append(tensor)
            if isinstance(tensor, Parameter) and x.name is None and x.stored is None:
                self.trace.made_outside(x)
            return x
        if tensor.is_meta and type(tensor) is Tensor:
            if not self.beneath:
                self.trace.slip()
            raise unseen(self.trace.path)
        x = self.stored(tensor)
        if self.values and not tensor.is_meta:
            x.value = self._cloned(tensor)
        self.live[id(tensor)] = x
        if isinstance(tensor, Parameter):
            self.trace.met(tensor)
        return x

    def _source(self, tensor: Tensor) -> Shadow | None:
        """What is known of a stand-in that lies in the same memory: torch made one of the other."""
        if tensor.layout is not torch.strided:
            return None
        memory = tensor.untyped_storage()._cdata
        sizes = tuple(tensor.shape)
        if not self.apart and tensor.is_meta:
            for base in self.bases.values():
                if base.untyped_storage()._cdata == memory:
                    self.trace.alike()
        for other in reversed(self.handles):
            if other.layout is torch.strided and other.untyped_storage()._cdata == memory:
                x: Shadow = other.__dict__[self.key]
                return x if x.sizes == sizes else None
        return None

    # --- values -------------------------------------------------------------------------------

    def with_values(
        self, func: Any, answer: Answer, args: Any, shadows: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Beside the stand-in the values, where all of them are known: constants, indices, masks.

        What has no node yet stays without one. NotImplemented where nothing is to be computed.
        """
        tensors: list[Shadow] = []
        mapped((shadows, kwargs), tensors.append)
        if not tensors:
            return self.made(func, args, kwargs)
        constant = True
        for x in tensors:
            if x.name is not None or (x.stored is not None and self.trace.learned(x)):
                constant = False
                if not self.values and x.numel() > SMALL:
                    return NotImplemented
        real = self.run(func, mapped(shadows, _value), mapped(kwargs, _value))
        if answer.changes:
            return self.changed(answer, args, shadows, kwargs, constant, real)
        for arg, x in zip(args, shadows, strict=True):
            if type(x) is Shadow and real is x.value:  # nothing to do
                return arg
        if constant:
            return mapped(real, self.constant)
        self.trace.spelled = answer.written
        result = answer.handler(*shadows, **kwargs)
        if result is NotImplemented:
            return result
        outputs: list[Shadow] = []
        reals: list[Tensor] = []
        mapped(result, outputs.append)
        mapped(real, reals.append)
        if not self.values:
            for x, value in zip(outputs, reals, strict=False):
                if x.sizes == tuple(value.shape) and value.numel() <= SMALL:
                    x.value = value
            return self.raised(result)
        places = iter(outputs)

        def of_place(value: Tensor) -> Tensor:
            return self.computed(value, next(places))

        return mapped(real, of_place)

    def changed(
        self,
        answer: Answer,
        args: Any,
        shadows: list[Any],
        kwargs: dict[str, Any],
        constant: bool,
        real: Any,
    ) -> Any:
        """The first argument, whose values torch has changed in place."""
        x = shadows[0]
        value = x.value
        if constant:
            x.sizes, x.kind = tuple(value.shape), value.dtype
        else:
            self.trace.spelled = answer.written
            answer.handler(*shadows, **kwargs)
        x.value, x.stored = value, None
        return None if real is None else args[0]

    def run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """torch's own result, on values; its random numbers are ours."""
        if func in DRAWS and kwargs.get("generator") is None:
            return func(*args, **{**kwargs, "generator": self.generator})
        if self.values or func in DRAWS_UNASKED:
            return self.privately(func, args, kwargs)
        return func(*args, **kwargs)

    def privately(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The same, where torch itself would draw numbers in the course of it."""
        with Draws(self.generator):
            return func(*args, **kwargs)

    def constant(self, real: Tensor) -> Tensor:
        """A tensor that no input goes into."""
        return self.known_as(real, shadow(tuple(real.shape), None, real.dtype, real.detach()))

    def computed(self, real: Tensor, x: Shadow) -> Tensor:
        """A stand-in that is the values themselves."""
        if tuple(real.shape) != x.sizes:
            x.sizes = tuple(real.shape)
        x.value = real.detach()
        return self.known_as(real, x)

    def made(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """What a call gives that no tensor goes into: ``zeros``, ``arange``, a setting of torch."""
        if func in EMPTY and not self.beneath:
            ask_who_calls()
        large = func in MAKES and is_large(func, args, kwargs)
        if large:
            kwargs = {name: value for name, value in kwargs.items() if name != "generator"}
            tensor = func(*args, **{**kwargs, "device": META})
            kind = tensor.dtype
            return self.handle(shadow(tuple(tensor.shape), None, kind))
        if func in DRAWS:
            return mapped(self.run(func, args, kwargs), self.constant)
        return mapped(func(*args, **kwargs), self._made)

    def _made(self, tensor: Tensor) -> Tensor:
        if not tensor.is_meta:
            return self.constant(tensor)
        x = shadow(tuple(tensor.shape), None, tensor.dtype)
        x.on_meta = True  # which the forward has asked for
        return self.handle(x)

    def unanswered(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """A call that no handler answers."""
        return unknown(self, func, args, kwargs)


def _value(x: Shadow) -> Any:
    return x.value
