"""An accounting of one's own, from a YAML or JSON file: data, of which nothing is executed.

    name: mmcv
    title: MACs with biases; activations 1 a value
    source: mmcv/cnn/utils/flops_counter.py
    unit: FLOPs
    counts:
      conv linear: {macs: 1, bias_adds: 1}
      relu: {outputs: 1}
    leaves_out: matmul attention

``counts`` has kinds of layers, several with spaces between them, and how often each fact is added;
``leaves_out`` the kinds whose weighted sums are left out on purpose, or ``everything else``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..counting.accounting import EVERYTHING_ELSE, FACTS, Accounting
from ..errors import AccountingError, closest
from ..formats import STANDARD_INPUT, Source, read_bytes
from ..formats.encodings.yaml import Mapping, Scalar, Sequence, compose
from ..layers import kinds as kinds_of_layers
from ..network import Work

if TYPE_CHECKING:
    from ..formats.encodings.yaml import Yaml

NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}")
MOST = 10**6
"""How often a fact is counted at most."""

_WORDS: dict[str, tuple[str, ...]] = {
    "neurons_of": ("weighted", "all", "conv"),
    "fold_batch_norm": ("true", "false"),
}
_TEXTS = ("title", "source", "unit")
_TENSORS = ("weights", "biases", "buffers")
_KEYS = ("name", *_TEXTS, "counts", "leaves_out", "tensors", "per_mac", *_WORDS)


def read_accounting(path: str) -> Accounting:
    """The accounting of a file; "-" is standard input. It is not registered.

    Raises ReadError for what is no YAML or JSON, AccountingError with ``file:line`` for a field, a
    kind of layer or a fact that there is not.
    """
    data = read_bytes(path)
    path = STANDARD_INPUT if path == "-" else path
    tree = compose(Source(path, data))
    if not isinstance(tree, Mapping):
        raise AccountingError(
            "this is no accounting", where=path, hint="it has lines 'name:', 'source:', 'counts:'"
        )
    fields: dict[str, Any] = {"title": "", "source": path}
    for key, value in tree.pairs.items():
        where = f"{path}:{key.line}"
        if key.text not in _KEYS:
            raise AccountingError(
                f"an accounting has no '{key.text[:80]}'",
                where=where,
                hint=closest(key.text, _KEYS),
            )
        fields[key.text] = _field(key.text, value, path, where)
    for needed in ("name", "counts"):
        if needed not in fields:
            raise AccountingError(f"an accounting without '{needed}:'", where=path)
    return Accounting(**fields)


def _field(name: str, value: Yaml, path: str, where: str) -> Any:
    if name == "counts":
        return _counts(value, path, where)
    if name == "leaves_out":
        if isinstance(value, Scalar) and value.text == "everything else":
            return EVERYTHING_ELSE
        return tuple(_known_kind(kind, where) for kind in _words(value, where, name))
    if name == "tensors":
        return tuple(_one_of(word, _TENSORS, where, name) for word in _words(value, where, name))
    text = _text(value, where, name)
    if name == "name" and not NAME.fullmatch(text):
        raise AccountingError(
            "the name of an accounting is one word", where=where, values=text[:80], hint="my-tool"
        )
    if name == "per_mac":
        return _times(text, where, name, least=0)
    if name in _WORDS:
        word = _one_of(text, _WORDS[name], where, name)
        return word == "true" if name == "fold_batch_norm" else word
    return text


def _counts(value: Yaml, path: str, where: str) -> dict[str, dict[str, int]]:
    if not isinstance(value, Mapping):
        raise AccountingError(
            "'counts' has a line for each kind of layer",
            where=where,
            hint="conv linear: {macs: 1}",
        )
    counts: dict[str, dict[str, int]] = {}
    for key, facts in value.pairs.items():
        line = f"{path}:{key.line}"
        if not isinstance(facts, Mapping):
            raise AccountingError(
                f"'{key.text[:80]}' says how often each fact is added",
                where=line,
                hint="{macs: 1, bias_adds: 1}",
            )
        terms: dict[str, int] = {}
        for fact, times in facts.pairs.items():
            at = f"{path}:{fact.line}"
            _one_of(fact.text, (*Work._fields, *FACTS), at, "a fact")
            terms[fact.text] = _times(_text(times, at, fact.text), at, fact.text, least=-MOST)
        for kind in key.text.split():
            if _known_kind(kind, line) in counts:
                raise AccountingError(f"'{kind}' is counted twice", where=line)
            counts[kind] = terms
    return counts


def _known_kind(kind: str, where: str) -> str:
    """``*`` too: all others."""
    return kind if kind == "*" else _one_of(kind, kinds_of_layers(), where, "a kind of layer")


def _one_of(word: str, known: tuple[str, ...], where: str, what: str) -> str:
    if word not in known:
        raise AccountingError(
            f"'{word[:80]}' is not known as {what}", where=where, hint=closest(word, list(known))
        )
    return word


def _words(value: Yaml, where: str, name: str) -> list[str]:
    if isinstance(value, Scalar):
        return value.text.replace(",", " ").split()
    if isinstance(value, Sequence):
        return [_text(item, where, name) for item in value.items]
    raise AccountingError(f"'{name}' is a list of words", where=where)


def _text(value: Yaml, where: str, name: str) -> str:
    if not isinstance(value, Scalar):
        raise AccountingError(f"'{name}' is one piece of text", where=where)
    return value.text


def _times(text: str, where: str, name: str, *, least: int) -> int:
    match = re.fullmatch(r"-?[0-9]{1,7}", text)
    times = int(text) if match else MOST + 1
    if not least <= times <= MOST:
        raise AccountingError(
            f"'{name}' is counted a whole number of times",
            where=where,
            values=f"{text[:80]}, from {least:,} to {MOST:,}",
        )
    return times
