"""What is fuzzed: a function of bytes for each format, and for each small language of ours.

From each nothing may come out but a NettallyError. ``sniff`` is called too, and raises nothing at
all; what is read is counted, and small networks are printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from nettally import formats
from nettally.errors import NettallyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nettally.counting.tally import Tally
    from nettally.network import Network

MOST_ROWS = 12
ONE_IN = 16
"""One in so many networks of at most so many layers is also printed, which takes longest."""


class Target(NamedTuple):
    """run: does with the bytes what a user's command would. suffix: of files of the format."""

    name: str
    suffix: str
    run: Callable[[bytes], None]


SUFFIXES = {
    "native": ".yaml",
    "ncnn": ".param",
    "cuda_convnet": ".cfg",
    "darknet": ".cfg",
    "caffe": ".prototxt",
    "caffemodel": ".caffemodel",
    "onnx": ".onnx",
    "keras": ".json",
    "gguf": ".gguf",
    "language_models": ".json",
    "tflite": ".tflite",
    "safetensors": ".safetensors",
    "checkpoint": ".pt",
}


def _reader(name: str) -> Target:
    """The target of a format."""
    reader: Any = formats.format_module(name)
    suffix = SUFFIXES.get(name, ".bin")

    def run(data: bytes) -> None:
        source = formats.Source(f"x{suffix}", data)
        reader.sniff(data[: formats.HEAD], source.name)
        try:
            counted(reader.read(source), data)
        except NettallyError as error:
            said = str(error)
            if "input" in said:  # a size is asked for: answer
                with_input(source)

    def with_input(source: formats.Source) -> None:
        try:
            counted(reader.read(source.replace(inputs={"": (3, 32, 32)})), source.data)
        except NettallyError as error:
            str(error)

    return Target(name, suffix, run)


def counted(network: Network, data: bytes) -> None:
    """Count it as ``nettally tally`` does, and print some: the same file is always printed."""
    from nettally.counting.tally import tally

    found = tally(network)
    assert found.parameters >= 0
    assert found.operations >= 0
    assert found.neurons >= 0
    if len(found.rows) <= MOST_ROWS and crc32(data) % ONE_IN == 0:
        show(found)


def show(found: Tally) -> None:
    """Print it in each form, and away."""
    from nettally.rendering import output
    from nettally.rendering.tables.terminal import tally_text
    from nettally.rendering.terminal import Terminal

    tally_text(found, Terminal())
    for form in ("csv", "json", "markdown", "latex", "html"):
        output.tally(form, found)


def _expression(data: bytes) -> None:
    from nettally.expression import parse

    text = data.decode("utf-8", "replace")
    for globs in (False, True):
        try:
            parse(text, globs=globs)
        except NettallyError as error:
            str(error)


def _printed(data: bytes) -> None:
    from nettally.claims.printed import amount, parse_printed

    for thousand in (1000, 1024):
        try:
            found = parse_printed(data.decode("utf-8", "replace"), thousand=thousand)
        except NettallyError as error:
            str(error)
            continue
        assert found.low <= found.value <= found.high or found.value >= 2**52
        assert found.why
        assert amount(found.value)


KEPT: dict[str, Any] = {}


def _claims(data: bytes) -> None:
    """A file of claims about a small network; and its bytes as one claim."""
    from nettally.claims.check import check
    from nettally.claims.claim import load, parse_claim
    from nettally.counting.tally import tally

    if not KEPT:
        KEPT["tally"] = tally(formats.read("lenet-5"))
        KEPT["read_bytes"] = formats.read_bytes
    formats.read_bytes = lambda _: data  # the file itself need not be written
    try:
        made = load("claims.yaml").claims
    except NettallyError as error:
        str(error)
        made = ()
    finally:
        formats.read_bytes = KEPT["read_bytes"]
    text = data.decode("utf-8", "replace")
    try:
        made = (*made, parse_claim(text))
    except NettallyError as error:
        str(error)
    for claim in made:
        try:
            for verdict in check(KEPT["tally"], [claim]):
                str(verdict.detail)
                str(verdict.working)
        except NettallyError as error:
            str(error)


TARGETS = {name: _reader(name) for name in formats.FORMATS}
TARGETS["expression"] = Target("expression", ".txt", _expression)
TARGETS["printed"] = Target("printed", ".txt", _printed)
TARGETS["claims"] = Target("claims", ".yaml", _claims)
