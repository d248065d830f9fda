"""What importing and counting must not import: torch, numpy, the network; and click and rich early.

Each question is asked of a fresh interpreter, since this one has imported torch already.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "torchvision", "numpy", "h5py", "onnx", "tensorflow", "keras")
NETWORK = ("socket", "ssl", "http.client", "urllib.request", "asyncio")
EDGES = ("click", "rich", "yaml")

COUNT = """
import nettally
tally = nettally.tally(nettally.read("alexnet"))
assert tally.parameters > 60_000_000, tally.parameters
"""

EVERY_LAYER = """
from nettally.layers import kinds, layer_class
for kind in kinds():
    layer_class(kind)
"""


def imported(snippet: str, asked: tuple[str, ...], path: Path | None = None) -> set[str]:
    """Those of the asked modules that a fresh interpreter has imported after the snippet.

    path: a folder that is searched for modules before all others.
    """
    told = f"{snippet}\nimport sys\nprint('imported', *(set({asked}) & sys.modules.keys()))"
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def bare(asked: tuple[str, ...]) -> set[str]:
    """What an empty program imports of them; a site hook of this machine may import anything."""
    return imported("", asked)


def test_counting_imports_neither_torch_nor_numpy_nor_network() -> None:
    asked = HEAVY + NETWORK
    assert imported(COUNT, asked) <= bare(asked)


@pytest.mark.parametrize("module", ["torch", "numpy", "socket", "http.client", "urllib.request"])
def test_the_test_above_can_fail(module: str, tmp_path: Path) -> None:
    """The same question of a count that does import the module; torch and numpy need not exist."""
    if module in HEAVY:
        (tmp_path / f"{module}.py").touch()
    asked = HEAVY + NETWORK
    assert module in imported(f"{COUNT}\nimport {module}", asked, tmp_path) - bare(asked)


def test_every_layer_is_imported_without_torch() -> None:
    """A layer knows nothing of torch: its torch module is registered in building."""
    asked = HEAVY + NETWORK
    assert imported(EVERY_LAYER, asked) <= bare(asked)


def test_importing_the_package_imports_none_of_its_edges() -> None:
    asked = HEAVY + NETWORK + EDGES
    assert imported("import nettally", asked) <= bare(asked)
