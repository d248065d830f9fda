"""What a forward may change of its thread and of the process: it ends as it was."""

from __future__ import annotations

import random
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from ...errors import ReadError
from .following import Following

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def aside() -> Generator[None]:
    """A read within a forward that is read: the outer one hears nothing of it."""
    length = torch._C._len_torch_function_stack
    pop, push = torch._C._pop_torch_function_stack, torch._C._push_on_torch_function_stack
    outer: list[Any] = []
    try:
        while length() and isinstance(torch._C._get_function_stack_at(length() - 1), Following):
            outer.append(pop())
        yield
    finally:
        while length() and isinstance(torch._C._get_function_stack_at(length() - 1), Following):
            pop()  # left by an interrupt
        while outer:
            push(outer.pop())


class State:
    """The states of gradients and of the generators of random numbers, as they are now.

    torch's own draws are taken from a generator of ours, so its state is put back only where the
    forward has seeded it anew. Python's and numpy's are put back where they differ: another thread
    that draws from them meanwhile may then draw the same numbers twice.
    """

    def __init__(self) -> None:
        self.grad = torch.is_grad_enabled()
        self.python = random.getstate()
        self.seed = torch.initial_seed()
        self.torch = torch.get_rng_state()
        numpy = sys.modules.get("numpy")
        self.numpy_random = getattr(numpy, "random", None)
        self.numpy = self.numpy_random and self.numpy_random.get_state(legacy=False)
        self.autocast = torch.is_autocast_enabled("cpu")

    def restore(self) -> None:
        torch._C._set_grad_enabled(self.grad)
        if random.getstate() != self.python:
            random.setstate(self.python)
        if torch.initial_seed() != self.seed:
            torch.set_rng_state(self.torch)
        if self.numpy_random is not None and not _same(
            self.numpy_random.get_state(legacy=False), self.numpy
        ):
            self.numpy_random.set_state(self.numpy)


def _same(a: Any, b: Any) -> bool:
    """Whether two states of numpy's generator are equal."""
    x, y = a["state"], b["state"]
    return bool(
        x["pos"] == y["pos"]
        and (x["key"] == y["key"]).all()
        and a["has_gauss"] == b["has_gauss"]
        and a["gauss"] == b["gauss"]
    )


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
