"""Networks as torch modules: what is built tallies as what was read, and computes."""

from __future__ import annotations

import copy
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import nettally
from corpus_table import asked, load
from nettally.building.build import RULES, Built, build, places
from nettally.counting.tally import tally
from nettally.errors import LayerError, NetworkError
from nettally.formats import Source, caffe, cuda_convnet, native, read, zoo
from nettally.network import Network

EXPECTED = {kind: lines for kind, lines in load().items() if kind != "malformed"}

NO_MODULE = (*RULES, "roi_pool")
"""Kinds of which no module is made: their layers do not say how values are chosen."""

NO_FUNCTION = ("clip", "quantize", "dequantize")
"""Functions of ``pointwise`` whose settings (limits, scales) no layer keeps."""


def refused(network: Network) -> bool:
    return any(
        node.layer.kind in NO_MODULE
        or (node.layer.kind == "pointwise" and node.layer.fields()["function"] in NO_FUNCTION)
        for node in network.nodes
    )


def facts(network: Network) -> dict[str, Any]:
    counted = tally(network)
    shapes = {**network.inputs, **{row.name: row.shape for row in counted.rows}}
    return {
        "parameters": counted.parameters,
        "macs": counted.macs,
        "outputs": [tuple(map(int, shapes[name] or ())) for name in network.outputs],
    }


def differences(network: Network) -> dict[str, Any]:
    """What a network's module tallies as and the network does not; both figures of each."""
    with torch.device("meta"):
        module = build(network)
    again = facts(read(module, [tuple(shape) for shape in network.inputs.values()]))
    return {
        name: (figure, again[name])
        for name, figure in facts(network).items()
        if figure != again[name]
    }


def native_net(text: str) -> Network:
    return native.read(Source("net.yaml", f"nettally: 1\n{text}".encode()))


# --- the law ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", zoo.names())
def test_what_is_built_of_the_zoo_tallies_the_same(name: str) -> None:
    assert differences(read(name)) == {}


@pytest.mark.parametrize("kind", EXPECTED)
def test_what_is_built_of_collected_files_tallies_the_same(corpus: Path, kind: str) -> None:
    wrong: dict[str, Any] = {}
    seen = Counter[str]()
    for key, line in EXPECTED[kind].items():
        if line.startswith("refused") or "at least" in line:
            continue
        path, inputs, options = asked(key)
        network = read(str(corpus / kind / path), inputs=inputs or None, options=options)
        if refused(network):
            seen["refused"] += 1
            with pytest.raises((NetworkError, LayerError), match=r"can't be built|no (torch )?mod"):
                build(network)
            continue
        seen["built"] += 1
        if found := differences(network):
            wrong[key] = found
    assert not wrong
    if kind != "onnx-node-tests":  # which are of every operation that there is
        assert seen["refused"] <= seen["built"] // 5, seen


def test_the_law_above_can_fail() -> None:
    """Built of another network, the figures differ, and are told."""
    network = read("lenet-5")
    with torch.device("meta"):
        module = build(read("alexnet"))
    assert facts(read(module, [(1, 3, 224, 224)])) != facts(network)


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", zoo.names())
def test_parameters_bear_the_names_of_the_nodes(name: str) -> None:
    network = read(name)
    with torch.device("meta"):
        module = build(network)
    expected: dict[str, tuple[int, ...]] = {}
    for row in tally(network).rows:
        where = places(module.module_of(row.name))
        for tensor, shape in (row.parameters or {}).items():
            expected[f"{row.name}.{where.get(tensor, tensor)}"] = tuple(map(int, shape))
    # a shared parameter has one entry there, and one for each user here
    found = {key: tuple(p.shape) for key, p in module.named_parameters(remove_duplicate=False)}
    assert found == expected
    assert not module.renamed


def test_dotted_names_nest_and_refused_names_are_mapped() -> None:
    network = native_net("""
input: 3x8x8
layers:
  - a.conv: conv 4, 3x3
  - a.conv.norm: batch_norm
  - type: relu
  - a.weight: relu
  - a: conv 4, 1x1
""")
    module = build(network)
    assert dict(module.renamed) == {"type": "type_", "a": "a_"}
    assert module.names["a.conv.norm"] == "a.conv.norm"
    assert set(module.state_dict()) >= {"a.conv.weight", "a.conv.norm.running_mean", "a_.bias"}
    assert isinstance(module.module_of("a"), nn.Conv2d)
    assert module(torch.zeros(2, 3, 8, 8)).shape == (2, 4, 6, 6)


def test_a_replaced_module_is_the_one_that_runs() -> None:
    module = build(native_net("input: 3x4x4\nlayers:\n  - conv: conv 2, 1x1\n  - relu: relu\n"))
    module.conv = nn.Conv2d(3, 7, 1)
    assert module(torch.zeros(1, 3, 4, 4)).shape == (1, 7, 4, 4)


# --- inputs and outputs -------------------------------------------------------------------------

TWO = """
input:
  image: 3x8x8
  mask: 4x6x6
layers:
  - conv: conv 4, 3x3 from image
  - product: multiply from conv, mask
  - pool: global_average_pool from product
  - low: linear 3 from pool
  - high: linear 2 from pool
outputs: [high, low]
"""


def test_several_inputs_and_outputs() -> None:
    module = build(native_net(TWO))
    image, mask = torch.rand(2, 3, 8, 8), torch.rand(2, 4, 6, 6)
    high, low = module(image, mask)
    assert module.inputs == ("image", "mask")
    assert module.outputs == ("high", "low")
    assert (high.shape, low.shape) == ((2, 2), (2, 3))
    expected = module.low((module.conv(image) * mask).mean((2, 3)))
    torch.testing.assert_close(low, expected)
    for given in (module(image, mask=mask), module(mask=mask, image=image)):
        torch.testing.assert_close(given[0], high)


@pytest.mark.parametrize(
    ("inputs", "named"), [((0,), {}), ((0, 0, 0), {}), ((0,), {"image": 0}), ((), {"x": 0})]
)
def test_other_inputs_are_refused(inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
    module = build(native_net(TWO))
    with pytest.raises(NetworkError, match=r"net takes 2 input\(s\)(?s:.*)image, mask; given: "):
        module(*inputs, **named)


def test_an_input_may_be_an_output() -> None:
    network = native_net("input: 3x4x4\nlayers:\n  - relu: relu\n")
    name = next(iter(network.inputs))
    module = build(network.replace(outputs=("relu", name)))
    x = torch.randn(1, 3, 4, 4)
    relu, same = module(x)
    assert torch.equal(same, x)
    assert torch.equal(relu, x.relu())


def test_the_batch_may_be_another_and_a_copy_is_apart() -> None:
    module = build(read("lenet-5")).eval()
    x = torch.rand(3, 1, 32, 32)
    twin = copy.deepcopy(module)
    torch.testing.assert_close(twin(x), module(x))
    with torch.no_grad():
        next(twin.parameters()).zero_()
    assert not torch.equal(twin(x), module(x))


# --- values on the way --------------------------------------------------------------------------

SMALL = """
input: 3x8x8
layers:
  - conv: conv 4, 3x3
  - relu: relu
  - pool: max_pool 2x2, stride 2
  - fc: linear 5
  - relu2: relu
"""


def test_relus_write_over_what_only_they_read() -> None:
    module = build(native_net(SMALL))
    assert module.relu.inplace
    assert module.relu2.inplace
    kept = build(native_net(SMALL), inplace=False)
    assert not kept.relu.inplace
    kept.load_state_dict(module.state_dict())
    x = torch.randn(2, 3, 8, 8)
    gradients = [
        torch.autograd.grad(each(x).square().sum(), [*each.parameters()]) for each in (module, kept)
    ]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)
    twice = SMALL + "  - again: add from relu2, fc\n"
    assert not build(native_net(twice)).relu2.inplace
    assert not build(native_net(SMALL + "outputs: [fc, relu2]\n")).relu2.inplace


def test_values_of_any_layer() -> None:
    module = build(native_net(SMALL))
    x = torch.randn(2, 3, 8, 8)
    name = module.inputs[0]
    found = module.values(x, of=["relu", "conv", name])
    assert list(found) == ["relu", "conv", name]
    torch.testing.assert_close(found["conv"], module.conv(x))  # and not what the relu made of it
    torch.testing.assert_close(found["relu"], module.conv(x).relu())
    with pytest.raises(NetworkError, match=r"net has no layer 'conv9'(?s:.*)did you mean 'conv'"):
        module.values(x, of=["conv9"])


# --- shared weights -----------------------------------------------------------------------------


def test_shared_weights_are_one_parameter() -> None:
    network = native_net("""
input: 4x6x6
layers:
  - a: conv 4, 3x3, padding 1
  - b: conv 4, 3x3, padding 1, weights a
  - norm: batch_norm
""")
    module = build(network)
    assert module.b.weight is module.a.weight
    assert module.b.bias is module.a.bias
    assert sum(p.numel() for p in module.parameters()) == tally(network).parameters
    x = torch.randn(1, 4, 6, 6)
    once = functional.conv2d(x, module.a.weight, module.a.bias, padding=1)
    twice = functional.conv2d(once, module.a.weight, module.a.bias, padding=1)
    torch.testing.assert_close(module.norm.eval()(twice), module.eval()(x))
    assert differences(network) == {}


CAFFE = """
name: "twins"
input: "left" input_shape { dim: 2 dim: 1 dim: 8 dim: 8 }
input: "right" input_shape { dim: 2 dim: 1 dim: 8 dim: 8 }
layer { name: "conv" type: "Convolution" bottom: "left" top: "conv"
  param { name: "w" } param { name: "b" }
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "conv_p" type: "Convolution" bottom: "right" top: "conv_p"
  param { name: "w" } param { name: "b" }
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "conv_p" top: "sum" }
"""


def test_caffes_siamese_networks_share_by_name() -> None:
    network = caffe.read(Source("twins.prototxt", CAFFE.encode()))
    module = build(network)
    assert module.conv_p.weight is module.conv.weight
    assert module.conv_p.bias is module.conv.bias
    assert differences(network) == {}


CONVNET = """
[data]
type=data
dataIdx=0
[a]
type=conv
inputs=data
channels=3
filters=16
filterSize=3
[b]
type=conv
inputs=data
channels=3
filters=16
filterSize=3
weightSource=a
[c]
type=conv
inputs=a,b
channels=16,16
filters=16,16
filterSize=3,3
weightSource=,c[0]
"""


def test_cuda_convnets_weight_source_keeps_the_bias_apart() -> None:
    source = Source("layers.cfg", CONVNET.encode(), {"": (3, 24, 24)})
    network = cuda_convnet.read(source)
    module = build(network)
    assert module.b.weight is module.a.weight
    assert module.b.bias is not module.a.bias
    assert module.c.parts[1].weight is module.c.parts[0].weight
    assert differences(network) == {}
    assert sum(p.numel() for p in module.parameters()) == tally(network).parameters


class Standardised(nn.Conv2d):
    """A weight that is computed of a parameter."""

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return functional.conv2d(input, weight, self.bias, padding=1)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Standardised(3, 4, 3)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.words = nn.Embedding(10, 4)
        self.out = nn.Linear(4, 10, bias=False)
        self.out.weight = self.words.weight

    def forward(self, image: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        x = self.again(self.again(self.first(image)))
        return self.out(x.mean((2, 3))), self.words(words)


def test_a_module_is_read_and_built_again() -> None:
    """Weights that are used twice, or in layers of two kinds, or computed."""
    kinds = [torch.float32, torch.int64]
    theirs = Tied()
    network = read(theirs, [(1, 3, 8, 8), (1, 5)], dtypes=kinds)
    ours = build(network)
    shared = {node.name: node for node in network.nodes if node.shared}
    assert len(shared) == 3, shared  # first's is computed; again's and the words' are used twice
    with torch.no_grad():
        by_shape = {tuple(p.shape): p for p in theirs.parameters()}
        ours.module_of("first").bias.copy_(theirs.first.bias)
        ours.module_of("again").load_state_dict(theirs.again.state_dict())
        ours.module_of("first.weight").weight.copy_(theirs.first.weight)
        ours.module_of("out").weight.copy_(by_shape[10, 4])
    image, words = torch.randn(2, 3, 8, 8), torch.randint(10, (2, 5))
    for a, b in zip(ours(image, words), theirs(image, words), strict=True):
        torch.testing.assert_close(a, b)
    sizes = [(1, 3, 8, 8), (1, 5)]
    assert facts(read(ours, sizes, dtypes=kinds)) == facts(network)


# --- what can't be ------------------------------------------------------------------------------


def test_layers_that_are_not_known_are_named() -> None:
    network = native_net("""
input: 3x8x8
layers:
  - conv: conv 4, 3x3
  - odd: opaque Wobble, size 4x6x6
  - odder: opaque Wibble, size 4x6x6
  - relu: relu
""")
    with pytest.raises(NetworkError) as caught:
        build(network)
    said = str(caught.value)
    assert said.startswith("net.yaml:6: net has layers that are not known, and can't be built")
    assert "values: odd (Wobble), odder (Wibble)" in said
    assert "docs/adding-a-layer.md" in said


class Shuffled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[torch.tensor([0]), :, torch.tensor([1])].sort(0).values.roll(1)


def test_rules_of_the_sources_own_are_named() -> None:
    network = read(Shuffled(), (1, 3, 4, 4))
    kinds = {node.layer.kind for node in network.nodes}
    assert kinds & set(RULES)
    with pytest.raises(NetworkError) as caught:
        build(network)
    said = str(caught.value)
    assert "Shuffled has layers of which only the sizes are known, and can't be built" in said
    assert re.search(r"values: \S+ \((arrange|procedure) \S+\)", said)


def test_a_layer_that_torch_has_not_is_named() -> None:
    with pytest.raises(LayerError) as caught:
        build(native_net("input: 3x4x4x4x4\nlayers:\n  - conv: conv 4, 1x1x1x1\n"))
    assert str(caught.value).startswith("net.yaml:4: conv: torch has no Conv over 4 axes of space")


# --- it computes --------------------------------------------------------------------------------

RUN = {
    "alexnet": None,
    "alexnet-two-column": None,
    "caffenet": None,
    "lenet-5": None,
    "nin": None,
    "squeezenet-1.1": None,
    "googlenet": None,
    "resnet-18": (3, 64, 64),
}
"""Nets of the zoo that are run, at their own size or a smaller one."""


@pytest.mark.parametrize("name", RUN)
def test_nets_of_the_zoo_run(name: str) -> None:
    torch.manual_seed(0)
    size = RUN[name]
    network = read(name) if size is None else read(name, inputs=size)
    counted = tally(network)
    shapes = {row.name: tuple(map(int, row.shape or ())) for row in counted.rows}
    module = build(network).eval()
    (shape,) = network.inputs.values()
    with torch.no_grad():
        made = module(torch.randn(2, *shape[1:]))
    made = made if isinstance(made, tuple) else (made,)
    assert [tuple(each.shape) for each in made] == [
        (2, *shapes[each][1:]) for each in network.outputs
    ]
    assert all(each.isfinite().all() for each in made)
    assert all(each.std() > 0 for each in made)


def test_every_size_on_the_way_is_the_tallied_one() -> None:
    network = read("lenet-5")
    (shape,) = network.inputs.values()
    names = [node.name for node in network.nodes]
    values = build(network).values(torch.randn(1, *shape[1:]), of=names)
    rows = tally(network).rows
    assert [tuple(values[row.name].shape) for row in rows] == [row.shape for row in rows]


def test_the_face_builds() -> None:
    module = nettally.build(nettally.read("lenet-5"))
    assert isinstance(module, Built)
    assert repr(module).startswith("Built(\n  lenet-5\n  (")


def test_a_state_goes_out_and_in() -> None:
    module, other = build(read("lenet-5")), build(read("lenet-5"))
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.rand(1, 1, 32, 32)
    assert torch.equal(other(x), module(x))
