"""A stack of equal blocks, and what stands before and behind it: for all but plain decoders.

A tower's block is a list of sublayers; each is x + part(norm(x)), or norm(x + part(x)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...record import Record
from ..graph_builder import by_axis, sizes_from_user
from .parts import Attention, FeedForward, Mixture, Norm, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...network import Shape
    from ..source import Source
    from .config import Config
    from .parts import Stack

LAYER_NORM = Norm("layer_norm")

MAX_LAYERS = 2_000
"""More blocks than any model has: a few bytes name a number, and each block costs."""

LENGTH = 2048
"""How many tokens are counted where nothing is said, or the model's limit where that is less."""


class Sublayer(Record):
    """A part of a block, its normalisation, and the sum with what it read.

    place: within the block. scale: a learned factor a channel on what the part puts out. crossed:
    it reads the other tower's output, or what else all blocks share, beside x. not_first: the first
    block has no such norm.
    """

    norm: str
    part: Attention | FeedForward | Mixture
    place: str = ""
    scale: str = ""
    crossed: bool = False
    not_first: bool = False


class Tower(Record):
    """Equal blocks under numbered names.

    count: the field that has their number. after_sum: norms stand behind the sums (Vaswani et al.
    2017). relative: the table of biases by distance, in the first block, for all blocks (Raffel et
    al. 2020). sparse: the field that says of how many blocks one is a mixture's, the first such
    being the second of a pair (Fedus et al. 2021). inner: the name of the blocks within a group of
    them, each group being used several times in turn (Lan et al. 2020).
    """

    layers: str
    sublayers: tuple[Sublayer, ...]
    count: str = "num_hidden_layers"
    norm: Norm = LAYER_NORM
    after_sum: bool = False
    first_norm: str = ""
    last_norm: str = ""
    relative: str = ""
    mixture: Mixture | None = None
    sparse: str = ""
    inner: str = ""

    def build(
        self, b: Stack, root: str, x: str, memory: str = "", states: list[str] | None = None
    ) -> str:
        """The blocks on x; memory: the other tower's output.

        states: a list that what the first block reads, and what each puts out, is appended to.
        """
        if self.first_norm:
            x = self.norm.build(b, joined(root, self.first_norm), x)
        mask = self.biases(b, joined(root, self.relative), x) if self.relative else ""
        for i, name in enumerate(self.blocks(b.config)):
            if states is not None:
                states.append(x)
            x = self.block(b, i, joined(root, name), x, memory, mask)
        if states is not None:
            states.append(x)
        return self.norm.build(b, joined(root, self.last_norm), x) if self.last_norm else x

    def blocks(self, c: Config) -> Iterator[str]:
        """Their names; one that comes again is the same block."""
        count = c.whole(self.count, most=MAX_LAYERS)
        if not self.inner:
            return (f"{self.layers}.{i}" for i in range(count))
        groups = c.whole("num_hidden_groups", 1)
        inner = c.whole("inner_group_num", 1, most=max(MAX_LAYERS // count, 1))
        return (
            f"{self.layers}.{i * groups // count}.{self.inner}.{j}"
            for i in range(count)
            for j in range(inner)
        )

    def block(self, b: Stack, i: int, name: str, x: str, memory: str, mask: str) -> str:
        for sublayer in self.sublayers:
            place = joined(name, sublayer.place)
            norm = "" if sublayer.not_first and not i else joined(place, sublayer.norm)
            before = norm and not self.after_sum
            y = self.norm.build(b, norm, x) if before else x
            part = sublayer.part
            if isinstance(part, FeedForward) and self.is_sparse(b.config, i):
                part = self.mixture or part
            if isinstance(part, Attention):
                other = memory if sublayer.crossed else ""
                y = part.build(b, place, y, other, "" if sublayer.crossed else mask)
            else:
                y = part.build(b, place, y)
            if sublayer.scale:
                y = b.make(
                    joined(place, sublayer.scale), "combine", y,
                    operation="multiply", size=(b.width(y),),
                )  # fmt: skip
            x = b.make(f"{place}.sum", "add", x, y)
            if norm and self.after_sum:
                x = self.norm.build(b, norm, x)
        return x

    def is_sparse(self, c: Config, i: int) -> bool:
        """Whether block i has a mixture."""
        if self.mixture is None:
            return False
        sparse, blocks = c.whole(self.sparse, 0, 0), c.whole(self.count, most=MAX_LAYERS)
        step = blocks // sparse if sparse else blocks  # with 0 transformers still makes one
        return step > 0 and (step == 1 or i % step == 1)

    def biases(self, b: Stack, name: str, x: str) -> str:
        """A bias for each head and pair of places, by their distance: a mask."""
        c, tokens = b.config, b.shape(x)[1]
        buckets = b.make(f"{name}.buckets", "tensor", size=(tokens, tokens), learned=False)
        table = b.make(
            name, "embedding", buckets,
            rows=c.whole("relative_attention_num_buckets"), size=c.whole("num_attention_heads"),
        )  # fmt: skip
        return b.make(f"{name}.by_head", "permute", table, order=(2, 0, 1), whole=True)


class Tokens(Record):
    """Tokens as values: a table of words, of positions, of segments, each with its name.

    before: rows of the table of positions before the first; after_pad: those up to the padding
    token's number (RoBERTa). values: the name of their width's field, where it is not the width,
    with a matrix ``project`` behind the norm, or with ``project_first`` before it. fixed: the
    positions are worked out, not learned, and kept with the model.
    """

    words: str
    positions: str = ""
    rows: str = "max_position_embeddings"
    vocabulary: str = "vocab_size"
    segments: str = ""
    norm: str = ""
    before: int = 0
    after_pad: bool = False
    values: str = ""
    project: str = ""
    project_first: bool = False
    project_always: bool = False

    input: ClassVar[str] = "input_ids"
    note: ClassVar[str] = (
        "sequences of {} (batch x tokens) are counted; --input 1x128 is one of 128"
    )

    def default(self, c: Config) -> Shape:
        """The input where the user names none."""
        rows = c.whole(self.rows, 0, 0) if self.rows else 0
        rows -= self.offset(c) if self.after_pad else 0
        return (1, min(LENGTH, rows) if rows > 0 else LENGTH)

    def offset(self, c: Config) -> int:
        return c.whole("pad_token_id", 1, 0) + 1 if self.after_pad else self.before

    def build(self, b: Stack, root: str, ids: str, norm: Norm, words: str = "") -> str:
        """The values of tokens; words: the table's whole name, where it stands elsewhere."""
        c = b.config
        width = c.whole("hidden_size")
        size = c.whole(self.values, width) if self.values else width
        words = words or joined(root, self.words)
        x = b.make(words, "embedding", ids, rows=c.whole(self.vocabulary), size=size)
        if self.positions:
            before = self.offset(c)
            x = b.make(
                joined(root, self.positions), "position_embedding", x,
                rows=c.whole(self.rows) + (0 if self.after_pad else before), before=before,
            )  # fmt: skip
        if self.segments and c.whole("type_vocab_size", 0, 0):
            other = b.input("token_type_ids", b.shapes[ids])
            rows = c.whole("type_vocab_size")
            y = b.make(joined(root, self.segments), "embedding", other, rows=rows, size=size)
            x = b.make(f"{words}.sum", "add", x, y)
        project = self.project_always or size != width
        if project and self.project_first:
            x = b.linear(joined(root, self.project), x, width, bias=False)
        if self.norm:
            x = norm.build(b, joined(root, self.norm), x)
        if project and not self.project_first:
            x = b.linear(joined(root, self.project), x, width, bias=True)
        return x


class Dense(Record):
    """A matrix, a function, a normalisation, of a head.

    size: what it puts out, a number or a field; "" for the width, "labels" for the classes'
    number. tied: its matrix is the table of words. A name with a dot before it is within the root.
    """

    name: str
    size: int | str = ""
    bias: bool | str = True
    activation: str = ""
    norm: str = ""
    tied: bool = False

    def build(self, b: Stack, root: str, x: str, words: str, norm: Norm) -> str:
        c, size = b.config, self.size
        if size == "labels":
            size = labels(c)
        elif isinstance(size, str):
            size = c.whole(size or "hidden_size", c.get("hidden_size"))
        name = in_root(root, self.name)
        shared = {"weight": f"{words}.weight"} if self.tied else None
        x = b.make(name, "linear", x, shared=shared, features=size, bias=c.flag(self.bias), axis=-1)
        if self.activation:
            x = b.activation(f"{name}.act", x, self.activation)
        return norm.build(b, in_root(root, self.norm), x) if self.norm else x


class Head(Record):
    """Matrices on each token's values, or with ``first`` on those of one token, the first's.

    place: of that token, where it is another. mean: on the mean of all tokens, or behind the first
    token's values on the mean of the others.
    """

    dense: tuple[Dense, ...] = ()
    first: bool = False
    place: int = 0
    mean: bool = False

    def build(self, b: Stack, root: str, x: str, words: str, norm: Norm) -> str:
        if self.first or self.mean:
            x = self.pool(b, root, x)
        for each in self.dense:
            x = each.build(b, root, x, words, norm)
        return x

    def pool(self, b: Stack, root: str, x: str) -> str:
        """One vector an example."""
        if not self.first:
            return b.make(joined(root, "mean"), "reduce", x, operation="mean", axes=1, keep=False)
        width, place = b.width(x), self.place
        y = b.make(joined(root, "token"), "slice", x, axis=1, start=place, stop=place + 1)
        y = b.make(joined(root, "pooled"), "reshape", y, size=(width,))
        if not self.mean:
            return y
        x = b.make(joined(root, "others"), "slice", x, axis=1, start=1)
        x = b.make(joined(root, "mean"), "reduce", x, operation="mean", axes=1, keep=False)
        return b.make(joined(root, "both"), "concat", y, x, axis=1)


def in_root(root: str, name: str) -> str:
    """A head's name: within the root where a dot stands before it."""
    return joined(root, name[1:]) if name.startswith(".") else name


def labels(c: Config) -> int:
    """How many classes the configuration has names for; 2 where it says nothing."""
    names = c.get("id2label")
    return len(names) if isinstance(names, dict) and names else c.whole("num_labels", 2)


def class_of(c: Config, known: Mapping[str, object], default: str) -> str:
    """Which of the known classes a configuration names, by the end of its name.

    default: what is counted where it names none. Raises ReadError where it names another.
    """
    classes = c.list("architectures")
    name = classes[0] if classes else default
    if isinstance(name, str):
        ends = [each for each in known if name.endswith(each)]
        if ends:
            return max(ends, key=len)
    raise c.error(
        "what this class puts out is not known",
        values=f"architectures: {str(name)[:60]}",
        hint=f"known ends of its name: {', '.join(known)}",
    )


def input_sizes(source: Source, defaults: Mapping[str, Shape]) -> dict[str, Shape]:
    """The size of each input: the user's, with its batch, or the default.

    A size without a name is that of the first input that has as many axes, or one more.
    Raises ReadError where none has.
    """
    names = list(defaults)
    sizes = dict(source.inputs)
    for less in (0, 1):
        for name in names:
            if "" in sizes and len(sizes[""]) == len(defaults[name]) - less:
                sizes[name] = sizes.pop("")
    user_sizes = sizes_from_user(source.replace(inputs=sizes), names)
    for name, shape in user_sizes.items():
        rank = len(defaults[name])
        user_sizes[name] = shape = (1, *shape) if len(shape) == rank - 1 else shape
        if len(shape) != rank:
            raise _axes(source, name, shape, defaults[name])
    return {**defaults, **user_sizes}


def _axes(source: Source, name: str, shape: Shape, default: Shape) -> Exception:
    from ...errors import ReadError

    return ReadError(
        f"the input '{name}' has {len(default)} axes, the batch's with them",
        where=source.name,
        values=by_axis(shape),
        hint=f"--input {by_axis(default)}",
    )
