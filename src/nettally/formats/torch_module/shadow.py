"""What is known of a stand-in: sizes, dtype, who made it, and the values where they are known.

A stand-in itself is a plain tensor without storage (on ``meta``), of the true sizes, strides and
dtype, so that code which asks what it is gets the answer that torch would give. ``following``
knows each by itself, and calls the handlers with its ``Shadow`` in its place.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import torch

from ...errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable


Handler = Any
"""What stands for a torch function: it takes the function's own arguments, tensors as shadows."""

METHODS: dict[str, Handler] = {}
"""Handlers by the function's name; ``calls`` finds the functions that bear these names."""


class Answer(NamedTuple):
    """How a call of a torch function is answered.

    handler: the function's arguments to the shadow of what it gives. written: how one spells the
    call. changes: it works in place, on its first argument. views: what it gives may lie in memory
    otherwise than row after row. sign: how one spells it as an operator, which torch then calls by
    the method's name.
    """

    handler: Handler
    written: dict[str, Any]
    changes: bool
    views: bool
    sign: dict[str, Any] | None = None


NATIVE = object()
"""The answer of what torch itself says of a stand-in."""

BY_FUNCTION: dict[Any, Any] = {}
"""The answers by the function itself, filled by ``calls.prepare``."""


class _Current(threading.local):
    """The run that goes on in this thread."""

    trace: Any = None  # a Trace, whose file knows this one


Current = _Current()


def unseen(path: str) -> ReadError:
    """The error for a call that torch tells nobody of."""
    return ReadError(
        "a call can't be followed: it gets past torch's function protocol",
        where=path or "the module's own forward",
        hint="code in C++ does that, and code in another thread",
    )


def scripted(path: str, module: Any) -> ReadError:
    """The error for a module of TorchScript."""
    name = getattr(module, "original_name", type(module).__name__)
    return ReadError(
        f"{name} is a module of TorchScript, which can't be followed",
        where=path or "the module itself",
        hint="give the module as it was before torch.jit.script or torch.jit.trace",
    )


class DependsOnValues(ReadError):
    """The forward asks for a value that a stand-in has not."""


class Slipped(BaseException):
    """A call has got past torch's function protocol: what it gave is not to be believed."""


BENEATH = ("torch._meta_registrations", "torch._refs", "torch._prims", "torch._decomp")
"""Where torch works out what an operator gives on tensors without values."""


def ask_who_calls() -> None:
    """Raises Slipped where torch itself makes the tensor that an operator gives.

    A forward that calls operators in C++ is seen by nobody, but what they give on tensors without
    values is made by torch in Python, which is.
    """
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(_HERE):
            if name.startswith(BENEATH):
                Current.trace.slip()
            return
        frame = frame.f_back


_HERE = __name__.rpartition(".")[0]


class Shadow:
    """A tensor's sizes and dtype, and the name of the node that makes it.

    name: None for a constant that no node has asked for yet. value: the real tensor, where it is
    known (indices, masks, positions); nothing else holds it, so it may be written to. stored: the
    user's own tensor that this one stands for, which is only ever read. later: makes the node, once
    somebody asks for one. laid: how the tensor came to lie otherwise than row after row in memory:
    the call whose result it is. on_meta: the forward itself has put it there.
    """

    __slots__ = ("kind", "laid", "later", "name", "on_meta", "sizes", "stored", "value")

    sizes: tuple[int, ...]
    name: str | None
    kind: torch.dtype
    value: torch.Tensor | None
    stored: torch.Tensor | None
    later: Callable[[], Shadow] | None
    laid: Any
    on_meta: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return self.sizes

    @property
    def dtype(self) -> torch.dtype:
        return self.kind

    def numel(self) -> int:
        n = 1
        for size in self.sizes:
            n *= size
        return n

    def known(self, asked: str) -> torch.Tensor:
        """The values, for reading. Raises DependsOnValues where there are none."""
        value = self.value
        if value is None and self.stored is not None and not self.stored.is_meta:
            value = self.stored.detach()
        if value is None or value.is_meta:
            raise DependsOnValues(
                f"the forward asks for the values of a tensor ({asked})",
                where=Current.trace.path or "the module's own forward",
                values=repr(self),
                hint="what it does then depends on its input's values, which nettally has not; "
                "give them with input_data=...",
            )
        return value

    def __index__(self) -> int:
        return self.known("as an index").__index__()

    def __int__(self) -> int:
        return int(self.known("as a number"))

    def __float__(self) -> float:
        return float(self.known("as a number"))

    def become(self, other: Shadow) -> Self:
        """What an operation in place does: whoever has this one sees the other from now on."""
        if other is not self:
            self.sizes, self.kind, self.name = other.sizes, other.kind, other.name
            self.value, self.stored, self.later = other.value, None, other.later
        return self

    def __repr__(self) -> str:
        sizes = "x".join(map(str, self.sizes)) or "a number"
        return f"<stand-in {self.name or 'constant'}: {sizes}, {str(self.kind)[6:]}>"


def shadow(
    sizes: tuple[int, ...],
    name: str | None = None,
    kind: torch.dtype | None = None,
    value: torch.Tensor | None = None,
) -> Shadow:
    """What is known of a new stand-in. kind: float32 where nothing is said."""
    x = Shadow()
    x.sizes = sizes
    x.name = name
    x.kind = torch.float32 if kind is None else kind
    x.value = value
    x.stored = x.later = x.laid = None
    x.on_meta = False
    return x


def note(x: Shadow, **facts: Any) -> Shadow:
    """The shadow itself, with some of its facts changed."""
    for name, fact in facts.items():
        setattr(x, name, fact)
    return x


def call(*names: str) -> Callable[[Handler], Handler]:
    """Register a handler under the names of the functions that it stands for.

    ``relu`` stands for ``torch.relu``, ``torch.nn.functional.relu``, ``Tensor.relu``, and for
    ``relu_`` too, which changes its first argument.
    """

    def register(handler: Handler) -> Handler:
        for name in names:
            if name in METHODS:
                raise ValueError(f"two handlers for '{name}'")
            METHODS[name] = handler
        return handler

    return register
