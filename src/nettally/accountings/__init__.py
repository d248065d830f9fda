"""Accountings: whose convention a count follows, as sourced data, and what tools print for modules.

One file a tool or source: what it counts for each kind of layer, what it leaves out on purpose,
and, where it looks at the calls of a module, its rules for calls. A file is imported when its
accounting is first asked for. docs/adding-an-accounting.md adds one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..counting.accounting import (
    EVERYTHING_ELSE,
    LOADERS,
    REGISTRY,
    SETTLERS,
    Accounting,
    accounting,
    register,
)

__all__ = ["ACCOUNTINGS", "EVERYTHING_ELSE", "Accounting", "accounting", "load", "register"]

_FILES = {
    "conv+linear": "conv_linear",
    "torchinfo": "torchinfo",
    "fvcore": "fvcore",
    "thop": "thop",
    "thop-2019": "thop_2019",
    "ptflops": "ptflops",
    "ptflops-aten": "ptflops",
    "torch": "torch",
    "calflops": "calflops",
    "keras": "keras",
    "darknet": "darknet",
    "darknet-bflops": "darknet",
    "imgclsmob": "imgclsmob",
    "convnet-burden": "convnet_burden",
    "mmcv": "mmcv",
    "openvino": "openvino",
    "openvino-v10": "openvino",
}

REGISTRY.homes.update(
    {
        "nettally": "nettally.counting.accounting",
        **{name: f"{__name__}.{module}" for name, module in _FILES.items()},
    }
)
SETTLERS.homes["fold_batch_norm"] = f"{__name__}.folding"


class Accountings(Mapping[str, Accounting]):
    """All accountings by name, users' own among them; each is imported when it is asked for."""

    def __getitem__(self, name: str) -> Accounting:
        known = REGISTRY.find(name)
        if known is None:
            raise KeyError(name)
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(REGISTRY)

    def __len__(self) -> int:
        return len(list(REGISTRY))

    def __repr__(self) -> str:
        return f"<accountings {', '.join(self)}>"


ACCOUNTINGS = Accountings()
"""The accountings by name, in the order in which tables list them."""


def load(path: str) -> Accounting:
    """An accounting of one's own from a YAML or JSON file; it is not registered.

    Raises ReadError and AccountingError with ``file:line``.
    """
    from .file import read_accounting

    return read_accounting(path)


LOADERS.add("file", load)
