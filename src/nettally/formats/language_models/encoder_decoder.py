"""Two towers of which one reads the other: translation, summaries, speech to text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...record import Record
from .encoder import dtypes
from .parts import Stack, joined
from .tower import Dense, Head, Tokens, Tower, class_of, input_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ...network import Network, Shape
    from ..source import Source
    from .config import Config


class Sound(Record):
    """A spectrogram as values: two convolutions over time, the second of stride 2, and positions.

    Radford et al. 2022. mel: the field of its bands.
    """

    convolutions: tuple[str, str] = ("conv1", "conv2")
    positions: str = "embed_positions"
    rows: str = "max_source_positions"
    mel: str = "num_mel_bins"

    input: ClassVar[str] = "input_features"

    def default(self, c: Config) -> Shape:
        return (1, c.whole(self.mel), 2 * c.whole(self.rows))

    def build(self, b: Stack, root: str, x: str, norm: object) -> str:
        width = b.config.whole("hidden_size")
        first, second = (joined(root, name) for name in self.convolutions)
        for name, stride in ((first, 1), (second, 2)):
            x = b.make(name, "conv", x, filters=width, kernel=(3,), stride=stride, padding=1)
            x = b.make(f"{name}.act", "gelu", x)
        x = b.make(f"{second}.by_time", "permute", x, order=(0, 2, 1))
        rows = b.config.whole(self.rows)
        return b.make(joined(root, self.positions), "position_embedding", x, rows=rows)


class EncoderDecoder(Record):
    """What the encoder puts out is read by every block of the decoder.

    encode, decode: how each begins; within the roots encoder_root and decoder_root. words: the
    table of words, where both have the same. heads: by the ends of the classes' names. root: of
    all in the classes with a head. note: what there is to say where the configuration says that
    the head is not tied.
    """

    encode: Tokens | Sound
    encoder: Tower
    decode: Tokens
    decoder: Tower
    heads: Mapping[str, tuple[Head, ...]]
    root: str = "model"
    default: str = "ForConditionalGeneration"
    encoder_root: str = "encoder"
    decoder_root: str = "decoder"
    words: str = ""
    note: str = ""
    defaults: Mapping[str, Any] = {}

    def network(self, config: Config, source: Source) -> Network:
        """The network, of one sequence for each tower."""
        b = Stack(config)
        kind = class_of(config, self.heads, self.default)
        root = "" if kind == "Model" else self.root
        first, second = self.encode.input, "decoder_input_ids"
        defaults = {first: self.encode.default(config), second: self.decode.default(config)}
        sizes = input_sizes(source, defaults)
        if isinstance(self.encode, Tokens) and second not in source.inputs:
            sizes[second] = sizes[first]
        if second not in source.inputs:
            b.note(
                f"the decoder's sequence has {sizes[second][1]:,} tokens; "
                f"--input {second}=1x128 is one of 128"
            )
        if self.note and not config.flag("tie_word_embeddings", True):
            b.note(self.note)
        x = b.input(first, sizes[first])
        encoder, decoder = joined(root, self.encoder_root), joined(root, self.decoder_root)
        start = joined(root, self.words) if self.words else ""
        x = self._begin(b, self.encode, encoder, start, x, self.encoder)
        memory = self.encoder.build(b, encoder, x)
        if kind == "EncoderModel":
            return b.network(outputs=(memory,), dtypes=dtypes(b))
        y = b.input(second, sizes[second])
        y = self._begin(b, self.decode, decoder, start, y, self.decoder)
        y = self.decoder.build(b, decoder, y, memory)
        words = start or joined(decoder, self.decode.words)
        ends = [each.build(b, root, y, words, self.decoder.norm) for each in self.heads[kind]]
        return b.network(outputs=ends or (y,), dtypes=dtypes(b))

    def _begin(
        self, b: Stack, start: Tokens | Sound, root: str, words: str, x: str, tower: Tower
    ) -> str:
        return start.build(b, root, x, tower.norm, *([words] if isinstance(start, Tokens) else []))


WORDS = (Head((Dense("lm_head", "vocab_size", bias=False, tied=True),)),)
"""A score for each word, by the table of words."""
