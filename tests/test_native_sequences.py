"""Our own file: sequences are not flattened in silence, and layers that stand side by side."""

from __future__ import annotations

import pytest

from nettally.counting.tally import tally
from nettally.errors import NettallyError
from nettally.formats import Source, native
from nettally.network import Network
from test_native import layers, refused
from test_native_write import again, assert_same

ALL_OF_IT = (
    "{}: linear reads all of {}, {} values for each output; 'axis 2' reads a sequence step by "
    "step, and 'axis 1' says that all of it is meant"
)


@pytest.mark.parametrize(
    ("lines", "size", "names", "read", "values"),
    [
        (["fc: linear 768"], "128x768", "fc", "128x768", "98,304"),
        (["relu: relu", "fc: linear 4"], "5x6", "fc", "5x6", "30"),
        (["e: embedding 9, 4", "fc: linear 2"], "12", "fc", "12x4", "48"),
        (["l: lstm 4", "fc: linear 2"], "3x8", "fc", "3x4", "12"),
        (["a: linear 6, axis 2", "b: linear 2"], "5x3", "b", "5x6", "30"),
        (["q: linear 4, axis 2", "t: attention from q, q, q", "n: layer_norm", "f: linear 3"],
         "5x3", "f", "5x4", "20"),
        (["c: conv 6, 2x2", "r: reshape 9x6", "t: attention from r, r, r", "f: linear 3"],
         "3x4x4", "f", "9x6", "54"),
        ([*(f"f{i}: linear 2 from data" for i in range(5))], "5x3",
         "f0, f1, f2 and 2 more", "5x3", "15"),
        (["f: {layer: linear, features: 2}"], "5x3", "f", "5x3", "15"),
    ],
)  # fmt: skip
def test_a_sequence_that_is_read_whole_is_told(
    lines: list[str], size: str, names: str, read: str, values: str
) -> None:
    net = layers(*lines, size=size)
    assert net.notes == (ALL_OF_IT.format(names, read, values),)
    assert_same(net, again(net))  # which says it once


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        (["c: conv 8, [5]", "p: max_pool [4]", "fc: linear 10"], "1x64"),  # space, not steps
        (["fc: linear 10"], "1x64"),  # one step
        (["fc: linear 10"], "3x8x8"),
        (["fc: linear 10"], "64"),
        (["fc: linear 10, axis 2"], "5x3"),
        (["fc: linear 10, axis 1"], "5x3"),  # all of it is meant
        (["fc: {layer: linear, features: 2, axis: 1}"], "5x3"),
        (["flat: flatten", "fc: linear 10"], "5x3"),
        (["l: lstm 4, no sequence", "fc: linear 2"], "3x8"),
    ],
)
def test_nothing_is_told_of_what_is_meant(lines: list[str], size: str) -> None:
    net = layers(*lines, size=size)
    assert net.notes == ()
    assert_same(net, again(net))


def test_attention_over_what_was_flattened_names_the_axis() -> None:
    with pytest.raises(NettallyError) as caught:
        tally(layers("q: linear 768", "a: attention heads 12 from q, q, q", size="128x768"))
    assert str(caught.value) == (
        "net.yaml:5: a: attention reads a sequence: batch, places, channels\n"
        "  values: input 1x768\n"
        "  try: a linear layer before it keeps the places where it says 'axis 2'"
    )


# --- side by side -------------------------------------------------------------------------------


def edges(net: Network) -> dict[str, tuple[str, ...]]:
    return {node.name: node.inputs for node in net.nodes}


def test_layers_side_by_side_read_the_same_or_one_each() -> None:
    net = layers(
        "stem: conv 8, 1x1",
        "a_{1..3}: conv 4, 1x1 each from stem",
        "b_{1..3}: add each from a_{1..3}, a_2",
        "join: concat",
    )
    assert edges(net) == {
        "stem": ("data",),
        **{f"a_{i}": ("stem",) for i in "123"},
        **{f"b_{i}": (f"a_{i}", "a_2") for i in "123"},
        "join": ("b_1", "b_2", "b_3"),
    }
    assert_same(net, again(net))


def test_a_range_of_names_is_read() -> None:
    net = layers(
        "a_{1..3}: conv 4, 1x1 each from data",
        "b: concat from a_{2..3}, a_1, data",
        "e_{x..z}: relu, each from a_{1..3}",
    )
    assert edges(net)["b"] == ("a_2", "a_3", "a_1", "data")
    assert [edges(net)[f"e_{end}"] for end in "xyz"] == [("a_1",), ("a_2",), ("a_3",)]


def test_blocks_stand_side_by_side() -> None:
    """Eight experts of two layers each, added up: 8 times (4·6 + 6 + 6·4 + 4)."""
    blocks = """blocks:
  expert(width):
    - up: linear width, axis 2
    - gelu: gelu
    - down: linear 4, axis 2
  mixture(count_of_inputs = 1):
    - expert_{1..8}: expert 6 each from in
    - sum: add
"""
    net = layers("m: mixture", "n_{1..2}: mixture each from m", "o: add", blocks=blocks, size="5x4")
    assert tally(net).parameters == 3 * 8 * (4 * 6 + 6 + 6 * 4 + 4)
    assert edges(net)["m.sum"] == tuple(f"m.expert_{i}.down" for i in range(1, 9))
    assert edges(net)["o"] == ("n_1.sum", "n_2.sum")
    assert_same(net, again(net))


@pytest.mark.parametrize(
    ("lines", "blocks", "message"),
    [
        (["a_{1..3}: relu each from data", "b_{1..2}: relu each from a_{1..3}"], "",
         "net.yaml:5: b_1: 'each from' a range reads one layer for each of its own\n"
         "  values: 2 layers, 3 names to read from"),
        (["a_{1..3}: relu each from data", "b: relu"], "",
         "net.yaml:5: b: relu takes 1 input(s)\n"
         "  values: 3 given: a_1, a_2, a_3\n  try: say which with 'from NAME'"),
        (["a: side"], "blocks:\n  side:\n    - a_{1..3}: relu each from in\n",
         "net.yaml:7: a: the block 'side' ends in 3 layers side by side\n"
         "  try: let it end in one that reads them all: '- join: concat'"),
        (["a_{1..3}: relu each from data", "b: relu, weights a_{1..3}"], "",
         "net.yaml:5: b: here stands the name of one layer\n  values: 'a_{1..3}'"),
        (["a: {layer: add, from: data, each from: data}"], "",
         "net.yaml:4: a: 'from' stands here twice"),
    ],
)  # fmt: skip
def test_what_stands_side_by_side_and_does_not_fit(
    lines: list[str], blocks: str, message: str
) -> None:
    assert refused(*lines, blocks=blocks) == message


def test_a_range_that_is_read_is_bounded() -> None:
    text = "nettally: 1\ninput: 3\nlayers:\n  - a_{1..50000}: relu\n" + "".join(
        f"  - b{i}: add from a_{{1..50000}}\n" for i in range(9)
    )
    with pytest.raises(NettallyError, match="too many inputs of layers"):
        native.read(Source("x.yaml", text.encode()))
