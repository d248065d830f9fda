"""Every layer against torch: shapes, parameters, buffers, multiply-accumulates, and the values.

Shapes and counts are asked of the meta device, where tensors have sizes and no values; every
layer's module runs there. Values are compared with loops over windows, written out, and with what
torch has of its own.
"""

from __future__ import annotations

import itertools
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from nettally.building.build import build
from nettally.building.layers import MODULES, torch_module
from nettally.counting import memory
from nettally.counting.tally import tally
from nettally.errors import LayerError, NetworkError
from nettally.exporting.export import write_onnx
from nettally.exporting.graph import RULES
from nettally.formats import read as read_network
from nettally.layers import FAMILIES, kinds, layer, layer_class
from nettally.layers.registry import LAYERS
from nettally.network import Layer, Network, Node, Work
from strategies import CASES, UNBUILT, Case, windows

NO_FORMULA = ("subsample", "rbf")
"""Weighted layers for which torch's counter has no formula; conv_map has a test of its own."""


def test_every_layer_but_the_opaque_has_a_strategy() -> None:
    assert set(kinds()) - set(CASES) - set(UNBUILT) == {"opaque"}


@pytest.mark.parametrize("kind", CASES)
def test_shapes_and_counts_are_those_of_torch(kind: str) -> None:
    @given(CASES[kind])
    def check(case: Case) -> None:
        ours, xs = case
        y = ours.shape(xs)
        with torch.device("meta"):
            module = torch_module(ours, xs).eval()
            with FlopCounterMode(display=False) as counter:
                out = module(*map(torch.empty, xs))
        assert tuple(out.shape) == y
        assert per_tensor(module.named_parameters()) == sorted(ours.parameters(xs).values())
        numbers = sum(parameter.numel() for parameter in module.parameters())
        assert numbers == sum(math.prod(shape) for shape in ours.parameters(xs).values())
        learned = {name for name, _ in module.named_parameters()}
        # a counter of steps is not of the network
        learned |= {name for name in module.state_dict() if name.endswith("batches_tracked")}
        kept = {k: v for k, v in module.state_dict().items() if k not in learned}
        assert per_tensor(kept.items()) == sorted(ours.buffers(xs).values())
        if ours.weighted and kind not in (*NO_FORMULA, "conv_map"):
            assert counter.get_total_flops() == 2 * ours.work(xs, y).macs
        elif not ours.weighted:
            assert ours.work(xs, y).macs == 0

    check()


def per_tensor(tensors: Any) -> list[tuple[int, ...]]:
    return sorted(tuple(tensor.shape) for _, tensor in tensors)


@given(CASES["conv_map"])
def test_a_table_of_connections_takes_its_share_of_the_whole_convolution(case: Case) -> None:
    ours, xs = case
    y = ours.shape(xs)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        torch_module(ours, xs)(*map(torch.empty, xs))
    connections = ours.parameters(xs)["weight"][0]
    whole = counter.get_total_flops() // 2  # torch does all filters × channels, most with zeros
    assert ours.work(xs, y).macs * y[1] * xs[0][1] == whole * connections


# --- values -------------------------------------------------------------------------------------


def places(ours: Any, x: Tensor) -> Any:
    """For each window, where it stands and what it reads: ((positions), channels × taps or less).

    Each tap is None where it lies beyond the input and its padding, 0-dimensional otherwise.
    """
    counts = ours.shape((tuple(x.shape),))[2:]
    for position in itertools.product(*map(range, counts)):
        taps = []
        for tap in itertools.product(*map(range, ours.kernel)):
            place = [
                p * s + t * d - before
                for p, s, t, d, (before, _) in zip(
                    position, ours.stride, tap, ours.dilation, ours.padding, strict=True
                )
            ]
            taps.append(place)
        yield position, taps


def inside(place: list[int], space: tuple[int, ...]) -> bool:
    return all(0 <= at < size for at, size in zip(place, space, strict=True))


def in_padding(place: list[int], ours: Any, space: tuple[int, ...]) -> bool:
    return all(
        -before <= at < size + after
        for at, size, (before, after) in zip(place, space, ours.padding, strict=True)
    )


def read(x: Tensor, place: list[int], beyond: float = 0.0) -> Tensor:
    """The values of all examples and channels at one place of space."""
    if not inside(place, tuple(x.shape[2:])):
        return torch.full(x.shape[:2], beyond, dtype=x.dtype)
    return x[(slice(None), slice(None), *place)]


def by_loops(ours: Any, x: Tensor, module: Any) -> Tensor:
    """What a layer of windows computes, by its definition."""
    kind, space = ours.kind, tuple(x.shape[2:])
    y = torch.empty(ours.shape((tuple(x.shape),)), dtype=x.dtype)
    for position, taps in places(ours, x):
        if kind == "max_pool":
            values = torch.stack([read(x, place, -math.inf) for place in taps]).amax(0)
        else:
            window = torch.stack([read(x, place) for place in taps], -1)  # batch, channel, tap
            if kind == "average_pool":
                counted = sum(
                    in_padding(p, ours, space) if ours.count_padding else inside(p, space)
                    for p in taps
                )
                values = window.sum(-1) / max(counted, 1)
            elif kind == "stochastic_pool":
                total = window.sum(-1)
                values = torch.where(total > 0, window.square().sum(-1) / total, 0.0)
            elif kind == "subsample":
                values = window.sum(-1) * module.weight + module.bias
            else:
                values = weighted(ours, module, window, position)
        y[(slice(None), slice(None), *position)] = values
    return y


def weighted(ours: Any, module: Any, window: Tensor, position: tuple[int, ...]) -> Tensor:
    filters: list[Tensor] = []
    number = len(ours.table) if ours.kind == "conv_map" else ours.filters
    done = 0
    for i in range(number):
        if ours.kind == "conv_map":
            seen = window[:, list(ours.table[i])]
            weight = module.weight[done : done + len(ours.table[i])]
            done += len(ours.table[i])
        else:
            each = window.shape[1] // ours.groups
            first = i // (number // ours.groups) * each
            seen = window[:, first : first + each]
            weight = (module.weight[position] if ours.kind == "local" else module.weight)[i]
        value = (seen * weight.flatten(1)).sum((1, 2))
        if module.bias is not None:
            bias = module.bias[i]
            value = value + (bias[position] if bias.dim() else bias)
        filters.append(value)
    return torch.stack(filters, 1)


SLIDING = ("conv", "local", "conv_map", "max_pool", "average_pool", "stochastic_pool", "subsample")


@pytest.mark.parametrize("kind", SLIDING)
def test_windows_are_computed_as_defined(kind: str) -> None:
    """Rounding up reads zeros (a maximum: nothing) beyond the far side, clipping leaves it out."""

    @given(CASES[kind], st.integers(0, 99))
    def check(case: Case, seed: int) -> None:
        ours, (shape,) = case
        torch.manual_seed(seed)
        module = torch_module(ours, (shape,)).double().eval()
        x = torch.rand(shape, dtype=torch.double)
        torch.testing.assert_close(module(x), by_loops(ours, x, module))

    check()


@given(windows(dilation=False), st.booleans(), st.sampled_from(("down", "clip")))
def test_pools_are_those_of_torch_where_it_has_them(
    fields: tuple[dict[str, Any], tuple[int, ...]], count_padding: bool, rounding: str
) -> None:
    """Caffe's and torch's ceil_mode is ``clip``, and their average divides by what we divide by."""
    chosen, space = fields
    kernel = chosen["kernel"]
    padding = tuple(k // 2 for k in (kernel if isinstance(kernel, tuple) else (kernel, kernel)))
    axes = len(padding)
    space = tuple(map(max, space, kernel if isinstance(kernel, tuple) else (kernel, kernel)))
    chosen = chosen | {"padding": padding, "rounding": rounding}
    x = torch.randn(2, 3, *space)
    ceil = rounding == "clip"
    maximum = getattr(functional, f"max_pool{axes}d")
    mean = getattr(functional, f"avg_pool{axes}d")
    stride = chosen["stride"]
    for ours, theirs in (
        (layer_class("max_pool")(**chosen), maximum(x, kernel, stride, padding, 1, ceil)),
        (
            layer_class("average_pool")(**chosen, count_padding=count_padding),
            mean(x, kernel, stride, padding, ceil, count_padding),
        ),
    ):
        torch.testing.assert_close(torch_module(ours, (tuple(x.shape),))(x), theirs)


def test_a_max_pool_of_nothing_is_not_zero() -> None:
    ours = layer_class("max_pool")(kernel=1, stride=3, rounding="up")
    out = torch_module(ours, ((1, 1, 5, 5),))(torch.ones(1, 1, 5, 5))
    assert out[0, 0].tolist() == [[1, 1, -math.inf]] * 2 + [[-math.inf] * 3]


def test_a_stochastic_pool_draws_values_of_its_window_by_their_size() -> None:
    torch.manual_seed(1)
    ours = layer_class("stochastic_pool")(kernel=2)
    x = torch.tensor([[0.0, 1.0], [3.0, 0.0]]).expand(1, 4000, 2, 2)
    module = torch_module(ours, (tuple(x.shape),))
    drawn = module.train()(x)
    assert set(drawn.flatten().tolist()) == {1.0, 3.0}
    assert abs(drawn.mean().item() - 2.5) < 0.1
    assert module.eval()(x).unique().tolist() == [2.5]  # 1 · 1/4 + 3 · 3/4
    assert module.train()(torch.zeros(1, 2, 4, 4)).abs().sum() == 0


@given(CASES["conv_transpose"], st.integers(0, 99))
def test_a_transposed_convolution_is_the_gradient_of_the_direct_one(case: Case, seed: int) -> None:
    """So Dumoulin and Visin define it; what ``output_padding`` adds is not in it."""
    torch.manual_seed(seed)
    ours, xs = case
    ours = ours.replace(output_padding=(0,) * len(ours.kernel))
    y = ours.shape(xs)
    module = torch_module(ours, xs).double()
    direct = torch_module(
        layer_class("conv")(
            filters=xs[0][1],
            kernel=ours.kernel,
            stride=ours.stride,
            padding=ours.padding,
            dilation=ours.dilation,
            groups=ours.groups,
            bias=False,
        ),
        (y,),
    )
    with torch.no_grad():
        direct.double().weight.copy_(module.weight)
    x = torch.randn(xs[0], dtype=torch.double)
    below = torch.zeros(y, dtype=torch.double, requires_grad=True)
    (gradient,) = torch.autograd.grad(direct(below), below, x)
    if module.bias is not None:
        gradient = gradient + module.bias.reshape(-1, *[1] * len(ours.kernel))
    torch.testing.assert_close(module(x), gradient)


def test_a_transposed_convolution_cut_by_hand_is_torchs_own() -> None:
    x = torch.randn(2, 4, 5, 6)
    fields: dict[str, Any] = {"filters": 6, "kernel": (3, 4), "stride": (2, 3), "groups": 2}
    more = layer_class("conv_transpose")(**fields, padding=(1, 2), output_padding=(1, 2))
    theirs = torch_module(more, (tuple(x.shape),))
    assert type(theirs) is nn.ConvTranspose2d
    cut = torch_module(
        more.replace(padding=((1, 1), (2, 0)), output_padding=(1, 0)), (tuple(x.shape),)
    )
    assert type(cut) is not nn.ConvTranspose2d
    cut.load_state_dict(theirs.state_dict())
    assert cut(x).shape == theirs(x).shape
    torch.testing.assert_close(cut(x), theirs(x))


def test_a_sum_of_convolutions_adds_them_and_one_bias() -> None:
    parts = tuple(layer_class("conv")(filters=4, kernel=k, padding=k // 2) for k in (1, 3))
    xs = ((2, 3, 5, 5), (2, 6, 5, 5))
    tensors = [torch.randn(x) for x in xs]
    for untied in (False, True):
        module = torch_module(layer_class("conv_sum")(parts=parts, untied_bias=untied), xs)
        direct = sum(
            functional.conv2d(x, part.weight, padding=k // 2)
            for x, part, k in zip(tensors, module.parts, (1, 3), strict=True)
        )
        bias = module.bias if untied else module.bias[:, None, None]
        torch.testing.assert_close(module(*tensors), direct + bias)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_lrn_stays_within_its_groups(groups: int, size: int) -> None:
    ours = layer_class("lrn")(size=size, alpha=0.7, beta=0.6, k=1.5, groups=groups)
    x = torch.randn(2, 6, 3, 4)
    theirs = nn.LocalResponseNorm(size, 0.7, 0.6, 1.5)
    expected = torch.cat([theirs(part) for part in x.chunk(groups, 1)], 1)
    torch.testing.assert_close(torch_module(ours, (tuple(x.shape),))(x), expected)


@pytest.mark.parametrize("kind", ["lrn", "contrast_norm"])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_normalisation_across_space_reads_neighbours_within_the_map(kind: str, size: int) -> None:
    """As cuda-convnet has it: windows are clipped at the edge, the sum is divided by size²."""
    ours = layer_class(kind)(size=size, alpha=0.7, beta=0.6, k=1.5, across="space")
    x = torch.randn(2, 3, 4, 5, dtype=torch.double)

    def around(maps: Tensor, row: int, column: int) -> Tensor:
        rows = slice(max(row - size // 2, 0), row - size // 2 + size)
        columns = slice(max(column - size // 2, 0), column - size // 2 + size)
        return maps[:, :, rows, columns]

    each = [(row, column) for row in range(4) for column in range(5)]
    values = x.clone()
    if kind == "contrast_norm":
        for row, column in each:
            values[:, :, row, column] -= around(x, row, column).mean((2, 3))
    expected = torch.empty_like(x)
    for row, column in each:
        mean = around(values, row, column).square().sum((2, 3)) / size**2
        expected[:, :, row, column] = values[:, :, row, column] * (1.5 + 0.7 * mean) ** -0.6
    torch.testing.assert_close(torch_module(ours, (tuple(x.shape),))(x), expected)


FORMULAS = [
    ("relu", {}, lambda x: max(x, 0)),
    ("relu6", {}, lambda x: min(max(x, 0), 6)),
    ("clipped_relu", {"limit": 0.8}, lambda x: min(max(x, 0), 0.8)),
    ("leaky_relu", {"slope": 0.3}, lambda x: x if x > 0 else 0.3 * x),
    ("prelu", {}, lambda x: x if x > 0 else 0.25 * x),
    ("elu", {"alpha": 1.7}, lambda x: x if x > 0 else 1.7 * (math.exp(x) - 1)),
    ("gelu", {}, lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    ("silu", {}, lambda x: x / (1 + math.exp(-x))),
    ("mish", {}, lambda x: x * math.tanh(math.log(1 + math.exp(x)))),
    ("hard_swish", {}, lambda x: x * min(max(x + 3, 0), 6) / 6),
    ("hard_sigmoid", {}, lambda x: min(max(x + 3, 0), 6) / 6),
    ("sigmoid", {}, lambda x: 1 / (1 + math.exp(-x))),
    ("tanh", {}, math.tanh),
    ("tanh", {"scale": 1.7159, "slope": 2 / 3}, lambda x: 1.7159 * math.tanh(2 / 3 * x)),
    ("softplus", {}, lambda x: math.log(1 + math.exp(x))),
    ("square", {}, lambda x: x * x),
    ("sqrt", {}, lambda x: math.sqrt(x) if x >= 0 else math.nan),
    ("log", {"offset": 8.0}, lambda x: math.log(x + 8)),
    ("abs", {}, abs),
    ("affine", {"slope": -2.0, "offset": 0.5}, lambda x: -2 * x + 0.5),
    ("identity", {}, lambda x: x),
    ("dropout", {}, lambda x: x),
]


@pytest.mark.parametrize(("kind", "fields", "formula"), FORMULAS)
def test_functions_of_one_value(kind: str, fields: dict[str, Any], formula: Any) -> None:
    x = torch.linspace(-7, 7, 29, dtype=torch.double).reshape(1, 1, 29)
    module = torch_module(layer_class(kind)(**fields), ((1, 1, 29),)).double().eval()
    expected = torch.tensor([[[formula(value) for value in x.flatten().tolist()]]])
    torch.testing.assert_close(module(x), expected.double(), equal_nan=True)


MERGES = [
    ("add", lambda a, b, c: a + b + c),
    ("subtract", lambda a, b, c: a - b - c),
    ("multiply", lambda a, b, c: a * b * c),
    ("maximum", lambda a, b, c: torch.stack([a, b, c]).amax(0)),
    ("minimum", lambda a, b, c: torch.stack([a, b, c]).amin(0)),
    ("average", lambda a, b, c: (a + b + c) / 3),
    ("concat", lambda a, b, c: torch.cat([a, b, c], 1)),
]


@pytest.mark.parametrize(("kind", "formula"), MERGES)
def test_merges_of_three(kind: str, formula: Any) -> None:
    tensors = [torch.randn(2, 3, 4) for _ in range(3)]
    module = torch_module(layer_class(kind)(), ((2, 3, 4),) * 3)
    torch.testing.assert_close(module(*tensors), formula(*tensors))


X = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("flatten", {}, X.reshape(2, 60)),
        ("flatten", {"start": 2}, X.reshape(2, 3, 20)),
        ("reshape", {"size": (5, -1)}, X.reshape(2, 5, 12)),
        ("permute", {"order": (0, 2, 3, 1)}, X.permute(0, 2, 3, 1)),
        ("crop", {"border": ((1, 0), (2, 1))}, X[:, :, 1:, 2:4]),
        ("slice", {"axis": 1, "start": 1}, X[:, 1:]),
        ("slice", {"axis": 3, "start": 1, "stop": 4, "step": 2}, X[:, :, :, 1:4:2]),
        ("pad", {"padding": ((1, 0), (0, 2)), "mode": "constant", "value": 7.0},
         functional.pad(X, [0, 2, 1, 0], value=7.0)),
        ("pad", {"padding": 1, "mode": "reflect"}, functional.pad(X, [1] * 4, "reflect")),
        ("pad", {"padding": 1, "mode": "replicate"}, functional.pad(X, [1] * 4, "replicate")),
        ("upsample", {"scale": 2}, X.repeat_interleave(2, 2).repeat_interleave(2, 3)),
        ("resize", {"size": (2, 5), "mode": "nearest"}, X[:, :, ::2]),
        ("global_average_pool", {"keep": False}, X.mean((2, 3))),
        ("global_max_pool", {}, X[:, :, -1:, -1:]),
        ("adaptive_average_pool", {"size": (2, 1)},
         X.reshape(2, 3, 2, 2, 5).mean((3, 4)).unsqueeze(-1)),
        ("adaptive_max_pool", {"size": (2, 1)}, X[:, :, 1::2, -1:]),
        ("blur", {"size": 1}, X),
        ("recolor", {"to": "yuv"}, torch.stack([
            0.2126 * X[:, 0] + 0.7152 * X[:, 1] + 0.0722 * X[:, 2],
            -0.09991 * X[:, 0] - 0.33609 * X[:, 1] + 0.436 * X[:, 2],
            0.615 * X[:, 0] - 0.55861 * X[:, 1] - 0.05639 * X[:, 2],
        ], 1)),
    ],
)  # fmt: skip
def test_views_and_the_like_by_hand(kind: str, fields: dict[str, Any], expected: Tensor) -> None:
    module = torch_module(layer_class(kind)(**fields), (tuple(X.shape),))
    torch.testing.assert_close(module(X), expected)


def test_white_is_white_in_lab() -> None:
    module = torch_module(layer_class("recolor")("lab"), ((1, 3, 1, 1),))
    lab = module(torch.ones(1, 3, 1, 1)).flatten().tolist()
    assert lab == pytest.approx([100, 0, 0], abs=1e-3)
    dark = module(torch.full((1, 3, 1, 1), 0.001)).flatten().tolist()
    assert dark == pytest.approx([903.3 * 0.001, 0, 0], abs=1e-3)  # CIE 15: near black L is linear


def test_a_blur_keeps_the_sum_away_from_the_edge() -> None:
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    out = torch_module(layer_class("blur")(5, deviation=1.0), ((1, 1, 9, 9),))(x)
    assert out.sum().item() == pytest.approx(1)
    assert out[0, 0, 4, 4] == out.max()
    torch.testing.assert_close(out, out.flip(2, 3))


def test_radial_units_measure_squared_distances_to_their_codes() -> None:
    module = torch_module(layer_class("rbf")(3), ((2, 4),))
    x = torch.randn(2, 4)
    torch.testing.assert_close(module(x), torch.cdist(x, module.codes) ** 2)
    assert module.codes.abs().unique().tolist() == [1]


@pytest.mark.parametrize("kind", ["batch_norm", "scale", "layer_norm", "group_norm"])
@pytest.mark.parametrize("weight", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_normalisations_scale_and_shift_by_what_they_have(
    kind: str, weight: bool, bias: bool
) -> None:
    fields = {"groups": 3} if kind == "group_norm" else {}
    ours = layer_class(kind)(weight=weight, bias=bias, **fields)
    x = torch.randn(4, 6, 5, 7)
    module = torch_module(ours, (tuple(x.shape),)).train()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    if kind == "scale":
        out = x
    elif kind == "layer_norm":
        out = functional.layer_norm(x, (7,))
    elif kind == "group_norm":
        out = functional.group_norm(x, 3)
    else:
        out = (x - x.mean((0, 2, 3), keepdim=True)) / torch.sqrt(
            x.var((0, 2, 3), keepdim=True, correction=0) + 1e-5
        )
    shape = (-1,) if kind == "layer_norm" else (-1, 1, 1)
    if weight:
        out = out * module.weight.reshape(shape)
    if bias:
        out = out + module.bias.reshape(shape)
    torch.testing.assert_close(module(x), out)


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_linear_reads_all_the_axes_from_its_own_on(axis: int) -> None:
    x = torch.randn(2, 3, 4, 5)
    module = torch_module(layer_class("linear")(features=7, axis=axis), (tuple(x.shape),))
    out = x.flatten(axis) @ module.weight.T + module.bias
    torch.testing.assert_close(module(x), out)


# --- the parts of a convolution that are torch's own ---------------------------------------------


def test_torchs_own_modules_and_names_are_used_where_it_has_the_layer() -> None:
    conv = torch_module(layer_class("conv")(filters=8, kernel=3, padding=1), ((1, 4, 9, 9),))
    assert type(conv) is nn.Conv2d
    assert list(conv.state_dict()) == ["weight", "bias"]
    up = torch_module(
        layer_class("conv")(filters=8, kernel=3, stride=2, rounding="up"), ((1, 4, 10, 9),)
    )
    assert isinstance(up, nn.Conv2d)
    assert list(up.state_dict()) == ["weight", "bias"]
    linear = torch_module(layer_class("linear")(features=8), ((1, 4, 3, 3),))
    assert isinstance(linear, nn.Linear)
    assert list(linear.state_dict()) == ["weight", "bias"]
    assert (
        type(torch_module(layer_class("max_pool")(kernel=3, stride=2), ((1, 4, 9, 9),)))
        is nn.MaxPool2d
    )


def test_alexnets_first_layer_is_torchs_with_three_zeros_on_the_far_side() -> None:
    ours = layer_class("conv")(filters=4, kernel=11, stride=4, rounding="up")
    x = torch.randn(1, 3, 224, 224)
    module = torch_module(ours, (tuple(x.shape),))
    padded = functional.pad(x, [0, 3, 0, 3])
    torch.testing.assert_close(
        module(x), functional.conv2d(padded, module.weight, module.bias, stride=4)
    )


# --- how windows fit, and which layers there are -------------------------------------------------


@given(windows())
def test_spare_is_what_the_last_window_leaves_or_overhangs(
    fields: tuple[dict[str, Any], tuple[int, ...]],
) -> None:
    chosen, space = fields
    ours: Any = layer_class("conv")(filters=1, **chosen)
    x = (1, 1, *space)
    for axis, spare in enumerate(ours.spare(x)):
        (before, after), count = ours.padding[axis], ours.counts(x)[axis]
        read_to = max(
            place * ours.stride[axis] + tap * ours.dilation[axis]
            for place in range(count)
            for tap in range(ours.kernel[axis])
        )
        assert spare == space[axis] + before + after - 1 - read_to
        if ours.rounding == "down":
            assert 0 <= spare < ours.stride[axis]
        elif ours.rounding == "up":
            assert -ours.stride[axis] < spare <= 0


@given(CASES["adaptive_max_pool"])
def test_an_adaptive_pool_takes_in_what_its_windows_hold(case: Case) -> None:
    ours, (x,) = case
    sides = [
        sum(-(-(i + 1) * full // out) - (i * full // out) for i in range(out))
        for full, out in zip(x[2:], ours.shape((x,))[2:], strict=True)
    ]
    assert ours.work((x,), ours.shape((x,))).pooled == math.prod((*x[:2], *sides))


def test_a_hostile_size_is_counted_without_a_loop() -> None:
    ours = layer_class("adaptive_average_pool")(size=2**31 - 1)
    assert ours.work(((1, 1, 7, 5),), ours.shape(((1, 1, 7, 5),))).pooled > 2**61


def test_the_table_of_families_is_what_their_files_register() -> None:
    found: dict[str, list[str]] = {}
    for family in FAMILIES:
        import_module(f"nettally.layers.{family}")
    for kind, cls in LAYERS.entries.items():
        assert cls.kind == kind
        found.setdefault(cls.__module__.rpartition(".")[2], []).append(kind)
    assert {family: set(names) for family, names in found.items()} == {
        family: set(names.split()) for family, names in FAMILIES.items()
    }


def test_two_layers_of_one_name_are_refused() -> None:
    layer_class("relu")
    with pytest.raises(ValueError, match="two layers are called 'relu'"):

        @layer("relu")
        class ReLU(Layer):
            """Another layer, whose class is called as ours is."""

    assert layer_class("relu").__module__ == "nettally.layers.activation"


def test_a_layer_registered_again_by_a_reload_is_not() -> None:
    relu = layer_class("relu")
    assert layer("relu")(relu) is relu


def test_the_layer_that_the_documentation_adds(tmp_path: Path) -> None:
    """The page's three files run as they stand: it is counted, built, read back and exported."""
    page = (Path(__file__).parents[1] / "docs" / "adding-a-layer.md").read_text("utf-8")
    files = [part.partition("\n```")[0] for part in page.split("```python ")[1:]]
    sources = dict(file.split("\n", 1) for file in files)
    try:
        run_file("shift_scale.py", sources)
        ours = layer_class("shift_scale")(offset=0.5)
        network = Network("n", {"x": (1, 3, 4, 4)}, (Node("s1", ours, ("x",)),))
        assert tally(network).parameters == 3
        assert tally(network)["s1"].work == Work()
        with pytest.raises(LayerError, match="what 'shift_scale' computes is not known"):
            build(network)
        run_file("shift_scale_torch.py", sources)
        module = build(network).eval()
        with torch.no_grad():
            module.s1.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        x = torch.rand(1, 3, 4, 4)
        assert torch.equal(module(x)[:, 2], 3 * x[:, 2] + 0.5)
        assert [node.layer for node in read_network(module, (3, 4, 4)).nodes] == [ours]
        path = str(tmp_path / "n.onnx")
        with pytest.raises(NetworkError, match=r"s1 \(shift_scale\): this kind of layer"):
            write_onnx(network, module, path)
        run_file("shift_scale_onnx.py", sources)
        write_onnx(network, module, path)
        exported = tally(read_network(path))
        assert exported.parameters == 3
        assert exported["s1"].shape == (1, 3, 4, 4)
        assert memory.training(tally(network)).unknown == 1
        written = read_network(save(tmp_path / "n.yaml", "- s1: shift_scale 0.5"))
        assert [node.layer for node in written.nodes] == [ours]
    finally:
        for registry in (LAYERS, MODULES, RULES):
            registry.entries.pop("shift_scale", None)


def run_file(name: str, sources: dict[str, str]) -> None:
    exec(compile(sources[name], name, "exec"), {"__name__": name.removesuffix(".py")})


def save(path: Path, line: str) -> Path:
    path.write_text(f"nettally: 1\ninput: 3x4x4\nlayers:\n  {line}\n")
    return path
