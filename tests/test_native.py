"""Our own file: what each line means, and what is said of each that means nothing."""

from __future__ import annotations

from typing import Any

import pytest

import nettally
from nettally.arith import Num, Product, factors
from nettally.counting.tally import tally
from nettally.errors import LayerError, NettallyError, NetworkError, ReadError
from nettally.formats import Source, native, zoo
from nettally.formats.native.field_values import signature
from nettally.formats.native.grammar import RESERVED
from nettally.layers import kinds, layer_class
from nettally.network import Network


def network(text: str, **more: Any) -> Network:
    return native.read(Source("net.yaml", text.encode(), **more))


def layers(*lines: str, blocks: str = "", size: str = "3x32x32") -> Network:
    """The network of these layers."""
    items = "".join(f"  - {line}\n" for line in lines)
    return network(f"nettally: 1\ninput: {size}\n{blocks}layers:\n{items}")


def complaint(text: str, **more: Any) -> str:
    with pytest.raises(NettallyError) as caught:
        network(text, **more)
    return str(caught.value)


def refused(*lines: str, blocks: str = "", size: str = "3x32x32") -> str:
    with pytest.raises(NettallyError) as caught:
        layers(*lines, blocks=blocks, size=size)
    return str(caught.value)


# --- one line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind", "fields"),
    [
        ("conv 96, 11x11, stride 4, rounding up", "conv",
         {"filters": 96, "kernel": (11, 11), "stride": 4, "rounding": "up"}),
        ("conv 96, 11", "conv", {"filters": 96, "kernel": 11}),
        ("conv 8, 1x7, padding 0x3, no bias", "conv",
         {"filters": 8, "kernel": (1, 7), "padding": (0, 3), "bias": False}),
        ("conv filters 8, kernel 3x3", "conv", {"filters": 8, "kernel": 3}),
        ("conv 8, kernel 3x3, bias", "conv", {"filters": 8, "kernel": 3}),
        ("conv 8, 3x3, bias false", "conv", {"filters": 8, "kernel": 3, "bias": False}),
        ("conv, filters 8, kernel 3", "conv", {"filters": 8, "kernel": 3}),
        ("conv 8, 3x3, padding 0:3", "conv",
         {"filters": 8, "kernel": 3, "padding": ((0, 3), (0, 3))}),
        ("conv 8, [3], padding 0:3", "conv", {"filters": 8, "kernel": (3,), "padding": ((0, 3),)}),
        ("conv 8, 3x3x3, padding 0:3", "conv",
         {"filters": 8, "kernel": (3, 3, 3), "padding": ((0, 3),) * 3}),
        ("conv 8, 3x3, padding 1x0:3", "conv",
         {"filters": 8, "kernel": 3, "padding": ((1, 1), (0, 3))}),
        ("conv 8, 3x3, padding valid", "conv", {"filters": 8, "kernel": 3}),
        ("conv 2*(3 + 1), 7 // 2", "conv", {"filters": 8, "kernel": 3}),
        ("conv 2 * 4, 3x3", "conv", {"filters": 8, "kernel": 3}),
        ("conv 10 - 2, 3x3", "conv", {"filters": 8, "kernel": 3}),
        ("lrn 5, alpha 1e-4, k 2, groups 2", "lrn",
         {"size": 5, "alpha": 1e-4, "k": 2.0, "groups": 2}),
        ("lrn 5, alpha .001, across space", "lrn", {"alpha": 0.001, "across": "space"}),
        ("tanh scale 1.7159, slope 2/3", "tanh", {"scale": 1.7159, "slope": 2 / 3}),
        ("affine slope 2, offset -1", "affine", {"slope": 2.0, "offset": -1.0}),
        ("softmax axis -1", "softmax", {"axis": -1}),
        ("max_pool 3x3, stride 2", "max_pool", {"kernel": 3, "stride": 2}),
        ("max_pool 2", "max_pool", {"kernel": 2}),
        ("reshape 256x6x6", "reshape", {"size": (256, 6, 6)}),
        ("reshape -1x4", "reshape", {"size": (-1, 4)}),
        ("reshape 9216", "reshape", {"size": (9216,)}),
        ("permute [0, 2, 1, 3]", "permute", {"order": (0, 2, 1, 3)}),
        ("slice axis 1, stop none", "slice", {}),
        ("conv_map 5x5, table [[0, 1], [1, 2]]", "conv_map",
         {"kernel": 5, "table": ((0, 1), (1, 2))}),
        ("opaque Proposal", "opaque", {"type": "Proposal"}),
        ("opaque 'a, b: from c', size 10x2", "opaque", {"type": "a, b: from c", "size": (10, 2)}),
        ("opaque 'it''s', size 10", "opaque", {"type": "it's", "size": (10,)}),
        ("global_average_pool no keep", "global_average_pool", {"keep": False}),
        ("batch_norm", "batch_norm", {}),
        ("batch_norm, no weight, no bias", "batch_norm", {"weight": False, "bias": False}),
        ("  relu  ", "relu", {}),
    ],
)  # fmt: skip
def test_a_line(line: str, kind: str, fields: dict[str, Any]) -> None:
    (node,) = layers(f"a: {line}" if ": " not in line else f'a: "{line}"').nodes
    assert node.layer == layer_class(kind)(**fields)
    assert node.inputs == ("data",)


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("{layer: conv, filters: 96, kernel: [11, 11], stride: 4, bias: false}",
         {"filters": 96, "kernel": 11, "stride": 4, "bias": False}),
        ("{layer: conv, filters: 48*2, kernel: 3x3, padding: [[0, 3], [1, 1]]}",
         {"filters": 96, "kernel": 3, "padding": ((0, 3), (1, 1))}),
        ("{layer: conv, filters: 4, kernel: [3], padding: [0:3]}",
         {"filters": 4, "kernel": (3,), "padding": ((0, 3),)}),
    ],
)  # fmt: skip
def test_a_layer_written_out(value: str, fields: dict[str, Any]) -> None:
    (node,) = layers(f"a: {value}").nodes
    assert node.layer == layer_class("conv")(**fields)


def test_a_layer_written_out_has_inputs_weights_and_a_group() -> None:
    net = layers(
        "a: linear 5",
        "b: linear 5 from data",
        "c: {layer: add, from: [a, b], module: end}",
        "d: {layer: linear, features: 5, from: data, weights: a}",
        "e: {layer: linear, features: 5, from: data, weights: {weight: a.weight}}",
    )
    assert net["c"].inputs == ("a", "b")
    assert net["c"].module == "end"
    assert net["d"].shared == {"weight": "a.weight", "bias": "a.bias"}
    assert net["e"].shared == {"weight": "a.weight"}


def test_an_unknown_layer_has_stated_tensors_and_may_stand_alone() -> None:
    (node,) = layers(
        "a: {layer: opaque, type: What, tensors: {weight: [8, 3], step: []}, from: []}"
    ).nodes
    assert node.inputs == ()
    assert node.layer == layer_class("opaque")("What", tensors=(("weight", (8, 3)), ("step", ())))


def test_layers_within_a_layer() -> None:
    (_, node) = layers(
        "left: relu",
        "sum: {layer: conv_sum, parts: ['conv 8, 3x3, padding 1', 'conv 8, 1x1'],"
        " from: [left, data]}",
    ).nodes
    conv = layer_class("conv")
    assert node.layer == layer_class("conv_sum")(
        parts=(
            conv(filters=8, kernel=3, padding=1, bias=False),
            conv(filters=8, kernel=1, bias=False),
        )
    )


def test_a_product_keeps_its_factors() -> None:
    node = layers("a: conv 48*2, 3x3").nodes[0]
    assert type(node.layer.fields()["filters"]) is int
    written = node.written["filters"]
    assert written == 96
    assert isinstance(written, Num)
    assert isinstance(written.how, Product)
    assert factors(written) == (48, 2)


def test_where_a_layer_was_said() -> None:
    net = network("nettally: 1\ninput: 3x8x8\nlayers:\n\n  # a comment\n  - a: relu\n")
    assert str(net["a"].source) == "net.yaml:6"
    assert net.source is not None
    assert net.source.file == "net.yaml"


# --- inputs, outputs, names ---------------------------------------------------------------------


def test_from_names_the_inputs() -> None:
    net = layers("a: relu", "b: relu from data", "c: concat from a, b", "'d, e': relu",
                 "f: add from 'd, e', c")  # fmt: skip
    assert [node.inputs for node in net.nodes] == [
        ("data",), ("data",), ("a", "b"), ("c",), ("d, e", "c"),
    ]  # fmt: skip


def test_several_inputs() -> None:
    net = network(
        "nettally: 1\ninput: {left: 3x8x8, right: [10]}\nbatch: 4\nlayers:\n"
        "  - a: flatten\n  - b: concat from a, right\n"
    )
    assert net.inputs == {"left": (4, 3, 8, 8), "right": (4, 10)}
    assert net["a"].inputs == ("left",)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"": (3, 9, 9)}, (1, 3, 9, 9)),
        ({"": (5, 3, 9, 9)}, (5, 3, 9, 9)),
        ({"data": (3, 9, 9)}, (1, 3, 9, 9)),
    ],
)
def test_the_user_gives_another_size(given: Any, expected: tuple[int, ...]) -> None:
    text = "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: relu\n"
    assert network(text, inputs=given).inputs == {"data": expected}


def test_outputs_are_the_ends_or_what_is_said() -> None:
    text = "nettally: 1\ninput: 3x8x8\n{}layers:\n  - a: relu\n  - b: relu\n  - c: relu from a\n"
    assert network(text.format("")).outputs == ("b", "c")
    assert network(text.format("outputs: [a, c]\n")).outputs == ("a", "c")
    assert network(text.format("outputs: b\n")).outputs == ("b",)


def test_name_title_source_and_notes() -> None:
    net = network(
        "nettally: 1\nname: n\ntitle: 'A: title'\nsource: a book\nnotes: [one, two]\n"
        "input: 3x8x8\nlayers:\n  - a: relu\n"
    )
    assert (net.name, net.title) == ("n", "A: title")
    assert net.notes == ("source: a book", "one", "two")
    assert layers("a: relu").name == "net"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_{2..4}", ["a_2", "a_3", "a_4"]),
        ("a{9..11}b", ["a9b", "a10b", "a11b"]),
        ("conv3_{b..d}", ["conv3_b", "conv3_c", "conv3_d"]),
        ("a_{3..3}", ["a_3"]),
        ("'a_{2..4}'", ["a_{2..4}"]),
    ],
)
def test_a_range_of_names(name: str, expected: list[str]) -> None:
    net = layers(f"{name}: relu")
    assert [node.name for node in net.nodes] == expected
    assert [node.inputs for node in net.nodes] == [(n,) for n in ["data", *expected[:-1]]]


def test_a_range_is_a_chain_that_begins_where_it_is_told() -> None:
    net = layers("a: relu", "b: relu", "c_{1..3}: relu from a")
    assert [net[f"c_{i}"].inputs[0] for i in (1, 2, 3)] == ["a", "c_1", "c_2"]


def test_a_dot_in_a_name_makes_a_group() -> None:
    assert layers("a.b.c: relu").nodes[0].module == "a.b"


def test_weights_are_shared() -> None:
    net = layers(
        "a: conv 8, 3x3, padding 1",
        "b: conv 8, 3x3, padding 1, no bias, weights a from data",
        "c: conv 8, 3x3, padding 1, weights b from data",
    )
    assert net["b"].shared == {"weight": "a.weight"}
    assert net["c"].shared == {"weight": "a.weight"}
    assert tally(net).parameters == 8 * 27 + 8 + 8


# --- blocks -------------------------------------------------------------------------------------

BLOCKS = """blocks:
  pair(width, kernel = 3x3, half = width // 2, act = true, pool = max):
    - one: conv half, 1x1
    - two: conv half, kernel, padding same, bias act
    - out: add from two, one
  twice(width):
    - a: pair width
    - b_{1..2}: pair width, 5x5, no act
  merge:
    - sum: add from in2, in
"""


def test_blocks() -> None:
    net = layers("x: twice 8", "y: merge from x.a, x", blocks=BLOCKS)
    assert [(n.name, n.inputs, n.module) for n in net.nodes] == [
        ("x.a.one", ("data",), "x.a"),
        ("x.a.two", ("x.a.one",), "x.a"),
        ("x.a.out", ("x.a.two", "x.a.one"), "x.a"),
        ("x.b_1.one", ("x.a.out",), "x.b_1"),
        ("x.b_1.two", ("x.b_1.one",), "x.b_1"),
        ("x.b_1.out", ("x.b_1.two", "x.b_1.one"), "x.b_1"),
        ("x.b_2.one", ("x.b_1.out",), "x.b_2"),
        ("x.b_2.two", ("x.b_2.one",), "x.b_2"),
        ("x.b_2.out", ("x.b_2.two", "x.b_2.one"), "x.b_2"),
        ("y.sum", ("x.b_2.out", "x.a.out"), "y"),
    ]
    conv = layer_class("conv")
    assert net["x.a.two"].layer == conv(filters=4, kernel=3, padding=1)
    assert net["x.b_1.two"].layer == conv(filters=4, kernel=5, padding=2, bias=False)
    assert str(net["x.a.two"].source) == "net.yaml:6"


def test_a_parameter_keeps_the_callers_factors() -> None:
    net = layers("x: b 48*2", blocks="blocks:\n  b(w):\n    - a: linear w\n    - b: linear w*4\n")
    assert factors(net["x.a"].written["features"]) == (48, 2)
    assert factors(net["x.b"].written["features"]) == (48, 2, 4)
    assert net["x.b"].layer.fields()["features"] == 384


def test_the_same_block_with_other_values_is_another_layer() -> None:
    net = layers("x: pair 8", "y: pair 16", "z: pair 8, act false", blocks=BLOCKS)
    assert [net[f"{n}.two"].layer.fields()["filters"] for n in "xyz"] == [4, 8, 4]
    assert [net[f"{n}.two"].layer.fields()["bias"] for n in "xyz"] == [True, True, False]


def test_a_block_may_be_written_after_its_use_and_called_in_full() -> None:
    net = layers("x: {layer: twice, width: 8, from: data}", blocks=BLOCKS)
    assert len(net.nodes) == 9


# --- same ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "line", "padding", "output"),
    [
        # TensorFlow's rule: out = ⌈in / stride⌉, the odd pixel after
        ("3x224x224", "conv 8, 11x11, stride 4, padding same", ((3, 4), (3, 4)), (56, 56)),
        ("3x224x224", "conv 8, 11x11, stride 4, padding same_lower", ((4, 3), (4, 3)), (56, 56)),
        ("3x5x6", "max_pool 2x2, padding same", ((0, 1), (0, 0)), (3, 3)),
        ("3x9x9", "conv 8, 3x3, dilation 2, padding same", ((2, 2), (2, 2)), (9, 9)),
        ("3x9x9", "conv 8, 1x1, stride 2, padding same", ((0, 0), (0, 0)), (5, 5)),
        ("3x5x5", "conv_transpose 8, 4x4, stride 2, padding same", ((1, 1), (1, 1)), (10, 10)),
        ("3x5x5", "conv_transpose 8, 2x2, stride 3, padding same", ((0, 0), (0, 0)), (15, 15)),
    ],
)
def test_same(size: str, line: str, padding: Any, output: tuple[int, int]) -> None:
    net = layers(f"a: {line}", size=size)
    node = net["a"]
    assert node.layer.fields()["padding"] == padding
    assert node.written["padding"] == ("same_lower" if "lower" in line else "same")
    assert node.layer.shape((net.inputs["data"],))[2:] == output


def test_same_is_resolved_again_for_another_input() -> None:
    node = layers("a: conv 8, 11x11, stride 4, padding same", size="3x224x224")["a"]
    assert native.resolve(node, ((1, 3, 227, 227),)) == node.layer.replace(padding=4)
    plain = layers("a: conv 8, 11x11")["a"]
    assert native.resolve(plain, ((1, 3, 227, 227),)) is plain.layer


# --- what is refused ----------------------------------------------------------------------------

HEAD = "nettally: 1\ninput: 3x8x8\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "net.yaml:1: the file is empty"),
        ("[1, 2]", "net.yaml:1: the file is no list of keys\n  try: it begins with 'nettally: 1'"),
        ("name: a\n", "net.yaml:1: the file does not say 'nettally: 1'\n"
         "  try: begin it with that line"),
        ("# x\nnettally: 2\n", "net.yaml:2: this nettally reads version 1 of its files\n"
         "  values: nettally: 2\n  try: 'nettally: 1'"),
        ("nettally: 1\nclaims: []\n", "net.yaml:2: this is a file of claims, not of a network\n"
         "  try: use it with --claims"),
        ("nettally: 1\nlayer: []\n", "net.yaml:2: no key is called 'layer'\n"
         "  try: did you mean 'layers'?"),
        ("nettally: 1\ninput: 3\n",
         "net.yaml:1: the file has no 'layers'\n  try: a list of layers"),
        ("nettally: 1\nlayers: []\n",
         "net.yaml:1: the file has no 'input'\n  try: as in 'input: 3x224x224'"),
        (HEAD + "layers: []\n",
         "net.yaml:3: 'layers' is a list of layers\n  try: as in '- conv1: conv 96, 11x11'"),
        (HEAD + "layers:\n  conv1: conv 96, 11x11\n",
         "net.yaml:4: 'layers' is a list of layers\n  try: as in '- conv1: conv 96, 11x11'"),
        (HEAD + "title: [a]\nlayers: []\n",
         "net.yaml:3: 'title' is a text\n  try: put it in quotes"),
        (HEAD + "notes: [[a]]\nlayers: []\n", "net.yaml:3: 'notes' is a list of texts"),
        (HEAD + "batch: 2x2\nlayers: []\n", "net.yaml:3: 'batch' is one size"),
        (HEAD + "layers:\n  - conv 96\n",
         "net.yaml:4: each item of a list of layers is 'name: layer'\n  values: conv 96\n"
         "  try: as in '- conv1: conv 96, 11x11'"),
        (HEAD + "layers:\n  - a: [relu]\n",
         "net.yaml:4: a: a layer is a line or a mapping, not a list"),
        (HEAD + "layers:\n  - a: {filters: 3}\n",
         "net.yaml:4: a: a mapping says which layer it is\n  try: 'layer: conv'"),
        (HEAD + "layers:\n  - a: relu\n    b: relu\n",
         "net.yaml:4: each item of a list of layers is 'name: layer'\n  values: a mapping\n"
         "  try: as in '- conv1: conv 96, 11x11'"),
        (HEAD + "layers:\n  - a: relu\n  - a: relu\n",
         "net.yaml:5: a: this name is used twice\n  values: the first stands at net.yaml:4\n"
         "  try: rename one of them"),
        (HEAD + "layers:\n  - data: relu\n",
         "net.yaml:4: data: this name is used twice\n  values: the first stands at net.yaml:2\n"
         "  try: rename one of them"),
        (HEAD + "layers:\n  - a: relu\n  - b: relu from c\n",
         "net.yaml:5: b: no input or layer is called 'c'\n  try: one of a, b, data"),
        (HEAD + "layers:\n  - a: relu from b\n  - b: relu from data\n",
         "net.yaml:4: a reads 'b', which is defined after it\n  values: b stands at net.yaml:5\n"
         "  try: move b before a"),
        (HEAD + "layers:\n  - a: relu from b\n  - b: relu\n",
         "net.yaml:4: a needs its own output: a cycle\n  values: a → b → a\n"
         "  try: a network is a chain of layers without a way back"),
        (HEAD + "layers:\n  - a: relu from data, data\n",
         "net.yaml:4: a: relu takes 1 input(s)\n  values: 2 given: data, data\n"
         "  try: say which with 'from NAME'"),
        (HEAD + "outputs: [b]\nlayers:\n  - a: relu\n",
         "net.yaml:3: the output 'b' is no layer\n  try: one of a, data"),
        (HEAD + "layers:\n  - '': relu\n", "net.yaml:4: a name is empty"),
        ("nettally: 1\ninput: 3 by 8\nlayers: []\n",
         "net.yaml:2: 'input' is given as sizes\n  values: input: 3 by 8\n"
         "  try: channels, then space, as in 3x224x224; the batch is not written"),
        ("nettally: 1\ninput: {a: {b: 3}}\nlayers: []\n",
         "net.yaml:2: 'a' is given as sizes\n  values: a: a mapping\n"
         "  try: channels, then space, as in 3x224x224; the batch is not written"),
        ("nettally: 1\ninput: 3x0x8\nlayers: []\n",
         "net.yaml:2: 'input' has a size that cannot be\n  values: input: 3x0x8\n"
         "  try: sizes are between 1 and 2^31 - 1"),
        (f"nettally: 1\ninput: 3x{10**30}x8\nlayers: []\n",
         f"net.yaml:2: 'input' has a size that cannot be\n  values: input: 3x{10**30}x8\n"
         "  try: sizes are between 1 and 2^31 - 1"),
    ],
)  # fmt: skip
def test_the_file_is_refused(text: str, message: str) -> None:
    assert complaint(text) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"": (3, 8)}, "net.yaml:2: input 'data' has another number of axes\n"
         "  values: 3x8 given, 3x8x8 in the file"),
        ({"dat": (3, 8, 8)}, "net.yaml:2: no input is called 'dat'\n  try: did you mean 'data'?"),
    ],
)  # fmt: skip
def test_the_users_size_is_refused(given: Any, message: str) -> None:
    assert complaint(HEAD + "layers:\n  - a: relu\n", inputs=given) == message


def test_the_users_size_needs_an_input() -> None:
    text = "nettally: 1\ninput: {}\nlayers:\n  - c: {layer: opaque, from: []}\n"
    assert complaint(text, inputs={"": (3, 8, 8)}) == (
        "net.yaml:2: the network has no inputs; say whose size it is"
    )


def test_the_users_size_needs_a_name_where_there_are_several() -> None:
    text = "nettally: 1\ninput: {a: 3x8x8, b: 3x8x8}\nlayers:\n  - c: add from a, b\n"
    assert complaint(text, inputs={"": (3, 8, 8)}) == (
        "net.yaml:2: the network has 2 inputs; say whose size it is\n  try: a, b"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("conv 96, 11x11, strid 4", "conv has no field 'strid'\n  try: did you mean 'stride'?"),
        ("conv 96, 11x11, stride", "'stride' needs a value\n  values: conv … stride"),
        ("conv 96, 11x11, ceil", "conv has no field 'ceil'\n  try: one of bias, dilation, "
         "filters, groups, kernel, padding, rounding, stride, untied_bias, weights"),
        ("conv 96, 11x11, roundup", "conv has no field 'roundup'\n  try: did you mean "
         "'rounding'?"),
        ("conv 96, 11x11, no pad", "conv has no field 'pad'\n  try: did you mean 'padding'?"),
        ("conv 96, 11x11, no stride",
         "'no stride': stride is not a matter of yes or no\n"
         "  try: leave stride out, or give it a value"),
        ("conv 96", "conv needs 'kernel'\n  try: 'conv FILTERS, KERNEL'"),
        ("conv", "conv needs 'filters'\n  try: 'conv FILTERS, KERNEL'"),
        ("linear 96, 2", "linear takes 1 value without a name (features)\n"
         "  values: one too many: 2\n  try: give it a name: bias, axis, transposed"),
        ("conv 96, stride 2, 3x3", "conv: a value without a name stands after one with a name\n"
         "  values: 3x3\n  try: values without a name stand first: filters, kernel"),
        ("relu 3", "relu takes no values without a name\n  values: one too many: 3\n"
         "  try: leave it out"),
        ("relu slope 3", "relu has no field 'slope'\n  try: relu stands alone"),
        ("conv 96, 3x3, filters 2", "conv: 'filters' is given twice\n  values: filters 2"),
        ("conv 96,, 3x3", "there is nothing between two commas\n  values: 'conv 96,, 3x3'"),
        (", 3", "a line begins with the name of a layer or block\n  values: ', 3'\n"
         "  try: as in '- conv1: conv 96, 11x11, stride 4'"),
        ("convv 96, 3x3", "no layer or block is called 'convv'\n  try: did you mean 'conv'?"),
        ("conv wide, 3x3", "filters is a whole number\n  values: filters wide"),
        ("conv 1.5, 3x3", "filters is a whole number\n  values: filters 1.5"),
        ("conv wide*2, 3x3",
         "no parameter is called 'wide'\n  try: only a block has parameters"),
        ("conv 2*, 3x3", "the expression ends where a number or a name should be\n"
         "  values: '2*', character 3"),
        ("conv 4 // 0, 3x3", "division by zero\n  values: 4 // 0"),
        ("conv 4.5 // 2, 3x3", "// divides whole numbers\n  values: 4.5 // 2"),
        ("conv log2(4), 3x3", "there are no functions here: 'log2(…)'"),
        ("conv -1, 3x3", "filters must be at least 1\n  values: filters -1"),
        ("conv 96, 3x3, stride -1", "stride must be at least 1\n  values: stride -1"),
        ("conv 96, 3x3, padding sane",
         "padding is a whole number, or one an axis, as in 3x3\n  values: padding sane\n"
         "  try: did you mean 'same'?"),
        ("conv 96, 3x3, padding 1.5",
         "padding is a whole number, or one an axis, as in 3x3\n  values: padding 1.5"),
        ("conv 96, 3x3, padding [1", "a bracket is never closed\n  values: '[1'"),
        ("conv 96, 3x3, rounding 'up",
         "a quotation mark is never closed\n  values: \"'up\""),
        ("conv 96, 3x3, bias maybe", "bias is a matter of yes or no\n  values: bias maybe"),
        ("conv 96, 3x3, rounding round", "rounding is one of down, up, clip\n"
         "  values: rounding round"),
        ("leaky_relu steep", "slope is a number\n  values: slope steep"),
        ("reshape up", "size is a list of whole numbers\n  values: size up"),
        ("recolor a b", "recolor has no field 'a'\n  try: one of to, weights"),
        ("resize [[[[[1]]]]]", "lists nest more than 4 deep\n  values: '[1]'"),
        (f"conv {10**30}, 3x3", f"filters must be at most 2^31 - 1\n  values: filters {10**30}"),
        (f"conv {10**39}*{10**39}, 3x3",
         "the number is too large\n  try: a size is at most 2^31 - 1"),
        ("relu from", "after 'from' stand names of layers, with commas between them\n"
         "  values: ''\n  try: a name with blanks or brackets in it needs quotes"),
        ("relu from a b", "after 'from' stand names of layers, with commas between them\n"
         "  values: 'a b'\n  try: a name with blanks or brackets in it needs quotes"),
        ("pad same", "'same' needs a kernel\n  values: padding same"),
        ("linear 3, weights b", "no layer before this one is called 'b'\n  try: one of data"),
        ("conv 8, 3x3x3, padding same", "'same' needs an input with 3 axes of space\n"
         "  values: input 1x3x32x32"),
        ("{layer: opaque, tensors: {weight: wide}}",
         "tensors holds sizes by name, as in {weight: [8, 3]}\n"
         "  values: tensors (('weight', 'wide'),)"),
        ("opaque What, tensors 3",
         "tensors holds sizes by name, as in {weight: [8, 3]}\n  values: tensors 3"),
        ("{layer: conv, filter: 3}", "conv has no field 'filter'\n  try: did you mean 'filters'?"),
        ("{layer: conv, filters: {a: 3}, kernel: 3}", "a value is a text or a list"),
        ("{layer: conv, filters: 3, kernel: 3, from: [[b]]}", "here stands one text, no list"),
        ("{layer: conv_sum, parts: ['conv 8, 3x3, padding same']}",
         "'same' can't be said of a layer within a layer"),
        ("{layer: conv_sum, parts: ['conv 8, 3x3 from b']}",
         "a layer within a layer is a line of its own, without 'from'"),
    ],
)  # fmt: skip
def test_a_line_is_refused(line: str, message: str) -> None:
    said = refused(f'a: "{line}"' if line[0] == "," else f"a: {line}")
    assert said == f"net.yaml:4: a: {message}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a_{4..2}", "a range goes up, from number to number or from letter to letter\n"
         "  values: {4..2}"),
        ("a_{1..b}", "a range goes up, from number to number or from letter to letter\n"
         "  values: {1..b}"),
        ("a_{1..2}_{1..2}", "this is no range of names\n"
         "  try: as in 'conv4_{2..36}' or 'conv3_{b..d}'"),
        ("a_{1", "this is no range of names\n  try: as in 'conv4_{2..36}' or 'conv3_{b..d}'"),
        ("a_1}", "'}' without '{' in a name\n  try: put the name in quotes"),
        ("a_{1..1000000000}", "the file stands for too many layers\n  values: over 60,000"),
    ],
)  # fmt: skip
def test_a_range_of_names_is_refused(name: str, message: str) -> None:
    assert refused(f"{name}: relu") == f"net.yaml:4: {name}: {message}"


def test_a_range_of_merges_is_refused() -> None:
    assert refused("a: relu", "b_{1..2}: add from a, data") == (
        "net.yaml:5: b_1: in a range of names each is fed by the one before\n"
        "  values: from a, data\n  try: name one input, for the first; or say 'each from'"
    )


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("b(", "'b(' is no head of a block\n  try: as in 'bottleneck(width, stride = 1):'"),
        ("2b()", "'2b()' is no head of a block\n  try: as in 'bottleneck(width, stride = 1):'"),
        ("conv(a)", "a block can't be called 'conv': a layer is"),
        ("b(in)", "a parameter can't be called 'in'"),
        ("b(a, a)", "two parameters are called 'a'"),
        ("b(a = )", "the expression ends where a number or a name should be\n"
         "  values: '', character 1"),
    ],
)  # fmt: skip
def test_a_block_is_refused(head: str, message: str) -> None:
    said = refused("a: relu", blocks=f"blocks:\n  {head}:\n    - a: relu\n")
    assert said == f"net.yaml:4: {message}"


@pytest.mark.parametrize(
    ("body", "call", "message"),
    [
        ("- a: relu", "b", "net.yaml:7: x: b needs 'w'\n  try: 'b W, S'"),
        ("- a: relu", "b 3, q 2", "net.yaml:7: x: b has no field 'q'\n  try: one of s, w, weights"),
        ("- a: relu", "b 3, 4, 5", "net.yaml:7: x: b takes 2 values without a name (w, s)\n"
         "  values: one too many: 5\n  try: leave it out"),
        ("- a: conv w, 3x3", "b 0", "net.yaml:5: x.a: filters must be at least 1\n"
         "  values: filters 0"),
        ("- a: conv v*2, 3x3", "b 2", "net.yaml:5: x.a: no parameter is called 'v'\n"
         "  try: one of s, w"),
        ("- a: conv s*2, 3x3", "b 2, up", "net.yaml:5: x.a: only numbers can be computed with\n"
         "  values: s 'up'"),
        ("- a: relu from data", "b 3",
         "net.yaml:5: x.a: no layer before this one is called 'data' in its block\n"
         "  try: one of in"),
        ("- a: relu from in2", "b 3",
         "net.yaml:5: x.a: no layer before this one is called 'in2' in its block\n"
         "  try: did you mean 'in'?"),
        ("- in: relu", "b 3", "net.yaml:5: in a block, 'in' is what the block reads\n"
         "  try: give the layer another name"),
        ("- in2: relu", "b 3", "net.yaml:5: in a block, 'in2' is what the block reads\n"
         "  try: give the layer another name"),
        ("- a: b 3", "b 3", "x.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: blocks nest too deep\n"
         "  values: b, more than 16 deep\n  try: a block can't contain itself"),
        ("- a: relu", "b 3 from y", "net.yaml:7: x: no input or layer before this one is called "
         "'y'\n  try: one of data"),
        ("- a: relu", "b 3, weights y", "net.yaml:7: x: a block's weights can't be shared as a "
         "whole"),
        ("[]", "b 3", "net.yaml:4: the block 'b' is a list of layers\n"
         "  try: with at least one in it"),
        ("- a: relu\n    - a: relu", "b 3", "net.yaml:6: x.a: this name is used twice\n"
         "  values: the first stands at net.yaml:5\n  try: rename one of them"),
    ],
)  # fmt: skip
def test_a_call_is_refused(body: str, call: str, message: str) -> None:
    said = refused(f"x: {call}", blocks=f"blocks:\n  b(w, s = 1):\n    {body}\n")
    assert said.endswith(message)


def test_blocks_that_are_no_mapping_are_refused() -> None:
    assert refused("a: relu", blocks="blocks: [a]\n") == (
        "net.yaml:3: 'blocks' holds blocks by name\n  try: 'name(width): …'"
    )


def test_weights_of_another_shape_are_refused() -> None:
    assert refused("a: linear 3", "b: linear 3, weights a") == (
        "net.yaml:5: b: the weights shared with a have another shape\n"
        "  values: weight 3x3 here, 3x3072 there"
    )
    assert refused("a: relu", "b: linear 3, weights a") == (
        "net.yaml:5: b: a has no weights that this layer could share"
    )


def test_same_after_an_unknown_layer_is_refused() -> None:
    assert refused("a: opaque What", "b: conv 8, 3x3, padding same") == (
        "net.yaml:5: b: the shape of its input is not known here\n  values: input a"
    )


def test_a_layer_that_does_not_fit_its_input_says_so_where_it_stands() -> None:
    net = layers("a: conv 8, 11x11, stride 4", "b: conv 8, 11x11", size="3x30x30")
    with pytest.raises(LayerError, match=r"net\.yaml:5: b: the window is larger than its input"):
        tally(net)


# --- the whole ----------------------------------------------------------------------------------


def test_no_layer_has_a_field_that_is_a_word_of_the_grammar() -> None:
    for kind in kinds():
        assert not set(signature(layer_class(kind)).types) & {*RESERVED, "no", "in"}, kind


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ReadError, "nettally: 1"),
        (NetworkError, HEAD + "layers:\n  - a: relu from b\n"),
        (LayerError, HEAD + "layers:\n  - a: conv -1, 3x3\n"),
    ],
)
def test_each_complaint_has_its_type(error: type[NettallyError], text: str) -> None:
    with pytest.raises(error):
        network(text)


@pytest.mark.parametrize(
    ("head", "name", "ours"),
    [
        (b"nettally: 1\n", "x", True),
        (b"\xef\xbb\xbfnettally: 1\n", "x", True),
        (b"# AlexNet\nname: a\nnettally: 1\n", "x.txt", True),
        (b"name: a\n", "x.yaml", True),
        (b"[conv1]\ntype=conv\n", "layers.cfg", False),
        (b"", "", False),
    ],
)
def test_sniff(head: bytes, name: str, ours: bool) -> None:
    assert native.sniff(head, name) is ours


def test_alexnet() -> None:
    counted = tally(nettally.read("alexnet"))
    assert counted.neurons == 659_272
    assert counted.parameters == 60_965_224
    assert counted.macs == 724_406_816


def test_resnet_152_is_under_a_page() -> None:
    counted = tally(nettally.read("resnet-152"))
    assert counted.parameters == 60_192_808
    assert counted.network.nodes[-3].inputs == ("conv5_3.relu3",)
    assert sum(row.node.layer.kind == "conv" for row in counted) == 151 + 4
    assert zoo.source("resnet-152").text.count("\n") <= 60


def test_the_zoo_is_listed_with_titles() -> None:
    listed = {entry.name: entry.title for entry in zoo.zoo()}
    assert listed["alexnet"] == "AlexNet, as its code of 2012 has it"
    assert list(listed) == sorted(listed)


@pytest.mark.parametrize("name", ["alexnett", "../zoo/alexnet", "..", "", "alexnet/", ".alexnet"])
def test_what_is_not_in_the_zoo(name: str) -> None:
    with pytest.raises(ReadError) as caught:
        zoo.source(name)
    assert f"there is no file '{name}', and no network of the zoo is called so" in str(caught.value)
    if name == "alexnett":
        assert caught.value.hint == "did you mean 'alexnet'?"


def test_claims_stand_beside_a_network() -> None:
    path = zoo.claims_path("alexnet")
    assert path is None or path.endswith("claims.yaml")
