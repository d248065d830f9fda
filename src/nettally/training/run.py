"""A run: the folder in which a training keeps the network, the recipe, checkpoints and the log.

run.json says what was trained how on what; network.yaml is the network; inputs.safetensors what
is done to an image before the network sees it; log.jsonl has a line for each step that is logged
and each epoch; last.safetensors is where it stands, previous.safetensors where it stood one
checkpoint before, best.safetensors where it erred least.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..building.build import build
from ..data.augment import Scaling, centre_crop, ten_crops
from ..errors import NettallyError, ReadError
from ..files import plain_only
from ..record import Record
from .checkpoint import read_checkpoint
from .recipe import Recipe
from .seeded_random import network_of_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..building.build import Built
    from ..data.packed import Packed
    from ..network import Network

VERSION = 1
RUN, NETWORK, INPUTS, LOG = "run.json", "network.yaml", "inputs.safetensors", "log.jsonl"
LAST, BEST, PREVIOUS = "last.safetensors", "best.safetensors", "previous.safetensors"
MOST = 10_000_000
"""Bytes of a run.json that are read."""


class Run(Record):
    """A run as it lies in its folder. size: height and width of what the network takes.

    classes: the names of the outputs, of which the network may have more. data: the folder that
    was trained on, and ``identity`` the digest of its manifest.
    """

    path: str
    network: Network
    recipe: Recipe
    classes: tuple[str, ...]
    data: str
    identity: str
    mirror: bool
    seed: int
    size: tuple[int, int]
    channels: int
    scaling: Scaling
    settings: Mapping[str, Any]

    def module(self, which: str = "best", *, scores: bool = False) -> Built:
        """The network with its weights, in eval mode; "last", "best" (last where there is none).

        scores: without the softmax at its end.

        Where the recipe averages weights, these are the averaged ones. The dropout of 2012 is
        taken out: what it multiplies by in testing is in the weights of the layers that read it,
        so that the module computes the same without it (and what is exported too).
        """
        from .fold_dropout import fold_dropout

        module = build(network_of_scores(self.network) if scores else self.network)
        load_weights(module, self.checkpoint(which))
        if self.recipe.dropout == "2012":
            fold_dropout(module)
        return module.eval()

    def checkpoint(self, which: str = "best") -> str:
        """The file of a checkpoint. Raises ReadError where the run has none."""
        names = (BEST, LAST) if which == "best" else (f"{which}.safetensors",)
        for name in names:
            path = os.path.join(self.path, name)
            if os.path.exists(path):
                return path
        raise ReadError(
            "the run has no checkpoint yet",
            where=self.path,
            hint=f"nettally train --resume {self.path}",
        )

    def centre(self, images: Tensor) -> Tensor:
        """The middle of images, uint8 (n, height, width, channels), as the network takes it."""
        return centre_crop(images, self.size, self.scaling)

    def ten(self, images: Tensor) -> Tensor:
        """Ten crops of each: (n, 10, channels, height, width)."""
        return ten_crops(images, self.size, self.scaling)


def load_weights(module: Built, path: str) -> None:
    """A checkpoint's weights, averaged ones where it has them. Raises ReadError."""
    from ..building.weights import load

    saved = read_checkpoint(path)
    weights = saved.part("model.")
    weights.update(saved.part("average."))
    load(module, weights)


def scaling_of(
    recipe: Recipe, mean: Tensor, rgb: Tensor, covariance: Tensor, size: tuple[int, int]
) -> Scaling:
    """What the recipe does to pixels. mean: (height, width, channels), rgb: (channels,)."""
    if recipe.mean == "channels":
        deviation = covariance.diagonal().clamp(min=1e-6).sqrt()
        return Scaling(rgb.float(), deviation.float())
    if recipe.mean == "centre":
        top, left = (mean.shape[0] - size[0]) // 2, (mean.shape[1] - size[1]) // 2
        mean = mean[top : top + size[0], left : left + size[1]].contiguous()
    return Scaling(mean, 1.0)


def digest_of(network: Network) -> str:
    """What a network is known by, however it is called and wherever it was read."""
    from ..formats.native import write

    plain = network.replace(name="", title="", source=None, notes=(), details=())
    return sha256(write(plain).encode()).hexdigest()


def sizes_of(network: Network) -> tuple[int, tuple[int, int]]:
    """Channels, and height and width, of what a network takes; NettallyError unless images."""
    shapes = list(network.inputs.values())
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise NettallyError(
            f"{network.name} does not take one image",
            values="; ".join(
                f"{name} {'x'.join(map(str, shape[1:]))}" for name, shape in network.inputs.items()
            ),
            hint="train and evaluate are for networks of images: input: 3x32x32",
        )
    _, channels, height, width = map(int, shapes[0])
    return channels, (height, width)


def check_fit(network: Network, packed: Packed) -> None:
    """Raise NettallyError where the network can't be trained on the data, saying what differs."""
    from ..counting.tally import tally

    channels, (height, width) = sizes_of(network)
    if channels != packed.channels or height > packed.height or width > packed.width:
        raise NettallyError(
            f"{network.name} does not take the images of {packed.name}",
            values=f"it takes {channels}x{height}x{width}, they are "
            f"{packed.channels}x{packed.height}x{packed.width}",
            hint=f"--input {packed.channels}x{packed.height}x{packed.width}"
            if channels == packed.channels or not packed.path
            else "pack them again with --side and --grey as the network needs",
        )
    scores = network_of_scores(network)
    shapes = {row.name: row.shape for row in tally(scores).rows}
    for name in scores.outputs:
        shape = tuple(map(int, shapes.get(name) or ()))
        rest = shape[2:]
        if len(shape) < 2 or any(size != 1 for size in rest):
            raise NettallyError(
                f"{network.name} does not end in a score for each class",
                values=f"{name} gives {'x'.join(map(str, shape[1:])) or 'nothing known'}",
                hint="a global pooling or a linear layer at the end",
            )
        if shape[1] < len(packed.classes):
            raise NettallyError(
                f"{network.name} tells {shape[1]} classes apart, {packed.name} has "
                f"{len(packed.classes)}",
                where=name,
                hint=f"linear {len(packed.classes)} at the end",
            )


# --- the folder -----------------------------------------------------------------------------------


def begin(
    path: str, network: Network, recipe: Recipe, packed: Packed, seed: int, settings: Any
) -> Run:
    """Make a run's folder. Raises NettallyError where a run there has got somewhere already."""
    from ..building.weights import save
    from ..formats.native import write

    if any(os.path.exists(os.path.join(path, name)) for name in (LAST, BEST, LOG)):
        raise NettallyError(
            "there is a run in this folder",
            where=path,
            hint=f"nettally train --resume {path}, or another folder with -o",
        )
    try:
        os.makedirs(path, exist_ok=True)
        _write_text(os.path.join(path, NETWORK), write(network))
        means = {"mean": packed.mean, "rgb": packed.rgb_mean, "covariance": packed.covariance}
        save(means, os.path.join(path, INPUTS))
        facts = {
            "nettally_run": VERSION,
            "network": digest_of(network),
            "name": network.name,
            "recipe": recipe.fields(),
            "data": {
                "path": os.path.abspath(packed.path) if os.path.isdir(packed.path) else packed.path,
                "name": packed.name,
                "identity": packed.identity,
            },
            "classes": list(packed.classes),
            "mirror": packed.mirror,
            "seed": seed,
            "settings": dict(settings),
        }
        _write_text(os.path.join(path, RUN), json.dumps(facts, indent=1) + "\n")
    except OSError as error:
        raise ReadError(f"can't write the run: {error.strerror}", where=path) from None
    return open_run(path)


def _write_text(path: str, text: str) -> None:
    """A text file, there whole or not at all."""
    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


def open_run(path: str) -> Run:
    """A run, by its folder. Raises NettallyError where it is none, or is damaged."""
    from ..formats import read

    facts = _read_facts(path)
    network = read(os.path.join(path, NETWORK))
    if facts.get("network") != digest_of(network):
        raise ReadError(
            "the run's network is not the one that it was begun with",
            where=os.path.join(path, NETWORK),
            hint="put it back as it was, or begin another run",
        )
    try:
        recipe = _recipe(facts["recipe"])
        data = facts["data"]
        classes = tuple([str(each) for each in facts["classes"]])
        seed, mirror = int(facts["seed"]), bool(facts["mirror"])
        identity, where = str(data["identity"]), str(data["path"] or data["name"])
        settings = dict(facts["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise _no_run(path, f"{RUN} lacks or garbles {error}") from None
    channels, size = sizes_of(network)
    means = means_of(os.path.join(path, INPUTS))
    scaling = scaling_of(recipe, means["mean"], means["rgb"], means["covariance"], size)
    return Run(
        path, network, recipe, classes, where, identity, mirror, seed, size, channels, scaling,
        settings,
    )  # fmt: skip


def _no_run(path: str, why: str) -> ReadError:
    return ReadError(
        "this is no folder of a run", where=path, values=why, hint="nettally train NET makes one"
    )


def _read_facts(path: str) -> dict[str, Any]:
    name = os.path.join(path, RUN)
    try:
        with open(name, "rb", opener=plain_only) as file:
            text = file.read(MOST + 1)
    except OSError as error:
        raise _no_run(path, f"{RUN}: {error.strerror}") from None
    try:
        facts: Any = json.loads(text) if len(text) <= MOST else None
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or facts.get("nettally_run") != VERSION:
        raise _no_run(path, f"{RUN} is not of version {VERSION}")
    return facts


def _recipe(fields: dict[str, Any]) -> Recipe:
    """A recipe as JSON has it, lists for tuples."""
    known = Recipe("").fields()
    settled = {name: _tuples(value) for name, value in fields.items() if name in known}
    return Recipe(**settled)


def _tuples(value: Any) -> Any:
    return tuple([_tuples(each) for each in value]) if isinstance(value, list) else value


def means_of(path: str) -> dict[str, Tensor]:
    """The mean image, the mean colour and the covariance of a run. Raises ReadError."""
    from ..building.safetensors import of_safetensors

    stored = of_safetensors(path)
    missing = {"mean", "rgb", "covariance"} - stored.keys()
    if missing:
        raise ReadError("the run's inputs are incomplete", where=path, values=", ".join(missing))
    return {name: each.fetch() for name, each in stored.items()}


def device_of(name: str = "auto") -> torch.device:
    """The device to use a run on: a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)
