"""A network in columns is the network: outputs, losses, gradients, and the bytes that are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nettally
from column_ranks import (
    Ranks,
    broken,
    compiled,
    half,
    leaves,
    masked,
    net,
    nets_in_columns,
    on_a_gpu,
    random_net,
    random_nets,
    sleeps,
    trained,
    wrong_rank,
    zoo_net,
)
from nettally.building.build import build
from nettally.errors import NetworkError
from nettally.training.columns import (
    Exchange,
    build_column,
    channels_of,
    gather,
    plan,
    predicted_traffic,
    scatter,
    traffic_of,
)

GROUPED = """
input: 3x17x17
layers:
  - conv1: conv 8, 5x5, stride 2, rounding up
  - norm1: lrn 3, alpha 0.3, groups 2
  - pool1: max_pool 3x3, stride 2, rounding up
  - relu1: relu
  - conv2: conv 12, 3x3, padding 1, groups 2
  - relu2: relu
  - norm2_space: lrn 3, alpha 0.5, across space
  - conv3: conv 8, 3x3, padding 1
  - relu3: relu
  - conv4: conv 8, 3x3, padding 1, groups 2
  - relu4: relu
  - fc5: linear 20
  - relu5: relu
  - drop5: dropout 0.0
  - fc6: linear 16
  - relu6: relu
  - fc7: linear 10
  - prob: softmax
"""
"""A small net of AlexNet's kind."""

ONCE = """
input: 3x9x9
layers:
  - conv1: conv 4, 3x3
  - relu1: relu
  - soft: softmax from relu1
  - conv2: conv 6, 1x1, bias from relu1
  - scores: linear 5 from relu1
  - conv3: conv 4, 1x1 from soft
  - joined: concat from conv2, conv3
  - end: linear 3
"""
"""relu1 is read by layers of which each column has a part, and by one that all compute alike."""

NETS = {
    "grouped": GROUPED,
    "read both ways": ONCE,
    "normalised across the columns": """
input: 4x9x9
layers:
  - conv1: conv 8, 3x3
  - norm1: lrn 5, alpha 0.5
  - conv2: conv 8, 3x3, padding 1, groups 2
  - norm2: lrn 5, alpha 0.5
  - conv3: conv 8, 3x3, padding 1
  - fc4: linear 6
""",
    "a parameter a channel": """
input: 3x9x9
layers:
  - conv1: conv 8, 3x3
  - norm1: batch_norm
  - slope1: prelu
  - scale1: scale
  - norm2: group_norm 4
  - pool2: subsample 2x2
  - relu2: relu
  - conv3: conv 6, 3x3, untied_bias
  - end: global_average_pool, no keep
""",
    "parameters that channels share": """
input: 3x9x9
layers:
  - conv1: conv 8, 3x3
  - slope1: prelu, shared
  - conv2: conv 8, 3x3, padding 1
  - norm2: layer_norm, axes 2
  - conv3: conv 8, 3x3
  - norm3: l2_norm
  - conv4: conv 4, 1x1, groups 2
""",
    "branches": """
input: 3x9x9
layers:
  - conv1: conv 8, 3x3
  - left: conv 8, 3x3, padding 1, groups 2 from conv1
  - right: conv 8, 1x1 from conv1
  - sum: add from left, right, conv1
  - squeeze: global_average_pool from sum
  - excite: conv 8, 1x1
  - gate: sigmoid
  - weighed: multiply from sum, gate
  - wide: conv 6, 1x1 from weighed
  - narrow: conv 4, 3x3, padding 1 from weighed
  - joined: concat from wide, narrow
  - conv2: conv 10, 1x1
  - residual: add from conv2, joined
  - end: linear 7
""",
    "windows of other kinds": """
input: 4x8x8
layers:
  - first: conv 4, 3x3, padding 1, groups 2
  - depthwise: conv 4, 3x3, padding 1, groups 4
  - local: local 4, 3x3, groups 2
  - up: upsample 2
  - grow: conv_transpose 6, 2x2, stride 2
  - grow2: conv_transpose 4, 3x3, groups 2
  - pad: pad 1
  - crop: crop 2
  - local2: local 4, 3x3
  - flat: flatten
  - fc: linear 8
  - relu: relu
  - end: linear 3
""",
    "several inputs and outputs": """
input: {left: 4x6x6, right: 2x6x6}
layers:
  - a: conv 4, 3x3, padding 1, groups 2 from left
  - b: conv 4, 3x3, padding 1 from right
  - both: add from a, b
  - one: relu
  - two: tanh from both
  - three: concat from left, both
""",
    "shared weights": """
input: 4x9x9
layers:
  - conv1: conv 4, 3x3, padding 1
  - relu1: relu
  - conv2: conv 4, 3x3, padding 1, weights conv1
  - end: linear 5
""",
    "dotted names": """
input: 4x9x9
layers:
  - a.conv: conv 4, 3x3, padding 1
  - exchange_a_conv: relu from a.conv
  - type: conv 4, 3x3 from a.conv
  - end: linear 5 from type
  - other: linear 2 from exchange_a_conv
""",
}

FOUR = """
input: 4x9x9
layers:
  - conv1: conv 8, 3x3, groups 4
  - norm1: lrn 3, alpha 0.5, groups 4
  - relu1: relu
  - conv2: conv 16, 3x3, padding 1, groups 8
  - norm2: lrn 3, alpha 0.5
  - pool2: max_pool 2x2
  - conv3: conv 12, 3x3, padding 1
  - soft: softmax from conv3
  - conv4: conv 8, 1x1 from conv3
  - conv5: conv 8, 1x1 from soft
  - sum: add from conv4, conv5
  - fc6: linear 8
  - relu6: relu
  - fc7: linear 5
"""


@pytest.fixture(scope="module")
def processes() -> Iterator[list[Ranks]]:
    kept: list[Ranks] = []
    yield kept
    for ranks in kept:
        if ranks.alive:
            ranks.end()


@pytest.fixture
def two(processes: list[Ranks]) -> Ranks:
    """Two processes, the same ones for all tests as long as they live."""
    if not (processes and processes[-1].alive):
        processes.append(Ranks(2))
    return processes[-1]


def check(found: dict[str, Any], tolerance: float) -> None:
    wrong = {name: distance for name, distance in found["away"].items() if distance > tolerance}
    assert not wrong
    assert found["forward"] == found["forward expected"]
    assert found["backward"] == found["backward expected"]
    measured, predicted = found["total"]
    assert measured == predicted > 0


# --- the same as in one process -----------------------------------------------------------------


def test_networks_of_all_kinds_in_two_columns(two: Ranks) -> None:
    for answer in two(nets_in_columns, NETS, 2):
        assert answer.keys() == NETS.keys()
        for found in answer.values():
            check(found, 1e-10)


def test_a_network_in_four_columns() -> None:
    four = Ranks(4)
    try:
        for answer in four(nets_in_columns, {"four": FOUR}, 4):
            check(answer["four"], 1e-10)
    finally:
        four.end()


def test_random_networks_in_two_columns(two: Ranks) -> None:
    kinds: set[str] = set()
    for answer in two(random_nets, range(60), 2):
        assert len(answer) == 60
        for name, found in answer.items():
            try:
                check(found, 1e-10)
            except AssertionError as error:
                raise AssertionError(f"{name}\n{found['net']}\n{error}") from None
            kinds |= {node.layer.kind for node in plan(random_net(int(name[6:]))).local.nodes}
    assert kinds >= {"exchange", "own_part", "sum_of_gradients", "counted_once"}


def test_alexnet_at_its_own_size(two: Ranks) -> None:
    for found in two(zoo_net, "alexnet"):
        check(found, 1e-5)
        assert len(found["away"]) == 2 + 16  # the output, the loss, and all tensors' gradients


def test_steps_of_training_stay_the_same(two: Ranks) -> None:
    for found in two(trained, GROUPED, 6):
        assert max(found["away"]) < 1e-10
        losses = found["losses"]
        assert losses[-1] < losses[0] - 0.01  # something was learned
        assert losses[0::2] == pytest.approx(losses[1::2], rel=1e-10)


def test_masks_of_dropout_are_cut_where_the_value_is(two: Ranks) -> None:
    text = """
input: 4x6x6
layers:
  - conv1: conv 8, 3x3, padding 1
  - drop1: dropout 0.5
  - fc2: linear 8
  - drop2: dropout 0.5
  - fc3: linear 6
  - drop3: dropout 0.5
"""
    made = plan(net(text))
    assert made.split_values["drop2"]
    assert not made.split_values["drop3"]
    channels = channels_of(made, 1)
    assert (channels["drop1"], channels["drop2"]) == ((4, 8), (4, 8))
    assert "drop3" not in channels
    for found in two(masked, text):
        assert max(found.values()) < 1e-10


def test_autocast_sends_halves_of_the_bytes_and_keeps_the_layout(two: Ranks) -> None:
    text = """
input: 3x12x12
layers:
  - conv1: conv 16, 3x3
  - relu1: relu
  - conv2: conv 16, 3x3, padding 1
  - relu2: relu
  - fc3: linear 32
  - relu3: relu
  - fc4: linear 10
"""
    for found in two(half, text):
        assert found["output"] < 0.02
        assert max(found["gradients"].values()) < 0.05
        single = found["single"]
        assert found["sent"] == {name: (a // 2, b // 2) for name, (a, b) in single.items()}
        assert found["layout"]


def test_a_compiled_column(two: Ranks) -> None:
    for found in two(compiled, GROUPED):
        check(found, 1e-10)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_columns_on_a_gpu(two: Ranks) -> None:
    for found in two(on_a_gpu, GROUPED):
        check(found, 1e-4)


# --- the checks above can fail ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "text", "whose"),
    [
        ("gradients are not summed", GROUPED, "gradient of conv1.weight"),
        ("parts in the wrong order", GROUPED, "output"),
        ("counted twice", ONCE, "gradient of conv1.weight"),
    ],
)
def test_a_wrong_exchange_is_seen(two: Ranks, way: str, text: str, whose: str) -> None:
    for found in two(broken, text, way):
        assert found[whose] > 1e-2


# --- what is sent -------------------------------------------------------------------------------


def test_the_traffic_of_alexnet() -> None:
    """At batch 128, in single precision, two columns: what each rank sends, by hand."""
    made = plan(nettally.read("alexnet"))
    predicted = predicted_traffic(made, 128)
    rows = [(row.exchange.value, row.exchange.before, row.forward, row.backward)
            for row in predicted.rows]  # fmt: skip
    pool2 = 128 * 13 * 13 * 128 * 4  # half of 256 maps of 13 × 13, 128 images, 4 bytes
    relu5 = 128 * 6 * 6 * 128 * 4
    hidden = 2048 * 128 * 4
    assert rows == [
        ("pool2", "conv3", pool2, pool2),
        ("relu5", "fc6", relu5, relu5),
        ("drop6", "fc7", hidden, hidden),
        ("drop7", "fc8", hidden, 0),  # each rank has the whole gradient, and takes its half
    ]
    assert (pool2, relu5, hidden) == (11_075_584, 2_359_296, 1_048_576)
    assert (predicted.forward, predicted.backward) == (15_532_032, 14_483_456)
    assert predicted.total == 30_015_488
    # beside the gradients that data-parallel ranks sum: 60,965,224 parameters of 4 bytes
    assert nettally.tally(made.network).parameters * 4 == 243_860_896
    assert predicted_traffic(made, 1, itemsize=2).total * 256 == predicted.total


def test_the_table_of_the_traffic_is_shown() -> None:
    assert str(predicted_traffic(plan(nettally.read("alexnet")), 128)) == (
        "exchange  before  whole value  bytes forward  bytes backward\n"
        "pool2     conv3   256×13×13       11,075,584      11,075,584\n"
        "relu5     fc6     256×6×6          2,359,296       2,359,296\n"
        "drop6     fc7     4096             1,048,576       1,048,576\n"
        "drop7     fc8     4096             1,048,576               0\n"
        "total                             15,532,032      14,483,456"
    )


def test_caffe_s_normalisation_crosses_the_columns() -> None:
    """Caffe's nets normalise over all 96 channels, where the paper's do over 48."""
    values = {each.value: each for each in plan(nettally.read("caffe-alexnet")).exchanges}
    assert [values[name] for name in ("relu1", "pool1", "pool2")] == [
        Exchange("exchange_relu1", "relu1", "norm1", (96, 55, 55), forward=True, backward=False),
        Exchange("part_pool1", "pool1", "conv2", (96, 27, 27), forward=False, backward=True),
        Exchange("sum_pool2", "pool2", "conv3", (256, 13, 13), forward=False, backward=True),
    ]


def test_what_nobody_learns_from_sends_nothing_back() -> None:
    text = "input: 4x6x6\nlayers:\n  - a: conv 4, 1x1, no bias\n  - b: conv 4, 1x1\n"
    a, b = predicted_traffic(plan(net(text)), 1).rows
    assert (a.exchange.value, a.forward, a.backward) == ("a", 2 * 36 * 4, 2 * 36 * 4)
    # the output is whole on both, and so is its gradient
    assert (b.exchange.before, b.forward, b.backward) == ("", 2 * 36 * 4, 0)


# --- one column ---------------------------------------------------------------------------------


def test_a_column_of_alexnet_is_half_of_it() -> None:
    made = plan(nettally.read("alexnet"))
    whole, local = nettally.tally(made.network), nettally.tally(made.local)
    held = 1000 * 4096 + 1000
    assert (whole.parameters - held) == 2 * (local.parameters - held)
    assert {name for name, axis in made.halved.items() if axis is None} == {
        "fc8.weight",
        "fc8.bias",
    }
    theirs = {node.name for node in made.network.nodes}
    steps = [node.name for node in made.local.nodes if node.name not in theirs]
    assert steps == [
        "sum_data",  # which sends only where the images' own gradient is asked for
        "exchange_pool2",
        "exchange_relu5",
        "exchange_drop6",
        "exchange_drop7",
    ]
    assert made.split_values["drop7"]
    assert not made.split_values["fc8"]
    assert made.local["conv2"].layer.fields()["groups"] == 1


NAMES = ("grouped", "a parameter a channel", "windows of other kinds")


@settings(max_examples=30)
@given(st.sampled_from(NAMES), st.integers(0, 2**32 - 1), st.data())
def test_scatter_and_gather_are_inverse(name: str, seed: int, data: st.DataObject) -> None:
    made = plan(net(NETS[name]))
    names = data.draw(st.sets(st.sampled_from(sorted(made.shapes))))
    generator = torch.Generator().manual_seed(seed)
    state = {key: torch.randn(made.shapes[key], generator=generator) for key in sorted(names)}
    parts = [scatter(made, state, rank) for rank in range(2)]
    with torch.device("meta"):
        local = build(made.local).state_dict()
    assert all(part[key].shape == local[key].shape for part in parts for key in names)
    together = gather(made, parts)
    assert together.keys() == state.keys()
    assert all(torch.equal(together[key], state[key]) for key in names)
    again = [scatter(made, together, rank) for rank in range(2)]
    assert all(torch.equal(a[key], b[key]) for a, b in zip(again, parts, strict=True) for key in a)


def test_scattered_tensors_are_no_views() -> None:
    made = plan(net(GROUPED))
    state = build(made.network).state_dict()
    before = {name: tensor.clone() for name, tensor in state.items()}
    for tensor in scatter(made, state, 0).values():
        tensor.zero_()
    assert all(torch.equal(state[name], before[name]) for name in state)


# --- what is refused ----------------------------------------------------------------------------


def refusal(text: str, columns: int = 2) -> str:
    with pytest.raises(NetworkError) as caught:
        plan(net(text), columns)
    return str(caught.value)


def test_a_network_that_is_in_columns_already() -> None:
    with pytest.raises(NetworkError) as caught:
        plan(nettally.read("alexnet-two-column"))
    assert str(caught.value).partition(": ")[2] == (
        "alexnet-two-column is described in columns already, and would be split once more\n"
        "  values: pool2 joins pool2a and pool2b, which come of equal layers\n"
        "  try: the same network with its columns as groups of one layer, as 'alexnet' is that of "
        "'alexnet-two-column'"
    )


def test_a_convolution_summed_over_two_columns() -> None:
    text = """
input: 3x9x9
layers:
  - a: conv 4, 3x3 from data
  - b: conv 4, 3x3 from data
  - sum: {layer: conv_sum, parts: ['conv 8, 3x3', 'conv 8, 3x3'], from: [a, b]}
"""
    assert "sum joins a and b, which come of equal layers" in refusal(text)


def test_groups_that_can_not_be_dealt() -> None:
    text = "input: 6x9x9\nlayers:\n  - wide: conv 6, 3x3\n  - odd: conv 6, 3x3, groups 3\n"
    assert refusal(text) == (
        "net.yaml:6: odd: its groups can't be dealt to 2 columns\n"
        "  values: groups 3, columns 2\n"
        "  try: as many columns as there are groups, or a divisor of that number"
    )


def test_nothing_to_split() -> None:
    text = "input: 3x9x9\nlayers:\n  - a: conv 5, 3x3\n  - b: linear 7\n  - c: linear 10\n"
    assert refusal(text) == (
        "net.yaml:1: net has no layer whose filters can be dealt to 2 columns\n"
        "  values: a has 5 filters; b has 7 features; c has 10 features, the last, which each "
        "column computes whole\n"
        "  try: a number of columns that divides the filters"
    )
    assert "no convolution and no fully connected layer" in refusal(
        "input: 3x9x9\nlayers:\n  - a: relu\n"
    )


def test_other_refusals() -> None:
    assert "at least 2\n  values: columns 1" in refusal(GROUPED, 1)
    drawn = "input: 4x8x8\nlayers:\n  - a: stochastic_pool 2x2\n  - b: conv 4, 3x3\n"
    assert refusal(drawn) == (
        "net.yaml:5: a: each column would draw for itself what all must have alike\n"
        "  values: stochastic_pool of a value that every column holds\n"
        "  try: another kind of pooling there"
    )
    twins = """
input: 8
layers:
  - a: linear 8
  - b: linear 8, weights a
"""
    assert refusal(twins) == (
        "net.yaml:7: b: what it shares can't be split with it\n"
        "  values: 'weight' is a.weight, of which the columns have another share\n"
        "  try: one process, or data-parallel ones"
    )
    opaque = "input: 4x8x8\nlayers:\n  - a: {layer: opaque, type: Custom, size: [4, 8, 8]}\n"
    assert "layers that are not known, and can't be built" in refusal(opaque)


def test_a_column_without_its_process() -> None:
    made = plan(net(GROUPED))
    with pytest.raises(NetworkError) as caught:
        build_column(made, 0)
    assert str(caught.value) == (
        "2 columns need 2 processes that know each other\n"
        "  try: torchrun --nproc-per-node 2 -m nettally train …"
    )
    alone = build(made.local)
    with pytest.raises(NetworkError) as caught:
        alone(torch.zeros(1, 3, 17, 17))
    assert str(caught.value) == (
        "sum_of_gradients: this column has no link to the others\n"
        "  try: build it by build_column, in a process of its own"
    )
    with pytest.raises(NetworkError, match="this module exchanges nothing"):
        traffic_of(alone)


def test_a_rank_that_is_another(two: Ranks) -> None:
    zero, one = two(wrong_rank)
    assert zero == (
        "2 columns need 2 ranks, one each\n"
        "  values: rank 1 of 2 asked for, this process is rank 0\n"
        "  try: torchrun --nproc-per-node 2 -m nettally train …"
    )
    assert "this process is rank 1" in one


def test_tensors_that_are_not_the_network_s() -> None:
    made = plan(net(GROUPED))
    state = build(made.network).state_dict()
    parts = [scatter(made, state, rank) for rank in range(2)]
    with pytest.raises(NetworkError) as caught:
        scatter(made, {"conv1.weights": state["conv1.weight"]}, 0)
    assert str(caught.value) == (
        "net has no tensor 'conv1.weights'\n  try: did you mean 'conv1.weight'?"
    )
    with pytest.raises(NetworkError) as caught:
        scatter(made, {"conv1.bias": torch.zeros(4)}, 0)
    assert str(caught.value) == (
        "conv1.bias is not of the shape that it has in net\n  values: (4,) given, (8,) expected"
    )
    with pytest.raises(NetworkError, match=r"\(8,\) given, \(4,\) expected"):
        gather(made, [{"conv1.bias": state["conv1.bias"]}] * 2)
    with pytest.raises(NetworkError, match=r"net stands in 2 columns\n  values: 1 given"):
        gather(made, parts[:1])
    with pytest.raises(NetworkError, match=r"fc6.bias: not all columns.*\n.*missing on rank 1"):
        gather(made, [{"fc6.bias": parts[0]["fc6.bias"]}, {}])


def test_columns_that_have_drifted_apart() -> None:
    made = plan(net(GROUPED))
    state = {"fc7.bias": torch.arange(10.0)}
    parts = [scatter(made, state, rank) for rank in range(2)]
    parts[1]["fc7.bias"][3] += 0.25
    with pytest.raises(NetworkError) as caught:
        gather(made, parts)
    assert str(caught.value) == (
        "fc7.bias: all columns hold it, and they no longer agree\n"
        "  values: rank 1 is 0.25 away from rank 0, the largest value 9\n"
        "  try: begin from one state on all ranks, and give all the same batch"
    )
    assert gather(made, parts, tolerance=0.1)["fc7.bias"].tolist() == list(range(10))


# --- the processes of these tests; last, since it ends them -------------------------------------


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (leaves, "rank 1 fails: (.|\n)*this rank has left"),
        (sleeps, "rank 1 hangs: no answer in 2 s"),
    ],
)
def test_processes_that_fail_or_hang_are_ended(two: Ranks, task: Any, said: str) -> None:
    two(wrong_rank)  # they are there
    two.seconds = 2
    with pytest.raises(AssertionError, match=said):
        two(task)
    assert not two.alive
