"""What columns say to each other: parts of values and of gradients, each byte of it counted.

Four steps are enough. Each is a layer of one column's network, and an autograd function:

- ``exchange``: each rank has its part of a value, and gets the whole. Back: the ranks' gradients
  of each part are summed (where each rank makes something of its own of the whole), or each rank
  takes its part of a gradient that all have.
- ``own_part``: all have the whole, and each goes on with its part. Back: the parts of the gradient
  are put together.
- ``sum_of_gradients``: all have the whole, and each makes something of its own of it. Back: the
  ranks' gradients are summed.
- ``counted_once``: after an exchange that sums, for who computes the same on every rank. Back: each
  rank gives its own part only, so that the sum has it once.

Sums are made in the order of the ranks, so that all ranks have the same bits.
"""
# pyright: reportIncompatibleMethodOverride=false
# An autograd function's forward and backward have arguments of their own.

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ...building.layers import makes
from ...errors import NetworkError
from ...network import SAME_PLACE, Layer, Shape, Window

if TYPE_CHECKING:
    from collections.abc import Sequence


class Traffic:
    """Bytes that this rank has handed to ``torch.distributed`` since the last ``reset``.

    forward, backward: of each exchange, by the name of its node in one column's network.
    """

    forward: dict[str, int]
    backward: dict[str, int]

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        self.forward = {}
        self.backward = {}

    @property
    def total(self) -> int:
        """All that was sent, forward and backward."""
        return sum(self.forward.values()) + sum(self.backward.values())

    def __repr__(self) -> str:
        forward, backward = sum(self.forward.values()), sum(self.backward.values())
        return f"<Traffic: {forward:,} bytes forward, {backward:,} backward>"


class Link:
    """One rank's end of the lines to the other columns. A copy of a module keeps its link."""

    rank: int
    columns: int
    traffic: Traffic

    def __init__(self, rank: int, columns: int, group: Any = None) -> None:
        self.rank = rank
        self.columns = columns
        self.group = group
        self.traffic = Traffic()
        every = range(columns)
        self._peers = [r if group is None else dist.get_global_rank(group, r) for r in every]

    def __deepcopy__(self, memo: dict[int, Any]) -> Link:
        return self  # a process group can't be copied

    def swap(self, parts: Sequence[Tensor], counted: dict[str, int], name: str) -> list[Tensor]:
        """Send ``parts[r]`` to rank r for every r, and return what each rank has sent here.

        All parts have the same shape and type. What is sent is added to ``counted[name]``, in
        bytes.
        """
        mine = parts[self.rank]
        # gloo sends what is in the machine's own memory only
        staged = mine.device.type != "cpu" and dist.get_backend(self.group) == "gloo"
        got: list[Tensor] = [mine] * self.columns
        steps: list[dist.P2POp] = []
        for rank, peer in enumerate(self._peers):
            if rank == self.rank:
                continue
            sent = parts[rank].contiguous()
            sent = sent.cpu() if staged else sent
            got[rank] = torch.empty_like(sent)
            steps.append(dist.P2POp(dist.isend, sent, peer, self.group))
            steps.append(dist.P2POp(dist.irecv, got[rank], peer, self.group))
            counted[name] = counted.get(name, 0) + sent.numel() * sent.element_size()
        for work in dist.batch_isend_irecv(steps):
            work.wait()
        return [part.to(mine.device) for part in got] if staged else got

    def whole(self, part: Tensor, counted: dict[str, int], name: str) -> Tensor:
        """All ranks' parts, side by side along axis 1, laid out in memory as this part is."""
        parts = self.swap([part] * self.columns, counted, name)
        last = part.dim() == 4 and part.is_contiguous(memory_format=torch.channels_last)
        return torch.cat(parts, 1).contiguous(
            memory_format=torch.channels_last if last else torch.contiguous_format
        )

    def cut(self, whole: Tensor) -> list[Tensor]:
        """The parts of each rank: equal, along axis 1."""
        return list(whole.chunk(self.columns, 1))

    def own(self, whole: Tensor) -> Tensor:
        """This rank's part, in memory of its own."""
        return self.cut(whole)[self.rank].clone()  # which keeps channels last where they are


def _sum(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


class _Exchange(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, link: Link, name: str, summed: bool) -> Tensor:
        ctx.link, ctx.name, ctx.summed = link, name, summed
        return link.whole(part, link.traffic.forward, name)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        link: Link = ctx.link
        if not ctx.summed:
            return link.own(gradient), None, None, None
        parts = link.swap(link.cut(gradient), link.traffic.backward, ctx.name)
        return _sum(parts), None, None, None


class _OwnPart(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: Tensor, link: Link, name: str) -> Tensor:
        ctx.link, ctx.name = link, name
        return link.own(whole)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        link: Link = ctx.link
        return link.whole(gradient, link.traffic.backward, ctx.name), None, None


class _SumOfGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: Tensor, link: Link, name: str) -> Tensor:
        ctx.link, ctx.name = link, name
        return whole.view_as(whole)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        link: Link = ctx.link
        parts = link.swap([gradient] * link.columns, link.traffic.backward, ctx.name)
        return _sum(parts), None, None


class _CountedOnce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: Tensor, link: Link) -> Tensor:
        ctx.link = link
        return whole.view_as(whole)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        link: Link = ctx.link
        kept = torch.zeros_like(gradient)
        link.cut(kept)[link.rank].copy_(link.cut(gradient)[link.rank])
        return kept, None


class Linked(nn.Module):
    """A step between the columns. It runs once ``attach`` has given it a link."""

    link: Link | None = None
    name: str = ""

    def __init__(self, layer: Crossing) -> None:
        super().__init__()
        self.layer = layer

    @torch.compiler.disable
    def forward(self, x: Tensor) -> Tensor:
        link = self.link
        if link is None:
            raise NetworkError(
                f"{self.name or self.layer.kind}: this column has no link to the others",
                hint="build it by build_column, in a process of its own",
            )
        kind = self.layer.kind
        if kind == "exchange":
            return _applied(_Exchange, x, link, self.name, self.layer.summed)
        if kind == "own_part":
            return _applied(_OwnPart, x, link, self.name)
        if kind == "sum_of_gradients":
            return _applied(_SumOfGradients, x, link, self.name)
        return _applied(_CountedOnce, x, link)

    def extra_repr(self) -> str:
        return self.layer.kind


def _applied(function: Any, *arguments: Any) -> Tensor:
    return function.apply(*arguments)  # of which torch has no types


class Crossing(Layer):
    """A layer of one column's network that may talk to the others. columns: how many there are.

    It is in no file, so it is not registered with the other kinds.
    """

    kind: ClassVar[str] = "crossing"

    columns: int = 2
    summed: bool = False

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return xs[0]

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return SAME_PLACE


class Exchanged(Crossing):
    """The parts of all columns, side by side. summed: so are the gradients, on the way back."""

    kind: ClassVar[str] = "exchange"

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        return (x[0], x[1] * self.columns, *x[2:])


class OwnPart(Crossing):
    """This column's part of what all of them have."""

    kind: ClassVar[str] = "own_part"

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        return (x[0], x[1] // self.columns, *x[2:])


class SumOfGradients(Crossing):
    """What all columns have, for layers of which each computes its own filters."""

    kind: ClassVar[str] = "sum_of_gradients"


class CountedOnce(Crossing):
    """What was exchanged, for a layer that all columns compute alike."""

    kind: ClassVar[str] = "counted_once"


@makes("crossing", "exchange", "own_part", "sum_of_gradients", "counted_once")
def _linked(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Linked(layer)


def attach(module: nn.Module, link: Link, names: dict[str, str]) -> None:
    """Give a link to all steps between columns. names: of each node, its module's name."""
    for node, place in names.items():
        inner = module.get_submodule(place)
        if isinstance(inner, Linked):
            inner.link = link
            inner.name = node


def link_of(module: nn.Module) -> Link | None:
    """The link of a module that ``attach`` has been given, or of one around it."""
    for inner in module.modules():
        if isinstance(inner, Linked) and inner.link is not None:
            return inner.link
    return None
