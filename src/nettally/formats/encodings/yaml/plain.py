"""The plain part of YAML, read without PyYAML: importing that takes longer than most commands.

Block lists and mappings of one-line texts, plain or in quotes, and comments: that is how our own
files are written. Wherever there is the least doubt, ``compose_plain`` gives up and the file goes
to PyYAML, so that this can be fast and can't be different; a test holds the two together.
"""

from __future__ import annotations

from typing import NamedTuple

from .tree import MAX_DEPTH, Mapping, Scalar, Sequence, Yaml

MAX_TEXT = 200_000
MAX_LINE = 1000

_FIRST = frozenset("_(.+=/$^")
"""What a plain text may begin with, beside letters and digits; all else may mean something."""


class _Doubt(Exception):
    pass


class _Token(NamedTuple):
    """A dash (key None, text None), a key with or without its text, or a text alone."""

    line: int
    column: int
    key: str | None
    text: Scalar | None


def compose_plain(text: str) -> Yaml | None:
    """The tree, the same as PyYAML would lead to; or None, and PyYAML has to say."""
    if len(text) > MAX_TEXT or not text.replace("\n", "").isprintable():
        return None
    try:
        tokens: list[_Token] = []
        for number, line in enumerate(text.split("\n"), 1):
            if line:
                _cut(line, number, tokens)
        if not tokens or tokens[0].column:
            return None
        node, end = _node(tokens, 0, 0)
    except _Doubt:
        return None
    return node if end == len(tokens) else None


def _cut(line: str, number: int, tokens: list[_Token]) -> None:
    """The tokens of a line: any number of dashes, then a key, a text, or both."""
    rest = line.lstrip(" ")
    column = len(line) - len(rest)
    if not rest or rest[0] == "#":
        return
    if len(line) > MAX_LINE or (column == 0 and rest.startswith(("---", "...", "%"))):
        raise _Doubt
    while rest.startswith("- "):
        tokens.append(_Token(number, column, None, None))
        after = rest[2:].lstrip(" ")
        column += len(rest) - len(after)
        rest = after
    if not rest or not _begins_plain(rest):
        if not rest or rest[0] not in "'\"":
            raise _Doubt
        tokens.append(_Token(number, column, None, Scalar(_quoted(rest), number, False)))
        return
    key, colon, value = rest.partition(": ")
    if not colon:
        bare = rest.partition(" #")[0].rstrip(" ")
        if not bare.endswith(":"):
            tokens.append(_Token(number, column, None, Scalar(bare, number)))
            return
        key, value = bare[:-1], ""
    if " #" in key or ":" in key[-1:]:
        raise _Doubt
    key = key.rstrip(" ")
    value = value.lstrip(" ")
    if not value or value[0] == "#":
        tokens.append(_Token(number, column, key, None))
    elif value[0] in "'\"":
        tokens.append(_Token(number, column, key, Scalar(_quoted(value), number, False)))
    else:
        bare = value.partition(" #")[0].rstrip(" ")
        if not _begins_plain(bare) or ": " in bare or bare[-1] == ":":
            raise _Doubt
        tokens.append(_Token(number, column, key, Scalar(bare, number)))


def _begins_plain(text: str) -> bool:
    first = text[0]
    return first.isalnum() or first in _FIRST


def _quoted(text: str) -> str:
    """A quotation on one line, with nothing but a comment after it."""
    mark = text[0]
    end = text.find(mark, 1)
    while mark == "'" and end >= 0 and text[end + 1 : end + 2] == mark:
        end = text.find(mark, end + 2)
    after = text[end + 1 :].lstrip(" ")
    if end < 0 or (after and (after[0] != "#" or text[end + 1] != " ")):
        raise _Doubt
    inside = text[1:end]
    if mark == '"':
        if "\\" in inside:
            raise _Doubt
        return inside
    return inside.replace("''", "'")


def _node(tokens: list[_Token], at: int, depth: int) -> tuple[Yaml, int]:
    """The node that begins at a token, and the token after it."""
    if depth >= MAX_DEPTH or at >= len(tokens):
        raise _Doubt
    line, column, key, text = tokens[at]
    node: Yaml
    if key is None and text is not None:
        return text, at + 1
    if key is None:
        node = Sequence([], line)
        while at < len(tokens) and tokens[at].column == column and _is_dash(tokens[at]):
            if at + 1 == len(tokens) or tokens[at + 1].column <= column:
                raise _Doubt
            item, at = _node(tokens, at + 1, depth + 1)
            node.items.append(item)
    else:
        node = Mapping({}, line)
        seen: set[str] = set()
        while at < len(tokens) and tokens[at].column == column and tokens[at].key is not None:
            number, _, name, text = tokens[at]
            assert name is not None
            if name in seen:
                raise _Doubt
            seen.add(name)
            at += 1
            if text is not None:
                node.pairs[Scalar(name, number)] = text
                continue
            if at == len(tokens) or tokens[at].line == number:
                raise _Doubt
            inner = tokens[at].column
            if inner < column or (inner == column and not _is_dash(tokens[at])):
                raise _Doubt
            node.pairs[Scalar(name, number)], at = _node(tokens, at, depth + 1)
    if at < len(tokens) and tokens[at].column > column:
        raise _Doubt
    return node, at


def _is_dash(token: _Token) -> bool:
    return token.key is None and token.text is None
