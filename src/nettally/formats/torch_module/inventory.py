"""What is in a module, used or not: its modules, the tensors that they store, their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ...errors import ReadError
from ...network import NOTHING, Module, StoredTensor
from .shadow import note, shadow

if TYPE_CHECKING:
    from .trace import Trace

_CELL = ("input_size", "hidden_size", "bias")
_RECURRENT = (*_CELL, "num_layers", "batch_first", "bidirectional", "proj_size")
OPTIONS: dict[type, tuple[str, ...]] = {
    **dict.fromkeys((nn.RNN, nn.LSTM, nn.GRU), _RECURRENT),
    **dict.fromkeys((nn.RNNCell, nn.LSTMCell, nn.GRUCell), _CELL),
    nn.MultiheadAttention: ("embed_dim", "num_heads", "batch_first", "add_zero_attn"),
    nn.TransformerEncoderLayer: ("activation_relu_or_gelu",),
    nn.Softmax: ("dim",),
    **dict.fromkeys((nn.Upsample, nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d), ("mode",)),
}
"""Settings that tools count by and no layer states."""


def modules_of(trace: Trace) -> dict[str, Module]:
    """Every module with what it stores itself; a tensor's first name is its own."""
    modules: dict[str, Module] = {}
    for path, module in trace.modules.items():
        kind = type(module)
        also = tuple(trace.also[path]) if path in trace.also else ()
        names = OPTIONS.get(kind)
        options = {name: getattr(module, name) for name in names} if names else NOTHING
        modules[path] = Module(
            kind.__name__,
            trace.stored.get(path, ()),
            not module.__dict__["_modules"],
            kind.__module__,
            also,
            options,
        )
    return modules


_new = tuple.__new__  # a third of the time of StoredTensor(...)


def stored_tensors(trace: Trace, module: nn.Module, path: str) -> tuple[StoredTensor, ...]:
    """A module's parameters, then its buffers; the trace learns their names.

    Raises ReadError for a lazy module, whose tensors have no sizes yet.
    """
    state, start = module.__dict__, path + "." if path else ""
    stored: list[StoredTensor] = []
    tensors = trace.tensors
    try:
        for table, names, learned in (
            (state["_parameters"], trace.parameter_names, True),
            (state["_buffers"], trace.buffer_names, False),
        ):
            if not table:
                continue
            for name, tensor in list(table.items()):
                if tensor is not None:
                    number, full = id(tensor), start + name
                    first = names.setdefault(number, full)
                    tensors[number] = tensor
                    kind = _kinds.get(tensor.dtype) or dtype_name(tensor.dtype)
                    trained = learned and tensor.requires_grad
                    same = "" if first == full else first
                    fields = (name, tuple(tensor.shape), kind, learned, trained, same)
                    stored.append(_new(StoredTensor, fields))
    except RuntimeError as error:
        if not any(map(is_lazy, (*state["_parameters"].values(), *state["_buffers"].values()))):
            raise
        raise ReadError(
            "a lazy module has no sizes before its first forward",
            where=path or type(module).__name__,
            values=f"it is a {type(module).__name__}",
            hint="call the module once with a tensor of its input's size, then read it",
        ) from error
    return tuple(stored)


_kinds: dict[torch.dtype, str] = {}


def dtype_name(kind: torch.dtype) -> str:
    """``float32``."""
    name = _kinds.get(kind)
    if name is None:
        name = _kinds[kind] = str(kind).removeprefix("torch.")
    return name


def unused(trace: Trace) -> list[str]:
    """Adds nodes for tensors that the forward did not use, so that they are counted; says so."""
    notes: list[str] = []
    idle: dict[str, int] = {}
    for names, learned in ((trace.parameter_names, True), (trace.buffer_names, False)):
        # how often a batch was seen is a number that nobody counts
        missing = [
            key
            for key, name in names.items()
            if key not in trace.owners and not name.endswith("num_batches_tracked")
        ]
        if not missing:
            continue
        for key in missing:
            tensor = trace.tensors[key]
            x = note(shadow(tuple(tensor.shape), None, tensor.dtype), stored=tensor)
            if learned:
                path = names[key].rpartition(".")[0]
                idle[path] = idle.get(path, 0) + x.numel()
            trace.name_of(x)
    if trace.outside:
        total = sum(n for n, _ in trace.outside.values())
        places = list(
            dict.fromkeys(path or "the module's own" for _, path in trace.outside.values())
        )
        shown = ", ".join(places[:6]) + (" and others" if len(places) > 6 else "")
        notes.append(
            f"{total:,} parameters stand in no module: they work, and are not counted: {shown}"
        )
    if idle:
        tops = _tops(trace, idle)
        total = sum(idle.values())
        shown = ", ".join(tops[:6]) + (f" and {len(tops) - 6} more" if len(tops) > 6 else "")
        notes.append(f"{total:,} parameters are not used by this forward, and are counted: {shown}")
    return notes


def _tops(trace: Trace, idle: dict[str, int]) -> list[str]:
    """The paths of the modules that are not used, without those inside another of them."""
    called = {call.path for call in trace.calls if call is not None}
    tops: dict[str, None] = {}
    for path in idle:
        parts = path.split(".") if path else []
        for n in range(1, len(parts) + 1):
            start = ".".join(parts[:n])
            inside = start + "."
            if not any(each == start or each.startswith(inside) for each in called):
                tops.setdefault(start)
                break
        else:
            tops.setdefault(path or "the module's own")
    return list(tops)
