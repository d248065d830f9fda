"""What docs/file-format.md says is so: its examples are read, its tables are the layers'."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source, native
from nettally.formats.native.field_values import signature
from nettally.formats.native.writing import _text
from nettally.layers import FAMILIES, layer_class

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "file-format.md").read_text("utf-8")
EXAMPLES = [part.partition("\n```")[0] for part in PAGE.split("```yaml\n")[1:]]


def row(kind: str) -> str:
    """A layer's line in the table."""
    cls = layer_class(kind)
    sig = signature(cls)
    defaults = cls._defaults

    def shown(field: str) -> str:
        if field in sig.required:
            return field.upper()
        value = defaults[field]
        return field if value in (None, ()) else f"{field} {_text(value, sig.types[field])}"

    first = ", ".join(map(shown, sig.positional))
    rest = ", ".join(shown(field) for field in sig.types if field not in sig.positional)
    return f"| `{' '.join((kind, first)).strip()}` | {rest} |"


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_example_is_a_network(text: str) -> None:
    net = native.read(Source("example.yaml", text.encode()))
    counted = tally(net)
    assert all(row.shape is not None for row in counted)
    again = native.read(Source("example.yaml", native.write(net).encode()))
    assert tally(again).parameters == counted.parameters


def test_every_layer_is_in_the_table() -> None:
    table = [line for line in PAGE.splitlines() if line.startswith("| `")]
    expected = [row(kind) for kinds in FAMILIES.values() for kind in kinds.split()]
    missing = [line for line in expected if line not in table]
    assert not missing, "put into docs/file-format.md:\n" + "\n".join(missing)
    assert [line for line in table if line in expected] == expected


def test_every_key_is_in_the_table_and_in_the_schema() -> None:
    for key in native.KEYS:
        assert f"| `{key}` |" in PAGE
    schema = json.loads((DOCS / "schema" / "network.schema.json").read_text("utf-8"))
    assert set(schema["properties"]) == set(native.KEYS)


def test_the_refusal_shown_is_the_one_given() -> None:
    text = "nettally: 1\ninput: 3x9x9\nlayers:\n\n\n\n  - conv1: conv 6, 3x3, strid 4\n"
    with pytest.raises(ReadError) as caught:
        native.read(Source("alexnet.yaml", text.encode()))
    for line in str(caught.value).splitlines():
        assert f"    {line}\n" in PAGE
