"""cuda-convnet's layer files: what is counted, what is inferred and said, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source
from nettally.formats.cuda_convnet import TYPES, _plans, read, sniff
from nettally.formats.cuda_convnet.ini import parse
from nettally.formats.cuda_convnet.input import extents

if TYPE_CHECKING:
    from pathlib import Path

    from nettally.network import Network

ALEXNET = "computerhistory__AlexNet-Source-Code"
CC2 = "akrizhevsky__cuda-convnet2/layers"

DATA = "[data]\ntype=data\ndataIdx=0\n"


def source(text: str, *, name: str = "layers.cfg", **more: object) -> Source:
    return Source(name, text.encode(), **more)


def network(text: str, size: tuple[int, ...] | None = (3, 32, 32), **more: object) -> Network:
    """The network of DATA and ``text``, checked: our layers' shapes are those of the file."""
    sizes = {} if size is None else {"": size}
    found = read(source(DATA + text, inputs=sizes, **more))
    agree(found, DATA + text)
    return found


def agree(found: Network, text: str) -> None:
    """The sizes worked out after layer.py are those of our layers, layer by layer."""
    from nettally.formats.cuda_convnet.builder import Extent

    rows = {row.name: row for row in tally(found)}
    plans = _plans(parse(text, "")[0])
    data = {
        name: Extent(shape[1], shape[2] if len(shape) > 2 else 0)
        for name, shape in found.inputs.items()
    }
    compared = 0
    for name, y in extents(plans, data).items():
        row = rows.get(f"{name}.outputs") or rows.get(name)
        if row is None or y is None:
            continue
        assert row.shape[1:] == ((y.channels, y.side, y.side) if y.side else (y.channels,)), name
        compared += 1
    assert compared


# --- the collected files ----------------------------------------------------------------------

# The sums are written out where there is no published figure
CIFAR_18 = (5 * 5 * 3 * 32 + 32) + (5 * 5 * 32 * 32 + 32) + (5 * 5 * 32 * 64 + 64)
CIFAR_18_NEURONS = 32 * 32 * 32 + 32 * 16 * 16 + 64 * 8 * 8 + 10


def local_11(last: int) -> int:
    """layers-cifar10-11pct with maps of last x last in its local layers."""
    return (
        (5 * 5 * 3 * 64 + 64)
        + (5 * 5 * 64 * 64 + 64)
        + last * last * (3 * 3 * 64 * 64 + 64)
        + last * last * (3 * 3 * 64 * 32 + 32)
        + (32 * last * last * 10 + 10)
    )


HALF = (
    (11 * 11 * 3 * 48 + 48)
    + (5 * 5 * 48 * 128 + 128)
    + (3 * 3 * 128 * 192 + 192)
    + (3 * 3 * 192 * 192 + 192)
    + (3 * 3 * 192 * 256 + 256)
    + (256 * 6 * 6 * 4096 + 4096)
    + (4096 * 4096 + 4096)
    + (4096 * 1000 + 1000)
)
HALF_NEURONS = 48 * 55**2 + 128 * 27**2 + (192 + 192 + 256) * 13**2 + 4096 * 2 + 1000
NEURONS_114 = 64 * 55**2 + 256 * 27**2 + (384 + 384 + 256) * 13**2 + 6144 * 3 + 1000

LAYER_FILES = [
    # Krizhevsky's own count, in layer-params-114.cfg
    (f"{ALEXNET}/layers/layers-114.cfg", 140_523_240, NEURONS_114, 224),
    (f"{ALEXNET}/layers/layers-145.cfg", 60_965_224, 659_272, 224),
    (f"{ALEXNET}/layers/layers-148.cfg", 60_965_224, 659_272, 224),
    (f"{ALEXNET}/layers/layers-145-half.cfg", HALF, HALF_NEURONS, 224),
    (f"{ALEXNET}/example-layers/layers-18pct.cfg", CIFAR_18 + 10_250, CIFAR_18_NEURONS, 32),
    (f"{ALEXNET}/layers-cifar/layers-18pct.cfg", CIFAR_18 + 10_250, CIFAR_18_NEURONS, 32),
    (
        f"{ALEXNET}/example-layers/layers-80sec.cfg",
        CIFAR_18 + (64 * 4 * 4 * 64 + 64) + (64 * 10 + 10),
        CIFAR_18_NEURONS + 64,
        32,
    ),
    (
        f"{CC2}/layers-cifar10-11pct.cfg",
        local_11(8),
        64 * (32**2 + 16**2 + 8**2) + 32 * 8**2 + 10,
        32,
    ),
    (f"{CC2}/layers-imagenet-1gpu.cfg", 61_100_840, 494_184, 224),
    (f"{CC2}/layers-imagenet-2gpu-data.cfg", 61_100_840, 494_184, 224),
    (f"{CC2}/layers-imagenet-4gpu-data.cfg", 61_100_840, 494_184, 224),
    (f"{CC2}/layers-imagenet-4gpu-data-model.cfg", 61_100_840, 494_184, 224),
    (f"{CC2}/layers-imagenet-2gpu-model.cfg", 60_965_224, 659_272, 224),
]

PARAMETER_FILES = [
    (f"{ALEXNET}/layers/layer-params-114.cfg", 28),
    (f"{ALEXNET}/layers/layer-params-145.cfg", 26),
    (f"{ALEXNET}/layers/layer-params-148.cfg", 20),
    (f"{CC2}/layer-params-cifar10-11pct.cfg", 8),
    (f"{CC2}/layer-params-imagenet-1gpu.cfg", 13),
    (f"{CC2}/layer-params-imagenet-2gpu-data.cfg", 13),
    (f"{CC2}/layer-params-imagenet-4gpu-data.cfg", 13),
    (f"{CC2}/layer-params-imagenet-2gpu-model.cfg", 26),
    (f"{CC2}/layer-params-imagenet-4gpu-data-model.cfg", 25),
]

PAIRS = [
    ("layers-114.cfg", "layer-params-114.cfg"),
    ("layers-145.cfg", "layer-params-145.cfg"),
    ("layers-148.cfg", "layer-params-148.cfg"),
    ("layers-cifar10-11pct.cfg", "layer-params-cifar10-11pct.cfg"),
    ("layers-imagenet-1gpu.cfg", "layer-params-imagenet-1gpu.cfg"),
    ("layers-imagenet-2gpu-data.cfg", "layer-params-imagenet-2gpu-data.cfg"),
    ("layers-imagenet-2gpu-model.cfg", "layer-params-imagenet-2gpu-model.cfg"),
    ("layers-imagenet-4gpu-data.cfg", "layer-params-imagenet-4gpu-data.cfg"),
    ("layers-imagenet-4gpu-data-model.cfg", "layer-params-imagenet-4gpu-data-model.cfg"),
]


def collected(corpus: Path, path: str) -> Source:
    file = corpus / "cuda-convnet" / path
    return Source(file.name, file.read_bytes())


def test_each_collected_file_is_in_one_of_the_tables(corpus: Path) -> None:
    folder = corpus / "cuda-convnet"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.cfg")}
    assert files == {row[0] for row in (*LAYER_FILES, *PARAMETER_FILES)}
    assert len(files) == 22


@pytest.mark.parametrize(("path", "parameters", "neurons", "side"), LAYER_FILES)
def test_a_collected_layer_file_is_counted(
    corpus: Path, path: str, parameters: int, neurons: int, side: int
) -> None:
    file = collected(corpus, path)
    assert sniff(file.data, file.name)
    found = read(file)
    assert dict(found.inputs) == {"data": (1, 3, side, side)}
    assert found.outputs == ("probs",)
    counted = tally(found)
    assert counted.complete
    assert (counted.parameters, counted.neurons) == (parameters, neurons)
    assert found.notes[0].startswith(f"input {side}: the file does not say it; of 8 to 512, ")
    agree(found, file.text)


@pytest.mark.parametrize(("path", "layers"), PARAMETER_FILES)
def test_a_collected_parameter_file_is_refused_by_name(
    corpus: Path, path: str, layers: int
) -> None:
    file = collected(corpus, path)
    assert sniff(file.data, file.name)
    with pytest.raises(ReadError) as caught:
        read(file)
    assert "this is a cuda-convnet parameter file" in caught.value.what
    assert caught.value.values.startswith(f"{layers} layers: conv1")
    assert caught.value.hint == f"nettally tally LAYERS.cfg --params {file.name}"


@pytest.mark.parametrize(("layers", "params"), PAIRS)
def test_each_collected_pair_matches_layer_by_layer(corpus: Path, layers: str, params: str) -> None:
    """Nothing is missing and nothing is left over; joining changes no count."""
    folder = corpus / "cuda-convnet"
    file = next(folder.rglob(layers))
    alone = read(Source(file.name, file.read_bytes()))
    joined = read(Source(file.name, file.read_bytes(), companion=str(file.parent / params)))
    assert not [note for note in joined.notes if "section" in note or "stand in" in note]
    assert tally(joined).parameters == tally(alone).parameters
    assert [node.name for node in joined.nodes] == [node.name for node in alone.nodes]


def test_layers_145_as_the_paper_has_it(corpus: Path) -> None:
    file = corpus / "cuda-convnet" / ALEXNET / "layers/layers-145.cfg"
    params = str(file.parent / "layer-params-145.cfg")
    found = read(Source(file.name, file.read_bytes(), companion=params))
    # partialSum leaves the sizes that give 55 x 55, and shownet's 224 is one of them
    assert found.notes[0] == (
        "input 224: the file does not say it; of 8 to 512, 4 sizes are consistent: 224-227; 224 "
        "is the crop of ImageNet's images that the code's shownet.py hard-codes"
    )
    counted = tally(found)
    assert counted["conv1a"].shape == (1, 48, 55, 55)
    assert counted.macs == 724_406_816
    pairs = [("conv1a", 290_400), ("conv2a", 186_624), ("conv3a", 64_896), ("fc2048a", 4096)]
    for name, both in pairs:
        assert 2 * counted.accounting.neurons(counted[name]) == both
    norm = found["rnorm1a"].layer
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (5, 1e-4, 0.75, 2)
    assert (norm.across, found["cnorm2a"].layer.across) == ("channels", "space")
    assert found["cnorm2a"].layer.alpha == 1e-3
    assert found["cnorm2a"].layer.k == 1
    assert found["conv3a"].layer.kind == "conv_sum"
    assert found["conv4a"].layer.kind == "conv"
    assert found["fc2048ba"].inputs == ("fc2048ba.inputs",)
    assert found["fc2048ba.inputs"].inputs == ("hs1a", "hs1b")
    assert found["hs1a"].layer.rate == 0.5
    assert str(found["conv1b"].source) == "layers-145.cfg:22"


def test_the_crop_of_cifar_is_counted_when_it_is_asked_for(corpus: Path) -> None:
    file = collected(corpus, f"{CC2}/layers-cifar10-11pct.cfg")
    assert "--input 3x24x24 for CIFAR's images less a border of 4" in read(file).notes[0]
    assert tally(read(file.replace(inputs={"": (3, 24, 24)}))).parameters == local_11(6)


def test_a_parameter_file_with_keys_that_are_not_known_is_refused_by_name() -> None:
    text = "[conv1a]\nepsW=0.001\nmomW=0.9\nsched=linear[500]\n\n[fc1]\nepsB=0.002\nwc=1\n"
    assert sniff(text.encode(), "x.cfg")
    with pytest.raises(ReadError, match="cuda-convnet parameter file: it gives the learning rates"):
        read(source(text))
    assert not sniff(b"[server]\nenable=1\nport=80\n", "x.cfg")


def test_a_wrong_parameter_file_is_said(corpus: Path) -> None:
    folder = corpus / "cuda-convnet" / ALEXNET / "layers"
    layers = source((folder / "layers-148.cfg").read_text())
    more = read(layers.replace(companion=str(folder / "layer-params-145.cfg")))
    assert (
        f"{folder}/layer-params-145.cfg has sections for no layer: rnorm1a, rnorm1b, rnorm2a, "
        "rnorm2b, cnorm2a, cnorm2b"
    ) in more.notes
    less = read(
        source((folder / "layers-145.cfg").read_text()).replace(
            companion=str(folder / "layer-params-148.cfg")
        )
    )
    assert (
        f"{folder}/layer-params-148.cfg has no section for rnorm1a, rnorm1b, rnorm2a, rnorm2b, "
        "cnorm2a, cnorm2b"
    ) in less.notes
    with pytest.raises(ReadError, match="this is not a cuda-convnet parameter file"):
        read(layers.replace(companion=str(folder / "layers-145.cfg")))


# --- each type of layer -----------------------------------------------------------------------

CONV = "type=conv\ninputs=data\nchannels=3\nfilterSize=5\n"
FLAT = "[f]\ntype=fc\ninputs=data\noutputs=32\n"
TWO = (
    "[a]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=3\npadding=1\n"
    "[b]\ntype=conv\ninputs=data\nchannels=3\nfilters=32\nfilterSize=5\npadding=2\n"
)
AB = 3 * 9 * 16 + 16 + 3 * 25 * 32 + 32

KINDS = [
    # text, the last layer's output, all parameters, its kind
    (f"[c]\n{CONV}filters=16\n", (16, 28, 28), 75 * 16 + 16, "conv"),
    # 1 + ⌈(2·1 + 32 - 5) / 4⌉ = 9: rounded up
    (f"[c]\n{CONV}filters=16\npadding=1\nstride=4\n", (16, 9, 9), 75 * 16 + 16, "conv"),
    (f"[c]\n{CONV}filters=16\nsharedBiases=0\n", (16, 28, 28), 75 * 16 + 16 * 784, "conv"),
    (f"[c]\n{CONV}filters=16\nstride=3\nmodulesX=12\n", (16, 12, 12), 75 * 16 + 16, "conv"),
    # filters are counted a group
    (
        TWO + "[c]\ntype=conv\ninputs=a\nchannels=16\nfilters=8\nfilterSize=3\ngroups=4\n",
        (32, 30, 30),
        AB + 9 * 4 * 32 + 32,
        "conv",
    ),
    (
        TWO + "[c]\ntype=conv\ninputs=a,b\nchannels=16,32\nfilters=8,16\nfilterSize=3,5\n"
        "groups=2,1\npadding=0,1\n",
        (16, 30, 30),
        AB + 9 * 8 * 16 + 25 * 32 * 16 + 16,
        "conv_sum",
    ),
    # one value stands for all inputs, as in cuda-convnet2
    (
        TWO + "[c]\ntype=conv\ninputs=a,a\nchannels=16\nfilters=8\nfilterSize=3\n",
        (8, 30, 30),
        AB + 2 * 9 * 16 * 8 + 8,
        "conv_sum",
    ),
    # each of 4 groups of 8 filters sees 8 of 16 channels
    (
        TWO + "[c]\ntype=conv\ninputs=a\nchannels=16\nfilters=8\nfilterSize=3\ngroups=4\n"
        "randSparse=1\nfilterChannels=8\n",
        (32, 30, 30),
        AB + 9 * 8 * 32 + 32,
        "conv_map",
    ),
    (
        TWO + "[c]\ntype=conv\ninputs=a\nchannels=16\nfilters=8\nfilterSize=3\ngroups=4\n"
        "randSparse=1\n",
        (32, 30, 30),
        AB + 9 * 4 * 32 + 32,
        "conv",
    ),
    (
        "[c]\ntype=local\ninputs=data\nchannels=3\nfilterSize=5\nfilters=16\n",
        (16, 28, 28),
        784 * (75 * 16 + 16),
        "local",
    ),
    (
        TWO + "[c]\ntype=local\ninputs=a,b\nchannels=16,32\nfilters=8,8\nfilterSize=3,3\n",
        (8, 30, 30),
        AB + 900 * (9 * 16 * 8 + 9 * 32 * 8 + 8),
        "conv_sum",
    ),
    ("[c]\ntype=fc\ninputs=data\noutputs=10\n", (10,), 3072 * 10 + 10, "linear"),
    (
        TWO + "[c]\ntype=fc\ninputs=a,b\noutputs=10\n",
        (10,),
        AB + 48 * 1024 * 10 + 10,
        "linear",
    ),
    (FLAT + "[c]\ntype=fc\ninputs=f,data\noutputs=7\n", (7,), 98336 + 3104 * 7 + 7, "linear"),
    # 32 values in 4 parts, 5 units each: 32·5 weights, 20 biases
    (FLAT + "[c]\ntype=sfc\ninputs=f\noutputs=5\nparts=4\n", (20,), 98336 + 160 + 20, "flatten"),
    (
        "[c]\ntype=pool\ninputs=data\nchannels=3\npool=max\nsizeX=3\nstride=2\n",
        (3, 16, 16),
        0,
        "max_pool",
    ),
    (
        "[c]\ntype=pool\ninputs=data\nchannels=3\npool=avg\nsizeX=3\nstride=2\nstart=-1\n",
        (3, 16, 16),
        0,
        "average_pool",
    ),
    (
        "[c]\ntype=pool\ninputs=data\nchannels=3\npool=rand\nsizeX=3\nstride=3\nstart=2\n",
        (3, 10, 10),
        0,
        "stochastic_pool",
    ),
    (
        "[c]\ntype=pool\ninputs=data\nchannels=3\npool=maxabs\nsizeX=3\nstride=2\noutputsX=4\n",
        (3, 4, 4),
        0,
        "max_pool",
    ),
    (
        "[c]\ntype=pool\ninputs=data\nchannels=3\npool=max\nsizeX=3\nstride=2\noutputsX=20\n",
        (3, 20, 20),
        0,
        "max_pool",
    ),
    (
        "[c]\ntype=pool\ninputs=data\nchannels=3\npool=max\nsizeX=3\nstride=2\nstart=30\n",
        (3, 1, 1),
        0,
        "max_pool",
    ),
    (
        TWO + "[c]\ntype=cmpool\ninputs=a\nchannels=16\npool=max\nsize=4\nstride=2\noutputs=8\n"
        "start=-1\n",
        (8, 32, 32),
        AB,
        "reshape",
    ),
    (TWO + "[c]\ntype=cmrnorm\ninputs=a\nchannels=16\nsize=5\n", (16, 32, 32), AB, "lrn"),
    (TWO + "[c]\ntype=rnorm\ninputs=a\nchannels=16\nsize=5\n", (16, 32, 32), AB, "lrn"),
    (TWO + "[c]\ntype=cnorm\ninputs=a\nchannels=16\nsizeX=5\n", (16, 32, 32), AB, "contrast_norm"),
    ("[c]\ntype=softmax\ninputs=data\n", (3072,), 0, "softmax"),
    ("[c]\ntype=neuron\ninputs=data\nneuron=relu\n", (3, 32, 32), 0, "relu"),
    ("[c]\ntype=hs\ninputs=data\nkeep=0.8\n", (3, 32, 32), 0, "dropout"),
    ("[c]\ntype=dropout\ninputs=data\n", (3, 32, 32), 0, "dropout"),
    ("[c]\ntype=dropout2\ninputs=data\n", (3, 32, 32), 0, "dropout"),
    (TWO + "[c]\ntype=concat\ninputs=a,b\n", (48, 32, 32), AB, "concat"),
    (FLAT + "[c]\ntype=pass\ninputs=f,data\n", (3104,), 98336, "concat"),
    (TWO + "[c]\ntype=eltsum\ninputs=a,a\ncoeffs=1,-1\n", (16, 32, 32), AB, "add"),
    (TWO + "[c]\ntype=eltmax\ninputs=a,a\n", (16, 32, 32), AB, "maximum"),
    (FLAT + "[c]\ntype=sum\ninputs=f\nstride=4\n", (8,), 98336, "affine"),
    ("[c]\ntype=nailbed\ninputs=data\nchannels=3\nstride=5\n", (3, 7, 7), 0, "slice"),
    ("[c]\ntype=blur\ninputs=data\nchannels=3\nfilterSize=9\nstdev=4\n", (3, 32, 32), 0, "blur"),
    ("[c]\ntype=href\ninputs=data\nchannels=3\n", (3, 32, 32), 0, "identity"),
    # ⌊32 / 1.5⌋
    ("[c]\ntype=resize\ninputs=data\nchannels=3\nscale=1.5\n", (3, 21, 21), 0, "resize"),
    (
        "[c]\ntype=rscale\ninputs=data\nchannels=3\nmaxScale=1.5\ntgtSize=24\n",
        (3, 24, 24),
        0,
        "resize",
    ),
    (
        "[c]\ntype=crop\ninputs=data\nchannels=3\nstartX=4\nstartY=0\nsizeX=20\n",
        (3, 20, 20),
        0,
        "crop",
    ),
    ("[c]\ntype=rgb2yuv\ninputs=data\n", (3, 32, 32), 0, "recolor"),
    ("[c]\ntype=rgb2lab\ninputs=data\ncenter=1\n", (3, 32, 32), 0, "recolor"),
    # values read as maps again: 32 = 2 channels of 4x4
    (
        FLAT + "[c]\ntype=pool\ninputs=f\nchannels=2\npool=max\nsizeX=2\nstride=2\n",
        (2, 2, 2),
        98336,
        "max_pool",
    ),
]


@pytest.mark.parametrize(("text", "shape", "parameters", "kind"), KINDS)
def test_each_type_has_its_output_and_its_parameters(
    text: str, shape: tuple[int, ...], parameters: int, kind: str
) -> None:
    found = network(text)
    counted = tally(found)
    last = counted.rows[-1]
    assert last.shape == (1, *shape)
    assert counted.parameters == parameters
    assert found.nodes[-1].layer.kind == kind
    assert counted.complete


def test_every_type_is_in_the_table() -> None:
    tried = {
        line.removeprefix("type=")
        for text, *_ in KINDS
        for line in text.split("\n")
        if line.startswith("type=")
    }
    beside = {kind for kind in TYPES if kind.startswith("cost.")} | {"data", "treefc"}
    assert tried | beside == set(TYPES)
    assert not tried & beside


@pytest.mark.parametrize(
    ("neuron", "kinds"),
    [
        ("relu", ["relu"]),
        ("nrelu", ["relu"]),
        ("softrelu", ["softplus"]),
        ("square", ["square"]),
        ("sqrt", ["sqrt"]),
        ("abs", ["abs"]),
        ("logistic", ["sigmoid"]),
        ("ident", []),
        ("", []),
        ("tanh[1.7159, 0.6667]", ["tanh"]),
        ("abstanh[1,-2]", ["tanh", "abs"]),
        ("linear[2,-1]", ["affine"]),
        ("brelu[6]", ["clipped_relu"]),
        ("log[.5]", ["log"]),
        ("drelu[2]", ["tanh", "subtract"]),
    ],
)
def test_neurons_stand_behind_their_layer(neuron: str, kinds: list[str]) -> None:
    found = network(f"{FLAT}neuron={neuron}\n[g]\ntype=fc\ninputs=f\noutputs=2\n")
    behind = [node for node in found.nodes if node.name not in ("f", "g")]
    assert [node.layer.kind for node in behind] == kinds
    assert found["g"].inputs == (("f_neuron",) if kinds else ("f",))
    assert tally(found).neurons == 34


def test_neurons_keep_their_numbers() -> None:
    layers = network(
        f"{FLAT}neuron=tanh[1.5,.5]\n[g]\ntype=fc\ninputs=f\noutputs=2\nneuron=linear[3,-1e-1]\n"
        "[h]\ntype=neuron\ninputs=g\nneuron=brelu[4]\n[i]\ntype=neuron\ninputs=h\nneuron=drelu[2]\n"
    )
    assert layers["f_neuron"].layer.fields() == {"scale": 1.5, "slope": 0.5}
    assert layers["g_neuron"].layer.fields() == {"slope": 3.0, "offset": -0.1}
    assert layers["h"].layer.limit == 4
    assert layers["i"].inputs == ("h", "i.tanh")  # x - 2·tanh(x/2)
    assert layers["i.tanh"].layer.fields() == {"scale": 2.0, "slope": 0.5}


def test_sizes_are_held_to_the_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A size worked out as the code does that our layers do not have is an error, not a count."""
    from nettally.formats.cuda_convnet.builder import Extent
    from nettally.formats.cuda_convnet.convolution import Convolution

    monkeypatch.setattr(Convolution, "extent", lambda self, xs: Extent(16, 12))
    with pytest.raises(ReadError, match="one size in cuda-convnet, and another here"):
        network(f"[c]\n{CONV}filters=16\n")


def test_a_name_that_is_taken_gets_a_number() -> None:
    found = network(f"{FLAT}neuron=relu\n[f_neuron]\ntype=fc\ninputs=f\noutputs=2\n")
    assert [node.name for node in found.nodes] == ["f", "f_neuron.2", "f_neuron"]


@pytest.mark.parametrize(
    ("more", "padding", "crop"),
    [
        ("start=-1\n", ((1, 0), (1, 0)), None),
        ("start=2\n", ((0, 0), (0, 0)), ((2, 0), (2, 0))),
        ("outputsX=20\n", ((0, 9), (0, 9)), None),  # 19·2 + 3 = 41 = 32 + 9
        ("outputsX=4\n", ((0, 0), (0, 0)), ((0, 23), (0, 23))),  # 3·2 + 3 = 9 = 32 - 23
    ],
)
def test_pools_start_and_end_where_they_are_told(
    more: str, padding: tuple[object, ...], crop: tuple[object, ...] | None
) -> None:
    found = network(f"[p]\ntype=pool\ninputs=data\nchannels=3\npool=avg\nsizeX=3\nstride=2\n{more}")
    assert found["p"].layer.padding == padding
    assert found["p"].layer.count_padding is False
    cut = [node.layer.border for node in found.nodes if node.layer.kind == "crop"]
    assert cut == ([crop] if crop else [])


def test_crops_nails_and_maps_stand_where_the_code_has_them() -> None:
    found = network(
        "[c]\ntype=crop\ninputs=data\nchannels=3\nstartX=4\nstartY=1\nsizeX=20\n"
        "[n]\ntype=nailbed\ninputs=c\nchannels=3\nstride=8\n"
        "[m]\ntype=cmpool\ninputs=c\nchannels=3\npool=max\nsize=2\nstride=2\noutputs=2\nstart=0\n"
        "[l]\ntype=concat\ninputs=n,m\n"
    )
    assert found["c"].layer.border == ((1, 11), (4, 8))  # height first
    # 20 = 2·8 + 4: three nails, half of the 4 before the first
    assert [found[name].layer.start for name in ("n.rows", "n")] == [2, 2]
    assert found["m.pool"].layer.padding == ((0, 1), (0, 0))
    assert tally(found)["l"].shape == (1, 3 * 9 + 2 * 400)


def test_groups_show_their_working() -> None:
    from nettally.arith import show

    found = network(
        TWO + "[c]\ntype=conv\ninputs=a\nchannels=16\nfilters=8\nfilterSize=3\ngroups=4\n"
    )
    row = tally(found, working=True)["c"]
    assert row.shape is not None
    assert show(row.shape[1]) == "8 · 4 = 32"


def test_the_work_is_that_of_the_parts() -> None:
    counted = tally(
        network(
            FLAT + "[s]\ntype=sfc\ninputs=f\noutputs=5\nparts=4\n"
            "[r]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=3\nstride=2\n"
            "[c]\ntype=conv\ninputs=r\nchannels=16\nfilters=8\nfilterSize=3\ngroups=4\n"
            "randSparse=1\nfilterChannels=8\nsharedBiases=0\n"
        )
    )
    split, drawn = counted["s"], counted["c"]
    assert split.work is not None
    assert drawn.work is not None
    assert (split.work.macs, split.work.bias_adds) == (32 * 5, 20)
    assert drawn.work.macs == 14 * 14 * 32 * 9 * 8
    assert counted.accounting.parameters(drawn) == 9 * 8 * 32 + 14 * 14 * 32


# --- shared weights ---------------------------------------------------------------------------


def test_weights_are_shared_and_biases_are_not() -> None:
    found = network(
        TWO + "[c]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=3\n"
        "weightSource=a\n[d]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=3\n"
        "weightSource=c[0]\n"
    )
    assert tally(found).parameters == AB + 16 + 16
    assert found["c"].shared == {"weight": "a.weight"}
    assert found["d"].shared == {"weight": "a.weight"}  # the owner, not who else shares


def test_each_input_may_share_with_another() -> None:
    found = network(
        TWO + "[b2]\ntype=conv\ninputs=a,b\nchannels=16,32\nfilters=8,8\nfilterSize=3,3\n"
        "[c]\ntype=conv\ninputs=a,a,b,a\nchannels=16,16,32,16\nfilters=8,8,8,8\n"
        "filterSize=3,3,3,3\nweightSource=b2,,b2[1],c[1]\n"
    )
    assert found["c"].shared == {
        "weight0": "b2.weight0",
        "weight2": "b2.weight1",
        "weight3": "c.weight1",
    }
    assert tally(found).parameters == AB + 9 * 48 * 8 + 8 + 9 * 16 * 8 + 8


@pytest.mark.parametrize("sources", ["f,f[1]", ",f[1]", ",g[0]", "g2,"])
def test_fully_connected_layers_share_matrix_by_matrix(sources: str) -> None:
    text = (
        FLAT + "[e]\ntype=fc\ninputs=data\noutputs=32\n"
        "[f2]\ntype=fc\ninputs=f,e\noutputs=6\n[g2]\ntype=fc\ninputs=e\noutputs=6\n"
        "[g]\ntype=fc\ninputs=e,f\noutputs=6\nneuron=relu\n"
        f"weightSource={sources.replace('f', 'f2')}\n[h]\ntype=fc\ninputs=g\noutputs=2\n"
    )
    found = network(text)
    counted = tally(found)
    own = sum(not word for word in sources.split(","))
    assert counted.neurons == 32 + 32 + 6 + 6 + 6 + 2  # once, though there are two matrices
    weights = 2 * 98336 + (64 * 6 + 6) + (32 * 6 + 6) + (own * 32 * 6 + 6) + 14
    assert counted.parameters == weights
    assert found["g_neuron"].inputs == ("g.outputs",)


def test_fully_connected_layers_that_share_wholly_stay_linear() -> None:
    found = network(
        FLAT + "[g]\ntype=fc\ninputs=f\noutputs=32\n[h]\ntype=fc\ninputs=g\noutputs=32\n"
        "weightSource=g\n"
    )
    assert found["h"].layer.kind == "linear"
    assert found["h"].shared == {"weight": "g.weight"}
    assert tally(found).parameters == 98336 + 1056 + 32


def test_weights_of_another_size_are_not_shared() -> None:
    local = "type=local\ninputs=data\nchannels=3\nfilters=4\nfilterSize=3\n"
    with pytest.raises(ReadError) as caught:
        network(f"[l]\n{local}[m]\n{local}padding=1\nweightSource=l\n")
    assert caught.value.values == f"{32**2 * 27:,}x4 here, {30**2 * 27:,}x4 there"
    grouped = "type=conv\ninputs=a\nchannels=16\nfilterSize=3\n"
    with pytest.raises(ReadError) as caught:
        network(
            f"{TWO}[c]\n{grouped}filters=32\n[d]\n{grouped}filters=8\ngroups=4\nweightSource=c\n"
        )
    assert caught.value.values == "36x32 here, 144x32 there"


def test_drawn_channels_are_all_seen_alike() -> None:
    found = network(
        TWO + "[c]\ntype=conv\ninputs=a\nchannels=16\nfilters=8\nfilterSize=3\ngroups=4\n"
        "randSparse=1\nfilterChannels=8\n"
    )
    table = found["c"].layer.table
    seen = [channel for row in table for channel in row]
    assert {seen.count(channel) for channel in range(16)} == {16}
    assert [len(set(row)) for row in table] == [8] * 32


# --- data, costs, notes -----------------------------------------------------------------------

ENDS = (
    "[labels]\ntype=data\ndataIdx=1\n[probs]\ntype=softmax\ninputs=f\n"
    "[logprob]\ntype=cost.logreg\ninputs=labels,probs\n"
)


def test_labels_and_costs_are_said_and_not_counted() -> None:
    found = network(FLAT + ENDS)
    assert list(found.inputs) == ["data"]
    assert found.outputs == ("probs",)
    assert found.notes == (
        "logprob (cost.logreg of labels, probs) is training's cost: it has no output and is not "
        "counted",
        "labels: data that only costs read; no input of the network",
    )


@pytest.mark.parametrize("cost", [kind for kind in TYPES if kind.startswith("cost.")])
def test_every_cost_ends_the_network(cost: str) -> None:
    found = network(f"{FLAT}[c]\ntype={cost}\ninputs=f\n")
    assert found.outputs == ("f",)
    assert len(found.nodes) == 1


def test_a_tree_of_classes_is_unknown_and_not_zero() -> None:
    found = network(
        FLAT + "[t]\ntype=treefc\ninputs=f\n[probs]\ntype=softmax\ninputs=t\n"
        "[g]\ntype=fc\ninputs=t\noutputs=3\n"
    )
    counted = tally(found)
    assert not counted.complete
    assert counted["t"].shape is None
    assert counted["g"].shape == (1, 3)
    assert "the classes of a treefc stand with the data" in found.notes[0]


def test_a_local_layer_over_drawn_channels_is_unknown_and_not_zero() -> None:
    found = network(
        TWO + "[c]\ntype=local\ninputs=a\nchannels=16\nfilters=8\nfilterSize=3\ngroups=4\n"
        "randSparse=1\nfilterChannels=8\n"
    )
    assert tally(found)["c"].shape == (1, 32, 30, 30)
    assert not tally(found).complete


def test_what_is_only_approximated_is_said() -> None:
    found = network(
        "[c]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=3\n"
        "[n]\ntype=cmrnorm\ninputs=c\nchannels=16\nsize=5\nblocked=1\n"
        "[p]\ntype=pool\ninputs=n\nchannels=16\npool=maxabs\nsizeX=2\nstride=2\n"
        "[h]\ntype=href\ninputs=data\nchannels=3\n"
        "[d]\ntype=conv\ninputs=p\nchannels=16\nfilters=8\nfilterSize=3\ngroups=2\nrandSparse=1\n"
    )
    said = "\n".join(found.notes)
    for word in ("blocked", "absolute value", "reflection", "randSparse draws", "stand in for"):
        assert word in said
    assert len(found.notes) == 5


def test_the_first_cuda_convnet_has_its_norms_numbers_in_the_layer_file() -> None:
    found = network("[n]\ntype=rnorm\ninputs=data\nchannels=3\nsizeX=3\nscale=0.00005\npow=.75\n")
    layer = found["n"].layer
    assert (layer.size, layer.alpha, layer.beta, layer.across) == (3, 5e-5, 0.75, "space")
    assert not found.notes


def test_a_parameter_file_changes_norms_dropout_and_sums(tmp_path: Path) -> None:
    params = tmp_path / "layer-params.cfg"
    params.write_text(
        "[f]\nepsW=dexp[base=0.01;tgtFactor=250;numSteps=4]\nepsB=0\nmomW=0.9\nmomB=0.9\n"
        "[n]\nscale=0.002\npow=0.5\nminDiv=3\n[d]\nenable=true\nkeep=0.75\n[e]\nenable=0\n"
        "[s]\ncoeffs=1,2\n"
    )
    found = network(
        "[n]\ntype=rnorm\ninputs=data\nchannels=3\nsize=3\n[d]\ntype=dropout\ninputs=n\n"
        "[e]\ntype=dropout2\ninputs=d\n[s]\ntype=eltsum\ninputs=d,e\n[f]\ntype=fc\ninputs=s\n"
        "outputs=4\n",
        companion=str(params),
    )
    norm = found["n"].layer
    assert (norm.alpha, norm.beta, norm.k) == (0.002, 0.5, 3)
    assert found["d"].layer.rate == 0.25
    assert found["e"].layer.rate == 0  # not enabled
    assert found["s"].inputs == ("d", "s.coeff1")
    assert found["s.coeff1"].layer.slope == 2
    assert not found.notes


def test_a_parameter_file_with_too_few_values_is_refused(tmp_path: Path) -> None:
    params = tmp_path / "layer-params.cfg"
    params.write_text("[f]\nepsW=dexp[a=1,b=2]\n[g]\nwc=0\nepsW=exp[a=1,b=2],3,4\nmomW=0.9\n")
    with pytest.raises(ReadError, match="'epsW' needs one value an input") as caught:
        network(FLAT + "[g]\ntype=fc\ninputs=f,data\noutputs=4\n", companion=str(params))
    assert caught.value.where == f"{params}:5"
    assert caught.value.values == "3 values, g has 2 input(s)"


# --- the input's size -------------------------------------------------------------------------


def cifar(classes: int, more: str = "") -> str:
    return (
        "[c]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=5\n"
        f"{more}[f]\ntype=fc\ninputs=c\noutputs={classes}\n"
    )


@pytest.mark.parametrize(
    ("text", "side", "says"),
    [
        (cifar(10), 32, "505 sizes are consistent: 8-512; 32 is the size of CIFAR's images"),
        (cifar(1000), 224, "224 is the crop"),
        # for 7 classes a usual size is taken where it is the only one: 224 and 32 are no 24·n
        (cifar(7, "padding=2\npartialSum=576\n"), 24, "21 sizes are consistent: 24, 48, 72,"),
    ],
)
def test_the_input_is_inferred_and_said(text: str, side: int, says: str) -> None:
    found = network(text, None)
    assert found.inputs == {"data": (1, 3, side, side)}
    assert found.notes[0].startswith(f"input {side}: the file does not say it; of 8 to 512, ")
    assert says in found.notes[0]


def test_a_single_consistent_size_is_taken() -> None:
    """1 + ⌈(s - 5) / 3⌉ is s - 9 for s = 13 and no other."""
    found = network(
        "[a]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=5\nstride=3\n"
        "[b]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=10\n"
        "[c]\ntype=eltsum\ninputs=a,b\n",
        None,
    )
    assert [s for s in range(10, 513) if 1 - (5 - s) // 3 == s - 9] == [13]
    assert found.inputs == {"data": (1, 3, 13, 13)}
    assert found.notes[0].endswith("1 size is consistent: 13; it is the only one")


@pytest.mark.parametrize(
    ("text", "values", "hint"),
    [
        (cifar(7), "505 sizes are consistent: 8-512", "--input 3x32x32"),
        (FLAT, "input data", "--input 3x32x32"),
        (
            cifar(10) + "[other]\ntype=data\ndataIdx=2\n[d]\ntype=pool\ninputs=other\nchannels=1\n"
            "pool=max\nsizeX=2\nstride=2\n",
            "input data, other",
            "--input data=3x32x32",
        ),
    ],
)
def test_what_nothing_decides_is_asked_for(text: str, values: str, hint: str) -> None:
    with pytest.raises(ReadError, match="the file does not say the size of its input") as caught:
        network(text, None)
    assert values in caught.value.values
    assert hint in caught.value.hint
    assert caught.value.where == "layers.cfg:1"


def test_a_mistake_that_no_size_mends_is_told_as_such() -> None:
    with pytest.raises(ReadError, match="d: 'channels' does not match its input 'c'") as caught:
        network(
            cifar(10) + "[d]\ntype=pool\ninputs=c\nchannels=8\npool=max\nsizeX=2\nstride=2\n", None
        )
    assert caught.value.where == "layers.cfg:17"


def test_where_no_size_fits_the_one_that_comes_furthest_is_told() -> None:
    text = cifar(10).replace("filterSize=5", "filterSize=100") + (  # below 100, c itself fails
        "[g]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=3\n"
        "[h]\ntype=eltsum\ninputs=c,g\n"
    )
    with pytest.raises(ReadError, match="h: all inputs must have the same size") as caught:
        network(text, None)
    assert "no input of 8 to 512 fits all layers, 224 comes furthest" in caught.value.values


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((3, 28, 28), (1, 3, 28, 28)),
        ((5, 3, 28, 28), (5, 3, 28, 28)),
        ((2352,), (1, 3, 28, 28)),
        ((4, 2352), (4, 3, 28, 28)),
    ],
)
def test_the_user_may_say_the_size(size: tuple[int, ...], shape: tuple[int, ...]) -> None:
    found = network(cifar(10), size)
    assert found.inputs == {"data": shape}
    assert tally(found)["c"].shape == (shape[0], 16, 24, 24)
    assert not found.notes


@pytest.mark.parametrize(
    ("sizes", "what", "values"),
    [
        ({"": (3, 32, 16)}, "images are square", "3x32x16"),
        ({"": (1, 32, 32)}, "'channels' does not match its input 'data'", "channels 3, the input"),
        ({"": (3073,)}, "can't be read as 3 square maps", "3,073 values"),
        ({"": (3, 0, 0)}, "a size that cannot be", "3x0x0"),
        ({"": (1, 2, 3, 4, 5)}, "a size that cannot be", "1x2x3x4x5"),
        ({"dta": (3, 32, 32)}, "no input 'dta'", "inputs: data"),
        ({"": (3, 4, 4)}, "the filter is larger than its input", "filterSize 5, input 4"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(
    sizes: dict[str, tuple[int, ...]], what: str, values: str
) -> None:
    with pytest.raises(ReadError) as caught:
        read(source(DATA + cifar(10), inputs=sizes))
    assert what in caught.value.what
    assert values in caught.value.values


def test_several_inputs_are_given_by_name() -> None:
    text = DATA + cifar(10) + "[z]\ntype=data\ndataIdx=2\n[g]\ntype=fc\ninputs=z,f\noutputs=4\n"
    sizes = {"data": (3, 32, 32), "z": (100,)}
    assert read(source(text, inputs=sizes)).inputs == {"data": (1, 3, 32, 32), "z": (1, 100)}
    with pytest.raises(ReadError, match="the network has several inputs"):
        read(source(text, inputs={"": (3, 32, 32)}))
    with pytest.raises(ReadError, match="different batches"):
        read(source(text, inputs={"data": (8, 3, 32, 32), "z": (4, 100)}))


def test_start_and_end_say_the_size() -> None:
    found = read(source("[data]\ntype=data\ndataIdx=0\nstart=72\nend=3144\n" + cifar(10)))
    assert found.inputs == {"data": (1, 3, 32, 32)}
    assert not found.notes


# --- errors -----------------------------------------------------------------------------------

GOOD = f"[c]\n{CONV}filters=16\n"

ERRORS = [
    # text after DATA, line, what, values, hint
    ("[c]\ninputs=data\n", 4, "c: the layer has no type", "given: inputs", "add a line type="),
    (
        "[c]\ntype=covn\ninputs=data\n",
        5,
        "no type of layer is called 'covn'",
        "",
        "did you mean 'conv'?",
    ),
    (f"[c]\n{CONV}", 4, "c: 'filters' is missing", "given: type, inputs", "add a line filters="),
    (
        "[c]\ntype=conv\ninputs=data\nchannels=3\nfiltersize=5\nfilter=16\n",
        4,
        "c: 'filters' is missing",
        "filter",
        "is 'filter' meant to be 'filters'?",
    ),
    ("[c]\ntype=fc\noutputs=2\n", 4, "c: 'inputs' is missing", "", "add a line inputs="),
    (
        "[c]\ntype=fc\ninputs=f\noutputs=2\n[f]\ntype=fc\ninputs=data\noutputs=2\n",
        6,
        "its input 'f' is defined after it",
        "[f] stands at line 8",
        "move [f] before [c]",
    ),
    ("[c]\ntype=fc\ninputs=dta\noutputs=2\n", 6, "'dta' is not defined", "", "did you mean 'data'"),
    ("[c]\ntype=fc\ninputs=c\noutputs=2\n", 6, "it is its own input", "", "one of data"),
    (
        "[k]\ntype=cost.sum2\ninputs=data\n[c]\ntype=fc\ninputs=k\noutputs=2\n",
        9,
        "its input 'k' is a cost and has no output",
        "",
        "",
    ),
    ("[c]\ntype=softmax\ninputs=data,data\n", 6, "softmax has 1 input", "2 given: data,data", ""),
    (
        "[c]\ntype=conv\ninputs=data\nchannels=3,3\nfilters=16\nfilterSize=5\n",
        7,
        "c: 'channels' needs one value an input",
        "2 values (3,3), 1 input(s)",
        "write 1 value",
    ),
    (f"{GOOD}initW=0.1,0.1\n", 10, "'initW' needs one value an input", "2 values", ""),
    (f"[c]\n{CONV}filters=16.5\n", 9, "c: 'filters' must be a whole number", "16.5", ""),
    (f"[c]\n{CONV}filters=\n", 9, "c: 'filters' must be a whole number", "nothing", ""),
    (f"[c]\n{CONV}filters=1_6\n", 9, "c: 'filters' must be a whole number", "1_6", ""),
    (f"[c]\n{CONV}filters=٣\n", 9, "c: 'filters' must be a whole number", "٣", ""),
    (f"[c]\n{CONV}filters=0\n", 9, "c: 'filters' must be at least 1", "0", ""),
    (f"[c]\n{CONV}filters={'9' * 30}\n", 9, "c: 'filters' is too large", "30 digits", ""),
    (f"[c]\n{CONV}filters=9999999999\n", 4, "output is too large", "1e+10 channels", ""),
    (f"{GOOD}padding=-1\n", 10, "c: 'padding' must be at least 0", "-1", ""),
    (f"{GOOD}stride=0\n", 10, "c: 'stride' must be at least 1", "0", ""),
    (f"{GOOD}sharedBiases=maybe\n", 10, "c: 'sharedBiases' is true or false", "maybe", ""),
    (f"{GOOD}groups=2\n", 10, "the groups must divide the channels", "channels 3, groups 2", ""),
    (
        f"{GOOD}partialSum=5\n",
        10,
        "partialSum must divide the number of modules",
        "28x28 = 784",
        "",
    ),
    (f"{GOOD}modulesX=20\n", 10, "do not cover the whole input", "modulesX 20, filterSize 5", ""),
    (f"{GOOD}randSparse=1\n", 10, "randSparse needs more than one group", "groups 1", ""),
    (f"{GOOD}neuron=rleu\n", 10, "no activation is called 'rleu'", "", "did you mean 'relu'?"),
    (f"{GOOD}neuron=tanh[1]\n", 10, "neuron tanh takes 2 numbers", "tanh[1]", "neuron=tanh[a,b]"),
    (f"{GOOD}neuron=tanh[1,x]\n", 10, "neuron tanh takes 2 numbers", "tanh[1,x]", ""),
    (f"{GOOD}neuron=tanh[1,2\n", 10, "neuron tanh takes 2 numbers", "tanh[1,2", ""),
    (f"{GOOD}neuron=brelu\n", 10, "neuron brelu takes 1 number", "brelu", "neuron=brelu[a]"),
    (f"{GOOD}neuron=relu[3]\n", 10, "neuron relu takes no numbers", "relu[3]", ""),
    (f"{GOOD}neuron=drelu[0]\n", 10, "drelu divides by its number", "drelu[0]", ""),
    (f"{GOOD}weightSource=x\n", 10, "it shares weights with 'x', which is not defined", "", ""),
    (f"{GOOD}weightSource=c[0]\n", 10, "'c[0]', which is not there", "c has 1, counted from 0", ""),
    (f"{GOOD}weightSource=c[\n", 10, "'weightSource' is layer or layer[index]", "c[", ""),
    (f"{FLAT}{GOOD}weightSource=f\n", 14, "shared between layers of one type", "c is conv, f", ""),
    (
        f"{FLAT}[g]\ntype=fc\ninputs=f\noutputs=2\nweightSource=f\n",
        12,
        "shares with f have another size",
        "32x2 here, 3,072x32 there",
        "",
    ),
    (f"{GOOD}weightSource=a,b\n", 10, "'weightSource' needs one value an input", "2 values", ""),
    (
        TWO + "[d]\ntype=conv\ninputs=a,b\nchannels=16,32\nfilters=8,16\nfilterSize=3\n",
        22,
        "all inputs must have the same number of filters",
        "8 x 1 group(s), 16 x 1 group(s)",
        "",
    ),
    (
        TWO + "[d]\ntype=conv\ninputs=a,b\nchannels=16,32\nfilters=8\nfilterSize=3,5\n",
        20,
        "all inputs must give an output of the same size",
        "a gives 30x30, b gives 28x28",
        "",
    ),
    (
        TWO + "[d]\ntype=conv\ninputs=a\nchannels=32\nfilters=8\nfilterSize=3\n",
        21,
        "'channels' does not match its input 'a'",
        "channels 32, the input has 16x32x32",
        "channels=16",
    ),
    (
        TWO + "[d]\ntype=eltsum\ninputs=a,b\n",
        20,
        "all inputs must have the same size",
        "a 16x32x32, b 32x32x32",
        "",
    ),
    (TWO + "[d]\ntype=eltmax\ninputs=a\n", 20, "eltmax needs two inputs or more", "", ""),
    (
        FLAT + "[p]\ntype=sfc\ninputs=f\noutputs=2\nparts=5\n",
        12,
        "'parts' must divide",
        "parts 5, f has 32 values",
        "",
    ),
    (FLAT + "[p]\ntype=sum\ninputs=f\nstride=5\n", 11, "'stride' must divide", "32 values", ""),
    (
        "[p]\ntype=pool\ninputs=data\nchannels=3\npool=min\nsizeX=3\nstride=2\n",
        8,
        "'pool' is one of max, maxabs, avg, rand",
        "min",
        "",
    ),
    (
        "[p]\ntype=pool\ninputs=data\nchannels=3\npool=max\nsizeX=33\nstride=2\n",
        9,
        "the window is larger than its input",
        "sizeX 33, input 32",
        "",
    ),
    (
        "[p]\ntype=pool\ninputs=data\nchannels=3\npool=max\nsizeX=2\nstride=1\nstart=40\n",
        11,
        "no window fits",
        "start 40",
        "",
    ),
    (
        "[p]\ntype=cmpool\ninputs=data\nchannels=3\npool=max\nsize=2\nstride=2\noutputs=1\n",
        9,
        "must cover all channels",
        "up to 2 of 3 channels",
        "",
    ),
    (
        "[p]\ntype=cmpool\ninputs=data\nchannels=3\npool=avg\nsize=2\nstride=2\noutputs=2\n",
        8,
        "'pool' of a cmpool is max",
        "avg",
        "",
    ),
    (
        "[p]\ntype=cmrnorm\ninputs=data\nchannels=3\nsize=5\n",
        8,
        "larger than the number of channels",
        "size 5, channels 3",
        "",
    ),
    (
        "[p]\ntype=rnorm\ninputs=data\nchannels=3\nsize=40\n",
        8,
        "the window is larger than its input",
        "size 40, input 32",
        "",
    ),
    (
        "[p]\ntype=rnorm\ninputs=data\nchannels=3\nsize=3\nscale=nan\n",
        9,
        "'scale' must be a number",
        "nan",
        "",
    ),
    (
        "[p]\ntype=blur\ninputs=data\nchannels=3\nfilterSize=4\nstdev=1\n",
        8,
        "3, 5, 7 or 9",
        "4",
        "",
    ),
    ("[p]\ntype=resize\ninputs=data\nchannels=3\nscale=3\n", 8, "'scale' lies between", "3.0", ""),
    (
        "[p]\ntype=rscale\ninputs=data\nchannels=3\nmaxScale=1.5\ntgtSize=40\n",
        9,
        "'tgtSize' lies between",
        "tgtSize 40, input 32",
        "",
    ),
    (
        "[p]\ntype=crop\ninputs=data\nchannels=3\nstartX=20\nsizeX=20\n",
        9,
        "the crop reaches beyond its input",
        "startX 20, startY 20, sizeX 20, input 32",
        "",
    ),
    ("[p]\ntype=hs\ninputs=data\nkeep=0\n", 7, "'keep' is a chance", "keep 0.0", ""),
    ("[p]\ntype=neuron\ninputs=data\n", 4, "'neuron' is missing", "", "add a line neuron=relu"),
    ("[p]\ntype=treefc\ninputs=data\nweightSource=p\n", 7, "a treefc can't share weights", "", ""),
    (
        "[p]\ntype=data\ndataIdx=2\nstart=5\nend=5\n",
        8,
        "'end' must lie after 'start'",
        "start 5, end 5",
        "",
    ),
    (
        FLAT + "[g]\ntype=fc\ninputs=f,f\noutputs=2\nweightSource=f\n",
        12,
        "'weightSource' needs one value an input",
        "1 values (f), 2 input(s)",
        "with commas between",
    ),
    (
        f"[c]\n{CONV.replace('=5', '=4000000000')}filters=1\npadding=2000000000\n",
        4,
        "c: kernel must be at most 2^31 - 1",
        "kernel 4000000000",
        "",
    ),
    ("[p]\nnonsense\n", 5, "p: this is neither [layer], key=value nor a comment", "nonsense", ""),
]


@pytest.mark.parametrize(("text", "line", "what", "values", "hint"), ERRORS)
def test_a_mistake_is_told_where_it_is(
    text: str, line: int, what: str, values: str, hint: str
) -> None:
    with pytest.raises(ReadError) as caught:
        read(source(DATA + text, inputs={"": (3, 32, 32)}))
    error = caught.value
    assert what in error.what
    assert error.where == f"layers.cfg:{line}"
    assert values in error.values
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the file has no layers"),
        ("# nothing\n", "the file has no layers"),
        ("type=conv\n", "the file does not begin with a [layer]"),
        (DATA, "no layer reads any data"),
        ("[f]\ntype=neuron\n", "f: 'inputs' is missing"),
    ],
)
def test_a_file_that_is_no_network_is_refused(text: str, what: str) -> None:
    with pytest.raises(ReadError) as caught:
        read(source(text))
    assert what in caught.value.what


# --- the file's syntax: Python 2's SafeConfigParser -------------------------------------------


def section(text: str) -> dict[str, str]:
    found, _ = parse(text, "x.cfg")
    (one,) = found.values()
    return {key: one.get(key) for key in one.keys()}  # noqa: SIM118 - a Section is no dict


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("[a]\nK=v\n", {"k": "v"}),
        ("[a]\nk : v\n", {"k": "v"}),
        ("[a] ; the rest is not read\nk=v", {"k": "v"}),
        ("[a]\r\nk = v \r\n", {"k": "v"}),
        ("[a]\nk=a=b:c\nl:x=y\n", {"k": "a=b:c", "l": "x=y"}),
        ("[a]\nk=v ; comment\n", {"k": "v"}),
        ("[a]\nk=v;no comment\n", {"k": "v;no comment"}),
        # only the first semicolon is looked at
        ("[a]\nk=dexp[base=0.01;n=2] ; not\n", {"k": "dexp[base=0.01;n=2] ; not"}),
        ("[a]\nk=v # no comment\n", {"k": "v # no comment"}),
        ("# one\n; two\nrem three\nREM four\n[a]\nk=v\n", {"k": "v"}),
        ("[a]\nremark=v\n", {"remark": "v"}),
        ("[a]\nk=1,\n  2,\n\t3\nl=4\n", {"k": "1,\n2,\n3", "l": "4"}),
        ('[a]\nk=""\nl=\n', {"k": "", "l": ""}),
        ("[a]\nk=1\nk=2\n", {"k": "2"}),
        ("[a]\nk=1\n[a]\nl=2\n", {"k": "1", "l": "2"}),
        ("[DEFAULT]\nk=1\nl=2\n[a]\nk=3\n", {"k": "3", "l": "2"}),
        ("[a]\nn=3\nk=%(N)sx%(n)s\n", {"n": "3", "k": "3x3"}),
        ("[a]\nk=%(__name__)s at 50%%\n", {"k": "a at 50%"}),
        ("[DEFAULT]\nn=7\n[a]\nm=%(n)s\nk=%(m)s\n", {"n": "7", "m": "7", "k": "7"}),
    ],
)
def test_the_syntax_is_that_of_python_2(text: str, options: dict[str, str]) -> None:
    assert section(text) == options


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[a]\nk=%(x)s\n", 2, "'k' refers to 'x', which is not there"),
        ("[a]\nk=5%\n", 2, "a % that is neither"),
        ("[a]\nk=%(x\n", 2, "a % that is neither"),
        ("[a]\nl=1\nk=%(k)s\n", 3, "nests %(…)s too deep"),
        ("[a]\n=v\n", 2, "neither [layer], key=value"),
        (f"[{'a' * 201}]\n", 1, "a layer's name is too long"),
        (f"[a]\nk={'a' * 10_001}\n", 2, "'k' is too long"),
        (f"[a]\nk={'a' * 9_999}\n aa\n", 3, "'k' is too long"),
    ],
)
def test_syntax_errors_have_their_line(text: str, line: int, what: str) -> None:
    with pytest.raises(ReadError) as caught:
        section(text)
    assert what in caught.value.what
    assert caught.value.where == f"x.cfg:{line}"


def test_section_names_have_cases_and_keys_have_none() -> None:
    found, odd = parse("[a]\nFilterSize=1\n[A]\nk=2\n", "x.cfg")
    assert list(found) == ["a", "A"]
    assert found["a"].get("filtersize") == "1"
    assert not odd


def test_repetitions_are_said() -> None:
    found = network(f"{FLAT}[f]\noutputs=7\noutputs=8\n")
    assert tally(found).neurons == 8
    assert found.notes == (
        "[f] stands at lines 4 and 8: they are read as one, as Python 2 does",
        "f: 'outputs' is given at lines 7 and 9: the last holds, as in Python 2",
        "f: 'outputs' is given at lines 9 and 10: the last holds, as in Python 2",
    )


# --- recognition ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "ours"),
    [
        (DATA + GOOD, True),
        ("# a net\n\n[c]\nTYPE : covn\nInputs = data\n", True),  # the mistake is told in reading
        ("[conv1]\nepsW=0.1\nmomW=0.9\n", True),
        ("[logprob]\ncoeff=1\n", True),
        ("[net]\nbatch=64\nwidth=416\n[convolutional]\nfilters=16\nsize=3\n", False),
        ("[net]\nbatch=1\n[conv]\ntype=conv\ninputs=data\n", False),
        ("[metadata]\nname = x\nversion = 1\n[options]\npackages = find:\n", False),
        ("[remote]\ntype = sftp\n", False),
        ("[tool]\nscale = 3\nname = a\n", False),
        ("nettally: 1\nlayers:\n  - conv1: conv 96, [11, 11]\n", False),
        ("", False),
        ("PK\x03\x04[data]\0type=data\ndataIdx=0", False),
    ],
)
def test_files_are_recognised_by_what_they_say(head: str, ours: bool) -> None:
    assert sniff(head.encode(), "any.cfg") is ours


def test_a_head_that_ends_anywhere_is_recognised() -> None:
    whole = (DATA + GOOD + "[é]\n").encode()
    assert all(sniff(whole[:end], "x") for end in range(30, len(whole)))
