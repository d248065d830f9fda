"""PyTorch modules, read by following their forward with stand-ins for tensors.

No weight is read, allocated or changed, and no kernel runs: each call that the forward makes is
answered by our own arithmetic, and leaves a node. It runs on a twin, so the module is not reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ReadError
from ...network import NOTHING
from .run import ForwardError, depends_on_values, read_module, structure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...network import Network

__all__ = ["ForwardError", "read_module", "read_named", "structure"]


def read_named(
    spec: str,
    input_size: Any = None,
    input_data: Any = None,
    *,
    mode: str = "eval",
    dtypes: Any = None,
    options: Mapping[str, str] = NOTHING,
    self_check: bool = False,
) -> Network:
    """The network of ``torchvision:resnet50``, ``file.py:Class(3)``, ``package.module:factory``.

    Without a size, that which its makers give is taken, and it is said. Raises ReadError.
    """
    from .load import load

    def run(weights: bool) -> Network:
        loaded = load(spec, weights=weights)
        notes = list(loaded.notes)
        size = input_size
        if size is None and input_data is None and loaded.size is not None:
            size = loaded.size
            notes.append(f"its makers' input is taken: {'x'.join(map(str, size[1:]))}")
        network = read_module(
            loaded.module,
            size,
            input_data,
            mode={"train": "train", "test": "eval"}.get(options.get("phase", ""), mode),
            dtypes=dtypes or _kinds(options),
            name=loaded.name,
            self_check=self_check,
        )
        return network.replace(notes=(*notes, *network.notes))

    try:
        return run(weights=False)
    except ReadError as error:
        if not depends_on_values(error):
            raise
    return run(weights=True)


def _kinds(options: Mapping[str, str]) -> Any:
    """dtypes by input name, from options such as ``dtype:ids``."""
    import torch

    dtypes: dict[str, Any] = {}
    for name, value in options.items():
        if name.startswith("dtype:"):
            kind = getattr(torch, value, None)
            if not isinstance(kind, torch.dtype):
                raise ReadError(
                    f"torch has no dtype '{value}'", hint="float32, float16, int64, bool"
                )
            dtypes[name[6:]] = kind
    return dtypes or None
