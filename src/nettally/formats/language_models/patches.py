"""How images and sounds become sequences of vectors: patches, windows of a wave."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...record import Record
from ..graph_builder import by_axis
from .parts import joined
from .tower import MAX_LAYERS

if TYPE_CHECKING:
    from ...network import Shape
    from .config import Config
    from .parts import Norm, Stack


def pair(c: Config, name: str, default: int | None = None) -> tuple[int, int]:
    """Height and width: a field of one number, or of two."""
    value = c.get(name, default)
    if isinstance(value, list) and len(value) == 2:
        high, wide = value
        if all(type(each) is int and 0 < each < 2**20 for each in value):
            return high, wide
    side = c.whole(name, default)
    return side, side


class Patches(Record):
    """An image cut into squares, each of which becomes a vector; with tokens of its own before.

    Dosovitskiy et al. 2021. tokens: the names of those, each a learned vector. positions: of the
    learned places; table: it has a row each, else one tensor has all. project_bias: the squares'
    convolution has one. padded: squares that stand over the image's edge are filled up.
    """

    words: str = ""
    projection: str = "embeddings.patch_embeddings.projection"
    tokens: tuple[str, ...] = ("embeddings.cls_token",)
    positions: str = "embeddings.position_embeddings"
    table: bool = False
    flat_tokens: bool = False
    project_bias: bool = True
    norm: str = ""
    width: str = "hidden_size"
    input: ClassVar[str] = "pixel_values"
    note: ClassVar[str] = ""

    def default(self, c: Config) -> Shape:
        return (1, c.whole("num_channels", 3), *pair(c, "image_size"))

    def build(self, b: Stack, root: str, x: str, norm: Norm) -> str:
        c = b.config
        shape, sides = b.shape(x), pair(c, "image_size")
        if shape[1] != c.whole("num_channels", 3) or (self.positions and shape[2:] != sides):
            raise c.error(
                "the image is not of the size that its positions are for",
                values=f"{by_axis(shape)}; image_size {by_axis(sides)}",
                hint=f"--input {by_axis(self.default(c))}",
            )
        width, patch = c.whole(self.width), pair(c, "patch_size")
        name = joined(root, self.projection)
        x = b.make(
            name, "conv", x, filters=width, kernel=patch, stride=patch, bias=self.project_bias,
            padding=0 if self.positions else self.rest(shape, patch),
        )  # fmt: skip
        _, _, high, wide = b.shape(x)
        x = b.make(f"{name}.places", "reshape", x, size=(width, high * wide))
        x = b.make(f"{name}.sequence", "permute", x, order=(0, 2, 1))
        tokens = [self.token(b, joined(root, each), shape[0], width) for each in self.tokens]
        if tokens:
            x = b.make(f"{name}.with_tokens", "concat", *tokens, x, axis=1)
        count = high * wide + len(tokens)
        if self.positions and self.table:
            x = b.make(joined(root, self.positions), "position_embedding", x, rows=count)
        elif self.positions:
            x = b.make(
                joined(root, self.positions), "combine", x,
                operation="add", size=(1, count, width),
            )  # fmt: skip
        return norm.build(b, joined(root, self.norm), x) if self.norm else x

    def token(self, b: Stack, name: str, batch: int, width: int) -> str:
        """A learned vector before each sequence."""
        size = (width,) if self.flat_tokens else (1, 1, width)
        x = b.make(name, "tensor", size=size)
        return b.make(f"{name}.each", "expand", x, size=(batch, 1, width))

    def rest(self, shape: Shape, patch: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """What fills the last squares up, behind each axis."""
        return tuple((0, -size % side) for size, side in zip(shape[2:], patch, strict=True))


class Wave(Record):
    """Samples of a sound as values: convolutions along them, then a matrix (Baevski et al. 2020).

    In the class's own words, feat_extract_norm "group" normalises behind the first alone, "layer"
    behind each. stable: the blocks begin with norms, and the first norm is the last.
    """

    words: str = ""
    extractor: str = "feature_extractor.conv_layers"
    projection: str = "feature_projection"
    places: str = "encoder.pos_conv_embed.conv"
    input: ClassVar[str] = "input_values"
    note: ClassVar[str] = "a sound of {} (batch x samples) is counted; --input 1x16000 is a second"

    def default(self, c: Config) -> Shape:
        return (1, 16_000)

    def build(self, b: Stack, root: str, x: str, norm: Norm) -> str:
        c = b.config
        x = b.make(joined(root, "channel"), "reshape", x, size=(1, b.shape(x)[1]))
        x = self.convolutions(b, joined(root, self.extractor), x)
        x = b.make(joined(root, "by_time"), "permute", x, order=(0, 2, 1))
        name = joined(root, self.projection)
        if c.flag("feat_proj_layer_norm", True):
            x = norm.build(b, f"{name}.layer_norm", x)
        x = b.linear(f"{name}.projection", x, c.whole("hidden_size"), bias=True)
        return self.add_places(b, joined(root, self.places), x)

    def convolutions(self, b: Stack, root: str, x: str) -> str:
        c = b.config
        lists = [c.list(name) for name in ("conv_dim", "conv_kernel", "conv_stride")]
        if len({len(each) for each in lists}) != 1 or len(lists[0]) > MAX_LAYERS:
            raise c.error(
                "conv_dim, conv_kernel and conv_stride have one number a convolution each",
                values=f"{', '.join(str(len(each)) for each in lists)}; at most {MAX_LAYERS:,}",
            )
        grouped = c.word("feat_extract_norm", "group") == "group"
        for i, (filters, kernel, stride) in enumerate(zip(*lists, strict=True)):
            name = f"{root}.{i}"
            x = b.make(
                f"{name}.conv", "conv", x, filters=filters, kernel=(kernel,), stride=stride,
                bias=c.flag("conv_bias"),
            )  # fmt: skip
            if grouped and i == 0:
                x = b.make(f"{name}.layer_norm", "group_norm", x, groups=filters)
            elif not grouped:
                x = b.make(f"{name}.turned", "permute", x, order=(0, 2, 1))
                x = b.make(f"{name}.layer_norm", "layer_norm", x)
                x = b.make(f"{name}.turned_back", "permute", x, order=(0, 2, 1))
            x = b.activation(f"{name}.act", x, "feat_extract_activation")
        return x

    def add_places(self, b: Stack, name: str, x: str) -> str:
        """The values with their places: a wide grouped convolution, its weight normalised.

        Salimans and Kingma 2016: the weight is a direction and a length for each of its columns.
        """
        c, width = b.config, b.width(x)
        if c.flag("conv_pos_batch_norm"):
            raise c.error("a batch normalisation before the places is not known here")
        kernel, groups = (
            c.whole("num_conv_pos_embeddings", 128), c.whole("num_conv_pos_embedding_groups", 16)
        )  # fmt: skip
        if width % groups:
            raise c.error(
                "num_conv_pos_embedding_groups does not divide the width",
                values=f"hidden_size {width:,}, {groups} groups",
            )
        root = f"{name}.parametrizations.weight"
        length = b.make(f"{root}.original0", "tensor", size=(1, 1, kernel))
        weight = b.make(f"{root}.original1", "tensor", size=(width, width // groups, kernel))
        norm = b.make(f"{root}.norm", "reduce", weight, operation="l2", axes=(0, 1))
        share = b.make(f"{root}.direction", "pointwise", weight, norm, function="divide")
        weight = b.make(root, "multiply", share, length)
        y = b.make(f"{name}.turned", "permute", x, order=(0, 2, 1))
        y = b.make(
            name, "conv", y, shared={"weight": weight}, filters=width, kernel=(kernel,),
            padding=kernel // 2, groups=groups,
        )  # fmt: skip
        if kernel % 2 == 0:
            size = b.shape(x)[1]
            y = b.make(f"{name}.cut", "slice", y, axis=2, start=0, stop=size)
        y = b.activation(f"{name}.act", y, "feat_extract_activation")
        y = b.make(f"{name}.turned_back", "permute", y, order=(0, 2, 1))
        return b.make(f"{name}.sum", "add", x, y)
