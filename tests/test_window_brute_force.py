"""What a layer says its units see, against what moves them: every kind, place by place.

One place of a small input is changed in all its channels, and the module that ``building`` makes
of the layer shows which units of the output answer. None may lie outside of its window, and
where windows lie within the input, the first and the last place of one must each be answered to.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import prod
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

pytest.importorskip("torch")
import torch
from torch import Tensor, nn

from nettally.building.layers import torch_module
from nettally.layers import layer_class
from nettally.network import SAME_PLACE, WHOLE, Layer, Shape, Window
from strategies import CASES, UNBUILT, Case

Windows = tuple[Window, ...]
Unit = tuple[int, ...]

NO_WINDOW = {
    "flatten": "space becomes one axis",
    "reshape": "places move as their numbers do",
    "permute": "axes change places",
    "gather": "what is read depends on the values of the second input",
    "matmul": "each unit reads a row and a column",
    "einsum": "as matmul",
    "attention": "each place reads all the others, of axes that are no space",
    "cache": "what is kept stands before what comes in, along an axis that is no space",
    "rotary": "a head's values are turned in pairs",
    "experts": "which experts a token runs through depends on its values",
    "causal_conv": "places of a sequence are no space",
    "shift": "as causal_conv",
    "selective_scan": "each place reads all before it, of axes that are no space",
    "state_space": "as selective_scan",
    "delta_rule": "as selective_scan",
    "wkv": "as selective_scan",
    "grouped_linear": "each group of channels reads its own",
    "hyper_connection": "channels become weights",
    "compress": "places become fewer, of axes that are no space",
    "conv_elman": "through its state a step sees further at each step",
    "conv_lstm": "as conv_elman",
}
"""Kinds that say None of every input that has space: no window describes what they see."""

NO_SPACE = {
    "tensor": "it has no input",
    "embedding": "its input holds whole numbers, of rows of a table",
    "procedure": "it is known by name only",
    "arrange": "it is known by name only",
    "roi_pool": "its regions are values of its second input",
    "opaque": "nobody knows what it computes",
}
"""Kinds of which nothing can be tried."""

BLIND = {
    "pointwise": "or, is_nan and the like give the same for most values",
    "elman": "its units may all be at rest",
    "softmax": "of one value it is always 1",
    "log_softmax": "of one value it is always 0",
    "layer_norm": "of one value it is always 0",
    "contrast_norm": "one value less its own mean is 0",
    "reduce": "the place of the greatest of one value is always 0",
    "conv_transpose": "a dilated kernel reads none of the places between its taps",
}
"""Kinds of which some layers do not answer to all that they read, though others do."""


def test_every_kind_is_tried_or_has_a_reason_not_to_be() -> None:
    assert {*CASES, *UNBUILT, "opaque"} >= {*NO_WINDOW, *NO_SPACE, *BLIND}
    assert set(UNBUILT) < set(NO_SPACE)
    for kind in UNBUILT.keys() | {"opaque"}:
        cls = layer_class(kind)
        assert cls.window(cls.__new__(cls), ()) is None


def inputs_of(layer: Layer, xs: tuple[Shape, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    values = [torch.rand(x, generator=generator, dtype=torch.float64) + 0.5 for x in xs]
    if layer.kind == "gather":
        values[1] = torch.zeros(xs[1], dtype=torch.long)
    return values


def answers(module: nn.Module, values: list[Tensor], which: int) -> dict[Unit, list[Unit]]:
    """For each unit of the output, the places of input ``which`` that it answers to."""
    before = module(*values)
    answered: dict[Unit, list[Unit]] = {}
    for place in product(*map(range, values[which].shape[2:])):
        moved = torch.zeros(before.shape, dtype=torch.bool)
        for change in (10.0, -10.0, 0.37):  # the greatest, the least, and a small one for ties
            changed = [value.clone() for value in values]
            changed[which][(slice(None), slice(None), *place)] += change
            after = module(*changed)
            moved |= (after != before) & ~(after.isnan() & before.isnan())
        units = moved.flatten(0, 1).any(0).nonzero().tolist() if moved.dim() > 2 else [()]
        if moved.any():
            for unit in units:
                answered.setdefault(tuple(unit), []).append(place)
    return answered


def seen(windows: Windows, x: Shape, y: Shape, unit: Unit) -> list[range]:
    """The places that the windows give a unit, along each axis; they may lie outside the input."""
    ranges: list[range] = []
    for axis, size in enumerate(x[2:]):
        if windows is WHOLE:
            ranges.append(range(size))
        elif axis >= len(windows):
            assert x[2:] == y[2:], "a layer that changes space has no such window"
            ranges.append(range(unit[axis], unit[axis] + 1))
        elif windows[axis].size == 0:
            ranges.append(range(size))
        else:
            width, stride, ahead, upscale = windows[axis]
            first = unit[axis] * stride - ahead
            ranges.append(range(-(-first // upscale), (first + width - 1) // upscale + 1))
    return ranges


def within(ranges: list[range], x: Shape) -> bool:
    return all(r and r[0] >= 0 and r[-1] < n for r, n in zip(ranges, x[2:], strict=True))


def compare(layer: Layer, x: Shape, y: Shape, windows: Windows, answered: Any) -> bool:
    """Whether both ends of a window are answered to; fails where a unit answers to more."""
    border = getattr(layer, "mode", "") in ("reflect", "replicate")
    firsts: list[list[int]] = []
    lasts: list[list[int]] = []
    for unit in product(*map(range, y[2:])):
        ranges = seen(windows, x, y, unit)
        inside = within(ranges, x)
        places = answered.get(unit, [])
        if inside or not border:  # what is reflected at a border stands for what is beyond it
            for place in places:
                assert all(p in r for p, r in zip(place, ranges, strict=True)), (unit, place)
        if inside and places:
            ends = [(min(along), max(along)) for along in zip(*places, strict=True)]
            firsts.append([low - r[0] for (low, _), r in zip(ends, ranges, strict=True)])
            lasts.append([r[-1] - high for (_, high), r in zip(ends, ranges, strict=True)])
        elif inside:
            firsts.append([1] * len(ranges))
            lasts.append([1] * len(ranges))
    sides = [*zip(*firsts, strict=True), *zip(*lasts, strict=True)]
    return all(min(side) == 0 for side in sides) and bool(sides or not firsts)


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind not in NO_SPACE])
def test_units_see_what_their_windows_say(kind: str) -> None:
    tried = Counter[str]()

    @settings(max_examples=20, suppress_health_check=[HealthCheck.filter_too_much])
    @given(CASES[kind])
    def check(case: Case) -> None:
        layer, xs = case
        assume(all(prod(x[2:]) <= 36 and prod(x) <= 800 for x in xs))
        torch.manual_seed(0)
        module = torch_module(layer, xs).eval().double()
        for parameter in module.parameters():
            parameter.data.uniform_(0.3, 1.0)
        values = inputs_of(layer, xs)
        y = layer.shape(xs)
        for which, (x, windows) in enumerate(zip(xs, layer.windows(xs), strict=True)):
            if len(x) < 3 or not values[which].is_floating_point():
                continue
            if windows is None:
                tried["none"] += 1
                continue
            with torch.no_grad():
                answered = answers(module, values, which)
            tight = compare(layer, x, y, windows, answered)
            tried["tight" if tight else "loose"] += 1
            assert tight or kind in BLIND, (layer, xs, windows)

    check()
    if kind in NO_WINDOW:
        assert set(tried) == {"none"}
    else:
        assert tried["tight"]


@pytest.mark.parametrize(
    ("kind", "fields", "x", "windows"),
    [
        ("batch_norm", {}, (2, 3, 4, 4), SAME_PLACE),
        ("batch_norm", {"statistics": False}, (2, 3, 4, 4), (Window(0), Window(0))),
        ("contrast_norm", {"size": 5, "across": "space"}, (1, 3, 9), (Window(9, 1, 4),)),
        ("expand", {"size": (1, 3, 4, 5)}, (1, 3, 1, 5), (Window(0), Window(1))),
        ("expand", {"size": (2, 1, 3, 4)}, (1, 3, 4), None),
        ("combine", {"size": (3, 4, 5)}, (1, 3, 1, 5), (Window(0), Window(1))),
        ("combine", {"size": (7, 1, 3, 4)}, (1, 3, 4), None),
        ("reduce", {"axes": (1,)}, (2, 3, 4, 4), SAME_PLACE),
        ("reduce", {"axes": (1,), "keep": False}, (2, 3, 4, 4), None),
        ("reduce", {"axes": (2, 3), "keep": False}, (2, 3, 4, 4), WHOLE),
        ("reduce", {"axes": (3,)}, (2, 3, 4, 4), (Window(1), Window(0))),
    ],
)
def test_windows_that_depend_on_fields(
    kind: str, fields: dict[str, Any], x: Shape, windows: Windows | None
) -> None:
    assert layer_class(kind)(**fields).window((x,)) == windows
