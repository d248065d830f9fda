"""Files that are wrong, at least ten a format, made here of the small ones in fuzz/seeds.py.

What each is refused with stands in corpus.yaml, under ``malformed``, beside what the collected
files are read as. Each is wrong in one way that a person or a program could have made it; those
that are meant to harm are in tests/hostile.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import seeds as s

NATIVE = {
    "no version": "input: 3x8x8\nlayers:\n  - a: relu\n",
    "another version": "nettally: 2\ninput: 3x8x8\nlayers:\n  - a: relu\n",
    "no layers": "nettally: 1\ninput: 3x8x8\n",
    "no input": "nettally: 1\nlayers:\n  - a: relu\n",
    "an unknown layer": "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: convolve 3, 3x3\n",
    "an unknown field": "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: conv 3, 3x3, strides 2\n",
    "an unknown input": "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: relu from b\n",
    "a name twice": "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: relu\n  - a: relu\n",
    "a window too large": "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: conv 3, 9x9\n",
    "shapes that differ": (
        "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: conv 4, 1x1\n  - b: add from a, data\n"
    ),
    "groups that do not divide": (
        "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: conv 4, 1x1, groups 2\n"
    ),
    "a size of zero": "nettally: 1\ninput: 3x0x8\nlayers:\n  - a: relu\n",
    "text in quotes that never end": "nettally: 1\ninput: 3x8x8\nlayers:\n  - 'a: relu\n",
    "weights of a layer that is not there": (
        "nettally: 1\ninput: 3x8x8\nlayers:\n  - a: conv 4, 1x1, weights z\n"
    ),
}

DATA = "[data]\ntype=data\ndataIdx=0\n"
CONV = "[conv]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=5\ninitW=0.01\n"
CUDA_CONVNET = {
    "no type": DATA + "[fc]\noutputs=10\ninputs=data\n",
    "an unknown type": DATA + "[fc]\ntype=full\noutputs=10\ninputs=data\n",
    "an unknown input": DATA + "[fc]\ntype=fc\noutputs=10\ninputs=images\ninitW=0.1\n",
    "no inputs": DATA + "[fc]\ntype=fc\noutputs=10\ninitW=0.1\n",
    "no equals sign": DATA + "[fc]\ntype=fc\noutputs\ninputs=data\n",
    "text for a number": DATA + CONV.replace("filters=16", "filters=many"),
    "a number below zero": DATA + CONV.replace("filterSize=5", "filterSize=-5"),
    "a filter too large": DATA + CONV.replace("filterSize=5", "filterSize=500"),
    "3 channels in 2 groups": DATA + CONV + "groups=2\n",
    "a cycle": DATA + "[a]\ntype=fc\noutputs=2\ninputs=b\ninitW=1\n"
    "[b]\ntype=fc\noutputs=2\ninputs=a\ninitW=1\n",
    "a section that never ends": DATA + "[conv\ntype=conv\n",
    "a key before any section": "type=data\n" + DATA + CONV,
    "learning rates only": "[conv1]\nepsW=0.001\nepsB=0.002\n\n[fc]\nepsW=0.001\n",
}

NET = "[net]\nheight=32\nwidth=32\nchannels=3\n"
DARKNET = {
    "no layers": NET,
    "no size": "[net]\nbatch=1\n[convolutional]\nfilters=8\nsize=3\n",
    "a section that never ends": NET + "[convolutional\nfilters=8\nsize=3\n",
    "a route to nowhere": NET + "[convolutional]\nfilters=8\nsize=3\n[route]\nlayers=-5\n",
    "a route to a later layer": NET + "[route]\nlayers=3\n[convolutional]\nfilters=8\nsize=3\n",
    "a route without layers": NET + "[convolutional]\nfilters=8\nsize=3\n[route]\n",
    "a shortcut to nowhere": NET + "[convolutional]\nfilters=8\nsize=3\n[shortcut]\nfrom=-9\n",
    "a window too large": NET + "[convolutional]\nfilters=8\nsize=99\n",
    "groups that do not divide": NET + "[convolutional]\nfilters=8\nsize=3\ngroups=5\n",
    "a stride of zero": NET + "[convolutional]\nfilters=8\nsize=3\nstride=0\n",
    "filters below zero": NET + "[convolutional]\nfilters=-8\nsize=3\n",
    "a head with other filters": NET
    + "[convolutional]\nfilters=8\nsize=1\n[yolo]\nmask=0\nanchors=1,2\nclasses=4\nnum=1\n",
}

INPUT = 'name: "n"\ninput: "data"\ninput_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n'


def layer(kind: str, more: str = "", bottom: str = "data", name: str = "a") -> str:
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{name}" {more} }}\n'


CAFFE = {
    "a brace that never closes": INPUT + 'layer { name: "a" type: "ReLU"\n',
    "a brace too many": INPUT + layer("ReLU") + "}\n",
    "a quote that never ends": INPUT + 'layer { name: "a type: ReLU }\n',
    "no value": INPUT + "layer { name: }\n",
    "no size of the input": 'input: "data"\n' + layer("ReLU"),
    "no layer": INPUT,
    "no type": INPUT + 'layer { name: "a" bottom: "data" top: "a" }\n',
    "an unknown bottom": INPUT + layer("ReLU", bottom="date"),
    "no number of outputs": INPUT + layer("Convolution", "convolution_param { kernel_size: 3 }"),
    "no kernel": INPUT + layer("Convolution", "convolution_param { num_output: 3 }"),
    "a kernel too large": INPUT
    + layer("Convolution", "convolution_param { num_output: 3 kernel_size: 9 }"),
    "groups that do not divide": INPUT
    + layer("Convolution", "convolution_param { num_output: 4 kernel_size: 1 group: 2 }"),
    "text for a number": INPUT
    + layer("Convolution", 'convolution_param { num_output: "three" kernel_size: 1 }'),
    "shapes that differ": INPUT
    + layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }")
    + 'layer { name: "b" type: "Eltwise" bottom: "a" bottom: "data" top: "b" }\n',
    "an unknown word for a choice": INPUT
    + layer("Pooling", "pooling_param { pool: MEDIAN kernel_size: 2 }"),
}

MODEL = s.CAFFEMODEL[0]
CAFFEMODEL = {
    "cut off": MODEL[: len(MODEL) // 2],
    "cut off in a varint": MODEL + b"\xa2",
    "a varint too long": MODEL + b"\xa2\x06" + b"\xff" * 11,
    "a group": MODEL + b"\x0b\x0c",
    "a length past the end": MODEL + b"\xa2\x06\xff\x7f",
    "an unknown wire type": MODEL + b"\x0f",
    "a name that is no text": s.message((1, b"\xff\xfe"), (100, s.message((1, "a")))),
    "a field in another wire type": s.message((1, "n"), (100, 7)),
    "blobs of other sizes than the layer": s.message(
        (1, "n"),
        (3, "data"),
        (8, s.message((1, b"\x01\x03\x08\x08"))),
        (100, s.message((1, "c"), (2, "Convolution"), (3, "data"), (4, "c"),
                        (7, s.blob(9, 3, 3, 3)), (106, s.message((1, 4), (4, 3))))),
    ),
    "a size below zero": s.message(
        (1, "n"), (100, s.message((1, "c"), (2, "Odd"), (3, "data"), (4, "c"),
                                  (7, s.message((7, s.message((1, s.varint(-3)))))))),
    ),
    "no layers": s.message((1, "n"), (3, "data"), (8, s.message((1, b"\x01\x03\x08\x08")))),
}  # fmt: skip


def onnx(nodes: list[bytes], **more: Any) -> bytes:
    return s.onnx(nodes, [s.X], [s.value_info("y")], **more)


W = s.initializer("w", 4, 3, 3, 3)
ONNX = {
    "cut off": s.ONNX[0][: len(s.ONNX[0]) // 2],
    "no graph": s.message((1, 8), (2, "p"), (8, s.message((1, ""), (2, 17)))),
    "no nodes": onnx([]),
    "an input that nothing makes": onnx([s.node("Relu", "z", "y")]),
    "a cycle": onnx([s.node("Relu", "b", "a"), s.node("Relu", "a", "b"), s.node("Relu", "x", "y")]),
    "an output twice": onnx([s.node("Relu", "x", "y"), s.node("Sigmoid", "x", "y")]),
    "no such output": s.onnx([s.node("Relu", "x", "z")], [s.X], [s.value_info("y")]),
    "weights for other channels": onnx([s.node("Conv", "x w", "y")],
                                       tensors=[s.initializer("w", 4, 5, 3, 3)]),
    "groups that do not divide": onnx([s.node("Conv", "x w", "y", group=2)], tensors=[W]),
    "another kernel than its weights": onnx([s.node("Conv", "x w", "y", kernel_shape=[5, 5])],
                                            tensors=[W]),
    "a stride of zero": onnx([s.node("Conv", "x w", "y", strides=[0, 0])], tensors=[W]),
    "a reshape that can't be": onnx([s.node("Reshape", "x to", "y")],
                                    tensors=[s.initializer("to", 2, kind=7, raw=s.int64s(7, 11))]),
    "sizes that can't be added": onnx([s.node("Add", "x b", "y")],
                                      tensors=[s.initializer("b", 5)]),
    "matrices that can't be multiplied": onnx([s.node("MatMul", "x b", "y")],
                                              tensors=[s.initializer("b", 5, 5)]),
    "an attribute that is text": onnx([s.node("Conv", "x w", "y", strides="two")], tensors=[W]),
    "fewer inputs than it needs": onnx([s.node("Conv", "x", "y")]),
    "a negative size": s.onnx([s.node("Relu", "x", "y")], [s.value_info("x", 1, -3)],
                              [s.value_info("y")]),
    "an open size": s.onnx([s.node("Relu", "x", "y")], [s.value_info("x", 1, "n")],
                           [s.value_info("y")]),
}  # fmt: skip

OLD, NEW = json.dumps(s.KERAS_OLD), json.dumps(s.KERAS_NEW)
KERAS = {
    "cut off": OLD[: len(OLD) // 2],
    "a key twice": OLD.replace('"class_name": "Functional"',
                               '"class_name": "Functional", "class_name": "Sequential"'),
    "a number that is none": OLD.replace('"filters": 4', '"filters": NaN'),
    "an unknown inbound layer": OLD.replace('[[["in", 0, 0, {}]]]', '[[["inn", 0, 0, {}]]]'),
    "no input": OLD.replace('"batch_input_shape": [null, 16, 16, 3]', '"dtype": "float32"'),
    "a name twice": OLD.replace('"name": "gap"', '"name": "conv"'),
    "no filters": OLD.replace('"filters": 4, ', ""),
    "filters that are text": OLD.replace('"filters": 4', '"filters": "four"'),
    "filters below zero": OLD.replace('"filters": 4', '"filters": -4'),
    "an unknown padding": OLD.replace('"padding": "same"', '"padding": "some"'),
    "a stride of zero": OLD.replace('"strides": [2, 2]', '"strides": [0, 2]'),
    "an output that is no layer": OLD.replace('[["fc", 0, 0], ["fc", 1, 0]]', '[["fd", 0, 0]]'),
    "layers that are no list": OLD.replace('"layers": [', '"layers": 3, "more": ['),
    "a kernel too large": NEW.replace('"kernel_size": [3, 3]', '"kernel_size": [9, 9]'),
    "a reshape that can't be": NEW.replace('"target_shape": [-1, 4]', '"target_shape": [-1, 7]'),
    "an archive without its config": s.archive({"metadata.json": "{}"}),
    "an archive cut off": s.KERAS[4][:-30],
    "an HDF5 file cut off": s.KERAS[-1][:-400],
    "an HDF5 file without the attribute": s.KERAS[-1].replace(b"model_config", b"model_weight"),
    "an HDF5 file with another heap": s.KERAS[-1].replace(b"GCOL", b"HEAP"),
}  # fmt: skip

FLAT = s.TFLITE[0]
TFLITE = {
    "cut off": FLAT[:-40],
    "cut off after its head": FLAT[:8],
    "a root past the end": struct.pack("<I", 2**30) + FLAT[4:],
    "a root below zero": struct.pack("<i", -4) + FLAT[4:],
    "a vtable past the end": FLAT[:8] + b"\xff\x7f" * 8 + FLAT[24:],
    "no subgraph": s.Flat().finish(0),
    "a tensor that is not there": s.tflite([(3, [0, 1, 99], [3], 1)]),
    "a tensor that nothing makes": s.tflite([(1, [3], [4], 5)]),
    "one tensor made twice": s.tflite([(3, [0, 1, 2], [3], 1), (19, [0], [3], 0)]),
    "an output that is not there": s.tflite([(19, [0], [-1], 0), (19, [0], [3], 0)]),
    "another version": FLAT.replace(b"TFL3", b"TFL1"),
}


def tensors(**entries: Any) -> bytes:
    return s.safetensors(entries, 8)


GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
SAFETENSORS = {
    "cut off": s.SAFETENSORS[0][:-8],
    "cut off in the header": s.SAFETENSORS[0][:40],
    "too short": b"\0\0\0",
    "bytes after the end": s.SAFETENSORS[0] + b"\0",
    "no JSON": struct.pack("<Q", 8) + b"{'a': 1}",
    "no tensor": s.SAFETENSORS[1],
    "no dtype": tensors(a={"shape": [2], "data_offsets": [0, 8]}),
    "no offsets": tensors(a={"dtype": "F32", "shape": [2]}),
    "a size below zero": tensors(a={**GOOD, "shape": [-2]}),
    "a size that is no whole number": tensors(a={**GOOD, "shape": [2.0]}),
    "more numbers than bytes": tensors(a={**GOOD, "shape": [3]}),
    "offsets in the wrong order": tensors(a={**GOOD, "data_offsets": [8, 0]}),
    "tensors over each other": tensors(a=GOOD, b={**GOOD, "data_offsets": [4, 12]}),
    "a hole": tensors(a={**GOOD, "shape": [1], "data_offsets": [4, 8]}),
    "a name twice": struct.pack("<Q", 118) + (b'{"a":' + json.dumps(GOOD).encode() + b',"a":'
                    + json.dumps(GOOD).encode() + b"}").ljust(118) + bytes(8),
    "the header is a list": struct.pack("<Q", 2) + b"[]",
}  # fmt: skip

PICKLE = s.pickled({"w": [2, 3]})


def torch(pickle: bytes, storages: int = 1, length: int = 24) -> bytes:
    files = {"data.pkl": pickle, "version": b"3\n"}
    files |= {f"data/{i}": bytes(length) for i in range(storages)}
    return s.archive({f"a/{name}": data for name, data in files.items()})


CHECKPOINT = {
    "cut off": s.CHECKPOINT[0][:-40],
    "no pickle in the archive": s.archive({"a/version": "3"}),
    "two pickles": s.archive({"a/data.pkl": PICKLE, "b/data.pkl": PICKLE, "a/data/0": bytes(24)}),
    "a pickle cut off": torch(PICKLE[:-20]),
    "a pickle without its end": torch(PICKLE[:-1]),
    "an unknown opcode": torch(PICKLE[:-1] + b"\xff."),
    "a function that is none of torch's": torch(b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lstR."),
    "a storage that is not there": torch(PICKLE, storages=0),
    "a storage of another length": torch(PICKLE, length=20),
    "a tensor larger than its storage": torch(PICKLE.replace(b"(K\x02K\x03t", b"(K\x09K\x03t", 1)),
    "no tensors": torch(b"\x80\x02}."),
    "a number": torch(b"\x80\x02K\x07."),
    "an empty stack": torch(b"\x80\x02."),
    "an old file cut off": s.LEGACY[:60],
    "an old file without its storages": s.LEGACY[:-30],
    "a pickle of something else": b"\x80\x02}X\x01\x00\x00\x00aK\x01s.",
}  # fmt: skip

LLAMA = s.LANGUAGE_MODELS[0]
MIXTURE = s.LANGUAGE_MODELS[3]
LANGUAGE_MODELS = {
    "cut off": LLAMA[:100],
    "a key twice": LLAMA.replace('"vocab_size": 100', '"vocab_size": 100, "vocab_size": 101'),
    "a number that is none": LLAMA.replace('"hidden_size": 16', '"hidden_size": NaN'),
    "an unknown type": LLAMA.replace("LlamaFor", "LamaFor").replace(
        '"model_type": "llama"', '"model_type": "lama"'),
    "blocks of unknown kinds": s.LANGUAGE_MODELS[9].replace("M-*E", "M-xE"),
    "heads that do not divide the states": s.LANGUAGE_MODELS[7].replace(
        '"n_groups": 2', '"n_groups": 3'),
    "a text model that is a list": s.LANGUAGE_MODELS[10].replace(
        '"text_config": {', '"text_config": [{').replace("4}}", "4}]}"),
    "no width": LLAMA.replace('"hidden_size": 16, ', ""),
    "a key misspelt": LLAMA.replace('"intermediate_size"', '"intermediat_size"'),
    "a width that is text": LLAMA.replace('"hidden_size": 16', '"hidden_size": "16"'),
    "a width with a fraction": LLAMA.replace('"hidden_size": 16', '"hidden_size": 16.5'),
    "heads that do not divide the width": LLAMA.replace('"hidden_size": 16', '"hidden_size": 18'),
    "groups that do not divide": LLAMA.replace('key_value_heads": 2', 'key_value_heads": 3'),
    "layers below zero": LLAMA.replace('"num_hidden_layers": 2', '"num_hidden_layers": -2'),
    "more layers than atoms": LLAMA.replace('layers": 2', 'layers": 1000000000000000000'),
    "millions of layers": LLAMA.replace('"num_hidden_layers": 2', '"num_hidden_layers": 90000000'),
    "more experts a token than there are": MIXTURE.replace('"num_experts": 4', '"num_experts": 1'),
    "an unknown activation": LLAMA.replace('"silu"', '"sulu"'),
    "tied is no truth value": LLAMA.replace("false", '"false"'),
    "too few types of layers": s.LANGUAGE_MODELS[2].replace(
        '"deepseek_v3"', '"glm_moe_dsa", "index_n_heads": 2, "index_head_dim": 4, '
        '"indexer_types": ["shared"]'),
    "no positions": s.LANGUAGE_MODELS[1].replace('"n_positions": 16', '"n_positions": 0'),
}  # fmt: skip

MODEL = s.GGUF[0]
GGUF = {
    "cut off in its header": MODEL[:300],
    "cut off in its tensors": MODEL[:-64],
    "another version": MODEL[:4] + struct.pack("<I", 9) + MODEL[8:],
    "more tensors than bytes": MODEL[:8] + struct.pack("<Q", 2**63) + MODEL[16:],
    "more keys than bytes": MODEL[:16] + struct.pack("<Q", 2**40) + MODEL[24:],
    "a string past the end": MODEL[:24] + struct.pack("<Q", 2**40) + MODEL[32:],
    "a value of no type": MODEL.replace(
        b"general.name" + struct.pack("<I", 8), b"general.name" + struct.pack("<I", 77)),
    "a key twice": s.gguf({"aaa": 1, "aab": 2}, []).replace(b"aab", b"aaa"),
    "a tensor of no type": MODEL.replace(
        struct.pack("<IQ", 8, 0), struct.pack("<IQ", 99, 0)),
    "a tensor over another": MODEL.replace(
        struct.pack("<IQ", 0, 3264), struct.pack("<IQ", 0, 3232)),
    "a tensor off the grid": MODEL.replace(
        struct.pack("<IQ", 0, 3264), struct.pack("<IQ", 0, 3265)),
    "two tensors of one name": MODEL.replace(b"blk.0.ffn_up", b"blk.0.attn_q"),
    "a size of no blocks": MODEL.replace(
        struct.pack("<IQQ", 2, 32, 96), struct.pack("<IQQ", 2, 33, 96), 1),
    "an alignment of none": s.gguf({"general.alignment": 7}, []),
    "no tensors": s.gguf({}, []),
}  # fmt: skip

INPUTS = {"cuda_convnet": {"": (3, 32, 32)}}
"""Sizes that the files of a format do not tell."""

MALFORMED: dict[str, dict[str, str] | dict[str, bytes] | dict[str, str | bytes]] = {
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
}
