"""JSON for other programs, by the schemas that ``nettally schema`` prints.

Each answer names its schema (``nettally/check/1``); the number rises when a field changes its
meaning or goes, and not when one is added. Names stand as they are, escaped as JSON has it and
not otherwise, so that a program finds them. What is not known is null, and never zero.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...arith import Num, plain
from ...claims.comparison import in_form_of
from ...counting.certainty import certainty, knows
from ...counting.quantities import LISTED, SUMS
from ...counting.values import Flag
from ..layer_line import described
from .compare import is_sure, remarks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...accountings.reckoning import Reckoning
    from ...claims.check import Verdict
    from ...claims.claim import Claim
    from ...claims.printed import Printed
    from ...counting.accounting import Accounting
    from ...counting.rows import Row
    from ...counting.tally import Tally
    from ...diffing import Difference, Pair
    from ...explaining import Explanation, Explanations
    from ...network import Shape, Span

VERSIONS = {"tally": 1, "check": 1, "explain": 1, "reconcile": 1, "diff": 1, "network": 1}
"""The schemas that there are, and the version of each. ``network`` is that of our own file."""


def schema_name(of: str) -> str:
    """``nettally/tally/1``."""
    return f"nettally/{of}/{VERSIONS[of]}"


def schema(of: str) -> str:
    """The JSON Schema of a command's JSON, as text. Raises NettallyError for another name."""
    from importlib.resources import files

    if of not in VERSIONS:
        from ...errors import NettallyError, closest

        raise NettallyError(f"there is no schema of '{of}'", hint=closest(of, VERSIONS))
    return (
        files("nettally.rendering.tables")
        .joinpath("schema", f"{of}.schema.json")
        .read_text("utf-8")
    )


def tally_json(tally: Tally, notes: Sequence[str] = ()) -> str:
    """All there is: shapes whole, batch first. One layer a line.

    ``complete`` is false where a total is only "at least"; the parameters are exact where
    ``parameters_complete`` is true, and a total of which nothing is known is null.
    """
    network = tally.network
    data = {
        "schema": schema_name("tally"),
        "network": network.name,
        "title": network.title,
        "source": str(network.source) if network.source else None,
        "accounting": _accounting(tally.accounting),
        "inputs": {name: _shape(shape) for name, shape in network.inputs.items()},
        "outputs": list(network.outputs),
        "totals": _totals(tally),
        "notes": [*network.notes, *notes],
    }
    return _written(data, "layers", [_row(tally, row) for row in tally.rows])


def check_json(
    name: str,
    work: str,
    verdicts: Sequence[Verdict],
    explained: Mapping[int, Explanations] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Every verdict with its claim; explained: the likeliest explanations, by place."""
    derived = [verdict for verdict in verdicts if verdict.is_derived]
    invalid = sum(verdict.status == "invalid" for verdict in verdicts)
    differ = sum(verdict.status == "differs" for verdict in derived)
    data = {
        "schema": schema_name("check"),
        "network": name,
        "work": work,
        "counts": {
            "claims": len(verdicts),
            "tally": len(derived) - differ,
            "differ": differ,
            "not_derivable": len(verdicts) - len(derived) - invalid,
            "invalid": invalid,
        },
        "notes": list(notes),
    }
    listed: list[dict[str, Any]] = []
    for place, verdict in enumerate(verdicts):
        explanations = (explained or {}).get(place)
        listed.append(
            {
                **_verdict(verdict),
                "explanations": [_explanation(each) for each in explanations.found]
                if explanations
                else [],
                "proofs": list(explanations.proofs) if explanations else [],
            }
        )
    return _written(data, "verdicts", listed)


def explain_json(name: str, explanations: Explanations, notes: Sequence[str] = ()) -> str:
    """The verdict, and each hypothesis, the least surprising first."""
    data = {
        "schema": schema_name("explain"),
        "network": name,
        "verdict": _verdict(explanations.verdict),
        "explained": explanations.explained,
        "proofs": list(explanations.proofs),
        "tried": list(explanations.tried),
        "notes": list(notes),
    }
    return _written(data, "explanations", [_explanation(each) for each in explanations.found])


def reconcile_json(tally: Tally, reckonings: Sequence[Reckoning], notes: Sequence[str] = ()) -> str:
    """One network under each accounting: totals, and the terms that the operations are made of."""
    data = {
        "schema": schema_name("reconcile"),
        "network": tally.network.name,
        "complete": tally.complete,
        "notes": list(notes),
    }
    unsure = certainty(tally, "operations") == "unknown"
    listed = [
        {
            "accounting": _accounting(each.accounting),
            "parameters": plain(each.parameters),
            "operations": None
            if unsure or not each.accounting.counts_operations
            else plain(each.operations),
            "terms": {name: plain(n) for name, n in each.terms.items()},
            "complete": each.complete,
            "remarks": remarks(tally, each),
            **_printed(each.accounting.printed() or each),
        }
        for each in reckonings
    ]
    return _written(data, "reckonings", listed)


def _printed(each: Any) -> dict[str, Any]:
    """Of a tool that was worked out from a module's calls: the rest of what it prints, and why."""
    if not hasattr(each, "why"):
        return {}
    return {
        "tool": {
            "version": each.version,
            "trainable_parameters": each.trainable,
            "parameter_terms": {name: plain(n) for name, n in each.parameter_terms.items()},
            "others": {name: plain(n) for name, n in each.others.items()},
            "why": each.why,
        }
    }


def diff_json(difference: Difference, notes: Sequence[str] = ()) -> str:
    """Every layer of both networks, paired; what differs, and what that costs in the second."""
    a, b = difference.a, difference.b
    data = {
        "schema": schema_name("diff"),
        "a": a.network.name,
        "b": b.network.name,
        "same": difference.same,
        "accounting": _accounting(a.accounting),
        "inputs": {
            name: [_shape(before), _shape(after)]
            for name, (before, after) in difference.inputs.items()
        },
        "totals": {"a": _totals(a), "b": _totals(b)},
        "notes": list(notes),
    }
    return _written(data, "layers", [_pair(difference, pair) for pair in difference.pairs])


def _written(data: Mapping[str, Any], name: str, listed: Sequence[Any]) -> str:
    """A line for each entry and each item: it can be read, searched and compared line by line."""
    import json

    def line(value: Any) -> str:
        return json.dumps(value, allow_nan=False)

    head = [f" {line(key)}: {line(value)}" for key, value in data.items()]
    items = ",\n".join([f"  {line(each)}" for each in listed])
    body = ",\n".join([*head, f" {line(name)}: [\n{items}\n ]" if items else f" {line(name)}: []"])
    return "{\n" + body + "\n}\n"


def _accounting(accounting: Accounting) -> dict[str, Any]:
    return {
        "name": accounting.name,
        "title": accounting.title,
        "source": accounting.source,
        "unit": accounting.unit,
    }


def _totals(tally: Tally) -> dict[str, Any]:
    return {
        **{
            name: None
            if certainty(tally, name) == "unknown"
            else sum(plain(SUMS[name](tally, row)) for row in tally)
            for name in LISTED
        },
        "complete": tally.complete,
        "parameters_complete": tally.parameters_complete,
        "operations_complete": tally.operations_complete,
        "unknown": [row.node.name for row in tally.unknown],
    }


def _shape(shape: Shape | None) -> list[int] | None:
    return None if shape is None else [int(n) for n in shape]


def _row(tally: Tally, row: Row) -> dict[str, Any]:
    node = row.node
    parameters = row.parameters
    return {
        "name": node.name,
        "kind": node.layer.kind,
        "layer": described(node),
        "module": node.module,
        "from": list(node.inputs),
        "source": str(node.source) if node.source else None,
        "inputs": [_shape(shape) for shape in row.inputs],
        "output": _shape(row.shape),
        "tensors": None
        if parameters is None
        else {name: _shape(shape) for name, shape in parameters.items()},
        "shared": dict(node.shared),
        **{
            name: plain(SUMS[name](tally, row)) if knows(tally, name, row) else None
            for name in LISTED
        },
    }


def _value(value: Any) -> Any:
    """A value as JSON has it: a number, a list for a shape, a word."""
    if isinstance(value, Num):
        return plain(value)
    if isinstance(value, tuple):
        return [_value(each) for each in value]
    if isinstance(value, Flag):
        return value.is_set
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _claim(claim: Claim) -> dict[str, Any]:
    printed = claim.printed
    return {
        "text": claim.text,
        "subject": claim.subject,
        "relation": claim.relation,
        "every": claim.every,
        "printed": None
        if claim.error is not None
        else {
            "text": printed.text,
            **_interval(printed),
            "shape": None if printed.shape is None else list(printed.shape),
            "why": printed.why,
        },
        "quote": claim.quote,
        "place": claim.place,
        "work": claim.work,
        "note": claim.note,
        "measured": claim.measured,
        "accounting": claim.accounting,
        "input": _shape(claim.input),
        "source": _place(claim.source) if claim.source else None,
    }


def _interval(printed: Printed) -> dict[str, Any]:
    """What the figure stands for; null of words and of paddings before and after."""
    numeric = printed.pairs is None and not printed.word
    return {name: getattr(printed, name) if numeric else None for name in ("value", "low", "high")}


def _ours(verdict: Verdict) -> Any:
    return None if verdict.ours is None else _value(in_form_of(verdict.claim.printed, verdict.ours))


def _place(source: Span) -> str:
    """``file:line``; a file of the zoo by its place there and not on this machine."""
    from ...formats.zoo import ROOT

    if not source.file.startswith(ROOT + os.sep):
        return str(source)
    inside = source.file[len(ROOT) + 1 :].replace(os.sep, "/")
    return str(source._replace(file=f"zoo/{inside}"))


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "claim": _claim(verdict.claim),
        "ours": _ours(verdict),
        "status": verdict.status,
        "tallies": verdict.tallies,
        "detail": verdict.detail,
        "working": verdict.working,
    }


def _explanation(explanation: Explanation) -> dict[str, Any]:
    return {
        "text": explanation.text,
        "edits": [
            {"kind": edit.kind, "text": edit.text, "bits": edit.bits} for edit in explanation.edits
        ],
        "gives": _value(explanation.ours),
        "status": explanation.status,
        "bits": explanation.bits,
        "score": explanation.score,
        "chance": explanation.chance,
        "weak": explanation.weak,
        "supports": list(explanation.supports),
        "fixes": [claim.text for claim in explanation.fixes],
        "breaks": [claim.text for claim in explanation.breaks],
        "effects": list(explanation.effects),
        "similar": list(explanation.similar),
    }


def _pair(difference: Difference, pair: Pair) -> dict[str, Any]:
    return {
        "status": pair.status,
        "a": None if pair.a is None else pair.a.node.name,
        "b": None if pair.b is None else pair.b.node.name,
        "changes": {
            name: [_value(before), _value(after)] for name, (before, after) in pair.changes.items()
        },
        **{
            name: n if is_sure(difference, pair, name) else None
            for name, n in (
                ("parameters", pair.parameters),
                ("operations", pair.operations),
                ("neurons", pair.neurons),
            )
        },
    }
