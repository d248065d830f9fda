"""The names that Caffe's types of layers had, and have."""

from __future__ import annotations

V1_WORDS = (
    "NONE", "ACCURACY", "BNLL", "CONCAT", "CONVOLUTION", "DATA", "DROPOUT", "EUCLIDEAN_LOSS",
    "FLATTEN", "HDF5_DATA", "HDF5_OUTPUT", "IM2COL", "IMAGE_DATA", "INFOGAIN_LOSS",
    "INNER_PRODUCT", "LRN", "MULTINOMIAL_LOGISTIC_LOSS", "POOLING", "RELU", "SIGMOID",
    "SOFTMAX", "SOFTMAX_LOSS", "SPLIT", "TANH", "WINDOW_DATA", "ELTWISE", "POWER",
    "SIGMOID_CROSS_ENTROPY_LOSS", "HINGE_LOSS", "MEMORY_DATA", "ARGMAX", "THRESHOLD",
    "DUMMY_DATA", "SLICE", "MVN", "ABSVAL", "SILENCE", "CONTRASTIVE_LOSS", "EXP",
    "DECONVOLUTION",
)  # fmt: skip
"""V1's types in the order of their numbers, from 0 (V1LayerParameter.LayerType in caffe.proto)."""

_SPELLED_OTHERWISE = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
    "PRELU": "PReLU",
    "ROI_POOLING": "ROIPooling",
    "BN": "BN",
}

V1 = {
    word: _SPELLED_OTHERWISE.get(word, "".join(part.capitalize() for part in word.split("_")))
    for word in (*V1_WORDS, "PRELU", "ROI_POOLING", "BN", "CROP", "RESHAPE", "UNPOOLING")
}
"""V1's types, and some of its forks', by their names of today."""

V0 = {
    **{word.lower(): word for word in V1_WORDS if word != "NONE"},
    "conv": "CONVOLUTION",
    "pool": "POOLING",
    "innerproduct": "INNER_PRODUCT",
    "images": "IMAGE_DATA",
}
"""V0's types by their words in V1."""
