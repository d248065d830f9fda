"""Keras' models: what is counted, how axes are moved, what is said, what is refused."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_layers import ROWS
from nettally.building.layers import torch_module
from nettally.counting.accounting import accounting
from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source
from nettally.formats import read as read_file
from nettally.formats.encodings.json import MAX_DEPTH, load
from nettally.formats.keras import read, sniff

if TYPE_CHECKING:
    from pathlib import Path

    from nettally.counting.tally import Tally
    from nettally.network import Network

Json = dict[str, Any]


def source(said: Any, name: str = "m.json", **more: Any) -> Source:
    return Source(name, said if isinstance(said, bytes) else json.dumps(said).encode(), **more)


def layer(cls: str, name: str = "", **config: Any) -> Json:
    return {"class_name": cls, "config": {"name": name or cls.lower(), **config}}


def sequential(shape: Any, *layers: Json, name: str = "s") -> Json:
    first = [] if shape is None else [layer("InputLayer", "x", batch_shape=[None, *shape])]
    named: list[Json] = []
    for index, each in enumerate(layers):
        config = {**each["config"], "name": f"{each['config']['name']}_{index}"}
        named.append({**each, "config": config})
    return {"class_name": "Sequential", "config": {"name": name, "layers": [*first, *named]}}


def call(said: Json, *calls: Any, **more: Any) -> Json:
    """A layer of a Functional as TensorFlow's Keras writes it: each call a list of its inputs."""
    nodes = [
        [[*(name if isinstance(name, tuple) else (name, 0, 0)), {}] for name in names]
        for names in calls
    ]
    return {**said, "name": said["config"]["name"], "inbound_nodes": nodes, **more}


def functional(inputs: Any, outputs: Any, *layers: Json, name: str = "f") -> Json:
    def ends(names: Any) -> list[Any]:
        return [list(each) if isinstance(each, tuple) else [each, 0, 0] for each in names]

    config = {"name": name, "layers": list(layers)}
    config |= {"input_layers": ends(inputs), "output_layers": ends(outputs)}
    return {"class_name": "Functional", "config": config}


def start(name: str, *shape: int | None) -> Json:
    return call(layer("InputLayer", name, batch_input_shape=[None, *shape]))


def counted(said: Any, **more: Any) -> Tally:
    return tally(read(source(said, **more)))


def of_keras(tallied: Tally) -> int:
    return tallied.under(accounting("keras")).parameters


def as_keras(shape: tuple[int, ...] | None, wanted: tuple[int, ...]) -> bool:
    """Whether our output is the one that Keras has, channels last or as it is."""
    assert shape is not None
    return shape[1:] in (wanted, (*wanted[-1:], *wanted[:-1]))


# --- known figures ------------------------------------------------------------------------------


def test_the_applications_have_the_parameters_that_keras_publishes(
    corpus: Path, claims_folder: Path
) -> None:
    with (claims_folder / "keras_applications.csv").open(encoding="utf-8") as file:
        printed = {
            row["model_id"]: int(row["value_as_printed"].replace(",", ""))
            for row in csv.DictReader(file)
            if row["quantity"] == "params" and row["value_as_printed"][-1].isdigit()
        }
    compared = 0
    for path in sorted(corpus.glob("keras-json/GENERATED*/*.json")):
        found = tally(read_file(path))
        assert found.complete
        if path.stem in printed:
            # the page has ResNet50 and others to the unit
            assert of_keras(found) == printed[path.stem], path.stem
            compared += 1
    assert compared >= 7


@pytest.mark.parametrize(
    ("name", "trainable", "whole"),
    [
        ("ConvNeXtTiny", 28_589_128, 28_589_128),
        ("DenseNet121", 7_978_856, 8_062_504),
        ("EfficientNetB0", 5_288_548, 5_330_571),
        ("InceptionV3", 23_817_352, 23_851_784),
        ("MobileNet", 4_231_976, 4_253_864),
        ("MobileNetV2", 3_504_872, 3_538_984),
        ("ResNet50", 25_583_592, 25_636_712),
        ("ResNet50V2", 25_568_360, 25_613_800),
        ("VGG16", 138_357_544, 138_357_544),
    ],
)
def test_trainable_and_all_variables(corpus: Path, name: str, trainable: int, whole: int) -> None:
    """As model.summary() of Keras 3.15.1 has them."""
    found = tally(read_file(corpus / f"keras-json/GENERATED__keras-applications/{name}.json"))
    assert (found.parameters, of_keras(found)) == (trainable, whole)


def test_tensorflow_js_weights_are_as_many_as_its_manifest_lists(corpus: Path) -> None:
    files = sorted(corpus.glob("keras-json/infinitered*/**/model.json"))
    assert len(files) == 2
    for path in files:
        manifest = json.loads(path.read_text())["weightsManifest"]
        stored = sum(math.prod(w["shape"]) for group in manifest for w in group["weights"])
        found = tally(read_file(path))
        assert of_keras(found) == stored
        assert f"of {stored:,} variables, as Keras counts them" in found.network.notes[0]


def test_the_whole_corpus_is_read(corpus: Path) -> None:
    files = sorted(corpus.glob("keras-json/**/*.json"))
    assert len(files) >= 15
    for path in files:
        assert tally(read_file(path)).complete, path.name


# --- layers, held against Keras -----------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}{row[2]}")
def test_layers_are_those_of_keras(row: Any) -> None:
    cls, config, shape, output, trainable, whole = row
    found = counted(sequential(shape, layer(cls, **config)))
    assert found.complete
    assert as_keras(found.rows[-1].shape, output)
    assert (found.parameters, of_keras(found)) == (trainable, whole)


def test_the_shapes_of_keras_own_tests(oracles: Path) -> None:
    cases = json.loads((oracles / "keras_layer_output_shapes.json").read_text())["cases"]
    compared = 0
    for case in cases:
        args = dict(case["args"])
        shape, wanted = args.pop("input_shape"), args.pop("output_shape")
        for cls in case["layer"]:
            found = counted(
                sequential(shape[1:], layer(cls, **args)), inputs={"": ours(cls, args, shape)}
            )
            last = args.get("data_format") != "channels_first"
            got = found.rows[-1].shape
            assert got is not None
            moved = (got[0], *got[2:], got[1]) if last and len(got) > 2 else got
            assert list(moved) == wanted or list(got) == wanted, case
            compared += 1
    assert compared >= 80


def ours(cls: str, args: Json, shape: list[int]) -> tuple[int, ...]:
    """A whole shape of Keras as it is given to us."""
    if len(shape) < 3 or args.get("data_format") == "channels_first" or cls == "Reshape":
        return tuple(shape)
    return (shape[0], shape[-1], *shape[1:-1])


# --- the order of values ------------------------------------------------------------------------


def run(found: Network, x: Any, *, moved: bool) -> Any:
    """The network's output, each layer computed by its torch module."""
    import torch

    (name, shape), *_ = found.inputs.items()
    values = {name: torch.as_tensor(x)}
    if moved:
        values[name] = values[name].movedim(-1, 1)
    assert tuple(values[name].shape) == shape
    for row in tally(found):
        module = torch_module(row.node.layer, row.inputs).eval()
        values[row.name] = module(*[values[each] for each in row.node.inputs])
    return values[found.outputs[0]].detach().numpy()


MOVES: dict[str, tuple[tuple[int, ...], list[Json], Any]] = {
    "flatten": ((4, 3, 2), [layer("Flatten")], lambda x: x.reshape(1, -1)),
    "flatten of channels first": (
        (4, 3, 2),
        [layer("Flatten", data_format="channels_first")],
        lambda x: x.transpose(0, 2, 3, 1).reshape(1, -1),
    ),
    "reshape": ((4, 3, 2), [layer("Reshape", target_shape=[-1, 4])], lambda x: x.reshape(1, 6, 4)),
    "reshape to one place": (
        (4, 3, 2),
        [layer("Reshape", target_shape=[1, 1, 24])],
        lambda x: x.reshape(1, 1, 1, 24),
    ),
    "permute": ((4, 3, 2), [layer("Permute", dims=[3, 1, 2])], lambda x: x.transpose(0, 3, 1, 2)),
    "a sequence": ((4, 4), [layer("Flatten")], lambda x: x.reshape(1, 16)),
    "softmax over a row": ((4, 3, 2), [layer("Softmax", axis=2)], None),
}


@pytest.mark.parametrize("spatial", [False, True])
@pytest.mark.parametrize("what", MOVES)
def test_values_stand_where_keras_has_them(what: str, spatial: bool) -> None:
    """Behind a layer of images the channels are moved; what is read must not depend on it."""
    np = pytest.importorskip("numpy")
    shape, layers, wanted = MOVES[what]
    x = np.random.default_rng(1).random((1, *shape), dtype=np.float32)
    pool = "MaxPooling2D" if len(shape) == 3 else "MaxPooling1D"
    if spatial:
        layers = [layer(pool, pool_size=1), *layers]
    net = read(source(sequential(shape, *layers)))
    found = run(net, x, moved=spatial or next(iter(net.inputs.values())) != x.shape)
    if wanted is None:
        power = np.exp(x)
        expected = power / power.sum(2, keepdims=True)
    else:
        expected = wanted(x)
    shapes = [found] + ([np.moveaxis(found, 1, -1)] if found.ndim > 2 else [])
    assert any(each.shape == expected.shape and np.allclose(each, expected) for each in shapes)


def test_axes_are_moved_only_where_a_layer_asks() -> None:
    found = counted(
        sequential(
            (8, 8, 3),
            layer("Conv2D", filters=4, kernel_size=3),
            layer("BatchNormalization"),
            layer("Dense", units=6, activation="gelu"),
            layer("LayerNormalization"),
            layer("Conv2D", filters=2, kernel_size=1),
            layer("GlobalAveragePooling2D"),
            layer("Reshape", target_shape=[1, 1, 2]),
            layer("Conv2D", filters=2, kernel_size=1),
        )
    )
    assert [(row.node.layer.kind, row.shape) for row in found] == [
        ("conv", (1, 4, 6, 6)),
        ("batch_norm", (1, 4, 6, 6)),
        ("permute", (1, 6, 6, 4)),
        ("linear", (1, 6, 6, 6)),
        ("gelu", (1, 6, 6, 6)),
        ("layer_norm", (1, 6, 6, 6)),
        ("permute", (1, 6, 6, 6)),
        ("conv", (1, 2, 6, 6)),
        ("global_average_pool", (1, 2)),
        ("reshape", (1, 2, 1, 1)),
        ("conv", (1, 2, 1, 1)),
    ]
    assert found["dense_2"].work is not None
    assert found["dense_2"].work.macs == 36 * 4 * 6


def test_same_is_kept_so_that_another_input_gets_its_own_padding() -> None:
    found = counted(
        sequential((9, 8, 3), layer("Conv2D", filters=4, kernel_size=3, strides=2, padding="same"))
    )
    (row,) = found
    assert row.node.layer.fields()["padding"] == ((1, 1), (0, 1))
    assert row.node.written == {"padding": "same"}
    assert found.at((1, 3, 8, 8)).rows[0].shape == (1, 4, 4, 4)


# --- graphs -------------------------------------------------------------------------------------

DENSE = {"units": 4}


def test_a_shared_layer_counts_once() -> None:
    said = functional(
        ["a", "b"],
        ["add"],
        start("a", 6),
        start("b", 6),
        call(layer("Dense", "d", units=4), ["a"], ["b"]),
        call(layer("BatchNormalization", "n"), [("d", 0, 0)], [("d", 1, 0)]),
        call(layer("Add", "add"), [("n", 0, 0), ("n", 1, 0)]),
    )
    found = counted(said)
    assert found.parameters == 6 * 4 + 4 + 8
    assert of_keras(found) == found.parameters + 8
    assert found["d.2"].node.shared == {"weight": "d.weight", "bias": "d.bias"}
    assert found["add"].node.inputs == ("n", "n.2")
    assert found.macs == 2 * 24


def test_layers_may_stand_before_what_they_read() -> None:
    said = functional(
        ["a"],
        ["z"],
        call(layer("Dense", "z", units=2), ["y"]),
        call(layer("Dense", "y", units=3), ["a"]),
        start("a", 4),
    )
    assert [row.name for row in counted(said)] == ["y", "z"]


@pytest.mark.parametrize("base", [0, 1])
def test_models_in_models(base: int) -> None:
    """TensorFlow's Keras counts a model's calls from 1, its own construction being the first."""
    inner = functional(
        ["i"],
        ["d", "r"],
        start("i", 4),
        call(layer("Dense", "d", units=4), ["i"]),
        call(layer("ReLU", "r"), ["d"]),
        name="inner",
    )
    inner = {**inner, "name": "inner"}
    inner["inbound_nodes"] = [[["a", 0, 0, {}]], [["inner", base, 1, {}]]]
    said = functional(["a"], [("inner", 1 + base, 0)], start("a", 4), inner)
    if not base:
        with pytest.raises(ReadError, match=r"in a circle|reads call"):
            counted(said)
        return
    found = counted(said)
    assert [(row.name, row.node.module) for row in found] == [
        ("inner.d", "inner"),
        ("inner.r", "inner"),
        ("inner.2.d", "inner.2"),
        ("inner.2.r", "inner.2"),
    ]
    assert found.parameters == 20
    assert found["inner.2.d"].node.inputs == ("inner.r",)
    assert found.network.outputs == ("inner.2.d",)


def test_sequentials_of_several_ages() -> None:
    dense = layer("Dense", "d", units=3)
    flat = {"class_name": "Sequential", "config": [dense]}
    first = {**dense, "config": {**dense["config"], "batch_input_shape": [None, 5]}}
    assert counted({"class_name": "Sequential", "config": [first]}).parameters == 18
    built = {
        "class_name": "Sequential",
        "config": {"layers": [dense], "build_input_shape": [None, 5]},
    }
    assert counted(built).parameters == 18
    by_layer = {**dense, "build_config": {"input_shape": [None, 5]}}
    assert counted({"class_name": "Sequential", "config": {"layers": [by_layer]}}).parameters == 18
    assert counted(flat, inputs={"": (5,)}).parameters == 18
    with pytest.raises(ReadError, match="is left open"):
        counted(flat)
    inside = sequential((5,), layer("Dense", units=3))
    assert counted({"class_name": "Sequential", "config": {"layers": [inside]}}).parameters == 18


def test_keras_1() -> None:
    first = {"batch_input_shape": [None, 3, 9, 8], "dim_ordering": "th"}
    said = {
        "class_name": "Sequential",
        "config": [
            {
                "class_name": "Convolution2D",
                "config": {
                    "name": "c",
                    "nb_filter": 4,
                    "nb_row": 3,
                    "nb_col": 2,
                    "activation": "relu",
                    "border_mode": "valid",
                    "subsample": [2, 1],
                    "bias": False,
                    **first,
                },
            },
            {"class_name": "MaxPooling2D", "config": {"name": "m", "dim_ordering": "th"}},
            {"class_name": "Flatten", "config": {"name": "f"}},
            {"class_name": "Dropout", "config": {"name": "p", "p": 0.25}},
            {"class_name": "Dense", "config": {"name": "d", "output_dim": 5}},
        ],
    }
    found = counted(said)
    assert found["c"].shape == (1, 4, 4, 7)
    assert found["p"].node.layer.fields()["rate"] == 0.25
    assert found.parameters == 4 * 3 * 6 + 4 * 2 * 3 * 5 + 5


def test_operations_of_tensorflows_keras() -> None:
    def op(function: str, name: str, node: Any) -> Json:
        said = {"class_name": "TFOpLambda", "config": {"name": name, "function": function}}
        return {**said, "name": name, "inbound_nodes": [node]}

    said = functional(
        ["a"],
        ["s"],
        start("a", 4, 4, 8),
        call(layer("Conv2D", "c", filters=8, kernel_size=1), ["a"]),
        op("math.multiply", "m", ["c", 0, 0, {"y": 0.5, "name": None}]),
        op("__operators__.add", "p", ["m", 0, 0, {"y": ["a", 0, 0], "name": None}]),
        op("math.subtract", "q", ["_CONSTANT_VALUE", -1, 1.0, {"y": ["p", 0, 0]}]),
        op("nn.relu6", "r", ["q", 0, 0, {"name": None}]),
        op("math.reduce_mean", "s", ["r", 0, 0, {"axis": [1, 2], "keepdims": False}]),
    )
    found = counted(said)
    assert [row.node.layer.kind for row in found] == [
        *("conv", "affine", "add", "affine", "relu6", "global_average_pool")
    ]
    assert found["p"].node.inputs == ("m", "a")
    assert found["q"].node.layer.fields() == {"slope": -1.0, "offset": 1.0}


def tensor(name: str, *shape: int | None, place: int = 0) -> Json:
    config = {"shape": [None, *shape], "keras_history": [name, 0, place]}
    return {"class_name": "__keras_tensor__", "config": config}


def keras_3(said: Json, *args: Any, **more: Any) -> Json:
    kwargs = more.pop("kwargs", {})
    name = said["config"]["name"]
    return {**said, "name": name, **more, "inbound_nodes": [{"args": list(args), "kwargs": kwargs}]}


def test_keras_3_states_the_shapes_of_layers_that_are_not_understood() -> None:
    said = functional(
        ["a"],
        ["d"],
        start("a", 9, 4),
        keras_3(layer("MyLayer", "mine", wide=3), tensor("a", 9, 4), registered_name="my>MyLayer"),
        keras_3(
            layer("Lambda", "code", function={"class_name": "__lambda__"}), tensor("mine", 9, 7)
        ),
        keras_3(layer("Dense", "d", units=2), tensor("code", 7)),
    )
    found = counted(said)
    assert [row.shape for row in found] == [(1, 9, 7), (1, 7), (1, 2)]
    assert not found.complete
    assert found.parameters == 16
    assert found.network.notes == (
        "layers that are not understood: MyLayer, Lambda (code, which is not run)",
    )


def test_what_stands_behind_an_unknown_shape_is_unknown() -> None:
    said = functional(
        ["a"],
        ["e"],
        start("a", 9, 4),
        call(layer("MyLayer", "mine"), ["a"]),
        call(layer("Dense", "d", units=2), ["mine"]),
        call(layer("Add", "e"), ["d", "d"]),
    )
    found = counted(said)
    assert [row.shape for row in found] == [None, None, None]
    assert found.network.notes == ("layers that are not understood: MyLayer",)
    stated = {"class_name": "Lambda", "config": {"name": "l", "output_shape": [5]}}
    assert [row.shape for row in counted(sequential((4,), stated))] == [(1, 5)]


def test_a_shape_that_the_file_states_must_be_ours() -> None:
    said = functional(
        ["a"],
        ["e"],
        start("a", 9, 4),
        keras_3(layer("Dense", "d", units=2), tensor("a", 9, 4)),
        keras_3(layer("Dense", "e", units=2), tensor("d", 9, 3)),
    )
    with pytest.raises(ReadError, match=r"d \(Dense\): the shape that the file states") as caught:
        counted(said)
    assert "stated 9x3, worked out 9x2" in str(caught.value)
    assert counted(said, inputs={"": (9, 4)}).parameters == 16  # another input, other shapes


def test_dead_layers_are_left_out_and_said() -> None:
    said = functional(
        ["a"],
        ["d"],
        start("a", 4),
        call(layer("Dense", "d", units=2), ["a"]),
        call(layer("Dense", "unused", units=9), ["d"]),
    )
    found = counted(said)
    assert found.parameters == 10
    assert found.network.notes == ("layers that lead to no output, left out as Keras does: unused",)


def test_frozen_layers_are_told_apart() -> None:
    found = counted(
        sequential(
            (4,),
            layer("Dense", units=3, trainable=False),
            layer("BatchNormalization"),
            layer("Dense", units=2),
        )
    )
    assert (found.parameters, of_keras(found)) == (15 + 6 + 8, 15 + 12 + 8)
    assert found.network.notes[0].startswith("trainable: 14 of 35 variables, as Keras counts them")


def test_quantised_layers_are_counted_as_others_and_said() -> None:
    found = counted(
        sequential(
            (8, 8, 3),
            layer("QConv2D", filters=2, kernel_size=3, activation="quantized_relu(6,0)"),
            layer("QActivation", activation="quantized_bits(8)"),
        )
    )
    assert [row.node.layer.kind for row in found] == ["conv", "relu", "identity"]
    assert found.network.notes[0].startswith("QKeras' layers, counted as those with all their bits")


def test_several_outputs_of_one_layer() -> None:
    said = functional(
        ["a"],
        ["m"],
        start("a", 9, 4),
        call(layer("LSTM", "l", units=5, return_state=True), ["a"]),
        call(layer("Multiply", "m"), [("l", 0, 0), ("l", 0, 2)]),
    )
    assert counted(said)["m"].node.inputs == ("l", "l.state1")
    unknown = functional(
        ["a"],
        ["m"],
        start("a", 9, 4),
        call(layer("Mine", "l"), ["a"]),
        call(layer("Multiply", "m"), [("l", 0, 0), ("l", 0, 2)]),
    )
    assert counted(unknown)["m"].node.inputs == ("l", "l.2")


def test_the_order_of_inputs_that_the_user_gives() -> None:
    net = sequential((None, None, 3), layer("Conv2D", filters=2, kernel_size=3))
    assert counted(net, inputs={"": (3, 9, 8)}).rows[0].shape == (1, 2, 7, 6)
    assert counted(net, inputs={"x": (5, 3, 9, 8)}).rows[0].shape == (5, 2, 7, 6)
    text = str(refused(net))
    assert "the size of the input 'x' is left open" in text
    assert "--input x=3x224x224" in text
    assert "does not fit the model" in str(refused(net, inputs={"": (9, 8, 3)}))
    assert "has no input 'y'" in str(refused(net, inputs={"y": (3, 9, 8)}))


# --- what is refused ----------------------------------------------------------------------------


def refused(said: Any, **more: Any) -> ReadError:
    with pytest.raises(ReadError) as caught:
        tally(read(source(said, **more)))
    return caught.value


def broken(**config: Any) -> Json:
    return sequential((8, 8, 3), layer("Conv2D", **{"filters": 4, "kernel_size": 3} | config))


MALFORMED: list[tuple[Any, str]] = [
    (b"{", "m.json:1: this is no JSON: Expecting property name"),
    (b'{"class_name": "Model",\n "config": }', "m.json:2: this is no JSON"),
    (b'{"class_name": "Model", "class_name": "Model", "config": {}}', "key twice"),
    (b'{"class_name": "Model", "config": {"x": NaN}}', "a number that is none"),
    (b'{"class_name": "Model", "config": {"x": 1e999}}', "a number that is too large"),
    (b'{"class_name": "Model", "config": {"x": ' + b"9" * 5000 + b"}}", "5000 digits"),
    (b"[" * 300 + b"]" * 300, "the JSON nests too deep"),
    (b"[1, 2]", "it is no object"),
    ({"class_name": "Model"}, "it has no class_name and config"),
    ({"modelTopology": None, "weightsManifest": []}, "weights and no topology"),
    ({"format": "graph-model", "modelTopology": {"node": []}}, "a graph model of TensorFlow.js"),
    ({"class_name": "MyModel", "config": {"wide": 3}}, "lists no layers: its graph is code"),
    ({"class_name": "Sequential", "config": []}, "the model has no layers"),
    ({"class_name": "Sequential", "config": {"layers": [3]}}, "layer 0 has no class_name"),
    (sequential((4,)), "the file has no layers"),
    (functional(["a"], ["b"], start("a", 4)), "output_layers names 'b', which is no layer"),
    (functional([], ["a"], start("a", 4)), "the model has no input_layers"),
    (functional(["a"], ["a"], start("a", 4), start("a", 4)), "two layers are called 'a'"),
    (
        functional(["a"], ["d"], start("a", 4), call(layer("Dense", "d", **DENSE), ["x"])),
        "d (Dense): it reads 'x', which is no layer",
    ),
    (
        functional(
            ["a"],
            ["d"],
            start("a", 4),
            call(layer("Add", "d"), ["a", "e"]),
            call(layer("ReLU", "e"), ["d"]),
        ),
        "the layers read each other in a circle",
    ),
    (
        functional(
            ["a"],
            ["r"],
            start("a", 4),
            call(layer("ReLU", "d"), ["a"], ["a"]),
            call(layer("ReLU", "r"), [("d", 7, 0)]),
        ),
        "r (ReLU): it reads call 7 of 'd'",
    ),
    (
        functional(
            ["a"],
            ["r"],
            start("a", 4),
            call(layer("ReLU", "d"), ["a"]),
            call(layer("ReLU", "r"), [("d", 0, 3)]),
        ),
        "it reads output 3 of 'd'",
    ),
    (broken(filters=0), "conv2d_0 (Conv2D): 'filters' must be at least 1"),
    (broken(filters=None), "'filters' is missing"),
    (broken(filters="many"), "'filters' must be a whole number"),
    (broken(filters=2**40), "'filters' must be at most 2^31 - 1"),
    (broken(kernel_size=[3, 3, 3]), "'kernel_size' needs 2 values"),
    (broken(kernel_size=9), "the window is larger than its input"),
    (broken(groups=3), "the groups must divide the filters"),
    (broken(padding="full"), "'padding' is one of valid, same"),
    (broken(data_format="last"), "'data_format' is one of"),
    (broken(use_bias="yes"), "'use_bias' is true or false"),
    (sequential((8, 3), layer("Conv2D", filters=1, kernel_size=1)), "its input needs 4 axes"),
    (sequential((8,), layer("LSTM", units=3)), "its input needs 3 axes"),
    (sequential((8,), layer("Reshape", target_shape=[3, 3])), "must keep the number of values"),
    (sequential((8,), layer("Reshape", target_shape=[-1, -1])), "must keep the number of values"),
    (sequential((8,), layer("Dropout", rate=1.5)), "'rate' is from 0 to 1"),
    (sequential((8,), layer("Add")), "it merges at least two tensors"),
    (sequential((8,), layer("Softmax", axis=5)), "there is no such axis"),
    (sequential((8,), layer("BatchNormalization", axis=5)), "there is no such axis"),
    (sequential((8,), layer("BatchNormalization", axis=[1, 2])), "must be a whole number"),
    (sequential((8,), layer("LayerNormalization", axis=[1, 2])), "there is no such axis"),
    (sequential((8,), layer("Normalization", axis=3)), "there is no such axis"),
    (sequential((8, 4), layer("EinsumDense", equation="abc")), "equation is not understood"),
    (sequential((8, 4), layer("Permute", dims=[1, 1])), "permute's order"),
    (sequential((8, 4), layer("Bidirectional", layer=3)), "its layer is no layer"),
    (sequential((8, 8, 3), layer("ZeroPadding2D", padding="1")), "is a width, one an axis"),
    (sequential((8, 8, 3), layer("Cropping2D", cropping=4)), "crop leaves nothing"),
    (sequential((0,), layer("Dense", units=2)), "has a size that cannot be"),
    (sequential((2**31 - 1, 2**31 - 1, 3), layer("UpSampling2D", size=2)), "output is too large"),
]


@pytest.mark.parametrize(("said", "part"), MALFORMED)
def test_malformed_files_are_refused_with_a_reason(said: Any, part: str) -> None:
    text = str(refused(said))
    assert part in text
    assert text.startswith("m.json")


def test_weights_of_two_sizes_cannot_be_one() -> None:
    said = functional(
        ["a", "b"],
        ["c"],
        start("a", 4),
        start("b", 5),
        call(layer("Dense", "d", units=3), ["a"], ["b"]),
        call(layer("Add", "c"), [("d", 0, 0), ("d", 1, 0)]),
    )
    assert "is shared with 'd.weight', and the sizes differ" in str(refused(said))


# --- containers ---------------------------------------------------------------------------------

SMALL = sequential((4,), layer("Dense", units=3))


def archive(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name.replace("_json", ".json"), data)
    return made.getvalue()


def test_archives() -> None:
    whole = archive(metadata_json=b"{}", config_json=json.dumps(SMALL).encode())
    assert sniff(whole, "x")
    assert tally(read(Source("m.keras", whole))).parameters == 15
    other = archive(metadata_json=b"{}")
    assert "it has no config.json" in str(refused(other))
    with pytest.raises(ReadError, match=r"m.keras/config.json:1: this is no JSON"):
        read(Source("m.keras", archive(config_json=b"{")))


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py, which writes them, is not installed")
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(SMALL)
        file["model_weights"] = h5py.ExternalLink("/etc/passwd", "/x")
    assert sniff(path.read_bytes()[:1000], "x")
    assert tally(read_file(path)).parameters == 15
    assert tally(read(Source("m.h5", path.read_bytes()))).parameters == 15
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = np_bytes(json.dumps(SMALL))
    assert tally(read_file(path)).parameters == 15
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["a"]
    with pytest.raises(ReadError, match="it holds weights, without the layers"):
        read_file(path)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = [1, 2]
    with pytest.raises(ReadError, match="its model_config is no text"):
        read_file(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ReadError, match="this HDF5 file is damaged: it leads beyond its end"):
        read_file(path)


def np_bytes(text: str) -> Any:
    np = pytest.importorskip("numpy")
    return np.bytes_(text.encode())


@pytest.mark.parametrize("newest", ["earliest", "v108", "latest"])
@pytest.mark.parametrize("length", [10, 5_000, 300_000])
@pytest.mark.parametrize("others", [0, 3, 6, 20])
def test_hdf5_as_libhdf5_writes_it(tmp_path: Path, newest: str, length: int, others: int) -> None:
    """Attributes of a fixed and of a variable length, in each layout that h5py has."""
    h5py = pytest.importorskip("h5py", reason="h5py, which writes them, is not installed")
    from nettally.formats.encodings.blob import Blob
    from nettally.formats.encodings.hdf5 import text

    path, said = tmp_path / "m.h5", "é" * (length // 2)
    for value in (said, said.encode(), np_bytes(said)):
        with h5py.File(path, "w", libver=newest) as file:
            file.create_group("model_weights").create_dataset("w", data=[1.0] * 100)
            try:
                for i in range(others):
                    file.attrs[f"before_{i}"] = "x" * i
                file.attrs["model_config"] = value
            except (RuntimeError, OSError):
                continue  # libhdf5 itself cannot: the old layout ends at 64 KB
            file.attrs["keras_version"] = "3.5.0"
        with Blob("m.h5", str(path)) as blob:
            if newest != "earliest" and (others >= 6 or len(said) > 60_000):
                with contextlib.suppress(ReadError):  # a heap of attributes
                    assert text(blob, "model_config", 2**20) == said
            else:
                assert text(blob, "model_config", 2**20) == said
            if newest == "earliest":
                with pytest.raises(ReadError, match="its model_config is too large"):
                    text(blob, "model_config", 9)


def test_hdf5_of_weights_alone(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py, which writes them, is not installed")
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:  # as Keras 3 lays it out
        file.create_group("layers")
        file.create_group("vars")
    with pytest.raises(ReadError, match="it holds weights, without the layers"):
        read_file(tmp_path / "m.weights.h5")


def test_tensorflow_js() -> None:
    for inner in ({"model_config": SMALL, "keras_version": "2.2.4"}, SMALL):
        said = {"format": "layers-model", "modelTopology": inner, "weightsManifest": []}
        assert sniff(json.dumps(said).encode(), "x")
        assert counted(said).parameters == 15


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (b'\xef\xbb\xbf\n {"class_name": "Model", "config": {}}', True),
        (b'{"config": {}, "class_name": "Model"}', True),
        (b'{"modelTopology": {}}', True),
        (b'{"class_name": "Model"}', False),
        (b'{"layers": []}', False),
        (b"[]", False),
        (b"PK\x03\x04 x/data.pkl", False),
        (b"PK\x03\x04 config.json metadata.json", True),
        (b"\x89HDF\r\n\x1a\n", True),
        (b"", False),
    ],
)
def test_files_are_recognised_by_what_they_hold(head: bytes, is_ours: bool) -> None:
    assert sniff(head, "any") == is_ours


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=20,
    )
)
def test_json_is_read_as_json_reads_it(value: Any) -> None:
    assert load(json.dumps(value), "x") == value


def test_depth_is_that_of_brackets_and_not_of_strings() -> None:
    text = json.dumps(["[" * 5000 + '"\\' + "]" * 10] * 3)
    assert load(text, "x") == json.loads(text)
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert load(deep, "x")
    with pytest.raises(ReadError, match="nests too deep"):
        load(f"[{deep}]", "x")


@pytest.mark.parametrize(
    ("text", "line", "values"),
    [
        ('{"a": [1,\n {"b": 1,\n "c": "b",\n "\\u0062": 2}]}', 4, "key 'b'"),
        ('{"a": 1,\n "b": {"a": 1},\n "a": 2}', 3, "key 'a'"),
        ('{"x": "1e999",\n\n"y": [1, 1e999]}', 3, "1e999"),
        ('{"a": "-Infinity",\n"b":\n-Infinity}', 3, "-Infinity"),
        ("[1,\n%s]" % ("9" * 30), 2, f"{'9' * 30}, 30 digits"),
    ],
)
def test_what_is_wrong_in_json_is_found(text: str, line: int, values: str) -> None:
    with pytest.raises(ReadError) as error:
        load(text, "m.json")
    assert (error.value.where, error.value.values) == (f"m.json:{line}", values)


@pytest.mark.parametrize(
    ("cls", "config", "shape"),
    [
        ("IntegerLookup", {"vocabulary": [3, 5, 7]}, (1, 4)),
        ("StringLookup", {"vocabulary_size": 9, "output_mode": "one_hot"}, (1, 4, 9)),
        ("StringLookup", {"vocabulary": ["a", "b"], "output_mode": "multi_hot"}, (1, 3)),
        ("Hashing", {"num_bins": 5, "output_mode": "count"}, (1, 5)),
        ("Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "one_hot"}, (1, 4, 3)),
        ("CategoryEncoding", {"num_tokens": 6}, (1, 6)),
        ("TextVectorization", {"output_sequence_length": 7}, (1, 7)),
        ("FixedPointQuantizer", {}, (1, 4)),
    ],
)
def test_places_in_lists(cls: str, config: Json, shape: tuple[int, ...]) -> None:
    found = counted(sequential([4], layer(cls, "l", **config)))
    assert found.rows[-1].shape == shape
    assert found.complete


@pytest.mark.parametrize("cls", ["StringLookup", "TextVectorization"])
def test_a_list_that_is_not_in_the_file_is_unknown(cls: str) -> None:
    config = {"output_mode": "multi_hot", "vocabulary": None, "max_tokens": None}
    found = counted(sequential([4], layer(cls, "l", **config)))
    assert not found.complete


def test_spectral_normalization_is_the_layer_that_it_holds() -> None:
    inner = layer("Conv2D", "c", filters=8, kernel_size=[3, 3], padding="same")
    found = counted(sequential([6, 6, 3], layer("SpectralNormalization", "s", layer=inner)))
    assert found.parameters == 8 * 27 + 8
    assert found.rows[-1].shape == (1, 8, 6, 6)
