"""Pictures of a run: what is on them and where; that they are harmless, and always the same."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

import runs
import training
from nettally import NettallyError, cli, read
from nettally.data.packed import open_packed
from nettally.rendering import pictures
from nettally.training.run import Run, open_run
from nettally.viewing import mosaic as tiles
from nettally.viewing import nearest_images as likeness
from nettally.viewing import show
from nettally.viewing.pictures import Block, Photo, Picture, Pixels, Words

SVG = "{http://www.w3.org/2000/svg}"

COLUMNS = """
nettally: 1
name: columns
input: 3x11x11
layers:
  - conv1: conv 96, 5x5
  - relu1: relu
  - pool1: max_pool 2x2
  - conv2: conv 4, 3x3, groups 2
  - relu2: relu
  - fc7: linear 8
  - relu7: relu
  - fc8: linear 10
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.made(tmp_path / "run")


@pytest.fixture
def two(tmp_path: Path) -> Run:
    packed = training.packed(size=(12, 12, 3))
    return runs.made(tmp_path / "two", COLUMNS, packed=packed)


def photos(picture: Picture) -> list[Photo]:
    return [item for item in picture.items if isinstance(item, Photo)]


def words(picture: Picture) -> list[str]:
    return [item.text for item in picture.items if isinstance(item, Words)]


def array(pixels: Pixels) -> Any:
    return np.frombuffer(pixels.data, np.uint8).reshape(pixels.rows, pixels.columns, 3)


def inside(picture: Picture) -> None:
    """Nothing is cut off: all that is drawn lies on the paper, text by its widest font."""
    for item in picture.items:
        if isinstance(item, Words):
            wide = pictures.width(pictures.shown(item), item.size, item.bold)
            left = item.x - {"start": 0.0, "middle": wide / 2, "end": wide}[item.anchor]
            assert left >= 0, item
            assert left + wide <= picture.width, item
            assert item.size >= 12
            assert item.size <= item.y <= picture.height - 3, item
        else:
            assert item.x >= 0
            assert item.y >= 0
            assert item.x + item.w <= picture.width, item
            assert item.y + item.h <= picture.height, item


# --- kernels ------------------------------------------------------------------------------------


def test_96_kernels_stand_in_two_columns_of_three_rows_of_16(two: Run) -> None:
    picture = show.filters(two)
    above, below = photos(picture)
    times = round(44 / 5)
    wide, high = 16 * (5 * times + 2) - 2, 3 * (5 * times + 2) - 2
    for photo in (above, below):
        assert (photo.pixels.columns, photo.pixels.rows) == (wide, high) == (photo.w, photo.h)
    assert below.y > above.y + above.h + 8
    assert words(picture) == [
        "column 1",
        "column 2",
        "columns, conv1: 96 kernels, 5x5x3, one scale for all",
    ]
    weight = two.module().conv1.weight.detach().double()
    shown = ((weight - weight.min()) / (weight.max() - weight.min()) * 255).round().byte()
    for photo, first in ((above, 0), (below, 48)):
        sheet = array(photo.pixels)
        for place in range(48):
            y, x = place // 16 * (5 * times + 2), place % 16 * (5 * times + 2)
            tile = sheet[y : y + 5 * times : times, x : x + 5 * times : times]
            assert (tile == shown[first + place].permute(1, 2, 0).numpy()).all()
    inside(picture)


def test_columns_that_are_layers_of_their_own_are_shown_so() -> None:
    network = read("alexnet-two-column")
    assert [node.name for node in show.first_layers(network)] == ["conv1a", "conv1b"]
    alexnet = read("alexnet")
    assert [node.name for node in show.first_layers(alexnet)] == ["conv1"]
    assert show.columns_of(alexnet, alexnet["conv1"]) == 2
    assert show.columns_of(read("resnet-18"), show.first_layers(read("resnet-18"))[0]) == 1


def test_each_kernel_by_its_own_scale_uses_all_of_it(run: Run) -> None:
    (photo,) = photos(show.filters(run, scaling="each"))
    sheet = array(photo.pixels)
    step = sheet.shape[1] // 8 + 1
    for place in range(8):
        tile = sheet[:, place * step : place * step + step - 2]
        assert tile.min() == 0
        assert tile.max() == 255
        assert (tile[..., 0] == tile[..., 2]).all()  # of one channel: grey


def test_kernels_of_many_channels_are_rows_of_grey_tiles(two: Run) -> None:
    picture = show.filters(two, layer="conv2")
    (photo,) = photos(picture)
    each = 3 * round(22 / 3) + 2
    assert (photo.pixels.columns, photo.pixels.rows) == (32 * each - 2, 4 * each - 2)
    assert "the first 4 of 4 filters, 32 of 48 channels" in words(picture)[1]
    inside(picture)


def test_a_linear_layer_on_the_image_has_kernels_too(tmp_path: Path) -> None:
    text = "nettally: 1\nname: plain\ninput: 1x8x8\nlayers:\n  - fc: linear 10\n"
    picture = show.filters(runs.made(tmp_path / "run", text))
    assert "10 kernels, 8x8x1" in picture.title


@pytest.mark.parametrize(
    ("layer", "what"),
    [("relu1", "relu1 has no kernels that can be shown"), ("cnv1", "small has no layer 'cnv1'")],
)
def test_layers_without_kernels_are_refused(run: Run, layer: str, what: str) -> None:
    with pytest.raises(NettallyError) as caught:
        show.filters(run, layer=layer)
    assert caught.value.what == what
    assert caught.value.hint in (
        "--layer NAME names a convolution over two axes",
        "did you mean 'conv1'?",
    )


# --- maps ---------------------------------------------------------------------------------------


def test_maps_are_those_that_the_layer_gives(run: Run) -> None:
    packed = open_packed("digits")
    image = packed.splits["test"].images(torch.tensor([3]))[0]
    picture = show.activations(run, image, name="test 3")
    assert picture.title.startswith("small, relu1: 8x8x8, 0 to ")
    with torch.no_grad():
        value = run.module().values(run.centre(image.unsqueeze(0)), of=["relu1"])["relu1"][0]
    _, photo = photos(picture)
    shown = (value / value.max() * 255).round().byte().numpy()
    times = round(44 / 8)
    step = 8 * times + 2
    for place in range(8):
        tile = array(photo.pixels)[: 8 * times : times, place * step : place * step + 8 * times]
        difference = np.abs(tile[:, ::times, 0].astype(int) - shown[place].astype(int))
        assert difference.max() <= 1
    inside(picture)


@pytest.mark.parametrize("layer", ["pool1", "fc2", "prob"])
def test_any_layer_is_drawn_within_the_paper(run: Run, layer: str) -> None:
    image = open_packed("digits").splits["test"].images(torch.tensor([0]))[0]
    for scaling in tiles.SCALINGS:
        inside(
            show.activations(
                run, image, name="a very long name of a file.png", layer=layer, scaling=scaling
            )
        )


def test_what_is_alike_everywhere_is_grey_and_nan_is_no_error() -> None:
    values = torch.tensor([3.0, 3.0, 3.0, 3.0]).reshape(1, 1, 2, 2)
    assert tiles.scaled(values, "joint").unique().tolist() == [128]
    values[0, 0, 0, 0] = float("nan")
    assert tiles.scaled(values, "each").flatten().tolist() == [0, 255, 255, 255]


@pytest.mark.parametrize(
    ("count", "columns"), [(96, 16), (64, 16), (48, 16), (32, 16), (20, 8), (6, 6), (1, 1)]
)
def test_how_many_tiles_stand_in_a_row(count: int, columns: int) -> None:
    assert tiles.across(count) == columns


# --- figure 4 -----------------------------------------------------------------------------------


def test_bars_are_as_long_as_the_class_is_likely(run: Run) -> None:
    images = likeness.chosen(open_packed("digits").splits["test"], 6, 1, "predictions")
    picture = likeness.predictions(run, images)
    with torch.no_grad():
        scores = run.module(scores=True)(run.centre(images.images))
    found = scores.softmax(1).sort(descending=True, stable=True)
    bars = [item for item in picture.items if isinstance(item, Block) and item.fill != "faint"]
    assert len(bars) == 30
    for place, bar in enumerate(bars):
        chance = float(found.values[place // 5, place % 5])
        assert bar.w == pytest.approx(max(1, 216 * chance), abs=1e-3)
        right = int(found.indices[place // 5, place % 5]) == images.labels[place // 5]
        assert bar.fill == ("accent" if right else "conv.stroke")
    assert len(photos(picture)) == 6
    inside(picture)


def test_the_same_seed_chooses_the_same_images() -> None:
    split = open_packed("digits").splits["test"]
    first, again = (likeness.chosen(split, 9, 3, "predictions") for _ in range(2))
    assert first.places == again.places
    assert len(set(first.places)) == 9
    assert likeness.chosen(split, 9, 4, "predictions").places != first.places
    assert len(likeness.chosen(split, 10_000, 0, "x").places) == len(split)


@pytest.mark.parametrize("layer", ["relu2", "pool1"])
def test_neighbours_are_the_nearest_by_a_full_search(run: Run, layer: str) -> None:
    packed = open_packed("digits")
    train = packed.splits["train"]
    images = likeness.chosen(packed.splits["test"], 3, 0, "neighbours")
    near = likeness.nearest(run, images.images, train, layer)
    with torch.no_grad():
        every, own = (
            run.module().values(run.centre(each), of=[layer])[layer].flatten(1).double()
            for each in (train.images(torch.arange(len(train))), images.images)
        )
    distances = (own.unsqueeze(1) - every.unsqueeze(0)).square().sum(2).sqrt()
    for row, found in zip(distances, near, strict=True):
        expected = row.sort(stable=True)
        assert list(found.distances) == pytest.approx(expected.values[:6].tolist(), rel=1e-4)
        assert row[list(found.places)].tolist() == pytest.approx(list(found.distances), rel=1e-4)
        assert found.labels == tuple(train.labels[list(found.places)].tolist())
    inside(likeness.neighbours(run, images, near, layer))


def test_an_image_is_not_its_own_neighbour(run: Run) -> None:
    train = open_packed("digits").splits["train"]
    images = likeness.chosen(train, 4, 0, "neighbours")
    (first, *_) = likeness.nearest(run, images.images, train, "relu2")
    assert first.distances[0] == pytest.approx(0, abs=1e-5)
    assert first.places[0] == images.places[0]
    for place, found in zip(
        images.places,
        likeness.nearest(run, images.images, train, "relu2", besides=images.places),
        strict=True,
    ):
        assert place not in found.places


def test_a_part_of_the_training_images_is_searched_by_the_seed(run: Run) -> None:
    packed = open_packed("digits")
    images = likeness.chosen(packed.splits["test"], 1, 0, "neighbours")
    train = packed.splits["train"]
    told: list[tuple[int, int]] = []
    (one,) = likeness.nearest(
        run, images.images, train, "relu2", among=100, seen=lambda *s: told.append(s)
    )
    (again,) = likeness.nearest(run, images.images, train, "relu2", among=100)
    (other,) = likeness.nearest(run, images.images, train, "relu2", among=100, seed=1)
    assert one.places == again.places != other.places
    assert told[-1] == (100, 100)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("alexnet", "relu7"), ("caffenet", "relu7"), ("lenet-5", "tanh6"), ("resnet-18", "")],
)
def test_the_last_hidden_layer(name: str, layer: str) -> None:
    network = read(name)
    found = show.last_hidden(network)
    if layer:
        assert found == layer
    assert found in {node.name for node in network.nodes}


def test_a_network_without_a_hidden_layer_is_told_so() -> None:
    text = "nettally: 1\nname: plain\ninput: 1x8x8\nlayers:\n  - fc: linear 10\n"
    with pytest.raises(NettallyError) as caught:
        show.last_hidden(training.net(text))
    assert str(caught.value).splitlines() == [
        "plain has no hidden layer",
        "  values: layers with weights: fc",
        "  try: --layer NAME names one",
    ]


# --- files --------------------------------------------------------------------------------------

HOSTILE = ("<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "a\nb", "漢字", "x" * 300, "\"&'")


def hostile_picture(run: Run) -> Picture:
    run = run.replace(classes=(*HOSTILE, *map(str, range(6, 10))))
    images = likeness.chosen(open_packed("digits").splits["test"], 8, 0, "predictions")
    return likeness.predictions(run, images)


def test_names_are_text_and_nothing_else(run: Run) -> None:
    picture = hostile_picture(run)
    inside(picture)
    text = pictures.svg(picture)
    tree = ElementTree.fromstring(text)
    assert {each.tag.removeprefix(SVG) for each in tree.iter()} == {
        *("svg", "title", "desc", "rect", "image", "text"),
    }
    assert "\x1b" not in text
    assert "<script" not in text
    for image in tree.iter(f"{SVG}image"):
        head, data = image.attrib["href"].split(",")
        assert head == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).format == "PNG"
    assert pictures.png(picture)[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_same_picture_is_the_same_bytes(run: Run) -> None:
    assert pictures.svg(hostile_picture(run)) == pictures.svg(hostile_picture(run))
    assert pictures.png(hostile_picture(run)) == pictures.png(hostile_picture(run))


def test_pixels_are_written_as_they_are() -> None:
    data = bytes(range(3 * 5 * 4))
    image = Image.open(io.BytesIO(pictures.encoded(Pixels(5, 4, data))))
    assert image.size == (5, 4)
    assert image.convert("RGB").tobytes() == data


def test_the_png_shows_photos_and_text_where_they_are(tmp_path: Path) -> None:
    red = Photo(10, 20, 8, 8, Pixels(2, 2, b"\xff\0\0" * 4))
    items = (red, Block(40, 20, 10, 10, "ink"), Words(10, 60, "text…", 14, bold=True))
    pictures.save(Picture("p", "d", 80, 70, items), str(tmp_path / "p.png"))
    found = np.asarray(Image.open(tmp_path / "p.png"))
    assert found.shape == (70, 80, 3)
    assert (found[20:28, 10:18] == (255, 0, 0)).all()
    assert (found[0:20] == 255).all()
    assert (found[20:30, 40:50] == found[25, 45]).all()
    assert found[45:64, 10:60].min() < 60
    assert (found[64:] == 255).all()


def test_long_text_ends_with_an_ellipsis_within_its_room() -> None:
    shown = pictures.shown(Words(0, 0, "American Staffordshire terrier", 13, most=100))
    assert shown.startswith("American")
    assert shown.endswith("…")
    assert pictures.width(shown, 13) <= 100
    assert pictures.shown(Words(0, 0, "short", 13, most=100)) == "short"


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NettallyError) as caught:
        pictures.save(Picture("p", "d", 8, 8, ()), str(tmp_path / "p.gif"))
    assert caught.value.what == "pictures are written as .png or .svg"
    assert caught.value.hint == "-o picture.png"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(NettallyError) as caught:
        pictures.save(Picture("p", "d", 8, 8, ()), str(tmp_path / "none" / "p.svg"))
    assert caught.value.what == "can't write the picture: No such file or directory"


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("filters",), "small, conv1: 8 kernels, 3x3x1, one scale for all"),
        (("activations", "--index", "2"), "small, relu1: 8x8x8, 0 to "),
        (("predictions", "--count", "2"), "small on digits, test: the likeliest classes"),
        (("neighbours", "--count", "2", "--among", "50"), "nearest training images"),
    ],
)
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_command_writes_a_picture(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str, ending: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / f"x.{ending}"
    what, *more = arguments
    assert cli.run(["show", what, run.path, *more, "-o", str(path)]) == 0
    assert said in capsys.readouterr().out
    assert path.stat().st_size > 500
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run", f"x.{ending}"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("filters", "-o", "x.gif"), "pictures are written as .png or .svg"),
        (("activations", "--index", "999", "-o", "x.png"), "the split 'test' has no image 999"),
        (
            ("activations", "--index", "1", "--image", "a.png", "-o", "x.png"),
            "one image is looked at",
        ),
        (("predictions", "--split", "tset", "-o", "x.png"), "the data has no split 'tset'"),
        (("neighbours", "--layer", "relu9", "-o", "x.png"), "small has no layer 'relu9'"),
    ],
)
def test_the_command_complains(
    run: Run, arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    what, *more = arguments
    assert cli.run(["show", what, run.path, *more]) == 2
    assert complaint in capsys.readouterr().err


def test_what_is_no_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["show", "filters", str(tmp_path), "-o", "x.png"]) == 2
    assert "this is no folder of a run" in capsys.readouterr().err
    with pytest.raises(NettallyError):
        open_run(str(tmp_path))
