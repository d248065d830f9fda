"""Packed weights count as what they stand for, or the total is at least; buffers are not learned.

Weights are packed here as each tool's documentation says, bit by bit, at random sizes; what is
counted must be the number of weights there were before.
"""

from __future__ import annotations

import json
import struct
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nettally import cli, formats, read, tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from nettally.counting.tally import Tally

    Stored = dict[str, tuple[str, tuple[int, ...], bytes | None]]

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U32": 4, "I16": 2, "I8": 1, "U8": 1,
         "F8_E4M3": 1, "F8_E8M0": 1, "BOOL": 1}  # fmt: skip


def stored(kind: str, *sizes: int, content: bytes | None = None) -> Any:
    return kind, sizes, content


def safetensors(tensors: Stored) -> bytes:
    """A file in the format, of zeros where no content is given."""
    header: dict[str, Any] = {}
    data = b""
    for name, (kind, sizes, content) in tensors.items():
        content = bytes(prod(sizes) * BYTES[kind]) if content is None else content
        where = [len(data), len(data) + len(content)]
        header[name] = {"dtype": kind, "shape": list(sizes), "data_offsets": where}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def counted(tmp_path: Path, tensors: Stored) -> Tally:
    path = tmp_path / "packed.safetensors"
    path.write_bytes(safetensors(tensors))
    return tally(read(path))


def squeezed(weights: NDArray[np.uint8], bits: int, axis: int, word: type = np.uint32) -> Any:
    """Whole numbers of so many bits, written without gaps into words along an axis."""
    rows = np.moveaxis(weights, axis, -1)[..., None]
    flat = np.unpackbits(rows, axis=-1, bitorder="little")[..., :bits]
    octets = np.packbits(flat.reshape(*rows.shape[:-2], -1), axis=-1, bitorder="little")
    return np.moveaxis(octets.view(word), -1, axis)


def as_stored(array: NDArray[Any], kind: str) -> Any:
    return kind, array.shape, np.ascontiguousarray(array).tobytes()


def gptq(o: int, i: int, bits: int, groups: int) -> Stored:
    weights, zeros = np.ones((i, o), np.uint8), np.ones((groups, o), np.uint8)
    return {
        "q.qweight": as_stored(squeezed(weights, bits, 0), "I32"),
        "q.qzeros": as_stored(squeezed(zeros, bits, 1), "I32"),
        "q.scales": stored("F16", groups, o),
    }


def awq(o: int, i: int, bits: int, groups: int) -> Stored:
    weights, zeros = np.ones((i, o), np.uint8), np.ones((groups, o), np.uint8)
    return {
        "q.qweight": as_stored(squeezed(weights, bits, 1), "I32"),
        "q.qzeros": as_stored(squeezed(zeros, bits, 1), "I32"),
        "q.scales": stored("F16", groups, o),
    }


def marlin(o: int, i: int, bits: int, groups: int) -> Stored:
    tiles = np.ones((i // 16, o * 16), np.uint8)
    return {
        "q.B": as_stored(squeezed(tiles, bits, 1), "I32"),
        "q.s": stored("F16", groups, o),
        "q.workspace": stored("I32", o // 32 * 16),
    }


def compressed(o: int, i: int, bits: int, groups: int) -> Stored:
    return {
        "q.weight_packed": as_stored(squeezed(np.ones((o, i), np.uint8), bits, 1), "I32"),
        "q.weight_scale": stored("BF16", o, groups),
        "q.weight_shape": stored("I64", 2, content=struct.pack("<2q", o, i)),
    }


def compressed_with_zeros(o: int, i: int, bits: int, groups: int) -> Stored:
    zeros = squeezed(np.ones((o, groups), np.uint8), bits, 0)
    tensors = {**compressed(o, i, bits, groups), "q.weight_zero_point": as_stored(zeros, "I32")}
    del tensors["q.weight_shape"]
    return tensors


def hqq(o: int, i: int, bits: int, groups: int) -> Stored:
    return {
        "q.W_q": as_stored(squeezed(np.ones((o * i,), np.uint8), bits, 0)[:, None], "I32"),
        "q.shape": stored("I64", 2, content=struct.pack("<2q", o, i)),
        "q.scale": stored("F16", o * groups, 1),
        "q.zero": stored("F16", o * groups, 1),
        "q.nbits": stored("I32"),
    }


def higgs(o: int, i: int, bits: int, groups: int) -> Stored:
    return {
        "q.weight": as_stored(squeezed(np.ones((o, i), np.uint8), bits, 0, np.uint16), "I16"),
        "q.scales": stored("F16", o, groups),
        "q.tables": stored("F16", 2**bits),
        "q.tables2": stored("F16", 2**bits, 2**bits, 2),
    }


TOOLS: dict[str, tuple[Callable[[int, int, int, int], Stored], tuple[int, ...]]] = {
    "GPTQ": (gptq, (2, 3, 4, 8)),
    "AWQ": (awq, (4, 8)),
    "Marlin": (marlin, (4, 8)),
    "compressed-tensors": (compressed, (2, 3, 4, 8)),
    "compressed-tensors with zero points": (compressed_with_zeros, (2, 4, 8)),
    "HQQ": (hqq, (1, 2, 4, 8)),
    "HIGGS": (higgs, (2, 3, 4)),
}


@pytest.mark.parametrize("tool", TOOLS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_weights_packed_by_bits(
    tool: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    make, widths = TOOLS[tool]
    bits = data.draw(st.sampled_from(widths))
    o, i = (32 * data.draw(st.integers(1, 6)) for _ in range(2))
    tensors = make(o, i, bits, i // data.draw(st.sampled_from((16, 32))))
    tensors["q.bias"] = stored("F16", o)
    tensors["norm.weight"] = stored("F16", i)
    result = counted(tmp_path_factory.mktemp("packed"), tensors)
    assert result.parameters == o * i + o + i
    assert result.parameters_complete
    assert set(result["q"].parameters or ()) == {"weight", "bias"}
    note = next(note for note in result.network.notes if "packed" in note)
    assert tool.partition(" ")[0] in note
    assert f"{o * i:,} weights" in note


STATE = json.dumps({"quant_type": "nf4", "blocksize": 64, "shape": [64, 256]}).encode()
NF4 = "q.weight.quant_state.bitsandbytes__nf4"
GROUPS: dict[str, tuple[Stored, int]] = {
    "GPTQ without zero points": (
        {"q.qweight": stored("I32", 32, 64), "q.scales": stored("F16", 2, 64),
         "q.g_idx": stored("I32", 256)}, 256 * 64),
    "AWQ for GEMV": (
        {"q.qweight": stored("I32", 64, 32), "q.qzeros": stored("I32", 64, 1),
         "q.scales": stored("F16", 64, 8)}, 64 * 256),
    "bitsandbytes, stored as real numbers": (
        {"q.weight": stored("BF16", 4096, 1), "q.weight.absmax": stored("F32", 256),
         "q.weight.quant_map": stored("F32", 16), "q.bias": stored("F32", 64),
         NF4: stored("U8", len(STATE), content=STATE)}, 64 * 256 + 64),
    "bitsandbytes without its state": (
        {"q.weight": stored("U8", 8192, 1), "q.weight.absmax": stored("F32", 256)}, 64 * 256),
    "NVFP4 of ModelOpt": (
        {"q.weight": stored("U8", 64, 128), "q.weight_scale": stored("F8_E4M3", 64, 16),
         "q.weight_scale_2": stored("F32"), "q.input_scale": stored("F32")}, 64 * 256),
    "NVFP4 of compressed-tensors": (
        {"q.weight_packed": stored("U8", 64, 128), "q.weight_scale": stored("F8_E4M3", 64, 16),
         "q.weight_global_scale": stored("F32", 1)}, 64 * 256),
    "MXFP4 of DeepSeek": (
        {"q.weight": stored("I8", 64, 128), "q.scale": stored("F8_E8M0", 64, 8)}, 64 * 256),
    "MXFP4 with dots": (
        {"mlp.w.blocks": stored("U8", 4, 96, 2, 16), "mlp.w.scales": stored("U8", 4, 96, 2)},
        4 * 96 * 64),
    "FP8 of experts": (
        {"e.up": stored("F8_E4M3", 4, 32, 64), "e.up_scale": stored("F32", 4, 1, 64),
         "e.up_input_scale": stored("F32", 4)}, 4 * 32 * 64),
    "EETQ": ({"q.weight": stored("I8", 256, 64), "q.weight_scales": stored("F16", 64)}, 256 * 64),
    "BitNet": ({"q.weight": stored("U8", 16, 256), "q.weight_scale": stored("BF16", 1)}, 64 * 256),
    "Quanto of 4 bits": (
        {"q.weight._data": stored("U8", 64, 128), "q.weight._scale": stored("F32", 128, 1),
         "q.weight._shift": stored("F32", 128, 1), "q.input_scale": stored("F32")}, 128 * 128),
    "Quanto of 8 bits": (
        {"q.weight._data": stored("I8", 64, 256), "q.weight._scale": stored("F32", 64, 1)}, 16384),
    "AQLM": (
        {"q.codes": stored("I16", 64, 32, 2), "q.codebooks": stored("F16", 2, 65536, 1, 8),
         "q.scales": stored("F16", 64, 1, 1, 1)}, 64 * 256),
    "EXL2": (
        {"q.q_weight": stored("I32", 34, 64), "q.q_invperm": stored("I32", 256),
         "q.q_scale": stored("I32", 4, 8), "q.q_scale_max": stored("F16", 4),
         "q.q_groups": stored("I16", 8)}, 64 * 256),
    "EXL3": (
        {"q.trellis": stored("I16", 16, 4, 64), "q.suh": stored("F16", 256),
         "q.svh": stored("F16", 64)}, 64 * 256),
    "MLX of MXFP4": (
        {"q.weight": stored("U32", 64, 32), "q.scales": stored("U8", 64, 8)}, 64 * 256),
    "a key-value cache's scales": (
        {"attn.k_scale": stored("F32"), "attn.q.weight": stored("F16", 4, 4)}, 16),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_what_tools_write(tmp_path: Path, name: str) -> None:
    tensors, parameters = GROUPS[name]
    result = counted(tmp_path, tensors)
    assert result.parameters == parameters
    assert result.parameters_complete


UNKNOWN: dict[str, tuple[Stored, int]] = {
    "bits that nothing tells": (
        {"q.qweight": stored("I32", 32, 64), "q.scales": stored("F16", 2, 64),
         "q.bias": stored("F16", 64)}, 64),
    "bytes beside real numbers": (
        {"q.weight": stored("U8", 64, 64), "norm.weight": stored("F16", 64)}, 64),
    "words that no tool writes": (
        {"q.data": stored("I32", 64, 64), "q.scale": stored("F16", 64),
         "norm.weight": stored("F16", 64)}, 64),
    "MLX, whose groups have any size": (
        {"q.weight": stored("U32", 64, 32), "q.scales": stored("F16", 64, 4),
         "q.biases": stored("F16", 64, 4), "norm.weight": stored("F16", 64)}, 64),
    "QuIP#": (
        {"q.Qidxs": stored("I64", 64, 8), "q.SU": stored("F16", 64), "q.SV": stored("F16", 64),
         "q.bias": stored("F16", 64)}, 64),
    "more weights than bits": (
        {"q.weight_packed": stored("I32", 4, 1), "q.weight_scale": stored("F16", 4, 1),
         "q.weight_shape": stored("I64", 2, content=struct.pack("<2q", 2**40, 2**20)),
         "q.bias": stored("F16", 4)}, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_at_least(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    tensors, parameters = UNKNOWN[name]
    result = counted(tmp_path, tensors)
    assert result.parameters == parameters
    assert not result.parameters_complete
    assert any("the parameters are more than these" in note for note in result.network.notes)
    assert cli.run(["tally", str(tmp_path / "packed.safetensors")]) == 0
    shown = capsys.readouterr().out
    assert f"at least {parameters}" in shown
    assert "(packed weights)" in shown


BUFFERS: dict[str, tuple[Stored, int, str]] = {
    "masks": (
        {"h.attn.bias": stored("BOOL", 1, 1, 8, 8), "h.attn.masked_bias": stored("F32"),
         "h.attn.c_attn.weight": stored("F32", 4, 12)}, 48, "causal masks"),
    "a mask of windows": (
        {"b.attn_mask": stored("F32", 4, 9, 9), "b.qkv.weight": stored("F32", 4, 12)}, 48,
        "causal masks"),
    "rotary tables": (
        {"a.rotary_emb.inv_freq": stored("F32", 32), "rope.freqs": stored("F32", 8),
         "w.weight": stored("F32", 5)}, 5, "rotary tables"),
    "statistics": (
        {"n.running_mean": stored("F32", 3), "n.num_batches_tracked": stored("I64"),
         "n.weight": stored("F32", 3)}, 3, "running statistics"),
    "a noise schedule": (
        {"betas": stored("F32", 10), "alphas_cumprod": stored("F32", 10),
         "m.weight": stored("F32", 3)}, 3, "noise schedules"),
    "spectral normalization": (
        {"c.weight_orig": stored("F32", 3, 4), "c.weight_u": stored("F32", 3),
         "c.weight_v": stored("F32", 4)}, 12, "spectral"),
    "pruning": (
        {"c.weight_orig": stored("F32", 3, 4), "c.weight_mask": stored("F32", 3, 4)}, 12,
        "pruning"),
    "averages": (
        {"model.net.0.weight": stored("F32", 3), "model_ema.net0weight": stored("F32", 3),
         "model_ema.decay": stored("F32")}, 3, "averages of the parameters"),
    "a quantizer": (
        {"f.scale": stored("F32", 1), "f.zero_point": stored("I32", 1),
         "f.weight": stored("F32", 4)}, 4, "quantizers"),
    "indices": (
        {"a.relative_position_index": stored("I32", 9, 9), "a.weight": stored("F32", 4)}, 4,
        "whole numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", BUFFERS)
def test_what_is_kept_and_not_learned(tmp_path: Path, name: str) -> None:
    tensors, parameters, note = BUFFERS[name]
    result = counted(tmp_path, tensors)
    assert result.parameters == parameters
    assert result.parameters_complete
    assert any(note in each for each in result.network.notes)


LEARNED: dict[str, Stored] = {
    "a bias of four axes": {"conv.bias": stored("F32", 1, 1, 8, 8)},
    "a mask's token": {"mask_token": stored("F32", 1, 1, 8)},
    "a table of positions": {"a.relative_position_bias_table": stored("F32", 9, 4)},
    "a scale": {"n.scale": stored("F32", 8), "n.weight": stored("F32", 8)},
    "scales": {"n.scales": stored("F32", 8), "n.qweight": stored("F32", 8, 8)},
    "a module called so": {"ema.conv.weight": stored("F32", 3), "net.weight": stored("F32", 4)},
    "weights of 8 bits without scales": {"q.weight": stored("F8_E4M3", 4, 4)},
    "quantized weights and biases": {"q.weight": stored("I8", 4, 4), "q.bias": stored("I32", 4)},
    "vectors without what they normalize": {"c.weight_u": stored("F32", 3)},
}


@pytest.mark.parametrize("name", LEARNED)
def test_what_looks_like_it_and_is_learned(tmp_path: Path, name: str) -> None:
    result = counted(tmp_path, LEARNED[name])
    assert result.parameters == sum(prod(sizes) for _, sizes, _ in LEARNED[name].values())
    assert result.parameters_complete


@pytest.mark.parametrize("name", [*GROUPS, *UNKNOWN])
def test_checkpoints_count_as_safetensors_do(tmp_path: Path, name: str) -> None:
    """By torch.save too, where values that state sizes can be read in its archive."""
    kinds = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
             "I64": torch.int64, "I32": torch.int32, "U32": torch.uint32, "I16": torch.int16,
             "I8": torch.int8, "U8": torch.uint8, "F8_E4M3": torch.float8_e4m3fn,
             "F8_E8M0": torch.float8_e8m0fnu}  # fmt: skip
    tensors, parameters = {**GROUPS, **UNKNOWN}[name]
    state = {}
    for key, (kind, sizes, content) in tensors.items():
        octets = bytes(prod(sizes) * BYTES[kind]) if content is None else content
        flat = torch.frombuffer(bytearray(octets), dtype=torch.uint8)
        state[key] = flat.view(kinds[kind]).reshape(sizes)
    torch.save(state, tmp_path / "x.pt")
    assert tally(read(tmp_path / "x.pt")).parameters == parameters


@pytest.mark.parametrize("name", ["x.safetensors", "x.pt"])
def test_parameters_do_not_depend_on_an_input(tmp_path: Path, name: str) -> None:
    """A file that states its tensors has no input: a size is refused or changes nothing."""
    path = tmp_path / name
    if name.endswith(".pt"):
        torch.save({"w": torch.zeros(2, 3), "v": torch.zeros(3)}, path)
    else:
        path.write_bytes(safetensors({"w": stored("F32", 2, 3), "v": stored("F32", 3)}))
    for sizes in ({"": (3, 8, 8)}, {"": (3, 64, 64)}):
        try:
            network = formats.read(str(path), inputs=sizes)
        except Exception as error:
            assert "input" in str(error)  # noqa: PT017 - either is right
        else:
            assert tally(network).parameters == 9
