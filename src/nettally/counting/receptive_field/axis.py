"""Receptive fields along one axis: how a window moves them on, and what their union is."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ...network import Window

MAX_PERIOD = 128
"""Fields that repeat only after more units than this are not followed."""

MAX_FIELD = 10**18
"""A field or a stride beyond this many pixels is not followed: no image is so large."""


class Ratio(NamedTuple):
    """A stride of less than a pixel, or of a part: in lowest terms, den above 1."""

    num: int
    den: int

    def __str__(self) -> str:
        return f"{self.num}/{self.den}"

    def __float__(self) -> float:
        return self.num / self.den

    def __int__(self) -> int:
        return self.num // self.den


class Axis(NamedTuple):
    """The fields of a map's units along one axis of the input, in pixels.

    size: of the unit that sees most. step: how far the field moves in ``period`` units; 0 when
    every unit has the same field. start: the first pixel of unit 0's field; negative when the
    field begins in the padding. of: the input's size. phases: first and last pixel for each of
    the units 0 to period - 1, where the period is not 1.
    """

    size: int
    step: int
    period: int
    start: int
    of: int
    phases: tuple[tuple[int, int], ...] = ()

    @property
    def stride(self) -> int | Ratio:
        """How far the field moves from one unit to the next, on average."""
        if self.step % self.period == 0:
            return self.step // self.period
        common = gcd(self.step, self.period)
        return Ratio(self.step // common, self.period // common)

    @property
    def centre(self) -> float:
        """The middle of unit 0's field: pixel 0 has it at 0. The mean where units take turns."""
        num, den = _centre(self)
        return num / den

    @property
    def whole(self) -> bool:
        """Whether every unit sees all of the input."""
        return self.step == 0 and self.start <= 0 and self.start + self.size >= self.of

    def unit(self, i: int) -> tuple[int, int]:
        """The first and the last pixel that unit i sees, though they be outside the input."""
        if self.period == 1:
            first = self.start + i * self.step
            return first, first + self.size - 1
        turns, phase = divmod(i, self.period)
        first, last = self.phases[phase]
        return first + turns * self.step, last + turns * self.step

    def seen(self, i: int = 0) -> range:
        """The pixels of the input in unit i's field."""
        first, last = self.unit(i)
        return range(max(first, 0), max(min(last + 1, self.of), first, 0))

    def beyond(self, i: int = 0) -> tuple[int, int]:
        """How many places of unit i's field lie before and after the input: in the padding."""
        first, last = self.unit(i)
        return max(-first, 0), max(last + 1 - self.of, 0)


def through(along: Axis, window: Window) -> Axis | None:
    """The fields after a window over the map that has these; None when they can't be followed.

    Araujo et al. 2019, equations 2 to 4; with units that take turns, as field.py's head says.
    """
    if window.upscale == 1 and along.period == 1:
        size, stride, before, _ = window
        field, step, _, start, of, _ = along
        moved = Axis(field + (size - 1) * step, step * stride, 1, start - before * step, of)
    else:
        turns = _phases(along, window)
        if turns is None:
            return None
        moved = turns
    return moved if moved.size <= MAX_FIELD and moved.step <= MAX_FIELD else None


def _phases(along: Axis, window: Window) -> Axis | None:
    """One axis after a window where units take turns; None when there are too many kinds.

    Unit o's window covers the places o·stride - before and on; of these, the multiples of
    ``upscale`` are units of the map before.
    """
    size, stride, before, upscale = window
    places = upscale * along.period
    common = gcd(places, stride)
    period = places // common
    if period > MAX_PERIOD:
        return None
    phases: list[tuple[int, int]] = []
    for o in range(period):
        place = o * stride - before
        first = along.unit(-(-place // upscale))[0]
        last = along.unit((place + size - 1) // upscale)[1]
        phases.append((first, last))
    return _along(phases, along.step * (stride // common), along.of)


def _along(phases: list[tuple[int, int]], step: int, of: int) -> Axis:
    largest = max([last - first + 1 for first, last in phases])
    period = len(phases)
    return Axis(largest, step, period, phases[0][0], of, tuple(phases) if period > 1 else ())


def aligned(a: Axis, b: Axis) -> bool:
    """Whether the union of two paths' fields is a window that moves evenly."""
    if a.step == 0 and b.step == 0:
        return True
    if a.whole or b.whole:
        return True
    if a.step * b.period != b.step * a.period:
        return False
    (a_num, a_den), (b_num, b_den) = _centre(a), _centre(b)
    return a_num * b_den == b_num * a_den


def joined(a: Axis, b: Axis) -> Axis:
    """The union of two fields that are aligned."""
    if a.whole or b.whole:
        return a if a.whole else b
    period = a.period * b.period // gcd(a.period, b.period)
    pairs = [(a.unit(i), b.unit(i)) for i in range(period)]
    phases = [(min(p[0], q[0]), max(p[1], q[1])) for p, q in pairs]
    return _along(phases, a.step * (period // a.period), a.of)


def _centre(along: Axis) -> tuple[int, int]:
    """The mean, over the kinds of unit, of a field's centre less the unit's index · stride."""
    period = along.period
    if period == 1:
        return 2 * along.start + along.size - 1, 2
    ends = sum([first + last for first, last in along.phases])
    return ends - (period - 1) * along.step, 2 * period


def spread(along: Axis, units: int) -> Axis:
    """What all the first ``units`` units see together, without the padding."""
    first = max(along.unit(0)[0], 0)
    last = along.unit(int(units) - 1 if along.step else 0)[1]
    return Axis(max(min(last + 1, along.of) - first, 0), 0, 1, first, along.of)
