"""Receptive fields against brute force: which pixels reach a unit, tap by tap, and torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from field_nets import Build, chain, conv, make
from nettally.counting.receptive_field import NOT_ALIGNED, Field
from nettally.errors import LayerError
from nettally.network import Layer

Sight = tuple[frozenset[int], bool]
"""What a unit sees: the pixels, and whether something outside a map stood in for some of them."""


def see(maps: list[Sight], taps: list[list[int]]) -> list[Sight]:
    """The next map, each unit of which reads the units of ``maps`` in its list."""
    found: list[Sight] = []
    for unit in taps:
        inside = [maps[i] for i in unit if 0 <= i < len(maps)]
        pixels = frozenset[int]().union(*(pixels for pixels, _ in inside))
        outside = len(inside) < len(unit) or any(touched for _, touched in inside)
        found.append((pixels, outside))
    return found


def taps_of(layer: Any, n: int, count: int) -> list[list[int]]:
    """Which units of a map of ``n`` each of the ``count`` units after ``layer`` reads."""
    if layer.kind == "upsample":
        return [enlarged(layer.mode, layer.scale[0], o) for o in range(count)]
    (k,), (s,), (d,) = layer.kernel, layer.stride, layer.dilation
    before = layer.padding[0][0]
    if layer.kind != "conv_transpose":
        return [[o * s - before + d * t for t in range(k)] for o in range(count)]
    taps: list[list[int]] = [[] for _ in range(count)]
    for i in range(-k * d, n + k * d):  # also from where the map ends, to know the borders
        for t in range(k):
            o = i * s + d * t - before
            if 0 <= o < count:
                taps[o].append(i)
    return taps


def enlarged(mode: str, scale: int, o: int) -> list[int]:
    if mode == "nearest" or scale == 1:
        return [o // scale]
    reach = scale if mode == "linear" else 2 * scale
    # in units of half a fine pixel, from the middle of input 0
    here = 2 * o + 1 - scale
    return [i for i in range(-5, o + 6) if abs(here - 2 * scale * i) < 2 * reach]


def windowed(draw: Any) -> Layer:
    k, s, d = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    pads = (draw(st.integers(0, k)), draw(st.integers(0, k)))
    rounding = draw(st.sampled_from(["down", "down", "up", "clip"]))
    fields: dict[str, Any] = {
        "stride": (s,),
        "padding": (pads,),
        "dilation": (d,),
        "rounding": rounding,
    }
    if draw(st.booleans()):
        return make("conv", 1, (k,), **fields)
    return make("max_pool", (k,), **fields)


def finer(draw: Any) -> Layer:
    if draw(st.booleans()):
        mode = draw(st.sampled_from(["nearest", "linear", "cubic"]))
        return make("upsample", (draw(st.integers(1, 4)),), mode=mode)
    s = draw(st.integers(1, 3))
    k = s + draw(st.integers(0, 3))
    pads = (draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1)))
    return make("conv_transpose", 1, (k,), stride=(s,), padding=(pads,))


layers_down = st.composite(windowed)()
layers_up = st.composite(finer)()
any_layers = st.lists(layers_down | layers_down | layers_up, min_size=1, max_size=4)


def run(layers: list[Layer], build: Build, maps: list[Sight]) -> list[Sight]:
    for layer in layers:
        try:
            (_, _, count) = layer.shape(((1, 1, len(maps)),))
        except LayerError:
            assume(False)
        assume(count <= 200)
        build(layer)
        maps = see(maps, taps_of(layer, len(maps), count))
    return maps


def compare(field: Field, maps: list[Sight]) -> None:
    """Every unit sees no more than its field, and one away from borders all of it."""
    assert field.known, field
    (along,) = field.axes
    for i, (pixels, touched) in enumerate(maps):
        first, last = along.unit(i)
        assert last - first + 1 <= along.size
        if pixels:
            assert first <= min(pixels)
            assert max(pixels) <= last
        if not touched:
            assert (min(pixels), max(pixels)) == (first, last), i
            assert len(along.seen(i)) == last - first + 1
            assert along.beyond(i) == (0, 0)
    sizes = {along.unit(i)[1] - along.unit(i)[0] + 1 for i in range(along.period)}
    assert max(sizes) == along.size
    assert along.unit(0)[0] == along.start


@given(any_layers, st.integers(20, 60))
def test_a_chain_against_brute_force(layers: list[Layer], size: int) -> None:
    build = Build(data=(1, 1, size))
    maps = run(layers, build, [(frozenset({i}), False) for i in range(size)])
    compare(build.field, maps)


@given(
    st.lists(layers_down, max_size=1),
    st.lists(layers_down | layers_up, max_size=3),
    st.lists(layers_down | layers_up, max_size=3),
    st.lists(layers_down, max_size=1),
    st.integers(30, 60),
)
def test_two_paths_against_brute_force(
    before: list[Layer], left: list[Layer], right: list[Layer], after: list[Layer], size: int
) -> None:
    build = Build(data=(1, 1, size))
    start = run(before, build, [(frozenset({i}), False) for i in range(size)])
    fork, ends, maps = build.last, [], []
    for branch in (left, right):
        build.last = fork
        maps.append(run(branch, build, start))
        ends.append(build.last)
    count = min(map(len, maps))
    ends = [build(make("slice", axis=2, stop=count), end) for end in ends]
    build(make("add"), *ends)
    fields = build.fields
    a, b = (fields[end].axes[0] for end in ends)
    both = [
        (p | q, s or t) for (p, s), (q, t) in zip(maps[0][:count], maps[1][:count], strict=True)
    ]
    if build.field.status == NOT_ALIGNED:
        if a.period == b.period == 1:
            assert a.stride != b.stride or a.centre != b.centre
        run(after, build, both)
        assert build.field.status == NOT_ALIGNED
        return
    assert (a.stride, a.centre) == (b.stride, b.centre)
    both = run(after, build, both)
    compare(build.field, both)


@st.composite
def centred(draw: Any) -> list[Layer]:
    """A path whose units stay where they were: odd kernels, or down by a factor and up again."""
    path: list[Layer] = []
    for _ in range(draw(st.integers(0, 2))):
        k, d = 2 * draw(st.integers(0, 2)) + 1, draw(st.integers(1, 2))
        path.append(conv((k,), (1,), ((k // 2 * d,) * 2,), dilation=(d,)))
    if draw(st.booleans()):
        factor = draw(st.sampled_from([2, 4]))
        inside = [conv((3,), (1,), ((1, 1),))] * draw(st.integers(0, 1))
        up: Layer = make("conv_transpose", 1, (factor,), stride=(factor,))
        if draw(st.booleans()):
            mode = draw(st.sampled_from(["nearest", "linear", "cubic"]))
            up = make("upsample", (factor,), mode=mode)
        at = draw(st.integers(0, len(path)))
        path[at:at] = [make("max_pool", (factor,)), *inside, up]
    return path


@given(layers_down, st.lists(centred(), min_size=2, max_size=3), layers_down, st.integers(64, 128))
def test_aligned_paths_against_brute_force(
    before: Layer, branches: list[list[Layer]], after: Layer, size: int
) -> None:
    build = Build(data=(1, 1, size))
    start = run([before], build, [(frozenset({i}), False) for i in range(size)])
    cut = len(start) // 4 * 4
    assume(cut)
    build(make("slice", axis=2, stop=cut))
    fork, ends, maps = build.last, [], []
    for branch in branches:
        build.last = fork
        maps.append(run(branch, build, start[:cut]))
        ends.append(build.last)
    build(make("add"), *ends)
    both = [
        (frozenset[int]().union(*(seen for seen, _ in units)), any(out for _, out in units))
        for units in zip(*maps, strict=True)
    ]
    both = run([after], build, both)
    compare(build.field, both)


@given(layers_up, st.lists(layers_down, max_size=2))
def test_the_centre_is_the_mean_of_the_kinds_of_unit(up: Layer, then: list[Layer]) -> None:
    along = chain([up, *then], (1, 1, 90)).field.axes[0]
    stride = along.step / along.period
    middles = [sum(along.unit(i)) / 2 - i * stride for i in range(along.period)]
    assert along.centre == pytest.approx(sum(middles) / len(middles))
    starts = [along.unit(i) for i in range(3 * along.period)]
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(starts))


def test_a_dilated_transposed_convolution_sees_no_more_than_its_field() -> None:
    layer = make("conv_transpose", 1, (3,), stride=(3,), dilation=(2,), padding=((1, 1),))
    build = chain([layer], (1, 1, 12))
    (_, _, count) = layer.shape(((1, 1, 12),))
    pixels: list[Sight] = [(frozenset({i}), False) for i in range(12)]
    along = build.field.axes[0]
    for i, (seen, _) in enumerate(see(pixels, taps_of(layer, 12, count))):
        assert not seen or along.unit(i)[0] <= min(seen) <= max(seen) <= along.unit(i)[1]


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlargements_against_torch(mode: str, scale: int) -> None:
    torch = pytest.importorskip("torch")
    ours = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}[mode]
    along = chain([make("upsample", scale, mode=ours)], (1, 1, 9, 9)).field.axes[0]
    x = torch.rand(1, 1, 9, 9, requires_grad=True, dtype=torch.float64)
    settings = {} if mode == "nearest" else {"align_corners": False}
    y = torch.nn.functional.interpolate(x, scale_factor=scale, mode=mode, **settings)
    for i in range(3 * scale, 5 * scale):
        (gradient,) = torch.autograd.grad(y[0, 0, i].sum(), x, retain_graph=True)
        rows = gradient[0, 0].abs().sum(1).gt(1e-12).nonzero().flatten().tolist()
        first, last = along.unit(i)
        if scale % 2 and i % scale == scale // 2 and mode == "bicubic":
            assert rows == [i // scale]  # the cubic is zero at its other taps
        else:
            assert (rows[0], rows[-1]) == (first, last)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(4, 2, 1), (3, 2, 1), (5, 3, 2), (2, 2, 0)]
)
def test_transposed_convolution_against_torch(kernel: int, stride: int, padding: int) -> None:
    torch = pytest.importorskip("torch")
    layer = make("conv_transpose", 1, (kernel,), stride=(stride,), padding=((padding, padding),))
    along = chain([layer], (1, 1, 12)).field.axes[0]
    x = torch.rand(1, 1, 12, requires_grad=True)
    weight = torch.ones(1, 1, kernel)
    y = torch.nn.functional.conv_transpose1d(x, weight, stride=stride, padding=padding)
    for i in range(4 * stride, 7 * stride):
        (gradient,) = torch.autograd.grad(y[0, 0, i], x, retain_graph=True)
        rows = gradient[0, 0].nonzero().flatten().tolist()
        assert (rows[0], rows[-1]) == along.unit(i)
