"""Registries: found by a key, imported when first asked for, and never two under one key."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from nettally import registry
from nettally.display import Display, Displayed, display_of
from nettally.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from, and forgotten again."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_home_is_imported_when_its_key_is_asked_for(modules: Path) -> None:
    (modules / "one_home.py").write_text("value = 1\n")
    (modules / "broken_home.py").write_text("raise RuntimeError\n")
    homes = {"one": "one_home", "broken": "broken_home"}
    modules_by_name = Registry("modules", homes, of_modules=True)
    assert "one_home" not in sys.modules
    assert modules_by_name.find("one").value == 1
    assert modules_by_name.find("none") is None
    assert "broken_home" not in sys.modules
    assert list(modules_by_name) == ["one", "broken"]
    # elsewhere a module that does not register what it should is no entry
    assert Registry("things", homes).find("one") is None


def test_fillers_register_many_and_are_imported_once(modules: Path) -> None:
    things = Registry("things of the test", fillers=("filler_below",))
    (modules / "filler_below.py").write_text(
        "import sys\nsys.modules['test_things'].add('a', len(sys.modules))\n"
    )
    sys.modules["test_things"] = things  # type: ignore[assignment] - so that the filler finds it
    first = things.find("a")
    assert first is not None
    assert things.find("b") is None
    assert things.find("a") == first
    assert list(things) == ["a"]


def test_what_stands_above_is_named_by_the_face_alone(
    modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (modules / "filler_above.py").write_text(
        "import sys\nsys.modules['test_above'].add('a', 'from above')\n"
    )
    above = Registry("things from above")
    sys.modules["test_above"] = above  # type: ignore[assignment]
    monkeypatch.setitem(registry.FILLERS, "things from above", ("filler_above",))
    assert above.find("a") == "from above"


def test_a_key_has_one_entry() -> None:
    things = Registry("things")
    things.add("a", 1)
    things.add("a", 1)
    with pytest.raises(ValueError, match="two things are called 'a': 1 and 2"):
        things.add("a", 2)
    assert things.find("a") == 1


def test_a_noun_is_shown_as_its_base_and_an_unknown_one_by_its_repr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Noun(Displayed):
        def __repr__(self) -> str:
            return "<a noun>"

    class Special(Noun):
        pass

    assert str(Noun()) == "<a noun>"
    assert Noun()._repr_html_() is None
    assert display_of(Noun()) is None
    from nettally.display import DISPLAYS

    monkeypatch.setitem(DISPLAYS.entries, Noun, Display(lambda noun: "text", lambda noun: "<b>"))
    assert str(Special()) == "text"
    assert Special()._repr_html_() == "<b>"
    assert Special()._repr_svg_() is None
