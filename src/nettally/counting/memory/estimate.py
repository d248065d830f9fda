"""``nettally.memory``: both estimates by one call, and each by a function of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...display import Displayed
from ...record import Record
from ..caches import cache
from . import (
    OPTIMIZERS,
    WIDTHS,
    Inference,
    Training,
    buffers,
    counted_as,
    inference,
    input_bytes,
    parameters,
    strides,
    training,
)

if TYPE_CHECKING:
    from ...formats import Sizes
    from ..tally import Net


class Memory(Displayed, Record):
    """What a training step needs and what a forward needs, in bytes. Printed, a table of both."""

    training: Training
    inference: Inference

    def __repr__(self) -> str:
        name = self.training.tally.network.name
        return (
            f"<Memory of {name}: training {self.training.total:,} bytes, "
            f"inference {self.inference.total:,}>"
        )


class MemoryFunctions:
    """``memory(network)`` estimates what training and inference need, in bytes.

    ``memory.training``, ``memory.inference``, ``memory.parameters``, ``memory.buffers``,
    ``memory.input_bytes``, ``memory.cache`` (what a language model keeps of a context) and
    ``memory.strides`` answer one question each.
    """

    Training = Training
    Inference = Inference
    OPTIMIZERS = OPTIMIZERS
    WIDTHS = WIDTHS
    training = staticmethod(training)
    inference = staticmethod(inference)
    parameters = staticmethod(parameters)
    buffers = staticmethod(buffers)
    input_bytes = staticmethod(input_bytes)
    cache = staticmethod(cache)
    strides = staticmethod(strides)

    def __call__(
        self,
        network: Net,
        *,
        dtype: str = "",
        optimizer: str = "none",
        input_size: Sizes | None = None,
        input_data: Any = None,
    ) -> Memory:
        """Both estimates. A module is followed twice, as it trains and as it is used.

        network, input_size, input_data: as ``tally`` takes them. dtype, optimizer: see
        ``memory.training``. Raises what ``tally`` raises, and NettallyError for names that are not
        known.
        """
        sizes = (input_size, input_data)
        return Memory(
            training(counted_as("train", network, *sizes), optimizer=optimizer, dtype=dtype),
            inference(counted_as("eval", network, *sizes), dtype=dtype),
        )

    def __repr__(self) -> str:
        return "<function nettally.memory, with training, inference, parameters and buffers>"


memory = MemoryFunctions()
