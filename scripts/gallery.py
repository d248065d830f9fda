"""The gallery of the docs: six networks of the zoo in each style, and the page that shows them."""

from __future__ import annotations

import sys
from pathlib import Path

import nettally
from nettally.claims.check import check
from nettally.claims.claim import load
from nettally.formats.zoo import claims_path
from nettally.rendering.drawing import STYLES

DOCS = Path(__file__).resolve().parents[1] / "docs"
NETWORKS = {
    "alexnet": "AlexNet",
    "lenet-5": "LeNet-5",
    "vgg-16": "VGG-16",
    "googlenet": "GoogLeNet",
    "resnet-50": "ResNet-50",
    "u-net": "U-Net",
}
HEAD = """# Gallery

Six networks of the zoo, each in the four styles of `nettally draw`.
The numbers in circles are published figures that do not tally, noted under each figure.
Each picture was made by the command above it; `scripts/gallery` makes them all, and this page.
[Figures](figures.md) says what the styles show, and how to choose width, theme and format.
"""
SHOWS = {
    "volumes": "each layer's output as a box, to scale",
    "blocks": "the layers and how they are connected",
    "bars": "parameters, MACs, memory and neurons, layer by layer",
    "field": "receptive field and stride, layer by layer",
}


def pictures() -> dict[str, str]:
    """The files of the gallery: their names below docs/, and what is in them."""
    made: dict[str, str] = {}
    page = [HEAD]
    for name, title in NETWORKS.items():
        counted = nettally.tally(nettally.read(name))
        path = claims_path(name)
        verdicts = check(counted, load(path).own) if path else ()
        page.append(f"\n## {title}\n")
        for style in STYLES:
            figure = nettally.draw(counted, style, theme="auto", claims=verdicts)
            file = f"gallery/{name}-{style}.svg"
            made[file] = figure.svg()
            command = f"nettally draw {name} --style {style} --theme auto -o {name}-{style}.svg"
            page.append(f"\n`{command}`\n\n![{title}: {SHOWS[style]}]({file})\n")
    made["gallery.md"] = "".join(page)
    return made


def main() -> int:
    """Write them; with --check say which differ, and end with 1 if any does."""
    differing = [
        name
        for name, text in pictures().items()
        if not (path := DOCS / name).is_file() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"docs/{name} differs" for name in differing) or "all are as drawn")
        return bool(differing)
    (DOCS / "gallery").mkdir(exist_ok=True)
    for name, text in pictures().items():
        if name in differing:
            (DOCS / name).write_text(text, encoding="utf-8")
            print(f"docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
