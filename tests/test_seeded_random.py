"""Dropout in both forms, masks that are cut and not drawn anew, and dropout put into weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import training
from nettally.building.build import build
from nettally.counting.tally import tally
from nettally.errors import NetworkError
from nettally.formats import read
from nettally.training.fold_dropout import fold_dropout
from nettally.training.seeded_random import (
    Dropout,
    Masks,
    network_of_scores,
    order_of,
    seed_of,
    with_dropout,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("form", ["2012", "inverted"])
def test_dropout_keeps_what_is_expected(form: str, rate: float) -> None:
    torch.manual_seed(0)
    layer = Dropout(rate, form)
    x = torch.full((200, 500), 3.0)
    trained, tested = layer.train()(x), layer.eval()(x)
    assert (trained != 0).double().mean().item() == pytest.approx(1 - rate, abs=0.01)
    # its expectation is what testing gives
    assert trained.mean().item() == pytest.approx(
        tested.mean().item() if rate < 1 or form == "2012" else 0, abs=0.05
    )
    values = set(trained.unique().tolist()) - {0.0}
    if rate < 1:
        kept = 3.0 if form == "2012" else 3.0 / (1 - rate)
        assert list(values) == [pytest.approx(kept)]
    assert tested[0, 0].item() == pytest.approx(3.0 * (1 - rate) if form == "2012" else 3.0)


def test_inverted_is_torchs_in_testing_and_in_expectation() -> None:
    x = torch.randn(4, 7)
    assert torch.equal(Dropout(0.4).eval()(x), nn.Dropout(0.4).eval()(x))


def masks_of(first: int, count: int, seed: int = 0) -> torch.Tensor:
    network = network_of_scores(training.net())
    module = build(network)
    with_dropout(module, "2012")
    masks = Masks(module, tally(network), seed)
    masks.draw(5, 12, first, count, CPU)
    mask = module.drop2.mask
    assert mask is not None
    masks.clear()
    assert module.drop2.mask is None
    return mask


def test_a_part_of_a_batch_has_its_part_of_the_masks() -> None:
    whole = masks_of(0, 12)
    assert whole.shape == (12, 16)
    assert torch.equal(torch.cat([masks_of(0, 5), masks_of(5, 4), masks_of(9, 3)]), whole)
    assert not torch.equal(masks_of(0, 12, seed=1), whole)


def test_a_column_has_its_channels_of_the_masks() -> None:
    network = network_of_scores(training.net())
    module = build(network)
    with_dropout(module, "2012")
    Masks(module, tally(network), 0, {"drop2": (4, 10)}).draw(5, 12, 0, 12, CPU)
    assert torch.equal(module.drop2.mask, masks_of(0, 12)[:, 4:10])


def test_each_step_and_purpose_has_its_own_seed() -> None:
    assert len({seed_of(0, "order", epoch) for epoch in range(100)}) == 100
    assert seed_of(0, "order", 1) != seed_of(0, "masks", 1)
    assert seed_of(1, 23) != seed_of(12, 3)
    assert 0 <= seed_of("x") < 2**63
    assert torch.equal(order_of(9, 0, 3).sort().values, torch.arange(9))


# --- scores ---------------------------------------------------------------------------------------


def test_a_softmax_at_the_end_is_left_out() -> None:
    network = network_of_scores(read("alexnet"))
    assert network.outputs == ("fc8",)
    assert [node.name for node in network.nodes][-1] == "fc8"
    assert network_of_scores(network) == network


def test_a_softmax_that_is_read_stays() -> None:
    network = training.net(
        training.SMALL.replace("  - prob: softmax\n", "  - prob: softmax\n  - fc9: linear 10\n")
    )
    assert network_of_scores(network).outputs == ("fc9",)
    assert "prob" in [node.name for node in network_of_scores(network).nodes]


# --- dropout in the weights -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alexnet", "alexnet-torchvision", "caffenet"])
def test_folded_it_computes_the_same(name: str) -> None:
    """Half of what is silenced in training is a power of two: the same to the bit."""
    torch.manual_seed(0)
    network = read(name)
    folded = build(network).eval()
    module = build(network)
    module.load_state_dict(folded.state_dict())
    with_dropout(module, "2012")
    fold_dropout(folded)
    x = torch.randn(1, *network.inputs[next(iter(network.inputs))][1:])
    with torch.no_grad():
        expected, found = module.eval()(x), folded(x)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    with torch.no_grad():
        unfolded = build(network).eval()
        unfolded.load_state_dict(module.state_dict())
        assert not torch.allclose(unfolded(x), expected, rtol=1e-3)


def test_what_is_folded_is_what_is_kept_and_not_what_is_silenced() -> None:
    """At a rate of 0.5 the two are the same; here they are not."""
    torch.manual_seed(0)
    network = training.net(training.SMALL.replace("dropout 0.5", "dropout 0.3"))
    folded, module = build(network).eval(), build(network)
    module.load_state_dict(folded.state_dict())
    with_dropout(module, "2012")
    fold_dropout(folded)
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(folded(x), module.eval()(x))
    torch.testing.assert_close(folded.fc3.weight, 0.7 * module.fc3.weight)


FOLDS_NOT = [
    (
        "  - sig: sigmoid from drop2\n  - fc3: linear 10\n",
        r"sig: the dropout before it can't be put",
    ),
    ("  - sum: add from drop2, relu2\n  - fc3: linear 10\n", r"sum: the dropout before it"),
    ("", r"drop2: the dropout before this output can't be put into weights"),
]


@pytest.mark.parametrize(("end", "text"), FOLDS_NOT)
def test_what_can_not_be_folded(end: str, text: str) -> None:
    start = training.SMALL.partition("  - fc3")[0]
    with pytest.raises(NetworkError, match=text):
        fold_dropout(build(training.net(start + end)))
