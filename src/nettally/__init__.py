"""nettally: count a neural network, check the count against what was published, explain it.

The public face. Each name is imported when it is first used, so that ``import nettally`` costs
nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False  # as type checkers know it; importing typing would be nearly all the cost
if TYPE_CHECKING:
    from typing import Any

    from . import memory as memory
    from .accounting import Accounting as Accounting
    from .arith import Num as Num
    from .arith import show as show
    from .building.build import build as build
    from .claims import Claim as Claim
    from .claims import Printed as Printed
    from .claims import Verdict as Verdict
    from .claims import check as check
    from .diff import diff as diff
    from .errors import NettallyError as NettallyError
    from .explain import Explanation as Explanation
    from .explain import explain as explain
    from .field import receptive_fields as receptive_fields
    from .formats import read as read
    from .formats.native import write as write
    from .formats.zoo import zoo as zoo
    from .layers import layer_class as layer_class
    from .network import Network as Network
    from .network import Node as Node
    from .network import verify as verify
    from .presets import ACCOUNTINGS as ACCOUNTINGS
    from .presets import reconcile as reconcile
    from .rendering.drawing import Figure as Figure
    from .rendering.drawing import draw as draw
    from .rendering.tables.summary import summary as summary
    from .tally import Tally as Tally
    from .tally import tally as tally

_HOME = {
    "ACCOUNTINGS": "presets",
    "Accounting": "accounting",
    "reconcile": "presets",
    "Num": "arith",
    "show": "arith",
    "Claim": "claims",
    "Printed": "claims",
    "Verdict": "claims",
    "check": "claims",
    "diff": "diff",
    "NettallyError": "errors",
    "Explanation": "explain",
    "explain": "explain",
    "receptive_fields": "field",
    "layer_class": "layers",
    "Network": "network",
    "Node": "network",
    "verify": "network",
    "read": "formats",
    "write": "formats.native",
    "Figure": "rendering.drawing",
    "draw": "rendering.drawing",
    "summary": "rendering.tables.summary",
    "zoo": "formats.zoo",
    "Tally": "tally",
    "tally": "tally",
    "build": "building.build",
}

_MODULES = ("memory",)  # their functions are called by the module's name

__all__ = list(_HOME)  # pyright: ignore[reportUnsupportedDunderAll] - the same names as in the imports above, which a test compares


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("nettally")
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{name}", __name__)
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'nettally' has no attribute '{name}'")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


class _Face(ModuleType):
    """The package: a function keeps its name where a module of that name is imported.

    ``nettally.tally`` is the function, as the arrows of the design are, and ``tally.py`` its
    module; importing a module would else put it in the function's place.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in _HOME):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
