"""Kinds of Caffe's files that say more, or less, than they seem to: forks, masks, losses, templates."""
# ruff: noqa: E501  (tables: a case a line)

from __future__ import annotations

from typing import Any

import pytest

from nettally.accountings import ACCOUNTINGS
from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source, _read
from nettally.network import Shape


def layer(type_: str, name: str, bottoms: str, tops: str | None = None, rest: str = "") -> str:
    reads = "".join(f"bottom: '{each}' " for each in bottoms.split())
    writes = "".join(f"top: '{each}' " for each in (name if tops is None else tops).split())
    return f"layer {{ name: '{name}' type: '{type_}' {reads}{writes}{rest} }}\n"


def data(size: int) -> str:
    return f"input: 'data' input_shape {{ dim: 1 dim: 3 dim: {size} dim: {size} }}\n"


def conv(name: str, bottom: str, more: str = "") -> str:
    settings = f"convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 {more} }}"
    return layer("Convolution", name, bottom, rest=settings)


def python(name: str, bottoms: str, tops: str | None = None, kind: str = "Odd") -> str:
    return layer("Python", name, bottoms, tops, f"python_param {{ module: 'm' layer: '{kind}' }}")


def loss(bottoms: str) -> str:
    return layer("SoftmaxWithLoss", "loss", bottoms)


def counted(text: str, inputs: dict[str, Shape] | None = None, **options: str) -> Any:
    return tally(_read(Source("net.prototxt", text.encode(), inputs or {}, options=options)))


# --- what only losses read ------------------------------------------------------------------------

HEAD = data(9) + conv("c", "data")
LABELS = "layer { name: 'd' type: 'HDF5Data' top: 'labels' }\n"
LEFT_OUT = {
    "through a concat": python("o", "c", "a b") + layer("Concat", "cc", "a b") + loss("c cc"),
    "through a split": python("o", "c") + layer("Split", "s", "o", "p q") + loss("c p") + layer("Accuracy", "acc", "c q"),
    "through a slice": python("o", "data") + layer("Slice", "s", "o", "p q") + loss("c p") + layer("EuclideanLoss", "l2", "c q"),
    "beside the network's own": python("o", "c") + layer("Eltwise", "e", "c o") + loss("e"),
    "in place": python("o", "c", "c") + loss("c"),
    "a loss of Python by its name": python("o", "c", kind="EuclideanLossLayer"),
    "a layer without tops": python("o", "c", ""),
    "what is read by nothing but Silence": python("o", "c") + layer("Silence", "s", "o", ""),
    "a loss of SSD": layer("MultiBoxLoss", "m", "c data"),
    "labels without a size": LABELS + layer("Interp", "i", "labels", "small", "interp_param { shrink_factor: 8 }") + loss("c small"),
}  # fmt: skip
IN_THE_NETWORK = {
    "weights behind it": python("o", "c") + conv("d", "o") + loss("d"),
    "a norm behind it": python("o", "c") + layer("BatchNorm", "d", "o") + loss("d"),
    "one of its tops": python("o", "c", "a b") + conv("d", "a") + loss("d b"),
    "nothing reads it": python("o", "c"),
    "it is written to a file": python("o", "c") + layer("HDF5Output", "w", "o", ""),
    "it learns": layer("Margin", "m", "c", "m", "margin_param { num_output: 5 }") + loss("m"),
    "it names its weights": layer("Centre", "m", "c", "m", "param { lr_mult: 1 }") + loss("m"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_only_losses_read_is_training_s(name: str) -> None:
    found = counted(HEAD + LEFT_OUT[name])
    assert (found.parameters, found.macs, found.complete) == (112, 81 * 108, True)
    assert found.network.outputs == ("c",)
    assert any(note.startswith("training's, not counted: ") for note in found.network.notes)


@pytest.mark.parametrize("name", IN_THE_NETWORK)
def test_an_unknown_layer_of_the_network_leaves_the_total_open(name: str) -> None:
    assert not counted(HEAD + IN_THE_NETWORK[name]).complete


# --- masks, norms, sizes by fork ------------------------------------------------------------------

POOL = HEAD + layer("Pooling", "p", "c", "p mask", "pooling_param { kernel_size: 2 stride: 2 }")


@pytest.mark.parametrize(
    ("type_", "settings", "size"),
    [
        ("Upsample", "upsample_param { scale: 2 }", (10, 10)),
        ("Upsample", "upsample_param { scale_h: 2 scale_w: 3 }", (10, 15)),
        ("Upsample", "upsample_param { scale: 2 pad_out_h: true }", (9, 10)),
        ("Upsample", "upsample_param { upsample_h: 9 upsample_w: 9 }", (9, 9)),
        ("Upsample", "", (9, 9)),  # as large as what the pooling read
        ("Unpooling", "unpooling_param { kernel_size: 2 stride: 2 }", (10, 10)),
        ("Unpooling", "unpooling_param { kernel_size: 2 stride: 2 unpool_size: 9 }", (9, 9)),
        ("MaxUnpool", "", (9, 9)),
    ],
)
def test_a_mask_takes_values_back(type_: str, settings: str, size: tuple[int, int]) -> None:
    found = counted(POOL + layer(type_, "u", "p mask", rest=settings))
    assert found["u"].shape == (1, 4, *size)
    assert found.complete
    assert found.network.outputs == ("u",)


def test_a_mask_is_as_large_as_its_map() -> None:
    found = counted(POOL + layer("Concat", "both", "p mask"))
    assert found["both"].shape == (1, 8, 5, 5)


@pytest.mark.parametrize(
    ("fields", "learned"),
    [("", 0), ("scale_filler { value: 1 }", 8), ("bias_filler { }", 8), ("scale_bias: true", 8)],
)
def test_a_filler_says_that_a_norm_learns(fields: str, learned: int) -> None:
    found = counted(HEAD + layer("BatchNorm", "b", "c", rest=f"batch_norm_param {{ {fields} }}"))
    assert found.parameters == 112 + learned


ZOOM = layer("Interp", "up", "c", rest="interp_param { zoom_factor: 2 }")


def test_the_rule_that_fits_says_how_interp_zooms() -> None:
    small = conv("c", "data", "stride: 2") + ZOOM
    total = small + conv("e", "up") + conv("d", "data") + layer("Eltwise", "sum", "e d")
    assert counted(data(10) + small)["up"].shape == (1, 4, 9, 9)
    assert counted(data(9) + total).network.notes == ()  # 5 becomes 9 by DeepLab's rule
    found = counted(data(10) + total)
    assert found["sum"].shape == (1, 4, 10, 10)
    assert found.network.notes == (
        "Interp multiplies sizes by its factors, as some forks have it, since what follows does "
        "not fit DeepLab's rule: 'up' 5x5 to 10x10",
    )
    with pytest.raises(ReadError) as caught:
        counted(data(12) + total.replace("stride: 2", "stride: 3"))
    assert "Interp 'up' 4x4 to 7x7 by DeepLab's rule, 'up' 4x4 to 8x8 by other forks'" in str(
        caught.value
    )
    with pytest.raises(ReadError) as caught:
        counted(data(10) + total.replace("bottom: 'd'", "bottom: 'dd'"))
    assert "Interp" not in str(caught.value)


def test_one_of_several_sizes_is_asked_for() -> None:
    def net(*sizes: int) -> str:
        resized = "".join(f"resize_param {{ height: {size} width: {size} }} " for size in sizes)
        return layer("Data", "d", "", "data", f"transform_param {{ {resized} }}") + conv(
            "c", "data"
        )

    assert counted(net(9, 9)).macs == 81 * 108
    assert counted(net(9, 12), {"": (3, 9, 9)}).macs == 81 * 108
    with pytest.raises(ReadError, match="one of several: resize_param 9x9, resize_param 12x12"):
        counted(net(9, 12))


# --- norms that presets fold ----------------------------------------------------------------------

NORM = layer("BatchNorm", "b", "c", "c")
SCALE = layer("Scale", "s", "c", "c", "scale_param { bias_term: true }")


@pytest.mark.parametrize(
    ("first", "behind", "left"),
    [
        ("bias_term: false", NORM + SCALE, 108 + 4),
        ("", NORM + SCALE, 112),
        ("", NORM + SCALE + SCALE, 112),
        ("bias_term: false", NORM + SCALE.replace("bias_term: true", ""), 108 + 4),
        ("", layer("BatchNorm", "b", "c") + layer("Scale", "s", "b", rest="scale_param { bias_term: true }"), 112),
        ("bias_term: false", layer("BatchNorm", "b", "c") + layer("Scale", "s", "b"), 108 + 4),
        # read twice, the norm stays and so does the scale of one of its readers
        ("", layer("BatchNorm", "b", "c") + layer("Scale", "s", "b") + layer("Eltwise", "e", "s b"), 112 + 4),
    ],
)  # fmt: skip
def test_norm_and_scale_are_folded_where_a_preset_folds(first: str, behind: str, left: int) -> None:
    text = data(9) + conv("c", "data", first) + behind
    net = _read(Source("net.prototxt", text.encode()))
    assert tally(net, ACCOUNTINGS["openvino"]).parameters == left


# --- templates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["@N@", "{{ n }}", "$N", "${N}", "$(N)", "%d", "%(n)d", "<n>", "<<n>>", "{n}", "{}", "[[n]]", "#N#", "?", "...",
     "'{{ n }}'", "N", "cls1x", "<%= n %>"],
)  # fmt: skip
def test_a_placeholder_is_a_template_s(value: str) -> None:
    with pytest.raises(ReadError, match="it is a template: its placeholders have to be filled"):
        counted(
            data(9)
            + layer(
                "InnerProduct", "f", "data", rest=f"inner_product_param {{ num_output: {value} }}"
            )
        )


@pytest.mark.parametrize("value", ["4.5", "'4'", "nan", "true", "4x"])
def test_a_wrong_number_is_no_placeholder(value: str) -> None:
    with pytest.raises(ReadError) as caught:
        counted(
            data(9)
            + layer(
                "InnerProduct",
                "f",
                "data",
                rest=f"inner_product_param {{ num_output: {value} # $5\n }}",
            )
        )
    assert "template" not in str(caught.value)
