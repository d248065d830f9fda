"""State spaces and the gated delta rule as torch modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import makes

if TYPE_CHECKING:
    from ...network import Shape


class State(nn.Module):
    """What such layers learn: the logarithms of decays, and what else their facts name."""

    def __init__(self, layer: Any, xs: tuple[Shape, ...]) -> None:
        super().__init__()
        self.layer = layer
        for name, shape in layer.parameters(xs).items():
            start = torch.zeros if name == "dt_bias" else torch.ones
            self.register_parameter(name, nn.Parameter(start(shape)))

    def decay(self) -> Tensor:
        return -torch.exp(self.get_parameter("A_log"))


def chunked(x: Tensor, size: int) -> Tensor:
    """(batch, places, …) as (batch, chunks, size, …), with zeros behind."""
    missing = -x.shape[1] % size
    x = functional.pad(x, (0, 0) * (x.dim() - 2) + (0, missing))
    return x.unflatten(1, (-1, size))


def sums_between(x: Tensor) -> Tensor:
    """Of the last axis, the sums from behind place j to place i; -∞ where j is behind i."""
    total = x.cumsum(-1)
    places = torch.ones(x.shape[-1], x.shape[-1], dtype=torch.bool, device=x.device)
    return (total[..., :, None] - total[..., None, :]).masked_fill(places.triu(1), -torch.inf)


class SelectiveScan(State):
    def forward(self, x: Tensor, step: Tensor, write: Tensor, read: Tensor) -> Tensor:
        step = functional.softplus(step)
        kept = torch.exp(step[..., None] * self.decay())
        news = (step * x)[..., None] * write[:, :, None]
        state = torch.zeros_like(news[:, 0])
        states: list[Tensor] = []
        for place in range(x.shape[1]):
            state = kept[:, place] * state + news[:, place]
            states.append(state)
        y = torch.stack(states, 1) @ read[..., None]
        return y[..., 0] + x * self.get_parameter("D")


@makes("selective_scan")
def _selective_scan(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return SelectiveScan(layer, xs)


class StateSpace(State):
    """Chunk by chunk, as section 6 of Dao and Gu 2024.

    b, c, l and s, h, p, n: batch, chunk, places within it, head, values of a head, of its state.
    """

    def forward(self, x: Tensor, step: Tensor, write: Tensor, read: Tensor) -> Tensor:
        layer, places = self.layer, x.shape[1]
        step = functional.softplus(step + self.get_parameter("dt_bias"))
        x = x.unflatten(-1, (layer.heads, -1))
        write, read = (
            each.unflatten(-1, (layer.groups, -1)).repeat_interleave(
                layer.heads // layer.groups, dim=2
            )
            for each in (write, read)
        )
        straight = x * self.get_parameter("D")[:, None]
        x, decay, write, read = (
            chunked(each, layer.chunk)
            for each in (x * step[..., None], step * self.decay(), write, read)
        )
        decay = decay.permute(0, 3, 1, 2)
        total = decay.cumsum(-1)
        scores = torch.einsum("bclhn,bcshn->bclsh", read, write)
        scores = scores * torch.exp(sums_between(decay)).permute(0, 2, 3, 4, 1)
        y = torch.einsum("bclsh,bcshp->bclhp", scores, x)
        left = torch.exp(total[..., -1:] - total).permute(0, 2, 3, 1)[..., None]
        states = torch.einsum("bclhn,bclhp->bchpn", write * left, x)
        states = functional.pad(states, (0, 0, 0, 0, 0, 0, 1, 0))
        between = torch.exp(sums_between(functional.pad(total[..., -1], (1, 0)))).transpose(1, 3)
        states = torch.einsum("bzch,bzhpn->bchpn", between, states)[:, :-1]
        past = torch.einsum("bclhn,bchpn->bclhp", read, states)
        y = y + past * torch.exp(total).permute(0, 2, 3, 1)[..., None]
        return (y.flatten(1, 2)[:, :places] + straight).flatten(-2)


@makes("state_space")
def _state_space(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return StateSpace(layer, xs)


class DeltaRule(State):
    """Chunk by chunk: Yang et al. 2024, section 3.3."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, write: Tensor, forget: Tensor) -> Tensor:
        layer, places = self.layer, v.shape[1]
        times = layer.heads // (layer.key_heads or layer.heads)
        q, k = (
            functional.normalize(each.unflatten(-1, (-1, layer.size)), dim=-1).repeat_interleave(
                times, dim=2
            )
            for each in (q, k)
        )
        rate = torch.sigmoid(write)[..., None]
        decay = self.decay() * functional.softplus(forget + self.get_parameter("dt_bias"))
        v = v.unflatten(-1, (layer.heads, -1))
        q, k, v, kb, decay = (
            chunked(each, layer.chunk).movedim(3, 1)
            for each in (q * layer.size**-0.5, k, v * rate, k * rate, decay[..., None])
        )
        decay = decay[..., 0]
        total = decay.cumsum(-1)[..., None]
        between = torch.exp(sums_between(decay))
        system = (kb @ k.mT) * between
        scores = (q @ k.mT) * between
        values, keys = (
            torch.linalg.solve_triangular(system, each, upper=False, unitriangular=True)
            for each in (v, kb * torch.exp(total))
        )
        q, left = q * torch.exp(total), k * torch.exp(total[..., -1:, :] - total)
        state = torch.zeros(*v.shape[:2], layer.size, v.shape[-1], dtype=v.dtype, device=v.device)
        ys: list[Tensor] = []
        for i in range(v.shape[2]):
            new = values[:, :, i] - keys[:, :, i] @ state
            ys.append(q[:, :, i] @ state + scores[:, :, i] @ new)
            state = state * torch.exp(total[:, :, i, -1:]) + left[:, :, i].mT @ new
        return torch.stack(ys, 2).flatten(2, 3).transpose(1, 2)[:, :places].flatten(-2)


@makes("delta_rule")
def _delta_rule(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return DeltaRule(layer, xs)


class Wkv(State):
    def forward(self, k: Tensor, v: Tensor) -> Tensor:
        decay = -torch.exp(self.get_parameter("time_decay"))
        first = self.get_parameter("time_first")
        above = below = torch.zeros_like(k[:, 0])
        top = torch.full_like(above, -1e38)
        ys: list[Tensor] = []
        for key, value in zip(k.unbind(1), v.unbind(1), strict=True):
            most = torch.maximum(top, first + key)
            old, new = torch.exp(top - most), torch.exp(first + key - most)
            ys.append((old * above + new * value) / (old * below + new))
            most = torch.maximum(top + decay, key)
            old, new = torch.exp(top + decay - most), torch.exp(key - most)
            above, below, top = old * above + new * value, old * below + new, most
        return torch.stack(ys, 1)


@makes("wkv")
def _wkv(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Wkv(layer, xs)
