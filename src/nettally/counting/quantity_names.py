"""The names of what can be asked of a network: other words for them, and what is only measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import closest, nearest
from ..layers import kinds, layer_class

if TYPE_CHECKING:
    from collections.abc import Iterable

SAME = {
    "params": "parameters",
    "active_parameters": "active",
    "non_embedding_parameters": "non_embedding",
    "mult_adds": "macs",
    "multiply_adds": "macs",
    "madds": "macs",
    "size": "output",
    "shape": "output",
    "rf": "receptive_field",
    "field": "receptive_field",
}
"""Other words for the same, which are read."""

SHAPES = ("output", "height", "width", "depth", "length", "channels", "features")
FIELDS = ("receptive_field", "effective_stride")
"""Quantities that are one size of an output, and those that are numbers by axis of the input."""

PARAMETERS_BY_USE = (
    *("active", "active_without_input_embedding", "active_without_embeddings", "non_embedding"),
    *("input_embedding", "learned_positions"),
)
"""Sums of parameters by what a token's pass does with them, see ``by_use``."""

BY_USE = (*PARAMETERS_BY_USE, "recurrent_state", "tokens", "scores")
"""These, and sums of values that language models are counted by."""

KINDS = {
    "conv": ("conv", "conv_sum", "conv_map"),
    "convolutional": ("conv", "conv_sum", "conv_map"),
    "pool": ("max_pool", "average_pool", "stochastic_pool", "subsample"),
    "fc": ("linear",),
}
"""Words for several kinds of layers, as ``count`` takes them."""

MEASURED = frozenset(
    [
        "accuracy",
        "top1_accuracy",
        "top5_accuracy",
        "error",
        "error_rate",
        "top1_error",
        "top5_error",
        "precision",
        "recall",
        "f1_score",
        "mean_average_precision",
        "intersection_over_union",
        "perplexity",
        "bleu",
        "signal_to_noise",
        "loss",
        "latency",
        "throughput",
        "images_per_second",
        "frames_per_second",
        "inference_time",
        "speedup",
        "training_time",
        "training_days",
        "training_hours",
        "training_images",
        "training_passes",
        "training_steps",
        "epochs",
        "batch_size",
        "learning_rate",
        "file_size",
        "graphics_memory",
        "peak_memory",
        "bandwidth",
        "energy",
        "power",
    ]
)
"""What is measured, or chosen for a run, and follows from no description of a network. Claims of
these are listed and never judged; docs/claims.md has the same names."""

IS_MEASURED = "measured: it cannot be derived"

OTHER_WORDS = {
    word: name
    for name, words in {
        "parameters": "param weights_and_biases",
        "active": "activated activated_parameters",
        "macs": "multadds mult_add multiply_accumulates multiply_accumulate multiplications "
        "gmacs mmacs",
        "flops": "gflops mflops floating_point_operations",
        "operations": "ops",
        "neurons": "units",
        "biases": "bias",
        "weights": "weight",
        "memory": "bytes mem ram",
        "layers": "depth",
        "output": "output_size output_shape resolution",
        "features": "out_features",
        "channels": "out_channels maps feature_maps",
        "filters": "kernels out_channels num_output",
        "kernel": "kernel_size window",
        "stride": "strides step",
        "padding": "pad pads",
        "kind": "type",
        "top1_error": "top_1_error top1 error_top1",
        "top5_error": "top_5_error top5 error_top5",
        "top1_accuracy": "top_1_accuracy acc acc1",
        "latency": "time runtime milliseconds",
        "throughput": "speed",
        "frames_per_second": "fps",
        "learning_rate": "lr",
        "file_size": "model_size disk_size download_size",
    }.items()
    for word in words.split()
}
"""What others call it, for suggestions: none of these is read."""

FILLERS = frozenset(
    [
        "all",
        "amount",
        "count",
        "n",
        "no",
        "nr",
        "num",
        "number",
        "of",
        "sum",
        "the",
        "total",
        "trainable",
    ]
)
"""Words that say nothing of what is counted: ``total_params``, ``num_parameters``."""


def closest_quantity(word: str, known: Iterable[str], less_likely: Iterable[str] = ()) -> str:
    """A suggestion for a word that names no quantity: "did you mean 'parameters'?" for ``params``.

    known: those that there are; what is measured is suggested too. less_likely: others, of which
    one is suggested where none of the known is near.
    """
    names = {*known, *MEASURED}
    others = {**OTHER_WORDS, **SAME}
    words = [each for each in word.casefold().split("_") if each not in FILLERS]
    stem = "_".join(words) or word
    if not nearest(stem, names, others) and nearest(stem, less_likely, others):
        return closest(stem, less_likely, others)
    return closest(stem, names, others)


def field_names() -> frozenset[str]:
    """The names of the fields that layers of any kind have."""
    return frozenset(name for kind in kinds() for name in layer_class(kind)._fields)
