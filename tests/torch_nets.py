"""Small nets in plain torch, of the kinds that counters get wrong: recurrent, attention, tied.

`NETS` maps a name to a function that makes the net, and what its forward takes; `inputs` makes
those tensors.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as torch's own documentation has it
from torch.nn.utils import parametrizations

# A shape and the dtype's name, one for each positional argument of forward.
Inputs = tuple[tuple[tuple[int, ...], str], ...]


class Lstm(nn.Module):
    """Two layers, both directions, a projection, batch first; a classifier on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            40, 64, num_layers=2, batch_first=True, bidirectional=True, proj_size=24, dropout=0.1
        )
        self.head = nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.lstm(x)
        return self.head(y[:, -1])


class Gru(nn.Module):
    """Sequence first, two layers, both directions, no bias; returns the sequence and the state."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(24, 32, num_layers=2, bias=False, bidirectional=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.gru(x)


class Rnn(nn.Module):
    """An Elman net of three layers with ReLU, given its first state; then cells called by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(16, 20, num_layers=3, nonlinearity="relu", batch_first=True)
        self.cell = nn.LSTMCell(20, 12)
        self.gru_cell = nn.GRUCell(12, 8)

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        y, _ = self.rnn(x, state)
        h = c = y.new_zeros(y.shape[0], 12)
        g = y.new_zeros(y.shape[0], 8)
        for step in range(3):
            h, c = self.cell(y[:, step], (h, c))
            g = self.gru_cell(h, g)
        return g


class EncoderDecoder(nn.Module):
    """nn.Transformer with a causal mask, batch first."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Transformer(
            d_model=48,
            nhead=4,
            num_encoder_layers=2,
            num_decoder_layers=2,
            dim_feedforward=96,
            batch_first=True,
        )

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        n = target.shape[1]
        mask = torch.triu(torch.full((n, n), float("-inf"), device=target.device), diagonal=1)
        return self.net(source, target, tgt_mask=mask)


class Encoder(nn.Module):
    """nn.TransformerEncoder, sequence first, normalised first, with tokens and learnt positions."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(500, 64)
        self.positions = nn.Parameter(torch.zeros(20, 1, 64))
        layer = nn.TransformerEncoderLayer(
            64, 8, dim_feedforward=128, activation="gelu", norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, 3, norm=nn.LayerNorm(64), enable_nested_tensor=False
        )
        self.head = nn.Linear(64, 5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids) + self.positions[: ids.shape[0]]
        return self.head(self.encoder(x).mean(0))


class Attention(nn.Module):
    """nn.MultiheadAttention: keys and values of other widths, its weights returned or not."""

    def __init__(self) -> None:
        super().__init__()
        self.cross = nn.MultiheadAttention(32, 4, kdim=20, vdim=28, add_bias_kv=True)
        self.own = nn.MultiheadAttention(32, 4, bias=False, batch_first=True)

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        x, _ = self.cross(q, k, v)
        y, weights = self.own(x.transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1))
        z, _ = self.own(y, y, y, need_weights=False)
        return z + weights.mean()


class TiedLanguageModel(nn.Module):
    """The output head is the embedding's own table; causal fused attention written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(300, 32)
        self.projection = nn.Linear(32, 96, bias=False)
        self.out = nn.Linear(32, 32)
        self.head = nn.Linear(32, 300, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids)
        batch, length, width = x.shape
        q, k, v = (
            t.reshape(batch, length, 4, width // 4).transpose(1, 2)
            for t in self.projection(x).chunk(3, dim=-1)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(self.out(y.transpose(1, 2).reshape(batch, length, width)))


class Normed(nn.Module):
    """weight_norm and spectral_norm by parametrizations, orthogonal weights, and an own one."""

    def __init__(self) -> None:
        super().__init__()
        self.a = parametrizations.weight_norm(nn.Conv2d(3, 16, 3, padding=1))
        self.b = parametrizations.spectral_norm(nn.Conv2d(16, 16, 3, stride=2, padding=1))
        self.c = nn.Linear(16 * 8 * 8, 10)
        nn.utils.parametrize.register_parametrization(self.c, "weight", Symmetric())
        self.d = nn.utils.weight_norm(nn.Linear(10, 10))  # the old one, by a hook

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.b(F.relu(self.a(x))))
        return self.d(self.c(x.flatten(1)))


class Symmetric(nn.Module):
    """Halves the weight; it has a scale of its own, which is a parameter of the net."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * self.scale / 2


class Complex(nn.Module):
    """A Fourier layer (a real transform, a complex weight, back); transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Conv2d(3, 8, 1)
        self.weight = nn.Parameter(torch.zeros(8, 8, 6, 6, dtype=torch.cfloat))
        self.up = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1, groups=2)
        self.up_1d = nn.ConvTranspose1d(6, 4, 3, stride=2, output_padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.lift(x)
        f = torch.fft.rfft2(x)[:, :, :6, :6]
        f = torch.einsum("bixy,ioxy->boxy", f, self.weight)
        x = x + torch.fft.irfft2(f, s=x.shape[-2:])
        return self.up_1d(self.up(x).mean(-1))


class UNet(nn.Module):
    """Three levels, skips joined by concatenation, one shared convolution, and one never called."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([self.block(1, 8), self.block(8, 16), self.block(16, 32)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)])
        self.join = nn.ModuleList([self.block(32, 16), self.block(16, 8)])
        self.shared = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 2, 1)
        self.unused = nn.Linear(100, 100)

    @staticmethod
    def block(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips: list[torch.Tensor] = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(self.shared(self.shared(x)))


class Functional(nn.Module):
    """No leaf modules: weights are bare parameters, the work is in functions and operators."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(8, 3, 3, 3))
        self.table = nn.Parameter(torch.zeros(8, 12))
        self.blocks = nn.ParameterList([torch.zeros(12, 12), torch.zeros(12)])
        self.register_buffer("mean", torch.zeros(3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.conv2d(x - self.mean, self.kernel, stride=2)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1) @ self.table
        x = torch.addmm(self.blocks[1], x, self.blocks[0])
        y = torch.bmm(x[:, :, None], x[:, None, :])
        return F.softmax(torch.matmul(y, x[:, :, None]).squeeze(-1), dim=-1)


class Mixed(nn.Module):
    """1-D and 3-D convolutions, bilinear, embedding bag, group and instance norm, dict out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(1, 4, 3, padding=1, groups=1)
        self.group = nn.GroupNorm(2, 4)
        self.conv1d = nn.Conv1d(4, 6, 5, dilation=2)
        self.instance = nn.InstanceNorm1d(6, affine=True)
        self.bilinear = nn.Bilinear(6, 5, 7)
        self.bag = nn.EmbeddingBag(50, 5, mode="mean")
        self.act = nn.PReLU(7)

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        x = F.gelu(self.group(self.conv3d(x))).mean((-1, -2))
        x = self.instance(self.conv1d(x)).amax(-1)
        return {"out": self.act(self.bilinear(x, self.bag(ids))), "features": x}


NETS: dict[str, tuple[Callable[[], nn.Module], Inputs]] = {
    "lstm": (Lstm, (((2, 15, 40), "float32"),)),
    "gru": (Gru, (((11, 3, 24), "float32"),)),
    "rnn": (Rnn, (((2, 9, 16), "float32"), ((3, 2, 20), "float32"))),
    "transformer": (EncoderDecoder, (((2, 12, 48), "float32"), ((2, 9, 48), "float32"))),
    "encoder": (Encoder, (((18, 2), "int64"),)),
    "attention": (
        Attention,
        (((7, 2, 32), "float32"), ((9, 2, 20), "float32"), ((9, 2, 28), "float32")),
    ),
    "tied": (TiedLanguageModel, (((2, 16), "int64"),)),
    "normed": (Normed, (((1, 3, 16, 16), "float32"),)),
    "complex": (Complex, (((1, 3, 16, 16), "float32"),)),
    "unet": (UNet, (((1, 1, 32, 32), "float32"),)),
    "functional": (Functional, (((1, 3, 19, 19), "float32"),)),
    "mixed": (Mixed, (((2, 1, 20, 6, 6), "float32"), ((2, 4), "int64"))),
}


def inputs(name: str, device: str = "cpu") -> tuple[torch.Tensor, ...]:
    """The arguments of a net's forward; whole numbers are zeros, which index any table."""
    made: list[torch.Tensor] = []
    for shape, dtype in NETS[name][1]:
        kind = getattr(torch, dtype)
        if kind.is_floating_point:
            made.append(torch.ones(shape, dtype=kind, device=device))
        else:
            made.append(torch.zeros(shape, dtype=kind, device=device))
    return tuple(made)
