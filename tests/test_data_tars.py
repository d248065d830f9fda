"""Tars that are never unpacked: class folders, WebDataset's shards, ILSVRC's; hostile ones."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from data_files import encoded, folder, picture
from nettally.data.packed import open_packed
from nettally.data.packing import tars
from nettally.data.packing.find import find
from nettally.data.packing.image import Square, decode
from nettally.data.packing.pack import Options, pack
from nettally.errors import NettallyError, ReadError

OPTIONS = Options(Square(16), shard=4, order="given")


def tar_of(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def jpeg(seed: int) -> bytes:
    return encoded(picture(seed), "JPEG")


def opened(source: Path, out: Path, **more):
    pack(find(str(source), **more), str(out), OPTIONS, workers=1)
    return open_packed(str(out))


def holds(split, seeds, labels) -> bool:
    got = split.images(torch.arange(len(split))).numpy()
    want = [decode(io.BytesIO(jpeg(seed)), Square(16)) for seed in seeds]
    return np.array_equal(got, np.stack(want)) and split.labels.tolist() == list(labels)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "photographs/", "./a/b/"])
def test_class_folders_in_a_tar(tmp_path, form, prefix):
    path = tmp_path / "photos.tar"
    files = {f"{prefix}cat/{i}.jpg": jpeg(i) for i in range(3)}
    files |= {f"{prefix}dog/{'x' * 90}{i}.jpg": jpeg(i) for i in range(3, 5)}  # a long name
    files |= {f"{prefix}dog/notes.txt": b"x", f"{prefix}loose.jpg": jpeg(9)}
    path.write_bytes(tar_of(files, form))
    if prefix == "photographs/":  # else what all share is not known to be no class
        del files[f"{prefix}loose.jpg"]
        path.write_bytes(tar_of(files, form))
    data = opened(path, tmp_path / "out")
    assert data.classes == ("cat", "dog")
    assert holds(data.splits["train"], range(5), [0, 0, 0, 1, 1])


def test_splits_in_a_tar_and_one_class(tmp_path):
    path = tmp_path / "photos.tar"
    files = {"x/train/cat/0.jpg": jpeg(0), "x/train/dog/1.jpg": jpeg(1), "x/val/dog/2.jpg": jpeg(2)}
    path.write_bytes(tar_of(files))
    data = opened(path, tmp_path / "out")
    assert holds(data.splits["train"], [0, 1], [0, 1])
    assert holds(data.splits["validation"], [2], [1])
    path.write_bytes(tar_of({"x/cat/0.jpg": jpeg(0), "x/cat/1.jpg": jpeg(1)}))
    assert find(str(path)).classes == ("cat",)


def test_webdatasets_shards(tmp_path):
    source = tmp_path / "shards"
    source.mkdir()
    seed = 0
    for name, count in (("train-000000", 3), ("train-000001", 2), ("val-000000", 2)):
        files = {}
        for i in range(count):
            files[f"{i:04d}.jpg"] = jpeg(seed)
            files[f"{i:04d}.cls"] = str(seed % 3).encode()
            files[f"{i:04d}.json"] = b"{}"
            seed += 1
        (source / f"{name}.tar").write_bytes(tar_of(files))
    data = opened(source, tmp_path / "out", classes=("a", "b", "c"))
    assert data.classes == ("a", "b", "c")
    assert holds(data.splits["train"], range(5), [0, 1, 2, 0, 1])
    assert holds(data.splits["validation"], [5, 6], [2, 0])
    found = find(str(source))
    assert found.classes == ("0", "1", "2")
    assert dict(found.skipped) == {".json": 7}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-0001.tar", "train"), ("val_3.tar", "validation"), ("x-valid-2.tar", "validation"),
        ("imagenet1k-test-01.tar", "test"), ("trains.tar", "train"), ("values.tar", "train"),
        ("shard-7.tar", "train"), ("TEST.tar", "test"), ("contest-1.tar", "train"),
    ],
)  # fmt: skip
def test_a_tars_name_tells_its_split(name, split):
    assert tars.split_of(name) == split


# --- ILSVRC ---------------------------------------------------------------------------------------

WNIDS = ["n01440764", "n01443537", "n02084071"]


def devkit(truth: list[int], ids: dict[int, str]) -> bytes:
    """The devkit's two files, as MATLAB 5 has them."""
    from scipy.io import savemat

    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = np.array([(k, v, f"{v}s word, another", 0) for k, v in ids.items()], dtype=kind)
    mat = io.BytesIO()
    savemat(mat, {"synsets": rows.reshape(-1, 1)})
    inner = "ILSVRC2012_devkit_t12/data/"
    made = tar_of(
        {
            f"{inner}ILSVRC2012_validation_ground_truth.txt": "".join(
                f"{each}\n" for each in truth
            ).encode(),
            f"{inner}meta.mat": mat.getvalue(),
        }
    )
    import gzip

    return gzip.compress(made)


def ilsvrc(source: Path, *, validation: bool = True, kit: bool = True) -> None:
    source.mkdir()
    # in the tar the classes stand in an order of their own
    outer = {}
    for c in (1, 0, 2):
        inner = {f"{WNIDS[c]}_{i}.JPEG": jpeg(10 * c + i) for i in range(2)}
        outer[f"{WNIDS[c]}.tar"] = tar_of(inner)
    (source / "ILSVRC2012_img_train.tar").write_bytes(tar_of(outer))
    if validation:
        names = {f"ILSVRC2012_val_{i:08d}.JPEG": jpeg(100 + i) for i in (2, 1, 3)}
        (source / "ILSVRC2012_img_val.tar").write_bytes(tar_of(names))
    if kit:
        # the devkit's numbers are not in the order of the wnids
        ids = {1: WNIDS[2], 2: WNIDS[0], 3: WNIDS[1], 1001: "n00001740"}
        data = devkit([1, 3, 2], ids)
        (source / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(data)


def test_ilsvrcs_tars_as_they_are_distributed(tmp_path):
    ilsvrc(tmp_path / "in")
    data = opened(tmp_path / "in", tmp_path / "out")
    assert data.classes == tuple(f"{each} {each}s word" for each in WNIDS)
    assert holds(data.splits["train"], [0, 1, 10, 11, 20, 21], [0, 0, 1, 1, 2, 2])
    assert holds(data.splits["validation"], [101, 102, 103], [2, 1, 0])


def test_the_training_tar_alone_needs_no_devkit(tmp_path):
    ilsvrc(tmp_path / "in", kit=False)
    with pytest.raises(ReadError, match="told by the devkit, which is not there") as caught:
        find(str(tmp_path / "in"))
    assert "ILSVRC2012_img_val.tar without ILSVRC2012_devkit_t12.tar.gz" in caught.value.values
    assert "--devkit" in caught.value.hint
    found = find(str(tmp_path / "in" / "ILSVRC2012_img_train.tar"))
    assert (found.classes, list(found.splits)) == (tuple(WNIDS), ["train"])
    ilsvrc(tmp_path / "other", validation=False)
    kit = tmp_path / "other" / "ILSVRC2012_devkit_t12.tar.gz"
    assert len(find(str(tmp_path / "in"), devkit=str(kit)).splits["validation"]) == 3
    (tmp_path / "in" / "ILSVRC2012_img_train.tar").unlink()
    with pytest.raises(ReadError, match="the training images are not there"):
        find(str(tmp_path / "in"))


MATLAB = {1: WNIDS[0], 2: WNIDS[1], 3: "n09999999"}
WRONG_KITS = {
    "fewer": (devkit([1, 2], MATLAB), "a number that the devkit does not know"),
    "other class": (devkit([1, 2, 3], MATLAB), "ILSVRC2012_val_00000003.JPEG: n09999999"),
    "unknown number": (devkit([1, 2, 9], MATLAB), "ILSVRC2012_val_00000003.JPEG: number 9"),
    "no tar": (b"x" * 2000, "the devkit is damaged"),
    "cut off": (devkit([1, 2, 3], MATLAB)[:200], "the devkit is damaged"),
    "other tar": (tar_of({"x": b""}), "this is not the devkit of ILSVRC2012"),
    "no numbers": (
        tar_of({"meta.mat": b"", "ILSVRC2012_validation_ground_truth.txt": b"cat\n"}),
        "are no numbers",
    ),
    "no matlab": (
        tar_of({"meta.mat": b"x" * 999, "ILSVRC2012_validation_ground_truth.txt": b"1\n"}),
        "the synsets cannot be read",
    ),
}


@pytest.mark.parametrize("case", WRONG_KITS)
def test_a_devkit_that_is_none_is_refused(tmp_path, case):
    ilsvrc(tmp_path / "in")
    data, said = WRONG_KITS[case]
    (tmp_path / "in" / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(data)
    with pytest.raises(ReadError) as caught:
        find(str(tmp_path / "in"))
    assert said in str(caught.value)


def test_validation_images_with_one_number_are_refused(tmp_path):
    ilsvrc(tmp_path / "in")
    names = {"a_1.JPEG": jpeg(0), "b_1.JPEG": jpeg(1)}
    (tmp_path / "in" / "ILSVRC2012_img_val.tar").write_bytes(tar_of(names))
    with pytest.raises(ReadError, match="two validation images have one number"):
        find(str(tmp_path / "in"))


def test_a_training_tar_without_tars_is_refused(tmp_path):
    path = tmp_path / "ILSVRC2012_img_train.tar"
    path.write_bytes(tar_of({"a/x.jpg": jpeg(0)}))
    with pytest.raises(ReadError, match="the tar holds no tars of images") as caught:
        find(str(path))
    assert caught.value.values == "1 .jpg"


# --- hostile tars ---------------------------------------------------------------------------------


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


END = bytes(1024)


def negative() -> bytes:
    """A member whose length is -512 in base 256."""
    made = bytearray(header("a/x.jpg", 0))
    made[124:136] = b"\xff" * 10 + b"\xfe\x00"
    made[148:156] = b"%06o\0 " % (sum(made[:148]) + 256 + sum(made[156:]))
    return bytes(made) + END


HOSTILE = {
    "a lying length": (header("a/x.jpg", 2**33) + END, "the tar is cut off"),
    "cut off": (tar_of({"a/x.jpg": jpeg(0)})[:1000], "the tar is cut off"),
    "a negative length": (negative(), "this is no tar, or it is damaged"),
    "no tar": (b"x" * 5000, "this is no tar"),
    "empty": (b"", "this is no tar"),
    "a long name of gigabytes": (
        header("././@LongLink", 2**31, tarfile.GNUTYPE_LONGNAME) + END,
        "a header of",
    ),
    "garbage after a member": (
        header("a/x.jpg", 512) + bytes(512) + b"x" * 5000,
        "there is no header",
    ),
    "many names for one": (
        b"".join(header("././@LongLink", 1, b"L") + b"x" + bytes(511) for _ in range(3000)),
        "this is no tar, or it is damaged",
    ),
    "only links": (
        header("a/x.jpg", 0, tarfile.SYMTYPE) + header("a/y.jpg", 0, tarfile.LNKTYPE) + END,
        "2 links and the like",
    ),
    "only devices": (header("a/x.jpg", 0, tarfile.CHRTYPE) + END, "1 links and the like"),
    "only names upwards": (tar_of({"../../a/x.jpg": jpeg(0)}), "1 names with .."),
    "nested too deep": (
        tar_of({"a.tar": tar_of({"b.tar": tar_of({"x.jpg": jpeg(0)})})}),
        "1 .tar",
    ),
    "an inner tar that lies": (
        tar_of({"a.tar": header("x.jpg", 10_000) + END}),
        "the tar is cut off",
    ),
    "no images": (tar_of({"a/x.txt": b"x"}), "no image is in the tar"),
    "a class that is no number": (
        tar_of({"0.jpg": jpeg(0), "0.cls": b"cat"}),
        "a class in the tar is no number",
    ),
    "a class that is long": (
        tar_of({"0.jpg": jpeg(0), "0.cls": b"9" * 100}),
        "a class in the tar is no number",
    ),
    "a class too high": (tar_of({"0.jpg": jpeg(0), "0.cls": b"99999999"}), "too many classes"),
    "no class folder": (tar_of({"x.jpg": jpeg(0)}), "1 images in no class"),
    "no image of a key": (tar_of({"0.jpg": jpeg(0), "1.cls": b"0"}), "1 images without a class"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_tars_are_refused(tmp_path, case):
    data, said = HOSTILE[case]
    path = tmp_path / "in.tar"
    path.write_bytes(data)
    with pytest.raises(NettallyError) as caught:
        find(str(path))
    assert said in str(caught.value)
    assert str(path) in caught.value.where
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.tar"]


def test_absolute_names_are_names_only(tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "x.tar"
    target = tmp_path / "target" / "x.jpg"
    path.write_bytes(tar_of({f"{target}": jpeg(0), "other/y.jpg": jpeg(1)}))
    pack(find(str(path)), str(tmp_path / "out"), OPTIONS, workers=1)
    assert not target.exists()


def test_a_compressed_tar_of_images_is_refused(tmp_path):
    import gzip

    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(tar_of({"a/x.jpg": jpeg(0)})))
    with pytest.raises(ReadError, match="where they are compressed") as caught:
        find(str(path))
    assert "gunzip" in caught.value.hint
    path.rename(tmp_path / "x.tar")
    with pytest.raises(ReadError, match="this is no tar") as caught:
        find(str(tmp_path / "x.tar"))
    assert "gunzip" in caught.value.hint


def test_a_tar_that_is_gone_while_it_is_read_stops_the_packing(tmp_path):
    path = tmp_path / "in.tar"
    path.write_bytes(tar_of({f"a/{i}.jpg": jpeg(i) for i in range(6)}))
    found = find(str(path))
    path.unlink()
    with pytest.raises(NettallyError, match="was stopped: No such file or directory"):
        pack(found, str(tmp_path / "out"), OPTIONS, workers=1)


def test_a_tar_that_shrank_while_it_was_read_has_broken_images(tmp_path):
    path = tmp_path / "in.tar"
    path.write_bytes(tar_of({f"a/{i}.jpg": jpeg(i) for i in range(3)}))
    found = find(str(path))
    with open(path, "r+b") as file:
        file.truncate(found.splits["train"][1].offset + 10)
    report = pack(found, str(tmp_path / "out"), OPTIONS, workers=1)
    assert (report.packed, report.broken) == (1, 2)
    assert "ends too soon: 10 of" in report.manifest.broken[0][1]
    assert report.manifest.broken[1] == ("in.tar/a/2.jpg", "the file is empty")


def test_a_bomb_of_a_compressed_tar_takes_little(tmp_path):
    """Gigabytes of zeros told of in a header of some bytes, compressed to some thousands."""
    import gzip

    path = tmp_path / "x.tar.gz"
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE):
        path.write_bytes(gzip.compress(header("data_batch_1", 2**33, kind) + bytes(10**6)))
        with pytest.raises(ReadError, match="no whole tar of CIFAR"):
            find(str(path))


def test_folders_and_tars_together_are_refused(tmp_path):
    folder(tmp_path)
    (tmp_path / "more.tar").write_bytes(tar_of({"a/x.jpg": jpeg(0)}))
    with pytest.raises(ReadError, match="the folder holds both tars and folders"):
        find(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "said"), [("nowhere", "no such folder or file"), ("x.jpg", "this is no folder")]
)
def test_what_is_nothing_of_these_is_refused(tmp_path, name, said):
    (tmp_path / "x.jpg").write_bytes(b"")
    with pytest.raises(ReadError, match=said):
        find(str(tmp_path / name))


def test_names_of_classes_for_a_folder_are_refused(tmp_path):
    folder(tmp_path)
    with pytest.raises(ReadError, match="called as their folders are"):
        find(str(tmp_path), classes=("a", "b"))


def test_a_tar_of_many_members_is_gone_through_without_keeping_them(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join(header(f"a/{i}.jpg", 0) for i in range(5000)) + END)
    found = tars.members(str(path))
    assert sum(1 for _ in found) == 5000
