"""The items of a list of layers, and the blocks: names, fields and values, not yet computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import LayerError, NettallyError, ReadError, closest
from ...layers import closest_kind, kinds, layer_class
from ...network import NOTHING
from ..encodings.yaml.tree import Mapping, Scalar, Sequence, Yaml, clip
from . import field_values, grammar
from .field_values import Signature, Value
from .grammar import RESERVED, Range, Sources, span

if TYPE_CHECKING:
    from ...network import Layer

MAX_NAME = 255
"""Characters of a name, the names of the blocks around it included."""


class Entry(NamedTuple):
    """One item of a list of layers: its names, and what it says of the layer or the block."""

    names: Range
    item: Item
    line: int


class Item(NamedTuple):
    """Which layer or block, with which fields. Lines of the same text share one.

    cls: None where ``sig`` is that of a block. constant: no value depends on a block's parameters.
    """

    cls: type[Layer] | None
    sig: Signature
    values: dict[str, Value]
    sources: Sources | None
    weights: str | dict[str, str]
    module: str | None
    constant: bool


class Block(NamedTuple):
    """sig: its parameters. defaults: the values of those that have one."""

    sig: Signature
    defaults: dict[str, Value]
    body: Sequence
    line: int


class Items:
    """The items of one file. Raises ReadError or LayerError with ``file:line``."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.blocks: dict[str, Block] = {}
        self.bodies: dict[str, list[Entry]] = {}
        self.lines: dict[tuple[str, tuple[str, ...]], Item] = {}

    def error(self, what: str, line: int, hint: str = "", values: str = "") -> ReadError:
        return ReadError(what, where=f"{self.file}:{line}", values=values, hint=hint)

    def body(self, name: str) -> list[Entry]:
        """The items of a block, cut up when they are first asked for."""
        if name not in self.bodies:
            block = self.blocks[name]
            params = tuple(block.sig.types)
            entries = [self.entry(item, params) for item in block.body.items]
            for entry in entries:
                stem, _, tail = entry.names
                after = stem[2:] + tail
                if stem[:2] == "in" and (not after or after.isdecimal()):
                    raise self.error(
                        f"in a block, '{stem}' is what the block reads",
                        entry.line,
                        "give the layer another name",
                    )
            self.bodies[name] = entries
        return self.bodies[name]

    def read_blocks(self, blocks: Yaml) -> None:
        if not isinstance(blocks, Mapping):
            raise self.error("'blocks' holds blocks by name", blocks.line, "'name(width): …'")
        for key, body in blocks.pairs.items():
            name, opened, inside = key.text.partition("(")
            name = name.strip()
            try:
                if (opened and inside[-1:] != ")") or not name.replace("-", "_").isidentifier():
                    raise ReadError(
                        f"'{clip(key.text)}' is no head of a block",
                        hint="as in 'bottleneck(width, stride = 1):'",
                    )
                if name in kinds() or name in RESERVED:
                    raise ReadError(f"a block can't be called '{name}': a layer is")
                if name in self.blocks:
                    raise ReadError(f"two blocks are called '{name}'")
                types, defaults = _parameters(inside[:-1].strip())
            except NettallyError as error:
                raise error.at(f"{self.file}:{key.line}") from None
            if not isinstance(body, Sequence) or not body.items:
                raise self.error(
                    f"the block '{name}' is a list of layers", key.line, "with at least one in it"
                )
            required = tuple(p for p in types if p not in defaults)
            sig = Signature(name, types, tuple(types), required)
            self.blocks[name] = Block(sig, defaults, body, key.line)

    def check_name(self, name: str, line: int) -> None:
        if not name or len(name) > MAX_NAME:
            raise self.error(
                "a name is empty" if not name else "a name is too long",
                line,
                values=f"{len(name):,} characters, at most {MAX_NAME}" if name else "",
            )

    def entry(self, item: Yaml, params: tuple[str, ...]) -> Entry:
        if not isinstance(item, Mapping) or len(item.pairs) != 1:
            raise self.error(
                "each item of a list of layers is 'name: layer'",
                item.line,
                "as in '- conv1: conv 96, 11x11'",
                clip(shown(item)),
            )
        ((key, value),) = item.pairs.items()
        line = key.line
        self.check_name(key.text, line)
        try:
            names = span(key.text) if key.plain else Range(key.text, ("",), "")
            if isinstance(value, Scalar):
                same = (value.text, params)
                if same not in self.lines:
                    self.lines[same] = self._line(value.text, params)
                return Entry(names, self.lines[same], line)
            if isinstance(value, Mapping):
                return Entry(names, self._written_out(value), line)
            raise ReadError("a layer is a line or a mapping, not a list")
        except NettallyError as error:
            raise error.at(f"{self.file}:{line}", clip(key.text)) from None

    def _line(self, text: str, params: tuple[str, ...]) -> Item:
        """The one-line form: ``conv 96, 11x11 from data``."""
        line = grammar.split(text)
        cls, sig = self._kind(line.kind)
        weights = ""
        for part in line.parts:
            if part.startswith("weights "):
                weights = grammar.name(part[8:])
        parts = tuple(part for part in line.parts if not part.startswith("weights "))
        values = grammar.bind(line._replace(parts=parts), sig, params)
        return _item(cls, sig, values, line.sources, weights, None)

    def _kind(self, kind: str) -> tuple[type[Layer] | None, Signature]:
        if kind in self.blocks:
            return None, self.blocks[kind].sig
        try:
            cls = layer_class(kind)
        except LayerError:
            raise ReadError(
                f"no layer or block is called '{clip(kind)}'",
                hint=closest_kind(kind, self.blocks),
            ) from None
        return cls, field_values.signature(cls)

    def _written_out(self, value: Mapping) -> Item:
        """The fully written form: ``{layer: conv, filters: 96, kernel: [11, 11], from: data}``."""
        fields = {key.text: (key, each) for key, each in value.pairs.items()}
        head = fields.pop("layer", None)
        if head is None or not isinstance(head[1], Scalar):
            raise ReadError("a mapping says which layer it is", hint="'layer: conv'")
        cls, sig = self._kind(head[1].text)
        sources: Sources | None = None
        weights: str | dict[str, str] = ""
        module: str | None = None
        values: dict[str, Value] = {}
        for name, (key, each) in fields.items():
            try:
                if name in ("from", "each from"):
                    if sources is not None:
                        raise ReadError("'from' stands here twice")
                    sources = _sources(each)._replace(each=name != "from")
                elif name == "weights" and isinstance(each, Mapping):
                    weights = {k.text: _scalar(v) for k, v in each.pairs.items()}
                elif name == "weights":
                    text = _scalar(each)
                    weights = grammar.name(text) if _is_plain(each) else text
                elif name == "module":
                    module = _scalar(each)
                elif name not in sig.types:
                    raise ReadError(
                        f"{sig.name} has no field '{clip(name)}'",
                        hint=closest(name, (*sig.types, *RESERVED)),
                    )
                elif sig.types[name] == "layers":
                    values[name] = field_values.Constant(self._layers(each))
                else:
                    values[name] = _given(each, sig.types[name])
            except NettallyError as error:
                raise error.at(f"{self.file}:{key.line}") from None
        grammar.missing(values, sig)
        return _item(cls, sig, values, sources, weights, module)

    def _layers(self, value: Yaml) -> tuple[Layer, ...]:
        """The layers within a layer (the parts of a conv_sum), each a line."""
        layers: list[Layer] = []
        for item in value.items if isinstance(value, Sequence) else [value]:
            cut = grammar.split(_scalar(item))
            cls, sig = self._kind(cut.kind)
            if cls is None or cut.sources is not None:
                raise ReadError("a layer within a layer is a line of its own, without 'from'")
            values = grammar.bind(cut, sig, ())
            layer, written = field_values.build(
                cls, {n: field_values.evaluate(v, NOTHING) for n, v in values.items()}, sig
            )
            if "padding" in written and isinstance(written["padding"], str):
                raise ReadError("'same' can't be said of a layer within a layer")
            layers.append(layer)
        return tuple(layers)


def _item(
    cls: type[Layer] | None,
    sig: Signature,
    values: dict[str, Value],
    sources: Sources | None,
    weights: str | dict[str, str],
    module: str | None,
) -> Item:
    constant = all(isinstance(value, field_values.Constant) for value in values.values())
    return Item(cls, sig, values, sources, weights, module, constant)


def _parameters(text: str) -> tuple[dict[str, str], dict[str, Value]]:
    """``width, stride = 1``: each parameter's type, and the defaults there are."""
    types: dict[str, str] = {}
    defaults: dict[str, Value] = {}
    for piece in field_values.pieces(text) if text else []:
        name, equals, default = piece.partition("=")
        name = name.strip()
        if not name.isidentifier() or name in (*RESERVED, "in", "no"):
            raise ReadError(f"a parameter can't be called '{clip(name)}'")
        if name in types:
            raise ReadError(f"two parameters are called '{clip(name)}'")
        types[name] = "any"
        if equals:
            value = defaults[name] = field_values.read_value(default.strip(), "any")
            if isinstance(value, field_values.Constant) and isinstance(value.value, bool):
                types[name] = "bool"
    return types, defaults


def _given(value: Yaml, kind: str) -> Value:
    if isinstance(value, Mapping) and kind == "tensors":
        return field_values.several(
            [
                field_values.several([field_values.Constant(key.text), _given(each, "any")])
                for key, each in value.pairs.items()
            ]
        )
    if isinstance(value, Scalar):
        return (
            field_values.read_value(value.text, kind)
            if value.plain
            else field_values.Constant(value.text)
        )
    if isinstance(value, Sequence):
        return field_values.several([_given(item, "any") for item in value.items])
    raise ReadError("a value is a text or a list")


def _sources(value: Yaml) -> Sources:
    if isinstance(value, Sequence):
        return Sources(tuple(_scalar(item) for item in value.items), False)
    text = _scalar(value)
    return grammar.sources(text) if _is_plain(value) else Sources((text,), False)


def _is_plain(value: Yaml) -> bool:
    return isinstance(value, Scalar) and value.plain


def _scalar(value: Yaml) -> str:
    if not isinstance(value, Scalar):
        raise ReadError("here stands one text, no list")
    return value.text


def shown(value: Yaml) -> str:
    if isinstance(value, Scalar):
        return value.text
    return "a list" if isinstance(value, Sequence) else "a mapping"
