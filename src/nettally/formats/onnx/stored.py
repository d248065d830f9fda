"""The tensors of a file: which of them are learned, and the layers that hold them.

Learned is what stands in the file, once, at its stored size. What is computed of it while the
network runs (a token repeated for each example, a part of a table) is a node that reads it.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from .patterns import (
    CHOICE,
    DISTANCES,
    FREQUENCIES,
    INVERTED_MASK,
    MASK,
    PLAIN,
    WAVES,
    has_infinity,
    is_zeros,
    pattern,
)
from .proto import FLOATS, PACKED
from .state import State
from .values import Value, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .state import NodeReader

_WEIGHTS = FLOATS | PACKED

MAX_ORIGINS = 64
"""How many tensors are looked at that one constant is computed of."""

MAX_STEPS = 64
"""How many nodes are looked at behind one, for what its values are used for."""

CHOOSERS = frozenset(
    ("Softmax", "LogSoftmax", "Hardmax", "Exp", "ArgMax", "TopK", "ReduceMax", "ReduceLogSumExp")
)
"""Operators for which very negative values are none."""

_ANGLES = frozenset(("Sin", "Cos"))

_PASSING = frozenset(
    ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Expand", "Cast", "Identity",
     "Concat", "Slice", "Split", "Gather", "Add", "Sub", "Mul", "Div", "Where", "Max", "Min",
     "Clip", "Dropout")
)  # fmt: skip
"""Operators behind which values are still what they were, moved, scaled or masked."""

_PRODUCTS = frozenset(
    ("MatMul", "Gemm", "FusedMatMul", "MatMulNBits", "MatMulBnb4", "MatMulIntegerToFloat",
     "DynamicQuantizeMatMul", "Einsum")
)  # fmt: skip
"""Operators behind which a value a column is a bias."""

_REPEATING = frozenset(("Expand", "Tile"))

_RAW = frozenset((*_PASSING, "Resize", "Upsample", "Pad", "QuantizeLinear", "DequantizeLinear"))
"""Operators behind which an input's values are still its own."""

_PIXELS = (3, 4)
"""The numbers of channels that pictures have."""


class Stored(State):
    """Knows of each constant whether it is learned, and makes the layers that hold constants."""

    # --- where constants come from ----------------------------------------------------------------

    def derive(self, call: NodeReader, value: Value, data: Sequence[Value]) -> Value:
        """The constant that a node computes of others: a view of one, or made of several parts."""
        op, shape, first = call.node.op, value.shape, data[0] if data else None
        one = first.shape if first is not None and len(data) == 1 else None
        if first is not None and known(shape) and known(one) and prod(shape) == prod(one):
            view = first.view(value.name, shape, value.dtype)
            counted = op.startswith("Cast") and not (first.dtype in FLOATS or first.dtype in PACKED)
            if (counted and value.dtype in FLOATS) or op in _ANGLES:
                view.parts = ()  # whole numbers as real ones, angles: nobody learned them
            return view
        parts = [each for each in data if self.may_be_learned(each)]
        packed = [each for each in parts if each.packed or each.dtype in PACKED]
        value.parts = tuple(packed or parts)  # the factors of packed weights are the packer's
        value.made_by, value.packed = op, bool(packed)
        if op in _REPEATING and first is not None and first.parts is None:
            value.number = first if known(first.shape) and prod(first.shape) == 1 else None
        if value.name in call.node.outputs[:1]:
            value.label = call.name
        return value

    def may_be_learned(self, value: Value) -> bool:
        """Whether there are learned numbers in a constant."""
        if value.node is not None or (value.parts is None and value.dtype not in _WEIGHTS):
            return False
        if value.parts is not None:
            return bool(value.parts) and (not value.dtype or value.dtype in _WEIGHTS)
        return (not known(value.shape) or prod(value.shape) > 1) and self.pattern(value) != CHOICE

    def origins(self, value: Value) -> list[Value]:
        """The tensors of the file that a constant is computed of, a few of them."""
        origins: dict[str, Value] = {}
        waiting, seen = [value], {value}
        while waiting and len(seen) < 8 * MAX_ORIGINS and len(origins) < MAX_ORIGINS:
            each = waiting.pop()
            if each.parts is None:
                origins[each.root] = each.origin or each
            else:
                more = [part for part in each.parts if part not in seen]
                waiting += more
                seen.update(more)
        return list(origins.values())

    def is_learned(self, value: Value, likely: bool) -> bool:
        """Whether a constant is a parameter: as the file says, else as its place makes likely."""
        if self.learned and value.root in self.learned:
            return self.learned[value.root]
        if value.parts is not None:
            return likely and bool(value.parts)
        return likely and value.fill not in (0, 1) and value.root not in self.kept

    def pattern(self, value: Value) -> str:
        """What a constant of the file holds; see ``patterns``."""
        value = value.origin or value
        if value.pattern is None:
            stored = value.node is None and value.parts is None and value.dtype in FLOATS
            large = stored and known(value.shape) and prod(value.shape) > 1
            value.pattern = pattern(self.blob, value) if large else PLAIN
        return value.pattern

    def holds_zeros(self, value: Value) -> bool:
        """Whether a constant is zeros, and computed of nothing else."""
        return all(each.fill == 0 or is_zeros(self.blob, each) for each in self.origins(value))

    def is_suspect(self, value: Value) -> bool:
        """Whether a constant may be no parameter, so that a rule looks at more than its size."""
        return value.parts is not None or value.fill in (0, 1) or self.pattern(value) != PLAIN

    # --- what nobody learned ----------------------------------------------------------------------

    def set_apart(self, call: NodeReader, operation: str, value: Value, x: Value | None) -> bool:
        """Whether a constant is a buffer, by what it holds and how it is used; a note says so.

        operation: what is done with it. x: the computed values that it is combined with.
        """
        if self.recorder is not None:
            self.recorder.by_pattern = True
        if known(value.shape) and prod(value.shape) == 1:
            return False
        if not self.guesses or not (self.is_suspect(value) or (x is not None and x.raw)):
            return False
        if x is not None and operation == "add" and self.is_bias(value, x):
            return False
        apart = bool(value.parts != ())
        for origin in self.origins(value):
            root = origin.root
            if root not in self.kept:
                why = "" if root in self.learned else self.why_apart(call, operation, origin)
                if not why and x is not None and value.parts is None:
                    why = self.normalizes(call, operation, value, x)
                if why:
                    self.kept.add(root)
                    self.note(f"{why}: no parameters, but buffers", root.partition("@")[0])
            apart = apart and root in self.kept
        return apart

    def is_bias(self, value: Value, x: Value) -> bool:
        """Whether a constant is added, a value a column, to a product by a stored weight.

        Whatever it holds, it is the bias that Gemm would add; a mask has rows.
        """
        size, node = value.shape, self.maker(x.name)
        if not known(size) or not size or prod(size) != size[-1] or node is None:
            return False
        factors = [self.values.get(name) for name in node.inputs]
        return node.op in _PRODUCTS and any(each and each.constant for each in factors)

    def why_apart(self, call: NodeReader, operation: str, origin: Value) -> str:
        """Why nobody learned a tensor; nothing where somebody may have."""
        holds = self.pattern(origin)
        if holds == WAVES and operation in ("add", "multiply", "look up"):
            return "sines and cosines of positions"
        if holds == CHOICE and operation in ("multiply", "choose"):
            return "masks of 0 and 1"
        if holds == FREQUENCIES and operation == "multiply":
            return "frequencies of positions" if self.leads_to(call, _ANGLES, every=True) else ""
        if holds == DISTANCES and operation == "add" and self.leads_to(call, CHOOSERS):
            return "distances of positions before a softmax"
        masks = {"add": (MASK,), "subtract": (INVERTED_MASK,), "choose": (MASK, INVERTED_MASK)}
        if holds in masks.get(operation, ()) and (
            has_infinity(self.blob, origin) or self.leads_to(call, CHOOSERS)
        ):
            return "masks before a softmax"
        return ""

    def normalizes(self, call: NodeReader, operation: str, value: Value, x: Value) -> str:
        """Why a constant is a mean or scale of an input's values; nothing where it is none.

        It is where it is combined with an input as it comes: one value for each channel of a
        picture, a whole mean picture, or what is subtracted, then divided by.
        """
        shape, size = x.shape, value.shape
        if not x.raw or not known(shape) or not known(size) or len(size) > len(shape):
            return ""
        axes = [axis - len(size) for axis, each in enumerate(size) if each > 1]
        rank, pixels = len(shape), False
        if rank > 2 and len(axes) == 1 and prod(size) in _PIXELS:
            pixels = axes[0] % rank in ((0,) if rank == 3 else (1, rank - 1))
        whole = rank > 3 and operation == "subtract" and prod(size) == prod(shape[1:])
        if whole and (shape[1] in (1, *_PIXELS) or shape[-1] in (1, *_PIXELS)):
            pixels = True
        if pixels or (x.name in self.centered and operation in ("divide", "multiply")):
            return "means and scales of the input's values"
        readers = self.readers(call.node.outputs[:1]) if operation == "subtract" else ()
        for node in readers:
            others = [self.values.get(name) for name in node.inputs if name != call.node.outputs[0]]
            if node.op in ("Div", "Mul") and any(
                v and v.constant and v.shape == size for v in others
            ):
                self.centered.add(call.node.outputs[0])
                return "means and scales of the input's values"
        return ""

    def leads_to(self, call: NodeReader, operators: frozenset[str], every: bool = False) -> bool:
        """Whether one of these operators reads what a node makes, moved or scaled; or all do."""
        seen: set[str] = set()
        waiting = list(call.node.outputs)
        for name in waiting:
            for node in self.readers([name]):
                if node.op in operators or "Attention" in node.op:
                    seen.add(node.op)
                    if not every or operators <= seen:
                        return True
                elif node.op in _PASSING and len(waiting) < MAX_STEPS:
                    waiting += node.outputs
        return False

    def stays_raw(self, call: NodeReader, data: Iterable[Value]) -> bool:
        """Whether what a node computes is an input's values, moved or normalised."""
        live = [each for each in data if each.node is not None]
        return len(live) == 1 and live[0].raw and call.node.op in _RAW

    # --- layers that hold constants ---------------------------------------------------------------

    def hold(self, value: Value) -> str:
        """A layer that holds a constant, or computes it of those that hold its parts."""
        raise NotImplementedError

    def node_of(self, value: Value) -> str:
        """The name of what makes a value; of a constant, a layer that holds it."""
        if value.node is not None:
            return value.node
        holders, waiting = self.holders, [value]
        while waiting:
            each = waiting[-1]
            missing = [part for part in each.parts or () if part not in holders]
            if missing:
                waiting += reversed(missing)
                continue
            waiting.pop()
            if each not in holders:
                holders[each] = self.hold(each)
        return holders[value]
