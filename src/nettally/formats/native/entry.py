"""The items of a list of layers, and the blocks: names, fields and values, not yet computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LayerError, NettallyError, ReadError, closest
from ...layers import closest_kind, kinds, layer_class
from ...network import NOTHING
from ..encodings.yaml.tree import Mapping, Scalar, Sequence, Yaml, clip
from . import field_values, grammar
from .field_values import Signature, Value
from .grammar import RESERVED

if TYPE_CHECKING:
    from ...network import Layer

MAX_LAYERS = 100_000
"""Layers, and inputs of layers, that one file may stand for."""

MAX_NAME = 255
"""Characters of a name, the names of the blocks around it included."""


class Entry(NamedTuple):
    """One item: which layer or block, with which fields.

    Its names are stem + each of ends + tail. cls: None where it calls ``block``. inputs: None
    where it does not say ``from``. constant: no value hangs on a block's parameters.
    """

    stem: str
    ends: tuple[str, ...] | range
    tail: str
    cls: type[Layer] | None
    block: str
    sig: Signature
    values: dict[str, Value]
    inputs: tuple[str, ...] | None
    weights: str | dict[str, str]
    module: str | None
    line: int
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

    def error(self, what: str, line: int, hint: str = "", values: str = "") -> ReadError:
        return ReadError(what, where=f"{self.file}:{line}", values=values, hint=hint)

    def body(self, name: str) -> list[Entry]:
        """The items of a block, cut up when they are first asked for."""
        if name not in self.bodies:
            block = self.blocks[name]
            params = tuple(block.sig.types)
            entries = [self.entry(item, params) for item in block.body.items]
            for entry in entries:
                after = entry.stem[2:] + entry.tail
                if entry.stem[:2] == "in" and (not after or after.isdecimal()):
                    raise self.error(
                        f"in a block, '{entry.stem}' is what the block reads",
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
            stem, ends, tail = _range(key.text) if key.plain else (key.text, ("",), "")
            if isinstance(value, Scalar):
                cut = grammar.split(value.text)
                cls, sig = self._kind(cut.kind)
                weights: str | dict[str, str] = ""
                parts = cut.parts
                for part in parts:
                    if part.startswith("weights "):
                        (weights,) = grammar.names(part[8:])
                        parts = tuple(p for p in parts if p is not part)
                values = grammar.bind(cut._replace(parts=parts), sig, params)
                inputs, module = cut.inputs, None
            elif isinstance(value, Mapping):
                cls, sig, values, inputs, weights, module = self._written_out(value)
            else:
                raise ReadError("a layer is a line or a mapping, not a list")
        except NettallyError as error:
            raise error.at(f"{self.file}:{line}", clip(key.text)) from None
        constant = all(isinstance(v, field_values.Constant) for v in values.values())
        return Entry(
            *(stem, ends, tail, cls, "" if cls else sig.name, sig),
            *(values, inputs, weights, module, line, constant),
        )

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

    def _written_out(self, value: Mapping) -> Any:
        """The fully written form: ``{layer: conv, filters: 96, kernel: [11, 11], from: data}``."""
        fields = {key.text: (key, each) for key, each in value.pairs.items()}
        head = fields.pop("layer", None)
        if head is None or not isinstance(head[1], Scalar):
            raise ReadError("a mapping says which layer it is", hint="'layer: conv'")
        cls, sig = self._kind(head[1].text)
        inputs: tuple[str, ...] | None = None
        weights: str | dict[str, str] = ""
        module: str | None = None
        values: dict[str, Value] = {}
        for name, (key, each) in fields.items():
            try:
                if name == "from":
                    inputs = _names(each)
                elif name == "weights" and isinstance(each, Mapping):
                    weights = {k.text: _scalar(v) for k, v in each.pairs.items()}
                elif name == "weights":
                    weights = _names(each)[0]
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
        return cls, sig, values, inputs, weights, module

    def _layers(self, value: Yaml) -> tuple[Layer, ...]:
        """The layers within a layer (the parts of a conv_sum), each a line."""
        layers: list[Layer] = []
        for item in value.items if isinstance(value, Sequence) else [value]:
            cut = grammar.split(_scalar(item))
            cls, sig = self._kind(cut.kind)
            if cls is None or cut.inputs is not None:
                raise ReadError("a layer within a layer is a line of its own, without 'from'")
            values = grammar.bind(cut, sig, ())
            layer, written = field_values.build(
                cls, {n: field_values.evaluate(v, NOTHING) for n, v in values.items()}, sig
            )
            if "padding" in written and isinstance(written["padding"], str):
                raise ReadError("'same' can't be said of a layer within a layer")
            layers.append(layer)
        return tuple(layers)


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


def _range(name: str) -> tuple[str, Any, str]:
    """``conv4_{2..36}`` as stem, ends and tail; a name without a range has the one end ""."""
    stem, opened, rest = name.partition("{")
    if not opened:
        if "}" in name:
            raise ReadError("'}' without '{' in a name", hint="put the name in quotes")
        return name, ("",), ""
    inside, closed, tail = rest.partition("}")
    first, dots, last = inside.partition("..")
    if not closed or not dots or "{" in tail or "}" in tail:
        raise ReadError("this is no range of names", hint="as in 'conv4_{2..36}' or 'conv3_{b..d}'")
    if first.isascii() and last.isascii():
        if first.isdigit() and last.isdigit() and max(len(first), len(last)) <= 10:
            low, high = int(first), int(last)
            if high - low >= MAX_LAYERS:
                raise ReadError(
                    "the file stands for too many layers", values=f"over {MAX_LAYERS:,}"
                )
            if low <= high:
                return stem, range(low, high + 1), tail
        if len(first) == len(last) == 1 and first.isalpha() and last.isalpha() and first <= last:
            return stem, tuple(chr(c) for c in range(ord(first), ord(last) + 1)), tail
    raise ReadError(
        "a range goes up, from number to number or from letter to letter",
        values="{" + clip(inside) + "}",
    )


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


def _names(value: Yaml) -> tuple[str, ...]:
    if isinstance(value, Sequence):
        return tuple(_scalar(item) for item in value.items)
    text = _scalar(value)
    return grammar.names(text) if value.plain else (text,)  # type: ignore[union-attr] - _scalar refused the rest


def _scalar(value: Yaml) -> str:
    if not isinstance(value, Scalar):
        raise ReadError("here stands one text, no list")
    return value.text


def shown(value: Yaml) -> str:
    if isinstance(value, Scalar):
        return value.text
    return "a list" if isinstance(value, Sequence) else "a mapping"
