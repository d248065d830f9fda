"""Escaping what strangers wrote, once, at the renderer.

Names of layers, titles, quotations and file names come from files. What could steer a terminal
(control characters, ANSI and OSC sequences), turn text around (bidi marks), break a table (pipes,
line ends) or become a formula in a spreadsheet is shown, not done.
"""

from __future__ import annotations

MAX_TEXT = 400
"""The longest text from a file that is shown whole, in characters."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARKDOWN = "\\`*_[]<>|&#~"


def escape(text: object) -> str:
    r"""One line of printable text: what is not printable stands as ``\x1b``, ``\u202e``.

    ``str.isprintable`` is false for controls, formats (bidi marks, zero-width joiners), surrogates
    and line separators; the other spaces (no-break, thin) become a plain one.
    """
    shown = str(text)
    if len(shown) > MAX_TEXT:
        shown = shown[:MAX_TEXT] + "…"
    if shown.isprintable():
        return shown
    return "".join(
        [each if each.isprintable() else " " if each in _SPACES else _code(each) for each in shown]
    )


_SPACES = "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"


def _code(each: str) -> str:
    number = ord(each)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def csv_cell(value: object) -> str:
    """A cell of a spreadsheet: text that would be read as a formula begins with an apostrophe.

    Numbers stay as they are. None is an empty cell.
    """
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    shown = escape(value)
    if shown.startswith(_FORMULA):
        shown = "'" + shown
    return '"' + shown.replace('"', '""') + '"' if any(c in shown for c in ',"\n') else shown


def markdown_cell(value: object) -> str:
    """A cell of a Markdown table: pipes and whatever Markdown or HTML would read are escaped."""
    shown = escape("" if value is None else value)
    return "".join(["\\" + each if each in _MARKDOWN else each for each in shown])


def html_text(text: object) -> str:
    """Text in a page, in an element or in a quoted attribute."""
    from html import escape as inert  # `html` costs 2 ms, which a terminal need not pay

    return inert(escape(text), quote=True)


_LATEX = {
    "\\": "\\textbackslash{}",
    "{": "\\{",
    "}": "\\}",
    "$": "\\$",
    "&": "\\&",
    "#": "\\#",
    "%": "\\%",
    "_": "\\_",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': "''",
    "`": "{`}",
    "'": "'",
    "[": "{[}",  # after \\ it would be an optional argument
    "*": "{*}",
    "-": "-",
    "×": "$\\times$",
    "·": "$\\cdot$",
    "≈": "$\\approx$",
    "≥": "$\\geq$",
    "≤": "$\\leq$",
    "→": "$\\to$",
    "⌈": "$\\lceil$",
    "⌉": "$\\rceil$",
    "⌊": "$\\lfloor$",
    "⌋": "$\\rfloor$",
    "−": "$-$",
    "–": "\\textendash{}",
    "—": "\\textemdash{}",
    "…": "\\dots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "✓": "",
    "✗": "",
    **{sign: f"$^{power}$" for power, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}
_LATIN = "äöüÄÖÜßéèêëáàâåãæçíìîïñóòôøõœúùûýÿÉÈÊÁÀÂÅÆÇÍÎÑÓÔØÕŒÚÛ"


def latex_text(text: object) -> str:
    """Text in LaTeX, in any cell or paragraph, for every engine and with no package.

    A letter that pdfLaTeX does not have stands as its number, ``U+5377``.
    """
    shown = escape(text).replace("--", "-\x00-")  # two hyphens would become a dash
    pieces = [_LATEX.get(each) or (each if _plain(each) else _numbered(each)) for each in shown]
    return "".join(pieces).replace("\x00", "{}").replace("?`", "?{}`").replace("!`", "!{}`")


def _plain(each: str) -> bool:
    return each == "\x00" or each.isascii() or each in _LATIN


def _numbered(each: str) -> str:
    return "" if each in "✓✗" else f"U+{ord(each):04X}"
