"""Constants of a tensor's sizes or dtype: ``zeros_like``, ``new_full``, ``new_tensor``."""

from __future__ import annotations

from typing import Any

import torch

from .reshaping import as_sizes
from .shadow import Shadow, ask_who_calls, call, shadow


def _like(make: Any) -> Any:
    def like(input: Any, *args: Any, **kwargs: Any) -> Shadow:
        if make is torch.empty:
            ask_who_calls()
        kwargs.pop("memory_format", None)
        kind = kwargs.pop("dtype", None) or input.dtype
        sizes = tuple(input.shape)
        n = 1
        for size in sizes:
            n *= size
        small = n <= 1_000_000 and make is not torch.empty
        real = make(sizes, *args, dtype=kind) if small else None
        return shadow(sizes, None, kind, real)

    return like


for _name in ("zeros", "ones", "empty", "full"):
    call(f"{_name}_like")(_like(getattr(torch, _name)))
for _name in ("rand", "randn"):
    call(f"{_name}_like")(_like(torch.empty))


def _new(make: Any) -> Any:
    def new(input: Any, *arguments: Any, **kwargs: Any) -> Shadow:
        if make is torch.empty:
            ask_who_calls()
        size = list(arguments)
        kind = kwargs.pop("dtype", None) or input.dtype
        fill: tuple[Any, ...] = ()
        if make is torch.full:
            fill = (kwargs["fill_value"] if "fill_value" in kwargs else size.pop(),)
        sizes = as_sizes(tuple(size) or (kwargs["size"],))
        n = 1
        for each in sizes:
            n *= each
        small = n <= 1_000_000 and make is not torch.empty
        return shadow(sizes, None, kind, make(sizes, *fill, dtype=kind) if small else None)

    return new


for _name in ("zeros", "ones", "empty", "full"):
    call(f"new_{_name}")(_new(getattr(torch, _name)))


@call("new_tensor")
def new_tensor(input: Any, data: Any, dtype: Any = None, **_: Any) -> Shadow:
    value = torch.tensor(data, dtype=dtype or input.kind)
    return shadow(tuple(value.shape), None, value.dtype, value)
