"""What a format is given to read, and what it says of itself."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import ReadError, nearest
from ..files import plain_only
from ..network import NOTHING, Shape
from ..record import Record

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

HEAD = 2**16
"""How many bytes of a file a format is recognised by. A module with ``BINARY = True`` is given no
more of them: it opens ``source.path`` itself, and takes of it what it needs."""

MAX_TEXT = 64 * 2**20
"""A description in text that is larger than this, in bytes, is refused."""


class Format(Record):
    """What ``nettally formats`` says of a reader; each module has one, called ``FORMAT``.

    title: the format. suffixes: how its files are usually called. versions: which are read.
    gaps: what is not, a sentence each. sizes_follow_input: the file states no tensors, so that
    those of a fully connected layer follow from the size of the input.
    """

    title: str
    suffixes: tuple[str, ...] = ()
    versions: str = ""
    gaps: tuple[str, ...] = ()
    sizes_follow_input: bool = False


class Source(Record):
    """What is to be read: bytes with a name, and what the user said about them.

    name: the file as the user called it, for errors. data: all of its bytes; of a binary format,
    nothing. inputs: input sizes by input name, or under "" for the only input; without the batch
    or with it, as the user gave them. companion: the path of a second file that belongs to this
    one, or None. path: where the file lies, for readers of binary formats, which open it
    themselves; None where ``data`` was made in memory. options: what else was asked for, by name:
    ``phase`` and ``stage`` (Caffe), with commas between several; ``value:NAME``, the value of an
    input, and ``ignore_stated_shapes`` (ONNX).
    """

    name: str
    data: bytes
    inputs: Mapping[str, Shape] = NOTHING
    companion: str | None = None
    path: str | None = None
    options: Mapping[str, str] = NOTHING

    @property
    def text(self) -> str:
        """The bytes as UTF-8. Raises ReadError where they are not."""
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.data.count(b"\n", 0, error.start) + 1
            raise ReadError(
                "this is not text in UTF-8",
                where=f"{self.name}:{line}",
                values=f"byte 0x{self.data[error.start]:02x} at {error.start}",
                hint="a network file is text; is it the right file?",
            ) from None


def one_of_several(source: Source) -> tuple[str, ...]:
    """A sentence about a file that is one of several that hold a model, by its name; or none."""
    from re import fullmatch

    folder, name = os.path.split(source.name)
    match = fullmatch(r"(.+)-0*([0-9]{1,6})-of-0*([0-9]{1,6})(\.\w+)", name)
    if match is None or int(match[3]) < 2:
        return ()
    sentence = f"this is file {match[2]} of {match[3]} of a model: the others hold the rest"
    index = os.path.join(folder, f"{match[1]}{match[4]}.index.json")
    return (sentence + (f"; {index} reads them all" if os.path.isfile(index) else ""),)


STANDARD_INPUT = "standard input"
"""What a file that is called "-" is named in errors."""


def read_bytes(name: str) -> bytes:
    """The bytes of a plain file, or of standard input, of at most MAX_TEXT. Raises ReadError."""
    if name == "-":
        data = sys.stdin.buffer.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise ReadError("this is too long for a text", where=STANDARD_INPUT)
        return data
    return read_part(name, MAX_TEXT, whole=True)


@contextmanager
def standard_input_as_file() -> Generator[str]:
    """The path of a file that has what standard input gives; it is gone afterwards."""
    from shutil import copyfileobj
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="nettally-") as folder:
        path = os.path.join(folder, "standard-input")
        with open(path, "wb") as file:
            copyfileobj(sys.stdin.buffer, file)
        yield path


def read_part(name: str, most: int, *, whole: bool) -> bytes:
    """The first ``most`` bytes of a plain file; whole: a file that has more is refused."""
    try:
        with open(name, "rb", opener=plain_only) as file:
            size = os.fstat(file.fileno()).st_size
            if whole and size > most:
                raise ReadError(
                    "the file is too large for a description in text",
                    where=name,
                    values=f"{size:,} bytes, at most {most:,}",
                )
            return file.read(most + 1 if whole else most)
    except OSError as error:
        raise ReadError(
            f"can't open the file: {error.strerror}", where=name, hint=neighbour(name)
        ) from None


def neighbour(path: str) -> str:
    """A question where something of nearly the name lies beside a file that is not there; or "".

    Of a path whose folder is not there, it is the folder that is asked for.
    """
    folder, name = os.path.split(path)
    if folder and not os.path.exists(folder):
        return neighbour(folder)
    try:
        beside = os.listdir(folder or ".")
    except OSError:
        return ""
    near = nearest(name, beside) if not os.path.exists(path) else ()
    return f"did you mean '{os.path.join(folder, near[0])}'?" if near else ""
