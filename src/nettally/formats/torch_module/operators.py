"""What runs beneath torch's functions: operators that draw numbers, or that nobody tells us of."""

from __future__ import annotations

import dis
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    import types

    from .following import Following

META = torch.device("meta")
LARGE = 1_000_000
"""Constants of more values than this are not computed."""


class Draws(TorchDispatchMode):
    """Lets operators that draw random numbers take them from this generator."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            name = func._schema.name.rpartition("::")[2]
            if any(each.name == "generator" for each in func._schema.arguments):
                generator = self.generator
                first = next((x for x in args if isinstance(x, Tensor)), None)
                if first is None or first.device == generator.device:
                    return func(*args, **{**kwargs, "generator": generator})
            elif name in _LIKE and args[0].device.type == "cpu":
                return self._like(name, func, args, kwargs)
        return func(*args, **kwargs)

    def _like(self, name: str, func: Any, args: Any, kwargs: dict[str, Any]) -> Tensor:
        """``rand_like`` and its kin, which take no generator."""
        tensor = torch.ops.aten.empty_like.default(args[0], **kwargs)
        if name == "randint_like":
            low, high = (0, args[1]) if len(args) == 2 else args[1:3]
            return tensor.random_(low, high, generator=self.generator)
        return getattr(tensor, _LIKE[name])(generator=self.generator)


_LIKE = {"rand_like": "uniform_", "randn_like": "normal_", "randint_like": "random_"}


class Beneath(TorchDispatchMode):
    """Answers the operators that a forward calls in C++: in TorchScript, in functions of its own.

    It costs time at every operator, so it is entered only where one has got past ``Following``.
    """

    def __init__(self, following: Following) -> None:
        super().__init__()
        self.following = following

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        length = torch._C._len_torch_function_stack()
        if (
            torch._C._is_torch_function_all_disabled()
            or not length
            or torch._C._get_function_stack_at(length - 1) is not self.following
        ):  # a handler asks torch itself
            return func(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunction():
            return self.following.unanswered(func, args, kwargs or {})


MAKES = frozenset(
    (torch.zeros, torch.ones, torch.empty, torch.full, torch.rand, torch.randn, torch.empty_strided)
)
"""Functions that make a tensor of given sizes."""

EMPTY = frozenset((torch.empty, torch.empty_strided))

DRAWS = frozenset(
    getattr(space, name)
    for space, names in (
        (torch, ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial",
                 "poisson")),
        (Tensor, ("uniform_", "normal_", "random_", "exponential_", "geometric_", "log_normal_",
                  "cauchy_", "bernoulli_", "bernoulli", "multinomial")),
    )
    for name in names
)  # fmt: skip
"""Functions that draw random numbers, from a generator that they take."""

DRAWS_UNASKED = frozenset(
    getattr(space, name)
    for space, names in (
        (torch, ("rand_like", "randn_like", "randint_like", "dropout", "dropout_", "rrelu")),
        (nn.functional, ("dropout", "rrelu", "gumbel_softmax", "dropout1d", "dropout2d",
                         "dropout3d", "alpha_dropout", "feature_alpha_dropout")),
    )
    for name in names
)  # fmt: skip
"""Functions that draw them from torch's own."""


_OPERATORS = frozenset(
    [code for name, code in dis.opmap.items() if name.startswith(("BINARY_OP", "COMPARE", "UNARY"))]
)
_codes: dict[int, tuple[Any, bytes, frozenset[str]]] = {}
"""Of code objects, which are kept so that an id is one object's: bytes, and names of methods."""


def by_operator(frame: types.FrameType, name: str) -> bool:
    """Whether what the frame does just now is an operator of the language, and no call.

    name: of the method that it would be. ``sum(xs)`` calls it without naming it, and
    ``reduce(operator.add, xs)`` names it without calling it.
    """
    code = frame.f_code
    known = _codes.get(id(code))
    if known is None:
        methods = frozenset(
            [
                each.argval
                for each in dis.get_instructions(code)
                if each.opname == "LOAD_METHOD"
                or (each.opname == "LOAD_ATTR" and _FLAGGED and each.arg and each.arg & 1)
            ]
        )
        known = _codes[id(code)] = code, code.co_code, methods
    return known[1][frame.f_lasti] in _OPERATORS or name not in known[2]


_FLAGGED = sys.version_info >= (3, 12)
"""Whether a method is loaded by LOAD_ATTR with a flag, for which there was LOAD_METHOD before."""


def is_large(func: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a call makes more values than constants may have, by the sizes that it names."""
    n = 1
    sizes = kwargs.get("size", args)
    for size in sizes if isinstance(sizes, (tuple, list)) else (sizes,):
        if type(size) is int:
            n *= size
        elif isinstance(size, (tuple, list)):
            for each in size:
                n *= int(each)
    return n > LARGE


_strides: dict[tuple[int, ...], tuple[int, ...]] = {}


def strides_of(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor that lies row after row."""
    strides = _strides.get(sizes)
    if strides is None:
        steps, step = [], 1
        for size in reversed(sizes):
            steps.append(step)
            step *= max(size, 1)
        steps.reverse()
        strides = _strides[sizes] = tuple(steps)
    return strides


def blank(tensor: Tensor) -> Tensor:
    """A tensor without storage that lies in memory as the other does."""
    try:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)
    except (RuntimeError, NotImplementedError):  # sparse or quantised
        kind = tensor.dtype if not tensor.is_quantized else torch.float32
        return torch.empty_strided(
            tensor.shape, strides_of(tuple(tensor.shape)), dtype=kind, device=META
        )
