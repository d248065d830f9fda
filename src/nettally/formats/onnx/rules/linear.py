"""Matrix products: by weights, which is a fully connected layer, and of two computed tensors."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from ....errors import LayerError
from ....layers.merging import broadcast
from ..proto import FLOAT, FLOATS, INT32
from ..values import Unknown, Value, known, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import NodeCall
    from ..proto import Dim, Dims


def product_shape(call: NodeCall, a: Dims | None, b: Dims | None) -> Dims | None:
    """The shape of a matrix product by numpy's rule. Raises ReadError where the sizes clash."""
    if a is None or b is None:
        return None
    if not a or not b:
        raise call.error("a factor has no axes", f"{shown(a)} times {shown(b)}")
    inner, other = a[-1], b[max(len(b) - 2, 0)]
    if type(inner) is int and type(other) is int and inner != other:
        raise call.error(
            "the factors' sizes do not agree",
            f"{shown(a)} times {shown(b)}: {inner} is not {other}",
            "--input NAME=SIZE gives an input other sizes",
        )
    return (
        *broadcast_shapes(call, a[:-2], b[:-2]),
        *a[-2:-1],
        *(b[-1:] if len(b) > 1 else ()),
    )


def broadcast_shapes(call: NodeCall, *shapes: Dims) -> Dims:
    """The common shape, sizes of 1 stretched; a size is None where it is not known."""
    first = shapes[0]
    for other in shapes:
        if other is not first and other != first:
            break
    else:
        return first
    if all([known(shape) for shape in shapes]):
        try:
            return broadcast(shapes)  # type: ignore[arg-type] - known, as just asked
        except LayerError as error:
            raise call.error(error.what, error.values) from None
    rank = max(len(shape) for shape in shapes)
    sizes: list[Dim] = []
    for axis in range(-rank, 0):
        along_axis = [shape[axis] for shape in shapes if -axis <= len(shape)]
        large = {size for size in along_axis if type(size) is int and size != 1}
        others = {size for size in along_axis if type(size) is not int}
        if len(large) > 1:
            raise call.error(
                "the inputs' shapes do not agree", ", ".join(shown(shape) for shape in shapes)
            )
        if large:
            sizes.append(large.pop())
        elif others:
            sizes.append(others.pop() if len(others) == 1 else None)
        else:
            sizes.append(1)
    return tuple(sizes)


def multiply(
    call: NodeCall,
    a: Value,
    b: Value,
    *,
    flips: tuple[bool, bool] = (False, False),
    dtype: int | None = None,
    out: Callable[..., Value] | None = None,
) -> Value:
    """The product of two tensors: ``linear`` by constant weights on the right, else ``matmul``."""
    left, right = _flipped(a.shape, flips[0]), _flipped(b.shape, flips[1])
    shape = product_shape(call, left, right)
    emit = out or partial(call.emit, dtype=dtype)
    x, weight = (b, a) if a.constant else (a, b)
    apart = a.constant != b.constant and call.b.set_apart(call, "multiply", weight, None)
    if a.constant == b.constant or apart:
        fields = {"flip_left": flips[0], "flip_right": flips[1]}
        return emit(shape, lambda: call.b.layer("matmul", **fields), [a, b])
    w = weight.sizes
    if b.constant and len(w) == 2 and not flips[0] and x.rank is not None and x.rank > 1:
        features, axis = w[0] if flips[1] else w[1], 1 if x.rank == 2 else -1
        return emit(
            shape,
            lambda: call.b.layer("linear", features=features, bias=False, axis=axis),
            [x],
            weights={"weight": weight},
        )
    fields = {"weight": w, "left": a.constant, "flip_left": flips[0], "flip_right": flips[1]}
    return emit(shape, lambda: call.b.layer("matmul", **fields), [x], weights={"weight": weight})


def _flipped(shape: Dims | None, flip: bool) -> Dims | None:
    if shape is None or not flip or len(shape) < 2:
        return shape
    return (*shape[:-2], shape[-1], shape[-2])


def matmul(call: NodeCall) -> None:
    multiply(call, call.value(0), call.value(1))


def _integer(call: NodeCall) -> None:
    multiply(call, call.value(0), call.value(1), dtype=INT32)


def _integer_to_float(call: NodeCall, bias: int) -> None:
    """Products of integers as real numbers; the input ``bias`` is added to them."""
    _plus(call, call.value(0), call.value(1), call.get(bias), dtype=FLOAT)


def _quantized(call: NodeCall) -> None:
    multiply(call, call.value(0), call.value(3), dtype=call.value(7).dtype)


def _fused(call: NodeCall) -> None:
    flips = (bool(call.int("transA")), bool(call.int("transB")))
    multiply(call, call.value(0), call.value(1), flips=flips)


def real(value: Value) -> Value:
    """The real numbers that a constant of integers stands for in a quantised operator."""
    if value.node is not None or value.dtype in FLOATS:
        return value
    return value.view(value.name, value.shape, FLOAT)


def _quantized_gemm(call: NodeCall) -> None:
    """QGemm: A, B and C, of A and B each with its scale and zero point; then the result's."""
    added, zero = call.get(6), call.get(8)
    values = call.value(0), call.value(3), None if added is None else real(added)
    gemm(call, values, FLOAT if zero is None else zero.dtype)


def gemm(
    call: NodeCall,
    values: tuple[Value, Value, Value | None] | None = None,
    dtype: int | None = None,
) -> None:
    """alpha · A · B + beta · C. values: A, B and C, where they are not the first inputs."""
    a, b, c = values or (call.value(0), call.value(1), call.get(2))
    flips = (bool(call.int("transA")), bool(call.int("transB")))
    for value in (a, b):
        if value.rank not in (None, 2) and not (value.rank and call.opset < 7):
            raise call.error(
                "its factors have two axes each", f"{shown(a.shape)}, {shown(b.shape)}"
            )
    _plus(call, a, b, c, flips=flips, dtype=dtype or a.dtype)


def _plus(
    call: NodeCall,
    a: Value,
    b: Value,
    c: Value | None,
    *,
    flips: tuple[bool, bool] = (False, False),
    dtype: int,
) -> None:
    """A product and what is added; a constant of one value a column is the layer's bias."""
    shape = product_shape(call, _flipped(a.shape, flips[0]), _flipped(b.shape, flips[1]))
    if c is None:
        multiply(call, a, b, flips=flips, dtype=dtype)
        return
    if shape is not None and c.shape is not None:
        common = broadcast_shapes(call, shape, c.shape)
        if known(common) and known(shape) and common != shape:
            raise call.error(
                "what is added does not fit the product", f"{shown(c.shape)} to {shown(shape)}"
            )
    plain = b.constant and not a.constant and not flips[0] and known(shape) and b.rank == 2
    if plain and shape and len(shape) > 1 and c.constant:
        columns, axis = shape[-1], 1 if len(shape) == 2 else -1
        if c.shape in ((columns,), (1, columns)):
            call.emit(
                shape,
                lambda: call.b.layer("linear", features=columns, axis=axis),
                [a],
                weights={"weight": b, "bias": c},
                dtype=dtype,
            )
            return

    def step(*rest: Any, **more: Any) -> Value:
        return call.step("product", *rest, **more)

    product = multiply(call, a, b, flips=flips, out=step)
    product.dtype = dtype
    if product.constant and c.constant:
        call.emit(shape, lambda: call.b.layer("add"), [product, c])
        return
    call.b.combined(call, "add", product, c, shape)


def einsum(call: NodeCall) -> None:
    """Einsum: each letter's size is one of the loops; two factors make a multiply-accumulate."""
    values = [call.value(place) for place in range(len(call.inputs))]
    terms, output = _terms(call, [len(value.sizes) for value in values])
    sizes: dict[str, int] = {}
    for term, value in zip(terms, values, strict=True):
        if len(term) != len(value.sizes):
            raise call.error(
                "its equation does not fit its inputs", f"{term}: {shown(value.shape)}"
            )
        for letter, size in zip(term, value.sizes, strict=True):
            if sizes.get(letter, 1) == 1:
                sizes[letter] = size
            elif size not in (1, sizes[letter]):
                raise call.error(
                    "its sizes do not agree",
                    f"{','.join(terms)}: {letter} is {sizes[letter]} and {size}",
                )
    if any(letter not in sizes for letter in output):
        raise call.error("its output has a letter that its inputs have not", output)
    equation = f"{','.join(terms)}->{output}"
    shape = tuple(sizes[letter] for letter in output)
    data = [value for value in values if not value.constant]
    stored = [value for value in values if value.constant]
    fields: dict[str, Any] = {"equation": equation}
    if stored and data:
        if len(values) != 2:
            raise Unknown
        fields |= {"weight": stored[0].shape, "left": values[0].constant}
    call.emit(
        shape,
        lambda: call.b.layer("einsum", **fields),
        data or values,
        weights={"weight": stored[0]} if stored and data else None,
    )


def _terms(call: NodeCall, ranks: list[int]) -> tuple[list[str], str]:
    """The equation's terms and its output, each axis of an ellipsis with a letter of its own."""
    equation = call.word("equation").replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise call.error("its equation has other inputs", f"{equation}, {len(ranks)} inputs")
    free = [chr(code) for code in range(0xE0, 0x17F) if chr(code).isalpha()]
    widest = 0
    for place, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        if "..." in term:
            more = rank - (len(term) - 3)
            if not 0 <= more < len(free):
                raise call.error("its equation does not fit its inputs", f"{term}: {rank} axes")
            widest = max(widest, more)
            terms[place] = term.replace("...", "".join(free[:more][::-1]))
    spread = "".join(free[:widest][::-1])
    if not arrow:
        letters = "".join(terms)
        counts = Counter(letters)
        single = sorted(x for x, number in counts.items() if number == 1 and x not in spread)
        return terms, spread + "".join(single)
    return terms, output.replace("...", spread)


RULES: dict[str, Callable[[NodeCall], None]] = {
    "MatMul": matmul,
    "Gemm": gemm,
    "MatMulInteger": _integer,
    "QLinearMatMul": _quantized,
    "Einsum": einsum,
    "com.microsoft:FusedMatMul": _fused,
    "com.microsoft:FusedGemm": gemm,
    "com.microsoft:MatMulIntegerToFloat": partial(_integer_to_float, bias=6),
    "com.microsoft:DynamicQuantizeMatMul": partial(_integer_to_float, bias=4),
    "com.microsoft:QGemm": _quantized_gemm,
}
