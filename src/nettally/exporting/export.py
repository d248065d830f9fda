"""Networks as ONNX files: the values of a module, under the names of the network's nodes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from ..building.build import build
from ..building.safetensors import save
from ..counting.tally import tally
from ..errors import NettallyError, NetworkError
from ..formats.onnx.proto import FLOAT, LEARNED, TYPES
from . import wire
from .graph import At, Graph, Refused, rule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..building.build import Built
    from ..counting.tally import Tally
    from ..network import Network, Shape

ENDINGS = (".onnx", ".safetensors")

BATCH = "N"
"""The name of the first axis."""


def export(network: Network, module: Built, path: str | os.PathLike[str]) -> int:
    """Write the network with the module's values: by the ending as .onnx, or .safetensors.

    Returns the file's size in bytes. Raises NettallyError for another ending, and as
    ``write_onnx``.
    """
    name = os.fspath(path)
    ending = ending_of(name)
    if ending == ".onnx":
        return write_onnx(network, module, name)
    save(module, name, metadata={"network": network.name})
    return os.path.getsize(name)


def ending_of(path: str) -> str:
    """The ending, that of a kind of file that can be written. Raises NettallyError."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in ENDINGS:
        raise NettallyError(
            "a network is exported as .onnx or .safetensors",
            values=f"'{ending or path[-40:]}'",
            hint="-o net.onnx, or -o weights.safetensors",
        )
    return ending


def begun(network: Network, seed: int) -> Built:
    """The network's module with torch's initial values of a seed; torch's own state stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(network).eval()


def write_onnx(network: Network, module: Built, path: str | os.PathLike[str]) -> int:
    """Write an ONNX file that computes what the module does in use; its size in bytes.

    Nodes, values and tensors have the names of the network's nodes. The first axis is ``N``, a
    batch of any size, where the network's layers allow that. Values are float32. The operators
    are those of version 18, or 19 or 20 where a layer needs them. The file is there whole or not
    at all, and the same network and values give the same bytes.

    Raises NetworkError where layers can't be written, naming all of them; NettallyError where the
    file would have 2 GiB or more, or can't be written.
    """
    name = os.fspath(path)
    wire.write(name, model_of(network, module))
    return os.path.getsize(name)


def model_of(network: Network, module: Built) -> wire.Model:
    """What ``write_onnx`` writes."""
    counted, free = _for_any_batch(network)
    graph = Graph()
    for node in network.nodes:
        for owner in node.shared.values():
            graph.sharing |= {node.name, owner.rpartition(".")[0]}
    inputs: list[bytes] = []
    for name, shape in counted.network.inputs.items():
        graph.values[name] = graph.unique(name)
        kind = _kind(network, name)
        inputs.append(wire.info(graph.values[name], kind, _dims(shape, free.get(name))))
    for node in network.nodes:  # before the tensors, so that the layers have their own names
        graph.values[node.name] = graph.unique(node.name)
    refused: list[tuple[str, str]] = []
    for row in counted.rows:
        why = _written(graph, row, module, network)
        if why:
            refused.append((f"{row.name} ({row.node.layer.kind})", why))
    if refused:
        raise NetworkError(
            f"{network.name} has layers that ONNX files can't have as they are",
            where=str(network.source or ""),
            values="\n    ".join(_listed(refused)),
            hint="-o weights.safetensors writes the values alone",
        )
    shapes = {row.name: row.shape for row in counted.rows}
    infos = {
        name: wire.info(graph.values[name], FLOAT, _dims(shape, free.get(name)))
        for name, shape in shapes.items()
        if shape is not None
    }
    outputs: list[bytes] = []
    for name in network.outputs:
        if name in infos:
            outputs.append(infos.pop(name))
        else:  # an input that is an output as well: a node makes it a value of its own
            value = graph.unique(f"{name}.output")
            graph.add("Identity", value, [graph.values[name]], [value])
            outputs.append(
                wire.info(
                    value, _kind(network, name), _dims(counted.network.inputs[name], free.get(name))
                )
            )
    notes = {
        f"{LEARNED}{name}": str(is_learned).lower() for name, is_learned in graph.learned.items()
    }
    return wire.Model(
        network.name,
        graph.opset,
        graph.nodes,
        graph.initializers,
        inputs,
        outputs,
        list(infos.values()),
        notes,
    )


def _written(graph: Graph, row: Any, module: Built, network: Network) -> str:
    """Write a layer's nodes; why not, where that can't be."""
    node = row.node
    rule = rule_of(node.layer.kind)
    if rule is None:
        return "this kind of layer is not exported"
    computed = [owner for owner in node.shared.values() if owner in module.names]
    if computed:
        return f"its weights are computed by another layer, {computed[0]}"
    xs = tuple([tuple(map(int, x)) for x in row.inputs])
    at = At(graph, node, xs, tuple(map(int, row.shape)), module.module_of(node.name))
    try:
        rule(at)
    except Refused as refusal:
        return str(refusal)
    return ""


def _listed(refused: list[tuple[str, str]], most: int = 20) -> list[str]:
    # a line for each, whatever is in their names
    lines = [f"{name}: {why}".replace("\n", "\\n") for name, why in refused[:most]]
    return lines + ([f"and {len(refused) - most} more"] if len(refused) > most else [])


def _kind(network: Network, name: str) -> int:
    """ONNX's number for an input's type."""
    word = network.dtypes.get(name, "float32")
    for number, each in TYPES.items():
        if each == word:
            return number
    raise NetworkError(f"the input '{name}' is of a type that ONNX has not", values=str(word))


# --- the batch ------------------------------------------------------------------------------------


def _for_any_batch(network: Network) -> tuple[Tally, Mapping[str, bool]]:
    """The network counted for one example where it can be, and whose first axes are the batch.

    A first axis is the batch's where it is 1 for one example and 3 for three, and all others stay.
    """
    if len({shape[:1] for shape in network.inputs.values()}) != 1:
        return tally(network), {}  # inputs that are not of one batch
    try:
        one, three = (tally(_with_batch(network, size)) for size in (1, 3))
    except NettallyError:
        return tally(network), {}
    free: dict[str, bool] = {}
    shapes = [
        {**each.network.inputs, **{row.name: row.shape for row in each.rows}}
        for each in (one, three)
    ]
    for name, shape in shapes[0].items():
        other = shapes[1][name]
        if shape is None or other is None:
            return tally(network), {}
        if shape == other:
            continue
        if len(shape) != len(other) or (shape[0], other[0]) != (1, 3) or shape[1:] != other[1:]:
            return tally(network), {}  # the batch is part of another axis
        free[name] = True
    return one, free


def _with_batch(network: Network, size: int) -> Network:
    inputs = {name: (size, *shape[1:]) for name, shape in network.inputs.items() if shape}
    return network.replace(inputs={**network.inputs, **inputs})


def _dims(shape: Shape, free: bool | None) -> list[int | str | None]:
    sizes: list[int | str | None] = [int(size) for size in shape]
    return [BATCH, *sizes[1:]] if free else sizes
