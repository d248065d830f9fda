"""Every complaint of the layers, read: it says what is wrong, with the values, and is formatted.

The last test reads the source: a ``raise`` without a case here fails it.
"""
# ruff: noqa: E501  (a table: a case a line)

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import nettally.layers
from nettally.building.layers import torch_module
from nettally.errors import LayerError
from nettally.layers import layer, layer_class
from nettally.layers.same_padding import resolve
from nettally.network import Layer, Node

SQUARE = (1, 6, 8, 8)


def made(kind: str, **fields: Any) -> Any:
    return lambda: layer_class(kind)(**fields)


def given(kind: str, *xs: tuple[int, ...], **fields: Any) -> Any:
    return lambda: layer_class(kind)(**fields).shape(xs or (SQUARE,))


def normalised_in_torch(groups: int) -> Any:
    """Local response normalisation of 6 channels, as torch computes it for us."""
    import torch

    from nettally.building.response_normalization import local_response_norm

    return local_response_norm(torch.zeros(1, 6, 2, 2), 3, groups=groups)


def in_torch(kind: str, *xs: tuple[int, ...], **fields: Any) -> Any:
    return lambda: torch_module(layer_class(kind)(**fields), xs or (SQUARE,))


def resolved() -> Layer:
    node = Node("a", layer_class("conv")(filters=1, kernel=3), ("x",), written={"padding": "same"})
    return resolve(node, ((1, 6, 8),))


CONV: dict[str, Any] = {"filters": 6, "kernel": 3}
conv = layer_class("conv")

CASES: list[tuple[Any, str]] = [
    (lambda: layer_class("covn"), "no layer is called 'covn'\n  try: did you mean 'conv'?"),
    # fields of windows
    (made("conv", filters=1), "kernel is missing\n  try: one number, or one an axis: kernel 3x3"),
    (made("conv_transpose", filters=1), "kernel is missing\n  try: one number"),
    (made("max_pool"), "kernel is missing\n  try: one number"),
    (made("resize"), "size is missing\n  try: one number"),
    (made("adaptive_max_pool"), "size is missing\n  try: one number"),
    (made("conv", **CONV | {"kernel": 0}), "kernel must be at least 1\n  values: kernel 0"),
    (made("conv", **CONV | {"kernel": 10**30}), f"kernel must be at most 2^31 - 1\n  values: kernel {10**30}"),
    (made("conv", **CONV | {"kernel": 10**5000}), "values: kernel a number of over 40 digits"),
    (made("conv", **CONV | {"kernel": 2.5}), "kernel must be a whole number\n  values: kernel 2.5"),
    (made("conv", **CONV | {"kernel": True}), "kernel must be a whole number\n  values: kernel True"),
    (made("conv", **CONV, stride=-2), "stride must be at least 1\n  values: stride -2"),
    (made("conv", **CONV, stride=(10**5000, 1, 1)), "stride (over 40 digits)x1x1"),
    (made("conv", **CONV, stride=(1, 1, 1)), "stride has 3 values for 2 axes\n  values: stride 1x1x1"),
    (made("conv", **CONV, padding=-1), "padding must be at least 0\n  values: padding -1"),
    (made("conv", **CONV, padding=(1, 1, 1)), "padding has 3 values for 2 axes"),
    (made("conv", **CONV, padding=((1, 1, 1), 0)), "padding is one number, or before and after\n  values: (1, 1, 1)"),
    (made("conv", **CONV, padding="same"), "padding must be a whole number\n  values: padding 'same'"),
    (made("conv", **CONV, rounding="ceil"), "rounding is one of down, up, clip\n  values: rounding ceil"),
    (given("conv", (1, 6, 8), **CONV),
     "conv over 2 axes of space needs a 4-axis input (batch, channels, space)\n  values: input 1x6x8"),
    (given("conv", (1, 6, 2, 8), **CONV, dilation=2),
     "the window is larger than its input\n"
     "  values: kernel 3x3, dilation 2x2, input 2x8, padding 0\n"
     "  try: a larger input, more padding, or a smaller kernel"),
    (given("max_pool", (1, 6, 2, 8), kernel=4, padding=((0, 1), 0)),
     "values: kernel 4x4, dilation 1x1, input 2x8, padding 0:1x0"),
    (resolved, "'same' needs an input with 2 axes of space\n  values: input 1x6x8"),
    # convolutions
    (made("conv", filters=0, kernel=1), "filters must be at least 1\n  values: filters 0"),
    (made("conv", **CONV, groups=4), "the groups must divide the filters\n  values: filters 6, groups 4"),
    (made("conv_transpose", **CONV, groups=4), "the groups must divide the filters\n  values: filters 6, groups 4"),
    (given("conv", (1, 5, 8, 8), **CONV, groups=3),
     "the groups must divide the input's channels\n  values: channels 5, groups 3"),
    (given("conv_transpose", (1, 5, 8, 8), **CONV, groups=3),
     "the groups must divide the input's channels\n  values: channels 5, groups 3"),
    (given("conv_transpose", (1, 6, 1, 1), **CONV, padding=2),
     "the padding cuts away the whole output\n  values: input 1x1, kernel 3x3, padding 2"),
    (made("conv_sum"), "conv_sum needs one part an input"),
    (given("conv_sum", parts=(conv(**CONV),) * 2), "conv_sum has one part an input\n  values: 2 parts, 1 inputs"),
    (given("conv_sum", SQUARE, SQUARE, parts=(conv(**CONV), conv(filters=6, kernel=1))),
     "the parts of a sum must agree in shape\n  values: 6x6x6, 6x8x8"),
    (made("conv_map", kernel=3), "each filter must see a channel\n  values: table ()"),
    (made("conv_map", kernel=3, table=((0,), ())), "each filter must see a channel\n  values: table ((0,), ())"),
    (made("conv_map", kernel=3, table=(0, 1)), "each filter must see a channel\n  values: table (0, 1)"),
    (made("conv_map", kernel=3, table=((-1,),)), "a channel of the table must be at least 0"),
    (given("conv_map", kernel=3, table=((0, 6),)),
     "the table names a channel that is not there\n  values: channels 0 to 5, table has 6"),
    # pooling
    (given("global_max_pool", (1, 6)), "global_max_pool needs axes of space\n  values: input 1x6"),
    (given("adaptive_max_pool", (1, 6), size=3),
     "adaptive_max_pool to 3x3 needs 2 axes of space\n  values: input 1x6"),
    # linear
    (made("linear", features=-1), "features must be at least 1\n  values: features -1"),
    (made("linear", features=1, axis="last"), "axis must be a whole number\n  values: axis 'last'"),
    (given("linear", features=1, axis=4),
     "linear's axis is outside its input\n  values: axis 4, input 1x6x8x8\n"
     "  try: axis 1 for a whole example, -1 for the last axis"),
    (given("linear", features=1, axis=0), "linear's axis is outside its input"),
    # normalisation
    (given("lrn", groups=4), "the groups must divide the input's channels\n  values: channels 6, groups 4"),
    (made("lrn", across="time"), "across is one of channels, space\n  values: across time"),
    (given("group_norm", groups=4), "the groups must divide the input's channels\n  values: channels 6, groups 4"),
    (given("layer_norm", axes=4), "layer_norm has more axes than its input\n  values: axes 4, input 1x6x8x8"),
    # functions of values
    (made("dropout", rate=1.5), "rate is a chance\n  values: rate 1.5\n  try: 0 to 1"),
    (made("dropout", rate="half"), "rate is a chance\n  values: rate half"),
    (given("scale", axis=3, axes=2), "scale has axes that its input has not"),
    (given("roi_pool", (1, 6, 8), (3, 5), size=3),
     "regions of 3x3 need 2 axes of space\n  values: input 1x6x8"),
    (given("roi_pool", SQUARE, (3, 5), size=3, channels=5),
     "each place of the output needs channels of its own"),
    (given("softmax", axis=4), "softmax's axis is outside its input\n  values: axis 4, input 1x6x8x8"),
    (given("log_softmax", axis="c"), "log_softmax's axis is outside its input\n  values: axis c"),
    (given("prelu", size=(6, 8)), "the slopes do not fit the input\n  values: size 6x8, input 1x6x8x8"),
    (given("standardize", size=(5, 1, 1)),
     "the statistics do not fit the input\n  values: size 5x1x1, input 1x6x8x8"),
    # layers with a state, and heads
    (made("lstm", features=1, directions=3), "directions is 1 or 2\n  values: directions 3"),
    (made("gru", features=1, biases=3), "biases is 0, 1 or 2\n  values: biases 3"),
    (given("rnn", features=1), "rnn reads (batch, steps, features), or one step of it\n  values: input 1x6x8x8"),
    (lambda: normalised_in_torch(groups=5), "lrn normalises across channels, which the groups divide, or across space"),
    (made("conv_elman", filters=3, hidden=2, groups=2),
     "the groups must divide filters\n  values: filters 3, groups 2"),
    (made("conv_elman", filters=2, hidden=2, stride=2), "a state keeps its size: its stride is 1"),
    (given("conv_elman", filters=2, hidden=2, padding=0),
     "a state keeps its size\n  values: maps 8x8 become 6x6\n  try: a padding of half the kernel"),
    (made("conv_lstm", filters=3, groups=2), "the groups must divide the filters\n  values: filters 3, groups 2"),
    (made("conv_lstm", filters=3, biases=3), "biases is 0, 1 or 2\n  values: biases 3"),
    (given("conv_lstm", (1, 6), filters=3),
     "conv_lstm reads (batch, channels, 2 axes of space), or steps of it\n  values: input 1x6"),
    (given("conv_lstm", (1, 5, 8, 8), filters=2, groups=2),
     "the groups must divide the input's channels\n  values: channels 5, groups 2"),
    (in_torch("conv_lstm", filters=2, norm=True), "Darknet's own conv_lstm has no torch module"),
    (in_torch("conv_lstm", filters=2, padding=((0, 1), 1)),
     "torch's conv_lstm is padded alike before and after"),
    (given("detect", sigmoids=4, softmaxes=3),
     "the input has too few channels\n  values: channels 6, sigmoids 4, softmaxes 3"),
    # merges
    (given("add", SQUARE, (1, 6, 4, 4)),
     "the inputs' shapes do not agree\n  values: 1x6x8x8, 1x6x4x4\n"
     "  try: the branches must end with the same sizes: a stride, a padding or a number of channels differs"),
    (given("concat", SQUARE, (1, 6, 4, 4)),
     "the inputs of a concat may differ only along its axis\n  values: axis 1; 1x6x8x8, 1x6x4x4"),
    (given("concat", SQUARE, axis=4), "concat's axis is outside its input\n  values: axis 4, input 1x6x8x8"),
    # views
    (given("flatten", start=4), "flatten starts outside its input\n  values: start 4, input 1x6x8x8"),
    (made("reshape"), "reshape needs its sizes, at most one of them -1"),
    (made("reshape", size=(-1, -1)), "reshape needs its sizes, at most one of them -1"),
    (given("reshape", size=(5, -1)),
     "reshape must keep the number of values\n  values: input 6x8x8 = 384, output 5x-1"),
    (given("permute", order=(0, 1, 2)),
     "permute's order must name each axis once, the batch first\n  values: order 0x1x2, input 1x6x8x8"),
    (given("permute", order=(1, 0, 2, 3)), "permute's order must name each axis once, the batch first"),
    (given("pad", padding=8, mode="reflect"),
     "there is too little to reflect\n  values: input 8x8, padding 8\n"
     "  try: a reflected border is narrower than its input"),
    (made("pad", mode="mirror"), "mode is one of zero, reflect, replicate, constant\n  values: mode mirror"),
    (given("crop", border=4), "crop leaves nothing\n  values: input 8x8, border 4"),
    (given("slice", axis=4), "slice's axis is outside its input\n  values: axis 4, input 1x6x8x8"),
    (given("slice", start=6), "slice takes nothing, or more than there is\n  values: start 6, stop 6, size 6"),
    (made("slice", stop=1.5), "stop must be a whole number\n  values: stop 1.5"),
    # the rest
    (given("recolor"), "recolor needs 3 channels\n  values: channels 6"),
    (given("opaque", type="Mystery"),
     "the output of 'Mystery' is not stated\n  try: say it: `opaque NAME, size 64x7x7`"),
    (made("opaque", tensors=("weight",)), "tensors are pairs of a name and its sizes"),
    (made("opaque", tensors=(("weight", 3),)), "tensors are pairs of a name and its sizes"),
    (made("opaque", kept=(("mean", (3,)), ("mean", (3,)))), "kept have a name twice\n  values: mean"),
    (made("opaque", tensors=(("weight", (-1,)),)),
     "a tensor's size is a whole number between 0 and 2^63 - 1\n  values: weight"),
    # torch
    (in_torch("opaque", type="Mystery"), "what 'opaque' computes is not known, so it has no torch module"),
    (in_torch("conv", (1, 1, 2, 2, 2, 2), filters=1, kernel=(1,) * 4),
     "torch has no Conv over 4 axes of space\n  try: it has 1, 2 and 3"),
    (in_torch("upsample", (1, 1, 4), mode="cubic"), "torch has no cubic interpolation over 1 axes of space"),
    # --- held tensors, functions by name, products
    (made("combine", operation="join"), "operation is one of add, subtract, multiply, divide, maximum, minimum, power\n  values: operation join"),
    (made("combine", size=(-1,)), "size must be at least 0"),
    (made("tensor", size=(-1,)), "size must be at least 0"),
    (made("embedding", rows=0, size=4), "rows must be at least 1"),
    (given("gather", SQUARE, (3,), axis=4), "gather's axis is outside its first input\n  values: axis 4, 4 axes"),
    (made("pointwise", function="sinus"), "no function is called 'sinus'\n  try: did you mean 'sin"),
    (given("pointwise", function="divide"), "'divide' takes 2 inputs\n  values: 1 given"),
    (in_torch("pointwise", function="clip"), "'clip' has settings that are not kept, so it has no module"),
    (made("reduce", operation="median"), "operation is one of sum, mean"),
    (made("reduce", axes="all"), "axes are whole numbers"),
    (given("reduce", axes=4), "reduce's axis is outside its input\n  values: axis 4, input 1x6x8x8"),
    (in_torch("reduce", operation="place_of_maximum", axes=(2, 3)), "torch has no 'place_of_maximum' over these axes"),
    (given("tile", times=(1, 2)), "tile needs one number an axis\n  values: times 1x2, input 1x6x8x8"),
    (given("arrange", type="Unfold", size=(1, 2), of=((1, 2),)), "what 'Unfold' makes of another input is not known\n  values: 1x6x8x8; it was worked out for 1x2"),
    (given("matmul", (2, 3)), "matmul has two factors\n  values: 1 inputs"),
    (given("matmul", (2, 3), ()), "a factor of matmul has no axes"),
    (given("matmul", (2, 3), (4, 5)), "the factors' sizes do not agree\n  values: 2x3 times 4x5: 3 is not 4"),
    (made("einsum", equation="ij,jk"), "an equation has letters for axes, a comma between inputs, an arrow, the output\n  values: ij,jk"),
    (given("einsum", (2, 3), equation="ij,jk->ik"), "einsum has one term an input\n  values: ij,jk->ik, 1 factors"),
    (given("einsum", (2, 3), (3,), equation="ij,jk->ik"), "einsum's term has a letter for each axis\n  values: jk, 3"),
    (given("einsum", (2, 3), (4, 5), equation="ij,jk->ik"), "einsum's sizes do not agree\n  values: ij,jk->ik: j is 3 and 4"),
    (given("attention", (1, 4, 8)), "attention needs a query, a key and a value\n  values: 1 inputs"),
    (given("attention", (1, 4, 8), (1, 4, 8), (1, 4, 8), heads=3), "the heads do not divide the channels\n  values: 1x4x8, heads 3"),
    (given("attention", (1, 8), (1, 8), (1, 8), heads=2), "attention reads a sequence: batch, places, channels\n  values: input 1x8\n  try: a linear layer before it keeps the places where it says 'axis 2'"),
    (given("attention", (1, 4, 8), (1, 4, 6), (1, 4, 8), heads=2), "query, key and value do not fit each other\n  values: 1x4x8, 1x4x6, 1x4x8"),
    (made("experts", experts=2, hidden=4, function="sine"), "an expert's function is silu, gelu or relu\n  values: function sine"),
    (made("experts", experts=2, hidden=4, top=3), "a token runs through more experts than there are\n  values: top 3, experts 2"),
    (made("experts", experts=2, hidden=4, stacked=True, bias=True), "stacked experts have a gate and no bias, and are not transposed"),
    (given("experts", (1, 5, 8), (1, 5, 3), experts=2, hidden=4), "the router gives one score for each token and expert\n  values: tokens 1x5x8, scores 1x5x3, experts 2"),
    (given("cache", (5, 9)), "a cache keeps (batch, places, channels)\n  values: 5x9"),
    (made("cache", past=-1), "past must be at least 0\n  values: past -1"),
    (given("selective_scan", (1, 5), (1, 5), (1, 5), (1, 5)), "'selective_scan' reads (batch, places, channels)\n  values: 1x5"),
    (given("selective_scan", (1, 5, 8), (1, 5, 8), (1, 5, 3), (1, 5, 4), state=4), "the inputs of 'selective_scan' do not fit each other\n  values: 1x5x8, 1x5x8, 1x5x3, 1x5x4; expected 1x5x8, 1x5x8, 1x5x4, 1x5x4"),
    (made("state_space", heads=4, groups=3), "the groups do not divide the heads\n  values: 4 heads, 3 groups"),
    (given("state_space", (1, 5, 9), (1, 5, 2), (1, 5, 4), (1, 5, 4), heads=2, state=4), "the heads do not divide the channels\n  values: 1x5x9, heads 2"),
    (made("delta_rule", heads=4, key_heads=3), "the heads of keys do not divide those of values\n  values: 4 heads, 3 of keys"),
    (given("delta_rule", (1, 5, 4), (1, 5, 4), (1, 5, 9), (1, 5, 2), (1, 5, 2), heads=2, size=2), "the heads do not divide the channels\n  values: 1x5x9, heads 2"),
    (made("grouped_linear", features=5, groups=2), "the groups do not divide the features\n  values: features 5, groups 2"),
    (given("grouped_linear", (1, 5), features=4, groups=2), "the groups do not divide the channels\n  values: 1x5, groups 2"),
    (given("hyper_connection", (1, 5, 7), streams=2), "the streams do not divide the channels\n  values: 1x5x7, streams 2"),
    (given("compress", (1, 5, 8), (1, 5, 7), rate=2), "compress reads (batch, places, channels) and a gate of the same size\n  values: 1x5x8, 1x5x7"),
    (given("rotary", (1, 5, 9), size=4), "rotary's heads do not divide the channels\n  values: 1x5x9, heads of 4, of which 0 are turned"),
    (given("position_embedding", (1, 5, 8), rows=4), "the sequence is longer than the table of positions\n  values: input 1x5x8, rows 4"),
    (given("rms_norm", axes=4), "rms_norm has more axes than its input\n  values: axes 4, input 1x6x8x8"),
    (given("reshape", size=(3, 3), whole=True), "reshape must keep the number of values\n  values: input 1x6x8x8 = 384, output 3x3"),
]  # fmt: skip


@pytest.mark.parametrize(("attempt", "text"), CASES)
def test_what_is_said(attempt: Any, text: str) -> None:
    with pytest.raises(LayerError) as caught:
        attempt()
    said = str(caught.value)
    assert text in said
    assert "{" not in said


def register_twice() -> None:
    @layer("conv")
    class Other(Layer):
        """Not ours."""


def test_a_name_taken_twice_is_a_programmers_error() -> None:
    with pytest.raises(ValueError, match=r"two layers are called 'conv': .*Conv.* and .*Other"):
        register_twice()


NO_USER_READS = ("NotCompiled(", "MemoryError(")
"""Why nothing was compiled is caught, and told by ``how_it_runs``: tests/test_lrn_compiled.py."""


def sentences(tree: ast.AST) -> list[re.Pattern[str]]:
    """What each ``raise`` of a file can say, as a pattern."""
    found: list[re.Pattern[str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            if ast.unparse(node.exc).startswith(NO_USER_READS):
                continue
            assert isinstance(node.exc, ast.Call), ast.unparse(node)
            what = node.exc.args[0]
            parts = what.values if isinstance(what, ast.JoinedStr) else [what]
            found.append(
                re.compile(
                    "".join(
                        re.escape(part.value) if isinstance(part, ast.Constant) else ".+"
                        for part in parts
                    )
                )
            )
    return found


def test_every_raise_has_been_read() -> None:
    said = ["two layers are called 'conv': one and another"]
    for attempt, _ in CASES:
        try:
            attempt()
        except LayerError as error:
            said.append(error.what)
    files = sorted(Path(nettally.layers.__file__).parent.rglob("*.py"))
    patterns = {p.pattern: p for file in files for p in sentences(ast.parse(file.read_text()))}
    assert len(patterns) > 25
    unread = [text for text, p in patterns.items() if not any(map(p.fullmatch, said))]
    assert not unread
