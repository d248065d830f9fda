"""nettally: count a neural network, check the count against what was published, explain it.

The public face. Each name is imported when it is first used, so that ``import nettally`` costs
nothing.
"""

from __future__ import annotations

from . import registry

TYPE_CHECKING = False  # as type checkers know it; importing typing would be nearly all the cost
if TYPE_CHECKING:
    from typing import Any

    from .accountings import ACCOUNTINGS as ACCOUNTINGS
    from .accountings.reckoning import reconcile as reconcile
    from .arith import Num as Num
    from .arith import show as show
    from .building.build import build as build
    from .claims.check import Verdict as Verdict
    from .claims.check import check as check
    from .claims.claim import Claim as Claim
    from .claims.printed import Printed as Printed
    from .counting.accounting import Accounting as Accounting
    from .counting.memory.estimate import memory as memory
    from .counting.receptive_field import receptive_fields as receptive_fields
    from .counting.tally import Tally as Tally
    from .counting.tally import tally as tally
    from .diffing import diff as diff
    from .errors import NettallyError as NettallyError
    from .explaining import Explanation as Explanation
    from .explaining import explain as explain
    from .formats import read as read
    from .formats.native import write as write
    from .formats.zoo import zoo as zoo
    from .layers import layer_class as layer_class
    from .network import Network as Network
    from .network import Node as Node
    from .network import verify as verify
    from .rendering.drawing import Figure as Figure
    from .rendering.drawing import draw as draw
    from .rendering.reports.report import report as report
    from .rendering.tables.summary import summary as summary

_HOME = {
    "ACCOUNTINGS": "accountings",
    "Accounting": "counting.accounting",
    "reconcile": "accountings.reckoning",
    "Num": "arith",
    "show": "arith",
    "Claim": "claims.claim",
    "Printed": "claims.printed",
    "Verdict": "claims.check",
    "check": "claims.check",
    "diff": "diffing",
    "NettallyError": "errors",
    "Explanation": "explaining",
    "explain": "explaining",
    "memory": "counting.memory.estimate",
    "receptive_fields": "counting.receptive_field",
    "layer_class": "layers",
    "Network": "network",
    "Node": "network",
    "verify": "network",
    "read": "formats",
    "write": "formats.native",
    "Figure": "rendering.drawing",
    "draw": "rendering.drawing",
    "report": "rendering.reports.report",
    "summary": "rendering.tables.summary",
    "zoo": "formats.zoo",
    "Tally": "counting.tally",
    "tally": "counting.tally",
    "build": "building.build",
}

registry.FILLERS.update(
    {
        "displays": ("nettally.displays",),
        "accountings": ("nettally.accountings",),
        "facts of rows": ("nettally.accountings.row_facts",),
        "settlers of accountings": ("nettally.accountings",),
        "readers of accountings": ("nettally.accountings",),
    }
)

__all__ = list(_HOME)  # pyright: ignore[reportUnsupportedDunderAll] - the same names as in the imports above, which a test compares


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from .versions import version_of

        return version_of("nettally")
    from importlib import import_module

    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'nettally' has no attribute '{name}'")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*_HOME, "__version__"))
