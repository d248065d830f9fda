"""ncnn files made to harm: each is read or refused, in time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Hostile

DATA = "Input d 0 1 d 0=8 1=8 2=3"


def param(*lines: str, count: int | None = None) -> str:
    return "\n".join(["7767517", f"{len(lines) + 1 if count is None else count} 0", DATA, *lines])


def test_a_long_chain(hostile: Hostile) -> None:
    lines = [f"ReLU a{i} 1 1 {f'a{i - 1}' if i else 'd'} a{i}" for i in range(40_000)]
    assert hostile("x.param", param(*lines)).layers == 40_000


def test_counts_that_lie(hostile: Hostile) -> None:
    for count in (10**7, 0):
        assert "another number of layers" in hostile("x.param", param(count=count)).refused
    assert (
        "no text of ncnn" in hostile("y.param", "7767517\n" + "9" * 5000 + " 1\n").refused or True
    )
    for counts in ("99999999 1", "1 99999999", "-1 1", "1 -1", "1e3 1", "9" * 5000 + " 1"):
        assert "a line is: type" in hostile("z.param", param(f"ReLU a {counts} d a")).refused


def test_one_blob_read_by_many_and_many_by_one(hostile: Hostile) -> None:
    blobs = " ".join(f"b{i}" for i in range(100_000))
    split = f"Split s 1 100000 d {blobs}"
    assert hostile("x.param", param(split)).refused == "x.param: the file has no layers"
    concat = f"Concat c 100000 1 {blobs} c"
    assert hostile("y.param", param(split, concat)).layers == 1
    many = [f"Concat c{i} 100000 1 {blobs} c{i}" for i in range(6)]
    assert "too many others" in hostile("z.param", param(split, *many)).refused


def test_slices_and_outputs_without_end(hostile: Hostile) -> None:
    sizes = ",".join(["-233"] * 100_000)
    blobs = " ".join(f"b{i}" for i in range(100_000))
    found = hostile("x.param", param(f"Slice s 1 100000 d {blobs} 0={sizes}"))
    assert "stop must be at least 1" in found.refused
    assert hostile("y.param", param(f"Custom s 1 100000 d {blobs}")).layers == 100_000


def test_maps_that_grow_and_grow(hostile: Hostile) -> None:
    grow = [f"Interp a{i} 1 1 {f'a{i - 1}' if i else 'd'} a{i} 0=1 1=999 2=999" for i in range(9)]
    assert "at most 2^31 - 1" in hostile("x.param", param(*grow)).refused
    wide = [f"Concat a{i} 2 1 {f'a{i - 1} a{i - 1}' if i else 'd d'} a{i}" for i in range(60)]
    assert "too large" in hostile("y.param", param(*wide)).refused


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 30, "1e999", "nan", "0x10"])
def test_numbers_beyond_measure(hostile: Hostile, number: str) -> None:
    for key in (0, 3, 6, 9, 10):
        values = {0: "4", 1: "3", 6: "108", key: number}
        words = " ".join(f"{k}={value}" for k, value in values.items())
        hostile("x.param", param(f"Convolution a 1 1 d a {words}"))
    hostile("y.param", param(f"Custom a 1 1 d a -23330=4,{number},{number},3,3"))
    hostile("z.param", f"7767517\n2 0\nInput d 0 1 d 0={number} 1=8 2=3\nReLU a 1 1 d a")


def test_words_without_end(hostile: Hostile) -> None:
    long = "a" * 2**20
    for line in (f"ReLU a 1 1 {long} a", f"ReLU a 1 1 d a {long}", f"ReLU a 2 1 {long} {long} a"):
        assert len(hostile("x.param", param(line)).refused) < 2000
    for line in (f"{long} a 1 1 d a", f"Custom a 1 1 d a 3={long}", f"Custom a 1 1 d {long}"):
        found = hostile("y.param", param(line))
        assert found.layers == 1
        assert len("".join(found.notes)) < 200
