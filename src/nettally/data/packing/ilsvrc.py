"""ImageNet's ILSVRC2012, as it is distributed: a tar of a tar for each class, a flat tar, a devkit.

The training tar tells its classes by itself. What the validation images show stands in the devkit:
ILSVRC2012_validation_ground_truth.txt has a number a line, and meta.mat says which synset it is.
"""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ReadError
from ...extras import to_install
from .folder import suffix
from .image import SUFFIXES
from .source import Photo, Photos
from .tars import DAMAGED, members, small_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TRAIN = "ILSVRC2012_img_train.tar"
VALIDATION = "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"

TRUTH = "ILSVRC2012_validation_ground_truth.txt"
META = "meta.mat"

MAX_FILE = 32 * 2**20
_NUMBER = re.compile(r"(\d{1,9})\.[A-Za-z]+\Z")


class Devkit(NamedTuple):
    """truth: the synset's number of each validation image, from 1. wnids, words: by number."""

    truth: tuple[int, ...]
    wnids: Mapping[int, str]
    words: Mapping[str, str]


def read_ilsvrc(root: str, files: Sequence[str], name: str, devkit: str | None) -> Photos:
    """The tars of a folder. Raises ReadError also for validation images without a devkit."""
    train = os.path.join(root, TRAIN)
    if TRAIN not in files:
        raise ReadError(
            "the training images are not there",
            where=root,
            values=f"{VALIDATION} without {TRAIN}",
            hint="put both into one folder",
        )
    kit_path = devkit or (os.path.join(root, DEVKIT) if DEVKIT in files else None)
    if VALIDATION in files and kit_path is None:
        raise ReadError(
            "what the validation images show is told by the devkit, which is not there",
            where=root,
            values=f"{VALIDATION} without {DEVKIT}",
            hint=f"put it beside the tars or give --devkit; or pack {TRAIN} alone",
        )
    kit = read_devkit(kit_path) if kit_path else None
    skipped: dict[str, int] = {}
    by_class: dict[str, list[Photo]] = {}
    for outer in members(train, skipped=skipped):
        if suffix(outer.base) != ".tar":
            skipped[suffix(outer.base)] = skipped.get(suffix(outer.base), 0) + 1
            continue
        wnid = outer.base[: -len(".tar")]
        listed = by_class.setdefault(wnid, [])
        for each in members(train, outer.offset, outer.size, skipped):
            if suffix(each.base) in SUFFIXES:
                key = f"{wnid}/{each.base}"
                listed.append(Photo(key, 0, train, each.offset, each.size))
            else:
                skipped[suffix(each.base)] = skipped.get(suffix(each.base), 0) + 1
    wnids = sorted(by_class)
    number = {each: i for i, each in enumerate(wnids)}
    photos = [each._replace(label=number[wnid]) for wnid in wnids for each in by_class[wnid]]
    if not photos:
        raise ReadError(
            "the tar holds no tars of images",
            where=train,
            values=", ".join(f"{count:,} {end}" for end, count in sorted(skipped.items())),
            hint=f"{TRAIN} holds n01440764.tar and 999 more",
        )
    splits: dict[str, Sequence[Photo]] = {"train": photos}
    if VALIDATION in files and kit is not None:
        path = os.path.join(root, VALIDATION)
        splits["validation"] = _validation(path, kit, number, skipped)
    words = kit.words if kit else {}
    classes = tuple(f"{each} {words[each]}" if each in words else each for each in wnids)
    empty = [wnid for wnid in wnids if not by_class[wnid]]
    notes = (f"without an image: {', '.join(empty[:5])}",) if empty else ()
    return Photos(root, name, classes, splits, skipped, notes)


def _validation(
    path: str, kit: Devkit, number: Mapping[str, int], skipped: dict[str, int]
) -> list[Photo]:
    """The validation images, in the order of their numbers."""
    by_index: dict[int, Photo] = {}
    for each in members(path, skipped=skipped):
        match = _NUMBER.search(each.base)
        if suffix(each.base) not in SUFFIXES or match is None:
            skipped[suffix(each.base)] = skipped.get(suffix(each.base), 0) + 1
            continue
        index = int(match[1])
        if not 1 <= index <= len(kit.truth) or index in by_index:
            raise ReadError(
                "a validation image has a number that the devkit does not know"
                if index not in by_index
                else "two validation images have one number",
                where=path,
                values=f"{each.base[:60]}; {len(kit.truth):,} are known",
            )
        wnid = kit.wnids.get(kit.truth[index - 1], "")
        if wnid not in number:
            raise ReadError(
                "a validation image is of a class that is not in the training images",
                where=path,
                values=f"{each.base[:60]}: {wnid or f'number {kit.truth[index - 1]}'}",
            )
        by_index[index] = Photo(each.base, number[wnid], path, each.offset, each.size)
    return [by_index[index] for index in sorted(by_index)]


def read_devkit(path: str) -> Devkit:
    """The two files of the devkit that are needed. Raises ReadError."""
    try:
        contents = small_files(path, (TRUTH, META), MAX_FILE)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReadError(f"can't read the devkit: {reason}", where=path) from None
    except DAMAGED as error:
        raise ReadError("the devkit is damaged", where=path, values=str(error)[:100]) from None
    missing = [each for each in (TRUTH, META) if each not in contents]
    if missing:
        raise ReadError(
            "this is not the devkit of ILSVRC2012",
            where=path,
            values=f"{' and '.join(missing)} not in it",
            hint=f"{DEVKIT}, of tasks 1 and 2",
        )
    lines = contents[TRUTH].split()
    if not lines or not all(each.isdigit() and len(each) < 6 for each in lines):
        raise ReadError("the validation images' classes are no numbers", where=f"{path}: {TRUTH}")
    wnids, words = _synsets(contents[META], f"{path}: {META}")
    return Devkit(tuple(int(each) for each in lines), wnids, words)


def _synsets(data: bytes, where: str) -> tuple[dict[int, str], dict[str, str]]:
    """The synsets of a MATLAB file: number → wnid, and wnid → its first word."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise ReadError(
            "the devkit's meta.mat is read by scipy, which is not installed",
            hint=to_install("train"),
        ) from None
    try:
        variables: Any = loadmat(io.BytesIO(data), variable_names=["synsets"], squeeze_me=True)
        rows: Any = variables["synsets"].reshape(-1)
        wnids: dict[int, str] = {}
        words: dict[str, str] = {}
        for row in rows:
            number, wnid = int(row["ILSVRC2012_ID"]), str(row["WNID"])[:100]
            wnids[number] = wnid
            words[wnid] = str(row["words"]).split(",")[0].strip()[:100]
    except Exception as error:  # scipy's reader raises whatever it meets
        raise ReadError(
            "the synsets cannot be read", where=where, values=" ".join(str(error).split())[:100]
        ) from None
    return wnids, words
