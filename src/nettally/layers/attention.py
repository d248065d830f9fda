"""Products of two computed tensors, attention (Vaswani et al. 2017), made of them, its cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import product
from ..errors import LayerError
from ..network import NOTHING, Layer, Shape, Window, Work, check_size
from .fields import by_axis
from .merging import broadcast
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


@layer("matmul")
class MatMul(Layer):
    """The matrix product of the last two axes (numpy's rule: vectors too; the others stretched).

    weight: the whole size of a learned factor that stands in place of one input, the right one,
    or with ``left`` the left one. flip: the inputs' last two axes are exchanged first, of the left
    one, of the right one.
    """

    arity = 0
    weighted = True

    weight: Any = None
    left: bool = False
    flip_left: bool = False
    flip_right: bool = False

    def __post_init__(self) -> None:
        weight: Any = self.weight
        if weight is not None:
            weight = tuple(weight) if isinstance(weight, (tuple, list)) else (weight,)
            for size in weight:
                check_size("weight", size)
            self.__dict__["weight"] = weight

    def _factors(self, xs: tuple[Shape, ...]) -> tuple[Shape, Shape]:
        weight = self.weight
        if len(xs) != (2 if weight is None else 1):
            raise LayerError("matmul has two factors", values=f"{len(xs)} inputs")
        a, b = xs if weight is None else ((weight, xs[0]) if self.left else (xs[0], weight))
        if len(a) < 1 or len(b) < 1:
            raise LayerError("a factor of matmul has no axes")
        if self.flip_left and len(a) > 1:
            a = (*a[:-2], a[-1], a[-2])
        if self.flip_right and len(b) > 1:
            b = (*b[:-2], b[-1], b[-2])
        if a[-1] != b[max(len(b) - 2, 0)]:
            raise LayerError(
                "the factors' sizes do not agree",
                values=f"{by_axis(a)} times {by_axis(b)}: {a[-1]} is not {b[max(len(b) - 2, 0)]}",
            )
        return a, b

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        a, b = self._factors(xs)
        rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
        return (*broadcast((a[:-2], b[:-2])), *rows, *columns)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return NOTHING if self.weight is None else {"weight": self.weight}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(product(y) * self._factors(xs)[0][-1])

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("einsum")
class Einsum(Layer):
    """Sums of products over named axes: ``bhqd,bhkd->bhqk``. One multiply-accumulate a product.

    weight: the whole size of a learned factor in place of the last input, or with ``left`` before
    the others.
    """

    arity = 0
    weighted = True
    positional = ("equation",)

    equation: str = ""
    weight: Any = None
    left: bool = False

    def __post_init__(self) -> None:
        terms, arrow, output = self.equation.partition("->")
        letters = terms.replace(",", "")
        if not arrow or not (letters or "a").isalpha() or not set(output) <= set(letters):
            raise LayerError(
                "an equation has letters for axes, a comma between inputs, an arrow, the output",
                values=self.equation[:80],
                hint="ij,jk->ik is a matrix product",
            )
        if self.weight is not None:
            weight: Any = self.weight
            self.__dict__["weight"] = (
                tuple(weight) if isinstance(weight, (tuple, list)) else (weight,)
            )

    def _loops(self, xs: tuple[Shape, ...]) -> dict[str, int]:
        factors = list(xs)
        if self.weight is not None:
            factors.insert(0 if self.left else len(factors), self.weight)
        terms = self.equation.partition("->")[0].split(",")
        if len(terms) != len(factors):
            raise LayerError(
                "einsum has one term an input", values=f"{self.equation}, {len(factors)} factors"
            )
        loops: dict[str, int] = {}
        for term, x in zip(terms, factors, strict=True):
            if len(term) != len(x):
                raise LayerError(
                    "einsum's term has a letter for each axis", values=f"{term}, {by_axis(x)}"
                )
            for letter, size in zip(term, x, strict=True):
                if loops.get(letter, 1) == 1:
                    loops[letter] = size
                elif size not in (1, loops[letter]):
                    raise LayerError(
                        "einsum's sizes do not agree",
                        values=f"{self.equation}: {letter} is {loops[letter]} and {size}",
                    )
        return loops

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        loops = self._loops(xs)
        return tuple(loops[letter] for letter in self.equation.partition("->")[2])

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return NOTHING if self.weight is None else {"weight": self.weight}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        factors = len(self.equation.partition("->")[0].split(","))
        return Work(product(self._loops(xs).values()) * (factors - 1))

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("attention")
class Attention(Layer):
    """softmax(query · keyᵀ) · value, in ``heads`` parts; inputs: query, key, value; then a mask.

    Each is (batch, places, channels), the channels shared out to the heads; or with an axis of
    heads, (batch, heads, places, channels). key_heads: fewer heads of keys and values, each for
    several of the queries' (Ainslie et al. 2023); 0: as many. sinks: each head has a learned score
    that takes part in its softmax and has no value (Xiao et al. 2023). The projections are layers
    of their own.
    """

    batch_first = True
    arity = 0
    weighted = True

    heads: int = 1
    key_heads: int = 0
    sinks: bool = False

    def __post_init__(self) -> None:
        check_size("heads", self.heads)
        check_size("key_heads", self.key_heads, 0)

    def _split(self, xs: tuple[Shape, ...]) -> tuple[Shape, Shape, Shape]:
        """Query, key and value with an axis of heads."""
        if len(xs) < 3:
            raise LayerError(
                "attention needs a query, a key and a value", values=f"{len(xs)} inputs"
            )
        parts: list[Shape] = []
        for x, heads in zip(xs, (self.heads, *(self.key_heads or self.heads,) * 2), strict=False):
            if len(x) == 4 and x[1] == heads:
                parts.append(x)
            elif len(x) == 3 and int(x[2]) % int(heads) == 0:
                parts.append((x[0], heads, x[1], x[2] // heads))
            elif len(x) < 3:
                raise LayerError(
                    "attention reads a sequence: batch, places, channels",
                    values=f"input {by_axis(x)}",
                    hint="a linear layer before it keeps the places where it says 'axis 2'",
                )
            else:
                raise LayerError(
                    "the heads do not divide the channels", values=f"{by_axis(x)}, heads {heads}"
                )
        q, k, v = parts
        if q[3] != k[3] or k[2] != v[2]:
            raise LayerError(
                "query, key and value do not fit each other",
                values=", ".join(map(by_axis, xs[:3])),
            )
        return q, k, v

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        q, _, v = self._split(xs)
        if len(xs[0]) == 4:
            return (*q[:3], v[3])
        return (q[0], q[2], q[1] * v[3])

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"sinks": (self.heads,)} if self.sinks else NOTHING

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        q, k, v = self._split(xs)
        pairs = product(q[:3]) * k[2]  # each query's place with each key's, a head
        return Work(pairs * q[3] + pairs * v[3])

    def products(self, xs: tuple[Shape, ...], y: Shape) -> tuple[Shape, ...]:
        q, k, _ = self._split(xs)
        return ((*q[:3], k[2]), y)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("cache")
class Cache(Layer):
    """What is kept of each token for the attention of the tokens to come: its keys, or its values.

    Input: (batch, …, places, channels). past: places kept of the tokens before, which the output
    has before the input's. span: a token sees so many places, itself among them, and no more are
    kept (Beltagy et al. 2020); 0 for all. index: keys that only decide which places are attended
    to (DeepSeek-V3.2, 2025).
    """

    past: int = 0
    span: int = 0
    index: bool = False

    def __post_init__(self) -> None:
        check_size("past", self.past, 0)
        check_size("span", self.span, 0)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) < 3:
            raise LayerError("a cache keeps (batch, places, channels)", values=by_axis(x))
        past = self.past
        if self.span and past >= self.span:
            past = self.span - 1  # the token itself is the last one that it sees
        return x if not past else (*x[:-2], past + x[-2], x[-1])

    def cache_size(self, xs: tuple[Shape, ...], context: int) -> int:
        places = min(context, self.span) if self.span else context
        return product((*xs[0][:-2], xs[0][-1])) * places

    def after(self, context: int) -> Layer:
        return self.replace(past=self.past + context)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None
