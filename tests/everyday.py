"""A module as people write them, and what is right about it: a row of the tables of tests."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

import nettally


@dataclasses.dataclass(frozen=True)
class Everyday:
    """A module, what it is called with, and the right numbers.

    inputs: the sizes of float tensors, ``(2, 4)`` or ``[(2, 4), (2, 1)]``, or a function that makes
    the arguments: a tuple by position, or a dict by name. macs, parameters: in whole numbers;
    parameters are those of ``module.parameters()``. outputs: the shapes that come out.
    note: a pattern that a note must meet; quiet: one that none may meet. watched: what else must
    stay as it was. by_torch: whether torch's own counter sees all of the work. untouched: whether
    all that can be reached must be as it was; where the forward writes to what can't be copied, a
    note says so instead.
    """

    make: Callable[[], nn.Module]
    inputs: Any
    macs: int
    parameters: int
    outputs: tuple[tuple[int, ...], ...] | None = None
    mode: str = "eval"
    note: str = ""
    quiet: str = ""
    watched: Callable[[], Any] = tuple
    by_torch: bool = True
    untouched: bool = True


def module_with(forward: Callable[..., Any], **attributes: Any) -> nn.Module:
    """A module with this forward, and with these attributes."""
    module = type("Everyday", (nn.Module,), {"forward": forward, "__module__": __name__})()
    for name, value in attributes.items():
        setattr(module, name, value)
    return module


def seed(number: int) -> None:
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number)


def made(everyday: Everyday) -> tuple[nn.Module, Any]:
    """The module in its mode and the inputs as they are handed to nettally; the same each time."""
    seed(0)
    module = everyday.make()
    module.train(everyday.mode == "train")
    return module, everyday.inputs() if callable(everyday.inputs) else everyday.inputs


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What to call the module with: the same inputs, where they are sizes filled at random."""
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    if isinstance(inputs, list):
        return tuple(torch.randn(*size) for size in inputs), {}
    if inputs and isinstance(inputs[0], int):
        return (torch.randn(*inputs),), {}
    return inputs, {}


def for_nettally(everyday: Everyday, inputs: Any) -> dict[str, Any]:
    """The same as arguments of nettally.read and nettally.summary."""
    if not callable(everyday.inputs):
        return {"input_size": inputs, "mode": everyday.mode}
    if isinstance(inputs, tuple) and len(inputs) == 1:
        [inputs] = inputs
    return {"input_data": inputs, "mode": everyday.mode}


def read(everyday: Everyday, module: nn.Module, inputs: Any) -> nettally.Network:
    return nettally.read(module, **for_nettally(everyday, inputs))


def tensors_in(value: Any) -> list[torch.Tensor]:
    """All tensors in what a forward gives, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if dataclasses.is_dataclass(value):
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return []
    return [x for each in value for x in tensors_in(each)]
