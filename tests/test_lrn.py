"""Local response normalisation against torch's own, and against its definition written out."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nettally.building import response_normalization as inside
from nettally.building.layers import torch_module
from nettally.building.response_normalization import (
    LocalResponseNorm,
    blocks,
    compiled,
    local_response_norm,
)
from nettally.errors import LayerError
from nettally.layers import layer_class

SHAPES = [(2, 6, 3, 4), (3, 12, 5), (1, 6, 2, 3, 2), (1, 48, 7, 7), (4, 6, 1)]
LAID = (torch.contiguous_format, torch.channels_last)


def theirs(x: Tensor, size: int, alpha: float, beta: float, k: float, groups: int) -> Tensor:
    """torch's own, on each group by itself."""
    parts = [functional.local_response_norm(p, size, alpha, beta, k) for p in x.chunk(groups, 1)]
    return torch.cat(parts, 1)


def by_loops(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Across space, as cuda-convnet defines it, written out for images."""
    y = torch.empty_like(x)
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            rows = slice(max(row - size // 2, 0), row - size // 2 + size)
            columns = slice(max(column - size // 2, 0), column - size // 2 + size)
            total = x[:, :, rows, columns].square().sum((2, 3))
            y[:, :, row, column] = x[:, :, row, column] * (k + alpha / size**2 * total) ** -beta
    return y


def laid(x: Tensor, how: torch.memory_format) -> Tensor:
    return x.to(memory_format=how) if x.dim() == 4 else x


WAYS = ["compiled, 50", "compiled, 40000", "blocks, 1", "blocks, 100", f"blocks, {blocks.BLOCK}"]


@pytest.fixture(params=WAYS)
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """By C and by torch's operations; in parts so small that they cut in many ways, and whole."""
    how, _, size = request.param.partition(", ")
    if how == "blocks":
        monkeypatch.setattr(blocks, "MOST", int(size))
        by_torch(monkeypatch)
    else:
        monkeypatch.setattr(compiled, "TILE", int(size))
        monkeypatch.setattr(compiled, "WINDOWS", int(size))
        monkeypatch.setattr(compiled, "ALONE", 100)
        needs_a_compiler()
    return request.param


def by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "function", lambda _: compiled.Compiled(None, "not wanted"))


def needs_a_compiler() -> None:
    found = compiled.function(torch.float32)
    if found.function is None:
        pytest.skip(f"nothing is compiled here: {found.description}")


# --- what it computes ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", LAID)
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 10])
def test_it_is_torchs_in_each_group(
    size: int, groups: int, how: torch.memory_format, way: str
) -> None:
    """In double, to double's rounding: values and gradients, of each power that has a way apart."""
    torch.manual_seed(size)
    for shape in SHAPES:
        if shape[1] == 48 and way == "blocks, 1":
            continue  # 1,000 blocks
        for beta in (0.75, 0.5, 1.0, 0.6) if size == 5 else (0.75,):
            x = laid(torch.randn(shape, dtype=torch.double), how).requires_grad_()
            y = local_response_norm(x, size, 0.7, beta, 1.5, groups)
            expected = theirs(x, size, 0.7, beta, 1.5, groups)
            g = torch.randn(shape, dtype=torch.double)
            ours = torch.autograd.grad(y, x, g)[0]
            torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-13)
            torch.testing.assert_close(
                ours, torch.autograd.grad(expected, x, g)[0], rtol=1e-12, atol=1e-13
            )
            assert y.stride() == x.stride() == ours.stride()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_narrower_types_to_their_rounding(kind: torch.dtype) -> None:
    """The sum and the power are those of float32; the result is rounded once, at the end."""
    torch.manual_seed(0)
    x = torch.randn(2, 16, 9, 9).mul_(20).to(kind).requires_grad_()
    g = torch.randn(2, 16, 9, 9).to(kind)
    y = local_response_norm(x, 5, 1e-2, 0.75, 2.0, 2)
    wide = x.detach().double().requires_grad_()
    expected = theirs(wide, 5, 1e-2, 0.75, 2.0, 2)
    assert y.dtype == kind
    assert y.stride() == x.stride()
    step = torch.finfo(kind).eps
    torch.testing.assert_close(y.double(), expected, rtol=4 * step, atol=1e-6)
    ours = torch.autograd.grad(y, x, g)[0]
    assert ours.dtype == kind
    best = torch.autograd.grad(expected, wide, g.double())[0]
    torch.testing.assert_close(ours.double(), best, rtol=8 * step, atol=8 * step)


@pytest.mark.parametrize("how", LAID)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 9])
def test_across_space(size: int, how: torch.memory_format, way: str) -> None:
    torch.manual_seed(size)
    x = laid(torch.randn(2, 3, 5, 6, dtype=torch.double), how).requires_grad_()
    y = local_response_norm(x, size, 0.7, 0.75, 1.5, across="space")
    expected = by_loops(x, size, 0.7, 0.75, 1.5)
    g = torch.randn_like(y)
    torch.testing.assert_close(y, expected)
    grads = [torch.autograd.grad(each, x, g)[0] for each in (y, expected)]
    torch.testing.assert_close(*grads)
    assert y.stride() == x.stride() == grads[0].stride()


@pytest.mark.usefixtures("way")
def test_across_space_of_lines_and_volumes() -> None:
    for shape in ((2, 3, 7), (2, 3, 4, 3, 5)):
        x = torch.randn(shape, dtype=torch.double)
        one = inside.whole(x, inside.Terms(3, 0.7, 0.6, 1.5, 1, True))
        torch.testing.assert_close(local_response_norm(x, 3, 0.7, 0.6, 1.5, across="space"), one)
    image = torch.randn(1, 3, 4, 4, dtype=torch.double)
    flat = inside.whole(image, inside.Terms(3, 0.7, 0.6, 1.5, 1, True))
    torch.testing.assert_close(flat, by_loops(image, 3, 0.7, 0.6, 1.5))


@pytest.mark.parametrize("across", ["channels", "space"])
@pytest.mark.parametrize("beta", [0.75, 0.5, 1.0, 0.6])
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("size", [4, 5])
def test_gradients_by_finite_differences(size: int, beta: float, across: str) -> None:
    """Of the gradient, too."""
    torch.manual_seed(0)

    def normalise(x: Tensor) -> Tensor:
        return local_response_norm(x, size, 0.7, beta, 1.5, 2, across=across)

    x = torch.randn(2, 6, 3, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(normalise, x)
    assert torch.autograd.gradgradcheck(normalise, x)
    last = x.detach().to(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradcheck(normalise, last)


def test_the_comparison_with_finite_differences_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour's place off by one in the gradient; for an even size it is not the forward's."""
    by_torch(monkeypatch)
    within = blocks._Block._within

    def wrong(self: Any, padded: Tensor, before: int) -> Tensor:
        return within(self, padded, 2 if before == 1 else before)

    monkeypatch.setattr(blocks._Block, "_within", wrong)
    x = torch.randn(2, 6, 3, 2, dtype=torch.double, requires_grad=True)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda x: local_response_norm(x, 4, 0.7), x)


# --- tensors as they come -----------------------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_other_layouts_and_no_values() -> None:
    x = torch.randn(4, 5, 6, 7).transpose(0, 2)
    torch.testing.assert_close(local_response_norm(x, 3), theirs(x, 3, 1e-4, 0.75, 1.0, 1))
    for shape in ((0, 6, 3, 3), (2, 6, 0, 3)):
        empty = torch.randn(shape, requires_grad=True)
        y = local_response_norm(empty, 5)
        y.sum().backward()
        assert y.shape == shape == empty.grad.shape  # type: ignore[union-attr]
    pairs = torch.randn(3, 6)
    expected = theirs(pairs[:, :, None], 3, 1e-4, 0.75, 1.0, 1)[:, :, 0]
    torch.testing.assert_close(local_response_norm(pairs, 3), expected)


@pytest.mark.usefixtures("way")
def test_a_gradient_laid_out_otherwise() -> None:
    x = torch.randn(2, 6, 4, 4, requires_grad=True)
    g = torch.randn(2, 6, 4, 4).to(memory_format=torch.channels_last)
    ours = torch.autograd.grad(local_response_norm(x, 5, 0.7), x, g)[0]
    best = torch.autograd.grad(theirs(x, 5, 0.7, 0.75, 1.0, 1), x, g)[0]
    torch.testing.assert_close(ours, best)
    summed = torch.autograd.grad(local_response_norm(x, 5, 0.7).sum(), x)[0]  # strides of 0
    best = torch.autograd.grad(theirs(x, 5, 0.7, 0.75, 1.0, 1).sum(), x)[0]
    torch.testing.assert_close(summed, best)


@pytest.mark.usefixtures("way")
def test_neither_the_input_nor_the_gradient_is_written_over() -> None:
    x, g = torch.randn(2, 6, 4, 4, requires_grad=True), torch.randn(2, 6, 4, 4)
    before = x.detach().clone(), g.clone()
    local_response_norm(x, 5).backward(g)
    assert torch.equal(x, before[0])
    assert torch.equal(g, before[1])


def test_large_pages_are_asked_for_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    advise = blocks._in_large_pages
    monkeypatch.setattr(blocks, "_in_large_pages", lambda y: (asked.append(y.nbytes), advise(y)))
    x = torch.randn(8, 16, 150, 150)
    torch.testing.assert_close(local_response_norm(x, 5), theirs(x, 5, 1e-4, 0.75, 1.0, 1))
    assert asked == [x.nbytes]
    monkeypatch.setattr(blocks, "_madvise", lambda: None)  # where there is no such call
    local_response_norm(x, 5)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_within_autocast(kind: torch.dtype) -> None:
    """The result is of the input's type, and no less exact than outside."""
    x = torch.randn(2, 6, 4, 4, requires_grad=True)
    best = local_response_norm(x, 5, 0.7)
    with torch.autocast("cpu", kind):
        same = local_response_norm(x, 5, 0.7)
        conv = torch.nn.Conv2d(6, 6, 1)(x)
        narrow = local_response_norm(conv, 5, 0.7)
    assert torch.equal(same, best)
    assert conv.dtype == narrow.dtype == kind
    narrow.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float32


@pytest.mark.parametrize("across", ["channels", "space"])
@pytest.mark.parametrize("groups", [1, 2])
def test_in_one_piece_it_is_the_same(groups: int, across: str) -> None:
    """What runs on other devices, in export, and where a gradient's gradient is asked for."""
    x = torch.randn(2, 6, 5, 5, dtype=torch.double, requires_grad=True)
    terms = inside.Terms(4, 0.7, 0.75, 1.5, groups, across == "space")
    whole, ours = inside.whole(x, terms), inside._Normalise.apply(x, terms)
    torch.testing.assert_close(ours, whole)
    g = torch.randn_like(x)
    best = torch.autograd.grad(whole, x, g)[0]
    torch.testing.assert_close(torch.autograd.grad(ours, x, g)[0], best)
    torch.testing.assert_close(inside.whole_gradient(x, g, terms), best)
    assert local_response_norm(torch.empty(2, 6, 5, 5, device="meta"), 5).shape == x.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")
def test_on_a_gpu() -> None:
    x = torch.randn(2, 6, 5, 5, device="cuda", requires_grad=True)
    best = theirs(x, 5, 0.7, 0.75, 1.5, 2)
    y = local_response_norm(x, 5, 0.7, 0.75, 1.5, 2)
    torch.testing.assert_close(y, best)
    g = torch.randn_like(x)
    grads = [torch.autograd.grad(each, x, g)[0] for each in (y, best)]
    torch.testing.assert_close(*grads)
    with torch.autocast("cuda", torch.bfloat16):
        assert local_response_norm(x.bfloat16(), 5).dtype == torch.bfloat16


@pytest.mark.parametrize("how", LAID)
def test_within_torchs_compiler(how: torch.memory_format) -> None:
    """One graph, in which ours is one call; forward and gradient are the same."""
    module = LocalResponseNorm(5, 0.7, k=2.0, groups=2)
    made = torch.compile(module, backend="aot_eager", fullgraph=True)
    x = torch.randn(2, 6, 5, 5).to(memory_format=how).requires_grad_()
    ours, best = made(x), module(x)
    torch.testing.assert_close(ours, best)
    g = torch.randn_like(x)
    grads = [torch.autograd.grad(each, x, g)[0] for each in (ours, best)]
    torch.testing.assert_close(*grads)
    assert ours.stride() == x.stride()


def test_exported_it_is_made_of_torchs_own() -> None:
    module = LocalResponseNorm(5, 0.7, k=2.0, groups=2)
    x = torch.randn(2, 6, 5, 5)
    exported = torch.export.export(module, (x,))
    names = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert names
    assert all(name.startswith("aten.") for name in names)
    torch.testing.assert_close(exported.module()(x), module(x))
    with warnings.catch_warnings():  # which the older way to ONNX still takes
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.testing.assert_close(torch.jit.trace(module, x)(x), module(x))


# --- as a layer ---------------------------------------------------------------------------------


def test_the_layer_is_made_of_it() -> None:
    fields: dict[str, Any] = {"size": 5, "alpha": 1e-3, "beta": 0.5, "k": 2.0, "groups": 2}
    module = torch_module(layer_class("lrn")(**fields), ((1, 6, 4, 4),))
    assert type(module) is LocalResponseNorm
    assert repr(module) == "LocalResponseNorm(5, alpha=0.001, beta=0.5, k=2.0, groups=2)"
    across = torch_module(layer_class("lrn")(size=3, across="space"), ((1, 6, 4, 4),))
    assert repr(across) == "LocalResponseNorm(3, alpha=0.0001, beta=0.75, k=1.0, across=space)"
    assert not list(copy.deepcopy(module).parameters())


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ((6,), {}),
        ((2, 6), {"across": "space"}),
        ((2, 6, 3), {"groups": 4}),
        ((2, 6, 3), {"groups": 0}),
        ((2, 6, 3), {"across": "time"}),
        ((2, 6, 3), {"size": 0}),
    ],
)
def test_what_can_not_be(shape: tuple[int, ...], more: dict[str, Any]) -> None:
    with pytest.raises(LayerError) as caught:
        local_response_norm(torch.zeros(shape), **{"size": 5, **more})
    said = str(caught.value)
    assert said.startswith("lrn normalises across channels, which the groups divide, or across")
    assert f"values: input {shape}, size {more.get('size', 5)}" in said


def test_the_compiler_may_leave_the_sizes_open() -> None:
    """One graph for batches of any size: what is traced has no number of bytes."""

    def ours(x: Tensor) -> Tensor:
        return local_response_norm(x, 5, 1e-2, 0.75, 2.0, groups=2)

    traced = torch.compile(ours, dynamic=True, backend="aot_eager")
    for batch in (2, 3, 5):
        x = torch.randn(batch, 8, 5, 4, requires_grad=True)
        traced(x).sum().backward()
        (expected,) = torch.autograd.grad(ours(x).sum(), x)
        torch.testing.assert_close(x.grad, expected)
