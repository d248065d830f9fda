"""Weights in and out: safetensors, Caffe's trained nets, torchvision's AlexNet."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import safetensors.torch
import torch
from torch import Tensor

from caffe_files import encode, field
from nettally.building.build import Built, build
from nettally.building.weights import TORCHVISION_ALEXNET, Fit, Unlike, load, save
from nettally.errors import ReadError
from nettally.formats import Source, caffe, native, read
from nettally.formats.encodings.prototxt import parse
from nettally.network import Network
from torch_models import quiet, torchvision_ready

SHARED = """
input: 4x6x6
layers:
  - a: conv 4, 3x3, padding 1
  - b: conv 4, 3x3, padding 1, weights a
  - norm: batch_norm
  - fc: linear 3
"""


def net(text: str = SHARED) -> Network:
    return native.read(Source("net.yaml", f"nettally: 1\n{text}".encode()))


def changed(module: Built) -> Built:
    """The module with other values in each tensor, buffers too."""
    torch.manual_seed(7)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape).add_(0.5))
    return module


def same(a: Built, b: Built) -> bool:
    one, two = a.state_dict(), b.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


# --- safetensors --------------------------------------------------------------------------------


def test_safetensors_out_and_in(tmp_path: Path) -> None:
    module, other = changed(build(net())), build(net())
    path = tmp_path / "net.safetensors"
    save(module, path, metadata={"epoch": "3"})
    fit = load(other, path)
    assert fit.complete
    assert len(fit.loaded) == 9  # b's weight and bias are a's
    assert same(module, other)
    assert other.b.weight is other.a.weight
    assert [each.name for each in tmp_path.iterdir()] == ["net.safetensors"]


def test_their_reader_reads_what_we_write(tmp_path: Path) -> None:
    module = changed(build(net()))
    path = tmp_path / "net.safetensors"
    save(module, path)
    found = safetensors.torch.load_file(path)
    for name, tensor in found.items():
        assert torch.equal(tensor, module.state_dict()[name])
    twin = build(net())
    safetensors.torch.load_model(twin, path)  # which knows that b's are a's
    assert same(module, twin)


def test_we_read_what_they_write(tmp_path: Path) -> None:
    module, other = changed(build(net())), build(net())
    path = str(tmp_path / "net.safetensors")
    safetensors.torch.save_model(module, path)
    assert load(other, path).complete
    assert same(module, other)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_other_kinds_of_numbers_are_converted(tmp_path: Path, kind: torch.dtype) -> None:
    module = changed(build(net()))
    path = tmp_path / "net.safetensors"
    state = {name: tensor.to(kind) for name, tensor in module.state_dict().items()}
    save(state, path)
    assert {t.dtype for t in safetensors.torch.load_file(path).values()} == {kind}
    other = build(net())
    load(other, path)
    expected = state["fc.weight"].to(torch.float32)
    assert torch.equal(other.fc.weight, expected)
    assert other.fc.weight.dtype == torch.float32


def test_a_table_read_from_the_file_has_the_networks_parameters(tmp_path: Path) -> None:
    from nettally.counting.tally import tally

    path = tmp_path / "net.safetensors"
    save(dict(build(net()).named_parameters()), path)
    assert tally(read(str(path))).parameters == tally(net()).parameters


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"z": torch.zeros(2, dtype=torch.complex64)}, "'z' is of a kind that is not saved"),
        (None, "can't write the file: No such file or directory"),
    ],
)
def test_what_can_not_be_saved(
    tmp_path: Path, tensors: Mapping[str, Tensor] | None, said: str
) -> None:
    path = tmp_path / ("net.safetensors" if tensors else "no/net.safetensors")
    with pytest.raises(ReadError, match=said):
        save(tensors or {"x": torch.zeros(2)}, path)
    assert not list(tmp_path.iterdir())


def test_a_file_cut_off_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    module = build(net())
    path = tmp_path / "net.safetensors"
    save(changed(build(net())), path)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ReadError, match="the tensors lie beyond the end of the file"):
        load(module, path)
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError) as caught:
        load(build(net()), tmp_path / "x.pth")
    assert "weights are read from .safetensors and .caffemodel files" in str(caught.value)
    assert "torch.load(path, weights_only=True)" in str(caught.value)


# --- what does not fit --------------------------------------------------------------------------


def test_what_does_not_fit_is_listed_and_nothing_is_copied() -> None:
    module = build(net())
    before = module.a.bias.detach().clone()
    state = dict(changed(build(net())).state_dict())
    state["fc.weight"] = torch.zeros(5, 144)
    del state["norm.running_var"]
    state["extra.weight"] = torch.zeros(1)
    with pytest.raises(ReadError) as caught:
        load(module, state)
    assert str(caught.value).splitlines() == [
        "the weights do not fit the network",
        "  values: 9 tensors fit",
        "    fc.weight is 5x144, fc.weight is 3x144",
        "    norm.running_var has no values in the source",
        "    extra.weight of the source has no place",
        "  try: names={'theirs': 'ours'}, or strict=False for what does fit",
    ]
    assert torch.equal(module.a.bias, before)
    fit = load(module, state, strict=False)
    assert fit.missing == ("norm.running_var",)
    assert fit.unused == ("extra.weight",)
    assert fit.unlike == (Unlike("fc.weight", "fc.weight", (5, 144), (3, 144)),)
    assert not fit.complete
    assert torch.equal(module.a.bias, state["a.bias"])


def test_names_are_mapped_by_modules_and_by_tensors() -> None:
    module = build(net())
    state = {
        f"their.{name}" if name[0] == "a" else name: tensor
        for name, tensor in changed(build(net())).state_dict().items()
        if name[0] != "b"
    }
    state["last"] = state.pop("fc.bias")
    fit = load(module, state, names={"their.a": "a", "last": "fc.bias"})
    assert fit.complete
    assert ("their.a.weight", "a.weight") in fit.loaded
    assert str(fit) == f"{len(fit.loaded)} tensors fit"
    assert Fit((), (), (), ()).complete


# --- torchvision's AlexNet ----------------------------------------------------------------------


def test_torchvisions_alexnet_by_its_names() -> None:
    """Its weights, by the map, and then the same outputs and gradients as its own module."""
    torchvision_ready()
    with quiet():
        from torchvision.models import alexnet
    torch.manual_seed(0)
    theirs = alexnet(weights=None).eval()
    ours = build(read("alexnet-torchvision")).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=1e-3)
    fit = load(ours, theirs.state_dict())
    assert fit.complete
    assert dict(fit.loaded)["classifier.6.bias"] == "fc8.bias"
    assert len(fit.loaded) == 16
    x = torch.randn(2, 3, 224, 224)
    one, two = ours(x), theirs(x)
    torch.testing.assert_close(one, two, rtol=0, atol=1e-6)
    one.square().sum().backward()
    two.square().sum().backward()
    for name, other in TORCHVISION_ALEXNET.items():
        torch.testing.assert_close(
            ours.get_submodule(other).weight.grad, theirs.get_submodule(name).weight.grad
        )


def test_torchvisions_alexnet_does_not_fit_the_papers() -> None:
    torchvision_ready()
    with quiet(), torch.device("meta"):
        from torchvision.models import alexnet

        theirs = alexnet(weights=None)
        ours = build(read("alexnet"))
    with pytest.raises(
        ReadError, match=r"features\.0\.weight is 64x3x11x11, conv1\.weight is 96x3"
    ):
        load(ours, theirs.state_dict(), names=TORCHVISION_ALEXNET)


# --- Caffe's trained nets -----------------------------------------------------------------------

CAFFE = """
name: "small"
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 group: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "prelu" type: "PReLU" bottom: "conv" top: "conv" }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up"
        convolution_param { num_output: 2 kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "up" top: "fc"
        inner_product_param { num_output: 5 } }
"""
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "conv": [(4, 3, 3, 3), (4,)],
    "bn": [(4,), (4,), (1,)],
    "scale": [(4,), (4,)],
    "prelu": [(4,)],
    "up": [(4, 2, 2, 2), (2,)],
    "fc": [(5, 2 * 12 * 12), (5,)],
}


def described() -> Built:
    text = 'input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }' + CAFFE
    return build(caffe.read(Source("small.prototxt", text.encode())))


def values(name: str, index: int, shape: tuple[int, ...]) -> Tensor:
    torch.manual_seed(crc32(f"{name} {index}".encode()))
    return torch.rand(shape, dtype=torch.double).add_(0.5)


def stored(name: str, number: int, form: str) -> bytes:
    """A layer's tensors with their values, written by hand as Caffe's BlobProto says."""
    made: list[bytes] = []
    for i, shape in enumerate(SHAPES[name]):
        tensor = values(name, i, shape).flatten().tolist()
        if form == "old":  # four sizes
            four = (1,) * (4 - len(shape)) + shape
            head = b"".join(field(place + 1, size) for place, size in enumerate(four))
        else:
            head = field(7, b"".join(field(1, size) for size in shape))  # not packed
        if form == "double":
            body = field(8, struct.pack(f"<{len(tensor)}d", *tensor))
        elif form == "single":  # a field a value
            body = b"".join(b"\x2d" + struct.pack("<f", value) for value in tensor)
        else:
            body = field(5, struct.pack(f"<{len(tensor)}f", *tensor))
        made.append(field(number, head + body))
    return b"".join(made)


def written(tmp_path: Path, form: str, text: str = CAFFE) -> Path:
    path = tmp_path / "small.caffemodel"
    number = 6 if "layers" in parse("net", text) else 7
    weights = {name: stored(name, number, form) for name in SHAPES}
    path.write_bytes(encode(parse("net", text), weights=weights))
    return path


@pytest.mark.parametrize("form", ["packed", "single", "double", "old"])
def test_a_trained_net_of_caffes(tmp_path: Path, form: str) -> None:
    module = described()
    fit = load(module, written(tmp_path, form))
    assert fit.complete, str(fit)

    def expected(name: str, index: int) -> Tensor:
        return values(name, index, SHAPES[name][index]).float()

    for name in ("conv", "scale", "up", "fc"):
        inner = module.module_of(name)
        assert torch.equal(inner.weight, expected(name, 0)), name
        assert torch.equal(inner.bias, expected(name, 1)), name
    assert torch.equal(module.prelu.weight, expected("prelu", 0))
    factor = expected("bn", 2)
    torch.testing.assert_close(module.bn.running_mean, expected("bn", 0) / factor)
    torch.testing.assert_close(module.bn.running_var, expected("bn", 1) / factor)


V1 = """
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv"
         convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "conv" top: "fc"
         inner_product_param { num_output: 5 } }
"""


def test_layers_of_v1(tmp_path: Path) -> None:
    """Whose fully connected weights have four sizes, and another shape than ours here."""
    text = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8' + V1
    module = build(caffe.read(Source("small.prototxt", text.encode())))
    fit = load(module, written(tmp_path, "old", V1), strict=False)
    assert [name for name, _ in fit.loaded] == ["conv.weight", "conv.bias", "fc.bias"]
    assert fit.unlike == (Unlike("fc.weight", "fc.weight", (1, 1, 5, 288), (5, 144)),)
    assert torch.equal(module.conv.weight, values("conv", 0, (4, 3, 3, 3)).float())


def test_layers_that_we_have_not_are_listed(tmp_path: Path) -> None:
    text = """
input: 3x8x8
layers:
  - conv: conv 4, 3x3
  - other: linear 5
"""
    module = build(net(text))
    fit = load(module, written(tmp_path, "packed"), strict=False)
    assert fit.missing == ("other.weight", "other.bias")
    assert {"fc.blob0", "fc.blob1", "bn.blob2", "prelu.blob0"} <= set(fit.unused)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-3], "a field is longer than the message that holds it"),
        (lambda data: b"\x08" + data, "this is no trained net of Caffe's"),
        (
            lambda data: data.replace(field(1, 288), field(1, 287)),
            "a tensor's values are not as many as its shape says",
        ),
    ],
)
def test_damaged_trained_nets(tmp_path: Path, damage: Any, said: str) -> None:
    path = written(tmp_path, "packed")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ReadError, match=said) as caught:
        load(described(), path)
    assert str(caught.value).startswith(f"{path} at byte ")
