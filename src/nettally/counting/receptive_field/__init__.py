"""Receptive fields: which pixels of the input one unit of a map can see, over any graph of layers.

Axis one axis, the unit at position i of a chain of windows sees the pixels from
start + i·stride, ``size`` of them. From layer to layer (kernel or span k, stride s, padding p):

    size += (k - 1) · stride,   start -= p · stride,   stride *= s

Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill,
2019), equations 2 to 4, whose effective padding is -start. Three things go beyond a chain:

Several paths (ibid., "arbitrary computation graphs"): the field is the union of the paths'
fields, which is one window only where the paths agree in stride and in the centre of a unit's
field. Where they do not, the field is "not aligned", there and in all that follows.

Transposed convolution and upsampling by u are windows over a map with u - 1 empty places between
its units (Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
chapter 4). How many units such a window meets depends on where it stands: the fields of units 0,
1, ... repeat, moved, after a period. ``size`` is the largest of them, ``start`` belongs to unit 0,
``stride`` is a fraction, and ``centre`` is the mean, which for u times finer units lies at
(i + 1/2) / u - 1/2. Holes that dilation, or a kernel smaller than its stride, leaves in a field
are counted with it: from the first pixel to the last.

A layer that sees a whole map (global pooling, fully connected) sees from the first pixel of the
map's first unit to the last pixel of its last, the padding not counted, wherever its own unit is:
"whole input", unless windows that were rounded down left pixels at the edge that no unit reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import NetworkError
from ...network import WHOLE, Network, Node, Shape, Window
from .axis import MAX_FIELD, MAX_PERIOD, Axis, Ratio, aligned, joined, spread, through

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...formats import Sizes
    from ..rows import Row
    from ..tally import Net, Tally

UNKNOWN = "unknown"
NOT_ALIGNED = "not aligned"
UNSEEN = "does not see it"
NO_SPACE = "no space"
SEVERAL = "differs by input"
STATUSES = (UNKNOWN, NOT_ALIGNED, UNSEEN, NO_SPACE, SEVERAL)
"""What can be said in place of a field. no space: the input is a vector, and no layer took all of
it yet. differs by input: the network has several inputs; ask for one."""


class Field(NamedTuple):
    """The receptive fields of a map's units, an axis of the input's space each.

    status: empty, or what there is to say in place of a field (STATUSES); why: of which layers,
    with the values. reach: what a layer would see that took in the whole map, where ``status``
    leaves only that to be known; None where not even that is.
    """

    axes: tuple[Axis, ...]
    status: str = ""
    why: str = ""
    reach: tuple[Axis, ...] | None = None

    @property
    def known(self) -> bool:
        return not self.status

    @property
    def whole(self) -> bool:
        """Whether each unit sees the whole input."""
        return not self.status and all(along.whole for along in self.axes)

    @property
    def size(self) -> tuple[int, ...]:
        """Pixels, an axis each; empty where the field is not known."""
        return tuple(along.size for along in self.axes)

    @property
    def stride(self) -> tuple[int | Ratio, ...]:
        return tuple(along.stride for along in self.axes)

    @property
    def start(self) -> tuple[int, ...]:
        """The first pixel of unit 0's field; the effective padding is its negative."""
        return tuple(along.start for along in self.axes)

    @property
    def centre(self) -> tuple[float, ...]:
        return tuple(along.centre for along in self.axes)

    @property
    def beyond(self) -> bool:
        """Whether unit 0's field reaches into the padding before or after the input."""
        return any(along.beyond() != (0, 0) for along in self.axes)

    @property
    def brief(self) -> str:
        """For a column of a table: ``11x11``, ``whole input``, ``not aligned``."""
        if self.status:
            return self.status
        if self.whole:
            return "whole input"
        return "x".join(str(along.size) for along in self.axes)

    def __str__(self) -> str:
        """``11x11, stride 4, from 0``; ``whole input, 224x224``; ``not aligned (...)``."""
        if self.status:
            return f"{self.status} ({self.why})" if self.why else self.status
        brief = self.brief
        if self.whole:
            space = "x".join(str(along.of) for along in self.axes)
            return f"{brief}, {space}" if space else brief
        if all(along.step == 0 for along in self.axes):
            space = "x".join(str(along.of) for along in self.axes)
            return f"{brief} of {space}, from {_alike(self.start)}"
        most = "up to " if any(along.period > 1 for along in self.axes) else ""
        return f"{most}{brief}, stride {_alike(self.stride)}, from {_alike(self.start)}"


_UNSEEN = Field((), UNSEEN)

MIN_SEEN, MAX_FIELDS = 8, 200_000
"""In so many inputs a node's field is followed; in more where the network has few nodes."""


def receptive_fields(
    network: Net,
    source: str | None = None,
    *,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Mapping[str, Field]:
    """Each node's receptive field in the input ``source``, by the node's name.

    network, input_size, input_data: as ``tally`` takes them.

    Without ``source``, in the only input that the node sees; a node that sees several inputs, and
    not the same of each, has the status "differs by input". Linear in nodes and edges.
    Raises NetworkError where no input is called ``source``.
    """
    from ..tally import tally as count

    tally = count(network, input_size=input_size, input_data=input_data)
    if _has_working(tally):
        tally = count(tally.network)
    inputs = tally.network.inputs
    if source is not None and source not in inputs:
        from ...errors import closest

        raise NetworkError(
            f"{tally.network.name} has no input '{source}'", hint=closest(source, inputs)
        )
    if source is not None or len(inputs) == 1:
        return _fields(tally, source or next(iter(inputs)))
    return _fields_of_inputs(tally)


def padding_depends_on_input(tally: Tally | Network) -> frozenset[str]:
    """The nodes whose ``start`` the input's size decides, so that it holds for this size only.

    That is so after padding "same" with a stride: an input that the stride divides gets less than
    one that it does not. (Two paths may be aligned for odd sizes and not for even ones.)
    """
    if isinstance(tally, Network):
        from ..tally import tally as count

        tally = count(tally)
    fields = receptive_fields(tally)
    names: set[str] = set()
    for row in tally.rows:
        node = row.node
        moves = _same_moves(node) or not names.isdisjoint(node.inputs)
        if moves and not fields[node.name].whole:
            names.add(node.name)
    return frozenset(names)


def _fields(tally: Tally, source: str) -> dict[str, Field]:
    """Each node's field in one input."""
    inputs = tally.network.inputs
    fields = dict.fromkeys(inputs, _UNSEEN)
    fields[source] = _of_input(source, inputs[source])
    for row in tally.rows:
        fields[row.node.name] = _of_row(row, fields)
    for name in inputs:
        del fields[name]
    return fields


def _fields_of_inputs(tally: Tally) -> dict[str, Field]:
    """Each node's field in the inputs that it sees, where that is the same in all of them.

    Linear in nodes and edges: a node that sees very many inputs is not followed in each.
    """
    inputs = tally.network.inputs
    order = {name: place for place, name in enumerate(inputs)}
    most = max(MIN_SEEN, MAX_FIELDS // (1 + sum(len(row.node.inputs) for row in tally.rows)))
    seen = {name: {name: _of_input(name, shape)} for name, shape in inputs.items()}
    fields: dict[str, Field] = {}
    many: set[str] = set()
    for row in tally.rows:
        name = row.node.name
        views = {each: seen.get(each, {}) for each in row.node.inputs}
        sources = {source for view in views.values() for source in view}
        if not many.isdisjoint(views) or len(sources) > most:
            many.add(name)
            fields[name] = Field((), SEVERAL, f"it sees over {most} inputs")
            continue
        by_source: dict[str, Field] = {}
        for source in sorted(sources, key=order.__getitem__):
            field = _of_row(row, {each: view.get(source, _UNSEEN) for each, view in views.items()})
            if field is not _UNSEEN:
                by_source[source] = field
        seen[name] = by_source
        fields[name] = _of_all(by_source)
    return fields


def _of_input(name: str, shape: Shape) -> Field:
    """The field of an input in itself."""
    if sizes := shape[2:]:
        return Field(tuple([Axis(1, 1, 1, 0, int(size)) for size in sizes]))
    return Field((), NO_SPACE, f"{name} has no axes of space", ())


def _of_row(row: Row, fields: Mapping[str, Field]) -> Field:
    """The field of a layer, from those of what it reads."""
    node = row.node
    names = node.inputs
    if len(names) != 1:
        return _merged(row, fields)
    field = fields[names[0]]
    if not field.status or field.reach is not None:  # else there is nothing to follow
        windows = node.layer.window(row.inputs)
        if windows != ():
            field = _through(field, windows, row.inputs[0], node)
    return field


def _through(
    field: Field, windows: tuple[Window, ...] | None, x: Shape | None, node: Node
) -> Field:
    """The field after one layer with these windows over a map of shape ``x``."""
    if node.layer.kind == "opaque" or x is None:
        if field.status == UNKNOWN and field.reach is None:
            return field
        return Field((), UNKNOWN, f"nobody knows what {node.name} does")
    if windows is None:
        if field.status or all(along.step == 0 for along in field.axes):
            return field
        reach = _reach(field, x)
        if all(size == 1 for size in x[2:]):
            return Field(reach or ())  # there is only one unit
        return Field((), UNKNOWN, f"{node.name} ({node.layer.kind}) mixes positions", reach)
    if windows is WHOLE:
        reach = _reach(field, x)
        return field if reach is None else Field(reach)
    if field.status:
        return field
    axes: list[Axis] = []
    for j, along in enumerate(field.axes):
        if along.step == 0 or j >= len(windows):
            axes.append(along)
            continue
        window = windows[j]
        moved = through(along, window) if window.size else spread(along, x[j + 2])
        if moved is None:
            why = f"{node.name}: over {MAX_PERIOD} kinds of unit, or {MAX_FIELD:.0e} pixels"
            return Field((), UNKNOWN, why)
        axes.append(moved)
    return Field(tuple(axes))


def _merged(row: Row, fields: Mapping[str, Field]) -> Field:
    """The union of the paths that meet in a layer of several inputs."""
    node = row.node
    names = node.inputs
    if node.layer.kind == "opaque" or row.shape is None:
        for name in names:
            if fields[name] is not _UNSEEN:
                return _through(fields[name], None, None, node)
        return _UNSEEN
    y = row.shape
    paths: dict[str, Field] = {}
    for name, x, windows in zip(names, row.inputs, node.layer.windows(row.inputs), strict=True):
        field = fields[name]
        if field is _UNSEEN:
            continue
        paths[name] = field if windows == () else _through(field, windows, x, node)
    if not paths:
        return _UNSEEN
    fields_of_paths = list(paths.values())
    first = fields_of_paths[0]
    if all(field is first or field == first for field in fields_of_paths):
        return first
    for field in fields_of_paths:
        if field.whole:
            return field
    for status in (UNKNOWN, NO_SPACE, NOT_ALIGNED):
        for field in fields_of_paths:
            if field.status == status:
                return field._replace(reach=_reach_of_all(fields_of_paths, y))
    return _union(paths, y, node)


def _union(paths: Mapping[str, Field], y: Shape, node: Node) -> Field:
    """The union of known fields, an axis after the other; "not aligned" where it is no window."""
    names = list(paths)
    first = paths[names[0]]
    axes: list[Axis] = []
    for j, base in enumerate(first.axes):
        union = base
        for name in names[1:]:
            other = paths[name].axes[j]
            if not aligned(base, other):
                axis = _axis_name(j, len(first.axes))
                why = f"at {node.name}, {axis}: {names[0]} has {_place(base)}; {name} has "
                reach = _reach_of_all(paths.values(), y)
                return Field((), NOT_ALIGNED, why + _place(other), reach)
            union = joined(union, other)
        axes.append(union)
    return Field(tuple(axes))


def _reach(field: Field, x: Shape) -> tuple[Axis, ...] | None:
    """What a layer sees that takes in a whole map of shape ``x``."""
    if field.status:
        return field.reach
    sizes = x[2:]
    return tuple(
        [spread(along, sizes[j] if j < len(sizes) else 1) for j, along in enumerate(field.axes)]
    )


def _reach_of_all(fields: Iterable[Field], y: Shape) -> tuple[Axis, ...] | None:
    reaches = [_reach(field, y) for field in fields]
    known = [reach for reach in reaches if reach is not None]
    if len(known) < len(reaches) or any(len(reach) != len(known[0]) for reach in known):
        return None
    union = known[0]
    for reach in known[1:]:
        union = tuple([joined(a, b) for a, b in zip(union, reach, strict=True)])
    return union


def _of_all(by_source: Mapping[str, Field]) -> Field:
    """One field for a node that sees several inputs."""
    fields = [*by_source.values(), _UNSEEN]
    if all(field == fields[0] for field in fields[:-1]):
        return fields[0]
    return Field((), SEVERAL, "; ".join(f"{name}: {field}" for name, field in by_source.items()))


def _same_moves(node: Node) -> bool:
    """Whether padding "same" puts more or less before the input, as the stride divides it or not.

    The total is span - stride where it does and span - rest where it does not, or 0.
    """
    padding = node.written.get("padding")
    if padding not in ("same", "same_lower"):
        return False
    from ...layers.convolution import Windowed

    if not isinstance(node.layer, Windowed):
        return False
    for size, stride, _, _ in node.layer.window(()) or ():
        most, least = size - 1, max(size - stride, 0)
        if padding == "same_lower":
            most, least = most + 1, least + 1
        if most // 2 != least // 2:
            return True
    return False


def _has_working(tally: Tally) -> bool:
    """Whether the tally's shapes are Nums, whose working would be carried along for nothing."""
    for row in tally.rows:
        for x in row.inputs:
            if x:
                return any(type(n) is not int for n in x)
    return False


def _axis_name(j: int, axes: int) -> str:
    names = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
    return names[axes][j] if axes in names else f"axis {j + 2}"


def _place(along: Axis) -> str:
    return f"stride {along.stride} and centre {along.centre:g}"


def _alike(values: tuple[object, ...]) -> str:
    """One value, where the axes agree."""
    if all(value == values[0] for value in values):
        return str(values[0])
    return "(" + ", ".join(str(value) for value in values) + ")"
