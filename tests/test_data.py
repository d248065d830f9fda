"""Packed data: opened, mapped, read ahead; and folders that strangers could have made."""

from __future__ import annotations

import json
import os
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_files import packed
from nettally.data import loader as _loader
from nettally.data.packed import Loader, Split, open_packed
from nettally.data.packing.verify import verify
from nettally.errors import NettallyError, ReadError


def test_digits_are_there_without_anything_from_outside():
    data = open_packed("digits")
    assert (data.height, data.width, data.channels, data.classes) == (8, 8, 1, tuple("0123456789"))
    train, test = data.splits["train"], data.splits["test"]
    assert (len(train), len(test)) == (1437, 360)
    assert data.held_out is test
    assert not data.mirror
    everything = train.images(torch.arange(1437)).double()
    torch.testing.assert_close(data.mean.double(), everything.mean(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(data.rgb_mean[0], everything.mean())
    torch.testing.assert_close(data.covariance[0, 0], everything.var(correction=0))
    assert everything.max() == 255
    whole = torch.bincount(train.labels) + torch.bincount(test.labels)
    assert ((torch.bincount(test.labels) - whole / 5).abs() < 1).all()  # a fifth of each class
    assert repr(data) == "Packed('digits', 8x8x1, 10 classes, 1,437 train, 360 test)"
    assert open_packed("digits").identity == data.identity


@pytest.mark.parametrize("shard", [100, 8, 3])
@pytest.mark.parametrize("shape", [(5, 4, 3), (4, 4, 1), (128, 100, 3)])
def test_what_was_packed_is_what_is_opened(tmp_path, shard, shape):
    held = packed(tmp_path / "out", shard, shape=shape)
    data = open_packed(str(tmp_path / "out"))
    assert list(data.splits) == ["train", "test"]
    for name, (images, labels) in held.items():
        split = data.splits[name]
        assert split.labels.tolist() == labels.tolist()
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
        order = torch.cat([order, order[:3]])  # also twice
        got = split.images(order)
        assert got.is_contiguous()
        assert np.array_equal(got.numpy(), images[order.numpy()])
    learnt = held["train"][0].astype(np.float64)
    np.testing.assert_allclose(data.mean.numpy(), learnt.mean(0), atol=1e-4)
    flat = learnt.reshape(-1, shape[2])
    np.testing.assert_allclose(data.rgb_mean.numpy(), flat.mean(0), rtol=1e-12)
    want = np.cov(flat.T, bias=True).reshape(shape[2], shape[2])
    np.testing.assert_allclose(data.covariance.numpy(), want, rtol=1e-9)
    assert data.held_out is data.splits["test"]
    assert data.classes == ("class 0", "class 1", "class 2")


def test_nothing_that_is_written_to_an_image_reaches_the_file(tmp_path):
    packed(tmp_path / "out")
    data = open_packed(str(tmp_path / "out"))
    data.splits["train"].images(torch.arange(3)).fill_(9)
    data.splits["train"]._shards[0].fill_(9)  # a private mapping
    assert not verify(str(tmp_path / "out")).wrong


def test_an_image_that_is_not_there_is_an_index_error(tmp_path):
    packed(tmp_path / "out")
    split = open_packed(str(tmp_path / "out")).splits["train"]
    for wrong in (20, -1):
        with pytest.raises(IndexError, match="of 20"):
            split.images(torch.tensor([0, wrong]))
    assert split.images(torch.empty(0, dtype=torch.int64)).shape == (0, 5, 4, 3)


def test_a_thousand_shards_keep_no_file_open(tmp_path):
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    packed(tmp_path / "out", 1, train=1100, test=0, shape=(1, 1, 1))
    before = len(os.listdir("/proc/self/fd"))
    data = open_packed(str(tmp_path / "out"))
    assert len(os.listdir("/proc/self/fd")) - before < 20
    assert data.splits["train"].images(torch.arange(1100)).shape == (1100, 1, 1, 1)


# --- the loader -----------------------------------------------------------------------------------


def split_of(count: int) -> Split:
    images = torch.arange(count, dtype=torch.uint8).view(count, 1, 1, 1).expand(-1, 2, 2, 3)
    return Split("train", torch.arange(count), [images.contiguous()])


@given(st.integers(0, 50), st.integers(1, 20), st.integers(1, 5), st.integers(0, 2**20))
def test_a_loader_gives_all_in_their_order(count, batch, ahead, seed):
    order = torch.randperm(50, generator=torch.Generator().manual_seed(seed))[:count]
    loader = Loader(split_of(50), order, batch, ahead=ahead)
    for _ in range(2):  # it can be gone through again
        taken = list(loader)
        assert len(taken) == len(loader) == -(-count // batch)
        assert all(len(images) == batch for images, _ in taken[:-1])
        assert [int(x) for _, labels in taken for x in labels] == order.tolist()
        assert [int(x) for images, _ in taken for x in images[:, 0, 0, 0]] == order.tolist()


def test_a_loader_that_is_left_early_leaves_no_thread():
    before = threading.active_count()
    for _ in Loader(split_of(50), torch.arange(50), 1, ahead=2):
        assert threading.active_count() == before + 1
        break
    assert threading.active_count() == before


def test_an_error_of_who_takes_leaves_no_thread():
    before = threading.active_count()

    def take():
        for _ in Loader(split_of(50), torch.arange(50), 1):
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        take()
    assert threading.active_count() == before


def test_an_error_of_the_thread_is_raised_to_who_waits():
    split = split_of(50)
    read = split.images

    def failing(indices):
        if 20 in indices.tolist():
            raise OSError("the disk is gone")
        return read(indices)

    split.images = failing
    batches = iter(Loader(split, torch.arange(50), 8))
    assert [len(next(batches)[0]) for _ in range(2)] == [8, 8]  # what came before the error
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


def test_a_loader_reads_ahead_and_tells_how_long_it_was_waited_for():
    split = split_of(12)
    read, asked = split.images, []

    def slow(indices):
        time.sleep(0.05)
        asked.append(len(indices))
        return read(indices)

    split.images = slow
    loader = Loader(split, torch.arange(12), 2, ahead=2)
    batches = iter(loader)
    next(batches)
    assert 0.03 < loader.waited < 2
    time.sleep(0.5)
    assert 3 <= len(asked) <= 4  # one taken, two ready, and one that waits for room
    before = loader.waited
    next(batches)
    assert loader.waited - before < 0.04
    batches.close()


def test_an_accelerator_without_pinned_memory_gets_plain_copies():
    loader = Loader(split_of(10), torch.arange(10), 4, device="meta")
    taken = list(loader)
    assert [images.device.type for images, _ in taken] == ["meta"] * 3
    assert [len(labels) for _, labels in taken] == [4, 4, 2]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Loader(split_of(3), torch.arange(3), 0), "batch 0, ahead 4"),
        (lambda: Loader(split_of(3), torch.arange(3), 1, ahead=0), "batch 1, ahead 0"),
        (lambda: Loader(split_of(3), torch.arange(4), 1), "0 to 3 of 3"),
        (lambda: Loader(split_of(3), torch.arange(3) - 1, 1), "-1 to 1 of 3"),
        (lambda: Loader(split_of(3), torch.ones(3), 1), "torch.float32, 3"),
    ],
)
def test_a_loader_refuses_what_it_cannot_read(call, said):
    with pytest.raises(NettallyError) as caught:
        call()
    assert said in str(caught.value)


def test_patience_is_short():
    assert _loader.PATIENCE < 0.2  # it is how long leaving early may take


# --- folders that are not as they should be -------------------------------------------------------


def edited(folder, change):
    path = folder / "manifest.json"
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))


def put(*keys):
    """What puts the last of the keys at the place that the others tell."""
    *path, last, value = keys

    def change(held):
        for key in path:
            held = held[key]
        held[last] = value

    return change


SHARD = "splits", "train", "shards", 0
WRONG = [
    (put("nettally_data", 2), "no manifest of packed data that is known here"),
    (put("nettally_data", True), "nettally_data: True"),
    (put("height", 0), "'height' is not as it should be"),
    (put("height", 10**9), "1000000000; a whole number from 1 to 4,096"),
    (put("width", 4.0), "'width'"),
    (put("channels", 2), "1 or 3 expected"),
    (put("channels", True), "'channels'"),
    (put("classes", []), "a list of 1 to 100,000 names"),
    (put("classes", [1]), "'classes'"),
    (put("classes", ["x" * 1001]), "'classes'"),
    (put("name", None), "'name' is not as it should be"),
    (put("mirror", 1), "true or false expected"),
    (put("splits", {}), "'splits'"),
    (put("splits", "other", {}), "'splits'"),
    (put("splits", "train", 7), "'splits.train.images'"),
    (put("splits", "train", "images", 19), "the sum of its shards, 20, expected"),
    (put("splits", "train", "images", -1), "'splits.train.images'"),
    (put("splits", "train", "shards", {}), "'splits.train.shards'"),
    (put(*SHARD, "file", "../manifest.json"), "the plain name of a file in the folder expected"),
    (put(*SHARD, "file", "/etc/passwd"), "'/etc/passwd'; the plain name"),
    (put(*SHARD, "file", ".."), "'splits.train.shards[0].file'"),
    (put(*SHARD, "file", "a\0b"), "'splits.train.shards[0].file'"),
    (put(*SHARD, "file", "train-00001.u8"), "each file once expected"),
    (put(*SHARD, "file", "train-00009.u8"), "can't open the file"),
    (put(*SHARD, "sha256", "0" * 63), "64 hexadecimal digits"),
    (put("splits", "train", "labels", None), "'splits.train.labels'"),
    (put("mean", "file", 3), "'mean.file'"),
    (put("mean", []), "'mean'"),
    (put("rgb", "mean", [1, 2]), "3 numbers expected"),
    (put("rgb", "mean", [1, 2, True]), "'rgb.mean'"),
    (put("rgb", "covariance", [[1, 2, 3]]), "3 rows expected"),
    (put("rgb", "covariance", 1, [1, 2]), "'rgb.covariance'"),
    (put("rgb", "pixels", 0), "'rgb.pixels'"),
    (put("broken", 3), "'broken'"),
    (put("broken", [{"path": "x"}]), "'broken[0].why'"),
    (put("packed", 3), "'packed'"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_manifest_that_is_not_as_it_should_be_is_refused(tmp_path, change, said):
    packed(tmp_path)
    edited(tmp_path, change)
    with pytest.raises(ReadError) as caught:
        open_packed(str(tmp_path))
    assert said in str(caught.value)
    assert "manifest.json" in str(caught.value) or "train-00009" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "this is no JSON"),
        ("[]", "nettally_data: nothing"),
        ('{"a": 1, "a": 2}', "has a key twice"),
        ('{"nettally_data": NaN}', "a number that is none"),
        ('{"nettally_data": 1e999}', "a number that is too large"),
        ("[" * 100_000, "nests too deep"),
        (b"\xff\xfe", "the manifest is no UTF-8"),
        ('{"nettally_data": ' + "9" * 5000 + "}", "a number that is too large"),
    ],
)
def test_a_manifest_that_is_no_json_is_refused(tmp_path, text, said):
    packed(tmp_path)
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(ReadError) as caught:
        open_packed(str(tmp_path))
    assert said in str(caught.value)


def test_links_are_not_followed(tmp_path):
    packed(tmp_path / "out")
    shard = tmp_path / "out" / "train-00000.u8"
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReadError, match="lie in plain files") as caught:
        open_packed(str(tmp_path / "out"))
    assert "this is a link" in str(caught.value)
    shard.unlink()
    shard.mkdir()
    with pytest.raises(ReadError) as caught:
        open_packed(str(tmp_path / "out"))
    assert "this is no plain file" in str(caught.value)


@pytest.mark.parametrize("name", ["train-00001.u8", "train-labels.i64", "mean.f32"])
def test_a_file_of_another_length_is_refused(tmp_path, name):
    packed(tmp_path)
    with open(tmp_path / name, "ab") as file:
        file.write(b"\0")
    with pytest.raises(ReadError, match="not the length that the manifest tells") as caught:
        open_packed(str(tmp_path))
    assert name in str(caught.value)
    assert "bytes;" in caught.value.values


def test_labels_and_means_that_cannot_be_are_refused(tmp_path):
    packed(tmp_path)
    labels = np.fromfile(tmp_path / "test-labels.i64", "<i8")
    np.where(np.arange(7) == 2, 3, labels).astype("<i8").tofile(tmp_path / "test-labels.i64")
    with pytest.raises(ReadError, match="a label is no class") as caught:
        open_packed(str(tmp_path))
    assert "3 classes" in caught.value.values
    labels.astype("<i8").tofile(tmp_path / "test-labels.i64")
    mean = np.fromfile(tmp_path / "mean.f32", "<f4")
    for wrong in (np.nan, -1, 256):
        mean[5] = wrong
        mean.tofile(tmp_path / "mean.f32")
        with pytest.raises(ReadError, match="the mean image is not one"):
            open_packed(str(tmp_path))


def test_what_is_no_packed_folder_is_refused(tmp_path):
    with pytest.raises(ReadError, match="there is no folder of packed data"):
        open_packed(str(tmp_path / "nowhere"))
    with pytest.raises(ReadError, match="the folder holds no packed data"):
        open_packed(str(tmp_path))
    (tmp_path / "packing.json").write_text("{}")
    with pytest.raises(ReadError, match="the packing was not finished") as caught:
        open_packed(str(tmp_path))
    assert "it goes on" in caught.value.hint


def test_verify_finds_a_changed_byte_and_a_missing_file(tmp_path):
    packed(tmp_path)
    checked = verify(str(tmp_path))
    assert (checked.files, checked.wrong) == (7, ())  # 3 + 1 shards, 2 labels, the mean
    shard = tmp_path / "train-00001.u8"
    data = bytearray(shard.read_bytes())
    data[17] ^= 1
    shard.write_bytes(data)
    (tmp_path / "test-00000.u8").unlink()
    (tmp_path / "mean.f32").write_bytes(b"")
    told = []
    checked = verify(str(tmp_path), lambda done, total: told.append((done, total)))
    assert dict(checked.wrong) == {
        "train-00001.u8": "its checksum is another: it was changed",
        "test-00000.u8": "can't open the file: No such file or directory",
        "mean.f32": "0 bytes long, 240 expected",
    }
    assert told[-1] == (checked.bytes, checked.bytes)


def test_verify_finds_labels_that_were_exchanged_with_their_checksum(tmp_path):
    import hashlib

    packed(tmp_path)
    data = np.full(20, 9, "<i8").tobytes()
    (tmp_path / "train-labels.i64").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edited(tmp_path, put("splits", "train", "labels", "sha256", digest))
    assert verify(str(tmp_path)).wrong == (("train-labels.i64", "a label is no class"),)
