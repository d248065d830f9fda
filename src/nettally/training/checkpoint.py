"""Checkpoints: one safetensors file each, there whole or not at all.

It is written beside its place, flushed to the disk and moved, so that a kill at any moment leaves
the last one. Nothing in it is executed when it is read: tensors, and facts as JSON in its header.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ..building.safetensors import metadata_of, of_safetensors, save
from ..errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from ..building.stored import Tensors

VERSION = 1
FACTS = "nettally_checkpoint"


class Checkpoint(NamedTuple):
    """What was saved. tensors: their values are fetched when they are asked for.

    facts: where the run stood (``epoch``, ``step``), for which network, and what the loop keeps.
    """

    path: str
    tensors: Tensors
    facts: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, without it: ``part("model.")``."""
        return {
            name[len(prefix) :]: stored.fetch()
            for name, stored in self.tensors.items()
            if name.startswith(prefix)
        }


def write_checkpoint(path: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write it, and wait until it is on the disk. Raises ReadError where it can't be."""
    text = json.dumps({"version": VERSION, **facts}, sort_keys=True)
    save(tensors, path, metadata={FACTS: text})
    flush_folder(os.path.dirname(path) or ".")


def keep(path: str, other: str) -> None:
    """Give a file a second name, in the place of what has that name; nothing without the file."""
    beside = f"{other}.{os.getpid()}.part"
    try:
        os.link(path, beside)
        os.replace(beside, other)
    except FileNotFoundError:
        pass
    except OSError:  # a file system without second names: then there is one checkpoint
        if os.path.exists(beside):
            os.unlink(beside)


def flush_folder(folder: str) -> None:
    """Wait until the folder's own entries are on the disk; not everywhere can one."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(opened)
    except OSError:
        pass
    finally:
        os.close(opened)


def read_checkpoint(path: str, network: str = "") -> Checkpoint:
    """A checkpoint. network: the digest of the network that it has to be of.

    Raises ReadError where it was cut short, is no checkpoint of ours, or is of another network.
    """
    tensors = of_safetensors(path)
    try:
        facts = json.loads(metadata_of(path).get(FACTS, ""))
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or facts.get("version") != VERSION:
        raise ReadError(
            "this is no checkpoint of nettally's",
            where=path,
            hint="weights alone are loaded by nettally.building.weights.load",
        )
    if network and facts.get("network") != network:
        raise ReadError(
            "the checkpoint is of another network",
            where=path,
            values=f"it is of {str(facts.get('name'))[:60]!r}, {str(facts.get('network'))[:12]}, "
            f"and the run's network is {network[:12]}",
            hint="its run's own network.yaml, unchanged, fits it",
        )
    return Checkpoint(path, tensors, facts)
