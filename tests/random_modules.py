"""Modules put together at random, each from its number: layers, containers, hooks, caches, writes.

Everything maps 2 rows of 8 to 2 rows of 8, so that any two fit together, and each part knows the
multiply-accumulates of one call. What a forward keeps lies in nested containers of all kinds.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import random
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from everyday import Everyday, module_with, seed

ROWS, WIDTH = 2, 8
LINEAR = ROWS * WIDTH * WIDTH
Part = tuple[nn.Module, int]
"""A module, and the multiply-accumulates of one call."""


# --- where a forward keeps things ----------------------------------------------------------------


@dataclasses.dataclass
class Record:
    last: Any = None
    count: int = 0


class Slots:
    __slots__ = ("count", "last")

    def __init__(self, last: Any = None) -> None:
        self.last, self.count = last, 0


class Stack(list[Any]):
    def push(self, value: Any) -> None:
        self.append(value)


LEAVES: tuple[Callable[[], Any], ...] = (
    list, Stack, dict, collections.OrderedDict, lambda: collections.defaultdict(list), Record,
    Slots, types.SimpleNamespace, lambda: collections.deque(maxlen=2),
    lambda: np.array([None, None], dtype=object),
)  # fmt: skip


def write(place: Any, value: Any) -> None:
    if isinstance(place, collections.deque):
        place.appendleft(value)
    elif isinstance(place, Stack):
        place.push(value)
    elif isinstance(place, list):
        place.append(value)
    elif isinstance(place, collections.defaultdict):
        place["all"].append(value)
    elif isinstance(place, collections.OrderedDict):
        place["count"] = len(place)
        place["last"] = value
        place.move_to_end("last", last=False)
    elif isinstance(place, dict):
        place["last"] = value
        place.setdefault("first", value)
    elif isinstance(place, np.ndarray):
        place[0], place[1] = place[1], value
    else:
        place.last = value
        place.count = getattr(place, "count", 0) + 1


def last_of(place: Any) -> Any:
    if isinstance(place, collections.deque):
        return place[0]
    if isinstance(place, collections.defaultdict):
        return place["all"][-1]
    if isinstance(place, (list, np.ndarray)):
        return place[-1]
    return place["last"] if isinstance(place, dict) else place.last


def nested(rng: random.Random) -> tuple[Any, Callable[[Any], Any]]:
    """A container within up to three others, and how to get to it from the outermost."""
    thing = rng.choice(LEAVES)()
    steps: list[Any] = []
    for _ in range(rng.randrange(4)):
        kind = rng.randrange(5)
        thing = (
            {"a": thing, 3: None}, [None, thing], (0, thing), Slots(thing),
            types.SimpleNamespace(last=thing),
        )[kind]  # fmt: skip
        steps.insert(0, ("a", 1, 1, "last", "last")[kind])

    def within(outer: Any) -> Any:
        for step in steps:
            by_name = step == "last"
            outer = getattr(outer, step) if by_name else outer[step]
        return outer

    return thing, within


# --- parts that are layers -----------------------------------------------------------------------


def layer(rng: random.Random) -> Part:
    narrow = rng.randrange(1, 6)
    return rng.choice(
        (
            lambda: (nn.Linear(WIDTH, WIDTH), LINEAR),
            lambda: (nn.Linear(WIDTH, WIDTH, bias=False), LINEAR),
            lambda: (nn.BatchNorm1d(WIDTH, momentum=rng.choice((0.1, None))), 0),
            lambda: (nn.LayerNorm(WIDTH), 0),
            lambda: (nn.ReLU(inplace=True), 0),
            lambda: (nn.Dropout(0.3, inplace=rng.random() < 0.3), 0),
            lambda: (
                nn.Sequential(nn.Linear(WIDTH, narrow), nn.GELU(), nn.Linear(narrow, WIDTH)),
                2 * ROWS * WIDTH * narrow,
            ),
            lambda: (nn.GRUCell(WIDTH, WIDTH), 3 * 2 * LINEAR),
            lambda: (
                module_with(convolved, kernel=nn.Parameter(torch.randn(1, 1, 3))),
                ROWS * WIDTH * 3,
            ),
            lambda: (weight_normed(), LINEAR),
        )
    )()


def convolved(self: Any, x: torch.Tensor) -> torch.Tensor:
    """By a function: sizes of two axes would be taken as one example of an nn.Conv1d."""
    return nn.functional.conv1d(x[:, None], self.kernel, padding=1)[:, 0]


def weight_normed() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Linear(WIDTH, WIDTH))


def several(rng: random.Random, depth: int) -> Part:
    parts = [part(rng, depth - 1) for _ in range(rng.randrange(1, 4))]
    modules, macs = [module for module, _ in parts], sum(macs for _, macs in parts)

    def in_order(self: Any, x: torch.Tensor) -> torch.Tensor:
        for each in self.parts.values() if hasattr(self.parts, "values") else self.parts:
            x = each(x)
        return x

    def beside(self: Any, x: torch.Tensor) -> torch.Tensor:
        return x + in_order(self, x.clone())

    kind = rng.randrange(5)
    if kind == 0:
        return nn.Sequential(*modules), macs
    held = (
        nn.ModuleList(modules),
        nn.ModuleDict({f"part {i}": each for i, each in enumerate(modules)}),
        modules,
        dict(enumerate(modules)),
    )[kind - 1]
    return module_with(rng.choice((in_order, beside)), parts=held), macs


def again(rng: random.Random, depth: int) -> Part:
    """The same part twice, or with a forward of the instance's own."""
    inner, macs = part(rng, depth - 1)
    if rng.random() < 0.5:
        return module_with(lambda self, x: self.inner(self.inner(x)), inner=inner), 2 * macs
    before = inner.forward
    inner.forward = lambda x: before(before(x).relu())
    return module_with(lambda self, x: self.inner(x), inner=inner), 2 * macs


# --- parts that keep -----------------------------------------------------------------------------


def keeping(rng: random.Random, depth: int) -> Part:
    """A part whose output is kept in a container, by the forward, a function or a method."""
    inner, macs = part(rng, depth - 1)
    outer, within = nested(rng)
    place = within(outer)
    calls = 0

    def by_attribute(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        write(within(self.kept), y)
        self.calls += 1
        return y + last_of(within(self.kept))

    def by_function(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        self.keep(y)
        return y * 2

    def closure(value: Any) -> None:
        nonlocal calls
        calls += 1
        write(place, value)

    class Keeper:
        def __init__(self) -> None:
            self.kept, self.calls = outer, 0

        def keep(self, value: Any, times: int = 1) -> None:
            self.calls += times
            write(within(self.kept), value)

    keep = rng.choice(
        (
            closure, functools.partial(write, place), Keeper().keep,
            functools.partial(Keeper().keep, times=2), [].append,
        )
    )  # fmt: skip
    if rng.random() < 0.5:
        return module_with(by_attribute, inner=inner, kept=outer, calls=0), macs
    return module_with(by_function, inner=inner, keep=keep), macs


def hooked(rng: random.Random, depth: int) -> Part:
    """A part with one to three hooks: they keep, count, and change what passes."""
    inner, macs = part(rng, depth - 1)
    outer, within = nested(rng)
    place = within(outer)
    counts: collections.Counter[str] = collections.Counter()

    def keeps(module: nn.Module, inputs: Any, output: Any) -> None:
        write(place, output)
        module.last_output = output

    def changes(module: nn.Module, inputs: Any, output: Any) -> Any:
        counts["changed"] += 1
        return output * 1.5

    def before(module: nn.Module, inputs: Any) -> Any:
        counts[type(module).__name__] += 1
        return (inputs[0] + 0.5,)

    def with_keywords(module: nn.Module, inputs: Any, keywords: Any, output: Any) -> None:
        write(place, (inputs, keywords, output))

    hooks = (
        lambda: inner.register_forward_hook(keeps),
        lambda: inner.register_forward_hook(changes, prepend=True),
        lambda: inner.register_forward_pre_hook(before),
        lambda: inner.register_forward_hook(with_keywords, with_kwargs=True),
        lambda: inner.register_forward_hook(functools.partial(keeps)),
    )
    for hook in rng.sample(hooks, rng.randrange(1, 4)):
        hook()
    return nn.Sequential(inner), macs


# --- parts that write ----------------------------------------------------------------------------


def attributes_set(self: Any, x: torch.Tensor) -> torch.Tensor:
    self.calls += 1
    self.last = x
    self.register_buffer("sums", x.sum(0))
    self.mean = self.mean * 0.5 + x.mean(0)
    self.__dict__.pop("temporary", None)
    return self.layer(x) + self.sums


def written_in_place(self: Any, x: torch.Tensor) -> torch.Tensor:
    self.mean.mul_(0.9).add_(x.detach().mean(0))
    self.plain["t"][0, :] += 1
    self.counts += [x.shape[0], 1]
    self.layer.weight.data.clamp_(-0.2, 0.2)
    return self.layer(x) - self.mean


def moving_average(self: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        for new, old in zip(self.layer.parameters(), self.other.parameters(), strict=True):
            old.lerp_(new, 0.1)
        self.other.weight.data = self.other.weight.data * 0.5
    return self.layer(x) + self.other(x)


def weight_replaced(self: Any, x: torch.Tensor) -> torch.Tensor:
    self.layer._parameters["weight"] = self.whole * self.mean
    return self.layer(x)


def random_numbers(self: Any, x: torch.Tensor) -> torch.Tensor:
    noise = torch.rand(x.shape) + torch.randn(x.shape, generator=self.of_torch)
    order = self.of_numpy.permutation(WIDTH).tolist()
    factor = self.of_python.random() + random.random() + float(np.random.rand())
    return self.layer((x + noise * factor)[:, order])


def asks_for_values(self: Any, x: torch.Tensor) -> torch.Tensor:
    self.seen.append(x.abs().sum().item())
    self.mean.add_(1)
    return self.layer(x) if self.seen[-1] >= 0 else x


def writing(rng: random.Random, depth: int) -> Part:
    forward, times = rng.choice(
        (
            (attributes_set, 1), (written_in_place, 1), (moving_average, 2), (weight_replaced, 1),
            (random_numbers, 1), (asks_for_values, 1),
        )
    )  # fmt: skip
    module = module_with(
        forward, layer=nn.Linear(WIDTH, WIDTH), other=nn.Linear(WIDTH, WIDTH), calls=0, seen=[],
        plain={"t": torch.zeros(2, 3)}, counts=np.zeros(2, dtype=np.int64), temporary=1,
        whole=nn.Parameter(torch.randn(WIDTH, WIDTH)),
        of_torch=torch.Generator().manual_seed(rng.randrange(99)),
        of_numpy=np.random.default_rng(rng.randrange(99)), of_python=random.Random(rng.random()),
    )  # fmt: skip
    module.register_buffer("mean", torch.ones(WIDTH))
    return module, times * LINEAR


def part(rng: random.Random, depth: int) -> Part:
    if depth <= 0:
        return layer(rng)
    maker = rng.choice((several, several, again, keeping, keeping, hooked, writing, writing))
    return maker(rng, depth)


# --- the whole -----------------------------------------------------------------------------------


def random_module(number: int) -> Everyday:
    """The module of this number: some take a cache beside their input, some are in training."""

    def parts() -> tuple[random.Random, list[Part]]:
        seed(number)
        rng = random.Random(number)
        return rng, [part(rng, 3) for _ in range(rng.randrange(1, 4))]

    def make() -> nn.Module:
        rng, stages = parts()
        _, within = nested(rng)

        def forward(self: Any, x: torch.Tensor, cache: Any = None) -> torch.Tensor:
            for stage in self.stages:
                x = stage(x)
                if cache is not None:
                    write(within(cache), x)
                    x = x + last_of(within(cache))
            return x

        return module_with(forward, stages=nn.ModuleList([module for module, _ in stages]))

    def inputs() -> dict[str, Any]:
        rng, _ = parts()
        return {"x": torch.randn(ROWS, WIDTH), "cache": nested(rng)[0]}

    _, stages = parts()
    return Everyday(
        make,
        inputs if number % 2 else (ROWS, WIDTH),
        sum(macs for _, macs in stages),
        sum(p.numel() for p in make().parameters()),
        ((ROWS, WIDTH),),
        mode="train" if number % 3 == 0 else "eval",
    )
