"""nettally.summary: torchinfo's arguments, torchinfo's layout, torch's numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import nettally


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)])
        self.norm = nn.BatchNorm2d(4)
        self.mix = nn.Parameter(torch.rand(6, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = self.norm(layer(x))
        return self.mix @ x.flatten(2)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
        self.head = nn.Linear(6 * 64, 10)
        self.head.bias.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.block(x).flatten(1))


SIZE = (1, 3, 8, 8)


def summary(module: nn.Module | None = None, *args: Any, **more: Any) -> Any:
    return nettally.summary(module or Net(), *(args or (SIZE,)), verbose=0, **more)


def test_its_totals_are_those_of_torch() -> None:
    made, module = summary(), Net()
    assert made.total_params == sum(p.numel() for p in module.parameters())
    assert made.trainable_params == sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert made.total_param_bytes == 4 * made.total_params
    assert made.total_mult_adds == 64 * (4 * 27 + 4 * 36 + 6 * 4) + 3840
    assert made.input_size == [SIZE]
    assert made.total_input == 4 * 3 * 64


def test_each_line_is_a_call_and_containers_that_are_never_called_have_theirs() -> None:
    lines = [(row.class_name, row.depth, row.depth_index) for row in summary().summary_list]
    assert lines == [
        ("Net", 0, 1), ("Block", 1, 1), ("ModuleList", 2, 1), ("Conv2d", 3, 1),
        ("BatchNorm2d", 2, 2), ("ModuleList", 2, 3), ("Conv2d", 3, 2), ("BatchNorm2d", 2, 4),
        ("matmul", 2, 5), ("Linear", 1, 2),
    ]  # fmt: skip


def test_the_table() -> None:
    text = str(
        summary(
            col_names=("input_size", "output_size", "num_params", "kernel_size", "mult_adds"),
            col_width=16,
            row_settings=("depth", "var_names", "ascii_only"),
        )
    )
    assert text.splitlines()[:13] == [
        "=" * 120,
        "Layer (type (var_name):depth-idx)        Input Shape      Output Shape     Param #"
        "          Kernel Shape     Mult-Adds",
        "=" * 120,
        "Net (Net)                                [1, 3, 8, 8]     [1, 10]          --"
        "               --               --",
        "+ Block (block): 1-1                     [1, 3, 8, 8]     [1, 6, 64]       24"
        "               --               --",
        "|    + ModuleList (layers): 2-1          --               --               --"
        "               --               --",
        "|    |    + Conv2d (0): 3-1              [1, 3, 8, 8]     [1, 4, 8, 8]     112"
        "              [3, 3]           6,912",
        "|    + BatchNorm2d (norm): 2-2           [1, 4, 8, 8]     [1, 4, 8, 8]     8"
        "                --               --",
        "|    + ModuleList (layers): 2-3          --               --               (recursive)"
        "      --               --",
        "|    |    + Conv2d (1): 3-2              [1, 4, 8, 8]     [1, 4, 8, 8]     148"
        "              [3, 3]           9,216",
        "|    + BatchNorm2d (norm): 2-4           [1, 4, 8, 8]     [1, 4, 8, 8]     (recursive)"
        "      --               --",
        "|    + matmul (matmul): 2-5              [6, 4] +1        [1, 6, 64]       --"
        "               --               1,536",
        "+ Linear (head): 1-2                     [1, 384]         [1, 10]          3,850"
        "            --               3,840",
    ]


def test_parameters_of_all_lines_add_up() -> None:
    for depth in range(5):
        made = summary(depth=depth, col_names=("num_params", "params_percent"))
        shown = [line.split() for line in str(made).splitlines()]
        percents = [float(words[-1][:-1]) for words in shown if words and words[-1][-2:-1].isdigit()
                    and words[-1].endswith("%")]  # fmt: skip
        assert sum(percents) == pytest.approx(100, abs=0.05)


def test_without_an_input_it_shows_what_the_modules_hold() -> None:
    made = nettally.summary(Net(), verbose=0)
    assert made.total_params == sum(p.numel() for p in Net().parameters())
    assert [row.class_name for row in made.summary_list][:4] == [
        "Net", "Block", "ModuleList", "Conv2d",
    ]  # fmt: skip
    assert "Mult-Adds" not in str(made)


def test_it_prints_unless_it_is_told_not_to(capsys: pytest.CaptureFixture[str]) -> None:
    made = nettally.summary(Net(), SIZE)
    assert capsys.readouterr().out == f"{made}\n"
    nettally.summary(Net(), SIZE, verbose=0)
    assert capsys.readouterr().out == ""


def test_arguments_of_the_forward_and_a_batch_axis() -> None:
    class Scaled(nn.Module):
        def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
            return x.repeat(times, 1)

    assert summary(Scaled(), (3, 4), times=5).summary_list[0].output_size == ((15, 4),)
    assert summary(Net(), (3, 8, 8), batch_dim=0).input_size == [SIZE]
    data = summary(Net(), None, torch.rand(SIZE))
    assert data.total_mult_adds == summary().total_mult_adds


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"col_names": ("output",)}, "no column is called 'output'"),
        ({"row_settings": ("deep",)}, "no row setting is called 'deep'"),
        ({"col_width": 0}, "col_width must be greater than 0"),
        ({"accounting": "torchinf"}, "no accounting is called 'torchinf'"),
        ({"input_data": torch.rand(SIZE)}, "give input_size or input_data, not both"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(nettally.NettallyError, match=says):
        summary(**options)


def test_columns_that_need_an_input_say_so() -> None:
    with pytest.raises(nettally.NettallyError, match="these columns need an input"):
        nettally.summary(Net(), col_names=("mult_adds",), verbose=0)


def test_names_are_inert() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("\x1b[31mred<script>", nn.Linear(2, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return next(self.children())(x)

    made = summary(Named(), (1, 2), row_settings=("var_names",))
    assert "\x1b" not in str(made)
    assert "<script>" not in made._repr_html_()
