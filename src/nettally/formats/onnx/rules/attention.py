"""Attention, as the operators' version 23 has it, and as com.microsoft's operators do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..values import Unknown, Value, known, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import NodeCall
    from ..proto import Dims


def attention(call: NodeCall) -> None:
    """Attention: query, key, value, a mask, and the key and value of what came before."""
    q, k, v = (call.value(place) for place in range(3))
    if not all(known(value.shape) for value in (q, k, v)):
        raise Unknown
    ranks = {value.rank for value in (q, k, v)}
    if ranks not in ({3}, {4}):
        shapes = ", ".join(shown(value.shape) for value in (q, k, v))
        raise call.error("its inputs need 3 or 4 axes, all as many", shapes)
    heads = call.int("q_num_heads") or (q.sizes[1] if len(q.sizes) == 4 else 0)
    keys = call.int("kv_num_heads") or (k.sizes[1] if len(k.sizes) == 4 else heads)
    if heads < 1 or keys < 1:
        raise call.error("its number of heads is missing", f"query {shown(q.shape)}")
    b = call.b
    wanted = [place for place, name in enumerate(call.node.outputs) if name and place]
    keys_and_values: list[Value] = []
    for suffix, value, past in (("key", k, call.get(4)), ("value", v, call.get(5))):
        if (past is not None or wanted) and len(value.sizes) == 3:
            value = _apart(call, suffix, value, keys)
        if past is not None:
            if len(past.sizes) != 4:
                raise call.error(f"its past {suffix} needs 4 axes", shown(past.shape))
            size = (*value.sizes[:2], value.sizes[2] + past.sizes[2], value.sizes[3])
            value = call.step(
                f"all_{suffix}s", size, lambda: b.layer("concat", axis=2), [past, value]
            )
        keys_and_values.append(value)
    k, v = keys_and_values
    out = (
        (*q.sizes[:3], v.sizes[3])
        if len(q.sizes) == 4
        else (*q.sizes[:2], heads * (v.sizes[3] if len(v.sizes) == 4 else v.sizes[2] // keys))
    )
    mask = call.get(3)
    data = [q, k, v, *([mask] if mask is not None and not mask.constant else [])]
    emit_attention(call, out, heads, keys, data)
    for place in wanted:
        if place in (1, 2):
            value = keys_and_values[place - 1]
            call.emit(value.shape, lambda: b.layer("identity"), [value], place=place)
        else:  # the products of queries and keys, which the attention has counted
            size = (q.sizes[0], heads, q.sizes[-2], k.sizes[2])
            scores = {"type": "scores", "size": size, "of": (q.sizes, k.sizes)}
            call.emit(size, partial(b.layer, "arrange", **scores), [q, k], place=place)


def _apart(call: NodeCall, suffix: str, value: Value, heads: int) -> Value:
    """(batch, places, channels) with an axis of heads: (batch, heads, places, channels)."""
    batch, places, channels = value.sizes
    if channels % heads:
        raise call.error("its heads do not divide its channels", f"{channels}, {heads} heads")
    b = call.b
    split = (batch, places, heads, channels // heads)
    reshaped = call.step(
        f"{suffix}.split", split, lambda: b.layer("reshape", size=split[1:]), [value]
    )
    turned = (batch, heads, places, channels // heads)
    return call.step(
        f"{suffix}.heads", turned, lambda: b.layer("permute", order=(0, 2, 1, 3)), [reshaped]
    )


def multi_head_attention(call: NodeCall) -> None:
    """com.microsoft's MultiHeadAttention and GroupQueryAttention, with separate inputs."""
    q = call.value(0)
    k, v = call.get(1), call.get(2)
    if k is None or v is None or q.rank != 3 or k.rank != 3 or v.rank != 3:
        raise Unknown
    grouped = call.node.op == "GroupQueryAttention"
    past = (3, 4) if grouped else (6, 7)
    if any(call.get(place) is not None for place in past):
        raise Unknown
    heads = call.int("num_heads")
    keys = call.int("kv_num_heads", heads)
    if heads < 1 or keys < 1:
        raise call.error("its number of heads is missing")
    bias = None if grouped else call.weight(3)
    data = [q, k, v]
    if bias is not None:
        total = q.sizes[2] + k.sizes[2] + v.sizes[2]
        if bias.sizes != (total,):
            raise call.error("its bias does not fit", f"{shown(bias.shape)}, {total} channels")
        data = [
            call.step(
                f"{suffix}.bias",
                value.shape,
                lambda value=value: call.b.layer("combine", operation="add", size=value.sizes[2:]),
                [value],
            )
            for suffix, value in zip(("query", "key", "value"), data, strict=True)
        ]
    out = (*q.sizes[:2], heads * (v.sizes[2] // keys))
    emit_attention(call, out, heads, keys, data)


def packed_attention(call: NodeCall) -> None:
    """com.microsoft's Attention: one product for query, key and value, then the attention."""
    x = call.value(0)
    weight, bias = call.weight(1), call.weight(2)
    if weight is None or call.get(4) is not None or call.ints("qkv_hidden_sizes"):
        raise Unknown
    w, heads = weight.sizes, call.int("num_heads")
    if len(x.sizes) != 3 or len(w) != 2 or w[0] != x.sizes[2] or w[1] % 3 or heads < 1:
        raise call.error("its weights do not fit", f"{shown(w)}, input {shown(x.shape)}")
    b = call.b
    layer = b.layer("linear", features=w[1], bias=bias is not None, axis=-1)
    whole = (*x.sizes[:2], w[1])
    weights = {"weight": weight, "bias": bias}
    projected = b.step(call, "projection", whole, lambda: layer, [x], weights)
    wide = w[1] // 3
    parts = [
        call.step(
            suffix,
            (*x.sizes[:2], wide),
            lambda place=place: b.layer(
                "slice", axis=2, start=place * wide, stop=(place + 1) * wide
            ),
            [projected],
        )
        for place, suffix in enumerate(("query", "key", "value"))
    ]
    emit_attention(call, (*x.sizes[:2], wide), heads, heads, parts)


def emit_attention(call: NodeCall, out: Dims, heads: int, keys: int, data: list[Value]) -> None:
    fields = {"heads": heads} if heads == keys else {"heads": heads, "key_heads": keys}
    call.emit(out, lambda: call.b.layer("attention", **fields), data)


RULES: dict[str, Callable[[NodeCall], None]] = {
    "Attention": attention,
    "com.microsoft:Attention": packed_attention,
    "com.microsoft:MultiHeadAttention": multi_head_attention,
    "com.microsoft:GroupQueryAttention": multi_head_attention,
}
