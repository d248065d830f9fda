"""Registries: found by a key, imported when first asked for, and never two under one key."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nettally
from nettally import registry
from nettally.display import Display, Displayed, display_of
from nettally.registry import Registry


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from, and forgotten again."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "room/__init__.py").touch()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_home_is_imported_when_its_key_is_asked_for(modules: Path) -> None:
    (modules / "room/one_home.py").write_text("value = 1\n")
    (modules / "room/broken_home.py").write_text("raise RuntimeError\n")
    homes = {"one": "one_home", "broken": "broken_home"}
    modules_by_name = Registry("modules", "room", homes, of_modules=True)
    assert "room.one_home" not in sys.modules
    assert modules_by_name.find("one").value == 1
    assert modules_by_name.find("none") is None
    assert "room.broken_home" not in sys.modules
    assert list(modules_by_name) == ["one", "broken"]
    # elsewhere a module that does not register what it should is no entry
    assert Registry("things", "room", homes).find("one") is None


def test_fillers_register_many_and_are_imported_once(modules: Path) -> None:
    things = Registry("things of the test", "room", fillers=("filler_below",))
    (modules / "room/filler_below.py").write_text(
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
    sys.modules["test_above"] = above  # type: ignore[assignment] - no module, but found like one
    monkeypatch.setitem(registry.FILLERS, "things from above", ("filler_above",))
    assert above.find("a") == "from above"


def test_a_key_has_one_entry() -> None:
    things = Registry("things")
    things.add("a", 1)
    things.add("a", 1)
    with pytest.raises(ValueError, match="two things are called 'a': 1 and 2"):
        things.add("a", 2)
    assert things.find("a") == 1


def test_what_was_never_asked_for_is_there_all_the_same(modules: Path) -> None:
    (modules / "room/home_of_a.py").write_text("import sys\nsys.modules['test_late'].add('a', 1)\n")
    (modules / "room/filler_of_b.py").write_text(
        "import sys\nsys.modules['test_late'].add('b', 1)\n"
    )
    late = Registry("things", "room", {"a": "home_of_a"}, ["filler_of_b"])
    sys.modules["test_late"] = late  # type: ignore[assignment] - no module, but found like one
    for key in "ab":
        with pytest.raises(ValueError, match=f"two things are called '{key}': 1 and 2"):
            late.add(key, 2)
        assert late.find(key) == 1


def test_two_functions_are_two_and_a_class_that_is_made_again_is_one() -> None:
    things = Registry("things")

    def same_name(value: int):
        if value:

            def rule() -> int:
                return 1
        else:

            def rule() -> int:
                return 2

        return rule

    def made_again() -> type:
        class Thing:
            pass

        return Thing

    things.add("function", same_name(0))
    things.add("function", same_name(0))
    with pytest.raises(ValueError, match="two things are called 'function'"):
        things.add("function", same_name(1))
    with pytest.raises(ValueError, match="two things are called 'function'"):
        things.add("function", lambda: 3)
    things.add("class", made_again())
    again = made_again()
    things.add("class", again)
    assert things.find("class") is again


def test_a_layer_of_ours_cannot_be_taken_before_it_is_imported() -> None:
    code = """
from nettally.layers import layer
from nettally.network import Layer
try:
    @layer("conv")
    class Conv(Layer):
        pass
except ValueError as error:
    print(str(error)[:27])
import nettally
print(nettally.tally(nettally.read("lenet-5")).parameters > 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "two layers are called 'conv\nTrue\n"


def test_a_registry_names_modules_of_its_own_room_only() -> None:
    """Those above it stand in FILLERS, which is how the contracts can be believed."""
    root = Path(nettally.__file__).parent
    seen = 0
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "Registry":
                continue
            seen += 1
            rooms = [ast.unparse(each) for each in node.args[1:2]]
            rooms += [ast.unparse(each.value) for each in node.keywords if each.arg == "room"]
            assert set(rooms) <= {"__name__", "__package__ or ''"}, path
    assert seen > 5
    assert set(registry.FILLERS) == {
        "displays",
        "accountings",
        "facts of rows",
        "settlers of accountings",
        "readers of accountings",
    }


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
