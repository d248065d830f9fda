"""Layers with a state, and detectors' heads, as torch modules.

Over a sequence they are torch's own. For one step, the state before it is zero.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import LayerError
from . import Function, for_axes, makes, started

if TYPE_CHECKING:
    from ...network import Shape

_OWN = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def _ways(layer: Any) -> tuple[str, ...]:
    """What the names of each direction's tensors end in."""
    return ("", "_reverse")[: int(layer.directions)]


class _Sequence(nn.Module):
    """One of torch's recurrent layers over (batch, steps, features), or over one step of it."""

    def __init__(self, layer: Any, seen: int) -> None:
        super().__init__()
        projected = int(getattr(layer, "projection", 0))
        self.recurrent = _OWN[layer.kind](
            int(seen),
            int(layer.features),
            bias=bool(layer.biases),
            batch_first=True,
            bidirectional=layer.directions == 2,
            **({"proj_size": projected} if projected else {}),
        )
        self.sequence = layer.sequence
        self.tensor_names = {
            f"{tensor}{way}": f"recurrent.{tensor}_l0{way}"
            for tensor in ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh")
            for way in _ways(layer)
        }

    def forward(self, x: Tensor) -> Tensor:
        one = x.dim() == 2
        out: Tensor = self.recurrent(x[:, None] if one else x)[0]
        if one:
            return out[:, 0]
        if self.sequence:
            return out
        if not self.recurrent.bidirectional:
            return out[:, -1]
        half = self.recurrent.proj_size or self.recurrent.hidden_size
        # the backward layer's last step is the first place
        return torch.cat((out[:, -1, :half], out[:, 0, half:]), 1)


class _Steps(nn.Module):
    """Recurrent layers in forms that torch has not: with one bias, or normalised products.

    The gates stand in torch's order. A gated unit's reset comes before the product with the state
    (Cho et al. 2014), as Keras has it with one bias, and Darknet; torch's comes after.
    """

    def __init__(self, layer: Any, seen: int) -> None:
        super().__init__()
        self.layer = layer
        xs = ((1, int(seen)),)
        for name, shape in layer.parameters(xs).items():
            start = started(tuple(map(int, shape)), int(layer.features))
            if name.startswith("scale"):
                start = nn.Parameter(torch.ones_like(start))
            elif name.startswith("bias") and layer.norm:
                start = nn.Parameter(torch.zeros_like(start))
            self.register_parameter(name, start)
        for name, shape in layer.buffers(xs).items():
            start = torch.ones if name.startswith("running_var") else torch.zeros
            self.register_buffer(name, start(tuple(map(int, shape))))

    def forward(self, x: Tensor) -> Tensor:
        one = x.dim() == 2
        steps = (x[:, None] if one else x).unbind(1)
        ways: list[Tensor] = []
        for way in _ways(self.layer):
            out = self._run(steps[::-1] if way else steps, way)
            if one or not self.layer.sequence:
                ways.append(out[-1])
            else:
                ways.append(torch.stack(out[::-1] if way else out, 1))
        return torch.cat(ways, -1)

    def _run(self, steps: tuple[Tensor, ...], way: str) -> list[Tensor]:
        layer = self.layer
        project = getattr(self, f"weight_hr{way}", None)
        h = steps[0].new_zeros(
            len(steps[0]), int(getattr(layer, "projection", 0) or layer.features)
        )
        c = steps[0].new_zeros(len(steps[0]), int(layer.features))
        out: list[Tensor] = []
        for step in steps:
            from_input = self._product("ih", way, step)
            if layer.kind == "rnn":
                h = torch.tanh(from_input + self._product("hh", way, h))
            elif layer.kind == "gru":
                size = int(layer.features)
                first = slice(0, 2 * size), slice(2 * size, 3 * size)
                both = torch.sigmoid(
                    from_input[:, first[0]] + self._product("hh", way, h, first[0])
                )
                reset, update = both.chunk(2, 1)
                new = torch.tanh(
                    from_input[:, first[1]] + self._product("hh", way, reset * h, first[1])
                )
                h = (1 - update) * new + update * h
            else:
                i, f, g, o = (from_input + self._product("hh", way, h)).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                if project is not None:
                    h = functional.linear(h, project)
            out.append(h)
        return out

    def _product(self, name: str, way: str, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """The weight times x, with its bias or its normalisation; rows: of these units."""

        def part(kind: str) -> Tensor | None:
            tensor = getattr(self, f"{kind}_{name}{way}", None)
            return None if tensor is None else tensor[rows]

        weight = part("weight")
        assert weight is not None
        if not self.layer.norm:
            return functional.linear(x, weight, part("bias"))
        product = functional.linear(x, weight)
        statistics = part("running_mean"), part("running_var")
        return functional.batch_norm(
            product, *statistics, part("scale"), part("bias"), self.training
        )


@makes("rnn", "gru", "lstm")
def _sequence(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    make = _Steps if layer.biases == 1 or layer.norm else _Sequence
    return make(layer, xs[0][-1])


class _Normed(nn.Module):
    """A product of a weight and, where it is normalised, a batch normalisation behind it."""

    def __init__(self, product: nn.Module, norm: nn.Module | None) -> None:
        super().__init__()
        self.product = product
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.product(x)
        return y if self.norm is None else self.norm(y)


class _Elman(nn.Module):
    """Darknet's [rnn] and [crnn], with the sigmoid that they have where nothing is said."""

    def __init__(self, first: nn.Module, state: nn.Module, last: nn.Module, *, flat: bool) -> None:
        super().__init__()
        self.first, self.state, self.last = first, state, last
        self.flat = flat
        self.tensor_names: dict[str, str] = {}
        for ours, part in (("in", "first"), ("state", "state"), ("out", "last")):
            normed = getattr(self, part).norm is not None
            self.tensor_names[f"weight_{ours}"] = f"{part}.product.weight"
            self.tensor_names[f"bias_{ours}"] = f"{part}.{'norm' if normed else 'product'}.bias"
            if normed:
                self.tensor_names[f"scale_{ours}"] = f"{part}.norm.weight"
                for kept in ("running_mean", "running_var"):
                    self.tensor_names[f"{kept}_{ours}"] = f"{part}.norm.{kept}"

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        new = torch.sigmoid(self.first(x.flatten(1) if self.flat else x))
        before = torch.zeros_like(new) if state is None else state
        return torch.sigmoid(self.last(new + torch.sigmoid(self.state(before))))


@makes("elman")
def _elman(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    seen = 1
    for size in xs[0][1:]:
        seen *= int(size)

    def part(inputs: int, outputs: int) -> nn.Module:
        norm = nn.BatchNorm1d(outputs) if layer.norm else None
        return _Normed(nn.Linear(inputs, outputs, bias=norm is None), norm)

    hidden, features = int(layer.hidden), int(layer.features)
    parts = part(seen, hidden), part(hidden, hidden), part(hidden, features)
    return _Elman(*parts, flat=True)


def _even(layer: Any) -> list[int]:
    """The padding, one number an axis, as torch has it."""
    if any(before != after for before, after in layer.padding):
        raise LayerError(f"torch's {layer.kind} is padded alike before and after")
    return [int(before) for before, _ in layer.padding]


def _conv(layer: Any, inputs: int, outputs: int, groups: int, *, bias: bool) -> Any:
    """The convolution of the input."""
    return for_axes("Conv", len(layer.kernel))(
        int(inputs),
        int(outputs),
        tuple(map(int, layer.kernel)),
        tuple(map(int, layer.stride)),
        _even(layer),
        tuple(map(int, layer.dilation)),
        int(groups),
        bias,
    )


def _same(layer: Any, inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    """The convolution of the state, whose maps keep their size: the odd pixel stands behind."""
    axes = len(layer.kernel)
    sides: list[int] = []
    for kernel in reversed(layer.kernel):  # torch pads the last axis first
        sides += [(int(kernel) - 1) // 2, int(kernel) // 2]
    pad = Function("pad", partial(functional.pad, pad=sides))
    kernel = tuple(map(int, layer.kernel))
    return nn.Sequential(pad, for_axes("Conv", axes)(int(inputs), int(outputs), kernel, bias=bias))


@makes("conv_elman")
def _conv_elman(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    def part(inputs: int, outputs: int) -> nn.Module:
        norm = for_axes("BatchNorm", len(layer.kernel))(outputs) if layer.norm else None
        bias = norm is None
        return _Normed(_conv(layer, inputs, outputs, layer.groups, bias=bias), norm)

    hidden, filters = int(layer.hidden), int(layer.filters)
    parts = part(int(xs[0][1]), hidden), part(hidden, hidden), part(hidden, filters)
    return _Elman(*parts, flat=False)


class _ConvLSTM(nn.Module):
    """Steps of maps; the gates stand in the order input, forget, candidate, output."""

    def __init__(self, layer: Any, seen: int) -> None:
        super().__init__()
        if layer.norm or layer.peephole or layer.bottleneck or layer.groups != 1:
            raise LayerError("Darknet's own conv_lstm has no torch module")
        gates = 4 * int(layer.filters)
        self.ih = _conv(layer, seen, gates, 1, bias=layer.biases > 0)
        self.hh = _same(layer, layer.filters, gates, bias=layer.biases == 2)
        self.sequence = layer.sequence
        self.rank = len(layer.kernel) + 2
        self.tensor_names = {
            f"{tensor}_{ours}": f"{part}.{tensor}"
            for ours, part in (("ih", "ih"), ("hh", "hh.1"))
            for tensor in ("weight", "bias")
        }

    def forward(self, x: Tensor) -> Tensor:
        steps = x[:, None] if x.dim() == self.rank else x
        out: list[Tensor] = []
        h = c = None
        for step in steps.unbind(1):
            gates: Tensor = self.ih(step)
            if h is None:
                h = torch.zeros_like(gates.chunk(4, 1)[0])
                c = h
            i, f, g, o = (gates + self.hh(h)).chunk(4, 1)
            assert c is not None
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
        return out[-1] if x.dim() == self.rank or not self.sequence else torch.stack(out, 1)


@makes("conv_lstm")
def _conv_lstm(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return _ConvLSTM(layer, int(xs[0][len(xs[0]) - len(layer.kernel) - 1]))


class _Detect(nn.Module):
    """The first channels through the logistic function, the next through a softmax."""

    def __init__(self, sigmoids: int, softmaxes: int) -> None:
        super().__init__()
        self.sigmoids, self.softmaxes = sigmoids, softmaxes

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.sigmoids, self.sigmoids + self.softmaxes
        return torch.cat((torch.sigmoid(x[:, :a]), functional.softmax(x[:, a:b], 1), x[:, b:]), 1)


@makes("detect")
def _detect(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return _Detect(int(layer.sigmoids), int(layer.softmaxes))
