"""A tiny language of expressions: numbers, names, + - * / //, parentheses, calls.

Block parameters in our own files are computed with it, and claims are written in it. ``parse``
makes a tree and computes nothing; what a name means is up to the one who asked. Nothing is ever
evaluated as Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import NettallyError
from .record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DIGITS = 40
MAX_OPERATIONS = 100
MAX_DEPTH = 40


class Number(Record):
    value: int | float
    at: int


class Name(Record):
    """A name, its quotes taken off. at: where it begins in the text, from 0."""

    text: str
    at: int


class Operation(Record):
    """sign: one of + - * / //. A minus before an operand is 0 - operand."""

    sign: str
    left: Tree
    right: Tree
    at: int


class FunctionCall(Record):
    function: str
    arguments: tuple[Tree, ...]
    at: int


Tree = Number | Name | Operation | FunctionCall


class ExpressionError(NettallyError):
    """Text that is no expression. column: where, from 0."""

    column = 0


def names(tree: Tree) -> Iterator[str]:
    """The names in an expression, from left to right."""
    if isinstance(tree, Name):
        yield tree.text
    elif isinstance(tree, Operation):
        yield from names(tree.left)
        yield from names(tree.right)
    elif isinstance(tree, FunctionCall):
        for argument in tree.arguments:
            yield from names(argument)


def parse(text: str, *, globs: bool = False) -> Tree:
    """The tree of an expression.

    A name is letters, digits, ``_`` and dots, beginning with a letter; any part of it may stand in
    quotes: ``'stem-1'.parameters``. globs: ``*``, ``?`` and ``[]`` belong to a name that they
    touch, so that a product needs blanks: ``conv*.macs * 2``.
    Raises ExpressionError, with the place, for anything else.
    """
    parser = _Parser(text, globs)
    tree = parser.sum(0)
    if parser.peek():
        raise parser.error("an operator is missing here")
    return tree


class _Parser:
    def __init__(self, text: str, globs: bool) -> None:
        self.text = text
        self.at = 0
        self.more = "*?[]" if globs else ""
        self.operations = 0

    def error(self, what: str, at: int | None = None, hint: str = "") -> ExpressionError:
        column = self.at if at is None else at
        text = self.text
        shown = text if len(text) <= 60 else text[max(column - 30, 0) : column + 30]
        error = ExpressionError(
            what,
            values=f"{shown!r}, character {column + 1}",
            hint=hint,
        )
        error.column = column
        return error

    def peek(self) -> str:
        """The next character that is not blank, or "" at the end."""
        text, at = self.text, self.at
        while at < len(text) and text[at].isspace():
            at += 1
        self.at = at
        return text[at] if at < len(text) else ""

    def operation(self, sign: str, left: Tree, right: Tree, at: int) -> Operation:
        self.operations += 1
        if self.operations > MAX_OPERATIONS:
            raise self.error(f"an expression has at most {MAX_OPERATIONS} operations", at)
        return Operation(sign, left, right, at)

    def sum(self, depth: int) -> Tree:
        left = self.product(depth)
        while (sign := self.peek()) and sign in "+-":
            at = self.at
            self.at += 1
            left = self.operation(sign, left, self.product(depth), at)
        return left

    def product(self, depth: int) -> Tree:
        left = self.operand(depth)
        while (sign := self.peek()) and sign in "*/":
            at = self.at
            if self.text.startswith("//", at):
                sign = "//"
            self.at += len(sign)
            left = self.operation(sign, left, self.operand(depth), at)
        return left

    def operand(self, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            raise self.error(f"parentheses nest at most {MAX_DEPTH} deep")
        first = self.peek()
        at = self.at
        if first == "":
            raise self.error("the expression ends where a number or a name should be")
        if first == "(":
            self.at += 1
            tree = self.sum(depth + 1)
            self.close(at)
            return tree
        if first == "-":
            self.at += 1
            tree = self.operand(depth + 1)
            if isinstance(tree, Number):
                return Number(-tree.value, at)
            return self.operation("-", Number(0, at), tree, at)
        if first in "0123456789" or (first == "." and self.text[at + 1 : at + 2].isdigit()):
            return self.number()
        if first == "_" or first.isalpha() or first in "'\"" or first in self.more:
            return self.name(depth)
        raise self.error(f"a number or a name should stand here, not {first!r}")

    def close(self, opened: int) -> None:
        if self.peek() != ")":
            raise self.error("this parenthesis is never closed", opened)
        self.at += 1

    def number(self) -> Number:
        text, at = self.text, self.at
        end = _digits(text, at)
        whole = True
        if text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit():
            end, whole = _digits(text, end + 1), False
        if text[end : end + 1] in ("e", "E"):
            power = end + (2 if text[end + 1 : end + 2] in ("+", "-") else 1)
            if _digits(text, power) > power:
                end, whole = _digits(text, power), False
        if end - at > MAX_DIGITS:
            raise self.error(f"a number has at most {MAX_DIGITS} digits", at)
        self.at = end
        value = int(text[at:end]) if whole else float(text[at:end])
        if value in (float("inf"), float("-inf")):
            raise self.error("this number is too large", at)
        return Number(value, at)

    def name(self, depth: int) -> Tree:
        text, start = self.text, self.at
        parts: list[str] = []
        while self.at < len(text):
            mark = text[self.at]
            if mark in "'\"":
                end = text.find(mark, self.at + 1)
                if end < 0:
                    raise self.error("this quotation mark is never closed")
                parts.append(text[self.at + 1 : end])
                self.at = end + 1
            elif mark in "_." or mark.isalnum() or mark in self.more:
                parts.append(mark)
                self.at += 1
            else:
                break
        name = "".join(parts)
        if self.peek() != "(":
            return Name(name, start)
        opened = self.at
        self.at += 1
        arguments = [self.sum(depth + 1)]
        while self.peek() == ",":
            self.at += 1
            arguments.append(self.sum(depth + 1))
        self.close(opened)
        return FunctionCall(name, tuple(arguments), start)


def _digits(text: str, at: int) -> int:
    while at < len(text) and text[at] in "0123456789":
        at += 1
    return at
