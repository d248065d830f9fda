"""Records: frozen, and what is derived from one stays beside its fields."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from pathlib import Path

import pytest
import torch

import nettally
import onnx_files as w
from nettally.record import Record


class Pair(Record):
    """Two numbers."""

    a: int
    b: int = 2


calls: list[Pair] = []


def total(pair: Pair) -> int:
    calls.append(pair)
    return pair.a + pair.b


def test_what_is_derived_is_computed_once_and_is_no_field() -> None:
    calls.clear()
    pair, same = Pair(1), Pair(1)
    assert (pair.once(total), pair.once(total), len(calls)) == (3, 3, 1)
    assert pair == same
    assert hash(pair) == hash(same)
    assert repr(pair) == "Pair(a=1)"
    assert pair.fields() == {"a": 1, "b": 2}
    assert vars(pair) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "again",
    [
        lambda pair: pair.replace(a=pair.a),
        copy.copy,
        copy.deepcopy,
        lambda pair: pickle.loads(pickle.dumps(pair)),
    ],
    ids=["replace", "copy", "deepcopy", "pickle"],
)
def test_another_record_computes_it_anew(again) -> None:
    pair = Pair(1)
    pair.once(total)
    other = again(pair)
    calls.clear()
    assert other == pair
    assert other.once(total) == 3
    assert len(calls) == 1


def test_a_record_is_frozen_also_where_it_keeps() -> None:
    pair = Pair(1)
    pair.once(total)
    for name in ("a", "_memo", "c"):
        with pytest.raises(AttributeError, match="frozen"):
            setattr(pair, name, 1)


def test_a_tally_is_freed_without_the_garbage_collector() -> None:
    """Nothing that a tally or its network keeps refers back to it."""
    gc.collect()
    gc.disable()
    try:
        counted = nettally.tally(nettally.read("lenet-5"))
        _ = counted["c1"] if "c1" in counted.network.inputs else counted.complete
        str(counted)
        nettally.receptive_fields(counted)
        gone = weakref.ref(counted)
        network = weakref.ref(counted.network)
        del counted
        assert gone() is None
        assert network() is None
    finally:
        gc.enable()


def test_reading_and_counting_leave_the_collector_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is the whole process's, in which other threads run other code."""
    onnx = tmp_path / "net.onnx"
    ends = [w.info("x", [1, 3, 8, 8])], [w.info("y", [1, 3, 8, 8])]
    onnx.write_bytes(w.model(w.graph([w.node("Relu", ["x"], ["y"])], *ends)))
    for name in ("disable", "enable", "freeze", "unfreeze", "set_threshold", "collect"):
        monkeypatch.setattr(gc, name, lambda *_, name=name: pytest.fail(f"gc.{name} was called"))
    networks = [
        nettally.read("alexnet"),
        nettally.read(onnx),
        nettally.read(torch.nn.Linear(3, 2), (1, 3)),
    ]
    for network in networks:
        assert str(nettally.tally(network))
    assert nettally.check(networks[0], ["parameters < 61M"])
