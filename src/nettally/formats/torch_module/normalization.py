"""Normalisation: by batches, groups, rows, neighbouring channels, and by a norm."""

from __future__ import annotations

from typing import Any

from ...layers.normalization import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
    RootMeanSquareNorm,
)
from .elementwise import binary
from .reductions import reduced
from .shadow import Current, Shadow, call


def _stand_ins(**tensors: Any) -> dict[str, Shadow]:
    """Those that are there, as stand-ins."""
    trace = Current.trace
    return {name: trace.stand_in(x) for name, x in tensors.items() if x is not None}


@call("batch_norm")
def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *_: Any,
) -> Shadow:
    trace = Current.trace
    x = trace.stand_in(input)
    layer = trace.layer(
        BatchNorm, weight is not None, bias is not None, running_mean is not None, eps
    )
    tensors = _stand_ins(weight=weight, bias=bias)
    y = trace.add("batch_norm", layer, (x,), None, tensors)
    _keep(y, running_mean=running_mean, running_var=running_var)
    return y


def _keep(y: Shadow, **buffers: Any) -> None:
    """Buffers that the node itself states; those that another states are no more counted."""
    trace = Current.trace
    shared: dict[str, str] = {}
    for name, tensor in buffers.items():
        if isinstance(tensor, Shadow) and tensor.stored is not None:
            mine = f"{y.name}.{name}"
            owner = trace.owners.setdefault(id(tensor.stored), mine)
            if owner != mine:
                shared[name] = owner
    if shared:
        node = trace.nodes[-1]
        trace.nodes[-1] = node.replace(shared={**node.shared, **shared})


@call("instance_norm")
def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    *_: Any,
    **__: Any,
) -> Shadow:
    trace = Current.trace
    x = trace.stand_in(input)
    layer = trace.layer(GroupNorm, x.sizes[1], weight is not None, bias is not None)
    return trace.add("instance_norm", layer, (x,), None, _stand_ins(weight=weight, bias=bias))


@call("layer_norm")
def layer_norm(
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    *_: Any,
) -> Shadow:
    trace = Current.trace
    x = trace.stand_in(input)
    if x.sizes[-len(normalized_shape) :] != tuple(normalized_shape):
        raise TypeError
    layer = trace.layer(LayerNorm, len(normalized_shape), weight is not None, bias is not None, eps)
    return trace.add("layer_norm", layer, (x,), None, _stand_ins(weight=weight, bias=bias))


@call("rms_norm")
def rms_norm(
    input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> Shadow:
    trace = Current.trace
    x = trace.stand_in(input)
    if x.sizes[-len(normalized_shape) :] != tuple(normalized_shape):
        raise TypeError
    layer = trace.layer(RootMeanSquareNorm, len(normalized_shape), weight is not None, eps or 0.0)
    return trace.add("rms_norm", layer, (x,), None, _stand_ins(weight=weight))


@call("group_norm")
def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Shadow:
    trace = Current.trace
    x = trace.stand_in(input)
    layer = trace.layer(GroupNorm, num_groups, weight is not None, bias is not None, eps)
    return trace.add("group_norm", layer, (x,), None, _stand_ins(weight=weight, bias=bias))


@call("local_response_norm")
def local_response_norm(
    input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Shadow:
    trace = Current.trace
    layer = trace.layer(LocalResponseNorm, size, alpha, beta, k)
    return trace.add("lrn", layer, (trace.stand_in(input),))


@call("normalize")
def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Any:
    x = Current.trace.stand_in(input)
    return binary("div", x, reduced(x, "l2", dim, True, "norm"))
