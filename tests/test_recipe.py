"""Recipes: initial values, the update of 2012, rates over time, and changes by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nettally.building.build import build
from nettally.errors import NettallyError
from nettally.formats import read
from nettally.training.recipe import (
    CODE,
    MODERN,
    PAPER,
    RECIPES,
    Momentum,
    Plateau,
    Recipe,
    initialise,
    optimizer_of,
    rate_at,
    recipe_called,
    set_rates,
)
from nettally.training.recipe_words import changed
from nettally.training.seeded_random import generator_of

# --- what the sources say -------------------------------------------------------------------------

PRINTED = [
    # Krizhevsky et al. 2012, section 5: batch, momentum, weight decay, epochs, initial rate
    (PAPER, "batch", 128),
    (PAPER, "momentum", 0.9),
    (PAPER, "decay", 0.0005),
    (PAPER, "rate", 0.01),
    (PAPER, "epochs", 90),
    (PAPER, "most_drops", 3),
    (PAPER, "bias_rate", 1.0),
    # the code: biases learn twice as fast and do not decay; the rate falls at 25, 51 and 79
    (CODE, "bias_rate", 2.0),
    (CODE, "decay_biases", False),
    (CODE, "drops", (25.0, 51.0, 79.0)),
    (CODE, "together", 32),
]


@pytest.mark.parametrize(("recipe", "field", "value"), PRINTED)
def test_figures_of_the_sources(recipe: Recipe, field: str, value: Any) -> None:
    assert getattr(recipe, field) == value


# --- initial values -------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [PAPER, CODE], ids=lambda each: each.name)
def test_initial_values_of_2012(recipe: Recipe) -> None:
    module = build(read("alexnet"))
    initialise(module, recipe, generator_of(0))
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"):
        layer: Any = module.module_of(name)
        expected = 0.03 if recipe is CODE and name in ("conv3", "conv4", "conv5") else 0.01
        number = layer.weight.numel()
        assert layer.weight.std().item() == pytest.approx(expected, rel=4 / math.sqrt(number))
        assert layer.weight.mean().item() == pytest.approx(0, abs=5 * expected / math.sqrt(number))
        assert layer.bias.unique().tolist() == [float(name in ones)]


def test_hes_initial_values() -> None:
    module = build(read("alexnet-torchvision"))
    initialise(module, MODERN, generator_of(1))
    for name, gain in (("conv3", 2), ("fc6", 2), ("fc8", 1)):
        layer: Any = module.module_of(name)
        inputs = layer.weight[0].numel()
        assert layer.weight.std().item() == pytest.approx((gain / inputs) ** 0.5, rel=0.02)
        assert not layer.bias.any()


def test_they_depend_on_the_seed_alone() -> None:
    def made(seed: int) -> torch.Tensor:
        torch.manual_seed(seed + 17)  # which must not matter
        module = build(read("lenet-5"))
        initialise(module, PAPER, generator_of(seed))
        return next(module.parameters()).detach()

    assert torch.equal(made(3), made(3))
    assert not torch.equal(made(3), made(4))


# --- the update -----------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-4, 0.5), min_size=1, max_size=6), st.booleans())
def test_the_update_is_the_papers(rates: list[float], decays: bool) -> None:
    """v ← 0.9 v - 0.0005 ε w - ε g; w ← w + v, written out, while the rate changes."""
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(3, 2, dtype=torch.double))
    decay = 0.0005 if decays else 0.0
    optimizer = Momentum([{"params": [weight], "weight_decay": decay}], momentum=0.9)
    w, v = weight.detach().clone(), torch.zeros(3, 2, dtype=torch.double)
    for rate in rates:
        gradient = torch.randn(3, 2, dtype=torch.double)
        weight.grad = gradient.clone()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        v = 0.9 * v - decay * rate * w - rate * gradient
        w = w + v
        torch.testing.assert_close(weight.detach(), w)


def test_it_differs_from_torchs_where_the_rate_changes() -> None:
    """What was gathered at the old rate goes on at that; in torch's SGD it would not."""
    ours, theirs = (nn.Parameter(torch.zeros(1)) for _ in range(2))
    a = Momentum([{"params": [ours]}], momentum=0.9)
    b = torch.optim.SGD([theirs], lr=1.0, momentum=0.9)
    for rate in (1.0, 0.1):
        for each, optimizer in ((ours, a), (theirs, b)):
            each.grad = torch.ones(1)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
    assert ours.item() == pytest.approx(-1 - 0.9 - 0.1)
    assert theirs.item() == pytest.approx(-1 - 0.1 * 1.9)


def test_a_closure_is_called_with_gradients_on() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = Momentum([{"params": [weight], "lr": 0.5}], momentum=0.0)

    def closure() -> torch.Tensor:
        loss = weight.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2
    assert weight.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("recipe", [PAPER, CODE, MODERN], ids=lambda each: each.name)
def test_rates_and_decay_of_weights_and_biases(recipe: Recipe) -> None:
    with torch.device("meta"):
        module = build(read("alexnet"))
    optimizer = optimizer_of(module, recipe)
    rate = set_rates(optimizer, recipe, 30.0, 0)
    names = {id(tensor): name for name, tensor in module.named_parameters()}
    seen: set[str] = set()
    for group in optimizer.param_groups:
        for tensor in group["params"]:
            name = names[id(tensor)]
            seen.add(name)
            bias = name.endswith(".bias")
            assert group["lr"] == rate * (recipe.bias_rate if bias else 1)
            decays = recipe.decay_biases or not bias
            assert group["weight_decay"] == (recipe.decay if decays else 0)
    assert seen == set(names.values())


def test_conv1_is_frozen_late_in_the_code() -> None:
    with torch.device("meta"):
        module = build(read("alexnet"))
    optimizer = optimizer_of(module, CODE)

    def rates(epoch: float) -> dict[tuple[str, bool], float]:
        set_rates(optimizer, CODE, epoch, 0)
        return {
            (group["layer"], group["times"] == 2): group["lr"] for group in optimizer.param_groups
        }

    assert rates(66.9)["conv1", False] == rates(66.9)["", False] == pytest.approx(1e-4)
    assert rates(67)["conv1", False] == 1e-5
    assert rates(67)["conv1", True] == 2e-5
    assert rates(72)["conv1", False] == rates(85)["conv1", True] == 0
    assert rates(72)["", False] == pytest.approx(1e-4)


# --- the rate over time ---------------------------------------------------------------------------

RATES = [
    (CODE, 0, 0.01),
    (CODE, 24.99, 0.01),
    (CODE, 25, 0.001),
    (CODE, 51, 0.0001),
    (CODE, 79, 0.00001),
    (MODERN, 0.5, 0.001),
    (MODERN, 1, 0.002),
    (MODERN, 10.5, 0.001),
    (MODERN, 20, 0),
]


@pytest.mark.parametrize(("recipe", "epoch", "rate"), RATES)
def test_rates(recipe: Recipe, epoch: float, rate: float) -> None:
    assert rate_at(recipe, epoch) == pytest.approx(rate, abs=1e-12)


def test_the_plateau_drops_three_times_and_ends() -> None:
    errors = [0.9, 0.8, 0.7, *[0.7] * 20]
    recipe = PAPER.replace(patience=2)
    plateau, ended, rates = Plateau(), None, []
    for epoch, error in enumerate(errors):
        rates.append(rate_at(recipe, epoch, plateau.drops))
        plateau = plateau.after(recipe, epoch, error)
        if plateau.over(recipe, epoch):
            ended = epoch
            break
    assert [round(-math.log10(rate)) for rate in rates] == [2, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5]
    assert ended == 10


def test_a_better_epoch_resets_the_patience_and_other_schedules_have_none() -> None:
    recipe = PAPER.replace(patience=2)
    plateau = Plateau()
    for epoch, error in enumerate([0.9, 0.9, 0.8, 0.8, 0.7]):
        plateau = plateau.after(recipe, epoch, error)
    assert plateau == Plateau(0.7, 4, 0)
    for epoch in range(50):
        plateau = plateau.after(CODE, epoch, 0.9)
        assert not plateau.over(CODE, epoch)
    assert plateau.drops == 0


# --- changes by hand ------------------------------------------------------------------------------


def test_fields_are_set_by_words() -> None:
    made = changed(CODE, ["rate=0.02", "mirror=no", "noise=", "drops=1,2.5", "views=1"])
    assert (made.rate, made.mirror, made.noise, made.drops) == (0.02, False, "", (1.0, 2.5))
    made = changed(PAPER, ["frozen=conv1:3:0,fc8:4:1e-3", "ones=conv*", "deviations=fc8:0.1"])
    assert made.frozen == (("conv1", 3.0, 0.0), ("fc8", 4.0, 0.001))
    assert (made.ones, made.deviations) == (("conv*",), (("fc8", 0.1),))


def test_another_number_of_epochs_moves_what_happens_in_them() -> None:
    made = changed(CODE, ["epochs=9"])
    assert made.drops == pytest.approx((2.5, 5.1, 7.9))
    assert made.frozen[0][1] == pytest.approx(6.7)
    assert changed(MODERN, ["epochs=10"]).warmup == 0.5


REFUSED = [
    (["ratte=1"], r"a recipe has no 'ratte' to set\n  try: did you mean 'rate'\?"),
    (["name=x"], r"a recipe has no 'name' to set"),
    (["rate"], r"'rate' sets nothing\n  try: --set rate=0.02"),
    (["rate=fast"], r"rate can't be 'fast'\n  try: it is now 0.01"),
    (["mirror=perhaps"], r"mirror can't be 'perhaps'"),
    (["frozen=conv1:2"], r"frozen can't be 'conv1:2'"),
    (["noise=pink"], r"a recipe's noise is one of '', 'paper', 'code', 'common'\n  values: 'pink'"),
    (["epochs=0"], r"a recipe's epochs is at least 1"),
    (["rate=-1"], r"a recipe's rate is a number from 0 up\n  values: rate -1.0"),
    (["rate=nan"], r"a recipe's rate is a number from 0 up"),
]


@pytest.mark.parametrize(("words", "text"), REFUSED)
def test_what_a_recipe_can_not_say(words: list[str], text: str) -> None:
    with pytest.raises(NettallyError, match=text):
        changed(PAPER, words)


def test_an_unknown_recipe() -> None:
    with pytest.raises(
        NettallyError, match=r"there is no recipe called 'alexnet-2013'(?s:.*)did you mean"
    ):
        recipe_called("alexnet-2013")
    assert all(recipe_called(name) is recipe for name, recipe in RECIPES.items())
