"""``nettally train`` as it is typed: what it prints, where the run goes, and its complaints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import training

training.declare()

from nettally.cli import run as command  # noqa: E402 - torchmetrics imports torchvision
from nettally.training.run import open_run  # noqa: E402


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "small.yaml").write_text(training.SMALL)
    return "small.yaml"


def test_what_it_prints(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["train", net, "--epochs", "2"]) == 0
    told = capsys.readouterr()
    assert told.err == "no --data: scikit-learn's digits are taken\n"
    lines = told.out.splitlines()
    assert lines[:2] == [
        "small on digits",
        "recipe modern: 2 epochs of 12 steps, batch 128; in runs/small-1",
    ]
    assert re.fullmatch(r" +2 +\S+ +\d\.\d{4} +\d+\.\d\d %.* \d+ %", lines[5])
    assert lines[7].startswith("2 epochs, 24 steps, least error ")
    assert lines[8] == "the run is in runs/small-1:  nettally evaluate runs/small-1"
    assert max(map(len, lines)) <= 80


def test_each_run_has_a_folder_of_its_own(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        assert command(["train", net, "--steps", "1"]) == 0
        assert Path(f"runs/small-{number}/last.safetensors").exists()
    out = capsys.readouterr().out
    assert "stopped at step 1; to go on:  nettally train --resume runs/small-2" in out
    assert command(["train", "--resume", "runs/small-2", "--steps", "2"]) == 0
    assert "taken up at step 1, epoch 1" in capsys.readouterr().out


def test_the_recipe_is_set_by_options(net: str) -> None:
    arguments = ["--recipe", "alexnet-2012-code", "--epochs", "9", "--batch", "64"]
    assert command(["train", net, *arguments, "--set", "rate=0.5", "--steps", "1", "-o", "a"]) == 0
    recipe = open_run("a").recipe
    assert (recipe.name, recipe.epochs, recipe.batch) == ("alexnet-2012-code", 9, 64)
    assert recipe.rate == 0.5
    assert recipe.drops == pytest.approx((2.5, 5.1, 7.9))


def test_it_begins_with_weights(net: str) -> None:
    assert command(["train", net, "--steps", "1", "-o", "a"]) == 0
    assert command(["export", "a", "-o", "w.safetensors"]) == 0
    arguments = ["--weights", "w.safetensors", "--steps", "1", "--set", "rate=0"]
    assert command(["train", net, *arguments, "-o", "b"]) == 0
    for name, tensor in training.tensors(Path("b/last.safetensors")).items():
        if name.startswith("model."):
            assert tensor.equal(open_run("a").module().state_dict()[name.removeprefix("model.")])


def test_a_dry_run(net: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command(["train", net, "--dry-run", "--batch", "16", "--data", "digits"]) == 0
    out = capsys.readouterr().out
    rows = {line.split("  ")[0]: line.split()[-2:] for line in out.splitlines()}
    predicted, measured = (float(each) for each in rows["seconds a step"])
    assert 0 < predicted < measured  # the peak of a large product is out of a small net's reach
    assert "20 epochs of 1,437 images" in out
    assert f"3 x {8 * 9 * 64 + 16 * 8 * 16 + 160:,} multiply-accumulates an image" in out
    assert [each.name for each in tmp_path.iterdir()] == ["small.yaml"]
    assert max(map(len, out.splitlines())) <= 80


def test_tensorboard_is_written_where_it_is_asked_for(net: str) -> None:
    assert command(["train", net, "--steps", "1", "--tensorboard", "-o", "a"]) == 0
    assert list(Path("a/tensorboard").iterdir())
    assert json.loads(Path("a/run.json").read_text())["settings"]["tensorboard"]


COMPLAINTS = [
    ([], "which network?\n  try: nettally train NET"),
    (["small.yaml", "--resume", "a"], "a run is taken up as it was begun"),
    (["--resume", "a", "--set", "rate=1"], "a run is taken up as it was begun"),
    (["--resume", "nowhere"], "this is no folder of a run"),
    (["small.yaml", "--set", "ratte=1"], "did you mean 'rate'?"),
    (["small.yaml", "--data", "nowhere"], "nowhere: there is no folder of packed data"),
    (["small.yaml", "--devices", "2"], "where does the run go?\n  try: several processes need -o"),
    (["small.yaml", "--precision", "8"], "there is no precision '8'"),
    (["small.yaml", "--strategy", "fsdp"], "each process has a part of each parameter then"),
    (["small.yaml", "--strategy", "ddp_spawn"], "its processes begin in a function"),
    (["small.yaml", "--weights", "none.safetensors"], "none.safetensors"),
    (["alexnet"], "alexnet does not take the images of digits"),
]


@pytest.mark.parametrize(("arguments", "text"), COMPLAINTS)
def test_complaints(
    arguments: list[str], text: str, net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert not Path("runs/small-1/last.safetensors").exists()
