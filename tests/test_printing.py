"""Every noun can be printed: ``print(tally)`` is the table, and so on."""

from __future__ import annotations

import nettally


def test_a_tally_prints_as_its_table() -> None:
    counted = nettally.tally(nettally.read("alexnet"))
    assert "conv1         96x55x55  290,400      34,944  105,415,200" in str(counted)
    assert repr(counted) == "<Tally of alexnet: 24 rows by nettally>"


def test_a_network_prints_as_one_of_our_own_files() -> None:
    network = nettally.read("lenet-5")
    assert str(network) == nettally.write(network).rstrip()
    assert repr(network).startswith("<Network lenet-5: ")


def test_a_verdict_prints_as_a_line() -> None:
    network = nettally.read("alexnet")
    (verdict,) = nettally.check(network, ["conv1.neurons = 253,440"])
    line, why = str(verdict).splitlines()
    assert line == "✗ conv1.neurons = 253,440   ours 290,400"
    assert why.strip() == verdict.detail
    assert "differs" in repr(verdict)


def test_explanations_print_as_a_story() -> None:
    found = nettally.explain(nettally.read("alexnet"), "conv1.neurons = 253,440")
    assert str(found).startswith("conv1.neurons = 253,440; alexnet has 290,400")
    assert str(found.found[0]).startswith("a slip: 48 for 55")
    assert repr(found) == f"<Explanations of {found.claim.text}: {len(found.found)} found>"


def test_a_difference_prints_as_a_table() -> None:
    one, two = nettally.read("alexnet"), nettally.read("caffe-alexnet")
    assert str(nettally.diff(one, two)).startswith("alexnet → caffe-alexnet")


def test_a_figure_prints_its_working() -> None:
    counted = nettally.tally(nettally.read("alexnet"), working=True)
    shape = counted["conv1"].shape
    assert shape is not None
    assert nettally.show(shape[2]) == "⌈(224 - 11) / 4⌉ + 1 = ⌈213 / 4⌉ + 1 = 54 + 1 = 55"
