"""The parts that transformers share, as data: what stands where, under which name.

A part says how its tensors are called and which settings of the configuration it goes by, and
builds its nodes. A setting is a value, or the name of the configuration's field that has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...record import Record
from ..graph_builder import GraphBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...network import Shape
    from .config import Config

ACTIVATIONS = {
    "gelu_new": "gelu", "gelu_fast": "gelu", "gelu_pytorch_tanh": "gelu", "gelu_python": "gelu",
    "quick_gelu": "gelu", "gelu": "gelu", "silu": "silu", "swish": "silu", "relu": "relu",
    "relu2": "square", "tanh": "tanh", "sigmoid": "sigmoid", "gegelu": "gelu", "geglu": "gelu",
}  # fmt: skip
"""The layers that activations are, by the names that configurations have for them."""


def joined(prefix: str, name: str) -> str:
    """The name within the prefix; the prefix where it has none of its own."""
    return f"{prefix}.{name}" if name else prefix


class Stack(GraphBuilder):
    """A network in the making, and the configuration that it is made by."""

    AGAIN = "."

    def __init__(self, config: Config) -> None:
        super().__init__(config.file)
        self.config = config
        self._outputs: dict[Any, Shape | None] = {}
        self.span: int | None = None
        """How many places a token of this block sees of those before it, itself among them; 0 for
        all. None where it sees those behind it too, so that nothing is kept for later."""

    def make(self, name: str, kind: str, *inputs: str, shared: Any = None, **fields: Any) -> str:
        """Append a layer under a name; the name."""
        layer = self.layer(self.config, kind, **fields)
        module = name.rpartition(".")[0]
        return self.append(
            self.config, self.free(name), layer, inputs, shared=shared or {}, module=module
        )

    def output(self, place: Any, layer: Any, inputs: Sequence[str]) -> Shape | None:
        """As any builder does; blocks are equal, and a layer is asked once for what goes in."""
        shapes = self.shapes
        key = (id(layer), *[shapes[name] for name in inputs])
        shape = self._outputs.get(key)
        if shape is None:
            shape = self._outputs[key] = super().output(place, layer, inputs)
        return shape

    def linear(
        self, name: str, x: str, features: int, *, bias: bool, transposed: bool = False
    ) -> str:
        fields = {"transposed": True} if transposed else {}
        return self.make(name, "linear", x, features=features, bias=bias, axis=-1, **fields)

    def keep(self, name: str, x: str, **fields: Any) -> str:
        """Keys or values, and those that are kept of the tokens before."""
        return x if self.span is None else self.make(name, "cache", x, span=self.span, **fields)

    def width(self, name: str) -> int:
        """The size of a node's last axis."""
        shape = self.shapes[name]
        assert shape is not None, "all sizes follow from the configuration"
        return shape[-1]

    def activation(self, name: str, x: str, field: str) -> str:
        """The activation that the configuration names in a field."""
        word = self.config.word(field, "gelu") if field not in ACTIVATIONS else field
        kind = ACTIVATIONS.get(word)
        if kind is None:
            raise self.config.error(
                f"'{field}' names an activation that is not known",
                values=f"{field}: {word[:60]}",
                hint="known: " + ", ".join(ACTIVATIONS),
            )
        if word == "relu2":
            x = self.make(f"{name}.relu", "relu", x)
        return self.make(name, kind, x)


class Norm(Record):
    """A normalisation of each token. weight, bias: whether they are learned."""

    kind: str = "rms_norm"
    weight: bool = True
    bias: bool | str = True

    def build(self, b: Stack, name: str, x: str) -> str:
        fields: dict[str, Any] = {"weight": self.weight}
        if self.kind == "layer_norm":
            fields["bias"] = b.config.flag(self.bias)
        return b.make(name, self.kind, x, **fields)


class Attention(Record):
    """Attention of each token to all, with grouped heads (Ainslie et al. 2023).

    query, key, value, output: their names within ``name``; fused: the name of one matrix for the
    first three. bias: of those, output_bias: of the last. head_norm: queries and keys are
    normalised, each head's ("head", or "heads" with weights of its own) or all together ("all"),
    under the names in norms.
    rotary: the share of a head's values that are turned is the field's, or all; "" for none.
    """

    name: str = "self_attn"
    query: str = "q_proj"
    key: str = "k_proj"
    value: str = "v_proj"
    output: str = "o_proj"
    fused: str = ""
    bias: bool | str = False
    output_bias: bool | str = False
    head_norm: str = ""
    norms: tuple[str, str] = ("q_norm", "k_norm")
    norm: Norm = Norm()
    heads: str = "num_attention_heads"
    groups: int | str = "num_key_value_heads"
    rotary: bool = True
    transposed: bool = False
    sinks: bool = False

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name = b.config, joined(prefix, self.name)
        width, heads = b.width(x), c.whole(self.heads)
        groups = self.groups if isinstance(self.groups, int) else c.whole(self.groups, heads)
        size = c.get("head_dim")
        if size is None:
            if width % heads:
                raise c.error(
                    "the heads do not divide the width",
                    values=f"hidden_size {width:,}, {heads} heads",
                    hint=f"{round(width / heads) * heads:,} would be {heads} heads of "
                    f"{round(width / heads)}",
                )
            size = width // heads
        else:
            size = c.whole("head_dim")
        if heads % groups:
            raise c.error(
                "the heads of keys and values do not divide those of queries",
                values=f"{heads} heads, {groups} of keys and values",
            )
        q, k, v = self._projected(b, name, x, (heads * size, groups * size))
        if self.head_norm:
            q = self._normal(b, f"{name}.{self.norms[0]}", q, heads, size)
            k = self._normal(b, f"{name}.{self.norms[1]}", k, groups, size)
        if self.rotary:
            turned = int(size * float(c.get("partial_rotary_factor", c.get("rotary_pct", 1.0))))
            q = b.make(f"{name}.q_rotary", "rotary", q, size=size, turned=turned)
            k = b.make(f"{name}.k_rotary", "rotary", k, size=size, turned=turned)
        k, v = b.keep(f"{name}.k_cache", k), b.keep(f"{name}.v_cache", v)
        fields = {"sinks": True} if self.sinks else {}
        x = b.make(
            name if self.sinks else f"{name}.attention", "attention", q, k, v,
            heads=heads, key_heads=groups, **fields,
        )  # fmt: skip
        return b.linear(
            f"{name}.{self.output}", x, width, bias=c.flag(self.output_bias),
            transposed=self.transposed,
        )  # fmt: skip

    def _projected(self, b: Stack, name: str, x: str, sizes: tuple[int, int]) -> list[str]:
        """Queries, keys and values."""
        bias, (all_, grouped) = b.config.flag(self.bias), sizes
        if not self.fused:
            return [
                b.linear(f"{name}.{each}", x, size, bias=bias)
                for each, size in zip(
                    (self.query, self.key, self.value), (all_, grouped, grouped), strict=True
                )
            ]
        x = b.linear(
            f"{name}.{self.fused}", x, all_ + 2 * grouped, bias=bias, transposed=self.transposed
        )
        ends = (0, all_, all_ + grouped, all_ + 2 * grouped)
        return [
            b.make(f"{name}.{part}", "slice", x, axis=2, start=ends[i], stop=ends[i + 1])
            for i, part in enumerate(("query", "key", "value"))
        ]

    def _normal(self, b: Stack, name: str, x: str, heads: int, size: int) -> str:
        if self.head_norm == "all":
            return self.norm.build(b, name, x)
        shape = b.shapes[x] or (1, 1, 1)
        x = b.make(f"{name}.heads", "reshape", x, size=(shape[1], heads, size))
        if self.head_norm == "heads":
            x = b.make(f"{name}.normal", self.norm.kind, x, weight=False, bias=False)
            x = b.make(name, "combine", x, operation="multiply", size=(heads, size))
        else:
            x = self.norm.build(b, name, x)
        return b.make(f"{name}.joined", "reshape", x, size=shape[1:])


class Latent(Record):
    """Attention whose keys and values come from one small vector a token (DeepSeek-V2, 2024).

    What a cache keeps of a token is that vector and one rotated key for all heads. index: small
    heads choose the tokens that are attended to (DeepSeek-V3.2, 2025).
    """

    name: str = "self_attn"
    index: bool = False

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name = b.config, joined(prefix, self.name)
        width, heads = b.width(x), c.whole("num_attention_heads")
        plain, turned = c.whole("qk_nope_head_dim"), c.whole("qk_rope_head_dim")
        value, latent = c.whole("v_head_dim"), c.whole("kv_lora_rank")
        bias, small = c.flag("attention_bias"), x
        if c.get("q_lora_rank") is None:
            q = b.linear(f"{name}.q_proj", x, heads * (plain + turned), bias=False)
        else:
            small = b.linear(f"{name}.q_a_proj", x, c.whole("q_lora_rank"), bias=bias)
            small = b.make(f"{name}.q_a_layernorm", "rms_norm", small)
            q = b.linear(f"{name}.q_b_proj", small, heads * (plain + turned), bias=False)
        q = b.make(f"{name}.q_rotary", "rotary", q, size=plain + turned, turned=turned)
        both = b.linear(f"{name}.kv_a_proj_with_mqa", x, latent + turned, bias=bias)
        key = b.make(f"{name}.key", "slice", both, axis=2, start=latent, stop=latent + turned)
        key = b.make(f"{name}.k_rotary", "rotary", key, size=turned, turned=turned)
        key = b.keep(f"{name}.k_cache", key)
        key = b.make(f"{name}.key_for_all", "tile", key, times=(1, 1, heads))
        both = b.make(f"{name}.latent", "slice", both, axis=2, start=0, stop=latent)
        both = b.make(f"{name}.kv_a_layernorm", "rms_norm", both)
        both = b.keep(f"{name}.latent_cache", both)
        both = b.linear(f"{name}.kv_b_proj", both, heads * (plain + value), bias=False)
        ends = (heads * plain, heads * (plain + value))
        keys = b.make(f"{name}.keys", "slice", both, axis=2, start=0, stop=ends[0])
        v = b.make(f"{name}.values", "slice", both, axis=2, start=ends[0], stop=ends[1])
        k = b.make(f"{name}.all_keys", "concat", keys, key, axis=2)
        if self.index:
            self._index(b, f"{name}.indexer", x, small)
        y = b.make(f"{name}.attention", "attention", q, k, v, heads=heads)
        return b.linear(f"{name}.o_proj", y, width, bias=bias)

    def _index(self, b: Stack, name: str, x: str, small: str) -> str:
        """Scores of all tokens by small heads: a mask for the attention, which is counted whole."""
        c = b.config
        heads, size = c.whole("index_n_heads"), c.whole("index_head_dim")
        q = b.linear(f"{name}.wq_b", small, heads * size, bias=False)
        k = b.linear(f"{name}.wk", x, size, bias=False)
        k = b.make(f"{name}.k_norm", "layer_norm", k)
        k = b.keep(f"{name}.k_cache", k, index=True)
        share = b.linear(f"{name}.weights_proj", x, heads, bias=False)
        tokens = (b.shapes[x] or (0, 0))[1]
        q = b.make(f"{name}.heads", "reshape", q, size=(tokens, heads, size))
        scores = b.make(f"{name}.scores", "einsum", q, k, equation="bqhd,bkd->bqhk")
        return b.make(f"{name}.sum", "einsum", share, scores, equation="bqh,bqhk->bqk")


class FeedForward(Record):
    """down(act(up(x))), or with a gate down(act(gate(x)) · up(x)) (Shazeer 2020).

    gate: "" for none. fused: the name of one matrix for gate and up.
    """

    name: str = "mlp"
    up: str = "up_proj"
    down: str = "down_proj"
    gate: str = "gate_proj"
    fused: str = ""
    bias: bool | str = False
    activation: str = "hidden_act"
    hidden: str = "intermediate_size"
    times: int = 0  # hidden is so many times the width where the field is missing
    transposed: bool = False

    def build(self, b: Stack, prefix: str, x: str, count: int = 1) -> str:
        """count: so many of them side by side, stored as one."""
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        hidden = c.whole(self.hidden, self.times * width or None) if self.hidden else 0
        hidden = (hidden or self.times * width) * count
        bias = c.flag(self.bias)
        if self.fused:
            both = b.linear(f"{name}.{self.fused}", x, 2 * hidden, bias=bias)
            gate = b.make(f"{name}.gate", "slice", both, axis=2, start=0, stop=hidden)
            up = b.make(f"{name}.up", "slice", both, axis=2, start=hidden, stop=2 * hidden)
        else:
            gate = b.linear(f"{name}.{self.gate}", x, hidden, bias=bias) if self.gate else ""
            up = b.linear(f"{name}.{self.up}", x, hidden, bias=bias, transposed=self.transposed)
        y = b.activation(f"{name}.act", gate or up, self.activation)
        if gate:
            y = b.make(f"{name}.product", "multiply", y, up)
        return b.linear(f"{name}.{self.down}", y, width, bias=bias, transposed=self.transposed)


class Mixture(Record):
    """Experts, of which a router chooses some for each token; and those that all run through.

    shared: the experts that are never left out, a FeedForward, whose width is that of an expert
    times ``shared_count``, or the field of its own.
    """

    name: str = "mlp"
    router: str = "gate"
    experts: str = "experts"
    count: str = "num_experts"
    top: str = "num_experts_per_tok"
    hidden: str = "moe_intermediate_size"
    gated: bool = True
    bias: bool = False
    router_bias: bool = False
    transposed: bool = False
    shared: FeedForward | None = None
    shared_count: str = ""
    shared_gate: str = ""

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name = b.config, joined(prefix, self.name)
        count = c.whole(self.count)
        scores = b.linear(f"{name}.{self.router}", x, count, bias=self.router_bias)
        y = b.make(
            f"{name}.{self.experts}", "experts", x, scores, experts=count, top=c.whole(self.top),
            hidden=c.whole(self.hidden), gated=self.gated, bias=self.bias,
            transposed=self.transposed,
        )  # fmt: skip
        if self.shared is not None:
            count = c.whole(self.shared_count) if self.shared_count else 1
            beside = self.shared.build(b, name, x, count)
            if self.shared_gate:
                share = b.linear(f"{name}.{self.shared_gate}", x, 1, bias=False)
                share = b.make(f"{name}.{self.shared_gate}.sigmoid", "sigmoid", share)
                beside = b.make(f"{name}.shared", "multiply", beside, share)
            y = b.make(f"{name}.sum", "add", y, beside)
        return y
