"""What each of ONNX's operators puts into the network, and what it makes of values."""

from __future__ import annotations

from ..builder import Rules
from . import (
    attention,
    backwards,
    binary,
    control_flow,
    convolution,
    extensions,
    indexing,
    linear,
    math,
    normalization,
    packed,
    pooling,
    procedures,
    recurrent,
    reduction,
    reshaping,
    resizing,
    scan,
    sequence,
    signals,
    slicing,
)

FAMILIES = (
    convolution,
    pooling,
    linear,
    packed,
    normalization,
    math,
    binary,
    reshaping,
    slicing,
    resizing,
    indexing,
    reduction,
    attention,
    recurrent,
    sequence,
    procedures,
    signals,
    extensions,
    control_flow,
    scan,
)
"""The modules with rules; each has a table ``RULES`` of them by operator."""

RULES = Rules(
    {operator: rule for family in FAMILIES for operator, rule in family.RULES.items()},
    control_flow.function,
    backwards.BACKWARDS,
)
