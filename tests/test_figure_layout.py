"""The layout under any graph: what is folded is still a graph without cycles, and nothing meets."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nettally
from nettally.counting.tally import tally
from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.rendering.drawing import STYLES, draw
from nettally.rendering.drawing.grouping import at_most, fitting, repeated, segments
from nettally.rendering.drawing.layered_layout import layered
from nettally.rendering.drawing.stages import stages_of
from nettally.rendering.drawing.units import Units, main_path, units_of
from test_figure import assert_whole

Draw = Callable[[st.SearchStrategy[Any]], Any]

RELU, ADD = layer_class("relu")(), layer_class("add")()
CONV = layer_class("conv")(4, 3, padding=1)
MODULES = ("", "a", "a.b", "a.b.c", "a.d", "e", "e.f")


@st.composite
def networks(draw: Draw) -> Network:
    """Any graph of layers that keep the size, in any modules, entered and left anyhow."""
    names = ["in"]
    nodes: list[Node] = []
    for n in range(draw(st.integers(1, 24))):
        count = draw(st.integers(1, 3))
        read = tuple(draw(st.sampled_from(names[-8:])) for _ in range(count))
        layer = draw(st.sampled_from([CONV, RELU])) if count == 1 else ADD
        name = f"n{n}"
        nodes.append(Node(name, layer, read, module=draw(st.sampled_from(MODULES))))
        names.append(name)
    return Network("any", {"in": (1, 4, 9, 9)}, tuple(nodes))


def assert_graph(network: Network, boxes: Units) -> None:
    """Each layer is in one unit; each unit stands after what it reads, and reads what it should."""
    names = [row.node.name for unit in boxes for row in unit.rows]
    assert sorted(names) == sorted(node.name for node in network.nodes)
    home = {row.node.name: n for n, unit in enumerate(boxes) for row in unit.rows}
    home.update({unit.name: n for n, unit in enumerate(boxes) if unit.input})
    for n, unit in enumerate(boxes):
        assert all(j < n for j in unit.inputs)
        read = {home[name] for row in unit.rows for name in row.node.inputs if name in home}
        assert set(unit.inputs) == read - {n}


@given(networks())
def test_folding_keeps_the_graph(network: Network) -> None:
    found = tally(network)
    for depth in (0, 1, None):
        boxes = units_of(found, depth)
        assert_graph(network, boxes)
        assert_graph(network, repeated(boxes, single=True))
        for most in (1, 3, 7):
            fewer = at_most(boxes, most)
            assert len(fewer) <= max(most, 1)
            if fewer and fewer[0].input:
                assert_graph(network, fewer)
    assert len(fitting(found, 5)) <= 5


@given(networks())
def test_segments_are_cut_where_one_line_is(network: Network) -> None:
    boxes = units_of(tally(network), 0)
    runs = segments(boxes)
    assert [i for run in runs for i in run] == list(range(len(boxes)))
    for run in runs[:-1]:
        crossing = {j for i in range(run[-1] + 1, len(boxes)) for j in boxes[i].inputs}
        assert {j for j in crossing if j <= run[-1]} == {run[-1]}


@given(networks(), st.sampled_from(STYLES), st.sampled_from([None, 480, 600, 2400]))
def test_any_graph_is_drawn_whole(network: Network, style: str, wide: int | None) -> None:
    figure = draw(network, style, width=wide)
    assert_whole(figure)
    assert figure.svg() == draw(network, style, width=wide).svg()


@st.composite
def graphs(draw: Draw) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    count = draw(st.integers(1, 18))
    side = st.floats(4, 90)
    sizes = [(draw(side), draw(side)) for _ in range(count)]
    pair = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = {(min(p), max(p)) for p in draw(st.lists(pair, max_size=40)) if p[0] != p[1]}
    return sizes, sorted(edges)


@given(graphs())
def test_boxes_of_a_layered_layout_do_not_meet(
    graph: tuple[list[tuple[float, float]], list[tuple[int, int]]],
) -> None:
    sizes, edges = graph
    found = layered(sizes, edges, 20, 10)
    boxes = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for (x, y), (w, h) in zip(found.centres, sizes, strict=True)
    ]
    for n, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1e-6
        assert right <= found.width + 1e-6
        assert top >= -1e-6
        assert bottom <= found.height + 1e-6
        for a, b, c, d in boxes[:n]:
            assert right + 9.99 <= a or c + 9.99 <= left or bottom <= b or d <= top
    for (u, v), route in zip(edges, found.routes, strict=True):
        # from the lower edge of the one to the upper edge of the other, downward all the way
        assert route[0][1] == pytest.approx(boxes[u][3])
        assert route[-1][1] == pytest.approx(boxes[v][1])
        assert boxes[u][0] <= route[0][0] <= boxes[u][2]
        assert boxes[v][0] <= route[-1][0] <= boxes[v][2]
        heights = [y for _, y in route]
        assert all(b >= a - 1e-6 for a, b in pairwise(heights))
        # and not through another box
        for n, (left, top, right, bottom) in enumerate(boxes):
            if n in (u, v):
                continue
            for (x, y0), (_, y1) in zip(route[::2], route[1::2], strict=True):
                inside = left + 0.01 < x < right - 0.01
                assert not (inside and y0 < bottom - 0.01 and y1 > top + 0.01)


def chain(kinds: str, modules: list[str] | None = None) -> Network:
    """A chain of convolutions (a letter each, alike where the letters are) after an input."""
    layers = {
        letter: layer_class("conv")(4, 1 + 2 * n, padding=n) for n, letter in enumerate("abcd")
    }
    nodes: list[Node] = []
    before = "in"
    for n, letter in enumerate(kinds):
        module = modules[n] if modules else ""
        nodes.append(Node(f"{letter}{n}", layers[letter], (before,), module=module))
        before = f"{letter}{n}"
    return Network("chain", {"in": (1, 4, 32, 32)}, tuple(nodes))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("aaaa", [("a0", 4)]),
        ("abab", [("a0", 2)]),
        ("abcabcabcd", [("a0", 3), ("d9", 1)]),
        ("aabaab", [("a0", 2)]),
        ("abcd", [("a0", 1), ("b1", 1), ("c2", 1), ("d3", 1)]),
        ("aab", [("a0", 2), ("b2", 1)]),
    ],
)
def test_what_repeats_is_one(kinds: str, expected: list[tuple[str, int]]) -> None:
    boxes = repeated(units_of(tally(chain(kinds))), single=True)
    assert [(unit.name, unit.times) for unit in boxes if not unit.input] == expected


def test_modules_alike_are_one_and_say_how_often() -> None:
    figure = draw(nettally.read("resnet-50"), "blocks")
    said = [label.text for label in figure.labels]
    assert [text for text in said if "×" in text and "conv" in text and "_" in text] == [
        "conv2_2 – conv2_3 ×2",
        "conv3_2 – conv3_4 ×3",
        "conv4_2 – conv4_6 ×5",
        "conv5_2 – conv5_3 ×2",
    ]
    # two kinds of module, each opened once, with what differs as a range
    assert "conv2_1, 3 more like it" in said
    assert "1×1 conv, 64–512" in said


def test_a_module_that_is_left_and_entered_again_is_opened() -> None:
    conv = layer_class("conv")(4, 3, padding=1)
    network = Network(
        "again",
        {"in": (1, 4, 8, 8)},
        (
            Node("m.a", conv, ("in",), module="m"),
            Node("b", conv, ("m.a",)),
            Node("m.c", conv, ("b",), module="m"),
        ),
    )
    boxes = units_of(tally(network), 0)
    assert [unit.name for unit in boxes] == ["in", "m.a", "b", "m.c"]


def test_side_branches_do_not_hide_the_main_one() -> None:
    found = tally(nettally.read("googlenet-with-heads"))
    boxes = fitting(found, 30)
    assert boxes[max(main_path(boxes))].name == "linear"
    named = {name for stage in stages_of(found, 26) for name in stage.exits}
    assert named == {"head1", "head2"}
    assert {"head1", "head2"} <= {label.text for label in draw(found).labels}


def test_u_net_is_a_u() -> None:
    """Each skip runs level: the layer it leaves and the one it enters stand at one height."""
    figure = draw(nettally.read("u-net"), "blocks", width=2400)
    at = {label.text: label for label in figure.labels}
    for n in range(1, 5):
        assert at[f"down{n}"].y == pytest.approx(at[f"up{n}"].y, abs=0.5)
        assert at[f"down{n}"].x < at["bottom"].x < at[f"up{n}"].x
    assert at["down1"].y < at["down2"].y < at["down3"].y < at["down4"].y < at["bottom"].y


def test_skips_of_u_net_are_arcs() -> None:
    found = stages_of(tally(nettally.read("u-net")), 26)
    skips = {(found[j].name, stage.name) for stage in found for j, _, _ in stage.skips}
    assert skips == {(f"down{n}", f"up{n}") for n in range(1, 5)}


def sequence(kind: str) -> Network:
    """Layers over positions, over a line, over a volume."""
    make = {name: layer_class(name) for name in ("linear", "layer_norm", "conv", "max_pool", "add")}
    if kind == "tokens":
        layers = [make["linear"](64, axis=2), make["layer_norm"](), make["linear"](16, axis=2)]
        size: tuple[int, ...] = (1, 50, 32)
    elif kind == "line":
        layers = [make["conv"](8, (5,), stride=2), make["max_pool"]((2,)), make["conv"](16, (3,))]
        size = (1, 2, 400)
    elif kind == "volume":
        layers = [make["conv"](8, (3, 3, 3)), make["max_pool"]((2, 2, 2)), make["linear"](5)]
        size = (1, 1, 16, 24, 24)
    else:
        layers = [make["conv"](8, 3, dilation=2, padding=2), make["conv"](8, 3, dilation=4)]
        size = (1, 3, 64, 64)
    names = ["in", *(f"l{n}" for n in range(len(layers)))]
    nodes = [
        Node(name, layer, (before,))
        for before, name, layer in zip(names[:-1], names[1:], layers, strict=True)
    ]
    return Network(kind, {"in": size}, tuple(nodes))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", ["tokens", "line", "volume", "dilated"])
def test_other_shapes_than_pictures(kind: str, style: str) -> None:
    for wide in (None, 600, 2400):
        assert_whole(draw(sequence(kind), style, width=wide))


def test_positions_stand_in_height_and_features_in_depth() -> None:
    found = stages_of(tally(sequence("tokens")), 26)
    assert [(s.volumes[0].height, s.volumes[0].channels) for s in found] == [
        (50, 32),
        (50, 64),
        (50, 16),
    ]
    said = {label.text for label in draw(sequence("tokens")).labels}
    assert "dense" not in said  # each position by itself
    assert {"50", "32", "64", "16"} <= said


def test_a_dilated_window_is_as_wide_as_it_reaches() -> None:
    (_, one, two) = stages_of(tally(sequence("dilated")), 26)
    assert (one.window, two.window) == ((5, 5), (9, 9))
    said = [label.text for label in draw(sequence("dilated")).labels]
    assert said.count("3×3 dilated") == 2


def test_what_follows_a_sum_is_said() -> None:
    relu = layer_class("relu")()
    for tail, expected in (((), 0), ((Node("r", relu, ("s",)),), 1)):
        nodes = (Node("a", CONV, ("in",)), Node("s", ADD, ("a", "in")), *tail)
        figure = draw(Network("sum", {"in": (1, 4, 8, 8)}, nodes), "blocks")
        said = [label.text for label in figure.labels]
        assert said.count("+") == 1
        assert said.count("ReLU") == expected


def test_a_flat_file_shows_the_blocks_it_repeats() -> None:
    """Modules that a file does not name are found by what repeats."""
    nodes = [Node("stem", CONV, ("in",))]
    for n in range(40):
        before = nodes[-1].name
        nodes += [
            Node(f"a{n}", CONV, (before,)),
            Node(f"r{n}", RELU, (f"a{n}",)),
            Node(f"b{n}", CONV, (f"r{n}",)),
            Node(f"s{n}", ADD, (f"b{n}", before)),
        ]
    said = [
        label.text
        for label in draw(Network("flat", {"in": (1, 4, 8, 8)}, tuple(nodes)), "blocks").labels
    ]
    assert "a0 – s39 ×40" in said
    assert "a0 – s39; 40 in all" in said


def test_a_large_graph_is_folded() -> None:
    nodes = [Node("n0", CONV, ("in",))]
    for n in range(1, 3000):
        far = f"n{max(0, n - 2 - n * 7919 % 97)}"
        nodes.append(Node(f"n{n}", ADD, (f"n{n - 1}", far)))
    found = tally(Network("tangle", {"in": (1, 4, 8, 8)}, tuple(nodes)))
    for style in STYLES:
        figure = draw(found, style, width=600)
        assert_whole(figure)
        assert len(figure.svg()) < 400_000
