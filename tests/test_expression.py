"""The tiny language of expressions: what it reads, what it refuses, and where it points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettally.expression import ExpressionError, FunctionCall, Name, Number, Operation, Tree, parse


def shown(tree: Tree) -> str:
    """The tree with every operation in parentheses."""
    if isinstance(tree, Number):
        return str(tree.value)
    if isinstance(tree, Name):
        return tree.text
    if isinstance(tree, FunctionCall):
        return f"{tree.function}({', '.join(map(shown, tree.arguments))})"
    return f"({shown(tree.left)} {tree.sign} {shown(tree.right)})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("48", "48"),
        ("48*2", "(48 * 2)"),
        ("width * 4 + 1", "((width * 4) + 1)"),
        ("1 + width*4", "(1 + (width * 4))"),
        ("a - b - c", "((a - b) - c)"),
        ("a // 2 * b / 3", "(((a // 2) * b) / 3)"),
        ("(a + b) * (c)", "((a + b) * c)"),
        ("-1", "-1"),
        ("-a", "(0 - a)"),
        ("2 - -1", "(2 - -1)"),
        ("1e-4", "0.0001"),
        (".5 * 1.25E2", "(0.5 * 125.0)"),
        ("conv1.parameters / parameters", "(conv1.parameters / parameters)"),
        ("block1.0.conv2.macs", "block1.0.conv2.macs"),
        ("'stem-1'.macs - 1", "(stem-1.macs - 1)"),
        ('"a b".neurons', "a b.neurons"),
        ("log2(fc8.neurons)", "log2(fc8.neurons)"),
        ("f(1, g(2 + 3))", "f(1, g((2 + 3)))"),
        ("é2", "é2"),
    ],
)
def test_reads(text: str, expected: str) -> None:
    assert shown(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv*.parameters / parameters", "(conv*.parameters / parameters)"),
        ("*.macs", "*.macs"),
        ("conv[1-9].macs * 2", None),  # a hyphen is a minus outside of quotes
        ("conv?_1.macs * 2", "(conv?_1.macs * 2)"),
        ("'conv-*'.macs", "conv-*.macs"),
    ],
)
def test_reads_globs(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            parse(text + ")", globs=True)
    else:
        assert shown(parse(text, globs=True)) == expected


def test_a_tree_knows_where_its_parts_stand() -> None:
    assert parse("48 * width") == Operation("*", Number(48, 0), Name("width", 5), 3)


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("", "the expression ends where a number or a name should be", 0),
        ("48 *", "the expression ends where a number or a name should be", 4),
        ("48 2", "an operator is missing here", 3),
        ("3x3", "an operator is missing here", 1),
        ("(1 + 2", "this parenthesis is never closed", 0),
        ("f(1, 2", "this parenthesis is never closed", 1),
        ("1 + )", "a number or a name should stand here, not ')'", 4),
        ("2 * $", "a number or a name should stand here, not '$'", 4),
        ("'abc", "this quotation mark is never closed", 0),
        ("1" * 41, "a number has at most 40 digits", 0),
        ("1e999", "this number is too large", 0),
        ("1+" * 101 + "1", "an expression has at most 100 operations", 201),
        ("(" * 50 + "1" + ")" * 50, "parentheses nest at most 40 deep", 41),
        ("-" * 50 + "a", "parentheses nest at most 40 deep", 41),
        ("__import__('os').system", "an operator is missing here", 16),
    ],
)
def test_refuses(text: str, what: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.what == what
    assert caught.value.column == column
    assert f"character {column + 1}" in caught.value.values


@given(st.text(alphabet="ab1.+-*/()', \"[]?\u00e9 ", max_size=40), st.booleans())
def test_any_text_is_read_or_refused(text: str, globs: bool) -> None:
    column = 0
    try:
        parse(text, globs=globs)
    except ExpressionError as error:
        column = error.column
    assert 0 <= column <= len(text)


trees = st.recursive(
    st.integers(0, 99).map(str) | st.sampled_from(("a", "b.c")),
    lambda part: st.tuples(part, st.sampled_from(("+", "-", "*", "/", "//")), part).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=12,
)


@given(trees)
def test_what_is_shown_reads_back(text: str) -> None:
    assert shown(parse(text)) == text
