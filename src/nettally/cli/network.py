"""NET, the argument of most commands: what it names, how it is read, which claims come with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..counting.rows import AXES
from ..counting.tally import tally
from ..errors import NettallyError
from ..formats import names_code, read
from .process import collect_as_usual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..claims.claim import Claims
    from ..counting.accounting import Accounting
    from ..network import Network, Shape


class Reading(NamedTuple):
    """How a network is to be read, as options say it.

    inputs: sizes as typed. companion: a second file. phase, stages: which layers of a Caffe file;
    phase also how a module runs. values: of an ONNX file's inputs, as typed; ignore_stated_shapes:
    its shapes are computed anew. self_check: torch runs a module too. verbose: the reader's details
    are shown.
    """

    inputs: Sequence[str] = ()
    companion: str | None = None
    phase: str | None = None
    stages: Sequence[str] = ()
    values: Sequence[str] = ()
    ignore_stated_shapes: bool = False
    self_check: bool = False
    verbose: bool = False


PLAIN = Reading()
"""Nothing is asked for: as the file has it."""


def read_network(net: str, reading: Reading = PLAIN) -> tuple[Network, tuple[str, ...]]:
    """The network, and notes: how the sizes that the user gave were read, and details if asked.

    Raises NettallyError for sizes that can't be, and what ``nettally.read`` raises.
    """
    options: dict[str, str] = {}
    if reading.phase:
        options["phase"] = reading.phase
    if reading.stages:
        options["stage"] = ",".join(reading.stages)
    if reading.ignore_stated_shapes:
        options["ignore_stated_shapes"] = "yes"
    options |= _values(reading.values)
    plain: list[str] = []
    for text in reading.inputs:
        size, colon, kind = text.partition(":")
        plain.append(size)
        if colon:
            options[f"dtype:{size.rpartition('=')[0]}"] = kind
    if names_code(net):
        collect_as_usual()
    sizes = dict(map(parse_input, plain))
    if len(sizes) < len(reading.inputs):
        raise NettallyError("one input is given two sizes", values=", ".join(reading.inputs))
    try:
        network = read(
            net,
            sizes or None,
            companion=reading.companion,
            options=options,
            self_check=reading.self_check,
        )
    except NettallyError as error:
        error.hint = _sizes_to_type(net, sizes, reading.companion, options) or error.hint
        raise
    notes: list[str] = []
    for name, size in sizes.items():
        of = name or next(iter(network.inputs), "")
        shape = network.inputs.get(of)
        if shape is not None:  # else it was given a value, or no layer reads it
            notes.append(
                f"input {of}: {'x'.join(map(str, size))} is read as {_spelled(shape, network)}"
            )
    if reading.verbose:
        notes.extend(network.details)
    return network, tuple(notes)


def _values(texts: Sequence[str]) -> dict[str, str]:
    """The options of ``nettally.read`` for ``NAME=VALUE``, each as it was typed.

    Raises NettallyError for what is none, and for a name that stands twice.
    """
    options: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not name or not equals or not value:
            raise NettallyError(
                "this is no value of an input",
                values=text[:80],
                hint="--value NAME=VALUE: --value sr=16000",
            )
        if options.setdefault(f"value:{name}", value) is not value:
            raise NettallyError(f"the input '{name[:80]}' is given two values", values=text[:80])
    return options


def _sizes_to_type(
    net: str, sizes: Mapping[str, Shape], companion: str | None, options: Mapping[str, str]
) -> str:
    """What to type for sizes with the wrong number of axes; "" where they are not the trouble.

    The file's own sizes say how many there are, and how many channels. A module's code is not run
    once more, and standard input can't be read twice: two axes of an input without a name are taken
    for an image without its channels.
    """
    stated: Mapping[str, Shape] = {}
    if sizes and net != "-" and not names_code(net):
        try:
            stated = read(net, companion=companion, options=options).inputs
        except NettallyError:
            stated = {}  # it needs sizes
    words: list[str] = []
    for name, size in sizes.items():
        shape = stated.get(name) if name or len(stated) != 1 else next(iter(stated.values()))
        if not stated and not name and len(size) == 2:
            shape = (1, 3, *size)
        if shape is None or len(size) in (len(shape), len(shape) - 1):
            continue
        whole = (shape[1], *size) if len(size) == len(shape) - 2 else shape[1:]
        words.append(f"--input {name}{'=' * bool(name)}{'x'.join(map(str, whole))}")
    return f"{' '.join(words)} (channels first, then space)" if words else ""


def _spelled(shape: Shape, network: Network) -> str:
    """Each size with its name; the first is a batch where the network's layers tell it as one."""
    if not shape:
        return "one value"
    if shape[0] != 1 and all(row.examples != shape[0] for row in tally(network).rows):
        return f"all of its sizes, {'x'.join(map(str, shape))}"
    names = AXES.get(len(shape)) or tuple(f"axis {i}" for i in range(1, len(shape)))
    sizes = (f"{name} {size:,}" for name, size in zip(names, shape[1:], strict=True))
    return ", ".join([*sizes, f"a batch of {shape[0]:,}"])


def parse_input(text: str) -> tuple[str, Shape]:
    """``3x224x224`` or ``name=3x224x224``, with the batch before it or without.

    The name is "" where none is given. Raises NettallyError for what is no size.
    """
    name, equals, sizes = text.rpartition("=")
    parts = sizes.replace("×", "x").lower().split("x")
    if (equals and not name) or not all(
        part.isascii() and part.isdigit() and len(part) < 40 for part in parts
    ):
        raise NettallyError(
            "this is no size of an input",
            values=text[:80],
            hint="channels, height, width: --input 3x224x224, or --input name=3x224x224",
        )
    return name, tuple(int(part) for part in parts)


def standard_input_once(*paths: str | None) -> None:
    """Raises NettallyError where more than one of the paths is "-"."""
    if paths.count("-") > 1:
        raise NettallyError(
            "standard input can be read once only", hint="name a file for the other"
        )


def published_about(
    net: str, files: Sequence[str] = (), inline: Sequence[str] = ()
) -> Claims | None:
    """The claims that are given, or those that come with a network of the zoo; None for neither.

    files: their paths; "-" is standard input. inline: claims as they are typed.
    """
    from ..claims.claim import Claims, load, read_claim
    from ..claims.published import joined, own_claims

    if not files and not inline:
        return own_claims(net)
    return joined([*map(load, files), Claims("", tuple(map(read_claim, inline)))])


def accounting_called(name: str | None) -> Accounting:
    """The accounting of a name or in a file, or our own.

    Raises NettallyError for a name that is not known, and for a file that is no accounting.
    """
    from ..counting.accounting import as_accounting

    return as_accounting(name)
