"""Training: what is learnt, what a run leaves, how it goes on, and how it fails."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

import nettally
import training
from nettally.data.packed import open_packed
from nettally.errors import NettallyError, ReadError
from nettally.training import checkpoint as checkpoints
from nettally.training import recipe as recipes
from nettally.training.batch_partition import BatchPartition
from nettally.training.loop import Report, TrainError, resume, train
from nettally.training.recipe import CODE, MODERN, PAPER, Recipe
from nettally.training.run import open_run
from nettally.training.settings import Settings

training.declare()

SHORT = MODERN.replace(epochs=2, batch=16, warmup=0.1)
EXAMPLE = Path(__file__).parents[1] / "examples" / "digits.yaml"


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]


def losses(path: Path) -> list[float]:
    return [line["loss"] for line in lines(path) if "loss" in line]


NORMALISED = training.SMALL.replace("  - pool1:", "  - norm1: lrn 5, alpha 0.01, k 2\n  - pool1:")
EVERY_STEP = Settings(log_every=1)


# --- it learns ------------------------------------------------------------------------------------


def test_digits_are_learnt(tmp_path: Path) -> None:
    recipe = MODERN.lasting(12)
    made = train(nettally.read(str(EXAMPLE)), open_packed("digits"), str(tmp_path / "a"), recipe)
    assert made.best is not None
    assert made.best <= 0.03
    assert made.steps == 12 * 12
    told = [line for line in lines(tmp_path / "a") if "held_out" in line]
    assert [line["epoch"] for line in told] == list(range(12))
    assert told[-1]["train"]["error"] < 0.06
    assert min(line["held_out"]["top1"] for line in told) == made.best


@pytest.mark.parametrize("recipe", [PAPER, CODE, MODERN], ids=lambda each: each.name)
def test_each_recipe_runs_on_colour_images(recipe: Recipe, tmp_path: Path) -> None:
    network = training.net(training.SMALL.replace("1x8x8", "3x8x8"))
    packed = training.packed(40, size=(12, 12, 3))
    short = recipe.lasting(2).replace(batch=16)
    made = train(network, packed, str(tmp_path / "a"), short, EVERY_STEP)
    assert made.steps == 6
    assert all(0 < loss < 20 for loss in losses(tmp_path / "a"))


def test_several_outputs_and_scores_with_space(tmp_path: Path) -> None:
    network = training.net("""
nettally: 1
name: heads
input: 1x8x8
layers:
  - conv1: conv 8, 3x3, padding 1
  - relu1: relu
  - head: linear 10
  - conv2: conv 10, 3x3 from relu1
  - pool2: global_average_pool
  - soft: softmax
outputs: [head, soft]
""")
    made = train(network, training.packed(), str(tmp_path / "a"), SHORT)
    assert made.held_out is not None
    module = open_run(str(tmp_path / "a")).module()
    head, soft = module(torch.zeros(2, 1, 8, 8))
    torch.testing.assert_close(soft.flatten(1).sum(1), torch.ones(2))
    assert head.shape == (2, 10)


def test_it_does_not_depend_on_the_global_state(tmp_path: Path) -> None:
    for name in ("a", "b"):
        torch.manual_seed(hash(name) % 1000)
        train(training.net(), training.packed(), str(tmp_path / name), SHORT)
    assert training.same(tmp_path / "a/last.safetensors", tmp_path / "b/last.safetensors") == []
    train(training.net(), training.packed(), str(tmp_path / "c"), SHORT, Settings(seed=1))
    assert training.same(tmp_path / "a/last.safetensors", tmp_path / "c/last.safetensors")


def test_a_batch_in_parts_is_the_batch(tmp_path: Path) -> None:
    for name, parts in (("a", 1), ("b", 4)):
        settings = Settings(accumulate=parts, log_every=1)
        train(training.net(), training.packed(60), str(tmp_path / name), SHORT, settings)
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), abs=1e-5)


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
@pytest.mark.parametrize("last", [True, False], ids=["channels last", "channels first"])
def test_other_precisions(precision: str, last: bool, tmp_path: Path) -> None:
    network = training.net(NORMALISED)
    found: dict[str, list[float]] = {}
    for each in ("32-true", precision):
        settings = Settings(precision=each, channels_last=last, log_every=1)
        train(network, training.packed(), str(tmp_path / each), SHORT, settings)
        found[each] = losses(tmp_path / each)
    assert found[precision] != found["32-true"]
    near = 1e-4 if precision == "64-true" else 0.05
    assert found[precision] == pytest.approx(found["32-true"], abs=near)


@pytest.mark.filterwarnings("ignore")  # torch's own, on the way
def test_compiled_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With batches of two sizes, and response normalisation, into which no compiler looks.

    Traced and differentiated as ever, but run by torch's own operations: making C++ of it takes a
    minute, and is torch's part.
    """
    compiles = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module,
        "compile",
        lambda module, **options: compiles(module, backend="aot_eager", **options),
    )
    for name, compiled in (("a", False), ("b", True)):
        settings = Settings(compile=compiled, log_every=1)
        short = SHORT.replace(epochs=1)
        train(training.net(NORMALISED), training.packed(40), str(tmp_path / name), short, settings)
    assert losses(tmp_path / "b") == pytest.approx(losses(tmp_path / "a"), abs=1e-4)


def test_the_average_is_what_is_used(tmp_path: Path) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT)
    run = open_run(str(tmp_path / "a"))
    saved = training.tensors(tmp_path / "a/last.safetensors")
    module = run.module("last")
    assert torch.equal(module.conv1.weight, saved["average.conv1.weight"])
    assert not torch.equal(saved["average.conv1.weight"], saved["model.conv1.weight"])


# --- who works on what ----------------------------------------------------------------------------


@pytest.mark.parametrize("images", [7, 8, 9, 16, 17, 31])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_each_image_is_worked_on_once(images: int, world: int) -> None:
    order = torch.randperm(images)
    every = [BatchPartition(images, 8, rank, world).checked() for rank in range(world)]
    for first in range(every[0].per_epoch):
        parts = [each.part(order, first) for each in every]
        whole = torch.cat(parts).sort().values
        taken = min(images, every[0].per_epoch * 8)
        assert torch.equal(whole, order[first * 8 : taken].sort().values)
    sizes = [[each.span(at)[1] for each in every] for at in range(every[0].per_epoch)]
    assert all(max(row) - min(row) <= 1 and min(row) > 0 for row in sizes)
    assert images - taken < world


REFUSED_SHARES = [
    (BatchPartition(8, 9, 0, 2), r"the batch can't be divided evenly(?s:.*)try: --batch 8"),
    (BatchPartition(0, 8), "there are no images to train on"),
    (BatchPartition(1, 8, 0, 2), "there are fewer images than processes"),
]


@pytest.mark.parametrize(("shares", "text"), REFUSED_SHARES)
def test_what_can_not_be_shared(shares: BatchPartition, text: str) -> None:
    with pytest.raises(NettallyError, match=text):
        shares.checked()


# --- it goes on where it was ----------------------------------------------------------------------


def test_a_run_in_pieces_is_the_run(tmp_path: Path) -> None:
    recipe = SHORT.replace(epochs=3)
    train(training.net(), training.packed(50), str(tmp_path / "a"), recipe, EVERY_STEP)
    made = train(
        training.net(), training.packed(50), str(tmp_path / "b"), recipe,
        Settings(log_every=1, steps=1),
    )  # fmt: skip
    for steps in (2, 4, 5, 8, 0):
        assert made.stopped
        settings = Settings(log_every=1, steps=steps)
        made = resume(str(tmp_path / "b"), training.packed(50), settings)
    assert not made.stopped
    for name in ("last", "best"):
        a, b = (tmp_path / run / f"{name}.safetensors" for run in "ab")
        assert training.same(a, b) == []
    told = [lines(tmp_path / run) for run in "ab"]
    for every in told:
        for line in every:
            for name in ("seconds", "images_per_second", "waiting"):
                line.pop(name, None)
    assert told[0] == told[1]


def test_a_finished_run_has_nothing_to_go_on_with(tmp_path: Path) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT)
    before = (tmp_path / "a/last.safetensors").read_bytes()
    made = resume(str(tmp_path / "a"), training.packed())
    assert (made.epochs, made.stopped) == (2, False)
    assert (tmp_path / "a/last.safetensors").read_bytes() == before


def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """Killed again and again, at whatever moment, it ends as one that was left alone."""
    arguments = ("train", str(EXAMPLE), "--epochs", "3", "--save-every", "0", "--log-every", "1")
    done = training.run(*arguments, "-o", "whole", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    waits, killed = iter((2.6, 0.05, 0.3, 0.15, 0.6, 0.02, 0.4)), 0
    begun = ("train", str(EXAMPLE), *arguments[2:], "-o", "cut")
    for wait in waits:
        there = (tmp_path / "cut/run.json").exists()
        again = training.command(*(("train", "--resume", "cut") if there else begun))
        with subprocess.Popen(
            again, cwd=tmp_path, env=training.surroundings(), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("epoch"):  # the table's head: from here on it trains
                    break
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
    assert killed, "the machine was faster than every wait: nothing was tried"
    done = training.run("train", "--resume", "cut", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("last", "best"):
        paths = [tmp_path / run / f"{name}.safetensors" for run in ("whole", "cut")]
        assert training.same(*paths) == []
    assert losses(tmp_path / "whole") == losses(tmp_path / "cut")
    assert not [name for name in os.listdir(tmp_path / "cut") if name.endswith(".part")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_first(number: signal.Signals, tmp_path: Path) -> None:
    class Asks(Report):
        def step(self, epoch: int, at: int, loss: float, speed: float, waiting: float) -> None:
            if (epoch, at) == (0, 2):
                os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    assert threading.current_thread() is threading.main_thread()
    made = train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, EVERY_STEP, Asks())
    assert made.stopped
    assert made.steps == 3  # the step after the one that it was asked in
    assert signal.getsignal(number) == before
    made = resume(str(tmp_path / "a"), training.packed())
    assert (made.stopped, made.epochs) == (False, 2)


def test_a_second_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    class Asks(Report):
        def step(self, epoch: int, at: int, loss: float, speed: float, waiting: float) -> None:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, EVERY_STEP, Asks())


# --- what fails -----------------------------------------------------------------------------------


def spoil(path: Path, **changes: Any) -> None:
    """Change the recipe of a run, and take away what its optimizer kept."""
    told = json.loads((path / "run.json").read_text())
    told["recipe"].update(changes)
    (path / "run.json").write_text(json.dumps(told))
    last = str(path / "last.safetensors")
    facts = checkpoints.read_checkpoint(last).facts
    saved = training.tensors(path / "last.safetensors")
    kept = {name: tensor for name, tensor in saved.items() if not name.startswith("optimizer.")}
    checkpoints.write_checkpoint(last, kept, facts)


RUINOUS = {"rate": 1e30, "optimizer": "momentum", "schedule": "drops"}


def test_a_loss_that_is_not_finite_stops_and_the_last_checkpoint_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    train(training.net(), training.packed(), str(path), SHORT, Settings(steps=1))
    spoil(path, **RUINOUS)
    good = (path / "last.safetensors").read_bytes()
    text = (
        r"the loss is nan at step 3: the values that fc2 gives are not finite\n"
        r"  values: epoch 1, batch 3 of 4, rate 1e\+30; .*last.safetensors of step 1 is the last "
        r"good checkpoint\n  try: a lower rate: --set rate=1e\+29"
    )
    with pytest.raises(TrainError, match=text):
        resume(str(path), training.packed(), EVERY_STEP)
    assert (path / "last.safetensors").read_bytes() == good


def test_what_was_saved_just_before_is_not_called_good(tmp_path: Path) -> None:
    """An update that ruins the weights, and leaves them finite, is found out by the next step."""
    path = tmp_path / "a"
    train(training.net(), training.packed(), str(path), SHORT, Settings(steps=1))
    spoil(path, **RUINOUS)
    settings = Settings(save_every=0)
    with pytest.raises(TrainError, match=r"at step 3.*\n.*previous.safetensors of step 1 is the l"):
        resume(str(path), training.packed(), settings)


def test_a_held_out_loss_that_is_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "a"
    train(training.net(), training.packed(), str(path), SHORT, Settings(steps=3))
    spoil(path, **RUINOUS)
    good = (path / "last.safetensors").read_bytes()
    with pytest.raises(TrainError, match=r"the held-out loss is nan after step 4\n.*of step 3 is"):
        resume(str(path), training.packed(), EVERY_STEP)
    assert (path / "last.safetensors").read_bytes() == good


def test_weights_that_are_not_finite_are_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ruin(self: Any, closure: Any = None) -> None:
        for group in self.param_groups:
            for tensor in group["params"]:
                tensor.data.fill_(float("inf"))

    monkeypatch.setattr(recipes.Momentum, "step", ruin)
    short = PAPER.replace(noise="", epochs=1)
    text = r"the weights of conv1.weight are not finite after the last update"
    with pytest.raises(TrainError, match=text):
        train(training.net(), training.packed(), str(tmp_path / "a"), short)
    assert not (tmp_path / "a/last.safetensors").exists()


def test_a_disk_that_is_full_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, Settings(steps=3))
    good = (tmp_path / "a/last.safetensors").read_bytes()
    from nettally.building import safetensors

    def full(file: Any, tensor: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors, "write_values", full)
    with pytest.raises(ReadError, match=r"\w+.safetensors: can't write the file: No space left"):
        resume(str(tmp_path / "a"), training.packed(), Settings(steps=5))
    monkeypatch.undo()
    assert (tmp_path / "a/last.safetensors").read_bytes() == good
    assert not [name for name in os.listdir(tmp_path / "a") if name.endswith(".part")]
    assert resume(str(tmp_path / "a"), training.packed(), Settings()).epochs == 2


@pytest.mark.parametrize("kept", [0, 5, 100, 3000, -1])
def test_a_checkpoint_that_was_cut_short(kept: int, tmp_path: Path) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, Settings(steps=3))
    path = tmp_path / "a/last.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ReadError, match=r"last\.safetensors"):
        resume(str(tmp_path / "a"), training.packed())


def test_of_two_checkpoints_the_one_before_is_named_and_does(tmp_path: Path) -> None:
    train(
        training.net(), training.packed(), str(tmp_path / "a"), SHORT,
        Settings(steps=3, save_every=0, log_every=1),
    )  # fmt: skip
    path, before = (tmp_path / "a" / f"{name}.safetensors" for name in ("last", "previous"))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ReadError, match=r"try: put .*previous\.safetensors in its place"):
        resume(str(tmp_path / "a"), training.packed())
    os.replace(before, path)
    assert resume(str(tmp_path / "a"), training.packed(), EVERY_STEP).epochs == 2
    assert [line["step"] for line in lines(tmp_path / "a") if "loss" in line] == list(range(1, 9))


def test_a_checkpoint_of_another_net(tmp_path: Path) -> None:
    other = training.net(training.SMALL.replace("conv 8", "conv 9"))
    for name, network in (("a", training.net()), ("b", other)):
        train(network, training.packed(), str(tmp_path / name), SHORT, Settings(steps=1))
    os.replace(tmp_path / "b/last.safetensors", tmp_path / "a/last.safetensors")
    with pytest.raises(ReadError, match=r"the checkpoint is of another network(?s:.*)it is of 'sm"):
        resume(str(tmp_path / "a"), training.packed())


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    from nettally.building.weights import save

    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, Settings(steps=1))
    save({"x": torch.zeros(1)}, tmp_path / "a/last.safetensors")
    with pytest.raises(ReadError, match="this is no checkpoint of nettally's"):
        resume(str(tmp_path / "a"), training.packed())
    nothing = {"x": torch.zeros(1)}
    checkpoints.write_checkpoint(str(tmp_path / "a/last.safetensors"), nothing, {})
    with pytest.raises(ReadError, match="of another network"):
        resume(str(tmp_path / "a"), training.packed())
    facts = {"network": checkpoints_network(tmp_path / "a")}
    checkpoints.write_checkpoint(str(tmp_path / "a/last.safetensors"), nothing, facts)
    with pytest.raises(ReadError, match="the checkpoint lacks or garbles 'epoch'"):
        resume(str(tmp_path / "a"), training.packed())


def checkpoints_network(path: Path) -> str:
    return json.loads((path / "run.json").read_text())["network"]


def test_other_data_than_it_was_begun_with(tmp_path: Path) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, Settings(steps=1))
    with pytest.raises(NettallyError, match="the data is not what the run was begun with"):
        resume(str(tmp_path / "a"), training.packed(seed=1))


def test_a_folder_that_has_a_run(tmp_path: Path) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, Settings(steps=1))
    with pytest.raises(NettallyError, match=r"there is a run in this folder(?s:.*)--resume"):
        train(training.net(), training.packed(), str(tmp_path / "a"), SHORT)


def test_a_run_that_never_began_is_no_hindrance(tmp_path: Path) -> None:
    """What could not start (weights that are not there) leaves a folder that can be used."""
    path = str(tmp_path / "a")
    with pytest.raises(ReadError, match=r"none\.safetensors"):
        train(
            training.net(), training.packed(), path, SHORT,
            Settings(weights=str(tmp_path / "none.safetensors")),
        )  # fmt: skip
    assert train(training.net(), training.packed(), path, SHORT).epochs == 2


def test_taken_up_before_the_first_checkpoint_it_begins_anew(tmp_path: Path) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, EVERY_STEP)
    whole = losses(tmp_path / "a")
    train(
        training.net(),
        training.packed(),
        str(tmp_path / "b"),
        SHORT,
        Settings(steps=2, log_every=1),
    )
    (tmp_path / "b/last.safetensors").unlink()
    resume(str(tmp_path / "b"), training.packed(), EVERY_STEP)
    assert losses(tmp_path / "b") == whole


NO_FIT = [
    ("1x8x8", "3x8x8", r"small does not take the images of made up\n  values: it takes 3x8x8, "),
    ("1x8x8", "1x9x9", r"it takes 1x9x9, they are 1x8x8"),
    ("linear 10", "linear 9", r"tells 9 classes apart, made up has 10\n  try: linear 10 at"),
    ("  - fc3: linear 10\n  - prob: softmax\n", "  - up: conv 10, 1x1 from pool1\n",
     r"small does not end in a score for each class\n  values: up gives 10x4x4"),
    ("input: 1x8x8", "input: {a: 1x8x8, b: 16}", r"small does not take one image"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "text"), NO_FIT)
def test_a_net_that_does_not_fit_the_data(old: str, new: str, text: str, tmp_path: Path) -> None:
    changed = training.SMALL.replace(old, new)
    if "up:" in new:
        changed = changed.replace(
            "  - fc2: linear 16\n  - relu2: relu\n  - drop2: dropout 0.5\n", ""
        )
    if "b: 16" in new:
        changed = changed.replace("padding 1", "padding 1 from a")
    with pytest.raises(NettallyError, match=text):
        train(training.net(changed), training.packed(), str(tmp_path / "a"), SHORT)


DAMAGED = [
    ("run.json", "{", r"this is no folder of a run\n  values: run.json is not of version 1"),
    ("run.json", '{"nettally_run": 1}', r"the run's network is not the one"),
    ("network.yaml", training.SMALL, "the run's network is not the one that it was begun with"),
]


@pytest.mark.parametrize(("name", "text", "said"), DAMAGED)
def test_a_damaged_run(name: str, text: str, said: str, tmp_path: Path) -> None:
    network = training.net(training.SMALL.replace("conv 8", "conv 9"))
    train(network, training.packed(), str(tmp_path / "a"), SHORT, Settings(steps=1))
    (tmp_path / "a" / name).write_text(text)
    with pytest.raises(NettallyError, match=said):
        open_run(str(tmp_path / "a"))


def test_what_a_run_lacks(tmp_path: Path) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, Settings(steps=1))
    path = tmp_path / "a/run.json"
    told = json.loads(path.read_text())
    del told["classes"]
    path.write_text(json.dumps(told))
    with pytest.raises(ReadError, match=r"run.json lacks or garbles 'classes'"):
        open_run(str(tmp_path / "a"))
    with pytest.raises(ReadError, match="this is no folder of a run"):
        open_run(str(tmp_path))


def test_a_run_without_a_checkpoint(tmp_path: Path) -> None:
    train(training.net(), training.packed(), str(tmp_path / "a"), SHORT, Settings(steps=1))
    (tmp_path / "a/last.safetensors").unlink()
    with pytest.raises(ReadError, match="the run has no checkpoint yet"):
        open_run(str(tmp_path / "a")).module()


def test_a_precision_that_there_is_not() -> None:
    with pytest.raises(NettallyError, match="there is no precision 'bf16'"):
        Settings(precision="bf16")


def test_a_strategy_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(NettallyError, match="this can't be had here"):
        train(
            training.net(), training.packed(), str(tmp_path / "a"), SHORT,
            Settings(strategy="telepathy"),
        )  # fmt: skip


# --- nets that others described ------------------------------------------------------------------

OTHERS = [
    "cuda-convnet/computerhistory__AlexNet-Source-Code/layers-cifar/layers-18pct.cfg",
    "cuda-convnet/computerhistory__AlexNet-Source-Code/example-layers/layers-80sec.cfg",
    "caffe/BVLC__caffe/examples/cifar10/cifar10_quick.prototxt",
    "caffe/BVLC__caffe/examples/cifar10/cifar10_full.prototxt",
]


@pytest.mark.parametrize("name", OTHERS)
def test_nets_of_the_time_of_cifar_train(name: str, corpus: Path, tmp_path: Path) -> None:
    """As their files describe them; a recipe that knows none of them takes the loss down."""
    path = corpus / name
    if not path.exists():
        pytest.skip(f"{name} is not among the collected files")
    network = nettally.read(str(path))
    images = training.packed(64, 0, size=(32, 32, 3))
    recipe = MODERN.replace(epochs=6, batch=16, warmup=0.1)
    train(network, images, str(tmp_path / "a"), recipe, EVERY_STEP)
    found = losses(tmp_path / "a")
    assert sum(found[-4:]) < 0.9 * sum(found[:4])


def test_alexnet_trains_at_its_real_size_on_photographs(tmp_path: Path) -> None:
    """Two updates by the recipe of 2012; docs/training.md has what becomes of more of them."""
    pytest.importorskip("skimage")
    photographs = EXAMPLE.parent / "photographs.py"
    out = tmp_path / "photographs"
    subprocess.run([sys.executable, str(photographs), str(out)], check=True, timeout=120)
    assert len(list(out.glob("*/*.png"))) == 128
    done = training.run(*("data", "pack", str(out), "packed", "--side", "224"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    packed = open_packed(str(tmp_path / "packed"))
    assert (len(packed.splits["train"]), len(packed.classes)) == (128, 16)
    settings = Settings(steps=2, log_every=1)
    recipe = PAPER.replace(batch=4, noise="")
    made = train(nettally.read("alexnet"), packed, str(tmp_path / "run"), recipe, settings)
    assert (made.stopped, made.steps) == (True, 2)
    # before anything is learnt each of the 1000 classes is nearly as likely as any
    assert losses(tmp_path / "run")[0] == pytest.approx(math.log(1000), abs=0.5)
