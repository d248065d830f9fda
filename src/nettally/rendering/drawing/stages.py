"""The stages of the style ``volumes``: one after the other, each of one volume or of one a column.

A network has columns where its convolutions are in groups (each group reads its own maps), or
where it is described as branches side by side. Pooling is not a stage of its own: it belongs to
the stage that it follows, and its map is what the next layer's window slides over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...arith import Num, Product, plain
from .grouping import at_most, contracted, deepest, fitting, repeated
from .layer_words import dilation, family, kernel, size, stride, times
from .stage_graph import Graph
from .unit_volume import Volume, volume_of
from .units import Unit, Units, main_path, units_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...counting.rows import Row
    from ...counting.tally import Tally
    from .stage_graph import Carried

MOST_COLUMNS = 4


class Skip(NamedTuple):
    """An earlier stage that is read over others.

    source: its place. pooled: whether what its pooling leaves is read. size: of what is read,
    where that is not the output that is drawn; else "".
    """

    source: int
    pooled: bool
    size: str


class Stage(NamedTuple):
    """One place in the row.

    units: one, or one a column. volumes: one a column. pooled: what is left after the pooling that
    follows; None where none does. reads: the columns of the stage before that each column reads.
    window: what slides over the stage before, height and width (of a dilated kernel its span);
    None where nothing does. skips: earlier stages that are read too. exits: side branches that
    begin here and lead to outputs of their own; they are named and not drawn. pools: whether what
    pooling leaves of the stage before is read. carried: the size of what is read of the stage
    before, where that is not the output that is drawn; else "".
    """

    units: tuple[Unit, ...]
    volumes: tuple[Volume, ...]
    pool: Unit | None
    pooled: tuple[Volume, ...]
    reads: tuple[tuple[int, ...], ...]
    window: tuple[int, int] | None
    stride: tuple[int, ...]
    family: str
    skips: tuple[Skip, ...] = ()
    exits: tuple[str, ...] = ()
    pools: bool = True
    carried: str = ""

    @property
    def name(self) -> str:
        return ", ".join(dict.fromkeys(unit.name for unit in self.units))

    @property
    def times(self) -> int:
        return self.units[0].times

    @property
    def dilated(self) -> bool:
        """Whether the window has holes."""
        main = self.units[0].main
        return main is not None and dilation(main.node.layer) > 1

    @property
    def kernel(self) -> str:
        """The window's size in words: ``5×5``, ``3×3 dilated``."""
        main = self.units[0].main
        sizes = kernel(main.node.layer) if main is not None else ()
        return times(sizes or self.window or ()) + (" dilated" if self.dilated else "")


def stages_of(tally: Tally, most: int, depth: int | None = None) -> tuple[Stage, ...]:
    """The stages of a network, at most ``most`` of them.

    Modules are opened as deep as the network is still a row of volumes, or of columns of them.
    """
    if depth is None:
        for deep in range(min(deepest(tally), 8), -1, -1):
            boxes, exits = _without_sides(
                repeated(units_of(tally, deep), single=False, patterns=False)
            )
            stages = _ranked(boxes) if len(boxes) <= 3 * most else None
            if stages is not None and len(stages) <= most:
                return _with_exits(_grouped(tuple(stages)), exits)
    boxes, exits = _without_sides(fitting(tally, most + 4, depth))
    stages = _ranked(boxes)
    if stages is None:
        boxes = contracted(boxes)
        stages = _ranked(boxes) or _in_order(boxes)
    if len(stages) > most:
        boxes = at_most(boxes, most)
        stages = _ranked(boxes) or _in_order(boxes)
    return _with_exits(_grouped(tuple(stages)), exits)


def _without_sides(boxes: Units) -> tuple[Units, Mapping[str, tuple[str, ...]]]:
    """The units on the way to the main output; side branches by the name of what they read."""
    main = main_path(boxes)
    if len(main) == len(boxes):
        return boxes, {}
    kept = sorted(main)
    place = {i: n for n, i in enumerate(kept)}
    exits: dict[str, tuple[str, ...]] = {}
    for i, unit in enumerate(boxes):
        for j in unit.inputs if i not in main else ():
            if j in main:
                exits[boxes[j].last] = (*exits.get(boxes[j].last, ()), unit.name)
    path = tuple(boxes[i]._replace(inputs=tuple(place[j] for j in boxes[i].inputs)) for i in kept)
    return path, exits


def _with_exits(
    stages: tuple[Stage, ...], exits: Mapping[str, tuple[str, ...]]
) -> tuple[Stage, ...]:
    """The stages with the side branches that begin at their units."""
    if not exits:
        return stages
    with_exits: list[Stage] = []
    for stage in stages:
        names = [unit.last for unit in (*stage.units, *([stage.pool] if stage.pool else []))]
        names += [row.node.name for unit in stage.units for row in unit.rows]
        branches = tuple(dict.fromkeys(each for name in names for each in exits.get(name, ())))
        with_exits.append(stage._replace(exits=branches))
    return tuple(with_exits)


def _ranked(boxes: Units) -> list[Stage] | None:
    """Stages by the longest way from the input; None where the graph is not a row of columns."""
    graph = Graph(boxes)
    rank: dict[int, int] = {}
    for i, read in graph.reads.items():
        rank[i] = 1 + max((rank[j] for j in read), default=-1)
    rows: dict[int, list[int]] = {}
    for i, r in rank.items():
        rows.setdefault(r, []).append(i)
    if any(rank[j] != rank[i] - 1 for i, read in graph.reads.items() for j in read):
        return None
    if any(len(row) > MOST_COLUMNS for row in rows.values()):
        return None
    if any(len({_alike(boxes[i]) for i in row}) > 1 for row in rows.values()):
        return None
    several = sum(len(row) > 1 for row in rows.values())
    if 0 < several < 3:
        return None
    stages: list[Stage] = []
    for r in sorted(rows):
        before = rows.get(r - 1, [])
        reads = [tuple(before.index(j) for j in graph.reads[i]) for i in rows[r]]
        read = [(graph.carried(i, j), j) for i in rows[r] for j in graph.reads[i]]
        if any(carried.pooled != (j in graph.pool) for carried, j in read):
            return None  # some read what the pooling leaves, and some what it begins with
        stages.append(_stage(graph, rows[r], reads))
    return stages


def _alike(unit: Unit) -> tuple[Any, ...]:
    """What volumes side by side have in common: they are columns of one layer."""
    layer = unit.main.node.layer if unit.main is not None else None
    sizes = (kernel(layer), stride(layer)) if layer is not None else ()
    return (unit.family, unit.shape, sizes)


def _in_order(boxes: Units) -> list[Stage]:
    """Stages one after the other, with skips."""
    graph = Graph(boxes)
    place = {i: n for n, i in enumerate(graph.reads)}
    stages: list[Stage] = []
    for i, read in graph.reads.items():
        stage = _stage(graph, [i], [()])
        skips: list[Skip] = []
        for j in read:
            carried = graph.carried(i, j)
            text = _size_if_not_drawn(graph, j, carried)
            if place[j] == place[i] - 1:
                stage = stage._replace(reads=((0,),), pools=carried.pooled, carried=text)
            else:
                skips.append(Skip(place[j], carried.pooled, text))
        stages.append(stage._replace(skips=tuple(sorted(skips))))
    return stages


def _size_if_not_drawn(graph: Graph, j: int, carried: Carried) -> str:
    """The size of what is read of a unit, where its box shows another; else "".

    A box for several layers shows the size of the last; others may be read from within.
    """
    unit = graph.boxes[graph.pool[j] if carried.pooled else j]
    drawn = [unit.shape, unit.main.shape if unit.main is not None else None]
    return "" if carried.shape is None or carried.shape in drawn else size(carried.shape)


def _stage(graph: Graph, row: list[int], reads: list[tuple[int, ...]]) -> Stage:
    these = tuple(graph.boxes[i] for i in row)
    pool = graph.boxes[graph.pool[row[0]]] if row[0] in graph.pool else None
    pooled = tuple(volume_of(graph.boxes[graph.pool[i]]) for i in row if i in graph.pool)
    first = these[0]
    return Stage(
        these,
        tuple(
            volume_of(unit, tokens=graph.feeds_tokens(i))
            for i, unit in zip(row, these, strict=True)
        ),
        pool,
        pooled if len(pooled) == len(row) else (),
        tuple(reads),
        _window(first),
        stride(first.main.node.layer) if first.main is not None else (),
        first.family,
    )


def _window(unit: Unit) -> tuple[int, int] | None:
    if unit.main is None or unit.family not in ("conv", "pool"):
        return None
    sizes = kernel(unit.main.node.layer)
    spread = dilation(unit.main.node.layer)
    sizes = tuple(spread * (k - 1) + 1 for k in sizes)
    if not sizes or unit.main.node.layer.kind == "conv_transpose":
        return None
    listed = list(sizes)
    return (listed[-2], listed[-1]) if len(listed) > 1 else (listed[0], 1)


# --- groups as columns -------------------------------------------------------------------------


def _grouped(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stages in columns, where the convolutions of a chain are in groups."""
    if any(len(stage.volumes) > 1 for stage in stages):
        return stages
    counts = {_groups(stage) for stage in stages} - {1}
    if len(counts) != 1:
        return stages
    (columns,) = counts
    if columns > MOST_COLUMNS:
        return stages
    split = [
        _is_split(stage, stages[i + 1] if i + 1 < len(stages) else None, columns)
        for i, stage in enumerate(stages)
    ]
    in_columns: list[Stage] = []
    for i, stage in enumerate(stages):
        before = split[i - 1] if i else False
        sources = tuple(range(columns)) if before else (0,)
        if not split[i]:
            in_columns.append(stage._replace(reads=(sources,)))
            continue
        separate = before and _groups(stage) == columns
        in_columns.append(
            stage._replace(
                volumes=_parts(stage.volumes[0], columns),
                pooled=_parts(stage.pooled[0], columns) if stage.pooled else (),
                reads=tuple((c,) if separate else sources for c in range(columns)),
            )
        )
    return tuple(in_columns)


def _groups(stage: Stage) -> int:
    """The groups of a convolution that mixes several maps in each; 1 for all else."""
    unit = stage.units[0]
    if unit.main is None:
        return 1
    groups = unit.main.node.layer.fields().get("groups", 1)
    if unit.family != "conv" or not isinstance(groups, int) or groups < 2:
        return 1
    channels = next((x[1] for x in unit.main.inputs if len(x) > 1), 0)
    return plain(groups) if groups < channels else 1


def _is_split(stage: Stage, after: Stage | None, columns: int) -> bool:
    unit = stage.units[0]
    if unit.input or unit.main is None or stage.volumes[0].channels % columns:
        return False
    if _groups(stage) == columns or (after is not None and _groups(after) == columns):
        return True
    return _is_written_in(unit.main, columns)


def _is_written_in(row: Row, columns: int) -> bool:
    """Whether the file has its size as so many a column: ``2048·2``."""
    if family(row.node.layer) not in ("conv", "linear"):
        return False
    for value in row.node.written.values():
        how: Any = value.how if isinstance(value, Num) else None
        if isinstance(how, Product) and plain(how.factors[-1]) == columns:
            return True
    return False


def _parts(volume: Volume, columns: int) -> tuple[Volume, ...]:
    return (volume._replace(channels=volume.channels // columns),) * columns
