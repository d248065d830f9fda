"""A folder of images: train/CLASS/x.jpg and val/CLASS/x.jpg, or CLASS/x.jpg."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import ReadError
from .image import SUFFIXES
from .source import Photo, Photos

if TYPE_CHECKING:
    from collections.abc import Sequence

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""What folders and shards are called, and the split that it means."""


def read_folder(root: str, name: str) -> Photos:
    """The images of a folder, in the order of their names.

    A class is a folder, or a link to one; below it folders may nest, and add nothing to the class,
    and links to folders are not followed: they may lead in circles. Raises ReadError where there is
    no image.
    """
    top = _folders(root)
    splits = {SPLIT_NAMES[each.lower()]: each for each in top if each.lower() in SPLIT_NAMES}
    if "train" not in splits:
        splits = {"train": ""}
    elif len({each for each in top if each.lower() in SPLIT_NAMES}) > len(splits):
        raise ReadError(
            "two folders mean the same split",
            where=root,
            values=", ".join(each for each in top if each.lower() in SPLIT_NAMES),
            hint="leave one of val, valid and validation",
        )
    by_split = {split: _folders(os.path.join(root, each)) for split, each in splits.items()}
    classes = tuple(sorted({each for class_names in by_split.values() for each in class_names}))
    number = {each: i for i, each in enumerate(classes)}
    skipped: dict[str, int] = {}
    photos: dict[str, list[Photo]] = {}
    empty: list[str] = []
    for split, class_names in by_split.items():
        listed: list[Photo] = []
        for each in class_names:
            before = len(listed)
            inside = os.path.join(splits[split], each) if splits[split] else each
            _images(root, inside, number[each], listed, skipped)
            if len(listed) == before:
                empty.append(inside)
        photos[split] = listed
        _loose(os.path.join(root, splits[split]), skipped)
    if not photos["train"]:
        raise _none(root, splits["train"], skipped, bool(classes))
    return Photos(root, name, classes, photos, skipped, _notes(empty, classes, photos))


def _notes(
    empty: Sequence[str], classes: Sequence[str], photos: dict[str, list[Photo]]
) -> tuple[str, ...]:
    notes: list[str] = []
    if empty:
        shown = ", ".join(empty[:5]) + (f" and {len(empty) - 5:,} more" if len(empty) > 5 else "")
        notes.append(f"without an image: {shown}")
    learnt = {each.label for each in photos["train"]}
    for split, items in photos.items():
        only = sorted({each.label for each in items} - learnt)
        if only:
            shown = ", ".join(classes[each] for each in only[:5])
            more = f" and {len(only) - 5:,} more" if len(only) > 5 else ""
            notes.append(f"in {split} and not in train: {shown}{more}")
    return tuple(notes)


def _folders(path: str) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones are left out."""
    try:
        with os.scandir(path) as entries:
            return sorted(
                each.name for each in entries if each.is_dir() and not each.name.startswith(".")
            )
    except OSError as error:
        raise ReadError(f"can't read the folder: {error.strerror}", where=path) from None


def _loose(path: str, skipped: dict[str, int]) -> None:
    """Count the images that lie beside the class folders, and so have no class."""
    with os.scandir(path) as entries:
        for each in entries:
            if suffix(each.name) in SUFFIXES and each.is_file():
                skipped["images in no class"] = skipped.get("images in no class", 0) + 1


def _images(
    root: str, inside: str, label: int, photos: list[Photo], skipped: dict[str, int]
) -> None:
    """The images of a class, in the order of their names, also those in folders in it."""
    waiting = [inside]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(os.path.join(root, here)) as entries:
                listed = sorted(entries, key=lambda each: each.name)
        except OSError as error:
            raise ReadError(
                f"can't read the folder: {error.strerror}", where=os.path.join(root, here)
            ) from None
        deeper: list[str] = []
        for each in listed:
            path = f"{here}/{each.name}"
            if each.name.startswith("."):
                continue
            if each.is_dir(follow_symlinks=False):
                deeper.append(path)
            elif suffix(each.name) in SUFFIXES:
                try:
                    size = each.stat().st_size
                except OSError:
                    size = 0  # a link that leads nowhere; it is listed as broken when it is read
                photos.append(Photo(path, label, each.path, 0, size))
            else:
                end = suffix(each.name) or "without a suffix"
                skipped[end] = skipped.get(end, 0) + 1
        waiting.extend(reversed(deeper))


def suffix(name: str) -> str:
    """How a name ends, in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()[:20]


def _none(root: str, inside: str, skipped: dict[str, int], folders: bool) -> ReadError:
    loose = skipped.get("images in no class", 0)
    other = sum(skipped.values()) - loose
    return ReadError(
        "no image is in a class folder",
        where=os.path.join(root, inside) if inside else root,
        values=f"{loose:,} images beside the folders, {other:,} other files"
        if folders or loose
        else "no folders in it",
        hint="train/CLASS/x.jpg and val/CLASS/x.jpg, or CLASS/x.jpg",
    )
