"""What learns: the module with its optimizer, and one update of it; in columns too."""

from __future__ import annotations

import math
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..building.build import Built, build
from ..building.weights import load
from ..counting.tally import tally
from ..data.augment import augment, draw, noise
from ..errors import NettallyError
from . import recipe as recipes
from .evaluate import last_of
from .seeded_random import Masks, generator_of, network_of_scores, seed_of, with_dropout

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from ..data.augment import Draws
    from ..data.packed import Packed
    from .batch_partition import BatchPartition
    from .columns import Plan, Traffic
    from .run import Run
    from .settings import Settings


class TrainError(NettallyError):
    """A training that can't go on: values that are not finite."""


class Stepped(NamedTuple):
    """loss: of the batch, over all processes. errors: images whose class was not the likeliest.

    stop: some process was asked to stop.
    """

    loss: float
    errors: int
    stop: bool


class Learner:
    """A network in training on this process: what it is, and what it keeps.

    module: with the names of the nodes. wrapped: the same as it is called, which exchanges
    gradients between processes. average: the averaged weights, where the recipe has some.
    """

    def __init__(
        self, fabric: Any, run: Run, packed: Packed, settings: Settings, partition: BatchPartition
    ) -> None:
        self.fabric, self.run, self.settings, self.partition = fabric, run, settings, partition
        self.recipe = run.recipe
        network = network_of_scores(run.network)
        self.plan: Plan | None = None
        torch.manual_seed(seed_of(settings.seed, "torch's own initial values"))
        module = build(network)
        recipes.initialise(module, self.recipe, generator_of(settings.seed, "initial values"))
        if settings.weights:
            load(module, settings.weights)
        cut: dict[str, tuple[int, int]] = {}
        if settings.columns > 1:
            module, cut = self._column(module)
        with_dropout(module, self.recipe.dropout)
        self.masks = Masks(module, tally(network), settings.seed, cut)
        if settings.channels_last:
            module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - torch's stubs lack it
        self.module = module
        self.wrapped: Callable[[Tensor], Any]
        self.optimizer: Any = None
        self._set_up()
        self.average: dict[str, Tensor] = {}
        if self.recipe.average:
            self.average = {n: p.detach().clone() for n, p in self.parameters()}
        self.noise = None
        if self.recipe.noise:
            self.noise = noise(self.recipe.noise, packed.covariance)
        pad = 2 * self.recipe.pad
        self.room = packed.height - run.size[0] + pad, packed.width - run.size[1] + pad
        self.rate = 0.0

    def _column(self, whole: Built) -> tuple[Built, dict[str, tuple[int, int]]]:
        """This process' column of the network, and what it has of each dropout's channels."""
        from .columns import build_column, channels_of, plan, scatter

        rank = self.fabric.global_rank
        layout = self.plan = plan(whole.network, self.settings.columns)
        column = build_column(layout, rank)
        column.load_state_dict(scatter(layout, whole.state_dict(), rank))
        return column, dict(channels_of(layout, rank))

    def _set_up(self) -> None:
        if self.settings.compile:
            # the last batch of an epoch is smaller: that is another size, not a changing one
            self.module.compile(dynamic=False)
        self.optimizer = recipes.optimizer_of(self.module, self.recipe)
        if self.plan is None:
            self.wrapped, self.optimizer = self.fabric.setup(self.module, self.optimizer)
            return
        # A column's gradients are its own: nothing is averaged over processes.
        self.fabric.to_device(self.module)
        self.optimizer = self.fabric.setup_optimizers(self.optimizer)

        def call(x: Tensor) -> Any:
            with self.fabric.autocast():
                return self.module(x)

        self.wrapped = call

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters by their names, each once."""
        yield from self.module.named_parameters()

    def predicted_to_send(self, batch: int) -> int:
        """Bytes that a column will send in a step on so many images; 0 without columns."""
        if self.plan is None:
            return 0
        from .columns import predicted_traffic

        width = 2 if self.settings.precision.startswith(("bf16", "16")) else 4
        return predicted_traffic(self.plan, batch, width).total

    def sent(self) -> int:
        """Bytes that this column has sent in the last step."""
        return self._traffic().total

    def _traffic(self) -> Traffic:
        from .columns import traffic_of

        return traffic_of(self.module)

    # --- one update ----------------------------------------------------------------------------

    def update(
        self, images: Tensor, labels: Tensor, epoch: int, at: int, drops: int, *, stop: bool
    ) -> Stepped:
        """One update by this process' part of a batch, ``at`` in its epoch.

        images: uint8 (n, height, width, channels); labels: int64 (n,). Raises TrainError where the
        loss is not finite; then nothing has been updated.
        """
        partition, world = self.partition, self.partition.world
        step, size = epoch * partition.per_epoch + at, partition.size(at)
        first, _ = partition.span(at)
        time = epoch + at / partition.per_epoch
        self.rate = recipes.set_rates(self.optimizer, self.recipe, time, drops)
        torch.manual_seed(seed_of(self.settings.seed, "layers", step, partition.rank))
        drawn = self._draws(step, size)
        totals = torch.zeros(3, dtype=torch.float64)  # loss, errors, whether to stop
        inputs: list[tuple[int, Tensor]] = []
        if self.plan is not None:
            self._traffic().reset()
        parts = partition.micro(len(labels))
        for begin, count in parts:
            start = first + begin
            self.masks.draw(step, size, start, count, self.fabric.device)
            x = self._prepare(images[begin : begin + count], drawn.part(start, start + count))
            inputs.append((start, x))
            target = labels[begin : begin + count]
            with self._alone(begin + count < len(labels)):
                scores = self.wrapped(x)
                # averaged over the processes it is the mean over the whole batch
                loss = self._loss(scores, target) * (count * world / size)
                self.fabric.backward(loss)
            totals[0] += loss.detach().cpu().double() / world
            totals[1] += float((last_of(scores).argmax(1) != target).sum())
        totals[2] = float(stop)
        if self.fabric.world_size > 1:
            how = "sum" if self.plan is None else "mean"
            totals = self.fabric.all_reduce(totals.to(self.fabric.device), reduce_op=how).cpu()
        value = float(totals[0])
        if not math.isfinite(value):
            raise self._not_finite(value, step, size, inputs)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._update_average(step)
        return Stepped(value, round(float(totals[1])), bool(totals[2]))

    def _draws(self, step: int, size: int) -> Draws:
        return draw(
            generator_of(self.settings.seed, "images", step),
            size,
            room=self.room,
            mirror=self.recipe.mirror and self.run.mirror,
            together=self.recipe.together,
            inclusive=self.recipe.crops == "inclusive",
        )

    def _prepare(self, images: Tensor, drawn: Draws) -> Tensor:
        return augment(
            images,
            drawn,
            self.run.size,
            self.run.scaling,
            self.noise,
            pad=self.recipe.pad,
            channels_last=self.settings.channels_last,
        )

    def _loss(self, scores: Any, labels: Tensor) -> Tensor:
        outputs = scores if isinstance(scores, tuple) else (scores,)
        losses = [
            functional.cross_entropy(
                each.flatten(1).float(), labels, label_smoothing=self.recipe.smoothing
            )
            for each in outputs
        ]
        total = losses[-1]
        for each in losses[:-1]:
            total = total + self.recipe.auxiliary * each
        return total

    def _alone(self, more: bool) -> Any:
        """While further parts of the batch follow, gradients are not exchanged."""
        if self.fabric.world_size > 1 and self.plan is None:
            return self.fabric.no_backward_sync(self.wrapped, enabled=more)
        return nullcontext()

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        if self.average:
            kept = min(self.recipe.average, (1 + step) / (10 + step))
            weights = [tensor.detach() for _, tensor in self.parameters()]
            for mine, theirs in zip(self.average.values(), weights, strict=True):
                mine.lerp_(theirs, 1 - kept)

    @contextmanager
    def averaged(self) -> Generator[None]:
        """The averaged weights in the place of the last ones, while this lasts."""
        if not self.average:
            yield
            return
        last_weights = {name: tensor.detach().clone() for name, tensor in self.parameters()}
        self._put(self.average)
        try:
            yield
        finally:
            self._put(last_weights)

    @torch.no_grad()
    def _put(self, weights: Mapping[str, Tensor]) -> None:
        for name, tensor in self.parameters():
            tensor.copy_(weights[name])

    # --- what is not finite --------------------------------------------------------------------

    @torch.no_grad()
    def _not_finite(
        self, value: float, step: int, size: int, inputs: list[tuple[int, Tensor]]
    ) -> TrainError:
        """What is wrong, with the first layer whose values are not finite."""
        epoch, at = divmod(step, self.partition.per_epoch)
        where = "of the loss itself"
        for start, x in inputs if self.plan is None else ():
            if not x.isfinite().all():
                where = "of the images"
                break
            self.masks.draw(step, size, start, len(x), self.fabric.device)
            layer = self._first_wrong(x)
            if layer:
                where = f"that {layer} gives"
                break
        return TrainError(
            f"the loss is {value} at step {step + 1}: the values {where} are not finite",
            where=self.run.path,
            values=f"epoch {epoch + 1}, batch {at + 1} of {self.partition.per_epoch}, "
            f"rate {self.rate:g}",
            hint=f"a lower rate: --set rate={self.recipe.rate / 10:g}",
        )

    def _first_wrong(self, x: Tensor) -> str:
        """The name of the first layer that gives a value that is not finite."""
        names: list[str] = []
        handles: list[Any] = []
        for node in self.module.network.nodes:

            def look(module: Any, inputs: Any, output: Any, name: str = node.name) -> None:
                if not names and isinstance(output, Tensor) and not output.isfinite().all():
                    names.append(name)

            handles.append(self.module.module_of(node.name).register_forward_hook(look))
        try:
            with self.fabric.autocast():
                self.module.forward(x)
        finally:
            for handle in handles:
                handle.remove()
        return names[0] if names else ""

    def check_finite(self) -> None:
        """Look before a checkpoint is written over the last one. Raises TrainError."""
        for name, tensor in self.parameters():
            if not tensor.isfinite().all():
                raise TrainError(
                    f"the weights of {name} are not finite after the last update",
                    where=self.run.path,
                    values=f"rate {self.rate:g}",
                    hint=f"a lower rate: --set rate={self.recipe.rate / 10:g}",
                )

    # --- what is kept --------------------------------------------------------------------------

    def weights(self) -> dict[str, Tensor]:
        """What a checkpoint of weights has: "model." and "average.", of the whole network."""
        kept = _called("model.", self._whole(self.module.state_dict()))
        return kept | _called("average.", self._whole(self.average))

    def state(self) -> dict[str, Tensor]:
        """The weights, and what the optimizer keeps: all that the next update depends on."""
        kept = self.weights()
        by_key: dict[str, dict[str, Tensor]] = {}
        state = self.optimizer.optimizer.state
        for name, parameter in self.parameters():
            for key, tensor in state.get(parameter, {}).items():
                if isinstance(tensor, Tensor):
                    by_key.setdefault(key, {})[name] = tensor
        for key, tensors in by_key.items():
            counts = {name: tensor for name, tensor in tensors.items() if not tensor.dim()}
            whole = self._whole({n: t for n, t in tensors.items() if n not in counts})
            kept |= _called(f"optimizer.{key}.", {**whole, **counts})
        return kept

    def _whole(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The whole network's tensors: in columns, put together of all of them, on each."""
        if self.plan is None or not tensors:
            return tensors
        from .columns import gather_from_ranks

        return gather_from_ranks(self.plan, tensors)

    def _local_part(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """This process' part of the whole network's tensors."""
        if self.plan is None:
            return tensors
        from .columns import scatter

        counts = {name: tensor for name, tensor in tensors.items() if not tensor.dim()}
        rest = {name: tensor for name, tensor in tensors.items() if tensor.dim()}
        return scatter(self.plan, rest, self.fabric.global_rank) | counts

    @torch.no_grad()
    def restore(self, part: Callable[[str], dict[str, Tensor]]) -> None:
        """Take up what ``state`` gave. part: the tensors whose names begin so, without it."""
        load(self.module, self._local_part(part("model.")))
        for name, tensor in self._local_part(part("average.")).items():
            if name in self.average:
                self.average[name].copy_(tensor)
        by_key: dict[str, dict[str, Tensor]] = {}
        for name, tensor in part("optimizer.").items():
            key, _, parameter_name = name.partition(".")
            by_key.setdefault(key, {})[parameter_name] = tensor
        state = self.optimizer.optimizer.state
        for key, tensors in by_key.items():
            mine = self._local_part(tensors)
            for name, parameter in self.parameters():
                if name not in mine:
                    continue
                tensor = mine[name]
                if tensor.dim():  # laid out as the parameter is
                    tensor = torch.empty_like(parameter).copy_(tensor)
                state[parameter][key] = tensor


def _called(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}
