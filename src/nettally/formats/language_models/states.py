"""Mixers that carry a state: Mamba's two generations, and the gated delta rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import Part, joined

if TYPE_CHECKING:
    from .config import Config
    from .parts import Stack


def convolved(
    b: Stack, name: str, x: str, kernel: int, *, bias: bool, activated: bool = True
) -> str:
    """Each channel's last few places, weighted: a causal convolution, then SiLU where activated.

    Both ends are padded, and what is behind the last place is cut off, as transformers has it.
    """
    _, places, channels = b.shape(x)
    y = b.make(f"{name}.channels", "permute", x, order=(0, 2, 1))
    y = b.make(
        name, "conv", y, filters=channels, kernel=(kernel,), padding=(kernel - 1,),
        groups=channels, bias=bias,
    )  # fmt: skip
    y = b.make(f"{name}.causal", "slice", y, axis=2, start=0, stop=places)
    y = b.make(f"{name}.places", "permute", y, order=(0, 2, 1))
    return b.make(f"{name}.act", "silu", y) if activated else y


def step_rank(c: Config, name: str, width: int) -> int:
    """How many values a token's steps come from: "auto" is a sixteenth of the width."""
    return -(-width // 16) if c.get(name, "auto") == "auto" else c.whole(name)


class Mamba(Part):
    """A selective state space between two projections, with a gate (Gu and Dao 2023, section 3.4).

    norms: the steps and the state's projections are normalised, each, with weights of its own
    (Jamba).
    The others are the names of the configuration's fields.
    """

    name: str = "mixer"
    norms: bool = False
    expand: str = "expand"
    state: str = "state_size"
    kernel: str = "conv_kernel"
    rank: str = "time_step_rank"
    bias: str = "use_bias"
    conv_bias: str = "use_conv_bias"

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        inner = width * c.whole(self.expand, 2)
        state, rank = c.whole(self.state, 16), step_rank(c, self.rank, width)
        bias = c.flag(self.bias)
        both = b.linear(f"{name}.in_proj", x, 2 * inner, bias=bias)
        y, gate = b.parted(name, both, {"values": inner, "gate": inner})
        kernel = c.whole(self.kernel, 4)
        y = convolved(b, f"{name}.conv1d", y, kernel, bias=c.flag(self.conv_bias, True))
        chosen = b.linear(f"{name}.x_proj", y, rank + 2 * state, bias=False)
        step, write, read = b.parted(name, chosen, {"step": rank, "write": state, "read": state})
        if self.norms:
            step = b.make(f"{name}.dt_layernorm", "rms_norm", step)
            write = b.make(f"{name}.b_layernorm", "rms_norm", write)
            read = b.make(f"{name}.c_layernorm", "rms_norm", read)
        step = b.linear(f"{name}.dt_proj", step, inner, bias=True)
        y = b.make(name, "selective_scan", y, step, write, read, state=state)
        gate = b.make(f"{name}.act", "silu", gate)
        y = b.make(f"{name}.product", "multiply", y, gate)
        return b.linear(f"{name}.out_proj", y, width, bias=bias)


class Mamba2(Part):
    """A state space with one decay a head, its gate before a normalisation (Dao and Gu 2024).

    heads, size: the fields of their number and of each one's values, which share the inner width
    out where the field is missing. output_bias: the field, where it is another than ``bias``.
    """

    name: str = "mixer"
    heads: str = "num_heads"
    size: str = "head_dim"
    groups: str = "n_groups"
    state: str = "state_size"
    kernel: str = "conv_kernel"
    chunk: str = "chunk_size"
    bias: str = "use_bias"
    conv_bias: str = "use_conv_bias"
    output_bias: str = ""
    norm: bool = True

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        heads, size = c.whole(self.heads), c.get(self.size, "auto")
        inner = heads * (c.whole(self.size) if size != "auto" else self._share(c, width, heads))
        groups, state = c.whole(self.groups, 1), c.whole(self.state, 128)
        wide, bias = inner + 2 * groups * state, c.flag(self.bias)
        both = b.linear(f"{name}.in_proj", x, inner + wide + heads, bias=bias)
        gate, y, step = b.parted(name, both, {"gate": inner, "all": wide, "step": heads})
        kernel = c.whole(self.kernel, 4)
        y = convolved(b, f"{name}.conv1d", y, kernel, bias=c.flag(self.conv_bias, True))
        sizes = {"values": inner, "write": groups * state, "read": groups * state}
        y, write, read = b.parted(name, y, sizes)
        y = b.make(
            name, "state_space", y, step, write, read, heads=heads, state=state, groups=groups,
            chunk=c.whole(self.chunk, 256),
        )  # fmt: skip
        gate = b.make(f"{name}.act", "silu", gate)
        y = b.make(f"{name}.product", "multiply", y, gate)
        if self.norm:
            y = b.make(f"{name}.norm", "rms_norm", y)
        bias = c.flag(self.output_bias or self.bias)
        return b.linear(f"{name}.out_proj", y, width, bias=bias)

    def _share(self, c: Config, width: int, heads: int) -> int:
        """A head's values where they share twice the width out."""
        inner = c.whole("mamba_d_ssm", width * c.whole("mamba_expand", c.whole("expand", 2)))
        if inner % heads:
            raise c.error(
                "the heads do not divide the inner width",
                values=f"{self.heads} {heads}, inner width {inner:,}",
            )
        return inner // heads


class ShortConv(Part):
    """A causal convolution of each channel, gated before and behind (LFM2, 2025)."""

    name: str = "conv"

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        bias = c.flag("conv_bias")
        both = b.linear(f"{name}.in_proj", x, 3 * width, bias=bias)
        before, behind, y = b.parted(
            name, both, {"before": width, "behind": width, "values": width}
        )
        y = b.make(f"{name}.input", "multiply", before, y)
        kernel = c.whole("conv_L_cache", 3)
        y = convolved(b, f"{name}.conv", y, kernel, bias=bias, activated=False)
        y = b.make(f"{name}.product", "multiply", behind, y)
        return b.linear(f"{name}.out_proj", y, width, bias=bias)


class DeltaNet(Part):
    """Gated delta rule between projections (Yang et al. 2024), as Qwen3-Next has it.

    joint: queries, keys, values and the gate come from one matrix, and both rates from another;
    else the gate and each rate have a matrix of their own.
    """

    name: str = "linear_attn"
    joint: bool = False

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        heads, key_heads = c.whole("linear_num_value_heads"), c.whole("linear_num_key_heads")
        size, values = c.whole("linear_key_head_dim"), c.whole("linear_value_head_dim")
        keys, inner = key_heads * size, heads * values
        if self.joint:
            both = b.linear(f"{name}.in_proj_qkvz", x, 2 * keys + 2 * inner, bias=False)
            rates = b.linear(f"{name}.in_proj_ba", x, 2 * heads, bias=False)
            y, gate = b.parted(name, both, {"all": 2 * keys + inner, "gate": inner})
            write, forget = b.parted(name, rates, {"write": heads, "forget": heads})
        else:
            y = b.linear(f"{name}.in_proj_qkv", x, 2 * keys + inner, bias=False)
            gate = b.linear(f"{name}.in_proj_z", x, inner, bias=False)
            write = b.linear(f"{name}.in_proj_b", x, heads, bias=False)
            forget = b.linear(f"{name}.in_proj_a", x, heads, bias=False)
        y = convolved(b, f"{name}.conv1d", y, c.whole("linear_conv_kernel_dim", 4), bias=False)
        q, k, v = b.parted(name, y, {"query": keys, "key": keys, "value": inner})
        y = b.make(
            name, "delta_rule", q, k, v, write, forget, heads=heads, size=size, key_heads=key_heads
        )
        places = b.shape(x)[1]
        y = b.make(f"{name}.heads", "reshape", y, size=(places, heads, values))
        y = b.make(f"{name}.norm", "rms_norm", y)
        y = b.make(f"{name}.joined", "reshape", y, size=(places, inner))
        gate = b.make(f"{name}.act", "silu", gate)
        y = b.make(f"{name}.product", "multiply", y, gate)
        return b.linear(f"{name}.out_proj", y, width, bias=False)
