"""Values out of Caffe's trained nets; the reader of their structure is formats/caffe."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .build import Built, places
from .stored import Stored, Tensors, by, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LAYER, _V1_LAYER = 100, 2
_FORMS = {
    _LAYER: {"name": 1, "type": 2, "blobs": 7},
    _V1_LAYER: {"name": 4, "type": 5, "blobs": 6},
}
_V0_LAYER = {"name": 1, "type": 2, "blobs": 50}
"""Where a layer's name and its tensors stand: in Caffe's net of layers, of V1's, of V0's."""


def of_caffe(path: str, module: nn.Module) -> Tensors:
    """A trained net's tensors, named as the nodes of their layers' names name them.

    The values lie as torch has them: filters, channels of the group, rows, columns; units, values
    seen. What is stored for layers without a place keeps a name of its own, ``fc8.blob0``.
    """
    from ..formats.caffe import caffemodel
    from ..formats.encodings.blob import Blob

    by_name: Tensors = {}
    with Blob(path, path) as blob:
        if not caffemodel.sniff(blob.fetch(0, min(blob.size, 2**16)), path):
            raise blob.error("this is no trained net of Caffe's", 0)
        for name, stored in _caffe_layers(blob, path):
            tensors = _tensor_names(module, name, len(stored))
            if tensors is _STATISTICS:
                stored = _scaled(stored)
            for i, each in enumerate(stored):
                tensor = tensors[i] if i < len(tensors) else f"blob{i}"
                key = f"{_module_name(module, name)}.{tensor}"
                if key in by_name:
                    raise blob.error(f"two layers with tensors are called '{name[:80]}'", 0)
                by_name[key] = each
    return by_name


_STATISTICS = ("running_mean", "running_var")


def _module_name(module: nn.Module, node: str) -> str:
    return module.names.get(node, node) if isinstance(module, Built) else node


def _tensor_names(module: nn.Module, node: str, number: int) -> tuple[str, ...]:
    """What the tensors of a layer are called in the module of its node, in Caffe's order."""
    try:
        inner = module.get_submodule(_module_name(module, node))
    except AttributeError:
        return ()
    if isinstance(inner, nn.modules.batchnorm._BatchNorm):
        return _STATISTICS if number == 3 else ()
    parameters = [name for name, _ in inner.named_parameters()]
    named = {place: tensor for tensor, place in places(inner).items()}
    order = sorted(parameters, key=lambda name: named.get(name, name).startswith("bias"))
    return tuple(order)


def _scaled(stored: list[Stored]) -> list[Stored]:
    """Caffe's BatchNorm keeps sums, and third the number that they are to be divided by."""
    mean, variance, factor = stored

    def over(sums: Stored) -> Stored:
        def fetch() -> Tensor:
            by = float(factor.fetch().flatten()[0])
            return sums.fetch() / by if by else torch.zeros(sums.shape)

        return Stored(sums.shape, fetch)

    return [over(mean), over(variance)]


def _caffe_layers(blob: Any, path: str) -> Iterator[tuple[str, list[Stored]]]:
    from ..formats.encodings.protobuf import fields

    for number, wire, size, data, place in fields(blob, 0, blob.size):
        if number in _FORMS and wire == 2:
            name, stored = _caffe_layer(blob, path, place, size, data, _FORMS[number])
            if stored:
                yield name, stored


def _caffe_layer(
    blob: Any, path: str, at: int, size: int, data: bytes | None, form: Mapping[str, int]
) -> tuple[str, list[Stored]]:
    from ..formats.encodings.protobuf import fields

    name, stored = "", list[Stored]()
    for number, wire, length, raw, place in fields(blob, at, size, data):
        if wire != 2:
            continue
        if number == form["name"] and raw is not None:
            name = raw.decode("utf-8", "backslashreplace")
        elif number == form["blobs"]:
            stored.append(_caffe_tensor(blob, path, place, length, raw))
        elif number == 1 and form is _FORMS[_V1_LAYER]:  # a V0 layer stands in V1's frame
            inner = _caffe_layer(blob, path, place, length, raw, _V0_LAYER)
            name, stored = inner[0] or name, stored + inner[1]
    return name, stored


def _caffe_tensor(blob: Any, path: str, at: int, size: int, data: bytes | None) -> Stored:
    """A BlobProto: its shape, as a list or as four sizes, and floats or doubles, packed or not."""
    from ..formats.encodings.protobuf import fields, varints

    shape: list[int] | None = None
    four: dict[int, int] = {}
    runs: list[tuple[int, int]] = []
    kind = torch.float32
    for number, wire, value, raw, place in fields(blob, at, size, data):
        if number == 7 and raw is not None:
            shape = []
            for inner, _, one, packed, start in fields(blob, place, value, raw):
                if inner == 1:
                    shape += varints(blob, packed, start) if packed is not None else [one]
        elif number in (1, 2, 3, 4) and wire == 0:
            four[number] = value
        elif number in (5, 8):
            kind = torch.float32 if number == 5 else torch.float64
            runs.append((place, value if wire == 2 else kind.itemsize))
    sizes = tuple(shape) if shape is not None else tuple(four.get(i, 1) for i in (1, 2, 3, 4))
    length = sum(each for _, each in runs)
    if length != math.prod(sizes) * kind.itemsize:
        raise blob.error(
            "a tensor's values are not as many as its shape says",
            at,
            f"{by(sizes)}, {length // kind.itemsize:,} values",
            "the file is cut off or damaged; fetch it again",
        )
    return Stored(sizes, reading(path, runs, kind, sizes))
