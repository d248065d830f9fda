"""Charts of reconcile and diff: every number is there, and every label is whole."""

from __future__ import annotations

import pytest

import nettally
from nettally.rendering.drawing import Figure
from nettally.rendering.drawing.chart import compared, reconciled
from nettally.rendering.drawing.layer_words import quantity


def _diff(a: str, b: str) -> Figure:
    return compared(nettally.diff(nettally.read(a), nettally.read(b)))


def _reconciled(name: str) -> Figure:
    counted = nettally.tally(nettally.read(name))
    return reconciled(counted, nettally.reconcile(counted))


CHARTS = {
    "alexnet": lambda: _reconciled("alexnet"),
    "resnet-152": lambda: _reconciled("resnet-152"),
    "alexnet to darknet's": lambda: _diff("alexnet", "alexnet-darknet"),
    "and back": lambda: _diff("alexnet-darknet", "alexnet"),
    "resnet-50 to vgg-16": lambda: _diff("resnet-50", "vgg-16"),
}


@pytest.mark.parametrize("name", CHARTS)
def test_labels_are_whole_and_stand_apart(name: str) -> None:
    figure = CHARTS[name]()
    boxes = [label.box for label in figure.labels]
    for left, top, right, bottom in boxes:
        assert left >= 0
        assert top >= 0
        assert right <= figure.width
        assert bottom <= figure.height
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart, (a, b)


def test_what_is_not_counted_is_no_zero() -> None:
    counted = nettally.tally(nettally.read("alexnet"))
    texts = [label.text for label in reconciled(counted, nettally.reconcile(counted)).labels]
    assert texts.count("–") == 1  # Keras
    assert "0" not in texts
    assert quantity(counted.macs) in texts


def test_a_difference_has_its_sign() -> None:
    there, back = _diff("alexnet", "alexnet-darknet"), _diff("alexnet-darknet", "alexnet")
    more = {label.text for label in there.labels if label.text.endswith(" k")}
    assert "307 k" in more
    assert {f"− {text}" for text in more} <= {label.text for label in back.labels}


def test_the_commands_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    from nettally import cli

    assert cli.run(["reconcile", "lenet-5", "--format", "svg"]) == 0
    assert capsys.readouterr().out.startswith("<svg")
    assert cli.run(["diff", "alexnet", "alexnet-darknet", "--format", "svg"]) == 1
    assert "what each difference adds" in capsys.readouterr().out
    cli.run(["explain", "alexnet", "conv1.neurons = 253,440", "--format", "svg"])
    assert "253,440 is printed" in capsys.readouterr().out
