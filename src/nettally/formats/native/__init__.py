"""Our own file: one line a layer, blocks with parameters, repetition by a range of names.

See docs/file-format.md. The file is data: expressions are computed by ``expression``, never by
Python, and what a file can stand for is bounded (``MAX_LAYERS``), however small the file is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...errors import NettallyError, ReadError, closest
from ...layers.same_padding import resolve
from ...network import MAX_SIZE, NOTHING, Network, Node, Shape, Span, is_verified
from ..encodings.yaml import compose
from ..encodings.yaml.tree import Mapping, Scalar, Sequence, Yaml, clip
from ..source import Format
from . import field_values
from .entry import MAX_LAYERS, MAX_NAME, Entry, Items, shown
from .shapes import Shapes

if TYPE_CHECKING:
    from ...network import Layer
    from ..source import Source

__all__ = ["read", "resolve", "sniff", "write"]

VERSION = 1
FORMAT = Format("nettally's own", (".yaml", ".yml"), f"version {VERSION}")
MAX_NESTING = 16
"""How deep calls of blocks may nest."""

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
        self.nodes: list[Node] = []
        self.known: dict[str, str] = {}  # a name, or a call's name, to the node it stands for
        self.lines: dict[str, int] = {}  # where each was defined
        self.layers: dict[tuple[Any, ...], tuple[Layer, Any]] = {}
        self.by_name: dict[str, Node] = {}
        self.spent = 0

    def read(self) -> Network:
        root = compose(self.source)
        if not isinstance(root, Mapping):
            raise self.error("the file is no list of keys", 1, "it begins with 'nettally: 1'")
        top = {key.text: (key, value) for key, value in root.pairs.items()}
        self._check_keys(top)
        name = self._text(top, "name") or _stem(self.file)
        notes = self._notes(top)
        inputs = self._inputs(top)
        for each in inputs:
            self.known[each] = each
            self.lines[each] = top["input"][0].line
        if "blocks" in top:
            self.items.read_blocks(top["blocks"][1])
        title = self._text(top, "title")
        layers = top["layers"][1]
        if not isinstance(layers, Sequence) or not layers.items:
            raise self.error(
                "'layers' is a list of layers", layers.line, "as in '- conv1: conv 96, 11x11'"
            )
        self.shapes = Shapes(inputs, self.nodes)
        entries = [self.items.entry(item, ()) for item in layers.items]
        self._expand(entries, "", {}, (), (next(iter(inputs), ""),), 0)
        network = Network(
            name,
            inputs,
            tuple(self.nodes),
            self._outputs(top),
            Span(self.file, 1),
            notes,
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

    def _outputs(self, top: dict[str, tuple[Scalar, Yaml]]) -> tuple[str, ...]:
        if "outputs" not in top:
            return ()
        value = top["outputs"][1]
        outputs: list[str] = []
        for item in value.items if isinstance(value, Sequence) else [value]:
            name = item.text if isinstance(item, Scalar) else ""
            if name not in self.known:
                raise self.error(
                    f"the output '{clip(name)}' is no layer", item.line, closest(name, self.known)
                )
            outputs.append(self.known[name])
        return tuple(outputs)

    def _expand(
        self,
        entries: list[Entry],
        prefix: str,
        env: dict[str, Any],
        env_key: tuple[Any, ...],
        ins: tuple[str, ...],
        depth: int,
    ) -> str:
        """Add the nodes of a list of layers. The name of the last node, which is its output."""
        previous = ins[0]
        for entry in entries:
            where = f"{self.file}:{entry.line}"
            sources = entry.inputs
            for end in entry.ends:
                name = f"{prefix}{entry.stem}{end}{entry.tail}"
                try:
                    inputs = (previous,)
                    if sources is not None:
                        inputs = tuple([self._find(s, prefix, ins) for s in sources])
                        if len(entry.ends) > 1:
                            if len(inputs) > 1:
                                raise ReadError(
                                    "in a range of names each is fed by the one before",
                                    values="from " + ", ".join(sources),
                                    hint="name one input, for the first",
                                )
                            sources = None
                    self._define(name, entry.line, len(inputs))
                    if entry.cls is None:
                        previous = self._call(entry, name, env, inputs, depth)
                    else:
                        self._layer(entry, entry.cls, name, inputs, prefix, env, env_key)
                        previous = name
                except NettallyError as error:
                    raise error if error.where else error.at(where, clip(name)) from None
                self.known[name] = previous
        return previous

    def _define(self, name: str, line: int, inputs: int) -> None:
        if name in self.lines:
            raise ReadError(
                "this name is used twice",
                values=f"the first stands at {self.file}:{self.lines[name]}",
                hint="rename one of them",
            )
        if len(name) > MAX_NAME:
            raise ReadError("the name is too long", values=f"at most {MAX_NAME} characters")
        self.lines[name] = line
        self.spent += 1 + inputs
        if self.spent > 2 * MAX_LAYERS:
            raise ReadError("the file stands for too many layers", values=f"over {MAX_LAYERS:,}")

    def _find(self, name: str, prefix: str, ins: tuple[str, ...]) -> str:
        """The node that a name means where it stands; the name itself where there is none yet."""
        if prefix:
            if name == "in":
                return ins[0]
            if name[:2] == "in" and name[2:].isdigit() and 1 <= int(name[2:4]) <= len(ins):
                return ins[int(name[2:4]) - 1]
        full = prefix + name
        if full in self.known:
            return self.known[full]
        if prefix or name in self.items.blocks:
            near = [each[len(prefix) :] for each in self.known if each.startswith(prefix)]
            raise ReadError(
                f"no layer before this one is called '{clip(name)}' in its block",
                hint=closest(name, [*near, "in"]),
            )
        return full  # verify says whether it comes later, or never

    def _layer(
        self,
        entry: Entry,
        cls: type[Layer],
        name: str,
        inputs: tuple[str, ...],
        prefix: str,
        env: dict[str, Any],
        env_key: tuple[Any, ...],
    ) -> None:
        # a block is expanded many times with few different parameters: each layer is made once
        key = (id(entry), *(() if entry.constant else env_key))
        built = self.layers.get(key)
        if built is None:
            values = {field: field_values.evaluate(v, env) for field, v in entry.values.items()}
            built = self.layers[key] = field_values.build(cls, values, entry.sig)
        layer, written = built
        module = entry.module
        if module is None:
            module = name.rpartition(".")[0]
        node = Node(name, layer, inputs, NOTHING, module, Span(self.file, entry.line), written)
        if written and isinstance(written.get("padding"), str):
            node = node.replace(layer=resolve(node, self.shapes.of(inputs)))
        if entry.weights:
            node = node.replace(shared=self._shared(node, entry.weights, prefix))
        self.nodes.append(node)
        self.by_name[name] = node

    def _shared(self, node: Node, weights: str | dict[str, str], prefix: str) -> dict[str, str]:
        """The node's tensors that another layer owns, and their owner's names for them."""
        if isinstance(weights, dict):
            return dict(weights)
        owner = self.by_name.get(self.known.get(prefix + weights, ""))
        if owner is None:
            raise ReadError(
                f"no layer before this one is called '{clip(weights)}'",
                hint=closest(
                    weights, [n[len(prefix) :] for n in self.known if n.startswith(prefix)]
                ),
            )
        theirs = owner.layer.parameters(self.shapes.of(owner.inputs))
        ours = node.layer.parameters(self.shapes.of(node.inputs))
        same = [tensor for tensor in ours if tensor in theirs]
        if not same:
            raise ReadError(f"{owner.name} has no weights that this layer could share")
        for tensor in same:
            if ours[tensor] != theirs[tensor]:
                raise ReadError(
                    f"the weights shared with {owner.name} have another shape",
                    values=f"{tensor} {_by(ours[tensor])} here, {_by(theirs[tensor])} there",
                )
        return {t: owner.shared.get(t, f"{owner.name}.{t}") for t in same}

    def _call(
        self,
        entry: Entry,
        name: str,
        env: dict[str, Any],
        inputs: tuple[str, ...],
        depth: int,
    ) -> str:
        block = self.items.blocks[entry.block]
        if depth >= MAX_NESTING:
            raise ReadError(
                "blocks nest too deep",
                values=f"{entry.block}, more than {MAX_NESTING} deep",
                hint="a block can't contain itself",
            )
        for source in inputs:
            if source not in self.lines:
                raise ReadError(
                    f"no input or layer before this one is called '{clip(source)}'",
                    hint=closest(source, self.known),
                )
        if entry.weights:
            raise ReadError("a block's weights can't be shared as a whole")
        params: dict[str, Any] = {}
        for param in block.sig.types:
            if param in entry.values:
                params[param] = field_values.evaluate(entry.values[param], env)
            else:
                params[param] = field_values.evaluate(block.defaults[param], params)
        body = self.items.body(entry.block)
        key = tuple((type(v), v, getattr(v, "how", None)) for v in params.values())
        return self._expand(body, name + ".", params, key, inputs, depth + 1)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) if abs(size) < 10**12 else "…" for size in shape)


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0] or "network"
