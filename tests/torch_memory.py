"""What torch itself keeps and holds: saved tensors of a forward in training, storages alive in one.

Both count bytes of storages, each once, on a CPU. Parameters, buffers and inputs are not counted
among what is kept; inputs are among what is alive.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def kept(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Bytes of the storages that autograd keeps after a forward in training."""
    module.train()
    own = {
        tensor.untyped_storage().data_ptr()
        for tensor in (*module.parameters(), *module.buffers(), *inputs)
    }
    found: dict[int, int] = {}
    living: list[torch.Tensor] = []  # so that no storage's place is given to another

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found.setdefault(storage.data_ptr(), storage.nbytes())
            living.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        made = module(*inputs)
    del made
    return sum(found.values())


class Storages(TorchDispatchMode):
    """While it is entered, counts the bytes of the storages that are alive."""

    def __init__(self, own: list[torch.UntypedStorage]) -> None:
        super().__init__()
        self.own = own
        self.known = {id(storage) for storage in own}
        self.now = self.peak = 0
        self.at = ""

    def take(self, storage: torch.UntypedStorage) -> None:
        key = id(storage)
        if key in self.known:
            return
        size = storage.nbytes()
        self.known.add(key)
        self.now += size

        def freed() -> None:
            self.known.discard(key)
            self.now -= size

        weakref.finalize(storage, freed)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor):
                self.take(each.untyped_storage())
        if self.now > self.peak:
            self.peak, self.at = self.now, str(func)
        return made


def peak(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Bytes alive at the worst moment of a forward without gradients, in use."""
    module.eval()
    own = [tensor.untyped_storage() for tensor in (*module.parameters(), *module.buffers())]
    with torch.no_grad(), Storages(own) as storages:
        for tensor in inputs:
            storages.take(tensor.untyped_storage())
        module(*inputs)
    return storages.peak
