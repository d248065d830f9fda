"""Which version of a distribution is installed."""

from __future__ import annotations


def version_of(distribution: str) -> str:
    """``1.2.3``, or "" where it is not installed: what runs from the source never was."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
