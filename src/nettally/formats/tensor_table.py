"""A file that has tensors by name and nothing else, as a network whose layers are opaque.

What is known of a layer is its parameters; its shape and its work are not, and there is no graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ReadError
from ..layers.opaque import MAX_TENSOR, Opaque
from ..network import NOTHING, Network, Node, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_TENSORS = 250_000
"""How many tensors a file may have."""

MAX_NAME = 2000
"""The longest name of a tensor, in characters."""

MAX_AXES = 64
"""torch's own limit."""

STATISTICS = frozenset(("running_mean", "running_var", "num_batches_tracked"))
"""What batch normalisation keeps and does not learn, by the last part of its name."""

LEARNED = frozenset(("weight", "bias"))
"""What is a parameter though its numbers are whole: weights that were quantised."""


class NamedTensor(NamedTuple):
    """One entry of a table.

    name: with dots. shape: its sizes. dtype: as the file calls it. whole: its numbers are whole,
    or true and false. role: ``parameter`` or ``buffer`` where the file says which it is. same: what
    is equal for all names of one tensor, None where it has one. type: the class of its module.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    whole: bool = False
    role: str = ""
    same: object = None
    type: str = ""

    @property
    def last(self) -> str:
        """The name without the modules that it stands in."""
        return self.name.rpartition(".")[2] or self.name


def checked(name: str, shape: Sequence[object], where: str) -> tuple[int, ...]:
    """The sizes of a tensor. Raises ReadError for a name or sizes that cannot be."""
    if len(name) > MAX_NAME:
        raise ReadError(
            "a tensor's name is too long",
            where=where,
            values=f"{name[:40]}…, {len(name):,} characters, at most {MAX_NAME:,}",
        )
    if len(shape) > MAX_AXES:
        raise ReadError(
            f"'{name[:80]}' has too many axes", where=where, values=f"{len(shape):,} axes"
        )
    sizes: list[int] = []
    for size in shape:
        if type(size) is not int or not 0 <= size <= MAX_TENSOR:
            shown = f"{size}" if type(size) is int and abs(size) < 10**40 else f"{type(size)}"
            raise ReadError(
                f"'{name[:80]}' has a size that is none",
                where=where,
                values=shown,
                hint="sizes are whole numbers between 0 and 2^63 - 1",
            )
        sizes.append(size)
    return tuple(sizes)


def table(
    name: str, file: str, tensors: Iterable[NamedTensor], notes: Iterable[str] = ()
) -> Network:
    """The network of such a file: a node for each module that holds tensors.

    A module that holds modules has a node for each tensor of its own. Running statistics, and
    whole numbers that are not called weight or bias, are kept and not learned.
    """
    listed = list(tensors)
    if not listed:
        raise ReadError("the file has no tensors", where=file)
    homes = _homes(listed)
    members: dict[str, list[NamedTensor]] = {}
    for tensor in listed:
        members.setdefault(homes[tensor.name], []).append(tensor)
    labels = {home: _labels(group) for home, group in members.items()}
    shared = _shared(members, labels)
    span = Span(file, 0)
    nodes = tuple(
        Node(
            home,
            Opaque(
                type=next((tensor.type for tensor in group if tensor.type), "parameters"),
                tensors=tuple((labels[home][t.name], t.shape) for t in group if learned(t)),
                kept=tuple((labels[home][t.name], t.shape) for t in group if not learned(t)),
            ),
            (),
            shared=shared.get(home, NOTHING),
            module=home.rpartition(".")[0],
            source=span,
        )
        for home, group in members.items()
    )
    sentences = [*_notes(listed), *notes]
    alike = sum(map(len, shared.values()))
    if alike:
        pairs = [
            f"{home}.{label} is {of}" for home, each in shared.items() for label, of in each.items()
        ]
        sentences.append(f"shared tensors are counted once: {listing(pairs)}")
    return Network(name, {}, nodes, source=span, notes=tuple(sentences))


def learned(tensor: NamedTensor) -> bool:
    """Whether it is a parameter; else it is kept and not learned."""
    if tensor.role:
        return tensor.role == "parameter"
    last = tensor.last
    return last not in STATISTICS and (not tensor.whole or last in LEARNED)


def _homes(tensors: Sequence[NamedTensor]) -> dict[str, str]:
    """The node of each tensor: its module, or itself where its module holds modules too."""
    from bisect import bisect_left

    modules = sorted({tensor.name.rpartition(".")[0] for tensor in tensors})
    parents = {""}  # modules that hold modules
    for module in modules:
        after = bisect_left(modules, module + ".")
        if after < len(modules) and modules[after].startswith(module + "."):
            parents.add(module)
    homes: dict[str, str] = {}
    for tensor in tensors:
        module = tensor.name.rpartition(".")[0]
        homes[tensor.name] = tensor.name if module in parents else module
    return homes


def _labels(group: Sequence[NamedTensor]) -> dict[str, str]:
    """The tensors' names within their node: the last part, the whole where that is not enough."""
    last = [tensor.last for tensor in group]
    if len(set(last)) == len(last):
        return dict(zip((tensor.name for tensor in group), last, strict=True))
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for tensor in group:
        label = tensor.name.replace(".", "_")
        while label in taken:
            label += "_"
        taken.add(label)
        labels[tensor.name] = label
    return labels


def _shared(
    members: Mapping[str, Sequence[NamedTensor]], labels: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """For each node, which of its parameters are an earlier one's."""
    owners: dict[object, tuple[str, NamedTensor]] = {}
    shared: dict[str, dict[str, str]] = {}
    for home, group in members.items():
        for tensor in group:
            if tensor.same is None or not learned(tensor):
                continue
            first = owners.setdefault(tensor.same, (f"{home}.{labels[home][tensor.name]}", tensor))
            if first[1] is not tensor:
                shared.setdefault(home, {})[labels[home][tensor.name]] = first[0]
    return shared


def _notes(tensors: Sequence[NamedTensor]) -> list[str]:
    """What kinds of numbers there are, and which were not taken for parameters and why."""
    kinds: dict[str, int] = {}
    for tensor in tensors:
        kinds[tensor.dtype] = kinds.get(tensor.dtype, 0) + 1
    counts = ", ".join(f"{n:,} of {kind[:40]}" for kind, n in list(kinds.items())[:12])
    sentences = [
        "a table of parameters: it does not tell what the layers compute, nor in which order, so "
        "that shapes and work are not known",
        f"tensors: {len(tensors):,}: {counts}",
    ]
    whole = [t for t in tensors if not t.role and t.whole and not learned(t)]
    odd: dict[str, int] = {}
    for tensor in whole:
        if tensor.last not in STATISTICS:
            odd[tensor.last] = odd.get(tensor.last, 0) + 1
    if odd:
        names = [f"{name} ({n:,})" if n > 1 else name for name, n in odd.items()]
        sentences.append(
            f"whole numbers are taken as kept and not learned: {listing(names)}; weights that are "
            "packed in them are not among the parameters"
        )
    return sentences


def listing(names: Sequence[str], most: int = 12) -> str:
    """Names with commas, a dozen at most."""
    shown = ", ".join(name[:80] for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
