"""The text of ncnn's ``.param`` files: a layer a line, its parameters by numbers.

After a magic number and two counts, a line is: type, name, how many inputs and outputs, the names
of these, and parameters as ``3=1`` (param-and-model-file-structure.md of ncnn). A list is ``3=1,2``
or, as it was before 2023, ``-23303=2,1,2``: -23300 less the number, and its length before it.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ...errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAGIC = "7767517"
LISTS = -23300
MAX_VALUE = 1e39
"""No number is larger; a float of 32 bits is at most 3.4e38."""


class ParamLine:
    """A layer; ``line(3, 1)`` is its parameter 3, or 1 where that is missing.

    span: where it stands, as errors say it.
    """

    __slots__ = ("inputs", "kind", "name", "outputs", "span", "values")

    def __init__(self, words: list[str], span: Any) -> None:
        self.span = span
        self.kind, self.name = (*words, "", "")[:2]
        counts = [int(word) if word.isdecimal() and len(word) < 9 else -1 for word in words[2:4]]
        start, stop = 4 + sum(counts[:1]), 4 + sum(counts)
        self.inputs, self.outputs = words[4:start], words[start:stop]
        if len(counts) < 2 or min(counts) < 0 or len(words) < stop:
            raise self.error(
                "a line is: type, name, how many inputs, how many outputs, their names, parameters",
                values=" ".join(words)[:60],
            )
        self.values = dict(map(self._parameter, words[stop:]))
        if len(self.values) < len(words) - stop:
            raise self.error("a parameter stands twice")

    def error(self, what: str, *, values: str = "", hint: str = "") -> ReadError:
        title = f"{self.kind[:40]} {self.name[:60]}"
        return ReadError(f"{title}: {what}", where=str(self.span), values=values, hint=hint)

    def _parameter(self, word: str) -> tuple[int, list[float] | str]:
        """Its number, and its values, or the text where it is none of numbers."""
        key, _, text = word.partition("=")
        try:
            number = int(key)
        except ValueError:
            raise self.error(
                "this is no parameter", values=word[:60], hint="they stand last: 0=64 1=3"
            ) from None
        try:
            values: list[float] | str = [float(each) for each in text.split(",")]
        except ValueError:
            values = text
        if number > LISTS or isinstance(values, str):
            return number, values
        if values[0] != len(values) - 1:
            raise self.error("a list is not as long as it says", values=word[:60])
        return LISTS - number, values[1:]

    def many(self, key: int, of: Any = int) -> list[Any]:
        """A parameter as a list of numbers; none where it is missing."""
        values = self.values.get(key, [])
        if isinstance(values, str) or not all(abs(each) < MAX_VALUE for each in values):
            raise self.error(f"parameter {key} is a list of numbers", values=f"{values}"[:60])
        return [of(each) for each in values]

    def products(self, terms: str | None) -> list[tuple[int]] | None:
        """``6 0*5`` is parameter 6, and 0 times 5; in ``3:1`` a missing one counts 1 and not 0."""
        if terms is None:
            return None
        factors = [[each.partition(":") for each in term.split("*")] for term in terms.split()]
        return [
            (prod([self(int(n), int(other or 0)) for n, _, other in each]),) for each in factors
        ]

    @property
    def size(self) -> tuple[int, ...]:
        """The size that an input or a tensor states: channels, depth, height, width; or fewer."""
        return tuple(n for n in (self(2), self(11), self(1), self(0)) if n)

    @property
    def stated_sizes(self) -> list[tuple[int, ...]]:
        """The outputs' sizes in parameter 30: how many axes, width, height, channels, each."""
        hints = self.many(30)
        return [tuple(hints[i + hints[i] : i : -1]) for i in range(0, len(hints), 4)]

    def __call__(self, key: int, default: Any = 0) -> Any:
        values = self.values.get(key)
        if values is None:
            return default
        if isinstance(values, str) or len(values) != 1 or not abs(values[0]) < MAX_VALUE:
            raise self.error(f"parameter {key} is one number", values=f"{values}"[:60])
        return bool(values[0]) if default is False or default is True else type(default)(values[0])


def param_lines(text: str, file: str, span: Callable[[str, int], Any]) -> Iterator[ParamLine]:
    """The layers of a file, whose places ``span`` makes. Raises ReadError for another file."""
    rows = enumerate(text.split("\n"), 1)
    header: list[str] = []
    for _, row in rows:
        header += row.split()
        if len(header) >= 3:
            break
    if len(header) != 3 or header[0] != MAGIC or not (header[1] + header[2]).isdecimal():
        raise ReadError(
            "this is no text of ncnn",
            where=f"{file}:1",
            values=" ".join(header)[:60],
            hint=f"it begins with {MAGIC}, and with how many layers and blobs there are",
        )
    count = 0
    for number, row in rows:
        words = row.split()
        if words:
            count += 1
            yield ParamLine(words, span(file, number))
    if len(header[1]) > 8 or count != int(header[1]):
        raise ReadError(
            "the file has another number of layers than it says",
            where=f"{file}:2",
            values=f"it says {header[1][:20]}, and has {count:,}",
            hint="was it cut off, or edited? the first number of line 2 counts the layers",
        )
