"""torch's own modules that are one layer each, read from their fields without their forward."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...layers.activation import Dropout, Identity
from ...layers.convolution import Conv, ConvTranspose
from ...layers.linear import Linear
from ...layers.normalization import BatchNorm, GroupNorm, LayerNorm
from ...layers.stored_tensors import Embedding
from ...network import NOTHING
from . import activations, normalization, reshaping, windows
from .recurrent import cell, recurrent
from .shadow import METHODS, Shadow, note, shadow
from .twin import Lazy
from .weights import each, sides

if TYPE_CHECKING:
    from .trace import Trace

FAMILIES = (activations, normalization, reshaping, windows)
"""The files of the functions that modules call below: to import them is to register theirs."""

ONE: dict[type, Any] = {}
"""Handlers of modules that are called with one tensor: ``handler(trace, module, path, x)``.

They give None for what they leave to the module's own forward.
"""


def _one(*types: type) -> Any:
    def register(handler: Any) -> Any:
        for kind in types:
            ONE[kind] = handler
        return handler

    return register


def emit(trace: Trace, path: str, layer: Any, x: Shadow, tensors: Any = ()) -> Shadow:
    """The node of a module. tensors: its own, by the layer's names; some may be None."""
    sizes = x.sizes
    key = (id(layer), (sizes,))
    shape = trace.shapes.get(key)
    if shape is None:
        shape = trace.shape_of(layer, (sizes,))
    names = trace.names
    if path in names:
        name = trace.unused(path)
    else:
        name = path
        names.add(path)
    shared: Any = NOTHING
    if tensors:
        for field, tensor in tensors:
            if tensor is not None:
                mine = f"{name}.{field}"
                owner = _owner(trace, tensor, mine)
                if owner is not mine:
                    if shared is NOTHING:
                        shared = {}
                    shared[field] = owner
    inputs = (x.name or trace.name_of(x),)
    trace._append(name, layer, inputs, shared, path.rpartition(".")[0])
    return shadow(shape, name, None if x.kind is torch.float32 else x.kind)


def _owner(trace: Trace, tensor: torch.Tensor, mine: str) -> str:
    """Which node's tensor a module's parameter is: its own, an earlier one's, or a computed one."""
    if (number := id(tensor)) not in trace.parameter_names:
        x = trace.shadow_of(tensor)
        if x.name is not None or x.stored is None or id(x.stored) not in trace.parameter_names:
            return trace.name_of(x)
        number = id(x.stored)
    return trace.owners.setdefault(number, mine)


def parameters_of(module: nn.Module) -> dict[str, Any]:
    """A twin's parameters, or the user's own for reading, where nobody has looked at them yet."""
    parameters = module.__dict__["_parameters"]
    return parameters.live if type(parameters) is Lazy else parameters


def buffers_of(module: nn.Module) -> dict[str, Any]:
    """Its buffers, in the same way."""
    buffers = module.__dict__["_buffers"]
    return buffers.live if type(buffers) is Lazy else buffers


def _convolution(axes: int) -> Any:
    def conv(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow | None:
        state = module.__dict__
        parameters = parameters_of(module)
        weight, bias = parameters.get("weight"), parameters.get("bias")
        if len(x.sizes) != axes + 2 or weight is None or x.sizes[1] != state["in_channels"]:
            return None
        mode = state["padding_mode"]
        if mode != "zeros":
            return None
        key = (
            Conv,
            state["out_channels"],
            state["kernel_size"],
            state["stride"],
            state["padding"],
            state["dilation"],
            state["groups"],
            bias is None,
        )
        layer = trace.layers.get(key)
        if layer is None:
            kernel, dilation = tuple(state["kernel_size"]), tuple(state["dilation"])
            layer = trace.layers[key] = trace.layer(
                Conv,
                state["out_channels"],
                kernel,
                stride=tuple(state["stride"]),
                padding=sides(state["padding"], kernel, dilation),
                dilation=dilation,
                groups=state["groups"],
                bias=bias is not None,
            )
        y = emit(trace, path, layer, x, (("weight", weight), ("bias", bias)))
        if type(state["padding"]) is str:
            trace.says(padding_name=state["padding"])
        return y

    return conv


ONE[nn.Conv1d] = _convolution(1)
ONE[nn.Conv2d] = _convolution(2)
ONE[nn.Conv3d] = _convolution(3)


def _transposed(axes: int) -> Any:
    def conv_transpose(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow | None:
        parameters = parameters_of(module)
        weight, bias = parameters.get("weight"), parameters.get("bias")
        if len(x.sizes) != axes + 2 or weight is None or x.sizes[1] != module.in_channels:
            return None
        layer = trace.layer(
            ConvTranspose,
            module.out_channels,
            tuple(module.kernel_size),
            stride=tuple(module.stride),
            padding=each(module.padding, axes),
            output_padding=each(module.output_padding, axes),
            dilation=tuple(module.dilation),
            groups=module.groups,
            bias=bias is not None,
        )
        return emit(trace, path, layer, x, (("weight", weight), ("bias", bias)))

    return conv_transpose


ONE[nn.ConvTranspose1d] = _transposed(1)
ONE[nn.ConvTranspose2d] = _transposed(2)
ONE[nn.ConvTranspose3d] = _transposed(3)


@_one(nn.Linear, nn.modules.linear.NonDynamicallyQuantizableLinear)
def linear(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow | None:
    parameters = parameters_of(module)
    weight, bias = parameters.get("weight"), parameters.get("bias")
    sizes = x.sizes
    if len(sizes) < 2 or weight is None:
        return None
    out, seen = weight.shape
    if sizes[-1] != seen:
        return None
    layer = trace.layer(Linear, out, bias is not None, 1 if len(sizes) == 2 else -1)
    return emit(trace, path, layer, x, (("weight", weight), ("bias", bias)))


def _batch_norm(ranks: tuple[int, ...]) -> Any:
    def batch_norm(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow | None:
        state = module.__dict__
        sizes = x.sizes
        if len(sizes) not in ranks or sizes[1] != state["num_features"]:
            return None
        parameters = parameters_of(module)
        weight, bias = parameters.get("weight"), parameters.get("bias")
        buffers = buffers_of(module)
        mean = buffers.get("running_mean")
        layer = trace.layer(
            BatchNorm, weight is not None, bias is not None, mean is not None, state["eps"]
        )
        y = emit(trace, path, layer, x, (("weight", weight), ("bias", bias)))
        if mean is not None:
            trace.states_buffers(y.name, buffers)
        return y

    return batch_norm


ONE[nn.BatchNorm1d] = _batch_norm((2, 3))
ONE[nn.BatchNorm2d] = _batch_norm((4,))
ONE[nn.BatchNorm3d] = _batch_norm((5,))
ONE[nn.SyncBatchNorm] = _batch_norm((2, 3, 4, 5))


@_one(nn.LayerNorm)
def layer_norm(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow | None:
    parameters = parameters_of(module)
    weight, bias = parameters.get("weight"), parameters.get("bias")
    axes = len(module.normalized_shape)
    if x.sizes[-axes:] != tuple(module.normalized_shape) or len(x.sizes) <= axes:
        return None
    layer = trace.layer(LayerNorm, axes, weight is not None, bias is not None, module.eps)
    return emit(trace, path, layer, x, (("weight", weight), ("bias", bias)))


@_one(nn.GroupNorm)
def group_norm(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow | None:
    parameters = parameters_of(module)
    weight, bias = parameters.get("weight"), parameters.get("bias")
    if len(x.sizes) < 2 or x.sizes[1] != module.num_channels:
        return None
    layer = trace.layer(
        GroupNorm, module.num_groups, weight is not None, bias is not None, module.eps
    )
    return emit(trace, path, layer, x, (("weight", weight), ("bias", bias)))


@_one(nn.Embedding)
def embedding(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow | None:
    weight = parameters_of(module).get("weight")
    if weight is None:
        return None
    layer = trace.layer(Embedding, module.num_embeddings, (module.embedding_dim,))
    y = emit(trace, path, layer, x, (("weight", weight),))
    return note(y, kind=weight.dtype)


@_one(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout,
      nn.FeatureAlphaDropout)  # fmt: skip
def dropout(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow:
    y = emit(trace, path, trace.layer(Dropout, module.p), x)
    if module.inplace:
        trace.says(inplace=True)
    return y


@_one(nn.Identity)
def identity(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow:
    return emit(trace, path, trace.layer(Identity), x)


SEVERAL: dict[type, Any] = {
    nn.RNN: recurrent,
    nn.LSTM: recurrent,
    nn.GRU: recurrent,
    nn.RNNCell: cell,
    nn.LSTMCell: cell,
    nn.GRUCell: cell,
}
"""Handlers of modules that take more than one tensor: they get all of the call's arguments."""


def _by_function(name: str, *fields: str) -> Any:
    """A module that calls one function, whose node then bears the module's name."""
    from .trace import renamed

    function = METHODS[name]

    def module_of(trace: Trace, module: Any, path: str, x: Shadow) -> Any:
        state = module.__dict__
        values = {field: state[field] for field in fields}
        first = len(trace.nodes)
        y = function(x, **values)
        return renamed(trace, y, first, path)

    return module_of


POOL = ("kernel_size", "stride", "padding")
_FUNCTIONS: dict[type, tuple[str, ...]] = {
    nn.ReLU: ("relu", "inplace"),
    nn.ReLU6: ("relu6", "inplace"),
    nn.SiLU: ("silu", "inplace"),
    nn.Mish: ("mish", "inplace"),
    nn.SELU: ("selu", "inplace"),
    nn.Sigmoid: ("sigmoid",),
    nn.Tanh: ("tanh",),
    nn.Hardswish: ("hardswish", "inplace"),
    nn.Hardsigmoid: ("hardsigmoid", "inplace"),
    nn.GELU: ("gelu", "approximate"),
    nn.LeakyReLU: ("leaky_relu", "negative_slope", "inplace"),
    nn.ELU: ("elu", "alpha", "inplace"),
    nn.Softplus: ("softplus",),
    nn.Softmax: ("softmax", "dim"),
    nn.LogSoftmax: ("log_softmax", "dim"),
    nn.MaxPool1d: ("max_pool1d", *POOL, "dilation", "ceil_mode", "return_indices"),
    nn.MaxPool2d: ("max_pool2d", *POOL, "dilation", "ceil_mode", "return_indices"),
    nn.MaxPool3d: ("max_pool3d", *POOL, "dilation", "ceil_mode", "return_indices"),
    nn.AvgPool1d: ("avg_pool1d", *POOL, "ceil_mode", "count_include_pad"),
    nn.AvgPool2d: ("avg_pool2d", *POOL, "ceil_mode", "count_include_pad"),
    nn.AvgPool3d: ("avg_pool3d", *POOL, "ceil_mode", "count_include_pad"),
    nn.AdaptiveAvgPool1d: ("adaptive_avg_pool1d", "output_size"),
    nn.AdaptiveAvgPool2d: ("adaptive_avg_pool2d", "output_size"),
    nn.AdaptiveAvgPool3d: ("adaptive_avg_pool3d", "output_size"),
    nn.AdaptiveMaxPool2d: ("adaptive_max_pool2d", "output_size", "return_indices"),
    nn.Flatten: ("flatten", "start_dim", "end_dim"),
    nn.PixelShuffle: ("pixel_shuffle", "upscale_factor"),
    nn.PixelUnshuffle: ("pixel_unshuffle", "downscale_factor"),
    nn.LocalResponseNorm: ("local_response_norm", "size", "alpha", "beta", "k"),
}
for _type, (_name, *_fields) in _FUNCTIONS.items():
    ONE[_type] = _by_function(_name, *_fields)


def as_stated(trace: Trace, module: Any, path: str, x: Shadow) -> Shadow:
    """A module that says itself which layer it is, in ``stated_layer``.

    Those of ``nettally.building`` do where torch has no such layer, or does more than the layer.
    """
    layer = module.stated_layer
    parameters = parameters_of(module)
    tensors = [(name, parameters[name]) for name in layer.parameters((x.sizes,))]
    y = emit(trace, path, layer, x, tensors)
    for name, buffer in buffers_of(module).items():
        known = buffer.__dict__.get(trace.key)
        real = buffer if known is None else known.stored
        trace.owners.setdefault(id(real), f"{y.name}.{name}")
    return y


_TORCH = str(Path(torch.__file__).parent)
_METHODS = ("forward", "_conv_forward", "_check_input_dim", "__call__", "__getattr__")
"""What makes a layer what it is: a class that changes one of these is another layer."""
HANDLERS: dict[type, tuple[Any, Any]] = {}
"""What ``handler_of`` has found, beside the forward that the class had."""


def handler_of(kind: type) -> Any:
    """The handler for a class of modules; None where its own forward is to be followed.

    A subclass that changes neither ``forward`` nor what it calls is its base; a class whose forward
    somebody has replaced is none of torch's.
    """
    forward = kind.forward
    known = HANDLERS.get(kind)
    if known is not None and known[0] is forward:
        return known[1]
    handler = as_stated if hasattr(kind, "stated_layer") else None
    if handler is None:
        for base in kind.__mro__:
            if base in ONE:
                same = all(
                    getattr(kind, name, None) is getattr(base, name, None)
                    and is_torch(getattr(base, name, None))
                    for name in _METHODS
                )
                handler = ONE[base] if same else None
                break
    HANDLERS[kind] = forward, handler
    return handler


def is_torch(function: Any) -> bool:
    """Whether a method is as torch wrote it; what is wrapped around one is not."""
    code = getattr(function, "__code__", None)
    return code is None or code.co_filename.startswith(_TORCH)


def several_of(kind: type) -> Any:
    """The handler for a class of modules that take several tensors; None for all others."""
    handler = SEVERAL.get(kind)
    return handler if handler is not None and is_torch(kind.forward) else None


@functools.cache
def is_sequence(kind: type) -> bool:
    """Whether a class of modules calls its parts in turn, as ``nn.Sequential`` does."""
    base = nn.Sequential
    return (
        issubclass(kind, base)
        and kind.forward is base.forward
        and kind.__iter__ is base.__iter__
        and kind.__call__ is base.__call__
        and is_torch(base.forward)
    )
