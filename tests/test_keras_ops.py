"""Operations of ``keras.ops`` and of TensorFlow in Keras' models, held against numpy and torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nettally.building.layers import torch_module
from nettally.errors import ReadError
from test_keras import as_keras, counted, functional, start, tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from nettally.counting.tally import Tally

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")

Json = dict[str, Any]
SLICE = {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": 2}}


def op(
    cls: str, shapes: Any, config: Json, args: Any = None, outputs: int = 1, **more: Any
) -> Json:
    """A model of one operation of Keras 3. args: with numbers of inputs in place of tensors."""
    names = [f"x{i}" for i in range(len(shapes))]
    tensors = [tensor(name, *shape) for name, shape in zip(names, shapes, strict=True)]

    def filled(value: Any) -> Any:
        if isinstance(value, str) and value in names:
            return tensors[names.index(value)]
        return [filled(each) for each in value] if isinstance(value, list) else value

    said = {
        "module": more.get("module", "keras.src.ops.numpy"),
        "class_name": cls,
        "config": {"name": "op", **config},
        "name": "op",
        "inbound_nodes": [{"args": filled(names if args is None else args), "kwargs": {}}],
    }
    starts = [start(name, *shape) for name, shape in zip(names, shapes, strict=True)]
    return functional(names, [("op", 0, i) for i in range(outputs)], *starts, said)


def shapes_of(found: Tally) -> list[Any]:
    return [found[name].shape for name in found.network.outputs]


def array(*shape: int) -> Any:
    return np.random.default_rng(0).random((1, *shape), dtype=np.float32)


def conv(x: Any, kernel: Any, groups: int = 1, **more: Any) -> Any:
    """torch's convolution of what lies as Keras has it."""
    x, kernel = (torch.as_tensor(each) for each in (x, kernel))
    y = torch.conv2d(x.movedim(-1, 1), kernel.permute(3, 2, 0, 1), groups=groups, **more)
    return y.movedim(1, -1)


KERNEL = [[[[1.0] * 5] * 3] * 3] * 3  # 3x3x3x5

ROWS: list[tuple[str, Json, Any, Any, Callable[..., Any]]] = [
    # class, settings, inputs' shapes, arguments, the same in numpy or torch
    ("Conv", {"strides": 2, "padding": "valid"}, [(9, 8, 3)], ["x0", KERNEL],
     lambda x: conv(x, KERNEL, stride=2)),
    ("Conv", {"strides": 1, "padding": "same"}, [(9, 8, 6)], ["x0", [[[[1.0] * 4] * 3] * 3] * 3],
     lambda x: conv(x, np.ones((3, 3, 3, 4), np.float32), groups=2, padding=1)),
    ("DepthwiseConv", {"strides": 1}, [(9, 8, 3)], ["x0", [[[[1.0] * 2] * 3] * 3] * 3],
     lambda x: conv(x, np.ones((3, 3, 1, 6), np.float32), groups=3)),
    ("SeparableConv", {}, [(9, 8, 3)], ["x0", [[[[1.0] * 2] * 3] * 3] * 3, [[[[1.0] * 7] * 6]]],
     lambda x: np.ones((1, 7, 6, 7))),
    ("ConvTranspose", {"strides": 2, "padding": "same"}, [(9, 8, 5)], ["x0", KERNEL],
     lambda x: np.ones((1, 18, 16, 3))),
    ("MaxPool", {"pool_size": [2, 2], "strides": None}, [(9, 8, 3)], None,
     lambda x: np.ones((1, 4, 4, 3))),
    ("AveragePool", {"pool_size": 3, "strides": 1, "padding": "same"}, [(9, 3)], None,
     lambda x: np.ones((1, 9, 3))),
    ("Einsum", {"subscripts": "abc,acd->abd"}, [(4, 5), (5, 6)], None,
     lambda a, b: np.einsum("abc,acd->abd", a, b)),
    ("Einsum", {"subscripts": "...ij,...jk->...ik"}, [(2, 4, 5), (2, 5, 6)], None,
     lambda a, b: np.einsum("...ij,...jk->...ik", a, b)),
    ("Einsum", {"subscripts": "a...,a...->a..."}, [(2, 4), (2, 4)], None,
     lambda a, b: np.einsum("a...,a...->a...", a, b)),
    ("Einsum", {"subscripts": "abc,acd"}, [(4, 5), (5, 6)], None,
     lambda a, b: np.einsum("abc,acd", a, b)),
    ("Matmul", {}, [(4, 5), (5, 6)], None, lambda a, b: a @ b),
    ("Matmul", {}, [(4, 5)], ["x0", [[1.0] * 6] * 5], lambda a: a @ np.ones((5, 6))),
    ("Dot", {}, [(4, 5)], ["x0", [[1.0] * 6] * 5], lambda a: np.dot(a, np.ones((5, 6)))),
    ("Tensordot", {"axes": 1}, [(4, 5)], ["x0", [[1.0] * 6] * 5],
     lambda a: np.tensordot(a, np.ones((5, 6)), 1)),
    ("Tensordot", {"axes": [[1], [0]]}, [(4, 5)], ["x0", [[1.0] * 6] * 4],
     lambda a: np.tensordot(a, np.ones((4, 6)), ([1], [0]))),
    ("Inner", {}, [(4, 5)], ["x0", [[1.0] * 5] * 3], lambda a: np.inner(a, np.ones((3, 5)))),
    ("OneHot", {"num_classes": 7, "axis": -1}, [(4,)], None, lambda a: np.ones((1, 4, 7))),
    ("OneHot", {"num_classes": 7, "axis": 1}, [(4,)], None, lambda a: np.ones((1, 7, 4))),
    ("Take", {"axis": 1}, [(4, 5)], ["x0", [0, 2, 3]], lambda a: np.take(a, [0, 2, 3], 1)),
    ("Take", {"axis": 2}, [(4, 5)], ["x0", 3], lambda a: np.take(a, 3, 2)),
    ("Take", {"axis": 0}, [(4,)], [[[1.0] * 6] * 9, "x0"],
     lambda a: np.take(np.ones((9, 6)), a.astype(int), 0)),
    ("TakeAlongAxis", {"axis": 1}, [(4, 5), (2, 5)], None,
     lambda a, b: np.take_along_axis(a, b.astype(int), 1)),
    ("Where", {}, [(4, 5), (4, 5), (4, 5)], None, np.where),
    ("Stack", {"axis": 1}, [(4, 5), (4, 5)], [["x0", "x1"]], lambda a, b: np.stack([a, b], 1)),
    ("Stack", {"axis": -1}, [(4, 5), (4, 5)], [["x0", "x1"]], lambda a, b: np.stack([a, b], -1)),
    ("Concatenate", {"axis": -1}, [(4, 5), (4, 2)], [["x0", "x1"]],
     lambda a, b: np.concatenate([a, b], -1)),
    ("Hstack", {}, [(4, 5), (2, 5)], [["x0", "x1"]], lambda a, b: np.hstack([a, b])),
    ("ExpandDims", {"axis": [1, 3]}, [(4, 5)], None, lambda a: np.expand_dims(a, (1, 3))),
    ("ExpandDims", {"axis": [-1, -3]}, [(4, 5)], None, lambda a: np.expand_dims(a, (-1, -3))),
    ("ExpandDims", {"axis": -1}, [(4,)], None, lambda a: np.expand_dims(a, -1)),
    ("Squeeze", {"axis": [1, 3]}, [(1, 5, 1)], None, lambda a: np.squeeze(a, (1, 3))),
    ("Transpose", {"axes": [0, 3, 1, 2]}, [(3, 4, 5)], None, lambda a: a.transpose(0, 3, 1, 2)),
    ("Swapaxes", {"axis1": 1, "axis2": -1}, [(3, 4, 5)], None, lambda a: a.swapaxes(1, -1)),
    ("Moveaxis", {"source": 1, "destination": 3}, [(3, 4, 5)], None,
     lambda a: np.moveaxis(a, 1, 3)),
    ("Moveaxis", {"source": [1, 2], "destination": [3, 1]}, [(3, 4, 5)], None,
     lambda a: np.moveaxis(a, [1, 2], [3, 1])),
    ("Tile", {"repeats": [1, 2, 3]}, [(4, 5)], None, lambda a: np.tile(a, (1, 2, 3))),
    ("Tile", {"repeats": 2}, [(4, 5)], None, lambda a: np.tile(a, 2)),
    ("Repeat", {"repeats": 3, "axis": 1}, [(4, 5)], None, lambda a: np.repeat(a, 3, 1)),
    ("BroadcastTo", {"shape": [1, 4, 5]}, [(1, 5)], None,
     lambda a: np.broadcast_to(a, (1, 4, 5))),
    ("Pad", {"pad_width": [[0, 0], [1, 2], [0, 3]], "mode": "constant"}, [(4, 5)], None,
     lambda a: np.pad(a, ((0, 0), (1, 2), (0, 3)))),
    ("Pad", {"pad_width": [[0, 0], [1, 2], [2, 1], [0, 0]]}, [(4, 5, 3)], None,
     lambda a: np.pad(a, ((0, 0), (1, 2), (2, 1), (0, 0)))),
    ("Cumsum", {"axis": 1}, [(4, 5)], None, lambda a: a.cumsum(1)),
    ("Argsort", {"axis": -1}, [(4, 5)], None, np.argsort),
    ("Flip", {"axis": 1}, [(4, 5)], None, lambda a: np.flip(a, 1)),
    ("Var", {"axis": [1]}, [(4, 5)], None, lambda a: a.var(1)),
    ("Std", {"axis": -1, "keepdims": True}, [(4, 5)], None, lambda a: a.std(-1, keepdims=True)),
    ("Logsumexp", {"axis": 1}, [(4, 5)], None, lambda a: np.log(np.exp(a).sum(1))),
    ("CountNonzero", {"axis": [1]}, [(4, 5)], None, lambda a: np.count_nonzero(a, 1)),
    ("Argmax", {"axis": 1}, [(4, 5)], None, lambda a: a.argmax(1)),
    ("GetItem", {}, [(9, 5)], ["x0", [{}, SLICE]], lambda a: a[:, 1::2]),
    ("Slice", {"shape": [1, 2, 5]}, [(9, 5)], ["x0", [0, 3, 0]], lambda a: a[:, 3:5]),
    ("Logaddexp", {}, [(4,), (4,)], None, np.logaddexp),
    ("FloorDivide", {}, [(4,), (4,)], None, np.floor_divide),
    ("Mod", {}, [(4, 5), (5,)], None, np.mod),
    ("Arctan", {}, [(4,)], None, np.arctan),
    ("LogicalAnd", {}, [(4,), (4,)], None, np.logical_and),
    ("Normalize", {"axis": -1, "order": 2}, [(4, 5)], None, lambda a: a),
    ("RMSNorm", {"axis": -1}, [(4, 5)], ["x0", [1.0] * 5], lambda a, *_: a),
    ("LayerNorm", {"axis": -1}, [(4, 5)], ["x0", [1.0] * 5, [1.0] * 5], lambda a: a),
    ("Resize", {"size": [5, 7], "interpolation": "bilinear"}, [(9, 8, 3)], None,
     lambda a: np.ones((1, 5, 7, 3))),
    ("DotProductAttention", {}, [(4, 2, 8), (6, 2, 8), (6, 2, 8)], None,
     lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(
         *(torch.as_tensor(each).transpose(1, 2) for each in (q, k, v))).transpose(1, 2)),
    ("ExtractPatches", {"size": [3, 3], "strides": 2, "padding": "valid"}, [(9, 8, 3)], None,
     lambda a: np.ones((1, 4, 3, 27))),
    ("Glu", {"axis": -1}, [(4, 6)], None, lambda a: np.ones((1, 4, 3))),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}{row[1]}")
def test_operations_have_the_shapes_of_numpy(row: Any) -> None:
    cls, config, shapes, args, oracle = row
    found = counted(op(cls, shapes, config, args))
    wanted = tuple(np.shape(oracle(*(array(*shape) for shape in shapes))))
    assert found.complete, found.network.notes
    assert as_keras(shapes_of(found)[0], wanted[1:]), (shapes_of(found), wanted)
    assert found.parameters == 0  # arrays of the file are no variables


NO_VALUES = {"arrange", "procedure", "tensor", "resize"}
"""Kinds that state where values go, or what there is, and compute nothing here."""

SAME_SHAPE_ONLY = {"SeparableConv", "MaxPool", "AveragePool", "Normalize", "Glu", "Logaddexp",
                   "FloorDivide", "LogicalAnd", "Cumsum", "CountNonzero"}  # fmt: skip
"""Whose rows give a shape in place of values, or whose layer is one of the same work."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}{row[1]}")
def test_operations_have_the_values_of_numpy(row: Any) -> None:
    """Each layer computed by its torch module, where all of them compute."""
    cls, config, shapes, args, oracle = row
    found = counted(op(cls, shapes, config, args))
    if cls in SAME_SHAPE_ONLY or any(each.node.layer.kind in NO_VALUES for each in found):
        return
    inputs = [array(*shape) for shape in shapes]
    names = [f"x{i}" for i in range(len(inputs))]
    values = {name: torch.as_tensor(x) for name, x in zip(names, inputs, strict=True)}
    for each in found:
        module = torch_module(each.node.layer, each.inputs).eval()
        values[each.name] = module(*[values[name] for name in each.node.inputs])
    ours = values[found.network.outputs[0]].detach().numpy()
    wanted = np.asarray(oracle(*inputs))
    both = (ours, np.moveaxis(ours, 1, -1) if ours.ndim > 2 else ours)
    assert any(y.shape == wanted.shape and np.allclose(y, wanted, atol=1e-5) for y in both)


@pytest.mark.parametrize(
    ("cls", "config", "shapes", "args", "macs"),
    [
        ("Conv", {"strides": 2}, [(9, 8, 3)], ["x0", KERNEL], 4 * 3 * 5 * 27),
        ("Matmul", {}, [(4, 5), (5, 6)], None, 4 * 5 * 6),
        ("Einsum", {"subscripts": "...ij,...jk->...ik"}, [(2, 4, 5), (2, 5, 6)], None, 240),
        ("Tensordot", {"axes": 1}, [(4, 5)], ["x0", [[1.0] * 6] * 5], 4 * 5 * 6),
        ("DotProductAttention", {}, [(4, 2, 8)] + [(6, 2, 8)] * 2, None, 2 * 2 * 4 * 6 * 8),
    ],
)
def test_the_work_of_operations(cls: str, config: Json, shapes: Any, args: Any, macs: Any) -> None:
    found = counted(op(cls, shapes, config, args))
    assert found.macs == macs


@pytest.mark.parametrize(
    ("cls", "config", "shapes", "outputs", "wanted"),
    [
        ("Split", {"indices_or_sections": 3, "axis": -1}, [(4, 9)], 3, [(1, 4, 3)] * 3),
        ("Split", {"indices_or_sections": [2, 5], "axis": 2}, [(4, 9)], 3,
         [(1, 4, 2), (1, 4, 3), (1, 4, 4)]),
        ("Unstack", {"num": None, "axis": 1}, [(3, 5)], 3, [(1, 5)] * 3),
        ("Meshgrid", {"indexing": "ij"}, [(3,), (4,)], 2, [(3, 4)] * 2),
        ("Meshgrid", {"indexing": "xy"}, [(3,), (4,)], 2, [(4, 3)] * 2),
        ("TopK", {"k": 2}, [(7,)], 2, [(1, 2)] * 2),
        ("Moments", {"axes": [1], "keepdims": True}, [(7, 3)], 2, [(1, 1, 3)] * 2),
    ],
)  # fmt: skip
def test_several_outputs_of_an_operation(
    cls: str, config: Json, shapes: Any, outputs: int, wanted: Any
) -> None:
    found = counted(op(cls, shapes, config, outputs=outputs))
    assert found.complete
    assert shapes_of(found) == wanted


def test_only_the_outputs_that_are_read_are_made() -> None:
    said = op("Split", [(4, 900)], {"indices_or_sections": 900, "axis": -1}, outputs=2)
    assert len(counted(said).rows) == 2


def test_an_operation_that_is_not_followed_is_unknown() -> None:
    found = counted(op("Svd", [(4, 5)], {}, module="keras.src.ops.linalg"))
    assert not found.complete
    assert found.network.notes == ("operations that are not followed: Svd",)


@pytest.mark.parametrize(
    ("cls", "config", "shapes", "args", "part"),
    [
        ("Conv", {}, [(9, 8, 4)], ["x0", KERNEL], "its kernel is for other channels"),
        ("ExpandDims", {"axis": [7]}, [(4,)], None, "there is no such axis"),
        ("TopK", {"k": 9}, [(4,)], None, "'k' is more than there are"),
        ("Split", {"indices_or_sections": 2, "axis": -1}, [(9,)], None, "do not divide the axis"),
        ("Matmul", {}, [(4, 5), (4, 5)], None, "the factors' sizes do not agree"),
    ],
)
def test_operations_that_cannot_be(
    cls: str, config: Json, shapes: Any, args: Any, part: str
) -> None:
    with pytest.raises(ReadError, match=part):
        counted(op(cls, shapes, config, args))


def lambda_op(function: str, node: Any) -> Json:
    said = {"class_name": "TFOpLambda", "config": {"name": "op", "function": function}}
    return {**said, "name": "op", "inbound_nodes": [node]}


@pytest.mark.parametrize(
    ("function", "shape", "settings", "wanted"),
    [
        ("nn.conv2d", (9, 8, 3), {"filters": KERNEL, "strides": [1, 2, 2, 1], "padding": "SAME"},
         (5, 4, 5)),
        ("nn.max_pool2d", (9, 8, 3), {"ksize": [1, 2, 2, 1], "strides": 2, "padding": "VALID"},
         (4, 4, 3)),
        ("image.resize", (9, 8, 3), {"size": [4, 4], "method": "nearest"}, (4, 4, 3)),
        ("expand_dims", (9, 8), {"axis": -1}, (9, 8, 1)),
        ("tile", (9, 8), {"multiples": [1, 2, 1]}, (18, 8)),
        ("one_hot", (9,), {"depth": 4}, (9, 4)),
        ("nn.depth_to_space", (4, 4, 8), {"block_size": 2}, (8, 8, 2)),
        ("math.l2_normalize", (9, 8), {"axis": 1}, (9, 8)),
        ("split", (9, 8), {"num_or_size_splits": [3, 5], "axis": 2}, (9, 3)),
        ("linalg.matmul", (9, 8), {"b": [[1.0] * 4] * 8}, (9, 4)),
        ("stack", (9, 8), {"axis": 2}, (9, 1, 8)),
        ("math.squared_difference", (9, 8), {"y": ["a", 0, 0]}, (9, 8)),
        ("math.add_n", (9, 8), {"y": ["a", 0, 0]}, (9, 8)),
    ],
)  # fmt: skip
def test_functions_of_tensorflow(function: str, shape: Any, settings: Json, wanted: Any) -> None:
    net = functional(["a"], ["op"], start("a", *shape), lambda_op(function, ["a", 0, 0, settings]))
    found = counted(net)
    assert found.complete, found.network.notes
    assert as_keras(shapes_of(found)[0], wanted)
