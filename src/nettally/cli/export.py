"""``nettally export``: a run, or a network with weights, as an ONNX file."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError
from ..rendering.escape import escape
from .network import PLAIN, Reading, read_network
from .output import STDOUT, destination, tell
from .process import TALLIES, UNUSABLE, complain

if TYPE_CHECKING:
    import click

    from ..building.build import Built
    from ..network import Network
    from .options import Run


def run(net: str, **options: Any) -> int:
    """Write the file, and say what is in it; 2 where that can't be, with the whole list of why."""
    try:
        return _export(net, **options)
    except NettallyError as error:
        if "\n" not in error.values:
            raise
        complain(error.what, where=error.where)
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
    reading: Reading = PLAIN,
) -> int:
    from ..counting.tally import tally
    from ..exporting.export import ending_of, export

    ending = ".onnx" if output == STDOUT else ending_of(output)
    notes: tuple[str, ...] = ()
    if os.path.isdir(net):
        if weights or reading.inputs:
            raise NettallyError(
                "a run has its own weights and sizes",
                where=net,
                values="--weights" if weights else "--input",
                hint="name the network, and not the run",
            )
        network, module, of = _of_run(net, which)
    else:
        network, notes = read_network(net, reading)
        module, of = _built(network, weights, seed)
    with destination(output, "a network", ".onnx") as path:
        size = export(network, module, path)
    counted = tally(network)
    lines = [
        f"{escape(os.path.basename(output))}: {escape(network.name)}, {of}, {size:,} bytes",
    ]
    if ending == ".onnx":
        lines += [
            f"{int(counted.parameters):,} parameters, {int(counted.macs):,} multiply-accumulates;",
            f"nettally tally {escape(os.path.basename(output))} counts the same",
        ]
    tell(output, *lines, *map(escape, notes))
    return TALLIES


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


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "export",
        short_help="Write an ONNX file.",
        epilog=o.examples(
            "nettally export runs/alexnet -o alexnet.onnx",
            "nettally export alexnet --weights bvlc.caffemodel -o alexnet.onnx",
            "nettally export runs/alexnet -o weights.safetensors",
        ),
    )
    @click.argument("net", metavar="RUN|NET", type=o.NET)
    @click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(),
        required=True,
        help="Where it goes: .onnx, or .safetensors for the weights alone (- is ONNX on stdout).",
    )
    @click.option(
        "--weights",
        metavar="FILE",
        type=click.Path(),
        help="Weights of a NET, .safetensors or .caffemodel; without them, torch's initial values.",
    )
    @click.option(
        "--seed", type=click.IntRange(0), default=0, help="Of the initial values (usually 0)."
    )
    @o.which_option
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.file_options
    def export_command(net: str, **options: Any) -> Run:
        """Write a run, or any network that is read, as an ONNX file that tallies the same."""
        return o.with_extra("torch", partial(run, net, **o.with_reading(options)))

    return export_command
