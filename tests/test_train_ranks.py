"""Several processes: data parallel, and in columns; losses and weights are those of one process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import training

GROUPED = """
nettally: 1
name: grouped
input: 1x8x8
layers:
  - conv1: conv 8*2, 3x3, padding 1
  - relu1: relu
  - norm1: lrn 3, alpha 1e-2, k 2, groups 2
  - conv2: conv 8*2, 3x3, padding 1, groups 2
  - relu2: relu
  - pool2: max_pool 3x3, stride 2, rounding up
  - conv3: conv 8*2, 3x3, padding 1
  - relu3: relu
  - fc4: linear 16*2
  - relu4: relu
  - drop4: dropout 0.5
  - fc5: linear 10
  - prob: softmax
"""

COMMON = (
    *("--data", "digits", "--batch", "128", "--log-every", "1", "--save-every", "1000"),
    *("--set", "warmup=0"),
)


def ranks(count: int, *arguments: str, cwd: Path) -> None:
    """The command by torchrun, ``count`` processes of one thread each; it must end well."""
    main = cwd / "main.py"
    main.write_text(training.MAIN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "torch.distributed.run"),
            *("--nproc-per-node", str(count), "--master-addr", "127.0.0.1"),
            *("--master-port", str(port), str(main), *arguments),
        ],
        cwd=cwd,
        env=training.surroundings(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def losses(path: Path) -> list[float]:
    told = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in told if "loss" in line]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process: 18 steps with the recipe of 2012 (dropout, momentum), over an epoch's end."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "net.yaml").write_text(GROUPED)
    for recipe in ("alexnet-2012", "modern"):
        done = training.run(
            *("train", "net.yaml", "--recipe", recipe, "-o", f"alone-{recipe}", *COMMON),
            *("--steps", "18"),
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("how", ["data", "columns"])
@pytest.mark.parametrize("recipe", ["alexnet-2012", "modern"])
def test_two_processes_have_the_losses_and_weights_of_one(
    how: str, recipe: str, alone: Path
) -> None:
    out, columns = f"{how}-{recipe}", (("--columns",) if how == "columns" else ())
    arguments = ("train", "net.yaml", "--recipe", recipe, "-o", out, *COMMON, *columns)
    ranks(2, *arguments, "--steps", "18", cwd=alone)
    expected, found = losses(alone / f"alone-{recipe}"), losses(alone / out)
    assert len(found) == 18
    assert found == pytest.approx(expected, abs=1e-5)
    one, two = (
        training.tensors(alone / each / "last.safetensors") for each in (f"alone-{recipe}", out)
    )
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        largest = max(1e-3, tensor.abs().max().item())
        away = (tensor - two[name]).abs().max().item() / largest
        # Adam divides by the gradient's size: where that is 0 but for rounding, rounding decides
        assert away < (1e-4 if recipe == "alexnet-2012" else 0.05), name
    if how == "columns":
        told = [json.loads(line) for line in (alone / out / "log.jsonl").read_text().splitlines()]
        sent = {line["sent"] for line in told[:10]}
        # before conv3: half of 16x4x4 forward, and half back; fc4: half of 16x4x4 both ways;
        # fc5: half of 32 forward only, since each column computes all of it
        assert sent == {128 * 4 * (2 * 8 * 4 * 4 + 2 * 8 * 4 * 4 + 16)}


def test_a_run_of_two_columns_goes_on_as_one_process(alone: Path) -> None:
    """The checkpoint is the whole network's, whoever wrote it."""
    arguments = ("train", "net.yaml", "--recipe", "alexnet-2012", *COMMON)
    ranks(2, *arguments, "-o", "handed", "--columns", "--steps", "9", cwd=alone)
    done = training.run(
        *("train", "--resume", "handed", "--columns", "1", "--steps", "18"), cwd=alone
    )
    assert done.returncode == 0, done.stderr
    expected = losses(alone / "alone-alexnet-2012")
    assert losses(alone / "handed") == pytest.approx(expected, abs=1e-5)


def test_an_odd_batch_is_refused(alone: Path) -> None:
    with pytest.raises(AssertionError, match="the batch can't be divided evenly"):
        ranks(2, "train", "net.yaml", "-o", "odd", "--data", "digits", "--batch", "9", cwd=alone)


def test_columns_need_as_many_processes(alone: Path) -> None:
    done = training.run("train", "net.yaml", "--columns", "-o", "lonely", cwd=alone)
    assert done.returncode == 2
    assert "2 columns need 2" in done.stderr


def test_the_comparison_can_fail(alone: Path) -> None:
    """Another seed has other losses: 1e-5 tells them apart."""
    done = training.run(
        *("train", "net.yaml", "--recipe", "alexnet-2012", "-o", "other", *COMMON),
        *("--steps", "3", "--seed", "1"),
        cwd=alone,
    )
    assert done.returncode == 0, done.stderr
    first = losses(alone / "alone-alexnet-2012")[:3]
    assert losses(alone / "other") != pytest.approx(first, abs=1e-5)
    assert torch.isfinite(torch.tensor(first)).all()
