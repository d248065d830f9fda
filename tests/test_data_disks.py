"""Full disks, broken disks, too little room: what was packed is kept, and it goes on."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from data_files import arrays, folder
from nettally.data.packed import open_packed
from nettally.data.packing import pack as pack_module
from nettally.data.packing import place, workers
from nettally.data.packing.find import find
from nettally.data.packing.image import Square
from nettally.data.packing.pack import Options, pack
from nettally.errors import NettallyError

SMALL = Options(Square(16), shard=4)


def pack_folder(source: Path, out: Path, options: Options = SMALL, workers: int = 1, **more):
    return pack(find(str(source)), str(out), options, workers=workers, **more)


def held(out: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in sorted(out.iterdir())}


@pytest.mark.parametrize("count", [1, 2])
def test_a_full_disk_is_told_and_what_was_packed_is_kept(tmp_path, monkeypatch, count):
    if count > 1 and not hasattr(os, "fork"):
        pytest.skip("the workers must have the full disk from this process")
    folder(tmp_path / "in")
    pack_folder(tmp_path / "in", tmp_path / "whole")
    fsync, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 11:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    if count > 1:
        from multiprocessing import get_context

        monkeypatch.setattr(workers, "get_context", lambda _: get_context("fork"))
        monkeypatch.setattr("warnings.filters", [("ignore", None, Warning, None, 0)])
    with pytest.raises(NettallyError, match="the disk is full") as caught:
        pack_folder(tmp_path / "in", tmp_path / "out", workers=count)
    assert "of 7 shards are complete" in caught.value.values
    assert "more are needed" in caught.value.values
    assert "are free" in caught.value.values
    assert "it goes on after the shards that are complete" in caught.value.hint
    monkeypatch.undo()
    complete = len(list((tmp_path / "out").glob("*.u8.json")))
    assert complete >= 1
    assert not list((tmp_path / "out").glob("*.part"))
    assert pack_folder(tmp_path / "in", tmp_path / "out").resumed == complete * 4
    assert held(tmp_path / "out") == held(tmp_path / "whole")


def test_a_disk_that_is_full_at_the_end_is_told_too(tmp_path, monkeypatch):
    folder(tmp_path / "in", train=4, val=0)
    write = pack_module.finish.__globals__["write_file"]

    def full(path, do):
        if path.endswith("manifest.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, do)

    monkeypatch.setitem(pack_module.finish.__globals__, "write_file", full)
    with pytest.raises(NettallyError, match="the disk is full") as caught:
        pack_folder(tmp_path / "in", tmp_path / "out")
    assert "2 of 2 shards are complete" in caught.value.values
    monkeypatch.undo()
    assert pack_folder(tmp_path / "in", tmp_path / "out").resumed == 8


def test_arrays_on_a_full_disk_are_told_too(tmp_path, monkeypatch):
    def full(plan, entries):
        if plan.name == "train-00001.u8":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(plan, entries)

    write = pack_module.write_shard
    monkeypatch.setattr(pack_module, "write_shard", full)
    source, _ = arrays()
    with pytest.raises(NettallyError, match="the disk is full") as caught:
        pack(source, str(tmp_path), Options(shard=8))
    assert "1 of 4 shards are complete" in caught.value.values
    monkeypatch.undo()
    assert pack(source, str(tmp_path), Options(shard=8)).resumed == 8


def test_a_real_full_disk(tmp_path):
    """A file system of 3 MB in memory, filled up while the shards are made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not shutil.which("mount") or os.geteuid() != 0:
        pytest.skip("only root can mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        folder(tmp_path / "in", train=10, val=4, side=64)
        options = Options(Square(64), shard=4)
        pack_folder(tmp_path / "in", tmp_path / "whole", options)
        filler = disk / "filler"

        def fill(progress):
            if progress.done == 9:
                filler.write_bytes(b"\0" * (shutil.disk_usage(disk).free - 30_000))

        with pytest.raises(NettallyError, match="the disk is full") as caught:
            pack_folder(tmp_path / "in", disk / "out", options, progress=fill)
        assert "2 of 7 shards are complete, 98.3 kB" in caught.value.values
        with pytest.raises(NettallyError, match="the disk has not the room") as caught:
            pack_folder(tmp_path / "in", disk / "out", options)
        filler.unlink()
        assert pack_folder(tmp_path / "in", disk / "out", options).resumed == 8
        assert held(disk / "out") == held(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_too_little_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    folder(tmp_path / "in")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000))
    with pytest.raises(NettallyError, match="the disk has not the room") as caught:
        pack_folder(tmp_path / "in", tmp_path / "out")
    assert caught.value.values == "1.09 MB are needed, 10 kB are free"
    assert not list((tmp_path / "out").glob("*.u8"))


def test_a_disk_that_fails_while_it_is_read_stops_the_packing(tmp_path, monkeypatch):
    """Else all images of a server that is gone would be packed as broken."""
    folder(tmp_path / "in")
    read = workers._Files.read

    def failing(self, photo):
        if photo.key.endswith("0003.jpg"):
            raise OSError(errno.EIO, "Input/output error", photo.file)
        return read(self, photo)

    monkeypatch.setattr(workers._Files, "read", failing)
    with pytest.raises(NettallyError, match="was stopped: Input/output error") as caught:
        pack_folder(tmp_path / "in", tmp_path / "out")
    assert "0003.jpg" in caught.value.where
    monkeypatch.undo()
    pack_folder(tmp_path / "in", tmp_path / "out")
    assert not open_packed(str(tmp_path / "out")).splits["train"].labels.lt(0).any()


def test_what_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    folder(tmp_path / "in")

    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(place, "write_file", refused)
    with pytest.raises(NettallyError, match="can't write into the folder: Permission denied"):
        pack_folder(tmp_path / "in", tmp_path / "out")
