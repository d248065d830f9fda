"""RWKV-4: two mixers that each read a token and the one before it (Peng et al. 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .decoder import Decoder
from .parts import Norm, Part, joined

if TYPE_CHECKING:
    from .parts import Stack


def shifted(b: Stack, name: str, x: str) -> tuple[str, str]:
    """The sequence one place later, and what is new in each place: its difference from that."""
    _, places, channels = b.shape(x)
    before = b.make(f"{name}.before", "reshape", x, size=(1, places, channels))
    before = b.make(f"{name}.shift", "pad", before, padding=((1, 0), (0, 0)))
    before = b.make(f"{name}.last", "slice", before, axis=2, start=0, stop=places)
    before = b.make(f"{name}.shifted", "reshape", before, size=(places, channels))
    return before, b.make(f"{name}.new", "subtract", x, before)


def mixed(b: Stack, name: str, part: str, before: str, new: str) -> str:
    """The token before and a learned share of what is new, a channel."""
    y = b.make(
        f"{name}.mix_{part}", "combine", new, operation="multiply", size=(1, 1, b.width(new)),
        tensor=f"time_mix_{part}",
    )  # fmt: skip
    return b.make(f"{name}.{part}_input", "add", before, y)


class TimeMix(Part):
    """A mean of the values so far that decays, behind a gate."""

    name: str = "attention"

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        inner = c.whole("attention_hidden_size", width)
        before, new = shifted(b, name, x)
        k, v, gate = (
            b.linear(f"{name}.{part}", mixed(b, name, part, before, new), inner, bias=False)
            for part in ("key", "value", "receptance")
        )
        y = b.make(name, "wkv", k, v)
        gate = b.make(f"{name}.sigmoid", "sigmoid", gate)
        y = b.make(f"{name}.product", "multiply", gate, y)
        return b.linear(f"{name}.output", y, width, bias=False)


class ChannelMix(Part):
    """value(relu(key)²), behind a gate."""

    name: str = "feed_forward"

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        before, new = shifted(b, name, x)
        hidden = c.whole("intermediate_size", 4 * width)
        y = b.linear(f"{name}.key", mixed(b, name, "key", before, new), hidden, bias=False)
        y = b.activation(f"{name}.act", y, "relu2")
        y = b.linear(f"{name}.value", y, width, bias=False)
        gate = mixed(b, name, "receptance", before, new)
        gate = b.linear(f"{name}.receptance", gate, width, bias=False)
        gate = b.make(f"{name}.sigmoid", "sigmoid", gate)
        return b.make(f"{name}.product", "multiply", gate, y)


RWKV = Decoder(
    embedding="rwkv.embeddings", embedding_norm="rwkv.blocks.0.pre_ln", layers="rwkv.blocks",
    norm=Norm("layer_norm"), before_attention="ln1", before_feed="ln2", attention=TimeMix(),
    feed=ChannelMix(), last_norm="rwkv.ln_out", head="head",
)  # fmt: skip
