"""Memory that a step frees is kept for the next step, where the C library can be told to."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Of glibc's <malloc.h>."""

ROOM = 64 * 2**20


def keep_freed_memory() -> bool:
    """Let glibc give no memory back to the system from here on, in this process; whether it does.

    A training step on a processor asks for the same large tensors again and again, and glibc maps
    and unmaps each that is over 32 MB: the system then clears fresh pages, a third of a small
    net's time and a sixth of AlexNet's (docs/training.md). It is for processes that train and end,
    not for a library to do.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, ROOM))
    return all([library.mallopt(name, value) == 1 for name, value in settings])
