"""GGUF files: their header against the format's own writer, the network against its tensors."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from math import prod
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seeds
from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source, format_module
from nettally.formats.encodings import gguf
from nettally.formats.encodings.blob import Blob

if TYPE_CHECKING:
    from pathlib import Path

    from nettally.counting.tally import Tally


def read(data: bytes) -> Tally:
    return tally(format_module("gguf").read(Source("x.gguf", data)))


def header(data: bytes) -> gguf.Header:
    with Blob("x.gguf", data=data) as blob:
        return gguf.header(blob)


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
@pytest.mark.parametrize("tied", [False, True])
def test_a_llama_is_the_network_of_its_settings(kind: str, tied: bool) -> None:
    found = read(seeds.gguf_llama(kind, tied=tied))
    # embedding, norms, q and output, k and v, three of the feed-forward, the head
    expected = 96 * 32 + 3 * 32 + 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + (not tied) * 96 * 32
    assert found.parameters == expected
    assert found.complete
    assert found["blk.0.attn_q"].node.layer.kind == "linear"
    tokens, heads, size = 16, 4, 8
    matrices = expected - 3 * 32 - (not tied) * 96 * 32
    assert found.macs == tokens * matrices + 2 * heads * tokens * tokens * size


def test_an_unheard_architecture_is_a_table_of_parameters() -> None:
    found = read(seeds.gguf_llama(architecture="unheard"))
    assert found.parameters == read(seeds.gguf_llama()).parameters
    assert not found.complete
    assert any("'unheard' is not known" in note for note in found.network.notes)


def test_settings_that_describe_other_tensors_are_not_believed() -> None:
    data = seeds.gguf_llama()
    key = b"llama.feed_forward_length" + struct.pack("<I", 4)
    other = data.replace(key + struct.pack("<I", 64), key + struct.pack("<I", 60))
    found = read(other)
    assert found.parameters == read(data).parameters
    assert not found.complete
    assert any("ffn_gate.weight has 2,048 values, 1,920" in note for note in found.network.notes)


def test_bits_a_weight_are_those_of_the_blocks() -> None:
    (entry,) = header(seeds.gguf({}, [("a", [256, 3], "Q4_K")])).tensors
    assert (entry.shape, entry.bytes) == ((3, 256), 3 * 144)
    notes = read(seeds.gguf({}, [("a", [256, 3], "Q4_K")])).network.notes
    assert "stored in 432 bytes, 4.5 bits a weight: 768 Q4_K" in notes


@given(
    st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=9),
                    st.one_of(st.integers(0, 2**32 - 1), st.text("ab", max_size=5),
                              st.lists(st.text("ab", max_size=5), max_size=4)), max_size=5),
    st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), max_size=5),
)  # fmt: skip
def test_what_is_written_is_read(settings: dict[str, Any], sizes: list[list[int]]) -> None:
    settings.pop("general.alignment", None)
    tensors = [(f"t{i}", size, "F32") for i, size in enumerate(sizes)]
    found = header(seeds.gguf(settings, tensors))
    shown = {key: len(v) if isinstance(v, list) else v for key, v in settings.items()}
    assert found.settings == shown
    assert [(each.name, each.shape) for each in found.tensors] == [
        (name, tuple(reversed(size))) for name, size, _ in tensors
    ]


@given(st.data())
def test_each_cut_is_refused(data: st.DataObject) -> None:
    whole = seeds.gguf_llama()
    cut = data.draw(st.integers(0, len(whole) - 33))
    with pytest.raises(ReadError):
        header(whole[:cut])


def test_files_of_an_independent_writer(shared: Path, tmp_path: Path) -> None:
    """Five small files with architectures' real keys; their writer says what is in them."""
    script = shared / "llm" / "make_gguf.py"
    if not script.is_file():
        pytest.skip("the folder llm of ../shared is not there")
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True)
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert len(facts) == 5
    for fact in facts:
        path = tmp_path / fact["file"]
        with Blob(path.name, str(path)) as blob:
            found = gguf.header(blob)
        assert len(found.tensors) == fact["tensors"]
        assert found.start == fact["data_offset"]
        assert sum(each.bytes for each in found.tensors) == fact["tensor_bytes"]
        by_type: dict[str, int] = {}
        for each in found.tensors:
            by_type[each.type] = by_type.get(each.type, 0) + prod(each.shape)
        assert by_type == fact["by_type"]
        source = Source(path.name, b"", path=str(path))
        assert tally(format_module("gguf").read(source)).parameters == fact["parameters"]
