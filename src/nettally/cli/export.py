"""``nettally export``: a run, or a network with weights, as an ONNX file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError
from ..rendering.escape import escape
from . import UNUSABLE, _complain, commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..building.build import Built
    from ..network import Network


def run_export(net: str, **options: Any) -> int:
    """Write the file, and say what is in it; 2 where that can't be, with the whole list of why."""
    try:
        return _export(net, **options)
    except NettallyError as error:
        if "\n" not in error.values:
            raise
        _complain(error.what, where=error.where)
        lines = [f"  {escape(line.strip())}" for line in error.values.splitlines()]
        lines += [f"  try: {escape(error.hint)}"] if error.hint else []
        sys.stderr.write("\n".join(lines) + "\n")
        return UNUSABLE


def _export(
    net: str,
    *,
    output: str,
    weights: str | None = None,
    seed: int = 0,
    which: str = "best",
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
) -> int:
    from ..counting.tally import tally
    from ..exporting.export import ending_of, export

    ending = ending_of(output)
    said_of_inputs: tuple[str, ...] = ()
    if os.path.isdir(net):
        if weights or inputs:
            raise NettallyError(
                "a run has its own weights and sizes",
                where=net,
                values="--weights" if weights else "--input",
                hint="name the network, and not the run",
            )
        network, module, of = _of_run(net, which)
    else:
        network, said_of_inputs = commands._network(net, inputs, companion, phase, stages)
        module, of = _built(network, weights, seed)
    size = export(network, module, output)
    counted = tally(network)
    lines = [
        f"{escape(os.path.basename(output))}: {escape(network.name)}, {of}, {size:,} bytes",
    ]
    if ending == ".onnx":
        lines.append(
            f"{int(counted.parameters):,} parameters, {int(counted.macs):,} multiply-accumulates; "
            f"nettally tally {escape(os.path.basename(output))} counts the same"
        )
    commands._print("\n".join([*lines, *map(escape, said_of_inputs)]) + "\n")
    return commands.TALLIES


def _of_run(path: str, which: str) -> tuple[Network, Built, str]:
    from ..training.run import open_run

    run = open_run(path)
    module = run.module(which)
    name = os.path.basename(run.checkpoint(which))
    return run.network, module, f"the run's {escape(name)}"


def _built(network: Network, weights: str | None, seed: int) -> tuple[Built, str]:
    from ..building.weights import load
    from ..exporting.export import begun

    module = begun(network, seed)
    if weights is None:
        return module, "torch's initial values"
    try:
        load(module, weights)
    except NettallyError as error:
        error.hint = "weights of this network, by the names of its layers"
        raise
    return module, f"the weights of {escape(os.path.basename(weights))}"
