"""Layers that carry a state from token to token: state spaces, and the gated delta rule.

What they learn themselves is a few numbers a channel or a head; the projections around them and the
convolution before them are layers of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import ceildiv, product
from ..errors import LayerError
from ..network import Layer, Shape, Window, Work, check_size
from .fields import by_axis
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


def _agree(kind: str, xs: tuple[Shape, ...], expected: tuple[Shape, ...]) -> None:
    """Whether the inputs have these sizes. Raises LayerError."""
    if xs != expected:
        raise LayerError(
            f"the inputs of '{kind}' do not fit each other",
            values=f"{', '.join(map(by_axis, xs))}; expected {', '.join(map(by_axis, expected))}",
        )


def _sequence(kind: str, x: Shape) -> Shape:
    if len(x) != 3:
        raise LayerError(f"'{kind}' reads (batch, places, channels)", values=by_axis(x))
    return x


@layer("selective_scan")
class SelectiveScan(Layer):
    """A state space whose step and projections each token chooses (Mamba: Gu and Dao 2023).

    Inputs: values and steps, each (batch, places, channels); what writes to the state and what
    reads from it, each (batch, places, state). Each channel has a state of so many values:
    h = exp(-exp(A_log)·Δ)·h + Δ·write·x, y = read·h + D·x, with Δ = softplus(step).
    Its multiply-accumulates are those of read·h, as torch's counter has them; the state is moved on
    value by value.
    """

    arity = 4
    weighted = True
    positional = ("state",)

    state: int = 16

    def __post_init__(self) -> None:
        check_size("state", self.state)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = _sequence("selective_scan", xs[0])
        inner = (*x[:2], self.state)
        _agree("selective_scan", xs, (x, x, inner, inner))
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        channels = xs[0][2]
        return {"A_log": (channels, self.state), "D": (channels,)}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(product(y) * self.state)

    def cache_size(self, xs: tuple[Shape, ...], context: int) -> int:
        return xs[0][0] * xs[0][2] * self.state

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("state_space")
class StateSpace(Layer):
    """A state space with one decay a head, worked out in chunks (Mamba-2: Dao and Gu 2024).

    Inputs: values (batch, places, channels), which the heads share out; steps (batch, places,
    heads); what writes to the state and what reads from it, each (batch, places, groups · state).
    Each head has a state of (channels / heads) · state values:
    h = exp(-exp(A_log)·Δ)·h + Δ·x·write, y = h·read + D·x, with Δ = softplus(step + dt_bias).
    Places are padded to whole chunks. Multiply-accumulates are those of the five products of
    section 6: scores within a chunk, their product with the values, each chunk's state, the states
    at the chunks' starts, and what is read from these.
    """

    arity = 4
    weighted = True
    positional = ("heads", "state")

    heads: int = 1
    state: int = 128
    groups: int = 1
    chunk: int = 256

    def __post_init__(self) -> None:
        for name in ("heads", "state", "groups", "chunk"):
            check_size(name, getattr(self, name))
        if int(self.heads) % int(self.groups):
            raise LayerError(
                "the groups do not divide the heads",
                values=f"{self.heads} heads, {self.groups} groups",
            )

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = _sequence("state_space", xs[0])
        if int(x[2]) % int(self.heads):
            raise LayerError(
                "the heads do not divide the channels",
                values=f"{by_axis(x)}, heads {self.heads}",
            )
        inner = (*x[:2], self.groups * self.state)
        _agree("state_space", xs, (x, (*x[:2], self.heads), inner, inner))
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"dt_bias": (self.heads,), "A_log": (self.heads,), "D": (self.heads,)}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        batch, places, channels = y
        chunks = ceildiv(places, self.chunk)
        padded = batch * chunks * self.chunk
        all_states = self.heads * self.state
        within = padded * self.chunk * (all_states + channels)
        states = channels * self.state
        between = batch * (chunks + 1) * (chunks + 1) * states
        return Work(within + 2 * padded * states + between, batch * places * self.heads)

    def cache_size(self, xs: tuple[Shape, ...], context: int) -> int:
        return xs[0][0] * xs[0][2] * self.state

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("delta_rule")
class DeltaRule(Layer):
    """Linear attention whose state forgets and corrects itself (Yang et al. 2024), in chunks.

    Inputs: queries and keys, each (batch, places, key_heads · size), values (batch, places,
    channels), and for each of ``heads`` the rate of writing and of forgetting, (batch, places,
    heads) each. A head's state S has size · (channels / heads) values:
    S = exp(-exp(A_log)·softplus(forget + dt_bias))·S, then S = S + sigmoid(write)·k·(v - kᵀS), and
    y = qᵀS, with q and k of length 1, q divided by √size.
    Places are padded to whole chunks. Multiply-accumulates are those of the products of matrices:
    two of keys and queries with keys, three with the state, one with the values. The triangular
    system of each chunk is solved by substitution, which torch's counter does not count.
    """

    arity = 5
    weighted = True
    positional = ("heads", "size")

    heads: int = 1
    size: int = 128
    key_heads: int = 0
    chunk: int = 64

    def __post_init__(self) -> None:
        for name in ("heads", "size", "chunk"):
            check_size(name, getattr(self, name))
        check_size("key_heads", self.key_heads, 0)
        if self.key_heads and int(self.heads) % int(self.key_heads):
            raise LayerError(
                "the heads of keys do not divide those of values",
                values=f"{self.heads} heads, {self.key_heads} of keys",
            )

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = _sequence("delta_rule", xs[2])
        if int(x[2]) % int(self.heads):
            raise LayerError(
                "the heads do not divide the channels",
                values=f"{by_axis(x)}, heads {self.heads}",
            )
        keys = (*x[:2], (self.key_heads or self.heads) * self.size)
        rates = (*x[:2], self.heads)
        _agree("delta_rule", xs, (keys, keys, x, rates, rates))
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"dt_bias": (self.heads,), "A_log": (self.heads,)}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        batch, places, channels = y
        padded = batch * ceildiv(places, self.chunk) * self.chunk
        keys = self.heads * self.size
        macs = padded * (self.chunk * (2 * keys + channels) + 3 * self.size * channels)
        return Work(macs, batch * places * self.heads)

    def cache_size(self, xs: tuple[Shape, ...], context: int) -> int:
        return xs[2][0] * xs[2][2] * self.size

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("wkv")
class Wkv(Layer):
    """A mean of the values so far that decays, weighted by keys (RWKV-4: Peng et al. 2023).

    Inputs: keys and values, each (batch, places, channels). Each channel remembers the sum of
    e^k·v, of e^k, and the greatest k: a place's output is the first with e^(time_first + k)·v of
    its own, over the second with e^(time_first + k); both decay by exp(-exp(time_decay)) a place.
    It is worked out value by value: no multiply-accumulates are those of a product of matrices.
    """

    arity = 2

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = _sequence("wkv", xs[0])
        _agree("wkv", xs, (x, x))
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"time_decay": (xs[0][2],), "time_first": (xs[0][2],)}

    def cache_size(self, xs: tuple[Shape, ...], context: int) -> int:
        return 3 * xs[0][0] * xs[0][2]

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None
