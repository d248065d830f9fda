"""Caffe's files down to one list of layers: three syntaxes, and what a phase leaves in.

``layer`` is today's syntax (2014 on), ``layers`` with types in capitals the one before (V1),
``layers { layer { ... } }`` the first (V0). They are brought to today's as Caffe does it itself
(src/caffe/util/upgrade_proto.cpp).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ReadError, closest
from ...network import Span
from ..encodings.protobuf_tree import Field, Message
from ..graph_builder import by_axis
from .types import V0, V1, V1_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...network import Shape

PHASES = ("TRAIN", "TEST")

MAX_AXES = 32
"""How many axes a blob may have (kMaxBlobAxes in Caffe's blob.hpp)."""


class State(NamedTuple):
    """What layers are chosen by: the phase, the level, and the stages."""

    phase: str
    level: int = 0
    stages: frozenset[str] = frozenset()

    @property
    def other(self) -> State:
        """The state that differs by its phase."""
        return self._replace(phase="TRAIN" if self.phase == "TEST" else "TEST")

    def __str__(self) -> str:
        stages = f", stage {', '.join(sorted(self.stages))}" if self.stages else ""
        return f"phase {self.phase}{stages}" + (f", level {self.level}" if self.level else "")


class Net(NamedTuple):
    """A file's net, the state that its layers are chosen by, and all the layers that it has."""

    message: Message
    state: State
    layers: list[Spec]


class Spec:
    """One layer of the file, in today's syntax.

    type: as today's syntax has it. params: the names that its tensors are shared by, "" for none.
    body: its message. V1 layers keep theirs; of V0 layers it is made. read: those of its tops that
    the network's layers read. stored: the shapes of its tensors, where the file has them.
    """

    def __init__(self, body: Message, type_: str, bottoms: list[str], tops: list[str]) -> None:
        self.body = body
        self.type = type_
        self.bottoms = bottoms
        self.tops = tops
        self.name = body.text("name")
        self.params: list[str] = []
        self.outer = body
        self.read: set[str] = set()
        self.stored = [stored_shape(blob) for blob in body.messages("blobs")]

    @property
    def kind(self) -> str:
        """Its type; of a Python layer, which one it is."""
        python = self.body.message("python_param")
        if python is None:
            return self.type
        return f"Python {python.text('layer') or python.text('module')}"

    @property
    def label(self) -> str:
        """What the layer is called in a sentence."""
        return self.name[:80] or (
            f"the {self.type} layer of '{self.tops[0][:60]}'" if self.tops else self.type
        )

    @property
    def span(self) -> Span:
        return Span(self.body.document.name, self.body.line)

    def sub(self, name: str) -> Message:
        """The message of the layer's own settings, an empty one where there is none."""
        message = self.body.message(name)
        return Message(self.body.document, name, self.body.offset) if message is None else message

    def settings_of_params(self) -> list[Message]:
        """The settings of the layer's tensors, where they are given in today's syntax."""
        return [field.value for field in self.body.all("param") if isinstance(field.value, Message)]

    def error(self, what: str, *, values: str = "", hint: str = "") -> ReadError:
        return ReadError(f"{self.label}: {what}", where=self.body.where, values=values, hint=hint)


def stored_shape(blob: Message) -> Shape:
    """The shape of a stored tensor; of an old file, four sizes. Its values are only counted.

    Raises ReadError where there are fewer or more values than the shape has places.
    """
    shape = blob.message("shape")
    if shape is not None:
        sizes = tuple(shape.integers("dim"))
    elif any(name in blob for name in ("num", "channels", "height", "width")):
        sizes = tuple(blob.integer(name, 1) for name in ("num", "channels", "height", "width"))
    else:
        sizes = (blob.skipped,)
    if len(sizes) > MAX_AXES or not all(0 <= size < 2**63 for size in sizes):
        raise blob.error("a stored tensor has a size that cannot be", values=str(sizes)[:200])
    if blob.skipped and prod(sizes) != blob.skipped:
        raise blob.error(
            "a stored tensor has not as many values as its shape says",
            values=f"{by_axis(sizes)} = {prod(sizes):,}, {blob.skipped:,} values",
        )
    return sizes


def specs(net: Message) -> list[Spec]:
    """All layers of a net, in today's syntax. Raises ReadError for what is no layer."""
    new, old = net.messages("layer"), net.messages("layers")
    if any("layer" in body for body in old):
        if new:
            raise net.error(
                "the file has layers of the first syntax and of today's",
                net.all("layer")[0],
                values=f"'layer' at line {new[0].line}, 'layers' at line {old[0].line}",
                hint="write them all one way",
            )
        return _v0(old)
    layers: list[Spec] = []
    # as they stand in the file; of both, Caffe itself would read only the 'layers'
    for body in sorted([*new, *old], key=lambda body: body.offset) if new and old else new or old:
        spec = Spec(body, _type(body), body.texts("bottom"), body.texts("top"))
        for field in body.all("param"):  # in V1 a name each
            value = field.value
            spec.params.append(value.text("name") if isinstance(value, Message) else value)
        layers.append(spec)
    return layers


def _type(body: Message) -> str:
    """The layer's type, by its name of today. In V1 it is a word or its number."""
    field = body.one("type")
    if field is None or isinstance(field.value, Message) or not field.value:
        name = body.text("name")
        raise body.error(
            f"the layer{f' {name[:60]!r}' if name else ''} has no type",
            values=", ".join(dict.fromkeys(f.name for f in body.fields)) or "it is empty",
            hint='type: "Convolution"',
        )
    if field.kind == "number":
        number = body.integer("type", 0)
        if not 0 <= number < len(V1_WORDS):
            raise body.error("no type of layer has this number", field)
        return V1[V1_WORDS[number]]
    return V1.get(field.value, field.value)


# --- V0 -----------------------------------------------------------------------------------------

_V0_NAMES = {
    "biasterm": "bias_term",
    "kernelsize": "kernel_size",
    "batchsize": "batch_size",
    "cropsize": "crop_size",
}
"""V0's fields that are called otherwise today."""

_V0_OF_LAYERS = frozenset(("name", "type", "blobs", "blobs_lr", "weight_decay"))
"""V0's fields that are the layer's; the others are its type's settings today."""


def _v0(old: list[Message]) -> list[Spec]:
    """V0's layers; a padding layer becomes the padding of the conv or pool layer that reads it."""
    layers: list[Spec] = []
    last: dict[str, tuple[Message, Message]] = {}  # a blob's name: the padding layer behind it
    for outer in old:
        body = outer.message("layer")
        if body is None:
            raise outer.error(
                "the file mixes layers with and without a 'layer' inside", hint="write all one way"
            )
        kind = body.text("type")
        if kind != "padding" and kind not in V0:
            field = body.one("type")
            raise body.error(
                f"no type of layer was called {kind[:60]!r} in Caffe's first syntax",
                field,
                hint=closest(kind, [*V0, "padding"]) if kind else "say its type",
            )
        bottoms, tops = outer.texts("bottom"), outer.texts("top")
        padding = [last[bottom] for bottom in bottoms if bottom in last]
        for top in tops:
            last.pop(top, None)
        if kind == "padding":
            if len(bottoms) != 1 or len(tops) != 1 or padding:
                raise body.error("a padding layer has one bottom and one top")
            last[tops[0]] = (body, outer)
            continue
        new, settings = _today(body, V0[kind])
        if padding:
            if kind not in ("conv", "pool") or len(bottoms) != 1:
                raise body.error(
                    f"a padding layer is read by a layer of type {kind}",
                    hint="only conv and pool layers may read one",
                )
            before, connection = padding[0]
            if "pad" in settings:
                raise body.error("it has a padding of its own, and a padding layer before it")
            pad = before.one("pad")
            if pad is not None:
                settings.add(pad)
            bottoms = connection.texts("bottom")
        spec = Spec(new, V1[V0[kind]], bottoms, tops)
        spec.outer = outer
        layers.append(spec)
    return layers


def _today(body: Message, word: str) -> tuple[Message, Message]:
    """A V0 layer's message in today's words, and its settings in it. word: its type in V1."""
    layer = Message(body.document, "layer", body.offset)
    settings = Message(body.document, f"{word.lower()}_param", body.offset)
    layer.add(Field(settings.name, settings, "message", body.offset))
    for field in body.fields:
        message = layer if field.name in _V0_OF_LAYERS else settings
        message.add(field._replace(name=_V0_NAMES.get(field.name, field.name)))
    return layer, settings


# --- the state ----------------------------------------------------------------------------------


def included(spec: Spec, state: State) -> bool:
    """Whether a layer is part of the net in a state. Raises ReadError for rules of both kinds."""
    include, exclude = spec.outer.messages("include"), spec.outer.messages("exclude")
    if include and exclude:
        raise spec.error(
            "a layer has rules to include it or to exclude it, not both",
            values=f"include at line {include[0].line}, exclude at line {exclude[0].line}",
        )
    if include:
        return any(_meets(rule, state) for rule in include)
    return not any(_meets(rule, state) for rule in exclude)


def _meets(rule: Message, state: State) -> bool:
    """Whether a state meets all that a rule says (Net::StateMeetsRule)."""
    if "phase" in rule and rule.word("phase", PHASES, "") != state.phase:
        return False
    if "min_level" in rule and state.level < rule.integer("min_level", 0):
        return False
    if "max_level" in rule and state.level > rule.integer("max_level", 0):
        return False
    if not set(rule.texts("stage")) <= state.stages:
        return False
    return state.stages.isdisjoint(rule.texts("not_stage"))


def rules(spec: Spec) -> str:
    """A layer's rules in words, "" where it has none."""
    parts: list[str] = []
    for kind in ("include", "exclude"):
        for rule in spec.outer.messages(kind):
            conditions = [
                f"{field.name} {field.value}"
                for field in rule.fields
                if isinstance(field.value, str)
            ]
            parts.append(f"{kind} {{ {', '.join(conditions)} }}")
    return " ".join(parts)


def stages(layers: Sequence[Spec]) -> list[str]:
    """The stages that the file's rules name."""
    names: dict[str, None] = {}
    for spec in layers:
        for kind in ("include", "exclude"):
            for rule in spec.outer.messages(kind):
                names.update(dict.fromkeys([*rule.texts("stage"), *rule.texts("not_stage")]))
    return list(names)


def made_elsewhere(net: Net, spec: Spec, blob: str) -> ReadError | None:
    """Why a layer's bottom is not there: it is made in another state, or later; or None."""
    makers = [other for other in net.layers if blob in other.tops]
    left_out = [other for other in makers if not included(other, net.state)]
    if left_out:  # those of this phase first: they lack a stage
        other = min(left_out, key=lambda other: net.state.phase not in rules(other))
        rule = rules(other)[:200]
        words = rule.replace("}", " ").replace(",", " ").split()
        phase = net.state.other.phase
        hint = f"--input {blob}=3x224x224, its size, would stand for it"
        if "stage" in words:
            hint = f"--stage {words[words.index('stage') + 1]}; or {hint}"
        elif phase in words:
            hint = f"--phase {phase.lower()}; or {hint}"
        return spec.error(
            f"its bottom '{blob[:60]}' is made by no layer in {net.state}",
            values=f"'{other.label}' at line {other.span.line} makes it: {rule}",
            hint=hint,
        )
    if makers and makers[0].body.offset >= spec.body.offset:
        return spec.error(
            f"its bottom '{blob[:60]}' is made after it",
            values=f"'{makers[0].label}' at line {makers[0].span.line} makes it",
            hint="layers stand in the order in which they run",
        )
    return None
