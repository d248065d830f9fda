"""``nettally memory``: what training and inference need, as a table."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from ..formats import names_code
from .network import PLAIN, Reading, read_network
from .output import here, show
from .process import TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run


def run(
    net: str,
    *,
    dtype: str = "",
    optimizer: str = "none",
    every: bool = False,
    context: int | None = None,
    reading: Reading = PLAIN,
) -> int:
    """Print the estimates. A module is followed twice, as it trains and as it is used.

    context: of how many tokens keys and values are kept, and their bytes are printed.
    """
    from ..counting.caches import cache
    from ..counting.memory import inference, training
    from ..rendering.tables.memory import cache_line, memory_text

    network, notes = read_network(net, reading)
    counted = tally(network)
    trained = counted
    if names_code(net) and reading.phase is None:
        trained = tally(read_network(net, reading._replace(phase="train"))[0])
    if context is not None:
        notes = (*notes, cache_line(cache(counted, context), dtype))
    text = memory_text(
        training(trained, optimizer=optimizer, dtype=dtype),
        inference(counted, dtype=dtype),
        here(),
        (*notes, *network.notes),
        every=every,
    )
    show(text)
    return TALLIES


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "memory",
        short_help="What training and inference need, in bytes.",
        epilog=o.examples(
            "nettally memory alexnet",
            "nettally memory resnet-50 --input 32x3x224x224 --optimizer adamw",
            "nettally memory torchvision:vit_b_16 --dtype bfloat16",
            "nettally memory config.json --input 8x1 --cache 4096",
        ),
    )
    @click.argument("net", type=o.NET)
    @click.option("--dtype", metavar="NAME", default="", help="float32, float16, bfloat16, ...")
    @click.option(
        "--optimizer", metavar="NAME", default="none", help="none, sgd, momentum, adam, adamw, ..."
    )
    @click.option(
        "--cache",
        "context",
        type=click.IntRange(0),
        metavar="N",
        help="Keys and values that a language model keeps of N tokens.",
    )
    @click.option("--all", "every", is_flag=True, help="Every layer, in their order.")
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.file_options
    def memory_command(net: str, **options: Any) -> Run:
        """Estimate memory: what autograd keeps, the peak of a forward, parameters and optimizer.

        The batch is the first size of --input 32x3x224x224.
        """
        return partial(run, net, **o.with_reading(options))

    return memory_command
