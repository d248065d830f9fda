"""A network in the making: names, shapes, nodes, sharing, notes and budgets, for all formats.

A format reads its file and says which layer stands where (its rules); what follows from that is
the same for all of them, and is done here. A format's own builder adds how its file finds things:
by blobs, by the number of a layer, by tensors.
"""

from __future__ import annotations

import heapq
import os
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..errors import LayerError, ReadError, closest
from ..layers import layer_class
from ..layers.same_padding import resolve
from ..network import MAX_SIZE, NOTHING, Network, Node, Span

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from ..network import Layer, Shape
    from .source import Source

MAX_WHICH = 8
"""How many layers a note names; the others are counted."""

MAX_NOTES = 100
"""How many different notes a network has; the others are counted."""

OTHERS = "\0"
"""What stands for those that a note counts and does not name; no layer is called so."""

MAX_HINTS = 20
"""How many suggestions are looked for while a file is read: each takes a millisecond."""


MAX_AXES = 64
"""How many axes a tensor may have, as in numpy: one more each layer would be quadratic."""


class Place(Protocol):
    """What is being read, a section, a node, a call of a layer: it says where it stands."""

    @property
    def span(self) -> Span: ...

    def error(self, what: str, *, values: str = "", hint: str = "") -> ReadError: ...


class GraphBuilder:
    """The nodes so far, and what is known of them.

    file: as the user called it. shapes: of each input and node, None where it is not known.
    owners: by what a parameter is to the format (a name, a buffer), the first node that has it.
    names: that are taken, and how many nodes wanted each.
    """

    MAX_NODES: ClassVar[int] = 500_000
    MAX_EDGES: ClassVar[int] = 500_000  # inputs of all nodes together
    LEAST: ClassVar[int] = 1  # layers that a network has
    AGAIN: ClassVar[str] = "_"  # between a name that is taken and its number

    def __init__(self, file: str) -> None:
        self.file = file
        self.span = Span(file, 0)
        self.inputs: dict[str, Shape] = {}
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape | None] = {}
        self.owners: dict[Hashable, tuple[str, Shape | None]] = {}
        self.edges = 0
        self.hints = 0
        self.names: dict[str, int] = {}
        self._layers: dict[Any, Layer] = {}
        self._notes: dict[str, dict[str, int]] = {}
        self._more_notes = 0

    # --- names and inputs -----------------------------------------------------------------------

    def free(self, name: str) -> str:
        """The name, or where it is taken, the next with a number: ``conv``, ``conv_2``."""
        name = name or "node"
        names = self.names
        if name not in names:
            names[name] = 1
            return name
        number = names[name] + 1
        while (numbered := f"{name}{self.AGAIN}{number}") in names:
            number += 1
        names[name] = number
        names[numbered] = 1
        return numbered

    def input(self, name: str, shape: Shape | None) -> str:
        """An input of the network; its name. Raises ReadError for a size that can't be."""
        if shape is not None:
            if not all(0 <= size <= MAX_SIZE for size in shape):
                raise ReadError(
                    f"the input '{name[:80]}' has a size that cannot be",
                    where=self.file,
                    values=by_axis(shape)[:200],
                    hint="sizes are batch, channels, then space, each at most 2^31 - 1",
                )
            self.inputs[name] = shape
        self.names.setdefault(name, 1)
        self.shapes[name] = shape
        return name

    # --- nodes ----------------------------------------------------------------------------------

    def layer(self, place: Place, kind: str, **fields: Any) -> Layer:
        """A layer; the same object for the same fields, since networks repeat themselves.

        Raises ReadError, with the place, where its fields clash.
        """
        key = (kind, *fields.items())
        try:
            layer = self._layers.get(key)
        except TypeError:  # a field that can't be hashed
            key, layer = None, None
        if layer is None:
            try:
                layer = layer_class(kind)(**fields)
            except LayerError as error:
                raise _at(place, error) from None
            if key is not None and len(self._layers) < 10_000:
                self._layers[key] = layer
        return layer

    def append(
        self,
        place: Place,
        name: str,
        layer: Layer,
        inputs: Sequence[str],
        *,
        shared: Mapping[str, str] = NOTHING,
        module: str = "",
        written: Mapping[str, Any] = NOTHING,
    ) -> str:
        """Append a node under a name that ``free`` gave, and work its shape out; its name.

        written: a word for the ``padding`` in it is worked out for the input. Raises ReadError
        where the layer does not fit its inputs, or there are too many.
        """
        self.ask(place, edges=len(inputs))
        self.edges += len(inputs)
        node = Node(name, layer, tuple(inputs), shared, module, place.span, written)
        if "padding" in written and (x := self.shapes[inputs[0]]) is not None:
            try:
                node = node.replace(layer=resolve(node, (x,)))
            except LayerError as error:
                raise _at(place, error) from None
        self.shapes[name] = self.output(place, node.layer, inputs)
        self.nodes.append(node)
        return name

    def output(self, place: Place, layer: Layer, inputs: Sequence[str]) -> Shape | None:
        """The shape that a layer makes of nodes; None where it is not known. Raises ReadError."""
        xs = [self.shapes[name] for name in inputs]
        known = tuple([x for x in xs if x is not None])
        if layer.kind == "opaque":
            if layer.size is None:  # type: ignore[attr-defined] - it is an Opaque
                return None
        elif len(known) < len(xs):
            return None
        try:
            shape = layer.shape(known)
        except LayerError as error:
            raise _at(place, error) from None
        if len(shape) > MAX_AXES:
            raise place.error("its output has too many axes", values=f"over {MAX_AXES}")
        if shape and max(shape) > MAX_SIZE:
            raise place.error(
                "its output is too large", values=f"{by_axis(shape)[:200]}, at most 2^31 - 1 each"
            )
        return shape

    def ask(self, place: Place, *, nodes: int = 1, edges: int = 0) -> None:
        """Ask for nodes and their inputs before they are made. Raises ReadError: too many."""
        if len(self.nodes) + nodes > self.MAX_NODES:
            raise place.error("the network has too many layers", values=f"over {self.MAX_NODES:,}")
        if self.edges + edges > self.MAX_EDGES:
            raise place.error(
                "the layers read too many others",
                values=f"over {self.MAX_EDGES:,} inputs of all layers",
            )

    def unknown(
        self,
        place: Place,
        name: str,
        kind: str,
        inputs: Sequence[str],
        *,
        why: str = "not understood",
        module: str = "",
        shared: Mapping[str, str] = NOTHING,
        **fields: Any,
    ) -> str:
        """Append a layer that is not understood, and say so; its name.

        fields: ``size`` where the file states the output's, ``tensors`` and ``kept`` where it
        states what the layer stores; see the layer ``opaque``.
        """
        kind = kind[:80]
        if why:
            self.note(why, kind)
        layer = self.layer(place, "opaque", type=kind, **fields)
        return self.append(place, name, layer, inputs, module=module, shared=shared)

    def share(
        self,
        place: Place,
        name: str,
        keys: Mapping[str, Hashable],
        sizes: Mapping[str, Shape] = NOTHING,
    ) -> dict[str, str]:
        """Whose a node's parameters are, for ``Node.shared``; the first that has one owns it.

        keys: what each parameter is to the format. sizes: of the parameters, where they are known.
        Raises ReadError where two of different sizes are to be one.
        """
        shared: dict[str, str] = {}
        for parameter, key in keys.items():
            own, size = f"{name}.{parameter}", sizes.get(parameter)
            owner, size_there = self.owners.setdefault(key, (own, size))
            if owner == own:
                continue
            if size is not None and size_there is not None and size != size_there:
                raise place.error(
                    f"its {parameter} is shared with '{owner[:80]}', and the sizes differ",
                    values=f"{by_axis(size)} here, {by_axis(size_there)} there",
                )
            shared[parameter] = owner
        return shared

    # --- what there is to say -------------------------------------------------------------------

    def note(self, sentence: str, which: str = "") -> None:
        """Something to say, once; which: of this layer among others, named behind the sentence."""
        counts = self._notes.get(sentence)
        if counts is None:
            if len(self._notes) >= MAX_NOTES:
                self._more_notes += 1
                return
            counts = self._notes[sentence] = {}
        which = which[:120]
        if which not in counts and len(counts) >= MAX_WHICH:
            which = OTHERS
        counts[which] = counts.get(which, 0) + 1

    def notes(self) -> tuple[str, ...]:
        """All that there is to say, a sentence each."""
        sentences = [_sentence(each, counts) for each, counts in self._notes.items()]
        if self._more_notes:
            sentences.append(f"and {self._more_notes:,} other notes")
        return tuple(sentences)

    def hint(self, word: str, known: Iterable[str]) -> str:
        """A name that was perhaps meant; nothing where none is near, and after MAX_HINTS."""
        self.hints += 1
        suggestion = closest(word, known) if self.hints <= MAX_HINTS else ""
        return suggestion if suggestion.startswith("did you mean") else ""

    def network(
        self,
        *,
        name: str = "",
        nodes: Sequence[Node] | None = None,
        outputs: Sequence[str] = (),
        notes: Sequence[str] = (),
        **facts: Any,
    ) -> Network:
        """The network, named for its file where the file has no name for it.

        nodes: where not all of them, or grouped ones, are its. facts: further fields of it.
        """
        nodes = self.nodes if nodes is None else nodes
        stem = os.path.splitext(os.path.basename(self.file))[0]
        if len(nodes) < self.LEAST:
            raise ReadError("the file has no layers", where=self.file)
        return Network(
            name or stem or "network",
            self.inputs,
            tuple(nodes),
            tuple(dict.fromkeys(outputs)),
            self.span,
            (*self.notes(), *notes),
            **facts,
        )


def _at(place: Place, error: LayerError) -> ReadError:
    return place.error(error.what, values=error.values, hint=error.hint)


def _sentence(sentence: str, counts: Mapping[str, int]) -> str:
    if list(counts) == [""]:
        return sentence if counts[""] == 1 else f"{sentence} ({counts['']:,} times)"
    names = [
        f"{which} ({count:,}x)" if count > 1 else which
        for which, count in counts.items()
        if which and which != OTHERS
    ]
    others = counts.get(OTHERS, 0)
    return f"{sentence}: {', '.join(names)}" + (f" and {others:,} more" if others else "")


def sizes_from_user(source: Source, names: Sequence[str]) -> dict[str, Shape]:
    """The sizes that the user gave, by the input's name; one without a name is the only one's.

    Raises ReadError where no input has the name, or several could be meant.
    """
    sizes: dict[str, Shape] = {}
    for name, shape in source.inputs.items():
        if name not in names and (name or len(names) != 1):
            raise ReadError(
                f"the network has no input '{name[:60]}'" if name or not names
                else "the network has several inputs",
                where=source.name,
                values=f"its inputs: {listing(names) or 'none'}",
                hint=closest(name, names) if name or not names
                else f"say which: --input {names[0][:60]}={by_axis(shape)}",
            )  # fmt: skip
        sizes[name or names[0]] = shape
    return sizes


def by_axis(shape: Sequence[Any]) -> str:
    """``3x224x224``."""
    return "x".join(map(str, shape))


def listing(names: Sequence[str], most: int = MAX_WHICH) -> str:
    """Names of a file, a few of them, shortened."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(name[:60] for name in names[:most]) + more


def ordered(needs: Sequence[Iterable[int]]) -> list[int]:
    """The places of items so that each comes after those it needs, else in their own order.

    needs: for each, the places of those. Items of a circle, and those behind it, are left out.
    n·log n in items, linear in needs.
    """
    waiting = [0] * len(needs)
    readers: list[list[int]] = [[] for _ in needs]
    for place, each in enumerate(needs):
        for need in set(each):
            waiting[place] += 1
            readers[need].append(place)
    ready = [place for place, count in enumerate(waiting) if not count]
    order: list[int] = []
    while ready:
        place = heapq.heappop(ready)
        order.append(place)
        for reader in readers[place]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    return order
