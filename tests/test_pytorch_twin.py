"""What a twin shares with the user's process, and what it has for itself; what repeats."""

from __future__ import annotations

import gc
import io
import tracemalloc
import weakref
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.utils._python_dispatch as dispatch
from torch import nn

import nettally
from nettally.formats.torch_module import calling

SIZE = (1, 8)
LINEAR = 8 * 8


def macs(module: nn.Module, size: Any = SIZE, **kwargs: Any) -> int:
    return nettally.tally(nettally.read(module, size, **kwargs)).macs


class Plain(nn.Module):
    """A linear layer, and whatever else is put into it."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        for name, part in parts.items():
            setattr(self, name, part)


# --- what owns something ------------------------------------------------------------------------


class Handle:
    """Gives up what it owns when it goes."""

    released: ClassVar[list[int]] = []

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        Handle.released.append(self.number)


class Owner(Plain):
    """It owns something, and so does what it holds; its forward asks for a value."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x)
        return y if y.sum().item() < 1e9 else x

    def __del__(self) -> None:
        Handle.released.append(self.number)


@pytest.mark.parametrize("fails", [False, True])
def test_what_owns_something_is_given_up_once(fails: bool) -> None:
    Handle.released.clear()
    module = Owner(handle=Handle(1), number=2)
    if fails:
        with pytest.raises(nettally.NettallyError):
            nettally.read(module, (1, 9))
    else:
        assert macs(module) == LINEAR
    gc.collect()
    assert Handle.released == []
    del module
    gc.collect()
    assert sorted(Handle.released) == [1, 2]


# --- one object, by two ways --------------------------------------------------------------------


class Missing:
    pass


class Steps:
    number = 1


MISSING, STEPS, FEATURES, TABLE = Missing(), Steps(), {}, np.zeros(4)


def scaled(factor: float) -> Any:
    return lambda x: x * factor


DOUBLE = scaled(2.0)


class Asks(Plain):
    """Compares what it holds with what a global names."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if self.part is self.other() else x


class AsksForMissing(Asks):
    def other(self) -> Any:
        return MISSING


class AsksForDouble(Asks):
    def other(self) -> Any:
        return DOUBLE


class Counts(Plain):
    """As often as an object says that it holds, and that the forward changes by its global name."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        STEPS.number = 3
        try:
            for _ in range(self.steps.number):
                x = self.layer(x)
        finally:
            STEPS.number = 1
        return x


class Fills(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        TABLE[:] = 1
        return self.layer(x) if self.table.sum() == 4 else x


def test_what_a_global_names_is_the_same_object_in_the_module() -> None:
    assert macs(AsksForMissing(part=MISSING)) == LINEAR
    assert macs(AsksForDouble(part=DOUBLE)) == LINEAR
    assert macs(Counts(steps=STEPS)) == 3 * LINEAR
    assert macs(Fills(table=TABLE)) == LINEAR


def with_features() -> nn.Module:
    """A hook and a forward that share a variable of the function around them."""
    features: dict[str, Any] = {}

    class Net(Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.layer(x)
            return self.second(features["first"])

    net = Net(second=nn.Linear(8, 8))
    net.layer.register_forward_hook(lambda m, i, o: features.update(first=o))
    return net


class ReadsGlobal(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.layer(x)
        return self.second(self.features["first"])


def test_a_hook_and_a_forward_share_what_they_share() -> None:
    assert macs(with_features()) == 2 * LINEAR
    module = ReadsGlobal(second=nn.Linear(8, 8), features=FEATURES)
    module.layer.register_forward_hook(lambda m, i, o: FEATURES.update(first=o))
    assert macs(module) == 2 * LINEAR


class ByNumber(Plain):
    """Knows its parts by their ids."""

    def __init__(self) -> None:
        super().__init__(second=nn.Linear(8, 8))
        self.left_out = {id(self.second)}
        self.names = {id(each): name for name, each in self.named_children()}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for each in (self.layer, self.second):
            if id(each) not in self.left_out and self.names[id(each)]:
                x = each(x)
        return x


def test_what_is_known_by_its_id_is_known_in_the_twin() -> None:
    assert macs(ByNumber()) == LINEAR


class Child(Plain):
    def __init__(self, parent: nn.Module) -> None:
        super().__init__(parent=weakref.proxy(parent))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if self.parent.deep else x


class Parent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.deep = True
        self.child = Child(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.child(x)


class Slotted(Plain):
    __slots__ = ("scale",)

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "scale", torch.ones(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) * self.scale


class Saves(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(self.layer.state_dict(), io.BytesIO())
        return self.layer(x)


class OnMeta(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.device("meta"):
            y = torch.zeros(3)
        return self.layer(x) if y.is_meta and not x.is_meta else x


@pytest.mark.parametrize("kind", [Parent, Slotted, Saves, OnMeta])
def test_everyday_modules_that_a_twin_may_spoil(kind: type[nn.Module]) -> None:
    assert macs(kind()) == LINEAR


# --- what is large ------------------------------------------------------------------------------


class Large(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.writes:
            self.table[0] = 7
        return self.layer(x) if len(self.words) and self.table[0] == self.first else x


@pytest.mark.parametrize("writes", [False, True])
def test_large_tables_are_copied_only_where_they_are_written_to(writes: bool) -> None:
    table = np.ones(2_000_000)
    words = {f"word {i}": i for i in range(1_000)}
    module = Large(table=table, words=words, writes=writes, first=7 if writes else 1)
    macs(nn.Linear(8, 8))
    tracemalloc.start()
    assert macs(module) == LINEAR
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (peak > table.nbytes) is writes
    assert table[0] == 1


# --- what an interrupt leaves -------------------------------------------------------------------


def test_an_interrupt_leaves_no_mode_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    push = dispatch._push_on_torch_dispatch_stack

    def interrupted(mode: Any) -> None:
        push(mode)
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatch, "_push_on_torch_dispatch_stack", interrupted)
    module = Owner(number=0)
    with pytest.raises(KeyboardInterrupt):
        nettally.read(module, SIZE)
    monkeypatch.undo()
    assert torch._C._len_torch_dispatch_stack() == 0
    assert torch._C._len_torch_function_stack() == 0
    assert torch.is_grad_enabled()
    assert macs(module) == LINEAR


# --- how a call was written ---------------------------------------------------------------------


class Sums(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x + x
        y = y.add(x)
        y += x
        y = torch.add(y, x)
        return total([y, x])


def total(xs: list[torch.Tensor]) -> torch.Tensor:
    return sum(xs[1:], xs[0])


def test_an_operator_is_told_from_a_method() -> None:
    nodes = nettally.read(Sums(), SIZE).nodes
    assert [node.written["call"] for node in nodes] == [
        "Tensor.__add__", "Tensor.add", "Tensor.__iadd__", "torch.add", "Tensor.__add__",
    ]  # fmt: skip


# --- what repeats -------------------------------------------------------------------------------


def nodes_of(module: nn.Module, mode: str) -> list[Any]:
    network = nettally.read(module, [(2, 5, 32)] * 1, mode=mode)
    return [
        *[(n.name, repr(n.layer), n.inputs, dict(n.shared), n.module) for n in network.nodes],
        [tuple(call) for call in network.calls],
        network.outputs,
        network.notes,
    ]


class Shared(nn.Module):
    """Two attention modules of one weight, and a third with another number of heads."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.MultiheadAttention(32, 4, batch_first=True)
        self.two = nn.MultiheadAttention(32, 4, batch_first=True)
        self.two.in_proj_weight = self.one.in_proj_weight
        self.three = nn.MultiheadAttention(32, 8, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for each in (self.one, self.two, self.three, self.one):
            x = each(x, x, x, need_weights=False)[0]
        return x


def encoder(first: bool) -> nn.Module:
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=first)
    return nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("make", [lambda: encoder(True), lambda: encoder(False), Shared])
def test_what_repeats_is_what_would_be_followed(
    monkeypatch: pytest.MonkeyPatch, make: Any, mode: str
) -> None:
    module = make()
    repeated = nodes_of(module, mode)
    monkeypatch.setattr(calling, "COMPOSITE", frozenset())
    assert nodes_of(module, mode) == repeated
