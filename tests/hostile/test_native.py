"""Files made to harm: each ends in an error with its place, soon, and stands for little memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import yaml

from nettally.errors import NettallyError
from nettally.formats import Source, native
from nettally.formats.encodings import yaml as _yaml
from nettally.formats.encodings.yaml.tree import MAX_DEPTH

if TYPE_CHECKING:
    from conftest import Hostile

HEAD = "nettally: 1\ninput: 3x8x8\n"
LAYERS = HEAD + "layers:\n  - a: relu\n"
SECONDS = 10.0
"""Far more than any of these takes; a machine may be busy."""


def billion_laughs() -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 30)]
    return "\n".join(lines)


def merges() -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 20)]
    return "\n".join(lines)


def nested_blocks(times: int, deep: int) -> str:
    blocks = ["  b0:", "    - a: relu"]
    for i in range(1, deep):
        blocks += [f"  b{i}:", f"    - a_{{1..{times}}}: b{i - 1}"]
    return HEAD + "blocks:\n" + "\n".join(blocks) + f"\nlayers:\n  - a: b{deep - 1}\n"


def fan_out() -> str:
    wide = ", ".join(["in"] * 5000)
    return HEAD + f"blocks:\n  b:\n    - a: add from {wide}\nlayers:\n  - a_{{1..50000}}: b\n"


HOSTILE = {
    "aliases": (billion_laughs(), "x.yaml:1: '&a0': an anchor is not allowed"),
    "an alias": (LAYERS + "  - *a\n", "x.yaml:5: '*a': an alias is not allowed"),
    "merges": (merges(), "x.yaml:1: '&a0': an anchor is not allowed"),
    "a merge": (LAYERS + "  - {<<: {a: relu}}\n", "x.yaml:5: '<<': merging keys is not allowed"),
    "a tag": (LAYERS + "  - b: !!python/object/apply:os.system [ls]\n", "a tag is not allowed"),
    "a tag on text": (LAYERS + "  - b: !!int 3\n", "'tag:yaml.org,2002:int': a tag is not allowed"),
    "deep flow": ("[" * 100_000, f"x.yaml:1: lists nest more than {MAX_DEPTH} deep"),
    "deep dashes": ("- " * 100_000, f"x.yaml:1: lists nest more than {MAX_DEPTH} deep"),
    "deep mappings": ("{a: " * 100_000, f"x.yaml:1: lists nest more than {MAX_DEPTH} deep"),
    "deep blocks": (
        "\n".join(" " * i + f"a{i}:" for i in range(3000)),
        f"x.yaml:21: lists nest more than {MAX_DEPTH} deep",
    ),
    "deep keys": ("? " * 100_000, "x.yaml:1: a key must be a plain text"),
    "a list as key": ("[a]: b", "x.yaml:1: a key must be a plain text"),
    "twice": (LAYERS + "layers: []\n", "x.yaml:5: 'layers' stands here twice"),
    "twice in a layer": (
        LAYERS + "  - b: {layer: relu, layer: conv}\n",
        "x.yaml:5: 'layer' stands here twice",
    ),
    "documents": (LAYERS + "---\na: b\n", "x.yaml:5: a file holds one document"),
    "not YAML": (LAYERS + "  - b: relu: relu\n", "x.yaml:5: this is not YAML: mapping values are"),
    "a tab": (LAYERS + "\t- b: relu\n", "x.yaml:5: this is not YAML: found "),
    "a control character": (LAYERS + "  - b: re\x00lu\n", "x.yaml:5: this is not YAML: "),
    "huge integer": (LAYERS + f"  - b: linear {10**30}\n", "features must be"),
    "huger integer": (LAYERS + f"  - b: linear {'9' * 90_000}\n", "at most 40 digits"),
    "a power": (
        LAYERS + "  - b: linear " + "*".join(["9" * 40] * 90) + "\n",
        "x.yaml:5: b: the number is too large",
    ),
    "huge sizes": (
        LAYERS + f"  - b: reshape {'9' * 5000}x1\n",
        "a number has at most 40 digits",
    ),
    "a long text": (LAYERS + f"  - b: {'x' * 5_000_000}\n", "x.yaml:5: a text is too long"),
    "a long key": (LAYERS + f"  - {'x' * 5_000_000}: relu\n", "x.yaml:"),
    "a long quotation": (LAYERS + f"  - b: '{'x' * 5_000_000}'\n", "x.yaml:5: a text is too long"),
    "a long comment": (LAYERS + f"  - b: nothing # {'x' * 5_000_000}\n", "no layer or block"),
    "a long name": (LAYERS + f"  - {'x' * 300}: relu\n", "x.yaml:5: a name is too long"),
    "long names": (
        HEAD + "blocks:\n  b:\n    - " + "x" * 200 + ": relu\nlayers:\n  - " + "y" * 200 + ": b\n",
        "x.yaml:5: " + "y" * 59 + "…: the name is too long",
    ),
    "many keys": (
        HEAD + "".join(f"k{i}: {{\n" for i in range(2)) + "}" * 2,
        "x.yaml:3: no key is called 'k0'",
    ),
    "many parts": ("[" + "a," * 700_000 + "]", "x.yaml:1: the file has too many parts"),
    "a range of names": (
        LAYERS + "  - b_{1..1000000000}: relu\n",
        "x.yaml:5: b_{1..1000000000}: the file stands for too many layers",
    ),
    "ranges of names": (
        LAYERS + "".join(f"  - b{i}_{{1..90000}}: relu\n" for i in range(9)),
        "the file stands for too many layers",
    ),
    "nested blocks": (nested_blocks(10, 14), "the file stands for too many layers"),
    "deeper blocks": (nested_blocks(10, 40), "blocks nest too deep"),
    "fan-out": (fan_out(), "the file stands for too many inputs of layers"),
    "commas": (LAYERS + "  - b: conv " + "1," * 40_000 + "1\n", "conv takes 2 values"),
    "quotes": (LAYERS + "  - b: conv " + "'" * 90_001 + "\n", "a quotation mark is never closed"),
    "brackets": (LAYERS + "  - b: conv " + "[" * 90_000 + "\n", "a bracket is never closed"),
    "more brackets": (
        LAYERS + "  - b: conv " + "[" * 40_000 + "]" * 40_000 + "\n",
        "lists nest more than 4 deep",
    ),
    "parentheses": (LAYERS + "  - b: conv " + "(" * 90_000 + "\n", "parentheses nest at most"),
    "minuses": (LAYERS + "  - b: conv 1" + "-" * 90_000 + "\n", "parentheses nest at most"),
    "from everywhere": (
        LAYERS + "  - b: add from " + ", ".join(["a"] * 20_000) + ", zz\n",
        "no input or layer is called 'zz'",
    ),
    "strings that run": (LAYERS + "  - b: __import__('os').system('ls')\n", "no layer or block is"),
}


@pytest.mark.parametrize("what", list(HOSTILE))
def test_hostile(what: str, hostile: Hostile) -> None:
    text, message = HOSTILE[what]
    found = hostile("x.yaml", text)
    assert message in found.refused
    assert found.refused.startswith("x.yaml:")
    assert found.seconds < 3


SLOW = {"a long text", "a long key", "a long quotation", "a long comment", "many parts"}
"""Seconds in a parser written in Python, in proportion to their length."""


@pytest.mark.parametrize("what", [name for name in HOSTILE if name not in SLOW])
def test_hostile_without_libyaml(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    text, message = HOSTILE[what]
    began = time.perf_counter()
    with pytest.raises(NettallyError) as caught:
        native.read(Source("x.yaml", text.encode()))
    assert time.perf_counter() - began < SECONDS
    said = str(caught.value)
    assert message in said
    assert said.startswith("x.yaml:")
    assert len(said) < 2000


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(NettallyError) as caught:
        native.read(Source("x.yaml", b"nettally: 1\nname: \xff\n"))
    assert str(caught.value).startswith("x.yaml:2: this is not text in UTF-8")


def test_a_file_too_large() -> None:
    with pytest.raises(NettallyError) as caught:
        native.read(Source("x.yaml", b"#" * (_yaml.MAX_BYTES + 1)))
    assert str(caught.value) == (
        "x.yaml: the file is too large for a description of a network\n"
        "  values: 16,777,217 bytes, at most 16,777,216"
    )


def test_a_long_chain_takes_time_in_proportion() -> None:
    lines = [f"  - b{i}: linear 3, weights b{i - 1}\n" for i in range(1, 3000)]
    text = "nettally: 1\ninput: 3\nlayers:\n  - b0: linear 3\n" + "".join(lines)
    began = time.perf_counter()
    net = native.read(Source("x.yaml", text.encode()))
    assert time.perf_counter() - began < SECONDS
    assert net.nodes[-1].shared["weight"] == "b0.weight"
