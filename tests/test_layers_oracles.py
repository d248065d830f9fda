"""Shapes that other programs' own tests expect: Dumoulin and Visin's, Caffe's, Keras's.

The files lie outside the project; without them these tests are skipped, and say why. What a
format means (channels last, SAME, Caffe's rounding) is resolved here, as a reader would.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from nettally.layers import layer_class

if TYPE_CHECKING:
    from pathlib import Path

    from nettally.network import Layer, Shape


def make(kind: str, **fields: Any) -> Layer:
    return layer_class(kind)(**fields)


def shape(x: Shape, *layers: Layer) -> Shape:
    """The shape after the layers, one after the other."""
    for each in layers:
        x = each.shape((x,))
    return x


# --- convolution arithmetic ---------------------------------------------------------------------


def test_convolution_arithmetic(oracles: Path) -> None:
    """The 19 animated or computed cases of "A guide to convolution arithmetic"."""
    with (oracles / "conv_arithmetic_cases.csv").open(newline="") as file:
        cases = list(csv.DictReader(file))
    assert len(cases) == 19
    for case in cases:
        number = {k: int(v) for k, v in case.items() if v.isdecimal()}
        fields = {key: number[key] for key in ("kernel", "stride", "padding", "dilation")}
        size, out = number["input"], number["output"]
        if case["mode"] == "convolution":
            window = make("conv", filters=1, **fields)
        else:
            window = make("max_pool" if case["mode"] == "max" else "average_pool", **fields)
        assert shape((1, 1, size, size), window) == (1, 1, out, out), case["name"]
        assert (number["direct_i"], number["direct_o"]) == (size, out)
        if case["transposed"] == "True":
            extra = number["output_padding_a"]
            back = make("conv_transpose", filters=1, output_padding=extra, **fields)
            before, after = number["transposed_i_prime"], number["transposed_o_prime"]
            assert shape((1, 1, before, before), back) == (1, 1, after, after), case["name"]


# --- Caffe --------------------------------------------------------------------------------------


def caffe(case: dict[str, Any]) -> Layer:
    """Caffe's layer as ours: its pooling rounds up, and with padding leaves out a last window."""
    kernel, channels = case.get("kernel"), case["bottom"][1]
    fields: dict[str, Any] = {
        "kernel": tuple(kernel) if isinstance(kernel, list) else kernel,
        "stride": case.get("stride", 1),
        "padding": case.get("pad", 0),
        "dilation": case.get("dilation", 1),
    }
    match case["layer"]:
        case "Convolution" | "Deconvolution":
            kind = "conv" if case["layer"] == "Convolution" else "conv_transpose"
            groups = case.get("group", 1)
            return make(kind, filters=case["num_output"], groups=groups, **fields)
        case "Im2col":  # the columns of each channel: a depthwise convolution, a filter a tap
            taps = kernel * kernel
            return make("conv", filters=channels * taps, groups=channels, bias=False, **fields)
        case "Pooling" if case.get("global_pooling"):
            return make("global_max_pool")
        case "Pooling":
            return make("max_pool", rounding="clip" if case.get("pad") else "up", **fields)
        case other:
            raise AssertionError(other)


def test_caffes_unit_tests(oracles: Path) -> None:
    cases = json.loads((oracles / "caffe_unit_test_shapes.json").read_text())["cases"]
    assert len(cases) == 12
    for case in cases:
        assert shape(tuple(case["bottom"]), caffe(case)) == tuple(case["top"]), case


# --- Keras --------------------------------------------------------------------------------------


def per_axis(value: Any, axes: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, list) else (value,) * axes


def padding(mode: str, space: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Any:
    """Keras's word for padding, as zeros before and after; SAME puts the odd one after."""
    if mode == "valid":
        return 0
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if mode == "causal":
        return tuple((span - 1, 0) for span in spans)
    assert mode == "same"
    totals = [
        max((-(-size // s) - 1) * s + span - size, 0)
        for size, s, span in zip(space, stride, spans, strict=True)
    ]
    return tuple((total // 2, total - total // 2) for total in totals)


def channels_first(sizes: list[int], args: dict[str, Any]) -> Shape:
    """The sizes with the channels at 1; only one-axis layers may leave the format out."""
    if args.get("data_format", "channels_last") == "channels_first":
        return tuple(sizes)
    return (sizes[0], sizes[-1], *sizes[1:-1])


def keras(name: str, args: dict[str, Any], x: Shape) -> list[Layer]:
    """Keras's layer as ours; what does not bear on the shape is left out (activations, LoRA)."""
    if name == "Reshape":
        return [make("reshape", size=tuple(args["target_shape"]))]
    if name.startswith("UpSampling"):
        return [make("upsample", scale=args["size"])]
    if name.startswith("Global"):
        kind = "global_max_pool" if "Max" in name else "global_average_pool"
        return [make(kind, keep=args["keepdims"])]
    axes = len(x) - 2
    kernel = per_axis(args.get("kernel_size", args.get("pool_size")), axes)
    stride = per_axis(args.get("strides", 1), axes)
    dilation = per_axis(args.get("dilation_rate", 1), axes)
    mode = args.get("padding", "valid")
    fields: dict[str, Any] = {"kernel": kernel, "stride": stride, "dilation": dilation}
    if "Transpose" in name:
        return [transposed(args, mode, fields)]
    fields["padding"] = padding(mode, x[2:], kernel, stride, dilation)
    if "Pooling" in name:
        return [make("max_pool" if "Max" in name else "average_pool", **fields)]
    if name.startswith(("Depthwise", "Separable")):
        depthwise = make("conv", filters=x[1] * args["depth_multiplier"], groups=x[1], **fields)
        if name.startswith("Depthwise"):
            return [depthwise]
        return [depthwise, make("conv", filters=args["filters"], kernel=(1,) * axes)]
    assert name.startswith("Conv")
    return [make("conv", filters=args["filters"], groups=args.get("groups", 1), **fields)]


def transposed(args: dict[str, Any], mode: str, fields: dict[str, Any]) -> Layer:
    """Keras's transposed convolution: its output is size · stride, and what the kernel adds."""
    axes = len(fields["kernel"])
    extra = args["output_padding"]
    if extra is None:
        assert mode == "valid"  # the only mode that these cases have without output_padding
        pairs = zip(fields["kernel"], fields["stride"], strict=True)
        extra = tuple(max(s - k, 0) for k, s in pairs)
        cut: Any = 0
    else:
        assert mode == "same"
        cut = tuple((k // 2, k // 2) for k in fields["kernel"])
    extra = per_axis(extra, axes) if isinstance(extra, int) else extra
    return make(
        "conv_transpose", filters=args["filters"], padding=cut, output_padding=extra, **fields
    )


def test_keras_unit_tests(oracles: Path) -> None:
    cases = json.loads((oracles / "keras_layer_output_shapes.json").read_text())["cases"]
    assert len(cases) == 82
    for case in cases:
        (name,), args = case["layer"], case["args"]
        if name == "Reshape":  # it keeps the order of the values, whatever they stand for
            x, expected = tuple(args["input_shape"]), tuple(args["output_shape"])
        else:
            x = channels_first(args["input_shape"], args)
            expected = channels_first(args["output_shape"], args)
            if name.startswith("Global") and not args["keepdims"]:
                expected = tuple(args["output_shape"])
        assert shape(x, *keras(name, args, x)) == expected, case


def test_the_test_above_can_fail(oracles: Path) -> None:
    """Without its padding, no SAME case comes out."""
    cases = json.loads((oracles / "keras_layer_output_shapes.json").read_text())["cases"]
    convolutions = [
        (case["layer"][0], case["args"])
        for case in cases
        if case["args"].get("padding") == "same" and "Transpose" not in case["layer"][0]
    ]
    assert len(convolutions) > 10
    for name, args in convolutions:
        x = channels_first(args["input_shape"], args)
        wrong = args | {"padding": "valid"}
        assert shape(x, *keras(name, wrong, x)) != channels_first(args["output_shape"], args)
