"""How a training is run, apart from what it does: devices, precision, ranks; by Fabric."""

from __future__ import annotations

import os
from typing import Any

from ..errors import NettallyError, closest
from ..record import Record

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")


SHARDED = ("fsdp", "deepspeed", "model_parallel", "xla_fsdp")
"""Strategies in which no process has the whole of a parameter."""

BY_FUNCTION = ("ddp_spawn", "ddp_fork", "ddp_notebook")
"""Strategies that start processes which begin in a function that they are handed."""


class Settings(Record):
    """None of these but ``seed`` and ``weights`` changes what is computed, save by rounding.

    strategy, devices, nodes, accelerator: as Fabric has them; under torchrun, devices and nodes are
    those that it has started. accumulate: parts in which a batch is worked off. save_every: seconds
    between checkpoints. log_every: steps between lines of the log. steps: end after so many, as
    if it had been killed; 0 for never. weights: a file to begin with, .safetensors or .caffemodel,
    in the place of the recipe's initial values.
    """

    seed: int = 0
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    compile: bool = False
    channels_last: bool = True
    accumulate: int = 1
    columns: int = 1
    deterministic: bool = False
    save_every: float = 600.0
    log_every: int = 20
    tensorboard: bool = False
    weights: str = ""
    steps: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise NettallyError(
                f"there is no precision '{self.precision}'",
                hint=closest(self.precision, PRECISIONS),
            )


def fabric_of(settings: Settings) -> Any:
    """Fabric with its processes started. Raises NettallyError where it can't have what is asked."""
    from lightning_fabric import Fabric

    world = int(os.environ.get("WORLD_SIZE", "1"))
    devices, nodes = settings.devices, settings.nodes
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun has started us
        devices = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        nodes = max(1, world // devices)
    several = devices * nodes > 1
    strategy = settings.strategy
    if strategy == "auto" and several:
        strategy = "ddp"
    try:
        if strategy.startswith(SHARDED):
            raise ValueError("each process has a part of each parameter then, a checkpoint all")
        if strategy.startswith(BY_FUNCTION):
            raise ValueError("its processes begin in a function; torchrun or --devices starts ours")
        fabric = Fabric(
            accelerator=settings.accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=strategy,
            precision=settings.precision,  # pyright: ignore[reportArgumentType] - looked at above
        )
    except (ValueError, RuntimeError, TypeError) as error:
        raise NettallyError(
            "this can't be had here",
            values=f"{str(error).partition(chr(10))[0]} (accelerator {settings.accelerator}, "
            f"devices {devices}, strategy {strategy}, precision {settings.precision})",
            hint="--accelerator cpu, or --strategy ddp",
        ) from None
    import logging

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it says which rank it is
    fabric.launch()
    return fabric
