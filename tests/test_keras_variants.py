"""Keras: models in TimeDistributed, LoRA, quantised dtypes, other inputs than the file's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import read as read_file
from nettally.formats.keras import sniff
from test_keras import (
    archive,
    call,
    counted,
    functional,
    layer,
    of_keras,
    run,
    sequential,
    source,
    start,
)

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


# --- TimeDistributed ----------------------------------------------------------------------------


def test_a_model_that_is_given_rows_of_another_length_is_refused() -> None:
    """Keras, too, holds what a model is called with to its own input."""
    inner = sequential((8,), layer("Dense", units=4))
    assert counted(sequential((3, 8), layer("TimeDistributed", layer=inner))).parameters == 36
    with pytest.raises(ReadError, match="rows of another length") as error:
        counted(sequential((3, 9), layer("TimeDistributed", layer=inner)))
    assert error.value.values == "9 given, its own input has 8"


CONV = layer("Conv2D", "c", filters=4, kernel_size=3)
LSTM = layer("LSTM", "l", units=3, return_sequences=True)
FIRST = layer("Conv2D", filters=4, kernel_size=3, data_format="channels_first")
SMALL = sequential((6,), layer("Dense", units=5))
INNER: dict[str, tuple[tuple[int, ...], Json]] = {
    "a sequential": (
        (8, 8, 3),
        sequential((8, 8, 3), CONV, layer("Flatten"), layer("Dense", units=5)),
    ),
    "a sequential without its input": ((7,), sequential(None, layer("Dense", units=5))),
    "a functional": (
        (10,),
        functional(
            ["i"],
            ["s"],
            start("i", 10),
            call(layer("Dense", "d", units=10), ["i"], ["d"]),
            call(layer("Add", "s"), [("d", 0, 0), ("d", 1, 0)]),
        ),
    ),
    "bidirectional": (
        (6, 4),
        sequential((6, 4), layer("Bidirectional", layer=LSTM), layer("GRU", units=2)),
    ),
    "channels first": (
        (3, 8, 8),
        sequential((3, 8, 8), FIRST),
    ),
    "a model in a model": ((6,), sequential((6,), SMALL)),
    "TimeDistributed": (
        (4, 6),
        sequential((4, 6), layer("TimeDistributed", layer=SMALL)),
    ),
    "a layer": ((6, 4), LSTM),
    "an embedding": ((6,), layer("Embedding", "e", input_dim=9, output_dim=2)),
    "a pool": ((8, 8, 3), layer("MaxPooling2D", "p")),
    "a layer norm over the first axis": ((8, 3), layer("LayerNormalization", "n", axis=[1, 2])),
}


@pytest.mark.parametrize("what", INNER)
@pytest.mark.parametrize("steps", [1, 5])
def test_at_each_step_a_model_does_what_it_does_alone(what: str, steps: int) -> None:
    shape, inner = INNER[what]
    alone = counted(inner if "layers" in inner["config"] else sequential(shape, inner),
                    inputs={} if "without" not in what else {"": shape})  # fmt: skip
    each = counted(sequential((steps, *shape), layer("TimeDistributed", "td", layer=inner)))
    assert each.complete
    assert each.parameters == alone.parameters
    assert of_keras(each) == of_keras(alone)
    assert each.macs == steps * alone.macs
    one, all_steps = (found[found.network.outputs[0]].shape for found in (alone, each))
    assert one is not None
    assert all_steps is not None
    assert sorted(all_steps) == sorted((1, steps, *one[1:]))
    assert all_steps[:2] == (1, steps)


@pytest.mark.parametrize("model", [False, True])
def test_values_at_each_step_stand_where_keras_has_them(model: bool) -> None:
    np = pytest.importorskip("numpy")
    shape = (3, 4, 5, 2)
    x = np.random.default_rng(1).random((1, *shape), dtype=np.float32)
    pool, flat = layer("MaxPooling2D", "p", pool_size=[2, 1]), layer("Flatten", "f")
    steps = [sequential(shape[1:], pool, flat)] if model else [pool, flat]
    net = counted(sequential(shape, *(layer("TimeDistributed", layer=each) for each in steps)))
    pooled = x.reshape(1, 3, 2, 2, 5, 2).max(3)
    assert np.array_equal(run(net.network, x, moved=False), pooled.reshape(1, 3, 20))
    net = counted(sequential(shape, layer("TimeDistributed", layer=pool)))
    assert np.array_equal(run(net.network, x, moved=False), pooled)


def test_steps_stay_in_the_batch_from_one_wrapper_to_the_next() -> None:
    found = counted(
        sequential(
            (5, 8, 8, 3),
            layer("TimeDistributed", layer=CONV),
            layer("TimeDistributed", layer=layer("MaxPooling2D", "p")),
            layer("TimeDistributed", layer=layer("Flatten", "f")),
            layer("LSTM", units=7),
        )
    )
    kinds = [row.node.layer.kind for row in found]
    assert kinds == [
        "reshape",
        "permute",
        "conv",
        "max_pool",
        "permute",
        "flatten",
        "reshape",
        "lstm",
    ]
    assert found.rows[-2].shape == (1, 5, 36)


def test_a_model_that_is_also_called_by_itself_is_counted_once() -> None:
    encoder = {**sequential((6,), layer("Dense", units=5), name="e"), "name": "e"}
    dense = encoder["config"]["layers"][1]
    dense["shared_object_id"] = 77  # as Keras 3 writes what stands in a file twice
    td = call(layer("TimeDistributed", "td", layer=encoder), ["a"], ["b"])
    said = functional(
        ["a", "b", "x"],
        ["j"],
        *(start("a", 4, 6), start("b", 4, 6), start("x", 6)),
        td,
        {**encoder, "inbound_nodes": [[["x", 0, 0, {}]]]},
        call(layer("Add", "j"), [("td", 0, 0), ("td", 1, 0), ("e", 0, 0)]),
    )
    found = counted(said)
    assert (found.parameters, found.macs) == (35, 9 * 30)


def test_what_is_unknown_at_each_step_is_unknown() -> None:
    found = counted(sequential((4, 6), layer("TimeDistributed", layer=layer("Mine", "m"))))
    assert not found.complete
    with pytest.raises(ReadError, match="its layer is no layer"):
        counted(sequential((4, 6), layer("TimeDistributed", layer=3)))
    with pytest.raises(ReadError, match="needs an axis of steps"):
        counted(sequential((6,), layer("TimeDistributed", layer=CONV)))


# --- beside a kernel ----------------------------------------------------------------------------


def policy(mode: str, **more: Any) -> Json:
    """A dtype as Keras 3 writes it."""
    config = {"mode": mode, "source_name": "float32", **more}
    return {"module": "keras", "class_name": "QuantizedDTypePolicy", "config": config}


EINSUM = {"equation": "abc,cde->abde", "output_shape": [None, 2, 3], "bias_axes": "de"}
BESIDE: list[tuple[str, Json, tuple[int, ...], int, int, int]] = [
    # class, settings, input: parameters, trained ones, what is kept beside them
    ("Dense", {"units": 5, "lora_rank": 2}, (10,), 55 + 30, 35, 0),
    ("Dense", {"units": 5, "lora_rank": None}, (10,), 55, 55, 0),
    ("Dense", {"units": 5, "dtype": policy("int8")}, (10,), 55, 5, 5),
    ("Dense", {"units": 5, "dtype": "int8_from_float32", "lora_rank": 2}, (10,), 85, 35, 5),
    ("Dense", {"units": 5, "dtype": policy("int4")}, (10,), 55, 5, 5),
    ("Dense", {"units": 5, "dtype": "int4/4_from_float32"}, (10,), 55, 5, 15 + 15 + 10),
    ("Dense", {"units": 5, "dtype": "gptq/4/-1_from_float32"}, (10,), 55, 5, 5 + 5 + 10),
    ("Dense", {"units": 5, "dtype": policy("gptq/4/5")}, (10,), 55, 5, 10 + 10 + 10),
    ("Dense", {"units": 5, "dtype": policy("float8")}, (10,), 55, 55, 3 + 3 * 1024),
    ("Dense", {"units": 5, "dtype": policy("float8", amax_history_length=7)}, (10,), 55, 55, 24),
    ("Dense", {"units": 5, "dtype": {"config": {"name": "float32"}}}, (10,), 55, 55, 0),
    ("Embedding", {"input_dim": 20, "output_dim": 6, "dtype": policy("int8")}, (9,), 120, 0, 20),
    ("Embedding", {"input_dim": 20, "output_dim": 6, "lora_rank": 3}, (9,), 120 + 78, 78, 0),
    ("EinsumDense", {**EINSUM, "dtype": policy("int8")}, (9, 4), 30, 6, 6),
    ("EinsumDense", {**EINSUM, "lora_rank": 2}, (9, 4), 30 + 16 + 6, 28, 0),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "lora_rank": 2}, (9, 8, 4), 222 + 72 + 12, 90, 0),
]  # fmt: skip


@pytest.mark.parametrize("row", BESIDE, ids=lambda row: f"{row[0]}{row[1]}")
def test_what_stands_beside_a_kernel(row: Any) -> None:
    cls, config, shape, parameters, trained, kept = row
    found = counted(sequential(shape, layer(cls, **config)))
    assert (found.parameters, of_keras(found)) == (parameters, parameters + kept)
    assert found.complete
    trainable = [note for note in found.network.notes if note.startswith("trainable:")]
    said = f"trainable: {trained:,} of {parameters + kept:,} variables"
    assert bool(trainable) == (trained < parameters)
    assert not trainable or trainable[0].startswith(said)


def test_a_quantised_layer_that_is_called_twice_keeps_its_scales_once() -> None:
    dense = layer("Dense", "d", units=6, dtype=policy("int8"), lora_rank=2)
    found = counted(functional(["a"], [("d", 1, 0)], start("a", 6), call(dense, ["a"], ["d"])))
    assert (found.parameters, of_keras(found)) == (42 + 24, 42 + 24 + 6)


def test_a_quantised_dtype_that_is_not_known_is_said() -> None:
    found = counted(sequential((4,), layer("Dense", units=2, dtype=policy("ternary"))))
    assert found.network.notes[-1].startswith(
        "quantised dtypes whose further tensors are not known"
    )


@given(
    st.lists(st.integers(2, 5), min_size=0, max_size=3),
    st.booleans(),
    st.sampled_from(["x,xy->y", "x,xyz->yz", "xz,xyz->zy"]),
)
def test_equations_with_dots_are_those_of_numpy(more: list[int], left: bool, equation: str) -> None:
    """The axes that ``...`` stands for are those of numpy's einsum, on either side."""
    np = pytest.importorskip("numpy")
    sizes = {"b": 1, "x": 7, "y": 3, "z": 2}
    seen, weights, output = equation.replace("->", ",").split(",")
    if not left:
        seen, output = f"b{seen}", f"b{output}"
    rest = [sizes[letter] for letter in seen]
    shape = [1, *more, *rest] if left else [*rest, *more]
    before, behind = ("...", "") if left else ("", "...")
    whole = f"{before}{seen}{behind},{weights}->{before}{output}{behind}"
    kernel = np.ones([sizes[letter] for letter in weights])
    wanted = np.einsum(whole, np.ones(shape), kernel).shape
    stated = [sizes[letter] for letter in output if letter != "b"]
    config = {"equation": whole, "output_shape": stated, "bias_axes": "y"}
    found = counted(sequential(shape[1:], layer("EinsumDense", "e", **config)))
    assert found[found.network.outputs[0]].shape == wanted
    assert found.parameters == kernel.size + 3
    summed = np.prod([sizes[letter] for letter in set(seen) & set(weights)])
    assert found.macs == np.prod(shape) * kernel.size // summed


# --- sizes and containers -----------------------------------------------------------------------


def test_parameters_do_not_depend_on_the_input(corpus: Path) -> None:
    """At two sizes each file has the same parameters, or says why it is only for one."""
    compared = refused = 0
    for path in sorted(corpus.glob("keras-json/**/*.json")):
        found = tally(read_file(path))
        (name, shape), *others = found.network.inputs.items()
        assert not others
        if len(shape) != 4:
            continue
        for size in (shape[2] + 32, shape[2] * 2):
            try:
                other = tally(read_file(path, {name: (*shape[1:2], size, size)}))
            except ReadError as error:
                refused += "another size for this input" in str(error)
                continue
            following = [note for note in other.network.notes if "follow from --input" in note]
            assert following or other.parameters == found.parameters, path
            compared += 1
    assert compared >= 16
    assert refused >= 2


FLAT = (CONV, layer("Flatten"), layer("Dense", units=2))


def test_a_built_model_is_not_read_for_another_input() -> None:
    built = sequential((8, 8, 3), *FLAT)
    built["config"]["layers"][-1]["build_config"] = {"input_shape": [None, 144]}
    for said in (
        source(built, inputs={"": (3, 12, 12)}),
        source(archive(config_json=json.dumps(sequential((8, 8, 3), *FLAT)).encode()), "m.keras",
               inputs={"": (3, 12, 12)}),
    ):  # fmt: skip
        from nettally.formats.keras import read

        with pytest.raises(ReadError, match="another size for this input") as caught:
            read(said)
        assert "built 2x144, it would be 2x400" in str(caught.value)
        assert "3x8x8" in str(caught.value)
        assert tally(read(said.replace(inputs={"": (3, 8, 8)}))).parameters == 112 + 290


def test_a_configuration_without_weights_is_read_for_another_input_and_says_so() -> None:
    found = counted(sequential((8, 8, 3), *FLAT), inputs={"": (3, 12, 12)})
    assert found.parameters == 112 + 802
    assert found.network.notes == (
        "sizes of parameters follow from --input, and are not the file's: dense_2.weight",
    )
    open_ = sequential((None, None, 3), CONV, layer("GlobalMaxPooling2D"), layer("Dense", units=2))
    assert {counted(open_, inputs={"": (3, n, n)}).parameters for n in (8, 12)} == {112 + 10}


def test_json_within_a_json_string() -> None:
    said = json.dumps(json.dumps(sequential((4,), layer("Dense", units=3)), indent=1)).encode()
    assert sniff(said, "x")
    assert counted(said).parameters == 15
    assert not sniff(json.dumps('{"a": 1}').encode(), "x")
