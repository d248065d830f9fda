"""What other tools print for a module, held to what they really print.

tests/torch_peers.csv was made by the tools themselves (scripts/torch-truth --peers), whose versions
stand in it. Where they are installed, they are run here on small nets too.
"""

from __future__ import annotations

import csv
import importlib.metadata
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import nettally
import torch_models
import torch_nets
import torch_peers
from nettally import ACCOUNTINGS, NettallyError
from nettally.accountings import by_calls as tools
from nettally.accountings.reckoning import Reckoning
from nettally.formats.torch_module.load import WithoutWeights
from nettally.rendering.output import reconcile as written
from nettally.rendering.tables.compare import reconcile_text
from nettally.rendering.terminal import Terminal

HERE = Path(__file__).parent

NAMES = {
    "torchinfo": "torchinfo",
    "fvcore": "fvcore",
    "thop": "thop",
    "flop_counter": "torch",
    "ptflops/pytorch": "ptflops",
    "ptflops/aten": "ptflops-aten",
    "calflops": "calflops",
}
"""Our names of the table's tools."""

RAISES = {
    ("pit_ti_224", "flop_counter"): "its ModuleTracker fails under no_grad",
    ("cait_xxs24_224", "flop_counter"): "its ModuleTracker fails under no_grad",
}
"""Where a tool prints nothing. There is no other exception."""

FIELDS = {"by_operator", "unsupported_ops"}
"""What the table has and we do not state."""


def read_csv(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((HERE / name).read_text("utf-8").splitlines()))


@cache
def table() -> dict[tuple[str, str], dict[str, dict[str, str]]]:
    """(source, model) → tool → field → value."""
    found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in read_csv("torch_peers.csv"):
        model = found.setdefault((row["source"], row["model"]), {})
        model.setdefault(row["tool"], {})[row["field"]] = row["value"]
    return found


@cache
def missing(source: str) -> str:
    """Why models of that source can't be built as they were for the table; "" where they can."""
    if source == "nets":
        return ""
    try:
        torch_models.torchvision_ready()
        have = torch_models.version(source)
    except (ImportError, RuntimeError) as error:
        return f"{source} is not installed: {error}"
    made = {row["version"] for row in read_csv("torch_truth.csv") if row["source"] == source}
    return "" if have in made else f"{source} {have} is not the one of the table"


def built(source: str, model: str) -> Any:
    with torch_models.quiet():
        try:
            with WithoutWeights():
                return torch_models.build(source, model)
        except (RuntimeError, NotImplementedError, TypeError):
            return torch_models.build(source, model)


@cache
def counted(source: str, model: str) -> nettally.Tally:
    module = built(source, model)
    shapes = torch_models.input_shapes(source, model, module)
    network = nettally.read(module, input_data=torch_models.arguments(shapes, "meta"))
    return nettally.tally(network)


def ours(tally: nettally.Tally, tool: str) -> dict[str, int | None]:
    """What we say that the table's tool prints, by the table's fields."""
    found = tools.count(tally, NAMES[tool])
    operations, parameters = found.operations, found.parameters
    if tool == "torchinfo":
        totals = {"total_params": parameters, "trainable_params": found.trainable}
        return {**totals, "total_mult_adds": operations, **found.others}
    if tool == "fvcore":
        return {"total": operations}
    if tool == "flop_counter":
        return {"flops": operations}
    if tool == "calflops":
        return {"flops": operations, "params": parameters, **found.others}
    return {"macs": operations, "params": parameters}


def told(given: dict[str, Any]) -> dict[str, float]:
    return {field: float(value) for field, value in given.items() if field not in FIELDS}


MODELS = sorted({(row["source"], row["model"]) for row in read_csv("torch_peers.csv")})


@pytest.mark.parametrize(("source", "model"), MODELS, ids=[":".join(each) for each in MODELS])
def test_each_tool_prints_what_we_say(source: str, model: str) -> None:
    if why := missing(source):
        pytest.skip(why)
    tally = counted(source, model)
    for tool, printed in table()[source, model].items():
        if "error" in printed:
            assert (model, tool) in RAISES
        else:
            assert ours(tally, tool) == told(printed), tool


def test_the_table_is_as_wide_as_it_should_be() -> None:
    assert len(MODELS) >= 160
    assert all(set(found) == set(NAMES) for found in table().values())
    without = {
        (model, tool) for (_, model), found in table().items() for tool in found
        if "error" in found[tool]
    }  # fmt: skip
    assert without == set(RAISES)


@pytest.mark.parametrize("tool", list(tools.TOOLS))
def test_the_versions_are_those_of_the_table(tool: str) -> None:
    theirs = {v: k for k, v in NAMES.items()}[tool]
    (version,) = {row["version"] for row in read_csv("torch_peers.csv") if row["tool"] == theirs}
    own = tools.tool(tool).version
    assert own in (version, version.replace("-", ".post"), version.partition("+")[0])
    assert own in ACCOUNTINGS[tool].source


# --- live -----------------------------------------------------------------------------------------


class Batches(nn.Module):
    """An encoder as torch fuses it on a CPU."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(32, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x))


class Odd(nn.Module):
    """Enlarged by size, by scale and by module; padded by a word, by mode; transposed, grouped."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same")
        self.larger = nn.Upsample(scale_factor=2, mode="bilinear")
        self.sized = nn.Upsample(size=(9, 9))
        self.up = nn.ConvTranspose2d(8, 4, 3, stride=2, groups=2)
        self.pool = nn.AdaptiveMaxPool2d(3)
        self.lstm = nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True)
        self.ring = nn.Conv1d(10, 10, 3, padding=1, padding_mode="circular")
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.sized(self.larger(self.conv(x)))
        x = F.interpolate(x, scale_factor=1.5, mode="nearest")
        x = self.pool(self.up(F.leaky_relu(x)))
        y, _ = self.lstm(x.flatten(2).transpose(1, 2))
        y = self.ring(y.transpose(1, 2))
        return self.softmax(torch.add(y, y.mul(2)) @ y.transpose(1, 2))


class Shared(nn.Module):
    """A block in three places, a weight in two, some of it frozen, some never called."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.blocks = nn.ModuleList([self.block, self.block, nn.Linear(8, 8)])
        self.blocks[2].weight = self.block[0].weight
        self.frozen = nn.Linear(8, 4)
        self.frozen.weight.requires_grad_(False)
        self.idle = nn.Embedding(5, 8)
        self.group = nn.GroupNorm(2, 8)
        self.lrn = nn.LocalResponseNorm(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        y = self.lrn(self.group(x.transpose(1, 2))).sum(2)
        return torch.einsum("btc,dc->btd", x, self.frozen.weight).sum(1) + self.frozen(y)


LIVE: dict[str, tuple[Any, torch_nets.Inputs]] = {
    "batches": (Batches, (((2, 6, 32), "float32"),)),
    "odd": (Odd, (((2, 3, 8, 8), "float32"),)),
    "shared": (Shared, (((3, 5, 8), "float32"),)),
    "unet": torch_nets.NETS["unet"],
    "transformer": torch_nets.NETS["transformer"],
}
PACKAGES = {tool: tool.partition("/")[0] for tool in NAMES if tool != "flop_counter"}


@pytest.mark.filterwarnings("ignore")  # the tools' own
@pytest.mark.parametrize("tool", NAMES)
@pytest.mark.parametrize("net", LIVE)
def test_the_tools_themselves_say_the_same(net: str, tool: str) -> None:
    package, call = torch_peers.TOOLS[tool]
    if tool in PACKAGES:
        pytest.importorskip(PACKAGES[tool])
        if tool == "calflops":
            pytest.importorskip("transformers")  # which it imports, and does not ask for
        have = importlib.metadata.version(package)
        if have.replace("-", ".post") != tools.tool(NAMES[tool]).version:
            pytest.skip(f"{package} {have} is installed")
    torch_models.torchvision_ready()  # ptflops imports it, where it is there
    make, shapes = LIVE[net]
    module = make().eval()
    arguments = torch_models.arguments(list(shapes), "cpu")
    mine = ours(nettally.tally(nettally.read(module, input_data=arguments)), tool)
    with torch_models.quiet():
        printed = call(module, arguments)
    assert mine == told(printed)


# --- laws -----------------------------------------------------------------------------------------

SOME = [("nets", name) for name in torch_nets.NETS]


@pytest.mark.parametrize("tool", list(tools.TOOLS))
@pytest.mark.parametrize(("source", "model"), SOME, ids=[":".join(each) for each in SOME])
def test_terms_and_layers_add_up(source: str, model: str, tool: str) -> None:
    tally = counted(source, model)
    found = tools.count(tally, tool)
    assert sum(found.terms.values()) == found.operations
    assert next(iter(found.terms.values())) == tools.tool(tool).per_mac * tally.macs
    assert sum(found.by_row.values()) + found.elsewhere == found.operations
    assert sum(found.parameter_terms.values()) in (0, found.parameters)
    under = tally.under(ACCOUNTINGS[tool])
    assert (under.operations, under.parameters) == (found.operations, found.parameters)
    by_layer = sum(under.accounting.operations(row) for row in under)
    assert by_layer + found.elsewhere == found.operations


def test_reconcile_has_the_tools_own_figures() -> None:
    tally = counted("nets", "tied")
    found: dict[str, Reckoning] = {each.accounting.name: each for each in nettally.reconcile(tally)}
    assert list(found) == list(ACCOUNTINGS)
    for tool in tools.TOOLS:
        assert found[tool] == tools.count(tally, tool)
    assert found["torchinfo"].parameters == tally.parameters + 300 * 32  # the tied table, twice


def test_another_network_than_the_one_that_ran_is_counted_by_kinds_of_layers() -> None:
    tally = counted("nets", "unet")
    convention = ACCOUNTINGS["torchinfo"]
    same, other = tally.at((1, 1, 32, 32)), tally.at((1, 1, 64, 64))
    assert same.under(convention).operations == tally.under(convention).operations
    assert other.under(convention).accounting is convention
    assert tally.under(convention).at((1, 1, 64, 64)).accounting is convention
    assert tally.under(convention).under(ACCOUNTINGS["nettally"]).operations == tally.operations
    with pytest.raises(NettallyError, match="changed since"):
        tools.count(other, "torchinfo")


def test_what_is_no_tool_or_no_module_is_said() -> None:
    with pytest.raises(NettallyError, match="no tool is called 'torchinf'"):
        tools.count(counted("nets", "unet"), "torchinf")
    lenet = nettally.tally(nettally.read("lenet-5"))
    with pytest.raises(NettallyError, match="not read from a PyTorch module"):
        tools.count(lenet, "thop")
    assert lenet.under(ACCOUNTINGS["thop"]).accounting is ACCOUNTINGS["thop"]


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("model", ["tied", "attention", "unet", "functional"])
def test_the_table_fits_eighty_columns(model: str, unicode: bool) -> None:
    tally = counted("nets", model)
    reckonings = nettally.reconcile(tally)
    text = reconcile_text(tally, reckonings, Terminal(80, unicode=unicode))
    assert max(map(len, text.splitlines())) <= 80
    for each in reckonings:
        assert each.accounting.name in text
    assert '"why"' in written("json", tally, reckonings, ())


def test_summary_has_torchinfos_totals() -> None:
    module = LIVE["shared"][0]().eval()
    made = nettally.summary(module, (3, 5, 8), verbose=0, accounting="torchinfo")
    assert made.tally is not None
    found = tools.count(made.tally, "torchinfo")
    assert made.total_mult_adds == found.operations
    assert (made.total_params, made.trainable_params) == (found.parameters, found.trainable)
    for name, value in found.others.items():
        assert getattr(made, name) == value
    pytest.importorskip("torchinfo")
    from torchinfo import summary

    theirs = summary(module, (3, 5, 8), verbose=0)
    for name in ("total_params", "trainable_params", "total_mult_adds", *found.others):
        assert getattr(made, name) == getattr(theirs, name), name


# --- numpy's order of an einsum ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", ((3, 4), (4, 5))),
        ("bhid,bhjd->bhij", ((2, 3, 5, 7), (2, 3, 6, 7))),
        ("ij,ik->ijk", ((3, 4), (3, 5))),
        ("ij->j", ((3, 4),)),
        ("ab,bc,cd->ad", ((10, 100), (100, 5), (5, 50))),
        ("abc,cd,de,ef->abf", ((3, 4, 50), (50, 2), (2, 60), (60, 7))),
        ("i,j,k->ijk", ((3,), (4,), (5,))),
        ("ijk,jil,lm->mk", ((20, 30, 4), (30, 20, 6), (6, 1000))),
    ],
)
def test_the_order_of_an_einsum_is_numpys(
    equation: str, shapes: tuple[tuple[int, ...], ...]
) -> None:
    numpy = pytest.importorskip("numpy")
    from nettally.accountings.calls.einsum import optimized

    said = numpy.einsum_path(equation, *map(numpy.zeros, shapes), optimize="optimal")[1]
    (line,) = [each for each in said.splitlines() if "Optimized FLOP" in each]
    assert optimized(equation, shapes) == float(line.split(":")[-1])
