"""What lies at a path: a folder of images, idx files, CIFAR's batches, tars."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import ReadError
from . import cifar, folder, idx, ilsvrc, tars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .source import Arrays, Photos

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def find(
    path: str, *, name: str = "", classes: Sequence[str] = (), devkit: str | None = None
) -> Photos | Arrays:
    """Look at what is there, and list what is to be packed.

    name: what the data is called; the last part of the path, if not given. classes: names, in the
    order of the labels, where the source has numbers only. devkit: ILSVRC2012_devkit_t12.tar.gz.
    Raises ReadError for what is nothing of these.
    """
    real = os.path.realpath(path)
    if not os.path.lexists(real):
        raise ReadError("there is no such folder or file", where=path)
    called = name or os.path.basename(real.rstrip(os.sep)).split(".")[0] or "data"
    if not os.path.isdir(real):
        return _file(path, called, classes, devkit)
    files = _names(path)
    folders = _names(path, folders=True)
    if idx.is_idx(files):
        return idx.read_idx(path, called, classes)
    kind = cifar.kind_of(files)
    if kind is not None:
        return cifar.read_folder(path, called, classes, kind)
    if ilsvrc.TRAIN in files or ilsvrc.VALIDATION in files:
        return ilsvrc.read_ilsvrc(path, files, called, devkit)
    if len(folders) == 1:  # as they are unpacked: cifar/cifar-10-batches-py, MNIST/raw
        inner = os.path.join(path, folders[0])
        inside = _names(inner)
        if idx.is_idx(inside) or cifar.kind_of(inside) is not None:
            return find(inner, name=called, classes=classes, devkit=devkit)
    tar_paths = [os.path.join(path, each) for each in files if each.lower().endswith(".tar")]
    if tar_paths and folders:
        raise ReadError(
            "the folder holds both tars and folders",
            where=path,
            values=f"{os.path.basename(tar_paths[0])}, {folders[0]}/, …",
            hint="give the tars, or the folders of images, in a folder of their own",
        )
    if tar_paths:
        return tars.read_tars(path, tar_paths, called, classes)
    if classes:
        raise ReadError(
            "the classes of a folder of images are called as their folders are",
            where=path,
            hint="leave out --classes, or rename the folders",
        )
    return folder.read_folder(path, called)


def _names(path: str, *, folders: bool = False) -> list[str]:
    """The names of the files in a folder, or of the folders, sorted; hidden ones are left out."""
    try:
        with os.scandir(path) as entries:
            return sorted(
                each.name
                for each in entries
                if each.is_dir() == folders and not each.name.startswith(".")
            )
    except OSError as error:
        raise ReadError(f"can't read the folder: {error.strerror}", where=path) from None


def _file(path: str, name: str, classes: Sequence[str], devkit: str | None) -> Photos | Arrays:
    """A single file: a tar."""
    lower = path.lower()
    if lower.endswith((".tar", *COMPRESSED)):
        batches = cifar.read_tar(path, name, classes)
        if batches is not None:
            return batches
        if lower.endswith(COMPRESSED):
            raise ReadError(
                "this is no whole tar of CIFAR's batches, and of other tars images can't be found "
                "again one by one where they are compressed",
                where=path,
                hint="fetch CIFAR again; or gunzip (bunzip2, unxz) it and give the .tar",
            )
        if os.path.basename(path) == ilsvrc.TRAIN:
            here = os.path.dirname(path) or "."
            return ilsvrc.read_ilsvrc(here, [ilsvrc.TRAIN], name, devkit)
        return tars.read_tars(path, [path], name, classes)
    raise ReadError(
        "this is no folder, and no tar",
        where=path,
        hint="give the folder that the file lies in",
    )
