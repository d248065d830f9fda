"""How a network is trained: AlexNet's recipe as the paper has it and as its code; a modern one.

This file reads from top to bottom: what a recipe says, the three that there are, initial values,
the update of the weights, the rate over time. What happens to images is in ``augment``; the loop
that goes through the epochs, in ``loop``, knows no network and no recipe.

Sources: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
networks", NeurIPS 2012 (the paper); its code of 2012, computerhistory/AlexNet-Source-Code, with
layer-params-145.cfg (the code).
"""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import NettallyError, closest
from ..record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..building.build import Built
    from ..network import Network


class Recipe(Record):
    """What is done to train a network. Rates are per update, times are epochs.

    batch: images an update, over all machines. rate: the learning rate at the start. decay: the
    weight decay. bias_rate: what the rate is multiplied by for biases. decay_biases: whether they
    decay too, and with them the factors of normalisations.

    schedule: "plateau" divides the rate by 10 when the held-out error has not fallen for
    ``patience`` epochs, ``most_drops`` times, and ends when it stops falling after that; "drops"
    divides it by 10 at the epochs ``drops``; "cosine" lets it fall to nothing by half a cosine,
    after ``warmup`` epochs of rising. frozen: (layer, epoch, rate): from then on that layer's own.

    start: "normal" draws weights from N(0, 0.01), or of the deviation that ``deviations`` has for
    the layer, and sets biases to 0, or to 1 in the layers of ``ones``; "he" draws from
    N(0, 2 / inputs) (He et al. 2015). A layer is named by its name, by a pattern, or as "hidden":
    a fully connected layer that is not the last.

    dropout: "2012" silences and rescales nothing, and multiplies by what is kept in testing;
    "inverted" divides by what is kept in training. smoothing: of labels (Szegedy et al. 2015).
    average: of the weights, an exponential moving average with this momentum; 0 for none.
    auxiliary: the weight of the losses of further outputs (Szegedy et al. 2014, section 5).

    mean: what is subtracted from an image: "image", the mean image at the place of the crop;
    "centre", always the middle of the mean image; "channels", a mean for each channel, after which
    it is divided by each channel's deviation. crops: "inside" shifts the crop by 0 to room - 1
    pixels, "inclusive" by 0 to room. together: neighbours in the batch that share crop and
    reflection. pad: pixels around the image before it is cropped. noise: of colours, "" for none.
    views: of the test, 1 or 10.
    """

    name: str
    source: str = ""
    epochs: int = 90
    batch: int = 128
    optimizer: str = "momentum"
    rate: float = 0.01
    momentum: float = 0.9
    decay: float = 0.0005
    decay_biases: bool = True
    bias_rate: float = 1.0
    schedule: str = "plateau"
    drops: tuple[float, ...] = ()
    most_drops: int = 3
    patience: int = 4
    warmup: float = 0.0
    frozen: tuple[tuple[str, float, float], ...] = ()
    start: str = "normal"
    deviations: tuple[tuple[str, float], ...] = ()
    ones: tuple[str, ...] = ()
    dropout: str = "2012"
    smoothing: float = 0.0
    average: float = 0.0
    auxiliary: float = 0.3
    mean: str = "image"
    crops: str = "inside"
    together: int = 1
    mirror: bool = True
    pad: int = 0
    noise: str = ""
    views: int = 10

    def __post_init__(self) -> None:
        for name, words in WORDS.items():
            word = getattr(self, name)
            if word not in words:
                raise NettallyError(
                    f"a recipe's {name} is one of {', '.join(map(repr, words))}",
                    where=self.name,
                    values=repr(word),
                    hint=closest(str(word), words),
                )
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise NettallyError(
                    f"a recipe's {name} is at least 1", where=self.name,
                    values=f"{name} {getattr(self, name)}",
                )  # fmt: skip
        for name in NOT_NEGATIVE:
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise NettallyError(
                    f"a recipe's {name} is a number from 0 up", where=self.name,
                    values=f"{name} {value}",
                )  # fmt: skip

    def lasting(self, epochs: int) -> Recipe:
        """The same for another number of epochs; epoch-based events scale with that number."""
        share = epochs / self.epochs
        return self.replace(
            epochs=epochs,
            drops=tuple([epoch * share for epoch in self.drops]),
            frozen=tuple([(layer, epoch * share, rate) for layer, epoch, rate in self.frozen]),
            warmup=self.warmup * share,
        )


WORDS: Mapping[str, tuple[Any, ...]] = {
    "optimizer": ("momentum", "adamw"),
    "schedule": ("plateau", "drops", "cosine"),
    "start": ("normal", "he"),
    "dropout": ("2012", "inverted"),
    "mean": ("image", "centre", "channels"),
    "crops": ("inside", "inclusive"),
    "noise": ("", "paper", "code", "common"),
    "views": (1, 10),
}
AT_LEAST_ONE = ("epochs", "batch", "together", "patience")
NOT_NEGATIVE = (
    *("rate", "momentum", "decay", "bias_rate", "most_drops", "warmup", "smoothing", "average"),
    *("auxiliary", "pad"),
)

# --- the recipes ------------------------------------------------------------------------------

PAPER = Recipe(
    "alexnet-2012",
    "Krizhevsky, Sutskever and Hinton, NeurIPS 2012, sections 4 and 5",
    epochs=90,  # "roughly 90 cycles through the training set"
    batch=128,
    rate=0.01,
    momentum=0.9,
    decay=0.0005,
    # "we divided the learning rate by 10 when the validation error rate stopped improving …
    # reduced three times prior to termination": by hand; the patience of 4 is ours
    schedule="plateau",
    most_drops=3,
    patience=4,
    start="normal",  # "zero-mean Gaussian with standard deviation 0.01", in each layer
    ones=("conv2", "conv4", "conv5", "hidden"),
    dropout="2012",
    mean="image",  # "subtracting the mean activity over the training set from each pixel"
    crops="inside",  # 32² places and reflections: "a factor of 2048"
    mirror=True,
    noise="paper",
    views=10,
)

CODE = PAPER.replace(
    name="alexnet-2012-code",
    source="computerhistory/AlexNet-Source-Code, layer-params-145.cfg and convdata.py",
    schedule="drops",
    drops=(25.0, 51.0, 79.0),
    frozen=(("conv1", 67.0, 1e-5), ("conv1", 72.0, 0.0)),
    bias_rate=2.0,
    decay_biases=False,
    deviations=(("conv3", 0.03), ("conv4", 0.03), ("conv5", 0.03)),
    mean="centre",
    crops="inclusive",  # 33² places
    together=32,
    noise="code",
)

MODERN = Recipe(
    "modern",
    "AdamW (Loshchilov and Hutter 2019) on half a cosine, He's initial values, averaged weights",
    epochs=20,
    batch=128,
    optimizer="adamw",
    rate=0.002,
    decay=0.05,
    decay_biases=False,
    schedule="cosine",
    warmup=1.0,
    start="he",
    dropout="inverted",
    smoothing=0.1,
    average=0.999,
    mean="channels",
    crops="inclusive",
    views=1,
)

RECIPES: Mapping[str, Recipe] = {each.name: each for each in (PAPER, CODE, MODERN)}


def recipe_called(name: str) -> Recipe:
    """One of the three. Raises NettallyError."""
    if name not in RECIPES:
        raise NettallyError(
            f"there is no recipe called '{name}'",
            values=", ".join(RECIPES),
            hint=closest(name, RECIPES),
        )
    return RECIPES[name]


foreach: Any = torch
"""Operations on many tensors at once, which torch does not export to type checkers."""

# --- initial values -------------------------------------------------------------------------------

DRAWN = ("conv", "conv_transpose", "local", "linear")
"""Kinds whose weights are drawn by a recipe; all others keep torch's own initial values."""


def _chosen(network: Network, module: Built) -> list[tuple[str, bool, nn.Module]]:
    """The layers whose weights are drawn: name, whether it is hidden and fully connected, module.

    A layer that has its weights from another is left out: they are drawn there.
    """
    nodes = [node for node in network.nodes if node.layer.kind in DRAWN]
    ends = [node.name for node in nodes if node.layer.kind == "linear"][-1:]
    return [
        (
            node.name,
            node.layer.kind == "linear" and node.name not in ends,
            module.module_of(node.name),
        )
        for node in nodes
        if "weight" not in node.shared
    ]


def _named(pattern: str, name: str, hidden: bool) -> bool:
    return hidden if pattern == "hidden" else fnmatchcase(name, pattern)


@torch.no_grad()
def initialise(module: Built, recipe: Recipe, generator: torch.Generator) -> None:
    """Give a built network the recipe's initial values, drawn on the CPU, layer by layer.

    So they are the same on whatever device the network then is.
    """
    layers = _chosen(module.network, module)
    for place, (name, hidden, layer) in enumerate(layers):
        weight: Any = layer.weight
        if recipe.start == "normal":
            std = 0.01
            for pattern, deviation in recipe.deviations:
                if _named(pattern, name, hidden):
                    std = deviation
        else:
            last = place == len(layers) - 1
            std = ((1 if last else 2) / max(1, weight[0].numel())) ** 0.5
        weight.copy_(torch.empty(weight.shape).normal_(0, std, generator=generator))
        bias: Any = getattr(layer, "bias", None)
        if bias is not None:
            bias.fill_(float(any(_named(each, name, hidden) for each in recipe.ones)))


# --- the update -----------------------------------------------------------------------------------


class Momentum(torch.optim.Optimizer):
    """v ← m·v - rate·(gradient + decay·w); w ← w + v (the paper's section 5).

    The rate stands inside of v, so that what was gathered at an old rate goes on at that rate; in
    torch's SGD the rate multiplies v, which differs where the rate changes.
    """

    def __init__(self, groups: Any, *, momentum: float) -> None:
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of each parameter that has a gradient. What the closure gives is given on."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights: list[Any] = [each for each in group["params"] if each.grad is not None]
            if not weights:
                continue
            for each in weights:
                if not self.state[each]:
                    self.state[each]["velocity"] = torch.zeros_like(each)
            velocity = [self.state[each]["velocity"] for each in weights]
            rate, decay = group["lr"], group["weight_decay"]
            foreach._foreach_mul_(velocity, group["momentum"])
            foreach._foreach_add_(velocity, [each.grad for each in weights], alpha=-rate)
            if decay:
                foreach._foreach_add_(velocity, weights, alpha=-rate * decay)
            foreach._foreach_add_(weights, velocity)
        return loss


def _is_bias(name: str, tensor: Tensor) -> bool:
    """Biases, and the factors of normalisations: what has one axis."""
    return tensor.dim() < 2 or name.rpartition(".")[2].startswith("bias")


def optimizer_of(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer.

    It has a group for the weights and one for the biases of each layer that is frozen at some time,
    and of all others together.
    """
    layers = list(dict.fromkeys(layer for layer, _, _ in recipe.frozen))
    groups: dict[tuple[str, bool], list[Tensor]] = {}
    for name, tensor in module.named_parameters():
        frozen_layer = next((layer for layer in layers if fnmatchcase(name, f"{layer}.*")), "")
        groups.setdefault((frozen_layer, _is_bias(name, tensor)), []).append(tensor)
    parameter_groups = [
        {
            "params": tensors,
            "layer": layer,
            "times": recipe.bias_rate if bias else 1.0,
            "weight_decay": 0.0 if bias and not recipe.decay_biases else recipe.decay,
        }
        for (layer, bias), tensors in groups.items()
    ]
    if recipe.optimizer == "momentum":
        return Momentum(parameter_groups, momentum=recipe.momentum)
    return torch.optim.AdamW(
        parameter_groups, lr=recipe.rate, betas=(recipe.momentum, 0.999), foreach=True
    )


def set_rates(optimizer: Any, recipe: Recipe, epoch: float, drops: int) -> float:
    """Give each group its rate at a time, a fraction of epochs; the rate of what is not frozen.

    drops: how often the plateau has divided it.
    """
    rate = rate_at(recipe, epoch, drops)
    for group in optimizer.param_groups:
        group_rate = rate
        for layer, since, value in recipe.frozen:
            if layer == group["layer"] and epoch >= since:
                group_rate = value
        group["lr"] = group_rate * group["times"]
    return rate


# --- the rate over time ---------------------------------------------------------------------------


def rate_at(recipe: Recipe, epoch: float, drops: int = 0) -> float:
    """The learning rate at a time, counted in epochs from 0."""
    if recipe.schedule == "plateau":
        rate = recipe.rate / 10**drops
    elif recipe.schedule == "drops":
        rate = recipe.rate / 10 ** sum(epoch >= at for at in recipe.drops)
    else:
        begun = recipe.warmup
        share = min(1.0, max(0.0, epoch - begun) / max(1e-9, recipe.epochs - begun))
        rate = recipe.rate * (1 + math.cos(math.pi * share)) / 2
    if epoch < recipe.warmup:
        rate *= max(epoch, 0.01) / recipe.warmup
    return rate


class Plateau(Record):
    """What the held-out error has done: its least, when that was, and how often the rate fell."""

    least: float = math.inf
    since: int = 0
    drops: int = 0

    def after(self, recipe: Recipe, epoch: int, error: float) -> Plateau:
        """After an epoch (from 0) that ended with this error. ``since`` is when patience began."""
        if error < self.least:
            return self.replace(least=error, since=epoch)
        if self.over(recipe, epoch):
            return self
        if epoch - self.since >= recipe.patience and recipe.schedule == "plateau":
            return self.replace(since=epoch, drops=self.drops + 1)
        return self

    def over(self, recipe: Recipe, epoch: int) -> bool:
        """Whether the error has not fallen after the last drop either."""
        return (
            recipe.schedule == "plateau"
            and self.drops >= recipe.most_drops
            and epoch - self.since >= recipe.patience
        )
