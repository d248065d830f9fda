"""Small files of each format, made here, for fuzzing to begin with; and the collected ones.

The binary formats are written by a few lines each, so that a seed needs nothing but Python.
"""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve()
MOST = 2**13
"""Collected files that are larger, in bytes, are left out: fuzzing is slow with them."""

# --- text ---------------------------------------------------------------------------------------

NATIVE = [
    """nettally: 1
name: small
title: a small net
input: 3x32x32
blocks:
  block(width, stride = 1):
    - conv1: conv width, 3x3, stride stride, padding 1, no bias
    - bn1: batch_norm
    - relu1: relu
    - conv2: conv width*2//2, 3x3, padding same, groups 2
    - add: add from conv2, bn1
layers:
  - conv1: conv 8*2, 5x5, stride 2, padding 1:2x0, rounding up
  - b_{1..3}: block 16
  - pool1: max_pool 3x3, stride 2, rounding up from b_3
  - cat: concat from pool1, pool1
  - norm1: lrn 5, alpha 1e-4, k 2
  - flat: flatten
  - fc1: {layer: linear, features: 10, from: [flat]}
  - fc2: linear 10
  - fc3: linear 10, weights fc2
  - prob: softmax
outputs: [prob]
""",
    """nettally: 1
input: {left: 3x8x8, right: 10}
layers:
  - 'conv-1': conv 4, 1x1 from left   # a comment
  - fc: linear (2 + 3) * 4 from right
  - conv2: {layer: conv, filters: 4, kernel: [1, 1], from: left, weights: {weight: conv-1.weight}}
""",
]

CUDA_CONVNET = [
    """[data]
type=data
dataIdx=0

[labels]
type=data
dataIdx=1

[conv1a]
type=conv
inputs=data
channels=3
filters=32
padding=2
stride=1
filterSize=5
neuron=relu
initW=0.0001
partialSum=4
sharedBiases=1
groups=1
gpu=0,1

[pool1]
type=pool
pool=max
inputs=conv1a
start=0
sizeX=3
stride=2
outputsX=0
channels=32

[rnorm1]
type=cmrnorm
inputs=pool1
channels=32
size=5
scale=0.0001
pow=0.75

[local1]
type=local
inputs=rnorm1
filters=16
padding=1
stride=1
filterSize=3
channels=32
neuron=tanh[1.7159,0.6666]
initW=0.04

[fc10]
type=fc
outputs=10
inputs=local1,pool1
initW=0.01,0.01
neuron=linear[1,0]

[probs]
type=softmax
inputs=fc10

[logprob]
type=cost.logreg
inputs=labels,probs
gpu=0
""",
    """[conv1]
epsW=0.001
epsB=0.002
momW=0.9
momB=0.9
wc=0.004

[logprob]
coeff=1
""",
]

DARKNET = [
    """[net]
batch=1
height=32
width=32
channels=3

[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=16
groups=4
size=1
stride=1
pad=1
activation=linear

[shortcut]
from=-2
activation=linear

[route]
layers=-1,-3

[reorg]
stride=2

[upsample]
stride=2

[convolutional]
filters=255
size=1

[yolo]
mask = 0,1,2
anchors = 10,13,  16,30,  33,23
classes=80
num=3
""",
    """[network]
inputs=256
time_steps=3

[rnn]
batch_normalize=1
output=32
hidden=16
activation=leaky

[crnn]
[lstm]
output=8
[gru]
output=8

[connected]
output=10
activation=relu

[dropout]
probability=.5

[softmax]
groups=1

[cost]
type=sse
""",
    """[net]
height=32
width=32
channels=3
[local]
filters=7
size=3
stride=1
pad=1
activation=leaky
[crop]
crop_height=16
crop_width=16
[avgpool]
[region]
anchors=1,2
classes=2
coords=4
num=1
[detection]
classes=2
side=1
num=2
""",
]

CAFFE = [
    """name: "small"
input: "data"
input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 name: "w" } convolution_param { num_output: 8 kernel_size: 3 stride: 2
  pad_h: 1 pad_w: 0 group: 1 dilation: 1 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" include { phase: TEST } }
layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "bn" }
layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "pool1" type: "Pooling" bottom: "bn" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "up" type: "Deconvolution" bottom: "pool1" top: "up"
  convolution_param { num_output: 8 kernel_size: 4 stride: 2 bias_term: false } }
layer { name: "odd" type: "Python" bottom: "up" top: "odd" python_param { module: "os" } }
layer { name: "cat" type: "Concat" bottom: "up" bottom: "up" top: "cat" concat_param { axis: 1 } }
layer { name: "fc" type: "InnerProduct" bottom: "cat" top: "fc"
  inner_product_param { num_output: 10 } exclude { stage: "deploy" } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss"
  include { phase: TRAIN } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
""",
    """name: 'old'  # V1
input: "data" input_dim: 1 input_dim: 3 input_dim: 32 input_dim: 32
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 8 kernel_h: 3 kernel_w: 5 } }
layers { name: "norm1" type: LRN bottom: "conv1" top: "norm1"
  lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 norm_region: WITHIN_CHANNEL } }
layers { name: "add" type: ELTWISE bottom: "norm1" bottom: "conv1" top: "add"
  eltwise_param { operation: SUM coeff: 1 coeff: -1 } }
layers { name: "slice" type: SLICE bottom: "add" top: "a" top: "b" slice_param { slice_point: 3 } }
layers { name: "drop" type: DROPOUT bottom: "a" top: "a" dropout_param { dropout_ratio: .5 } }
""",
    """name: "oldest"
layers { layer { name: "data" type: "data" batchsize: 2 cropsize: 24 } top: "data" }
layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 3 pad: 1 } bottom: "data"
  top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 2 stride: 2 } bottom: "conv1"
  top: "pool1" }
layers { layer { name: "fc" type: "innerproduct" num_output: 7 } bottom: "pool1" top: "fc" }
""",
    """layer { name: "d" type: "Data" top: "data" top: "label" transform_param { crop_size: 20 } }
layer { name: "r" type: "Reshape" bottom: "data" top: "r"
  reshape_param { shape { dim: 0 dim: -1 } } }
layer { name: "lstm" type: "LSTM" bottom: "r" recurrent_param { num_output: 3 } top: "l" }
layer { name: "e" type: "Embed" bottom: "label" top: "e"
  embed_param { input_dim: 9 num_output: 4 } }
layer { name: "p" type: "Permute" bottom: "data" top: "p" permute_param { order: 0 order: 2 } }
layer { name: "c" type: "Crop" bottom: "data" bottom: "data" top: "c" crop_param { offset: 2 } }
net: "x.prototxt" base_lr: 0.01 lr_policy: "step"
""",
]

# --- protocol buffers ---------------------------------------------------------------------------


def varint(n: int) -> bytes:
    out = bytearray()
    n &= 2**64 - 1
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def message(*fields: tuple[int, Any]) -> bytes:
    """The fields of a message: ints as varints, floats in 4 bytes, text and bytes with a length."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 5) + struct.pack("<f", value)
        else:
            data = value.encode() if isinstance(value, str) else bytes(value)
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return bytes(out)


def blob(*sizes: int) -> bytes:
    """A BlobProto with its shape and its values."""
    count = 1
    for size in sizes:
        count *= size
    shape = message((1, b"".join(map(varint, sizes))))
    return message((7, shape), (5, struct.pack(f"<{count}f", *[0.5] * count)))


CAFFEMODEL = [
    message(
        (1, "small"),
        (3, "data"),
        (8, message((1, b"\x01\x03\x08\x08"))),
        (100, message((1, "data"), (2, "Input"), (4, "data"))),
        (100, message((1, "conv1"), (2, "Convolution"), (3, "data"), (4, "conv1"),
                      (7, blob(4, 3, 3, 3)), (7, blob(4)),
                      (106, message((1, 4), (4, 3), (6, 2))))),
        (100, message((1, "fc"), (2, "InnerProduct"), (3, "conv1"), (4, "fc"), (7, blob(2, 36)),
                      (117, message((1, 2), (2, 0))))),
    ),
    message(
        (1, "old"),
        (2, message((4, "conv1"), (5, 4), (2, "data"), (3, "conv1"),
                    (6, message((1, 2), (2, 3), (3, 3), (4, 3), (5, b"\0" * 216))))),
    ),
]  # fmt: skip


def value_info(name: str, *sizes: int | str, kind: int = 1) -> bytes:
    """A ValueInfoProto; without sizes its shape is not said."""
    dims = [(1, message((2 if isinstance(s, str) else 1, s))) for s in sizes]
    tensor = message((1, kind), *([(2, message(*dims))] if sizes else []))
    return message((1, name), (2, message((1, tensor))))


def attribute(name: str, value: Any) -> bytes:
    if isinstance(value, float):
        return message((1, name), (2, value), (20, 1))
    if isinstance(value, int):
        return message((1, name), (3, value), (20, 2))
    if isinstance(value, str):
        return message((1, name), (4, value), (20, 3))
    if isinstance(value, bytes):  # a tensor or a graph
        return message((1, name), (5, value), (20, 4))
    return message((1, name), *[(8, each) for each in value], (20, 7))


def node(kind: str, inputs: str, outputs: str, /, **attributes: Any) -> bytes:
    return message(
        *[(1, name) for name in inputs.split()],
        *[(2, name) for name in outputs.split()],
        (3, f"{kind}_{outputs}"),
        (4, kind),
        *[(5, attribute(name, value)) for name, value in attributes.items()],
    )


def initializer(name: str, *sizes: int, kind: int = 1, raw: bytes = b"") -> bytes:
    """A TensorProto; ``raw`` empty: of zeros."""
    count = 1
    for size in sizes:
        count *= size
    data = raw or bytes(count * (8 if kind == 7 else 4))
    return message(*[(1, size) for size in sizes], (2, kind), (8, name), (9, data))


def int64s(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def onnx(
    nodes: list[bytes],
    inputs: list[bytes],
    outputs: list[bytes],
    tensors: Sequence[bytes] = (),
    opset: int = 17,
    more: Sequence[tuple[int, Any]] = (),
) -> bytes:
    graph = message(
        *[(1, each) for each in nodes],
        (2, "graph"),
        *[(5, each) for each in tensors],
        *[(11, each) for each in inputs],
        *[(12, each) for each in outputs],
    )
    return message((1, 8), (2, "seeds"), (7, graph), (8, message((1, ""), (2, opset))), *more)


X, Y = value_info("x", 1, 3, 8, 8), value_info("y", 1, 4)
LOOP = message(
    (1, node("Relu", "v", "w")),
    (2, "body"),
    *[(11, value_info(n, *s)) for n, s in (("i", ()), ("c", ()), ("v", (1, 3, 8, 8)))],
    *[(12, value_info(n, *s)) for n, s in (("c", ()), ("w", (1, 3, 8, 8)))],
)
SCAN = message(
    (1, node("Add", "v p", "w")),
    (2, "body"),
    *[(11, value_info(n, 8, 8, 3)) for n in "vp"],
    *[(12, value_info(n, 8, 8, 3)) for n in "wp"],
)
ONNX = [
    onnx(
        [
            node("Conv", "x w b", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2],
                 group=1, dilations=[1, 1]),
            node("BatchNormalization", "c s s s s", "n", epsilon=1e-5),
            node("Relu", "n", "r"),
            node("MaxPool", "r", "p", kernel_shape=[2, 2], ceil_mode=1, auto_pad="SAME_UPPER"),
            node("GlobalAveragePool", "p", "g"),
            node("Flatten", "g", "f", axis=1),
            node("Gemm", "f fw fb", "y", transB=1, alpha=1.0),
        ],
        [X], [Y],
        [initializer("w", 4, 3, 3, 3), initializer("b", 4), initializer("s", 4),
         initializer("fw", 4, 4), initializer("fb", 4)],
    ),
    onnx(
        [
            node("Shape", "x", "sh"),
            node("Gather", "sh i", "first", axis=0),
            node("Unsqueeze", "first zero", "one"),
            node("Concat", "one minus", "to", axis=0),
            node("Reshape", "x to", "flat"),
            node("MatMul", "flat w", "m"),
            node("Add", "m b", "a"),
            node("Split", "a parts", "left right", axis=1),
            node("Slice", "left zero one1 one1", "sl"),
            node("Pad", "right pads", "pd", mode="constant"),
            node("Transpose", "pd", "t", perm=[1, 0]),
            node("ReduceMean", "t", "mean", axes=[0], keepdims=1),
            node("Softmax", "mean", "y"),
        ],
        [X], [value_info("y", 1, "n")],
        [initializer("i", kind=7, raw=int64s(0)), initializer("zero", 1, kind=7),
         initializer("minus", 1, kind=7, raw=int64s(-1)), initializer("w", 192, 4),
         initializer("b", 4), initializer("parts", 2, kind=7, raw=int64s(2, 2)),
         initializer("one1", 1, kind=7, raw=int64s(1)),
         initializer("pads", 4, kind=7, raw=int64s(0, 1, 0, 1))],
    ),
    onnx(
        [
            node("ConstantOfShape", "dims", "w", value=initializer("v", 1)),
            node("ConvTranspose", "x w", "c", strides=[2, 2], output_padding=[1, 1]),
            node("Resize", "c  sc", "rs", mode="nearest"),
            node("Loop", "n  x", "l", body=b""),
            node("Odd", "l", "o"),
            node("LayerNormalization", "o k", "y", axis=-1),
        ],
        [value_info("x", "batch", 3, "height", 8)], [value_info("y")],
        [initializer("dims", 4, kind=7, raw=int64s(3, 2, 3, 3)), initializer("k", 8),
         initializer("n", kind=7, raw=int64s(3)),
         initializer("sc", 4, raw=struct.pack("<4f", 1, 1, 2, 2))],
        more=[(8, message((1, "com.example"), (2, 1))),
              (14, message((1, "author"), (2, "nobody")))],
    ),
    onnx(
        [message((1, "n"), (1, ""), (1, "x"), (2, "y"), (4, "Loop"),
                 (5, message((1, "body"), (6, LOOP), (20, 5))))],
        [X], [value_info("y", 1, 3, 8, 8)], [initializer("n", kind=7, raw=int64s(3))],
    ),
    onnx(
        [
            node("SplitToSequence", "x one", "pieces", axis=1),
            node("SequenceAt", "pieces one", "piece"),
            node("SequenceConstruct", "piece piece", "pair"),
            node("SequenceInsert", "pair piece one", "three"),
            node("SequenceErase", "three one", "two"),
            node("SequenceLength", "two", "length"),
            node("ConcatFromSequence", "two", "stacked", axis=1, new_axis=1),
            node("Crop", "x", "cut", border=[1, 1, 1, 1]),
            node("ImageScaler", "cut", "scaled", scale=0.5),
            node("DeformConv", "x w offsets", "deformed", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            *[node(kind, a, b) for kind, a, b in (("Relu", "deformed", "r1"), ("Relu", "r1", "r2"),
              ("Add", "r2 k", "a1"), ("Add", "a1 k", "a2"), ("Add", "a2 a1", "a3"),
              ("Add", "a3 a3", "a4"), ("Conv", "a4 w4", "c1"), ("Conv", "c1 w4", "y"))],
        ],
        [X], [value_info("y", 1, 4, 8, 8), value_info("scaled"), value_info("stacked")],
        [initializer("one", kind=7, raw=int64s(1)), initializer("w", 4, 3, 3, 3),
         initializer("w4", 4, 4, 1, 1), initializer("k", 1), initializer("offsets", 1, 18, 8, 8)],
    ),
    onnx(
        [
            message((1, "w"), (1, "k"), (1, "k"), (1, "k"), (2, "q"), (3, "q1"), (4, "Quant"),
                    (7, "qonnx.custom_op.general")),
            message((1, "x"), (1, "q"), (2, "c"), (4, "Conv"),
                    (5, attribute("kernel_shape", [3, 3])), (7, "qonnx.custom_op.channels_last")),
            message((1, "s"), (1, "x"), (2, "end"), (2, "y"), (3, "scan"), (4, "Scan"),
                    (5, attribute("num_scan_inputs", 1)),
                    (5, message((1, "body"), (6, SCAN), (20, 5)))),
        ],
        [value_info("x", 1, 8, 8, 3)], [value_info("y"), value_info("c")],
        [initializer("w", 4, 3, 3, 3), initializer("k"), initializer("s", 8, 8, 3)],
        more=[(8, message((1, domain), (2, 1)))
              for domain in ("qonnx.custom_op.general", "qonnx.custom_op.channels_last")],
    ),
    onnx(
        [
            node("HannWindow", "n", "window"),
            node("STFT", "x step window n", "f"),
            node("DFT", "f n", "d", axis=1, onesided=1),
            node("SoftmaxCrossEntropyLoss", "d d", "y", reduction="none"),
        ],
        [value_info("x", 1, 100, 1)], [value_info("y")],
        [initializer("n", kind=7, raw=int64s(8)), initializer("step", kind=7, raw=int64s(4))],
    ),
]  # fmt: skip

# --- Keras --------------------------------------------------------------------------------------


def keras_layer(kind: str, name: str, /, inbound: Any = None, **config: Any) -> dict[str, Any]:
    made = {"class_name": kind, "config": {"name": name, **config}, "name": name}
    if inbound is not None:
        made["inbound_nodes"] = inbound
    return made


def keras_tensor(name: str, *shape: int | None) -> dict[str, Any]:
    config = {"shape": [None, *shape], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


KERAS_OLD = {
    "class_name": "Functional",
    "config": {
        "name": "old",
        "layers": [
            keras_layer("InputLayer", "in", [], batch_input_shape=[None, 16, 16, 3]),
            keras_layer(
                "Conv2D", "conv", [[["in", 0, 0, {}]]], filters=4, kernel_size=[3, 3],
                strides=[2, 2], padding="same", data_format="channels_last", use_bias=True,
                dilation_rate=[1, 1], groups=1, activation="relu",
            ),
            keras_layer("BatchNormalization", "bn", [[["conv", 0, 0, {}]]], axis=[3], scale=True),
            keras_layer("Add", "add", [[["conv", 0, 0, {}], ["bn", 0, 0, {}]]]),
            keras_layer("Lambda", "odd", [[["add", 0, 0, {}]]], function=["4wEA", None, None]),
            keras_layer("GlobalAveragePooling2D", "gap", [[["odd", 0, 0, {}]]]),
            keras_layer("Dense", "fc", [[["gap", 0, 0, {}]], [["gap", 0, 0, {}]]], units=5),
        ],
        "input_layers": [["in", 0, 0]],
        "output_layers": [["fc", 0, 0], ["fc", 1, 0]],
    },
    "keras_version": "2.9.0",
    "backend": "tensorflow",
}  # fmt: skip
SEPARABLE = keras_layer(
    "SeparableConv2D", "sep", kernel_size=[3, 3], filters=2, depth_multiplier=2, padding="valid"
)
KERAS_NEW = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "new",
        "layers": [
            keras_layer("InputLayer", "in", batch_shape=[None, 8, 8, 3]),
            SEPARABLE,
            keras_layer("ZeroPadding2D", "pad", padding=[[0, 1], [0, 1]]),
            keras_layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=None, padding="same"),
            {
                "class_name": "Sequential",
                "config": {"name": "inner", "layers": [keras_layer("Activation", "a")]},
            },
            keras_layer("Reshape", "r", target_shape=[-1, 4]),
            keras_layer("LSTM", "lstm", units=3, return_sequences=True),
            keras_layer("Bidirectional", "bi", layer=keras_layer("GRU", "g", units=2)),
            keras_layer("Flatten", "flat"),
            keras_layer("Dense", "fc", units=2, use_bias=False),
        ],
    },
    "registered_name": None,
    "build_config": {"input_shape": [None, 8, 8, 3]},
}
KERAS_FUNCTIONAL = {
    "module": "keras.src.models.functional",
    "class_name": "Functional",
    "config": {
        "layers": [
            keras_layer("InputLayer", "a", [], batch_shape=[None, 8, 4]),
            keras_layer(
                "MultiHeadAttention", "mha",
                [{"args": [keras_tensor("a", 8, 4), keras_tensor("a", 8, 4)], "kwargs": {}}],
                num_heads=2, key_dim=3,
            ),
            keras_layer(
                "Concatenate", "cat",
                [{"args": [[keras_tensor("a", 8, 4), keras_tensor("mha", 8, 4)]], "kwargs": {}}],
                axis=-1,
            ),
        ],
        "input_layers": ["a", 0, 0],
        "output_layers": [["cat", 0, 0]],
    },
}  # fmt: skip


def archive(files: dict[str, str | bytes], packed: bool = False) -> bytes:
    out = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", how) as made:
        for name, data in files.items():
            made.writestr(zipfile.ZipInfo(name), data, how)
    return out.getvalue()


def hdf5(text: str) -> bytes:
    """An HDF5 file whose root has one attribute, model_config, of variable length."""
    data = text.encode()
    heap = struct.pack("<HHIQ", 1, 1, 0, len(data)) + data + bytes(-len(data) % 8)
    kind = struct.pack("<B3sI", 0x19, b"\x01\0\0", 16) + struct.pack(
        "<B3sIHHBBHI", 0x13, b"\0" * 3, 1, 0, 8, 0, 8, 0, 0
    )
    value = struct.pack("<IQI", len(data), 1064, 1)
    attribute = struct.pack("<BBHHH", 1, 0, 13, len(kind), 8)
    attribute += b"model_config".ljust(16, b"\0") + kind + bytes(-len(kind) % 8)
    attribute += b"\x01" + bytes(7) + value
    attribute += bytes(-len(attribute) % 8)
    messages = struct.pack("<HHB3x", 0x11, 16, 0) + struct.pack("<QQ", 272, 1024)
    messages += struct.pack("<HHB3x", 0x0C, len(attribute), 0) + attribute
    header = struct.pack("<BxHII4x", 1, 2, 1, len(messages)) + messages
    names = struct.pack("<4sB3xQQQ", b"HEAP", 0, 8, 2**64 - 1, 1056) + bytes(8)
    tree = struct.pack("<4sBBHQQ", b"TREE", 0, 0, 0, 2**64 - 1, 2**64 - 1) + bytes(8)
    end = 1064 + 4096
    start = b"\x89HDF\r\n\x1a\n" + bytes(5) + b"\x08\x08\0" + struct.pack("<HHI", 4, 16, 0)
    start += struct.pack("<QQQQ", 0, 2**64 - 1, end, 2**64 - 1) + struct.pack("<QQII", 0, 96, 0, 0)
    whole = (start.ljust(96, b"\0") + header).ljust(272, b"\0")
    whole = (whole + tree).ljust(1024, b"\0") + names
    free = struct.pack("<HHIQ", 0, 0, 0, 4096 - 16 - len(heap))
    return whole + struct.pack("<4sB3xQ", b"GCOL", 1, 4096) + (heap + free).ljust(4080, b"\0")


KERAS = [
    json.dumps(KERAS_OLD).encode(),
    json.dumps(KERAS_NEW, indent=1).encode(),
    json.dumps(KERAS_FUNCTIONAL).encode(),
    json.dumps(
        {
            "format": "layers-model",
            "modelTopology": {"model_config": KERAS_OLD, "keras_version": "2.9.0"},
            "weightsManifest": [
                {"paths": ["a.bin"], "weights": [{"name": "fc/kernel", "shape": [4, 5]}]}
            ],
        }
    ).encode(),
    archive({"metadata.json": '{"keras_version": "3.5.0"}', "config.json": json.dumps(KERAS_NEW)}),
    archive({"config.json": json.dumps(KERAS_OLD), "model.weights.h5": b"\x89HDF"}, packed=True),
    hdf5(json.dumps(KERAS_OLD)),
]

# --- flatbuffers --------------------------------------------------------------------------------


class Flat:
    """A flatbuffer, built from its end: what is referred to comes before what refers to it."""

    def __init__(self) -> None:
        self.out = b""

    def _put(self, data: bytes, align: int = 4) -> int:
        """Put ``data`` before all else; its distance from the end."""
        short = -(len(self.out) + len(data)) % align
        self.out = data + bytes(short) + self.out
        return len(self.out)

    def vector(self, code: str, values: list[int]) -> int:
        data = struct.pack(f"<I{len(values)}{code}", len(values), *values)
        return self._put(data, 8 if code in "qQd" else 4)

    def text(self, value: str) -> int:
        return self._put(struct.pack("<I", len(value)) + value.encode() + b"\0")

    def tables(self, places: list[int]) -> int:
        """A vector of references."""
        start = len(self.out) + 4 * len(places)
        data = [start - 4 * i - place for i, place in enumerate(places)]
        return self._put(struct.pack(f"<I{len(data)}I", len(data), *data))

    def table(self, fields: dict[int, tuple[str, int]]) -> int:
        """Fields by their number: how they are packed ("ref" for a reference), and the value."""
        count = max(fields, default=-1) + 1
        slots, body = [0] * count, b""
        refs: list[tuple[int, int]] = []
        for number, (code, value) in sorted(fields.items()):
            size = 4 if code == "ref" else struct.calcsize(code)
            body += bytes(-(len(body) + 4) % size)
            slots[number] = 4 + len(body)
            if code == "ref":
                refs.append((len(body), value))
            body += bytes(4) if code == "ref" else struct.pack(f"<{code}", value)
        body += bytes(-len(body) % 4)
        end = len(self.out) + len(body)
        parts = bytearray(body)
        for at, place in refs:
            parts[at : at + 4] = struct.pack("<I", end - at - place)
        vtable = struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + len(body), *slots)
        vtable += bytes(-len(vtable) % 4)
        table = len(self.out) + len(parts) + 4
        self.out = struct.pack("<i", len(vtable)) + bytes(parts) + self.out
        assert len(self.out) == table
        self.out = vtable + self.out
        return table

    def finish(self, root: int, identifier: bytes = b"TFL3") -> bytes:
        return struct.pack("<I", len(self.out) + 8 - root) + identifier + self.out


RESHAPE_OPTIONS = 17


def tflite(operators: list[tuple[int, list[int], list[int], int]]) -> bytes:
    """A model of operators: (code, inputs, outputs, type of its options)."""
    b = Flat()
    stored = [b.vector("B", [0] * size) for size in (432, 16)]
    buffers = b.tables([b.table({}), *(b.table({0: ("ref", each)}) for each in stored)])
    shapes = [[1, 8, 8, 3], [4, 3, 3, 3], [4], [1, 4, 4, 4], [1, 2, 2, 4], [1, 64], [1, 64]]
    tensors: list[int] = []
    for i, shape in enumerate(shapes):
        name, sizes = b.text(f"tensor{i}"), b.vector("i", shape)
        tensors.append(
            b.table({0: ("ref", sizes), 1: ("B", 0), 2: ("I", i if i < 3 else 0), 3: ("ref", name)})
        )
    made: list[int] = []
    codes = sorted({code for code, *_ in operators})
    for code, inputs, outputs, kind in operators:
        if kind == RESHAPE_OPTIONS:
            options = b.table({0: ("ref", b.vector("i", shapes[outputs[0]]))})
        else:
            options = b.table({0: ("B", 0), 1: ("i", 2), 2: ("i", 2), 3: ("i", 2), 4: ("i", 2)})
        ins, outs = b.vector("i", inputs), b.vector("i", outputs)
        fields = {0: ("I", codes.index(code)), 1: ("ref", ins), 2: ("ref", outs)}
        if kind:
            fields |= {3: ("B", kind), 4: ("ref", options)}
        made.append(b.table(fields))
    graph = {
        0: ("ref", b.tables(tensors)),
        1: ("ref", b.vector("i", [0])),
        2: ("ref", b.vector("i", [operators[-1][2][0]])),
        3: ("ref", b.tables(made)),
        4: ("ref", b.text("main")),
    }
    graphs = b.tables([b.table(graph)])
    opcodes = b.tables([b.table({0: ("b", code), 2: ("i", 1), 3: ("i", code)}) for code in codes])
    model = {
        0: ("I", 3),
        1: ("ref", opcodes),
        2: ("ref", graphs),
        3: ("ref", b.text("seeds")),
        4: ("ref", buffers),
    }
    return b.finish(b.table(model))


TFLITE = [
    tflite([(3, [0, 1, 2], [3], 1), (1, [3], [4], 5)]),
    tflite([(3, [0, 1, 2], [3], 1), (22, [3], [5], 17), (25, [5], [6], 9)]),
    tflite([(3, [0, 1, 2], [3], 1), (19, [3], [4], 0), (32, [4], [5], 0)]),
]

# --- tables of parameters -----------------------------------------------------------------------


def safetensors(header: dict[str, Any], size: int) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


SAFETENSORS = [
    safetensors(
        {
            "__metadata__": {"format": "pt"},
            "conv1.weight": {"dtype": "F32", "shape": [4, 3, 3, 3], "data_offsets": [0, 432]},
            "conv1.bias": {"dtype": "BF16", "shape": [4], "data_offsets": [432, 440]},
            "bn.num_batches_tracked": {"dtype": "I64", "shape": [], "data_offsets": [440, 448]},
        },
        448,
    ),
    safetensors({}, 0),
]


def pickled(tensors: dict[str, list[int]]) -> bytes:
    """A state dict as torch.save has it, in opcodes."""
    out = b"\x80\x02ccollections\nOrderedDict\n)Rq\x00("
    for i, (name, shape) in enumerate(tensors.items()):
        count = 1
        for size in shape:
            count *= size
        steps = [1]
        for size in shape[:0:-1]:
            steps.insert(0, steps[0] * size)
        out += b"X" + struct.pack("<I", len(name)) + name.encode()
        out += b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
        out += b"ctorch\nFloatStorage\nX\x01\x00\x00\x00" + str(i).encode()
        out += b"X\x03\x00\x00\x00cpuM" + struct.pack("<H", count) + b"tQK\x00"
        out += _small(shape) + _small(steps) + b"\x89ccollections\nOrderedDict\n)RtR"
    return out + b"u."


def _small(values: list[int]) -> bytes:
    """A tuple of bytes."""
    return b"(" + b"".join(b"K" + bytes([value]) for value in values) + b"t"


def checkpoint(tensors: dict[str, list[int]]) -> bytes:
    files: dict[str, str | bytes] = {"a/data.pkl": pickled(tensors), "a/byteorder": "little"}
    for i, shape in enumerate(tensors.values()):
        count = 4
        for size in shape:
            count *= size
        files[f"a/data/{i}"] = bytes(count)
    return archive({**files, "a/version": "3\n"})


LEGACY = (
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    b"\x80\x02M\xe9\x03."
    b"\x80\x02}q\x00(X\x10\x00\x00\x00protocol_versionM\xe9\x03X\r\x00\x00\x00little_endian\x88u."
    + pickled({"w": [2, 3]}).replace(b"M\x06\x00tQ", b"M\x06\x00NtQ")
    + b"\x80\x02]q\x00X\x01\x00\x00\x000a."
    + struct.pack("<q", 6)
    + bytes(24)
)
CHECKPOINT = [checkpoint({"conv1.weight": [4, 3, 3, 3], "conv1.bias": [4]}), LEGACY]

# --- our small languages ------------------------------------------------------------------------

EXPRESSION = [
    "conv1.parameters * 2 + (3 - 4.5e3) // 'a b'.macs",
    "log2(fc*.neurons) / 1_0, -x",
    "every conv[12]?.macs <= 1",
]
PRINTED = [
    *["60 million", "253,440", "3.8x10^9", "~ 3.8 GFLOPs", "1 %", "6@28x28", "55x55x96 (HWC)"],
    *["1.5 MiB", "2·10⁻³", "12 345", "10^6"],
]
CLAIMS = [
    """nettally: 1
work: 'a paper'
claims:
  - claim: conv1.neurons = 4,704
    quote: 4,704
    place: figure 2
    accounting: keras
  - every conv*.parameters / parameters <= 60 %
  - claim: top1_error = 37.5 %
    measured: true
  - claim: parameters = 60K
    thousand: 1024
    input: 1x64x64
  - conv1.output = 6@28x28
  - log2(fc6.neurons) = 10
  - count(conv) * 2 + conv1.kernel - conv1.stride // 2 = 3
""",
    "receptive_field = 3.8x10^9",
]

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 100,
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 32, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "rope_theta": 500000.0,
}  # fmt: skip
DEEPSEEK = {
    "model_type": "deepseek_v3", "vocab_size": 100, "hidden_size": 16, "intermediate_size": 24,
    "num_hidden_layers": 3, "num_attention_heads": 2, "max_position_embeddings": 32,
    "kv_lora_rank": 8, "q_lora_rank": 6, "qk_nope_head_dim": 4, "qk_rope_head_dim": 2,
    "v_head_dim": 4, "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2,
    "moe_intermediate_size": 8, "first_k_dense_replace": 1, "hidden_act": "silu",
}  # fmt: skip
LANGUAGE_MODELS = [
    json.dumps(each)
    for each in (
        LLAMA,
        {"model_type": "gpt2", "vocab_size": 50, "n_embd": 8, "n_layer": 2, "n_head": 2,
         "n_positions": 16, "activation_function": "gelu_new"},
        DEEPSEEK,
        {**LLAMA, "model_type": "qwen3_moe", "head_dim": 8, "num_experts": 4,
         "num_experts_per_tok": 2, "moe_intermediate_size": 8, "mlp_only_layers": [0]},
        {**LLAMA, "model_type": "gpt_oss", "num_local_experts": 4, "num_experts_per_tok": 2},
        {"model_type": "falcon", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1,
         "num_attention_heads": 4, "new_decoder_architecture": True, "num_kv_heads": 2},
        {"model_type": "opt", "vocab_size": 50, "hidden_size": 8, "word_embed_proj_dim": 4,
         "ffn_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
         "max_position_embeddings": 16, "do_layer_norm_before": False},
        {"model_type": "mamba2", "vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 2,
         "num_heads": 4, "head_dim": 4, "n_groups": 2, "state_size": 4, "chunk_size": 4},
        {"model_type": "jamba", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3,
         "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1,
         "attn_layer_period": 3, "attn_layer_offset": 1, "num_experts": 2, "mamba_d_state": 4},
        {"model_type": "nemotron_h", "vocab_size": 50, "hidden_size": 8, "intermediate_size": 12,
         "hybrid_override_pattern": "M-*E", "num_attention_heads": 2, "num_key_value_heads": 1,
         "head_dim": 4, "mamba_num_heads": 4, "mamba_head_dim": 4, "n_groups": 2,
         "ssm_state_size": 4, "n_routed_experts": 3, "num_experts_per_tok": 2,
         "moe_intermediate_size": 6, "moe_shared_expert_intermediate_size": 10,
         "moe_latent_size": 4},
        {"model_type": "qwen3_5_moe", "tie_word_embeddings": False, "vision_config": {},
         "text_config": {**LLAMA, "model_type": "qwen3_5_moe_text", "head_dim": 8,
                         "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8,
                         "shared_expert_intermediate_size": 8, "full_attention_interval": 2,
                         "linear_num_value_heads": 4, "linear_num_key_heads": 2,
                         "linear_key_head_dim": 4, "linear_value_head_dim": 4}},
    )
]  # fmt: skip

GGUF_BLOCKS = {"F32": (0, 1, 4), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144)}


def gguf(settings: dict[str, Any], tensors: list[tuple[str, list[int], str]]) -> bytes:
    """A file of version 3. tensors: name, sizes with the innermost first, type."""

    def text(word: str) -> bytes:
        return struct.pack("<Q", len(word)) + word.encode()

    def value(each: Any) -> bytes:
        if isinstance(each, str):
            return struct.pack("<I", 8) + text(each)
        if isinstance(each, list):
            return struct.pack("<IIQ", 9, 8, len(each)) + b"".join(map(text, each))
        return struct.pack("<I", 4) + struct.pack("<I", each)

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(settings))
    out += b"".join(text(key) + value(each) for key, each in settings.items())
    offset = 0
    for name, sizes, kind in tensors:
        number, values, size = GGUF_BLOCKS[kind]
        out += text(name) + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
        out += struct.pack("<IQ", number, offset)
        count = 1
        for each in sizes:
            count *= each
        offset += -(-count // values * size // 32) * 32
    out += bytes(-len(out) % 32)
    return out + bytes(offset)


def gguf_llama(kind: str = "Q8_0", *, tied: bool = False, architecture: str = "llama") -> bytes:
    """A Llama of one block."""
    settings: dict[str, Any] = {
        "general.architecture": architecture, "general.name": "tiny",
        f"{architecture}.embedding_length": 32, f"{architecture}.block_count": 1,
        f"{architecture}.feed_forward_length": 64, f"{architecture}.attention.head_count": 4,
        f"{architecture}.attention.head_count_kv": 2, f"{architecture}.context_length": 16,
        "tokenizer.ggml.tokens": [f"<{i}>" for i in range(96)],
    }  # fmt: skip
    shapes = {
        "token_embd": [32, 96], "blk.0.attn_norm": [32], "blk.0.attn_q": [32, 32],
        "blk.0.attn_k": [32, 16], "blk.0.attn_v": [32, 16], "blk.0.attn_output": [32, 32],
        "blk.0.ffn_norm": [32], "blk.0.ffn_gate": [32, 64], "blk.0.ffn_up": [32, 64],
        "blk.0.ffn_down": [64, 32], "output_norm": [32],
    }  # fmt: skip
    if not tied:
        shapes["output"] = [32, 96]
    tensors = [
        (f"{name}.weight", shape, kind if len(shape) > 1 else "F32")
        for name, shape in shapes.items()
    ]
    return gguf(settings, tensors)


GGUF = [
    gguf_llama(),
    gguf_llama("F32", tied=True),
    gguf_llama(architecture="unheard"),
    gguf({}, [("a", [256, 2], "Q4_K")]),
]

MADE: dict[str, list[str] | list[bytes]] = {
    "native": NATIVE,
    "cuda_convnet": CUDA_CONVNET,
    "darknet": DARKNET,
    "caffe": CAFFE,
    "caffemodel": CAFFEMODEL,
    "onnx": ONNX,
    "keras": KERAS,
    "gguf": GGUF,
    "language_models": LANGUAGE_MODELS,
    "tflite": TFLITE,
    "safetensors": SAFETENSORS,
    "checkpoint": CHECKPOINT,
    "expression": EXPRESSION,
    "printed": PRINTED,
    "claims": CLAIMS,
}
FOLDERS = {
    "cuda_convnet": "cuda-convnet",
    "darknet": "darknet",
    "caffe": "caffe",
    "onnx": "onnx",
    "keras": "keras-json",
    "tflite": "tflite",
}
"""The collected files of a format."""


def seeds(name: str) -> list[bytes]:
    """Files to begin with: those made here, then the collected ones."""
    made = [each.encode() if isinstance(each, str) else each for each in MADE.get(name, [])]
    return [*made, *_collected(name)]


def _collected(name: str) -> list[bytes]:
    beside = HERE.parents[2] / "shared"
    corpus = Path(os.environ.get("NETTALLY_SHARED") or beside) / "corpus"
    index = corpus / "index.csv"
    if name not in FOLDERS or not index.is_file():
        return []
    formats = {FOLDERS[name], *(["onnx-node-tests"] if name == "onnx" else [])}
    with index.open(encoding="utf-8", newline="") as file:
        paths = [corpus / row["file"] for row in csv.DictReader(file) if row["format"] in formats]
    return [path.read_bytes() for path in paths if path.stat().st_size <= MOST]
