"""The stand-in for a tensor: it knows sizes, dtype and who made it, and holds no values.

It is a subclass of ``torch.Tensor``, so that code which asks ``isinstance`` gets the answer that
it would get, and so that torch's own C++ never takes something else for a tensor. What lies
beneath is one empty tensor of an odd shape: where a call slips past torch's function protocol,
its result has that shape, and is recognised (``POISON``) instead of believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ...errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POISON = (0, 3037, 0)
"""The shape of what a call that can't be followed makes of a stand-in."""

_BENEATH = torch.empty(POISON, device="meta")
_make = torch.Tensor._make_subclass

Handler = Any
"""What stands for a torch function: it takes the function's own arguments."""

METHODS: dict[str, Handler] = {}
"""Handlers by the function's name; ``calls`` finds the functions that bear these names."""

BY_FUNCTION: dict[Any, Handler] = {}
"""Handlers by the function itself, filled by ``calls.prepare``."""


class Current:
    """The run that is going on; there is one at a time."""

    trace: Any = None  # a Trace, whose file knows this one
    unknown: Handler = None
    """Answers for the functions that have no handler; set by ``calls.prepare``."""

    @classmethod
    def busy(cls) -> bool:
        return bool(cls.trace)


def unseen(path: str) -> ReadError:
    """The error for a call that never came to a stand-in."""
    return ReadError(
        "a call can't be followed: it gets past torch's function protocol",
        where=path or "the module's own forward",
        hint="modules of TorchScript do that; give the module as it was before",
    )


class DependsOnValues(ReadError):
    """The forward asks for a value that a stand-in has not."""


class Shadow(torch.Tensor):
    """A tensor's sizes, dtype and device, and the name of the node that makes it.

    name: None for a constant that no node has asked for yet. value: the real tensor, where it is
    known (indices, masks, positions). stored: the parameter or buffer that it stands for.
    """

    sizes: tuple[int, ...]
    kind: torch.dtype = torch.float32
    name: str | None = None
    value: torch.Tensor | None = None
    stored: torch.Tensor | None = None

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        handler = BY_FUNCTION.get(func)
        if handler is None:
            return Current.unknown(func, args, kwargs or {})
        return handler(*args, **kwargs) if kwargs else handler(*args)

    # --- what it says of itself ----------------------------------------------------------------

    @property
    def shape(self) -> torch.Size:  # type: ignore[override] - torch's own is a getset
        return torch.Size(self.sizes)

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override] - torch's own is a getset
        return self.kind

    @property
    def device(self) -> torch.device:  # type: ignore[override] - torch's own is a getset
        return Current.trace.device

    @property
    def ndim(self) -> int:  # type: ignore[override] - torch's own is a getset
        return len(self.sizes)

    @property
    def requires_grad(self) -> bool:
        return self.stored is not None and self.stored.requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None: ...

    @property
    def _is_param(self) -> bool:  # type: ignore[override] - torch's own is a getset
        return isinstance(self.stored, torch.nn.Parameter)

    @property
    def data(self) -> Shadow:
        return self

    @data.setter
    def data(self, value: torch.Tensor) -> None:
        self.become(Current.trace.stand_in(value))

    grad = None
    grad_fn = None
    is_leaf = False
    is_meta = is_cuda = is_mps = is_xpu = is_mkldnn = False
    is_sparse = is_sparse_csr = is_quantized = is_nested = False
    is_cpu = True
    layout = torch.strided
    _backward_hooks = None

    @property
    def itemsize(self) -> int:  # type: ignore[override] - torch's own is a getset
        return self.kind.itemsize

    @property
    def nbytes(self) -> int:  # type: ignore[override] - torch's own is a getset
        return self.kind.itemsize * self.numel()

    def size(self, dim: int | None = None) -> Any:
        return torch.Size(self.sizes) if dim is None else self.sizes[dim]

    def dim(self) -> int:
        return len(self.sizes)

    ndimension = dim

    def numel(self) -> int:
        n = 1
        for size in self.sizes:
            n *= size
        return n

    nelement = numel

    def element_size(self) -> int:
        return self.kind.itemsize

    def stride(self, dim: int | None = None) -> Any:
        strides, step = [], 1
        for size in reversed(self.sizes):
            strides.append(step)
            step *= max(size, 1)
        strides.reverse()
        return tuple(strides) if dim is None else strides[dim]

    def storage_offset(self) -> int:
        return 0

    def is_contiguous(self, *_: Any, **__: Any) -> bool:
        return True

    def is_floating_point(self) -> bool:
        return self.kind.is_floating_point

    def is_complex(self) -> bool:
        return self.kind.is_complex

    def is_inference(self) -> bool:
        return False

    def get_device(self) -> int:
        return -1

    def data_ptr(self) -> int:
        return id(self)

    def register_hook(self, hook: Any) -> Any:
        """No gradient comes this way."""

    def retain_grad(self) -> None: ...

    def backward(self, *_: Any, **__: Any) -> None:
        raise ReadError(
            "the forward calls backward(), and there are no values to take gradients of",
            hint="give a module whose forward is only the forward",
        )

    def __deepcopy__(self, memo: Any) -> Shadow:
        return self

    def __repr__(self, **_: Any) -> str:
        sizes = "x".join(map(str, self.sizes)) or "a number"
        return f"<stand-in {self.name or 'constant'}: {sizes}, {str(self.kind)[6:]}>"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return repr(self)

    def __hash__(self) -> int:
        return id(self)

    def __len__(self) -> int:
        if not self.sizes:
            raise TypeError("len() of a 0-d tensor")
        return self.sizes[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.sizes:
            raise TypeError("iteration over a 0-d tensor")
        return iter(METHODS["unbind"](self))

    # --- values --------------------------------------------------------------------------------

    def known(self, asked: str) -> torch.Tensor:
        """The real tensor. Raises DependsOnValues where there is none."""
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

    def item(self) -> Any:
        return self.known("item()").item()

    def tolist(self) -> Any:
        return self.known("tolist()").tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        return self.known("numpy()").numpy()

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.known("an array of numpy").numpy()

    def __bool__(self) -> bool:
        return bool(self.known("as a condition"))

    def __int__(self) -> int:
        return int(self.known("as a number"))

    def __float__(self) -> float:
        return float(self.known("as a number"))

    def __index__(self) -> int:
        return self.known("as an index").__index__()

    def __contains__(self, element: Any) -> bool:
        return element in self.known("'in'")

    # --- changing ------------------------------------------------------------------------------

    def become(self, other: Shadow) -> Shadow:
        """What an operation in place does: whoever has this one sees the other from now on."""
        state: dict[str, Any] = vars(self)
        state.update(
            sizes=other.sizes, kind=other.kind, name=other.name, value=other.value, stored=None
        )
        return self


def shadow(
    sizes: tuple[int, ...],
    name: str | None = None,
    kind: torch.dtype | None = None,
    value: torch.Tensor | None = None,
) -> Shadow:
    """A new stand-in. kind: float32 where nothing is said."""
    stand_in: Any = _make(Shadow, _BENEATH)
    state: dict[str, Any] = stand_in.__dict__
    state["sizes"] = sizes
    state["name"] = name
    if kind is not None:
        state["kind"] = kind
    if value is not None:
        state["value"] = value
    return stand_in


def note(x: Shadow, **facts: Any) -> Shadow:
    """The stand-in itself, with some of its facts changed."""
    state: dict[str, Any] = vars(x)
    state.update(facts)
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
