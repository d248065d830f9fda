"""The names that Caffe's types of layers had, and have."""

from __future__ import annotations

V1_NUMBERS = {
    "NONE": 0,
    "ACCURACY": 1,
    "BNLL": 2,
    "CONCAT": 3,
    "CONVOLUTION": 4,
    "DATA": 5,
    "DROPOUT": 6,
    "EUCLIDEAN_LOSS": 7,
    "FLATTEN": 8,
    "HDF5_DATA": 9,
    "HDF5_OUTPUT": 10,
    "IM2COL": 11,
    "IMAGE_DATA": 12,
    "INFOGAIN_LOSS": 13,
    "INNER_PRODUCT": 14,
    "LRN": 15,
    "MULTINOMIAL_LOGISTIC_LOSS": 16,
    "POOLING": 17,
    "RELU": 18,
    "SIGMOID": 19,
    "SOFTMAX": 20,
    "SOFTMAX_LOSS": 21,
    "SPLIT": 22,
    "TANH": 23,
    "WINDOW_DATA": 24,
    "ELTWISE": 25,
    "POWER": 26,
    "SIGMOID_CROSS_ENTROPY_LOSS": 27,
    "HINGE_LOSS": 28,
    "MEMORY_DATA": 29,
    "ARGMAX": 30,
    "THRESHOLD": 31,
    "DUMMY_DATA": 32,
    "SLICE": 33,
    "MVN": 34,
    "ABSVAL": 35,
    "SILENCE": 36,
    "CONTRASTIVE_LOSS": 37,
    "EXP": 38,
    "DECONVOLUTION": 39,
}
"""V1's types and their numbers (V1LayerParameter.LayerType in caffe.proto)."""

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
}

V1 = {
    word: _SPELLED_OTHERWISE.get(word, "".join(part.capitalize() for part in word.split("_")))
    for word in (*V1_NUMBERS, "PRELU", "ROI_POOLING", "CROP", "RESHAPE", "UNPOOLING", "BN")
}
"""V1's types, and some of its forks', by their names of today."""
V1["BN"] = "BN"

V0 = {
    **{word.lower(): V1[word] for word in V1_NUMBERS if word != "NONE"},
    "conv": "Convolution",
    "pool": "Pooling",
    "innerproduct": "InnerProduct",
    "images": "ImageData",
}
"""V0's types by their names of today."""
