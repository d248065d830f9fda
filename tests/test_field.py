"""Receptive fields: what is said of each kind of layer, of several paths and several inputs."""

from __future__ import annotations

import pytest

from field_nets import ALEXNET, Build, chain, conv, make
from nettally.counting.receptive_field import (
    NO_SPACE,
    NOT_ALIGNED,
    SEVERAL,
    UNKNOWN,
    UNSEEN,
    Ratio,
    padding_depends_on_input,
    receptive_fields,
)
from nettally.counting.tally import tally
from nettally.errors import NetworkError
from nettally.formats import read
from nettally.network import Layer

# --- AlexNet and what the answer says


def test_alexnet() -> None:
    build = Build(data=(1, 3, 224, 224))
    for name, layer, *_ in ALEXNET:
        build(layer, name=name)
    build(make("linear", 4096), name="fc6")
    fields = build.fields
    for name, _, size, stride, start in ALEXNET:
        field = fields[name]
        assert (field.size, field.stride, field.start) == (
            (size, size),
            (stride, stride),
            (start, start),
        ), name
    assert str(fields["conv1"]) == "11x11, stride 4, from 0"
    assert str(fields["conv2"]) == "51x51, stride 8, from -16"
    assert str(fields["fc6"]) == "whole input, 224x224"
    assert fields["fc6"].whole
    assert fields["fc6"].size == (224, 224)
    assert fields["conv2"].centre == (9.0, 9.0)


def test_what_unit_0_sees_of_the_image_and_beyond() -> None:
    field = chain([conv(11, 4), conv(5, padding=2)], (1, 1, 32, 224)).field
    high, wide = field.axes
    assert (high.size, high.start) == (27, -8)
    assert (wide.seen(), wide.beyond()) == (range(19), (8, 0))
    assert (high.seen(5), high.beyond(5)) == (range(12, 32), (0, 7))
    assert field.beyond
    assert not chain([conv(11, 4)]).field.beyond


def test_axes_may_differ() -> None:
    field = chain([conv((3, 5), (2, 1), ((1, 1), (0, 2)))], (1, 1, 9, 9)).field
    assert (field.size, field.stride, field.start) == ((3, 5), (2, 1), (-1, 0))
    assert str(field) == "3x5, stride (2, 1), from (-1, 0)"
    assert chain([conv((3, 3, 3), 2)], (1, 1, 9, 9, 9)).field.brief == "3x3x3"
    assert chain([conv((7,), 2)], (1, 1, 90)).field.brief == "7"


def test_pixels_that_rounding_down_drops_are_not_seen() -> None:
    field = chain([conv(11, 4), make("linear", 10)], (1, 3, 224, 224)).field
    assert str(field) == "223x223 of 224x224, from 0"
    assert not field.whole
    field = chain([make("crop", 2), make("global_average_pool")], (1, 3, 9, 9)).field
    assert str(field) == "5x5 of 9x9, from 2"


@pytest.mark.parametrize(
    ("layers", "brief"),
    [
        ([make("flatten"), make("relu"), make("linear", 10)], "whole input"),
        ([make("reshape", (-1,)), make("linear", 10)], "whole input"),
        ([make("permute", (0, 2, 3, 1)), make("linear", 10)], "whole input"),
        ([make("flatten")], UNKNOWN),
        ([conv(8), make("flatten")], "whole input"),
        ([make("global_max_pool"), make("flatten"), make("reshape", (1, 1, 1))], "whole input"),
        ([make("opaque", "x", size=(1, 8, 8)), conv(3), make("linear", 10)], UNKNOWN),
        ([make("opaque", "x"), conv(3), make("linear", 10)], UNKNOWN),
        ([make("group_norm", 1)], "whole input"),
        ([make("softmax", axis=3)], "1x8"),
        ([make("linear", 5, axis=-1), conv((3, 1))], "3x8"),
        ([make("linear", 5, axis=2)], "whole input"),
        ([make("layer_norm", axes=2)], "whole input"),
        ([make("layer_norm", axes=1)], "1x8"),
        ([make("lrn", 5, across="space")], "5x5"),
        ([make("blur", 5)], "5x5"),
        ([make("adaptive_average_pool", 4)], "2x2"),
        ([make("adaptive_average_pool", 3)], UNKNOWN),
        ([make("adaptive_average_pool", 3), make("linear", 10)], "whole input"),
        ([make("adaptive_average_pool", 1)], "whole input"),
        ([make("resize", 16, mode="nearest"), conv(2)], "2x2"),
        ([make("slice", axis=2, start=1, step=2), conv(3)], "5x3"),
    ],
)
def test_layers_that_are_no_plain_window(layers: list[Layer], brief: str) -> None:
    assert chain(layers, (1, 1, 8, 8)).field.brief == brief


def test_what_is_unknown_says_why() -> None:
    build = chain([make("opaque", "Warp"), make("relu")])
    assert str(build.field) == "unknown (nobody knows what opaque0 does)"
    assert "flatten0 (flatten) mixes positions" in str(chain([make("flatten")]).field)


def test_a_vector_has_no_space() -> None:
    build = Build(data=(1, 784))
    build(make("relu"))
    assert build.field.status == NO_SPACE
    build(make("linear", 10))
    assert str(build.field) == "whole input"


def test_hostile_sizes_end_in_unknown() -> None:
    stride = 2**31 - 1
    assert chain([conv(1, stride)] * 3, (1, 1, 1, 1)).field.status == UNKNOWN
    assert chain([make("upsample", 4096)], (1, 1, 4, 4)).field.status == UNKNOWN


# --- several paths, several inputs


def test_paths_that_are_not_aligned_name_themselves() -> None:
    build = Build(data=(1, 1, 9, 9))
    left = build(conv(3, 2, ((0, 2), (1, 1))), name="left")
    right = build(conv(1, 2), "data", name="right")
    build(make("add"), left, right, name="add")
    build(conv(3), name="after")
    build(make("concat"), "after", "after", name="twice")
    build(make("global_average_pool"), name="pool")
    fields = build.fields
    assert str(fields["add"]) == (
        "not aligned (at add, height: left has stride 2 and centre 1; "
        "right has stride 2 and centre 0)"
    )
    assert fields["after"] == fields["twice"] == fields["add"]
    assert fields["pool"].whole


def test_a_gate_over_the_whole_map_is_no_misalignment() -> None:
    build = Build(data=(1, 1, 9, 9))
    body = build(conv(3, padding=1))
    build(make("global_average_pool"))
    gate = build(make("linear", 1))
    gate = build(make("reshape", (1, 1, 1)))
    build(make("multiply"), body, gate)
    assert build.field.whole


def test_several_inputs() -> None:
    build = Build(left=(1, 1, 9, 9), right=(1, 1, 9, 9))
    build(conv(3), "left", name="a")
    build(conv(3), "right", name="b")
    build(conv(5, padding=1), "right", name="c")
    build(make("add"), "a", "b", name="alike")
    build(make("concat"), "a", "c", name="unlike")
    fields = build.fields
    assert [fields[name].brief for name in ("a", "b", "alike")] == ["3x3"] * 3
    assert fields["unlike"].status == SEVERAL
    assert fields["unlike"].why == "left: 3x3, stride 1, from 0; right: 5x5, stride 1, from -1"
    of_right = receptive_fields(build.network, "right")
    assert of_right["a"].status == UNSEEN
    assert of_right["unlike"].size == (5, 5)
    with pytest.raises(
        NetworkError, match=r"test has no input 'rihgt'\n  try: did you mean 'right'"
    ):
        receptive_fields(build.network, "rihgt")


def test_conv_sum_has_a_window_for_each_input() -> None:
    parts = (conv(3, padding=1), conv(5, padding=2))
    build = Build(data=(1, 1, 9, 9))
    a, b = build(conv(3, padding=1)), build(make("relu"), "data")
    build(make("conv_sum", parts=parts), a, b)
    assert str(build.field) == "5x5, stride 1, from -2"
    parts = (conv(3, padding=1), conv(3, padding=((0, 2), (0, 2))))
    build(make("conv_sum", parts=parts), a, b)
    assert build.field.status == NOT_ALIGNED


def test_working_is_left_aside() -> None:
    counted = tally(chain([conv(3), make("adaptive_max_pool", 2)], (1, 1, 8, 8)).network)
    with_working = tally(counted.network, working=True)
    fields = receptive_fields(with_working)
    assert fields == receptive_fields(counted)
    assert type(fields["conv0"].size[0]) is int


# --- maps that are finer again


def test_a_small_u_net_is_aligned() -> None:
    build = Build(data=(1, 1, 16, 16))
    skip = build(conv(3, padding=1))
    build(make("max_pool", 2))
    build(conv(3, padding=1))
    up = build(make("conv_transpose", 1, 2, stride=2))
    build(make("concat"), skip, up)
    field = build.field
    assert str(field) == "up to 8x8, stride 1, from -3"
    assert field.axes[0].phases == ((-3, 4), (-3, 4))
    assert build.fields[up].centre == (0.0, 0.0)


def test_a_stride_below_one_is_a_ratio() -> None:
    field = chain([make("upsample", 2), conv(3, padding=1)], (1, 1, 8, 8)).field
    assert field.stride == (Ratio(1, 2), Ratio(1, 2))
    assert float(field.stride[0]) == 0.5
    assert str(field) == "up to 2x2, stride 1/2, from -1"
    assert field.centre == (-0.25, -0.25)
    field = chain([make("upsample", 4), make("max_pool", 4)], (1, 1, 8, 8)).field
    assert str(field) == "1x1, stride 1, from 0"


# --- padding SAME


def test_padding_that_the_size_of_the_input_decides() -> None:
    build = Build(data=(1, 1, 9, 9))
    build.same(conv(3))  # without a stride, always 1 and 1
    build.same(conv(1, 2))  # never any
    build.same(make("max_pool", 2))  # the odd one comes after
    assert padding_depends_on_input(build.network) == frozenset()
    strided = build.same(conv(3, 2))
    after = build(make("relu"))
    build(make("global_average_pool"))
    assert padding_depends_on_input(tally(build.network)) == {strided, after}


def test_same_padding_in_the_zoo_depends_on_the_input() -> None:
    counted = tally(read("mobilenet-v1"))
    depends = padding_depends_on_input(counted)
    assert "conv13.pointwise" in depends
    assert "pool" not in depends  # it sees the whole input, whatever its size
    assert padding_depends_on_input(tally(read("alexnet-tf-slim"))) == frozenset()


# --- speed


def test_a_thousand_layers_and_a_dense_graph_are_quick() -> None:
    from time import perf_counter

    counted = tally(chain([conv(3, padding=1)] * 1000, (1, 1, 8, 8)).network)
    begun = perf_counter()
    fields = receptive_fields(counted)
    assert perf_counter() - begun < 0.5
    assert fields["conv999"].size == (2001, 2001)
