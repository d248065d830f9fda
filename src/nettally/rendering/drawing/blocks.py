"""The style ``blocks``: any graph of layers as boxes and arrows, to the right or down.

Modules are one box each, with "×n" where several alike follow one another; what is inside stands
once for each kind of module, in a frame under or beside the network. Long networks go on in a
further row. Where the maps grow again after they have shrunk, and skips cross, the boxes stand at
the height of their scale, so that U-Net is a U.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .arrows import curved, edges_of, placed, rounded, same, turned
from .boxes import Content, content, narrowed, read_within
from .grouping import at_most, fitting, segments
from .insets import insets_of
from .layered_layout import layered
from .model import Drawing, Path, arrow_head
from .u_layout import by_level, levels_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.tally import Tally
    from .footnotes import Note
    from .model import Item, Point
    from .units import Units

MARGIN = 12.0
NATURAL = 1080.0
NATURAL_U = 2000.0
GAP = 20.0
APART = 12.0
TURN = 14.0
MOST_BOXES = (30, 24, 18, 13, 9, 6, 4, 2, 1)


def draw(
    tally: Tally, wide: float | None, direction: str, depth: int | None, notes: Sequence[Note]
) -> Drawing:
    """The figure, no wider than ``wide`` where that is given: units are grouped until they fit."""
    room = (wide if wide is not None else NATURAL) - 2 * MARGIN
    tried: Units = ()
    for most in MOST_BOXES:
        boxes = fitting(tally, most, depth)
        if len(boxes) == len(tried):
            continue
        tried = boxes
        insets = insets_of(tally, boxes, room)
        contents = [
            content(
                unit, [boxes[j] for j in unit.inputs], notes, insets.letter(unit), within=within
            )
            for unit, within in zip(boxes, read_within(boxes), strict=True)
        ]
        main = _u(boxes, contents, direction, NATURAL_U if wide is None else room)
        main = main or _main(boxes, contents, direction, room)
        if main is not None:
            return _composed(main, insets.drawings, room)
    boxes = at_most(fitting(tally, 1, depth), 1)
    contents = [content(unit, [], notes) for unit in boxes]
    return _down(boxes, contents).framed(MARGIN)


# --- the network -------------------------------------------------------------------------------


def _u(boxes: Units, contents: Sequence[Content], direction: str, room: float) -> Drawing | None:
    """The diagram as a U, if the network is one and it fits, with its boxes narrowed if need be."""
    levels = levels_of(boxes)
    if levels is None:
        return None
    for down in {"right": (False,), "down": (True,)}.get(direction, (False, True)):
        for shown in (contents, [narrowed(each) for each in contents]):
            drawing = by_level(boxes, shown, levels, down)
            if drawing is not None and drawing.width <= room:
                return drawing
    return None


def _main(boxes: Units, contents: Sequence[Content], direction: str, room: float) -> Drawing | None:
    """The network's own diagram, or None where it does not fit."""
    if direction != "down":
        drawing = _to_the_right(boxes, contents, room)
        if drawing is not None:
            return drawing
    if direction != "right":
        for shown in (contents, [narrowed(each) for each in contents]):
            drawing = _down(boxes, shown)
            if drawing.width <= room:
                return drawing
    return None


def _down(boxes: Units, contents: Sequence[Content]) -> Drawing:
    edges = edges_of(boxes)
    layout = layered([(c.w, c.h) for c in contents], edges, GAP, APART)
    routes = [curved(route, same) for route in layout.routes]
    return placed(contents, layout.centres, routes)


def _to_the_right(boxes: Units, contents: Sequence[Content], room: float) -> Drawing | None:
    """Rows from left to right, broken where the graph is one line wide; None where it is not."""
    runs = segments(boxes)
    lengths = [_row_length(boxes, contents, run) for run in runs]
    total = sum(lengths) + GAP * (len(runs) - 1)
    if max(lengths, default=0) > room - (0 if total <= room else 2 * TURN):
        return None
    if total <= room:
        return _stacked(boxes, contents, [[i for run in runs for i in run]])
    low, high = max(lengths), room - 2 * TURN
    fewest = len(_filled(lengths, high))
    while high - low > 1:  # the shortest rows of this number: the last is not left nearly empty
        middle = (low + high) / 2
        if len(_filled(lengths, middle)) <= fewest:
            high = middle
        else:
            low = middle
    rows = [[i for n in row for i in runs[n]] for row in _filled(lengths, high)]
    return _stacked(boxes, contents, rows)


def _filled(lengths: Sequence[float], most: float) -> list[list[int]]:
    """Runs in rows of at most ``most`` pixels, each as full as it can be."""
    rows: list[list[int]] = [[]]
    long = 0.0
    for n, length in enumerate(lengths):
        if rows[-1] and long + GAP + length > most:
            rows.append([])
            long = -GAP
        rows[-1].append(n)
        long += GAP + length
    return rows


def _row_length(boxes: Units, contents: Sequence[Content], row: Sequence[int]) -> float:
    return _one_row(boxes, contents, row).width


def _one_row(boxes: Units, contents: Sequence[Content], row: Sequence[int]) -> _Laid:
    """These boxes to the right, with what enters the row at its left."""
    members = set(row)
    entered = [i for i in row if any(j not in members for j in boxes[i].inputs)]
    # where several boxes are entered, their lines part at a point of its own
    port = [-1] if len(entered) > 1 else []
    place = {i: n for n, i in enumerate([*port, *row])}
    edges = [(place[j], place[i]) for i in row for j in boxes[i].inputs if j in members]
    edges += [(0, place[i]) for i in entered if port]
    sizes = [(1.0, 1.0) for _ in port] + [(contents[i].h, contents[i].w) for i in row]
    layout = layered(sizes, edges, GAP, APART)
    centres = [turned(centre) for centre in layout.centres]
    entry = centres[0]
    if entered and not port:
        x, y = centres[place[entered[0]]]
        entry = (x - contents[entered[0]].w / 2, y)
    routes = [curved(route, turned) for route in layout.routes]
    return _Laid(layout.height, layout.width, centres[len(port) :], routes, entry, not port)


class _Laid(NamedTuple):
    """A row. entry: where what comes from the row before enters; at_box: whether that is a box."""

    width: float
    height: float
    centres: list[Point]
    routes: list[Path]
    entry: Point
    at_box: bool


def _stacked(boxes: Units, contents: Sequence[Content], rows: Sequence[Sequence[int]]) -> Drawing:
    """The rows one under the other, each joined to the one before by a line around its end."""
    laid = [_one_row(boxes, contents, row) for row in rows]
    if len(rows) == 1:
        return placed(contents, laid[0].centres, laid[0].routes)
    wide = max(each.width for each in laid)
    items: list[Item] = []
    y = 0.0
    exit_: Point | None = None
    for row, each in zip(rows, laid, strict=True):
        top = min(c[1] - contents[i].h / 2 for i, c in zip(row, each.centres, strict=True))
        drawing = placed([contents[i] for i in row], each.centres, each.routes, trim=False)
        items += drawing.shifted(TURN, y - top)
        if exit_ is not None:
            end = (each.entry[0] + TURN, each.entry[1] + y - top)
            items += _around(exit_, end, y - 15, wide + 2 * TURN - 4, head=each.at_box)
        x, middle = each.centres[-1]
        stack = 5.0 if contents[row[-1]].unit.times > 1 else 0.0
        exit_ = (x + TURN + contents[row[-1]].w / 2 + stack, middle + y - top)
        low = max(c[1] + contents[i].h / 2 for i, c in zip(row, each.centres, strict=True))
        low = max([low, *(v for path in each.routes for v in _ys(path))])
        y += low - top + 30
    return Drawing(wide + 2 * TURN, y - 30, tuple(items))


def _ys(path: Path) -> list[float]:
    return [value for _, values in path.steps for value in values[1::2]]


def _around(start: Point, end: Point, between: float, right: float, *, head: bool) -> list[Item]:
    """From a row's end, around, to the beginning of the next."""
    side = min(start[0] + 9, right)
    points = [start, (side, start[1]), (side, between), (4.0, between), (4.0, end[1]), end]
    return [rounded(points), *([arrow_head(end, (1, 0))] if head else [])]


def _composed(main: Drawing, shown: Sequence[Drawing], room: float) -> Drawing:
    """The network, and the insets beside it where there is room, or under it."""
    items: list[Item] = []
    if not shown:
        return main.framed(MARGIN)
    beside = room - main.width - 28
    if main.height > 1.1 * main.width and max(part.width for part in shown) <= beside:
        columns, right, low = _shelved(shown, beside, max(main.height, 400), upright=True)
        items += main.shifted(MARGIN, MARGIN)
        items += [
            item for part in columns for item in part.shifted(main.width + 28 + MARGIN, MARGIN)
        ]
        return Drawing(
            main.width + 28 + right + 2 * MARGIN, max(main.height, low) + 2 * MARGIN, tuple(items)
        )
    rows, right, low = _shelved(shown, room, 0, upright=False)
    full = max(main.width, right)
    items += main.shifted(MARGIN + (full - main.width) / 2, MARGIN)
    for part in rows:
        items += part.shifted(MARGIN + (full - right) / 2, MARGIN + main.height + 18)
    return Drawing(full + 2 * MARGIN, main.height + 18 + low + 2 * MARGIN, tuple(items))


def _shelved(
    parts: Sequence[Drawing], wide: float, high: float, *, upright: bool
) -> tuple[list[Drawing], float, float]:
    """Drawings side by side in rows (or, upright, one under the other in columns)."""
    drawings: list[Drawing] = []
    x = y = deep = right = low = 0.0
    for part in parts:
        if upright:
            if y and y + part.height > high and x + deep + 12 + part.width <= wide:
                x, y, deep = x + deep + 12, 0.0, 0.0
        elif x and x + part.width > wide:
            x, y, deep = 0.0, y + deep + 12, 0.0
        drawings.append(part._replace(items=part.shifted(x, y)))
        right, low = max(right, x + part.width), max(low, y + part.height)
        if upright:
            y, deep = y + part.height + 12, max(deep, part.width)
        else:
            x, deep = x + part.width + 12, max(deep, part.height)
    return drawings, right, low
