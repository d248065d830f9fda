"""Which of the tensors in a pickle are the network's, and by what names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..encodings.pickle import Dictionary, Global, Mark, Thing
from ..named_tensor import MAX_NAME, MAX_TENSORS, NamedTensor, checked, listing
from .tensors import Described

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..encodings.blob import Blob

FIRST = ("state_dict", "model_state_dict", "model_state", "model", "module", "network", "net",
         "weights", "params")  # fmt: skip
"""Under which key a checkpoint has its network, where it has other tables of tensors beside it."""

MAX_VALUES = 5_000_000
"""How many values are looked through."""


def network_tensors(root: Any, blob: Blob) -> tuple[list[NamedTensor], list[str]]:
    """The network's tensors, and notes on how they were chosen.

    Of a module, its own; of a dictionary of tensors, all; of a dictionary of several things, what
    stands under one of the names ``FIRST``, or the only one that has tensors, or all of them.
    Optimizers' are never taken. The notes name what was left out. Raises ReadError.
    """
    search = _Search(blob)
    notes: list[str] = []
    if not isinstance(root, Dictionary):
        tensors = search.tensors("", root)
    else:
        tensors = _of_dictionary(root, search, notes)
    if search.classes:
        notes.append(
            "whole modules are pickled in it; their code was not looked for nor run, and what "
            f"they compute is not known: {listing(sorted(search.classes))}"
        )
    if search.beside:
        notes.append(
            f"tensors that modules hold beside their parameters and buffers are not counted: "
            f"{listing(search.beside)}"
        )
    if search.sparse:
        notes.append(f"of {search.sparse:,} sparse tensors only what they store is counted")
    if search.odd:
        counts = [f"{name} ({n:,})" for name, n in sorted(search.odd.items())]
        notes.append(f"what was not understood, and is not counted: {listing(counts)}")
    return tensors, [*notes, *_overlaps(tensors)]


def _of_dictionary(root: Dictionary, search: _Search, notes: list[str]) -> list[NamedTensor]:
    parts: dict[str, Any] = {}
    aside: dict[str, Any] = {}
    for key, value in root.pairs:
        name = _key(key)
        (aside if _is_optimizer(name, value) else parts)[name] = value
    if any(isinstance(value, Described) for value in parts.values()):
        whole_table = Dictionary()
        whole_table.pairs.extend(parts.items())
        tensors, left = search.tensors("", whole_table), []
    else:
        # in the order of the names, since what two parts share belongs to the first that has it
        order = sorted(parts, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
        tables = {name: search.tensors("", parts[name]) for name in order}
        tables = {name: table for name, table in tables.items() if table}
        chosen = next((name for name in order if name in tables and name in FIRST), None)
        if chosen is None and len(tables) == 1:
            (chosen,) = tables
        if chosen is None:
            tensors = [
                each._replace(name=f"{name}.{each.name}" if each.name else name)
                for name in parts
                for each in tables.get(name, ())
            ]
            left = []
        else:
            tensors = tables.pop(chosen)
            notes.append(f"the network is what stands under '{chosen[:80]}'")
            left = [f"{name} ({len(table):,} tensors)" for name, table in tables.items()]
    for name, value in aside.items():
        count = len(search.tensors("", value))
        left.append(f"{name} ({count:,} tensors)" if count else name)
    if left:
        notes.append(f"beside the network, and not counted: {listing(left)}")
    return tensors


def _key(key: Any) -> str:
    """A key as a part of a name."""
    if isinstance(key, str):
        return key
    return str(key) if type(key) is int and abs(key) < 2**64 else "?"


def _is_optimizer(name: str, value: Any) -> bool:
    if isinstance(value, Dictionary):
        keys = [key for key, _ in value.pairs if isinstance(key, str)]
        if "param_groups" in keys:
            return True
    return "optim" in name.lower() and not isinstance(value, Described)


class _Search:
    """Walks through what a pickle holds; what it met once it does not enter again."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.met: set[int] = set()
        self.classes: set[str] = set()
        self.beside: list[str] = []
        self.odd: dict[str, int] = {}
        self.sparse = 0
        self.count = 0

    def tensors(self, name: str, value: Any) -> list[NamedTensor]:
        """All tensors in a value, in order, by their paths. No recursion."""
        tensors: list[NamedTensor] = []
        names: set[str] = set()
        waiting: list[tuple[str, Any, str, str]] = [(name, value, "", "")]
        while waiting:
            path, each, role, kind = waiting.pop()
            self.count += 1
            if self.count > MAX_VALUES or len(tensors) > MAX_TENSORS:
                raise self.blob.error(
                    "the pickle holds too much",
                    0,
                    f"{self.count:,} values, {len(tensors):,} tensors",
                )
            if len(path) > MAX_NAME:
                raise self.blob.error("the pickle nests too deep", 0, f"{path[:80]}…")
            if isinstance(each, Described):
                tensors.append(self._tensor(path, each, role, kind, names))
            elif isinstance(each, (Dictionary, Thing, list, tuple)) and not isinstance(
                each, Global
            ):
                if id(each) in self.met:
                    continue
                self.met.add(id(each))
                inside = list(self._inside(path, each))
                waiting.extend(reversed(inside))
        return tensors

    def _tensor(
        self, path: str, each: Described, role: str, kind: str, names: set[str]
    ) -> NamedTensor:
        path = path or "tensor"
        while path in names:
            path += "_"
        names.add(path)
        same = None
        if each.storage is not None and 0 not in each.size:
            begin = each.storage.offset + each.offset
            same = (each.storage.key, begin, each.size, each.stride)
        shape = checked(path, each.size, self.blob.name)
        role = "parameter" if each.parameter else role
        return NamedTensor(path, shape, each.dtype, role, same, kind)

    def _inside(self, path: str, each: Any) -> Iterable[tuple[str, Any, str, str]]:
        dot = f"{path}." if path else ""
        if isinstance(each, Dictionary):
            return [(dot + _key(key), value, "", "") for key, value in each.pairs]
        if isinstance(each, (list, tuple)):
            return [(f"{dot}{i}", value, "", "") for i, value in enumerate(each)]
        state = each.state
        attributes = _text_keys(state)
        if "_parameters" in attributes and "_modules" in attributes:
            return self._module(dot, each, attributes)
        inside: list[tuple[str, Any, str, str]] = []
        if attributes:
            inside += [(dot + name, value, "", "") for name, value in attributes.items()]
        elif isinstance(state, (list, tuple)):
            inside += [(f"{dot}{i}", value, "", "") for i, value in enumerate(state)]
        inside += [(dot + _key(key), value, "", "") for key, value in each.pairs]
        inside += [(f"{dot}{i}", value, "", "") for i, value in enumerate(each.items)]
        if isinstance(each.args, tuple):
            inside += [(f"{dot}{i}", value, "", "") for i, value in enumerate(each.args)]
        if isinstance(each.maker, Global):
            name = str(each.maker)
            self.sparse += each.maker.name == "_rebuild_sparse_tensor"
            if name.startswith(("torch.", "numpy.", "__torch__")):
                self.odd[name] = self.odd.get(name, 0) + (not inside or name.startswith("numpy."))
                if not self.odd[name]:
                    del self.odd[name]
        return inside

    def _module(
        self, dot: str, each: Thing, attributes: dict[str, Any]
    ) -> Iterable[tuple[str, Any, str, str]]:
        """A pickled ``nn.Module``: what it learns, what it keeps, what it is made of."""
        kind = ""
        if isinstance(each.maker, Global):
            kind = each.maker.name
            self.classes.add(str(each.maker))
        inside = [
            (dot + name, v, "parameter", kind) for name, v in _pairs(attributes["_parameters"])
        ]
        inside += [
            (dot + name, v, "buffer", kind) for name, v in _pairs(attributes.get("_buffers"))
        ]
        inside += [(dot + name, v, "", "") for name, v in _pairs(attributes["_modules"])]
        self.beside += [dot + name for name, v in attributes.items() if isinstance(v, Described)]
        return inside


def _pairs(value: Any) -> list[tuple[str, Any]]:
    pairs = value.pairs if isinstance(value, Dictionary) else []
    return [(_key(key), each) for key, each in pairs]


def _text_keys(state: Any) -> dict[str, Any]:
    """An object's attributes: those of its dictionary, or of (dictionary, slots)."""
    if isinstance(state, tuple) and len(state) == 2:
        parts: Sequence[Any] = state
    else:
        parts = (state,)
    return {
        key: value
        for part in parts
        if isinstance(part, Dictionary)
        for key, value in part.pairs
        if isinstance(key, str) and value is not Mark
    }


def _overlaps(tensors: Sequence[NamedTensor]) -> list[str]:
    """Tensors that share a part of their numbers: each is counted whole."""
    rows: dict[str, dict[Any, tuple[int, int, str]]] = {}
    for tensor in tensors:
        if isinstance(tensor.same, tuple):
            key, begin, size, stride = tensor.same
            stop = begin + 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
            rows.setdefault(key, {}).setdefault(tensor.same, (begin, stop, tensor.name))
    odd: list[str] = []
    for row in rows.values():
        last, before = 0, ""
        for begin, stop, name in sorted(row.values()):
            if begin < last:
                odd.append(f"{before} and {name}")
            if stop > last:
                last, before = stop, name
    return [f"tensors that share numbers and are counted each: {listing(odd)}"] if odd else []
