"""What each command does: read, count, print; its result is the exit code.

Nothing here imports click, so that a quick question need not wait for it.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ..counting.rows import AXES
from ..counting.tally import tally
from ..errors import NettallyError
from ..formats import read
from ..rendering.terminal import Terminal, printable, terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..claims.claim import Claim, Verdict
    from ..counting.accounting import Accounting
    from ..counting.tally import Tally
    from ..explaining import Explanations
    from ..network import Network, Shape

TALLIES, DIFFERS = 0, 1

VERBOSE: ContextVar[bool] = ContextVar("verbose", default=False)
SELF_CHECK: ContextVar[bool] = ContextVar("self_check", default=False)
"""What was asked of every command alike."""

MOST_EXPLAINED = 3
"""How many differing claims ``check`` explains by itself; the others it names."""


def count(
    net: str,
    *,
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
    accounting: str | None = None,
    columns: str | None = None,
    depth: int | None = None,
    working: str | None = None,
    form: str = "table",
) -> int:
    """``nettally tally NET``."""
    convention = _accounting(accounting)
    network, said = _network(net, inputs, companion, phase, stages)
    if working is not None:
        from ..rendering.reports.working import working as render_working

        _print(render_working(network, working, convention, _here()))
        return TALLIES
    counted = tally(network, convention)
    printed = counted.accounting.printed()
    if printed is not None and printed.why:
        said = (*said, f"as {convention.name} {printed.version} prints it: {printed.why}")
    if form == "table":
        from ..rendering.tables.terminal import tally_table

        _print(tally_table(counted, _here(), columns, depth, said))
        return TALLIES
    from ..rendering import output

    _write(output.tally(form, counted, columns, depth, said))
    return TALLIES


def reconcile(
    net: str,
    *,
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
    form: str = "table",
) -> int:
    """``nettally reconcile NET``."""
    from ..accountings.presets import reconcile as reckon

    network, said = _network(net, inputs, companion, phase, stages)
    counted = tally(network)
    if form == "table":
        from ..rendering.tables.compare import reconcile_table

        _print(reconcile_table(counted, reckon(counted), _here(), said))
        return TALLIES
    from ..rendering import output

    _write(output.reconcile(form, counted, reckon(counted), said))
    return TALLIES


def check(
    net: str,
    *,
    claims: str | None = None,
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
    every: bool = False,
    form: str = "table",
) -> int:
    """``nettally check NET``: 1 where a claim differs."""
    from ..claims import claim as claiming

    network, said = _network(net, inputs, companion, phase, stages)
    path = claims or _own_claims(net)
    if path is None:
        raise NettallyError(
            f"no claims about {net} come with nettally",
            hint="give a file of claims with --claims FILE",
        )
    made = claiming.load(path)
    counted = tally(network)
    verdicts = claiming.check(counted, made)
    explained = _explained(counted, verdicts)
    if form == "table":
        from ..rendering.reports.check_report import check_report

        _print(check_report(net, made.work, verdicts, _here(), explained, every=every, notes=said))
    else:
        from ..rendering import output

        _write(output.check(form, net, made.work, verdicts, explained, said))
    return DIFFERS if any(verdict.status == "differs" for verdict in verdicts) else TALLIES


def _explained(counted: Tally, verdicts: Sequence[Verdict]) -> Mapping[int, Explanations]:
    """The likeliest explanation of the first few claims that differ and can have one.

    Of single edits only, since this is to answer at once; ``explain`` tries pairs too.
    """
    asked = [
        (place, verdict)
        for place, verdict in enumerate(verdicts)
        if verdict.status == "differs"
        and verdict.claim.relation == "="
        and verdict.claim.reference is not None
    ]
    if not asked:
        return {}
    from ..explaining import explain as search

    return {
        place: search(counted, verdict.claim, verdicts, most=1, pairs=0)
        for place, verdict in asked[:MOST_EXPLAINED]
    }


def explain(
    net: str,
    claim: str,
    *,
    claims: str | None = None,
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
    most: int = 5,
    form: str = "table",
) -> int:
    """``nettally explain NET CLAIM``: 1 where the claim differs, explained or not."""
    from ..explaining import explain as search

    network, said = _network(net, inputs, companion, phase, stages)
    path = claims or _own_claims(net)
    others: tuple[Claim, ...] = ()
    if path is not None:
        from ..claims.claim import load

        others = load(path).claims
    # a claim that stands in the file is meant with all that the file says of it: its accounting,
    # its input
    asked = next((each for each in others if each.text == claim.strip()), claim)
    found = search(tally(network), asked, others, most=most)
    if form == "table":
        from ..rendering.reports.check_report import explain_report

        _print(explain_report(net, found, _here(), said))
    else:
        from ..rendering import output

        _write(output.explain(form, net, found, said))
    return DIFFERS if found.verdict.status == "differs" else TALLIES


def diff(
    a: str,
    b: str,
    *,
    inputs: Sequence[str] = (),
    phase: str | None = None,
    stages: Sequence[str] = (),
    accounting: str | None = None,
    form: str = "table",
) -> int:
    """``nettally diff A B``: 1 where they differ."""
    from ..diffing import diff as compare

    convention = _accounting(accounting)
    one, said = _network(a, inputs, None, phase, stages)
    two, _ = _network(b, inputs, None, phase, stages)
    difference = compare(one, two, convention)
    if form == "table":
        from ..rendering.tables.compare import diff_table

        _print(diff_table(difference, _here(), said))
    else:
        from ..rendering import output

        _write(output.diff(form, difference, said))
    return TALLIES if difference.same else DIFFERS


def formats() -> int:
    """``nettally formats``."""
    from ..formats import formats as listed
    from ..rendering.tables.compare import formats_table

    _print(formats_table(listed(), _here()))
    return TALLIES


def schema(of: str) -> int:
    """``nettally schema NAME``."""
    from ..rendering.tables.json import schema as text

    _write(text(of))
    return TALLIES


def zoo() -> int:
    """``nettally zoo``."""
    from ..formats.zoo import zoo as entries
    from ..rendering.tables.compare import zoo_table

    listed = [(entry.name, entry.title, tally(read(entry.name))) for entry in entries()]
    _print(zoo_table(listed, _here()))
    return TALLIES


def _print(text: str) -> None:
    sys.stdout.write(printable(text, _here()))


def _write(text: str) -> None:
    """A document, in UTF-8 whatever the terminal's encoding: a page and a schema say they are."""
    if (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8"):
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8")
    sys.stdout.write(text)


def _here() -> Terminal:
    return terminal(sys.stdout)


def _is_zoo_name(net: str) -> bool:
    return os.sep not in net and ":" not in net and not os.path.exists(net)


def _own_claims(net: str) -> str | None:
    """The claims that come with a network of the zoo."""
    if not _is_zoo_name(net):
        return None
    from ..formats.zoo import claims_path

    return claims_path(net)


def _accounting(name: str | None) -> Accounting:
    if name is None:
        from ..counting.accounting import NETTALLY

        return NETTALLY
    from ..counting.accounting import accounting

    return accounting(name)


def _network(
    net: str,
    inputs: Sequence[str],
    companion: str | None,
    phase: str | None,
    stages: Sequence[str],
) -> tuple[Network, tuple[str, ...]]:
    """The network, and how the sizes that the user gave were read."""
    options: dict[str, str] = {}
    if phase:
        options["phase"] = phase
    if stages:
        options["stage"] = ",".join(stages)
    plain: list[str] = []
    for text in inputs:
        size, colon, kind = text.partition(":")
        plain.append(size)
        if colon:
            options[f"dtype:{size.rpartition('=')[0]}"] = kind
    given = dict(map(parse_input, plain))
    if len(given) < len(inputs):
        raise NettallyError("one input is given two sizes", values=", ".join(inputs))
    network = read(
        net,
        given or None,
        companion=companion,
        options=options,
        self_check=SELF_CHECK.get(),
    )
    said: list[str] = []
    for name, sizes in given.items():
        of = name if name in network.inputs else next(iter(network.inputs), "")
        shape = network.inputs.get(of, sizes)
        said.append(f"input {of}: {'x'.join(map(str, sizes))} is read as {_spelled(shape)}")
    if VERBOSE.get():
        said.extend(network.details)
    return network, tuple(said)


def _spelled(shape: Shape) -> str:
    names = AXES.get(len(shape)) or tuple(f"axis {i}" for i in range(1, len(shape)))
    sizes = (f"{name} {size:,}" for name, size in zip(names, shape[1:], strict=True))
    return ", ".join([*sizes, f"a batch of {shape[0]:,}"])


def parse_input(text: str) -> tuple[str, Shape]:
    """``3x224x224`` or ``name=3x224x224``, with the batch before it or without.

    The name is "" where none is given. Raises NettallyError for what is no size.
    """
    name, equals, sizes = text.rpartition("=")
    parts = sizes.replace("×", "x").lower().split("x")
    if (equals and not name) or not all(
        part.isascii() and part.isdigit() and len(part) < 40 for part in parts
    ):
        raise NettallyError(
            "this is no size of an input",
            values=text[:80],
            hint="channels, height, width: --input 3x224x224, or --input name=3x224x224",
        )
    return name, tuple(int(part) for part in parts)
