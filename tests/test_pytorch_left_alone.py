"""Reading a module leaves everything that can be reached from it as it was.

The law: after a read, the picture of the module, of its inputs, of the random numbers and of
torch's settings is the same to the bit, and the module's next forward is that of one which was
never read. It is held on everyday modules with their right numbers, on modules put together at
random, and on models of timm.
"""

from __future__ import annotations

import collections
import csv
import functools
import os
import re
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import everyday_keeping
import nettally
import torch_models
from everyday import Everyday, arguments, for_nettally, made, module_with, read, seed, tensors_in
from everyday_keeping import KEEPING
from everyday_structure import STRUCTURE
from everyday_writing import WRITING
from picture import Picture, differences, picture, random_states, settings
from random_modules import random_module

EVERYDAY = {**WRITING, **KEEPING, **STRUCTURE}
RANDOM = 200
TIMM = 60


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """One thread, so that sums have one order. What is left in the process goes afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    everyday_keeping.LAST_OUTPUTS.clear()


class Before:
    """What there is before a read. Entered about it, it fails where something changes."""

    def __init__(self, *things: Any) -> None:
        self.things = things

    def facts(self) -> list[dict[str, Any]]:
        return [picture(*self.things), random_states(), settings()]

    def __enter__(self) -> None:
        self.before = self.facts()

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if kind is None:
            after = self.facts()
            changed = [line for i in range(3) for line in differences(self.before[i], after[i])]
            assert not changed, f"{len(changed)} changed:\n" + "\n".join(changed[:8])


def forwards(module: nn.Module, inputs: Any) -> list[list[torch.Tensor]]:
    """What two forwards give, the second of which sees what the first one kept."""
    outputs: list[list[torch.Tensor]] = []
    with torch.no_grad():
        for number in (1, 2):
            seed(number)
            positional, named = arguments(inputs)
            outputs.append(tensors_in(module(*positional, **named)))
    return outputs


def bits(x: torch.Tensor) -> tuple[Any, ...]:
    return type(x), x.dtype, tuple(x.shape), x.detach().numpy().tobytes()


def assert_runs_as_if_never_read(everyday: Everyday, module: nn.Module, inputs: Any) -> None:
    """The next forwards of the module, and what they leave, against one that was never read."""
    after = forwards(module, inputs)
    state = picture(module, inputs, identity=False)
    twin, inputs_of_twin = made(everyday)
    expected = forwards(twin, inputs_of_twin)
    assert [list(map(bits, xs)) for xs in after] == [list(map(bits, xs)) for xs in expected]
    assert not differences(picture(twin, inputs_of_twin, identity=False), state)


# --- everyday modules ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERYDAY)
def test_the_numbers_are_right(name: str) -> None:
    everyday = EVERYDAY[name]
    network = read(everyday, *made(everyday))
    tally = nettally.tally(network)
    assert (tally.macs, tally.parameters) == (everyday.macs, everyday.parameters)
    assert tally.complete
    if everyday.outputs is not None:
        assert tuple(tally[name].shape for name in network.outputs) == everyday.outputs
    notes = " / ".join(network.notes)
    assert re.search(everyday.note, notes, re.IGNORECASE)
    assert not everyday.quiet or not re.search(everyday.quiet, notes, re.IGNORECASE)


@pytest.mark.parametrize("name", EVERYDAY)
def test_torch_has_the_same_numbers(name: str) -> None:
    """The tables themselves: each figure against torch's own counter, where it sees the work."""
    everyday = EVERYDAY[name]
    module, inputs = made(everyday)
    assert sum(p.numel() for p in module.parameters()) == everyday.parameters
    positional, named = arguments(inputs)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as mode:
            output = module(*positional, **named)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert (mode.get_total_flops() == 2 * everyday.macs) is everyday.by_torch
    if everyday.outputs is not None:
        assert tuple(tuple(x.shape) for x in tensors_in(output)) == everyday.outputs


@pytest.mark.parametrize("name", EVERYDAY)
def test_an_everyday_module_is_left_alone(name: str) -> None:
    everyday = EVERYDAY[name]
    module, inputs = made(everyday)
    if not everyday.untouched:  # but for what a note says
        with Before(*module.parameters()):
            read(everyday, module, inputs)
        return
    with Before(module, inputs, everyday.watched()):
        first = read(everyday, module, inputs)
        again = read(everyday, module, inputs)
        nettally.summary(module, verbose=0, **for_nettally(everyday, inputs))
    assert first.nodes == again.nodes
    assert_runs_as_if_never_read(everyday, module, inputs)


@pytest.mark.parametrize("name", [*WRITING, *KEEPING])
def test_a_forward_on_the_live_module_would_be_seen(name: str) -> None:
    """The law is not empty: each of these forwards changes something that the picture shows."""
    everyday = EVERYDAY[name]
    module, inputs = made(everyday)
    positional, named = arguments(inputs)
    before = [picture(module, inputs, everyday.watched()), random_states()]
    with torch.no_grad():
        module(*positional, **named)
    after = [picture(module, inputs, everyday.watched()), random_states()]
    assert any(differences(before[i], after[i]) for i in range(2))


# --- random modules ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(RANDOM))
def test_a_random_module_is_left_alone(number: int) -> None:
    everyday = random_module(number)
    module, inputs = made(everyday)
    with Before(module, inputs):
        network = read(everyday, module, inputs)
    tally = nettally.tally(network)
    assert (tally.macs, tally.parameters) == (everyday.macs, everyday.parameters)
    assert tuple(tally[name].shape for name in network.outputs) == everyday.outputs
    assert_runs_as_if_never_read(everyday, module, inputs)


def test_torch_has_the_same_numbers_of_random_modules() -> None:
    for number in range(RANDOM):
        everyday = random_module(number)
        module, inputs = made(everyday)
        positional, named = arguments(inputs)
        with torch.no_grad(), FlopCounterMode(display=False) as mode:
            module(*positional, **named)
        assert mode.get_total_flops() == 2 * everyday.macs, f"random module {number}"


# --- models of timm ------------------------------------------------------------------------------


def smallest_of_timm() -> list[tuple[str, tuple[int, ...]]]:
    """The model of fewest parameters of each family, with its input; the smallest first."""
    with Path(__file__).with_name("torch_truth.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "timm" and row["macs"]]
    smallest: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda row: (int(row["parameters"]), int(row["macs"]))):
        smallest.setdefault(row["family"], row)
    chosen = list(smallest.values())[:TIMM]
    return [(row["model"], tuple(map(int, row["input"].split("x")))) for row in chosen]


@pytest.mark.parametrize(("name", "size"), smallest_of_timm())
def test_a_model_of_timm_is_left_alone(name: str, size: tuple[int, ...]) -> None:
    try:
        torch_models.torchvision_ready()
        with torch_models.quiet():
            import timm  # noqa: F401 - whether it can be imported
    except ImportError:
        pytest.skip("timm is not installed")
    seed(0)
    model = torch_models.build("timm", name)
    x = torch.randn(size)
    with torch.no_grad():
        expected = model(x)
    with Before(model, x):
        first = nettally.read(model, input_data=x, mode="train")
        nettally.read(model, size)
    assert nettally.tally(first).parameters == sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        assert torch.equal(model(x), expected)


# --- modules that are no ordinary objects --------------------------------------------------------


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.LSTM(5, 4))
        kinds = {nn.Linear, nn.LSTM}
        return torch.ao.quantization.quantize_dynamic(module, kinds, torch.qint8)


def old_weight_norm() -> nn.Module:
    """Its weight is computed, and so no leaf: copy.deepcopy raises on it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = nn.utils.weight_norm(nn.Linear(6, 6))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if self.layer(x).abs().max().item() >= 0 else x

    layer(torch.ones(1, 6))
    return module_with(forward, layer=layer)


ODD: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int | None]] = {
    # 3 × 6 × 6, twice: it asks first
    "old weight norm": (old_weight_norm, (3, 6), 216),
    "quantised": (quantised, (2, 3, 6), None),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(5), nn.LazyBatchNorm1d()), (3, 6), 90),
    "on meta": (lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 2)).to("meta"), (3, 6), 120),
    "half": (lambda: nn.Linear(6, 5).bfloat16(), (3, 6), 90),
    "sparse": (
        lambda: module_with(lambda self, x: self.edges @ x, edges=torch.eye(3).to_sparse()),
        (3, 6), 18,
    ),
    "in inference mode": (
        torch.inference_mode()(lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))),
        (3, 6), 90,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_module_is_left_alone(name: str) -> None:
    make, size, macs = ODD[name]
    module = make()
    macs_read, message = None, ""
    with Before(module):
        try:
            macs_read = nettally.tally(nettally.read(module, size, mode="train")).macs
        except nettally.NettallyError as error:
            message = str(error).lower()
    assert macs is None or macs_read == macs or (name == "lazy" and "lazy" in message)
    assert name == "lazy" or not message


def test_a_compiled_module_is_read_within_and_left_alone() -> None:
    whole = torch.compile(nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)), backend="eager")
    part = nn.Sequential(whole, nn.Linear(5, 2))
    for module, macs in ((whole, 90), (part, 120)):
        with Before(module):
            assert nettally.tally(nettally.read(module, (3, 6), mode="train")).macs == macs


def test_a_class_whose_forward_was_patched_counts_what_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = nn.Linear.forward
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: before(self, before(self, x).relu()))
    module = nn.Sequential(nn.Linear(6, 6))
    with Before(module):
        assert nettally.tally(nettally.read(module, (3, 6))).macs == 216


def test_what_comes_in_twice_is_one_tensor() -> None:
    """A tensor that is input twice, and one that is a weight of the module."""

    def forward(self: Any, x: Any, y: Any, w: Any) -> torch.Tensor:
        self.same.append(x is y and w is self.layer.weight)
        x.add_(1)
        return self.layer(x) if self.same[-1] else x

    module = module_with(forward, layer=nn.Linear(6, 5), same=[])
    x = torch.randn(3, 6)
    with Before(module, x):
        network = nettally.read(module, input_data=[x, x, module.layer.weight])
    assert nettally.tally(network).macs == 90


def resident() -> int:
    """The memory that this process occupies, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured on Linux")
def test_a_module_on_meta_costs_its_structure() -> None:
    """Eighty blocks of Llama's sizes, 69 thousand million weights: less than 200 MB more."""

    def block(self: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        x = x + self.o(q * torch.cat([k + v] * 8, -1))
        return x + self.down(nn.functional.silu(self.gate(x)) * self.up(x))

    sizes = {
        "q": (8192, 8192), "k": (8192, 1024), "v": (8192, 1024), "o": (8192, 8192),
        "gate": (8192, 28672), "up": (8192, 28672), "down": (28672, 8192),
    }  # fmt: skip
    with torch.device("meta"):
        blocks = [
            module_with(
                block, **{name: nn.Linear(*size, bias=False) for name, size in sizes.items()}
            )
            for _ in range(80)
        ]
    module = nn.Sequential(*blocks)
    nettally.read(nn.Linear(2, 2), (1, 2))
    before = resident()
    tally = nettally.tally(nettally.read(module, (1, 16, 8192)))
    assert resident() - before < 200e6
    assert tally.macs == 16 * tally.parameters == 16 * 80 * sum(a * b for a, b in sizes.values())


# --- nothing live can be reached -----------------------------------------------------------------

IDENTITIES = types.ModuleType("identities")


class Everywhere(nn.Module):
    """Says by whose hands it can get to what."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)
        self.again = self.layer
        self.register_buffer("buffer", torch.zeros(6))
        self.plain = {"list": [torch.zeros(6)], "deque": collections.deque([nn.Linear(6, 6)])}
        self.space = types.SimpleNamespace(array=np.zeros(3), owner=self)
        self.method = self.plain["list"].append
        self.bound = self.layer.forward
        self.partial = functools.partial(setattr, self.space)
        hidden = [self.layer.weight]
        self.closure = lambda: hidden
        self.layer.register_forward_hook(functools.partial(lambda kept, *rest: None, hidden))

    def reached(self, x: Any) -> dict[str, Any]:
        [hook] = self.layer._forward_hooks.values()
        return {
            "module": self, "child": self.layer, "weight": self.layer.weight, "buffer": self.buffer,
            "dict": self.plain, "list": self.plain["list"], "tensor": self.plain["list"][0],
            "deque": self.plain["deque"], "module in a deque": self.plain["deque"][0],
            "namespace": self.space, "array": self.space.array, "owner": self.space.owner,
            "list of a method": self.method.__self__, "module of a method": self.bound.__self__,
            "argument of a partial": self.partial.args[0], "cell": self.closure(),
            "weight in a cell": self.closure()[0], "argument of a hook": hook.args[0],
            "input": x, "input's list": x["list"], "input's tensor": x["list"][0],
        }  # fmt: skip

    def forward(self, x: Any) -> torch.Tensor:
        reached = self.reached(x)
        vars(IDENTITIES).update({name: id(thing) for name, thing in reached.items()})
        assert reached["owner"] is self
        assert reached["list of a method"] is self.plain["list"]
        assert reached["module of a method"] is self.layer is self.again
        assert reached["weight in a cell"] is self.layer.weight
        assert reached["argument of a hook"] is reached["cell"]
        return self.layer(x["list"][0])


@pytest.mark.parametrize("mode", ["eval", "train", "same"])
def test_a_forward_reaches_nothing_that_is_live(mode: str) -> None:
    """… and what is one object in the module is one object in what stands for it."""
    module, x = Everywhere(), {"list": [torch.ones(3, 6)]}
    live = {name: id(thing) for name, thing in module.reached(x).items()}
    vars(IDENTITIES).clear()
    with Before(module, x):
        tally = nettally.tally(nettally.read(module, input_data=[x], mode=mode))
    assert tally.macs == 108
    assert set(vars(IDENTITIES)) == set(live)
    assert [name for name, identity in vars(IDENTITIES).items() if identity == live[name]] == []


# --- the picture itself --------------------------------------------------------------------------


def thing_of_all_kinds() -> Everywhere:
    module = Everywhere()
    module.random = np.random.default_rng(3)
    module.generator = torch.Generator().manual_seed(3)
    module.slots = everyday_keeping.SlottedCache(2)
    module.counter = iter([1, 2, 3])
    module.layer.weight.grad = torch.ones(6, 6)
    return module


CHANGES: dict[str, Callable[[Any], Any]] = {
    "a weight": lambda m: m.layer.weight.data.add_(1),
    "a weight's bits": lambda m: m.layer.weight.data[0, 0].mul_(1 + 1e-6),
    "a weight, written through numpy": lambda m: m.layer.weight.detach().numpy().fill(0),
    "a weight by an equal one": lambda m: m.layer.register_parameter(
        "weight", nn.Parameter(m.layer.weight.detach().clone())
    ),
    "a weight's data by equal ones": lambda m: setattr(
        m.layer.weight, "data", m.layer.weight.data.clone()
    ),
    "a write of the same": lambda m: m.buffer.add_(0),
    "a gradient": lambda m: m.layer.weight.grad.zero_(),
    "no gradient": lambda m: setattr(m.layer.weight, "grad", None),
    "a frozen weight": lambda m: m.layer.weight.requires_grad_(False),
    "an attribute of a tensor": lambda m: setattr(m.buffer, "tag", 1),
    "the mode": lambda m: m.layer.eval(),
    "a hook": lambda m: m.layer.register_forward_hook(lambda *_: None),
    "a list in a dict": lambda m: m.plain["list"].append(1),
    "an item by an equal one": lambda m: m.plain["list"].__setitem__(0, torch.zeros(6)),
    "the order of a dict": lambda m: m.plain.update(list=m.plain.pop("list")),
    "a deque": lambda m: m.plain["deque"].append(1),
    "an array": lambda m: m.space.array.__setitem__(0, 1),
    "an attribute of an object": lambda m: setattr(m.space, "new", 1),
    "a slot": lambda m: setattr(m.slots, "length", 3),
    "a generator of numpy's": lambda m: m.random.random(),
    "a generator of torch's": lambda m: torch.rand(1, generator=m.generator),
    "an iterator": lambda m: next(m.counter),
    "what a closure holds": lambda m: m.closure().append(1),
    "a forward": lambda m: setattr(m.layer, "forward", m.layer.forward),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_picture_shows(name: str) -> None:
    module = thing_of_all_kinds()
    before = picture(module)
    assert isinstance(before, Picture)
    assert not differences(before, picture(module))
    CHANGES[name](module)
    assert differences(before, picture(module))


def test_pictures_of_equal_modules_are_equal_without_identity() -> None:
    pictures: list[Picture] = []
    for _ in range(2):
        seed(0)
        pictures.append(picture(thing_of_all_kinds(), identity=False))
    assert not differences(*pictures)


def test_settings_show_a_change_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings()
    assert not differences(before, settings())
    for change in (torch.no_grad(), torch.autocast("cpu"), torch.device("meta")):
        with change:
            assert differences(before, settings())
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: x)
    assert [line.partition(" ")[0] for line in differences(before, settings())] == [
        "Linear.forward"
    ]
