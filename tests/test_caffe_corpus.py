"""Caffe's collected files: each is read or asks for what it lacks, and the counts agree twice.

The second count is an oracle of its own: a schemaless walk over the text and Caffe's formulas,
which shares no code with the reader.
"""
# ruff: noqa: E501  (tables: a case a line)
# Lines of texts and of their errors are easier to compare whole.

from __future__ import annotations

import re
from itertools import pairwise
from math import ceil, floor, prod
from pathlib import Path
from typing import Any

import pytest

from caffe_files import caffemodel
from nettally.counting.tally import Tally, tally
from nettally.errors import ReadError
from nettally.formats import Source, _read, read
from nettally.network import Shape

Tree = dict[str, list[Any]]

# --- a reader in little -------------------------------------------------------------------------

WORDS = re.compile(r"""#.*|"[^"]*"|'[^']*'|[{}:]|[^\s{}:;,"']+""")


def walk(text: str) -> Tree:
    """A text as fields by name, each with all its values, without any schema."""
    words = [word for word in WORDS.findall(text) if word[0] not in "#:"]
    root: Tree = {}
    open_ = [root]
    place = 0
    while place < len(words):
        word = words[place]
        if word == "}":
            open_.pop()
            place += 1
        elif words[place + 1] == "{":
            inner: Tree = {}
            open_[-1].setdefault(word, []).append(inner)
            open_.append(inner)
            place += 2
        else:
            open_[-1].setdefault(word, []).append(words[place + 1].strip("\"'"))
            place += 2
    assert len(open_) == 1
    return root


def counted(
    text: str, blob: str, size: Shape | None, stage: str = ""
) -> tuple[int, int, dict[str, Shape]]:
    """Parameters, MACs for one example, and the blobs' last shapes, by Caffe's own formulas."""
    net = walk(text)
    if "net_param" in net:
        net = net["net_param"][0]
    shapes: dict[str, Shape] = {blob: size} if size else {}
    parameters = macs = 0
    known: set[str] = set()
    dims = [int(d) for d in net.get("input_dim", [])]
    for index, name in enumerate(net.get("input", [])):
        stated = net.get("input_shape", [])
        shape = tuple(int(d) for d in stated[index]["dim"]) if stated else tuple(dims[:4])
        shapes[name] = (1, *shape[1:])
        dims = dims[4:]
    for layer in [*net.get("layer", []), *net.get("layers", [])]:
        if not _in_test(layer, stage):
            continue
        kind = layer["type"][0].replace("_", "").lower()
        bottoms, tops = layer.get("bottom", []), layer.get("top", [])
        if "loss" in kind or kind in ("accuracy", "silence") or layer.get("loss_weight"):
            continue
        if not bottoms:
            shapes[tops[0]] = size or _source(layer)
            shapes.update(dict.fromkeys(tops[1:], (1, 1)))
            continue
        xs = [shapes[bottom] for bottom in bottoms]
        x = xs[0]
        p: Tree = next((v[0] for k, v in layer.items() if k.endswith("_param") and v and
                        k not in ("transform_param", "loss_param", "python_param")), {})  # fmt: skip
        tensors: list[Shape] = []
        ys = [x] * len(tops)
        if kind in ("convolution", "deconvolution", "depthwiseconvolution"):
            n, g = int(p["num_output"][0]), int(p.get("group", ["1"])[0])
            k, s, pad, d = (pair(p, *a) for a in
                            (("kernel", 0), ("stride", 1), ("pad", 0), ("dilation", 1)))  # fmt: skip
            tensors = (
                [(n, x[1] // g, *k)]
                if kind[0] != "d" or (kind[1] == "e" and kind[2] == "p")
                else [(x[1], n // g, *k)]
            )
            if kind == "deconvolution":
                space = [s[i] * (x[2 + i] - 1) + d[i] * (k[i] - 1) + 1 - 2 * pad[i] for i in (0, 1)]
                macs += prod(x) * prod(k) * n // g
            else:
                space = [
                    floor((x[2 + i] + 2 * pad[i] - d[i] * (k[i] - 1) - 1) / s[i]) + 1
                    for i in (0, 1)
                ]
                macs += prod(tensors[0]) * prod(space)
            if p.get("bias_term", ["true"])[0] == "true":
                tensors.append((n,))
            ys = [(x[0], n, *space)]
        elif kind == "pooling":
            if p.get("global_pooling", [""])[0] == "true":
                space = [1, 1]
            else:
                k, s, pad = (pair(p, *a) for a in (("kernel", 0), ("stride", 1), ("pad", 0)))
                space = [ceil((x[2 + i] + 2 * pad[i] - k[i]) / s[i]) + 1 for i in (0, 1)]
                if any(pad):
                    for i in (0, 1):
                        space[i] -= (space[i] - 1) * s[i] >= x[2 + i] + pad[i]
            ys = [(*x[:2], *space)]
        elif kind == "innerproduct":
            n = int(p["num_output"][0])
            tensors = [(n, prod(x[1:]))]
            macs += prod(tensors[0])
            if p.get("bias_term", ["true"])[0] == "true":
                tensors.append((n,))
            ys = [(x[0], n)]
        elif kind == "scale":
            tensors = [(x[1],)] * (1 + (p.get("bias_term", [""])[0] == "true"))
        elif kind == "prelu":
            tensors = [(1,) if p.get("channel_shared", [""])[0] == "true" else (x[1],)]
        elif kind == "normalize":
            tensors = [(1,) if p.get("channel_shared", ["true"])[0] == "true" else (x[1],)]
        elif kind == "concat":
            axis = int(p.get("axis", p.get("concat_dim", ["1"]))[0])
            ys = [(*x[:axis], sum(each[axis] for each in xs), *x[axis + 1 :])]
        elif kind == "flatten":
            ys = [(x[0], prod(x[1:]))]
        elif kind == "permute":
            ys = [tuple(x[int(axis)] for axis in p["order"])]
        elif kind == "slice":
            axis = int(p.get("axis", p.get("slice_dim", ["1"]))[0])
            ends = [0, *map(int, p.get("slice_point", [])), x[axis]]
            if len(ends) != len(tops) + 1:
                ends = [x[axis] // len(tops) * i for i in range(len(tops) + 1)]
            ys = [(*x[:axis], b - a, *x[axis + 1 :]) for a, b in pairwise(ends)]
        elif kind == "crop":
            axis = int(p.get("axis", ["2"])[0])
            ys = [(*x[:axis], *xs[1][axis:])]
        elif kind == "reshape":
            new = [x[i] if int(d) == 0 else int(d) for i, d in enumerate(p["shape"][0]["dim"])]
            ys = [tuple(prod(x) // -prod(new) if d == -1 else d for d in new)]
        elif kind == "axpy":
            ys = [xs[1]]
        elif kind == "priorbox":
            ratios = len(p.get("aspect_ratio", [])) * 2 + 1
            boxes = ratios * len(p["min_size"]) + len(p.get("max_size", []))
            ys = [(1, 2, x[2] * x[3] * boxes * 4)]
        elif kind == "roipooling":
            ys = [(xs[1][0], x[1], int(p["pooled_h"][0]), int(p["pooled_w"][0]))]
        elif kind == "python":
            ys = [(1, 5)]
        elif kind not in SAME:
            assert kind == "detectionoutput", kind
        names = [each["name"][0] if isinstance(each, dict) and "name" in each else each
                 for each in layer.get("param", [])]  # fmt: skip
        for index, tensor in enumerate(tensors):
            name = names[index] if index < len(names) and isinstance(names[index], str) else ""
            if name not in known or not name:
                parameters += prod(tensor)
            known.add(name)
        shapes.update(zip(tops, ys, strict=False))
    return parameters, macs, shapes


SAME = frozenset(
    [
        "relu",
        "sigmoid",
        "tanh",
        "dropout",
        "lrn",
        "batchnorm",
        "softmax",
        "eltwise",
        "power",
        "split",
        "elu",
        "absval",
    ]
)


def pair(p: Tree, stem: str, default: int) -> tuple[int, int]:
    name = "kernel_size" if stem == "kernel" else stem
    values = [int(v) for v in p.get(name, [])] or [
        int(p.get(f"{stem}_{a}", [default])[0]) for a in "hw"
    ]
    return (values[0], values[-1])


def _in_test(layer: Tree, stage: str) -> bool:
    rules = layer.get("include", [])
    meets = [
        rule.get("phase", ["TEST"])[0] == "TEST" and set(rule.get("stage", [])) <= {stage}
        for rule in rules
    ]
    return any(meets) or not rules


def _source(layer: Tree) -> Shape:
    stated = next((p for k in layer for p in layer[k] if k == "input_param"), None)
    if stated is not None:
        return (1, *map(int, stated["shape"][0]["dim"][1:]))
    inner = [p for messages in layer.values() for p in messages if isinstance(p, dict)]
    for p in inner:
        if "crop_size" in p:
            side = int(p["crop_size"][0])
            return (1, 3, side, side)
    for p in inner:
        if "new_height" in p:
            return (1, 3, int(p["new_height"][0]), int(p["new_width"][0]))
        if "data_filler" in p:
            return (1, *map(int, p["shape"][0]["dim"][1:]))
    raise AssertionError(layer)


# --- the files ----------------------------------------------------------------------------------

ASKING: dict[str, tuple[str, Shape, str]] = {
    "BVLC__caffe/examples/cifar10/cifar10_full_sigmoid_train_test.prototxt": ("data", (3, 32, 32), ""),
    "BVLC__caffe/examples/cifar10/cifar10_full_sigmoid_train_test_bn.prototxt": (
        "data", (3, 32, 32), ""),
    "BVLC__caffe/examples/cifar10/cifar10_full_train_test.prototxt": ("data", (3, 32, 32), ""),
    "BVLC__caffe/examples/cifar10/cifar10_quick_train_test.prototxt": ("data", (3, 32, 32), ""),
    "BVLC__caffe/examples/hdf5_classification/nonlinear_auto_test.prototxt": ("data", (4,), ""),
    "BVLC__caffe/examples/hdf5_classification/nonlinear_auto_train.prototxt": ("data", (4,), ""),
    "BVLC__caffe/examples/hdf5_classification/nonlinear_train_val.prototxt": ("data", (4,), ""),
    "BVLC__caffe/examples/hdf5_classification/train_val.prototxt": ("data", (4,), ""),
    "BVLC__caffe/examples/mnist/lenet_consolidated_solver.prototxt": (
        "data", (1, 28, 28), "test-on-test-set"),
    "BVLC__caffe/examples/mnist/lenet_train_test.prototxt": ("data", (1, 28, 28), ""),
    "BVLC__caffe/examples/mnist/mnist_autoencoder.prototxt": ("data", (1, 28, 28), "test-on-test"),
    "BVLC__caffe/examples/siamese/mnist_siamese_train_test.prototxt": (
        "pair_data", (2, 28, 28), ""),
    "dgschwend__netscope/presets/inceptionv4_resnet.prototxt": ("data", (3, 299, 299), ""),
    "gustavla__caffe-weighted-samples/examples/cifar10/cifar10_full_train_test.prototxt": (
        "data", (3, 32, 32), ""),
    "gustavla__caffe-weighted-samples/examples/cifar10/cifar10_quick_train_test.prototxt": (
        "data", (3, 32, 32), ""),
    "gustavla__caffe-weighted-samples/examples/hdf5_classification/train_val.prototxt": (
        "data", (4,), ""),
    "gustavla__caffe-weighted-samples/examples/hdf5_classification/train_val2.prototxt": (
        "data", (4,), ""),
    "gustavla__caffe-weighted-samples/examples/mnist/lenet_train_test.prototxt": (
        "data", (1, 28, 28), ""),
    "gustavla__caffe-weighted-samples/examples/mnist/mnist_autoencoder.prototxt": (
        "data", (1, 28, 28), "test-on-test"),
    "gustavla__caffe-weighted-samples/examples/siamese/mnist_siamese_train_test.prototxt": (
        "pair_data", (2, 28, 28), ""),
}  # fmt: skip
"""The files that do not say their input's size: its name, a size, and the stage that has data."""

PUBLISHED = {
    "BVLC__caffe/models/bvlc_alexnet/deploy.prototxt": (60_965_224, 724_406_816),
    "BVLC__caffe/models/bvlc_alexnet/train_val.prototxt": (60_965_224, 724_406_816),
    "BVLC__caffe/models/bvlc_reference_caffenet/deploy.prototxt": (60_965_224, 724_406_816),
    "BVLC__caffe/models/bvlc_googlenet/deploy.prototxt": (6_998_552, None),
    "BVLC__caffe/models/bvlc_googlenet/train_val.prototxt": (13_378_280, None),
    # conv1 has 64 biases, which its paper's network has not
    "KaimingHe__deep-residual-networks/prototxt/ResNet-50-deploy.prototxt": (
        25_557_032 + 64, None),
    "KaimingHe__deep-residual-networks/prototxt/ResNet-101-deploy.prototxt": (44_549_160, None),
    "KaimingHe__deep-residual-networks/prototxt/ResNet-152-deploy.prototxt": (60_192_808, None),
    "dgschwend__netscope/presets/vgg-16.prototxt": (138_357_544, None),
    "forresti__SqueezeNet/SqueezeNet_v1.0/deploy.prototxt": (1_248_424, None),
    "forresti__SqueezeNet/SqueezeNet_v1.1/deploy.prototxt": (1_235_496, None),
    "soumith__convnet-benchmarks/caffe/imagenet_winners/alexnet.prototxt": (61_100_840, 714_188_480),
    "soumith__convnet-benchmarks/caffe/imagenet_winners/vgg_a.prototxt": (132_863_336, 7_609_090_048),
    "shicai__MobileNet-Caffe/mobilenet_deploy.prototxt": (4_231_976, 568_740_352),
    "rbgirshick__py-faster-rcnn/models/pascal_voc/ZF/fast_rcnn/test.prototxt": (None, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def files(corpus: Path) -> dict[str, Path]:
    folder = corpus / "caffe"
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.prototxt"))}


def known(path: Path, name: str) -> Tally:
    """The file's count, with what it lacks."""
    if name not in ASKING:
        return tally(read(path))
    blob, size, stage = ASKING[name]
    return tally(read(path, inputs={blob: size}, options={"stage": stage}))


def test_each_file_is_read_and_agrees_with_the_oracle(files: dict[str, Path]) -> None:
    assert len(files) == 97
    for name, path in files.items():
        blob, size, stage = ASKING.get(name, ("", None, ""))
        wanted = counted(path.read_text("utf-8"), blob, (1, *size) if size else None, stage)
        found = known(path, name)
        assert found.complete, name
        assert (found.parameters, found.macs) == wanted[:2], name
        heads = {node.name: found[node.name].shape for node in found.network.nodes}
        for blob, shape in wanted[2].items():
            if blob in heads and heads[blob] is not None and len(shape) > 1:
                last = [found[n.name].shape for n in found.network.nodes if n.name == blob]
                assert shape in last or blob in _AGAIN, (name, blob, shape, last)


_AGAIN = frozenset(("detection_out", "rois"))
"""Blobs whose shape depends on the image."""


def test_each_file_that_does_not_say_its_size_is_refused_with_its_name(
    files: dict[str, Path],
) -> None:
    for name, (blob, _, stage) in ASKING.items():
        with pytest.raises(ReadError) as caught:
            read(files[name], options={"stage": stage})
        assert f"'{blob}'" in caught.value.what, name
        assert f"--input {blob}=" in caught.value.hint, name


@pytest.mark.parametrize(("name", "wanted"), PUBLISHED.items())
def test_published_counts(
    files: dict[str, Path], name: str, wanted: tuple[int | None, int | None]
) -> None:
    found = tally(read(files[name]))
    for ours, theirs in zip((found.parameters, found.macs), wanted, strict=True):
        assert theirs is None or ours == theirs


def test_the_training_phase_has_another_source_and_the_same_net(files: dict[str, Path]) -> None:
    path = files["BVLC__caffe/models/bvlc_googlenet/train_val.prototxt"]
    train = read(path, options={"phase": "train"})
    assert tally(train).parameters == 13_378_280
    assert "the file's batch of 32 is read as 1; --input 32x3x224x224 asks for it" in train.notes
    test = read(path)
    assert "the file's batch of 50 is read as 1; --input 50x3x224x224 asks for it" in test.notes
    assert "training's, not counted: SoftmaxWithLoss (3x), Accuracy (6x)" in test.notes


def test_caffenet_and_alexnet_have_their_norms_and_pools_the_other_way(
    files: dict[str, Path],
) -> None:
    from nettally.diffing import diff

    one, two = (read(files[f"BVLC__caffe/models/bvlc_{name}/deploy.prototxt"])
                for name in ("reference_caffenet", "alexnet"))  # fmt: skip
    assert not diff(one, two).same
    assert two["norm1"].inputs == ("relu1",)
    assert two["pool1"].inputs == ("norm1",)
    assert one["pool1"].inputs == ("relu1",)
    assert one["norm1"].inputs == ("pool1",)


def as_trained(path: Path) -> tuple[Tally, bytes]:
    """A description's count, and a trained net of it, its tensors of the sizes that it counts."""
    found = tally(read(path))
    tensors: dict[str, list[Shape]] = {}
    for row in found:
        shapes = list((row.parameters or {}).values())
        if row.node.layer.kind == "batch_norm":
            size = row.inputs[0][1:2]
            shapes = [*shapes, size, size] if shapes else [size, size, (1,)]
        if shapes:
            tensors[row.node.name] = shapes
    return found, caffemodel(path.read_text("utf-8", "replace"), tensors, fill=False)


def test_parameters_of_a_trained_net_do_not_depend_on_the_input(files: dict[str, Path]) -> None:
    """They are those of the file at every size; or the file's weights are of another size."""
    counted = 0
    refused: list[tuple[str, Any, str]] = []
    for name, path in files.items():
        try:
            found, data = as_trained(path)
        except ReadError:  # it asks for sizes, or is no net
            continue
        net = found.network
        names = {node.name.partition(".")[0] for node in net.nodes}
        if not found.complete or len(net.inputs) != 1 or len(names) < len(net.nodes):
            continue
        ((blob, size),) = net.inputs.items()
        for shape in (size, (*size[:2], *(2 * each + 1 for each in size[2:])), None):
            try:
                again = tally(_read(Source("x.caffemodel", data, {blob: shape} if shape else {})))
            except ReadError as error:
                refused.append((name, None if shape in (size, None) else "larger", str(error)))
                continue
            assert again.parameters == found.parameters, (name, shape)
            counted += 1
    assert counted > 60
    assert len(refused) > 10
    for name, shape, error in refused:
        assert shape == "larger", (name, error)
        # some nets fit no other size
        assert re.search("stored weights are not those of such a layer|inputs of a concat", error)
