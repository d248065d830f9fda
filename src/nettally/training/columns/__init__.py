"""A network in columns, each on a rank of its own: the parallelism of the AlexNet paper.

>>> made = plan(nettally.read("alexnet"))
>>> column = build_column(made, rank)                     # in each of two processes
>>> column.load_state_dict(scatter(made, weights, rank))
>>> column(images)                                        # the whole output, on both

Each rank has its part of the filters, and reads its part of the channels. Parts are exchanged where
a layer must see all channels, and gradients go back the same way, so that outputs, losses and
gradients are those of the whole network (Krizhevsky, Sutskever and Hinton 2012, section 3.2). It
works on any network that has layers with filters to deal out.

Every rank is given the same batch. In training, a mask of dropout is drawn for the whole value and
cut where the value is split (``Plan.split_values``), and must be the same on all ranks where not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from ...arith import product
from ...building.build import Built, build
from ...counting.tally import tally
from ...errors import NetworkError, closest
from .link import Link, Traffic, attach, link_of
from .plan import Exchange, laid_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...network import Network, Shape

__all__ = [
    "Exchange",
    "Plan",
    "Predicted",
    "Sent",
    "Traffic",
    "build_column",
    "channels_of",
    "gather",
    "gather_from_ranks",
    "plan",
    "predicted_traffic",
    "scatter",
    "traffic_of",
]


class Plan(NamedTuple):
    """How a network is done in columns.

    network: the whole. local: one column's, the same for each rank: its nodes bear the same names,
    with their share of filters, features and groups, and the steps between columns stand between
    them as nodes of their own. exchanges: those of the steps that send something in training.
    halved: of each tensor of the whole's ``state_dict``, the axis that is dealt to the columns;
    None where all columns hold the same. split_values: of each node, whether a column has only its
    part of the value, along axis 1. shapes: of the whole's tensors.
    """

    network: Network
    columns: int
    local: Network
    exchanges: tuple[Exchange, ...]
    halved: Mapping[str, int | None]
    split_values: Mapping[str, bool]
    shapes: Mapping[str, Shape]


def plan(network: Network, columns: int = 2) -> Plan:
    """How the network's channels are dealt to ``columns`` ranks.

    A convolution or a fully connected layer gives each column its part of the filters, with the
    groups that they belong to. The last fully connected layer, and whatever has to see all channels
    without filters to deal out, every column computes whole.

    Raises NetworkError where the network can't be split, with the node and the reason; what
    ``build`` raises where it can't be built.
    """
    if columns < 2:
        raise NetworkError("a network in columns has at least 2", values=f"columns {columns}")
    local, exchanges, split = laid_out(network, columns)
    with torch.device("meta"):
        whole = build(network).state_dict()
        part = build(local).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in whole.items()}
    halved = {name: _axis(shape, tuple(part[name].shape)) for name, shape in shapes.items()}
    return Plan(network, columns, local, exchanges, halved, split, shapes)


def _axis(whole: Shape, part: Shape) -> int | None:
    """The axis along which the two differ; None where they are the same."""
    pairs = zip(whole, part, strict=True)
    return next((axis for axis, (size, part_size) in enumerate(pairs) if size != part_size), None)


def channels_of(plan: Plan, rank: int) -> dict[str, tuple[int, int]]:
    """Of each split value, by its node, the channels (axis 1) that a rank has: first, end."""
    cut: dict[str, tuple[int, int]] = {}
    for row in tally(plan.network).rows:
        if plan.split_values[row.name] and row.shape is not None:
            each = int(row.shape[1]) // plan.columns
            cut[row.name] = (rank * each, (rank + 1) * each)
    return cut


# --- the module ---------------------------------------------------------------------------------


def build_column(plan: Plan, rank: int, group: Any = None) -> Built:
    """One column as a torch module: it takes the whole input and gives the whole output.

    group: the process group of the columns; all processes where none is given. Its tensors begin
    with torch's own values, each rank's by itself: load ``scatter`` of the whole's, so that what
    all columns hold is the same on all. Forward and backward must run on all ranks alike; what
    ``values`` gives of a node is the column's part where ``plan.split_values`` says so. An input
    that asks for its own gradient gets the whole gradient, and that is sent too.

    Raises NetworkError where there are not as many ranks as columns.
    """
    if not (dist.is_available() and dist.is_initialized()):
        raise NetworkError(
            f"{plan.columns} columns need {plan.columns} processes that know each other",
            hint=f"torchrun --nproc-per-node {plan.columns} -m nettally train …",
        )
    size, this_rank = dist.get_world_size(group), dist.get_rank(group)
    if size != plan.columns or this_rank != rank:
        raise NetworkError(
            f"{plan.columns} columns need {plan.columns} ranks, one each",
            values=f"rank {rank} of {size} asked for, this process is rank {this_rank}",
            hint=f"torchrun --nproc-per-node {plan.columns} -m nettally train …",
        )
    column = build(plan.local)
    attach(column, Link(rank, plan.columns, group), dict(column.names))
    return column


def traffic_of(column: torch.nn.Module) -> Traffic:
    """What a column has sent since the count began; it can be ``reset``.

    Raises NetworkError where the module is not a column, or has no exchange.
    """
    link = link_of(column)
    if link is None:
        raise NetworkError("this module exchanges nothing", hint="it is made by build_column")
    return link.traffic


# --- tensors in and out -------------------------------------------------------------------------


def scatter(plan: Plan, state: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """One column's tensors out of the whole's, in memory of their own.

    state: a ``state_dict`` of the whole network, or anything by the same names and shapes, as
    gradients or momenta; not all need be there. Raises NetworkError for a name or a shape that the
    network has not.
    """
    mine: dict[str, Tensor] = {}
    for name, tensor in state.items():
        axis = _known(plan, name)
        if tuple(tensor.shape) != plan.shapes[name]:
            raise _unlike(plan, name, tensor, plan.shapes[name])
        part = tensor if axis is None else tensor.chunk(plan.columns, axis)[rank]
        mine[name] = part.detach().clone(memory_format=torch.contiguous_format)
    return mine


def gather(
    plan: Plan, states: Sequence[Mapping[str, Tensor]], *, tolerance: float = 1e-5
) -> dict[str, Tensor]:
    """The whole's tensors out of all columns', in the order of the ranks: scatter's inverse.

    What all columns hold must be the same on all, to ``tolerance`` of the largest value (on like
    machines it is the same to the bit); rank 0's is taken. Raises NetworkError where it is not, and
    where names or shapes do not fit.
    """
    if len(states) != plan.columns:
        raise NetworkError(
            f"{plan.network.name} stands in {plan.columns} columns", values=f"{len(states)} given"
        )
    whole: dict[str, Tensor] = {}
    for name in dict.fromkeys(name for state in states for name in state):
        axis = _known(plan, name)
        lacking = [str(rank) for rank, state in enumerate(states) if name not in state]
        if lacking:
            raise NetworkError(
                f"{name}: not all columns have it", values=f"missing on rank {', '.join(lacking)}"
            )
        parts = [state[name].detach() for state in states]
        expected = list(plan.shapes[name])
        if axis is not None:
            expected[axis] //= plan.columns
        for part in parts:
            if list(part.shape) != expected:
                raise _unlike(plan, name, part, tuple(expected))
        whole[name] = parts[0].clone() if axis is None else torch.cat(parts, axis)
        if axis is None:
            _refuse_drift(name, parts, tolerance)
    return whole


def gather_from_ranks(
    plan: Plan, state: Mapping[str, Tensor], group: Any = None, *, tolerance: float = 1e-5
) -> dict[str, Tensor]:
    """``gather`` of what the ranks hold, each its own ``state``: the whole, on the CPU, on all.

    Every rank calls it, with the same names. What is sent is not counted as traffic of a step.
    Raises what ``gather`` raises.
    """
    by_rank: list[dict[str, Tensor]] = [{} for _ in range(plan.columns)]
    nccl = dist.get_backend(group) == "nccl"
    for name, tensor in state.items():
        mine = tensor.detach().contiguous()
        mine = mine.cuda() if nccl else mine.cpu()
        parts = [torch.empty_like(mine) for _ in by_rank]
        dist.all_gather(parts, mine, group)
        for kept, part in zip(by_rank, parts, strict=True):
            kept[name] = part.cpu()
    return gather(plan, by_rank, tolerance=tolerance)


def _refuse_drift(name: str, parts: list[Tensor], tolerance: float) -> None:
    first = parts[0].double()
    scale = first.abs().max().item() if first.numel() else 0.0
    for rank, part in enumerate(parts[1:], 1):
        if not torch.allclose(
            first, part.double(), rtol=0.0, atol=tolerance * scale, equal_nan=True
        ):
            away = (first - part.double()).abs().max().item()
            raise NetworkError(
                f"{name}: all columns hold it, and they no longer agree",
                values=f"rank {rank} is {away:.3g} away from rank 0, the largest value {scale:.3g}",
                hint="begin from one state on all ranks, and give all the same batch",
            )


def _known(plan: Plan, name: str) -> int | None:
    """The axis of a tensor that is dealt out. Raises NetworkError where there is no such tensor."""
    if name not in plan.halved:
        raise NetworkError(
            f"{plan.network.name} has no tensor '{name}'", hint=closest(name, plan.halved)
        )
    return plan.halved[name]


def _unlike(plan: Plan, name: str, tensor: Tensor, expected: Shape) -> NetworkError:
    return NetworkError(
        f"{name} is not of the shape that it has in {plan.network.name}",
        values=f"{tuple(tensor.shape)} given, {expected} expected",
    )


# --- what is sent -------------------------------------------------------------------------------


class Sent(NamedTuple):
    """Bytes that one rank sends for an exchange in one step of training."""

    exchange: Exchange
    forward: int
    backward: int


class Predicted(NamedTuple):
    """Bytes that one rank sends in one step of training, an exchange a row. ``print`` shows it."""

    rows: tuple[Sent, ...]
    batch: int
    itemsize: int

    @property
    def forward(self) -> int:
        """All that is sent on the way forward."""
        return sum(row.forward for row in self.rows)

    @property
    def backward(self) -> int:
        """All that is sent on the way back."""
        return sum(row.backward for row in self.rows)

    @property
    def total(self) -> int:
        """Both ways."""
        return self.forward + self.backward

    def __str__(self) -> str:
        lines = [("exchange", "before", "whole value", "bytes forward", "bytes backward")]
        for (_, value, before, shape, _, _), forward, backward in self.rows:
            size = "×".join(map(str, shape))
            lines.append((value, before or "the output", size, f"{forward:,}", f"{backward:,}"))
        lines.append(("total", "", "", f"{self.forward:,}", f"{self.backward:,}"))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                word.ljust(width) if at < 3 else word.rjust(width)
                for at, (word, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )


def predicted_traffic(plan: Plan, batch: int, itemsize: int = 4) -> Predicted:
    """What each rank sends in one step of training, from the shapes that ``tally`` counts.

    batch: images in the step, the same on all ranks. itemsize: bytes a value; under autocast
    values may be of different sizes, and each is sent as it is. With n columns a rank sends its
    part to the n - 1 others, and of a gradient each other's part, or to a sum all of it.
    """
    counted = tally(plan.local)
    rows: list[Sent] = []
    for exchange in plan.exchanges:
        row = counted[exchange.name]
        (x,), y = row.inputs, row.shape
        assert y is not None
        sent = product(x[1:] if exchange.forward else y[1:])  # the part; or the whole of a sum
        size = batch * itemsize * int(sent) * (plan.columns - 1)
        rows.append(Sent(exchange, exchange.forward * size, exchange.backward * size))
    return Predicted(tuple(rows), batch, itemsize)
