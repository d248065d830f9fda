"""Opening files, plain ones only: a pipe waits for a writer for ever, and a device may not end."""

from __future__ import annotations

import os
import stat

from .errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NOT_PLAIN: tuple[tuple[Callable[[int], bool], str, str], ...] = (
    (stat.S_ISDIR, "a folder", "name a file in it"),
    (stat.S_ISFIFO, "a pipe", "write what comes out of it into a file, and name that"),
    (stat.S_ISSOCK, "a socket", "name a plain file"),
    (stat.S_ISCHR, "a device", "name a plain file"),
    (stat.S_ISBLK, "a device", "name a plain file"),
)


def plain_only(path: str | os.PathLike[str], flags: int) -> int:
    """An opener for ``open``, which waits for nothing: ``open(path, "rb", opener=plain_only)``.

    Raises ReadError for a folder, a pipe, a socket or a device, and OSError as ``os.open`` does.
    """
    if os.path.exists(path):
        _check(os.stat(path).st_mode, path)  # before it is opened: opening a device may start it
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    try:
        _check(os.fstat(descriptor).st_mode, path)
    except ReadError:
        os.close(descriptor)
        raise
    return descriptor


def _check(mode: int, path: str | os.PathLike[str]) -> None:
    for is_kind, kind, hint in _NOT_PLAIN:
        if is_kind(mode):
            what = f"this is {kind}, and not a file"
            raise ReadError(what, where=os.fspath(path), hint=hint)
