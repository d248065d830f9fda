"""Which layers there are. A name registered twice is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..network import Layer
from ..registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

L = TypeVar("L", bound=type[Layer])

FAMILIES = {
    "convolution": "conv conv_sum conv_map local conv_transpose",
    "pooling": "max_pool average_pool lp_pool stochastic_pool subsample global_max_pool "
    "global_average_pool adaptive_max_pool adaptive_average_pool",
    "linear": "linear",
    "normalization": "batch_norm lrn contrast_norm layer_norm rms_norm group_norm l2_norm "
    "scale standardize",
    "activation": "relu relu6 leaky_relu prelu elu selu gelu silu mish hard_swish hard_sigmoid "
    "sigmoid tanh softplus square sqrt power exp log abs affine clipped_relu identity softmax "
    "log_softmax dropout",
    "merging": "add subtract multiply maximum minimum average concat",
    "reshaping": "flatten reshape permute pad crop slice upsample resize",
    "fixed": "blur recolor rbf",
    "regions": "roi_pool",
    "stored_tensors": "tensor combine embedding gather",
    "elementwise": "pointwise",
    "reduction": "reduce",
    "data_movement": "expand tile arrange procedure",
    "attention": "matmul einsum attention cache",
    "mixture": "experts rotary position_embedding",
    "state_space": "causal_conv shift selective_scan state_space delta_rule wkv",
    "streams": "grouped_linear hyper_connection compress",
    "recurrent": "rnn gru lstm elman conv_elman conv_lstm",
    "detection": "detect",
    "opaque": "opaque",
}
"""The families and the layers in each; a test holds this table to what the decorators register."""


OTHER_WORDS = {
    word: kind
    for kind, words in {
        "conv": "convolution convolutional depthwise depthwise_conv dwconv "
        "separable_conv pointwise_conv",
        "conv_transpose": "deconv deconvolution transposed_conv transpose_conv upconv tconv "
        "transposed_convolution",
        "local": "local_conv locally_connected",
        "max_pool": "max_pooling pooling mp",
        "average_pool": "avg_pool avg_pooling average_pooling mean_pool ap",
        "global_average_pool": "gap global_avg_pool global_average_pooling global_mean_pool",
        "global_max_pool": "gmp global_max_pooling",
        "adaptive_average_pool": "adaptive_avg_pool",
        "linear": "dense fc fully_connected inner_product ip gemm addmm mlp projection full",
        "batch_norm": "bn bnorm batch_normalization batch_normalisation",
        "layer_norm": "ln layer_normalization layer_normalisation",
        "group_norm": "gn instance_norm instance_normalization group_normalization",
        "rms_norm": "rms_normalization",
        "lrn": "local_response_norm local_response_normalization response_norm cmrnorm",
        "l2_norm": "normalize l2_normalize",
        "leaky_relu": "leaky lrelu",
        "silu": "swish",
        "hard_swish": "hswish",
        "hard_sigmoid": "hsigmoid",
        "sigmoid": "logistic",
        "dropout": "drop",
        "identity": "noop pass",
        "add": "sum plus residual shortcut skip eltwise",
        "subtract": "sub minus",
        "multiply": "mul times product",
        "concat": "concatenate cat join merge route",
        "reshape": "view",
        "permute": "transpose",
        "pad": "padding zero_pad zero_padding",
        "resize": "interpolate bilinear",
        "upsample": "up_sampling unpool",
        "embedding": "embed lookup",
        "relu": "activation rectifier",
        "attention": "transformer mha self_attention multi_head_attention multihead_attention",
        "rnn": "simple_rnn",
    }.items()
    for word in words.split()
}
"""What other frameworks and papers call a layer, for suggestions: none of these is read."""


LAYERS = Registry(
    "layers",
    __package__ or "",
    {kind: family for family, kinds in FAMILIES.items() for kind in kinds.split()},
)
"""By the name that our own files use: the class."""


def layer(kind: str) -> Callable[[L], L]:
    """Register a class of layers under the name that our own files use.

    Raises ValueError where another class has the name.
    """

    def register(cls: L) -> L:
        cls.kind = kind
        LAYERS.add(kind, cls)
        return cls

    return register
