"""Functions of values, normalisations, merges and views as torch modules."""
# pyright: reportUnknownLambdaType=false
# A lambda's tensors can't be annotated.

from __future__ import annotations

import math
import operator
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import LayerError
from ..response_normalization import LocalResponseNorm, local_response_norm
from . import Function, for_axes, makes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...network import Layer, Shape


# --- activations --------------------------------------------------------------------------------

_ACTIVATIONS: dict[str, Callable[[Any], nn.Module]] = {
    "relu": lambda _: nn.ReLU(),
    "relu6": lambda _: nn.ReLU6(),
    "clipped_relu": lambda layer: nn.Hardtanh(0.0, layer.limit),
    "leaky_relu": lambda layer: nn.LeakyReLU(layer.slope),
    "elu": lambda layer: nn.ELU(layer.alpha),
    "selu": lambda _: nn.SELU(),
    "gelu": lambda layer: nn.GELU("tanh" if layer.approximate else "none"),
    "silu": lambda _: nn.SiLU(),
    "mish": lambda _: nn.Mish(),
    "hard_swish": lambda _: nn.Hardswish(),
    "hard_sigmoid": lambda _: nn.Hardsigmoid(),
    "sigmoid": lambda _: nn.Sigmoid(),
    "softplus": lambda _: nn.Softplus(),
    "square": lambda _: Function("square", torch.square),
    "sqrt": lambda _: Function("sqrt", torch.sqrt),
    "power": lambda layer: Function("power", lambda x: torch.pow(x, layer.exponent)),
    "exp": lambda _: Function("exp", torch.exp),
    "log": lambda layer: Function("log", lambda x: torch.log(x + layer.offset)),
    "abs": lambda _: Function("abs", torch.abs),
    "affine": lambda layer: Function("affine", lambda x: layer.slope * x + layer.offset),
    "identity": lambda _: nn.Identity(),
    "softmax": lambda layer: nn.Softmax(layer.axis),
    "log_softmax": lambda layer: nn.LogSoftmax(layer.axis),
    "dropout": lambda layer: nn.Dropout(layer.rate),
}


@makes(*_ACTIVATIONS)
def _activation(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return _ACTIVATIONS[layer.kind](layer)


@makes("tanh")
def _tanh(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    if layer.scale == layer.slope == 1:
        return nn.Tanh()
    return Function("tanh", lambda x: layer.scale * torch.tanh(layer.slope * x))


class _Slopes(nn.Module):
    """A slope of its own for each value, or for those along some axes."""

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full(tuple(map(int, size)), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.weight * x)


@makes("prelu")
def _prelu(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    if layer.size is not None:
        return _Slopes(layer.size)
    return nn.PReLU(1 if layer.shared else xs[0][1])


# --- normalisation ------------------------------------------------------------------------------


def _drop(module: nn.Module, layer: Any) -> nn.Module:
    """Without the factor or the bias that the layer has not; torch's modules have both or none."""
    for name in ("weight", "bias"):
        if not getattr(layer, name):
            setattr(module, name, None)
    return module


class _Standardize(nn.Module):
    """Less a kept mean, over a kept deviation."""

    mean: Tensor
    variance: Tensor

    def __init__(self, size: tuple[int, ...], kept: bool) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size), persistent=kept)
        self.register_buffer("variance", torch.ones(size), persistent=kept)
        self.register_buffer("count", torch.zeros((), dtype=torch.long), persistent=kept)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / torch.sqrt(self.variance)


@makes("standardize")
def _standardize(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return _Standardize(tuple(map(int, layer.size)), bool(layer.kept))


@makes("batch_norm")
def _batch_norm(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    x = xs[0]
    make = for_axes("BatchNorm", max(len(x) - 2, 1))
    return _drop(make(x[1], layer.epsilon, track_running_stats=layer.statistics), layer)


class Scale(nn.Module):
    """A factor and a bias a channel, or along other axes."""

    def __init__(self, layer: Any, x: Shape) -> None:
        super().__init__()
        tensors = layer.parameters((x,))
        each = next(iter(tensors.values()), ())
        follow = len(x) - layer.axis - (len(each) if layer.axes else 1)
        self.shape = (*each, *[1] * (follow if layer.axes else 0))
        self.weight = nn.Parameter(torch.ones(each)) if layer.weight else None
        self.bias = nn.Parameter(torch.zeros(each)) if layer.bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.weight is not None:
            x = x * self.weight.reshape(self.shape)
        return x if self.bias is None else x + self.bias.reshape(self.shape)


@makes("scale")
def _scale(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Scale(layer, xs[0])


class L2Norm(nn.Module):
    """Each value over the length of its vector, times a factor."""

    def __init__(self, layer: Any, channels: int) -> None:
        super().__init__()
        self.all = layer.across == "all"
        self.epsilon = layer.epsilon
        self.weight = nn.Parameter(torch.ones(1 if layer.shared else channels))

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(1, x.dim())) if self.all else (1,)
        length = (x.square().sum(axes, keepdim=True) + self.epsilon).sqrt()
        return x / length * self.weight.reshape(-1, *[1] * (x.dim() - 2))


@makes("l2_norm")
def _l2_norm(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return L2Norm(layer, xs[0][1])


@makes("layer_norm")
def _layer_norm(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return _drop(nn.LayerNorm(list(xs[0][len(xs[0]) - layer.axes :]), layer.epsilon), layer)


@makes("group_norm")
def _group_norm(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return _drop(nn.GroupNorm(layer.groups, xs[0][1], layer.epsilon), layer)


def _around(x: Tensor, axes: Iterable[int], size: int) -> Tensor:
    """The sum of ``size`` neighbours along each axis, itself among them; beyond the ends is 0."""
    for axis in axes:
        pads = [0, 0] * (x.dim() - 1 - axis) + [size // 2, (size - 1) // 2]
        x = functional.pad(x, pads).unfold(axis, size, 1).sum(-1)
    return x


class ContrastNorm(nn.Module):
    """lrn of the values less the mean of their neighbours that there are."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        values = x.unflatten(1, (layer.groups, -1))  # batch, group, channel, space
        axes = (2,) if layer.across == "channels" else tuple(range(3, values.dim()))
        number = _around(torch.ones_like(values), axes, layer.size)
        values = values - _around(values, axes, layer.size) / number
        return _normalised(values.flatten(1, 2), layer)


def _normalised(x: Tensor, layer: Any) -> Tensor:
    return local_response_norm(
        x, layer.size, layer.alpha, layer.beta, layer.k, layer.groups, across=layer.across
    )


@makes("contrast_norm")
def _contrast_norm(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return ContrastNorm(layer)


@makes("lrn")
def _lrn(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return LocalResponseNorm(
        layer.size, layer.alpha, layer.beta, layer.k, layer.groups, across=layer.across
    )


# --- merges -------------------------------------------------------------------------------------


def _mean(*xs: Tensor) -> Tensor:
    return reduce(operator.add, xs) / len(xs)


_STEPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}


@makes(*_STEPS, "average")
def _merge(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    if layer.kind == "average":
        return Function("average", _mean)
    step = _STEPS[layer.kind]
    return Function(layer.kind, lambda *tensors: reduce(step, tensors))


@makes("concat")
def _concat(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Function("concat", lambda *tensors: torch.cat(tensors, layer.axis))


# --- views --------------------------------------------------------------------------------------


@makes("flatten")
def _flatten(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return nn.Flatten(layer.start)


@makes("reshape")
def _reshape(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    if layer.whole:
        return Function("reshape", lambda x: x.reshape(layer.size))
    return Function("reshape", lambda x: x.reshape(len(x), *layer.size))


@makes("permute")
def _permute(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Function("permute", lambda x: x.permute(layer.order))


def _sides(pairs: Iterable[tuple[int, int]], sign: int) -> list[int]:
    return [sign * size for pair in reversed(list(pairs)) for size in pair]


@makes("pad")
def _pad(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    pads = _sides(layer.padding, 1)
    if layer.mode in ("zero", "constant"):
        value = layer.value if layer.mode == "constant" else 0.0
        return Function("pad", partial(functional.pad, pad=pads, value=value))
    for_axes("ReflectionPad", len(layer.padding))  # torch's complaint would name no layer
    return Function("pad", partial(functional.pad, pad=pads, mode=layer.mode))


@makes("crop")
def _crop(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Function("crop", partial(functional.pad, pad=_sides(layer.border, -1)))


@makes("slice")
def _slice(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    part = (*[slice(None)] * layer.axis, slice(layer.start, layer.stop, layer.step))
    return Function("slice", lambda x: x[part])


_MODES = {
    "nearest": {1: "nearest", 2: "nearest", 3: "nearest"},
    "linear": {1: "linear", 2: "bilinear", 3: "trilinear"},
    "cubic": {2: "bicubic"},
}


@makes("upsample", "resize")
def _interpolate(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    size = layer.shape(xs)[2:]
    mode = _MODES[layer.mode].get(len(size))
    if mode is None:
        raise LayerError(f"torch has no {layer.mode} interpolation over {len(size)} axes of space")
    return nn.Upsample(size, mode=mode)


# --- fixed transforms ---------------------------------------------------------------------------

# BT.709, and CIE's XYZ, as in cuda-convnet2's conv_util.cu
YUV = ((0.2126, 0.7152, 0.0722), (-0.09991, -0.33609, 0.436), (0.615, -0.55861, -0.05639))
_XYZ = ((0.49, 0.31, 0.2), (0.17697, 0.8124, 0.01063), (0.0, 0.01, 0.99))


def _mix(x: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("ij,nj...->ni...", x.new_tensor(matrix), x)


def _lab(x: Tensor) -> Tensor:
    xyz = _mix(x, _XYZ)
    # the cube root, and near 0 its tangent; CIE 15
    curve = torch.where(xyz > 0.0088564517, xyz.clamp(min=1e-6) ** (1 / 3), 7.787037 * xyz + 4 / 29)
    a, b, c = curve.unbind(1)
    return torch.stack([116 * b - 16, 500 * (a - b), 200 * (b - c)], 1)


@makes("recolor")
def _recolor(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Function("recolor", _lab if layer.to == "lab" else partial(_mix, matrix=YUV))


@makes("blur")
def _blur(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    size = layer.size
    heights = [math.exp(-(((i - size // 2) / layer.deviation) ** 2) / 2) for i in range(size)]
    taps = [height / sum(heights) for height in heights]

    def blur(x: Tensor) -> Tensor:
        for axis in range(2, x.dim()):
            pads = [0, 0] * (x.dim() - 1 - axis) + [size // 2, (size - 1) // 2]
            places = functional.pad(x, pads).unfold(axis, size, 1).unbind(-1)
            weighed = [place * tap for place, tap in zip(places, taps, strict=True)]
            x = reduce(torch.add, weighed)
        return x

    return Function("blur", blur)


class RadialBasis(nn.Module):
    """The squared distances of the input to fixed codes of ±1.

    They begin by chance; LeNet's own, drawings of the digits, are for whoever has them to put in.
    """

    codes: Tensor

    def __init__(self, layer: Any, units: int, seen: int) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("codes", torch.randint(2, (units, seen)) * 2.0 - 1)

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1).unsqueeze(1) - self.codes).square().sum(-1)

    @property
    def stated_layer(self) -> Layer:
        """What a reader is to count: torch has no such layer."""
        return self.layer


@makes("rbf")
def _rbf(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return RadialBasis(layer, layer.units, math.prod(xs[0][1:]))
