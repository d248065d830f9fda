"""A decoder: embeddings, equal blocks of attention and a feed-forward network, a head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...record import Record
from .parts import Attention, FeedForward, Latent, Mixture, Norm, Stack
from .spans import span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ...network import Network
    from ..source import Source
    from .config import Config

MAX_LAYERS = 2_000
"""More blocks than any language model has: a few bytes name a number, and each block costs."""

LENGTH = 2048
"""How many tokens are counted where nothing is said, or the model's limit where that is less."""


class Decoder(Record):
    """A language model that predicts the next token.

    Names are those of the checkpoint's tensors; "" where it has no such thing. offset: rows of the
    table of positions before the first. after_attention, after_feed: normalisations of what a part
    puts out, before it is added. parallel: attention and feed-forward read the same. after_sum: the
    normalisations stand behind the sums (Vaswani et al. 2017) and not before the parts.
    attentions: those of other types than ``attention``, by what the field ``types_in`` lists for
    each block. embedding_width: the field that has it, where it is another than the width, with
    ``project_in`` and ``project_out`` between. tied: whether the head is the embedding where the
    configuration does not say.
    """

    embedding: str = "model.embed_tokens"
    positions: str = ""
    offset: int = 0
    embedding_norm: str = ""
    layers: str = "model.layers"
    norm: Norm = Norm()
    before_attention: str = "input_layernorm"
    attention: Attention | Latent = Attention()
    attentions: Mapping[str, Attention | Latent] = {}
    types_in: str = "layer_types"
    after_attention: str = ""
    before_feed: str = "post_attention_layernorm"
    feed: FeedForward = FeedForward()
    mixture: Mixture | None = None
    after_feed: str = ""
    parallel: bool = False
    after_sum: bool = False
    embedding_width: str = ""
    last_norm: str = "model.norm"
    head: str = "lm_head"
    head_bias: bool | str = False
    tied: bool = False
    defaults: Mapping[str, Any] = {}

    def network(self, config: Config, source: Source) -> Network:
        """The network, of one sequence."""
        b = Stack(config)
        x = self.start(b, source)
        for i in range(config.whole("num_hidden_layers", most=MAX_LAYERS)):
            x = self.block(b, i, x)
        if self.last_norm:
            x = self.norm.build(b, self.last_norm, x)
        x = self.end(b, x)
        return b.network(outputs=(x,), dtypes={"input_ids": "int64"})

    def start(self, b: Stack, source: Source) -> str:
        """The tokens as values."""
        from ..graph_builder import by_axis, sizes_from_user

        c = b.config
        rows = c.whole("max_position_embeddings", 0, 0)
        shape = sizes_from_user(source, ("input_ids",)).get("input_ids")
        if shape is None:
            shape = (1, min(LENGTH, rows or LENGTH))
            b.note(f"a sequence of {shape[1]:,} tokens is counted; --input 1x4096 is one of 4,096")
        shape = (1, *shape) if len(shape) == 1 else shape
        if len(shape) != 2:
            raise c.error(
                "a language model reads sequences of tokens", values=by_axis(shape),
                hint="--input 1x4096: a batch of 1, 4,096 tokens",
            )  # fmt: skip
        x = b.input("input_ids", shape)
        width = c.whole("hidden_size")
        size = c.whole(self.embedding_width, width) if self.embedding_width else width
        embedded = b.make(self.embedding, "embedding", x, rows=c.whole("vocab_size"), size=size)
        if size != width:
            embedded = b.linear(f"{self._root}.project_in", embedded, width, bias=False)
        if self.positions:
            embedded = b.make(
                self.positions, "position_embedding", embedded,
                rows=rows + self.offset, before=self.offset,
            )  # fmt: skip
        if self.embedding_norm:
            embedded = self.norm.build(b, self.embedding_norm, embedded)
        return embedded

    @property
    def _root(self) -> str:
        return self.embedding.rpartition(".")[0]

    def block(self, b: Stack, i: int, x: str) -> str:
        """Block i; its output."""
        name = f"{self.layers}.{i}"
        b.span = span(b.config, i)
        y = self.attends(b, i).build(
            b, name, read := self._normal(b, name, self.before_attention, x)
        )
        y = self._normal(b, name, self.after_attention, y, behind=True)
        if self.parallel:
            read = self._normal(b, name, self.before_feed, x) if self.before_feed else read
        else:
            x = b.make(f"{name}.residual_1", "add", x, y)
            if self.after_sum:
                x = self._normal(b, name, self.before_attention, x, behind=True)
            read = self._normal(b, name, self.before_feed, x)
        z = self.fed(b, i).build(b, name, read)
        z = self._normal(b, name, self.after_feed, z, behind=True)
        if self.parallel:
            return b.make(f"{name}.residual", "add", x, y, z)
        x = b.make(f"{name}.residual_2", "add", x, z)
        return self._normal(b, name, self.before_feed, x, behind=True) if self.after_sum else x

    def _normal(self, b: Stack, block: str, name: str, x: str, *, behind: bool = False) -> str:
        """A normalisation, where the block has one at this place."""
        if not name or (self.after_sum and not behind):
            return x
        return self.norm.build(b, f"{block}.{name}", x)

    def fed(self, b: Stack, i: int) -> FeedForward | Mixture:
        """Block i's feed-forward network, or its mixture."""
        if self.mixture is None:
            return self.feed
        return self.mixture if is_sparse(b.config, i) else self.feed

    def attends(self, b: Stack, i: int) -> Attention | Latent:
        """Block i's attention: by the type that the configuration lists for it."""
        if not self.attentions:
            return self.attention
        types = b.config.list(self.types_in)
        if not types:
            return self.attention
        if i >= len(types):
            raise b.config.error(
                f"'{self.types_in}' names a type for each layer",
                values=f"{len(types)} types, {b.config.whole('num_hidden_layers')} layers",
            )
        return self.attentions.get(types[i], self.attention)

    def end(self, b: Stack, x: str) -> str:
        """A score for each token of the vocabulary."""
        c = b.config
        if self.embedding_width and c.whole(self.embedding_width, b.width(x)) != b.width(x):
            size = c.whole(self.embedding_width)
            x = b.linear(f"{self._root}.project_out", x, size, bias=False)
        tied = c.flag("tie_word_embeddings", self.tied)
        shared = {"weight": f"{self.embedding}.weight"} if tied else None
        return b.make(
            self.head, "linear", x, shared=shared, features=c.whole("vocab_size"),
            bias=c.flag(self.head_bias), axis=-1,
        )  # fmt: skip


def is_sparse(c: Config, i: int) -> bool:
    """Whether block i has experts, by whichever of the ways to say so the configuration uses."""
    types = c.list("mlp_layer_types")
    if i < len(types):
        return types[i] == "sparse"
    if isinstance(c.get("moe_layer_freq"), list):
        frequency = c.list("moe_layer_freq")
        return bool(frequency[i]) if i < len(frequency) else True
    if i < c.whole("first_k_dense_replace", 0, 0) or i in c.list("mlp_only_layers"):
        return False
    return not (i + 1) % c.whole("decoder_sparse_step", c.whole("moe_layer_freq", 1))
