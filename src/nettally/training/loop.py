"""The loop: epochs, held-out tests, checkpoints, the log; it knows no network and no recipe.

What is drawn at random depends on the seed and the step alone (``seeded_random``). So a checkpoint
needs no state of any generator, and a run that is taken up again goes on bit for bit as it would
have, on the same machine with as many threads.
"""

from __future__ import annotations

import math
import os
import signal
import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..data.packed import Loader
from ..errors import NettallyError, ReadError
from .batch_partition import BatchPartition
from .checkpoint import keep, read_checkpoint, write_checkpoint
from .evaluate import Scores, evaluate
from .learner import Learner, TrainError
from .log import Log
from .recipe import Plateau
from .run import BEST, LAST, PREVIOUS, begin, check_fit, digest_of, open_run
from .seeded_random import order_of
from .settings import Settings, fabric_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..data.packed import Packed
    from ..network import Network
    from .recipe import Recipe
    from .run import Run

__all__ = ["Outcome", "Report", "TrainError", "resume", "train"]


class Outcome(NamedTuple):
    """How a training ended. best: the least held-out error.

    stopped: before its end, and it can be taken up again. asked: by a signal.
    """

    path: str
    epochs: int
    steps: int
    held_out: Scores | None
    best: float | None
    stopped: bool
    asked: bool = False


class Report:
    """What is told while it runs; this one tells nothing."""

    def begun(self, run: Run, per_epoch: int, steps: int, world: int, sends: int) -> None:
        """At the beginning: batches an epoch, steps already done, processes.

        sends: bytes that a column will send in a step on a whole batch, 0 without columns.
        """

    def step(self, epoch: int, at: int, loss: float, speed: float, waiting: float) -> None:
        """After some steps: their images a second, the share of time spent waiting for data."""

    def epoch(self, epoch: int, line: dict[str, Any]) -> None:
        """After an epoch: its line of the log."""


def train(
    network: Network,
    packed: Packed,
    path: str,
    recipe: Recipe,
    settings: Settings | None = None,
    report: Report | None = None,
) -> Outcome:
    """Train a network on packed data, in a new folder ``path``.

    Raises NettallyError where they do not fit each other, where there is a run in the folder, and
    TrainError where the loss is no longer finite; the last good checkpoint then stays.
    """
    settings = settings or Settings()
    check_fit(network, packed)
    fabric = fabric_of(settings)
    if fabric.global_rank == 0:
        begin(path, network, recipe, packed, settings.seed, settings.fields())
    fabric.barrier()
    return _Training(fabric, open_run(path), packed, settings, report).go()


def resume(
    path: str, packed: Packed, settings: Settings | None = None, report: Report | None = None
) -> Outcome:
    """Go on with the run in a folder, from its last checkpoint, or from the beginning without one.

    settings: the run's own unless given; the seed is the run's in any case. Raises NettallyError
    where the data is not what it was trained on, or the checkpoint is not of this network.
    """
    run = open_run(path)
    if packed.identity != run.identity:
        raise NettallyError(
            "the data is not what the run was begun with",
            where=path,
            values=f"{packed.identity[:12]} now, {run.identity[:12]} then",
            hint=f"the data was {run.data}",
        )
    settings = (settings or Settings(**run.settings)).replace(seed=run.seed)
    fabric = fabric_of(settings)
    training = _Training(fabric, run, packed, settings, report)
    last = os.path.join(path, LAST)
    if os.path.exists(last):
        try:
            training.restore(last)
        except ReadError as error:
            other = os.path.join(path, PREVIOUS)
            if not os.path.exists(other):
                raise
            raise ReadError(
                error.what,
                where=error.where,
                values=error.values,
                hint=f"put {other} in its place: the checkpoint before",
            ) from None
    else:
        training.log.cut_after(0)
    return training.go()


class _Training:
    """One training as it goes, and where it stands."""

    def __init__(
        self, fabric: Any, run: Run, packed: Packed, settings: Settings, report: Report | None
    ) -> None:
        self.fabric, self.run, self.settings, self.recipe = fabric, run, settings, run.recipe
        self.first = fabric.global_rank == 0
        self.report = report if report is not None and self.first else Report()
        self.split, self.held_out = packed.splits["train"], packed.held_out
        torch.use_deterministic_algorithms(settings.deterministic)
        together = settings.columns > 1  # each column sees every image
        rank, world = (0, 1) if together else (fabric.global_rank, fabric.world_size)
        self.partition = BatchPartition(
            len(self.split), self.recipe.batch, rank, world, settings.accumulate
        ).checked()
        self.learner = Learner(fabric, run, packed, settings, self.partition)
        self.digest = digest_of(run.network)
        self.epoch, self.at = 0, 0
        self.plateau = Plateau()
        self.best: float | None = None
        self.sums = [0.0, 0, 0]  # of this epoch: loss, errors, images
        self.scores: Scores | None = None
        # one process may be asked; all stop together, after the step in which they hear of it
        self.asked = self.all_asked = self.stop = False
        self.saved_at = monotonic()
        self.log = Log(run.path, settings.tensorboard, active=self.first)

    @property
    def steps(self) -> int:
        """Updates so far."""
        return self.epoch * self.partition.per_epoch + self.at

    # --- epochs --------------------------------------------------------------------------------

    def go(self) -> Outcome:
        """Train to the end, or until it is asked to stop."""
        sends = self.learner.predicted_to_send(self.recipe.batch)
        self.report.begun(
            self.run, self.partition.per_epoch, self.steps, self.fabric.world_size, sends
        )
        try:
            with self._stoppable():
                while self.epoch < self.recipe.epochs and not self.stop and not self._over():
                    self._one_epoch()
        except TrainError as error:
            raise self._with_checkpoint(error) from None
        finally:
            self.learner.masks.clear()
            self.log.close()
        return Outcome(
            self.run.path, self.epoch, self.steps, self.scores, self.best, self.stop, self.all_asked
        )  # fmt: skip

    def _over(self) -> bool:
        return self.plateau.over(self.recipe, self.epoch - 1)

    def _with_checkpoint(self, error: TrainError) -> TrainError:
        """The same, saying which checkpoint stayed."""
        kept = "no checkpoint was written before"
        for name in (LAST, PREVIOUS):
            path = os.path.join(self.run.path, name)
            step = read_checkpoint(path).facts.get("step") if os.path.exists(path) else None
            if step is not None and step != self.steps:
                kept = f"{path} of step {step} is the last good checkpoint"
                break
            # what was saved by the very step before has not been tried yet
        return TrainError(
            error.what, where=error.where, values=f"{error.values}; {kept}", hint=error.hint
        )

    def _one_epoch(self) -> None:
        """The rest of an epoch, and its end; or up to where it is asked to stop."""
        begun = since = monotonic()
        order = order_of(len(self.split), self.settings.seed, self.epoch)
        part = self.partition.part(order, self.at)
        loader = Loader(self.split, part, self.partition.local, device=self.fabric.device)
        waited, images_done = 0.0, 0
        for images, labels in loader:
            size = self.partition.size(self.at)
            stepped = self.learner.update(
                images, labels, self.epoch, self.at, self.plateau.drops, stop=self.asked
            )
            self.sums[0] += stepped.loss * size
            self.sums[1] += stepped.errors
            self.sums[2] += size
            images_done += size
            self.at += 1
            ends = self.at == self.partition.per_epoch
            if self.steps % self.settings.log_every == 0 or ends:
                now = monotonic()
                took = max(1e-9, now - since)
                speed, waiting = images_done / took, (loader.waited - waited) / took
                since, waited, images_done = now, loader.waited, 0
                self._tell(stepped.loss, speed, waiting)
            self.stop = stepped.stop or self.steps == self.settings.steps
            self.all_asked = stepped.stop
            if not ends and (self.stop or self._time_to_save()):
                self._save()
            if self.stop and not ends:
                return
        self._end_epoch(monotonic() - begun, loader.waited)

    def _tell(self, loss: float, speed: float, waiting: float) -> None:
        self.report.step(self.epoch, self.at, loss, speed, waiting)
        line: dict[str, Any] = {
            "step": self.steps,
            "epoch": self.epoch,
            "loss": loss,
            "rate": self.learner.rate,
        }
        if self.learner.plan is not None:
            line["sent"] = self.learner.sent()
        times = {"images_per_second": round(speed, 3), "waiting": round(waiting, 4)}
        self.log.line(self.steps, {**line, **times})

    def _end_epoch(self, seconds: float, waited: float) -> None:
        loss, wrong, images = self.sums
        error = wrong / images
        line: dict[str, Any] = {
            "epoch": self.epoch,
            "train": {"loss": loss / images, "error": error},
            "rate": self.learner.rate,
        }
        self.learner.check_finite()
        self.learner.masks.clear()
        if self.held_out is not None and len(self.held_out) >= self.fabric.world_size:
            self.scores = scores = self._evaluate()
            if not math.isfinite(scores.loss):
                raise TrainError(
                    f"the held-out loss is {scores.loss} after step {self.steps}",
                    where=self.run.path,
                    values=f"epoch {self.epoch + 1}, rate {self.learner.rate:g}",
                    hint=f"a lower rate: --set rate={self.recipe.rate / 10:g}",
                )
            line["held_out"] = {"loss": scores.loss, "top1": scores.top1, "top5": scores.top5}
            error = scores.top1
        line["seconds"] = round(seconds, 3)
        line["images_per_second"] = round(images / max(1e-9, seconds), 3)
        line["waiting"] = round(waited / max(1e-9, seconds), 4)
        self.plateau = self.plateau.after(self.recipe, self.epoch, error)
        better = self.best is None or error < self.best
        self.best = line["best"] = error if better else self.best
        self.epoch, self.at, self.sums = self.epoch + 1, 0, [0.0, 0, 0]
        self.log.line(self.steps, line)
        if better:
            self._write(BEST, self.learner.weights())
        self._save()
        self.report.epoch(self.epoch - 1, line)

    def _evaluate(self) -> Scores:
        assert self.held_out is not None
        module: Any = self.learner.wrapped if self.learner.plan is None else self.learner.module
        with self.learner.averaged():
            return evaluate(
                module,
                self.held_out,
                self.run.size,
                self.run.scaling,
                batch=self.partition.local,
                device=self.fabric.device,
                part=(self.fabric.global_rank, self.fabric.world_size),
                channels_last=self.settings.channels_last,
                precision=self.fabric.autocast,
                alike=self.learner.plan is not None,
            )

    # --- checkpoints ---------------------------------------------------------------------------

    def _time_to_save(self) -> bool:
        """Whether it is time; the same on all processes, by the first one's clock."""
        due = monotonic() - self.saved_at >= self.settings.save_every
        return bool(self.fabric.broadcast(due)) if self.fabric.world_size > 1 else due

    def _save(self) -> None:
        self.learner.check_finite()
        self.log.flush()
        if self.first:
            keep(os.path.join(self.run.path, LAST), os.path.join(self.run.path, PREVIOUS))
        self._write(LAST, self.learner.state())
        self.saved_at = monotonic()

    def _write(self, name: str, tensors: Any) -> None:
        if self.first:
            facts = {
                "network": self.digest,
                "name": self.run.network.name,
                "epoch": self.epoch,
                "at": self.at,
                "step": self.steps,
                "batch": self.recipe.batch,
                "plateau": {**self.plateau.fields(), "least": _number(self.plateau.least)},
                "best": self.best,
                "sums": self.sums,
                "scaler": self._scaler(),
            }
            write_checkpoint(os.path.join(self.run.path, name), tensors, facts)

    def _scaler(self) -> Any:
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        return scaler.state_dict() if scaler is not None else None

    def restore(self, path: str) -> None:
        """Go back to where a checkpoint stands. Raises ReadError."""
        saved = read_checkpoint(path, self.digest)
        facts = saved.facts
        try:
            self.epoch, self.at = int(facts["epoch"]), int(facts["at"])
            plateau = dict(facts["plateau"])
            least = math.inf if plateau["least"] is None else float(plateau["least"])
            self.plateau = Plateau(least, int(plateau["since"]), int(plateau["drops"]))
            self.best = None if facts["best"] is None else float(facts["best"])
            self.sums = [float(facts["sums"][0]), *[int(each) for each in facts["sums"][1:]]]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ReadError(f"the checkpoint lacks or garbles {error}", where=path) from None
        self.learner.restore(saved.part)
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        if scaler is not None and facts.get("scaler"):
            scaler.load_state_dict(facts["scaler"])
        self.log.cut_after(self.steps)

    # --- being asked to stop -------------------------------------------------------------------

    @contextmanager
    def _stoppable(self) -> Generator[None]:
        """SIGTERM and Ctrl-C end it after the step at hand, with a checkpoint.

        A second Ctrl-C ends it at once.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: Any) -> None:
            if self.asked and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.asked = True

        before = {each: signal.signal(each, ask) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _number(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None
