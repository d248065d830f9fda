"""Layers' modules as ``build`` needs them: their tensors by name, and forms that torch has not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from nettally.building.build import places
from nettally.building.layers import torch_module
from nettally.layers import layer_class
from strategies import CASES, Case


@pytest.mark.parametrize("kind", CASES)
def test_each_tensor_of_a_layer_is_found_by_its_name(kind: str) -> None:
    @given(CASES[kind])
    @settings(max_examples=20)
    def check(case: Case) -> None:
        layer, xs = case
        with torch.device("meta"):
            module = torch_module(layer, xs)
        theirs = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        ours = {**layer.parameters(xs), **layer.buffers(xs)}
        named = {places(module).get(name, name): tuple(map(int, ours[name])) for name in ours}
        counters = {name for name in theirs if name.endswith("batches_tracked")}
        assert named == {name: theirs[name] for name in theirs.keys() - counters}

    check()


# --- recurrent layers -----------------------------------------------------------------------------

FORMS = [
    (kind, directions, sequence, biases, norm)
    for kind in ("rnn", "gru", "lstm")
    for directions in (1, 2)
    for sequence in (True, False)
    for biases, norm in ((1, False), (1, True), (2, True))
]


def made(kind: str, **fields: Any) -> Any:
    return torch_module(layer_class(kind)(features=3, **fields), ((2, 5, 4),)).double().eval()


@pytest.mark.parametrize(("kind", "directions", "sequence", "biases", "norm"), FORMS)
def test_forms_that_torch_has_not(
    kind: str, directions: int, sequence: bool, biases: int, norm: bool
) -> None:
    layer = layer_class(kind)(
        features=3, directions=directions, sequence=sequence, biases=biases, norm=norm
    )
    for shape in ((2, 5, 4), (2, 4)):
        module = torch_module(layer, (shape,)).double().eval()
        found = {name: tuple(p.shape) for name, p in module.named_parameters()}
        assert found == layer.parameters((shape,))
        assert dict(module.named_buffers()).keys() == layer.buffers((shape,)).keys()
        out = module(torch.randn(shape, dtype=torch.double))
        assert tuple(out.shape) == layer.shape((shape,))
        assert out.isfinite().all()


@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("kind", "projection"), [("rnn", 0), ("lstm", 0), ("lstm", 2)])
def test_one_bias_is_torchs_two_of_which_one_is_zero(
    kind: str, projection: int, directions: int, sequence: bool
) -> None:
    more = {"projection": projection} if projection else {}
    common = {"directions": directions, "sequence": sequence, **more}
    ours, theirs = made(kind, biases=1, **common), made(kind, biases=2, **common)
    with torch.no_grad():
        for name, place in places(theirs).items():
            if not (name.startswith("weight_hr") and not projection):
                own = getattr(ours, name, None)
                tensor = theirs.get_parameter(place)
                tensor.zero_() if own is None else tensor.copy_(own)
    x = torch.randn(2, 5, 4, dtype=torch.double)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("norm", [False, True])
def test_a_gated_unit_is_reset_before_the_product(norm: bool) -> None:
    """Cho et al. 2014, equations 5 to 8; normalised, each product has a factor and a bias."""
    module = made("gru", biases=2 if norm else 1, norm=norm)
    x = torch.randn(2, 5, 4, dtype=torch.double)
    if norm:
        with torch.no_grad():
            for name in ("ih", "hh"):
                getattr(module, f"running_mean_{name}").uniform_()
                getattr(module, f"scale_{name}").uniform_(0.5, 2)
                getattr(module, f"bias_{name}").uniform_()

    def product(name: str, value: Tensor, gate: int) -> Tensor:
        rows = slice(3 * gate, 3 * gate + 3)

        def part(kind: str) -> Tensor:
            return getattr(module, f"{kind}_{name}")[rows]

        y = value @ part("weight").T
        if norm:
            return (y - part("running_mean")) / (1 + 1e-5) ** 0.5 * part("scale") + part("bias")
        return y + part("bias") if name == "ih" else y

    h = torch.zeros(2, 3, dtype=torch.double)
    for step in x.unbind(1):
        r = torch.sigmoid(product("ih", step, 0) + product("hh", h, 0))
        z = torch.sigmoid(product("ih", step, 1) + product("hh", h, 1))
        new = torch.tanh(product("ih", step, 2) + product("hh", r * h, 2))
        h = z * h + (1 - z) * new
    torch.testing.assert_close(module(x)[:, -1], h)


def test_normalised_products_keep_their_statistics() -> None:
    module = made("lstm", biases=1, norm=True)
    before = module.running_mean_ih.clone()
    module.train()(torch.randn(8, 5, 4, dtype=torch.double))
    assert not torch.equal(module.running_mean_ih, before)


# --- pooling --------------------------------------------------------------------------------------


def test_a_max_pool_that_overhangs_has_no_modules_in_it() -> None:
    """Other nodes' modules may be hung into it (``pool.norm``), and must not run with it."""
    layer = layer_class("max_pool")(kernel=3, stride=2, rounding="up")
    module = torch_module(layer, ((1, 2, 6, 6),))
    assert isinstance(module, nn.MaxPool2d)
    assert not list(module.children())
    x = torch.randn(1, 2, 6, 6)
    expected = nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
    torch.testing.assert_close(module(x), expected)
