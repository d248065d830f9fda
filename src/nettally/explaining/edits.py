"""What could have been meant, and how unlikely each is.

An edit costs bits: which kind of edit (accounting 2, field 3, slip 4), where (the logarithm of the
number of places), and to which value (a default, a neighbour's value and a common misreading are
cheap). The costs are a prior, set by hand: they say what people get wrong, not what is true.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Any

from ..errors import LayerError
from ..layers import layer_class
from ..network import NOTHING
from ..record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..counting.accounting import Accounting
    from ..counting.rows import Row
    from ..counting.tally import Tally
    from ..counting.values import Value
    from ..network import Layer, Node, Shape

KIND_BITS = {"accounting": 2.0, "field": 3.0, "slip": 4.0}
EVERYWHERE_BITS = 1.5
"""An edit of all the layers of a kind: one habit, not many."""


class Edit(Record):
    """One thing that someone could have done differently.

    kind: accounting, field or slip. text: what, in words. bits: how surprising it is.
    changes, inputs: the other layers and input sizes of a field edit. factor: the figure is
    multiplied by numerator / denominator. accounting: another convention. quantity: another thing
    counted. without: layers whose share is left out. plus: what is added. value: for a slip, and
    for another reading of a field, the figure that it gives. touches: what it changes, so that two
    edits of one thing are not combined. family: edits of one family are told together.
    """

    kind: str
    text: str
    bits: float
    changes: Mapping[str, Layer] = NOTHING
    inputs: Mapping[str, Shape] | None = None
    factor: tuple[int, int] = (1, 1)
    accounting: Accounting | None = None
    quantity: str = ""
    without: frozenset[str] = frozenset()
    plus: int = 0
    value: Value | None = None
    touches: frozenset[str] = frozenset()
    family: str = ""


INPUT_SIZES = (
    *(224, 227, 256, 299),  # the sizes that people take for granted come first
    *(192, 160, 128, 112, 96, 64, 48, 32, 28, 240, 288, 320, 331),
    *(352, 384, 416, 448, 512, 600, 608, 640),
)
KERNELS = (1, 2, 3, 4, 5, 6, 7, 9, 11)
NO_SCALE = {"weight": False, "bias": False}


def field_edits(tally: Tally, near: frozenset[str], about: str) -> Iterator[Edit]:
    """Edits of the description. near: the layers that can matter; about: the one that is asked."""
    rows = [row for row in tally.rows if row.node.name in near and row.shape is not None]
    windowed = [row for row in rows if "kernel" in row.node.layer.fields()]
    linear = [row for row in rows if row.node.layer.kind == "linear"]
    places = log2(max(1, len(windowed) + len(linear)))
    yield from _input_edits(tally)
    for row in windowed:
        where = 0.0 if row.node.name == about else places
        yield from _window_edits(row, where, _neighbours(windowed, row))
    for row in linear:
        where = 0.0 if row.node.name == about else places
        yield from _linear_edits(row, where, row is linear[-1])
    for row in rows:
        node = row.node
        if len(node.inputs) == 1 and node.layer.kind not in ("opaque", "identity"):
            weighted = node.layer.weighted or node.layer.kind.endswith("pool")
            yield Edit(
                "field",
                f"{node.name} left out",
                KIND_BITS["field"] + log2(len(rows)) + (2 if weighted else 1),
                {node.name: layer_class("identity")()},
                touches=frozenset({node.name}),
            )
    yield from _everywhere(rows)


def _edit(row: Row, text: str, bits: float, **changes: Any) -> Edit | None:
    """One layer with other fields; None where they make no layer."""
    node = row.node
    try:
        layer = node.layer.replace(**changes)
    except LayerError:
        return None
    if layer == node.layer:
        return None
    field = next(iter(changes))
    return Edit(
        "field",
        f"{node.name}: {text}",
        KIND_BITS["field"] + bits,
        {node.name: layer},
        touches=frozenset({f"{node.name}.{field}", node.name}),
        family=f"{node.name}.{field}" + (" uneven" if "total" in text else ""),
    )


def _input_edits(tally: Tally) -> Iterator[Edit]:
    for name, shape in tally.network.inputs.items():
        if len(shape) < 3:
            continue
        channels, sizes = shape[1], shape[2:]
        for size in dict.fromkeys((*INPUT_SIZES, *range(sizes[0] - 8, sizes[0] + 9))):
            if size < 1 or size == sizes[0]:
                continue
            known = size in INPUT_SIZES
            away = abs(size - sizes[0])
            bits = min(
                2.5 if known else 99.0,
                2.0 + log2(1 + away) if away <= 8 else 99.0,
            )
            if known and INPUT_SIZES.index(size) > 3:
                bits += 1.5
            whole = (shape[0], channels, *(size for _ in sizes))
            yield Edit(
                "field",
                f"an input of {'x'.join(str(size) for _ in sizes)}",
                KIND_BITS["field"] + bits,
                inputs={**tally.network.inputs, name: whole},
                touches=frozenset({name}),
                family=f"{name}.size",
            )
        for other, bits in ((1, 2.0), (3, 2.0), (4, 3.0)):
            if other != channels:
                yield Edit(
                    "field",
                    f"an input of {other} channel{'s' if other > 1 else ''}",
                    KIND_BITS["field"] + bits,
                    inputs={**tally.network.inputs, name: (shape[0], other, *sizes)},
                    touches=frozenset({name}),
                    family=f"{name}.channels",
                )


def _window_edits(row: Row, where: float, neighbours: tuple[int, ...]) -> Iterator[Edit]:
    edits = [*_geometry_edits(row, where), *_channel_edits(row, where, neighbours)]
    yield from (edit for edit in edits if edit is not None)


def _geometry_edits(row: Row, where: float) -> Iterator[Edit | None]:
    fields = row.node.layer.fields()
    kernel = fields["kernel"]
    stride = fields["stride"]
    axes = len(kernel)
    if "rounding" in fields:
        words = {"down": "rounding down", "up": "rounding up", "clip": "rounding up, clipped"}
        for rounding in ("up", "down", "clip"):
            if rounding != fields["rounding"]:
                bits = where + (1.5 if rounding != "clip" else 3.5)
                yield _edit(row, words[rounding], bits, rounding=rounding)
    total = sum(fields["padding"][0])
    for amount in range(2 * max(kernel) + 1):
        if amount == total:
            continue
        half, odd = divmod(amount, 2)
        if amount % 2 == 0:
            text = f"padding {half}" if half else "no padding"
            bits = 1.5 + log2(1 + half)
        else:  # cheap for a small total: TensorFlow and hand-made paddings do it
            text = f"a total padding of {amount} ({half} before, {half + odd} after)"
            bits = 1.2 + log2(1 + half)
        if half and 2 * half + 1 == kernel[0]:
            bits -= 0.5  # the padding that keeps the size
        pairs = tuple((half, half + odd) for _ in range(axes))
        yield _edit(row, text, where + bits, padding=pairs)
    yield _padding_behind(row, where)
    for step in range(1, max(stride) + 3):
        if any(step != s for s in stride):
            bits = where + 1.5 + log2(1 + abs(step - stride[0]))
            yield _edit(row, f"stride {step}", bits, stride=(step,) * axes)
    for size in KERNELS:
        if any(size != k for k in kernel):
            bits = where + 2.5 + log2(1 + abs(size - kernel[0]))
            shown = "x".join(str(size) for _ in kernel)
            yield _edit(row, f"a {shown} kernel", bits, kernel=(size,) * axes)
    if "dilation" in fields:
        for spread in (1, 2, 4):
            if any(spread != d for d in fields["dilation"]):
                yield _edit(row, f"dilation {spread}", where + 4, dilation=(spread,) * axes)


def _padding_behind(row: Row, where: float) -> Edit | None:
    """The zeros behind each axis that give the windows that rounding up gives, and no others.

    None where windows fit, and where the same padding is tried as nearly even on both sides.
    """
    layer: Any = row.node.layer
    dropped: tuple[int, ...] = layer.spare(row.inputs[0]) if hasattr(layer, "spare") else (0,)
    if min(dropped) <= 0:
        return None
    fields = layer.fields()
    pairs = tuple(
        (before, after + step - left)
        for (before, after), step, left in zip(
            fields["padding"], fields["stride"], dropped, strict=True
        )
    )
    before, after = pairs[0]
    if len({*pairs}) > 1 or after - before < 2:
        return None
    text = f"a padding of {before} before, {after} after"
    edit = _edit(row, text, where + 2.0, padding=pairs)
    return None if edit is None else edit.replace(family=f"{row.node.name}.rounding")


def _channel_edits(row: Row, where: float, neighbours: tuple[int, ...]) -> Iterator[Edit | None]:
    layer = row.node.layer
    fields = layer.fields()
    filters = fields.get("filters")
    if filters is None:
        return
    groups = fields.get("groups", 1)
    values = {filters * 2: 2.0, filters // 2: 2.0} if filters > 1 else {filters * 2: 2.0}
    values.update(dict.fromkeys(neighbours, 2.5))
    for other in (
        *range(max(1, filters - 2), filters + 3),
        32,
        48,
        64,
        96,
        128,
        192,
        256,
        384,
        512,
    ):
        values.setdefault(other, 5.0)
    for other, bits in values.items():
        yield _edit(row, f"{other} filters", where + bits, filters=other)
    channels = row.inputs[0][1]
    for other, bits in ((1, 1.0), (2, 2.0), (4, 3.5), (channels, 3.5)):
        if other != groups:
            text = "no groups" if other == 1 else f"{other} groups"
            yield _edit(row, text, where + bits, groups=other)
    if "bias" in fields:
        text = "no bias" if fields["bias"] else "a bias"
        yield _edit(row, text, where + 1.5, bias=not fields["bias"])
    if fields.get("bias") and "untied_bias" in fields:
        yield _edit(row, "a bias for each unit", where + 4, untied_bias=True)


def _linear_edits(row: Row, where: float, last: bool) -> Iterator[Edit]:
    features = row.node.layer.fields()["features"]
    values = {features * 2: 3.0, features // 2: 3.0} if features > 1 else {}
    if last:
        values.update({features + 1: 2.5, features - 1: 3.5, 1000: 3.0, 1001: 3.5, 10: 4.0})
        values.update({100: 4.0, 21841: 5.0})
    else:
        values.update({4096: 3.0, 2048: 3.0, 1024: 3.0, 512: 3.5})
    for other, bits in values.items():
        edit = _edit(row, f"{other} outputs", where + bits, features=other) if other else None
        if edit is not None:
            yield edit
    text = "no bias" if row.node.layer.fields()["bias"] else "a bias"
    edit = _edit(row, text, where + 1.5, bias=not row.node.layer.fields()["bias"])
    if edit is not None:
        yield edit


def _neighbours(rows: list[Row], row: Row) -> tuple[int, ...]:
    """The filters of the convolutions just before and after."""
    with_filters = [r for r in rows if "filters" in r.node.layer.fields()]
    if row not in with_filters:
        return ()
    at = with_filters.index(row)
    around = with_filters[max(0, at - 1) : at] + with_filters[at + 1 : at + 2]
    filters = row.node.layer.fields()["filters"]
    values = dict.fromkeys(r.node.layer.fields()["filters"] for r in around)
    return tuple(value for value in values if value != filters)


def _everywhere(rows: list[Row]) -> Iterator[Edit]:
    """One edit at all the layers that match a rule: a framework's habit, or a reading's."""
    convs = [row for row in rows if row.node.layer.kind in ("conv", "local", "conv_map")]
    pools = [
        row
        for row in rows
        if row.node.layer.kind in ("max_pool", "average_pool", "stochastic_pool")
    ]
    norms = [row for row in rows if row.node.layer.kind == "batch_norm"]
    rules: list[tuple[str, float, list[Row], dict[str, Any]]] = [
        ("all convolutions: no groups", 0.5, convs, {"groups": 1}),
        ("all convolutions: rounding up", 2.0, convs, {"rounding": "up"}),
        ("all convolutions: rounding down", 2.0, convs, {"rounding": "down"}),
        ("all poolings: rounding up", 1.5, pools, {"rounding": "up"}),
        ("all poolings: rounding down", 1.5, pools, {"rounding": "down"}),
        ("all convolutions: no bias", 1.5, convs, {"bias": False}),
        ("all convolutions: a bias", 1.5, convs, {"bias": True}),
        ("all convolutions: a bias for each unit", 4.0, convs, {"untied_bias": True}),
        ("all batch normalisations: no weight", 2.0, norms, {"weight": False}),
        ("all batch normalisations: no bias", 3.0, norms, {"bias": False}),
        ("all batch normalisations: neither weight nor bias", 3.0, norms, NO_SCALE),
    ]
    for text, bits, places, fields in rules:
        changes: dict[str, Layer] = {}
        for row in places:
            layer = row.node.layer
            if next(iter(fields)) in layer.fields():
                new = layer.replace(**fields)
                if new != layer:
                    changes[row.node.name] = new
        if len(changes) > 1:  # of one layer, the edit of that layer says the same
            yield _rule(text, bits, changes)
    padded: dict[str, Layer] = {}
    for row in convs + pools:
        if any(sum(pair) for pair in row.node.layer.fields()["padding"]):
            padded[row.node.name] = row.node.layer.replace(padding=0)
    if len(padded) > 1:
        yield _rule("no padding anywhere", 2.5, padded)
    for kinds, text in (
        (("batch_norm",), "all batch normalisations left out"),
        (("lrn", "contrast_norm"), "all response normalisations left out"),
        (("scale",), "all scale layers left out"),
    ):
        gone = {r.node.name: layer_class("identity")() for r in rows if r.node.layer.kind in kinds}
        if gone:
            yield _rule(text, 2.5, gone)
    yield from _moved_strides(rows)


def _rule(text: str, bits: float, changes: dict[str, Layer]) -> Edit:
    where = f" ({len(changes)} layers)" if len(changes) > 1 else f" ({next(iter(changes))})"
    return Edit(
        "field",
        text + where,
        KIND_BITS["field"] + EVERYWHERE_BITS + bits,
        changes,
        touches=frozenset(changes),
        family=text,
    )


def _moved_strides(rows: list[Row]) -> Iterator[Edit]:
    """The stride of a block moved between its 1×1 and the 3×3 beside it, in all such blocks.

    ResNet as published strides in the first 1×1 of a bottleneck; what most frameworks ship
    ("v1.5") strides in its 3×3. The weights are the same.
    """
    by_name = {row.node.name: row.node for row in rows}

    def source(node: Node) -> Node | None:
        """The convolution that feeds this one, through layers that only change values."""
        name = node.inputs[0]
        while name in by_name:
            before = by_name[name]
            if before.layer.kind == "conv":
                return before
            if len(before.inputs) != 1 or before.layer.window(((1, 1, 1, 1),)) != ():
                return None
            name = before.inputs[0]
        return None

    forward: dict[str, Layer] = {}
    backward: dict[str, Layer] = {}
    for row in rows:
        node = row.node
        if node.layer.kind != "conv":
            continue
        before = source(node)
        if before is None:
            continue
        one, three = before.layer.fields(), node.layer.fields()
        if set(one["kernel"]) != {1} or not min(three["kernel"]) > 1:
            continue
        if max(three["stride"]) > 1 and max(one["stride"]) == 1:
            backward[before.name] = before.layer.replace(stride=three["stride"])
            backward[node.name] = node.layer.replace(stride=one["stride"])
        elif max(one["stride"]) > 1 and max(three["stride"]) == 1:
            forward[node.name] = node.layer.replace(stride=one["stride"])
            forward[before.name] = before.layer.replace(stride=three["stride"])
    for changes, text in (
        (backward, "the stride on the 1x1, not on the 3x3"),
        (forward, "the stride on the 3x3, not on the 1x1"),
    ):
        if changes:
            blocks = len(changes) // 2
            yield Edit(
                "field",
                f"{text} ({blocks} block{'s' if blocks > 1 else ''})",
                KIND_BITS["field"] + EVERYWHERE_BITS + 1.0,
                changes,
                touches=frozenset(changes),
                family=text,
            )
