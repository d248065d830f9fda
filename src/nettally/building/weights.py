"""Weights in and out of a module: safetensors, Caffe's trained nets, other modules' tensors.

Nothing is unpickled. What does not fit is listed, by name and by shape, and nothing is copied
before all of it has been looked at.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ReadError
from .caffe_weights import of_caffe
from .safetensors import of_safetensors, save
from .stored import Stored, Tensors, by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..network import Shape

__all__ = ["KNOWN_NAMES", "TORCHVISION_ALEXNET", "Fit", "Unlike", "load", "save"]

TORCHVISION_ALEXNET = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
    "classifier.4": "fc7",
    "classifier.6": "fc8",
}
"""torchvision's AlexNet to the names of the zoo's alexnet-torchvision."""

KNOWN_NAMES: tuple[Mapping[str, str], ...] = (TORCHVISION_ALEXNET,)
"""Maps that ``load`` tries by itself, where source and module have just the names that they map."""

NOT_WEIGHTS = ("num_batches_tracked",)
"""What counts steps: it may be missing."""


class Unlike(NamedTuple):
    """Two tensors that stand for each other by their names, and not by their shapes."""

    theirs: str
    ours: str
    theirs_shape: Shape
    ours_shape: Shape


class Fit(NamedTuple):
    """What was loaded, and what was not.

    loaded: the source's name and ours. missing: ours that the source has not. unused: the source's
    that we have not. unlike: those whose shapes differ.
    """

    loaded: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    unlike: tuple[Unlike, ...]

    @property
    def complete(self) -> bool:
        """Whether every tensor of both sides has found its place."""
        return not (self.missing or self.unused or self.unlike)

    def __str__(self) -> str:
        lines = [f"{len(self.loaded)} tensors fit"]
        lines += [f"{theirs} is {by(a)}, {ours} is {by(b)}" for theirs, ours, a, b in self.unlike]
        lines += [f"{name} has no values in the source" for name in self.missing]
        lines += [f"{name} of the source has no place" for name in self.unused]
        return "\n".join(lines)


# --- in -------------------------------------------------------------------------------------------


def load(
    module: nn.Module,
    source: str | os.PathLike[str] | Mapping[str, Tensor],
    *,
    names: Mapping[str, str] | None = None,
    strict: bool = True,
) -> Fit:
    """Copy a source's values into a module's parameters and buffers, and tell what fitted.

    source: a .safetensors or a .caffemodel file; or tensors by name, as a ``state_dict`` has them.
    names: of the source's modules or tensors to ours, ``{"features.0": "conv1"}``; what is not in
    it keeps its name. Without it, names are taken as they are, or by KNOWN_NAMES. A tensor shared
    by several parameters is loaded once. strict: raise, with the whole list, unless everything
    fits, and then nothing is copied; otherwise what fits is copied.

    Raises ReadError.
    """
    where = ""
    if isinstance(source, (str, os.PathLike)):
        where = os.fspath(source)
        tensors = _tensors_of(where, module)
    else:
        tensors = {name: _stored(tensor) for name, tensor in source.items()}
    ours = _places(module)
    if names is None:
        names = _known_names(tensors, ours)
    fit, moves = _fit(tensors, ours, names, _aliases(module))
    if strict and not fit.complete:
        raise ReadError(
            "the weights do not fit the network",
            where=where,
            values="\n    ".join(_shortened(str(fit))),
            hint="names={'theirs': 'ours'}, or strict=False for what does fit",
        )
    with torch.no_grad():
        for target, stored in moves:
            target.copy_(stored.fetch().reshape(target.shape))
    return fit


def _shortened(text: str, most: int = 20) -> list[str]:
    lines = text.splitlines()
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return lines[:most] + more


def _stored(tensor: Tensor) -> Stored:
    return Stored(tuple(tensor.shape), lambda: tensor)


def _places(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers that are saved, each under its first name."""
    seen: set[int] = set()
    tensors: dict[str, Tensor] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen and isinstance(tensor, Tensor):
            seen.add(id(tensor))
            tensors[name] = tensor
    return tensors


def _aliases(module: nn.Module) -> dict[str, str]:
    """Further names of shared tensors, to their first."""
    first: dict[int, str] = {}
    aliases: dict[str, str] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        owner = first.setdefault(id(tensor), name)
        if owner != name:
            aliases[name] = owner
    return aliases


def _known_names(tensors: Tensors, ours: Mapping[str, Tensor]) -> Mapping[str, str]:
    their_modules = {name.rpartition(".")[0] for name in tensors}
    our_modules = {name.rpartition(".")[0] for name in ours}
    for known in KNOWN_NAMES:
        if their_modules == set(known) and our_modules == set(known.values()):
            return known
    return {}


def _fit(
    tensors: Tensors,
    ours: Mapping[str, Tensor],
    names: Mapping[str, str],
    aliases: Mapping[str, str],
) -> tuple[Fit, list[tuple[Tensor, Stored]]]:
    loaded: list[tuple[str, str]] = []
    unused: list[str] = []
    unlike: list[Unlike] = []
    moves: list[tuple[Tensor, Stored]] = []
    for theirs, stored in tensors.items():
        name = _translated(theirs, names)
        name = aliases.get(name, name)  # a shared tensor may be kept under any of its names
        target = ours.get(name)
        if target is None:
            if theirs.rpartition(".")[2] not in NOT_WEIGHTS:
                unused.append(theirs)
        elif not _same_shape(stored.shape, tuple(target.shape)):
            unlike.append(Unlike(theirs, name, stored.shape, tuple(target.shape)))
        else:
            loaded.append((theirs, name))
            moves.append((target, stored))
    named = {name for _, name in loaded} | {each.ours for each in unlike}
    missing = [
        name for name in ours if name not in named and name.rpartition(".")[2] not in NOT_WEIGHTS
    ]
    return Fit(tuple(loaded), tuple(missing), tuple(unused), tuple(unlike)), moves


def _translated(name: str, names: Mapping[str, str]) -> str:
    """A tensor's name by the map: its own entry, or that of the longest of its modules' names."""
    if name in names:
        return names[name]
    head, tail = name, ""
    while "." in head:
        head, _, last = head.rpartition(".")
        tail = f".{last}{tail}"
        if head in names:
            return names[head] + tail
    return name


def _same_shape(theirs: Shape, ours: Shape) -> bool:
    """Whether the shapes are the same but for leading axes of 1 (Caffe once had four, always)."""
    while len(theirs) > len(ours) and theirs[0] == 1:
        theirs = theirs[1:]
    return theirs == ours


def _tensors_of(path: str, module: nn.Module) -> Tensors:
    if path.endswith(".caffemodel"):
        return of_caffe(path, module)
    if path.endswith(".safetensors"):
        return of_safetensors(path)
    raise ReadError(
        "weights are read from .safetensors and .caffemodel files",
        where=path,
        hint="of a .pth, give the tensors: load(net, torch.load(path, weights_only=True))",
    )
