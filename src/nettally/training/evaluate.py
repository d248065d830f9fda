"""How often a network errs: top-1 and top-5, by the middle crop or ten crops, and what it confuses.

Ten crops are the paper's (section 4.1): four corners and the middle, and their reflections, the
softmax' outputs averaged over the ten.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..data.augment import centre_crop, ten_crops
from ..data.packed import Loader
from ..errors import NettallyError
from ..extras import to_install

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from ..data.augment import Scaling
    from ..data.packed import Split


class Confused(NamedTuple):
    """A class: how many images it has, how many were right, and what the others were taken for.

    taken_for: (class, images), the most first.
    """

    name: str
    images: int
    right: int
    taken_for: tuple[tuple[str, int], ...]


class Scores(NamedTuple):
    """top1, top5: shares of images whose class was not among the one, the five most likely.

    top5 is None where there are no more than five classes. loss: the mean cross entropy, in nats.
    confusion: images by true class and most likely class, int64; None unless asked for.
    """

    images: int
    top1: float
    top5: float | None
    loss: float
    views: int
    confusion: Tensor | None = None

    def worst(self, classes: Sequence[str], count: int = 10, others: int = 3) -> list[Confused]:
        """The classes with the largest share of errors; those without images are left out."""
        if self.confusion is None:
            return []
        table = self.confusion
        confused: list[Confused] = []
        for place, name in enumerate(classes):
            row = table[place]
            images, right = int(row.sum()), int(row[place])
            if not images:
                continue
            wrong = row.clone()
            wrong[place] = 0
            most = wrong.sort(descending=True, stable=True)
            taken = [
                (classes[int(j)] if int(j) < len(classes) else f"output {int(j)}", int(n))
                for n, j in zip(most.values[:others], most.indices[:others], strict=True)
                if n
            ]
            confused.append(Confused(name, images, right, tuple(taken)))
        confused.sort(key=lambda each: (each.right / each.images, each.name))
        return confused[:count]


def last_of(scores: Any) -> Tensor:
    """The scores that count, (batch, classes): of several outputs the last."""
    if isinstance(scores, tuple):
        scores = scores[-1]
    return scores.flatten(1)


@torch.no_grad()
def evaluate(
    module: torch.nn.Module,
    split: Split,
    size: tuple[int, int],
    scaling: Scaling,
    *,
    views: int = 1,
    batch: int = 128,
    device: torch.device | str = "cpu",
    part: tuple[int, int] = (0, 1),
    channels_last: bool = False,
    precision: Callable[[], AbstractContextManager[Any]] | None = None,
    confusion: bool = False,
    alike: bool = False,
    seen: Callable[[int, int], None] | None = None,
) -> Scores:
    """Run a module over a split and count.

    module: gives scores before the softmax, and is put into eval mode while this lasts. part:
    this process' rank and how many there are; each takes its share, and the counts are added.
    alike: all processes take all images (columns). seen: is told images done and in all.
    """
    count = len(split)
    if not count:
        raise NettallyError(
            f"the split '{split.name}' has no images", hint="pack some, or name another"
        )
    rank, world = (0, 1) if alike else part
    order = torch.arange(rank, count, world)
    forward = _Forward(module, size, scaling, views, channels_last, precision or nullcontext)
    was = module.training
    module.eval()
    totals: Any = None
    loss = torch.zeros((), dtype=torch.float64)
    done = 0
    try:
        for images, labels in Loader(split, order, max(1, batch // views), device=device):
            log_probabilities = forward.log_probabilities(images)
            loss += functional.nll_loss(log_probabilities, labels, reduction="sum").cpu().double()
            if totals is None:
                totals = _metrics(log_probabilities.shape[1], confusion, device, sync=not alike)
            for metric in totals:
                metric.update(log_probabilities, labels)
            done += len(labels)
            if seen is not None:
                seen(done, len(order))
    finally:
        module.train(was)
    if totals is None:  # more processes than images
        raise NettallyError(
            f"the split '{split.name}' has fewer images than there are processes",
            values=f"{count} images, {world} processes",
        )
    if world > 1:
        torch.distributed.all_reduce(shared := loss.to(device))
        loss = shared.cpu()
    return _scores_of(totals, count, float(loss) / count, views)


class _Forward(NamedTuple):
    """How a batch of images goes through the module: its crops, its layout and its precision."""

    module: torch.nn.Module
    size: tuple[int, int]
    scaling: Scaling
    views: int
    channels_last: bool
    precision: Callable[[], AbstractContextManager[Any]]

    def log_probabilities(self, images: Tensor) -> Tensor:
        """(images, classes): the logarithm of the softmax, averaged over the views."""
        if self.views == 1:
            x = centre_crop(images, self.size, self.scaling)
        else:
            x = ten_crops(images, self.size, self.scaling).flatten(0, 1)
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        with self.precision():
            scores = last_of(self.module(x)).float()
        if self.views == 1:
            return scores.log_softmax(1)
        probabilities = scores.softmax(1).unflatten(0, (-1, self.views)).mean(1)
        return probabilities.clamp(min=1e-30).log()


def _scores_of(totals: list[Any], images: int, loss: float, views: int) -> Scores:
    """The scores of the metrics' totals, which all processes have added up."""
    first, five, *table = [metric.compute() for metric in totals]
    classes = totals[1].num_classes
    return Scores(
        images,
        _errors(first, images),
        _errors(five, images) if classes > 5 else None,
        loss,
        views,
        table[0].cpu() if table else None,
    )


def _errors(accuracy: Tensor, images: int) -> float:
    """The share of errors, of a share of hits that was rounded to float32."""
    return (images - round(float(accuracy) * images)) / images


def _metrics(classes: int, confusion: bool, device: Any, *, sync: bool) -> list[Any]:
    kinds = metrics()
    common = {"num_classes": classes, "sync_on_compute": sync, "validate_args": False}
    chosen = [
        kinds.MulticlassAccuracy(top_k=1, average="micro", **common),
        kinds.MulticlassAccuracy(top_k=min(5, classes), average="micro", **common),
    ]
    if confusion:
        chosen.append(kinds.MulticlassConfusionMatrix(**common))
    return [metric.to(device) for metric in chosen]


def metrics() -> Any:
    """torchmetrics' classification. Raises NettallyError where it can't be imported."""
    try:
        import torchmetrics.classification
    except (ImportError, RuntimeError) as error:  # it imports torchvision, which may not fit torch
        raise NettallyError(
            "torchmetrics can't be imported here",
            values=str(error).partition("\n")[0],
            hint=f"{to_install('train')}; a torchvision unlike torch stops it too",
        ) from None
    return torchmetrics.classification
