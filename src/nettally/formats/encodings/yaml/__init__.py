"""YAML as data: a tree of strings that knows its lines, and nothing that YAML can do beyond that.

The parser's events are composed here and not by PyYAML, because PyYAML's composer follows aliases
(a small file can stand for a huge tree), merges keys (exponential in ``safe_load`` itself), lets
the last of two equal keys win, turns ``no`` and ``1:30`` into other things, and forgets the lines.
"""

from __future__ import annotations

from typing import Any, Protocol

from ....errors import ReadError
from .plain import compose_plain
from .tree import MAX_DEPTH, Mapping, Scalar, Sequence, Yaml, clip

MAX_BYTES = 16 * 2**20
MAX_NODES = 600_000
MAX_SCALAR = 100_000


class NamedText(Protocol):
    """What is composed: a file's name, for errors, and its text, also as the bytes that it was."""

    @property
    def name(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def text(self) -> str: ...


def parser(text: str) -> Any:
    """PyYAML's parser of events: libyaml's where it is there, else the slower one in Python."""
    import yaml

    if yaml.__with_libyaml__:
        return yaml.CBaseLoader(text)  # only its events are asked for; nothing is constructed
    return yaml.BaseLoader(text)


def compose(source: NamedText) -> Yaml:
    """The file's one document. Raises ReadError with ``file:line``; time is linear in the size."""
    if len(source.data) > MAX_BYTES:
        raise ReadError(
            "the file is too large for a description of a network",
            where=source.name,
            values=f"{len(source.data):,} bytes, at most {MAX_BYTES:,}",
        )
    text = source.text
    tree = compose_plain(text)
    return compose_events(text, source.name) if tree is None else tree


def compose_events(text: str, file: str) -> Yaml:
    """As ``compose``, by PyYAML's events in any case."""
    import yaml

    try:
        return _compose(parser(text), file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        if "nesting depth" in str(error.problem):  # PyYAML, from 6.0.4 on, has a limit of its own
            raise ReadError(
                f"lists nest more than {MAX_DEPTH} deep", where=f"{file}:{line}"
            ) from None
        raise ReadError(
            f"this is not YAML: {error.problem or error.context}",
            where=f"{file}:{line}",
            hint="a line is '- name: layer'; text with ': ' or ' #' in it needs quotes",
        ) from None
    except yaml.reader.ReaderError as error:
        at = error.position if isinstance(error.position, int) else 0
        line = text.count("\n", 0, at) + 1
        raise ReadError(
            "this is not YAML: a character that is not allowed",
            where=f"{file}:{line}",
            values=f"character {error.character!r}",
        ) from None


def _compose(events: Any, file: str) -> Yaml:
    import yaml

    scalar, alias = yaml.ScalarEvent, yaml.AliasEvent
    list_start, list_end = yaml.SequenceStartEvent, yaml.SequenceEndEvent
    map_start, map_end = yaml.MappingStartEvent, yaml.MappingEndEvent
    document_start, stream_end = yaml.DocumentStartEvent, yaml.StreamEndEvent
    tree = _Tree(file)
    documents = 0
    next_event = events.get_event
    while True:
        event = next_event()
        kind = event.__class__
        if kind is scalar:
            tree.scalar(event)
        elif kind is map_start:
            tree.open(Mapping({}, event.start_mark.line + 1), event)
        elif kind is list_start:
            tree.open(Sequence([], event.start_mark.line + 1), event)
        elif kind is map_end or kind is list_end:
            tree.close()
        elif kind is alias:
            raise tree.error(
                f"'*{clip(event.anchor)}': an alias is not allowed",
                event.start_mark.line + 1,
                "a block with parameters says the same thing in many places",
            )
        elif kind is document_start:
            documents += 1
            if documents > 1:
                raise tree.error("a file holds one document", event.start_mark.line + 1)
        elif kind is stream_end:
            if tree.root is None:
                raise tree.error("the file is empty", 1)
            return tree.root


class _Tree:
    """The tree as far as it is composed, and the lists and mappings in it that are still open."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Yaml | None = None
        self.stack: list[Sequence | Mapping] = []
        self.keys: list[Scalar | None] = []  # of each open mapping, the key that waits for a value
        self.seen: list[set[str]] = []
        self.count = 0

    def error(self, what: str, line: int, hint: str = "", values: str = "") -> ReadError:
        return ReadError(what, where=f"{self.file}:{line}", hint=hint, values=values)

    def scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        node = Scalar(event.value, line, not event.style)
        if len(node.text) > MAX_SCALAR:
            raise self.error(
                "a text is too long",
                line,
                values=f"{len(node.text):,} characters, at most {MAX_SCALAR:,}",
            )
        self._add(node, event)

    def open(self, node: Sequence | Mapping, event: Any) -> None:
        """A list or a mapping begins."""
        if len(self.stack) >= MAX_DEPTH:
            raise self.error(f"lists nest more than {MAX_DEPTH} deep", node.line)
        self._add(node, event)
        self.stack.append(node)
        if node.__class__ is Mapping:
            self.keys.append(None)
            self.seen.append(set())

    def close(self) -> None:
        """The innermost list or mapping ends."""
        closed = self.stack.pop()
        if closed.__class__ is Mapping:
            self.keys.pop()
            self.seen.pop()

    def _add(self, node: Yaml, event: Any) -> None:
        """Puts a node into the list or mapping that is open, there as a key or as its value."""
        line = node.line
        self.count += 1
        if self.count > MAX_NODES:
            raise self.error("the file has too many parts", line, values=f"over {MAX_NODES:,}")
        if event.anchor is not None:
            raise self.error(f"'&{clip(event.anchor)}': an anchor is not allowed", line)
        if event.tag is not None:
            raise self.error(
                f"'{clip(event.tag)}': a tag is not allowed", line, "everything here is plain text"
            )
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self.keys[-1]
        if key is None:
            self.keys[-1] = self._key(node)
        else:
            parent.pairs[key] = node
            self.keys[-1] = None

    def _key(self, node: Yaml) -> Scalar:
        """The node, if it may be the next key of the mapping that is open."""
        if not isinstance(node, Scalar):
            raise self.error("a key must be a plain text", node.line)
        if node.text == "<<" and node.plain:
            raise self.error("'<<': merging keys is not allowed", node.line)
        if node.text in self.seen[-1]:
            raise self.error(f"'{clip(node.text)}' stands here twice", node.line)
        self.seen[-1].add(node.text)
        return node
