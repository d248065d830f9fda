"""Language models that see: a decoder among whose tokens are those of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ...record import Record
from ..graph_builder import by_axis
from .architectures import ARCHITECTURES
from .decoder import MAX_LAYERS, Decoder
from .encoder import dtypes
from .parts import FeedForward, Norm, Stack
from .pictures import Picture, PooledPicture, QwenPicture
from .tower import LENGTH, input_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...network import Network, Shape
    from ..source import Source
    from .config import Config

ALONE = ("tensor", "combine", "matmul", "einsum")
"""The layers whose one tensor the checkpoint has under the layer's own name."""


class Seeing(Protocol):
    """What makes tokens of a picture."""

    def default(self, c: Config, /) -> Shape: ...

    def build(self, b: Stack, shape: Shape, width: int, /) -> str: ...


class VisionLanguage(Record):
    """A decoder, and what makes tokens of pictures, which take places among the text's.

    Without a picture its tower is not run: its tensors are there, and none of its work.
    windowed: its blocks attend within windows, so that none is run at all. text: the type of the
    decoder where its configuration names none. types: by the names that
    text configurations have for it, the types of decoders. text_defaults: of that configuration.
    tied: whether the head is the embedding where nothing is said.
    """

    picture: Seeing
    text: str
    types: Mapping[str, str] = {}
    text_defaults: Mapping[str, Any] = {}
    root: str = "model.language_model"
    tied: bool = False
    windowed: bool = False
    defaults: Mapping[str, Any] = {}

    def network(self, config: Config, source: Source) -> Network:
        b = Stack(config)
        text, decoder = self.decoder(config)
        rows = text.whole("max_position_embeddings", LENGTH)
        picture = self.picture.default(config)
        defaults = {"input_ids": (1, min(LENGTH, rows)), "pixel_values": picture}
        sizes = input_sizes(source, defaults)
        has_picture = any(name == "pixel_values" or len(x) > 2 for name, x in source.inputs.items())
        if has_picture and self.windowed:
            raise config.error(
                "pictures are not followed here: most blocks of the tower attend within windows",
                hint="without pixel_values the tower's tensors are counted",
            )
        b.config = text
        has_text = any(name == "input_ids" or len(x) < 3 for name, x in source.inputs.items())
        inputs = {"input_ids": sizes["input_ids"]} if has_text else {}
        x = decoder.start(b, source.replace(inputs=inputs))
        b.config = config
        if has_picture:
            x = self.insert(b, x, self.picture.build(b, sizes["pixel_values"], b.width(x)))
        else:
            self.store(b, picture, b.width(x))
        b.config = text
        for i in range(text.whole("num_hidden_layers", most=MAX_LAYERS)):
            x = decoder.block(b, i, x)
        return b.network(outputs=(decoder.end(b, x),), dtypes=dtypes(b))

    def decoder(self, c: Config) -> tuple[Config, Decoder]:
        """The text's configuration, and its decoder under this model's names."""
        text = c.part("text_config")
        kind = text.word("model_type", self.text)
        kind = self.types.get(kind, kind)
        decoder = ARCHITECTURES.get(kind)
        if decoder is not None and not isinstance(decoder, Decoder):
            decoder = decoder(text)
        if decoder is None or not decoder.layers.startswith("model."):
            raise c.error(
                f"the text's model type '{kind[:60]}' is not known here",
                values=f"text_config: model_type {kind[:60]}",
            )
        tied = c.flag("tie_word_embeddings", text.flag("tie_word_embeddings", self.tied))
        text.fields = {**text.fields, "tie_word_embeddings": tied}
        text.defaults = {**self.text_defaults, **decoder.defaults}
        return text, decoder.within(self.root)

    def insert(self, b: Stack, x: str, picture: str) -> str:
        """The text's tokens, some of which are the picture's."""
        (batch, tokens, width), shape = b.shape(x), b.shape(picture)
        count, places = shape[0] * shape[1], batch * tokens
        if shape[2] != width:
            raise b.config.error(
                "the picture's tokens are not of the text's width",
                values=f"out_hidden_size {shape[2]:,}, hidden_size {width:,}",
            )
        if count > places:
            raise b.config.error(
                "the picture has more tokens than the text has places for",
                values=f"{count:,} of the picture, {places:,} places",
                hint=f"--input input_ids=1x{count} has room for it, and more for words",
            )
        return b.make(
            f"{self.root}.with_picture", "arrange", x, picture, type="among the text",
            size=(batch, tokens, width), of=(b.shape(x), shape),
        )  # fmt: skip

    def store(self, b: Stack, picture: Shape, width: int) -> None:
        """The tensors of the tower that is not run."""
        b.note(
            "no picture is given: the vision tower's tensors are counted, and none of its work"
            + ("" if self.windowed else f"; --input pixel_values={by_axis(picture)} runs it")
        )
        tower = Stack(b.config)
        self.picture.build(tower, picture, width)
        for node in tower.nodes:
            xs = tuple(tower.shape(each) for each in node.inputs)
            for name, size in node.layer.parameters(xs).items():
                if name not in node.shared:
                    alone = node.layer.kind in ALONE
                    b.make(node.name if alone else f"{node.name}.{name}", "tensor", size=size)


LLAMA_TEXT = {
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "max_position_embeddings": 2048, "hidden_act": "silu",
}  # fmt: skip
LLAVA_TOWER = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16, "image_size": 336, "patch_size": 14,
}  # fmt: skip
GEMMA3_TEXT = {
    "vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
    "max_position_embeddings": 131072,
}  # fmt: skip
QWEN_TYPES = {
    "qwen3_vl_text": "qwen3", "qwen3_vl_moe_text": "qwen3_moe", "qwen2_5_vl_text": "qwen2",
    "qwen2_vl_text": "qwen2",
}  # fmt: skip
QWEN3_VL = VisionLanguage(
    QwenPicture(defaults={
        "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16,
        "patch_size": 16, "num_position_embeddings": 2304, "deepstack_visual_indexes": [8, 16, 24],
        "hidden_act": "gelu",
    }),
    "qwen3", QWEN_TYPES,
)  # fmt: skip
QWEN2_5_VL = VisionLanguage(
    QwenPicture(
        norm=Norm(), feed=FeedForward(bias=True), merger=("ln_q", "mlp.0", "mlp.2"), positions="",
        patch_bias=False, deep="",
        defaults={
            "depth": 32, "hidden_size": 3584, "intermediate_size": 3420, "num_heads": 16,
            "patch_size": 14, "hidden_act": "silu",
        },
    ),
    "qwen2", QWEN_TYPES, windowed=True,
)  # fmt: skip


def qwen2_vl(c: Config) -> VisionLanguage:
    """Its tower's own width is embed_dim, and hidden_size that of the text's tokens."""
    tower = c.part("vision_config")
    hidden = int(tower.whole("embed_dim", 1280) * tower.number("mlp_ratio", 4.0))
    picture = QwenPicture(
        width="embed_dim", out="hidden_size", merger=("ln_q", "mlp.0", "mlp.2"), positions="",
        patch_bias=False, deep="",
        feed=FeedForward(up="fc1", down="fc2", gate="", bias=True, hidden=max(hidden, 1)),
        defaults={"depth": 32, "embed_dim": 1280, "num_heads": 16, "patch_size": 14,
                  "hidden_act": "quick_gelu"},
    )  # fmt: skip
    return VisionLanguage(picture, "qwen2", QWEN_TYPES)


VISION_LANGUAGE: dict[str, VisionLanguage | Callable[[Config], VisionLanguage]] = {
    "llava": VisionLanguage(
        Picture(defaults=LLAVA_TOWER), "llama", text_defaults=LLAMA_TEXT,
        defaults={"projector_hidden_act": "gelu"},
    ),
    "gemma3": VisionLanguage(
        PooledPicture(), "gemma3_text", text_defaults=GEMMA3_TEXT, tied=True
    ),
    "qwen3_vl": QWEN3_VL,
    "qwen3_vl_moe": QWEN3_VL.replace(text="qwen3_moe"),
    "qwen2_5_vl": QWEN2_5_VL,
    "qwen2_vl": qwen2_vl,
}  # fmt: skip
"""Each by the type that configurations call it."""
