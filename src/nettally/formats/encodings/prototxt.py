"""Protobuf's text format: own tokens, own parser, a place in the file for every complaint.

Nothing here knows a schema: what comes out is a tree of fields, in order, each with where it
stands. The language is that of "Text Format Language Specification" (protobuf.dev): a colon may
be left out before a message, fields may be parted by ``,`` or ``;``, messages stand in ``{}`` or
``<>``, lists in ``[]``, strings may be quoted either way and are joined where they adjoin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ReadError
from .protobuf_tree import TEMPLATE, Document, Field, Message

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_DEPTH = 64
"""How deep messages may nest; Caffe's own nest 6 deep."""

MAX_FIELDS = 300_000
"""How many fields a file may have, those that are only counted left out; large nets have 30,000."""

_TOKEN = re.compile(
    r"""(?:[\ \t\r\n\f\v]++|\#[^\n]*+)*+
    (?:(?P<word>[A-Za-z_][A-Za-z0-9_]*+)
    |(?P<number>0[xX][0-9a-fA-F]++|(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?[fF]?)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*+"|'(?:[^'\\\n]|\\[^\n])*+')
    |(?P<mark>[{}<>\[\]:;,\-./])
    |(?P<end>\Z)|)""",
    re.VERBOSE | re.ASCII,
)

_PLAIN_FIELD = re.compile(
    r"""[\ \t\r\n]*+(?:(?P<close>\})|([A-Za-z_][A-Za-z0-9_]*+)\ *+(?::?\ *+(?P<message>\{)|:\ *+
    (?:(?P<number>-?[0-9]++(?:\.[0-9]++)?(?![A-Za-z_]))|(?P<word>[A-Za-z_][A-Za-z0-9_]*+)
    |(?P<quote>["'])(?P<string>[^"'\\\n]*+)(?P=quote))))(?=\s*+[A-Za-z_}]|(?<=\{))""",
    re.VERBOSE | re.ASCII,
)
"""A field, or an end of a message, as nearly all are written, which is taken at once."""

_PLACEHOLDER = re.compile(
    r"[$@%][\w{(#]|\{\{|\{%|<[%<]|:\s*(?:<\s*\w+\s*>|\{\s*\w*\s*\}|\[\[|#\s*\w|\?|\*|\.\.)",
    re.ASCII,
)
"""What templates have where a value is to be filled in: ``$N``, ``@N@``, ``{{ n }}``, ``%d``."""

_COMMENT = re.compile(r"(?m)(^|[^:$\s])[ \t]*#.*")


_END = {"{": "}", "<": ">"}
_NUMBERS = re.compile(
    r"(?:-?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?[fF]?\s*+,\s*+)++", re.ASCII
)
"""Numbers with a comma behind each."""


class _Token(NamedTuple):
    kind: str
    text: str
    offset: int


def parse(name: str, text: str, counted: Collection[str] = ()) -> Message:
    """A whole text as one message. Raises ReadError with ``file:line`` for what is no text format.

    counted: the names of fields whose values are counted and not kept, as ``blobs`` have many.
    Linear in the text; messages may nest MAX_DEPTH deep.
    """
    return _Parser(Document(name, text), counted).parse()


class _Parser:
    def __init__(self, document: Document, counted: Collection[str]) -> None:
        self.document = document
        self.text = document.text
        self.at = 0
        self.counted = counted
        self.fields = 0
        self.token = self._next()

    def _next(self) -> _Token:
        text = self.text
        match = _TOKEN.match(text, self.at)
        assert match is not None, "it matches nothing at least"
        kind = match.lastgroup
        if kind is None:
            raise self._strange(match.end())
        start, at = match.span(kind)
        if kind == "number" and at < len(text) and (text[at].isalnum() or text[at] in "_."):
            raise self._error("a number ends in letters", start, values=_line_of(text, start))
        self.at = at
        if kind == "end":
            start = len(text.rstrip())
        return _Token(kind, text[start:at], start)

    def _strange(self, at: int) -> ReadError:
        text = self.document.text
        if text[at] in "\"'":
            return self._error("a quotation mark is never closed", at, values=_line_of(text, at))
        return self._error(f"{text[at]!r} has no meaning here", at, values=_line_of(text, at))

    def _error(self, what: str, at: int, *, values: str = "", hint: str = "") -> ReadError:
        if not hint and self._is_template(at):
            hint = TEMPLATE
        return ReadError(what, where=self.document.where(at), values=values, hint=hint)

    def _is_template(self, at: int) -> bool:
        """Whether there is a placeholder in the line, or the one before, of a place."""
        line = self.text.rfind("\n", 0, at)
        start = max(self.text.rfind("\n", 0, max(line, 0)), at - 400, 0)
        end = self.text.find("\n", at, at + 100)
        near = self.text[start : end if end >= 0 else at + 100]
        return _PLACEHOLDER.search(_COMMENT.sub(r"\1", near)) is not None

    def _take(self) -> _Token:
        token = self.token
        self.token = self._next()
        return token

    def _expected(self, what: str, token: _Token | None = None) -> ReadError:
        """A complaint about what stands here, or about ``token``."""
        token = token or self.token
        if token.kind == "end":
            return self._error(f"the file ends where {what} should come", token.offset)
        text = token.text if len(token.text) <= 40 else token.text[:37] + "..."
        return self._error(
            f"{what} should come here",
            token.offset,
            values=f"found {text}: {_line_of(self.document.text, token.offset)}",
        )

    def parse(self) -> Message:
        root = Message(self.document, "the file", 0)
        open_: list[tuple[Message, str]] = [(root, "")]
        lists: list[tuple[int, str, int]] = []  # of messages: the depth, the field's name and place
        while True:
            message, end = open_[-1]
            token = self.token
            if token.kind == "end":
                if len(open_) > 1:
                    raise self._unclosed(message, end)
                return root
            if token.kind == "mark" and token.text == end:
                self._take()
                open_.pop()
                if lists and lists[-1][0] == len(open_) and self._goes_on():
                    self._push(open_, lists[-1][1], lists[-1][2], _END[self._take().text])
                    continue
                if lists and lists[-1][0] == len(open_):
                    lists.pop()
                self._separator()
                continue
            if token.kind == "mark" and token.text in "}>":
                raise self._error(
                    f"'{token.text}' closes nothing"
                    if not end
                    else f"'{message.name}' was opened otherwise: '{end}' should close it",
                    token.offset,
                    values=_line_of(self.document.text, token.offset),
                )
            if token.kind == "word" and self._plain_fields(open_, token.offset):
                continue
            name, offset = self._name()
            colon = self.token.kind == "mark" and self.token.text == ":"
            if colon:
                self._take()
            if self.token.kind == "mark" and self.token.text in "{<":
                self._push(open_, name, offset, _END[self._take().text])
            elif self.token.kind == "mark" and self.token.text == "[":
                self._take()
                if self.token.kind == "mark" and self.token.text in "{<":
                    lists.append((len(open_), name, offset))
                    self._push(open_, name, offset, _END[self._take().text])
                    continue
                self._list(message, name, offset)
                self._separator()
            elif not colon:
                raise self._expected(f"':' or '{{' after '{name[:60]}'")
            else:
                self._value(message, name, offset)
                self._separator()

    def _plain_fields(self, open_: list[tuple[Message, str]], at: int) -> bool:
        """Take fields and messages while they are plain; whether there is one.

        Only messages that begin here are closed here: others may stand in a list.
        """
        message, start, depth = open_[-1][0], at, len(open_)
        while field := _PLAIN_FIELD.match(self.text, at):
            kind, name = field.lastgroup or "", field[2]
            if kind == "close":
                if len(open_) == depth:
                    break
                open_.pop()
                message = open_[-1][0]
            elif name in self.counted:
                break
            elif kind == "message":
                message = self._push(open_, name, field.start(2), "}")
            else:
                self._keep(message, Field(name, field[kind], kind, field.start(2)))
            at = field.end()
        if at > start:
            self.at = at
            self.token = self._next()
        return at > start

    def _unclosed(self, message: Message, end: str) -> ReadError:
        return self._error(
            f"the '{message.name}' that opens here is never closed",
            message.offset,
            values=f"'{end}' is missing at the end of the file",
        )

    def _goes_on(self) -> bool:
        """Whether another message follows in a list of them."""
        mark = self._take()
        if mark.text == "]":
            return False
        if mark.text != ",":
            raise self._expected("',' or ']'", mark)
        if self.token.text not in ("{", "<"):
            raise self._expected("a message")
        return True

    def _push(self, open_: list[tuple[Message, str]], name: str, offset: int, end: str) -> Message:
        if len(open_) > MAX_DEPTH:
            raise self._error(
                f"messages nest more than {MAX_DEPTH} deep", offset, values=f"at '{name[:60]}'"
            )
        message = Message(self.document, name, offset)
        self._keep(open_[-1][0], Field(name, message, "message", offset))
        open_.append((message, end))
        return message

    def _keep(self, message: Message, field: Field) -> None:
        self.fields += 1
        if self.fields > MAX_FIELDS:
            raise self._error(
                "the file has too many fields", field.offset, values=f"over {MAX_FIELDS:,}"
            )
        message.fields.append(field)

    def _name(self) -> tuple[str, int]:
        token = self.token
        if token.kind == "word":
            self._take()
            return token.text, token.offset
        if token.text != "[":
            raise self._expected("a field's name")
        self._take()
        parts: list[str] = []  # an extension's name, or a type's: [a.b.c]
        while self.token.kind == "word" or self.token.text in (".", "/", "-"):
            parts.append(self._take().text)
        if self.token.text != "]":
            raise self._expected("']'")
        self._take()
        return "[" + "".join(parts) + "]", token.offset

    def _separator(self) -> None:
        if self.token.kind == "mark" and self.token.text in ",;":
            self._take()

    def _list(self, message: Message, name: str, offset: int) -> None:
        if self.token.text == "]":
            self._take()
            return
        self._numbers(message, name, offset)
        while True:
            self._value(message, name, offset)
            if self.token.text == "]":
                self._take()
                return
            if self.token.text != ",":
                raise self._expected("',' or ']'")
            self._take()

    def _numbers(self, message: Message, name: str, offset: int) -> None:
        """Take the numbers that begin a list at once, all but the last: a list may have many."""
        match = _NUMBERS.match(self.text, self.token.offset)
        if match is None:
            return
        texts = match.group().split(",")[:-1]
        if name in self.counted:
            message.skipped += len(texts)
        else:
            fields = [Field(name, text.strip(), "number", offset) for text in texts]
            self.fields += len(fields) - 1
            last = fields.pop()
            message.fields += fields
            self._keep(message, last)
        self.at = match.end()
        self.token = self._next()

    def _value(self, message: Message, name: str, offset: int) -> None:
        token = self.token
        text, kind = token.text, token.kind
        if kind == "string":
            text = self._string()
        elif kind == "mark" and text == "-":
            self._take()
            if self.token.kind not in ("number", "word"):
                raise self._expected("a number")
            text, kind = "-" + self._take().text, "number"
        elif kind in ("number", "word"):
            self._take()
        else:
            raise self._expected(f"a value for '{name[:60]}'")
        if name in self.counted:
            message.skipped += 1 + self._run(name)
        else:
            self._keep(message, Field(name, text, kind, offset))

    def _run(self, name: str) -> int:
        """How many more plain values of the same field follow; they are passed over at once."""
        if self.token.text != name:
            return 0
        run = re.compile(rf"(?:{name}[ \t]*+:[ \t]*+[-+.0-9eE]++[ \t\r\n]++)++")
        match = run.match(self.text, self.token.offset)
        if match is None:
            return 0
        self.at = match.end()
        self.token = self._next()
        return match.group().count(":")

    def _string(self) -> str:
        parts: list[str] = []
        while self.token.kind == "string":
            text = self._take().text[1:-1]
            parts.append(_unescaped(text) if "\\" in text else text)
        return "".join(parts)


_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.ASCII
)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        octal, hexa, short, long, letter = match.groups()
        if letter is not None:
            return _LETTERS.get(letter, letter)
        code = int(octal, 8) if octal else int(hexa or short or long, 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"

    return _ESCAPE.sub(one, text)


def _line_of(text: str, at: int) -> str:
    """What stands from a place to the end of its line, for an error."""
    end = text.find("\n", at, at + 60)
    return text[at : end if end >= 0 else at + 60].strip()
