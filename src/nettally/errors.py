"""One shape for every complaint: what is wrong, where, with which values, and one suggestion."""

from __future__ import annotations

MAX_NAMES, MAX_WORD, MAX_SHOWN = 1000, 60, 100
"""What a suggestion compares and lists at most; a hostile file has many long names."""


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


def closest(word: str, known: object) -> str:
    """A question, "did you mean 'stride'?", or the known words when nothing is near."""
    import difflib

    names = sorted(str(k) for k in known)  # type: ignore[attr-defined] - whatever can be gone through
    word = word[:MAX_WORD]
    # comparing costs time: of very many names only those that begin alike are compared
    likely = names if len(names) <= MAX_NAMES else [n for n in names if n[:3] == word[:3]]
    near = difflib.get_close_matches(word, [n[:MAX_WORD] for n in likely[:MAX_NAMES]], 1, 0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    shown = names[:MAX_SHOWN]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return "one of " + ", ".join(n[:MAX_WORD] for n in shown) + more
