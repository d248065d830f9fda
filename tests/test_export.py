"""Exported ONNX files: they tally as the network does, and compute what its module computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch.nn import functional

from nettally import Network, Node, build, read, tally
from nettally.building.weights import load
from nettally.errors import NettallyError, NetworkError
from nettally.exporting import wire
from nettally.exporting.export import export, write_onnx
from nettally.formats import Source, native
from nettally.formats.zoo import names
from nettally.layers import layer_class
from strategies import CASES, Case

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

REFUSED = {
    "rnn", "gru", "lstm", "elman", "conv_elman", "conv_lstm", "detect", "experts", "rotary",
    "selective_scan", "state_space", "delta_rule", "wkv", "grouped_linear", "hyper_connection",
    "compress",
}  # fmt: skip
"""Kinds that are never exported."""

SOMETIMES = {"pointwise", "reduce", "recolor", "lp_pool", "conv_transpose", "batch_norm",
             "attention", "einsum", "reshape"}  # fmt: skip
"""Kinds of which some forms are refused, saying why."""


def fits(kind: str, layer: Any) -> bool:
    return not (kind == "pointwise" and layer.function == "acosh")  # which begins at 1


POSITIVE = {"log", "sqrt", "power", "pointwise", "reduce"}
"""Kinds of which some are not defined below zero."""


def counts(network: Network) -> tuple[int, int, list[Any]]:
    """What must be the same: parameters, multiply-accumulates, the outputs' shapes."""
    counted = tally(network)
    shapes = {row.name: row.shape for row in counted.rows} | dict(network.inputs)
    outputs = [tuple(map(int, shapes[name] or ())) for name in network.outputs]
    return int(counted.parameters), int(counted.macs), outputs


def one_layer(case: Case) -> Network:
    layer, xs = case
    inputs = {f"x{i}": x for i, x in enumerate(xs)}
    return Network("one", inputs, (Node("y", layer, tuple(inputs)),))


class LRN(OpRun):
    """As ONNX's text has it; onnx 1.23's own takes the batch for the channels."""

    op_domain = ""

    def _run(self, x: Any, **given: Any) -> Any:
        size, channels = int(given["size"]), x.shape[1]
        sums = np.zeros_like(x)
        for c in range(channels):
            start, stop = c - (size - 1) // 2, c + -(-(size - 1) // 2) + 1
            sums[:, c] = (x[:, max(start, 0) : stop] ** 2).sum(axis=1)
        alpha, bias, beta = (np.float32(given[name]) for name in ("alpha", "bias", "beta"))
        return (x / (bias + alpha / np.float32(size) * sums) ** beta,)


class MaxPool(OpRun):
    """By torch; onnx 1.23's own fails for one axis with pads."""

    op_domain = ""

    def _run(self, x: Any, **given: Any) -> Any:
        axes = x.ndim - 2
        pads = list(map(int, given.get("pads") or [0] * 2 * axes))
        sides = [p for axis in reversed(range(axes)) for p in (pads[axis], pads[axis + axes])]
        padded = functional.pad(torch.from_numpy(x.copy()), sides, value=-np.inf)
        kernel, strides, dilations = (
            tuple(map(int, given.get(name) or [1] * axes))
            for name in ("kernel_shape", "strides", "dilations")
        )
        pool = getattr(functional, f"max_pool{axes}d")
        return (pool(padded, kernel, strides, 0, dilations).numpy(),)


class ConvTranspose(OpRun):
    """By torch; onnx 1.23's own does not know groups."""

    op_domain = ""

    def _run(self, x: Any, w: Any, b: Any = None, **given: Any) -> Any:
        axes = x.ndim - 2
        function = getattr(functional, f"conv_transpose{axes}d")
        whole = function(
            torch.from_numpy(x),
            torch.from_numpy(w.copy()),
            None if b is None else torch.from_numpy(b.copy()),
            stride=tuple(map(int, given["strides"])),
            groups=int(given["group"]),
            dilation=tuple(map(int, given["dilations"])),
        ).numpy()
        pads = [int(p) for p in given.get("pads") or [0] * 2 * axes]
        more = [int(p) for p in given.get("output_padding") or [0] * axes]
        fill = np.zeros(w.shape[1] * int(given["group"]), np.float32) if b is None else b
        for axis in range(axes):
            extra = np.broadcast_to(
                fill.reshape(1, -1, *[1] * axes),
                (*whole.shape[: axis + 2], more[axis], *whole.shape[axis + 3 :]),
            )
            whole = np.concatenate([whole, extra], axis + 2)
            whole = whole.take(
                range(pads[axis], whole.shape[axis + 2] - pads[axis + axes]), axis + 2
            )
        return (whole.astype(np.float32),)


def evaluated(path: str, given: dict[str, Any]) -> list[Any]:
    """What a file computes: by onnxruntime where it is installed, else by onnx's own evaluator."""
    if onnxruntime is not None:
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, quiet, providers=["CPUExecutionProvider"])
        return session.run(None, given)
    model = onnx.load(path)
    return list(ReferenceEvaluator(model, new_ops=[LRN, MaxPool, ConvTranspose]).run(None, given))


def values_for(kind: str, place: int, x: tuple[int, ...], network: Network) -> torch.Tensor:
    layer: Any = network.nodes[0].layer
    if kind == "embedding":
        return torch.randint(layer.rows, x).float()
    if kind == "gather" and place == 1:
        return torch.randint(int(network.inputs["x0"][layer.axis]), x).float()
    return torch.rand(x) * 0.8 + 0.1 if kind in POSITIVE else torch.randn(x)


def jolt(module: torch.nn.Module) -> None:
    """Values that show it where one is left out, or taken for another."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5) if "var" in name else tensor.normal_(0.2, 0.5)


def refused(network: Network, module: Any, path: str) -> str:
    """Why the network can't be exported; nothing where it was."""
    try:
        write_onnx(network, module, path)
    except NetworkError as error:
        return error.values
    return ""


@pytest.mark.parametrize("kind", sorted(CASES))
def test_each_kind_of_layer_computes_and_counts_the_same(kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "one.onnx")
    exported = []

    @given(CASES[kind])
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    def check(case: Case) -> None:
        assume(fits(kind, case[0]))
        network = one_layer(case)
        module = build(network).eval()
        jolt(module)
        refusal = refused(network, module, path)
        if refusal:
            assert kind in REFUSED | SOMETIMES, refusal
            assert f"y ({kind}): " in refusal
            return
        exported.append(case)
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        given = [
            values_for(kind, i, tuple(map(int, x)), network)
            for i, x in enumerate(network.inputs.values())
        ]
        with torch.no_grad():
            expected = module(*[each.clone() for each in given])
        feeds = {f"x{i}": each.numpy() for i, each in enumerate(given)}
        (found,) = evaluated(path, feeds)
        assert found.shape == tuple(expected.shape)
        # the maximum of nothing is the least number to some programs, and -inf to others
        wanted = expected.detach().clamp(min=torch.finfo(torch.float32).min).numpy()
        found = np.maximum(found, np.finfo(np.float32).min)
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)
        sizes = dict(network.inputs)
        assert counts(read(path, inputs=sizes)) == counts(network)

    check()
    assert bool(exported) != (kind in REFUSED)


# --- whole networks -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_the_zoo_tallies_the_same(name: str, tmp_path: Path) -> None:
    network = read(name)
    path = str(tmp_path / "net.onnx")
    with torch.device("meta"):
        module = build(network)
    module.to_empty(device="cpu")  # whatever the values are; to draw them takes longer
    size = write_onnx(network, module, path)
    assert size == Path(path).stat().st_size
    exported = read(path)
    assert counts(exported) == counts(network)
    assert exported.outputs == network.outputs
    assert list(exported.inputs) == list(network.inputs)
    counted, found = tally(network), tally(exported)
    # LeNet's subsampling, which has weights, is ONNX's mean, a product and a sum
    assert (int(found.neurons) == int(counted.neurons)) == (name != "lenet-5")
    theirs = {row.name: row for row in tally(exported).rows}
    for row in tally(network).rows:  # each layer keeps its name, and what it gives
        assert theirs[row.name].shape == row.shape
    if int(counted.parameters) > 100_000_000 and name != "vgg-16":
        return  # half a gigabyte each, and no layer of another kind
    model = onnx.load(path)
    onnx.checker.check_model(model)
    sizes = {info.name: info.type for info in (*model.graph.value_info, *model.graph.output)}
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    assert set(sizes) == {node.name for node in network.nodes}
    for info in (*inferred.value_info, *inferred.output):
        if info.name in sizes:
            assert info.type == sizes[info.name], info.name


SMALL = """
nettally: 1
name: small
input: 3x13x13
layers:
  - conv1: conv 6, 3x3, stride 2, padding 0x0:1
  - norm1: lrn 3, groups 2, k 2, alpha 0.01
  - pool1: max_pool 3x3, stride 2, rounding up
  - relu1: relu
  - conv2: conv 8, 3x3, padding 1, groups 2, no bias
  - bn2: batch_norm, no weight
  - drop: dropout 0.3
  - fc: linear 5
  - prob: softmax
"""


def small(text: str = SMALL) -> tuple[Network, Any]:
    torch.manual_seed(1)
    network = native.read(Source("small.yaml", text.encode()))
    module = build(network).eval()
    jolt(module)
    return network, module


def test_a_small_alexnet_computes_the_same_for_any_batch(tmp_path: Path) -> None:
    network, module = small()
    path = str(tmp_path / "small.onnx")
    write_onnx(network, module, path)
    assert counts(read(path)) == counts(network)
    for batch in (1, 4):
        x = torch.randn(batch, 3, 13, 13)
        (found,) = evaluated(path, {"data": x.numpy()})
        np.testing.assert_allclose(found, module(x.clone()).detach().numpy(), rtol=1e-4)
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["N", 3, 13, 13]


def test_names_are_those_of_the_nodes_and_tensors_of_the_module(tmp_path: Path) -> None:
    network, module = small()
    path = str(tmp_path / "small.onnx")
    write_onnx(network, module, path)
    graph = onnx.load(path).graph
    made = {output for node in graph.node for output in node.output}
    assert {node.name for node in network.nodes} <= made
    held = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for name, tensor in module.state_dict().items():
        if not name.endswith("batches_tracked"):
            assert held[name] == tuple(tensor.shape)


def test_the_same_network_is_the_same_bytes(tmp_path: Path) -> None:
    network, module = small()
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path in paths:
        write_onnx(network, module, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]
    with torch.no_grad():
        module.fc.bias[0] += 1
    write_onnx(network, module, paths[1])
    assert paths[0].read_bytes() != paths[1].read_bytes()


def test_a_shared_tensor_is_in_the_file_once_and_counted_once(tmp_path: Path) -> None:
    layer = layer_class("conv")(4, 3, padding=1)
    nodes = (Node("a", layer, ("x",)), Node("b", layer, ("a",), {"weight": "a.weight"}))
    network = Network("twice", {"x": (1, 4, 6, 6)}, nodes)
    module = build(network).eval()
    path = str(tmp_path / "twice.onnx")
    write_onnx(network, module, path)
    held = [tensor.name for tensor in onnx.load(path).graph.initializer]
    assert held == ["a.weight", "a.bias", "b.bias"]
    assert counts(read(path)) == counts(network)


def test_sums_and_tables_do_not_lose_what_others_share(tmp_path: Path) -> None:
    conv = layer_class("conv")
    total = layer_class("conv_sum")(parts=(conv(4, 3, padding=1), conv(4, 3, padding=1)))
    nodes = (
        Node("a", total, ("x", "x")),
        Node("b", conv(4, 3, padding=1), ("a",), {"weight": "a.weight0"}),
    )
    network = Network("twice", {"x": (1, 4, 6, 6)}, nodes)
    path = str(tmp_path / "twice.onnx")
    write_onnx(network, build(network), path)
    assert counts(read(path)) == counts(network)
    table = layer_class("conv_map")(kernel=3, table=((0,), (1,)), padding=1)
    nodes = (Node("a", table, ("x",)), Node("b", table, ("a",), {"weight": "a.weight"}))
    network = Network("tables", {"x": (1, 2, 6, 6)}, nodes)
    refusal = refused(network, build(network), path)
    assert refusal.count("its weights are cut to pieces there, and another layer has them") == 2


@pytest.mark.parametrize("name", ["a/b", "\x1b[31mred", "<script>", "a\nb", "é漢"])
def test_odd_names_are_written_and_read(name: str, tmp_path: Path) -> None:
    layer = layer_class("linear")(3)
    network = Network("odd", {"x": (1, 4)}, (Node(name, layer, ("x",)),))
    path = str(tmp_path / "odd.onnx")
    write_onnx(network, build(network), path)
    assert onnx.load(path).graph.node[-1].name == name
    assert counts(read(path)) == counts(network)


def test_a_name_that_a_tensor_has_is_kept_for_the_layer(tmp_path: Path) -> None:
    linear = layer_class("linear")(4)
    nodes = (Node("a", linear, ("x",)), Node("a.weight", linear, ("a",)))
    network = Network("clash", {"x": (1, 4)}, nodes)
    path = str(tmp_path / "clash.onnx")
    write_onnx(network, build(network), path)
    graph = onnx.load(path).graph
    assert [node.name for node in graph.node] == ["a", "a.weight"]
    assert len({tensor.name for tensor in graph.initializer} & {"a", "a.weight"}) == 0
    onnx.checker.check_model(path, full_check=True)


# --- what can't be ------------------------------------------------------------------------------


def test_all_that_cannot_be_exported_is_listed(tmp_path: Path) -> None:
    gru, power = layer_class("gru")(3), layer_class("lp_pool")(1, power=1.5)
    nodes = (Node("g", gru, ("x",)), Node("p", power, ("y",)))
    network = Network("odd", {"x": (1, 5, 4), "y": (1, 2, 3, 3)}, nodes, ("g", "p"))
    path = tmp_path / "odd.onnx"
    with pytest.raises(NetworkError) as caught:
        write_onnx(network, build(network), path)
    assert caught.value.what == "odd has layers that ONNX files can't have as they are"
    assert caught.value.values.splitlines() == [
        "g (gru): this kind of layer is not exported",
        "    p (lp_pool): ONNX has whole powers only, and this one is 1.5",
    ]
    assert caught.value.hint == "-o weights.safetensors writes the values alone"
    assert not path.exists()


def test_a_batch_norm_of_the_batch_at_hand_is_refused(tmp_path: Path) -> None:
    network = one_layer((layer_class("batch_norm")(statistics=False), ((1, 3, 4, 4),)))
    with pytest.raises(NetworkError) as caught:
        write_onnx(network, build(network), tmp_path / "x.onnx")
    assert "it normalises by the batch at hand, in use too" in str(caught.value)


def test_values_that_are_not_there_are_refused(tmp_path: Path) -> None:
    network, _ = small()
    with torch.device("meta"):
        module = build(network)
    with pytest.raises(NetworkError) as caught:
        write_onnx(network, module, tmp_path / "x.onnx")
    assert "conv1 (conv): its tensors have no values (they are on torch's meta" in str(caught.value)


def test_another_ending_is_refused_by_name(tmp_path: Path) -> None:
    network, module = small()
    with pytest.raises(NettallyError) as caught:
        export(network, module, tmp_path / "net.pb")
    assert str(caught.value).splitlines() == [
        "a network is exported as .onnx or .safetensors",
        "  values: '.pb'",
        "  try: -o net.onnx, or -o weights.safetensors",
    ]


def test_a_file_of_2_gib_is_refused_before_it_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, module = small()
    size = write_onnx(network, module, tmp_path / "fits.onnx")
    monkeypatch.setattr(wire, "MOST", size)
    write_onnx(network, module, tmp_path / "fits.onnx")
    monkeypatch.setattr(wire, "MOST", size - 1)
    with pytest.raises(NettallyError) as caught:
        write_onnx(network, module, tmp_path / "large.onnx")
    assert caught.value.what == "an ONNX file holds less than 2 GiB"
    assert caught.value.values == f"this one would have {size:,} bytes"
    assert not (tmp_path / "large.onnx").exists()


def test_the_limit_is_that_of_protocol_buffers() -> None:
    assert wire.MOST == 2**31 - 1


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    network, module = small()
    with pytest.raises(NettallyError) as caught:
        write_onnx(network, module, tmp_path / "none" / "x.onnx")
    assert caught.value.what == "can't write the file: No such file or directory"


# --- the parts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (-1, "ff" * 9 + "01")],
)
def test_varints_are_those_of_the_encoding_guide(value: int, expected: str) -> None:
    assert wire.varint(value).hex() == expected


def test_weights_are_written_under_the_nodes_names(tmp_path: Path) -> None:
    network, module = small()
    path = tmp_path / "weights.safetensors"
    assert export(network, module, path) == path.stat().st_size
    other = build(network).eval()
    load(other, path)
    x = torch.randn(2, 3, 13, 13)
    assert torch.equal(module(x.clone()), other(x.clone()))


class Halved(torch.nn.Module):
    """The dropout of 2012: in use, every value by half."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.training else x * 0.5


def test_a_dropout_that_does_something_in_use_is_written_so(tmp_path: Path) -> None:
    network, module = small()
    module.drop = Halved().eval()
    path = str(tmp_path / "x.onnx")
    write_onnx(network, module, path)
    x = torch.randn(2, 3, 13, 13)
    (found,) = evaluated(path, {"data": x.numpy()})
    np.testing.assert_allclose(found, module(x.clone()).detach().numpy(), rtol=1e-4)
    module.drop = torch.nn.Tanh()
    with pytest.raises(NetworkError, match=r"does in use is no factor"):
        write_onnx(network, module, path)


def test_a_batch_that_is_part_of_a_view_is_fixed(tmp_path: Path) -> None:
    view = layer_class("reshape")((2, 12), whole=True)
    network = Network("fixed", {"x": (2, 3, 4)}, (Node("v", view, ("x",)),))
    path = str(tmp_path / "x.onnx")
    write_onnx(network, build(network), path)
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [2, 3, 4]
    assert counts(read(path)) == counts(network)


# --- what the reader is told ----------------------------------------------------------------------


def test_the_note_of_what_is_learned_is_heeded_and_others_are_not(tmp_path: Path) -> None:
    layer = layer_class("combine")("multiply", (3, 1, 1), learned=False)
    network = one_layer((layer, ((1, 3, 2, 2),)))
    path = str(tmp_path / "x.onnx")
    write_onnx(network, build(network), path)
    model = onnx.load(path)
    assert {each.key: each.value for each in model.metadata_props} == {
        "nettally.learned:y.weight": "false"
    }
    assert int(tally(read(path)).parameters) == 0
    for value in ("maybe", "", "true" * 9):  # which says nothing
        model.metadata_props[0].value = value
        onnx.save(model, path)
        assert int(tally(read(path)).parameters) == 3
    model.metadata_props[0].value = "true"
    onnx.save(model, path)
    assert int(tally(read(path)).parameters) == 3


def test_two_alike_norms_of_which_one_is_learned_are_told_apart(tmp_path: Path) -> None:
    plain, learned = layer_class("batch_norm")(weight=False), layer_class("batch_norm")()
    nodes = (
        Node("a", plain, ("x",)),
        Node("b", learned, ("a",)),
        Node("c", plain, ("b",)),
        Node("d", learned, ("c",)),
    )
    network = Network("norms", {"x": (1, 3, 4, 4)}, nodes)
    path = str(tmp_path / "x.onnx")
    write_onnx(network, build(network), path)
    exported = read(path)
    assert [node.layer for node in exported.nodes] == [node.layer for node in nodes]
    assert counts(exported) == counts(network)


def test_cuda_convnet_nets_of_the_corpus_are_exported(corpus: Path, tmp_path: Path) -> None:
    """Layer files of the 2012 code and of its CIFAR nets: grouped, local, with odd norms."""
    found, seen = 0, set[bytes]()
    for file in sorted((corpus / "cuda-convnet").rglob("*.cfg")):
        data = file.read_bytes()
        if data in seen or file.name.startswith("layer-params"):
            continue
        seen.add(data)
        try:
            network = read(str(file))
            if int(tally(network).parameters) > 10_000_000:
                continue  # the same kinds of layers, and slower
            with torch.device("meta"):
                module = build(network)
        except NettallyError:
            continue
        path = str(tmp_path / "x.onnx")
        assert not refused(network, module.to_empty(device="cpu"), path), file
        assert counts(read(path)) == counts(network), file
        found += 1
    assert found >= 4
