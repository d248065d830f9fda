"""What each of TFLite's operators becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .reshaping import RULES as MOVES
from .values import RULES as VALUES
from .weights_and_windows import RULES as CONV

if TYPE_CHECKING:
    from collections.abc import Callable

    from .builder import Builder
    from .model import Operator

RULES: dict[str, Callable[[Builder, Operator], None]] = {**CONV, **VALUES, **MOVES}
"""A function for each operator that is understood."""
