"""What type checkers read of ``import nettally`` is what it has."""

from __future__ import annotations

import ast
from pathlib import Path

import nettally


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(nettally.__file__).read_text("utf-8"))
    (checked,) = [each for each in tree.body if isinstance(each, ast.If)]
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in checked.body
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert imported == {name: f"{home}.{name}" for name, home in nettally._HOME.items()}
