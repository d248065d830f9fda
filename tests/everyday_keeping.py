"""Everyday modules that keep tensors: in caches, records, hooks, closures, or in their inputs."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import functools
import itertools
import queue
import threading
import types
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from everyday import Everyday, module_with

# --- caches that come in -------------------------------------------------------------------------


class SlottedCache:
    """Keys and values of the tokens before."""

    __slots__ = ("keys", "length", "values")

    def __init__(self, tokens: int) -> None:
        self.keys = torch.randn(1, 2, tokens, 4)
        self.values = torch.randn(1, 2, tokens, 4)
        self.length = tokens

    def extended(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.keys = torch.cat([self.keys, keys], 2)
        self.values = torch.cat([self.values, values], 2)
        self.length += keys.shape[2]
        return self.keys, self.values


def decoder() -> nn.Module:
    """One step of attention in two heads of four, with what was computed before."""

    def forward(self: Any, x: torch.Tensor, cache: SlottedCache) -> torch.Tensor:
        n = x.shape[1]
        q, k, v = (part.view(1, n, 2, 4).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        y = functional.scaled_dot_product_attention(q, *cache.extended(k, v))
        return self.out(y.transpose(1, 2).reshape(1, n, 8))

    return module_with(forward, qkv=nn.Linear(8, 24), out=nn.Linear(8, 8))


def lists_of_pairs() -> nn.Module:
    """What was before comes as a list of pairs, which the forward changes."""

    def forward(self: Any, x: torch.Tensor, past: list[Any]) -> torch.Tensor:
        for i, layer in enumerate(self.layers):
            before, steps = past[i]
            x = layer(x)
            past[i] = (torch.cat([before, x], 1), steps + 1)
        past.append("done")
        return past[-2][0]

    return module_with(forward, layers=nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)]))


# --- what the module keeps -----------------------------------------------------------------------


@dataclasses.dataclass
class Carry:
    hidden: torch.Tensor
    steps: int = 0
    log: list[Any] = dataclasses.field(default_factory=list)


class Tape(list[Any]):
    """A list with an attribute of its own."""

    total = 0


class Base:
    __slots__ = ("first",)


class Slotted(Base):
    __slots__ = ("__dict__", "second")


def recurrent_policy() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.carry.hidden = self.cell(x, self.carry.hidden)
        self.carry.steps += 1
        self.carry.log.append(self.carry.hidden)
        return self.head(self.carry.hidden)

    carry = Carry(torch.zeros(3, 4))
    return module_with(forward, cell=nn.GRUCell(5, 4), head=nn.Linear(4, 2), carry=carry)


def many_containers() -> nn.Module:
    """The same tensor in one container of each kind."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x)
        self.recent.appendleft(y)
        self.recent.rotate(1)
        self.by_name["last"].append(y)
        self.in_order["y"] = y
        self.in_order.move_to_end("first", last=False)
        if len(self.in_order) > 2:
            self.in_order.popitem()
        self.space.outer.inner = y
        self.options.y = y
        self.tape.append(y)
        self.tape.total += 1
        self.slotted.first, self.slotted.second, self.slotted.third = y, [y], {"y": y}
        self.seen |= {y.shape[0]}
        return y + self.recent[-1]

    space = types.SimpleNamespace(outer=types.SimpleNamespace(inner=None))
    return module_with(
        forward, layer=nn.Linear(6, 5), recent=collections.deque([torch.ones(3, 5)], maxlen=3),
        by_name=collections.defaultdict(list), space=space, tape=Tape(), slotted=Slotted(),
        in_order=collections.OrderedDict(second=1, first=torch.zeros(1)),
        options=argparse.Namespace(y=None), seen=set(),
    )  # fmt: skip


def functions_that_keep() -> nn.Module:
    """A closure with a count, a method of a list, a method of an object, partials of each."""
    kept: list[Any] = []
    calls = 0
    recorder = Recorder()

    def keep(y: torch.Tensor, where: list[Any] = kept) -> torch.Tensor:
        nonlocal calls
        calls += 1
        where.append(y)
        kept.append(calls)
        return y

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.keep(self.layer(x))
        self.append(y)
        self.remember("y", y)
        self.remember_as_z(y)
        self.set_last(y)
        return y

    module = module_with(
        forward, layer=nn.Linear(6, 5), keep=keep, append=[].append, remember=recorder.remember,
        remember_as_z=functools.partial(recorder.remember, "z"),
    )  # fmt: skip
    module.set_last = functools.partial(setattr, recorder, "last")
    return module


class Recorder:
    """What layers gave, by their names."""

    def __init__(self) -> None:
        self.outputs: dict[str, Any] = {}
        self.order: tuple[str, ...] = ()

    def remember(self, name: str, output: torch.Tensor) -> None:
        self.outputs[name] = output
        self.order += (name,)

    def hook(self, name: str, module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        self.remember(name, output)
        module.last_output = output


def feature_extractor() -> nn.Module:
    """The features of a frozen body, taken by hooks."""
    features: dict[str, torch.Tensor] = {}
    recorder = Recorder()

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.body(x)
        return torch.cat([self.features["0"], self.features["2"]], 1)

    body = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    module = module_with(forward, body=body, features=features)
    for name, layer in body.named_children():
        layer.register_forward_hook(functools.partial(recorder.hook, name))
        layer.register_forward_hook(lambda _, __, y, name=name: features.update({name: y}))
    body[0].register_forward_pre_hook(lambda layer, inputs: (inputs[0] * 2,))
    body.register_forward_hook(lambda *all, **named: recorder.remember("body", all), prepend=True)
    return module


def hidden_weight() -> nn.Module:
    """A weight that is masked anew in each forward, put where the parameter was."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.layer._parameters["weight"] = self.whole * (self.whole.abs() > 0.1)
        return self.layer(x)

    layer = nn.Linear(6, 5)
    return module_with(forward, layer=layer, whole=nn.Parameter(layer.weight.detach().clone()))


def growing_table() -> nn.Module:
    """Sines and cosines that are computed for the longest input so far."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        n = x.shape[1]
        if n > self.longest:
            self.longest = n
            angles = torch.outer(torch.arange(n).float(), self.rates)
            self.register_buffer("table", angles.sin(), persistent=False)
            self.cosines = angles.cos()
        return self.layer(x * self.table[:n] + x.flip(-1) * self.cosines[:n])

    module = module_with(forward, layer=nn.Linear(6, 5), longest=2)
    module.register_buffer("rates", torch.rand(6))
    module.register_buffer("table", torch.zeros(2, 6), persistent=False)
    module.cosines = torch.zeros(2, 6)
    return module


class WithProperty(nn.Module):
    """A table that is made when it is first asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 5)
        self.order = np.array([5, 4, 3, 2, 1, 0])
        self.made = 0

    @functools.cached_property
    def table(self) -> torch.Tensor:
        self.made += 1
        return torch.linspace(0, 1, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.order[:] = np.roll(self.order, 1)
        return self.layer((x + self.table)[:, self.order.tolist()])


def child_with_parent() -> nn.Module:
    """Children that write to their parent, by a weak reference and by a list of it."""

    def up(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.parent().calls += 1
        self.family[0].last = x
        return x * self.parent().gain

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.child(x))

    parent = module_with(forward, layer=nn.Linear(6, 5), calls=0, gain=nn.Parameter(torch.ones(6)))
    parent.child = module_with(up, parent=weakref.ref(parent), family=[parent])
    return parent


def with_a_queue() -> nn.Module:
    """A queue that is safe between threads, and a lock about the forward."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        with self.lock:
            y = self.layer(x)
            self.waiting.put(y)
            return self.waiting.get() + self.waiting.get()

    module = module_with(
        forward, layer=nn.Linear(6, 5), waiting=queue.Queue(), lock=threading.Lock()
    )
    for _ in range(3):
        module.waiting.put(torch.zeros(5))
    return module


def numbered_calls() -> nn.Module:
    """A count of itertools', and an array of objects."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.slots[next(self.numbers) % 2] = y = self.layer(x)
        return y

    slots = np.array([None, None], dtype=object)
    return module_with(forward, layer=nn.Linear(6, 5), numbers=itertools.count(3), slots=slots)


# --- what can't be copied, and what the whole process shares: a note says so ---------------------

LAST_OUTPUTS: list[Any] = []


def left_in_a_global() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        LAST_OUTPUTS.append(self.layer(x))
        return LAST_OUTPUTS.pop(0) if len(LAST_OUTPUTS) > 1 else LAST_OUTPUTS[0]

    LAST_OUTPUTS.clear()
    return module_with(forward, layer=nn.Linear(6, 5))


RUNNING_MEAN = torch.zeros(5)


def written_global() -> nn.Module:
    """torch writes to a tensor that only a global names: it goes to a copy."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x)
        RUNNING_MEAN.mul_(0.9).add_(y.mean(0), alpha=0.1)
        return y - RUNNING_MEAN

    RUNNING_MEAN.zero_()
    return module_with(forward, layer=nn.Linear(6, 5))


def from_a_generator() -> nn.Module:
    def scales() -> Iterator[float]:
        yield from (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) * next(self.scales)

    return module_with(forward, layer=nn.Linear(6, 5), scales=scales())


KEEPING: dict[str, Everyday] = {
    # one token of 8 to 24, one query by six keys in two heads of four, twice, and 8 to 8
    "cache with slots": Everyday(
        decoder, lambda: {"x": torch.randn(1, 1, 8), "cache": SlottedCache(5)}, 352, 288,
        ((1, 1, 8),),
    ),
    "cache by place": Everyday(
        decoder, lambda: (torch.randn(1, 1, 8), SlottedCache(5)), 352, 288, ((1, 1, 8),)
    ),
    # 2 tokens × 8 × 8 twice
    "list of pairs": Everyday(
        lists_of_pairs,
        lambda: {
            "x": torch.randn(1, 2, 8),
            "past": [(torch.randn(1, 3, 8), 3), (torch.randn(1, 3, 8), 3)],
        },
        256, 144, ((1, 5, 8),),
    ),
    # 3 × three gates of 4 × (5 + 4), and 3 × 4 × 2; 60 + 48 + 24 and 10
    "recurrent policy": Everyday(recurrent_policy, (3, 5), 348, 142, ((3, 2),)),
    "many containers": Everyday(many_containers, (3, 6), 90, 35),
    "functions that keep": Everyday(functions_that_keep, (3, 6), 90, 35),
    # 3 × 6 × 5 and 3 × 5 × 4
    "feature extractor": Everyday(feature_extractor, (3, 6), 150, 59, ((3, 9),)),
    "hidden weight": Everyday(hidden_weight, (3, 6), 90, 65),
    # 2 × 4 × 6 × 5, and no products of matrices for the angles
    "growing table": Everyday(growing_table, (2, 4, 6), 240, 35),
    "made when asked for": Everyday(WithProperty, (3, 6), 90, 35),
    "child with a parent": Everyday(child_with_parent, (3, 6), 90, 41),
    "with a queue": Everyday(with_a_queue, (3, 6), 90, 35),
    "numbered calls": Everyday(numbered_calls, (3, 6), 90, 35),
    "written global": Everyday(written_global, (3, 6), 90, 35, watched=lambda: RUNNING_MEAN),
    "left in a global": Everyday(
        left_in_a_global, (3, 6), 90, 35, note="LAST_OUTPUTS", untouched=False
    ),
    "from a generator": Everyday(
        from_a_generator, (3, 6), 90, 35, note="generator", untouched=False
    ),
}  # fmt: skip
