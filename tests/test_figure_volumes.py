"""Volumes: nothing goes through a label, positions are no pixels, a skip says what it carries."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import dist
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given

import nettally
from nettally.counting.tally import tally
from nettally.layers import layer_class
from nettally.network import Layer, Network, Node
from nettally.rendering.drawing import STYLES, Figure, draw
from nettally.rendering.drawing.model import Box, Dot, Item, Label, Path, flat
from nettally.rendering.drawing.palette import DARK, LIGHT
from nettally.rendering.drawing.stage_graph import Graph
from nettally.rendering.drawing.stages import stages_of
from nettally.rendering.drawing.units import units_of
from test_figure import WIDTHS, ZOO, assert_whole, contrast, counted, verdicts
from test_figure_layout import networks

Place = tuple[float, float]


def layer(kind: str, *arguments: Any, **fields: Any) -> Layer:
    return layer_class(kind)(*arguments, **fields)


# --- nothing goes through a label ----------------------------------------------------------------


def strokes(item: Item) -> Iterator[tuple[Place, Place]]:
    """The lines of an item, a curve as its chords."""
    if isinstance(item, Box) and item.stroke:
        x, y, right, bottom = item.x, item.y, item.x + item.w, item.y + item.h
        corners = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)]
        yield from pairwise(corners)
    if isinstance(item, Path) and item.stroke:
        at = start = (0.0, 0.0)
        for name, values in item.steps:
            if name == "M":
                at = start = (values[0], values[1])
                continue
            ends = [start] if name == "Z" else [(values[-2], values[-1])]
            if name == "C":
                points = [at, *zip(values[0::2], values[1::2], strict=True)]
                ends = [bezier(points, n / 16) for n in range(1, 17)]
            for end in ends:
                yield at, end
                at = end


def bezier(points: list[Place], t: float) -> Place:
    """De Casteljau's construction."""
    while len(points) > 1:
        points = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(points)]
    return points[0]


def within(start: Place, end: Place, left: float, top: float, right: float, bottom: float) -> bool:
    """Whether some place of the line is inside: 64 of them are looked at."""
    if max(start[0], end[0]) < left or min(start[0], end[0]) > right:
        return False
    if max(start[1], end[1]) < top or min(start[1], end[1]) > bottom:
        return False
    for n in range(65):
        x = start[0] + (end[0] - start[0]) * n / 64
        y = start[1] + (end[1] - start[1]) * n / 64
        if left < x < right and top < y < bottom:
            return True
    return False


def struck(figure: Figure) -> list[str]:
    """The labels whose letters a line goes through, that nothing drawn later covers."""
    items = flat(figure.items)
    drawn = [list(strokes(item)) for item in items]
    through: list[str] = []
    for n, label in enumerate(items):
        if not isinstance(label, Label):
            continue
        box = label.box
        left, top, right, bottom = (
            box.left + 0.4,
            label.y - 0.7 * label.size,
            box.right - 0.4,
            label.y,
        )
        covered = 0
        for place, item in enumerate(items[:n]):
            if (
                isinstance(item, Box)
                and item.fill
                and item.x <= left
                and item.y <= top
                and item.x + item.w >= right
                and item.y + item.h >= bottom
            ):
                covered = place
            middle = ((left + right) / 2, (top + bottom) / 2)
            if isinstance(item, Dot) and item.fill and dist((item.x, item.y), middle) < item.r:
                covered = place
        if any(
            within(start, end, left, top, right, bottom)
            for item in drawn[covered:]
            for start, end in item
        ):
            through.append(label.text)
    return through


@pytest.mark.parametrize("name", ZOO)
def test_nothing_goes_through_a_label(name: str) -> None:
    found = counted(name)
    marked = verdicts(found)
    for style in STYLES:
        for wide in (None, *WIDTHS) if style == "volumes" else (600,):
            assert struck(draw(found, style, width=wide, claims=marked)) == []


@given(networks())
def test_nothing_goes_through_a_label_of_any_graph(network: Network) -> None:
    assert struck(draw(network, width=900)) == []


def test_a_line_through_a_label_is_seen() -> None:
    """The search above finds what it looks for."""
    figure = draw(counted("lenet-5"))
    (label, *_) = [each for each in figure.labels if each.text == "c3"]
    line = Path(
        (("M", (label.x - 40, label.y - 3)), ("L", (label.x + 40, label.y - 3))), stroke="line"
    )
    assert struck(figure.replace(items=(*figure.items, line))) == ["c3"]


def covers(item: Box | Dot | Path, x: float, y: float) -> bool:
    """Whether the place is on a filled item: a box, a dot, or a shape of straight lines."""
    if isinstance(item, Box):
        return item.x <= x <= item.x + item.w and item.y <= y <= item.y + item.h
    if isinstance(item, Dot):
        return dist((item.x, item.y), (x, y)) <= item.r
    corners = [(values[0], values[1]) for name, values in item.steps if name in "ML"]
    inside = False
    for (ax, ay), (bx, by) in pairwise([*corners, corners[0]]):
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            inside = not inside
    return inside


@pytest.mark.parametrize("name", ["alexnet", "lenet-5", "googlenet", "u-net", "vgg-16"])
def test_each_label_stands_out_from_what_it_stands_on(name: str) -> None:
    """WCAG 2.1, 1.4.3: at least 4.5 to 1, at the label's middle and at its ends."""
    found = counted(name)
    for style in STYLES:
        items = flat(draw(found, style, claims=verdicts(found)).items)
        for n, label in enumerate(items):
            if not isinstance(label, Label):
                continue
            box, y = label.box, label.y - label.size * 0.35
            for x in (box.left, (box.left + box.right) / 2, box.right):
                grounds = [
                    item.fill
                    for item in items[:n]
                    if not isinstance(item, Label) and item.fill and covers(item, x, y)
                ]
                for colours in (LIGHT, DARK):
                    ground = colours[grounds[-1] if grounds else "paper"]
                    assert contrast(colours[label.colour], ground) >= 4.5, (label.text, grounds)


# --- positions are no pixels ---------------------------------------------------------------------


def heights(network: Network) -> dict[str, float]:
    """How high the front of each box is drawn, by the stage's name."""
    figure = draw(network)
    fronts = [
        item.h
        for item in flat(figure.items)
        if isinstance(item, Box) and item.fill.endswith(".fill") and item.w != 8 and item.r == 0
    ]
    stages = [s for s in stages_of(tally(network), 26) if not s.volumes[0].flat]
    return {stage.name: high for stage, high in zip(stages, fronts, strict=True)}


def detector(boxes: int) -> Network:
    """A map of 32 pixels and, beside it, so many boxes of four numbers each."""
    nodes = (
        Node("conv", layer("conv", 8, 3, padding=1), ("image",)),
        Node("flat", layer("flatten"), ("conv",)),
        Node("scores", layer("linear", 2 * boxes), ("flat",)),
        Node("priors", layer("reshape", (2, boxes)), ("scores",)),
        Node("mixed", layer("conv", 2, (1,)), ("priors",)),
    )
    return Network("detector", {"image": (1, 3, 32, 32)}, nodes)


def test_priors_are_no_maps_of_49152_pixels() -> None:
    """Maps keep their size, however many boxes there are: a list has a scale of its own."""
    few, many = detector(64), detector(49_152)
    assert heights(few)["image"] == pytest.approx(heights(many)["image"])
    assert heights(many)["mixed"] < heights(many)["image"]
    texts = [label.text for label in draw(many).labels]
    assert any("positions" in text for text in texts)
    assert any("pixels" in text for text in texts)


@pytest.mark.parametrize(
    ("nodes", "shape", "volume"),
    [
        # a text: 49,152 positions of 64 features
        ((("norm", "layer_norm", ()),), (1, 49_152, 64), (64, 49_152, 1, True)),
        # a recording: 64 channels along 49,152 samples
        ((("conv", "conv", (64, (1,))),), (1, 8, 49_152), (64, 49_152, 1, True)),
        # maps with the channels last, as a layer over the last axis has them
        ((("norm", "layer_norm", ()),), (1, 56, 48, 96), (96, 56, 48, False)),
        # … and moved back to the front
        (
            (("norm", "layer_norm", ()), ("moved", "permute", ((0, 3, 1, 2),))),
            (1, 56, 48, 96),
            (96, 56, 48, False),
        ),
        # scores made of a map: 21 of each of 300 boxes
        (
            (
                ("map", "conv", (4, 1)),
                ("conv", "conv", (63, 1)),
                ("boxes", "reshape", ((300, 21),)),
            ),
            (1, 8, 10, 10),
            (21, 300, 1, True),
        ),
        # patches made of a map: its channels are the features
        (
            (
                ("map", "conv", (4, 1)),
                ("conv", "conv", (768, 1)),
                ("patches", "reshape", ((768, 196),)),
            ),
            (1, 8, 14, 14),
            (768, 196, 1, True),
        ),
    ],
)
def test_which_axis_counts_the_channels(
    nodes: tuple[tuple[str, str, tuple[object, ...]], ...],
    shape: tuple[int, ...],
    volume: tuple[int, int, int, bool],
) -> None:
    """All the layers in one module, whose output is drawn."""
    read = "data"
    listed: list[Node] = []
    for name, kind, arguments in nodes:
        listed.append(Node(name, layer(kind, *arguments), (read,), module="block"))
        read = name
    (found,) = stages_of(tally(Network("one", {"data": shape}, tuple(listed))), 26, 0)[-1].volumes
    assert (found.channels, found.height, found.width, found.sequence) == volume


# --- a skip says what it carries -----------------------------------------------------------------


def branches(*, late: bool, columns: int = 3) -> Network:
    """A map that is pooled for one branch, and read as it is by another, right away or further on.

    The branches end in convolutions of different sizes, so that they are no columns of one layer.
    """
    pooled = [Node("pool", layer("max_pool", 2), ("a",)), conv("p0", "pool", 4)]
    direct = [conv("d0", "a", 6, stride=2)]
    for n in range(1, columns):
        pooled.append(conv(f"p{n}", f"p{n - 1}", 4 + n))
        direct.append(conv(f"d{n}", f"d{n - 1}", 6 + n))
    both = pooled + direct if late else direct + pooled
    ends = (f"p{columns - 1}", f"d{columns - 1}")
    nodes = [conv("a", "image", 4), *both, Node("end", layer("concat"), ends), conv("z", "end", 3)]
    for n in range(24):  # too many for the branches to be put together as one module
        nodes.append(conv(f"z{n}", nodes[-1].name, 3 + n))
    return Network("branches", {"image": (1, 3, 32, 32)}, tuple(nodes))


def conv(name: str, read: str, filters: int, stride: int = 1) -> Node:
    return Node(name, layer("conv", filters, 3, padding=1, stride=stride), (read,))


def test_lines_begin_at_the_map_that_is_read() -> None:
    """Grey is what pooling leaves: who reads the map before it is not drawn as its reader."""
    for late in (False, True):
        boxes = units_of(tally(branches(late=late)), 0)
        graph = Graph(boxes)
        place = {unit.name: n for n, unit in enumerate(boxes)}
        assert (place["a"] in graph.pool) == late
        assert not graph.carried(place["d0"], place["a"]).pooled
        if late:
            assert graph.carried(place["p0"], place["a"]).pooled


def test_a_skip_of_another_size_than_its_box_says_so() -> None:
    """YOLOv3's routes leave from within what is drawn as one box."""
    names = [f"c{n}" for n in range(100)]
    nodes = [
        Node(name, layer("conv", 8 + n, 3, padding=1, stride=1 + (n % 32 == 31)), (before,))
        for n, (name, before) in enumerate(zip(names, ["image", *names], strict=False))
    ]
    # the map of c2 comes in again at the end, eight times reduced
    nodes.append(Node("far", layer("max_pool", 8), ("c2",)))
    nodes.append(Node("end", layer("concat"), (names[-1], "far")))
    nodes.append(Node("last", layer("conv", 5, 1), ("end",)))
    network = Network("routes", {"image": (1, 3, 64, 64)}, tuple(nodes))
    stages = stages_of(tally(network), 26)
    assert {skip.size for stage in stages for skip in stage.skips} == {"10×64×64"}
    assert stages[1].units[0].last != "c2"
    figure = draw(network)
    assert any("10×64×64" in label.text for label in figure.labels)
    assert_whole(figure)


def test_a_skip_of_what_pooling_leaves_begins_there(shared: FilePath) -> None:
    """FCN-8s scores pool3 and pool4, and not the maps before them (Long et al. 2015, figure 3)."""
    path = shared / "corpus/caffe/shelhamer__fcn.berkeleyvision.org/voc-fcn8s/deploy.prototxt"
    stages = stages_of(tally(nettally.read(str(path))), 26)
    skips = {stage.name: stage.skips for stage in stages}
    for score in ("score_pool3", "score_pool4"):
        assert any(skip.pooled for skip in skips[score])


# --- and so does a box ---------------------------------------------------------------------------


def texts(network: Network, style: str) -> list[str]:
    return [label.text for label in draw(network, style, depth=0).labels]


def test_a_block_says_the_size_of_what_is_read_within_it() -> None:
    """The map of a comes from within the module, and is not as large as what leaves it."""
    nodes = (
        conv("m.a", "image", 4).replace(module="m"),
        conv("m.b", "m.a", 6, stride=2).replace(module="m"),
        conv("far", "m.a", 8, stride=2),
        Node("end", layer("concat"), ("m.b", "far")),
    )
    found = texts(Network("within", {"image": (1, 3, 32, 32)}, nodes), "blocks")
    assert {"6×16×16", "and 4×32×32"} <= set(found)


def test_a_block_has_the_channels_first_wherever_they_are_kept() -> None:
    """A normalisation over the last axis keeps maps as height, width, channels."""
    nodes = (
        Node("m.norm", layer("layer_norm"), ("image",), module="m"),
        Node("m.act", layer("linear", 96, axis=3), ("m.norm",), module="m"),
        Node("m.out", layer("linear", 24, axis=3), ("m.act",), module="m"),
    )
    assert "24×56×48" in texts(Network("last", {"image": (1, 56, 48, 24)}, nodes), "blocks")
