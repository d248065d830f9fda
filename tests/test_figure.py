"""Figures: every label whole, every number true, boxes to scale, and nothing in them that acts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import nettally
from nettally.claims.check import Verdict, check
from nettally.claims.claim import load, parse_claim
from nettally.counting.tally import Tally, tally
from nettally.errors import NettallyError
from nettally.formats.zoo import claims_path
from nettally.rendering.drawing import STYLES, Figure, draw
from nettally.rendering.drawing.layer_words import kernel, quantity, stride
from nettally.rendering.drawing.model import Box, Label, flat
from nettally.rendering.drawing.model import Path as Drawn
from nettally.rendering.drawing.palette import DARK, FAMILIES, LIGHT
from nettally.rendering.drawing.stages import stages_of
from nettally.rendering.drawing.text_metrics import clean, elide, is_measured, width, wrap

GOLDEN = Path(__file__).parent / "golden" / "figures"
ZOO = tuple(entry.name for entry in nettally.zoo())
WIDTHS = (600, 2400)


def counted(name: str) -> Tally:
    return tally(nettally.read(name))


def verdicts(found: Tally) -> tuple[Verdict, ...]:
    path = claims_path(found.network.name)
    return check(found, load(path)) if path else ()


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """The pairs of labels whose boxes meet."""
    listed = sorted(figure.labels, key=lambda label: label.box.top)
    found = []
    for n, label in enumerate(listed):
        for other in listed[n + 1 :]:
            if other.box.top >= label.box.bottom:
                break
            if label.box.overlaps(other.box):
                found.append((label.text, other.text))
    return found


def cut(figure: Figure) -> list[str]:
    """The labels that reach out of the figure."""
    return [
        label.text
        for label in figure.labels
        if label.box.left < -0.01
        or label.box.top < -0.01
        or label.box.right > figure.width + 0.01
        or label.box.bottom > figure.height + 0.01
    ]


def assert_whole(figure: Figure) -> None:
    assert not overlapping(figure)
    assert not cut(figure)


# --- labels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZOO)
def test_every_label_of_the_zoo_is_whole(name: str) -> None:
    """Each style, at the width of a column and of a slide, with the claims marked."""
    found = counted(name)
    marked = verdicts(found)
    for style in STYLES:
        for wide in (None, *WIDTHS):
            figure = draw(found, style, width=wide, claims=marked)
            assert figure.labels
            assert_whole(figure)
            if wide is not None:
                assert figure.width * figure.scale == pytest.approx(wide)
                # never smaller than it was laid out, so that a label is as large as it is meant
                assert figure.scale >= 0.999
                assert min(label.size for label in figure.labels) * figure.scale >= 7.4


def test_labels_that_meet_are_found() -> None:
    """The test above can fail."""
    figure = draw(counted("lenet-5"), "bars")
    first = figure.labels[0]
    shifted = first._replace(x=first.x + 3)
    assert overlapping(figure.replace(items=(*figure.items, shifted)))
    assert cut(figure.replace(items=(first._replace(x=-50),)))


@pytest.mark.parametrize("direction", ["right", "down"])
def test_blocks_in_either_direction(direction: str) -> None:
    for name in ("vgg-16", "googlenet", "resnet-50", "u-net", "inception-v3"):
        for wide in WIDTHS:
            assert_whole(draw(counted(name), "blocks", width=wide, direction=direction))


def test_a_narrow_figure_is_a_small_one() -> None:
    figure = draw(counted("alexnet"), "bars", width=240)
    assert figure.width * figure.scale == pytest.approx(240)
    assert_whole(figure)


def test_depth_opens_modules() -> None:
    found = counted("googlenet")
    folded = draw(found, "blocks", depth=0)
    opened = draw(found, "bars", depth=2)
    assert sum(label.text == "inception_3a" for label in folded.labels) == 1
    assert any("inception_3a.conv_5x5" in label.text for label in opened.labels)


# --- AlexNet beside figure 2 of the paper ------------------------------------------------------


@pytest.mark.parametrize("wide", [None, *WIDTHS])
def test_alexnet_has_the_labels_of_figure_2(wide: int | None) -> None:
    """The paper's numbers, as often as it has them: two columns, 48 to 2048 maps in each."""
    figure = draw(counted("alexnet"), width=wide, claims=())
    found = Counter(label.text for label in figure.labels)
    expected = {
        "224": 2,  # height and width of the input
        "3": 1,
        "11": 4,  # height and width of the window, for either column
        "55": 4,
        "48": 2,
        "5×5": 2,
        "27": 4,
        "128": 4,  # conv2 and conv5
        "3×3": 6,  # of conv3, conv4 and conv5
        "13": 12,
        "192": 4,
        "2048": 4,
        "1000": 1,
        "dense": 3,
        "max": 3,
        "pooling": 3,
        "stride": 1,
        "of 4": 1,
    }
    assert {text: found[text] for text in expected} == expected
    names = {"data", "conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"}
    scale = {text for text in found if re.search(r"pixels|maps|units", text)}
    assert set(found) - set(expected) - names == scale


def test_alexnet_crosses_where_the_paper_says() -> None:
    """Section 3.5: conv3 and the fully connected layers read both columns; the others their own."""
    found = stages_of(counted("alexnet"), 26)
    reads = {stage.name: stage.reads for stage in found}
    own, both = ((0,), (1,)), ((0, 1), (0, 1))
    assert reads["conv1"] == ((0,), (0,))
    assert [reads[name] for name in ("conv2", "conv4", "conv5")] == [own] * 3
    assert [reads[name] for name in ("conv3", "fc6", "fc7")] == [both] * 3
    assert reads["fc8"] == ((0, 1),)


@pytest.mark.parametrize("name", ["alexnet-two-column", "caffe-alexnet", "alexnet"])
def test_columns_are_found_however_they_are_written(name: str) -> None:
    """As branches, as groups, as 48·2: the same volumes in the same columns."""
    found = stages_of(counted(name), 26)
    sizes = [[volume.channels for volume in stage.volumes] for stage in found]
    assert sizes[1:6] == [[48, 48], [128, 128], [192, 192], [192, 192], [128, 128]]
    crossing = [len(stage.reads[0]) for stage in found[2:6]]
    assert crossing == [1, 2, 1, 1]


def test_a_depthwise_convolution_makes_no_columns() -> None:
    assert all(len(stage.volumes) == 1 for stage in stages_of(counted("mobilenet-v1"), 40))


@pytest.mark.parametrize("name", ["alexnet", "vgg-16", "lenet-5", "u-net"])
@pytest.mark.parametrize("wide", [None, *WIDTHS])
def test_boxes_are_to_scale(name: str, wide: int | None) -> None:
    """Front faces measured in the figure: their heights are as the maps', their widths as maps."""
    found = counted(name)
    fronts = [
        item
        for item in flat(draw(found, width=wide).items)
        if isinstance(item, Box) and item.fill.endswith(".fill") and item.w != 8 and item.r == 0
    ]
    fronts = [front for front in fronts if front.fill != "accent.fill"]
    expected = [
        (volume.height, volume.channels)
        for stage in stages_of(found, 26)
        for pair in zip(stage.volumes, stage.pooled or (None,) * 9, strict=False)
        for volume in pair
        if volume is not None and not volume.flat
    ]
    # in the order of drawing, over all rows
    assert len(fronts) == len(expected)
    tall = max(range(len(expected)), key=lambda n: expected[n][0])
    deep = max(range(len(expected)), key=lambda n: expected[n][1])
    for front, (height, channels) in zip(fronts, expected, strict=True):
        high = fronts[tall].h * height / expected[tall][0]
        long = fronts[deep].w * channels / expected[deep][1]
        assert front.h == pytest.approx(max(high, 1.5))
        assert front.w == pytest.approx(max(long, 1.5))


@pytest.mark.parametrize("name", ZOO)
def test_volumes_have_no_wrong_number(name: str) -> None:
    """Each number in the figure is a size, a window or a stride of one of the layers."""
    found = counted(name)
    true: set[int] = set()
    for row in found:
        layer = row.node.layer
        for shape in (*row.inputs, row.shape):
            true.update(int(n) for n in shape or ())
            if shape and len(shape) > 1:  # of one column
                true.update(int(shape[1]) // n for n in (2, 3, 4))
        true.update((*kernel(layer), *stride(layer)))
    figure = draw(found, claims=())
    shown = [
        int(each)
        for label in figure.labels
        for each in re.findall(r"\d+", label.text)
        if re.fullmatch(r"(of )?\d+(×\d+)*", label.text)
    ]
    assert len(shown) > 8
    assert not set(shown) - true


# --- claims ------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_claims_that_do_not_tally_are_marked_and_noted(style: str) -> None:
    found = counted("alexnet")
    plain = draw(found, style, claims=())
    marked = draw(found, style, claims=verdicts(found))
    said = " ".join(label.text for label in marked.labels)
    assert "conv1.neurons: 253,440 is printed (figure 2, caption); ours is" in said
    assert "290,400" in said
    assert "4 published figures marked as not tallying" in marked.desc
    numbers = Counter(label.text for label in marked.labels if label.colour == "paper")
    # 1 is about conv3 and conv4, 2 about conv1, 3 about norm1, 4 about conv1 and pool1
    assert set(numbers) == {"1", "2", "3", "4"}
    assert numbers["1"] == 3  # at both, and before the note
    assert not any(label.colour == "paper" for label in plain.labels)


@pytest.mark.parametrize(
    ("claim", "quote", "note"),
    [
        ("conv1.neurons = 253,440", "253,440", "conv1.neurons: 253,440 is printed; ours is"),
        ("macs = 700 million", "", "macs: 700 million is printed; ours is 724,406,816"),
        (
            "(conv1.height - 2 + 1) // 2 + 1 - pool1.height = 0",
            "equivalent dimensions",
            "“equivalent dimensions” is printed; (conv1.height - 2 + 1) // 2 + 1 - pool1.height "
            "is 1, and not 0",
        ),
        ("conv1.height - pool1.height = 0", "", "conv1.height - pool1.height = 0; ours is 28"),
        (
            "fc6.parameters / parameters > 90 %",
            "nearly all",
            "“nearly all” is printed; fc6.parameters / parameters is 61.93 %, and not > 90 %",
        ),
        ("parameters <= 5M", "", "parameters <= 5M; ours is 60,965,224"),
        (
            "every conv*.parameters / parameters <= 1 %",
            "no more than 1%",
            "“no more than 1%” is printed: not for conv3 (1.452 %), conv4 (1.089 %)",
        ),
        ("norm1.alpha / norm1.size = 1e-4", "α = 10⁻⁴", "“α = 10⁻⁴” is printed; norm1.alpha"),
    ],
)
def test_a_note_quotes_the_work_and_not_our_expression(claim: str, quote: str, note: str) -> None:
    """A figure is printed, or words are; a formula that we made of them is not."""
    figure = draw(counted("alexnet"), "bars", width=4000, claims=[parse_claim(claim, quote=quote)])
    (text,) = [label.text for label in figure.labels if label.text.startswith(note)]
    assert is_measured(text)


def test_a_claim_is_marked_at_its_layer() -> None:
    figure = draw(counted("vgg-16"), "bars", claims=["fc7.parameters = 1", "fc6.neurons = 4096"])
    (mark, note) = [label for label in figure.labels if label.text == "1" and label.bold]
    (name,) = [label for label in figure.labels if label.text == "fc7"]
    assert abs(mark.y - name.y) < 4
    assert mark.x < name.box.left
    assert note.y > name.y


def test_a_claim_about_a_module_is_marked_once() -> None:
    """At its box; where it is opened, at its last layer."""
    found = counted("googlenet")
    for depth, name in ((0, "inception_4b"), (2, "inception_4b.output")):
        figure = draw(found, "bars", depth=depth, claims=["inception_4b.parameters = 1"])
        (mark, _) = [label for label in figure.labels if label.text == "1" and label.bold]
        (row,) = [label for label in figure.labels if label.text == name]
        assert abs(mark.y - row.y) < 4


def test_many_claims_that_differ_are_counted() -> None:
    claims = [f"fc7.parameters = {n}" for n in range(1, 20)]
    figure = draw(counted("vgg-16"), "bars", claims=claims)
    assert any("10 more claims that do not tally" in label.text for label in figure.labels)
    assert_whole(figure)


# --- the SVG -----------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "desc", "rect", "g", "path", "circle", "text", "style"}
ATTRIBUTES = {
    *[
        "xmlns",
        "width",
        "height",
        "viewBox",
        "role",
        "aria-labelledby",
        "aria-describedby",
        "font-family",
        "id",
    ],
    *[
        "stroke-linejoin",
        "stroke-linecap",
        "x",
        "y",
        "rx",
        "cx",
        "cy",
        "r",
        "d",
        "fill",
        "stroke",
        "stroke-width",
        "opacity",
    ],
    *[
        "stroke-dasharray",
        "font-size",
        "font-weight",
        "text-anchor",
        "textLength",
        "lengthAdjust",
        "class",
    ],
}


def parsed(svg: str) -> ET.Element:
    """The document; it holds nothing that acts and nothing that asks for anything."""
    root = ET.fromstring(svg)
    for each in root.iter():
        assert each.tag.removeprefix(SVG) in ALLOWED
        assert set(each.attrib) <= ATTRIBUTES
        for name, value in each.attrib.items():
            assert "url(" not in value, name
    assert "<!" not in svg
    assert "<?" not in svg
    return root


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_the_svg_is_plain_and_says_what_it_is(style: str, theme: str) -> None:
    figure = draw(counted("googlenet"), style, theme=theme, width=600)
    root = parsed(figure.svg())
    assert root.get("width") == "600"
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text == figure.title
    assert title.text.startswith("GoogLeNet, as deployed: ")
    assert desc is not None
    assert desc.text is not None
    assert "6,998,552 parameters" in desc.text
    assert root.get("aria-labelledby") == title.get("id")
    texts = list(root.iter(f"{SVG}text"))
    assert len(texts) == len(figure.labels)
    styles = [each.text or "" for each in root.iter(f"{SVG}style")]
    assert len(styles) == (theme == "auto")
    if theme == "auto":
        assert styles[0].startswith("@media (prefers-color-scheme:dark){")
        assert DARK["ink"] in styles[0]


def test_the_same_figure_is_the_same_bytes() -> None:
    """In other processes, whose sets and dicts are hashed otherwise."""
    code = (
        "import nettally, hashlib\n"
        "for n in ('alexnet', 'googlenet', 'u-net'):\n"
        "    for s in ('volumes', 'blocks', 'bars', 'field'):\n"
        "        f = nettally.draw(nettally.read(n), s)\n"
        "        print(hashlib.sha256((f.svg() + f.tex()).encode()).hexdigest())\n"
    )
    seen = set()
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        seen.add(done.stdout)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("name", "style", "wide"),
    [
        ("alexnet", "volumes", 600),
        ("u-net", "volumes", None),
        ("resnet-50", "blocks", None),
        ("u-net", "blocks", 600),
        ("alexnet", "bars", None),
        ("alexnet", "field", None),
    ],
)
def test_golden(name: str, style: str, wide: int | None) -> None:
    """NETTALLY_OVERWRITE_GOLDEN=1 rewrites them; look at each that differs before."""
    found = counted(name)
    text = draw(found, style, width=wide, claims=verdicts(found)).svg()
    path = GOLDEN / f"{name}-{style}{f'-{wide}' if wide else ''}.svg"
    if os.environ.get("NETTALLY_OVERWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_golden_tikz() -> None:
    text = draw(counted("lenet-5"), "volumes", width=600).tex()
    path = GOLDEN / "lenet-5-volumes-600.tex"
    if os.environ.get("NETTALLY_OVERWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_notebooks_show_networks_and_tallies() -> None:
    network = nettally.read("lenet-5")
    one = network._repr_svg_()
    assert one == nettally.tally(network)._repr_svg_()
    assert one is not None
    fits = 'style="max-width:100%;height:auto" '
    assert one.count(fits) == 1
    parsed(one.replace(fits, ""))
    assert "to scale" in one
    many = nettally.read("resnet-18")._repr_svg_()
    assert many is not None
    assert "how they are connected" in many
    figure = nettally.draw(network)
    assert figure._repr_svg_().replace(fits, "") == str(figure) == figure.svg()
    assert repr(figure).startswith("<Figure volumes: ")


def test_a_network_without_shapes_is_not_drawn_in_a_notebook() -> None:
    from nettally.layers import layer_class
    from nettally.network import Network, Node

    node = Node("conv", layer_class("conv")(3, 3), ("x",))
    assert Network("bad", {"x": (1, 3)}, (node,))._repr_svg_() is None
    blind = Node("what", layer_class("opaque")("What"), ("x",))
    network = Network("blind", {"x": (1, 3, 8, 8)}, (blind,))
    assert network._repr_svg_() is None
    for style in STYLES:  # asked for, it is drawn, and says what is not known
        figure = draw(network, style)
        assert_whole(figure)
        assert any(re.search(r"\?|not known|unknown", label.text) for label in figure.labels)


# --- colours -----------------------------------------------------------------------------------


def linear(colour: str) -> list[float]:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    """WCAG 2.1, contrast ratio."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira and Fernandes 2009, severity 1.0
BLINDNESS = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
    "nothing": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}


def lab(rgb: list[float]) -> tuple[float, float, float]:
    """CIE L*a*b*, D65, of linear RGB."""
    red, green, blue = (min(max(c, 0.0), 1.0) for c in rgb)
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return (116 * y - 16, 500 * (x - y), 200 * (y - z))


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_stand_out(colours: dict[str, str]) -> None:
    paper = colours["paper"]
    assert contrast(colours["ink"], paper) >= 12
    for role in ("muted", "accent"):
        assert contrast(colours[role], paper) >= 4.5
        assert contrast(colours[role], colours["wash"]) >= 4.5
    for family in FAMILIES:
        assert contrast(colours["ink"], colours[f"{family}.fill"]) >= 7
        assert contrast(colours["muted"], colours[f"{family}.fill"]) >= 4.5
        assert contrast(colours[f"{family}.stroke"], paper) >= 3


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_colour_blind_can_tell_them_apart(colours: dict[str, str], blindness: str) -> None:
    """The families whose boxes stand side by side, and the windows over them."""
    seen = {}
    for role in ("conv.side", "linear.side", "merge.side", "pool.side", "accent"):
        colour = linear(colours[role])
        matrix = BLINDNESS[blindness]
        seen[role] = lab([sum(m * c for m, c in zip(row, colour, strict=True)) for row in matrix])
    names = sorted(seen)
    for n, one in enumerate(names):
        for two in names[n + 1 :]:
            apart = sum((a - b) ** 2 for a, b in zip(seen[one], seen[two], strict=True)) ** 0.5
            assert apart >= 7, (one, two, apart)


# --- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0 k"),
        (34_944, "34.9 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (60_965_224, "61.0 M"),
        (724_406_816, "724 M"),
        (15_470_264_320, "15.5 G"),
        (2 * 10**18, "2000 P"),
    ],
)
def test_quantities(value: int, text: str) -> None:
    assert quantity(value) == text


def test_texts_are_shortened_in_the_middle() -> None:
    assert elide("conv1", 100, 9) == "conv1"
    shortened = elide("block.17.attention.projection", 80, 9)
    assert width(shortened, 9) <= 80
    assert shortened.startswith("block")
    assert shortened.endswith("ction")
    assert "…" in shortened
    assert elide("x" * 50, 0.1, 9) == "…"


def test_texts_are_wrapped() -> None:
    text = "conv1.neurons = 253,440 is printed (figure 2, caption)"
    lines = wrap(text, 120, 9)
    assert " ".join(lines) == text
    assert all(width(line, 9) <= 120 for line in lines)
    assert "".join(wrap("x" * 99, 60, 9)) == "x" * 99
    assert wrap("", 50, 9) == [""]


def test_a_name_keeps_to_its_line() -> None:
    assert clean("a\u202eb\x1b[31m\n") == "a\\u202eb\\x1b[31m\\x0a"
    climbing = clean("z" + "\u0301" * 40)
    assert climbing == "z\u0301\u0301"
    assert not is_measured(climbing)


# --- errors ------------------------------------------------------------------------------------


def test_errors_say_what_there_is() -> None:
    found = counted("lenet-5")
    with pytest.raises(NettallyError, match="there is no style 'volume'") as caught:
        draw(found, "volume")
    assert caught.value.hint == "did you mean 'volumes'?"
    with pytest.raises(NettallyError, match="there is no theme 'grey'"):
        draw(found, theme="grey")
    with pytest.raises(NettallyError, match="there is no direction 'up'"):
        draw(found, "blocks", direction="up")
    with pytest.raises(NettallyError, match="a figure can't be so wide") as caught:
        draw(found, width=20)
    assert caught.value.values == "width 20"


def test_paths_and_labels_are_what_the_writers_know() -> None:
    """No step that SVG or TikZ would not know, no role without a colour."""
    for style in STYLES:
        for item in flat(draw(counted("googlenet"), style).items):
            if isinstance(item, Label):
                assert item.colour in LIGHT
                assert item.anchor in ("start", "middle", "end")
                continue
            assert {item.fill, item.stroke} - {""} <= set(LIGHT)
            if isinstance(item, Drawn):
                lengths = {"M": 2, "L": 2, "C": 6, "Z": 0}
                assert all(len(values) == lengths[name] for name, values in item.steps)
    assert set(LIGHT) == set(DARK)


def test_verdicts_and_explanations_show_the_network_with_what_does_not_tally() -> None:
    verdicts = nettally.check(nettally.read("alexnet"), ["conv1.neurons = 253,440"])
    explained = nettally.explain(nettally.read("alexnet"), "conv1.neurons = 253,440")
    for noun in (verdicts, explained):
        drawn = noun._repr_svg_()
        assert drawn is not None
        assert "253,440 is printed" in drawn
