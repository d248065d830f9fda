"""Darknet files made to harm: each is read or refused, in time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Hostile

NET = "[net]\nheight=64\nwidth=64\nchannels=3\n"
CONV = "[convolutional]\nfilters=3\nsize=1\nactivation=linear\n"


def test_many_sections(hostile: Hostile) -> None:
    assert hostile("x.cfg", NET + "[dropout]\n" * 20_000).layers == 20_000
    assert "too many sections" in hostile("y.cfg", NET + "[dropout]\n" * 100_000).refused


def test_many_keys_and_long_ones(hostile: Hostile) -> None:
    keys = "".join(f"fil{i}=1\n" for i in range(100_000))
    assert hostile("x.cfg", NET + CONV + keys).layers == 1
    assert "too many keys" in hostile("y.cfg", NET + CONV + "a=1\nb=2\n" * 300_000).refused
    long = "a" * 2**20
    assert hostile("z.cfg", NET + CONV + f"{long}={long}\n").layers == 1
    assert len(hostile("m.cfg", NET + CONV + f"{long}\n").refused) < 1000
    assert hostile("l.cfg", NET + f"[{long}]\n{long}=1\n").layers == 1


def test_types_that_are_almost_known(hostile: Hostile) -> None:
    found = hostile("x.cfg", NET + "".join(f"[convolutional{i}]\n" for i in range(20_000)))
    assert found.layers == 20_000
    assert not found.complete
    assert len("".join(found.notes)) < 4000


def test_dense_routes(hostile: Hostile) -> None:
    """Each reads all before it: the channels double with every layer."""
    routes = "".join(
        f"[route]\nlayers={','.join(str(each) for each in range(i))}\n" for i in range(1, 100)
    )
    assert "too large" in hostile("x.cfg", NET + CONV + routes).refused
    one = "[route]\nlayers=" + ",".join("0" for _ in range(400_000)) + "\n"
    assert hostile("y.cfg", NET + CONV + one).layers == 2
    assert "too many others" in hostile("z.cfg", NET + CONV + one * 2).refused


def test_maps_that_grow_and_grow(hostile: Hostile) -> None:
    assert "too large" in hostile("x.cfg", NET + "[upsample]\nstride=1000\n" * 10).refused
    assert "too large" in hostile("y.cfg", NET + "[deconv]\nstride=9999\nsize=2\n" * 3).refused


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "9" * 4000 + "x", "1e999999999"])
def test_numbers_beyond_measure(hostile: Hostile, number: str) -> None:
    for key in ("filters", "size", "stride", "padding", "groups", "share_index"):
        hostile("x.cfg", NET + f"[convolutional]\n{key}={number}\n")
    hostile("x.cfg", NET + f"[dropout]\nprobability={number}\n")
    hostile("x.cfg", f"[net]\nheight={number}\nwidth=1\nchannels=1\n[dropout]\n")


def test_long_lists(hostile: Hostile) -> None:
    mask = ",".join("0" * 20 for _ in range(50_000))
    assert hostile("x.cfg", NET + f"[yolo]\nmask={mask}\n").refused
    assert hostile("y.cfg", NET + f"[convolutional]\nsize=1\n[shortcut]\nfrom={'-1,' * 40_000}-1\n")


def test_text_that_is_none(hostile: Hostile) -> None:
    assert hostile("x.cfg", b"[net]\nheight=\xff\xfe3\nwidth=3\nchannels=1\n[avgpool]\n").refused
    assert hostile("y.cfg", NET.encode() + b"[dropout]\n" + bytes(range(256)) * 100)
    assert hostile("z.cfg", NET + "[{}]\n{x}={y}\n%s=%d\n[dropout]\n{0}=1\n").layers == 2


def test_many_that_share(hostile: Hostile) -> None:
    text = NET + CONV + (CONV + "share_index=-1\n") * 10_000
    found = hostile("x.cfg", text)
    assert (found.layers, found.parameters) == (10_001, 12)
