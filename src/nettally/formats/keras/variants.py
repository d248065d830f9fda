"""What Keras 3 puts beside a kernel: LoRA's factors, and the tensors of quantised dtypes.

After keras 3.12's layers/core/dense.py, einsum_dense.py, embedding.py and
layers/convolutional/base_conv.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import ceildiv
from ...network import MAX_SIZE
from ..encodings.json import fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...network import Shape
    from .builder import LayerCall, Value
    from .config import Spec

AMAX_HISTORY = 1024
"""How many steps float8 remembers where the file does not say it."""


def mode_of(spec: Spec) -> tuple[str, int]:
    """A quantised dtype, ``int8_from_float32`` or an object: its mode, its group's size or 0."""
    policy = spec.get("dtype")
    settings = fields((fields(policy) or {}).get("config")) or {}
    name = policy if isinstance(policy, str) else settings.get("mode") or settings.get("name")
    if not isinstance(name, str) or not (isinstance(settings.get("mode"), str) or "_from_" in name):
        return "", 0
    mode, *numbers = name.partition("_from_")[0].split("/")
    further = fields((fields(spec.get("quantization_config")) or {}).get("config")) or {}
    # int4/128: the group's size; gptq/4/128: the bits, then the group's size
    sizes: list[Any] = [
        int(n) for n in numbers[mode in ("gptq", "awq") :] if n.isdecimal() and len(n) < 10
    ]
    sizes += [each.get(key) for each in (settings, further) for key in ("block_size", "group_size")]
    return mode[:40], next((n for n in sizes if type(n) is int and 0 < n <= MAX_SIZE), 0)


def frozen_parameters(c: LayerCall) -> tuple[str, ...]:
    """The parameters that are not trained since others stand beside them."""
    mode = mode_of(c.spec)[0]
    return ("weight",) if rank_of(c) or mode not in ("", "float8") else ()


def rank_of(c: LayerCall) -> int:
    """LoRA's rank, 0 without it."""
    enabled = c.spec.get("lora_enabled", True) and c.spec.get("lora_rank")
    return c.spec.integer("lora_rank") if enabled else 0


def with_lora(
    c: LayerCall, y: Value, down: Callable[[int], Value], up: Callable[[Value], Value]
) -> Value:
    """A layer's output and, with lora_rank, the product of two learned factors (Hu et al. 2021).

    down: makes the layer with the first factor, of a rank; up: that with the second behind it.
    """
    rank = rank_of(c)
    if not rank:
        return y
    part = up(down(rank))
    alpha = c.spec.number("lora_alpha", rank)
    if alpha != rank:
        part = c.make("affine", part, ".lora_scaled", plain=not part.first, slope=alpha / rank)
    return c.make("add", [y, part], ".lora")


def keep_scales(c: LayerCall, rows: int, columns: int, kernel: str = "kernel") -> None:
    """State what a quantised dtype keeps beside the numbers that its integers stand for.

    rows: how many values one scale is for; columns: how many scales there are.
    """
    mode, group = mode_of(c.spec)
    tensors: dict[str, Shape] = {}
    if mode == "float8":
        policy = fields((fields(c.spec.get("dtype")) or {}).get("config")) or {}
        length = c.spec.whole(
            "amax_history_length", policy.get("amax_history_length", AMAX_HISTORY), 1
        )
        for name in ("inputs", kernel, "outputs_grad"):
            tensors |= {f"{name}_scale": (), f"{name}_amax_history": (length,)}
    elif mode in ("int8", "int4", "gptq", "awq"):
        grouped = mode in ("gptq", "awq") or (mode == "int4" and group)
        groups = (ceildiv(rows, group) if group else 1,) if grouped else ()
        tensors[f"{kernel}_scale"] = (*groups, columns)
        if grouped:
            tensors |= {f"{kernel}_zero": (*groups, columns), "g_idx": (rows,)}
        if mode == "awq":
            tensors["awq_scales"] = (rows,)
    elif mode:
        c.b.note("quantised dtypes whose further tensors are not known", mode)
    for name, size in tensors.items():
        c.make("tensor", [], f".{name}", size=size, learned=False, kept=True)
    if tensors:
        c.b.note(
            "quantised dtypes: parameters are what the integers stand for, scales are kept", mode
        )
