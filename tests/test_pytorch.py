"""Reading a live module: what is seen of it, and that it is left as it was."""

from __future__ import annotations

import copy
import random
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.module import Module as TorchModule
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import nettally
from nettally.formats.torch_module import ForwardError

IMAGE = (2, 3, 16, 16)


class Convnet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(3, 8, 3, padding=1, bias=False),
                norm=nn.BatchNorm2d(8),
                relu=nn.ReLU(inplace=True),
                pool=nn.MaxPool2d(2),
            )
        )
        self.head = nn.Linear(8 * 64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).flatten(1))


def reading(module: nn.Module, *sizes: tuple[int, ...], **more: Any) -> nettally.Tally:
    return nettally.tally(nettally.read(module, list(sizes) or IMAGE, **more))


def kinds(tally: nettally.Tally) -> list[str]:
    return [row.node.layer.kind for row in tally]


# --- what is seen -------------------------------------------------------------------------------


def test_a_module_is_the_same_network_as_one_from_a_file() -> None:
    tally = reading(Convnet(), IMAGE)
    assert [row.name for row in tally] == [
        "features.conv", "features.norm", "features.relu", "features.pool", "flatten", "head",
    ]  # fmt: skip
    assert [row.node.module for row in tally][:2] == ["features", "features"]
    assert tally["features.conv"].shape == (2, 8, 16, 16)
    assert tally.parameters == sum(p.numel() for p in Convnet().parameters())
    assert tally.macs == 2 * (8 * 16 * 16 * 27 + 10 * 8 * 64)


def test_a_size_without_a_batch_is_taken_for_one_example_and_that_is_said() -> None:
    network = nettally.read(Convnet(), (3, 16, 16))
    assert network.inputs == {"x": (1, 3, 16, 16)}
    assert "the input 3x16x16 is taken as one example" in network.notes


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(4, 3, 3, 3))
        self.gain = nn.Parameter(torch.rand(4, 1, 1))
        self.query = nn.Parameter(torch.rand(5, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.conv2d(x, self.kernel, padding=1)
        x = torch.relu(x) * self.gain + x
        return self.query @ x.flatten(2)


def test_functional_calls_and_operators_are_seen() -> None:
    tally = reading(Functional())
    assert kinds(tally) == ["conv", "relu", "combine", "add", "flatten", "tensor", "matmul"]
    assert tally.parameters == 4 * 27 + 4 + 20
    assert tally.macs == 2 * 256 * (4 * 27 + 20)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.block = nn.Linear(6, 6)
        self.out = nn.Linear(6, 11, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(self.block(self.block(self.embed(ids))))


def test_sums_are_told_by_module() -> None:
    module = nn.Sequential(OrderedDict(body=Convnet(), end=nn.Linear(10, 2)))
    tally = reading(module)
    for quantity in ("operations", "parameters", "neurons"):
        sums = tally.by_module(quantity)
        assert sums[""] == getattr(tally, quantity) == sums["body"] + sums["end"]
        assert sums["body"] == sums["body.features"] + sums["body.head"]
    assert sums["body.features.conv"] == 8 * 16 * 16
    with pytest.raises(nettally.NettallyError, match="no sum is called 'macs'"):
        tally.by_module("macs")


def test_what_is_shared_counts_once() -> None:
    tally = reading(Shared(), (1, 7), dtypes=[torch.int64])
    assert tally.parameters == 11 * 6 + 6 * 7
    assert tally.macs == 7 * (36 + 36 + 66)
    assert tally["out"].node.shared == {"weight": "embed.weight"}
    assert tally["block_2"].node.shared == {"weight": "block.weight", "bias": "block.bias"}


class Idle(Convnet):
    def __init__(self) -> None:
        super().__init__()
        self.auxiliary = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
        self.spare = nn.Parameter(torch.rand(7))
        self.register_buffer("count", torch.zeros(3))


def test_what_is_not_used_is_counted_and_named() -> None:
    network = nettally.read(Idle(), IMAGE)
    tally = nettally.tally(network)
    assert tally.parameters == sum(p.numel() for p in Idle().parameters())
    [note] = [note for note in network.notes if "not used" in note]
    assert note.startswith("48 parameters")
    assert "auxiliary" in note
    assert "spare" not in note
    kept = tally.under(nettally.ACCOUNTINGS["keras"]).parameters - tally.parameters
    assert kept == 8 + 8 + 3  # the running statistics and the buffer, as Keras would count them


@dataclass
class Output:
    logits: torch.Tensor
    hidden: list[torch.Tensor]


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


class Structured(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(6, 5)

    def forward(self, batch: dict[str, Any], scale: float = 1.0, pair: Pair | None = None) -> Any:
        x = self.a(batch["left"]) * scale + self.b(batch["right"][0])
        if pair is not None:
            x = x + pair.right
        return {"out": Output(x, [x.relu(), x.sigmoid()]), "pair": Pair(x.tanh(), x.exp())}


def test_inputs_and_outputs_may_be_of_any_structure() -> None:
    data = {"left": torch.rand(3, 4), "right": (torch.rand(3, 6), 1)}
    more = {"pair": Pair(torch.rand(5), torch.rand(5)), "scale": 2.0}
    network = nettally.read(Structured(), input_data=[data], keywords=more)
    assert network.outputs == ("add_2", "relu", "sigmoid", "tanh", "exp")
    assert set(network.inputs) == {"left", "right", "pair", "pair_1"}
    assert nettally.tally(network).macs == 3 * 5 * 10


class Looping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, times: int = 2) -> torch.Tensor:
        for _ in range(times + x.shape[0]):
            x = self.step(x)
        return x


def test_control_flow_is_as_executed() -> None:
    assert reading(Looping(), (1, 4)).macs == 3 * 16
    assert reading(Looping(), (2, 4), keywords={"times": 5}).macs == 7 * 32


class Deciding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Linear(4, 2), nn.Linear(4, 200)
        self.register_buffer("threshold", torch.tensor(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen = x[x.sum(1) > self.threshold]
        return self.large(chosen) if len(chosen) else self.small(x)


def test_a_forward_that_depends_on_values_is_followed_on_values() -> None:
    data = torch.tensor([[1.0, 1, 1, 1], [0, 0, 0, 0], [2, 2, 2, 2]])
    network = nettally.read(Deciding(), input_data=data)
    assert nettally.tally(network).macs == 2 * 800
    assert any("depends on values: it was run on the values given" in n for n in network.notes)
    assert nettally.tally(nettally.read(Deciding(), input_data=data * 0)).macs == 3 * 8
    with pytest.raises(nettally.NettallyError, match="asks for the values of a tensor"):
        nettally.read(Deciding().to("meta"), (3, 4))


class Mixture(nn.Module):
    """Experts chosen by values (as in a mixture of experts), in a loop over those that are hit."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        place = self.gate(x).argmax(-1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows = (place == i).nonzero(as_tuple=True)[0]
            if rows.numel():
                out[rows] = expert(x[rows])
        return out


def test_experts_that_are_chosen_by_values_are_counted_as_chosen() -> None:
    assert reading(Mixture(), (8, 4)).macs == 8 * (12 + 16)


def test_parametrizations_and_old_weight_norm_are_seen() -> None:
    module = nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(3, 4, 3)),
        parametrizations.orthogonal(nn.Linear(14, 5)),
    )
    before = {name: p.clone() for name, p in module.named_parameters()}
    tally = reading(module)
    assert tally.parameters == sum(p.numel() for p in before.values())
    assert tally.macs >= 2 * 4 * 14 * (14 * 27 + 5 * 14)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.back = nn.Parameter(torch.rand(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(self.first(x), self.first.weight.t(), self.back)


def test_a_weight_may_be_used_turned() -> None:
    tally = reading(Tied(), (5, 4))
    assert tally.parameters == 4 * 6 + 6 + 4
    assert tally.macs == 2 * 5 * 24


@pytest.mark.parametrize("batch_first", [False, True])
def test_attention_has_its_projections_and_its_products(batch_first: bool) -> None:
    module = nn.MultiheadAttention(12, 3, batch_first=batch_first)
    data = {name: torch.rand(5, 7, 12) for name in ("query", "key", "value")}
    tally = nettally.tally(nettally.read(module, input_data=data))
    batch, steps = (5, 7) if batch_first else (7, 5)
    assert tally.parameters == sum(p.numel() for p in module.parameters())
    assert tally.macs == batch * (4 * steps * 144 + 2 * steps * steps * 12)


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.rnn = nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> Any:
        x = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        y, (state, _) = self.rnn(x)
        return pad_packed_sequence(y, batch_first=True)[0], state


def test_packed_sequences_count_their_steps_alone() -> None:
    data = (torch.zeros(3, 5, dtype=torch.int64), torch.tensor([5, 1, 3]))
    network = nettally.read(Packed(), input_data=data)
    tally = nettally.tally(network)
    assert tally.macs == 9 * 2 * (24 * 10 + 24 * 18)
    assert [tally[name].shape for name in network.outputs] == [(3, 5, 12), (4, 3, 6)]


class Adapted(nn.Module):
    """A call that nobody has taught us, with a matrix product in it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(5, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.multi_dot([x, self.weight.t(), self.weight]).sinc()


def test_a_call_that_is_not_known_is_counted_by_torch_and_said() -> None:
    network = nettally.read(Adapted(), (3, 8))
    tally = nettally.tally(network)
    assert tally.macs == 3 * 5 * 8 * 2
    assert tally.parameters == 40
    assert network.details == ("followed by torch's own shape functions: linalg_multi_dot, sinc",)


def test_an_operator_that_is_not_torchs_own_is_unknown_and_not_zero() -> None:
    import warnings

    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantising in this way is deprecated, and still met
        quantised = torch.ao.quantization.quantize_dynamic(module, {nn.Linear}, torch.qint8)
        tally = reading(quantised, (2, 3))
    assert not tally.complete
    assert tally.unknown[0].node.layer.fields()["type"] == "linear_dynamic"
    assert tally[tally.network.outputs[0]].shape == (2, 4)


@pytest.mark.parametrize("how", [torch.sparse.mm, torch.matmul, lambda a, b: a @ b])
def test_a_sparse_matrix_counts_the_values_that_it_has(how: Callable[..., Any]) -> None:
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("edges", torch.eye(6).to_sparse())
            self.layer = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return how(self.edges, self.layer(x)).relu()

    tally = reading(Graph(), (6, 4))
    assert tally.macs == 6 * 12 + 6 * 3
    assert tally["relu"].shape == (6, 3)


def test_train_mode_runs_what_training_runs() -> None:
    class Auxiliary(Convnet):
        def forward(self, x: torch.Tensor) -> Any:
            return (super().forward(x), x.mean()) if self.training else super().forward(x)

    assert len(nettally.read(Auxiliary(), IMAGE, mode="train").outputs) == 2
    assert len(nettally.read(Auxiliary(), IMAGE).outputs) == 1
    assert len(nettally.read(Auxiliary().eval(), IMAGE, mode="same").outputs) == 1


def test_a_compiled_or_wrapped_module_is_read_within() -> None:
    plain = reading(Convnet()).macs
    assert reading(nn.DataParallel(Convnet())).macs == plain


def test_five_thousand_layers_are_read() -> None:
    module = nn.Sequential(*[nn.Identity() if i % 2 else nn.Linear(4, 4) for i in range(5000)])
    tally = reading(module, (1, 4))
    assert tally.macs == 2500 * 16
    assert len(tally.rows) == 5000


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_failing_forward_gives_its_own_error_and_the_layers_so_far() -> None:
    with pytest.raises(ForwardError) as caught:
        nettally.read(Convnet(), (2, 3, 20, 20))
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "the forward of Convnet fails: RuntimeError" in str(caught.value)
    assert [node.name for node in caught.value.so_far.nodes][-1] == "flatten"
    assert caught.value.where == "head"


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (None, "does not say how large its input is"),
        ((1, -3, 4), "whole numbers, the batch first"),
        ("3x4", "whole numbers, the batch first"),
        ([(1, 3, 16, 16), "x"], "whole numbers, the batch first"),
    ],
)
def test_a_size_that_is_none_is_refused(sizes: Any, says: str) -> None:
    with pytest.raises(nettally.NettallyError, match=says):
        nettally.read(Convnet(), sizes)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(nettally.NettallyError, match="neither a name, a path nor a torch module"):
        nettally.read(3)


def test_without_torch_a_module_can_not_be_read_and_that_is_said() -> None:
    code = "import sys; sys.modules['torch'] = None; import nettally; nettally.read('a.b:C')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "to read a PyTorch module, torch must be installed" in done.stderr


def scripted(what: Any) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and still met
        return torch.jit.script(what)


def gram(x: torch.Tensor) -> torch.Tensor:
    return x @ x.t()


def test_a_function_of_torchscript_is_counted_by_torch() -> None:
    function = scripted(gram)

    class Scripted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return function(x) + 1

    network = nettally.read(Scripted(), (2, 3))
    tally = nettally.tally(network)
    assert [tally[name].shape for name in network.outputs] == [(2, 2)]
    assert tally.macs == 12
    assert function(torch.ones(2, 3)).shape == (2, 2)  # its call is its own again


def test_a_module_of_torchscript_is_refused() -> None:
    module = nn.Sequential(scripted(nn.Linear(3, 4)), nn.ReLU())
    with pytest.raises(nettally.NettallyError, match="can't be followed") as caught:
        nettally.read(module, (2, 3))
    assert caught.value.where == "0"


# --- the module is left as it was ---------------------------------------------------------------


class Busy(nn.Module):
    """Changes all that a forward can change: attributes, buffers, modules, lists, hooks, modes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.calls = 0
        self.kept: list[Any] = [1]
        self.cache: dict[str, Any] = {}
        self.register_buffer("mask", torch.zeros(4))
        self.register_buffer("places", torch.zeros(4, dtype=torch.int64))
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.kept.append(x)
        self.cache["x"] = x
        self.mask = self.mask + 1
        self.places += 1
        self.register_buffer("new", torch.rand(3))
        self.late = nn.Linear(4, 4)
        self.norm.register_forward_hook(lambda *_: None)
        self.mask.add_(1)
        random.random()
        return self.drop(self.late(self.norm(x + self.mask + torch.rand(4)))) * torch.rand(1)


def weighted(module: nn.Module) -> nn.Module:
    """With the old weight norm, which computes an attribute in a hook before the forward."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(module)


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convnet": (Convnet, IMAGE),
    "busy": (Busy, (3, 4)),
    "shared": (Looping, (1, 4)),
    "weight norm": (lambda: nn.Sequential(weighted(nn.Linear(4, 4)), nn.ReLU()), (2, 4)),
    "spectral norm": (
        lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 4))), (2, 4),
    ),
    "lstm": (lambda: nn.LSTM(4, 5), (3, 2, 4)),
    "instance norm": (
        lambda: nn.InstanceNorm2d(3, track_running_stats=True, affine=True), IMAGE,
    ),
}  # fmt: skip


def everything(module: nn.Module) -> Any:
    """All that a module is, by identity, and the values in its tensors."""
    return [
        (
            name,
            {key: id(value) for key, value in each.__dict__.items()},
            {
                key: [(k, id(v)) for k, v in value.items()]
                for key, value in each.__dict__.items()
                if isinstance(value, dict)
            },
            {key: list(map(id, v)) for key, v in each.__dict__.items() if isinstance(v, list)},
        )
        for name, each in module.named_modules()
    ]


@pytest.mark.parametrize("mode", ["eval", "train", "same"])
@pytest.mark.parametrize("name", MODULES)
def test_reading_leaves_the_module_as_it_was(name: str, mode: str) -> None:
    make, sizes = MODULES[name]
    torch.manual_seed(1)
    module = make()
    for i, p in enumerate(module.parameters()):
        p.requires_grad_(i % 2 == 0)
        if i % 2 == 0:
            p.grad = torch.ones_like(p)
    before = everything(module)
    values = copy.deepcopy(module.state_dict())
    needs = [p.requires_grad for p in module.parameters()]
    states = torch.get_rng_state(), random.getstate()
    methods = {n: f.__code__ for n, f in vars(TorchModule).items() if hasattr(f, "__code__")}
    first = nettally.read(module, sizes, mode=mode)
    again = nettally.read(module, sizes, mode=mode)
    assert everything(module) == before
    assert [p.requires_grad for p in module.parameters()] == needs
    for key, value in module.state_dict().items():
        assert torch.equal(value, values[key])
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert {
        n: f.__code__ for n, f in vars(TorchModule).items() if hasattr(f, "__code__")
    } == methods
    assert first.nodes == again.nodes


def test_a_failing_forward_leaves_the_module_as_it_was() -> None:
    class Failing(Busy):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            super().forward(x)
            raise KeyError("mine")

    module = Failing()
    before = everything(module)
    with pytest.raises(ForwardError) as caught:
        nettally.read(module, (3, 4))
    assert isinstance(caught.value.__cause__, KeyError)
    assert everything(module) == before
    assert Convnet()(torch.rand(IMAGE)).shape == (2, 10)  # torch itself is as it was


def test_the_self_check_leaves_the_module_as_it_was() -> None:
    module = Convnet()
    before = everything(module)
    network = nettally.read(module, IMAGE, self_check=True)
    assert everything(module) == before
    assert network.notes[-1].startswith("self-check: torch gives all 7 calls of modules the same")


def test_the_self_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    from nettally.layers.pooling import MaxPool

    monkeypatch.setattr(MaxPool, "shape", lambda self, xs: (*xs[0][:2], 4, 16))
    with pytest.raises(nettally.NettallyError, match="a shape is not torch's"):
        nettally.read(Convnet(), IMAGE, self_check=True)


def test_other_threads_run_real_modules_meanwhile() -> None:
    module, wrong = Convnet().eval(), []
    stop = threading.Event()

    def run() -> None:
        with torch.no_grad():
            while not stop.is_set():
                made = module(torch.rand(IMAGE))
                if type(made) is not torch.Tensor or made.shape != (2, 10):
                    wrong.append(made)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for _ in range(30):
            assert reading(Convnet()).macs == 2 * (8 * 16 * 16 * 27 + 10 * 8 * 64)
    finally:
        stop.set()
        thread.join()
    assert not wrong


def test_no_weight_is_allocated() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(10**6, 10**6), nn.ReLU())  # 4 TB
    assert reading(module, (1, 10**6)).macs == 10**12
