"""Everyday modules whose layers are not what they look like.

Forwards that were replaced, layers that no module lists, layers and weights made in the forward,
and branches that go by what a tensor is.
"""

from __future__ import annotations

import collections
import copy
import functools
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from everyday import Everyday, module_with

# --- a forward that was replaced ----------------------------------------------------------------


class LowRank(nn.Module):
    """A sum of low rank beside a linear layer, whose forward it takes over."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.a = nn.Linear(layer.in_features, rank, bias=False)
        self.b = nn.Linear(rank, layer.out_features, bias=False)
        self.original = layer.forward
        layer.forward = self.forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.original(x) + self.b(self.a(x))


def with_low_rank() -> nn.Module:
    body = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    body.extra = nn.ModuleList([LowRank(body[0], 2), LowRank(body[2], 1)])
    body.forward = lambda x: body[2](body[1](body[0](x)))
    return body


def moved_between_devices() -> nn.Module:
    """Inputs are moved to the device of each layer: a partial calls the old forward."""

    def new_forward(module: nn.Module, *args: Any, **kwargs: Any) -> torch.Tensor:
        args = tuple(x.to(module.weight.device) for x in args)
        return module.old_forward(*args, **kwargs) * 1.0

    module = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    for layer in module:
        layer.old_forward = layer.forward
        layer.forward = functools.update_wrapper(
            functools.partial(new_forward, layer), layer.old_forward
        )
    return module


def twice_by_method() -> nn.Module:
    def twice(self: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        return nn.Conv2d.forward(self, nn.Conv2d.forward(self, x).relu())

    convolution = nn.Conv2d(3, 3, 3, padding=1)
    convolution.forward = types.MethodType(twice, convolution)
    return nn.Sequential(convolution)


def another_layers_forward() -> nn.Module:
    module = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6, bias=False))
    module[1].forward = module[0].forward
    return module


class CalledTwice(nn.Linear):
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return super().__call__(super().__call__(x))


def class_of_the_instance() -> nn.Module:
    module = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    module[1].__class__ = nn.Identity
    module[0].__class__ = CalledTwice
    return module


def replaced_by_itself() -> nn.Module:
    """The first call prepares, and puts another forward in its own place."""

    def fast(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.b(x)

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.forward = types.MethodType(fast, self)
        return self.b(self.a(x))

    return module_with(forward, a=nn.Linear(6, 6), b=nn.Linear(6, 6))


# --- layers that no module lists -----------------------------------------------------------------


class Holder:
    """Not a module, and yet it has layers."""

    __slots__ = ("layers",)

    def __init__(self, *layers: nn.Module) -> None:
        self.layers = layers

    def run(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


SHARED = nn.Linear(5, 3)


class OfTheClass(nn.Module):
    head = nn.Linear(5, 3)

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def within(attach: Callable[[nn.Module, nn.Linear], Callable[[Any], Any]]) -> nn.Module:
    """A listed layer of 6 to 5, and one of 5 to 3 where attach puts it; it says how to get it."""
    module = module_with(lambda self, x: call(self)(self.body(x)), body=nn.Linear(6, 5))
    call = attach(module, nn.Linear(5, 3))
    return module


def as_value(module: nn.Module, name: str, value: Any) -> None:
    setattr(module, name, value)


def in_a_dict(module: nn.Module, head: nn.Linear) -> Callable[[Any], Any]:
    as_value(module, "heads", {"a": [head]})
    return lambda self: self.heads["a"][0]


def in_an_object(module: nn.Module, head: nn.Linear) -> Callable[[Any], Any]:
    as_value(module, "holder", Holder(head, nn.ReLU()))
    return lambda self: self.holder.run


def in_a_deque(module: nn.Module, head: nn.Linear) -> Callable[[Any], Any]:
    as_value(module, "heads", collections.deque([head]))
    return lambda self: self.heads[0]


def in_a_partial(module: nn.Module, head: nn.Linear) -> Callable[[Any], Any]:
    as_value(module, "run", functools.partial(lambda layer, x: layer(x), head))
    return lambda self: self.run


def in_a_default(module: nn.Module, head: nn.Linear) -> Callable[[Any], Any]:
    as_value(module, "run", lambda x, layer=head: layer(x))
    return lambda self: self.run


def in_its_dict(module: nn.Module, head: nn.Linear) -> Callable[[Any], Any]:
    module.__dict__["head"] = head
    return lambda self: self.head


def in_a_cell(module: nn.Module, head: nn.Linear) -> Callable[[Any], Any]:
    return lambda self: head


def in_a_global(module: nn.Module, head: nn.Linear) -> Callable[[Any], Any]:
    return lambda self: SHARED


# --- layers that the forward makes ---------------------------------------------------------------


def then(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A layer of 6 to 5, and one that each forward makes anew."""
    return lambda: module_with(lambda self, x: make()(self.body(x)), body=nn.Linear(6, 5))


def attention_made() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        return nn.MultiheadAttention(4, 2, batch_first=True).eval()(y, y, y)[0]

    return module_with(forward, body=nn.Linear(6, 4))


def made_by_the_first_call() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        if not hasattr(self, "head"):
            self.head = nn.Linear(x.shape[1], 3)
        return self.head(x)

    return module_with(forward)


def copied_in_the_forward() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        other = copy.copy(self.body)
        deep = copy.deepcopy(self.body)
        deep.bias = None
        return other(x) + deep(x)

    return module_with(forward, body=nn.Linear(6, 5))


# --- weights that are computed -------------------------------------------------------------------


def outer_product_filters() -> nn.Module:
    """Filters as products of two vectors each, set where the parameter was."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.convolution.weight = self.down[..., None] * self.across[:, :, None, :]
        return self.convolution(x)

    convolution = nn.Conv2d(3, 4, 3)
    del convolution.weight
    return module_with(
        forward, convolution=convolution, down=nn.Parameter(torch.randn(4, 3, 3)),
        across=nn.Parameter(torch.randn(4, 3, 3)),
    )  # fmt: skip


def weights_from_a_network() -> nn.Module:
    """Weights and running statistics of a network that another network computes."""

    def forward(self: Any, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        flat = self.source(z).flatten()
        tensors = {"0.weight": flat[:30].view(5, 6), "0.bias": flat[30:]}
        tensors |= {"1.running_mean": flat[:5], "1.running_var": flat[:5] ** 2 + 1}
        return torch.func.functional_call(self.base, tensors, (x,))

    base = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    return module_with(forward, base=base, source=nn.Linear(2, 35))


def rows_dropped() -> nn.Module:
    """A table whose rows are dropped, and a plain tensor of it as a recurrent layer's weight."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        keep = torch.bernoulli(torch.full((5, 1), 0.9))
        weight = self.table * keep
        self.__dict__["weight_now"] = weight
        self.cell._parameters["weight_ih"] = weight[:4].repeat(3, 1)
        return self.cell(x)

    cell = nn.GRUCell(6, 4)
    return module_with(forward, cell=cell, table=nn.Parameter(torch.randn(5, 6)))


def transposed_of_another() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.encoder(x)
        return torch.func.functional_call(self.decoder, {"weight": self.encoder.weight.t()}, y)

    return module_with(forward, encoder=nn.Linear(6, 5), decoder=nn.Linear(5, 6))


# --- branches by what a tensor is ----------------------------------------------------------------


def two_layers_if(test: Callable[[Any, torch.Tensor], bool]) -> Callable[[], nn.Module]:
    """Two layers where torch says yes; else one."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return self.b(y) if test(self, x) else y

    return lambda: module_with(forward, a=nn.Linear(6, 6), b=nn.Linear(6, 6))


@functools.singledispatch
def kind_of(x: object) -> str:
    return "something"


@kind_of.register
def _(x: torch.Tensor) -> str:
    return "a tensor"


kind_of(torch.zeros(1))  # it remembers the types that it has met

TESTS: dict[str, Callable[[Any, torch.Tensor], bool]] = {
    "its class": lambda self, x: x.__class__ is torch.Tensor,
    "a table of types": lambda self, x: {torch.Tensor: True, nn.Parameter: False}[type(x)],
    "types of what is computed": lambda self, x: type(x + 1) is torch.Tensor,
    "the type's name": lambda self, x: type(self.a.bias).__name__ == "Parameter",
    "singledispatch": lambda self, x: kind_of(x) == "a tensor",
    "the text of the type": lambda self, x: x.long().type() == "torch.LongTensor",
    "its device": lambda self, x: x.device.type == "cpu" and not x.is_meta and x.is_cpu,
    "the device of its rows": lambda self, x: (x[0] * 2).get_device() == -1,
    "the device of a weight": lambda self, x: self.a.weight.device == torch.device("cpu"),
    "one device": lambda self, x: x.to(self.a.weight.device).device == x.device,
    "a leaf": lambda self, x: x.is_leaf and self.a.weight.is_leaf and x.grad_fn is None,
    "a weight with gradients": lambda self, x: self.a.weight.requires_grad,
    "a part": lambda self, x: x[:, 1:].storage_offset() == 1,
    "a part is not contiguous": lambda self, x: not x[:, 1:].is_contiguous(),
    "strides of an expanded one": lambda self, x: x[:, :1].expand(-1, 6).stride() == (6, 0),
    "channels last": lambda self, x: (
        x.view(1, 3, 2, 3)
        .contiguous(memory_format=torch.channels_last)
        .is_contiguous(memory_format=torch.channels_last)
    ),
    "like a tensor": lambda self, x: torch.overrides.is_tensor_like(x) and torch.is_tensor(x),
    "not compiled nor traced": lambda self, x: (
        not torch.compiler.is_compiling() and not torch.jit.is_tracing()
    ),
    "one identity": lambda self, x: self.a.weight is self._modules["a"]._parameters["weight"],
    "the weight of state_dict": lambda self, x: (
        self.state_dict(keep_vars=True)["a.weight"] is self.a.weight
    ),
    "itself in a list": lambda self, x: any(x is each for each in [1, x]),
    "None on the right": lambda self, x: x != None,  # noqa: E711
    "None on the left": lambda self, x: None != x,  # noqa: SIM300, E711
    "not equal to None": lambda self, x: not (self.a.weight == None),  # noqa: E711, SIM201
    "another string": lambda self, x: x != "full" and "causal" != x,  # noqa: SIM300, PLR1714
    "None in a tuple of tensors": lambda self, x: None not in (x, self.a.weight),
}


STRUCTURE: dict[str, Everyday] = {
    # 3 × (6 × 5 + 5 × 4), and beside them 3 × (6 × 2 + 2 × 5) and 3 × (5 + 4)
    "low rank": Everyday(with_low_rank, (3, 6), 243, 90, quiet="not used"),
    "moved between devices": Everyday(moved_between_devices, (3, 6), 150, 59),
    # 2 × 64 places of 3 filters of 27, twice
    "twice by a method": Everyday(twice_by_method, (2, 3, 8, 8), 20_736, 84),
    # 3 × 6 × 6 twice; 42 + 36
    "another layer's forward": Everyday(another_layers_forward, (3, 6), 216, 78),
    "class of the instance": Everyday(class_of_the_instance, (3, 6), 216, 42),
    "replaced by itself": Everyday(replaced_by_itself, (3, 6), 216, 84),
    # 3 × 6 × 5 and 3 × 5 × 3; torch's parameters are the 35 of the first, the other has 18
    **{
        f"layer {where.__name__.replace('_', ' ')}": Everyday(
            functools.partial(within, where), (3, 6), 135, 35, ((3, 3),), note=r"\b18\b",
            watched=lambda: SHARED,
        )
        for where in (
            in_a_dict, in_an_object, in_a_deque, in_a_partial, in_a_default, in_its_dict, in_a_cell,
            in_a_global,
        )
    },
    "layer of the class": Everyday(OfTheClass, (3, 6), 135, 35, ((3, 3),), note=r"\b18\b"),
    "activation made": Everyday(then(lambda: nn.LogSoftmax(1)), (3, 6), 90, 35),
    "norm made": Everyday(then(lambda: nn.LayerNorm(5)), (3, 6), 90, 35),
    # … and 3 × 5 × 2
    "layers made": Everyday(
        then(lambda: nn.Sequential(nn.GELU(), nn.Linear(5, 2), nn.Hardtanh())),
        (3, 6), 120, 35, ((3, 2),),
    ),
    # 2 × 5 × 6 × 4, then 2 × (5 × 4 × 12 + 5 × 5 × 4 twice + 5 × 4 × 4)
    "attention made": Everyday(
        attention_made, (2, 5, 6), 1_280, 28, ((2, 5, 4),)
    ),
    # 3 × 6 × 3; what the first call will make has 21
    "made by the first call": Everyday(
        made_by_the_first_call, (3, 6), 54, 0, note=r"\b21\b"
    ),
    "copied in the forward": Everyday(copied_in_the_forward, (3, 6), 180, 35),
    # 2 × 36 places of 4 filters of 27; 36 twice and a bias of 4
    "outer-product filters": Everyday(outer_product_filters, (2, 3, 8, 8), 7_776, 76),
    # 2 × 35 and 3 × 6 × 5; 35 + 10 and 105
    "weights from a network": Everyday(
        weights_from_a_network, [(3, 6), (1, 2)], 160, 150, ((3, 5),)
    ),
    # 3 × three gates of 4 × (6 + 4); 72 + 48 + 24 and 30
    "rows dropped": Everyday(rows_dropped, (3, 6), 360, 174),
    "transposed of another": Everyday(transposed_of_another, (3, 6), 180, 71),
    # 3 × 6 × 6 twice, whatever it is that is asked
    **{f"by {what}": Everyday(two_layers_if(yes), (3, 6), 216, 84) for what, yes in TESTS.items()},
}  # fmt: skip
