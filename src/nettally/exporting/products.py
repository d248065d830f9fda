"""Products of computed tensors, attention, and LeNet's codes, as ONNX has them."""

from __future__ import annotations

from .graph import At, writes


@writes("matmul")
def _matmul(at: At) -> str:
    layer = at.layer
    shapes = [tuple(map(int, x)) for x in at.xs]
    factors = list(at.inputs)
    if layer.weight is not None:
        place = 0 if layer.left else 1
        factors.insert(place, at.weight("weight"))
        shapes.insert(place, tuple(map(int, layer.weight)))
    flips = (layer.flip_left, layer.flip_right)
    for place, (flip, shape) in enumerate(zip(flips, shapes, strict=True)):
        if flip and len(shape) > 1:
            order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
            factors[place] = at.step(f"flipped{place}", "Transpose", factors[place], perm=order)
    return at.put("MatMul", *factors)


@writes("einsum")
def _einsum(at: At) -> str:
    layer = at.layer
    if not layer.equation.isascii():
        at.refuse("its equation has letters that ONNX has not")
    factors = list(at.inputs)
    if layer.weight is not None:
        factors.insert(0 if layer.left else len(factors), at.weight("weight"))
    return at.put("Einsum", *factors, equation=layer.equation)


@writes("attention")
def _attention(at: At) -> str:
    layer = at.layer
    keys = layer.key_heads or layer.heads
    if keys != layer.heads or layer.sinks:
        at.refuse("heads that share keys, and scores without a value, are not exported")
    queries = at.xs[0]
    whole = len(queries) == 3

    def apart(place: int, order: list[int], suffix: str) -> str:
        x, shape = at.inputs[place], at.xs[place]
        if len(shape) == 3:
            heads = at.reshaped(f"{suffix}.heads", x, [0, 0, layer.heads, -1])
            return at.step(suffix, "Transpose", heads, perm=order)
        # heads stand second already: (batch, head, place, feature)
        if order == [0, 2, 1, 3]:
            return x
        return at.step(suffix, "Transpose", x, perm=[0, 1, 3, 2])

    q = apart(0, [0, 2, 1, 3], "queries")
    k = apart(1, [0, 2, 3, 1], "keys")
    v = apart(2, [0, 2, 1, 3], "values")
    features = int(queries[-1]) // layer.heads if whole else int(queries[-1])
    scores = at.step("products", "MatMul", q, k)
    scores = at.step("scores", "Mul", scores, at.scalar("scale", features**-0.5))
    if len(at.inputs) > 3:
        scores = at.step("masked", "Add", scores, at.inputs[3])
    chances = at.step("chances", "Softmax", scores, axis=-1)
    if not whole:
        return at.put("MatMul", chances, v)
    joined = at.step(
        "heads", "Transpose", at.step("taken", "MatMul", chances, v), perm=[0, 2, 1, 3]
    )
    return at.put("Reshape", joined, at.ints("size", [0, 0, -1]))


@writes("cache")
def _cache(at: At) -> str:
    past = int(at.y[-2]) - int(at.x[-2])
    if not past:
        return at.put("Identity", at.inputs[0])
    before = [0] * len(at.x)
    before[-2] = past
    pads = at.ints("pads", [*before, *[0] * len(at.x)])
    return at.put("Pad", at.inputs[0], pads, at.scalar("value", 0.0), mode="constant")


@writes("position_embedding")
def _position_embedding(at: At) -> str:
    first = at.layer.before
    ends = at.ints("first", [first]), at.ints("last", [first + int(at.x[1])])
    rows = at.step("rows", "Slice", at.weight("weight"), *ends, at.ints("axes", [0]))
    return at.put("Add", at.inputs[0], rows)


@writes("rbf")
def _rbf(at: At) -> str:
    """Σ (x - code)², for each code."""
    x = at.inputs[0]
    if len(at.x) > 2:
        x = at.step("flat", "Flatten", x, axis=1)
    x = at.step("row", "Unsqueeze", x, at.ints("axes", [1]))
    less = at.step("less", "Sub", x, at.fixed("codes", at.values("codes")))
    return at.put("Einsum", less, less, equation="nij,nij->ni")
