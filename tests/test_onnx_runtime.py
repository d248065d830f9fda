"""ONNX Runtime's own operators, against what it makes of them: packed weights, attention."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import onnx_files as w
from nettally import tally
from nettally.errors import ReadError
from nettally.formats import Source, onnx

MS = "com.microsoft"
UINT4 = 21


class Case(NamedTuple):
    """A node of this operator and inputs, by name.

    feeds: inputs of the graph, each its sizes, or a dtype and values. held: initializers.
    shapes: of the outputs, in order, and their type; runs: whether ONNX Runtime has it for a CPU.
    """

    op: str
    names: str
    feeds: dict[str, Any]
    held: tuple[bytes, ...]
    attributes: dict[str, Any]
    shapes: list[tuple[int, ...]]
    parameters: int
    macs: int | None
    runs: bool = True
    type: int = w.FLOAT


def packed(name: str, *sizes: int) -> bytes:
    return w.tensor(name, sizes, None, w.UINT8)


def four_bits(name: str, *sizes: int) -> bytes:
    return w.tensor(name, sizes, None, UINT4, raw=bytes(-(-sizes[0] * sizes[1] // 2)))


def floats(name: str, *sizes: int) -> bytes:
    return w.tensor(name, sizes)


SCALED = (packed("w", 8, 5), floats("s", 1), w.tensor("z", [1], [0], w.UINT8))
BYTE = w.tensor("u", [], [1], w.UINT8)

PAST = {"pk": (1, 2, 5, 16), "pv": (1, 2, 5, 16), "ends": ("int32", [12]), "all": ("int32", 13)}
GROUPS = {"num_heads": 4, "kv_num_heads": 2}
QKV = {"q": (1, 8, 64), "k": (1, 8, 32), "v": (1, 8, 32)}
PAIRS = 4 * 8 * 13  # of a query's place and a key's, in all heads

CASES = {
    "4 bits": Case(
        "MatMulNBits", "x q s", {"x": (1, 8, 64)}, (packed("q", 32, 2, 16), floats("s", 64)),
        {"K": 64, "N": 32, "bits": 4, "block_size": 32}, [(1, 8, 32)], 2048, 8 * 2048,
    ),
    "8 bits and a bias": Case(
        "MatMulNBits", "x q s   b", {"x": (3, 64)},
        (packed("q", 32, 2, 32), floats("s", 64), floats("b", 32)),
        {"K": 64, "N": 32, "bits": 8, "block_size": 32}, [(3, 32)], 2048 + 32, 3 * 2048,
    ),
    "4 bits of bitsandbytes": Case(
        "MatMulBnb4", "x q s", {"x": (3, 7, 64)}, (packed("q", 4096), floats("s", 128)),
        {"K": 64, "N": 128, "block_size": 64, "quant_type": 0}, [(3, 7, 128)], 8192, 21 * 8192,
    ),
    "two in a byte, as floats": Case(
        "MatMulBlockQuantizedFp4Weight", "x q s g  b", {"x": (3, 64)},
        (packed("q", 32, 32), packed("s", 32, 4), floats("g"), floats("b", 32)),
        {}, [(3, 32)], 2048 + 32, 3 * 2048, runs=False,
    ),
    "a table of 4 bits": Case(
        "GatherBlockQuantized", "q i s", {"i": ("int64", [[1, 5]])},
        (four_bits("q", 100, 64), floats("s", 100, 2)),
        {"block_size": 32, "gather_axis": 0, "quantize_axis": 1}, [(1, 2, 64)], 6400, 0,
    ),
    "a table of bytes": Case(
        "GatherBlockQuantized", "q i s", {"i": ("int64", [[1, 5]])},
        (packed("q", 100, 32), floats("s", 100, 2)),
        {"block_size": 32, "quantize_axis": 1}, [(1, 2, 64)], 6400, 0,
    ),
    "experts": Case(
        "QMoE", "x r a s  b t", {"x": (4, 32), "r": (4, 3)},
        (packed("a", 3, 64, 16), floats("s", 3, 64), packed("b", 3, 32, 32), floats("t", 3, 32)),
        {"k": 2}, [(4, 32)], 2 * 3 * 64 * 32, None, runs=False,
    ),
    "groups, and a past": Case(
        "GroupQueryAttention", "q k v pk pv ends all", {**QKV, **PAST}, (), GROUPS,
        [(1, 8, 64), (1, 2, 13, 16), (1, 2, 13, 16)], 0, 2 * PAIRS * 16,
    ),
    "groups, as one tensor": Case(
        "GroupQueryAttention", "q   pk pv ends all", {"q": (1, 8, 128), **PAST}, (), GROUPS,
        [(1, 8, 64), (1, 2, 13, 16), (1, 2, 13, 16)], 0, 2 * PAIRS * 16,
    ),
    "groups, and a rotary table": Case(
        "GroupQueryAttention", "q k v pk pv ends all cos sin", {**QKV, **PAST},
        (floats("cos", 32, 8), floats("sin", 32, 8)), {**GROUPS, "do_rotary": 1},
        [(1, 8, 64), (1, 2, 13, 16), (1, 2, 13, 16)], 0, 2 * PAIRS * 16,
    ),
    "groups, and a buffer": Case(
        "GroupQueryAttention", "q k v pk pv ends all",
        {**QKV, **PAST, "pk": (1, 2, 40, 16), "pv": (1, 2, 40, 16)}, (), GROUPS,
        [(1, 8, 64), (1, 2, 40, 16), (1, 2, 40, 16)], 0, 2 * PAIRS * 16,
    ),
    "groups, a sink for each head": Case(
        "GroupQueryAttention", "q k v pk pv ends all     sink", {**QKV, **PAST},
        (floats("sink", 4),), GROUPS,
        [(1, 8, 64), (1, 2, 13, 16), (1, 2, 13, 16)], 4, 2 * PAIRS * 16,
    ),
    "a product of integers before": Case(
        "QAttention", "x w b s t m z u", {"x": ("uint8", [[[1] * 32] * 8])},
        (packed("w", 32, 192), floats("b", 192), floats("s"), floats("t"),
         w.tensor("m", [1], [8], w.INT32), w.tensor("z", [], [1], w.UINT8),
         w.tensor("u", [], [1], w.UINT8)),
        {"num_heads": 4}, [(1, 8, 64)], 33 * 192, 8 * 32 * 192 + 2 * 4 * 8 * 8 * 16,
    ),
    "a recurrent layer of integers": Case(
        "DynamicQuantizeLSTM", "x w r b     s z t u", {"x": (5, 1, 4)},
        (packed("w", 1, 4, 32), packed("r", 1, 8, 32), floats("b", 1, 64), floats("s", 1),
         w.tensor("z", [1], [1], w.UINT8), floats("t", 1), w.tensor("u", [1], [1], w.UINT8)),
        {"hidden_size": 8}, [(5, 1, 1, 8), (1, 1, 8), (1, 1, 8)], 32 * 12 + 64, 5 * 32 * 12,
    ),
    "tables of integers": Case(
        "QEmbedLayerNormalization", "i j a b c d e  " + " ".join("klmnopqrst"),
        {"i": ("int32", [[1, 2, 3]]), "j": ("int32", [[0, 1, 0]])},
        (packed("a", 50, 16), packed("b", 9, 16), packed("c", 2, 16), packed("d", 16),
         packed("e", 16), *(floats(name) for name in "klmno"), *(packed(name) for name in "pqrst")),
        {"epsilon": 1e-5}, [(1, 3, 16), (1,)], 61 * 16 + 32, 0,
    ),
    "heads, and a past": Case(
        "MultiHeadAttention", "q k v    pk pv",
        {**dict.fromkeys("qkv", (1, 8, 64)), **dict.fromkeys(("pk", "pv"), (1, 4, 5, 16))}, (),
        {"num_heads": 4}, [(1, 8, 64), (1, 4, 13, 16), (1, 4, 13, 16)], 0, 2 * PAIRS * 16,
    ),
    "heads, and a bias": Case(
        "MultiHeadAttention", "q k v b", dict.fromkeys("qkv", (1, 8, 64)), (floats("b", 192),),
        {"num_heads": 4}, [(1, 8, 64)], 192, 2 * 4 * 8 * 8 * 16,
    ),
    "heads of another sequence": Case(
        "MultiHeadAttention", "q k v",
        {"q": (1, 8, 64), "k": (1, 4, 11, 16), "v": (1, 4, 11, 16)}, (),
        {"num_heads": 4}, [(1, 8, 64)], 0, 2 * 4 * 8 * 11 * 16,
    ),
    "heads, a key with its value": Case(
        "MultiHeadAttention", "q k", {"q": (1, 8, 64), "k": (1, 11, 4, 2, 16)}, (),
        {"num_heads": 4}, [(1, 8, 64)], 0, 2 * 4 * 8 * 11 * 16, runs=False,
    ),
    "heads, all three as one": Case(
        "MultiHeadAttention", "q", {"q": (1, 8, 4, 3, 16)}, (),
        {"num_heads": 4}, [(1, 8, 64)], 0, 2 * 4 * 8 * 8 * 16, runs=False,
    ),
    "one place more, in a buffer": Case(
        "DecoderMaskedMultiHeadAttention", "q k v   pk pv before",
        {**dict.fromkeys("qkv", (1, 1, 64)), **dict.fromkeys(("pk", "pv"), (1, 4, 40, 16)),
         "before": ("int32", [12])}, (),
        {"num_heads": 4, "past_present_share_buffer": 1},
        [(1, 1, 64), (1, 4, 40, 16), (1, 4, 40, 16)], 0, 2 * 4 * 13 * 16,
    ),
    "a product before": Case(
        "Attention", "x w b", {"x": (1, 8, 32)}, (floats("w", 32, 192), floats("b", 192)),
        {"num_heads": 4}, [(1, 8, 64)], 33 * 192, 8 * 32 * 192 + 2 * 4 * 8 * 8 * 16,
    ),
    "a product before, of other widths": Case(
        "Attention", "x w b", {"x": (1, 8, 32)}, (floats("w", 32, 96), floats("b", 96)),
        {"num_heads": 4, "qkv_hidden_sizes": [32, 32, 32]}, [(1, 8, 32)], 33 * 96,
        8 * 32 * 96 + 2 * 4 * 8 * 8 * 8,
    ),
    "a product before, and a past": Case(
        "Attention", "x w b  p", {"x": (1, 8, 32), "p": (2, 1, 4, 5, 16)},
        (floats("w", 32, 192), floats("b", 192)), {"num_heads": 4, "unidirectional": 1},
        [(1, 8, 64), (2, 1, 4, 13, 16)], 33 * 192, 8 * 32 * 192 + 2 * PAIRS * 16,
    ),
    "integers from reals, and a bias": Case(
        "DynamicQuantizeMatMul", "x w s z b", {"x": (2, 3, 8)},
        (*SCALED, floats("b", 5)), {}, [(2, 3, 5)], 45, 6 * 40,
    ),
    "reals from integers, and a bias": Case(
        "MatMulIntegerToFloat", "x w t s u z b", {"x": ("uint8", [[1] * 8] * 3)},
        (*SCALED, floats("t"), BYTE, floats("b", 5)), {}, [(3, 5)], 45, 3 * 40,
    ),
    "a product of integers, and a bias": Case(
        "QGemm", "x t u w s z b", {"x": ("uint8", [[1] * 8] * 3)},
        (*SCALED, floats("t"), BYTE, w.tensor("b", [5], [1] * 5, w.INT32)), {},
        [(3, 5)], 45, 3 * 40,
    ),
    "a product of integers, and a row for each": Case(
        "QGemm", "x t u w s z b t u", {"x": ("uint8", [[1] * 8] * 3)},
        (*SCALED, floats("t"), BYTE, w.tensor("b", [3, 5], [1] * 15, w.INT32)), {},
        [(3, 5)], 55, 3 * 40, type=w.UINT8,
    ),
    "a sum of integers": Case(
        "QLinearAdd", "b t u x t u t u", {"x": ("uint8", [[1] * 8] * 3)},
        (packed("b", 8), floats("t"), BYTE), {}, [(3, 8)], 8, 0, type=w.UINT8,
    ),
}  # fmt: skip


def file_of(case: Case) -> tuple[bytes, dict[str, Any], dict[str, str]]:
    """The file; the values that ONNX Runtime is fed; those that our reader is given."""
    numpy = pytest.importorskip("numpy")
    outputs = [f"y{place}" for place in range(len(case.shapes))]
    node = w.node(case.op, case.names.split(" "), outputs, domain=MS, **case.attributes)
    feeds: dict[str, Any] = {}
    options: dict[str, str] = {}
    for name, feed in case.feeds.items():
        if isinstance(feed[0], str):
            feeds[name] = numpy.array(feed[1], feed[0])
            options[f"value:{name}"] = str(feed[1]) if feeds[name].size == 1 else ""
        else:
            feeds[name] = numpy.zeros(feed, "float32")
    types = {"uint8": w.UINT8, "float32": w.FLOAT, "int32": w.INT32, "int64": w.INT64}
    inputs = [w.info(name, x.shape, types[str(x.dtype)]) for name, x in feeds.items()]
    ends = [  # the one vector among the outputs is the lengths of examples
        w.info(name, None, w.INT32 if len(shape) == 1 else case.type)
        for name, shape in zip(outputs, case.shapes, strict=True)
    ]
    graph = w.graph([node], inputs, ends, case.held)
    given = {name: text for name, text in options.items() if text}
    return w.model(graph, {"": 21, MS: 1}, ir=10), feeds, given


@pytest.mark.parametrize("name", CASES)
def test_shapes_are_those_of_onnx_runtime(name: str) -> None:
    case = CASES[name]
    data, feeds, options = file_of(case)
    net = onnx.read(Source("net.onnx", data, options=options))
    counted = tally(net)
    assert counted.parameters == case.parameters
    assert (counted.macs if counted.complete else None) == case.macs
    assert [counted[each].shape for each in net.outputs] == case.shapes
    if case.runs:
        runtime = pytest.importorskip("onnxruntime")
        runtime.set_default_logger_severity(4)
        session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
        assert [each.shape for each in session.run(None, feeds)] == case.shapes


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.parameters])
def test_parameters_are_known_where_the_inputs_shape_is_not(name: str) -> None:
    case = CASES[name]
    places = case.names.split(" ")
    data = [each for each in places if each in case.feeds]
    odd = [w.node("Odd", [each], [f"{each}_"], domain="other") for each in data]
    names = [f"{each}_" if each in data else each for each in places]
    node = w.node(case.op, names, ["y"], domain=MS, **case.attributes)
    inputs = [w.info(each, [1]) for each in data]
    graph = w.graph([*odd, node], inputs, [w.info("y", None, 0)], case.held)
    counted = tally(
        onnx.read(Source("net.onnx", w.model(graph, {"": 21, MS: 1, "other": 1}, ir=10)))
    )
    assert (counted.parameters, counted.parameters_complete) == (case.parameters, True)
    assert not counted.complete


def test_what_chooses_the_experts_is_read() -> None:
    net = onnx.read(Source("net.onnx", file_of(CASES["experts"])[0]))
    assert tuple(net.inputs) == ("x", "r")


def test_a_buffer_of_which_nothing_is_said_counts_as_full() -> None:
    case = CASES["one place more, in a buffer"]
    data, _, options = file_of(case)
    full = tally(onnx.read(Source("net.onnx", data)))
    assert full.macs == 2 * 4 * 40 * 16
    assert any("--value" in note for note in full.network.notes)
    net = onnx.read(Source("net.onnx", data, options=options))
    assert not any("--value" in note for note in net.notes)


def test_a_table_and_the_product_by_it_are_one_parameter() -> None:
    """As where the words of the output are those of the input: one tensor, read by both."""
    gather = {"block_size": 32, "quantize_axis": 1, "bits": 4}
    nodes = [
        w.node("Reshape", ["q", "flat"], ["table"]),
        w.node("GatherBlockQuantized", ["table", "i", "s"], ["e"], domain=MS, **gather),
        w.node(
            "MatMulNBits", ["e", "q", "s"], ["y"], domain=MS, K=64, N=100, bits=4, block_size=32
        ),
    ]
    held = [packed("q", 100, 2, 16), floats("s", 100, 2), w.tensor("flat", [2], [100, 32], w.INT64)]
    graph = w.graph(nodes, [w.info("i", [1, 5], w.INT64)], [w.info("y", None, w.FLOAT)], held)
    counted = tally(onnx.read(Source("net.onnx", w.model(graph, {"": 21, MS: 1}, ir=10))))
    assert (counted.parameters, counted.macs) == (6400, 5 * 6400)


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("4 bits", {"attributes": {"K": 63, "N": 32}}, "its K is not its input's last size"),
        ("4 bits", {"attributes": {"N": 32}}, "its K and N say no size"),
        ("8 bits and a bias", {"attributes": {"K": 64, "N": 31}}, "its bias does not fit"),
        ("groups, as one tensor", {"attributes": {"num_heads": 3, "kv_num_heads": 2}},
         "its heads do not divide its channels"),
        ("groups, and a past", {"attributes": {"num_heads": 4, "kv_num_heads": 1}},
         "its past key does not fit"),
        ("heads, and a bias", {"held": (floats("b", 190),)}, "its bias does not fit"),
        ("a product before, and a past", {"feeds": {"x": (1, 8, 32), "p": (1, 1, 4, 5, 16)}},
         "its past needs 5 axes, the first of 2"),
        ("experts", {"attributes": {"expert_weight_bits": 5}}, "its weights can't have so many"),
    ],
)  # fmt: skip
def test_complaints(name: str, changes: dict[str, Any], text: str) -> None:
    data, _, options = file_of(CASES[name]._replace(**changes))
    with pytest.raises(ReadError, match=text):
        onnx.read(Source("net.onnx", data, options=options))
