"""What autograd keeps of a forward: a walk over the rows, each storage once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import rules
from .rules import FACTORS, FIRST, INPUT, OUTPUT
from .storages import Storages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...network import Node
    from ..rows import Row
    from ..tally import Tally


class Kept(NamedTuple):
    """What a layer makes autograd keep that no layer before it did. of: torch's formula."""

    name: str
    kind: str
    bytes: int
    of: str


# Long: a call more for each layer would be most of its time.
def kept(
    tally: Tally,
    width: int,
    frozen: frozenset[str],
    rows: list[Kept] | None = None,
    storages: Storages | None = None,
) -> tuple[int, int, int]:
    """(bytes of activations kept, bytes of inputs kept, layers whose rule is not known).

    frozen: names of parameters whose gradient is not asked for; of modules all of whose own are
    such, with a dot behind; and of all modules with parameters, with a slash. rows: filled with
    what each layer adds to the first, where given. storages: new ones, to be filled, where given.
    """
    storages = storages or Storages(tally, width)
    of, sizes, lies, inputs = storages.of, storages.sizes, storages.lies, storages.inputs
    learns: set[str] = set()  # the values whose gradient is asked for
    seen: set[int] = set()
    total = of_inputs = unknown = 0
    by_kind, by_field = rules.RULES, rules.BY_FIELD
    # one loop without calls for most layers: a summary of AlexNet has 60 µs for it
    for row in tally.rows:
        node, xs, y, parameters, _, _, _ = row
        name, names, shared = node.name, node.inputs, node.shared
        layer: Any = node.layer
        if y is None:
            unknown += 1
            continue
        kind = layer.kind
        rule = by_kind.get(kind)
        if rule is None and kind in by_field:
            rule = rules.rule_of(layer)
        learning = False
        if parameters and (not frozen or _trained(node, parameters, frozen)):
            learning = True
        else:
            for each in names:
                if each in learns:
                    learning = True
                    break
            else:
                if shared:
                    learning = any([each in learns for each in shared.values()])
        size = width
        for n in y:
            size *= n
        size = int(size)
        fresh: list[int] = []  # the storages that the layer keeps
        saved = 0  # bytes of what is made only to be kept
        inplace = bool(node.written and node.written.get("inplace"))
        if rule is None:
            if kind in _SPECIAL:
                saved = _SPECIAL[kind](storages, row, size, learns if learning else None, fresh)
            else:
                of[name] = storages.new(size)
                unknown += learning
        elif rule.makes == "view" or (kind == "dropout" and not layer.rate):
            of[name] = storages.view(node, xs[0], y)
        elif rule.whole:
            of[name] = storages.new(size // width * rule.whole)
            learning = False
        elif kind == "tensor":
            of[name] = storages.new(0 if parameters or layer.kept else size)
        else:
            keeps = rule.keeps
            if inplace and names:
                output = of[names[0]]
                if names[0] in lies:
                    lies[name] = lies[names[0]]
            else:
                output = len(sizes)
                sizes.append(size)
                if lies and rule.makes != "new":
                    storages.lay(row, rule.makes)
            of[name] = output
            if learning:
                if keeps & INPUT:
                    if inplace:
                        if rule.written == "output":
                            fresh.append(output)
                        else:
                            saved = size
                    elif kind == "linear":
                        saved = _matrix(storages, row, frozen, fresh)
                    else:
                        fresh.extend([of[each] for each in names])
                    if shared:  # weights that are computed
                        fresh.extend([of[each] for each in shared.values() if each in of])
                if keeps & FIRST:
                    fresh.append(of[names[0]])
                if keeps & OUTPUT:
                    fresh.append(output)
                if keeps & FACTORS:
                    saved += _factors(storages, row, learns, fresh, size if inplace else 0)
                if rule.extra is not None:
                    saved += rule.extra(layer, xs, y, width)
        if not learning:
            continue
        learns.add(name)
        for each in fresh:
            if each not in seen:
                seen.add(each)
                if each < inputs:
                    of_inputs += sizes[each]
                else:
                    saved += sizes[each]
        total += saved
        if rows is not None and saved:
            rows.append(
                Kept(name, kind, saved, rule.source if rule else rules.SOURCES.get(kind, ""))
            )
    return total, of_inputs, unknown


def _trained(node: Node, parameters: Mapping[str, Any], frozen: frozenset[str]) -> bool:
    """Whether the gradient of any of the node's parameters is asked for."""
    shared, name = node.shared, node.name
    if f"{node.module}." in frozen and f"{name}/" not in frozen:
        return False  # the running module's own, called by a function
    return any([shared.get(key, f"{name}.{key}") not in frozen for key in parameters])


def _matrix(storages: Storages, row: Row, frozen: frozenset[str], fresh: list[int]) -> int:
    """A linear layer's input as one matrix: a copy of so many bytes, or its own storage."""
    name = row.node.inputs[0]
    if frozen and not _trained(row.node, row.parameters or {}, frozen):
        return 0
    copy = storages.matrix_copy(name, row.inputs[0], 1) if name in storages.lies else 0
    if not copy:
        fresh.append(storages.of[name])
    return copy


def _factors(storages: Storages, row: Row, learns: set[str], fresh: list[int], written: int) -> int:
    """The factors of a product whose others learn; bytes of the copies that it makes of them.

    written: bytes of the first one, which is copied where the product is written over it.
    """
    node, xs = row.node, row.inputs
    names, lies = node.inputs, storages.lies
    copies = 0
    matrices = node.layer.kind != "multiply"
    for place, name in enumerate(names):
        others = (*names[:place], *names[place + 1 :])
        if not row.parameters and not any([other in learns for other in others]):
            continue
        copy = 0
        if written and not place:
            copy = written
        elif matrices and name in lies and len(xs[place]) > 2:
            copy = storages.matrix_copy(name, xs[place], 2 if min(map(len, xs)) > 2 else 1)
        copies += copy
        if not copy:
            fresh.append(storages.of[name])
    return copies


# --- kinds with rules of their own ----------------------------------------------------------------


def _attention(
    storages: Storages, row: Row, size: int, learns: set[str] | None, fresh: list[int]
) -> int:
    node, xs, of = row.node, row.inputs, storages.of
    output = of[node.name] = storages.new(size)
    rate = float(node.written.get("dropout", 0.0)) if node.written else 0.0
    masks = [mask in (learns or ()) for mask in node.inputs[3:]]
    fused = not rate and len(xs[0]) == 4 and not any(masks)
    if fused and storages.lies:
        storages.lay(row, "each")
    if learns is None:
        return 0
    saved = rules.attention(node.layer, xs, fused, rate, storages.width)
    if fused:
        fresh.extend([of[name] for name in node.inputs])
        fresh.append(output)
        return saved
    value = node.inputs[2]
    copy = storages.matrix_copy(value, xs[2], 2)
    if not copy:
        fresh.append(of[value])
    return saved + copy


def _recurrent(
    storages: Storages, row: Row, size: int, learns: set[str] | None, fresh: list[int]
) -> int:
    node, xs, y, of = row.node, row.inputs, row.shape, storages.of
    assert y is not None
    layer: Any = node.layer
    output = of[node.name] = storages.new(size)
    turned = storages.turn(node, xs[0], y)
    if learns is None:
        return 0
    saved, inner = rules.recurrent(layer, xs, storages.width)
    if turned:
        fresh.append(of[node.inputs[0]])
    else:  # what lies batch first is copied
        copy = storages.width
        for n in xs[0]:
            copy *= int(n)
        saved += copy
    if inner and layer.directions == 1:
        fresh.append(output)
    else:
        saved += inner
    return saved


def _combine(
    storages: Storages, row: Row, size: int, learns: set[str] | None, fresh: list[int]
) -> int:
    """A computed tensor with a held one: torch's add, mul, div, pow, maximum."""
    node = row.node
    layer: Any = node.layer
    source = storages.of[node.inputs[0]]
    inplace = bool(node.written and node.written.get("inplace"))
    if inplace:
        storages.of[node.name] = source
    else:
        storages.of[node.name] = storages.new(size)
        if storages.lies:
            storages.lay(row, "each")
    operation = layer.operation
    if learns is None or operation in ("add", "subtract"):
        return 0
    if operation == "divide" and layer.first:
        return size  # the reciprocal
    if operation in ("multiply", "divide") and not layer.learned:
        if layer.size == ():
            return 0  # a number
        held = storages.width
        for n in layer.size:
            held *= int(n)
        return held
    if inplace:
        return size
    fresh.append(source)
    if operation == "power" and layer.first:
        fresh.append(storages.of[node.name])
    return 0


_SPECIAL: dict[str, Any] = {
    "attention": _attention,
    "combine": _combine,
    **dict.fromkeys(rules.STEPWISE, _recurrent),
}
