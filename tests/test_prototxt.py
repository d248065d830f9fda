"""Protobuf's text format, held to protobuf's own parser, with messages built from our table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffe_files import encode
from nettally.errors import ReadError
from nettally.formats.caffe.binary import decode
from nettally.formats.caffe.schema import WORDS, fields, messages
from nettally.formats.encodings.blob import Blob
from nettally.formats.encodings.protobuf_tree import Message
from nettally.formats.encodings.prototxt import MAX_DEPTH, parse


def plain(message: Message) -> list[Any]:
    """A tree that can be compared: names, and values as they are written."""
    return [
        (f.name, plain(f.value) if isinstance(f.value, Message) else f.value)
        for f in message.fields
    ]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", []),
        ("# only a word\n", []),
        ("a: 1 b: 2", [("a", "1"), ("b", "2")]),
        ("a:1;b:2,c:3", [("a", "1"), ("b", "2"), ("c", "3")]),
        ("a { b: 1 }", [("a", [("b", "1")])]),
        ("a: { b: 1 };", [("a", [("b", "1")])]),
        ("a < b: 1 >", [("a", [("b", "1")])]),
        ("a < b { c: TRUE } >", [("a", [("b", [("c", "TRUE")])])]),
        ("a: [1, 2, -3]", [("a", "1"), ("a", "2"), ("a", "-3")]),
        ("a: []", []),
        ("a [{b: 1}, {b: 2}] c: 3", [("a", [("b", "1")]), ("a", [("b", "2")]), ("c", "3")]),
        ("a: 'x' \"y\"\n  'z'", [("a", "xyz")]),
        (r"a: 'it\'s' b: '\x41\101\n'", [("a", "it's"), ("b", "AA\n")]),
        ("a: 1e-5 b: .5 c: 1. d: 2f e: 0x10 f: -inf", [
            ("a", "1e-5"), ("b", ".5"), ("c", "1."), ("d", "2f"), ("e", "0x10"), ("f", "-inf")]),
        ("a: - 1", [("a", "-1")]),
        ("[x.y/z.W] { a: 1 }", [("[x.y/z.W]", [("a", "1")])]),
        ("a: 1 # b: 2\nc: 'no # comment'", [("a", "1"), ("c", "no # comment")]),
    ],
)  # fmt: skip
def test_the_language(text: str, tree: list[Any]) -> None:
    assert plain(parse("x", text)) == tree


def test_values_are_taken_as_asked() -> None:
    found = parse("x", "a: 010 b: 0x1F c: 1.5f d: true e: 0 f: MAX g: 2 h: 'x' i: -7")
    assert found.integers("a") == [8]
    assert found.integer("b", 0) == 31
    assert found.real("c", 0.0) == 1.5
    assert found.boolean("d", False) is True
    assert found.boolean("e", True) is False
    assert found.word("f", ("MAX", "AVE"), "AVE") == "MAX"
    assert found.word("g", ("MAX", "AVE", "STOCHASTIC"), "MAX") == "STOCHASTIC"
    assert found.text("h") == "x"
    assert found.integer("i", 0) == -7
    assert found.integer("none", 5) == 5


ERRORS = [
    ("a: 1\nb: {", "x:2: the 'b' that opens here is never closed\n"
     "  values: '}' is missing at the end of the file"),
    ("a: 1 }", "x:1: '}' closes nothing\n  values: }"),
    ("a < b: 1 }", "x:1: 'a' was opened otherwise: '>' should close it\n  values: }"),
    ("a 1", "x:1: ':' or '{' after 'a' should come here\n  values: found 1: 1"),
    ("a:\n\n}", "x:3: a value for 'a' should come here\n  values: found }: }"),
    ("a: 'x", "x:1: a quotation mark is never closed\n  values: 'x"),
    ("a: 'x\n'", "x:1: a quotation mark is never closed\n  values: 'x"),
    ("a: 12abc", "x:1: a number ends in letters\n  values: 12abc"),
    ("a: 1.2.3", "x:1: a number ends in letters\n  values: 1.2.3"),
    ("dim: $#batch_size#$", "x:1: '$' has no meaning here\n  values: $#batch_size#$\n"
     "  try: it is a template: its placeholders have to be filled in first"),
    ("a: (1)", "x:1: '(' has no meaning here\n  values: (1)"),
    ("a: [1 2]", "x:1: ',' or ']' should come here\n  values: found 2: 2]"),
    ("a: [{b: 1} {b: 2}]", "x:1: ',' or ']' should come here\n  values: found {: {b: 2}]"),
    ("a:", "x:1: the file ends where a value for 'a' should come"),
    (": 1", "x:1: a field's name should come here\n  values: found :: : 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "error"), ERRORS)
def test_errors_say_where(text: str, error: str) -> None:
    with pytest.raises(ReadError) as caught:
        parse("x", text)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda m: m.integer("f", 0), "x:1: 'f' is a whole number\n  values: f: 1.5"),
        (lambda m: m.integer("w", 0), "x:1: 'w' is a whole number\n  values: w: MIX"
         "\n  try: perhaps it is a template: its placeholders have to be filled in first"),
        (lambda m: m.integer("l", 0), f"x:1: 'l' is a whole number\n  values: l: {'9' * 41}"),
        (lambda m: m.real("w", 0), "x:1: 'w' is a number\n  values: w: MIX"
         "\n  try: perhaps it is a template: its placeholders have to be filled in first"),
        (lambda m: m.real("n", 0), "x:1: 'n' is a number\n  values: n: nan"),
        (lambda m: m.real("b", 0), "x:1: 'b' is a number\n  values: b: 1e999"),
        (lambda m: m.boolean("f", True), "x:1: 'f' is true or false\n  values: f: 1.5"),
        (lambda m: m.text("f"), "x:1: 'f' is a string\n  values: f: 1.5\n  try: f: \"...\""),
        (lambda m: m.message("f"), "x:1: 'f' is a message\n  values: f: 1.5\n  try: f { ... }"),
        (lambda m: m.word("w", ("MAX", "MIN"), ""),
         "x:1: 'w' is one of MAX, MIN\n  values: w: MIX\n  try: did you mean 'MIN'?"),
        (lambda m: m.integer("d", 0), "x:1: the file: 'd' is given twice\n"
         "  values: 1, 2 (line 1, line 1)\n  try: it may be given once: which is meant?"),
    ],
)  # fmt: skip
def test_values_of_another_type(ask: Any, error: str) -> None:
    text = f"f: 1.5 w: MIX l: {'9' * 41} n: nan b: 1e999 d: 1 d: 2"
    with pytest.raises(ReadError) as caught:
        ask(parse("x", text))
    assert str(caught.value) == error


def test_depth_is_bounded() -> None:
    assert parse("x", "a{" * MAX_DEPTH + "}" * MAX_DEPTH)
    with pytest.raises(ReadError, match="messages nest more than"):
        parse("x", "a{" * (MAX_DEPTH + 1) + "}" * (MAX_DEPTH + 1))


def test_the_schema_names_each_number_once() -> None:
    for message in messages():
        by_name, by_number = fields(message)
        numbered = [known for known in by_name.values() if known.number]
        assert len(numbered) == len(by_number), message
        for known in by_name.values():
            if known.type not in "ibfds" and known.type not in WORDS:
                assert known.type in messages() or known.type == "Fork", known


# --- held to protobuf ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net_class() -> Any:
    """A class of messages for Caffe's nets, made from our own table of its fields."""
    pytest.importorskip("google.protobuf", reason="protobuf is not installed")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="net.proto", package="net", syntax="proto2")
    for name, words in WORDS.items():
        enum = file.enum_type.add(name=name)
        numbers = {w: i for i, w in enumerate(words) if w}
        for word, number in numbers.items():
            enum.value.add(name=f"{word}", number=number)
    scalar = {"i": 3, "b": 8, "f": 2, "d": 1, "s": 9}
    for name in messages():
        message = file.message_type.add(name=name)
        for known in fields(name)[0].values():
            if not known.number or known.type == "Fork":
                continue
            field = message.field.add(name=known.name, number=known.number)
            field.label = 3 if known.repeated else 1
            if known.type in scalar:
                field.type = scalar[known.type]
                if known.repeated and (name, known.name) in (
                    ("BlobShape", "dim"),
                    ("Blob", "data"),
                ):
                    field.options.packed = True
            else:
                field.type = 14 if known.type in WORDS else 11
                field.type_name = f".net.{known.type}"
    for index, enum in enumerate(file.enum_type):  # enums' words stand beside each other
        holder = file.message_type.add(name=f"In{index}")
        holder.enum_type.add().CopyFrom(enum)
        for message in file.message_type:
            for field in message.field:
                if field.type_name == f".net.{enum.name}":
                    field.type_name = f".net.In{index}.{enum.name}"
    del file.enum_type[:]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("net.Net"))


def as_tree(message: Any) -> dict[str, Any]:
    """A protobuf message as fields by name."""
    made: dict[str, Any] = {}
    for field, value in message.ListFields():
        repeated = getattr(field, "is_repeated", None)
        many = field.label == 3 if repeated is None else repeated
        values = [_value(field, v) for v in (value if many else [value])]
        made[field.name] = values
    return made


def _value(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return as_tree(value)
    return field.enum_type.values_by_number[value].name if field.enum_type is not None else value


def our_tree(message: Message, kind: str = "Net") -> dict[str, Any]:
    """Ours, with values of the schema's types; what the schema has no number for is left out."""
    import struct

    made: dict[str, Any] = {}
    for name in dict.fromkeys(f.name for f in message.fields):
        known = fields(kind)[0].get(name)
        if known is None or not known.number or known.type == "Fork":
            continue
        if known.type in "ib":
            made[name] = (
                message.integers(name) if known.type == "i" else [message.boolean(name, False)]
            )
        elif known.type == "f":
            reals = message.reals(name)
            made[name] = list(
                struct.unpack(f"{len(reals)}f", struct.pack(f"{len(reals)}f", *reals))
            )
        elif known.type == "s" or known.type in WORDS:
            made[name] = message.texts(name)
        else:
            made[name] = [our_tree(each, known.type) for each in message.messages(name)]
    return made


def test_the_collected_files_have_protobufs_own_tree(corpus: Path, net_class: Any) -> None:
    """Text and binary: protobuf's parse is ours, its bytes decode to it, our bytes to its."""
    from google.protobuf import text_format

    skipped: list[str] = []
    for path in sorted((corpus / "caffe").rglob("*.prototxt")):
        text = path.read_text("utf-8")
        ours = parse(path.name, text)
        if "net_param" in ours:
            skipped.append(path.name)
            continue
        theirs = text_format.Parse(text, net_class(), allow_unknown_field=True)
        assert our_tree(ours) == as_tree(theirs), path.name
        again = decode(Blob(path.name, data=theirs.SerializeToString()))
        assert our_tree(again) == as_tree(theirs), path.name
        assert as_tree(net_class.FromString(encode(ours))) == as_tree(theirs), path.name
    assert skipped == ["lenet_consolidated_solver.prototxt"]


@pytest.mark.parametrize("text", [case[0] for case in ERRORS])
def test_protobuf_refuses_what_we_refuse(text: str, net_class: Any) -> None:
    from google.protobuf import text_format

    with pytest.raises(text_format.ParseError):
        text_format.Parse(text, net_class(), allow_unknown_field=True)


def tree(message: Message) -> list[Any]:
    return [
        (
            field.name,
            field.kind,
            tree(field.value) if isinstance(field.value, Message) else field.value,
        )
        for field in message.fields
    ]


def test_comments_and_separators_change_nothing(corpus: Path) -> None:
    """Plain fields are taken at once; a comment behind each makes them be taken one by one."""
    texts = [path.read_text("utf-8", "replace") for path in sorted(corpus.rglob("*.prototxt"))]
    read = 0
    for text in texts:
        try:
            plain = tree(parse("x", text))
        except ReadError:
            continue
        read += 1
        assert tree(parse("x", re.sub(r"#.*", "", text).replace("\n", " # c\n"))) == plain
    assert read > 90


@given(
    st.lists(
        st.sampled_from(
            ["1", "-2", "0x1F", "3.5e-2", ".5", "7.", "1e9f", "-inf", "nan", "RELU", "- 4"]
        ),
        min_size=1,
    ),
    st.sampled_from([",", ", ", " ,\n", "\t, # and\n"]),
)
def test_a_list_says_what_repeated_fields_say(values: list[str], comma: str) -> None:
    as_list = parse("net", f"before: 1 x: [{comma.join(values)}] after: 2")
    repeated = parse("net", "before: 1 " + " ".join(f"x: {each}" for each in values) + " after: 2")
    assert [f[:3] for f in as_list.fields] == [f[:3] for f in repeated.fields]
    counted = parse("net", f"x: [{comma.join(values)}]", ("x",))
    assert (counted.skipped, counted.fields) == (len(values), [])
