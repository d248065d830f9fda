"""A network that is written and read again is the same network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettally.arith import Num
from nettally.errors import ReadError
from nettally.formats import Source, native, zoo
from nettally.layers import kinds, layer_class
from nettally.network import Network, Node
from strategies import CASES, UNBUILT


def again(net: Network) -> Network:
    return native.read(Source("again.yaml", native.write(net).encode()))


def assert_same(left: Network, right: Network) -> None:
    for part in ("name", "title", "inputs", "outputs", "notes"):
        assert getattr(left, part) == getattr(right, part)
    assert len(left.nodes) == len(right.nodes)
    for a, b in zip(left.nodes, right.nodes, strict=True):
        assert (a.name, a.layer, a.inputs, a.module) == (b.name, b.layer, b.inputs, b.module)
        assert dict(a.shared) == dict(b.shared)
        assert dict(a.written) == dict(b.written)


@pytest.mark.parametrize("name", zoo.names())
def test_the_zoo_reads_back(name: str) -> None:
    net = native.read(zoo.source(name))
    assert_same(net, again(net))
    assert native.write(again(net)) == native.write(net)


ALL = {**CASES, **UNBUILT}


def test_every_layer_is_in_the_round_trip() -> None:
    assert set(kinds()) - {"opaque"} <= set(ALL)


names = st.one_of(
    st.from_regex(r"[a-z][a-z0-9_/.-]{0,5}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
    st.sampled_from(["in", "from", "no", "a_{1..3}", "null", "1", "- a", "a: b", "a #b", "'", '"']),
)


@st.composite
def networks(draw: Any) -> Network:
    """Nodes with layers of any kind, each reading inputs that fit it, with all kinds of names."""
    chosen = draw(st.lists(st.sampled_from(sorted(ALL)), min_size=1, max_size=5))
    used = iter(draw(st.lists(names, min_size=40, max_size=40, unique=True)))
    inputs: dict[str, tuple[int, ...]] = {}
    nodes: list[Node] = []
    for kind in chosen:
        layer, xs = draw(ALL[kind])
        read: list[str] = []
        for x in xs[:5]:
            if nodes and draw(st.booleans()):
                read.append(draw(st.sampled_from(nodes)).name)
            else:
                read.append(next(used))
                inputs[read[-1]] = (2, *x[1:])
        if layer.kind == "conv_sum":
            layer = layer.replace(parts=layer.fields()["parts"][: len(read)])
        name = next(used)
        module = draw(st.sampled_from(["", name.rpartition(".")[0], "a.b"]))
        shared = {}
        if nodes and draw(st.integers(0, 3)) == 0:
            shared = {"weight": draw(st.sampled_from(nodes)).name + ".weight"}
        nodes.append(Node(name, layer, tuple(read), shared, module))
    if not inputs:
        inputs[next(used)] = (2, 3)
    title, note = draw(st.tuples(names, names))
    return Network("net", inputs, tuple(nodes), title=title, notes=(note,))


@given(networks())
def test_any_network_reads_back(net: Network) -> None:
    assert_same(net, again(net))


@given(st.sampled_from(sorted(ALL)).flatmap(lambda kind: ALL[kind]))
def test_any_layer_is_one_line(case: Any) -> None:
    layer, xs = case
    if layer.kind == "conv_sum" or "of" in layer.fields() or not xs:
        return  # layers within a layer, shapes in a list, and 'from: []' are written out
    inputs = {f"x{i}": (1, *x[1:]) for i, x in enumerate(xs)}
    text = native.write(Network("net", inputs, (Node("a", layer, tuple(inputs)),)))
    assert "layer:" not in text


@given(st.recursive(
    st.integers(0, 50).map(lambda n: Num(n, "")),
    lambda part: st.tuples(part, st.sampled_from("+-*/"), part).map(
        lambda t: t[0] + t[2] if t[1] == "+" else t[0] - t[2] if t[1] == "-"
        else t[0] * t[2] if t[1] == "*" or int(t[2]) == 0 else t[0] // t[2]
    ),
    max_leaves=6,
))  # fmt: skip
def test_arithmetic_reads_back(n: Num) -> None:
    if not 1 <= n < 2**31:
        return
    node = Node("a", layer_class("linear")(int(n)), ("data",), written={"features": n})
    net = Network("net", {"data": (1, 3)}, (node,))
    (back,) = again(net).nodes
    assert back.layer == node.layer
    assert type(n.how) is type(back.written.get("features", n).how)


def test_what_is_written_is_short() -> None:
    text = """nettally: 1
name: net
title: "A: title"
source: a book
notes:
  - a note
input: 3x32x32
layers:
  - a: conv 48*2, 3x3, stride 2, padding same
  - b.c: conv 96, 1x7, padding 0x3, no bias
  - b.d: max_pool 3x3, stride 2, padding 0:1 from a
  - e: linear 10
  - f: linear 10, weights e from b.d
  - g: opaque "an odd, one", size 10
outputs:
  - f
  - e
"""
    net = native.read(Source("net.yaml", text.replace('"an odd, one"', "'an odd, one'").encode()))
    assert native.write(net) == text.replace('"an odd, one"', "'an odd, one'").replace(
        "  - g: opaque 'an odd, one', size 10", "  - g: opaque 'an odd, one', size [10]"
    )


def test_same_is_written_only_while_it_holds() -> None:
    text = "nettally: 1\ninput: 3x9x9\nlayers:\n  - a: conv 8, 3x3, padding same\n"
    net = native.read(Source("net.yaml", text.encode()))
    assert "padding same" in native.write(net)
    moved = net.edit({"a": net["a"].layer.replace(padding=2)})
    assert "padding 2" in native.write(moved)


def test_inputs_with_different_batches_are_refused() -> None:
    net = Network("net", {"a": (1, 3), "b": (2, 3)}, ())
    with pytest.raises(ReadError) as caught:
        native.write(net)
    assert str(caught.value) == ("our own file gives all inputs one batch\n  values: a 1x3, b 2x3")
