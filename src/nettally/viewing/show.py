"""What a run has learnt, as pictures: its kernels, and its maps of an image.

The paper's figure 3; its figure 4 stands in ``nearest_images``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import NettallyError
from . import mosaic as tiles
from .classify import check_layer, features_of
from .pictures import Item, Photo, Picture, Pixels, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..network import Network, Node
    from ..training.run import Run

WEIGHTED = ("conv", "local", "linear", "conv_sum", "conv_map", "conv_transpose", "rbf")
AFTER = ("relu", "relu6", "clipped_relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu",
         "mish", "tanh", "sigmoid", "softplus", "hard_swish", "batch_norm", "scale")  # fmt: skip
"""Kinds that belong to the layer before them: its activation, its normalisation."""
ALONG = (*AFTER, "lrn", "contrast_norm", "max_pool", "average_pool", "dropout", "identity")
"""Kinds that keep the channels where they are."""

MARGIN, GAP = 16, 2
TITLE = 15.0
TEXT = 13.0
WHITE = (255, 255, 255)
"""What stands between tiles, where nothing is said; it should be the paper's colour."""


def frame(title: str, desc: str, width: float, height: float, items: list[Item]) -> Picture:
    """A picture of a whole number of pixels."""
    return Picture(title, desc, round(width), round(height), tuple(items))


# --- the layers that are meant --------------------------------------------------------------------


def first_layers(network: Network) -> list[Node]:
    """The convolutions that read the image, in order: one, or one a column."""
    seen: dict[str, bool] = dict.fromkeys(network.inputs, True)
    layers: list[Node] = []
    for node in network.nodes:
        reads = any(seen.get(name, False) for name in node.inputs)
        if reads and node.layer.kind in WEIGHTED:
            layers.append(node)
        seen[node.name] = reads and node.layer.kind not in WEIGHTED
    return layers


def columns_of(network: Network, node: Node) -> int:
    """The number of columns of a layer's filters, detected from the groups of the next layer."""
    near, groups = {node.name}, 1
    for other in network.nodes:
        if not near.intersection(other.inputs):
            continue
        fields = other.layer.fields()
        groups = max(groups, int(fields.get("groups", 1) or 1))
        if other.layer.kind in ALONG:
            near.add(other.name)
    filters = int(node.layer.fields().get("filters", 0))
    return groups if groups <= 4 and filters % groups == 0 else 1


def last_hidden(network: Network) -> str:
    """The value of the last layer with weights but one, after its activation.

    fc7's where there is a layer of that name: the paper's "last, 4096-dimensional hidden layer".
    """
    weighted = [node.name for node in network.nodes if node.layer.kind in WEIGHTED]
    if "fc7" in weighted:
        start = "fc7"
    elif len(weighted) > 1:
        start = weighted[-2]
    else:
        raise NettallyError(
            f"{network.name} has no hidden layer",
            values=f"layers with weights: {', '.join(weighted) or 'none'}",
            hint="--layer NAME names one",
        )
    value = start
    for node in network.nodes:
        if node.inputs == (value,) and node.layer.kind in AFTER:
            value = node.name
    return value


# --- figure 3: kernels ----------------------------------------------------------------------------


def filters(
    run: Run,
    *,
    layer: str | None = None,
    scaling: str = "joint",
    which: str = "best",
    paper: Sequence[int] = WHITE,
) -> Picture:
    """A layer's kernels, the columns one above the other (the paper's figure 3).

    layer: usually the first. scaling: see ``mosaic.SCALINGS``. Kernels of 3 channels are shown in
    colour, of 1 in grey; of others each channel is a tile, and each filter a row.

    Raises NettallyError where the layer has no kernels of two axes.
    """
    nodes = [run.network[layer]] if layer else first_layers(run.network)
    nodes = nodes[:1] if len({_sizes(node) for node in nodes}) > 1 else nodes
    if not nodes:
        raise NettallyError(
            f"{run.network.name} has no layer whose kernels see the image",
            where=run.path,
            hint="--layer NAME names a convolution",
        )
    module = run.module(which)
    blocks: list[Tensor] = []
    for node in nodes:
        kernels = _kernels(run, node, module.module_of(node.name))
        parts = columns_of(run.network, node) if len(nodes) == 1 else 1
        blocks += kernels.chunk(parts)
    names = ", ".join(node.name for node in nodes)
    count, depth, high, wide = sum(map(len, blocks)), *blocks[0].shape[1:]
    scale = "one scale for all" if scaling == "joint" else "a scale for each"
    title = f"{run.network.name}, {names}: {count} kernels, {wide}x{high}x{depth}, {scale}"
    flat = tiles.scaled(torch.cat(blocks), scaling)
    if depth in (1, 3):
        return _kernel_blocks(title, flat.split([len(b) for b in blocks]), paper)
    return _channel_rows(title, flat, paper)


def _sizes(node: Node) -> Any:
    return node.layer.kind, node.layer.fields().get("kernel")


def _kernels(run: Run, node: Node, module: Any) -> Tensor:
    """(filters, channels, height, width) of a convolution, or of a linear layer on an image."""
    weight = getattr(module, "weight", None)
    kind = node.layer.kind
    if kind == "conv" and weight is not None and weight.dim() == 4:
        return weight
    if kind == "linear" and len(node.inputs) == 1 and weight is not None:
        shape = run.network.inputs.get(node.inputs[0], ())
        if len(shape) == 4 and weight.shape[1] == shape[1] * shape[2] * shape[3]:
            return weight.reshape(-1, *map(int, shape[1:]))
    raise NettallyError(
        f"{node.name} has no kernels that can be shown",
        where=run.path,
        values=f"it is a layer of the kind {kind}",
        hint="--layer NAME names a convolution over two axes",
    )


def _kernel_blocks(title: str, blocks: Sequence[Tensor], paper: Sequence[int]) -> Picture:
    """Blocks of tiles, one above the other, with a gap between."""
    each = tiles.across(sum(map(len, blocks)) if len(blocks) > 1 else len(blocks[0]))
    times = tiles.times_for(int(blocks[0].shape[3]), 44)
    items: list[Item] = []
    y, wide = MARGIN + 26.0, 0.0
    for place, block in enumerate(blocks):
        if len(blocks) > 1:
            items.append(Words(MARGIN, y + 12, f"column {place + 1}", TEXT, "muted"))
            y += 20
        drawn = tiles.mosaic(tiles.colour(block), each, times, GAP, paper)
        items.append(Photo(MARGIN, y, drawn.columns, drawn.rows, drawn, f"{len(block)} kernels"))
        y += drawn.rows + 18
        wide = max(wide, drawn.columns)
    wide = max(wide, 420)
    items.append(Words(MARGIN, MARGIN + 12, title, TITLE, most=wide))
    return frame(title, title, wide + 2 * MARGIN, y - 18 + MARGIN, items)


MOST_ROWS, MOST_CHANNELS = 24, 32


def _channel_rows(title: str, flat: Tensor, paper: Sequence[int]) -> Picture:
    """A row a filter, a tile a channel, as many as can be looked at."""
    count, depth, _, size = flat.shape
    shown = flat[:MOST_ROWS, :MOST_CHANNELS]
    rows, across = shown.shape[:2]
    times = tiles.times_for(size, 22)
    every = shown.flatten(0, 1).unsqueeze(1)
    drawn = tiles.mosaic(tiles.colour(every), across, times, GAP, paper)
    caption = "a row is a filter, a tile one channel of its kernel"
    if rows < count or across < depth:
        caption += f"; the first {rows} of {count} filters, {across} of {depth} channels"
    wide = max(drawn.columns, 560)
    items: list[Item] = [
        Words(MARGIN, MARGIN + 12, title, TITLE, most=wide),
        Words(MARGIN, MARGIN + 32, caption, TEXT, "muted", most=wide),
        Photo(MARGIN, MARGIN + 46, drawn.columns, drawn.rows, drawn),
    ]
    return frame(title, caption, wide + 2 * MARGIN, drawn.rows + 46 + 2 * MARGIN, items)


# --- maps -----------------------------------------------------------------------------------------

MOST_MAPS = 256


def activations(
    run: Run,
    image: Tensor,
    *,
    name: str = "",
    layer: str | None = None,
    scaling: str = "joint",
    which: str = "best",
    paper: Sequence[int] = WHITE,
) -> Picture:
    """What a layer makes of an image: each map a tile, the least value black, the greatest white.

    image: uint8 (height, width, channels) of the data's size. layer: usually the first with
    weights, after its activation. Values without axes of space are pixels of one tile.
    """
    if layer is None:
        layers = first_layers(run.network)
        layer = _after(run.network, layers[0].name) if layers else run.network.nodes[0].name
    check_layer(run, layer)
    with torch.no_grad():
        value = features_of(run, run.module(which), layer, image.unsqueeze(0))[0]
    if value.dim() == 3:
        maps = value.unsqueeze(1)
    elif value.dim() == 1:
        maps = _folded(value)
    else:
        raise NettallyError(
            f"{layer} gives values that are no maps of two axes",
            where=run.path,
            values="x".join(map(str, value.shape)),
        )
    count = len(maps)
    maps = maps[:MOST_MAPS]
    span = f"{float(value.min()):.3g} to {float(value.max()):.3g}"
    size = "x".join(map(str, value.shape))
    title = f"{run.network.name}, {layer}: {size}, {span}"
    caption = f"{_scaling_words(scaling)}, black the least value, white the greatest"
    if count > len(maps):
        caption += f"; the first {len(maps)} of {count} maps"
    wide = int(maps.shape[3])
    whole = len(maps) == 1
    times = tiles.times_for(wide, 256 if whole else max(44, min(wide, 64)))
    each = tiles.across(len(maps), max(1, min(16, 960 // (wide * times))))
    drawn = tiles.mosaic(tiles.colour(tiles.scaled(maps, scaling)), each, times, GAP, paper)
    shown = photo(image, 128)
    left = MARGIN + 128 + MARGIN
    high = max(128.0 + 20, drawn.rows)
    width = max(left + drawn.columns + MARGIN, 560)
    items: list[Item] = [
        Words(MARGIN, MARGIN + 12, title, TITLE, most=width - 2 * MARGIN),
        Words(MARGIN, MARGIN + 32, caption, TEXT, "muted", most=width - 2 * MARGIN),
        Photo(MARGIN, MARGIN + 46, 128, 128, shown, sharp=image.shape[0] < 64),
        Words(MARGIN, MARGIN + 46 + 128 + 16, name, TEXT, "muted", most=128),
        Photo(left, MARGIN + 46, drawn.columns, drawn.rows, drawn),
    ]
    return frame(title, caption, width, MARGIN + 46 + high + MARGIN, items)


def _scaling_words(scaling: str) -> str:
    return "one scale for all maps" if scaling == "joint" else "a scale for each map"


def _after(network: Network, name: str) -> str:
    for node in network.nodes:
        if node.inputs == (name,) and node.layer.kind in AFTER:
            name = node.name
    return name


def _folded(values: Tensor) -> Tensor:
    """A vector as one tile, row by row, of which the last is filled with the least value."""
    side = 1
    while side * side < len(values):
        side += 1
    rows = -(-len(values) // side)
    whole = values.new_full((rows * side,), float(values.min()))
    whole[: len(values)] = values
    return whole.reshape(1, 1, rows, side)


def photo(image: Tensor, size: int) -> Pixels:
    """An image as it is shown: small ones with their pixels repeated."""
    times = max(1, size // int(image.shape[0]))
    if times > 1:
        image = image.repeat_interleave(times, 0).repeat_interleave(times, 1)
    return tiles.pixels(image)
