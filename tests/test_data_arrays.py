"""idx files and CIFAR's batches: packed as they are, and read as data whatever they say."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from cifar_files import array, batch, listed, meta, number, pickled, text
from nettally.data.packed import open_packed
from nettally.data.packing import cifar
from nettally.data.packing.find import find
from nettally.data.packing.pack import pack
from nettally.errors import ReadError

RNG = np.random.default_rng(0)
FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist


def idx(values: np.ndarray) -> bytes:
    head = struct.pack(">HBB", 0, 8, values.ndim)
    return head + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def mnist(folder: Path, names=("train", "t10k"), packed: bool = True, shape=(6, 5)) -> dict:
    folder.mkdir(parents=True, exist_ok=True)
    held = {}
    for i, name in enumerate(names):
        count = 9 - 3 * i
        images = RNG.integers(0, 256, (count, *shape), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 4
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            end, made = (".gz", gzip.compress) if packed else ("", bytes)
            (folder / f"{name}-{kind}-ubyte{end}").write_bytes(made(idx(values)))
        held[name] = images, labels
    return held


def opened(source: Path, out: Path, **options):
    pack(find(str(source), **options), str(out))
    return open_packed(str(out))


def same(split, images: np.ndarray, labels) -> bool:
    got = split.images(torch.arange(len(split))).numpy()
    return np.array_equal(got, images) and split.labels.tolist() == list(labels)


# --- idx ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "names", [("train", "t10k"), ("emnist-letters-train", "emnist-letters-test")]
)
def test_idx_files_are_packed_as_they_are(tmp_path, packed, names):
    held = mnist(tmp_path / "mnist", names, packed)
    data = opened(tmp_path / "mnist", tmp_path / "out")
    assert (data.height, data.width, data.channels) == (6, 5, 1)
    assert (data.classes, data.mirror, data.name) == (("0", "1", "2", "3"), False, "mnist")
    for split, (images, labels) in zip(("train", "test"), held.values(), strict=True):
        assert same(data.splits[split], images[..., None], labels)


def test_a_folder_in_a_folder_is_found(tmp_path):
    """As torchvision leaves them: MNIST/raw."""
    mnist(tmp_path / "MNIST" / "raw")
    found = find(str(tmp_path / "MNIST"))
    assert (found.name, found.counts) == ("MNIST", {"train": 9, "test": 6})


def test_names_of_classes_come_from_a_file_or_from_what_fashion_mnist_is(tmp_path):
    mnist(tmp_path / "Fashion-MNIST")
    data = opened(tmp_path / "Fashion-MNIST", tmp_path / "out")
    assert (data.classes[0], len(data.classes), data.mirror) == ("T-shirt/top", 10, True)
    named = find(str(tmp_path / "Fashion-MNIST"), name="mine", classes=("a", "b", "c", "d"))
    assert (named.classes, named.mirror) == (("a", "b", "c", "d"), False)
    with pytest.raises(ReadError, match="more classes than names") as caught:
        find(str(tmp_path / "Fashion-MNIST"), classes=("a", "b"))
    assert caught.value.values == "2 names, 4 classes"


def test_the_unpacked_file_is_read_where_both_are_there(tmp_path):
    held = mnist(tmp_path / "m", packed=False)
    for each in list((tmp_path / "m").iterdir()):
        (tmp_path / "m" / f"{each.name}.gz").write_bytes(b"\x1f\x8b broken")
    data = opened(tmp_path / "m", tmp_path / "out")
    assert same(data.splits["train"], held["train"][0][..., None], held["train"][1])


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not there")
def test_fashion_mnist_itself(tmp_path):
    data = opened(FASHION, tmp_path / "out")
    assert len(data.splits["train"]) == 60_000
    assert len(data.splits["test"]) == 10_000
    assert torch.bincount(data.splits["train"].labels).tolist() == [6000] * 10
    # as others have published it: mean .2860, deviation .3530 of [0, 1]
    assert float(data.rgb_mean / 255) == pytest.approx(0.2860, abs=5e-5)
    assert float(data.covariance.sqrt() / 255) == pytest.approx(0.3530, abs=5e-5)


IMAGES = np.zeros((3, 2, 2), np.uint8)
LABELS = np.zeros(3, np.uint8)
T, L = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
WRONG_IDX = {
    "float": ({T: b"\0\0\x0d\x03" + idx(IMAGES)[4:], L: idx(LABELS)}, "it begins with 00 00 0d 03"),
    "empty": ({T: b"", L: idx(LABELS)}, "this is no idx file of unsigned bytes"),
    "too many sizes": ({T: b"\0\0\x08\xff" + b"\0" * 2000, L: idx(LABELS)}, "no idx file"),
    "no sizes": ({T: b"\0\0\x08\x03\0\0", L: idx(LABELS)}, "the idx file's sizes cannot be"),
    "huge": (
        {T: b"\0\0\x08\x03" + b"\xff" * 12, L: idx(LABELS)},
        "4294967295x4294967295x4294967295",
    ),
    "lying": (
        {T: idx(IMAGES), L: b"\0\0\x08\x01\0\0\0\x03"},
        "0 bytes, 3 expected",
    ),
    "longer": ({T: idx(IMAGES), L: idx(LABELS) + b"\0\0"}, "more than 3 bytes, 3 expected"),
    "other count": ({T: idx(IMAGES), L: idx(LABELS[:2])}, "3 images, 2 labels"),
    "flat": ({T: idx(LABELS), L: idx(LABELS)}, "sizes 3"),
    "deep": ({T: idx(IMAGES), L: idx(IMAGES)}, "labels in an idx file are one row"),
    "none": ({T: idx(IMAGES[:0]), L: idx(LABELS[:0])}, "sizes 0x2x2"),
    "no labels": ({T: idx(IMAGES)}, "the labels of the train split are not there"),
    "no train": (
        {"t10k-images-idx3-ubyte": idx(IMAGES), "t10k-labels-idx1-ubyte": idx(LABELS)},
        "there are no images to learn from",
    ),
    "gzip cut off": (
        {T + ".gz": gzip.compress(idx(IMAGES))[:-9], L: idx(LABELS)},
        "the file is cut off or damaged",
    ),
    "two": ({T: idx(IMAGES), "a-" + T: idx(IMAGES), L: idx(LABELS)}, "the same part of the data"),
    "other size": (
        {
            T: idx(IMAGES), L: idx(LABELS),
            "t10k-images-idx3-ubyte": idx(IMAGES[:, :1]), "t10k-labels-idx1-ubyte": idx(LABELS),
        },
        "train 2x2, test 1x2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_IDX)
def test_idx_files_that_are_none_are_refused(tmp_path, case):
    files, said = WRONG_IDX[case]
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    with pytest.raises(ReadError) as caught:
        pack(find(str(tmp_path / "in")), str(tmp_path / "out"))
    assert said in str(caught.value)
    assert str(tmp_path) in caught.value.where


def test_a_gzip_bomb_takes_no_more_than_its_sizes_tell(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / L).write_bytes(idx(LABELS))
    (inside / (T + ".gz")).write_bytes(gzip.compress(idx(IMAGES) + bytes(50 * 2**20)))
    with pytest.raises(ReadError, match="not as long as its sizes tell"):
        pack(find(str(inside)), str(tmp_path / "out"))


# --- CIFAR ----------------------------------------------------------------------------------------


NAMES = ["airplane", "automobile", "bird"]


def some(count: int) -> tuple[np.ndarray, list[int]]:
    images = RNG.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return images, [int(each) for each in RNG.integers(0, 3, count)]


def cifar10(binary: bool = False) -> tuple[dict[str, bytes], dict]:
    files, parts = {}, {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        images, labels = some(4)
        parts[name] = images, labels
        if binary:
            planes = images.transpose(0, 3, 1, 2).reshape(4, -1)
            files[f"{name}.bin"] = b"".join(
                bytes([label]) + row.tobytes() for label, row in zip(labels, planes, strict=True)
            )
        else:
            files[name] = batch(images, labels)
    files["batches.meta.txt" if binary else "batches.meta"] = (
        "\n".join(NAMES).encode() if binary else meta(NAMES)
    )
    train = [parts[f"data_batch_{i}"] for i in range(1, 6)]
    return files, {
        "train": (
            np.concatenate([a for a, _ in train]),
            [label for _, labels in train for label in labels],
        ),
        "test": parts["test_batch"],
    }


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("where", ["folder", "tar", "tar.gz"])
def test_cifar_10_in_its_four_forms(tmp_path, binary, where):
    files, held = cifar10(binary)
    if where == "folder":
        source = tmp_path / "cifar-10-batches-py"
        source.mkdir()
        for name, data in files.items():
            (source / name).write_bytes(data)
    else:
        source = tmp_path / f"cifar-10-python.{where}"
        with tarfile.open(source, "w:gz" if where.endswith("gz") else "w") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    data = opened(source, tmp_path / "out")
    assert (data.height, data.width, data.channels) == (32, 32, 3)
    assert (data.classes, data.mirror) == (tuple(NAMES), True)
    for split, (images, labels) in held.items():
        assert same(data.splits[split], images, labels)


def test_cifar_100(tmp_path):
    source = tmp_path / "cifar-100-python"
    source.mkdir()
    images, labels = some(6)
    coarse = listed([number(0)] * 6)
    planes = images.transpose(0, 3, 1, 2).reshape(6, -1)
    for name in ("train", "test"):
        made = {
            b"fine_labels": listed([number(each) for each in labels]),
            b"coarse_labels": coarse,
            b"data": array(np.ascontiguousarray(planes)),
        }
        (source / name).write_bytes(pickled(made))
    (source / "meta").write_bytes(meta(NAMES, b"fine_label_names"))
    data = opened(source, tmp_path / "out")
    assert data.classes == tuple(NAMES)
    assert same(data.splits["train"], images, labels)


def test_cifar_100_binary_takes_the_fine_label(tmp_path):
    source = tmp_path / "cifar-100-binary"
    source.mkdir()
    images, labels = some(3)
    planes = images.transpose(0, 3, 1, 2).reshape(3, -1)
    rows = b"".join(bytes([9, a]) + b.tobytes() for a, b in zip(labels, planes, strict=True))
    for name in ("train.bin", "test.bin"):
        (source / name).write_bytes(rows)
    assert same(opened(source, tmp_path / "out").splits["test"], images, labels)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_batches_that_python_3_pickled_anew_are_read(tmp_path, protocol):
    images, labels = some(5)
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2).reshape(5, -1))
    data = pickle.dumps({b"labels": labels, b"data": planes}, protocol=protocol)
    got = cifar.unpickled(data, "batch")
    assert got["labels"] == labels
    assert np.array_equal(got["data"], planes)
    fortran = pickle.dumps({"data": np.asfortranarray(planes)}, protocol=protocol)
    assert np.array_equal(cifar.unpickled(fortran, "batch")["data"], planes)


def test_missing_batches_are_told(tmp_path):
    files, _ = cifar10()
    for name in ("data_batch_1", "data_batch_3", "test_batch"):
        (tmp_path / name).write_bytes(files[name])
    found = find(str(tmp_path))
    assert found.notes == ("these batches are not there: data_batch_2, data_batch_4, data_batch_5",)
    assert found.classes == ("0", "1", "2")
    assert found.counts == {"train": 8, "test": 4}


class Evil:
    """Unpickled by Python, this would make a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_in_a_batch_is_ever_done(tmp_path, protocol):
    target = tmp_path / "made by the pickle"
    data = pickle.dumps({"labels": [1], "data": Evil(str(target))}, protocol=protocol)
    with pytest.raises(ReadError) as caught:
        cifar.unpickled(data, "batch")
    assert not target.exists()
    said = "it was not done" if protocol else "the pickle asks"
    assert said in str(caught.value) or "not read" in str(caught.value)
    pickle.loads(data)  # the test's own proof that it would
    assert target.exists()


ROWS = np.zeros((2, 3072), np.uint8)
GOOD = {b"labels": listed([number(0)] * 2), b"data": array(ROWS)}
WRONG = {
    "no dictionary": (b"\x80\x02]." , "holds no dictionary"),
    "floats": (pickled({**GOOD, b"data": array(ROWS, b"f4")}), "of other than bytes"),
    "sizes": (
        pickled({**GOOD, b"data": array(ROWS).replace(b"M\x00\x0c", b"M\x01\x0c")}),
        "whose sizes are not those of its bytes",
    ),
    "other width": (pickled({**GOOD, b"data": array(ROWS[:, :300])}), "an array of 2x300"),
    "no data": (pickled({b"labels": GOOD[b"labels"]}), "'data' is not there"),
    "text": (pickled({**GOOD, b"data": text(b"x")}), "'data' is of type bytes"),
    "labels": (pickled({**GOOD, b"labels": listed([number(0)])}), "a list of 1; 2 images"),
    "negative": (pickled({**GOOD, b"labels": listed([number(-1)] * 2)}), "one label for each"),
    "no labels": (pickled({b"data": GOOD[b"data"]}), "'labels' is not there"),
    "cut off": (pickled(GOOD)[:4000], "the pickle ends too soon"),
    "lying length": (b"\x80\x02T\xff\xff\xff\x7f.", "the pickle ends too soon"),
    "elsewhere": (pickled({**GOOD, b"data": array(ROWS, module=b"os")}), "os._reconstruct"),
    "another class": (
        pickled({**GOOD, b"data": array(ROWS).replace(b"cnumpy\nndarray", b"cnumpy\nmatrix")}),
        "no batch of CIFAR needs",
    ),
    "outside": (b"\x80\x02U\x01xQ.", "refers to something outside"),
    "no bytes": (b"\x80\x02c_codecs\nencode\nX\x02\0\0\0\xc4\x80U\x06latin1\x86R.", "are none"),
    "not a list": (pickled({**GOOD, b"labels": number(3)}), "'labels' is of type int"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_batches_that_are_none_are_refused(tmp_path, case):
    data, said = WRONG[case]
    (tmp_path / "data_batch_1").write_bytes(data)
    (tmp_path / "test_batch").write_bytes(pickled(GOOD))
    with pytest.raises(ReadError) as caught:
        find(str(tmp_path))
    assert said in str(caught.value)
    assert "data_batch_1" in caught.value.where


def test_binary_batches_that_are_cut_off_are_refused(tmp_path):
    for name in ("data_batch_1.bin", "test_batch.bin"):
        (tmp_path / name).write_bytes(bytes(3073 * 2 - 1))
    with pytest.raises(ReadError, match="the batch is no row of images") as caught:
        find(str(tmp_path))
    assert "6,145 bytes; a multiple of 3,073" in caught.value.values


def test_a_batch_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "MAX_FILE", 1000)
    (tmp_path / "data_batch_1").write_bytes(pickled(GOOD))
    (tmp_path / "test_batch").write_bytes(pickled(GOOD))
    with pytest.raises(ReadError, match="the batch is too long"):
        find(str(tmp_path))
    with tarfile.open(tmp_path / "c.tar", "w") as tar:
        tar.add(tmp_path / "data_batch_1", "x/data_batch_1")
    with pytest.raises(ReadError, match="a file in the tar is too long") as caught:
        find(str(tmp_path / "c.tar"))
    assert "x/data_batch_1" in caught.value.where


def test_a_tar_of_batches_that_is_damaged_is_refused(tmp_path):
    files, _ = cifar10()
    path = tmp_path / "c.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    path.write_bytes(path.read_bytes()[:-30_000])
    with pytest.raises(ReadError, match="no whole tar of CIFAR's batches"):
        find(str(path))
