"""Memory, in bytes: what a training step keeps, what a forward holds, parameters by dtype.

Estimates, with the rule that they follow (``RULE``): what autograd keeps is torch 2.13's on a
CPU (``rules``), with each storage counted once. docs/memory.md has what was measured beside them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...errors import NettallyError, closest
from ...formats import read
from ...network import Network
from ...record import Record
from ..tally import Tally
from ..tally import tally as count
from .liveness import Alive, alive
from .rules import NO_NAMES
from .saved import Kept, kept
from .storages import Storages, indices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...formats import Sizes
    from ...network import StoredTensor
    from ..tally import Net

WIDTHS = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "complex64": 8, "complex128": 16,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint8": 1, "bool": 1,
}  # fmt: skip
"""Bytes a value, by dtype."""

OPTIMIZERS: dict[str, tuple[int, int]] = {
    "none": (0, 0),
    "sgd": (0, 0),
    "momentum": (1, 0),
    "adagrad": (1, 4),
    "rmsprop": (1, 4),
    "adadelta": (2, 4),
    "adam": (2, 4),
    "adamw": (2, 4),
    "adamax": (2, 4),
    "radam": (2, 4),
    "nadam": (2, 8),
    "amsgrad": (3, 4),
}
"""What torch's optimizers keep: tensors of a parameter's size and dtype, and bytes beside them for
each parameter (counts of steps, in float32). momentum: SGD with it; amsgrad: Adam with it."""

RULE = (
    "an estimate: each storage counted once, views and layers that work in place share one; the "
    "allocator's rounding, fragmentation and the workspace of convolutions are not in it"
)
TRAINING_RULE = "what autograd keeps is torch 2.13's on a CPU, in training"
INFERENCE_RULE = "a value is freed after its last reader; inputs are the caller's, and stay"
HELD_RULE = "as torch runs the module: what goes into a module is held until its call is over"


class Training(Record):
    """What one training step needs, in bytes, after the forward.

    activations: what autograd keeps for the backward pass, inputs and parameters not among it.
    width: bytes a value of the activations. unknown: how many layers' rules are not known, so that
    the activations are at least so many. dtype: of parameters too, "" for each one's own.
    """

    tally: Tally
    activations: int
    width: int
    optimizer_name: str = "none"
    dtype: str = ""
    unknown: int = 0

    rule = f"{TRAINING_RULE}; {RULE}"

    @property
    def inputs(self) -> int:
        """Bytes of the inputs."""
        return input_bytes(self.tally, self.width)

    @property
    def parameters(self) -> int:
        """Bytes of all parameters, shared ones once."""
        return sum(parameters(self.tally, self.dtype).values())

    @property
    def buffers(self) -> int:
        """Bytes of what is kept and not learned, as running statistics."""
        return sum(buffers(self.tally, self.dtype).values())

    @property
    def gradients(self) -> int:
        """Bytes of the gradients: those of the parameters that are trained."""
        return sum(size for size, _ in _trained(self.tally.network, self.tally, self.dtype))

    @property
    def optimizer(self) -> int:
        """Bytes that the optimizer keeps from step to step."""
        times, more = OPTIMIZERS[self.optimizer_name]
        if not times and not more:
            return 0
        return sum(
            times * size + more for size, _ in _trained(self.tally.network, self.tally, self.dtype)
        )

    @property
    def total(self) -> int:
        """All of it together."""
        return (
            self.parameters
            + self.buffers
            + self.gradients
            + self.optimizer
            + self.inputs
            + self.activations
        )

    @property
    def rows(self) -> tuple[Kept, ...]:
        """What each layer adds to what is kept, in order; their sum is ``activations``."""
        rows: list[Kept] = []
        kept(self.tally, self.width, _frozen(self.tally.network), rows)
        return tuple(rows)


class Inference(Record):
    """What a forward without gradients needs, in bytes.

    peak: the activations, inputs among them, alive at the worst moment, which is at the layer
    ``at``; each storage is freed after its last reader. held, held_at: the same as torch runs the
    module, where a call holds what it was given until it is over; equal to peak where the network
    comes from a file. unknown: layers of unknown shapes, so that these are at least so many.
    """

    tally: Tally
    peak: int
    at: str
    held: int
    held_at: str
    width: int
    dtype: str = ""
    unknown: int = 0

    rule = f"{INFERENCE_RULE}; {RULE}"

    @property
    def inputs(self) -> int:
        """Bytes of the inputs."""
        return input_bytes(self.tally, self.width)

    @property
    def parameters(self) -> int:
        """Bytes of all parameters, shared ones once."""
        return sum(parameters(self.tally, self.dtype).values())

    @property
    def buffers(self) -> int:
        """Bytes of what is kept and not learned, as running statistics."""
        return sum(buffers(self.tally, self.dtype).values())

    @property
    def total(self) -> int:
        """Parameters, buffers and the peak."""
        return self.parameters + self.buffers + self.peak

    @property
    def rows(self) -> tuple[Alive, ...]:
        """What is alive at each layer, in order, each storage freed after its last reader."""
        return tuple(alive(self.tally, self.width, calls=False)[0])


def counted_as(mode: str, network: Net, input_size: Sizes | None, input_data: Any) -> Tally:
    """The tally of a network; a module that is read for it is read in the mode ``mode``."""
    if isinstance(network, (Network, Tally)):
        return count(network, input_size=input_size, input_data=input_data)
    return count(read(network, input_size, input_data=input_data, mode=mode))


def training(
    network: Net,
    width: int | None = None,
    *,
    optimizer: str = "none",
    dtype: str = "",
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Training:
    """What a training step of a network needs.

    network, input_size, input_data: as ``tally`` takes them; a module is read in the mode "train",
    which is best for one that was read before, too. width: bytes a value of the activations; by
    default those of ``dtype``, of the module's own parameters, or 4. optimizer: a name from
    ``OPTIMIZERS``. dtype: of parameters and activations, in place of their own. Raises
    NettallyError for names that are not known. Linear in layers.
    """
    tally = counted_as("train", network, input_size, input_data)
    if optimizer not in OPTIMIZERS:
        raise NettallyError(
            f"no optimizer is called '{optimizer}'", hint=closest(optimizer, OPTIMIZERS)
        )
    width = _width(tally.network, width, dtype)
    activations, _, unknown = kept(tally, width, _frozen(tally.network))
    return Training(tally, activations, width, optimizer, dtype, unknown)


def inference(
    network: Net,
    width: int | None = None,
    *,
    dtype: str = "",
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Inference:
    """What a forward without gradients of a network needs.

    network, width, dtype, input_size, input_data: as for ``training``, but that a module is read in
    the mode "eval". Raises NettallyError for a dtype that is none. Linear in layers, times the
    depth of modules.
    """
    tally = counted_as("eval", network, input_size, input_data)
    width = _width(tally.network, width, dtype)
    moments, unknown = alive(tally, width, calls=False)
    inputs = input_bytes(tally, width)
    peak, at = _worst(moments, inputs)
    held, held_at = peak, at
    if tally.network.calls:
        held, held_at = _worst(alive(tally, width, calls=True)[0], inputs)
    return Inference(tally, peak, at, held, held_at, width, dtype, unknown)


def _worst(moments: list[Alive], inputs: int) -> tuple[int, str]:
    if not moments:
        return inputs, ""
    worst = max(moments, key=_bytes_of)
    return worst.bytes, worst.name


def _bytes_of(moment: Alive) -> int:
    return moment.bytes


def strides(tally: Tally) -> Mapping[str, tuple[int, ...]]:
    """Strides, in values, of the nodes' outputs that do not lie row after row in memory.

    As torch lays them on a CPU. Linear in layers.
    """
    storages = Storages(tally, 1)
    kept(tally, 1, NO_NAMES, storages=storages)
    return storages.lies


def input_bytes(tally: Tally, width: int | None = None) -> int:
    """Bytes of the network's inputs; those that a table is read by are whole numbers of eight."""
    inputs = tally.network.inputs
    whole = indices(tally)
    width = _width(tally.network, width, "")
    return sum(
        math.prod(map(int, shape)) * (8 if name in whole else width)
        for name, shape in inputs.items()
    )


def parameters(what: Tally | Network, dtype: str = "") -> dict[str, int]:
    """Bytes of the parameters by dtype, shared ones once. dtype: of all, in place of their own.

    A network that is no module's knows no dtypes: float32 is taken. The network of a file needs
    its tally.
    """
    return _by_dtype(what, dtype, learned=True)


def buffers(what: Tally | Network, dtype: str = "") -> dict[str, int]:
    """Bytes of the buffers by dtype: what is kept and not learned."""
    return _by_dtype(what, dtype, learned=False)


def _by_dtype(what: Tally | Network, dtype: str, *, learned: bool) -> dict[str, int]:
    _known(dtype)
    network = what if isinstance(what, Network) else what.network
    sizes: dict[str, int] = {}
    if network.modules:
        for _, tensor in _stored(network):
            if tensor.learned is learned:
                kind = _dtype_of(tensor, dtype)
                sizes[kind] = sizes.get(kind, 0) + math.prod(tensor.shape) * WIDTHS.get(kind, 4)
        return sizes
    if isinstance(what, Network):
        what = count(what)
    values = 0
    for row in what.rows:
        tensors = (row.parameters if learned else row.buffers) or {}
        for name, shape in tensors.items():
            if name not in row.node.shared:
                values += math.prod(map(int, shape))
    kind = dtype or "float32"
    return {kind: values * WIDTHS[kind]} if values else {}


def _dtype_of(tensor: StoredTensor, dtype: str) -> str:
    """A tensor's dtype; another one is put in its place as module.to(dtype) does, of fractions."""
    return dtype if dtype and tensor.dtype.startswith(("float", "bfloat")) else tensor.dtype


def _stored(network: Network) -> Iterator[tuple[str, StoredTensor]]:
    """Each tensor of the modules once, with its full name."""
    for path, module in network.modules.items():
        for tensor in module.stored:
            if not tensor.same:
                yield f"{path}.{tensor.name}" if path else tensor.name, tensor


def _trained(network: Network, tally: Tally, dtype: str) -> Iterator[tuple[int, str]]:
    """(bytes, name) of each parameter whose gradient is asked for."""
    if network.modules:
        for name, tensor in _stored(network):
            if tensor.learned and tensor.trained:
                width = WIDTHS.get(_dtype_of(tensor, dtype), 4)
                yield math.prod(tensor.shape) * width, name
        return
    width = WIDTHS[dtype or "float32"]
    for row in tally.rows:
        for name, shape in (row.parameters or {}).items():
            if name not in row.node.shared:
                yield math.prod(map(int, shape)) * width, f"{row.node.name}.{name}"


def _frozen(network: Network) -> frozenset[str]:
    """The parameters whose gradient is not asked for, by names as ``kept`` reads them."""
    names: list[str] = []
    owners: list[str] = []
    for path, module in network.modules.items():
        learned = [tensor for tensor in module.stored if tensor.learned]
        if not learned:
            continue
        owners.append(f"{path}/")
        still = [tensor for tensor in learned if not tensor.trained]
        start = path + "." if path else ""
        for tensor in still:
            # a tensor that stands by itself is a node of its name, with a weight
            names += (start + tensor.name, f"{start}{tensor.name}.weight")
            stem, layer, end = tensor.name.partition("_l")
            number, way, _ = end.partition("_reverse")
            if layer and number.isdigit():
                names.append(f"{start}l{number}.{stem}{way}")
                if number == "0":  # the first layer bears the module's name
                    names.append(f"{start}{stem}{way}")
        if len(still) == len(learned):
            # a function's node that bears its module's name, and those without a name of theirs
            names += (f"{path}.weight", f"{path}.bias", f"{path}.")
    return frozenset((*names, *owners)) if names else NO_NAMES


def _width(network: Network, width: int | None, dtype: str) -> int:
    _known(dtype)
    if width is not None:
        return width
    if dtype:
        return WIDTHS[dtype]
    for module in network.modules.values():
        for tensor in module.stored:
            if tensor.dtype.startswith(("float", "bfloat")):
                return WIDTHS.get(tensor.dtype, 4)
    return 4


def _known(dtype: str) -> None:
    if dtype and dtype not in WIDTHS:
        raise NettallyError(f"no dtype is called '{dtype}'", hint=closest(dtype, WIDTHS))
