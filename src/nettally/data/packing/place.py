"""The folder that is packed into: whose it is, whether it is finished, who else is at it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import NettallyError
from ...files import plain_only
from .finish import STATE, cut_off, tidy
from .manifest import MANIFEST, read_manifest
from .shard import write_file

if TYPE_CHECKING:
    from .manifest import Manifest

LOCK = "packing.lock"


def outside(root: str, out: str) -> None:
    """Refuse to pack into the source itself, where it would be found as a class the next time."""
    inner, outer = os.path.realpath(out), os.path.realpath(root)
    if inner == outer or inner.startswith(outer + os.sep):
        raise NettallyError(
            "the packed data would lie in what is packed",
            where=out,
            hint="name a folder beside the source",
        )


class Folder:
    """The folder that is packed into: made, looked at, and held against a second packing."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock: Any = None

    def __enter__(self) -> Folder:
        try:
            os.makedirs(self.path, exist_ok=True)
            names = os.listdir(self.path)
        except OSError as error:
            raise NettallyError(
                f"can't make the folder: {error.strerror}", where=self.path
            ) from None
        if not {MANIFEST, STATE, LOCK} & set(names) and not all(cut_off(each) for each in names):
            raise NettallyError(
                "the folder holds something else",
                where=self.path,
                values=", ".join(sorted(names)[:3]) + (", …" if len(names) > 3 else ""),
                hint="name a folder that is new or empty",
            )
        self._hold()
        return self

    def __exit__(self, *_: object) -> None:
        if self.lock is not None:
            with suppress(OSError):
                os.unlink(os.path.join(self.path, LOCK))
            self.lock.close()

    def _hold(self) -> None:
        """Lock the folder, where the system can; the lock ends with the process."""
        try:
            import fcntl
        except ImportError:  # Windows
            return
        path = os.path.join(self.path, LOCK)
        lock = None
        try:
            while self.lock is None:
                lock = open(path, "wb", opener=plain_only)  # noqa: SIM115 - see __exit__
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # another process that ended just now may have removed it between the two
                if os.path.exists(path) and os.path.samestat(
                    os.fstat(lock.fileno()), os.stat(path)
                ):
                    self.lock = lock
                else:
                    lock.close()
        except BlockingIOError:
            if lock is not None:
                lock.close()
            raise NettallyError(
                "another process is packing into this folder",
                where=self.path,
                hint="wait for it, or name another folder",
            ) from None
        except OSError as error:
            raise NettallyError(
                f"can't write into the folder: {error.strerror}", where=self.path
            ) from None

    def begin(self, digest: str, name: str, again: bool) -> Manifest | None:
        """The manifest, where this was packed already; else the folder is ready to go on."""
        state = os.path.join(self.path, STATE)
        if again:
            tidy(self.path, everything=True)
        if os.path.lexists(os.path.join(self.path, MANIFEST)):
            manifest = read_manifest(self.path)
            if manifest.packed.get("source") != digest:
                raise self._other("packed data", manifest.name)
            tidy(self.path)
            return manifest
        if os.path.lexists(state):
            try:
                with open(state, "rb", opener=plain_only) as file:
                    unfinished = json.load(file)
                same, other = unfinished["source"] == digest, str(unfinished["name"])
            except (OSError, ValueError, TypeError, KeyError, RecursionError):
                same, other = False, "which cannot be told"
            # without a shard that is complete there is nothing to be lost
            if not same and any(each.endswith(".u8.json") for each in os.listdir(self.path)):
                raise self._other("an unfinished packing", other)
        tidy(self.path, unfinished=False)
        text = json.dumps({"nettally_packing": 1, "source": digest, "name": name}).encode()
        try:
            write_file(state, lambda file: file.write(text))
        except OSError as error:
            raise NettallyError(
                f"can't write into the folder: {error.strerror}", where=self.path
            ) from None
        return None

    def _other(self, what: str, name: str) -> NettallyError:
        return NettallyError(
            f"the folder holds {what} of another source, or packed in another way",
            where=self.path,
            values=name[:100],
            hint="name another folder, or replace what is there: --again",
        )


def size_text(size: int) -> str:
    """Bytes for people: 1.5 GB."""
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size < 1000 * unit else f"{size // unit:,} {name}"
    return f"{size} bytes"
