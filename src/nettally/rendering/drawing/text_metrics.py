"""How wide a text is: a table, so that no font need be read and every machine lays out alike.

Each width is the larger one of Helvetica's (which Arial, Liberation Sans and Nimbus Sans share)
and DejaVu Sans's, which a system without those falls back to and which is the widest of the common
sans-serif fonts (Noto Sans, Roboto, Segoe UI and Ubuntu are narrower). A label that is laid out by
it is whole in any of them. A text with other characters is given its width with the text
(``textLength``).
"""

from __future__ import annotations

from unicodedata import category, east_asian_width

from ..escape import escape

FONTS = "Helvetica, Arial, 'Liberation Sans', 'Nimbus Sans', 'DejaVu Sans', sans-serif"

ASCENT, DESCENT = 1.0, 0.3
"""Above and below the baseline, in ems: DejaVu Sans has 0.93 and 0.24, the larger ones of both
fonts, and a browser rounds each up to whole pixels of the screen, whatever the figure's scale."""

LINE = 1.32
"""From one baseline to the next, in ems: lines one under the other do not meet."""

# from the space to the tilde, in thousandths of an em
_REGULAR = (
    *(318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 500, 838, 318, 361, 318, 337),
    *(637, 637, 637, 637, 637, 637, 637, 637, 637, 637, 337, 337, 838, 838, 838, 557),
    *(1016, 685, 687, 723, 771, 667, 611, 778, 752, 295, 500, 667, 558, 863, 749, 788),
    *(667, 788, 723, 667, 611, 732, 685, 989, 686, 667, 686, 391, 337, 391, 838, 557),
    *(500, 613, 635, 550, 635, 616, 353, 635, 634, 278, 278, 580, 278, 975, 634, 612),
    *(635, 635, 412, 521, 393, 634, 592, 818, 592, 592, 525, 637, 337, 637, 838),
)
_BOLD = (
    *(349, 457, 521, 838, 696, 1002, 873, 307, 458, 458, 523, 838, 380, 416, 380, 366),
    *(696, 696, 696, 696, 696, 696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 611),
    *(1000, 774, 763, 734, 831, 684, 684, 821, 837, 373, 557, 775, 638, 996, 837, 851),
    *(733, 851, 771, 721, 683, 813, 774, 1104, 771, 725, 726, 458, 366, 458, 838, 557),
    *(500, 675, 716, 593, 716, 679, 436, 716, 712, 343, 343, 666, 343, 1042, 712, 688),
    *(716, 716, 494, 596, 479, 712, 652, 924, 646, 652, 583, 712, 366, 712, 838),
)
_OTHERS = {
    "×": 838,
    "·": 380,
    "→": 1000,
    "…": 1000,
    "−": 838,
    "≤": 838,
    "≥": 838,
    "≈": 838,
    "²": 438,
    "³": 438,
    "°": 500,
    "“": 658,
    "”": 658,
    "‘": 380,
    "’": 380,
    "–": 557,
    "—": 1000,
    "⌈": 458,
    "⌉": 458,
    "⌊": 458,
    "⌋": 458,
    **dict.fromkeys("⁰¹⁴⁵⁶⁷⁸⁹", 438),
    **dict.fromkeys("⁻⁺", 528),
    # from alpha to omega
    **dict(
        zip(
            map(chr, range(0x3B1, 0x3CA)),
            (
                *(687, 716, 681, 687, 557, 591, 712, 687, 390, 710, 633, 736, 681),
                *(591, 687, 791, 716, 593, 779, 638, 675, 782, 645, 794, 869),
            ),
            strict=True,
        )
    ),
}


def is_measured(text: str) -> bool:
    """Whether the table has each character, so that ``width`` holds in the fonts that we name."""
    return all(" " <= each <= "~" or each in _OTHERS for each in text)


def width(text: str, size: float, bold: bool = False) -> float:
    """How wide the text is, in pixels, at a size of ``size`` pixels an em; rather too wide."""
    table = _BOLD if bold else _REGULAR
    total = 0
    for each in text:
        code = ord(each) - 32
        if 0 <= code < 95:
            total += table[code]
        elif each in _OTHERS:
            total += _OTHERS[each]
        elif category(each) in ("Mn", "Me"):
            total += 0
        else:
            total += 1100 if east_asian_width(each) in "WF" else 900
    return total * size / 1000


MOST_MARKS = 2
"""Combining marks on one letter; more of them would climb over the lines above."""


def clean(text: object) -> str:
    """A name or quotation from a file as one line that can't reach out of its place."""
    shown = escape(text)
    if shown.isascii():
        return shown
    kept: list[str] = []
    marks = 0
    for each in shown:
        marks = marks + 1 if category(each) in ("Mn", "Me") else 0
        if marks <= MOST_MARKS:
            kept.append(each)
    return "".join(kept)


def elide(text: str, most: float, size: float, bold: bool = False) -> str:
    """The text itself where it fits into ``most`` pixels; else its beginning, …, and its end."""
    if width(text, size, bold) <= most:
        return text
    low, high = 0, len(text)
    while low < high:  # the most characters that fit, the end's share first
        keep = (low + high + 1) // 2
        if width(_shortened(text, keep), size, bold) <= most:
            low = keep
        else:
            high = keep - 1
    return _shortened(text, low)


def _shortened(text: str, keep: int) -> str:
    tail = keep // 2
    return text[: keep - tail] + "…" + (text[-tail:] if tail else "")


def wrap(text: str, most: float, size: float, bold: bool = False) -> list[str]:
    """Lines of at most ``most`` pixels, broken at blanks; a word that is wider is broken too."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        tried = f"{line} {word}" if line else word
        if width(tried, size, bold) <= most:
            line = tried
            continue
        if line:
            lines.append(line)
        while width(word, size, bold) > most and len(word) > 1:
            keep = len(word) - 1
            while keep > 1 and width(word[:keep], size, bold) > most:
                keep -= 1
            lines.append(word[:keep])
            word = word[keep:]
        line = word
    return [*lines, line] if line or not lines else lines
