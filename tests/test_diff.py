"""Differences: aligned as a person would align them, and their costs add up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettally.accountings import ACCOUNTINGS
from nettally.diffing import MAX_STEPS, Difference, diff
from nettally.formats import read
from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.rendering.tables.compare import diff_text
from nettally.rendering.terminal import Terminal

GOLDEN = Path(__file__).parent / "golden"


def chain(*layers: tuple[str, str, dict[str, object]], size: int = 32) -> Network:
    nodes: list[Node] = []
    source = "data"
    for name, kind, fields in layers:
        nodes.append(Node(name, layer_class(kind)(**fields), (source,)))
        source = name
    return Network("chain", {"data": (1, 3, size, size)}, tuple(nodes))


def conv(name: str, filters: int = 8, **fields: object) -> tuple[str, str, dict[str, object]]:
    return name, "conv", {"filters": filters, "kernel": 3, "padding": 1, **fields}


def relu(name: str) -> tuple[str, str, dict[str, object]]:
    return name, "relu", {}


def statuses(difference: Difference) -> dict[str, str]:
    return {pair.name: pair.status for pair in difference.pairs if pair.status != "same"}


def test_a_network_is_like_itself() -> None:
    net = chain(conv("a"), relu("b"), conv("c"))
    difference = diff(net, net)
    assert difference.same
    assert difference.changed == ()
    assert (difference.parameters, difference.operations, difference.neurons) == (0, 0, 0)


def test_other_names_are_no_difference() -> None:
    one = chain(conv("a"), relu("b"), conv("c", 16))
    two = chain(conv("x"), relu("y"), conv("z", 16))
    difference = diff(one, two)
    assert difference.same
    assert [pair.name for pair in difference.pairs] == ["a / x", "b / y", "c / z"]


def test_a_field_and_what_follows_from_it() -> None:
    one = chain(conv("a", 8), relu("r"), conv("b"))
    two = chain(conv("a", 16), relu("r"), conv("b"))
    difference = diff(one, two)
    assert statuses(difference) == {"a": "changed", "r": "follows", "b": "follows"}
    first, _, last = difference.pairs
    assert first.changes == {"filters": (8, 16)}
    assert first.parameters == 8 * 3 * 9 + 8
    assert last.parameters == 8 * 8 * 9
    assert last.operations == 8 * 8 * 9 * 32 * 32


def test_an_inserted_layer_is_one_difference() -> None:
    one = chain(conv("c1", 3), relu("r1"), conv("c2"))
    two = chain(conv("c1", 3), relu("r1"), conv("extra", 3), relu("more"), conv("c2"))
    assert statuses(diff(one, two)) == {"extra": "added", "more": "added"}
    assert statuses(diff(two, one)) == {"extra": "removed", "more": "removed"}


def test_what_is_only_in_the_second_stands_where_it_does_there() -> None:
    one = chain(conv("c1", 3), conv("c2"))
    two = chain(relu("zero"), conv("c1", 3), relu("r1"), conv("c2"))
    assert [pair.name for pair in diff(one, two).pairs] == ["zero", "c1", "r1", "c2"]


def test_a_layer_that_moved() -> None:
    pool = ("pool", "max_pool", {"kernel": 2})
    one = chain(conv("c1"), pool, relu("r"), conv("c2"), conv("c3"))
    two = chain(conv("c1"), relu("r"), pool, conv("c2"), conv("c3"))
    found = statuses(diff(one, two))
    assert "moved" in found.values()
    assert set(found) <= {"pool", "r"}


def test_a_layer_that_became_another_kind() -> None:
    one = chain(conv("c"), relu("act"))
    two = chain(conv("c"), ("act", "tanh", {}))
    difference = diff(one, two)
    assert statuses(difference) == {"act": "changed"}
    assert difference.pairs[1].changes == {"kind": ("relu", "tanh")}
    assert "relu → tanh" in diff_text(difference, Terminal(80))


def test_a_layer_of_another_name_and_kind_is_another_layer() -> None:
    one = chain(conv("c"), relu("act"))
    two = chain(conv("c"), ("squash", "tanh", {}))
    assert [(pair.name, pair.status) for pair in diff(one, two).pairs] == [
        ("c", "same"),
        ("act", "removed"),
        ("squash", "added"),
    ]


def test_another_input_is_a_difference() -> None:
    one, two = chain(conv("c"), size=32), chain(conv("c"), size=64)
    difference = diff(one, two)
    assert difference.inputs == {"data": ((1, 3, 32, 32), (1, 3, 64, 64))}
    assert statuses(difference) == {"c": "follows"}
    assert difference.operations == 8 * 27 * (64 * 64 - 32 * 32)
    assert not difference.same


def test_another_source_is_a_difference() -> None:
    def net(source: str) -> Network:
        add = layer_class("add")()
        nodes = chain(conv("a", 3), conv("b", 3), conv("c", 3)).nodes
        return Network("n", {"data": (1, 3, 8, 8)}, (*nodes, Node("sum", add, ("c", source))))

    difference = diff(net("a"), net("b"))
    assert statuses(difference) == {"sum": "changed"}
    assert difference.pairs[-1].changes == {"from": ("c, a", "c, b")}


LAYERS = st.lists(
    st.one_of(
        st.builds(lambda f: conv("", f), st.sampled_from([3, 8, 16])),
        st.just(relu("")),
        st.just(("", "batch_norm", {})),
    ),
    max_size=9,
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    layers = draw(LAYERS)
    named = draw(st.booleans())
    return chain(
        *((f"{'x' if named else ''}{kind}{i}", kind, f) for i, (_, kind, f) in enumerate(layers)),
        size=8,
    )


@given(networks(), networks(), st.sampled_from(list(ACCOUNTINGS.values())))
def test_costs_add_up_and_each_layer_stands_once(one: Network, two: Network, by: object) -> None:
    difference = diff(one, two, by)
    pairs = difference.pairs
    assert sum(pair.parameters for pair in pairs) == difference.parameters
    assert sum(pair.operations for pair in pairs) == difference.operations
    assert sum(pair.neurons for pair in pairs) == difference.neurons
    ours = [pair.a.node.name for pair in pairs if pair.a is not None]
    theirs = [pair.b.node.name for pair in pairs if pair.b is not None]
    assert ours == [node.name for node in one.nodes]
    assert sorted(theirs) == sorted(node.name for node in two.nodes)
    back = diff(two, one, by)
    assert back.parameters == -difference.parameters
    assert back.same == difference.same


def test_resnets_differ_by_three_strides() -> None:
    """ResNet v1 and v1.5: the stride on the 1x1 or on the 3x3, in three blocks."""
    difference = diff(read("resnet-50"), read("resnet-50-torchvision"))
    strides = {
        pair.name: pair.changes["stride"] for pair in difference.pairs if "stride" in pair.changes
    }
    assert set(strides) == {f"conv{i}_1.conv{j}" for i in (3, 4, 5) for j in (1, 2)}
    assert difference.operations == 4_089_184_256 - 3_857_973_248
    assert difference.parameters == 0


@pytest.mark.parametrize(("a", "b"), [("alexnet", "alexnet-torchvision"), ("vgg-16", "vgg-19")])
def test_table_is_golden(a: str, b: str) -> None:
    difference = diff(read(a), read(b))
    text = diff_text(difference, Terminal(80))
    path = GOLDEN / f"diff_{a}_{b}.txt"
    if os.environ.get("NETTALLY_OVERWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 80
    # beside the golden file: each of the three costs, summed over the lines, is its total
    for cost, total in (
        ([pair.parameters for pair in difference.changed], difference.parameters),
        ([pair.operations for pair in difference.changed], difference.operations),
        ([pair.neurons for pair in difference.changed], difference.neurons),
    ):
        assert sum(cost) == total
        assert not total or f"{total:+,}" in text


def test_more_layers_put_in_than_are_looked_through() -> None:
    between = [relu(f"r{i}") for i in range(MAX_STEPS + 50)]
    long = chain(conv("a"), *between, conv("z"))
    short = chain(conv("a"), conv("z"))
    for difference in (diff(long, short), diff(short, long)):
        assert difference.parameters == 0
        changed = {pair.status for pair in difference.pairs if pair.name.startswith("r")}
        assert len(changed) == 1
        assert changed != {"same"}
