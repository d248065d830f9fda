"""Everyday modules whose forward writes to weights, buffers, inputs, or draws random numbers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from everyday import Everyday, module_with

# --- weights and other tensors of the module's own ----------------------------------------------


def average_of_weights() -> nn.Module:
    """A teacher that is a moving average of the student."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            pairs = zip(self.student.parameters(), self.teacher.parameters(), strict=True)
            for new, average in pairs:
                average.mul_(0.99).add_(new, alpha=0.01)
        return self.student(x) - self.teacher(x)

    return module_with(forward, student=nn.Linear(6, 6), teacher=nn.Linear(6, 6))


def weights_exchanged() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        a, b = self.a.weight, self.b.weight
        a.data, b.data = b.data, a.data
        return self.b(self.a(x))

    return module_with(forward, a=nn.Linear(6, 6), b=nn.Linear(6, 6))


def target_network() -> nn.Module:
    """A copy of the weights that is brought up to date every other call."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        if self.calls % 2 == 0:
            self.target.load_state_dict(self.online.state_dict())
        self.calls += 1
        return self.online(x) + self.target(x)

    layers = [nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3)) for _ in range(2)]
    return module_with(forward, online=layers[0], target=layers[1], calls=0)


def power_iteration() -> nn.Module:
    """A spectral norm by hand: one step of the power iteration in each forward."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        weight = self.layer.weight
        with torch.no_grad():
            v = functional.normalize(weight.t() @ self.u, dim=0)
            self.u.copy_(functional.normalize(weight @ v, dim=0))
        return functional.linear(x, weight / self.u.norm(), self.layer.bias)

    module = module_with(forward, layer=nn.Linear(6, 5))
    module.register_buffer("u", functional.normalize(torch.randn(5), dim=0))
    return module


def memory_bank() -> nn.Module:
    """Keys written by index into a tensor that is no buffer, two dicts deep."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        key = functional.normalize(self.layer(x), dim=1)
        keys = self.bank["train"]["keys"]
        keys.index_copy_(0, torch.arange(3), key.detach())
        self.bank["train"]["size"] += 3
        return key @ keys.t()

    bank = {"train": {"keys": torch.randn(7, 4), "size": 7}}
    return module_with(forward, layer=nn.Linear(6, 4), bank=bank)


def codebook() -> nn.Module:
    """Codes that follow the vectors which chose them; the counts lie in a tuple."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        chosen = (x @ self.codes.t()).argmax(1)
        hot = functional.one_hot(chosen, 5).to(x.dtype)
        counts, sums = self.statistics
        counts.mul_(0.9).add_(hot.sum(0))
        sums.add_(hot.t() @ x)
        self.codes.copy_(sums / (counts[:, None] + 1))
        return hot @ self.codes

    module = module_with(forward, statistics=(torch.ones(5), torch.randn(5, 4)))
    module.register_buffer("codes", torch.randn(5, 4))
    return module


def initialised_anew() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        nn.init.normal_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        return self.layer(x)

    return module_with(forward, layer=nn.Linear(6, 5))


def weights_through_numpy() -> nn.Module:
    """numpy writes to the memory of the weight; torch does not hear of it."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        array = self.layer.weight.detach().numpy()
        np.clip(array, -0.1, 0.1, out=array)
        return self.layer(x)

    return module_with(forward, layer=nn.Linear(6, 5))


def step_of_an_optimizer() -> nn.Module:
    """A step of training in the forward, by an optimizer that the module holds."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        for p in self.layer.parameters():
            p.grad = torch.ones_like(p)
        self.optimizer.step()
        return self.layer(x)

    layer = nn.Linear(6, 5)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9, foreach=False)
    return module_with(forward, layer=layer, optimizer=optimizer)


def frozen_by_the_forward() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.body.requires_grad_(False)
        self.body.weight.grad = None
        return self.head(self.body(x))

    module = module_with(forward, body=nn.Linear(6, 5), head=nn.Linear(5, 2))
    module.body.weight.grad = torch.ones(5, 6)
    return module


def statistics_and_a_question() -> nn.Module:
    """What the forward does depends on values, and it writes to buffers before it asks."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.layer(x))
        self.largest.copy_(torch.maximum(self.largest, y.abs().max()))
        self.seen.append(self.largest.item())
        return self.layer(y) if self.seen[-1] >= 0 else y

    module = module_with(forward, layer=nn.Linear(4, 4), norm=nn.BatchNorm1d(4), seen=[])
    module.register_buffer("largest", torch.zeros(()))
    return module


def views_of_one_storage() -> nn.Module:
    """A flat vector of all weights: who writes to it writes to the weights that are its parts."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.flat.zero_()
        return self.layer(x) if float(self.part.abs().sum()) == 0 else x

    flat = torch.randn(36)
    return module_with(forward, layer=nn.Linear(6, 6, bias=False), flat=flat, part=flat[:6])


# --- what comes in -------------------------------------------------------------------------------


def centred_in_place() -> nn.Module:
    def forward(self: Any, x: torch.Tensor, more: dict[str, Any]) -> torch.Tensor:
        x.sub_(x.mean(0))
        more["gain"][0] = 2.0
        more["steps"].append(len(more["steps"]))
        return self.layer(x) * more["gain"]

    return module_with(forward, layer=nn.Linear(6, 5))


# --- random numbers ------------------------------------------------------------------------------


def seeded_in_the_forward() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)
        noise = torch.rand(x.shape) + random.random() + float(np.random.rand())
        return self.layer(x + noise)

    return module_with(forward, layer=nn.Linear(6, 5))


def three_generators() -> nn.Module:
    """One of torch's, of numpy's and of Python's, as attributes."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(x.shape, generator=self.of_torch)
        order = self.of_numpy.permutation(6).tolist()
        return self.layer((x + noise)[:, order] * self.of_python.uniform(1, 2))

    return module_with(
        forward, layer=nn.Linear(6, 5), of_torch=torch.Generator().manual_seed(4),
        of_numpy=np.random.default_rng(5), of_python=random.Random(6),
    )  # fmt: skip


def masked_at_random() -> nn.Module:
    """As masked autoencoders: which rows stay is drawn, in the forward and in the layers."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        kept = torch.rand(x.shape[0]).argsort()[:2]
        y = functional.dropout(self.layer(x[kept]), 0.3, training=True)
        return y * torch.bernoulli(torch.full((5,), 0.5)) + torch.empty(5).uniform_()

    return module_with(forward, layer=nn.Linear(6, 5))


def draw_that_decides() -> nn.Module:
    """A random number is asked for its value."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if torch.rand(1).item() < 2 else x

    return module_with(forward, layer=nn.Linear(6, 6))


def apart_from_the_rest() -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            fixed = torch.randn(6)
        return self.layer(x + fixed + random.gauss(0, 1))

    return module_with(forward, layer=nn.Linear(6, 5))


WRITING: dict[str, Everyday] = {
    # 3 × 6 × 6 twice
    "average of weights": Everyday(average_of_weights, (3, 6), 216, 84),
    "weights exchanged": Everyday(weights_exchanged, (3, 6), 216, 84),
    # 3 × 5 × 3 twice; 15 + 3 and 6 of the norm, twice
    "target network": Everyday(target_network, (3, 5), 90, 48),
    # 6 × 5 twice for the iteration, then 3 × 6 × 5; torch's counter has no matrix by vector
    "power iteration": Everyday(power_iteration, (3, 6), 150, 35, by_torch=False),
    # 3 × 6 × 4 and 3 × 4 × 7
    "memory bank": Everyday(memory_bank, (3, 6), 156, 28, ((3, 7),)),
    # 3 × 4 × 5 three times: scores, sums, codes
    "codebook": Everyday(codebook, (3, 4), 180, 0, ((3, 4),)),
    "initialised anew": Everyday(initialised_anew, (3, 6), 90, 35),
    "weights through numpy": Everyday(weights_through_numpy, (3, 6), 90, 35),
    "step of an optimizer": Everyday(step_of_an_optimizer, (3, 6), 90, 35),
    # 3 × 6 × 5 and 3 × 5 × 2
    "frozen by the forward": Everyday(frozen_by_the_forward, (3, 6), 120, 47),
    # 3 × 4 × 4 twice; 20 and 8
    "statistics and a question": Everyday(statistics_and_a_question, (3, 4), 96, 28, mode="train"),
    "views of one storage": Everyday(views_of_one_storage, (3, 6), 108, 36),
    # 2 × 14 × 14 places of 5 filters of 27; 140 and 10
    "batch statistics": Everyday(
        lambda: nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True)),
        (2, 3, 16, 16), 52_920, 150, ((2, 5, 14, 14),), mode="train",
    ),
    "centred in place": Everyday(
        centred_in_place,
        lambda: {"x": torch.randn(3, 6), "more": {"gain": torch.ones(5), "steps": [0]}}, 90, 35,
    ),
    "seeded in the forward": Everyday(seeded_in_the_forward, (3, 6), 90, 35),
    "three generators": Everyday(three_generators, (3, 6), 90, 35),
    # two rows of three: 2 × 6 × 5
    "masked at random": Everyday(masked_at_random, (3, 6), 60, 35, ((2, 5),)),
    "draw that decides": Everyday(draw_that_decides, (3, 6), 108, 42),
    "apart from the rest": Everyday(apart_from_the_rest, (3, 6), 90, 35),
    # 3 × 6 × 6 twice
    "dropped out": Everyday(
        lambda: nn.Sequential(
            nn.Linear(6, 6), nn.Dropout(0.5), nn.RReLU(), nn.Linear(6, 6), nn.AlphaDropout(0.2)
        ),
        (3, 6), 216, 84, mode="train",
    ),
}  # fmt: skip
