"""What each of TFLite's operators becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._tflite_conv import RULES as CONV
from ._tflite_moves import RULES as MOVES
from ._tflite_values import RULES as VALUES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._tflite_build import Builder
    from ._tflite_model import Operator

RULES: dict[str, Callable[[Builder, Operator], None]] = {**CONV, **VALUES, **MOVES}
"""A function for each operator that is understood."""
