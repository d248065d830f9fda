"""Folders of images packed: odd and broken images, kills, full disks; nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_files import arrays, encoded, folder, picture
from nettally.data.packed import open_packed
from nettally.data.packing import image as image_module
from nettally.data.packing import pack as pack_module
from nettally.data.packing import place
from nettally.data.packing.find import find
from nettally.data.packing.image import RESAMPLES, Square
from nettally.data.packing.pack import Options, pack
from nettally.data.packing.source import hold_out, scatter
from nettally.data.packing.verify import verify
from nettally.errors import NettallyError

SMALL = Options(Square(16), shard=4)


def pack_folder(source: Path, out: Path, options: Options = SMALL, **more):
    return pack(find(str(source)), str(out), options, workers=more.pop("workers", 1), **more)


def held(out: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in sorted(out.iterdir())}


# --- what a folder becomes ------------------------------------------------------------------------


def test_a_folder_becomes_what_section_2_of_the_paper_says(tmp_path):
    folder(tmp_path / "in", train=5, val=2, classes=3)
    report = pack_folder(tmp_path / "in", tmp_path / "out")
    data = open_packed(str(tmp_path / "out"))
    assert data.classes == ("class0", "class1", "class2")
    assert (data.height, data.width, data.channels, data.mirror) == (16, 16, 3, True)
    train, validation = data.splits["train"], data.splits["validation"]
    assert data.held_out is validation
    assert (report.packed, report.broken, report.resumed, report.already) == (21, 0, 0, False)
    # the validation images stay in their order, those to learn from are mixed, and all are there
    assert validation.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert sorted(train.labels.tolist()) == sorted([0, 1, 2] * 5)
    assert train.labels.tolist() != sorted(train.labels.tolist())
    for i, path in enumerate(sorted((tmp_path / "in" / "val").rglob("*.jpg"))):
        with Image.open(path) as opened:  # 40 x 30
            wide = opened.convert("RGB").resize((21, 16), Image.Resampling.BOX)
        want = np.asarray(wide)[:, 2:18]
        got = validation.images(torch.tensor([i]))[0].numpy()
        assert np.array_equal(got, want)
    everything = train.images(torch.arange(15)).double()
    torch.testing.assert_close(data.mean.double(), everything.mean(0), atol=1e-4, rtol=0)
    flat = everything.view(-1, 3)
    torch.testing.assert_close(data.covariance, torch.cov(flat.T, correction=0))
    torch.testing.assert_close(data.rgb_mean, flat.mean(0))


def test_the_bytes_do_not_depend_on_how_many_workers_there_are(tmp_path):
    folder(tmp_path / "in")
    (tmp_path / "in" / "train" / "class0" / "0003.jpg").write_bytes(b"no image")
    pack_folder(tmp_path / "in", tmp_path / "one")
    pack_folder(tmp_path / "in", tmp_path / "two", workers=3)
    one = held(tmp_path / "one")
    assert one == held(tmp_path / "two")
    assert "train-00004.u8" in one
    assert not [each for each in one if each.endswith((".json", ".sum", ".part", ".lock"))
                and each != "manifest.json"]  # fmt: skip


def test_the_order_can_be_as_given(tmp_path):
    folder(tmp_path / "in", train=3)
    pack_folder(tmp_path / "in", tmp_path / "out", SMALL._replace(order="given"))
    labels = open_packed(str(tmp_path / "out")).splits["train"].labels
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_folder_without_splits_is_all_for_training_or_a_part_is_held_out(tmp_path):
    folder(tmp_path / "in", train=40, val=0)
    source = tmp_path / "in" / "train"
    pack_folder(source, tmp_path / "all")
    assert list(open_packed(str(tmp_path / "all")).splits) == ["train"]
    pack_folder(source, tmp_path / "some", SMALL._replace(hold_out=0.2))
    data = open_packed(str(tmp_path / "some"))
    sizes = {name: len(split) for name, split in data.splits.items()}
    assert sum(sizes.values()) == 80
    assert 6 <= sizes["validation"] <= 28
    photos = find(str(source)).splits["train"]
    kept, out = hold_out(photos, 0.2)
    assert len(out) == sizes["validation"]
    # an image more moves none from one side to the other
    fewer = [each for each in photos if scatter(each.key) % 5]
    assert set(hold_out(fewer, 0.2)[1]) <= set(out)
    assert not set(kept) & set(out)


def test_empty_class_folders_and_other_files_are_told_and_not_fatal(tmp_path):
    folder(tmp_path / "in")
    (tmp_path / "in" / "train" / "empty").mkdir()
    (tmp_path / "in" / "val" / "unheard").mkdir()
    (tmp_path / "in" / "val" / "unheard" / "x.PNG").write_bytes(encoded(picture(1), "PNG"))
    (tmp_path / "in" / "train" / "class0" / "notes.txt").write_text("x")
    (tmp_path / "in" / "train" / "class0" / ".hidden.jpg").write_text("x")
    (tmp_path / "in" / "train" / "class0" / "README").write_text("x")
    (tmp_path / "in" / "train" / "class0" / "deeper").mkdir()
    (tmp_path / "in" / "train" / "class0" / "deeper" / "y.jpeg").write_bytes(encoded(picture(2)))
    (tmp_path / "in" / "train" / "loose.jpg").write_bytes(encoded(picture(3)))
    source = find(str(tmp_path / "in"))
    assert source.classes == ("class0", "class1", "empty", "unheard")
    assert dict(source.skipped) == {".txt": 1, "without a suffix": 1, "images in no class": 1}
    assert source.notes == (
        "without an image: train/empty",
        "in validation and not in train: unheard",
    )
    report = pack_folder(tmp_path / "in", tmp_path / "out")
    assert report.packed == 2 * 10 + 2 * 4 + 2
    assert report.manifest.packed["skipped"] == dict(source.skipped)


def test_classes_may_be_links_and_links_in_circles_do_no_harm(tmp_path):
    folder(tmp_path / "all", train=2, val=0, classes=3)
    some = tmp_path / "some" / "train"
    some.mkdir(parents=True)
    for name in ("class0", "class2"):
        (some / name).symlink_to(tmp_path / "all" / "train" / name)
    (tmp_path / "all" / "train" / "class0" / "again").symlink_to(tmp_path / "all" / "train")
    found = find(str(tmp_path / "some"))
    assert found.classes == ("class0", "class2")
    assert [each.label for each in found.splits["train"]] == [0, 0, 1, 1]


@pytest.mark.parametrize("empty", [True, False])
def test_a_folder_without_an_image_is_refused(tmp_path, empty):
    if not empty:
        (tmp_path / "a").mkdir()
        (tmp_path / "b.jpg").write_bytes(b"")
    with pytest.raises(NettallyError, match="no image is in a class folder") as caught:
        find(str(tmp_path))
    assert caught.value.values == (
        "no folders in it" if empty else "1 images beside the folders, 0 other files"
    )
    assert "train/CLASS/x.jpg" in caught.value.hint


def test_a_source_of_broken_images_only_is_refused(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "x.jpg").write_bytes(b"nothing")
    with pytest.raises(NettallyError, match="not one image to learn from could be read") as caught:
        pack_folder(tmp_path / "in", tmp_path / "out")
    assert "a/x.jpg: no image that is known here" in caught.value.values


def test_two_folders_of_one_split_are_refused(tmp_path):
    folder(tmp_path)
    shutil.copytree(tmp_path / "val", tmp_path / "validation")
    with pytest.raises(NettallyError, match="two folders mean the same split") as caught:
        find(str(tmp_path))
    assert "val, validation" in caught.value.values


# --- going on -------------------------------------------------------------------------------------


def test_packed_again_it_is_recognised_and_another_source_is_refused(tmp_path):
    folder(tmp_path / "in")
    pack_folder(tmp_path / "in", tmp_path / "out")
    before = held(tmp_path / "out")
    assert pack_folder(tmp_path / "in", tmp_path / "out").already
    for other in (SMALL._replace(square=Square(12)), SMALL._replace(mirror=False)):
        with pytest.raises(NettallyError, match="packed data of another source") as caught:
            pack_folder(tmp_path / "in", tmp_path / "out", other)
        assert "--again" in caught.value.hint
    assert held(tmp_path / "out") == before
    (tmp_path / "in" / "train" / "class0" / "0000.jpg").write_bytes(encoded(picture(99)))
    with pytest.raises(NettallyError, match="packed data of another source"):
        pack_folder(tmp_path / "in", tmp_path / "out")
    report = pack_folder(tmp_path / "in", tmp_path / "out", again=True)
    assert (report.already, report.packed) == (False, 28)
    assert held(tmp_path / "out") != before
    smaller = SMALL._replace(shard=20)
    pack_folder(tmp_path / "in", tmp_path / "out", smaller, again=True)
    assert "train-00001.u8" not in held(tmp_path / "out")  # nothing of before is left


def test_what_is_not_ours_is_never_touched(tmp_path):
    folder(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(NettallyError, match="the folder holds something else") as caught:
        pack_folder(tmp_path / "in", tmp_path / "out", again=True)
    assert caught.value.values == "thesis.tex"
    with pytest.raises(NettallyError, match="would lie in what is packed"):
        pack_folder(tmp_path / "in", tmp_path / "in" / "packed")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NettallyError, match="can't make the folder"):
        pack_folder(tmp_path / "in", tmp_path / "file")


def test_two_at_once_are_refused(tmp_path):
    pytest.importorskip("fcntl")
    folder(tmp_path / "in")
    with (
        place.Folder(str(tmp_path / "out")),
        pytest.raises(NettallyError, match="another process is packing into this folder"),
    ):
        pack_folder(tmp_path / "in", tmp_path / "out")
    assert not pack_folder(tmp_path / "in", tmp_path / "out").already


SCRIPT = """
import sys
from nettally.data.packing.find import find
from nettally.data.packing.image import Square
from nettally.data.packing.pack import Options, pack
if __name__ == "__main__":
    options = Options(Square(16), shard=4)
    pack(find(sys.argv[1]), sys.argv[2], options, workers=int(sys.argv[3]))
"""


SLOW = """
import time, nettally.data.packing.workers as workers
decode = workers.decode
def slowly(*given):
    time.sleep(0.01)
    return decode(*given)
workers.decode = slowly
"""

DYING = """
import os, nettally.data.packing.workers as workers
if __name__ != "__main__":  # in a worker
    workers.decode = lambda *_: os._exit(9)
"""


@pytest.mark.parametrize("count", [1, 2])
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path, count):
    folder(tmp_path / "in", train=60, val=10)
    (tmp_path / "in" / "train" / "class1" / "0005.jpg").write_bytes(b"broken")
    pack_folder(tmp_path / "in", tmp_path / "whole")
    script = tmp_path / "script.py"
    script.write_text(SLOW + SCRIPT)
    out = tmp_path / "out"
    command = [sys.executable, str(script), str(tmp_path / "in"), str(out), str(count)]
    seen = []
    for shards in (1, 6, 15):  # killed when so many are there
        process = subprocess.Popen(command)
        while process.poll() is None and len(list(out.glob("*.u8.json"))) < shards:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.append(len(list(out.glob("*.u8.json"))))
    assert seen == sorted(seen)
    assert 1 <= seen[0] < 35  # it was killed in the middle, and what it had done is kept
    time.sleep(0.3)  # its workers end with it
    assert seen[-1] == len(list(out.glob("*.u8.json")))
    if not (out / "manifest.json").exists():
        assert pack_folder(tmp_path / "in", out).resumed == seen[-1] * 4
    assert held(out) == held(tmp_path / "whole")


def test_killed_between_any_two_writes_it_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    """Every file's move into its place is a moment to be killed at; each is tried."""
    folder(tmp_path / "in", train=4, val=2)
    pack_folder(tmp_path / "in", tmp_path / "whole")
    want = held(tmp_path / "whole")
    replace = os.replace

    class Killed(BaseException):
        pass

    moment = 0
    while True:
        out = tmp_path / f"out{moment}"
        left = moment

        def dying(source, target):
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            replace(source, target)

        monkeypatch.setattr(os, "replace", dying)
        try:
            pack_folder(tmp_path / "in", out)
        except Killed:
            killed = True
        else:
            killed = False
        monkeypatch.setattr(os, "replace", replace)
        if not killed:
            break
        (out / "train-00001.u8.99.part").write_bytes(b"cut off")  # as a real kill leaves them
        pack_folder(tmp_path / "in", out)
        assert held(out) == want, moment
        moment += 1
    assert (
        moment == 1 + 3 * 2 + 2 * 1 + 2 + 2
    )  # state; shards, sums, records; labels; mean, manifest


@pytest.mark.parametrize("damage", ["record", "shard", "sums", "count"])
def test_a_shard_that_is_not_as_its_record_says_is_made_anew(tmp_path, damage, monkeypatch):
    folder(tmp_path / "in", train=4, val=2)
    pack_folder(tmp_path / "in", tmp_path / "whole")
    out = tmp_path / "out"
    monkeypatch.setattr(pack_module, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        pack_folder(tmp_path / "in", out)
    monkeypatch.undo()
    if damage == "count":  # one broken image more than there were images
        path = out / "train-00000.u8.json"
        path.write_text(path.read_text().replace('"broken":[]', '"broken":[["a","b"]]'))
    else:
        ending = {"record": ".json", "shard": "", "sums": ".sum"}[damage]
        (out / f"train-00000.u8{ending}").write_bytes(b"{}")
    report = pack_folder(tmp_path / "in", out)
    assert (report.resumed, report.packed) == (8, 4)
    assert held(out) == held(tmp_path / "whole")


def test_a_worker_that_is_ended_from_outside_is_told(tmp_path, monkeypatch):
    folder(tmp_path / "in")
    script = tmp_path / "script.py"
    script.write_text(DYING + SCRIPT)
    command = [sys.executable, str(script), str(tmp_path / "in"), str(tmp_path / "out"), "2"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "a process that decoded images was ended from outside" in ended.stderr
    assert "--workers 1" in ended.stderr
    assert not pack_folder(tmp_path / "in", tmp_path / "out").already  # and it can go on


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(Square(0)), "side 0; 1 to 4,096 are"),
        (Options(Square(16, "cubic")), "no way of resampling is called so"),
        (Options(order="random"), "no order is called so"),
        (Options(hold_out=1.0), "a part of the images"),
        (Options(hold_out=0.5), "has a validation split already"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options, said):
    folder(tmp_path / "in")
    with pytest.raises(NettallyError) as caught:
        pack_folder(tmp_path / "in", tmp_path / "out", options)
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_options_for_photographs_are_refused_for_arrays(tmp_path):
    source, _ = arrays()
    for options, said in (
        (Options(Square(12)), "images of an array are packed as they are"),
        (Options(hold_out=0.1), "these have none"),
    ):
        with pytest.raises(NettallyError) as caught:
            pack(source, str(tmp_path / "out"), options)
        assert said in str(caught.value)


def test_too_few_images_to_hold_some_out_are_refused(tmp_path):
    folder(tmp_path / "in", train=1, val=0, classes=1)
    with pytest.raises(NettallyError, match="one side would be without an image") as caught:
        pack_folder(tmp_path / "in" / "train", tmp_path / "out", SMALL._replace(hold_out=0.001))
    assert caught.value.values == "1 to learn from, 0 held out"


def test_without_pillow_it_is_told(tmp_path, monkeypatch):
    folder(tmp_path / "in")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NettallyError, match="Pillow, which is not installed"):
        pack_folder(tmp_path / "in", tmp_path / "out")


def test_names_that_are_no_utf8_are_packed_and_told(tmp_path):
    folder(tmp_path / "in", classes=1)
    name = os.path.join(os.fsencode(tmp_path), b"in", b"train", b"class0", b"\xff.jpg")
    try:
        with open(name, "wb") as file:
            file.write(b"broken")
    except OSError:
        pytest.skip("the file system has no such names")
    report = pack_folder(tmp_path / "in", tmp_path / "out")
    assert report.manifest.broken == (("train/class0/\\xff.jpg", "no image that is known here"),)
    json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert not verify(str(tmp_path / "out")).wrong


def test_all_ways_of_resampling_are_pillows():
    assert {each.upper() for each in RESAMPLES} - {"AREA"} <= set(Image.Resampling.__members__)
    assert image_module.FORMATS.count("EPS") == 0


def test_a_split_of_broken_images_only_is_there_without_images(tmp_path):
    folder(tmp_path / "in", train=2, val=0)
    (tmp_path / "in" / "val" / "class0" / "x.jpg").write_bytes(b"broken")
    report = pack_folder(tmp_path / "in", tmp_path / "out")
    assert report.manifest.splits["validation"].images == 0
    data = open_packed(str(tmp_path / "out"))
    assert (list(data.splits), data.held_out) == (["train"], None)
    assert not verify(str(tmp_path / "out")).wrong


def test_the_processes_that_decode_do_not_import_torch():
    code = (
        "import sys, nettally.data.packing.find, nettally.data.packing.pack, nettally.cli.data;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
