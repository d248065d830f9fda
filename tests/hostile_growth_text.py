"""Files in text that grow and do harm, for the law of tests/hostile/test_growth.py.

GENERATORS: by a name, what the file is called, a function from the size that is wanted, in bytes,
to the file's bytes, which are about as many, and, where there is any, what is asked of it.
"""
# ruff: noqa: E501  (tables: a generator a line)

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Item = str | Callable[[int], str]
Generator = Callable[[int], bytes]


def growing(head: str, item: Item, tail: str = "", between: str = "") -> Generator:
    """A head, as many items as the size allows, and a tail. An item may depend on its number."""

    def write(size: int) -> bytes:
        parts: list[str] = []
        room = size - len(head) - len(tail)
        number = 0
        while room > 0:
            part = item if isinstance(item, str) else item(number)
            parts.append(part)
            room -= len(part) + len(between)
            number += 1
        return (head + between.join(parts) + tail).encode()

    return write


def lines(head: str, item: Item, longest: int = 90_000, tail: str = "\n") -> Generator:
    """Lines that begin with ``head`` and are filled up with items to ``longest`` characters."""

    def write(size: int) -> bytes:
        whole: list[str] = []
        room = size
        while room > 0:
            line = growing(head, item, tail)(min(longest, room)).decode()
            whole.append(line)
            room -= len(line)
        return "".join(whole).encode()

    return write


def under(head: str, body: Generator, tail: str = "") -> Generator:
    """A body under a head."""
    return lambda size: head.encode() + body(size - len(head) - len(tail)) + tail.encode()


def named(count: int, form: str) -> str:
    """The numbers below ``count``, each in a form."""
    return "".join(map(form.format, range(count)))


# --- nettally's own -----------------------------------------------------------------------------

Y = "nettally: 1\ninput: 3x8x8\n"
L = Y + "layers:\n  - a: relu\n"

NATIVE: dict[str, Generator] = {
    "deep lists": growing("", "["),
    "deep dashes": growing("", "- "),
    "deep keys": growing(L + "  - b: ", "{a: "),
    "brackets": lines("  - b: conv ", "["),
    "parentheses": growing(L + "  - b: conv ", "("),
    "unknown keys": growing(L, lambda i: f"key{i}: 1\n"),
    "known key twice": growing(L, "notes: a\n"),
    "fields": growing(L + "  - b: {layer: conv, ", lambda i: f"field{i}: 1, ", "}\n"),
    "inputs": growing("nettally: 1\ninput:\n", lambda i: f"  i{i}: 1\n", "layers:\n  - a: add from i0, i1\n"),
    "inputs in one line": growing("nettally: 1\ninput: {", lambda i: f"i{i}: 1, ", "}\nlayers:\n  - a: add from i0, i1\n"),
    "inputs that are read": lambda size: (
        growing("nettally: 1\ninput:\n", lambda i: f"  i{i}: 1\n")(size // 2)
        + growing("layers:\n  - a0: relu from i0\n", lambda i: f"  - b{i}: relu from i{i}\n")(size // 2)
    ),
    "axes of an input": growing("nettally: 1\ninput: [", "1, ", "1]\nlayers:\n  - a: relu\n"),
    "notes": growing(Y + "notes:\n", "  - x\n", "layers:\n  - a: relu\n"),
    "long title": growing(Y + "title: ", "x", "\nlayers:\n  - a: relu\n"),
    "long name": growing(L + "  - ", "x", ": relu\n"),
    "long names": growing(L, lambda i: f"  - {'x' * 200}.{i}: relu\n"),
    "deep groups": growing(L, lambda i: f"  - {'a.' * 100}{i}: relu\n"),
    "long numeral": growing(L + "  - b: linear ", "9", "\n"),
    "numerals": growing(L, lambda i: f"  - b{i}: linear {'1' * 9}\n"),
    "anchors": growing("a: &a [x]\n", lambda i: f"a{i}: &a{i} [*a]\n"),
    "comments": growing(L, "# x\n"),
    "blank lines": growing(L, "\n"),
    "quotes": growing(L + "  - b: conv ", "'"),
    "values": lines("  - b: conv ", "1,"),
    "words": under(L, lines("  - b: conv ", "1 ")),
    "words of sizes": under(L, lines("  - b: conv ", "1 x ")),
    "fields in a line": under(L, lines("  - b: conv 1, 1", ", stride 1")),
    "sums": under(L, lines("  - b: linear 1", "+1")),
    "products": under(L, lines("  - b: linear 1", "*1")),
    "sums of many layers": growing(L, lambda i: f"  - b{i}: linear 1{'+1' * 20}\n"),
    "from": under(L, lines("  - b: add from a", ", a")),
    "quoted from": under(L, lines("  - b: add from 'a'", ", 'a'")),
    "froms": growing(L, lambda i: f"  - b{i}: add from a, a, a, a, a\n"),
    "a chain": growing(L, lambda i: f"  - b{i}: relu\n"),
    "a star": growing(L, lambda i: f"  - b{i}: relu from a\n"),
    "convolutions": growing(L, lambda i: f"  - b{i}: conv 3, 3x3, padding same\n"),
    "all before": growing(L, lambda i: f"  - b{i}: concat from a{named(i, ', b{}')}\n"),
    "growing channels": growing(L, lambda i: f"  - b{i}: concat from {f'b{i - 1}' if i else 'a'}, a\n"),
    "shared weights": growing(Y + "layers:\n  - a: linear 3\n  - c: linear 3\n  - b: linear 3\n", lambda i: f"  - b{i}: linear 3, weights {f'b{i - 1}' if i else 'b'}\n"),
    "side by side": growing(L, lambda i: f"  - b{i}_{{1..5}}: relu each from a\n"),
    "ranges that are read": growing(L + "  - b_{1..50000}: relu each from a\n", lambda i: f"  - c{i}: add from b_{{1..50000}}\n"),
    "one range": growing(L + "  - b_{1..59990}: relu\n", "# x\n"),
    "one range of convolutions": growing(L + "  - b_{1..59990}: conv 3, 3x3, padding same\n", "# x\n"),
    "sequences": growing(Y.replace("3x8x8", "8x8") + "layers:\n", lambda i: f"  - b{i}: linear 3 from data\n"),
    "the same name": growing(L, "  - b: relu\n"),
    "a name misspelt": growing(L, lambda i: f"  - layer{i}: relu\n", "  - z: relu from layre1\n"),
    "a block misspelt": growing(Y + "blocks:\n", lambda i: f"  block{i}:\n    - a: relu\n", "layers:\n  - z: blokc1\n"),
    "weights misspelt": growing(L, lambda i: f"  - layer{i}: relu\n", "  - z: linear 1, weights layre1\n"),
    "blocks": growing(Y + "blocks:\n", lambda i: f"  block{i}:\n    - a: relu\n", "layers:\n  - z: block1\n"),
    "blocks that call": growing(Y + "blocks:\n  b0:\n    - a: relu\n", lambda i: f"  b{i + 1}:\n    - a: b{i}\n", "layers:\n  - z: b9\n"),
    "calls": growing(Y + "blocks:\n  b(w = 1, x = w + 1):\n    - a: relu\n    - c: linear x\nlayers:\n", lambda i: f"  - z{i}: b {i + 1}\n"),
    "parameters of a block": growing(Y + "blocks:\n  'b(a0", lambda i: f", a{i + 1} = a{i} + 1", ")':\n    - a: relu\nlayers:\n  - z: b 1\n"),
    "calls that misspell": growing(Y + "blocks:\n  b:\n", lambda i: f"    - layer{i}: relu\n", "    - z: relu from layre1\nlayers:\n  - z: b\n"),
    "ranges": growing(L, lambda i: f"  - b{i}_{{1..5}}: relu\n"),
    "outputs": growing(L + "outputs:\n", "  - a\n"),
    "outputs misspelt": growing(L, lambda i: f"  - layer{i}: relu\n", "outputs: [layre1]\n"),
    "opaque": growing(L, lambda i: f"  - b{i}: opaque what{i}\n"),
    "tensors": growing(L + "  - b: {layer: opaque, type: x, size: [1], tensors: {", lambda i: f"t{i}: [1], ", "}}\n"),
    "parts": growing(Y + "layers:\n  - b: {layer: conv_sum, parts: [", "'conv 8, 1', ", "]}\n"),
}  # fmt: skip

# --- Caffe --------------------------------------------------------------------------------------

P = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n"
R = P + "layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'a' }\n"


def caffe(kind: str, more: str = "", top: str = "b{i}", bottom: str = "a") -> Callable[[int], str]:
    return lambda i: (
        f"layer {{ name: 'b{i}' type: '{kind}' bottom: '{bottom.format(i=i, j=i - 1)}' "
        f"top: '{top.format(i=i)}' {more.format(i=i)} }}\n"
    )


def before(i: int) -> str:
    return f"b{i - 1}" if i else "a"


CAFFE: dict[str, Generator] = {
    "deep messages": growing(R + "layer ", "{ a "),
    "deep lists": growing(R + "layer ", "{ a: ["),
    "unknown fields": growing(R, lambda i: f"field{i}: 1\n"),
    "one unknown field": growing(R, "x: 1\n"),
    "unknown fields of a layer": growing(R + "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'b' ", lambda i: f"field{i}: 1 ", "}"),
    "unknown fields of layers": growing(R, caffe("ReLU", "feild{i}: 1")),
    "misspelt fields of layers": growing(R, caffe("Convolution", "convolution_param {{ num_output: 1 kernel_size: 1 strdie: 1 pda{i}: 1 }}")),
    "fields twice": growing(R + "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'b' ", "name: 'b' ", "}"),
    "sizes": growing("layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'a' } input: 'data' input_shape { ", "dim: 1 ", "}\n"),
    "sizes in a list": growing("layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'a' } input: 'data' input_shape { dim: [1", ", 1", "] }\n"),
    "inputs": growing("layer { name: 'a' type: 'ReLU' bottom: 'd0' top: 'a' } ", lambda i: f"input: 'd{i}' input_shape {{ dim: 1 dim: 2 }}\n"),
    "inputs first": lambda size: (
        growing("layer { name: 'a' type: 'ReLU' bottom: 'd0' top: 'a' } ", lambda i: f"input: 'd{i}'\n")(2 * size // 5) + growing("", "input_shape { dim: 1 dim: 2 }\n")(size // 5 * 3)
    ),
    "strings that adjoin": growing(R + "name: ", "'x' "),
    "long name": growing(R + "layer { name: '", "x", "' type: 'ReLU' bottom: 'a' top: 'b' }"),
    "long names": growing(R, lambda i: f"layer {{ name: '{'x' * 200}{i}' type: 'ReLU' bottom: 'a' top: 'b' }}\n"),
    "long type": growing(R + "layer { name: 'b' type: '", "x", "' bottom: 'a' top: 'b' }"),
    "long blob": growing(R + "layer { name: 'b' type: 'ReLU' bottom: '", "x", "' top: 'b' }"),
    "long numeral": growing(R + "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'b' relu_param { negative_slope: ", "9", "} }"),
    "long word": growing(R + "name: ", "x"),
    "escapes": growing(R + "name: '", "\\", "'"),
    "slashes": growing(R + "name: '", "\\\\", "'"),
    "comments": growing(R, "# x\n"),
    "blanks": growing(R, " "),
    "marks": growing(R, ";"),
    "no marks": growing(R, "$"),
    "a chain": growing(R, lambda i: f"layer {{ name: 'b{i}' type: 'ReLU' bottom: '{before(i)}' top: 'b{i}' }}\n"),
    "a chain in place": growing(R, caffe("ReLU", top="a")),
    "layers of one name": growing(R, "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'a' }\n"),
    "layers and tops of one name": growing(R, "layer { name: 'b' type: 'Pooling' bottom: 'a' top: 'b' pooling_param { kernel_size: 1 } }\n"),
    "a star": growing(R, caffe("ReLU")),
    "no names": growing(R, "layer { type: 'ReLU' bottom: 'a' top: 'b' }\n"),
    "unknown types": growing(R, lambda i: f"layer {{ name: 'b{i}' type: 'ReLUU{i}' bottom: 'a' top: 'b{i}' }}\n"),
    "all before": growing(R, lambda i: f"layer {{ name: 'b{i}' type: 'Concat' top: 'b{i}' bottom: 'a' " + named(i, "bottom: 'b{}' ") + "}\n"),
    "bottoms": growing(R + "layer { name: 'b' type: 'Eltwise' top: 'b' ", "bottom: 'a' ", "}"),
    "bottoms that are not there": growing(R + "layer { name: 'b' type: 'Eltwise' top: 'b' ", lambda i: f"bottom: 'x{i}' ", "}"),
    "tops": growing(R + "layer { name: 'b' type: 'Split' bottom: 'a' ", lambda i: f"top: 't{i}' ", "}"),
    "tops of a slice": growing(R + "layer { name: 'b' type: 'Slice' bottom: 'a' ", lambda i: f"top: 't{i}' ", "}"),
    "tops of one name": growing(R + "layer { name: 'b' type: 'Split' bottom: 'a' ", "top: 't' ", "}"),
    "tops of data": growing(R + "layer { name: 'b' type: 'Input' ", lambda i: f"top: 't{i}' ", "input_param { shape { dim: 1 dim: 2 } } }"),
    "tops of data that are read": growing("layer { name: 'b' type: 'Input' ", lambda i: f"top: 't{i}' ", "input_param { shape { dim: 1 dim: 2 } } } layer { name: 'c' type: 'ReLU' bottom: 't1' top: 'c' }"),
    "points of a slice": growing(R + "layer { name: 'b' type: 'Slice' bottom: 'a' top: 't' top: 'u' slice_param { ", lambda i: f"slice_point: {i + 1} ", "} }"),
    "shared weights": growing(P, lambda i: f"layer {{ name: 'b{i}' type: 'InnerProduct' bottom: 'data' top: 'b{i}' param {{ name: 'w' }} param {{ name: 'v' }} inner_product_param {{ num_output: 2 }} }}\n"),
    "parameters": growing(R + "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'b' ", lambda i: f"param {{ name: 'w{i}' }} ", "}"),
    "stages": growing(R + "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'b' include { ", lambda i: f"stage: 's{i}' ", "} }"),
    "rules": growing(R + "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'b' ", lambda i: f"include {{ stage: 's{i}' }} ", "}"),
    "stages of layers": growing(R, caffe("ReLU", "include {{ stage: 's{i}' }}")),
    "a blob misspelt": growing(R, caffe("ReLU"), "layer { name: 'z' type: 'ReLU' bottom: 'bb1' top: 'z' }"),
    "V1 layers": growing(P, lambda i: f"layers {{ name: 'b{i}' type: RELU bottom: 'data' top: 'b{i}' }}\n"),
    "V0 layers": growing(P, lambda i: f"layers {{ layer {{ name: 'b{i}' type: 'relu' }} bottom: 'data' top: 'b{i}' }}\n"),
    "V0 paddings": growing(P, lambda i: f"layers {{ layer {{ name: 'p{i}' type: 'padding' pad: 1 }} bottom: 'data' top: 'p{i}' }} layers {{ layer {{ name: 'b{i}' type: 'conv' num_output: 1 kernelsize: 1 }} bottom: 'p{i}' top: 'b{i}' }}\n"),
    "convolutions": growing(R, caffe("Convolution", "convolution_param {{ num_output: 3 kernel_size: 3 pad: 1 }}")),
    "Python layers": growing(R, caffe("Python", "python_param {{ module: 'm{i}' }}")),
    "losses": growing(R, caffe("SoftmaxWithLoss")),
    "recurrent": growing("input: 'a' input_shape { dim: 5 dim: 1 dim: 3 }\n", caffe("LSTM", "recurrent_param {{ num_output: 3 }}")),
    "pyramids": growing(R, caffe("SPP", "spp_param {{ pyramid_height: 10 }}")),
    "fillers": growing(R, caffe("BatchNorm")),
}  # fmt: skip

# --- Darknet ------------------------------------------------------------------------------------

D = "[net]\nheight=32\nwidth=32\nchannels=3\n"
C = "[convolutional]\nfilters=3\nsize=1\n"

DARKNET: dict[str, Generator] = {
    "sections": growing(D, "[dropout]\n"),
    "convolutions": growing(D, "[convolutional]\nfilters=3\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n"),
    "brackets": growing(D, "["),
    "keys": growing(D + C, lambda i: f"key{i}=1\n"),
    "keys of the net": growing(D, lambda i: f"key{i}=1\n", C),
    "one key": growing(D + C, "filters=3\n"),
    "keys without a value": growing(D + C, lambda i: f"k{i}=\n"),
    "lines without =": growing(D + C, lambda i: f"k{i}\n"),
    "misspelt keys": growing(D, lambda i: f"[convolutional]\nfilters=3\nsize=1\nfliters{i}=1\n"),
    "misspelt types": growing(D, lambda i: f"[convlutional{i}]\nfilters=3\n"),
    "one misspelt type": growing(D, "[convlutional]\nfilters=3\n"),
    "values that are cut": growing(D, lambda i: f"[convolutional]\nfilters=3x{i}\nsize=1\n"),
    "long key": growing(D + C, "k", "=1\n"),
    "long value": growing(D + C + "key=", "1", "\n"),
    "long number": growing(D + "[convolutional]\nfilters=", "1", "\n"),
    "long float": growing(D + "[dropout]\nprobability=0.", "1", "\n"),
    "long type": growing(D + "[", "x", "]\n"),
    "all before": growing(D + C, lambda i: f"[route]\nlayers={named(i + 1, '{},')[:-1]}\n"),
    "a route of one": growing(D + C, "[route]\nlayers=0\n"),
    "a route": growing(D + C + "[route]\nlayers=0", ",0", "\n"),
    "routes that grow": growing(D + C, "[route]\nlayers=-1,0\n"),
    "a route that doubles": growing(D + C, "[route]\nlayers=-1,-1\n"),
    "shortcuts": growing(D + C + C, "[shortcut]\nfrom=0\nactivation=linear\n"),
    "a shortcut of many": growing(D + C + C + "[shortcut]\nactivation=linear\nfrom=0", ",0", "\n"),
    "opaque": growing(D + C, "[maxpool]\nmaxpool_depth=1\nout_channels=3\nsize=1\n"),
    "heads": growing(D + "[convolutional]\nfilters=18\nsize=1\n", "[yolo]\nmask=0,1,2\nclasses=1\nnum=3\nanchors=1,1,1,1,1,1\n"),
    "masks": growing(D + "[convolutional]\nfilters=18\nsize=1\n[yolo]\nclasses=1\nmask=0", ",0", "\n"),
    "anchors": growing(D + "[convolutional]\nfilters=18\nsize=1\n[yolo]\nclasses=1\nnum=3\nanchors=1", ",1", "\n"),
    "recurrent": growing("[net]\ninputs=3\n", "[lstm]\noutput=3\n"),
    "comments": growing(D + C, "#\n"),
    "nets": growing(D, D),
    "groups of routes": growing(D + "[convolutional]\nfilters=4\nsize=1\n", "[route]\nlayers=0\ngroups=2\ngroup_id=1\n"),
    "local": growing(D, "[local]\nfilters=3\nsize=1\n"),
    "history": growing(D + C, "[history]\nhistory_size=2\n"),
}  # fmt: skip

# --- cuda-convnet -------------------------------------------------------------------------------

DATA = "[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=1\n"
F = DATA + "[fc]\ntype=fc\ninputs=data\noutputs=3\ninitW=0.01\n"
V = (
    DATA
    + """[conv]
type=conv
inputs=data
channels=3
filters=16
padding=0
stride=1
filterSize=8
initW=0.01
partialSum=1
sharedBiases=1
"""
)


def convnet(more: str) -> Callable[[int], str]:
    return lambda i: f"[b{i}]\n" + more.format(i=i)


CUDA_CONVNET: dict[str, Generator] = {
    "layers": growing(F, convnet("type=fc\ninputs=fc\noutputs=3\ninitW=0.01\n")),
    "a chain": growing(F, lambda i: f"[b{i}]\ntype=fc\ninputs={f'b{i - 1}' if i else 'fc'}\noutputs=3\ninitW=0.01\n"),
    "neurons": growing(F, convnet("type=neuron\ninputs=fc\nneuron=tanh[1,2]\n")),
    "a chain backwards": lambda size: (DATA + "".join(
        f"[b{i}]\ntype=neuron\ninputs={f'b{i + 1}' if i + 1 < size // 40 else 'data'}\nneuron=relu\n" for i in range(size // 40))).encode(),
    "inputs": growing(F + "[b]\ntype=concat\ninputs=fc", ",fc", "\n"),
    "inputs of a sum": growing(F + "[b]\ntype=eltsum\ncoeffs=1\ninputs=fc", ",fc", "\n"),
    "inputs that are not there": growing(F + "[b]\ntype=concat\ninputs=fc", ",x", "\n"),
    "all before": growing(F, lambda i: f"[b{i}]\ntype=concat\ninputs=fc{named(i, ',b{}')}\n"),
    "keys": growing(F, lambda i: f"key{i}=1\n"),
    "one key": growing(F, "outputs=3\n"),
    "misspelt keys": growing(F, convnet("type=fc\ninputs=fc\noutptus{i}=1\noutputs=3\ninitW=0.01\n")),
    "misspelt types": growing(F, convnet("type=conw{i}\ninputs=fc\n")),
    "a misspelt input": growing(F, convnet("type=neuron\ninputs=fc\nneuron=relu\n"), "[z]\ntype=neuron\ninputs=bb1\nneuron=relu\n"),
    "sections of one name": growing(F, "[b]\ntype=neuron\ninputs=fc\nneuron=relu\n"),
    "bare sections": growing(F, lambda i: f"[b{i}]\n"),
    "defaults": growing("[DEFAULT]\n", lambda i: f"key{i}=1\n", F),
    "defaults of many": lambda size: growing("[DEFAULT]\n", lambda i: f"key{i}=1\n")(size // 2) + growing(F, convnet("type=neuron\ninputs=fc\nneuron=relu\n"))(size // 2),
    "references": growing(F + "x=y\n", lambda i: f"k{i}=%(x)s\n"),
    "references that double": lambda size: (DATA + "[fc]\ntype=fc\ninputs=data\ninitW=0.01\na=11111111\nb=%(a)s%(a)s%(a)s%(a)s\nc=%(b)s%(b)s%(b)s%(b)s\nd=%(c)s%(c)s%(c)s%(c)s\noutputs=%(d)s%(d)s\n" + "#" * (size - 150)).encode(),
    "references of many layers": growing(DATA + "[DEFAULT]\nlong=" + "x" * 5000 + "\n" + F[len(DATA):], convnet("type=neuron\ninputs=fc\nneuron=%(long)s\n")),
    "signs": growing(F + "k=", "%"),
    "more lines": growing(F + "k=1\n", " 1\n"),
    "long value": growing(F + "k=", "1", "\n"),
    "long number": growing(DATA + "[fc]\ntype=fc\ninputs=data\ninitW=0.01\noutputs=", "1", "\n"),
    "long name": growing(F + "[", "x", "]\ntype=neuron\ninputs=fc\nneuron=relu\n"),
    "comments": growing(F, "# x\n"),
    "brackets": growing(F, "["),
    "neuron's values": growing(F + "[b]\ntype=neuron\ninputs=fc\nneuron=tanh[1", ",1", "]\n"),
    "weights of others": growing(F, convnet("type=fc\ninputs=fc\noutputs=3\ninitW=0.01\nweightSource=fc[0]\n")),
    "sizes to try": growing(V, convnet("type=neuron\ninputs=conv\nneuron=relu\n"), "[fc]\ntype=fc\ninputs=conv\noutputs=10\ninitW=0.01\n"),
    "sizes to try of a chain": growing(V, lambda i: f"[b{i}]\ntype=fc\ninputs={f'b{i - 1}' if i else 'conv'}\noutputs=10\ninitW=0.01\n"),
    "costs": growing(F, convnet("type=cost.logreg\ninputs=labels,fc\n")),
}  # fmt: skip

# --- Keras --------------------------------------------------------------------------------------

START = {
    "class_name": "InputLayer", "name": "a",
    "config": {"batch_input_shape": [None, 4], "name": "a"}, "inbound_nodes": [],
}  # fmt: skip


def dense(name: str, *sources: str, kind: str = "Dense", **config: Any) -> dict[str, Any]:
    """A layer of a functional model, called once."""
    calls = [[[source, 0, 0, {}] for source in sources]]
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, "units": 4, **config},
        "inbound_nodes": calls,
    }


def functional(layers: list[Any], end: str = "a") -> dict[str, Any]:
    config = {"name": "m", "layers": layers, "input_layers": [["a", 0, 0]]}
    return {"class_name": "Functional", "config": {**config, "output_layers": [[end, 0, 0]]}}


def model(item: Callable[[int], dict[str, Any]], *, all_out: bool = False) -> Generator:
    """A functional model of as many layers as the size allows; the last one, or all, put out."""

    def write(size: int) -> bytes:
        layers = [json.dumps(START)]
        names: list[str] = []
        room = size - 300
        while room > 0:
            layer = item(len(names))
            names.append(layer["name"])
            layers.append(json.dumps(layer))
            room -= len(layers[-1]) + 2 + all_out * (len(names[-1]) + 12)
        outputs = [[name, 0, 0] for name in (names if all_out else names[-1:])]
        config = f'"name": "m", "layers": [{", ".join(layers)}], "input_layers": [["a", 0, 0]]'
        outs = json.dumps(outputs)
        whole = f'{{"class_name": "Functional", "config": {{{config}, "output_layers": {outs}}}}}'
        return whole.encode()

    return write


def sequential(item: Callable[[int], dict[str, Any]]) -> Generator:
    whole = {"class_name": "Sequential", "config": {"name": "m", "layers": [START, "HERE"]}}
    head, _, tail = json.dumps(whole).partition('"HERE"')
    return growing(head, lambda i: json.dumps(item(i)), tail, ", ")


def inside(item: Item, head: str = "[", tail: str = "]", **config: Any) -> Generator:
    """A model of one layer whose configuration holds something long."""
    layer = dense("d", "a", x="HERE", **config)
    first, _, last = json.dumps(functional([START, layer], "d")).partition('"HERE"')
    return growing(first + head, item, tail + last, ", " if head in ("[", "{") else "")


def keras_layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


def called_often(size: int) -> bytes:
    calls = [[["d", i - 1, 0, {}]] if i else [["a", 0, 0, {}]] for i in range(size // 25)]
    layer = {**dense("d", "a"), "inbound_nodes": calls}
    return json.dumps(functional([START, layer], "d")).encode()


def a_model_called_often(size: int) -> bytes:
    inner = functional(
        [START, *(dense(f"x{i}", "a" if not i else f"x{i - 1}") for i in range(size // 400))]
    )
    inner["config"]["output_layers"] = [[f"x{size // 400 - 1}", 0, 0]]
    calls = [[["inner", i, 0, {}]] if i else [["a", 0, 0, {}]] for i in range(1, size // 60)]
    whole = {**inner, "name": "inner", "inbound_nodes": [[["a", 0, 0, {}]], *calls]}
    return json.dumps(functional([START, whole], "inner")).encode()


def a_chain_backwards(size: int) -> bytes:
    count = size // 160
    layers = [dense(f"d{i}", f"d{i - 1}" if i else "a") for i in range(count)]
    return json.dumps(functional([START, *reversed(layers)], f"d{count - 1}")).encode()


def models_in_models(size: int) -> bytes:
    inner: Any = {"class_name": "Dense", "name": "x", "config": {"name": "x", "units": 4}}
    for depth in range(30):
        first = int(depth > 0)
        calls = [[["a", 0, 0, {}]], [["x", first, 0, {}]]]
        inner = {**functional([START, {**inner, "inbound_nodes": calls}], "x"), "name": "x"}
        inner["config"]["output_layers"] = [["x", first + 1, 0]]
    text = json.dumps(inner)
    return (text[:-1] + ', "x": "' + "x" * (size - len(text)) + '"}').encode()


KERAS: dict[str, Generator] = {
    "a star": model(lambda i: dense(f"d{i}", "a"), all_out=True),
    "a chain": model(lambda i: dense(f"d{i}", f"d{i - 1}" if i else "a")),
    "a sequence": sequential(lambda i: keras_layer("Dense", f"d{i}", units=4)),
    "a sequence of one name": sequential(lambda i: keras_layer("Dense", "d", units=4)),
    "a sequence of no names": sequential(lambda i: {"class_name": "Dense", "config": {"units": 4}}),
    "a sequence that is unknown": sequential(lambda i: keras_layer(f"Desne{i}", f"d{i}", units=4)),
    "layers of one name": model(lambda i: dense("d", "a"), all_out=True),
    "unknown layers": model(lambda i: dense(f"d{i}", "a", kind=f"Desne{i}"), all_out=True),
    "one unknown layer": model(lambda i: dense(f"d{i}", "a", kind="Desne"), all_out=True),
    "lambdas": model(lambda i: dense(f"d{i}", "a", kind="Lambda"), all_out=True),
    "activations": model(lambda i: dense(f"d{i}", "a", kind="Activation", activation=f"rleu{i}"), all_out=True),
    "unknown sources": model(lambda i: dense(f"d{i}", f"zzz{i}")),
    "all before": model(lambda i: dense(f"d{i}", "a", "a", *(f"d{j}" for j in range(i)), kind="Concatenate", axis=-1)),
    "sources": model(lambda i: dense(f"d{i}", *["a"] * 2000, kind="Add")),
    "a layer called often": called_often,
    "a model called often": a_model_called_often,
    "a chain backwards": a_chain_backwards,
    "models in models": models_in_models,
    "inputs": model(lambda i: {**START, "name": f"i{i}", "config": {"batch_input_shape": [None, 4], "name": f"i{i}"}}),
    "outputs": lambda size: json.dumps({"class_name": "Functional", "config": {"name": "m", "layers": [START, dense("d", "a")], "input_layers": [["a", 0, 0]], "output_layers": [["d", 0, 0]] * (size // 12)}}).encode(),
    "numbers": inside("0"),
    "floats": inside("0.5"),
    "lists": inside("[]"),
    "objects": inside("{}"),
    "strings": inside(lambda i: f'"{i}"'),
    "one string": inside('"x"'),
    "keys": inside(lambda i: f'"k{i}": 1', "{", "}"),
    "keys of objects": inside(lambda i: f'{{"k{i}": 1}}'),
    "a key twice": inside('"k": 1', "{", "}"),
    "long string": inside("x", '"', '"'),
    "escapes": inside("\\u0041", '"', '"'),
    "slashes": inside("\\\\", '"', '"'),
    "long number": inside("9", "", ""),
    "long float": inside("9", "0.", ""),
    "deep": growing('{"class_name": "Model", "config": ', "["),
    "deep objects": growing('{"class_name": "Model", "config": ', '{"a": '),
    "blanks": growing('{"class_name": "Model", "config": ', " "),
    "long names": model(lambda i: dense("x" * 200 + str(i), "a"), all_out=True),
    "reshapes": model(lambda i: dense(f"d{i}", "a", kind="Reshape", target_shape=[2, 2]), all_out=True),
    "wrappers": model(lambda i: dense(f"d{i}", "a", kind="TimeDistributed", layer=keras_layer("Dense", "x", units=1)), all_out=True),
    "axes": inside("1", kind="Reshape"),
}  # fmt: skip

SUFFIXES = {
    "native": "yaml",
    "caffe": "prototxt",
    "darknet": "cfg",
    "cuda-convnet": "cfg",
    "keras": "json",
}

ASKED = {"cuda-convnet": {"inputs": {"data": (3, 8, 8)}}}
"""What is asked of a format's files, by the arguments of ``Limited.read``."""

GENERATORS: dict[str, tuple[str, Generator, dict[str, Any]]] = {
    f"{group}: {name}": (
        f"x.{SUFFIXES[group]}",
        write,
        ASKED.get(group, {}) if "sizes to try" not in name else {},
    )
    for group, table in (
        ("native", NATIVE),
        ("caffe", CAFFE),
        ("darknet", DARKNET),
        ("cuda-convnet", CUDA_CONVNET),
        ("keras", KERAS),
    )
    for name, write in table.items()
}
