"""What a forward may change of its thread and of the process: it ends as it was."""

from __future__ import annotations

import ctypes
import functools
import pickle
import random
import struct
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from ...errors import ReadError
from .fallback import Weighted
from .following import Following
from .operators import Beneath, Draws

if TYPE_CHECKING:
    from collections.abc import Generator


def _release_modes() -> list[Any]:
    """Takes modes of ours off this thread, and gives those of a read that goes on around this."""
    outer: list[Any] = []
    length, at = torch._C._len_torch_function_stack, torch._C._get_function_stack_at
    while length() and isinstance(at(length() - 1), Following):
        outer.append(torch._C._pop_torch_function_stack())
    length, at = torch._C._len_torch_dispatch_stack, torch._C._get_dispatch_stack_at
    while length() and isinstance(at(length() - 1), (Draws, Beneath, Weighted)):
        outer.append(torch._C._pop_torch_dispatch_stack(None))
    return outer


@contextmanager
def aside() -> Generator[None]:
    """A read within a forward that is read: the outer one hears nothing of it.

    What an interrupt may have left of ours is taken away at the end.
    """
    outer: list[Any] = []
    try:
        outer = _release_modes()
        yield
    finally:
        _release_modes()
        for mode in reversed(outer):
            if isinstance(mode, Following):
                torch._C._push_on_torch_function_stack(mode)
            else:
                torch._C._push_on_torch_dispatch_stack(mode)


class State:
    """The states of gradients and of the generators of random numbers, as they are now.

    torch's own draws are taken from a generator of ours, so its state is put back only where the
    forward has seeded it anew, or where there is no other thread that may have drawn from it.
    Python's and numpy's are put back where they differ: another thread that draws from them
    meanwhile may then draw the same numbers twice.
    """

    def __init__(self) -> None:
        self.grad = torch.is_grad_enabled()
        self.seed = torch.initial_seed()
        self.torch = torch.get_rng_state()
        self.dtype = torch.get_default_dtype()
        self.generators = [each.state() for each in _generators()]

    def restore(self) -> None:
        torch._C._set_grad_enabled(self.grad)
        if torch.get_default_dtype() is not self.dtype:
            torch.set_default_dtype(self.dtype)
        seeded = torch.initial_seed() != self.seed
        if seeded or (
            threading.active_count() == 1 and not torch.equal(torch.get_rng_state(), self.torch)
        ):
            torch.set_rng_state(self.torch)
        for each, state in zip(_generators(), self.generators, strict=False):
            if each.state() != state:
                each.restore(state)


class _Python:
    """Python's own generator. Its state is read where it lies: ``getstate`` takes 50 times as long.

    ``_random.Random`` is the head of an object, an index, and 624 words.
    """

    size = 4 + 4 * 624

    def __init__(self) -> None:
        self.generator: random.Random = random._inst
        self.address = id(self.generator) + object.__basicsize__

    def state(self) -> Any:
        return ctypes.string_at(self.address, self.size), self.generator.gauss_next  # type: ignore[attr-defined] - not in the stub

    def restore(self, state: Any) -> None:
        memory, gauss = state
        index, *words = struct.unpack("=i624I", memory)
        self.generator.setstate((3, (*words, index), gauss))

    def works(self) -> bool:
        """Whether the state lies there."""
        memory, gauss = self.state()
        index, *words = struct.unpack("=i624I", memory)
        return self.generator.getstate() == (3, (*words, index), gauss)


class _Numpy:
    """numpy's global generator: the state at the address that it gives, and a spare normal number.

    ``get_state`` takes 80 us, and a read of AlexNet ten times that in all.
    """

    size = 4 * 624 + 4

    def __init__(self, numpy: Any) -> None:
        self.generator: Any = numpy.random.mtrand._rand
        bits = self.generator._bit_generator
        self.address: int = bits.ctypes.state_address
        # the spare number stands behind the address of the generator's functions, which stand in
        # the object itself
        start, end = id(self.generator), id(self.generator) + type(self.generator).__basicsize__
        self.spare = next(
            place + 8
            for place in range(start + 64, end - 24, 8)
            if start < ctypes.c_size_t.from_address(place).value < end
        )

    def state(self) -> Any:
        return ctypes.string_at(self.address, self.size), ctypes.string_at(self.spare, 16)

    def restore(self, state: Any) -> None:
        self.generator.set_state(self._readable(state))

    def _readable(self, state: Any) -> Any:
        *words, place = struct.unpack("=624Ii", state[0])
        spare, number = struct.unpack("=i4xd", state[1])
        return ("MT19937", words, place, spare, number)

    def works(self) -> bool:
        name, words, place, spare, number = self.generator.get_state()
        return (name, list(words), place, spare, number) == self._readable(self.state())


@functools.cache
def _python() -> Any:
    try:
        generator = _Python()
        if generator.works():
            return generator
    except (AttributeError, ValueError, struct.error):
        pass
    return _Asked(random.getstate, random.setstate)


@functools.cache
def _numpy(numpy: Any) -> Any:
    try:
        generator = _Numpy(numpy)
        if generator.works():
            return generator
    except (AttributeError, ValueError, TypeError, StopIteration, struct.error):
        pass
    return _Asked(numpy.random.get_state, numpy.random.set_state)


class _Asked:
    """A generator that is asked for its state, in its own words."""

    def __init__(self, get: Any, put: Any) -> None:
        self.get, self.put = get, put

    def state(self) -> Any:
        return pickle.dumps(self.get())

    def restore(self, state: Any) -> None:
        self.put(pickle.loads(state))  # noqa: S301 - which is our own, of this process


def _generators() -> list[Any]:
    """Python's, and numpy's where somebody has imported it."""
    numpy = sys.modules.get("numpy")
    if numpy is None or "numpy.random" not in sys.modules:
        return [_python()]
    return [_python(), _numpy(numpy)]


def room_for_values(sizes: dict[torch.device, int]) -> None:
    """Raises ReadError where copies of so many bytes need more than half of what is free."""
    for device, needed in sizes.items():
        free = _free(device)
        if free is not None and needed > free / 2:
            raise ReadError(
                "what the forward does depends on values, and a run on a copy of the weights needs "
                "more than half of the memory that is free",
                values=f"{needed:,} bytes of {free:,} that are free on {device}",
                hint="read it on another machine, or give a smaller configuration of it",
            )


def _free(device: torch.device) -> int | None:
    """Bytes that are free on a device, as far as it says."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu":
        return None
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
