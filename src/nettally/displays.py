"""Which noun is shown by which renderer: text for ``print``, HTML and SVG for notebooks.

The only file that knows both. The public face names it as what fills ``display.DISPLAYS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accountings.reckoning import Reckonings
from .claims.check import Verdict, Verdicts
from .counting.memory.estimate import Memory
from .counting.tally import Tally
from .diffing import Difference
from .display import DISPLAYS, Display
from .explaining import ExplainedClaims, Explanations
from .network import Network
from .rendering.terminal import Terminal

if TYPE_CHECKING:
    from typing import Any

PLAIN = Terminal(80, wide=True)
"""Where ``print(tally)`` goes: no colour, tables as wide as they are."""


# Each renderer is imported when it is first used: a script that prints draws nothing.


def _network_text(network: Network) -> str:
    from .formats.native import write

    return write(network).rstrip()


def _tally_text(tally: Tally) -> str:
    from .rendering.tables.terminal import tally_text

    return tally_text(tally, PLAIN).rstrip()


def _verdict_text(verdict: Verdict) -> str:
    from .rendering.reports.check_report import verdict_line

    return verdict_line(verdict, PLAIN)


def _verdicts_text(verdicts: Verdicts) -> str:
    return "\n".join(map(_verdict_text, verdicts))


def _explanations_text(explanations: Explanations) -> str:
    from .rendering.reports.check_report import explain_report

    counted = explanations.verdict.counted
    name = counted.network.name if counted is not None else "the network"
    return explain_report(name, explanations, PLAIN).rstrip()


def _explained_claims_text(answers: ExplainedClaims) -> str:
    from .rendering.reports.check_report import explain_reports

    return explain_reports(
        answers.name, answers.work, answers.verdicts, answers.by_place, PLAIN
    ).rstrip()


def _explained_claims_svg(answers: ExplainedClaims) -> str | None:
    return _verdicts_svg(answers.verdicts)


def _difference_text(difference: Difference) -> str:
    from .rendering.tables.compare import diff_text

    return diff_text(difference, PLAIN).rstrip()


def _memory_text(memory: Memory) -> str:
    from .rendering.tables.memory import memory_text

    notes = memory.training.tally.network.notes
    more = "memory.training.rows has them"
    return memory_text(memory.training, memory.inference, PLAIN, notes, more=more).rstrip()


def _reckonings_text(reckonings: Reckonings) -> str:
    from .rendering.tables.compare import reconcile_text

    return reconcile_text(reckonings.tally, reckonings, PLAIN).rstrip()


def _reckonings_svg(reckonings: Reckonings) -> str:
    from .rendering.drawing.chart import reconciled

    return reconciled(reckonings.tally, reckonings).svg()


def _html(noun: Any) -> str:
    from .rendering.html.notebook import notebook

    return notebook(noun)


def _svg(noun: Network | Tally) -> str | None:
    from .rendering.drawing import svg_of

    return svg_of(noun)


def _verdicts_svg(verdicts: Verdicts) -> str | None:
    from .rendering.drawing import svg_of

    counted = next((each.counted for each in verdicts if each.counted is not None), None)
    return None if counted is None else svg_of(counted, verdicts)


def _explanations_svg(explanations: Explanations) -> str | None:
    from .rendering.drawing import svg_of

    counted = explanations.verdict.counted
    return None if counted is None else svg_of(counted, (explanations.verdict,))


def _tally_rows(tally: Tally) -> list[dict[str, Any]]:
    from .rendering.tables.csv import flat_rows

    return flat_rows(tally)


DISPLAYS.add(Network, Display(_network_text, _html, _svg))
DISPLAYS.add(Tally, Display(_tally_text, _html, _svg, _tally_rows))
DISPLAYS.add(Verdict, Display(_verdict_text))
DISPLAYS.add(Verdicts, Display(_verdicts_text, _html, _verdicts_svg))
DISPLAYS.add(Explanations, Display(_explanations_text, _html, _explanations_svg))
DISPLAYS.add(ExplainedClaims, Display(_explained_claims_text, _html, _explained_claims_svg))
DISPLAYS.add(Reckonings, Display(_reckonings_text, _html, _reckonings_svg))
DISPLAYS.add(Memory, Display(_memory_text, _html))
DISPLAYS.add(Difference, Display(_difference_text, _html))
