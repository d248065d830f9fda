"""Reads Caffe's net descriptions (.prototxt) in their three syntaxes.

The sizes follow Caffe's own code (BVLC/caffe, src/caffe/layers); see docs/formats/caffe.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..source import Format

if TYPE_CHECKING:
    from ...network import Network
    from ..source import Source

FORMAT = Format(
    "Caffe, net descriptions",
    (".prototxt",),
    "layer (2014 on), layers (V1) and layers { layer } (V0); SSD's and other forks' layers",
    (
        "sizes that are in a database are asked for",
        "Python layers and those of unknown forks are opaque",
        "losses and accuracies are left out",
    ),
    sizes_follow_input=True,
)

NET = (b"layer", b"layers", b"net_param", b"train_net_param", b"test_net_param")
"""A text with one of these as a message is Caffe's."""

SOLVER = (b"net", b"train_net", b"test_net", b"base_lr", b"lr_policy", b"solver_mode", b"max_iter")
"""A text with two of these fields is a solver's."""


def sniff(head: bytes, name: str) -> bool:
    """Whether a text has layers as messages, or fields of a net or of a solver before any message.

    Nothing is decoded and no pattern is compiled: every file is asked this.
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if b"\0" in head or start in (b"", b"{", b"[", b"<") or (b"{" not in head and b":" not in head):
        return False
    lines = [line for line in head.split(b"\n") if not line.lstrip().startswith(b"#")]
    text = b"\n".join(lines)
    if any(_is_message(text, word) for word in NET):
        return True
    seen: set[bytes] = set()
    for line in lines:
        if b"{" in line or b"<" in line:
            break
        seen.update(_starts(line))
    if b"input" in seen and b"input_dim" in seen:
        return True
    if b"input" in seen and _is_message(text, b"input_shape"):
        return True
    return len(seen.intersection(SOLVER)) >= 2


def _is_message(text: bytes, word: bytes) -> bool:
    """Whether a word stands before a brace, with or without a colon."""
    place = text.find(word)
    while place >= 0:
        end = place + len(word)
        after = text[end : end + 40].lstrip()
        if after[:1] == b":":
            after = after[1:].lstrip()
        before = text[place - 1 : place] if place else b""
        if after[:1] in (b"{", b"<") and (not before or before in b" \t\r\n;,{}>"):
            return True
        place = text.find(word, end)
    return False


def _starts(line: bytes) -> list[bytes]:
    """The names of fields in a line that stands in no message."""
    names: list[bytes] = []
    for part in line.replace(b";", b"\n").split(b"\n"):
        word = part.strip()
        end = 0
        while end < len(word) and (word[end : end + 1].isalnum() or word[end : end + 1] == b"_"):
            end += 1
        rest = word[end:].strip()
        if end and rest[:1] in (b":", b"{", b"<"):
            names.append(word[:end])
    return names


def read(source: Source) -> Network:
    """The network of a net in a phase (``source.options["phase"]``, test where it is not given).

    Raises ReadError with ``file:line`` for what is no text format, for what contradicts itself,
    and where the size of an input is neither in the file nor given.
    """
    from ..encodings.prototxt import parse
    from .build import network

    text = source.data.decode("utf-8-sig", "backslashreplace")
    return network(parse(source.name, text, ("data", "diff", "double_data")), source)
