"""Our own file: one line a layer, blocks with parameters, repetition by a range of names.

See docs/file-format.md. The file is data: expressions are computed by ``expression``, never by
Python, and what a file can stand for is bounded (``Budget``), however small the file is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import closest
from ...layers.same_padding import resolve
from ...network import MAX_SIZE, Network, Shape, Span, is_verified
from ..encodings.yaml import compose
from ..encodings.yaml.tree import Mapping, Scalar, Sequence, Yaml, clip
from ..source import Format
from .entry import Items, shown
from .expansion import Expansion

if TYPE_CHECKING:
    from ..source import Source

__all__ = ["read", "resolve", "sniff", "write"]

VERSION = 1
FORMAT = Format("nettally's own", (".yaml", ".yml"), f"version {VERSION}", sizes_follow_input=True)
KEYS = (
    *("nettally", "name", "title", "source", "notes"),
    *("input", "batch", "blocks", "layers", "outputs"),
)


def sniff(head: bytes, name: str) -> bool:
    """Whether this is one of our own files: it says ``nettally:``, or is called so."""
    return (
        head.startswith((b"nettally:", b"\xef\xbb\xbfnettally:"))
        or (b"\nnettally:" in head and b"\0" not in head)  # an archive may have one in it
        or name.endswith((".yaml", ".yml"))
    )


def write(network: Network) -> str:
    """The network as one of our own files, blocks written out; see ``write``."""
    from .writing import write as write_it

    return write_it(network)


def read(source: Source) -> Network:
    """The network that a file of our own describes.

    ``source.inputs`` takes the place of the sizes in the file. Raises ReadError, LayerError or
    NetworkError, each with ``file:line``.
    """
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.file = source.name
        self.items = Items(source.name)
        self.error = self.items.error

    def read(self) -> Network:
        root = compose(self.source)
        if not isinstance(root, Mapping):
            raise self.error("the file is no list of keys", 1, "it begins with 'nettally: 1'")
        top = {key.text: (key, value) for key, value in root.pairs.items()}
        self._check_keys(top)
        name = self._text(top, "name") or _stem(self.file)
        notes = self._notes(top)
        inputs = self._inputs(top)
        if "blocks" in top:
            self.items.read_blocks(top["blocks"][1])
        title = self._text(top, "title")
        layers = top["layers"][1]
        if not isinstance(layers, Sequence) or not layers.items:
            raise self.error(
                "'layers' is a list of layers", layers.line, "as in '- conv1: conv 96, 11x11'"
            )
        entries = [self.items.entry(item, ()) for item in layers.items]
        line = top["input"][0].line
        expansion = Expansion(self.items, inputs, line, len(self.source.data))
        expansion.add(entries, "", {}, (), (next(iter(inputs), ""),), 0)
        network = Network(
            name,
            inputs,
            tuple(expansion.nodes),
            self._outputs(top, expansion.known),
            Span(self.file, 1),
            (*notes, *(note for note in expansion.notes(inputs) if note not in notes)),
            title,
        )
        network.once(is_verified)
        return network

    def _check_keys(self, top: dict[str, tuple[Scalar, Yaml]]) -> None:
        if "nettally" not in top:
            raise self.error("the file does not say 'nettally: 1'", 1, "begin it with that line")
        key, version = top["nettally"]
        if not isinstance(version, Scalar) or version.text != str(VERSION):
            raise self.error(
                f"this nettally reads version {VERSION} of its files",
                key.line,
                values=f"nettally: {clip(shown(version))}",
                hint=f"'nettally: {VERSION}'",
            )
        if "claims" in top and "layers" not in top:
            raise self.error(
                "this is a file of claims, not of a network",
                top["claims"][0].line,
                "use it with --claims",
            )
        for name, (key, _) in top.items():
            if name not in KEYS:
                raise self.error(f"no key is called '{clip(name)}'", key.line, closest(name, KEYS))
        for name in ("input", "layers"):
            if name not in top:
                raise self.error(
                    f"the file has no '{name}'",
                    1,
                    "as in 'input: 3x224x224'" if name == "input" else "a list of layers",
                )

    def _text(self, top: dict[str, tuple[Scalar, Yaml]], key: str) -> str:
        if key not in top:
            return ""
        value = top[key][1]
        if not isinstance(value, Scalar):
            raise self.error(f"'{key}' is a text", value.line, "put it in quotes")
        return value.text

    def _notes(self, top: dict[str, tuple[Scalar, Yaml]]) -> tuple[str, ...]:
        notes: list[str] = []
        if cited := self._text(top, "source"):
            notes.append("source: " + cited)
        if "notes" in top:
            value = top["notes"][1]
            for item in value.items if isinstance(value, Sequence) else [value]:
                if not isinstance(item, Scalar):
                    raise self.error("'notes' is a list of texts", item.line)
                notes.append(item.text)
        return tuple(notes)

    def _inputs(self, top: dict[str, tuple[Scalar, Yaml]]) -> dict[str, Shape]:
        key, value = top["input"]
        batch = 1
        if "batch" in top:
            line = top["batch"][0].line
            sizes = self._sizes(top["batch"][1], "batch")
            if len(sizes) != 1:
                raise self.error("'batch' is one size", line)
            batch = sizes[0]
        shapes: dict[str, Shape] = {}
        if isinstance(value, Mapping):
            for name, each in value.pairs.items():
                self.items.check_name(name.text, name.line)
                shapes[name.text] = (batch, *self._sizes(each, name.text))
        else:
            shapes["data"] = (batch, *self._sizes(value, "input"))
        user_sizes = self.source.inputs
        if not user_sizes:
            return shapes
        for name, shape in user_sizes.items():
            if not name and len(shapes) != 1:
                raise self.error(
                    f"the network has {len(shapes) or 'no'} inputs; say whose size it is",
                    key.line,
                    hint=", ".join(shapes),
                )
            name = name or next(iter(shapes))
            if name not in shapes:
                raise self.error(f"no input is called '{name}'", key.line, closest(name, shapes))
            stated = shapes[name]
            if len(shape) not in (len(stated), len(stated) - 1):
                raise self.error(
                    f"input '{name}' has another number of axes",
                    key.line,
                    values=f"{_by(shape)} given, {_by(stated[1:])} in the file",
                )
            shapes[name] = tuple(shape) if len(shape) == len(stated) else (batch, *shape)
        return shapes

    def _sizes(self, value: Yaml, what: str) -> tuple[int, ...]:
        """``3x224x224`` or ``[3, 224, 224]``."""
        if isinstance(value, Sequence):
            parts = [item.text if isinstance(item, Scalar) else "" for item in value.items]
        else:
            parts = value.text.replace(" ", "").split("x") if isinstance(value, Scalar) else []
        if not parts or not all(p.isascii() and p.isdigit() for p in parts):
            raise self.error(
                f"'{what}' is given as sizes",
                value.line,
                "channels, then space, as in 3x224x224; the batch is not written",
                f"{what}: {clip(shown(value))}",
            )
        if not all(len(p) <= 10 and 1 <= int(p) <= MAX_SIZE for p in parts):
            raise self.error(
                f"'{what}' has a size that cannot be",
                value.line,
                "sizes are between 1 and 2^31 - 1",
                f"{what}: {clip(shown(value))}",
            )
        return tuple(int(p) for p in parts)

    def _outputs(
        self, top: dict[str, tuple[Scalar, Yaml]], known: dict[str, str]
    ) -> tuple[str, ...]:
        if "outputs" not in top:
            return ()
        value = top["outputs"][1]
        outputs: list[str] = []
        for item in value.items if isinstance(value, Sequence) else [value]:
            name = item.text if isinstance(item, Scalar) else ""
            if name not in known:
                raise self.error(
                    f"the output '{clip(name)}' is no layer", item.line, closest(name, known)
                )
            outputs.append(known[name])
        return tuple(outputs)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) if abs(size) < 10**12 else "…" for size in shape)


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0] or "network"
