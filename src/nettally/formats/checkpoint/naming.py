"""Which of the tensors in a pickle are the network's, and by what names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..encodings.pickle import Dictionary, Global, Mark, Thing
from ..named_tensor import MAX_NAME, NamedTensor, checked, listing, most_tensors
from .tensors import Described, Storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from ...errors import ReadError
    from ..encodings.blob import Blob

    Entry: TypeAlias = tuple[str, Any, str, str]
    """A value under its key, its role where a module gives one, and the module's class."""

FIRST = ("state_dict", "model_state_dict", "model_state", "model", "module", "network", "net",
         "weights", "params")  # fmt: skip
"""Under which key a checkpoint has its network, where it has other tables of tensors beside it."""

MAX_VALUES = 5_000_000
FREE_VALUES, FREE_LETTERS = 100_000, 2**20
"""How many values are looked through, and how many letters all names may have, in any file; of a
large one more, in proportion."""

CONTAINERS = (Dictionary, Thing, list, tuple)


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
    groups: dict[int, bool] = {}  # by identity: one dictionary may stand under many keys
    for key, value in root.pairs:
        name = _key(key)
        if id(value) not in groups:
            groups[id(value)] = _has_groups(value)
        optimizer = "optim" in name.lower() and not isinstance(value, Described)
        (aside if optimizer or groups[id(value)] else parts)[name] = value
    if any(isinstance(value, Described) for value in parts.values()):
        whole_table = Dictionary()
        whole_table.add(parts.items())
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
            tensors = [each for name in parts for each in search.under(name, tables.get(name, ()))]
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


def _has_groups(value: Any) -> bool:
    """Whether it is the state of an optimizer."""
    return isinstance(value, Dictionary) and any(
        isinstance(key, str) and key == "param_groups" for key, _ in value.pairs
    )


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
        self.tensor_count = 0
        self.letters = 0
        self.path: list[str] = []
        self.most_values = min(MAX_VALUES, FREE_VALUES + blob.size)
        self.most_tensors = most_tensors(blob.size)

    def tensors(self, name: str, value: Any) -> list[NamedTensor]:
        """All tensors in a value, in order, by their paths, which begin with the name."""
        tensors: list[NamedTensor] = []
        names: dict[str, int] = {}
        self.path = []
        levels: list[Iterator[Entry]] = [iter([(name, value, "", "")])]
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop()
                del self.path[-1:]
                continue
            key, each, role, kind = entry
            self.count += 1
            if self.count > self.most_values:
                raise self._too_much(f"over {self.most_values:,} values")
            if isinstance(each, Described):
                tensors.append(self._tensor(self._name(key), each, role, kind, names))
            elif isinstance(each, CONTAINERS) and self._is_new(each):
                levels.append(self._inside(each))
                self.path.append(key)
                if sum(map(len, self.path)) + len(self.path) > MAX_NAME:
                    raise self.blob.error("the pickle nests too deep", 0, f"{self.path[0][:80]}…")
        return tensors

    def _name(self, *keys: str) -> str:
        """The name of what stands under the keys, here; the root may have none."""
        parts = [*self.path, *keys]
        return ".".join(parts if parts[0] else parts[1:])

    def _write(self, name: str) -> None:
        self.letters += len(name)
        if self.letters > FREE_LETTERS + 4 * self.blob.size:
            raise self._too_much(f"names of over {self.letters:,} letters")

    def under(self, name: str, tensors: Sequence[NamedTensor]) -> Iterator[NamedTensor]:
        """The tensors, with the name of what they stand under before their own."""
        for tensor in tensors:
            self._write(name)
            full = f"{name}.{tensor.name}" if tensor.name else name
            checked(full, (), self.blob.name)
            yield tensor._replace(name=full)

    def _too_much(self, values: str) -> ReadError:
        return self.blob.error("the pickle holds too much", 0, values)

    def _is_new(self, value: Any) -> bool:
        """Whether there is something to find in a value that was not looked through yet."""
        if isinstance(value, Thing):
            if not (value.state or value.pairs or value.items or value.args):
                self._note(value, empty=True)
                return False
        elif not (value.pairs if isinstance(value, Dictionary) else value) or isinstance(
            value, (Global, Storage)
        ):
            return False
        met = id(value) in self.met
        self.met.add(id(value))
        return not met

    def _tensor(
        self, path: str, each: Described, role: str, kind: str, names: dict[str, int]
    ) -> NamedTensor:
        path = path or "tensor"
        self.tensor_count += 1
        if self.tensor_count > self.most_tensors:
            raise self._too_much(f"over {self.most_tensors:,} tensors")
        self._write(path)
        again = names.get(path, 0)
        names[path] = again + 1
        if again:
            path = f"{path}_{again + 1}"
        same = None
        if each.storage is not None and 0 not in each.size:
            begin = each.storage.offset + each.offset
            same = (each.storage.key, begin, each.size, each.stride)
        shape = checked(path, each.size, self.blob.name)
        role = "parameter" if each.parameter else role
        return NamedTensor(path, shape, each.dtype, role, same, kind)

    def _inside(self, each: Any) -> Iterator[Entry]:
        if isinstance(each, Dictionary):
            yield from ((_key(key), value, "", "") for key, value in each.pairs)
            return
        if isinstance(each, (list, tuple)):
            yield from ((str(i), value, "", "") for i, value in enumerate(each))
            return
        attributes = self._attributes(each.state)
        if "_parameters" in attributes and "_modules" in attributes:
            yield from self._module(each, attributes)
            return
        rows = [each.items, each.args]
        if not attributes:
            rows.insert(0, each.state)
        rows = [row for row in rows if isinstance(row, (list, tuple))]
        self._note(each, empty=not (attributes or each.pairs or any(rows)))
        yield from ((name, value, "", "") for name, value in attributes.items())
        yield from ((_key(key), value, "", "") for key, value in each.pairs)
        for row in rows:
            yield from ((str(i), value, "", "") for i, value in enumerate(row))

    def _note(self, each: Thing, *, empty: bool) -> None:
        """Count what torch or numpy would have made, where nothing of it is understood."""
        maker = each.maker
        if isinstance(maker, Global) and maker.module.startswith(("torch", "__torch__", "numpy")):
            self.sparse += maker.name == "_rebuild_sparse_tensor"
            if empty or maker.module.startswith("numpy"):
                self.odd[str(maker)] = self.odd.get(str(maker), 0) + 1

    def _attributes(self, state: Any) -> dict[str, Any]:
        """An object's attributes: those of its dictionary, or of (dictionary, slots)."""
        parts: Sequence[Any] = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        attributes: dict[str, Any] = {}
        for part in parts:
            if isinstance(part, Dictionary):
                self.count += len(part.pairs)  # other objects may share them
                pairs = part.pairs[: max(0, self.most_values - self.count)]
                attributes |= {k: v for k, v in pairs if isinstance(k, str) and v is not Mark}
        return attributes

    def _module(self, each: Thing, attributes: dict[str, Any]) -> Iterator[Entry]:
        """A pickled ``nn.Module``: what it learns, what it keeps, what it is made of."""
        kind = ""
        if isinstance(each.maker, Global):
            kind = each.maker.name
            self.classes.add(str(each.maker))
        for name, value in attributes.items():
            if isinstance(value, Described):
                self.beside.append(self._name(name) if len(self.beside) < 100 else "")
        for field, role in (("_parameters", "parameter"), ("_buffers", "buffer"), ("_modules", "")):
            for name, value in _pairs(attributes.get(field)):
                yield name, value, role, kind if role else ""


def _pairs(value: Any) -> list[tuple[str, Any]]:
    pairs = value.pairs if isinstance(value, Dictionary) else []
    return [(_key(key), each) for key, each in pairs]


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
