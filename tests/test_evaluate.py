"""Errors are counted as one would by hand: top-1, top-5, ten crops, what is taken for what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import training
from nettally.errors import NettallyError

training.declare()

from nettally.cli import run as command  # noqa: E402 - torchmetrics imports torchvision
from nettally.data.augment import Scaling, ten_crops  # noqa: E402
from nettally.data.packed import Split  # noqa: E402
from nettally.training.evaluate import Scores, evaluate  # noqa: E402
from nettally.training.loop import train  # noqa: E402
from nettally.training.recipe import MODERN, PAPER  # noqa: E402
from nettally.training.run import open_run  # noqa: E402

PLAIN = Scaling(torch.zeros(1), 1.0)


class Table(nn.Module):
    """Gives scores by the value of an image's first pixel."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, x: Tensor) -> Tensor:
        return self.scores[x[:, 0, 0, 0].long()]


def numbered(count: int, classes: int) -> Split:
    """Images whose first pixel is their number, of random classes."""
    images = torch.zeros(count, 4, 4, 1, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(count)
    labels = torch.randint(classes, (count,), generator=torch.Generator().manual_seed(1))
    return Split("test", labels, [images])


@pytest.mark.parametrize("classes", [3, 5, 6, 20])
@pytest.mark.parametrize("batch", [7, 100])
def test_errors_are_counted_as_by_hand(classes: int, batch: int) -> None:
    scores = torch.randn(50, classes, generator=torch.Generator().manual_seed(0))
    split = numbered(50, classes)
    found = evaluate(Table(scores), split, (4, 4), PLAIN, batch=batch, confusion=True)
    ranks = scores.argsort(1, descending=True).tolist()
    truth = split.labels.tolist()
    wrong = sum(order[0] != label for order, label in zip(ranks, truth, strict=True))
    missed = sum(label not in order[:5] for order, label in zip(ranks, truth, strict=True))
    assert found.top1 == wrong / 50
    assert found.top5 == (missed / 50 if classes > 5 else None)
    losses = -scores.double().log_softmax(1)[range(50), truth]
    assert found.loss == pytest.approx(losses.mean().item(), rel=1e-5)
    assert found.confusion is not None
    for order, label in zip(ranks, truth, strict=True):
        found.confusion[label, order[0]] -= 1
    assert not found.confusion.any()


def test_ten_crops_are_averaged_after_the_softmax() -> None:
    torch.manual_seed(0)
    images = torch.randint(256, (6, 6, 6, 1), dtype=torch.uint8)
    split = Split("test", torch.arange(6) % 3, [images])
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    scaling = Scaling(torch.full((6, 6, 1), 100.0), 50.0)
    found = evaluate(module, split, (4, 4), scaling, views=10, batch=25)
    with torch.no_grad():
        crops = ten_crops(images, (4, 4), scaling)
        chances = torch.stack([module(crops[:, i]).softmax(1) for i in range(10)]).mean(0)
    assert found.top1 == (chances.argmax(1) != split.labels).double().mean().item()
    expected = -chances.log()[range(6), split.labels].mean().item()
    assert found.loss == pytest.approx(expected, rel=1e-5)


def test_it_is_put_back_into_training() -> None:
    module = Table(torch.randn(5, 3)).train()
    evaluate(module, numbered(5, 3), (4, 4), PLAIN)
    assert module.training


def test_the_worst_classes() -> None:
    confusion = torch.tensor([[5, 0, 0], [3, 1, 4], [0, 2, 2]])
    scores = Scores(17, 0.5, None, 1.0, 1, confusion)
    worst = scores.worst(("a", "b", "c"), count=2)
    assert [(each.name, each.right, each.images) for each in worst] == [("b", 1, 8), ("c", 2, 4)]
    assert worst[0].taken_for == (("c", 4), ("a", 3))
    assert Scores(1, 0, None, 0, 1).worst(("a",)) == []


def test_a_split_without_images() -> None:
    split = Split("test", torch.zeros(0, dtype=torch.long), [torch.zeros(0, 4, 4, 1).byte()])
    with pytest.raises(NettallyError, match="the split 'test' has no images"):
        evaluate(Table(torch.zeros(1, 2)), split, (4, 4), PLAIN)


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits, of one epoch by each recipe's way of testing."""
    from nettally.data.packed import open_packed

    path = tmp_path_factory.mktemp("runs")
    for recipe in (MODERN.lasting(3), PAPER.lasting(1)):
        train(training.net(), open_packed("digits"), str(path / recipe.name), recipe)
    return path


def test_the_command(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["evaluate", str(run / "modern"), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == 360
    (score,) = told["scores"]
    last: dict[str, Any] = json.loads((run / "modern/log.jsonl").read_text().splitlines()[-1])
    assert score["top1"] == pytest.approx(last["best"])
    assert command(["evaluate", str(run / "alexnet-2012"), "--worst", "3"]) == 0
    text = capsys.readouterr().out
    assert "the middle crop" in text
    assert "10 crops, averaged" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_module_of_a_run_is_what_was_evaluated(run: Path) -> None:
    """Of 2012's dropout too, which is in the weights then."""
    from nettally.data.packed import open_packed

    for name in ("modern", "alexnet-2012"):
        opened = open_run(str(run / name))
        split = open_packed(opened.data).held_out
        assert split is not None
        module = opened.module()
        with torch.no_grad():
            chances = module(opened.centre(split.images(torch.arange(len(split)))))
        torch.testing.assert_close(chances.sum(1), torch.ones(len(split)))
        wrong = (chances.argmax(1) != split.labels).double().mean().item()
        lines = (run / name / "log.jsonl").read_text().splitlines()
        assert wrong == json.loads(lines[-1])["best"]


REFUSED = [
    (["--split", "validation"], "the data has no split 'validation'"),
    (["--data", "nowhere"], "nowhere"),
]


@pytest.mark.parametrize(("options", "text"), REFUSED)
def test_what_can_not_be_evaluated(
    options: list[str], text: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["evaluate", str(run / "modern"), *options]) == 2
    assert text in capsys.readouterr().err


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["evaluate", str(tmp_path)]) == 2
    assert "this is no folder of a run" in capsys.readouterr().err
