"""The parts that transformers share, as data: what stands where, under which name.

A part says how its tensors are called and which settings of the configuration it goes by, and
builds its nodes. A setting is a value, or the name of the configuration's field that has it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...record import Record
from ..graph_builder import GraphBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...network import Network, Shape
    from .config import Config

ACTIVATIONS = {
    "gelu_new": "gelu", "gelu_fast": "gelu", "gelu_pytorch_tanh": "gelu", "gelu_python": "gelu",
    "quick_gelu": "gelu", "gelu": "gelu", "silu": "silu", "swish": "silu", "relu": "relu",
    "relu2": "square", "tanh": "tanh", "sigmoid": "sigmoid", "gegelu": "gelu", "geglu": "gelu",
}  # fmt: skip
"""The layers that activations are, by the names that configurations have for them."""


def joined(prefix: str, name: str) -> str:
    """The name within the prefix; one of them where the other is empty."""
    return f"{prefix}.{name}" if prefix and name else prefix or name


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
        """Append a layer under a name; the name.

        A name that a layer has already is the same module, called again: its tensors are those of
        the first.
        """
        layer = self.layer(self.config, kind, **fields)
        module = name.rpartition(".")[0]
        if name in self.shapes:
            xs = tuple(self.shape(each) for each in inputs)
            shared = {each: f"{name}.{each}" for each in layer.parameters(xs)} | (shared or {})
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

    def network(self, *, name: str = "", **facts: Any) -> Network:
        """The network; ``config.json`` says no name, so that it is called as its folder is."""
        folder, file = os.path.split(os.path.abspath(self.file))
        if file == "config.json":
            name = name or os.path.basename(folder)
        return super().network(name=name, **facts)

    def linear(
        self, name: str, x: str, features: int, *, bias: bool, transposed: bool = False
    ) -> str:
        fields = {"transposed": True} if transposed else {}
        return self.make(name, "linear", x, features=features, bias=bias, axis=-1, **fields)

    def keep(self, name: str, x: str, **fields: Any) -> str:
        """Keys or values, and those that are kept of the tokens before."""
        return x if self.span is None else self.make(name, "cache", x, span=self.span, **fields)

    def shape(self, name: str) -> Shape:
        """A node's sizes, all of which follow from the configuration."""
        shape = self.shapes[name]
        assert shape is not None, "all sizes follow from the configuration"
        return shape

    def width(self, name: str) -> int:
        """The size of a node's last axis."""
        return self.shape(name)[-1]

    def parted(self, name: str, x: str, sizes: Mapping[str, int]) -> list[str]:
        """Parts of the last axis one behind the other, each a node under the name."""
        start, parts = 0, list[str]()
        for part, size in sizes.items():
            stop = start + size
            parts.append(self.make(f"{name}.{part}", "slice", x, axis=2, start=start, stop=stop))
            start = stop
        return parts

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


class Part(Record):
    """What a block is made of: attention, another mixer of tokens, a feed-forward network."""

    def build(self, b: Stack, prefix: str, x: str) -> str:
        """Append the part's nodes under a prefix, behind x; the last one's name."""
        raise NotImplementedError


class Both(Part):
    """Parts that read the same, and whose outputs are summed."""

    parts: tuple[Part, ...] = ()

    def build(self, b: Stack, prefix: str, x: str) -> str:
        outputs = [part.build(b, prefix, x) for part in self.parts]
        return outputs[0] if len(outputs) == 1 else b.make(f"{prefix}.parts", "add", *outputs)


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


class Attention(Part):
    """Attention of each token to all, with grouped heads (Ainslie et al. 2023).

    query, key, value, output: their names within ``name``; fused: the name of one matrix for the
    first three. bias: of those, output_bias: of the last. head_norm: queries and keys are
    normalised, each head's ("head", or "heads" with weights of its own) or all together ("all"),
    under the names in norms. size, value_size: the fields that have a head's, of queries and keys
    and of values. gated: queries come with a gate for what the heads put out.
    rotary: the share of a head's values that are turned is the field's, or all; "" for none.
    key_bias: where it is not as ``bias`` says.
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
    size: str = "head_dim"
    value_size: str = ""
    gated: bool = False
    rotary: bool = True
    transposed: bool = False
    sinks: bool = False
    key_bias: bool | str | None = None

    def build(self, b: Stack, prefix: str, x: str, memory: str = "", mask: str = "") -> str:
        """memory: what keys and values are made of, where it is not x. mask: a node's."""
        c, name = b.config, joined(prefix, self.name)
        width, heads = b.width(x), c.whole(self.heads)
        groups = self.groups if isinstance(self.groups, int) else c.whole(self.groups, heads)
        if heads % groups:
            raise c.error(
                "the heads of keys and values do not divide those of queries",
                values=f"{heads} heads, {groups} of keys and values",
            )
        size = self._size(c, width, heads)
        values = c.whole(self.value_size, size) if self.value_size else size
        q, gate, k, v = self._projected(
            b, name, x, memory or x, heads * size, groups * size, groups * values
        )
        if self.head_norm:
            q = self._normal(b, f"{name}.{self.norms[0]}", q, heads, size)
            k = self._normal(b, f"{name}.{self.norms[1]}", k, groups, size)
        if self.rotary:
            share = c.number("partial_rotary_factor", c.number("rotary_pct", 1.0))
            turned = int(size * share)
            q = b.make(f"{name}.q_rotary", "rotary", q, size=size, turned=turned)
            k = b.make(f"{name}.k_rotary", "rotary", k, size=size, turned=turned)
        k, v = b.keep(f"{name}.k_cache", k), b.keep(f"{name}.v_cache", v)
        fields = {"sinks": True} if self.sinks else {}
        x = b.make(
            name if self.sinks else f"{name}.attention", "attention", q, k, v,
            *([mask] if mask else []), heads=heads, key_heads=groups, **fields,
        )  # fmt: skip
        if gate:
            gate = b.make(f"{name}.gate_sigmoid", "sigmoid", gate)
            x = b.make(f"{name}.product", "multiply", x, gate)
        return b.linear(
            f"{name}.{self.output}", x, width, bias=c.flag(self.output_bias),
            transposed=self.transposed,
        )  # fmt: skip

    def _size(self, c: Config, width: int, heads: int) -> int:
        """Of a head's queries and keys; where no field has it, the heads share the width out."""
        if c.get(self.size) is not None:
            return c.whole(self.size)
        if width % heads:
            raise c.error(
                "the heads do not divide the width",
                values=f"hidden_size {width:,}, {heads} heads",
                hint=f"{round(width / heads) * heads:,} would be {heads} heads of "
                f"{round(width / heads)}",
            )
        return width // heads

    def _projected(
        self, b: Stack, name: str, x: str, memory: str, queries: int, keys: int, values: int
    ) -> list[str]:
        """Queries, their gate or "", keys and values."""
        bias = b.config.flag(self.bias)
        if not self.fused:
            q = b.linear(f"{name}.{self.query}", x, queries * (2 if self.gated else 1), bias=bias)
            key_bias = bias if self.key_bias is None else b.config.flag(self.key_bias)
            k = b.linear(f"{name}.{self.key}", memory, keys, bias=key_bias)
            v = b.linear(f"{name}.{self.value}", memory, values, bias=bias)
            if not self.gated:
                return [q, "", k, v]
            return [*b.parted(name, q, {"query": queries, "gate": queries}), k, v]
        x = b.linear(
            f"{name}.{self.fused}", x, queries + keys + values, bias=bias,
            transposed=self.transposed,
        )  # fmt: skip
        q, k, v = b.parted(name, x, {"query": queries, "key": keys, "value": values})
        return [q, "", k, v]

    def _normal(self, b: Stack, name: str, x: str, heads: int, size: int) -> str:
        if self.head_norm == "all":
            return self.norm.build(b, name, x)
        shape = b.shape(x)
        x = b.make(f"{name}.heads", "reshape", x, size=(shape[1], heads, size))
        if self.head_norm == "heads":
            x = b.make(f"{name}.normal", self.norm.kind, x, weight=False, bias=False)
            x = b.make(name, "combine", x, operation="multiply", size=(heads, size))
        else:
            x = self.norm.build(b, name, x)
        return b.make(f"{name}.joined", "reshape", x, size=shape[1:])


class FeedForward(Part):
    """down(act(up(x))), or with a gate down(act(gate(x)) · up(x)) (Shazeer 2020).

    gate: "" for none. fused: the name of one matrix for gate and up, the gate's half first.
    """

    name: str = "mlp"
    up: str = "up_proj"
    down: str = "down_proj"
    gate: str = "gate_proj"
    fused: str = ""
    bias: bool | str = False
    activation: str = "hidden_act"
    hidden: int | str = "intermediate_size"
    times: int = 0  # hidden is so many times the width where the field is missing
    transposed: bool = False

    def build(self, b: Stack, prefix: str, x: str, count: int = 1) -> str:
        """count: so many of them side by side, stored as one."""
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        hidden: Any = self.hidden or self.times * width
        if isinstance(hidden, str):
            hidden = c.whole(hidden, self.times * width or None)
        hidden *= count
        bias = c.flag(self.bias)
        if self.fused:
            both = b.linear(f"{name}.{self.fused}", x, 2 * hidden, bias=bias)
            gate, up = b.parted(name, both, {"gate": hidden, "up": hidden})
        else:
            gate = b.linear(f"{name}.{self.gate}", x, hidden, bias=bias) if self.gate else ""
            up = b.linear(f"{name}.{self.up}", x, hidden, bias=bias, transposed=self.transposed)
        y = b.activation(f"{name}.act", gate or up, self.activation)
        if gate:
            y = b.make(f"{name}.product", "multiply", y, up)
        return b.linear(f"{name}.{self.down}", y, width, bias=bias, transposed=self.transposed)


class Mixture(Part):
    """Experts, of which a router chooses some for each token; and those that all run through.

    shared: the experts that are never left out, a FeedForward, whose width is that of an expert
    times ``shared_count``, or the field of its own. latent: the field that has the width of what
    the experts read and put out, with a matrix before and behind them, where it is there.
    correction: a learned bias that only decides who is chosen: its module and its name.
    separate: each expert has tensors of its own.
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
    latent: str = ""
    stacked: bool = False
    correction: tuple[str, str] | None = None
    function: str = "silu"
    separate: bool = False

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name = b.config, joined(prefix, self.name)
        count = c.whole(self.count)
        scores = b.linear(f"{name}.{self.router}", x, count, bias=self.router_bias)
        if self.correction:
            module, tensor = self.correction
            scores = b.make(f"{name}.{module}", "combine", scores, size=(1, count), tensor=tensor)
        latent = bool(self.latent) and c.get(self.latent) is not None
        y = x
        if latent:
            y = b.linear(
                f"{name}.fc1_latent_proj", y, c.whole(self.latent), bias=c.flag("mlp_bias")
            )
        y = b.make(
            f"{name}.{self.experts}", "experts", y, scores, experts=count, top=c.whole(self.top),
            hidden=c.whole(self.hidden), gated=self.gated, bias=self.bias,
            transposed=self.transposed, function=self.function, stacked=self.stacked,
            separate=self.separate,
        )  # fmt: skip
        if latent:
            y = b.linear(f"{name}.fc2_latent_proj", y, b.width(x), bias=c.flag("mlp_bias"))
        count = 1
        if self.shared is not None and self.shared_count:
            count = c.whole(self.shared_count, 0, 0)
        if self.shared is not None and count:
            beside = self.shared.build(b, name, x, count)
            if self.shared_gate:
                share = b.linear(f"{name}.{self.shared_gate}", x, 1, bias=False)
                share = b.make(f"{name}.{self.shared_gate}.sigmoid", "sigmoid", share)
                beside = b.make(f"{name}.shared", "multiply", beside, share)
            y = b.make(f"{name}.sum", "add", y, beside)
        return y
