"""YAML as data: a tree of strings that knows its lines, and nothing that YAML can do beyond that.

The parser's events are composed here and not by PyYAML, because PyYAML's composer follows aliases
(a small file can stand for a huge tree), merges keys (exponential in ``safe_load`` itself), lets
the last of two equal keys win, turns ``no`` and ``1:30`` into other things, and forgets the lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....errors import ReadError
from .plain import compose_plain
from .tree import MAX_DEPTH, Mapping, Scalar, Sequence, Yaml, clip

if TYPE_CHECKING:
    from ...source import Source

MAX_BYTES = 16 * 2**20
MAX_NODES = 600_000
MAX_SCALAR = 100_000


def parser(text: str) -> Any:
    """PyYAML's parser of events: libyaml's where it is there, else the slower one in Python."""
    import yaml

    if yaml.__with_libyaml__:
        return yaml.CBaseLoader(text)  # only its events are asked for; nothing is constructed
    return yaml.BaseLoader(text)


def compose(source: Source) -> Yaml:
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

    scalar_event, alias = yaml.ScalarEvent, yaml.AliasEvent
    list_start, list_end = yaml.SequenceStartEvent, yaml.SequenceEndEvent
    map_start, map_end = yaml.MappingStartEvent, yaml.MappingEndEvent
    document_start, stream_end = yaml.DocumentStartEvent, yaml.StreamEndEvent
    root: Yaml | None = None
    stack: list[Sequence | Mapping] = []
    keys: list[Scalar | None] = []  # for each open mapping, the key that waits for its value
    seen: list[set[str]] = []
    count = documents = 0
    next_event = events.get_event

    def refuse(what: str, line: int, hint: str = "", values: str = "") -> ReadError:
        return ReadError(what, where=f"{file}:{line}", hint=hint, values=values)

    while True:
        event = next_event()
        kind = event.__class__
        node: Yaml
        if kind is scalar_event:
            line = event.start_mark.line + 1
            node = Scalar(event.value, line, not event.style)
            if len(node.text) > MAX_SCALAR:
                raise refuse(
                    "a text is too long",
                    line,
                    values=f"{len(node.text):,} characters, at most {MAX_SCALAR:,}",
                )
        elif kind is map_start or kind is list_start:
            line = event.start_mark.line + 1
            node = Mapping({}, line) if kind is map_start else Sequence([], line)
            if len(stack) >= MAX_DEPTH:
                raise refuse(f"lists nest more than {MAX_DEPTH} deep", line)
        elif kind is map_end or kind is list_end:
            closed = stack.pop()
            if closed.__class__ is Mapping:
                keys.pop()
                seen.pop()
            continue
        elif kind is alias:
            raise refuse(
                f"'*{clip(event.anchor)}': an alias is not allowed",
                event.start_mark.line + 1,
                "a block with parameters says the same thing in many places",
            )
        elif kind is document_start:
            documents += 1
            if documents > 1:
                raise refuse("a file holds one document", event.start_mark.line + 1)
            continue
        elif kind is stream_end:
            if root is None:
                raise refuse("the file is empty", 1)
            return root
        else:
            continue

        count += 1
        if count > MAX_NODES:
            raise refuse("the file has too many parts", line, values=f"over {MAX_NODES:,}")
        if event.anchor is not None:
            raise refuse(f"'&{clip(event.anchor)}': an anchor is not allowed", line)
        if event.tag is not None:
            raise refuse(
                f"'{clip(event.tag)}': a tag is not allowed", line, "everything here is plain text"
            )
        if not stack:
            root = node
        else:
            parent = stack[-1]
            if parent.__class__ is Sequence:
                parent.items.append(node)  # type: ignore[union-attr] - its class was compared, which is quicker than isinstance
            elif keys[-1] is None:
                if node.__class__ is not Scalar:
                    raise refuse("a key must be a plain text", line)
                if node.text == "<<" and node.plain:  # type: ignore[union-attr] - its class was compared, which is quicker than isinstance
                    raise refuse("'<<': merging keys is not allowed", line)
                if node.text in seen[-1]:  # type: ignore[union-attr] - its class was compared, which is quicker than isinstance
                    raise refuse(f"'{clip(node.text)}' stands here twice", line)  # type: ignore[union-attr] - its class was compared, which is quicker than isinstance
                seen[-1].add(node.text)  # type: ignore[union-attr] - its class was compared, which is quicker than isinstance
                keys[-1] = node  # type: ignore[assignment] - a Scalar, as above
            else:
                parent.pairs[keys[-1]] = node  # type: ignore[union-attr] - its class was compared, which is quicker than isinstance
                keys[-1] = None
        if kind is not scalar_event:
            stack.append(node)  # type: ignore[arg-type] - no Scalar, as just asked
            if kind is map_start:
                keys.append(None)
                seen.append(set())
