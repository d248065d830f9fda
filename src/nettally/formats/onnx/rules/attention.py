"""Attention, as the operators' version 23 has it, and as com.microsoft's operators do.

The rules find query, key and value, and what came before them (the past); ``_attend`` joins the two
and emits the attention and the outputs that hold all keys and values (the present).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..values import Unknown, Value, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ....network import Shape
    from ..builder import NodeCall


class _Past(NamedTuple):
    """Keys and values of what came before, (batch, heads, places, channels), and how they are kept.

    buffer: they stand in a buffer for all places, of which ``used`` hold something, with the new
    ones (None: it is not known how many); otherwise they end where the new ones begin.
    """

    key: Value | None = None
    value: Value | None = None
    buffer: bool = False
    used: int | None = None


def attention(call: NodeCall) -> None:
    """Attention: query, key, value, a mask, and the key and value of what came before."""
    q, k, v = (call.value(place) for place in range(3))
    ranks = {len(value.sizes) for value in (q, k, v)}
    if ranks not in ({3}, {4}):
        shapes = ", ".join(shown(value.shape) for value in (q, k, v))
        raise call.error("its inputs need 3 or 4 axes, all as many", shapes)
    heads = call.int("q_num_heads") or (q.sizes[1] if len(q.sizes) == 4 else 0)
    keys = call.int("kv_num_heads") or (k.sizes[1] if len(k.sizes) == 4 else heads)
    mask = call.get(3)
    masks = [mask] if mask is not None and not mask.constant else []
    _attend(call, (q, k, v), heads, keys, _Past(call.get(4), call.get(5)), masks)


def grouped_attention(call: NodeCall) -> None:
    """com.microsoft's GroupQueryAttention: query, key, value, or the query holds all three.

    The past stands in a buffer where it has more places than are used; the seventh input says how
    many are. A sink for each head, and scales of norms, are learned.
    """
    if call.int("kv_cache_bit_width") == 4:
        raise Unknown  # two values of the past in a byte
    heads, keys = call.int("num_heads"), call.int("kv_num_heads")
    q, k, v = call.value(0), call.get(1), call.get(2)
    if k is None or v is None:
        size = q.sizes[-1] // max(heads + 2 * keys, 1)
        q, k, v = _parts(call, q, (heads * size, keys * size, keys * size))
    past, used = call.get(3), call.integer(6)
    if past is not None and used is not None:
        kept = _Past(past, call.get(4), used <= past.sizes[2], used)
    else:
        kept = _Past(past, call.get(4))
    if call.int("do_rotary"):
        q, k = (_turned(call, name, value) for name, value in (("query", q), ("key", k)))
    beside = [value for place in (11, 14, 15) if (value := call.weight(place)) is not None]
    _attend(call, (q, k, v), heads, keys, kept, beside)


def multi_head_attention(call: NodeCall) -> None:
    """com.microsoft's MultiHeadAttention: query, key, value, or one holds several; a bias; a past.

    A key and a value with four axes are those of another sequence, ready for the product.
    """
    heads = call.int("num_heads")
    bias = call.weight(3)
    past = _Past(call.get(6), call.get(7), call.get(8) is not None, _used(call, 8))
    _attend(call, _biased(call, _unpacked(call), bias), heads, heads, past)


def decoder_attention(call: NodeCall) -> None:
    """com.microsoft's DecoderMaskedMultiHeadAttention: one new place, and the past in a buffer."""
    heads, buffer = call.int("num_heads"), bool(call.int("past_present_share_buffer"))
    past = _Past(call.get(5), call.get(6), buffer, _used(call, 7))
    q, k, v = _unpacked(call)
    if len(k.sizes) == 4:  # of another sequence: the past is not joined to it
        past = _Past()
    _attend(call, _biased(call, (q, k, v), call.weight(10)), heads, heads, past)


def projected_attention(call: NodeCall, past_place: int) -> None:
    """com.microsoft's Attention: one product for query, key and value, then the attention.

    past_place: which input holds the past, keys and values as one tensor.
    """
    x, b = call.value(0), call.b
    weight, bias = call.weight(1), call.weight(2)
    if weight is None:
        raise Unknown
    w, heads = weight.sizes, call.int("num_heads")
    widths = call.ints("qkv_hidden_sizes") or [w[-1] // 3] * 3
    if len(x.sizes) != 3 or len(w) != 2 or w[0] != x.sizes[2] or w[1] != sum(widths) or heads < 1:
        raise call.error("its weights do not fit", f"{shown(w)}, input {shown(x.shape)}")
    layer = b.layer("linear", features=w[1], bias=bias is not None, axis=-1)
    whole = (*x.sizes[:2], w[1])
    weights = {"weight": weight, "bias": bias}
    projected = b.step(call, "projection", whole, lambda: layer, [x], weights)
    projected.dtype = x.dtype if bias is None else bias.dtype  # QAttention's input is of integers
    parts = _parts(call, projected, widths)
    both, past = call.get(past_place), _Past()
    if both is not None:
        if len(both.sizes) != 5 or both.sizes[0] != 2:
            raise call.error("its past needs 5 axes, the first of 2", shown(both.shape))
        key, value = (_arranged(call, f"past_{s}", both.sizes[1:], both) for s in ("key", "value"))
        buffer = bool(call.int("past_present_share_buffer"))
        past = _Past(key, value, buffer, _used(call, past_place + 2))
    _attend(call, parts, heads, heads, past, joined=True)


# --- what they are made of ------------------------------------------------------------------------


def _attend(
    call: NodeCall,
    parts: Sequence[Value],
    heads: int,
    key_heads: int,
    past: _Past = _Past(),  # noqa: B008 - it cannot be changed
    beside: Sequence[Value] = (),
    *,
    joined: bool = False,
) -> None:
    """Emit the attention of query, key and value with the past, and its other outputs.

    beside: what else it reads, as a mask. joined: keys and values are the two halves of one output.
    """
    q, k, v = parts
    if heads < 1 or key_heads < 1:
        raise call.error("its number of heads is missing", f"query {shown(q.shape)}")
    wanted = [place for place, name in enumerate(call.node.outputs) if name and place]
    used: list[Value] = []
    kept: list[Value] = []
    for suffix, value, before in (("key", k, past.key), ("value", v, past.value)):
        present = value
        if (before is not None or wanted) and len(value.sizes) == 3:
            present = _apart(call, suffix, value, key_heads)
        seen = present
        if before is not None:
            present, seen = _together(call, suffix, before, present, past)
        kept.append(present)
        used.append(seen)
    k, v = used
    width = v.sizes[3] if len(v.sizes) == 4 else v.sizes[2] // key_heads
    out = (*q.sizes[:3], width) if len(q.sizes) == 4 else (*q.sizes[:2], heads * width)
    fields = {"heads": heads} if heads == key_heads else {"heads": heads, "key_heads": key_heads}
    b = call.b
    call.emit(out, lambda: b.layer("attention", **fields), [q, k, v, *beside])
    for place in wanted:
        if joined:
            size = (2, *kept[0].sizes)
            both = {"type": "present", "size": size, "of": tuple(each.sizes for each in kept)}
            call.emit(size, partial(b.layer, "arrange", **both), kept, place=place)
        elif place in (1, 2):
            present = kept[place - 1]
            call.emit(present.shape, lambda: b.layer("identity"), [present], place=place)
        else:  # the products of queries and keys, which the attention has counted
            size = (q.sizes[0], heads, q.sizes[-2], k.sizes[2])
            scores = {"type": "scores", "size": size, "of": (q.sizes, k.sizes)}
            call.emit(size, partial(b.layer, "arrange", **scores), [q, k], place=place)


def _together(
    call: NodeCall, suffix: str, before: Value, new: Value, past: _Past
) -> tuple[Value, Value]:
    """All keys, or values: as they are handed on, and those of them that the product reads."""
    old, sizes = before.sizes, new.sizes
    if len(old) != 4 or (*old[:2], old[3]) != (*sizes[:2], sizes[3]):
        raise call.error(f"its past {suffix} does not fit", f"{shown(old)} before {shown(sizes)}")
    if past.buffer:
        whole = _arranged(call, f"all_{suffix}s", old, before, new)
        if past.used is None:
            call.b.note(
                f"{call.node.op} with a buffer for {old[2]:,} places: all of them are counted as "
                "used, since the file does not say how many are; --value NAME=NUMBER does"
            )
        if past.used in (None, old[2]):
            return whole, whole
        if past.used > old[2]:
            raise call.error(f"its past {suffix} has too few places", f"{past.used}, {shown(old)}")
        return whole, _arranged(call, f"used_{suffix}s", (*old[:2], past.used, old[3]), whole)
    size = (*sizes[:2], old[2] + sizes[2], sizes[3])
    if not old[2]:  # nothing came before
        return new, new
    whole = call.step(f"all_{suffix}s", size, lambda: call.b.layer("concat", axis=2), [before, new])
    return whole, whole


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


def _unpacked(call: NodeCall) -> tuple[Value, Value, Value]:
    """Query, key and value of an operator that may be given several of them as one tensor.

    The query with all three is (batch, places, heads, 3, channels), the key with the value
    (batch, places, heads, 2, channels).
    """
    q, k, v = call.value(0), call.get(1), call.get(2)
    first = q if k is None else k
    if k is None or v is None:
        number = 3 if k is None else 2
        sizes = first.sizes
        if len(sizes) != 5 or sizes[3] != number:
            raise Unknown
        size = (*sizes[:2], sizes[2] * sizes[4])
        names = ("query", "key", "value")[-number:]
        parts = [_arranged(call, name, size, first) for name in names]
        q, k, v = parts if number == 3 else (q, *parts)
    if len(q.sizes) != 3 or len(k.sizes) not in (3, 4) or len(k.sizes) != len(v.sizes):
        shapes = ", ".join(shown(value.shape) for value in (q, k, v))
        raise call.error("its query needs 3 axes, its key and value 3 or 4", shapes)
    return q, k, v


def _biased(call: NodeCall, parts: Sequence[Value], bias: Value | None) -> Sequence[Value]:
    """Query, key and value with their parts of one bias added."""
    if bias is None:
        return parts
    total = sum(value.sizes[-1] for value in parts)
    if any(len(value.sizes) != 3 for value in parts):
        raise Unknown
    if bias.sizes != (total,):
        raise call.error("its bias does not fit", f"{shown(bias.shape)}, {total} channels")
    return [
        call.step(
            f"{suffix}.bias",
            value.shape,
            lambda value=value: call.b.layer("combine", operation="add", size=value.sizes[2:]),
            [value],
        )
        for suffix, value in zip(("query", "key", "value"), parts, strict=True)
    ]


def _parts(call: NodeCall, x: Value, widths: Sequence[int]) -> list[Value]:
    """Query, key and value, which stand beside each other along the last of three axes."""
    sizes = x.sizes
    if len(sizes) != 3 or sizes[2] != sum(widths) or min(widths) < 1:
        raise call.error("its heads do not divide its channels", shown(sizes))
    ends = [sum(widths[: place + 1]) for place in range(3)]
    return [
        call.step(
            name,
            (*sizes[:2], width),
            partial(call.b.layer, "slice", axis=2, start=end - width, stop=end),
            [x],
        )
        for name, width, end in zip(("query", "key", "value"), widths, ends, strict=True)
    ]


def _turned(call: NodeCall, name: str, x: Value) -> Value:
    """A query or key, its pairs of channels turned by their place; the tables are no parameters."""
    rotary = call.b.layer("procedure", type="RotaryEmbedding", size=x.sizes)
    return call.step(f"{name}.rotary", x.shape, lambda: rotary, [x])


def _arranged(call: NodeCall, name: str, size: Shape, *data: Value) -> Value:
    """A tensor of values that stand elsewhere."""
    fields = {"type": name, "size": size, "of": tuple(value.sizes for value in data)}
    return call.step(name, size, partial(call.b.layer, "arrange", **fields), data)


def _used(call: NodeCall, place: int) -> int | None:
    """How many places of a buffer are used: those before, which an input may say, and a new one."""
    before = call.integer(place)
    return None if before is None else before + call.value(0).sizes[1]


RULES: dict[str, Callable[[NodeCall], None]] = {
    "Attention": attention,
    "com.microsoft:Attention": partial(projected_attention, past_place=4),
    "com.microsoft:DecoderMaskedSelfAttention": partial(projected_attention, past_place=4),
    "com.microsoft:QAttention": partial(projected_attention, past_place=8),
    "com.microsoft:MultiHeadAttention": multi_head_attention,
    "com.microsoft:DecoderMaskedMultiHeadAttention": decoder_attention,
    "com.microsoft:GroupQueryAttention": grouped_attention,
}
