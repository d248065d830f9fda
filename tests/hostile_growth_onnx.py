"""ONNX files that are made to cost more than their size, of any size that is asked for.

``GENERATORS`` has, by name, what the file is called and a function of the size in bytes that gives
a file of about that size. Reading it may take time and memory in proportion to its size only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import onnx_files as w

Maker = Callable[[int], bytes]

END = w.info("y", None, 0)
RELU = w.node("Relu", ["x"], ["y"])
ROUNDS = 1000


def as_many(size: int, piece: Callable[[int], bytes]) -> list[bytes]:
    """Pieces number 0, 1, ... that take ``size`` bytes together, one at least."""
    pieces: list[bytes] = []
    for number in count():
        pieces.append(piece(number))
        size -= len(pieces[-1]) + 4
        if size <= 0:
            return pieces
    raise AssertionError


def of(
    nodes: list[bytes],
    *held: bytes,
    functions: tuple[bytes, ...] = (),
    inputs: tuple[bytes, ...] = (w.info("x", [1, 3, 8, 8]),),
    ends: tuple[bytes, ...] = (END,),
    infos: tuple[bytes, ...] = (),
) -> bytes:
    versions = {"": 18, "d": 1, "com.microsoft": 1}
    return w.model(w.graph(nodes, inputs, ends, held, infos), versions, functions)


def ints(name: str, *values: int, scalar: bool = False) -> bytes:
    return w.tensor(name, [] if scalar else [len(values)], values, w.INT64)


def many(piece: Callable[[int], bytes], *held: bytes, **more: Any) -> Maker:
    """A graph of one kind of node, as many as fit."""
    return lambda size: of([RELU, *as_many(size, piece)], *held, **more)


# --- bodies ---------------------------------------------------------------------------------------

STARTS = [w.info("i", [], w.INT64), w.info("on", [], w.BOOL), w.info("v", None, 0)]
ENDS = [w.info("on", [], w.BOOL), w.info("o", None, 0)]


def body(nodes: list[bytes], *held: bytes) -> bytes:
    return w.graph(nodes, STARTS, ENDS, held)


def loop(inner: bytes, name: str = "", output: str = "o", state: str = "v") -> bytes:
    return w.node("Loop", ["n", "", state], [output], name, body=w.Graph(inner))


def looped(inner: bytes, *held: bytes, name: str = "") -> bytes:
    return of([loop(inner, name, "y", "x")], ints("n", ROUNDS, scalar=True), *held)


def loops_in_loops(size: int) -> bytes:
    """Ten loops within each other, the innermost as long as wanted."""
    nodes = as_many(size, lambda i: w.node("Relu", ["v"], [f"o{i}"]))
    inner = body([*nodes, w.node("Relu", ["v"], ["o"])])
    for _ in range(10):
        inner = body([loop(inner)])
    return looped(inner)


def loops_with_long_names(size: int) -> bytes:
    """Ten loops within each other, each with a long name, which stands before what is in it."""
    long = "n" * min(size // 12, 30_000)
    inner = body([w.node("Relu", ["v"], ["o"], long)])
    for _ in range(10):
        inner = body([loop(inner, long)])
    return looped(inner, name=long)


def loops_in_a_row(size: int) -> bytes:
    inner = body([w.node("Relu", ["v"], ["o"])])
    nodes = as_many(size, lambda i: loop(inner, output=f"y{i}", state="x"))
    return of([RELU, *nodes], ints("n", ROUNDS, scalar=True))


def loop_of_states(size: int) -> bytes:
    """A loop that does nothing but to hand on many tensors."""
    numbers = range(max(size // 40, 1))
    starts = [*STARTS[:2], *(w.info(f"s{i}", None, 0) for i in numbers)]
    ends = [ENDS[0], *(w.info(f"s{i}", None, 0) for i in numbers)]
    inner = w.Graph(w.graph([], starts, ends))
    outputs = [f"e{i}" for i in numbers]
    node = w.node("Loop", ["n", "", *["x"] * len(numbers)], outputs, body=inner)
    return of([RELU, node], ints("n", ROUNDS, scalar=True))


def loop_of_constants(size: int) -> bytes:
    held = as_many(size, lambda i: w.tensor(f"c{i}", [1000], [7**9] * 1000, w.INT64))
    nodes = [w.node("Add", [f"c{i}", f"c{i}"], [f"d{i}"]) for i in range(len(held))]
    return looped(body([*nodes, w.node("Relu", ["v"], ["o"])], *held))


def loop_of_reshapes(size: int) -> bytes:
    """Constants that a body reads anew in each round."""
    held = as_many(size, lambda i: w.tensor(f"c{i}", [1000], [7**9] * 1000, w.INT64))
    nodes = [w.node("Reshape", ["v", f"c{i}"], [f"d{i}"]) for i in range(len(held))]
    return looped(body([*nodes, w.node("Relu", ["v"], ["o"])], *held))


def loop_of_many_rows(size: int) -> bytes:
    """Each round gives many tensors, of which the rows of all rounds are the outputs."""
    numbers = range(max(size // 30, 1))
    ends = [ENDS[0], *[w.info("i", None, 0)] * len(numbers)]
    inner = w.Graph(w.graph([], STARTS[:2], ends))
    node = w.node("Loop", ["n", ""], [f"e{i}" for i in numbers], body=inner)
    return of([RELU, node], ints("n", ROUNDS, scalar=True))


def loop_of_unknown_length(size: int) -> bytes:
    """Its outputs are not known, and each reads all that goes in."""
    numbers = range(max(size // 60, 1))
    starts = [*STARTS[:2], *(w.info(f"s{i}", None, 0) for i in numbers)]
    ends = [ENDS[0], *(w.info(f"s{i}", None, 0) for i in numbers)]
    inner = w.Graph(w.graph([], starts, ends))
    first = [w.node("Relu", ["x"], [f"a{i}"]) for i in numbers]
    node = w.node("Loop", ["n", "c", *(f"a{i}" for i in numbers)], [f"e{i}" for i in numbers],
                  body=inner)  # fmt: skip
    return of([RELU, UNKNOWN, COMPUTED, *first, node], ints("n", ROUNDS, scalar=True))


def function_of(size: int, **more: Any) -> bytes:
    """Half of the file is a function, the other half calls it."""
    half = size // 2
    nodes: list[bytes] = more.get("nodes") or [w.node("Relu", ["a"], ["b"])]
    function = w.function("f", ["a"], ["b"], nodes, domain="d", opsets={"d": 1, "": 18})
    function += b"".join(as_many(half, more["piece"])) if "piece" in more else b""
    calls = as_many(half, lambda i: w.node("f", ["x"], [f"y{i}"], domain="d"))
    return of([RELU, *calls], functions=(function,))


def function_of_defaults(size: int) -> bytes:
    return function_of(size, piece=lambda i: w.block(11, w.attribute(f"a{i}", 1)))


def function_of_inputs(size: int) -> bytes:
    return function_of(size, piece=lambda i: w.block(4, f"a{i}"))


def function_of_outputs(size: int) -> bytes:
    return function_of(size, piece=lambda i: w.block(5, f"b{i}"))


def function_of_nodes(size: int) -> bytes:
    nodes = as_many(size // 2, lambda i: w.node("Relu", ["a"], [f"c{i}"]))
    return function_of(size, nodes=[*nodes, w.node("Relu", ["a"], ["b"])])


def function_of_numbers(size: int) -> bytes:
    """A list of numbers that each call looks through."""
    numbers = [1] * min(size // 4, 90_000)
    return function_of(size, nodes=[w.node("Transpose", ["a"], ["b"], perm=numbers)])


def function_of_wide_nodes(size: int) -> bytes:
    wide = w.node("Sum", ["a"] * max(size // 6, 1), ["b"])
    return function_of(size, nodes=[wide])


def function_of_attributes(size: int) -> bytes:
    node = w.node("Relu", ["a"], ["b"], **{f"a{i}": 1 for i in range(max(size // 30, 1))})
    return function_of(size, nodes=[node])


def functions_that_double(size: int) -> bytes:
    functions: list[bytes] = [
        w.function("f0", ["a"], ["b"], [w.node("Relu", ["a"], ["b"])], domain="d")
    ]
    deep = 30 if size > 4000 else 20
    for i in range(1, deep):
        call = f"f{i - 1}"
        nodes = [w.node(call, ["a"], ["m"], domain="d"), w.node(call, ["m"], ["b"], domain="d")]
        more = as_many(size // deep, lambda j: w.node("Relu", ["a"], [f"z{j}"]))
        functions.append(w.function(f"f{i}", ["a"], ["b"], [*nodes, *more], domain="d",
                                    opsets={"d": 1, "": 18}))  # fmt: skip
    return of([w.node(f"f{deep - 1}", ["x"], ["y"], domain="d")], functions=tuple(functions))


def empty_functions_that_double(size: int) -> bytes:
    """Functions of calls only, the last of nothing: what costs is the calls."""
    functions: list[bytes] = [w.function("f0", ["a"], ["a"], [], domain="d")]
    for i in range(1, 38):
        more = max(size // 38 // 30, 2)
        nodes = [w.node(f"f{i - 1}", ["a"], [f"m{j}"], domain="d") for j in range(more)]
        functions.append(w.function(f"f{i}", ["a"], ["m0"], nodes, domain="d", opsets={"d": 1}))
    return of([w.node("f37", ["x"], ["y"], domain="d")], functions=tuple(functions))


def either(then: bytes, other: bytes, output: str, condition: str = "c") -> bytes:
    branches = {"then_branch": w.Graph(then), "else_branch": w.Graph(other)}
    return w.node("If", [condition], [output], **branches)


UNKNOWN = w.node("NonZero", ["x"], ["z"])
COMPUTED = w.node("ReduceMax", ["z"], ["c"], keepdims=0)
"""A condition that is not known."""


def ifs_in_ifs(size: int) -> bytes:
    """Both branches stand for themselves, as deep as may be."""
    inner = w.graph([RELU], [], [END])
    for _ in range(min(max(size // 190, 2).bit_length() - 1, 15)):
        inner = w.graph([either(inner, inner, "y")], [], [END])
    return of([UNKNOWN, COMPUTED, either(inner, inner, "y")])


def ifs_of_which_one_fits(size: int) -> bytes:
    """One branch of each does not fit, so that the other is looked at and then written out."""
    bad = w.graph([w.node("MatMul", ["x", "k"], ["y"])], [], [END])
    nodes = as_many(size // 2, lambda i: w.node("Relu", ["x"], [f"z{i}"]))
    inner = w.graph([*nodes, RELU], [], [END])
    for _ in range(12):
        inner = w.graph([either(inner, bad, "y")], [], [END])
    return of([UNKNOWN, COMPUTED, either(inner, bad, "y")], w.tensor("k", [5, 5]))


def ifs_in_a_body(size: int) -> bytes:
    """A function of many names, and of many branches, each of which may use them all."""
    names = as_many(size // 2, lambda i: w.node("Relu", ["a"], [f"n{i}"]))
    small = w.graph([w.node("Relu", ["a"], ["t"])], [], [w.info("t", None, 0)])
    ifs = as_many(size // 2, lambda i: either(small, small, f"m{i}", "a"))
    nodes = [*names, *ifs, w.node("Relu", ["a"], ["b"])]
    function = w.function("f", ["a"], ["b"], nodes, domain="d", opsets={"d": 1, "": 18})
    return of([w.node("f", ["x"], ["y"], domain="d")], functions=(function,))


def ifs_in_a_row(size: int) -> bytes:
    inner = w.graph([RELU], [], [END])
    nodes = as_many(size, lambda i: either(inner, inner, f"y{i}"))
    return of([UNKNOWN, COMPUTED, *nodes], ends=(w.info("y0", None, 0),))


# --- constants ------------------------------------------------------------------------------------

THOUSAND = w.tensor("k", [1000], [7**9] * 1000, w.INT64)
FEW = [ints("zero", 0, scalar=True), ints("one", 1, scalar=True)]
TO = ints("to", ROUNDS, scalar=True)
WIDE = ints("wide", *[1] * 54, *[2] * 10)  # 1,024 values along 64 axes


def constants_that_grow(size: int) -> bytes:
    nodes = as_many(size, lambda i: w.node("Add", [f"c{i}", f"c{i}"], [f"c{i + 1}"]))
    return of([RELU, *nodes], w.tensor("c0", [1000], [1] * 1000, w.INT64))


def sum_of_scalars(size: int) -> bytes:
    """Each of many numbers is stretched to a thousand."""
    names = ["s"] * max(size // 4, 1)
    return of([RELU, w.node("Sum", ["k", *names], ["z"])], THOUSAND, ints("s", 5, scalar=True))


# --- sequences ------------------------------------------------------------------------------------

LONG = (w.info("x", [1, 4000]),)
SPLIT = w.node("SplitToSequence", ["x"], ["s"], axis=1)


def inserted(size: int) -> bytes:
    nodes = as_many(
        size, lambda i: w.node("SequenceInsert", [f"s{i}" if i else "s", "x"], [f"s{i + 1}"])
    )
    first = w.node("SequenceConstruct", ["x"] * min(3000, size // 4 + 1), ["s"])
    return of([RELU, first, *nodes], inputs=LONG)


def read_by_many(op: str, domain: str = "", **attributes: Any) -> Maker:
    def make(size: int) -> bytes:
        node = as_many(size, lambda i: w.node(op, ["s"], [f"z{i}"], domain=domain, **attributes))
        return of([RELU, SPLIT, *node], inputs=LONG)

    return make


def mapped(size: int) -> bytes:
    inner = w.graph([w.node("Relu", ["v"], ["o"])], [w.info("v", None, 0)], [w.info("o", None, 0)])
    nodes = as_many(size, lambda i: w.node("SequenceMap", ["s"], [f"z{i}"], body=w.Graph(inner)))
    return of([RELU, SPLIT, *nodes], inputs=(w.info("x", [1, 1000]),))


def outputs_of_a_sequence(size: int) -> bytes:
    ends = (END, *as_many(size, lambda _: w.info("s", None, 0)))
    return of([RELU, SPLIT], inputs=LONG, ends=ends)


def read_by_one(size: int) -> bytes:
    node = w.node("Odd", ["s"] * max(size // 3, 1), ["z"], domain="d")
    return of([RELU, SPLIT, node], inputs=LONG)


def scans(size: int) -> bytes:
    inner = w.graph([w.node("Relu", ["v"], ["o"])], [w.info("v", None, 0)], [w.info("o", None, 0)])
    more = {"body": w.Graph(inner), "num_scan_inputs": 1}
    nodes = as_many(size, lambda i: w.node("Scan", ["x"], [f"z{i}"], **more))
    return of([RELU, *nodes], inputs=(w.info("x", [1000, 3]),))


def scan_of_many(size: int) -> bytes:
    """A body that does nothing, of many inputs."""
    numbers = range(max(size // 40, 1))
    starts = [w.info(f"v{i}", None, 0) for i in numbers]
    inner = w.Graph(w.graph([], starts, [w.info(f"v{i}", None, 0) for i in numbers]))
    more = {"body": inner, "num_scan_inputs": len(numbers)}
    node = w.node("Scan", ["x"] * len(numbers), [f"z{i}" for i in numbers], **more)
    return of([RELU, node], inputs=(w.info("x", [1000, 3]),))


# --- what is many, long or wide -------------------------------------------------------------------


def chain(size: int) -> bytes:
    nodes = as_many(size, lambda i: w.node("Relu", [f"v{i}" if i else "x"], [f"v{i + 1}"]))
    return of(nodes, ends=(w.info(f"v{len(nodes)}", None, 0),))


def chain_backwards(size: int) -> bytes:
    nodes = as_many(size, lambda i: w.node("Relu", [f"v{i}" if i else "x"], [f"v{i + 1}"]))
    return of(nodes[::-1], ends=(w.info(f"v{len(nodes)}", None, 0),))


def one_node_of_all(size: int) -> bytes:
    return of([w.node("Concat", ["x"] * max(size // 3, 1), ["y"], axis=1)])


def pairs_of_all(size: int) -> bytes:
    """Each node reads all before it: as many edges as there is room for."""
    names, nodes, room = ["x"], [], size
    while room > 0:
        nodes.append(w.node("Sum", names, [f"v{len(nodes)}"]))
        room -= len(nodes[-1])
        names.append(f"v{len(nodes) - 1}")
    return of(nodes, ends=(w.info(names[-1], None, 0),))


def cut_along_all_axes(size: int) -> bytes:
    """A slice of 63 axes at once is as many layers."""
    axes = range(1, 64)
    held = [ints("a", *[1] * 63), ints("z", *[2] * 63), ints("axes", *axes)]
    nodes = as_many(size, lambda i: w.node("Slice", ["x", "a", "z", "axes"], [f"y{i}"]))
    ends = (w.info("y0", None, 0),)
    return of(nodes, *held, inputs=(w.info("x", [1, *[3] * 63]),), ends=ends)


def of_many_axes(size: int) -> bytes:
    nodes = as_many(size, lambda i: w.node("Reshape", ["x", "s"], [f"y{i}"]))
    held = ints("s", *[1] * 60, 3, 8, 8, 1)
    return of(nodes, held, ends=(w.info("y0", None, 0),))


def huge_sizes(size: int) -> bytes:
    nodes = as_many(size, lambda i: w.node("Relu", [f"v{i}" if i else "x"], [f"v{i + 1}"]))
    wide = [1, *[2**31 - 1] * 63]
    return of(nodes, inputs=(w.info("x", wide),), ends=(w.info(f"v{len(nodes)}", None, 0),))


def of_many_heads(size: int) -> bytes:
    more = {"q_num_heads": 2, "kv_num_heads": 2}
    nodes = as_many(
        size, lambda i: w.node("Attention", ["x"] * 3, [f"y{i}", f"k{i}", f"v{i}"], **more)
    )
    ends = (w.info("y0", None, 0),)
    return w.model(w.graph(nodes, [w.info("x", [1, 3, 8])], ends), 23)


def recurrent(size: int) -> bytes:
    nodes = as_many(size, lambda i: w.node("LSTM", ["x", "w", "r"], [f"y{i}"], hidden_size=2))
    held = [w.tensor("w", [1, 8, 4]), w.tensor("r", [1, 8, 2])]
    return of(nodes, *held, inputs=(w.info("x", [5, 1, 4]),), ends=(w.info("y0", None, 0),))


def equation(size: int) -> bytes:
    """A letter for each axis of a tensor that has not so many; each is looked for in all."""
    letters = [chr(code) for code in range(0x4E00, 0x9FFF)]
    text = ("".join(letters) * (size // 60_000 + 1))[: size // 3]
    return of([w.node("Einsum", ["x"], ["y"], equation=text)])


def equation_of_many(size: int) -> bytes:
    """As many terms as inputs, each with letters of its own."""
    terms = [
        "".join(chr(0x4E00 + (4 * i + j) % 20_000) for j in range(4))
        for i in range(max(size // 16, 1))
    ]
    node = w.node("Einsum", ["x"] * len(terms), ["y"], equation=",".join(terms))
    return of([node])


def many_outputs(size: int) -> bytes:
    """Of one node that is not understood, each of a stated size, and as many inputs."""
    number = max(size // 60, 1)
    first = [w.node("Relu", ["x"], [f"a{i}"]) for i in range(number)]
    outputs = [f"b{i}" for i in range(number)]
    node = w.node("Odd", [*(f"a{i}" for i in range(number)), *["k"] * number], outputs, domain="d")
    infos = tuple(w.info(name, [1]) for name in outputs)
    return of([RELU, *first, node], w.tensor("k", [1000]), infos=infos)


def strings(size: int) -> bytes:
    values = as_many(size, lambda i: w.block(6, f"a text that is number {i}"))
    tensor = w.number(1, len(values)) + w.number(2, w.STRING) + w.block(8, "k") + b"".join(values)
    return of([RELU], tensor)


def dotted_names(size: int) -> bytes:
    names = as_many(size, lambda i: w.node("Relu", ["x"], [f"y{i}"], f"/{'a/' * 500}{i}"))
    return of([RELU, *names])


def learned_notes(size: int) -> bytes:
    notes = as_many(
        size, lambda i: w.block(14, w.block(1, f"nettally.learned:{i}") + w.block(2, "true"))
    )
    return of([RELU]) + b"".join(notes)


def all_inputs(size: int) -> bytes:
    return of([RELU], inputs=(w.info("x", [1, 3]), *as_many(size, lambda i: w.info(f"i{i}", [1]))))


def all_open(size: int) -> bytes:
    inputs = as_many(size, lambda i: w.info(f"i{i}", ["a", "b", "c", "d"]))
    return of([RELU], inputs=(w.info("x", [1, 3]), *inputs))


def all_stated(size: int) -> bytes:
    return of([RELU], infos=tuple(as_many(size, lambda i: w.info(f"i{i}", [1] * 60))))


def all_outputs(size: int) -> bytes:
    return of([RELU], ends=(END, *as_many(size, lambda _: END)))


def all_weights(size: int) -> bytes:
    return of([RELU], *as_many(size, lambda i: w.tensor(f"w{i}", [1])))


MANY: dict[str, Maker] = {
    "ranges": many(lambda i: w.node("Range", ["zero", "to", "one"], [f"r{i}"]), *FEW, TO),
    "filled": many(lambda i: w.node("ConstantOfShape", ["s"], [f"r{i}"]), ints("s", ROUNDS)),
    "filled with huge sizes": many(
        lambda i: w.node("ConstantOfShape", ["s"], [f"r{i}"]), ints("s", *[2**31 - 1] * 60)
    ),
    "expanded": many(lambda i: w.node("Expand", ["one", "s"], [f"r{i}"]), *FEW, ints("s", ROUNDS)),
    "tiled": many(lambda i: w.node("Tile", ["k", "s"], [f"r{i}"]), ints("k", 5), ints("s", ROUNDS)),
    "turned along 64 axes": many(
        lambda i: w.node("Transpose", ["f"], [f"r{i}"]),
        w.tensor("f", [*[1] * 54, *[2] * 10], [7] * 1024, w.INT64),
    ),
    "looked through for what is not zero": many(
        lambda i: w.node("NonZero", ["k"], [f"r{i}"]), w.tensor("k", [1000], None, w.INT64)
    ),
    "reduced": many(lambda i: w.node("ReduceSum", ["k"], [f"r{i}"]), THOUSAND),
    "gathered": many(
        lambda i: w.node("Gather", ["k", "p"], [f"r{i}"]), THOUSAND, ints("p", *range(1000))
    ),
    "joined": many(lambda i: w.node("Concat", ["k", "e"], [f"r{i}"], axis=0), THOUSAND, ints("e")),
    "sliced": many(
        lambda i: w.node("Slice", ["k", "a", "z"], [f"r{i}"]),
        THOUSAND,
        ints("a", 1),
        ints("z", 999),
    ),
    "split": many(
        lambda i: w.node("Split", ["k"], [f"a{i}", f"b{i}"], axis=0, num_outputs=2), THOUSAND
    ),
    "pieces of constants": many(lambda i: w.node("SplitToSequence", ["k"], [f"r{i}"]), THOUSAND),
    "split into sequences": many(
        lambda i: w.node("SplitToSequence", ["x"], [f"r{i}"], axis=1), inputs=LONG
    ),
    "unknown operators": many(lambda i: w.node(f"Op{i}", ["x"], [f"r{i}"], domain="d")),
    "long names": many(lambda i: w.node("Relu", ["x"], [f"r{i}"], "n" * 900 + str(i))),
    "one name": many(lambda i: w.node("Relu", ["x"], [f"r{i}"], "same")),
}

GENERATORS: dict[str, tuple[str, Maker]] = {
    name: ("net.onnx", maker)
    for name, maker in {
        **{
            each.__name__.replace("_", " "): each
            for each in (
                *(loops_in_loops, loops_with_long_names, loops_in_a_row, loop_of_states),
                *(loop_of_constants, loop_of_reshapes, loop_of_many_rows),
                *(
                    loop_of_unknown_length,
                    function_of_defaults,
                    function_of_inputs,
                    function_of_outputs,
                ),
                *(function_of_nodes, function_of_numbers, function_of_wide_nodes),
                *(function_of_attributes, functions_that_double, empty_functions_that_double),
                *(ifs_in_ifs, ifs_of_which_one_fits, ifs_in_a_body, ifs_in_a_row),
                *(constants_that_grow, sum_of_scalars, inserted, mapped, outputs_of_a_sequence),
                *(read_by_one, scans, scan_of_many, chain, chain_backwards, one_node_of_all),
                *(pairs_of_all, cut_along_all_axes, of_many_axes, huge_sizes, of_many_heads),
                *(
                    recurrent,
                    many_outputs,
                    equation,
                    equation_of_many,
                    strings,
                    dotted_names,
                    learned_notes,
                ),
                *(all_inputs, all_open, all_stated, all_outputs, all_weights),
            )
        },
        "a sequence read by many": read_by_many("Odd", "d"),
        "a sequence joined by many": read_by_many("ConcatFromSequence", axis=1),
        "a sequence stacked by many": read_by_many("ConcatFromSequence", axis=0, new_axis=1),
        **MANY,
    }.items()
}
"""By name: what the file is called, and what makes it, of about so many bytes."""

SYNTAX = '<ir_version: 8, opset_import: ["" : 17]>\n'
"""How ONNX's own textual syntax begins; what follows is a graph."""


def in_syntax(head: str, item: str, tail: str) -> Callable[[int], bytes]:
    """A graph in ONNX's own syntax with the item repeated, {} being its number."""

    def make(size: int) -> bytes:
        items = "".join(item.replace("{}", str(i)) for i in range(size // (len(item) + 4)))
        return (SYNTAX + head + items + tail).encode()

    return make


GENERATORS.update(
    {
        "onnx syntax: nodes": ("n.onnxtxt", in_syntax(
            "g (float[1,3] x) => (float[1,3] x) {", "y{} = Relu(x)\n", "}")),
        "onnx syntax: inputs": ("n.onnxtxt", in_syntax(
            "g (float[1] x", ", float[1] x{}", ") => (x) { y = Relu(x) }")),
        "onnx syntax: numbers": ("n.onnxtxt", in_syntax(
            "g (float[1] x) => (y) <float[9] w = {1", ",1", "}> { y = Relu(x) }")),
        "onnx syntax: graphs in graphs": ("n.onnxtxt", in_syntax(
            "g (float[1] x) => (y) {", "y = If <then_branch = h () => (a) {", "")),
        "onnx syntax: types in types": ("n.onnxtxt", in_syntax("g (", "seq(", "")),
        "onnx syntax: settings": (
            "n.onnxtxt", lambda size: b"<ir_version: 8" + b", a: 1" * (size // 6)),
    }
)  # fmt: skip
