"""The networks that come with nettally: found by name, read with our own reader."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ReadError, closest, nearest
from .source import Source, neighbour

if TYPE_CHECKING:
    from ..network import Network

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "zoo")
"""The zoo's folder; one folder a network, with ``network.yaml`` and perhaps ``claims.yaml``."""


class Entry(NamedTuple):
    """A network of the zoo."""

    name: str
    title: str


def names() -> tuple[str, ...]:
    """All the networks, sorted by name."""
    try:
        folders = os.listdir(ROOT)
    except OSError:
        return ()
    return tuple(
        sorted(n for n in folders if os.path.isfile(os.path.join(ROOT, n, "network.yaml")))
    )


def source(name: str) -> Source:
    """The file of a network of the zoo. Raises ReadError where there is none."""
    folder = _folder(name)
    with open(os.path.join(folder, "network.yaml"), "rb") as file:
        return Source(f"zoo/{name}/network.yaml", file.read())


def claims_path(name: str) -> str | None:
    """Where the claims about a network of the zoo stand, or None where there are none."""
    path = os.path.join(_folder(name), "claims.yaml")
    return path if os.path.isfile(path) else None


def claims_of(network: Network) -> str | None:
    """The path of the claims about a network that was read from the zoo, however it was changed.

    None for any other network: a file of one's own called like ours is one's own.
    """
    file = network.source.file if network.source is not None else ""
    parts = file.split("/")
    if len(parts) != 3 or parts[::2] != ["zoo", "network.yaml"] or os.path.exists(file):
        return None
    path = os.path.join(ROOT, parts[1], "claims.yaml")
    return path if parts[1] in names() and os.path.isfile(path) else None


def zoo() -> tuple[Entry, ...]:
    """What there is, with titles."""
    return tuple(Entry(name, _title(name)) for name in names())


def _folder(name: str) -> str:
    # a name with a separator in it would be a path, perhaps out of the zoo
    if name[:1] != "." and name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        folder = os.path.join(ROOT, name)
        if os.path.isfile(os.path.join(folder, "network.yaml")):
            return folder
    raise ReadError(
        f"there is no file '{name}', and no network of the zoo is called so",
        hint=_hint(name),
    )


def _hint(name: str) -> str:
    """A network or a file beside; a file first where the name has a suffix, as files have."""
    networks, file = nearest(name, names()), neighbour(name)
    is_file = file and (not networks or os.path.splitext(name)[1] or f"'{name}." in file)
    return file if is_file else closest(name, names())


def _title(name: str) -> str:
    from .encodings.yaml import compose
    from .encodings.yaml.tree import Mapping, Scalar

    lines: list[bytes] = []
    for line in source(name).data.splitlines(keepends=True):
        if line.startswith((b"blocks:", b"layers:")):
            break
        lines.append(line)
    head = compose(Source(name, b"".join(lines)))
    title = head.get("title") if isinstance(head, Mapping) else None
    return title.text if isinstance(title, Scalar) else ""
