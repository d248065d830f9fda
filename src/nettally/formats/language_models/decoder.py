"""A decoder: embeddings, equal blocks of attention and a feed-forward network, a head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...arith import product
from ...network import NOTHING
from ...record import Record
from .parts import Attention, FeedForward, Mixture, Norm, Part, Stack
from .spans import span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ...network import Network, Node
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
    attentions: those of other types than ``attention``, by what ``types`` has for each block, or
    where it is empty the field ``types_in`` of the configuration. alone: a block is one part, the
    one in ``attention``'s place. embedding_width: the field that has it, where it is another than
    the width, with ``project_in`` and ``project_out`` between. tied: whether the head is the
    embedding where the configuration does not say.
    """

    embedding: str = "model.embed_tokens"
    positions: str = ""
    offset: int = 0
    embedding_norm: str = ""
    layers: str = "model.layers"
    norm: Norm = Norm()
    before_attention: str = "input_layernorm"
    attention: Part = Attention()
    attentions: Mapping[str, Part] = {}
    types: tuple[str, ...] = ()
    types_in: str = "layer_types"
    after_attention: str = ""
    before_feed: str = "post_attention_layernorm"
    feed: Part = FeedForward()
    mixture: Mixture | None = None
    after_feed: str = ""
    alone: bool = False
    parallel: bool = False
    after_sum: bool = False
    embedding_width: str = ""
    last_norm: str = "model.norm"
    head: str = "lm_head"
    head_bias: bool | str = False
    tied: bool = False
    defaults: Mapping[str, Any] = {}

    def network(
        self, config: Config, source: Source, towers: Mapping[str, str] = NOTHING
    ) -> Network:
        """The network, of one sequence.

        towers: names of what turns other things than words into places of the sequence, and what
        each is called. They stand behind the embedding, opaque.
        """
        b = Stack(config)
        x = self.start(b, source)
        for name, kind in towers.items():
            x = b.unknown(
                config, b.free(name), kind, (x,), size=b.shape(x)[1:],
                why="what is no text is not described, so the model is counted without it",
            )  # fmt: skip
        count = len(self.types) or config.whole("num_hidden_layers", most=MAX_LAYERS)
        first = 0
        for i in range(count):
            first, x = len(b.nodes), self.block(b, i, x)
        further_tokens(b, b.nodes[first:])
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

    def within(self, root: str) -> Decoder:
        """The same with a text model's names where it is a part of another model."""
        names = {
            field: getattr(self, field).replace("model.", f"{root}.", 1)
            for field in ("embedding", "positions", "embedding_norm", "layers", "last_norm")
            if getattr(self, field).startswith("model.")
        }
        if root.endswith(".model"):
            names["head"] = f"{root.removesuffix('model')}{self.head}"
        return self.replace(**names)

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
        if self.alone:
            return b.make(f"{name}.residual", "add", x, y)
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

    def fed(self, b: Stack, i: int) -> Part:
        """Block i's feed-forward network, or its mixture."""
        if self.mixture is None:
            return self.feed
        return self.mixture if is_sparse(b.config, i) else self.feed

    def attends(self, b: Stack, i: int) -> Part:
        """Block i's attention: by the type that the configuration lists for it."""
        if not self.attentions:
            return self.attention
        types = self.types or b.config.list(self.types_in)
        if not types:
            return self.attention
        if i >= len(types):
            raise b.config.error(
                f"'{self.types_in}' names a type for each layer",
                values=f"{len(types)} types, {b.config.whole('num_hidden_layers')} layers",
            )
        return self.attentions.get(types[i], self.attention)

    def end(self, b: Stack, x: str) -> str:
        """The last normalisation, and a score for each token of the vocabulary."""
        c = b.config
        if self.last_norm:
            x = self.norm.build(b, self.last_norm, x)
        if self.embedding_width and c.whole(self.embedding_width, b.width(x)) != b.width(x):
            size = c.whole(self.embedding_width)
            x = b.linear(f"{self._root}.project_out", x, size, bias=False)
        tied = c.flag("tie_word_embeddings", self.tied)
        shared = {"weight": f"{self.embedding}.weight"} if tied else None
        return b.make(
            self.head, "linear", x, shared=shared, features=c.whole("vocab_size"),
            bias=c.flag(self.head_bias), axis=-1,
        )  # fmt: skip


FURTHER = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")


def further_tokens(b: Stack, last: Sequence[Node]) -> None:
    """Say what modules that predict further tokens would add: they are not built.

    last: the nodes of the last block. DeepSeek-V3 (2024, section 2.2) and those after it have a
    block like the last for each, three normalisations, and a matrix from twice the width to it;
    embedding and head are the model's own.
    """
    c = b.config
    for field in FURTHER:
        count = c.whole(field, 0, 0)
        if not count:
            continue
        sentence = f"{field} {count}: modules that predict further tokens are not counted"
        if not c.list("mtp_layers_block_type"):
            width = c.whole("hidden_size")
            block = sum(
                product(shape)
                for node in last
                for shape in node.layer.parameters(tuple(map(b.shape, node.inputs))).values()
            )
            size = count * (block + 2 * width * width + 3 * width)
            sentence += f"; like DeepSeek-V3's, they would have {size:,} parameters"
        b.note(sentence)


def is_sparse(c: Config, i: int) -> bool:
    """Whether block i has experts, by whichever of the ways to say so the configuration uses."""
    types = c.list("mlp_layer_types")
    if i < len(types):
        return types[i] != "dense"
    if isinstance(c.get("moe_layer_freq"), list):
        frequency = c.list("moe_layer_freq")
        return bool(frequency[i]) if i < len(frequency) else True
    first = c.whole("first_k_dense_replace", c.whole("moe_layer_start_index", 0, 0), 0)
    last = c.whole("moe_layer_end_index", i, -1)
    if not first <= i <= (i if last < 0 else last) or i in c.list("mlp_only_layers"):
        return False
    step = c.whole("decoder_sparse_step", c.whole("moe_layer_freq", 1))
    return i % step == c.whole("expert_layer_offset", step - 1, 0)
