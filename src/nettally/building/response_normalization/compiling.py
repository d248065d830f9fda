"""C source of this package, compiled on the user's own machine by its own compiler, and loaded.

What is compiled is what lies beside this file, and nothing else. The library goes to the user's
cache, under a name made of all that it depends on and of its own contents; it is loaded only where
the folder and the file belong to the user and nobody else may write there, and where the contents
are still those. Where the cache can't be used, a folder is made for this process alone.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

SWITCH = "NETTALLY_COMPILE"
"""This variable of the environment, set to 0, keeps everything from being compiled."""

# Traps and errno are nobody's here, and a fused multiplication rounds once less. Nothing that would
# change what becomes of infinities and NaN.
_FLAGS = (
    *("-std=gnu11", "-O3", "-fPIC", "-shared", "-pthread"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
)
# The first that the compiler takes: GCC and Clang on most, Clang on ARM, any other.
_FOR_THIS_PROCESSOR = (("-march=native",), ("-mcpu=native",), ())
_SECONDS = 120


class NotCompiled(Exception):
    """Why there is no library; the text is for the user."""


def load(source: Path, defined: str) -> tuple[ctypes.CDLL, str]:
    """The library made of a C file with ``-D`` of something, and which compiler made it.

    Raises NotCompiled where it is switched off, no compiler is found, or it fails.
    """
    if os.environ.get(SWITCH) == "0":
        raise NotCompiled(f"{SWITCH} is 0")
    if os.name != "posix":
        raise NotCompiled("not tried on this system")
    compiler = _compiler()
    try:
        text = source.read_bytes()
    except OSError as error:
        raise NotCompiled(f"{source.name} can't be read: {error.strerror}") from None
    parts = (text, defined, *_FLAGS, *compiler, *_identity(compiler[0]), _processor())
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(b"%d:%b" % (len(data), data))
    name = f"{source.stem.strip('_')}-{digest.hexdigest()[:24]}"
    description = f"compiled by {compiler[0]}"
    folder = _cache()
    if folder is not None:
        library = _kept(folder, name)
        if library is None:
            try:
                library = _compile(compiler, text, defined, folder, name)
            except OSError:  # it can't be written to, or is full
                folder = None
        if library is not None:
            return _loaded(library), description
    try:
        with tempfile.TemporaryDirectory(prefix="nettally-") as temporary:  # which is 0700
            return _loaded(_compile(compiler, text, defined, Path(temporary), name)), description
    except OSError as error:
        raise NotCompiled(f"no folder to compile in: {error.strerror}") from None


def _compiler() -> list[str]:
    """The command of the user's C compiler: $CC, cc, gcc or clang."""
    try:
        asked = shlex.split(os.environ.get("CC", ""))
    except ValueError:
        asked = []
    for command in (asked, ["cc"], ["gcc"], ["clang"]):
        path = shutil.which(command[0]) if command else None
        if path is not None:
            return [path, *command[1:]]
    raise NotCompiled("no C compiler was found")


def _identity(compiler: str) -> tuple[str, ...]:
    """What changes when another version is installed; asking it would cost a process."""
    path = os.path.realpath(compiler)
    try:
        status = os.stat(path)
    except OSError:
        return (path,)
    return path, str(status.st_size), str(status.st_mtime_ns)


def _processor() -> str:
    """What -march=native depends on: a cache may be shared by machines that are not alike."""
    facts = [platform.system(), platform.machine(), platform.processor()]
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            # of the first processor, which an empty line ends
            for line in lines:
                key = line.partition(":")[0].strip().lower()
                if not key:
                    break
                if key in ("model name", "flags", "features", "cpu part", "cpu model", "isa"):
                    facts.append(line.strip())
    except OSError:
        pass
    return "\n".join(facts)


def _cache() -> Path | None:
    """The user's own folder for what is compiled; None where there is none that can be trusted."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    try:
        if os.path.isabs(configured):
            base = Path(configured)
        else:
            base = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
        folder = base / "nettally"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if _is_ours(folder, stat.S_ISDIR) else None
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None


def _is_ours(path: Path, kind: object) -> bool:
    """Whether it is of that kind, belongs to this user, and nobody else may write to it."""
    status = path.lstat()
    assert callable(kind)
    return (
        bool(kind(status.st_mode)) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
    )


def _kept(folder: Path, name: str) -> Path | None:
    """A library that was compiled before; None where there is none that is as it was."""
    for path in sorted(folder.glob(f"{name}-*.so")):
        try:
            if _is_ours(path, stat.S_ISREG) and path.name == _named(name, path.read_bytes()):
                return path
        except OSError:
            continue
    return None


def _named(name: str, contents: bytes) -> str:
    return f"{name}-{hashlib.sha256(contents).hexdigest()[:24]}.so"


def _compile(compiler: list[str], text: bytes, defined: str, folder: Path, name: str) -> Path:
    """Compile into a folder; at the end it is there whole, whoever else is doing the same."""
    handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=folder)
    os.close(handle)
    try:
        failed = None
        for processor in _FOR_THIS_PROCESSOR:
            flags = [*_FLAGS, *processor, f"-D{defined}", "-x", "c", "-", "-o", temporary, "-lm"]
            failed = _failed([*compiler, *flags], text)
            if failed is None:
                break
        if failed is not None:
            raise NotCompiled(f"{compiler[0]} failed: {failed}")
        os.chmod(temporary, 0o700)
        path = folder / _named(name, Path(temporary).read_bytes())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _failed(command: list[str], text: bytes) -> str | None:
    """Run it; what it complained of, or None."""
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {_SECONDS} s"
    except OSError as error:
        return error.strerror or type(error).__name__
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if "error" in line] or lines
    return errors[0].strip()[:200] if errors else f"exit status {done.returncode}"


def _loaded(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise NotCompiled(f"what the compiler made can't be loaded: {error}") from None
