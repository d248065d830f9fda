"""PyTorch's checkpoints, read as data, against torch's own count; and each way they can lie."""
# ruff: noqa: E501  (tables: a case a line)

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from checkpoint_files import (
    SMALL,
    STORAGES,
    archive,
    dictionary,
    number,
    pickled,
    storage,
    stream,
    tensor,
    text,
)
from nettally import read, tally
from nettally.errors import ReadError
from nettally.network import Network


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
        self.attention = nn.MultiheadAttention(8, 2)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.token = nn.Parameter(torch.zeros(1, 8))
        self.register_buffer("positions", torch.arange(5))
        self.recurrent = nn.LSTM(4, 5, 2)


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def written(path: Path, data: bytes) -> Network:
    path.write_bytes(data)
    return read(path)


SAVED = {
    "state.pt": ({}, lambda net: net.state_dict()),
    "old.pth": ({"_use_new_zipfile_serialization": False}, lambda net: net.state_dict()),
    "protocol4.pt": ({"pickle_protocol": 4}, lambda net: net.state_dict()),
    "protocol5.pt": ({"pickle_protocol": 5}, lambda net: net.state_dict()),
    "old4.pt": ({"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
                lambda net: net.state_dict()),
    "kept.pt": ({}, lambda net: net.state_dict(keep_vars=True)),
    "module.pt": ({}, lambda net: net),
    "old_module.pt": ({"_use_new_zipfile_serialization": False}, lambda net: net),
    "checkpoint.ckpt": ({}, lambda net: {"epoch": 3, "state_dict": net.state_dict(),
                                         "optimizer": optimizer(net).state_dict()}),
    "model.bin": ({}, lambda net: {"ema": None, "model": net}),
    "half.pt": ({}, lambda net: {k: v.half() if v.is_floating_point() else v
                                 for k, v in net.state_dict().items()
                                 if k != "second.weight"}),
}  # fmt: skip


def optimizer(net: nn.Module) -> torch.optim.Optimizer:
    made = torch.optim.Adam(net.parameters())
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    made.step()
    return made


@pytest.mark.parametrize("name", SAVED)
def test_what_torch_saves(net: Net, tmp_path: Path, name: str) -> None:
    how, what = SAVED[name]
    torch.save(what(net), tmp_path / name, **how)
    network = read(tmp_path / name)
    counted = tally(network)
    assert counted.parameters == sum(p.numel() for p in net.parameters())
    kept = [torch.Size(s).numel() for row in counted for s in (row.buffers or {}).values()]
    assert sum(kept) == sum(b.numel() for b in net.buffers())
    assert counted["conv.0"].parameters == {"weight": (8, 3, 3, 3), "bias": (8,)}
    assert set(counted["conv.1"].buffers or ()) == {
        "running_mean", "running_var", "num_batches_tracked",
    }  # fmt: skip
    assert set(counted["recurrent"].parameters or ()) == {
        f"{kind}_{way}_l{layer}" for kind in ("weight", "bias") for way in ("ih", "hh")
        for layer in (0, 1)
    }  # fmt: skip
    if name != "half.pt":
        assert dict(network["second"].shared) == {"weight": "first.weight"}


def test_a_module_tells_its_classes(net: Net, tmp_path: Path) -> None:
    torch.save(net, tmp_path / "net.pt")
    network = read(tmp_path / "net.pt")
    assert network["conv.0"].layer.type == "Conv2d"
    assert any("their code was not looked for nor run" in note for note in network.notes)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript(tmp_path: Path) -> None:
    made = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    torch.jit.script(made).save(tmp_path / "script.pt")
    network = read(tmp_path / "script.pt")
    assert tally(network).parameters == sum(p.numel() for p in made.parameters())
    assert "this is TorchScript: its code is not read" in network.notes


def overlapping() -> dict[str, torch.Tensor]:
    whole = torch.zeros(6)
    return {"a": whole[:4], "b": whole[2:]}


OBJECTS = {
    "one tensor": (lambda: torch.zeros(3, 4), 12, ""),
    "a list": (lambda: [torch.zeros(3, 4), torch.zeros(2)], 14, ""),
    "two networks": (lambda: {"G": {"w": torch.zeros(3)}, "D": {"w": torch.zeros(4)}}, 7, ""),
    "one of two": (
        lambda: {"ema": {"w": torch.zeros(3)}, "model": {"w": torch.zeros(3)}}, 3,
        "beside the network, and not counted: ema (1 tensors)",
    ),
    "nested": (lambda: {"model": {"a": {"w": torch.zeros(3)}, "b": {"w": torch.zeros(2)}}}, 5, ""),
    "float8": (lambda: {"w": torch.zeros(4, 4, dtype=torch.float8_e4m3fn)}, 16, ""),
    "no numbers": (lambda: {"w": torch.zeros(3, 3, device="meta")}, 9, ""),
    "nothing in it": (lambda: {"w": torch.zeros(0, 3), "v": torch.zeros(2)}, 2, ""),
    "sparse": (
        lambda: {"w": torch.eye(3).to_sparse()}, 3,
        "of 1 sparse tensors only what they store is counted",
    ),
    "whole numbers": (
        lambda: {"w": torch.zeros(2), "mask": torch.zeros(9, dtype=torch.bool)}, 2,
        "whole numbers are taken as kept and not learned: mask",
    ),
    "stretched": (lambda: {"w": torch.zeros(1).expand(5)}, 5, ""),
    "overlapping": (
        overlapping, 8,
        "tensors that share numbers and are counted each: a and b",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_what_else_can_be_saved(tmp_path: Path, name: str) -> None:
    make, parameters, note = OBJECTS[name]
    torch.save(make(), tmp_path / "x.pt")
    network = read(tmp_path / "x.pt")
    assert tally(network).parameters == parameters
    assert not note or any(note in each for each in network.notes)


def test_numpy_is_said(tmp_path: Path) -> None:
    import numpy as np

    torch.save({"w": np.zeros(3), "v": torch.zeros(2)}, tmp_path / "x.pt")
    network = read(tmp_path / "x.pt")
    assert tally(network).parameters == 2
    assert any("what was not understood" in note and "numpy" in note for note in network.notes)


def test_files_made_by_hand(tmp_path: Path) -> None:
    """What the malformed ones below are made from is read."""
    assert tally(written(tmp_path / "a.pt", archive(pickled(SMALL), STORAGES))).parameters == 8
    value = dictionary(a__weight=tensor((2, 3), "0", old=True), b=tensor((2,), "1", old=True))
    assert tally(written(tmp_path / "b.pt", stream(value, {"0": 6, "1": 2}))).parameters == 8


def test_a_part_of_an_old_storage(tmp_path: Path) -> None:
    view = b"(" + text("v") + number(2) + number(3) + b"t"
    inside = (
        text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(9) + view
    )
    args = b"(" + inside + b"tQ" + number(0) + b"(" + number(3) + b"t(" + number(1) + b"t"
    value = dictionary(w=b"ctorch._utils\n_rebuild_tensor\n(" + args + b"tR")
    assert tally(written(tmp_path / "a.pt", stream(value, {"0": 9}))).parameters == 3


def test_nothing_is_called(tmp_path: Path) -> None:
    """A pickle that would run a command is read beside, and the command is not run."""
    target = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (target,)

    torch.save({"evil": Evil(), "w": torch.zeros(3)}, tmp_path / "x.pt")
    assert tally(read(tmp_path / "x.pt")).parameters == 3
    assert not target.exists()


def changed(data: bytes, old: bytes, new: bytes, times: int = -1) -> bytes:
    assert old in data
    return data.replace(old, new, times)


GOOD = archive(pickled(SMALL), STORAGES)
OLD = stream(dictionary(w=tensor((2, 3), "0", old=True)), {"0": 6})
W = b"ctorch._utils\n_rebuild_tensor_v2\n"


def packed(value: bytes, storages: dict[str, bytes] | None = None) -> bytes:
    return archive(pickled(value), STORAGES if storages is None else storages)


MALFORMED = {
    "another pickle": (pickle.dumps({"a": 1}), "not one that torch.save made"),
    "two pickles": (archive(b"", {"data.pkl": b""}), "it has 2 files data.pkl"),
    "no end": (GOOD[:-22], "this zip archive has no end record"),
    "half": (GOOD[: len(GOOD) // 2], "this zip archive has no end record"),
    "damaged": (changed(GOOD, b"_rebuild_tensor_v2", b"_rebuild_tensor_v9"), "its checksum is another"),
    "another file inside": (changed(GOOD, b"archive/data.pkl", b"archive/data.pxl", 1),
                            "is another file by its own header"),
    "empty dictionary": (packed(b"}"), "the checkpoint holds no tensors"),
    "a number": (packed(b"K\x05"), "the checkpoint holds no tensors\n  values: it is 5"),
    "no storage": (packed(SMALL, {"0": b"\0" * 24}), "no file for the storage '1'"),
    "short storage": (packed(SMALL, {"0": b"\0" * 20, "1": b"\0" * 8}),
                      "24 bytes stated, 20 in the archive"),
    "beyond its storage": (packed(dictionary(w=tensor((2, 4), "0", 6))),
                           "a tensor lies beyond the end of its storage"),
    "offset beyond": (packed(dictionary(w=tensor((2, 3), "0", offset=1))), "lies beyond the end"),
    "stride beyond": (packed(dictionary(w=tensor((2, 3), "0", stride=(4, 1)))), "lies beyond the end"),
    "negative size": (packed(dictionary(w=tensor((-2, 3), "0", 6))), "a size is no whole number"),
    "negative offset": (packed(dictionary(w=tensor((2, 3), "0", offset=-1))), "no whole number"),
    "strides": (packed(dictionary(w=tensor((2, 3), "0", stride=(1,)))), "not as many strides"),
    "huge": (packed(dictionary(w=tensor((2**62, 2**62), "0", 6))), "lies beyond the end"),
    "unknown storage": (packed(dictionary(w=tensor(kind="os system"))), "no storage of torch is called"),
    "no storage at all": (packed(dictionary(w=W + b"(N" + number(0) + b"))tR")), "made of what is no"),
    "too few": (packed(dictionary(w=W + b"()tR")), "made of what is no storage"),
    "outside": (packed(text("/etc/passwd") + b"Q"), "refers to something outside"),
    "cut off": (archive(pickled(SMALL)[:-20], STORAGES), "the pickle ends too soon"),
    "stack": (packed(b"a"), "takes what it never put there"),
    "memo": (packed(b"h\x05"), "takes what it never put there"),
    "left over": (packed(b"NN"), "leaves something over"),
    "behind it": (archive(pickled(SMALL) + b"xx", STORAGES), "something follows the pickle"),
    "odd items": (packed(b"}(" + text("a") + b"u"), "a key without a value"),
    "append to none": (packed(b"NNa"), "appends to what is no list"),
    "items of none": (packed(b"NNNs"), "sets items of what has none"),
    "INST": (packed(b"(ios\nsystem\n"), "an instruction that is not read\n  values: INST"),
    "OBJ": (packed(b"(cos\nsystem\no"), "an instruction that is not read\n  values: OBJ"),
    "no instruction": (packed(b"\xff"), "not read\n  values: byte 0xff"),
    "protocol": (archive(b"\x80\x09N.", {}), "of a protocol that is not read"),
    "no text": (packed(b"K\x01K\x02\x93"), "a name is no text"),
    "no number": (packed(b"Ixyz\n"), "this is no number"),
    "no fraction": (packed(b"Fxyz\n"), "this is no number"),
    "no place": (packed(b"gxyz\n"), "this is no place of the memo"),
    "old, cut off": (OLD[:-10], "lies beyond the end of the file"),
    "old, another length": (changed(OLD, struct.pack("<q", 6) + b"\0", struct.pack("<q", 5) + b"\0"),
                            "another length than the pickle states"),
    "old, no storages": (stream(dictionary(w=tensor((2, 3), "0", old=True)), {}),
                         "the file has no storage '0'"),
    "old, unknown storage": (stream(dictionary(w=tensor((2, 3), "0", old=True)), {"0": 6, "9": 1}),
                             "no tensor has the storage '9'"),
    "old, another protocol": (changed(OLD, b"M\xe9\x03", b"M\xea\x03"), "no checkpoint of torch.save"),
    "old, two lengths": (stream(dictionary(a=tensor((2, 3), "0", old=True), b=tensor((2,), "0", old=True)),
                                {"0": 6}), "the storage '0' has two lengths"),
    "tar": (b"sys_info".ljust(257, b"\0") + b"ustar" + b"\0" * 300, "of a torch before 0.1.10"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    data, message = MALFORMED[name]
    with pytest.raises(ReadError) as caught:
        written(tmp_path / "x.pt", data)
    assert message in str(caught.value)
    assert "x.pt at byte" in str(caught.value)


def test_a_storage_of_another_kind_is_no_tensor(tmp_path: Path) -> None:
    data = packed(storage("0", 6))
    with pytest.raises(ReadError, match="holds no tensors"):
        written(tmp_path / "x.pt", data)


def test_zip64(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as file:
        for name, data in (
            ("a/data.pkl", pickled(SMALL)),
            ("a/data/0", b"\0" * 24),
            ("a/data/1", b"\0" * 8),
        ):
            with file.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    assert tally(read(path)).parameters == 8


def test_packed_archives(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", pickled(SMALL))
        for key, data in STORAGES.items():
            file.writestr(f"a/data/{key}", data)
    assert tally(read(path)).parameters == 8
