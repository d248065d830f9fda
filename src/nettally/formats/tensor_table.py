"""A file that has tensors by name and nothing else, as a network whose layers are opaque.

What is known of a layer is its parameters; its shape and its work are not, and there is no graph.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..errors import ReadError
from ..layers.opaque import Opaque
from ..network import NOTHING, Network, Node, Span
from .named_tensor import LEARNED, listing
from .packed_weights import unpacked
from .stored_buffers import buffers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .named_tensor import NamedTensor


def table(
    name: str,
    file: str,
    tensors: Iterable[NamedTensor],
    notes: Iterable[str] = (),
    elsewhere: Sequence[str] = (),
) -> Network:
    """The network of such a file: a node for each module that holds tensors.

    A module that holds modules has a node for each tensor of its own, and so has one that holds a
    weight of which it is not known how many parameters it stands for. What a weight is packed in
    stands as that weight. Buffers are kept and not learned, and so are whole numbers that are
    neither weights nor may hold any. elsewhere: sentences on other files, which hold the rest, so
    that the total is "at least".
    """
    stored = list(tensors)
    if not stored:
        raise ReadError("the file has no tensors", where=file)
    reasons = buffers(stored)
    roles = [t._replace(role="buffer") if t.name in reasons and not t.role else t for t in stored]
    entries, how = unpacked(roles)
    homes = _homes(entries)
    members: dict[str, list[NamedTensor]] = {}
    for tensor, home in zip(entries, homes, strict=True):
        members.setdefault(home, []).append(tensor)
    labels = {home: _labels(group) for home, group in members.items()}
    shared = _shared(members, labels)
    span = Span(file, 0)
    nodes = tuple(
        Node(
            home,
            _layer(group, labels[home]),
            (),
            shared=shared.get(home, NOTHING),
            module=home.rpartition(".")[0],
            source=span,
        )
        for home, group in members.items()
    )
    if elsewhere:
        rest = Opaque(type="tensors in other files")
        nodes = (*nodes, Node("the other files", rest, (), source=span))
    sentences = [*_notes(stored, entries, reasons), *how, *notes, *elsewhere]
    alike = sum(map(len, shared.values()))
    if alike:
        pairs = [
            f"{home}.{label} is {of}" for home, each in shared.items() for label, of in each.items()
        ]
        sentences.append(f"shared tensors are counted once: {listing(pairs)}")
    return Network(name, {}, nodes, source=span, notes=tuple(sentences))


def _layer(group: Sequence[NamedTensor], labels: Sequence[str]) -> Opaque:
    if any(tensor.role == "unknown" for tensor in group):
        return Opaque(type="packed weights")
    tensors: tuple[list[tuple[str, tuple[int, ...]]], ...] = ([], [])
    for label, each in zip(labels, group, strict=True):
        tensors[learned(each)].append((label, each.shape))
    return Opaque(
        type=next((tensor.type for tensor in group if tensor.type), "parameters"),
        tensors=tuple(tensors[True]),
        kept=tuple(tensors[False]),
    )


def learned(tensor: NamedTensor) -> bool:
    """Whether it is a parameter; else it is kept and not learned."""
    if tensor.role:
        return tensor.role == "parameter"
    return not tensor.numbers.whole or tensor.last in LEARNED


def _homes(tensors: Sequence[NamedTensor]) -> list[str]:
    """The node of each tensor: its module, or itself where that holds modules or the unknown."""
    from bisect import bisect_left

    modules = sorted({tensor.module for tensor in tensors})
    parents = {"", *[tensor.module for tensor in tensors if tensor.role == "unknown"]}
    for module in modules:
        after = bisect_left(modules, module + ".")
        if after < len(modules) and modules[after].startswith(module + "."):
            parents.add(module)
    return [tensor.name if tensor.module in parents else tensor.module for tensor in tensors]


def _labels(group: Sequence[NamedTensor]) -> list[str]:
    """The tensors' names within their node: what follows their module, numbered where alike."""
    labels = [tensor.name.removeprefix(f"{tensor.module}.").replace(".", "_") for tensor in group]
    if len(set(labels)) == len(labels):
        return labels
    return [f"{label} {place}" for place, label in enumerate(labels, 1)]


def _shared(
    members: Mapping[str, Sequence[NamedTensor]], labels: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, str]]:
    """For each node, which of its parameters are an earlier one's."""
    owners: dict[object, tuple[str, NamedTensor]] = {}
    shared: dict[str, dict[str, str]] = {}
    for home, group in members.items():
        for label, tensor in zip(labels[home], group, strict=True):
            if tensor.same is None or not learned(tensor):
                continue
            first = owners.setdefault(tensor.same, (f"{home}.{label}", tensor))
            if first[1] is not tensor:
                shared.setdefault(home, {})[label] = first[0]
    return shared


def _notes(
    stored: Sequence[NamedTensor], entries: Sequence[NamedTensor], reasons: Mapping[str, str]
) -> list[str]:
    """What kinds of numbers there are, and which were not taken for parameters and why."""
    kinds: dict[str, int] = {}
    for tensor in stored:
        kinds[tensor.dtype] = kinds.get(tensor.dtype, 0) + 1
    counts = ", ".join(f"{n:,} of {kind[:40]}" for kind, n in list(kinds.items())[:12])
    sentences = [
        "a table of parameters: it does not tell what the layers compute, nor in which order, so "
        "that shapes and work are not known",
        f"tensors: {len(stored):,}: {counts}",
    ]
    titles: dict[str, list[str]] = {}
    for tensor in stored:
        if tensor.name in reasons and not tensor.role:
            titles.setdefault(reasons[tensor.name], []).append(tensor.last)
    for title, names in titles.items():
        sentences.append(f"{title} are kept and not learned, by name and size: {_counted(names)}")
    if whole := [t.last for t in entries if not t.role and t.numbers.whole and not learned(t)]:
        sentences.append(f"whole numbers are taken as kept and not learned: {_counted(whole)}")
    return sentences


def _counted(names: Sequence[str]) -> str:
    """Names, each once, and how often it stands there."""
    counts = Counter(names)
    return listing([f"{name} ({n:,})" if n > 1 else name for name, n in counts.items()])
