"""How notebooks show what a cell gives: the rules of style that meet our markup, and its frames.

Each notebook is told by the few rules that touch tables, preformatted text and SVG, with the
values of its light theme, and by the elements that it puts around an output. Looked up in

- JupyterLab: jupyterlab/jupyterlab, packages/rendermime/style/base.css (4.x, commit 04fc265);
- nbconvert: the same rules, and those of share/templates/lab/index.html.j2 (commit 0c5314d), by
  which preformatted text takes its surroundings' font; elements as in base.html.j2 there;
- the notebook of 2015 to 2023 (nbclassic), and nbconvert's template "classic":
  jupyter/notebook, notebook/static/notebook/less/renderedhtml.less;
- VS Code: microsoft/vscode, the page that src/vs/workbench/contrib/notebook/browser/view/
  renderers/backLayerWebView.ts writes, and extensions/notebook-renderers/src/index.ts.
"""

from __future__ import annotations

from typing import NamedTuple


class Notebook(NamedTuple):
    """rules: (selectors, declarations), in the order of the style sheet. html, svg: what stands
    around an output of that kind, with ``{}`` for it. before: elements around all cells."""

    rules: tuple[tuple[str, str], ...]
    html: str
    svg: str
    page: str = "<main>{}</main>"


def of_each(prefix: str, *elements: str) -> str:
    return ",".join(f"{prefix} {element}" for element in elements)


COMMON = ".jp-RenderedHTMLCommon"
PLAIN = f":not(.jp-RenderedMarkdown){COMMON}"

LAB_RULES = (
    (COMMON, "font-family:system-ui,sans-serif;font-size:14px;line-height:1.6;padding-right:20px"),
    (of_each(COMMON, "ul:not(.list-inline)"), "padding-left:2em"),
    (of_each(COMMON, "ul"), "list-style:disc;margin-bottom:1em"),
    (of_each(f".jp-ThemedContainer {COMMON}", "pre", "code"), (
        "border:0;background-color:white;font-family:monospace;font-size:inherit;"
        "line-height:1.3;padding:0;white-space:pre-wrap"
    )),
    (f".jp-ThemedContainer {COMMON} :not(pre) > code", "background-color:#eee;padding:1px 5px"),
    (of_each(COMMON, "table"), (
        "border-collapse:collapse;border-spacing:0;border:none;font-size:12px;"
        "table-layout:fixed;margin-left:auto;margin-bottom:1em;margin-right:auto"
    )),
    (of_each(COMMON, "thead"), "border-bottom:1px solid #bdbdbd;vertical-align:bottom"),
    (of_each(COMMON, "td", "th", "tr"), (
        "vertical-align:middle;padding:0.5em;line-height:normal;white-space:normal;"
        "max-width:none;border:none"
    )),
    (of_each(PLAIN, "td", "th", "tr"), "text-align:right"),
    (of_each(COMMON, "th"), "font-weight:bold"),
    (of_each(COMMON, "tbody tr:nth-child(odd)"), "background:white"),
    (of_each(COMMON, "tbody tr:nth-child(even)"), "background:#f5f5f5"),
    (f"{of_each(COMMON, 'svg')},.jp-RenderedSVG svg", "max-width:100%;height:auto"),
)  # fmt: skip

LAB = Notebook(
    LAB_RULES,
    '<div class="jp-RenderedHTMLCommon jp-RenderedHTML jp-OutputArea-output">{}</div>',
    '<div class="jp-RenderedSVG jp-OutputArea-output">{}</div>',
    '<main class="jp-ThemedContainer">{}</main>',
)

NBCONVERT = LAB._replace(
    rules=(
        *LAB_RULES,
        (".jp-OutputArea-output pre", "line-height:inherit;font-family:inherit"),
    ),
    page='<main class="jp-Notebook">{}</main>',
)

CLASSIC_RULES = (
    (".output", "font-family:sans-serif;font-size:14px;line-height:1.43"),
    (of_each(".rendered_html", "pre"), "margin:1em 2em"),
    (of_each(".rendered_html", "pre", "code"), "border:0;font-size:100%;padding:0"),
    (of_each(".rendered_html", "table"), (
        "margin-left:auto;margin-right:auto;border:none;border-collapse:collapse;"
        "border-spacing:0;font-size:12px;table-layout:fixed"
    )),
    (of_each(".rendered_html", "tr", "th", "td"), (
        "text-align:right;vertical-align:middle;padding:0.5em 0.5em;line-height:1.0;"
        "white-space:nowrap;max-width:150px;text-overflow:ellipsis;overflow:hidden;border:none"
    )),
    (of_each(".rendered_html", "th"), "font-weight:bold"),
    (of_each(".rendered_html", "tbody tr:nth-child(odd)"), "background:#f5f5f5"),
    (of_each(".rendered_html", "svg"), "max-width:100%;height:auto"),
    (".rendered_html * + ul", "margin-top:1em"),
)  # fmt: skip

CLASSIC = Notebook(
    CLASSIC_RULES,
    '<div class="output"><div class="output_subarea output_html rendered_html">{}</div></div>',
    '<div class="output"><div class="output_subarea output_svg">{}</div></div>',
)

VSCODE_RULES = (
    ("body", "font-family:system-ui,sans-serif;font-size:13px"),
    ("#container .output", "font-size:13px;box-sizing:border-box"),
    ("#container > div > div:not(.preview) > div", "overflow-x:auto"),
    ("table, thead, tr, th, td, tbody", (
        "border:none !important;border-color:transparent;border-spacing:0;border-collapse:collapse"
    )),
    ("table, th, tr", "vertical-align:middle;text-align:right"),
    ("thead", "font-weight:bold;background-color:rgba(130,130,130,0.16)"),
    ("th, td", "padding:4px 8px"),
    ("tr:nth-child(even)", "background-color:rgba(130,130,130,0.08)"),
    ("tbody th", "font-weight:normal"),
)  # fmt: skip

VSCODE_CELL = (
    '<div class="cell_container"><div class="output_container"><div class="output">'
    "<div>{}</div></div></div></div>"
)
VSCODE = Notebook(VSCODE_RULES, VSCODE_CELL, VSCODE_CELL, '<div id="container">{}</div>')

NOTEBOOKS = {"jupyterlab": LAB, "nbconvert": NBCONVERT, "classic": CLASSIC, "vscode": VSCODE}


def page_of(notebook: Notebook, outputs: list[tuple[str, str]], script: str = "") -> str:
    """A page of the notebook with the outputs of cells: ("html" or "svg", the markup) each."""
    style = "\n".join(f"{selectors}{{{declared}}}" for selectors, declared in notebook.rules)
    cells = "\n".join(
        f'<section class="cell" style="width:820px;margin:12px">'
        f"{getattr(notebook, kind).replace('{}', markup)}</section>"
        for kind, markup in outputs
    )
    return (
        "<!doctype html><html><head><meta charset='utf-8'><title>a notebook</title>"
        f"<style>{style}</style></head><body>{notebook.page.replace('{}', cells)}"
        f"<script>{script}</script></body></html>"
    )
