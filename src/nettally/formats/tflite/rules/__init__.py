"""What each of TFLite's operators becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .elementwise import RULES as ELEMENTWISE
from .reshaping import RULES as RESHAPING
from .weights_and_windows import RULES as WEIGHTS_AND_WINDOWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import TfliteBuilder
    from ..model import Operator

RULES: dict[str, Callable[[TfliteBuilder, Operator], None]] = {
    **WEIGHTS_AND_WINDOWS,
    **ELEMENTWISE,
    **RESHAPING,
}
"""A function for each operator that is understood."""
