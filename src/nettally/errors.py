"""One shape for every complaint: what is wrong, where, with which values, and one suggestion."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: a command that goes well imports no typing here
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_NAMES, MAX_WORD, MAX_SHOWN, MAX_FAMILY = 1000, 60, 100, 12
"""What a suggestion compares and lists at most; a hostile file has many long names."""

LEAST_LIKENESS = 0.6
"""From this share of common letters on, as difflib reckons it, a word is near."""

LEAST_START = 2
"""So many letters of a word, at least, are a beginning that it can be known by."""

OTHER_IS_LESS_LIKE = 0.1
"""By how much another word for a name has to be nearer than a name."""

NO_WORDS: Mapping[str, str] = {}


class NettallyError(Exception):
    """Something that the user can mend.

    what: one sentence. where: ``file:line``, or a layer's name. values: the numbers that clash.
    hint: one suggestion. All but ``what`` may be empty.
    """

    def __init__(self, what: str, *, where: str = "", values: str = "", hint: str = "") -> None:
        super().__init__(what, where, values, hint)
        self.what = what
        self.where = where
        self.values = values
        self.hint = hint

    def at(self, where: str, subject: str = "") -> NettallyError:
        """The same complaint, told where it arose. What is already known is kept."""
        what = f"{subject}: {self.what}" if subject else self.what
        return type(self)(what, where=self.where or where, values=self.values, hint=self.hint)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.values:
            lines.append(f"  values: {self.values}")
        if self.hint:
            lines.append(f"  try: {self.hint}")
        return "\n".join(lines)


class ReadError(NettallyError):
    """A file that is not what it says, or says what cannot be."""


class NetworkError(NettallyError):
    """A graph that is not one: a missing input, a cycle, a name used twice."""


class LayerError(NettallyError):
    """A layer whose fields, or whose input, make no sense."""


class ClaimError(NettallyError):
    """A claim that cannot be read."""


class AccountingError(NettallyError):
    """An accounting that cannot be read, or counts what a layer does not have."""


def closest(word: str, known: Iterable[object], also: Mapping[str, str] = NO_WORDS) -> str:
    """A question, "did you mean 'stride'?", or the known words when nothing is near.

    also: other words for the known ones; what is near is as in ``nearest``.
    """
    names = sorted(map(str, known))
    near = nearest(word, names, also)
    if len(near) == 1:
        return f"did you mean '{near[0][:MAX_WORD]}'?"
    listed, most = (near, MAX_FAMILY) if near else (names, MAX_SHOWN)
    shown = ", ".join(name[:MAX_WORD] for name in listed[:most])
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return f"one of {shown}{more}"


def nearest(
    word: str, known: Iterable[object], also: Mapping[str, str] = NO_WORDS
) -> tuple[str, ...]:
    """The known words that are near; () where none is.

    Near is, in this order: the same but for capitals and hyphens; another word for it, by ``also``;
    the same words in another order; a family, whose members have the word in their names; one word
    of which only a few letters differ; and the only one that begins so.
    """
    import difflib

    names, word = sorted(map(str, known)), word[:MAX_WORD]
    # comparing costs time: of very many names only those that begin alike are compared
    likely = names if len(names) <= MAX_NAMES else [n for n in names if n[:3] == word[:3]]
    meant = {name: name for name in likely[:MAX_NAMES]}
    meant |= {other: name for other, name in also.items() if name in meant and other not in meant}
    plain = {name: _plain(name[:MAX_WORD]) for name in meant}
    for name, each in plain.items():
        if each == _plain(word):
            return (meant[name],)
    words = _words(word)
    family = [name for name in meant if words and words <= _words(name)]
    family = [name for name in family if words == _words(name)] or family
    if family:
        return tuple(dict.fromkeys(meant[name] for name in family))
    matcher = difflib.SequenceMatcher(b=_plain(word))
    best, likeness = "", LEAST_LIKENESS
    for name, each in plain.items():
        matcher.set_seq1(each)
        least = likeness if name in names else likeness + OTHER_IS_LESS_LIKE
        if matcher.real_quick_ratio() >= least and matcher.quick_ratio() >= least:
            ratio = matcher.ratio()
            if ratio >= least:
                best, likeness = name, ratio if name in names else ratio - OTHER_IS_LESS_LIKE
    if best:
        return (meant[best],)
    start = _plain(word)
    longer = {meant[name] for name, each in plain.items() if each.startswith(start)}
    return tuple(longer) if len(longer) == 1 and len(start) >= LEAST_START else ()


def _plain(name: str) -> str:
    """A name without capitals and hyphens: ``resnet50`` of ``ResNet-50``."""
    return "".join(each for each in name.casefold() if each not in "-_ ") or name


def _words(name: str) -> frozenset[str]:
    return frozenset("".join(c if c.isalnum() else " " for c in name.casefold()).split())
