"""Memory, held to torch's saved tensors, to storages counted as it runs, and to its optimizers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import nettally
import torch_memory
import torch_models
import torch_nets
from nettally import cli, memory
from nettally.counting.memory import layout, rules
from nettally.errors import NettallyError
from nettally.layers import FAMILIES

# --- networks -------------------------------------------------------------------------------------


class LrnAlexNet(nn.Module):
    """AlexNet's first layers, with response normalisation, groups and dropout in place."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 96, 11, 4, 2), nn.ReLU(inplace=True), nn.LocalResponseNorm(5),
            nn.MaxPool2d(3, 2), nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(),
            nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2), nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(), nn.Flatten(), nn.Linear(384 * 3 * 3, 10), nn.Dropout(inplace=True),
            nn.Dropout(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class First(nn.Module):
    """A recurrent net of which the sequence comes out."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)[0]


class SelfAttention(nn.Module):
    """Attention whose weights come out too, so that it is not fused."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x, x, x)[0]


def encoder(dropout: float, batch_first: bool) -> nn.Module:
    layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=dropout, batch_first=batch_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


TORCHVISION = {
    "alexnet": 64, "vgg11": 32, "resnet18": 64, "resnet50": 64, "mobilenet_v3_small": 64,
    "efficientnet_b0": 64, "densenet121": 64, "googlenet": 64, "squeezenet1_1": 64,
    "shufflenet_v2_x1_0": 64, "regnet_y_400mf": 64, "convnext_tiny": 64, "vit_b_32": 224,
    "swin_t": 64,
}  # fmt: skip
"""Models, and the side of a small input."""

PLAIN: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "lrn": (LrnAlexNet, (2, 3, 67, 67)),
    "encoder": (lambda: encoder(0.0, False), (3, 7, 32)),
    "encoder batch first": (lambda: encoder(0.0, True), (3, 7, 32)),
    "encoder dropout": (lambda: encoder(0.1, False), (3, 7, 32)),
    "encoder dropout, batch first": (lambda: encoder(0.1, True), (3, 7, 32)),
    "attention with weights": (SelfAttention, (3, 7, 32)),
    **{
        f"{kind.__name__} {options}": (
            lambda kind=kind, options=options: First(kind(24, 48, **options)),
            (9, 4, 24),
        )
        for kind in (nn.LSTM, nn.GRU, nn.RNN)
        for options in (
            {},
            {"batch_first": True},
            {"bidirectional": True},
            {"num_layers": 2, "bidirectional": True},
            {"num_layers": 2, "dropout": 0.5},
            {"bias": False},
        )
    },
    "LSTM with a projection": (lambda: First(nn.LSTM(24, 48, proj_size=8)), (9, 4, 24)),
    "wide input": (lambda: First(nn.LSTM(256, 100)), (5, 3, 256)),
    "narrow": (lambda: First(nn.LSTM(6, 5)), (16, 4, 6)),
}


def model(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    if name in PLAIN:
        make, shape = PLAIN[name]
        return make(), shape
    side = TORCHVISION[name]
    return torch_models.build("torchvision", name), (2, 3, side, side)


@pytest.mark.parametrize("name", [*TORCHVISION, *PLAIN])
def test_training_is_what_autograd_keeps(name: str) -> None:
    """To the byte. The rows add up to it, and no layer's rule is unknown."""
    module, shape = model(name)
    x = torch.zeros(shape)
    counted = nettally.tally(nettally.read(module, shape, mode="train"))
    made = memory.training(counted)
    with torch_models.quiet():  # torch says that oneDNN does not project
        assert made.activations == torch_memory.kept(module, x)
    assert sum(row.bytes for row in made.rows) == made.activations
    assert not made.unknown
    assert made.inputs == x.nbytes


NETS = {
    # measured, estimated; the difference is named in docs/memory.md
    "gru": (126_720, 126_720),
    "transformer": (435_696, 435_696),
    "encoder": (696_032, 696_032),
    "attention": (30_656, 30_656),
    "tied": (25_088, 25_088),
    "unet": (418_432, 418_432),
    "functional": (5_084, 5_084),
    "lstm": (253_440, 248_640),
    "rnn": (13_152, 13_632),
    "normed": (73_572, 74_180),
    "mixed": (48_312, 47_664),
}


@pytest.mark.parametrize("name", NETS)
def test_training_of_odd_nets(name: str) -> None:
    make, inputs = torch_nets.NETS[name][:2]
    with torch_models.quiet():  # the old weight_norm
        module = make()
    tensors = torch_models.arguments(inputs, "cpu")
    network = nettally.read(module, input_data=tensors, mode="train")
    made = memory.training(nettally.tally(network))
    with torch_models.quiet():
        assert (torch_memory.kept(module, *tensors), made.activations) == NETS[name]


# --- one rule after the other ---------------------------------------------------------------------

X = (2, 8, 10, 10)

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    **{
        name: getattr(functional, name)
        for name in (
            "relu", "silu", "gelu", "hardswish", "hardsigmoid", "relu6", "mish", "elu", "selu",
            "softplus", "leaky_relu", "hardtanh", "softsign",
        )
    },
    **{
        f"{name} in place": lambda x, name=name: getattr(functional, name)(x, inplace=True)
        for name in ("relu", "silu", "hardswish", "hardsigmoid", "relu6", "mish", "elu", "selu",
                     "leaky_relu")
    },
    **{
        name: getattr(torch, name)
        for name in ("sqrt", "abs", "exp", "log", "tanh", "sigmoid", "erf", "sin", "reciprocal",
                     "rsqrt", "square", "neg", "floor")
    },
    "max pool": lambda x: functional.max_pool2d(x, 2),
    "average pool": lambda x: functional.avg_pool2d(x, 2),
    "adaptive, to one": lambda x: functional.adaptive_avg_pool2d(x, 1),
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, 3),
    "adaptive max": lambda x: functional.adaptive_max_pool2d(x, 3),
    "lp pool": lambda x: functional.lp_pool2d(x, 2.0, 2),
    "dropout": lambda x: functional.dropout(x, 0.5),
    "dropout in place": lambda x: functional.dropout(x + 0, 0.5, inplace=True),
    "no dropout": lambda x: functional.dropout(x, 0.0),
    "response norm": lambda x: functional.local_response_norm(x, 5),
    "even response norm": lambda x: functional.local_response_norm(x, 4),
    "softmax": lambda x: functional.softmax(x, 1),
    "log softmax": lambda x: functional.log_softmax(x, 1),
    "group norm": lambda x: functional.group_norm(x, 2),
    "layer norm": lambda x: functional.layer_norm(x, (10,)),
    "rms norm": lambda x: functional.rms_norm(x, (10,)),
    "mean": lambda x: x.mean((2, 3)),
    "sum": lambda x: x.sum(1),
    "max": lambda x: x.max(1)[0],
    "norm": lambda x: x.norm(dim=1),
    "var": lambda x: x.var(1),
    "logsumexp": lambda x: x.logsumexp(1),
    "prod": lambda x: x.prod(1),
    "cumsum": lambda x: x.cumsum(1),
    "times a number": lambda x: x * 2,
    "by a number": lambda x: x / 2,
    "a number by it": lambda x: 1 / x,
    "plus a number": lambda x: 1 - x,
    "times a constant": lambda x: x * torch.ones(8, 1, 1),
    "by a constant": lambda x: x / torch.ones(8, 1, 1),
    "times itself": lambda x: x * x.exp(),
    "times in place": lambda x: (x + 0).mul_(x.exp()),
    "by itself": lambda x: x / (x + 1),
    "plus itself": lambda x: x + x.exp(),
    "squared": lambda x: x**2,
    "root": lambda x: x**0.5,
    "power of two": lambda x: 2**x,
    "clamp": lambda x: x.clamp(0, 1),
    "maximum": lambda x: torch.maximum(x, x * 2),
    "minimum": lambda x: torch.minimum(x, x * 2),
    "where": lambda x: torch.where(x > 0, x, x * 2),
    "masked fill": lambda x: x.masked_fill(x > 0, 0.0),
    "sort": lambda x: x.sort(1)[0],
    "topk": lambda x: x.topk(2, 1)[0],
    "gather": lambda x: x.gather(1, torch.zeros(2, 1, 10, 10, dtype=torch.int64)),
    "flip": lambda x: x.flip(1),
    "roll": lambda x: x.roll(1, 1),
    "cat": lambda x: torch.cat([x, x], 1),
    "stack": lambda x: torch.stack([x, x], 1),
    "pad": lambda x: functional.pad(x, (1, 1, 1, 1)),
    "reflect": lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"),
    "nearest": lambda x: functional.interpolate(x, scale_factor=2),
    "bilinear": lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "pixel shuffle": lambda x: functional.pixel_shuffle(x, 2),
    "unfold": lambda x: functional.unfold(x, 3),
    "matmul": lambda x: x @ (x * 2).transpose(-1, -2),
    "matmul of copies": lambda x: x.permute(0, 2, 1, 3) @ (x * 2).permute(0, 2, 3, 1),
    "einsum": lambda x: torch.einsum("bchw,bcdw->bhd", x, x * 2),
    "attention": lambda x: functional.scaled_dot_product_attention(x * 1.0, x * 1.5, x * 2),
    "attention with dropout": lambda x: functional.scaled_dot_product_attention(
        x * 1.0, x * 1.5, x * 2, dropout_p=0.1
    ),
    "masked attention": lambda x: functional.scaled_dot_product_attention(
        x * 1.0, x * 1.5, x * 2, attn_mask=torch.zeros(10, 10)
    ),
    "attention of three axes": lambda x: functional.scaled_dot_product_attention(x[0], x[1], x[1]),
    "copied": lambda x: x.transpose(1, 2).contiguous().exp().flatten(1).sigmoid(),
    "copied by a reshape": lambda x: x.transpose(1, 2).reshape(2, -1).square(),
    "seen from the side": lambda x: x.transpose(1, 2).square(),
}  # fmt: skip


class After(nn.Module):
    """A function of a convolution's output, so that gradients are asked for."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self.conv(x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_rule(name: str) -> None:
    module = After(FUNCTIONS[name])
    made = memory.training(nettally.tally(nettally.read(module, X, mode="train")))
    assert made.activations == torch_memory.kept(module, torch.rand(X))


OTHERS: dict[str, tuple[Callable[[Any], Any], int, int]] = {
    # function, measured, estimated: those that docs/memory.md names
    "dropout of channels": (lambda x: functional.dropout2d(x, 0.5), 64, 6_400),
    "amax": (lambda x: x.amax(1), 7_200, 1_600),
    "normalize": (lambda x: functional.normalize(x, dim=1), 8_000, 7_200),
    "logsigmoid": (functional.logsigmoid, 12_800, 6_400),
    "index": (lambda x: x[:, torch.tensor([1, 2])], 16, 0),
    "std": (lambda x: x.std(1), 7_200, 6_400),
    "glu": (lambda x: functional.glu(x, 1), 6_400, 9_600),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_known_to_differ(name: str) -> None:
    function, measured, estimated = OTHERS[name]
    module = After(function)
    made = memory.training(nettally.tally(nettally.read(module, X, mode="train")))
    assert (torch_memory.kept(module, torch.rand(X)), made.activations) == (measured, estimated)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "arrange",
    [
        lambda x: x[:, :, 0, 0],
        lambda x: x[:, :, 0],
        lambda x: x,
        lambda x: x.transpose(1, 2),
        lambda x: x.permute(0, 2, 3, 1).transpose(-1, -2),
        lambda x: x[:, :, 0].transpose(0, 1),
        lambda x: x[:, 2],
    ],
)
def test_matrices_of_a_linear_layer(arrange: Callable[[Any], Any], bias: bool) -> None:
    """What can be seen as one matrix is not copied for the product."""

    class Then(After):
        def __init__(self) -> None:
            super().__init__(arrange)
            x = arrange(torch.zeros(X))
            self.linear = nn.Linear(x.shape[-1], 3, bias=bias)

        def forward(self, x: torch.Tensor) -> Any:
            return self.linear(super().forward(x))

    module = Then()
    made = memory.training(nettally.tally(nettally.read(module, X, mode="train")))
    assert made.activations == torch_memory.kept(module, torch.rand(X))


def test_every_kind_has_a_rule_or_is_known_to_have_none() -> None:
    kinds = {kind for names in FAMILIES.values() for kind in names.split()}
    held = {*rules.RULES, *rules.BY_FIELD, *rules.SOURCES, *rules.UNKNOWN}
    assert kinds <= held
    assert held <= kinds


def test_what_is_not_known_is_said() -> None:
    module = After(lambda x: torch.fft.rfft2(x).abs())
    made = memory.training(nettally.tally(nettally.read(module, X, mode="train")))
    assert made.unknown == 1


# --- what is trained ------------------------------------------------------------------------------


def freeze(module: nn.Module, *names: str) -> None:
    for name, parameter in module.named_parameters():
        if name.startswith(names):
            parameter.requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("resnet18", ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")),
        ("resnet18", ("conv1", "bn1", "layer1")),
        ("alexnet", ("features",)),
        ("alexnet", ("",)),
        ("vit_b_32", ("conv_proj", "encoder", "class_token")),
        ("convnext_tiny", ("features",)),
        ("LSTM {}", ("inner",)),
        ("LSTM {'num_layers': 2, 'dropout': 0.5}", ("inner.weight_ih_l1", "inner.weight_hh_l1",
                                                    "inner.bias_ih_l1", "inner.bias_hh_l1")),
        ("encoder", ("layers.0",)),
        ("swin_t", ("features.0", "features.1")),
    ],
)  # fmt: skip
def test_frozen_parameters_need_no_gradients(name: str, frozen: tuple[str, ...]) -> None:
    module, shape = model(name)
    freeze(module, *frozen)
    made = memory.training(
        nettally.tally(nettally.read(module, shape, mode="train")), optimizer="adam"
    )
    assert made.activations == torch_memory.kept(module, torch.zeros(shape))
    trained = [p for p in module.parameters() if p.requires_grad]
    assert made.gradients == sum(p.nbytes for p in trained)
    assert made.optimizer == sum(2 * p.nbytes + 4 for p in trained)


MAKERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "radam": torch.optim.RAdam,
    "nadam": torch.optim.NAdam,
    "amsgrad": lambda p: torch.optim.Adam(p, amsgrad=True),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", [*MAKERS, "none"])
def test_optimizers_keep_what_torch_says(name: str, dtype: torch.dtype) -> None:
    module = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3)).to(dtype)
    made = memory.training(nettally.tally(nettally.read(module, (2, 5))), optimizer=name)
    assert set(memory.OPTIMIZERS) == {*MAKERS, "none"}
    if name == "none":
        assert made.optimizer == 0
        return
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer = MAKERS[name](module.parameters())
    optimizer.step()
    state = [x for each in optimizer.state.values() for x in each.values()]
    assert made.optimizer == sum(x.nbytes for x in state if isinstance(x, torch.Tensor))


def test_parameters_and_buffers_by_dtype() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1).half())
    module[1].num_batches_tracked  # noqa: B018 - an int64 buffer
    network = nettally.read(module[:2], (1, 3, 8, 8))
    assert memory.parameters(network) == {"float32": 4 * (4 * 27 + 4 + 8)}
    assert memory.buffers(network) == {"float32": 4 * 8, "int64": 8}
    assert memory.parameters(network, "bfloat16") == {"bfloat16": 2 * (4 * 27 + 4 + 8)}
    assert memory.buffers(network, "bfloat16") == {"bfloat16": 2 * 8, "int64": 8}
    structure = nettally.summary(module, verbose=0).network
    assert memory.parameters(structure) == {"float32": 480, "float16": 40}


def test_shared_parameters_count_once() -> None:
    make, inputs = torch_nets.NETS["tied"][:2]
    module = make()
    network = nettally.read(module, input_data=torch_models.arguments(inputs, "cpu"))
    assert memory.parameters(network) == {"float32": sum(p.nbytes for p in module.parameters())}
    # indices are whole numbers of eight bytes
    tensors = torch_models.arguments(inputs, "cpu")
    assert memory.input_bytes(nettally.tally(network)) == sum(x.nbytes for x in tensors)


def test_a_module_of_halves_keeps_halves() -> None:
    module = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)).bfloat16()
    counted = nettally.tally(nettally.read(module, (4, 8), dtypes=[torch.bfloat16], mode="train"))
    made = memory.training(counted)
    x = torch.zeros(4, 8, dtype=torch.bfloat16)
    assert made.activations == torch_memory.kept(module, x) == 64
    assert made.inputs == x.nbytes
    assert memory.training(counted, dtype="float32").activations == 128
    assert memory.training(counted, 8).activations == 256


def test_networks_of_files_have_four_bytes_a_value() -> None:
    counted = nettally.tally(nettally.read("alexnet"))
    made = memory.training(counted, optimizer="momentum")
    assert made.parameters == 4 * counted.parameters == made.gradients == made.optimizer
    assert memory.parameters(counted) == memory.parameters(counted.network)
    assert made.inputs == 4 * 3 * 224 * 224
    assert made.total == sum(
        (made.parameters, made.gradients, made.optimizer, made.inputs, made.activations)
    )
    assert memory.training(counted, dtype="float16").activations < made.activations


def test_working_changes_nothing() -> None:
    network = nettally.read("alexnet")
    plain, working = nettally.tally(network), nettally.tally(network, working=True)
    assert memory.training(plain).activations == memory.training(working).activations
    assert memory.inference(plain).peak == memory.inference(working).peak


# --- the peak of a forward ------------------------------------------------------------------------

PEAKS = {
    # measured, as torch runs the module, freed after the last reader
    "alexnet": (288_768, 288_768, 288_768),
    "vgg11": (942_080, 942_080, 942_080),
    "resnet18": (1_146_880, 1_146_880, 1_146_880),
    "resnet50": (1_802_240, 1_802_240, 1_671_168),
    "mobilenet_v3_small": (425_984, 425_984, 393_216),
    "efficientnet_b0": (1_802_240, 1_802_240, 1_671_168),
    "densenet121": (1_736_704, 1_474_560, 1_474_560),
    "googlenet": (1_146_880, 1_146_880, 1_146_880),
    "squeezenet1_1": (935_936, 935_936, 935_936),
    "shufflenet_v2_x1_0": (491_520, 491_520, 491_520),
    "regnet_y_400mf": (1_245_184, 1_245_184, 983_040),
    "convnext_tiny": (2_064_384, 2_064_384, 1_867_776),
    "vit_b_32": (5_197_824, 5_197_824, 3_969_024),
    "swin_t": (3_692_808, 3_267_684, 2_874_468),
    "lrn": (894_168, 894_168, 894_168),
    "encoder": (21_504, 21_504, 21_504),
}


@pytest.mark.parametrize("name", PEAKS)
def test_inference_is_what_is_alive(name: str) -> None:
    """To the byte, but for two whose forwards hold local names longer (docs/memory.md)."""
    module, shape = model(name)
    made = memory.inference(nettally.tally(nettally.read(module, shape)))
    measured = torch_memory.peak(module, torch.zeros(shape))
    assert (measured, made.held, made.peak) == PEAKS[name]
    assert made.peak <= made.held <= measured
    assert not made.unknown
    assert max(row.bytes for row in made.rows) == made.peak


def test_the_peak_of_a_chain() -> None:
    """By hand: each layer's input and output are alive together, and the network's input."""
    module = nn.Sequential(nn.Linear(10, 100), nn.Tanh(), nn.Linear(100, 7), nn.ReLU(inplace=True))
    made = memory.inference(nettally.tally(nettally.read(module, (1, 10))))
    assert made.peak == 4 * (10 + 100 + 100)
    assert made.at == "1"
    assert made.total == made.peak + 4 * (10 * 100 + 100 + 100 * 7 + 7)
    assert [row.made for row in made.rows] == [400, 400, 28, 0]


# --- how tensors lie ------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(2, 3, 4, 5), (1, 3, 1, 5), (4, 1, 1, 1), (2, 1, 4, 3)])
def test_strides_are_torchs(sizes: tuple[int, ...]) -> None:
    from itertools import permutations

    for order in permutations(range(4)):
        x = torch.empty(sizes).permute(order)
        new = tuple(x.shape)
        assert layout.settled(new, x.stride()) is None or not x.is_contiguous()
        like = torch.empty_like(x).stride()
        made = layout.in_order_of(new, x.stride()) or layout.row_major(new)
        assert (
            torch.empty_strided(new, made).is_contiguous()
            == torch.empty_strided(new, like).is_contiguous()
        )
        for shape in ((-1,), (new[0], -1), (new[0] * new[1], -1), (*new[:2], -1), (1, *new)):
            try:
                seen = x.view(shape)
            except RuntimeError:
                full = tuple(x.reshape(shape).shape)
                assert layout.viewed(new, x.stride(), full) is None
            else:
                mine = layout.viewed(new, x.stride(), tuple(seen.shape))
                assert mine is not None
                assert layout.settled(tuple(seen.shape), mine) == layout.settled(
                    tuple(seen.shape), seen.stride()
                )


# --- errors and words -----------------------------------------------------------------------------


def test_names_that_are_not_known() -> None:
    counted = nettally.tally(nettally.read("alexnet"))
    with pytest.raises(NettallyError, match="no optimizer is called 'adma'"):
        memory.training(counted, optimizer="adma")
    with pytest.raises(NettallyError, match="no dtype is called 'float31'"):
        memory.inference(counted, dtype="float31")


def test_each_says_its_rule() -> None:
    counted = nettally.tally(nettally.read("alexnet"))
    for made in (memory.training(counted), memory.inference(counted)):
        assert "an estimate" in made.rule
        assert "workspace of convolutions" in made.rule


# --- the command ----------------------------------------------------------------------------------

NET = """
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1000, 1000)

    def forward(self, x):
        return functional.dropout(self.layer(x), 0.5, self.training)
"""


def test_the_command_follows_a_module_as_it_trains_and_as_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET, encoding="utf-8")
    code = cli.run(["memory", "net.py:Net", "--input", "100x1000", "--optimizer", "adam"])
    printed = capsys.readouterr().out
    assert code == 0
    assert "parameters           4.00       4.00" in printed
    assert "optimizer: adam      8.01          –" in printed
    assert "input                0.40       0.40" in printed
    assert "activations          0.40       0.40" in printed  # the mask; the output
    assert "dropout                     dropout  0.4000  100.0%" not in printed
    assert "dropout  0.40  100.0%" in printed
    assert max(map(len, printed.splitlines())) <= 80
    code = cli.run(["memory", "net.py:Net", "--input", "100x1000", "--dtype", "bfloat16"])
    assert "parameters           2.00       2.00" in capsys.readouterr().out


def test_the_command_lists_the_most_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["memory", "alexnet"]) == 0
    short = capsys.readouterr().out
    assert "and 9 layers with" in short
    assert cli.run(["memory", "alexnet", "--all"]) == 0
    full = capsys.readouterr().out
    assert "(--all lists them)" not in full
    rows = memory.training(nettally.tally(nettally.read("alexnet"))).rows
    assert [row.name for row in rows] == [
        line.split()[0] for line in full.splitlines() if line.endswith("%")
    ]


def test_the_command_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["memory", "alexnet", "--optimizer", "adma"]) == 2
    assert "no optimizer is called 'adma'" in capsys.readouterr().err
