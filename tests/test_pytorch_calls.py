"""Each call that a forward can make: the stand-in's answer has the sizes and dtype of torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import nettally

F = functional
Forward = Callable[..., Any]


def real(*sizes: int) -> torch.Tensor:
    return torch.rand(sizes)


IMAGE, LINE, BLOCK, TABLE = (2, 6, 9, 7), (2, 6, 9), (2, 6, 5, 6, 7), (4, 6)

CASES: dict[str, tuple[tuple[int, ...], Forward]] = {}


def case(sizes: tuple[int, ...], /, **forwards: Forward) -> None:
    for name, forward in forwards.items():
        assert name not in CASES
        CASES[name] = (sizes, forward)


def _in_place(x: torch.Tensor) -> torch.Tensor:
    x = x * 1
    x += 1
    x *= x
    x /= 2
    return x


def _put(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y[:, 0] = 0
    y[:, 1:3] = x[:, 2:4]
    return y


def _put_constant(x: torch.Tensor) -> torch.Tensor:
    mask = torch.zeros(9, 7)
    mask[2:4] = 1
    return x * mask


case(
    IMAGE,
    relu=F.relu,
    relu_method=lambda x: x.relu(),
    relu_in_place=lambda x: (F.relu(x, inplace=True), x),
    relu6=F.relu6,
    gelu=lambda x: F.gelu(x, approximate="tanh"),
    silu=F.silu,
    elu=lambda x: F.elu(x, 0.5),
    leaky=lambda x: F.leaky_relu(x, 0.2),
    hardtanh=lambda x: F.hardtanh(x, -2.0, 2.0),
    softplus=F.softplus,
    logsigmoid=F.logsigmoid,
    softmax=lambda x: F.softmax(x, dim=1),
    softmax_dtype=lambda x: x.softmax(-1, dtype=torch.float64),
    log_softmax=lambda x: torch.log_softmax(x, 1),
    glu=lambda x: F.glu(x, 1),
    threshold=lambda x: F.threshold(x, 0.1, 20.0),
    clamp=lambda x: x.clamp(0, 1),
    clamp_tensor=lambda x: torch.clamp(x, min=x * 0.5),
    clamp_min=lambda x: x.clamp_min(0.5),
    prelu=lambda x: F.prelu(x, torch.rand(6)),
    dropout=lambda x: F.dropout(x, 0.5, False),
    normalize=lambda x: F.normalize(x, dim=1),
    exp=lambda x: x.exp().log1p().sqrt().rsqrt().abs().neg().square(),
    trigonometry=lambda x: x.sin() + x.cos().tanh() * x.erf(),
    rounding=lambda x: x.floor() + x.ceil().round() - x.trunc() * x.sign(),
    isnan=lambda x: x.isnan() | x.isinf() & ~(x > 0),
    lrn=lambda x: F.local_response_norm(x, 5),
    batch_norm=lambda x: F.batch_norm(x, torch.zeros(6), torch.ones(6), torch.ones(6)),
    instance_norm=F.instance_norm,
    group_norm=lambda x: F.group_norm(x, 3, torch.rand(6), torch.rand(6)),
    layer_norm=lambda x: F.layer_norm(x, (9, 7)),
    rms_norm=lambda x: F.rms_norm(x, (7,), torch.rand(7)),
    nan_to_num=lambda x: x.nan_to_num(),
)
case(
    IMAGE,
    add=lambda x: x + 1,
    add_int=lambda x: 1 + x,
    add_alpha=lambda x: torch.add(x, x, alpha=2),
    subtract=lambda x: 1 - x - x.sub(2),
    divide=lambda x: 1 / x + x / 2 + x.div(x) + torch.div(x, 3, rounding_mode="floor"),
    floor_divide=lambda x: x // 2 + x % 2,
    power=lambda x: x**2 + 2**x + x.pow(x),
    compare=lambda x: (x > 0.5) & (x <= 0.7) | (x == 1) ^ (x != 2),
    compare_tensor=lambda x: torch.ge(x, x.mean()),
    maximum=lambda x: torch.maximum(x, x * 2) + torch.minimum(x, x[:1]),
    broadcast=lambda x: x + torch.rand(6, 1, 1) * torch.rand(7),
    held_left=lambda x: torch.rand(2, 1, 9, 1) - x,
    in_place=lambda x: ((x := x + 0), x.add_(1), x.mul_(x), x)[-1],
    in_place_operator=_in_place,
    lerp=lambda x: torch.lerp(x, x + 1, 0.3),
    addcmul=lambda x: torch.addcmul(x, x, x, value=0.5),
    where=lambda x: torch.where(x > 0.5, x, torch.zeros(())),
    where_number=lambda x: torch.where(x > 0.5, 1.0, x),
    masked_fill=lambda x: x.masked_fill(x > 0.5, float("-inf")),
    half=lambda x: x.half() + x,
    whole=lambda x: x.long() + 1,
    whole_divided=lambda x: x.long() / 2,
    whole_by_real=lambda x: x.long() * 0.5,
    truth=lambda x: (x > 0.5) + 1,
    truth_summed=lambda x: (x > 0.5).sum(),
    double=lambda x: x.double() + x,
    complex_=lambda x: x * 1j,
    number=lambda x: x + torch.tensor(3.0, dtype=torch.float64),
)
case(
    IMAGE,
    view=lambda x: x.view(2, -1),
    view_tuple=lambda x: x.view((2, 6, 63)),
    reshape=lambda x: torch.reshape(x, (6, -1, 2)),
    flatten=lambda x: x.flatten(1),
    flatten_middle=lambda x: torch.flatten(x, 1, 2),
    flatten_all=lambda x: x.flatten(),
    unflatten=lambda x: x.unflatten(1, (2, -1)),
    squeeze=lambda x: x[:1].squeeze() + x[:1].squeeze(0) + x[:1].squeeze(1).sum(),
    unsqueeze=lambda x: x.unsqueeze(0).unsqueeze(-1),
    permute=lambda x: x.permute(0, 2, 3, 1).contiguous(),
    permute_tuple=lambda x: torch.permute(x, (0, -1, 1, 2)),
    transpose=lambda x: x.transpose(1, -1).mT,
    movedim=lambda x: x.movedim(1, -1),
    movedims=lambda x: x.movedim((0, 1), (2, 3)),
    t=lambda x: x[0, 0].t() + x[0, 0].T,
    expand=lambda x: x[:1].expand(5, -1, -1, -1),
    expand_more=lambda x: x.expand(3, 2, 6, 9, 7),
    expand_as=lambda x: x[:, :1].expand_as(x),
    repeat=lambda x: x.repeat(1, 2, 3, 1),
    repeat_more=lambda x: x[0].repeat(2, 1, 2, 1),
    tile=lambda x: x.tile((2, 1)),
    repeat_interleave=lambda x: x.repeat_interleave(2, dim=1),
    chunk=lambda x: x.chunk(4, 1),
    chunk_one=lambda x: x.chunk(1, 1),
    split=lambda x: x.split(4, 1),
    split_sizes=lambda x: torch.split(x, [1, 2, 3], dim=1),
    tensor_split=lambda x: x.tensor_split(4, 2),
    tensor_split_at=lambda x: x.tensor_split((2, 5), 2),
    unbind=lambda x: x.unbind(1),
    iterate=lambda x: [each.sum() for each in x],
    cat=lambda x: torch.cat((x, x[:, :2]), 1),
    cat_last=lambda x: torch.cat([x, x], dim=-1),
    cat_constant=lambda x: torch.cat((x, torch.zeros(2, 1, 9, 7)), 1),
    stack=lambda x: torch.stack((x, x), -1),
    narrow=lambda x: x.narrow(1, 2, 3),
    select=lambda x: x.select(1, 2),
    roll=lambda x: torch.roll(x, (1, 2), (2, 3)),
    flip=lambda x: x.flip(-1),
    tril=lambda x: x[0, 0].tril(),
    pixel_shuffle=lambda x: F.pixel_shuffle(torch.cat((x, x), 1), 2),
    pixel_unshuffle=lambda x: F.pixel_unshuffle(x[:, :, :8, :6], 2),
    gather=lambda x: x.gather(1, torch.zeros(2, 2, 9, 7, dtype=torch.int64)),
    index_select=lambda x: x.index_select(1, torch.tensor([0, 2])),
    numel=lambda x: x.view(x.numel()),
    sizes_of=lambda x: x.view(x.size(0), x.shape[1] * x.size()[2], x.shape[-1]),
    like=lambda x: torch.zeros_like(x) + torch.ones_like(x) + x.new_full((7,), 2.0),
    unfold=lambda x: F.unfold(x, 3),
    unfold_axis=lambda x: x.unfold(2, 3, 2),
    rot=lambda x: torch.rot90(x, 1, (2, 3)),
    meshgrid=lambda x: torch.meshgrid(x[0, 0, 0], x[0, 0, 1], indexing="ij"),
    view_complex=lambda x: torch.view_as_complex(x[..., :6].reshape(2, 6, 9, 3, 2).contiguous()),
    fft=torch.fft.rfft2,
)
case(
    IMAGE,
    item_int=lambda x: x[1],
    item_slice=lambda x: x[:, 1:3],
    item_step=lambda x: x[..., ::2, 1::3],
    item_none=lambda x: x[:, None, ..., 0],
    item_negative=lambda x: x[:, -2:, -1],
    item_all=lambda x: x[:],
    item_list=lambda x: x[:, [0, 2]],
    item_tensor=lambda x: x[:, torch.tensor([0, 2, 4])],
    item_tensors=lambda x: x[torch.tensor([0, 1]), torch.tensor([0, 2])],
    item_mask=lambda x: x[:, torch.tensor([True, False, True, False, True, False])],
    item_size=lambda x: x[:, : x.shape[1] // 2],
    put=_put,
    put_constant=_put_constant,
)
case(
    IMAGE,
    mean=lambda x: x.mean((2, 3)),
    mean_keep=lambda x: x.mean(dim=(-1, -2), keepdim=True),
    mean_all=lambda x: x.mean(),
    sum_all=lambda x: x.sum(),
    sum_axis=lambda x: torch.sum(x, 1),
    sum_whole=lambda x: x.long().sum(1),
    amax=lambda x: x.amax((1, 2)),
    max_axis=lambda x: x.max(1),
    max_values=lambda x: x.max(dim=1, keepdim=True).values,
    max_all=lambda x: x.max(),
    max_two=lambda x: torch.max(x, x * 2),
    argmax=lambda x: x.argmax(1),
    var=lambda x: x.var(1, keepdim=True),
    std=lambda x: x.std((1, 2), unbiased=False),
    var_mean=lambda x: torch.var_mean(x, dim=(1, 2), keepdim=True),
    norm=lambda x: x.norm(dim=1),
    vector_norm=lambda x: torch.linalg.vector_norm(x, dim=1),
    prod=lambda x: x.prod(1),
    cumsum=lambda x: x.cumsum(1),
    cumsum_whole=lambda x: (x > 0).cumsum(1),
    topk=lambda x: x.topk(2, 1),
    sort=lambda x: x.sort(1),
    logsumexp=lambda x: x.logsumexp(1),
    any_=lambda x: (x > 0).any(1),
    median=lambda x: x.median(1),
)
case(
    IMAGE,
    conv=lambda x: F.conv2d(x, real(8, 6, 3, 3), real(8), stride=2, padding=1),
    conv_same=lambda x: F.conv2d(x, real(8, 6, 5, 3), padding="same", dilation=2),
    conv_groups=lambda x: F.conv2d(x, real(6, 1, 3, 3), groups=6, dilation=2),
    conv_example=lambda x: F.conv2d(x[0], real(8, 6, 3, 3)),
    conv_computed=lambda x: F.conv2d(x, x[:, :, :3, :3] * 1.0),
    conv_transpose=lambda x: F.conv_transpose2d(x, real(6, 4, 3, 3), stride=2, output_padding=1),
    max_pool=lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
    max_pool_indices=lambda x: F.max_pool2d(x, 2, return_indices=True),
    avg_pool=lambda x: F.avg_pool2d(x, (3, 2), padding=(1, 0)),
    pool_example=lambda x: F.max_pool2d(x[0], 2),
    adaptive=lambda x: F.adaptive_avg_pool2d(x, (None, 3)),
    adaptive_one=lambda x: F.adaptive_max_pool2d(x, 1),
    lp_pool=lambda x: F.lp_pool2d(x, 2, 3, 2),
    pad=lambda x: F.pad(x, (1, 2, 3, 4)),
    pad_channels=lambda x: F.pad(x, (0, 0, 0, 0, 1, 1)),
    pad_cut=lambda x: F.pad(x, (-1, 2)),
    pad_reflect=lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
    pad_circular=lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"),
    interpolate=lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    interpolate_size=lambda x: F.interpolate(x, size=(5, 4)),
    interpolate_part=lambda x: F.interpolate(x, scale_factor=(0.5, 1.5), mode="area"),
    grid_sample=lambda x: F.grid_sample(x, torch.rand(2, 4, 4, 2), align_corners=False),
    linear=lambda x: F.linear(x, real(5, 7), real(5)),
    matmul=lambda x: x @ x.transpose(-1, -2),
    matmul_vector=lambda x: x @ real(7),
    bmm=lambda x: torch.bmm(x[0], x[0].transpose(1, 2)),
    baddbmm=lambda x: torch.baddbmm(real(6, 9, 9), x[0], x[0].mT, beta=0.5, alpha=2),
    einsum=lambda x: torch.einsum("bchw,bdhw->bcd", x, x),
    einsum_ellipsis=lambda x: torch.einsum("...hw,...kw->...hk", x, x),
    einsum_implicit=lambda x: torch.einsum("bchw,w", x, real(7)),
    tensordot=lambda x: torch.tensordot(x, real(7, 4), dims=1),
    attention=lambda x: F.scaled_dot_product_attention(x, x, x),
    attention_mask=lambda x: F.scaled_dot_product_attention(x, x, x, torch.zeros(9, 9)),
    attention_groups=lambda x: F.scaled_dot_product_attention(
        x, x[:, :2], x[:, :2], enable_gqa=True
    ),
    attention_flat=lambda x: F.scaled_dot_product_attention(x[0], x[0], x[0]),
    attention_causal=lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    outer=lambda x: torch.outer(x[0, 0, 0], x[0, 0, 1]),
    cdist=lambda x: torch.cdist(x, x),
    bilinear=lambda x: F.bilinear(x, x, real(4, 7, 7), real(4)),
)
case(
    LINE,
    conv1d=lambda x: F.conv1d(x, real(4, 6, 3), padding="same"),
    conv1d_transpose=lambda x: F.conv_transpose1d(x, real(6, 4, 3), stride=2),
    max_pool1d=lambda x: F.max_pool1d(x, 2),
    avg_pool1d=lambda x: F.avg_pool1d(x, 3, 1, 1),
    adaptive1d=lambda x: F.adaptive_avg_pool1d(x, 4),
    layer_norm1d=lambda x: F.layer_norm(x, (9,), real(9), real(9)),
    linear1d=lambda x: F.linear(x[0, 0], real(4, 9)),
    outer_addmm=lambda x: torch.addmm(real(6, 6), x[0], x[0].t()),
    pad1d=lambda x: F.pad(x, (2, 0)),
    interpolate1d=lambda x: F.interpolate(x, scale_factor=2, mode="linear"),
    cosine=lambda x: F.cosine_similarity(x, x, dim=1),
    one_hot=lambda x: F.one_hot(torch.zeros(3, dtype=torch.int64), 4) + x.sum().long(),
)
case(
    BLOCK,
    conv3d=lambda x: F.conv3d(x, real(4, 6, 3, 3, 3), padding=1),
    max_pool3d=lambda x: F.max_pool3d(x, 2),
    adaptive3d=lambda x: F.adaptive_avg_pool3d(x, (1, None, 2)),
    interpolate3d=lambda x: F.interpolate(x, scale_factor=2, mode="trilinear"),
)
case(
    TABLE,
    addmv=lambda x: torch.addmv(real(4), x, real(6)),
    diag=torch.diagonal,
    logical=lambda x: torch.logical_not(x > 0).logical_and(x < 1),
    softmax_old=lambda x: F.softmax(x, 1),
    embedding=lambda x: F.embedding(x.long(), real(10, 4)),
    bucketize=lambda x: torch.bucketize(x, torch.tensor([0.1, 0.5])),
)


class Recorded(nn.Module):
    """A forward whose results are looked at where they are, stand-ins or not."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.does = forward
        self.seen: Any = None

    def forward(self, x: torch.Tensor) -> Any:
        made = self.does(x)
        seen.append([(tuple(y.shape), y.dtype) for y in flat(made)])
        return made


seen: list[Any] = []


def flat(made: Any) -> list[torch.Tensor]:
    if isinstance(made, torch.Tensor):
        return [made]
    return [x for each in made for x in flat(each)]


@pytest.mark.parametrize("name", CASES)
def test_a_call_has_the_sizes_and_the_dtype_of_torch(name: str) -> None:
    sizes, forward = CASES[name]
    module = Recorded(forward)
    seen.clear()
    torch.manual_seed(0)
    module(torch.rand(sizes))
    network = nettally.read(module, sizes)
    theirs, ours = seen
    assert ours == theirs
    shapes = [
        nettally.tally(network)[each].shape if each not in network.inputs else sizes
        for each in network.outputs
    ]
    assert set(shapes) == {shape for shape, _ in theirs}
