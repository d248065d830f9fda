"""Darknet's cfg files: what is counted, as the programs print it; what is said; what is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettally.counting.accounting import accounting
from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source
from nettally.formats import read as read_file
from nettally.formats.darknet import TYPES, cfg, read, sniff

if TYPE_CHECKING:
    from pathlib import Path

    from nettally.counting.tally import Tally
    from nettally.network import Network

NET = "[net]\nwidth=32\nheight=24\nchannels=3\n"


def source(text: str | bytes, **more: Any) -> Source:
    return Source("net.cfg", text if isinstance(text, bytes) else text.encode(), **more)


def network(text: str, net: str = NET, **more: Any) -> Network:
    return read(source(net + text, **more))


def counted(text: str, net: str = NET, **more: Any) -> Tally:
    return tally(network(text, net, **more))


def shapes(found: Tally) -> list[tuple[int, ...] | None]:
    return [None if row.shape is None else row.shape[1:] for row in found]


def refusal(text: str, net: str = NET) -> str:
    with pytest.raises(ReadError) as caught:
        tally(network(text, net))
    return str(caught.value)


# --- known figures ------------------------------------------------------------------------------

# parameters, and billions of operations as pjreddie.com prints them: pages imagenet, yolo, yolov1
PRINTED = {
    "alexnet": (62_378_344, "2.27"),
    "darknet": (7_319_416, "0.96"),  # at 256; cut off, not rounded: 0.965
    "vgg-16": (138_357_544, "30.94"),
    "extraction": (23_437_224, "8.52"),
    "darknet19": (20_842_376, "7.29"),
    "darknet19_448": (20_842_376, "22.33"),
    "resnet18": (11_515_688, "4.69"),
    "resnet34": (21_623_848, "9.52"),
    "resnet50": (22_780_456, "9.74"),
    "resnet101": (41_772_584, "19.70"),
    "resnet152": (57_416_232, "29.39"),
    "resnext50": (22_252_328, "10.11"),
    "resnext101-32x4d": (41_476_520, "18.92"),
    "resnext152-32x4d": (56_491_432, "28.20"),
    "densenet201": (17_173_160, "10.85"),
    "darknet53": (41_609_928, "18.57"),
    "darknet53_448": (41_609_928, "56.87"),
    "tiny": (1_042_104, "0.98"),
    "yolov1": (197_301_875, "40.19"),
    "yolov2": (50_962_889, "62.94"),
    "yolov2-tiny": (11_232_057, "5.41"),
    "yolov3": (61_949_149, "140.69"),
    "yolov3-tiny": (8_852_366, "5.56"),
    "yolov3-spp": (62_998_749, "141.45"),
}

# sizes in bytes of the published weights files, and of their heads
WEIGHTS = {
    "yolov3": (248_007_048, 20),
    "yolov3-tiny": (35_434_956, 20),
    "yolov3-spp": (252_209_544, 20),
    "yolov2-tiny": (44_948_596, 16),
}

# what AlexeyAB's program prints as Total BFLOPS at 416 (608 for spp)
BFLOPS = {"yolov3": (416, "65.879"), "yolov3-tiny": (416, "5.571"), "yolov3-spp": (608, "141.531")}


def of_corpus(corpus: Path, name: str, **more: Any) -> Tally:
    return tally(read_file(corpus / f"darknet/pjreddie__darknet/cfg/{name}.cfg", **more))


@pytest.mark.parametrize("name", PRINTED)
def test_the_operations_are_those_that_redmon_prints(corpus: Path, name: str) -> None:
    found = of_corpus(corpus, name)
    parameters, printed = PRINTED[name]
    assert found.parameters == parameters
    operations = found.under(accounting("darknet")).operations / 1e9
    assert found.complete
    if name == "darknet":
        assert int(operations * 100) == 96
    elif name == "yolov3-tiny":
        assert int(operations * 100) == 556
    else:
        assert f"{operations:.2f}" == printed


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_weights_files_have_a_float_for_each_parameter_and_statistic(
    corpus: Path, name: str
) -> None:
    size, head = WEIGHTS[name]
    assert 4 * of_corpus(corpus, name).under(accounting("keras")).parameters + head == size


@pytest.mark.parametrize("name", BFLOPS)
def test_the_bflops_are_those_that_alexeyab_prints(corpus: Path, name: str) -> None:
    side, printed = BFLOPS[name]
    found = of_corpus(corpus, name, inputs=(3, side, side))
    assert f"{found.under(accounting('darknet-bflops')).operations / 1e9:.3f}" == printed


def test_published_at_other_sizes(corpus: Path) -> None:
    """YOLO9000's darknet19 at 224; YOLOv3's table at 416 and 320."""
    for name, side, printed in (
        ("darknet19", 224, "5.58"),
        ("yolov3", 416, "65.86"),
        ("yolov3", 320, "38.97"),
    ):
        found = of_corpus(corpus, name, inputs=(3, side, side)).under(accounting("darknet"))
        assert f"{found.operations / 1e9:.2f}" == printed


def test_every_file_of_the_corpus_is_read_and_known(corpus: Path) -> None:
    files = sorted(corpus.glob("darknet/**/*.cfg"))
    assert len(files) >= 45
    began = time.perf_counter()
    for file in files:
        found = tally(read_file(file))
        assert found.complete, file.name
        assert not any("not known" in note for note in found.network.notes), file.name
    assert time.perf_counter() - began < 10


# --- syntax -------------------------------------------------------------------------------------


def test_blanks_comments_duplicates_and_junk() -> None:
    found = network(
        "; a comment\n  [ convolutional ] \r\n filters = 3 2\nsize=3 # a comment?\n#size=5\n"
        "filters=7\nstri de=2\nactivation=lin ear\nbatch_normalize=\n"
    )
    (node,) = found.nodes
    assert node.layer.fields()["filters"] == 32
    assert node.layer.fields()["kernel"] == (3, 3)
    assert node.layer.fields()["stride"] == (2, 2)
    assert node.layer.fields()["padding"] == ((0, 0), (0, 0))
    assert node.layer.fields()["bias"]
    assert str(node.source) == "net.cfg:6"
    assert list(found.notes) == [
        "keys that stand twice, of which the first holds: [convolutional], layer 0 filters",
        "values of which the number at the beginning is read: size=3#acomment?",
        "line 13, 'batch_normalize=', has no value, and Darknet leaves it out",
    ]


@pytest.mark.parametrize("line", ["filters", "stride 2", "# a comment? no: behind it\nx"])
def test_a_line_that_is_neither_a_section_nor_a_key_is_refused(line: str) -> None:
    with pytest.raises(ReadError, match="neither a section nor key=value"):
        network(f"[convolutional]\nactivation=linear\n{line}\nfilters=7\n")


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("+3", 3), ("-4x", -4), ("0x10", 0), ("1e3", 1), ("3.9", 3), ("", 0), ("a", 0)],
)
def test_whole_numbers_are_what_atoi_makes_of_them(text: str, number: int) -> None:
    section = cfg.Section("x", "f", 1)
    section.options["k"] = cfg.Option(text, 2)
    assert section.integer("k", 99) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *((".5", 0.5), ("1.", 1.0), ("-2.5e-1x", -0.25), ("1e", 1.0), ("1e+", 1.0), (".", 0.0)),
        *(("e5", 0.0), ("0.1,0.2", 0.1), ("nan", 0.0), ("-", 0.0), ("7e2", 700.0)),
    ],
)
def test_numbers_are_what_atof_makes_of_them(text: str, number: float) -> None:
    section = cfg.Section("x", "f", 1)
    section.options["k"] = cfg.Option(text, 2)
    assert section.number("k", 99) == number


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.sampled_from(("", "x", ",")))
def test_a_number_is_read_back_with_junk_behind_it(number: float, junk: str) -> None:
    section = cfg.Section("x", "f", 1)
    section.options["k"] = cfg.Option(f"{number!r}{junk}", 2)
    assert section.number("k", 99) == number
    assert bool(section.junk) == bool(junk)


def test_comments_may_be_in_any_encoding() -> None:
    text = NET.encode() + "# größe\n".encode("latin-1") + b"[connected]\noutput=2\n"
    assert tally(read(source(text))).parameters == 3 * 32 * 24 * 2 + 2


def test_keys_that_no_layer_has_are_said() -> None:
    (note,) = network("[convolutional]\nfilter=64\nactivation=linear\n").notes
    assert "layer 0, filter (did you mean 'filters'?)" in note
    assert network("[convolutional]\nlearning_rate=0\ndontload=1\n").notes == ()


# --- layers -------------------------------------------------------------------------------------


def conv(fields: str, **more: Any) -> tuple[Tally, Any]:
    found = counted(f"[convolutional]\nactivation=linear\n{fields}\n".replace(" ", "\n"), **more)
    return found, found.rows[0]


@pytest.mark.parametrize(
    ("fields", "output", "parameters"),
    [
        ("filters=8 size=3", (8, 22, 30), 8 * 27 + 8),
        ("filters=8 size=3 pad=1", (8, 24, 32), 8 * 27 + 8),
        ("filters=8 size=5 pad=1", (8, 24, 32), 8 * 75 + 8),  # pad=1 is a padding of 2
        ("filters=8 size=5 pad=1 padding=4", (8, 24, 32), 8 * 75 + 8),
        ("filters=8 size=5 padding=1", (8, 22, 30), 8 * 75 + 8),
        ("filters=8 size=2 pad=1", (8, 25, 33), 8 * 12 + 8),  # an even kernel grows the maps
        ("filters=8 size=1 pad=1 stride=2", (8, 12, 16), 8 * 3 + 8),
        ("filters=8 size=3 stride=2 pad=1", (8, 12, 16), 8 * 27 + 8),
        ("filters=8 size=3 stride=3 pad=1", (8, 8, 11), 8 * 27 + 8),
        ("filters=8 size=3 stride_x=1 stride_y=2 pad=1", (8, 12, 32), 8 * 27 + 8),
        ("filters=8 size=3 stride=4 stride_x=1 pad=1", (8, 6, 32), 8 * 27 + 8),
        ("filters=6 size=3 groups=3 pad=1", (6, 24, 32), 6 * 9 + 6),
        ("filters=8 size=3 groups=0 pad=1", (8, 24, 32), 8 * 27 + 8),
        ("filters=6 size=3 groups=3 xnor=1 pad=1", (6, 24, 32), 6 * 27 + 6),
        ("filters=8 size=3 dilation=2 pad=1", (8, 24, 32), 8 * 27 + 8),
        ("filters=8 size=1 dilation=7", (8, 24, 32), 8 * 3 + 8),
        ("", (1, 24, 32), 3 + 1),
        ("size=25 padding=0 stride=4", (1, 1, 2), 625 * 3 + 1),  # 1 short of the window: C's -1/4
    ],
)
def test_convolutions(fields: str, output: tuple[int, ...], parameters: int) -> None:
    found, row = conv(fields)
    assert row.shape[1:] == output
    assert found.parameters == parameters


def test_normalisation_takes_the_bias_from_the_convolution() -> None:
    found = counted("[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nactivation=leaky\n")
    assert [row.name for row in found] == ["conv_0", "conv_0.norm", "conv_0.leaky"]
    assert found["conv_0"].parameters == {"weight": (8, 3, 3, 3)}
    assert found["conv_0.norm"].parameters == {"weight": (8,), "bias": (8,)}
    assert found["conv_0.norm"].buffers == {"running_mean": (8,), "running_var": (8,)}
    assert found["conv_0.leaky"].node.layer.fields() == {"slope": 0.1}


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("", ["sigmoid"]),
        ("activation=linear", []),
        ("activation=ramp", ["leaky_relu", "affine"]),
        ("activation=swish", ["silu"]),
        ("activation=stair", ["pointwise"]),
        ("activation=nosuch", ["relu"]),
        ("activation=logistic", ["sigmoid"]),
    ],
)
def test_activations(word: str, kinds: list[str]) -> None:
    for section in ("convolutional", "connected", "local"):
        found = network(f"[{section}]\n{word}\n")
        assert [node.layer.kind for node in found.nodes[1:]] == kinds
        assert any("nosuch" in note for note in found.notes) == ("nosuch" in word)


def test_shared_weights_count_once() -> None:
    text = "[convolutional]\nfilters=3\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
    alone = counted(text).parameters
    found = counted(text + text + "share_index=0\n" + text + "share_index=-1\n")
    assert found.parameters == alone == 3 * 27 + 6
    assert found["conv_2"].node.shared == {"weight": "conv_0.weight"}
    assert found["conv_2.norm"].node.shared["bias"] == "conv_0.norm.bias"
    assert "another size" in refusal(text + text.replace("size=3", "size=1") + "share_index=0\n")
    assert "no convolution" in refusal("[maxpool]\nsize=2\n" + text + "share_index=0\n")


@pytest.mark.parametrize(
    ("fields", "output", "padding"),
    [
        ("size=2 stride=2", (12, 16), (0, 1)),
        ("size=2 stride=1", (24, 32), (0, 1)),
        ("size=3 stride=2", (12, 16), (1, 1)),
        ("size=3 stride=2 padding=0", (11, 15), (0, 0)),
        ("size=5 stride=1", (24, 32), (2, 2)),
        ("stride=4", (6, 8), (1, 2)),  # the size is the stride, and then the padding 3
        ("size=3 stride=2 padding=1", (12, 16), (0, 1)),
        ("size=2 stride_x=1 stride_y=3", (8, 32), (0, 1)),
    ],
)
def test_pooling_has_its_padding_in_all(
    fields: str, output: tuple[int, ...], padding: tuple[int, int]
) -> None:
    for section, kind in (("maxpool", "max_pool"), ("local_avgpool", "average_pool")):
        (row,) = counted(f"[{section}]\n{fields}\n".replace(" ", "\n"))
        assert row.node.layer.kind == kind
        assert row.shape is not None
        assert row.shape[2:] == output
        assert row.node.layer.fields()["padding"] == (padding, padding)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.integers(0, 9))
def test_windows_are_as_many_as_c_computes(length: int, size: int, stride: int, pad: int) -> None:
    net = f"[net]\nwidth={length}\nheight={length}\nchannels=1\n"

    def check(text: str, room: int) -> None:
        wanted = int(room / stride) + 1  # towards 0
        try:
            (row, *_) = counted(text, net)
        except ReadError:
            row = None
        if row is None:
            assert room <= -stride
            return
        assert row.shape is not None
        assert row.shape[2:] == (wanted, wanted)

    check(f"[maxpool]\nsize={size}\nstride={stride}\npadding={pad}\n", length + pad - size)
    check(f"[maxpool]\nsize={size}\nstride={stride}\n", length - 1)
    check(f"[conv]\nsize={size}\nstride={stride}\npadding={pad}\n", length + 2 * pad - size)
    check(f"[conv]\nsize={size}\nstride={stride}\npad=1\n", length + 2 * (size // 2) - size)
    check(f"[local]\nsize={size}\nstride={stride}\npad=1\n", length - 1)


def test_antialiasing_takes_the_stride_from_the_layer() -> None:
    text = (
        "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=linear\nantialiasing={}\n"
    )
    first = counted(text.format(1))
    assert shapes(first)[0] == (4, 24, 32)
    assert shapes(first)[-1] == (4, 12, 16)
    assert first.parameters == 4 * 27 + 4
    assert [row.node.layer.kind for row in first] == ["conv", "blur", "slice", "slice"]
    assert shapes(counted(text.format(2)))[-1] == (4, 12, 16)
    pool = counted("[maxpool]\nsize=3\nstride=2\nantialiasing=1\n")
    assert shapes(pool) == [(3, 24, 32), (3, 24, 32), (3, 12, 32), (3, 12, 16)]


def test_local_layers_have_weights_of_their_own_for_each_place() -> None:
    found = counted("[local]\nfilters=2\nsize=3\nstride=2\npad=1\nactivation=linear\n")
    assert shapes(found) == [(2, 12, 16)]
    assert found.parameters == (27 * 2 + 2) * 12 * 16
    assert found.under(accounting("darknet")).operations == 0


def test_deconvolution() -> None:
    found = counted("[deconvolutional]\nfilters=5\nsize=4\nstride=2\npadding=1\n")
    assert shapes(found)[0] == (5, 48, 64)
    assert found.parameters == 3 * 5 * 16 + 5


def test_what_reads_no_image_is_read_flat() -> None:
    found = counted("[connected]\noutput=10\nactivation=relu\n[convolutional]\nfilters=2\nsize=1\n")
    assert shapes(found) == [(10,), (10,), (10, 1, 1), (2, 1, 1), (2, 1, 1)]
    assert found.parameters == 24 * 32 * 3 * 10 + 10 + 22


def test_softmax_goes_over_all_values_or_groups_of_them() -> None:
    assert [row.shape for row in counted("[softmax]\n")] == [
        (1, 1, 2304),
        (1, 1, 2304),
        (1, 3, 24, 32),
    ]
    (row,) = counted("[softmax]\nspatial=1\n")
    assert row.shape == (1, 3, 24, 32)
    assert shapes(counted("[softmax]\ngroups=4\n"))[0] == (4, 576)
    assert "groups must divide" in refusal("[softmax]\ngroups=5\n")


TWO = "[maxpool]\nsize=2\nstride=2\n[upsample]\nstride=2\n"


def test_routes_and_shortcuts_count_back_or_from_the_first_layer() -> None:
    found = counted(
        "[conv]\nfilters=4\nsize=1\nactivation=linear\n" + TWO + "[route]\nlayers=0,-1\n"
    )
    assert found["route_3"].node.inputs == ("conv_0", "upsample_2")
    assert found["route_3"].shape == (1, 8, 24, 32)
    found = counted(TWO + "[route]\nlayers=0\n")
    assert found["route_2"].node.layer.kind == "identity"
    found = counted(
        "[conv]\nfilters=4\nsize=1\n" + TWO + "[route]\nlayers=-1,-3\ngroups=2\ngroup_id=1\n"
    )
    assert found["route_3"].shape == (1, 4, 24, 32)
    assert found["route_3.group0"].node.layer.fields()["start"] == 2
    assert found["route_3.group1"].node.inputs == ("conv_0.logistic",)
    found = counted("[conv]\nfilters=4\nsize=1\n[route_lhalf]\nlayers=-1\n")
    assert found["route_1"].shape == (1, 2, 24, 32)
    found = counted(TWO + "[route]\nlayers=0,1\n")
    assert found["route_2"].shape == (1, 3 * 12 * 16 + 3 * 24 * 32)


@pytest.mark.parametrize(
    "after",
    [
        "[conv]\nfilters=2\n",
        "[maxpool]\n",
        "[avgpool]\n",
        "[local]\nfilters=2\n",
        "[shortcut]\nfrom=0\n",
    ],
)
def test_a_route_of_maps_of_different_sizes_has_no_map(after: str) -> None:
    """Darknet gives it no height, width or channels, and stops at a layer that asks for them."""
    with pytest.raises(ReadError, match="joins maps of different sizes") as error:
        network(TWO + "[route]\nlayers=0,1\n" + after)
    assert error.value.values


@pytest.mark.parametrize(
    ("before", "after", "shape"),
    [
        ("filters=4", "filters=4", (4, 24, 32)),
        ("filters=4", "filters=6", (6, 24, 32)),  # the first 4 of 6
        ("filters=6", "filters=4", (4, 24, 32)),
        ("filters=6", "filters=4\nstride=2", (4, 12, 16)),
        ("filters=4", "filters=6\nstride=2", (6, 12, 16)),
        ("filters=4", "filters=6\nstride=3", (6, 8, 11)),  # 24 / 8 is 3, 32 / 11 is 2
    ],
)
def test_shortcuts_add_what_both_have(before: str, after: str, shape: tuple[int, ...]) -> None:
    one = "[conv]\nsize=1\nactivation=linear\n"
    found = counted(f"{one}{before}\n{one}{after}\n[shortcut]\nfrom=0\nactivation=linear\n")
    assert shapes(found)[-1] == shape
    assert found.complete
    odd = before != after
    assert any("different sizes" in note for note in found.network.notes) == odd


def test_smaller_maps_added_to_larger_ones_are_not_counted_as_known() -> None:
    found = counted(TWO + "[shortcut]\nfrom=0\nactivation=relu\n")
    assert shapes(found)[-1] == (3, 24, 32)
    assert not found.complete
    assert any("smaller maps" in note for note in found.network.notes)


@pytest.mark.parametrize(("word", "parameters"), [("per_feature", 3), ("per_channel", 9)])
def test_weighted_shortcuts(word: str, parameters: int) -> None:
    text = TWO + f"[dropout]\n[shortcut]\nfrom=-1,-2\nweights_type={word}\n"
    assert counted(text).parameters == parameters
    more = counted(text + "weights_normalization=softmax\n")
    assert any("weights_normalization" in note for note in more.network.notes)


def test_gates() -> None:
    squeeze = "[avgpool]\n[conv]\nfilters=3\nsize=1\n"
    found = counted(TWO + squeeze + "[scale_channels]\nfrom=1\n")
    assert shapes(found)[-1] == (3, 24, 32)
    assert "one value a channel" in refusal(TWO + "[scale_channels]\nfrom=0\n")
    one = "[conv]\nfilters=1\nsize=1\n"
    assert shapes(counted(TWO + one + "[scale_channels]\nfrom=1\nscale_wh=1\n"))[-1] == (3, 24, 32)
    assert shapes(counted(TWO + "[conv]\nfilters=3\nsize=1\n[sam]\nfrom=-2\n"))[-1] == (3, 24, 32)
    assert "of one size" in refusal(TWO + one + "[sam]\nfrom=-2\n")


def test_reorg_reads_memory_and_reorg3d_reads_pixels() -> None:
    """Held against the loops of blas.c, with numpy."""
    np = pytest.importorskip("numpy")
    c, h, w, s = 8, 4, 6, 2
    net = f"[net]\nwidth={w}\nheight={h}\nchannels={c}\n"

    def run(text: str, x: Any) -> Any:
        for row in counted(text, net):
            fields = row.node.layer.fields()
            x = x.reshape(fields["size"]) if "size" in fields else x
            if "order" in fields:
                x = x.transpose([axis - 1 for axis in fields["order"][1:]])
        return x

    def reorg_cpu(x: Any, c: int, h: int, w: int, forward: bool) -> Any:
        """src/blas.c, reorg_cpu, for one image."""
        x, out, out_c = x.ravel(), np.empty(x.size), c // (s * s)
        for k in range(c):
            for j in range(h):
                for i in range(w):
                    inside = i + w * (j + h * k)
                    offset = k // out_c
                    w2, h2 = i * s + offset % s, j * s + offset // s
                    outside = w2 + w * s * (h2 + h * s * (k % out_c))
                    if forward:
                        out[outside] = x[inside]
                    else:
                        out[inside] = x[outside]
        return out

    x = np.arange(float(c * h * w)).reshape(c, h, w)
    wanted = reorg_cpu(x, c, h, w, False).reshape(c * s * s, h // s, w // s)
    assert (run("[reorg]\nstride=2\n", x) == wanted).all()
    wanted = reorg_cpu(x, c, h, w, True).reshape(c // (s * s), h * s, w * s)
    assert (run("[reorg]\nstride=2\nreverse=1\n", x) == wanted).all()
    assert (run("[reorg3d]\nstride=2\nreverse=1\n", x) == wanted).all()
    wanted = reorg_cpu(x, c * s * s, h // s, w // s, False).reshape(c * s * s, h // s, w // s)
    assert (run("[reorg3d]\nstride=2\n", x) == wanted).all()
    assert run("[reorg]\nstride=2\nflatten=1\n", x).shape == (32, 2, 3)
    assert [row.shape for row in counted("[reorg]\nextra=1\nstride=1\n", net)] == [(1, 193)]


def test_upsampling_cropping_and_the_rest() -> None:
    assert shapes(counted("[upsample]\nstride=3\nscale=0.5\n")) == [(3, 72, 96)] * 2
    assert shapes(counted("[upsample]\nstride=-2\n")) == [(3, 12, 16)] * 2
    assert shapes(counted("[crop]\ncrop_height=21\ncrop_width=20\n")) == [(3, 21, 20)] * 2
    assert shapes(counted("[crop]\ncrop_height=21\ncrop_width=20\nnoadjust=1\n")) == [(3, 21, 20)]
    assert shapes(counted("[history]\nhistory_size=3\n")) == [(9, 24, 32)]
    (row,) = counted("[lrn]\nsize=5\nalpha=.1\n")
    assert row.node.layer.fields()["alpha"] == pytest.approx(0.5)
    (row,) = counted("[batchnorm]\n")
    assert row.parameters == {"weight": (3,), "bias": (3,)}
    found = counted("[dropout]\n[implicit]\nfilters=7\natoms=2\n[activation]\nactivation=mish\n")
    assert (shapes(found)[-1], found.parameters) == ((7, 2, 1), 14)
    assert shapes(counted("[empty]\n[silence]\n[logistic]\n[l2norm]\n")) == [(3, 24, 32)] * 4
    (row,) = counted("[maxpool]\nmaxpool_depth=1\nout_channels=2\n")
    assert (row.shape, row.known) == ((1, 2, 24, 32), False)


FLAT = "[net]\ninputs=20\ntime_steps=7\nbatch=7\n"


def test_recurrent_layers_by_their_connected_layers() -> None:
    """Each [connected] inside has weights and a bias, and with normalisation as many scales."""

    def connected(seen: int, out: int, norm: int = 0) -> int:
        return seen * out + out * (1 + norm)

    for norm in (0, 1):
        text = f"batch_normalize={norm}\noutput=5\n"
        found = counted(f"[rnn]\nhidden=8\n{text}", FLAT)
        each = connected(20, 8, norm) + connected(8, 8, norm) + connected(8, 5, norm)
        assert (shapes(found), found.parameters) == ([(5,)], each)
        macs = 20 * 8 + 64 + 40
        assert found.under(accounting("darknet")).operations == 2 * macs
        for name, gates in (("gru", 3), ("lstm", 4)):
            found = counted(f"[{name}]\n{text}", FLAT)
            each = gates * (connected(20, 5, norm) + connected(5, 5, norm))
            assert (shapes(found), found.parameters) == ([(5,)], each)
            assert found.under(accounting("darknet")).operations == 2 * gates * (100 + 25)
            buffers = sum(shape[0] for shape in (found.rows[0].buffers or {}).values())
            assert buffers == norm * gates * 5 * 2 * 2
    assert counted("[rnn]\noutput=5\n", FLAT).rows[0].node.layer.fields()["hidden"] == 5


def test_convolutions_with_a_state() -> None:
    def conv(seen: int, out: int, norm: int = 0) -> int:
        return seen * out * 9 + out * (1 + norm)

    for norm in (0, 1):
        text = f"pad=1\nsize=3\nbatch_normalize={norm}\n"
        found = counted(f"[crnn]\nhidden=4\noutput=5\n{text}")
        assert found.parameters == conv(3, 4, norm) + conv(4, 4, norm) + conv(4, 5, norm)
        assert shapes(found) == [(5, 24, 32)]
        found = counted(f"[conv_lstm]\noutput=5\n{text}")
        assert found.parameters == 4 * (conv(3, 5, norm) + conv(5, 5, norm))
        assert shapes(found) == [(5, 24, 32)]
        more = counted(f"[conv_lstm]\noutput=5\npeephole=1\n{text}")
        assert more.parameters == found.parameters + 3 * conv(5, 5, norm)
        less = counted(f"[conv_lstm]\noutput=5\nbottleneck=1\n{text}")
        assert less.parameters == 4 * conv(3, 5, norm) + conv(10, 5, norm)
    old = counted("[crnn]\nhidden_filters=4\noutput_filters=5\n")
    assert old.parameters == conv(3, 4) + conv(4, 4) + conv(4, 5)
    places = 24 * 32 * 9
    bflops = old.under(accounting("darknet-bflops")).operations
    assert bflops == 2 * places * (3 * 4 + 4 * 4 + 4 * 5)
    assert old.under(accounting("darknet")).operations == 0
    assert "keep its size" in refusal("[conv_lstm]\noutput=5\nsize=3\n")
    assert "keeps its size" in refusal("[crnn]\noutput=5\nsize=3\n")


@pytest.mark.parametrize(
    ("section", "filters"),
    [
        ("[yolo]\nclasses=4\nnum=9\nmask=0,1,2", 27),
        ("[yolo]\nclasses=4\nnum=2", 18),
        ("[yolo]\nclasses=4\nnum=9\nmask=6#,7,8", 9),
        ("[Gaussian_yolo]\nclasses=4\nmask=1,2", 26),
        ("[region]\nclasses=4\nnum=3\ncoords=4", 27),
        ("[region]\nclasses=4\nnum=3\ncoords=4\nsoftmax=1", 27),
        ("[iseg]\nclasses=4\nids=3", 7),
    ],
)
def test_heads_say_how_many_filters_they_need(section: str, filters: int) -> None:
    text = "[conv]\nfilters={}\nsize=1\nactivation=linear\n" + section
    found = counted(text.format(filters))
    assert shapes(found)[-1] == (filters, 24, 32)
    assert found.rows[-1].node.layer.kind == "detect"
    message = refusal(text.format(filters + 1))
    assert f"filters {filters + 1}, needed {filters}" in message


def test_yolov1s_head() -> None:
    text = "[connected]\noutput={}\n[detection]\nclasses=4\ncoords=4\nnum=2\nside=3\nsoftmax=1\n"
    assert shapes(counted(text.format(126)))[-1] == (126,)
    assert "(1 + 4)·2 + 4) = 126" in refusal(text.format(127))


def test_costs_are_no_layers_but_have_numbers() -> None:
    found = counted("[conv]\nsize=1\nfilters=4\n[cost]\ntype=sse\n[route]\nlayers=-1\n")
    assert found["route_2"].node.inputs == ("conv_0.logistic",)
    assert found.network.notes == ("training's costs, which are not counted: layer 1 [cost]",)


def test_what_is_not_known_is_opaque_and_said() -> None:
    found = counted("[convlutional]\nfilters=4\n[conv]\nfilters=8\nsize=1\n[avgpool]\n")
    assert not found.complete
    assert [row.shape for row in found] == [None] * 4
    assert found.network.notes == (
        "types of layers that are not known: [convlutional] (did you mean 'convolutional'?)",
    )
    text = "[new]\n[conv]\nsize=3\npad=1\n[softmax]\n[softmax]\ngroups=3\n[reorg]\n"
    text += "[route]\nlayers=-1,0\ngroups=2\n[shortcut]\nfrom=0\n"
    text += "[scale_channels]\nfrom=0\n[crop]\n[yolo]\n"
    text += "[upsample]\n"
    text += "[reorg3d]\n[history]\n[maxpool]\nmaxpool_depth=1\n[rnn]\n[lstm]\n[crnn]\n[conv_lstm]\n"
    text += (
        "[connected]\noutput=3\nbatch_normalize=1\n[local]\n[deconvolutional]\n[detection]\n[lrn]\n"
    )
    assert all(row.shape is None for row in counted(text))


# --- the input ----------------------------------------------------------------------------------


def test_the_inputs_size_is_the_files_or_the_users() -> None:
    assert network("[avgpool]\n").inputs == {"input": (1, 3, 24, 32)}
    assert network("[softmax]\n", FLAT).inputs == {"input": (1, 20)}
    assert network("[avgpool]\n", inputs={"": (1, 8, 8)}).inputs == {"input": (1, 1, 8, 8)}
    assert network("[avgpool]\n", inputs={"input": (4, 3, 8, 8)}).inputs["input"] == (4, 3, 8, 8)
    assert network("[softmax]\n", FLAT, inputs={"": (30,)}).inputs == {"input": (1, 30)}
    assert network("[avgpool]\n", "[net]\nbatch=1\n", inputs={"": (3, 8, 8)}).inputs
    with pytest.raises(ReadError, match="no input 'data'"):
        network("[avgpool]\n", inputs={"data": (3, 8, 8)})
    with pytest.raises(ReadError, match="does not fit the file"):
        network("[avgpool]\n", inputs={"": (8, 8)})


# --- what is refused ----------------------------------------------------------------------------

MALFORMED = {
    "": ("no sections", ""),
    "# only a comment\n": ("no sections", ""),
    "width=3\n[net]\n": ("net.cfg:1: the file does not begin with a section", "[net]"),
    "[convolutional]\nsize=3\n": ("the first section must be [net] or [network]", "height=224"),
    NET: ("the file has no layers", ""),
    NET + "[cost]\n": ("no layers but costs", ""),
    NET + "[conv\n": ("a section's name ends with ]", "[conv"),
    NET + "[conv] # the first\n": ("net.cfg:5: a section's name ends with ]", "line of its own"),
    NET + "[conv]\n" + NET: ("net.cfg:6: [net]: a second [net]", "remove it"),
    "[net]\nwidht=32\nheight=32\nchannels=3\n[avgpool]\n": (
        "the input's size is not given",
        "missing or 0: width",
    ),
    "[net]\nheight=0\nwidth=9\nchannels=3\n[avgpool]\n": ("not given", "missing or 0: height"),
    "[net]\nheight=-1\n[avgpool]\n": ("'height' must be at least 0", "height=-1"),
    "[net]\nheight=99999999999\n[avgpool]\n": ("net.cfg:2: [net]: 'height' is too large", ""),
    "[net]\nheight=65536\nwidth=65536\nchannels=3\n[avgpool]\n": ("the input is too large", ""),
    NET + "inputs=5\n[softmax]\n": ("do not agree", "inputs 5, 3·24·32 = 2304"),
    NET + "[conv]\nfilters=0\n": ("net.cfg:6: [conv], layer 0: 'filters' must be at least 1", ""),
    NET + "[conv]\nfilters=x\n": ("'filters' must be at least 1", "filters=x"),
    NET + "[conv]\nsize=99\n": ("the window is larger than its input", "size 99, input 24"),
    NET + "[conv]\nstride=0\n": ("'stride' must be at least 1", "stride 0"),
    NET + "[conv]\npadding=-1\n": ("'padding' must be at least 0", "padding=-1"),
    NET + "[conv]\nsize=3\ndilation=3\npadding=2\n": ("works out two sizes", "26 and 30"),
    NET + "[conv]\nfilters=4\ngroups=3\n": ("groups must divide the filters", "groups 3"),
    NET + "[conv]\nshare_index=-1\n": ("counts back beyond the first layer", "none"),
    NET + "[conv]\nfilters=2147483648\n": ("'filters' is too large", "2^31"),
    NET + "[maxpool]\nstride=0\n": ("'stride_y' must be at least 1", "stride_y 0"),
    NET + "[maxpool]\nsize=40\npadding=0\nstride=2\n": ("window is larger than its input", "40"),
    NET + "[route]\n": ("'layers' is missing", "given: nothing"),
    NET + "[route]\nlayers=0\n": ("net.cfg:6: [route], layer 0: it reads itself", ""),
    NET + "[conv]\n[route]\nlayers=-2\n": ("counts back beyond the first layer", "0 to 0"),
    NET + "[conv]\n[route]\nlayers=5\n": ("layer 5, which is not before it", "0 to 0"),
    NET + "[conv]\n[route]\nlayers=0\ngroups=2\n": ("groups must divide the channels", "1"),
    NET + "[conv]\n[route]\nlayers=0\ngroup_id=1\n": ("there is no such group", "1 of 1"),
    NET + "[shortcut]\n": ("'from' is missing", "from=-1,0"),
    NET + "[conv]\n[shortcut]\nfrom=0\nweights_type=all\n": ("per_feature or per_channel", "all"),
    NET + "[upsample]\nstride=0\n": ("must not be 0", ""),
    NET + "[reorg]\nstride=5\n": ("'stride' must divide the maps", "24x32"),
    NET + "[crop]\ncrop_height=25\n": ("cuts more than there is", "input 24x32"),
    NET + "[dropout]\nprobability=2\n": ("from 0 to 1", "2.0"),
    NET + "[dropout]\nprobability=1e999\n": ("'probability' is too large", "1e999"),
    NET + "[upsample]\nstride=99999999\n": ("its output is too large", "2^31"),
    NET + "[deconv]\nsize=3\npadding=99\n": ("the padding cuts away the whole output", ""),
}


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_files_are_refused_with_the_place_and_the_reason(text: str) -> None:
    message = refusal(text, "")
    for part in MALFORMED[text]:
        assert part in message
    assert message.startswith("net.cfg")


# --- recognised by content ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        (NET, True),
        ("# comment\n\n [ net ]\nbatch=1\n", True),
        ("\ufeff[network]\r\nheight=1\r\n", True),
        ("[net]\nname=x\n[avgpool]\n", True),
        ("[network]\nname = wifi\n[proxy]\nhost = x\n", False),
        ("[convolutional]\nfilters=3\n", True),  # refused, for the right reason
        ("[conv1]\ntype=conv\ninputs=data\n", False),
        ("[maxpool]\ntype=pool\ninputs=data\n", False),
        ("name: 'net'\nlayer { }\n", False),
        ("x=1\n[net]\nheight=1\n", False),
        ("[[net]]\n", False),
        ("[net]\0", False),
        ("", False),
    ],
)
def test_darknets_files_are_recognised(text: str, ours: bool) -> None:
    assert sniff(text.encode(), "any.txt") == ours


def test_cuda_convnets_files_are_told_apart(corpus: Path) -> None:
    from nettally.formats import cuda_convnet

    darknet = list(corpus.glob("darknet/**/*.cfg"))
    other = list(corpus.glob("cuda-convnet/**/*.cfg"))
    assert darknet
    assert other
    for file in darknet:
        head = file.read_bytes()[: 2**16]
        assert sniff(head, "x")
        assert not cuda_convnet.sniff(head, "x")
    assert not any(sniff(file.read_bytes()[: 2**16], "x") for file in other)


def test_each_type_has_a_layer_of_its_own_name() -> None:
    for name in TYPES:
        source = Source("x.cfg", f"{NET}[{name}]\n".encode())
        try:
            found = read(source)
        except ReadError as error:
            assert name in str(error) or "costs" in str(error)  # noqa: PT017 - any of several complaints will do
        else:
            assert found.nodes[0].name.partition(".")[0] == f"{TYPES[name][0]}_0"


def test_that_parameters_follow_from_the_input_is_said(tmp_path: Path) -> None:
    """Where the user gives another size; the file's own decides nothing that it does not say."""
    path = tmp_path / "net.cfg"
    path.write_text(
        "[net]\nheight=8\nwidth=8\nchannels=3\n[convolutional]\nfilters=4\nsize=3\n"
        "[local]\nfilters=2\n[connected]\noutput=5\n[connected]\noutput=6\n"
    )
    assert read_file(str(path)).notes == ()
    (note,) = read_file(str(path), (3, 12, 12)).notes
    assert note.startswith("the parameters of local_1, connected_2 follow from the size of the")
