"""Stand-ins for a module's inputs, from sizes or from tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from ...errors import ReadError
from .following import SMALL
from .shadow import shadow

if TYPE_CHECKING:
    from ...network import Shape
    from .following import Following
    from .trace import Trace
    from .twin import Twins

AXES = {
    nn.Conv1d: 3, nn.Conv2d: 4, nn.Conv3d: 5, nn.ConvTranspose1d: 3, nn.ConvTranspose2d: 4,
    nn.ConvTranspose3d: 5,
}  # fmt: skip


class Inputs(NamedTuple):
    """The arguments of the call, and the shapes of the tensors among them by their names."""

    positional: tuple[Any, ...]
    named: dict[str, Any]
    shapes: dict[str, Shape]


def stand_ins(
    trace: Trace,
    following: Following,
    twins: Twins,
    module: nn.Module,
    input_size: Any,
    input_data: Any,
    dtypes: Any,
    keywords: Mapping[str, Any],
    notes: list[str],
) -> Inputs:
    """What to call the module with. Raises ReadError for sizes that are none."""
    makes = _StandIns(trace, following, twins)
    arguments = _arguments(module)
    further = {name: makes.of_data(name, each) for name, each in keywords.items()}
    if input_data is not None:
        positional, named = _from_data(makes, arguments, input_data)
    elif input_size is not None:
        positional, named = _from_sizes(makes, module, arguments, input_size, dtypes, notes)
    elif any(name not in further for name in arguments):
        raise ReadError(
            "the module does not say how large its input is",
            where=trace.name,
            values=f"its forward takes {', '.join(arguments) or 'nothing'}",
            hint="say it: --input 3x224x224, or input_size=(1, 3, 224, 224), or give tensors with "
            "input_data=...",
        )
    else:
        positional, named = (), {}
    return Inputs(positional, {**named, **further}, makes.shapes)


class _StandIns:
    """Makes the stand-ins for inputs. shapes: those that it has made, by the inputs' names."""

    def __init__(self, trace: Trace, following: Following, twins: Twins) -> None:
        self.trace, self.following, self.twins = trace, following, twins
        self.shapes: dict[str, Shape] = {}

    def of_size(self, word: str, sizes: Shape, kind: torch.dtype) -> torch.Tensor:
        value = _random(sizes, kind) if self.trace.values else None
        return self._input(word, sizes, kind, value)

    def of_tensor(self, word: str, tensor: torch.Tensor) -> torch.Tensor:
        """Whole numbers keep their values, since a forward may go by them."""
        keeps = not tensor.is_meta and (
            self.trace.values or (not tensor.dtype.is_floating_point and tensor.numel() <= SMALL)
        )
        value = tensor.detach().clone() if keeps else None
        twin = self._input(word, tuple(tensor.shape), tensor.dtype, value)
        if tensor.layout is not torch.strided:
            self.following.shadow_of(twin).stored = tensor  # how many values it has is asked of it
        return twin

    def of_data(self, word: str, data: Any) -> Any:
        """A copy, with stand-ins for the tensors and arrays in it, wherever they are."""
        self._name(word, data, set())
        return self.twins.of(data)

    def _name(self, word: str, data: Any, seen: set[int]) -> None:
        """Makes the stand-ins, so that the copy has them: each is called by the way to it."""
        memo = self.twins.memo
        if id(data) in seen or id(data) in memo or isinstance(data, (str, nn.Module, type)):
            return
        seen.add(id(data))
        if isinstance(data, torch.Tensor):
            memo[id(data)] = self.of_tensor(word, data)
            self.twins.kept.append(data)
        elif isinstance(data, (list, tuple)):
            for i, each in enumerate(data):
                self._name(f"{word}_{i}" if i else word, each, seen)
        elif isinstance(data, Mapping):
            for key, each in data.items():
                self._name(str(key), each, seen)
        elif hasattr(data, "__array__") and hasattr(data, "shape"):
            if getattr(getattr(data, "dtype", None), "hasobject", False):
                return
            memo[id(data)] = self.of_tensor(word, torch.as_tensor(data))
            self.twins.kept.append(data)
        elif type(getattr(data, "__dict__", None)) is dict:
            for name, each in vars(data).items():
                if not isinstance(each, (int, float, str, bytes, type(None))):
                    self._name(f"{word}.{name}", each, seen)

    def _input(
        self, word: str, sizes: Shape, kind: torch.dtype, value: torch.Tensor | None
    ) -> torch.Tensor:
        name = self.trace.unused(word)
        self.shapes[name] = sizes
        self.trace.dtypes[name] = kind
        x = shadow(sizes, name, kind, value)
        if self.trace.values and value is not None:
            return self.following.known_as(value.detach(), x)
        return self.following.handle(x)


def _from_data(
    makes: _StandIns, arguments: tuple[str, ...], data: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments by position and by name, from a tensor, or a tuple, list or dict of them."""
    if isinstance(data, Mapping):
        return (), {name: makes.of_data(name, each) for name, each in data.items()}
    if isinstance(data, torch.Tensor) or not isinstance(data, (list, tuple)):
        data = (data,)
    return tuple([makes.of_data(_word(arguments, i), each) for i, each in enumerate(data)]), {}


def _from_sizes(
    makes: _StandIns,
    module: nn.Module,
    arguments: tuple[str, ...],
    input_size: Any,
    dtypes: Any,
    notes: list[str],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments by position and by name, from a shape, a list or a dict of shapes."""
    kinds = _kinds(dtypes)
    if isinstance(input_size, dict):
        named: dict[str, Any] = {}
        for i, (word, each) in enumerate(input_size.items()):
            sizes = _checked(each)
            if not word and len(input_size) == 1:
                word = _word(arguments, 0)
                sizes = _with_batch(module, sizes, notes)
            named[word] = makes.of_size(word, sizes, _kind(kinds, i, word))
        return (), named
    several = isinstance(input_size, (list, tuple)) and not _is_size(input_size)
    each_input = list(input_size) if several else [input_size]
    positional: list[torch.Tensor] = []
    for i, each in enumerate(each_input):
        sizes = _checked(each)
        if len(each_input) == 1:
            sizes = _with_batch(module, sizes, notes)
        word = _word(arguments, i)
        positional.append(makes.of_size(word, sizes, _kind(kinds, i, word)))
    return tuple(positional), {}


def _arguments(module: nn.Module) -> tuple[str, ...]:
    """The names of the forward's arguments that have no default."""
    forward = type(module).forward
    code = getattr(forward, "__code__", None)
    if code is None or "__wrapped__" in getattr(forward, "__dict__", {}):
        import inspect

        try:
            parameters = inspect.signature(module.forward).parameters.values()
        except (TypeError, ValueError):
            return ("input",)
        return tuple([p.name for p in parameters if p.kind in (0, 1)])
    return code.co_varnames[1 : code.co_argcount]


def _word(arguments: tuple[str, ...], i: int) -> str:
    return arguments[i] if i < len(arguments) else "input"


def _is_size(size: Any) -> bool:
    return isinstance(size, (tuple, list, torch.Size)) and all(
        isinstance(n, int) and not isinstance(n, bool) for n in size
    )


def _checked(size: Any) -> Shape:
    if not _is_size(size) or any(n < 0 for n in size):
        raise ReadError(
            "an input size is a tuple of whole numbers, the batch first",
            values=repr(size)[:80],
            hint="input_size=(1, 3, 224, 224), or a list of such",
        )
    return tuple(size)


def _with_batch(module: nn.Module, sizes: Shape, notes: list[str]) -> Shape:
    """The size with a batch of 1, where it is one axis short of what the module's layers read."""
    for each in module.modules():
        kind = next((base for base in AXES if isinstance(each, base)), None)
        if kind is not None:
            if len(sizes) == AXES[kind] - 1:
                notes.append(f"the input {'x'.join(map(str, sizes))} is taken as one example")
                return (1, *sizes)
            return sizes
        if isinstance(each, nn.Linear) and len(sizes) == 1:
            notes.append(f"the input {sizes[0]} is taken as one example")
            return (1, *sizes)
    return sizes


def _random(sizes: Shape, kind: torch.dtype) -> torch.Tensor:
    """Values between 0 and 1, the same each time; of whole numbers, zeros."""
    if not kind.is_floating_point:
        return torch.zeros(sizes, dtype=kind)
    generator = torch.Generator().manual_seed(0)
    return torch.rand(sizes, generator=generator).to(kind)


def _kinds(dtypes: Any) -> Any:
    if dtypes is None or isinstance(dtypes, (dict, torch.dtype)):
        return dtypes
    return list(dtypes)


def _kind(kinds: Any, i: int, word: str) -> torch.dtype:
    if isinstance(kinds, dict):
        return kinds.get(word, torch.float32)
    if isinstance(kinds, torch.dtype):
        return kinds
    return kinds[i] if kinds and i < len(kinds) else torch.float32
