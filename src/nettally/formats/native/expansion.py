"""The nodes that a list of layers stands for: ranges, blocks within blocks, and shared weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import NettallyError, ReadError, closest
from ...layers.same_padding import resolve
from ...network import NOTHING, Node, Span
from ..budget import Budget
from ..encodings.yaml.tree import clip
from ..shapes import Shapes
from . import field_values, sequences
from .entry import MAX_NAME, Entry, Item, Items

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...network import Layer, Shape
    from .grammar import Sources

MAX_NESTING = 16
"""How deep calls of blocks may nest."""


class Expansion:
    """The nodes so far of one file. ``known``: each name, and the node that it stands for."""

    def __init__(self, items: Items, inputs: Mapping[str, Shape], line: int, size: int) -> None:
        """line: where the inputs are defined. size: of the file, in bytes."""
        self.items = items
        self.file = items.file
        self.nodes: list[Node] = []
        self.shapes = Shapes(inputs, self.nodes)
        self.known = {name: name for name in inputs}
        self.lines = dict.fromkeys(inputs, line)
        self.layers: dict[tuple[Any, ...], tuple[Layer, Any]] = {}
        self.resolved: dict[tuple[int, tuple[Shape, ...]], Layer] = {}
        self.by_name: dict[str, Node] = {}
        self.budget = Budget(size)
        self.settled: set[str] = set()  # layers whose line says their axis

    def notes(self, inputs: Mapping[str, Shape]) -> tuple[str, ...]:
        """What is to be said of the nodes. Raises LayerError where one does not fit its input."""
        whole = sequences.flattening(self.nodes, inputs, self.shapes)
        doubtful = {name: shape for name, shape in whole.items() if name not in self.settled}
        return (sequences.note(doubtful),) if doubtful else ()

    def add(
        self,
        entries: list[Entry],
        prefix: str,
        env: dict[str, Any],
        env_key: tuple[Any, ...],
        ins: tuple[str, ...],
        depth: int,
    ) -> tuple[str, ...]:
        """Add the nodes of a list of layers. What the next layer would read of them.

        That is the last node; of a range that stands side by side, the ends of all its layers.
        """
        previous = ins[:1]
        for entry in entries:
            names, item, line = entry
            sources = item.sources
            side_by_side: list[str] = []
            for place, name in enumerate(names.each(prefix)):
                try:
                    inputs = previous
                    if sources is not None:
                        inputs = self._sources(sources, place, len(names.ends), prefix, ins)
                        if len(names.ends) > 1 and not sources.each:
                            if len(inputs) > 1:
                                raise ReadError(
                                    "in a range of names each is fed by the one before",
                                    values="from " + clip(", ".join(inputs)),
                                    hint="name one input, for the first; or say 'each from'",
                                )
                            sources = None
                    self._define(name, line, len(inputs))
                    if item.cls is None:
                        end = self._call(item, name, env, inputs, depth)
                    else:
                        self._layer(entry, item.cls, name, inputs, prefix, env, env_key)
                        end = name
                except NettallyError as error:
                    if error.where:
                        raise
                    raise error.at(f"{self.file}:{line}", clip(name)) from None
                self.known[name] = end
                previous = (end,)
                side_by_side.append(end)
            if sources is not None and sources.each:
                previous = tuple(side_by_side)
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
        self.budget.spend(nodes=1, edges=inputs)
        self.lines[name] = line

    def _sources(
        self, sources: Sources, place: int, count: int, prefix: str, ins: tuple[str, ...]
    ) -> tuple[str, ...]:
        """The nodes that one layer reads: the one at ``place`` in a range of ``count``."""
        names: list[str] = []
        for source in sources.names:
            if isinstance(source, str):
                names.append(source)
            elif not sources.each:
                self.budget.spend(edges=len(source.ends))
                names += source.each()
            elif len(source.ends) == count:
                names.append(f"{source.stem}{source.ends[place]}{source.tail}")
            else:
                raise ReadError(
                    "'each from' a range reads one layer for each of its own",
                    values=f"{count} layers, {len(source.ends)} names to read from",
                )
        return tuple([self._find(name, prefix, ins) for name in names])

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
        item = entry.item
        key = (id(item), *(() if item.constant else env_key))
        built = self.layers.get(key)
        if built is None:
            self.budget.spend(steps=1)
            values = {field: self._value(v, env) for field, v in item.values.items()}
            built = self.layers[key] = field_values.build(cls, values, item.sig)
        layer, written = built
        if "axis" in item.values:
            self.settled.add(name)
        module = item.module
        if module is None:
            module = name.rpartition(".")[0]
        node = Node(name, layer, inputs, NOTHING, module, Span(self.file, entry.line), written)
        if written and isinstance(written.get("padding"), str):
            xs = self.shapes.of(inputs)
            same = (id(layer), xs)
            if same not in self.resolved:
                self.resolved[same] = resolve(node, xs)
            node = node.replace(layer=self.resolved[same])
        if item.weights:
            node = node.replace(shared=self._shared(node, item.weights, prefix))
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
        item: Item,
        name: str,
        env: dict[str, Any],
        inputs: tuple[str, ...],
        depth: int,
    ) -> str:
        block = self.items.blocks[item.sig.name]
        if depth >= MAX_NESTING:
            raise ReadError(
                "blocks nest too deep",
                values=f"{item.sig.name}, more than {MAX_NESTING} deep",
                hint="a block can't contain itself",
            )
        for source in inputs:
            if source not in self.lines:
                raise ReadError(
                    f"no input or layer before this one is called '{clip(source)}'",
                    hint=closest(source, self.known),
                )
        if item.weights:
            raise ReadError("a block's weights can't be shared as a whole")
        params: dict[str, Any] = {}
        self.budget.spend(steps=len(block.sig.types))
        for param in block.sig.types:
            if param in item.values:
                params[param] = self._value(item.values[param], env)
            else:
                params[param] = self._value(block.defaults[param], params)
        body = self.items.body(item.sig.name)
        key = tuple((type(v), v, getattr(v, "how", None)) for v in params.values())
        ends = self.add(body, name + ".", params, key, inputs, depth + 1)
        if len(ends) != 1:
            raise ReadError(
                f"the block '{item.sig.name}' ends in {len(ends)} layers side by side",
                hint="let it end in one that reads them all: '- join: concat'",
            )
        return ends[0]

    def _value(self, value: field_values.Value, env: dict[str, Any]) -> Any:
        """What a value is under a block's parameters."""
        if isinstance(value, field_values.Constant):
            return value.value
        self.budget.spend(steps=field_values.operations(value))
        return field_values.evaluate(value, env)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) if abs(size) < 10**12 else "…" for size in shape)
