"""safetensors headers made to harm: long, deep, many, repeated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Hostile


def file(text: bytes, data: int = 0) -> bytes:
    return len(text).to_bytes(8, "little") + text + b"\0" * data


DEEP = b'{"a": ' + b"[" * 1_000_000
CASES = {
    "deep lists": (DEEP, "this is no entry of a header"),
    "deep objects": (b'{"a": {"b": ' * 100_000, "this is no entry of a header"),
    "deep in an entry": (b'{"a": {"shape": ' + b"[" * 1_000_000 + b"}}", "no entry of a header"),
    "one long text": (b'{"' + b"x" * 20_000_000, "this is no entry of a header"),
    "one long list": (b'{"a": {"shape": [' + b"1," * 5_000_000 + b"1]}}", "'a' has no dtype"),
    "backslashes": (b'{"' + b"\\" * 10_000_001, "this is no entry of a header"),
    "spaces": (b"{" + b" " * 20_000_000, "this is no entry of a header"),
    "escapes": (b'{"a\\', "this is no entry of a header"),
    "quotes": (b'{"a": {"' + b'":"' * 3_000_000, "this is no entry of a header"),
    "braces": (b"{" * 1_000_000, "this is no entry of a header"),
    "empties": (b'{"a": {}' + b', "a": {}' * 1_000_000 + b"}", "'a' has no dtype"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_header_that_is_refused(hostile: Hostile, name: str) -> None:
    text, message = CASES[name]
    assert message in hostile("x.safetensors", file(text)).refused


def test_a_hundred_thousand_tensors(hostile: Hostile) -> None:
    entries = {
        f"layers.{i}.weight": {"dtype": "U8", "shape": [2], "data_offsets": [2 * i, 2 * i + 2]}
        for i in range(100_000)
    }
    found = hostile("x.safetensors", file(json.dumps(entries).encode(), 200_000), seconds=30)
    assert (found.how, found.layers) == ("read", 100_000)


def test_dotted_names(hostile: Hostile) -> None:
    one = '"%s":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    names = [f"{i}." + ".".join("a" * 900) for i in range(2000)]
    text = "{" + ",".join(one % name for name in names) + "}"
    hostile("x.safetensors", file(text.encode()), seconds=30)
