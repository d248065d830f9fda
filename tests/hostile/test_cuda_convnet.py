"""cuda-convnet's files made to harm: values that explode, layers and tables without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nettally.formats.cuda_convnet.convolution import MAX_TABLE
from nettally.formats.cuda_convnet.ini import MAX_BYTES, MAX_SECTIONS

if TYPE_CHECKING:
    from conftest import Hostile

DATA = "[data]\ntype=data\ndataIdx=0\n"
SEEN = DATA + "[b]\ntype=fc\ninputs=data\noutputs=2\ninitW=0.1\n"
"""A file that begins so is recognised."""


def bomb(levels: int) -> str:
    """Each key is ten times the next; the last is ten bytes."""
    keys = [f"k{i}=" + f"%(k{i + 1})s" * 10 for i in range(levels)]
    return "[a]\n" + "\n".join(keys) + f"\nk{levels}=0123456789\ntype=%(k0)s\n"


HOSTILE = [
    ("an interpolation bomb", bomb(8), "grows beyond measure"),
    ("a bomb of nothing", bomb(8).replace("0123456789", ""), "grows beyond measure"),
    ("a deep nest", bomb(20), "nests %(…)s too deep"),
    ("a million layers", "".join(f"[{i}]\n" for i in range(10**6)), "too large"),
    ("many layers", "".join(f"[{i}]\n" for i in range(10**5)), "has too many layers"),
    ("many keys", "[a]\n" + "k=\n" * 500_000, "has too many keys"),
    (
        "many inputs",
        DATA + "".join(f"[c{i}]\ntype=concat\ninputs={'data,' * 1999}data\n" for i in range(101)),
        "the layers have too many inputs",
    ),
    ("a long line", "[a]\n" + " " * 10**6 + "x" * 10**6, "neither [layer], key=value"),
    ("a huge number", f"{DATA}[f]\ntype=fc\ninputs=data\noutputs={'9' * 5000}\n", "is too large"),
    (
        "a huge product",
        DATA
        + "".join(
            f"[c{i}]\ntype=concat\ninputs={','.join([f'c{i - 1}' if i else 'data'] * 9)}\n"
            for i in range(40)
        ),
        "is too large",
    ),
    (
        "a huge table",
        f"{DATA}[c]\ntype=conv\ninputs=data\nchannels=1024\nfilterSize=1\n"
        f"filters={MAX_TABLE}\ngroups=2\nrandSparse=1\n",
        "too many to be drawn",
    ),
    (
        "a huge window",
        f"{DATA}[p]\ntype=pool\ninputs=data\nchannels=3\npool=max\nsizeX=1\n"
        "stride=1\noutputsX=999999999999\n",
        "too large",
    ),
    ("binary", SEEN + "[c]\ntype=conv\x01\x02\n", "no type of layer is called"),
    (
        "a thousand layers without a size",
        DATA + "[c]\ntype=nailbed\ninputs=data\nchannels=3\n"
        "stride=1\n"
        + "".join(
            f"[n{i}]\ntype=neuron\nneuron=relu\ninputs={f'n{i - 1}' if i else 'c'}\n"
            for i in range(3000)
        ),
        "has too many layers to try sizes",
    ),
]


@pytest.mark.parametrize(("name", "text", "what"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_a_hostile_file_is_refused_soon(hostile: Hostile, name: str, text: str, what: str) -> None:
    sized = {} if "without a size" in name else {"": (3, 32, 32)}
    found = hostile("layers.cfg", text if text.startswith("[data]") else SEEN + text, inputs=sized)
    assert what in found.refused
    assert found.refused.startswith("layers.cfg")
    assert len(found.refused) < 1000


def test_bytes_that_are_no_text_are_refused(hostile: Hostile) -> None:
    found = hostile("layers.cfg", b"[data]\ntype=data\n[conv]\ntype=\xff\xfe\n")
    assert found.refused.startswith("layers.cfg:4: this is not text in UTF-8")


def test_a_long_chain_is_read_without_recursion(hostile: Hostile) -> None:
    count = MAX_SECTIONS - 1
    text = "".join(
        f"[n{i}]\ntype=neuron\nneuron=relu\ninputs={f'n{i - 1}' if i else 'data'}\n"
        for i in range(count)
    )
    assert len(text) < MAX_BYTES
    found = hostile("layers.cfg", DATA + text, inputs={"": (3, 8, 8)})
    assert (found.how, found.layers) == ("read", count)
