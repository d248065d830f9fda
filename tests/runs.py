"""A run's folder for tests, made without training: weights by chance, real digits."""

from __future__ import annotations

from pathlib import Path

import torch

import training
from nettally.building.build import build
from nettally.data.packed import Packed, open_packed
from nettally.network import Network
from nettally.training.checkpoint import write_checkpoint
from nettally.training.recipe import Recipe, recipe_called
from nettally.training.run import LAST, Run, begin, digest_of


def made(
    folder: Path,
    text: str = training.SMALL,
    *,
    packed: Packed | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Run:
    """The run of a network on scikit-learn's digits, or on what is given."""
    network: Network = training.net(text)
    data = packed or open_packed("digits")
    run = begin(str(folder), network, recipe or recipe_called("modern"), data, seed, {})
    torch.manual_seed(seed)
    module = build(network)
    tensors = {f"model.{name}": value for name, value in module.state_dict().items()}
    facts = {"network": digest_of(network), "epoch": 0, "step": 0}
    write_checkpoint(str(folder / LAST), tensors, facts)
    return run
