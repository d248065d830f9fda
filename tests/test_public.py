"""The public face: every name is there when asked for, and nothing is imported before."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import nettally


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", nettally._HOME)
def test_a_name_resolves_to_its_home(name: str) -> None:
    home = import_module(f"nettally.{nettally._HOME[name]}")
    assert getattr(nettally, name) is getattr(home, name)
    assert name in nettally.__all__
    assert name in dir(nettally)


def test_all_is_what_there_is() -> None:
    assert sorted(nettally.__all__) == sorted(nettally._HOME)
    namespace: dict[str, object] = {}
    exec("from nettally import *", namespace)
    assert set(nettally.__all__) <= set(namespace)


def test_no_module_has_the_name_of_a_function() -> None:
    """Importing a submodule binds its name in the package: it would take the function's place."""
    root = Path(nettally.__file__).parent
    modules = {each.stem for each in root.glob("*.py")} | {
        each.parent.name for each in root.glob("*/__init__.py")
    }
    assert not modules & set(nettally._HOME)


def test_importing_the_face_imports_nothing_behind_it() -> None:
    code = "import sys, nettally; print([m for m in sys.modules if m.startswith('nettally')])"
    assert set(fresh(code).strip("[]").split(", ")) == {"'nettally'", "'nettally.registry'"}


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'nettally' has no attribute 'talley'"):
        _ = nettally.talley


def test_a_name_is_looked_up_once() -> None:
    code = (
        "import nettally; nettally.tally; print('tally' in vars(nettally), "
        "nettally.__getattr__('tally') is nettally.tally)"
    )
    assert fresh(code) == "True True"


def test_the_arrows_of_the_design() -> None:
    """Read, tally, check, explain: from one to the next without another import."""
    network = nettally.read("alexnet")
    counted = nettally.tally(network)
    (verdict,) = nettally.check(counted, ["conv1.neurons = 253,440"])
    assert verdict.status == "differs"
    explained = nettally.explain(counted, verdict.claim)
    assert explained.found
    assert len(nettally.reconcile(counted)) == len(nettally.ACCOUNTINGS)
