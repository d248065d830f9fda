"""What type checkers read of ``import nettally`` is what it has."""

from __future__ import annotations

import ast
from pathlib import Path

import nettally


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(nettally.__file__).read_text("utf-8"))
    imported = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    modules = dict.fromkeys(nettally._MODULES)
    assert imported == {**nettally._HOME, **modules}
