"""Where the tests find the collected files, and how hard hypothesis tries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: the first example of a property often pays for an import.
settings.register_profile("here", deadline=None, max_examples=60)
# The same examples each time, so that a failure there is about the change that is judged.
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of collected files and claims beside the checkout; not part of the project."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("NETTALLY_SHARED") or beside)
    if not folder.is_dir():
        pytest.skip("the folder ../shared with corpus and claims is not there")
    return folder


@pytest.fixture(scope="session")
def corpus(shared: Path) -> Path:
    """Network files as people published them."""
    return _within(shared, "corpus")


@pytest.fixture(scope="session")
def oracles(corpus: Path) -> Path:
    """Shapes and counts that other programs' own tests expect."""
    return _within(corpus, "oracles")


@pytest.fixture(scope="session")
def claims_folder(shared: Path) -> Path:
    """Published figures, as tables."""
    return _within(shared, "claims")


def _within(folder: Path, name: str) -> Path:
    inside = folder / name
    if not inside.is_dir():
        pytest.skip(f"the folder {name} of ../shared is not there")
    return inside
