"""Images in tars: class folders, WebDataset's shards, a tar of a tar for each class.

A tar is read as data: its headers are gone through once, and an image is a place in the file and
a length. Nothing is written out under a member's name, links are left out, a length that goes
beyond the end of the tar is refused.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ReadError
from ...files import plain_only
from .folder import SPLIT_NAMES, suffix
from .image import SUFFIXES
from .source import Photo, Photos

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

MAX_HEADER = 2**20
"""How much of a tar is read at once; a member's header has 512 bytes, with a long name more."""

MAX_MEMBERS = 20_000_000
MAX_LABEL = 20
"""How long a WebDataset's class may be, in bytes: it is a number."""

_SHARD = re.compile(r"(?:.*[-_])?(train|training|val|valid|validation|test|testing)(?![a-z])", re.I)


DAMAGED = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError, zlib.error)
"""What tarfile raises of what is no tar; a chain of long names takes Python's stack."""

MAX_UNPACKED = 2**31
"""How much of a compressed tar is unpacked, to look for small files in it."""


class Member(NamedTuple):
    """A plain file in a tar. name: its parts. offset: of its first byte in the file ``tar``."""

    name: tuple[str, ...]
    tar: str
    offset: int
    size: int

    @property
    def base(self) -> str:
        return self.name[-1]


class _Window(io.RawIOBase):
    """A part of a file, of which little is read at once: tarfile reads headers only."""

    def __init__(self, file: Any, offset: int, size: int) -> None:
        super().__init__()
        self._file = file
        self._offset, self._size, self._at = offset, size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, at: int, whence: int = 0) -> int:
        base = (0, self._at, self._size)[whence]
        if base + at < 0:
            raise tarfile.ReadError("a place before the beginning")
        self._at = base + at
        return self._at

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        size = max(0, min(size, self._size - self._at))
        self._file.seek(self._offset + self._at)
        data = self._file.read(size)
        self._at += len(data)
        return data


def members(
    path: str, offset: int = 0, size: int | None = None, skipped: dict[str, int] | None = None
) -> Iterator[Member]:
    """The plain files of a tar that lies there, in their order.

    skipped: is told of links, devices and the like, and names that lead upwards. Raises ReadError
    for what is no tar, or is cut off.
    """
    skipped = {} if skipped is None else skipped
    try:
        size = os.path.getsize(path) - offset if size is None else size
        with (
            open(path, "rb", 2**14, opener=plain_only) as file,
            _Window(file, offset, size) as window,
            tarfile.open(fileobj=window, mode="r:", errorlevel=0) as tar,
        ):
            before = -1
            count = 0
            kept: list[tarfile.TarInfo] = vars(tar)["members"]
            while (member := tar.next()) is not None:
                kept.clear()  # tarfile keeps every header that it has met: of a million, gigabytes
                count += 1
                if count > MAX_MEMBERS or member.size < 0 or member.offset <= before:
                    raise tarfile.ReadError(
                        f"member {count:,} is of {member.size:,} bytes at {member.offset:,}"
                    )
                before = member.offset
                parts = tuple(each for each in member.name.split("/") if each not in ("", "."))
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse() or not parts:
                    skipped["links and the like"] = skipped.get("links and the like", 0) + 1
                elif ".." in parts:
                    skipped["names with .."] = skipped.get("names with ..", 0) + 1
                elif member.offset_data + member.size > size:
                    raise ReadError(
                        "the tar is cut off",
                        where=path,
                        values=f"{'/'.join(parts)[:100]} of {member.size:,} bytes; "
                        f"{max(0, size - member.offset_data):,} are left",
                        hint="fetch it again",
                    )
                else:
                    yield Member(parts, path, offset + member.offset_data, member.size)
            _ended(path, tar.offset, offset, size)
    except ReadError:
        raise
    except DAMAGED as error:
        raise ReadError(
            "this is no tar, or it is damaged",
            where=path,
            values=" ".join(str(error).split())[:100],
            hint="a compressed one must be unpacked first: gunzip" if _packed(path) else "",
        ) from None
    except OSError as error:
        raise ReadError(f"can't read the tar: {error.strerror}", where=path) from None


def _ended(path: str, at: int, begin: int, size: int) -> None:
    """Raises ReadError where the headers stop before the end: tarfile takes that for the end."""
    # a tar ends in two blocks of zeros; some writers leave them out
    if at + 512 < size:
        with open(path, "rb", opener=plain_only) as file:
            file.seek(begin + at)
            if file.read(512).strip(b"\0"):
                raise ReadError(
                    "the tar is damaged",
                    where=path,
                    values=f"at byte {at:,} of {size:,} there is no header",
                )


def small_files(
    path: str, wanted: Collection[str], most: int, members: int = 1000
) -> dict[str, bytes]:
    """The files of these names in a tar, in whatever folder, gzipped or not.

    most: bytes of one. members: how many are looked at. Raises ReadError, OSError; what DAMAGED is.
    """
    contents: dict[str, bytes] = {}
    packed = _packed(path)
    opener = gzip.open if packed else open
    with (
        opener(path, "rb") as file,
        _Window(file, 0, MAX_UNPACKED if packed else os.path.getsize(path)) as window,
        tarfile.open(fileobj=window, mode="r:") as tar,
    ):
        for _ in range(members):
            member = tar.next()
            if member is None:
                break
            base = member.name.rsplit("/", 1)[-1]
            if member.size < 0 or (packed and member.offset_data + member.size > MAX_UNPACKED):
                raise tarfile.ReadError(f"a member of {member.size:,} bytes")
            if base not in wanted or not member.isreg() or member.issparse():
                continue
            if member.size > most:
                raise ReadError(
                    "a file in the tar is too long",
                    where=f"{path}: {member.name[:100]}",
                    values=f"{member.size:,} bytes; {most:,} at most",
                )
            window.seek(member.offset_data)
            data = bytearray()
            while len(data) < member.size:
                piece = window.read(min(MAX_HEADER, member.size - len(data)))
                if not piece:
                    raise EOFError(f"{base} is cut off")
                data += piece
            contents[base] = bytes(data)
            if len(contents) == len(wanted):
                break
    return contents


def _packed(path: str) -> bool:
    with open(path, "rb", opener=plain_only) as file:
        head = file.read(6)
    return head[:2] == b"\x1f\x8b" or head[:3] == b"BZh" or head == b"\xfd7zXZ\0"


def read_tars(root: str, paths: Sequence[str], name: str, classes: Sequence[str]) -> Photos:
    """The images of tars, in their order. A tar's name tells its split, and the folders in it do.

    Class folders, or WebDataset's ``key.jpg`` and ``key.cls``; and a tar in a tar is a class.
    """
    skipped: dict[str, int] = {}
    images: list[tuple[str, Member]] = []
    keys: dict[tuple[str, str], int] = {}
    for path in paths:
        split = split_of(os.path.basename(path))
        for member in members(path, skipped=skipped):
            end = suffix(member.base)
            if end == ".tar":
                inside = (*member.name[:-1], member.base[: -len(".tar")])
                for each in members(path, member.offset, member.size, skipped):
                    if suffix(each.base) in SUFFIXES:
                        images.append((split, each._replace(name=inside + each.name)))
                    else:
                        _skip(skipped, each.base)
            elif end in SUFFIXES:
                images.append((split, member))
            elif end == ".cls":
                keys[path, _key(member)] = _label(member)
            else:
                _skip(skipped, member.base)
    if not images:
        raise ReadError(
            "no image is in the tar" if len(paths) == 1 else "no image is in the tars",
            where=root,
            values=", ".join(f"{count:,} {end}" for end, count in sorted(skipped.items())),
            hint="class folders, or WebDataset's key.jpg and key.cls",
        )
    if keys:
        return _by_key(root, name, classes, images, keys, skipped)
    return _by_folder(root, name, images, skipped)


def split_of(name: str) -> str:
    """train-0001.tar is of train, val_3.tar of validation, anything else of train."""
    match = _SHARD.match(name)
    return SPLIT_NAMES[match[1].lower()] if match else "train"


def _skip(skipped: dict[str, int], name: str) -> None:
    end = suffix(name) or "without a suffix"
    skipped[end] = skipped.get(end, 0) + 1


def _key(member: Member) -> str:
    """A WebDataset's key: the name up to the first dot."""
    return "/".join((*member.name[:-1], member.base.split(".", 1)[0]))


def _label(member: Member) -> int:
    with open(member.tar, "rb", opener=plain_only) as file:
        file.seek(member.offset)
        text = file.read(min(member.size, MAX_LABEL + 1)).strip()
    if not text.isdigit() or len(text) > 9:
        raise ReadError(
            "a class in the tar is no number",
            where=f"{member.tar}: {'/'.join(member.name)[:100]}",
            values=repr(text.decode("utf-8", "replace")),
        )
    return int(text)


def _photo(member: Member, label: int) -> Photo:
    key = "/".join((os.path.basename(member.tar), *member.name))
    return Photo(key, label, member.tar, member.offset, member.size)


def _by_key(
    root: str,
    name: str,
    classes: Sequence[str],
    images: Sequence[tuple[str, Member]],
    keys: dict[tuple[str, str], int],
    skipped: dict[str, int],
) -> Photos:
    from .manifest import MAX_CLASSES
    from .source import named

    photos: dict[str, list[Photo]] = {}
    for split, member in images:
        label = keys.get((member.tar, _key(member)))
        if label is None:
            skipped["images without a class"] = skipped.get("images without a class", 0) + 1
        else:
            photos.setdefault(split, []).append(_photo(member, label))
    highest = max(keys.values())
    if highest >= MAX_CLASSES:
        raise ReadError(
            "there are too many classes",
            where=root,
            values=f"class {highest:,}; {MAX_CLASSES:,} are taken",
        )
    return _whole(root, name, named(classes, highest + 1, root), photos, skipped)


def _by_folder(
    root: str, name: str, images: Sequence[tuple[str, Member]], skipped: dict[str, int]
) -> Photos:
    folders = [member.name[:-1] for _, member in images]
    first, last = min(folders), max(folders)
    depth = 0
    while depth < min(len(first), len(last)) and first[depth] == last[depth]:
        depth += 1  # what the first and the last in order share, all between them do
    if depth and all(len(each) == depth for each in folders):
        depth -= 1  # one class only
    splits_inside = {each[depth].lower() for each in folders if len(each) > depth}
    inner = "train" in splits_inside and splits_inside <= set(SPLIT_NAMES)
    listed: list[tuple[str, str, Member]] = []
    for split, member in images:
        parts = member.name[depth:-1]
        if inner and len(parts) > 1:
            listed.append((SPLIT_NAMES[parts[0].lower()], parts[1], member))
        elif not inner and parts:
            listed.append((split, parts[0], member))
        else:
            skipped["images in no class"] = skipped.get("images in no class", 0) + 1
    classes = tuple(sorted({label for _, label, _ in listed}))
    number = {each: i for i, each in enumerate(classes)}
    photos: dict[str, list[Photo]] = {}
    for split, label, member in listed:
        photos.setdefault(split, []).append(_photo(member, number[label]))
    return _whole(root, name, classes, photos, skipped)


def _whole(
    root: str,
    name: str,
    classes: tuple[str, ...],
    photos: dict[str, list[Photo]],
    skipped: dict[str, int],
) -> Photos:
    if not photos.get("train"):
        raise ReadError(
            "no image in the tars is to be learnt from",
            where=root,
            values=", ".join(f"{len(items):,} {split}" for split, items in photos.items())
            or ", ".join(f"{count:,} {end}" for end, count in sorted(skipped.items())),
            hint="class folders, or WebDataset's key.jpg and key.cls, in train-0000.tar, …",
        )
    ordered = {each: photos[each] for each in ("train", "validation", "test") if each in photos}
    return Photos(root, name, classes, ordered, skipped)
