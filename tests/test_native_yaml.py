"""Our own reader of plain YAML is no other reader: it agrees with PyYAML, or leaves it to it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nettally.errors import NettallyError
from nettally.formats.encodings import yaml as _yaml
from nettally.formats.encodings.yaml.plain import compose_plain


def slow(text: str) -> Any:
    """What PyYAML's events lead to; the error's text where they lead to none."""
    try:
        return _yaml.compose_events(text, "x")
    except NettallyError as error:
        return str(error)


indents = st.sampled_from(["", "  ", "    ", " ", "- ", "  - ", "    - ", "- - ", "-   "])
texts = st.one_of(
    st.sampled_from(
        ["a", "b", "a b", "conv 3x3, [1, 2]", "a # b", "a #b", "a#b", "a: b", "a:b", "a:", ":a",
         "'a'", "'a''b'", "'a", '"a"', '"a\\n"', "'a' # c", "'a'b", "#", "# c", "-", "-a", "- a",
         "?", "? a", "!a", "&a", "*a", "|", ">", "%a", "@a", "`a", "{a: b}", "[a]", "a{1..2}",
         "1:2", "---", "...", "--- a", "null", "~", "<<", "a\tb", "é", "a·b", "(a)", ".5", "+1",
         "-1", "=", "a 'b'", "it's", "a,", ", a", "a]", "]", "}", "", " ", "a\u2028b", "a\x85b"]
    ),
    st.text(st.sampled_from("ab1:#'\"-,[]{} \\.&*!|>%@?~"), max_size=8),
)  # fmt: skip
lines = st.one_of(
    st.tuples(indents, texts).map("".join),
    st.tuples(indents, texts, st.just(": "), texts).map("".join),
    st.tuples(indents, texts, st.just(":")).map("".join),
    st.tuples(indents, st.sampled_from("abcd"), st.sampled_from([": ", ":", " : "]), texts).map(
        "".join
    ),
)


@given(st.lists(lines, max_size=6).map("\n".join))
def test_plain_yaml_is_read_as_pyyaml_reads_it(text: str) -> None:
    tree = compose_plain(text)
    if tree is not None:
        assert tree == slow(text)


shapes = st.recursive(
    st.sampled_from(["a", "3x3, no b", "'q: #'", "(a)", "it's"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b(c, d = 1)", "e f"]), inner, min_size=1),
    ),
    max_leaves=8,
)


def laid_out(tree: Any, indent: int) -> list[str]:
    """Lines of block YAML; a list in a list or mapping in a list begins on the dash's line."""
    if isinstance(tree, list):
        made: list[str] = []
        for item in tree:
            if isinstance(item, str):
                made.append(" " * indent + "- " + item)
            else:
                inner = laid_out(item, indent + 2)
                made += [" " * indent + "- " + inner[0][indent + 2 :], *inner[1:]]
        return made
    made = []
    for key, value in tree.items():
        if isinstance(value, str):
            made.append(" " * indent + f"{key}: {value}")
        else:
            made += [" " * indent + f"{key}:", "", "  # c", *laid_out(value, indent + 2)]
    return made


def test_the_zoo_is_read_without_importing_pyyaml() -> None:
    told = "import sys, nettally; nettally.read('alexnet'); print('yaml' in sys.modules)"
    bare = "import sys; print('yaml' in sys.modules)"
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for code in (told, bare)
    ]
    assert said[0].stdout == said[1].stdout


@given(shapes.filter(lambda tree: not isinstance(tree, str)))
def test_plain_yaml_needs_no_pyyaml(tree: Any) -> None:
    text = "\n".join(laid_out(tree, 0))
    assert compose_plain(text) is not None
    assert compose_plain(text) == slow(text)
