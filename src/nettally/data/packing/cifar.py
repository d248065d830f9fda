"""CIFAR-10 and CIFAR-100, as they are distributed: pickled batches, or the binary version.

https://www.cs.toronto.edu/~kriz/cifar.html. A pickled batch is a dictionary with an array of
numpy's and lists; it is read as data by formats/encodings/pickle, which calls nothing: of all that
a pickle could ask for, only numpy's array of bytes is known here, and all else is refused.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import ReadError
from ...files import plain_only
from ...formats.encodings.blob import Blob
from ...formats.encodings.pickle import Dictionary, Global, Machine, Thing, words_for
from .source import Arrays, named
from .tars import DAMAGED, small_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .source import Image, Labels

SIDE = 32
PIXELS = SIDE * SIDE * 3

MAX_FILE = 200 * 2**20
"""How long a batch may be, in bytes; CIFAR-100's training batch has 155 million."""


class Kind(NamedTuple):
    """One of the four ways in which they are distributed."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str  # the file of the classes' names
    labels: str  # what the labels are called in a batch; "" in the binary version
    label_bytes: int = 0  # before an image, in the binary version
    name_key: str = ""


_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
KINDS = (
    Kind("cifar-10", _BATCHES, ("test_batch",), "batches.meta", "labels", 0, "label_names"),
    Kind("cifar-100", ("train",), ("test",), "meta", "fine_labels", 0, "fine_label_names"),
    Kind(
        "cifar-10",
        tuple(f"{each}.bin" for each in _BATCHES),
        ("test_batch.bin",),
        "batches.meta.txt",
        "",
        1,
    ),
    Kind("cifar-100", ("train.bin",), ("test.bin",), "fine_label_names.txt", "", 2),
)


def kind_of(names: Sequence[str]) -> Kind | None:
    """Which of them files of these names are; a part of the batches may be missing."""
    present = set(names)
    for kind in KINDS:
        # "train" and "test" alone are what folders of images are called as well
        if kind.train[0] in present and (kind.test[0] in present or kind.names in present):
            return kind
    return None


def read_folder(root: str, name: str, classes: Sequence[str], kind: Kind) -> Arrays:
    """The batches of a folder, of which ``kind_of`` told the kind."""
    names = os.listdir(root)
    files: dict[str, bytes] = {}
    for each in (*kind.train, *kind.test, kind.names):
        if each in names:
            path = os.path.join(root, each)
            try:
                with open(path, "rb", opener=plain_only) as file:
                    files[each] = file.read(MAX_FILE + 1)
            except OSError as error:
                raise ReadError(f"can't open the file: {error.strerror}", where=path) from None
            if len(files[each]) > MAX_FILE:
                raise ReadError(
                    "the batch is too long", where=path, values=f"over {MAX_FILE:,} bytes"
                )
    return _read(root, name, classes, kind, files)


def read_tar(path: str, name: str, classes: Sequence[str]) -> Arrays | None:
    """The batches in a tar, gzipped or not; None where it holds none."""
    wanted = {each for kind in KINDS for each in (*kind.train, *kind.test, kind.names)}
    try:
        files = small_files(path, wanted, MAX_FILE)
    except (*DAMAGED, OSError):
        return None  # whoever asks says what is wrong with it
    kind = kind_of(list(files))
    if kind is None:
        return None
    return _read(path, name, classes, kind, files)


def _read(
    root: str, name: str, classes: Sequence[str], kind: Kind, files: Mapping[str, bytes]
) -> Arrays:
    digest = hashlib.sha256()
    for each, data in sorted(files.items()):
        digest.update(each.encode() + hashlib.sha256(data).digest())
    splits: dict[str, Callable[[], tuple[Image, Labels]]] = {}
    counts: dict[str, int] = {}
    highest = 0
    notes: list[str] = []
    for split, parts in (("train", kind.train), ("test", kind.test)):
        there = [each for each in parts if each in files]
        if not there:
            continue
        if len(there) < len(parts):
            missing = ", ".join(each for each in parts if each not in files)
            notes.append(f"these batches are not there: {missing}")
        batches = [_batch(root, each, files[each], kind) for each in there]
        counts[split] = sum(len(labels) for _, labels in batches)
        highest = max(highest, *(int(labels.max()) for _, labels in batches))
        splits[split] = _joined(batches)
    names = classes or _names(root, kind, files.get(kind.names))
    return Arrays(
        root,
        name or kind.name,
        named(names, highest + 1, root),
        SIDE,
        SIDE,
        3,
        splits,
        counts,
        digest.hexdigest(),
        True,
        tuple(notes),
    )


def _joined(batches: Sequence[tuple[Image, Labels]]) -> Callable[[], tuple[Image, Labels]]:
    def read() -> tuple[Image, Labels]:
        # stored plane by plane: red, green, blue
        planes = np.concatenate([images for images, _ in batches]).reshape(-1, 3, SIDE, SIDE)
        labels = np.concatenate([labels for _, labels in batches])
        return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels

    return read


def _batch(root: str, name: str, data: bytes, kind: Kind) -> tuple[Image, Labels]:
    """The images (n, 3072) and the labels of a batch. Raises ReadError."""
    where = f"{root}: {name}"
    if kind.label_bytes:
        row = kind.label_bytes + PIXELS
        if not data or len(data) % row:
            raise ReadError(
                "the batch is no row of images",
                where=where,
                values=f"{len(data):,} bytes; a multiple of {row:,} expected",
                hint="it is cut off or damaged; fetch it again",
            )
        rows = np.frombuffer(data, np.uint8).reshape(-1, row)
        return rows[:, kind.label_bytes :], rows[:, kind.label_bytes - 1].astype(np.int64)
    pickled = unpickled(data, where)
    images, labels = pickled.get("data"), pickled.get(kind.labels)
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != PIXELS:
        raise ReadError(
            "the batch has no images of 32x32 in RGB",
            where=where,
            values=f"'data' is {_kind(images)}; an array of (images, {PIXELS}) expected",
        )
    numbers = labels if isinstance(labels, list) else []
    good = all(type(x) is int and 0 <= x < 1000 for x in numbers)
    if not good or len(numbers) != len(images) or not numbers:
        raise ReadError(
            "the batch has not one label for each image",
            where=where,
            values=f"'{kind.labels}' is {_kind(labels)}; {len(images):,} images",
        )
    return images, np.asarray(numbers, np.int64)


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {'x'.join(map(str, value.shape))}"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    return "not there" if value is None else f"of type {type(value).__name__}"


def _names(root: str, kind: Kind, data: bytes | None) -> tuple[str, ...]:
    """The classes' names, where they come with the batches."""
    if data is None:
        return ()
    if kind.label_bytes:
        text = data.decode("utf-8", "replace")
        return tuple(line.strip()[:100] for line in text.splitlines() if line.strip())
    names = unpickled(data, f"{root}: {kind.names}").get(kind.name_key)
    if not isinstance(names, list):
        return ()
    return tuple(_text(each)[:100] for each in names if isinstance(each, (str, bytes)))


# --- the pickle -----------------------------------------------------------------------------------


def unpickled(data: bytes, where: str) -> dict[str, Any]:
    """What a batch's dictionary holds, by its keys. Nothing is called. Raises ReadError."""
    with Blob(where, data=data) as blob:
        value = Machine(blob, _call, _outside, steps=_BYTES, longest=MAX_FILE).run()
        if not isinstance(value, Dictionary):
            raise blob.error("the pickle holds no dictionary, as a batch of CIFAR does", 0)
        return {
            _text(key): _array(blob, each) if isinstance(each, Thing) else each
            for key, each in value.pairs
            if isinstance(key, (str, bytes))
        }


def _counted(size: int) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        m.stack.append(m.take(int.from_bytes(m.take(size), "little")))

    return step


_BYTES = {ord("T"): _counted(4), ord("U"): _counted(1)}
"""Python 2 has one type for text and bytes; an array's bytes are no text."""


def _call(m: Machine, function: Any, args: Any) -> Any:
    """Stands for numpy's array and its kind of numbers; everything else is refused."""
    if isinstance(function, Global) and isinstance(args, tuple):
        module, name = function
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            first = args[0] if args else None
            if name == "_reconstruct" and first == Global("numpy", "ndarray"):
                return Thing(function, args)
        elif (module, name) == ("numpy", "dtype"):
            return Thing(function, args)
        elif (module, name) == ("_codecs", "encode") and args[1:] in (("latin1",), (b"latin1",)):
            try:  # how Python 3 writes bytes for Python 2
                m.spend(len(args[0]))
                return args[0].encode("latin1")
            except (UnicodeEncodeError, AttributeError, TypeError):
                raise m.error("the pickle's bytes are none") from None
    raise m.error(
        "the pickle asks for something that no batch of CIFAR needs; it was not done",
        words_for(function),
        "use the files that are distributed",
    )


def _outside(m: Machine, what: Any) -> Any:
    raise m.error("the pickle refers to something outside")


def _array(blob: Blob, thing: Thing) -> Image:
    """The array of bytes that a call and its state describe."""
    state = thing.state
    kind = state[2] if isinstance(state, tuple) and len(state) == 5 else None
    dtype = kind.args[0] if isinstance(kind, Thing) and isinstance(kind.args, tuple) else None
    if kind is None or dtype not in ("u1", b"u1"):
        raise blob.error("the pickle has an array of other than bytes", 0, str(dtype)[:40])
    shape, fortran, data = state[1], state[3], state[4]
    whole = isinstance(shape, tuple) and all(type(x) is int and 0 <= x < 2**31 for x in shape)
    total = 1
    for each in shape if whole else ():
        total *= each
    if not whole or not isinstance(data, bytes) or total != len(data) or len(shape) > 4:
        raise blob.error("the pickle has an array whose sizes are not those of its bytes", 0)
    flat = np.frombuffer(data, np.uint8)
    return flat.reshape(shape, order="F" if fortran is True else "C")


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
