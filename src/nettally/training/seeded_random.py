"""What is drawn at random in training depends on the seed, the step and the place alone.

So a run that is taken up again draws what it would have drawn, whatever happened before; and what
is drawn for an image of a batch is the same on one machine and on many.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..building.build import Built
    from ..counting.tally import Tally
    from ..network import Network


def seed_of(*words: object) -> int:
    """A seed of 63 bits for a purpose: ``seed_of(seed, "order", epoch)``."""
    text = ":".join(map(str, words)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def generator_of(*words: object) -> torch.Generator:
    """A generator on the CPU that begins at ``seed_of`` the words."""
    generator = torch.Generator()
    generator.manual_seed(seed_of(*words))
    return generator


def order_of(images: int, seed: int, epoch: int) -> Tensor:
    """The order of the images in an epoch, int64 of that length."""
    return torch.randperm(images, generator=generator_of(seed, "order", epoch))


class Dropout(nn.Module):
    """Silences each value with probability ``rate``, by a mask that is drawn before the forward.

    form "2012": what is kept stays as it is, and in testing every value is multiplied by the
    probability of being kept (Hinton et al. 2012; the AlexNet paper, section 4.2). "inverted": what
    is kept is divided by that probability, and testing leaves all as it is, as torch's does.

    mask: (batch, …) of the input's shape, 0 or what the kept are multiplied by; ``Masks`` sets it.
    """

    mask: Tensor | None

    def __init__(self, rate: float, form: str = "inverted") -> None:
        super().__init__()
        self.rate, self.form = rate, form
        self.mask = None

    @property
    def kept(self) -> float:
        """The probability of being kept."""
        return 1 - self.rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x * self.kept if self.form == "2012" else x
        if self.mask is None:  # outside of the training loop
            mask = torch.empty_like(x).bernoulli_(self.kept)
            return x * self._scaled(mask)
        return x * self.mask.to(x.dtype)

    def _scaled(self, mask: Tensor) -> Tensor:
        return mask if self.form == "2012" or self.kept == 0 else mask / self.kept

    def extra_repr(self) -> str:
        return f"{self.rate}, {self.form}"


def with_dropout(module: Built, form: str) -> None:
    """Put ours in the place of torch's dropout, in the form that a recipe wants."""
    for node in module.network.nodes:
        if node.layer.kind == "dropout":
            name = module.names[node.name]
            old: Any = module.get_submodule(name)
            parent, _, child = name.rpartition(".")
            module.get_submodule(parent).add_module(child, Dropout(old.p, form))


class Masks:
    """The masks of a network's dropouts, drawn for the whole batch and cut to a part of it.

    cut: of a layer, the part of its channels that this process has (two columns): first, last.
    """

    def __init__(
        self,
        module: Built,
        counted: Tally,
        seed: int,
        cut: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.seed = seed
        self.cut = cut or {}
        self.layers: list[tuple[str, Dropout, tuple[int, ...]]] = []
        for row in counted.rows:
            dropout = module.module_of(row.name) if row.node.layer.kind == "dropout" else None
            if isinstance(dropout, Dropout) and row.shape is not None:
                self.layers.append((row.name, dropout, tuple(map(int, row.shape[1:]))))

    def draw(self, step: int, batch: int, first: int, count: int, device: torch.device) -> None:
        """Set the masks of ``count`` images from the ``first`` of a batch on."""
        for name, layer, shape in self.layers:
            generator = generator_of(self.seed, "dropout", name, step)
            whole = torch.empty(batch, *shape).bernoulli_(layer.kept, generator=generator)
            mask = whole[first : first + count]
            if name in self.cut:
                begin, end = self.cut[name]
                mask = mask[:, begin:end]
            layer.mask = layer._scaled(mask).to(device)

    def clear(self) -> None:
        """Forget them, so that no batch of another size meets them."""
        for _, layer, _ in self.layers:
            layer.mask = None


def network_of_scores(network: Network) -> Network:
    """The network without a softmax at its end: the loss takes the scores before it."""
    kinds = {node.name: node for node in network.nodes}
    outputs: list[str] = []
    dropped: set[str] = set()
    for name in network.outputs:
        node = kinds.get(name)
        if node is not None and node.layer.kind in ("softmax", "log_softmax"):
            dropped.add(name)
            outputs.append(node.inputs[0])
        else:
            outputs.append(name)
    read = {name for node in network.nodes if node.name not in dropped for name in node.inputs}
    dropped -= read
    return network.replace(
        nodes=tuple([node for node in network.nodes if node.name not in dropped]),
        outputs=tuple(dict.fromkeys(outputs)),
    )
