"""ncnn's .param files: published networks written as its converters do, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nettally import read, tally
from nettally.errors import NettallyError

if TYPE_CHECKING:
    from pathlib import Path

    from nettally.counting.tally import Tally


class Param:
    """Writes a net a line at a time; a blob is called as its layer."""

    def __init__(self, size: str = "0=224 1=224 2=3") -> None:
        self.lines = [f"Input data 0 1 data {size}"]
        self.channels = {"data": 3}

    def __call__(self, kind: str, name: str, reads: str, rest: str = "", outputs: int = 1) -> str:
        blobs = [name if outputs == 1 else f"{name}_{i}" for i in range(outputs)]
        self.lines.append(
            f"{kind:24} {name} {len(reads.split())} {outputs} {reads} {' '.join(blobs)} {rest}"
        )
        self.channels.update(dict.fromkeys(blobs, self.channels[reads.split(maxsplit=1)[0]]))
        return blobs[-1]

    def conv(
        self, name: str, reads: str, filters: int, k: int, rest: str = "", groups: int = 1
    ) -> str:
        size = filters * self.channels[reads] // groups * k * k
        kind = "ConvolutionDepthWise" if groups > 1 else "Convolution"
        more = f" 7={groups}" if groups > 1 else ""
        self(kind, name, reads, f"0={filters} 1={k} 5=1 6={size}{more} {rest}")
        self.channels[name] = filters
        return name

    def text(self) -> str:
        return f"7767517\n{len(self.lines)} 0\n" + "\n".join(self.lines) + "\n"


@pytest.fixture
def counted(tmp_path: Path):
    def count(net: Param | str, **options: object) -> Tally:
        path = tmp_path / "net.param"
        path.write_text(net if isinstance(net, str) else net.text())
        return tally(read(str(path), **options))

    return count


# --- published networks -------------------------------------------------------------------------


def alexnet() -> Param:
    p = Param("0=227 1=227 2=3 -23330=4,3,227,227,3")
    x = p.conv("conv1", "data", 96, 11, "3=4 9=1 -23330=4,3,55,55,96")
    x = p("LRN", "norm1", x, "2=1.000000e-04 -23330=4,3,55,55,96")
    x = p("Pooling", "pool1", x, "1=3 2=2 -23330=4,3,27,27,96")
    x = p.conv("conv2", x, 256, 5, "4=2 9=1 -23330=4,3,27,27,256", groups=2)
    x = p("LRN", "norm2", x, "2=1.000000e-04 -23330=4,3,27,27,256")
    x = p("Pooling", "pool2", x, "1=3 2=2 -23330=4,3,13,13,256")
    x = p.conv("conv3", x, 384, 3, "4=1 9=1 -23330=4,3,13,13,384")
    x = p.conv("conv4", x, 384, 3, "4=1 9=1 -23330=4,3,13,13,384", groups=2)
    x = p.conv("conv5", x, 256, 3, "4=1 9=1 -23330=4,3,13,13,256", groups=2)
    x = p("Pooling", "pool5", x, "1=3 2=2 -23330=4,3,6,6,256")
    for name, inputs, features in (("fc6", 9216, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 1000)):
        fused = "" if name == "fc8" else " 9=1"
        x = p("InnerProduct", name, x, f"0={features} 1=1 2={inputs * features}{fused}"
              f" -23330=4,1,{features},1,1")  # fmt: skip
    p("Softmax", "prob", x, "-23330=4,1,1000,1,1")
    return p


def squeezenet() -> Param:
    """SqueezeNet 1.1; pools round up, as ncnn's do where nothing is said."""
    p = Param()
    x = p("Pooling", "pool1", p.conv("conv1", "data", 64, 3, "3=2 9=1"), "1=3 2=2")
    for i, (squeeze, expand) in enumerate(
        [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)], 2
    ):
        s = p.conv(f"fire{i}/squeeze1x1", x, squeeze, 1, "9=1")
        p("Split", f"split{i}", s, outputs=2)
        left = p.conv(f"fire{i}/expand1x1", f"split{i}_1", expand, 1, "9=1")
        right = p.conv(f"fire{i}/expand3x3", f"split{i}_0", expand, 3, "4=1 9=1")
        x = p("Concat", f"fire{i}/concat", f"{left} {right}")
        p.channels[x] = 2 * expand
        if i in (3, 5):
            x = p("Pooling", f"pool{i}", x, "1=3 2=2")
    x = p.conv("conv10", p("Dropout", "drop9", x), 1000, 1, "9=1")
    p("Softmax", "prob", p("Pooling", "pool10", x, "0=1 4=1"))
    return p


def resnet18() -> Param:
    """With batch normalisation folded into the convolutions, as ncnnoptimize leaves it."""
    p = Param()
    x = p("Pooling", "pool1", p.conv("conv1", "data", 64, 7, "3=2 4=3 9=1"), "1=3 2=2 3=1 5=1")
    for stage, width in enumerate((64, 128, 256, 512), 2):
        for block in "ab":
            name = f"res{stage}{block}"
            p("Split", f"split{name}", x, outputs=2)
            first = stage > 2 and block == "a"
            a = p.conv(f"{name}_1", f"split{name}_0", width, 3, f"3={1 + first} 4=1 9=1")
            a = p.conv(f"{name}_2", a, width, 3, "4=1")
            b = f"split{name}_1"
            b = p.conv(f"{name}_0", b, width, 1, "3=2") if first else b
            x = p("ReLU", f"{name}_relu", p("Eltwise", name, f"{a} {b}", "0=1"))
    x = p("Pooling", "pool5", x, "0=1 1=7")
    p("Softmax", "prob", p("InnerProduct", "fc1000", x, "0=1000 1=1 2=512000"))
    return p


def mobilenet_v2() -> Param:
    p = Param()
    clip = "9=3 -23310=2,0.000000e+00,6.000000e+00"
    x = p.conv("conv1", "data", 32, 3, f"3=2 4=1 {clip}")
    number = 0
    for expansion, width, count, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):  # fmt: skip
        for i in range(count):
            number += 1
            before, channels = x, p.channels[x]
            if expansion > 1:
                x = p.conv(f"expand{number}", x, channels * expansion, 1, clip)
            step = stride if i == 0 else 1
            wide = channels * expansion
            x = p.conv(f"dwise{number}", x, wide, 3, f"3={step} 4=1 {clip}", groups=wide)
            x = p.conv(f"linear{number}", x, width, 1)
            if i:
                x = p("BinaryOp", f"block{number}", f"{before} {x}", "0=0")
    x = p("Pooling", "pool6", p.conv("conv6_4", x, 1280, 1, clip), "0=1 4=1")
    p("Softmax", "prob", p("InnerProduct", "fc7", x, "0=1000 1=1 2=1280000"), "0=0 1=1")
    return p


@pytest.mark.parametrize(
    ("net", "parameters", "macs"),
    [
        (alexnet(), 60_965_224, 724_406_816),  # Caffe's bvlc_alexnet
        (squeezenet(), 1_235_496, None),  # torchvision's squeezenet1_1
        # torchvision's, without the 4,800 and 17,056 factors of batch normalisation
        (resnet18(), 11_689_512 - 4_800, 1_814_073_344),
        (mobilenet_v2(), 3_504_872 - 17_056, 300_774_272),
    ],
    ids=["alexnet", "squeezenet", "resnet18", "mobilenet_v2"],
)
def test_published_networks(counted, net: Param, parameters: int, macs: int | None) -> None:
    found = counted(net)
    assert found.complete
    assert found.parameters == parameters
    assert macs is None or found.macs == macs
    assert found.rows[-1].shape == (1, 1000)


def test_shapes_are_those_that_the_file_states(counted) -> None:
    """ncnnoptimize writes each blob's size behind -23330: dimensions, width, height, channels."""
    found = counted(alexnet())
    for line in alexnet().lines[1:]:
        _, name, *_ = line.split()
        hint = [int(n) for n in line.partition("-23330=4,")[2].partition(" ")[0].split(",")]
        assert found[name].shape == (1, *hint[hint[0] : 0 : -1]), name


# --- layers -------------------------------------------------------------------------------------


def one(kind: str, rest: str = "", size: str = "0=8 1=10 2=4", reads: int = 1) -> str:
    """A net of one layer that reads inputs of one size."""
    inputs = "".join(f"Input x{i} 0 1 x{i} {size}\n" for i in range(reads))
    names = " ".join(f"x{i}" for i in range(reads))
    return f"7767517\n{reads + 1} 0\n{inputs}{kind} a {reads} 1 {names} a {rest}\n"


@pytest.mark.parametrize(
    ("net", "shape", "parameters"),
    [
        (one("Convolution", "0=6 1=3 11=5 2=2 12=1 3=2 13=1 5=1 6=360"), (6, 6, 2), 366),
        (one("Convolution", "0=6 1=3 3=2 4=-233 6=216"), (6, 5, 4), 216),
        (one("Convolution1D", "0=6 1=3 3=2 4=1 5=1 6=180", "0=8 1=10"), (6, 4), 186),
        (one("Deconvolution1D", "0=6 1=4 3=2 4=1 6=240", "0=8 1=10"), (6, 16), 240),
        (one("Pooling", "1=3 2=2", "0=8 1=10"), (10, 4), 0),
        (one("Convolution", "0=6 1=3 4=1 14=0 15=2 6=216"), (6, 8, 9), 216),
        (one("ConvolutionDepthWise", "0=8 1=3 4=1 5=1 6=144 7=2"), (8, 10, 8), 152),
        (one("Deconvolution", "0=6 1=4 3=2 4=1 5=1 6=384"), (6, 20, 16), 390),
        (one("Deconvolution", "0=6 1=3 3=2 4=1 18=1 6=216"), (6, 20, 16), 216),
        (one("DeconvolutionDepthWise", "0=4 1=4 3=2 4=1 6=64 7=4"), (4, 20, 16), 64),
        (one("InnerProduct", "0=5 1=1 2=1600"), (5,), 1605),
        (one("InnerProduct", "0=5 1=1 2=40", "0=8 1=10"), (10, 5), 45),
        (one("Pooling", "0=0 1=3 2=2"), (4, 5, 4), 0),  # full: the last window hangs over
        (one("Pooling", "0=0 1=3 2=2 5=1"), (4, 4, 3), 0),
        (one("Pooling", "0=1 1=3 2=3 5=2"), (4, 4, 3), 0),
        (one("Pooling", "0=1 1=3 2=3 5=3"), (4, 4, 3), 0),
        (one("Pooling", "0=1 4=1"), (4,), 0),
        (one("BatchNorm", "0=4"), (4, 10, 8), 8),
        (one("Scale", "0=4 1=1"), (4, 10, 8), 8),
        (one("PReLU", "0=4"), (4, 10, 8), 4),
        (one("PReLU", "0=1"), (4, 10, 8), 1),
        (one("Reshape", "0=-1"), (320,), 0),
        (one("Reshape", "0=0 1=-1"), (40, 8), 0),
        (one("Reshape", "0=4 1=4 11=5 2=4"), (4, 5, 4, 4), 0),
        (one("Permute", "0=1"), (4, 8, 10), 0),
        (one("Permute", "0=2"), (10, 4, 8), 0),
        (one("Permute", "0=3"), (10, 8, 4), 0),
        (one("Permute", "0=4"), (8, 4, 10), 0),
        (one("Permute", "0=5"), (8, 10, 4), 0),
        (one("Permute", "0=1", "0=8 1=10"), (8, 10), 0),
        (one("Flatten"), (320,), 0),
        (one("Interp", "0=1 1=2.0 2=2.0"), (4, 20, 16), 0),
        (one("Interp", "0=2 3=5 4=6"), (4, 5, 6), 0),
        (one("PixelShuffle", "0=2"), (1, 20, 16), 0),
        (one("Padding", "0=1 1=2 2=3 3=4"), (4, 13, 15), 0),
        (one("Concat", "0=0", reads=3), (12, 10, 8), 0),
        (one("Concat", "0=-1", reads=2), (4, 10, 16), 0),
        (one("Eltwise", "0=2", reads=2), (4, 10, 8), 0),
        (one("BinaryOp", "0=3", reads=2), (4, 10, 8), 0),
        (one("BinaryOp", "0=7 1=1 2=1.5"), (4, 10, 8), 0),
        (one("MatMul", "0=1", "0=8 1=10", reads=2), (10, 10), 0),
        (one("LayerNorm", "0=8 1=1e-5"), (4, 10, 8), 16),
        (one("LayerNorm", "0=80 1=1e-5 2=0"), (4, 10, 8), 0),
        (one("GroupNorm", "0=2 1=4"), (4, 10, 8), 8),
        (one("InstanceNorm", "0=4"), (4, 10, 8), 8),
        (one("InstanceNorm", "0=4 2=0"), (4, 10, 8), 0),
        (one("Embed", "0=16 1=100 3=1600", "0=10"), (10, 16), 1600),
        (one("MultiHeadAttention", "0=16 1=4 2=256", "0=16 1=5"), (5, 16), 1088),
        (one("MultiHeadAttention", "0=16 1=4 2=256", "0=16 1=5", reads=3), (5, 16), 1088),
    ],
)  # fmt: skip
def test_a_layer(counted, net: str, shape: tuple[int, ...], parameters: int) -> None:
    found = counted(net)
    assert found.complete
    assert found.parameters == parameters
    assert found.rows[-1].shape == (1, *shape)


@pytest.mark.parametrize(
    ("kind", "ours"),
    [("ReLU", "relu"), ("ReLU 0=0.1", "leaky_relu"), ("Clip 0=0.0 1=6.0", "clipped_relu"),
     ("Clip 0=-1.0 1=1.0", "pointwise"), ("Sigmoid", "sigmoid"), ("Swish", "silu"),
     ("HardSwish", "hard_swish"), ("GELU 0=1", "gelu"), ("ELU 0=1.0", "elu"), ("LRN", "lrn"),
     ("Dropout", "dropout"), ("Noop", "identity"), ("Softmax 0=0 1=1", "softmax")],
)  # fmt: skip
def test_the_kind_of_a_layer(counted, kind: str, ours: str) -> None:
    found = counted(one(*kind.split(" ", 1)))
    assert [row.node.layer.kind for row in found.rows] == [ours]


@pytest.mark.parametrize(
    ("fused", "ours"),
    [("9=1", "relu"), ("9=2 -23310=1,0.1", "leaky_relu"), ("9=3 -23310=2,0.0,6.0", "clipped_relu"),
     ("9=4", "sigmoid"), ("9=5", "mish"), ("9=6 10=0.16,0.5", "hard_swish")],
)  # fmt: skip
def test_an_activation_within(counted, fused: str, ours: str) -> None:
    found = counted(one("Convolution", f"0=6 1=1 5=1 6=24 {fused}"))
    assert [row.node.name for row in found.rows] == ["a", f"a.{ours}"]
    assert found.rows[1].node.layer.kind == ours


def test_values_over_maps(counted) -> None:
    """As many values as maps are one each (squeeze and excitation); else they are a row's."""
    p = Param("0=8 1=10 2=4")
    p.channels["data"] = 4
    p("Split", "two", "data", outputs=2)
    gate = p("InnerProduct", "fc", p("Pooling", "mean", "two_0", "0=1 4=1"), "0=4 1=1 2=16 9=4")
    p("BinaryOp", "scale", f"two_1 {gate}", "0=2")
    found = counted(p)
    assert found.rows[-1].shape == (1, 4, 10, 8)
    assert [row.node.layer.kind for row in found.rows[-2:]] == ["reshape", "multiply"]
    assert found.rows[-2].shape == (1, 4, 1, 1)
    row = "7767517\n3 0\nInput x 0 1 x 0=8 1=10 2=4\nMemoryData b 0 1 b 0=8\n"
    row += "BinaryOp a 2 1 b x a 0=0\n"
    assert counted(row)["a"].shape == (1, 1, 1, 8)
    assert counted(row).rows[-1].shape == (1, 4, 10, 8)


def test_slices(counted) -> None:
    text = "7767517\n2 0\nInput x 0 1 x 0=8 1=10 2=4\nSlice a 1 3 x p q r {}\n"
    found = counted(text.format("-23300=3,1,-233,-233 1=0"))
    assert [row.shape for row in found.rows] == [(1, 1, 10, 8), (1, 1, 10, 8), (1, 2, 10, 8)]
    found = counted(text.format("0=2,3,-233 1=-1"))
    assert [row.shape[-1] for row in found.rows] == [2, 3, 3]
    assert not counted(text.format("-23300=2,2,2 1=0")).complete  # 2 parts, 3 outputs


# --- what is not known --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "parameters"),
    [
        ("Convolution a 1 1 m a 0=6 1=3 5=1 6=360", 366),
        ("Convolution1D a 1 1 m a 0=6 1=3 5=1 6=72", 78),
        ("InnerProduct a 1 1 m a 0=5 1=1 2=400", 405),
        ("BatchNorm a 1 1 m a 0=64", 128),
        ("ReLU a 1 1 m a", 0),
    ],
)
def test_parameters_behind_a_layer_that_is_not_known(counted, line: str, parameters: int) -> None:
    """The file states how many weights there are, whatever stands before them."""
    text = (
        f"7767517\n4 0\nInput x 0 1 x 0=8 1=8 2=3\nCustom m 1 1 x m 0=1\n{line}\nNoop z 1 1 a z\n"
    )
    found = counted(text)
    assert found.parameters == parameters
    assert not found.complete
    assert found.network.notes[0] == "not understood: Custom"


def test_a_size_that_the_file_states_goes_on(counted) -> None:
    text = "7767517\n3 0\nInput x 0 1 x 0=8 1=8 2=3\nCustom m 1 2 x m n -23330=8,3,4,5,6,1,7,1,1\n"
    found = counted(text + "Pooling p 1 1 m p 4=1\n")
    assert [row.shape for row in found.rows] == [(1, 6, 5, 4), (1, 7), (1, 6)]


@pytest.mark.parametrize(
    "line",
    [
        "Convolution a 2 1 x y a 0=6 1=3 6=0 19=1",  # its weights are an input
        "Deconvolution a 1 1 x a 0=6 1=3 6=162 20=30",  # its size is stated, and its padding not
        "Pooling a 1 1 x a 0=1 7=1 8=3",
        "BinaryOp a 2 1 x y a 0=99",
        "ReLU a 2 1 x y a",
        'Reshape a 2 1 x y a 6="1w,1h,128"',
        "MultiHeadAttention a 0 1 a 0=16 1=4 2=256",  # it reads nothing
        "Slice a 0 1 a 0=2,1",
        "MultiHeadAttention a 1 3 x a k v 0=8 1=4 2=64 7=1",  # it hands on what it has read
    ],
)
def test_what_a_rule_does_not_know_is_opaque(counted, line: str) -> None:
    text = "7767517\n3 0\nInput x 0 1 x 0=8 1=8 2=3\nInput y 0 1 y 0=8 1=8 2=3\n" + line + "\n"
    found = counted(text)
    assert [row.node.layer.kind for row in found.rows] == ["opaque"] * (3 if " k v " in line else 1)
    assert not found.complete


# --- the input ----------------------------------------------------------------------------------


def test_sizes_from_the_user(counted) -> None:
    conv = "7767517\n2 0\nInput data 0 1 data\nConvolution a 1 1 data a 0=8 1=3 5=1 6=216\n"
    assert counted(conv, inputs=(3, 10, 12))["a"].shape == (1, 8, 8, 10)
    assert counted(conv, inputs={"data": (2, 3, 10, 12)})["a"].shape == (2, 8, 8, 10)
    with pytest.raises(NettallyError, match=r"(?s)'data'.*--input data=3x224x224"):
        counted(conv)
    with pytest.raises(NettallyError, match="no input 'x'"):
        counted(conv, inputs={"x": (3, 10, 12)})


@pytest.mark.parametrize("net", [alexnet(), squeezenet(), mobilenet_v2()])
def test_parameters_never_depend_on_the_input(counted, net: Param) -> None:
    """They are the file's: at another size there are as many, or the file does not fit it."""
    if "fc6" in net.channels:
        with pytest.raises(NettallyError, match="fc6: its input asks for another number"):
            counted(net, inputs=(3, 320, 256))
    else:
        assert counted(net, inputs=(3, 320, 256)).parameters == counted(net).parameters
    with pytest.raises(NettallyError, match="conv1: its input asks for another number"):
        counted(net, inputs=(1, 224, 224))


def test_another_file_that_begins_so(counted) -> None:
    with pytest.raises(NettallyError, match="no text of ncnn"):
        counted("7767517\nand so on\n")


def test_the_reader_is_short() -> None:
    """It is the example of docs/adding-a-format.md."""
    import nettally.formats.ncnn as module

    with open(module.__file__, encoding="utf-8") as file:
        assert len(file.readlines()) < 150
