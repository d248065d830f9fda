"""Odd and broken images: what each becomes, or why it is left out."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from data_files import encoded, picture
from nettally.data.packing.find import find
from nettally.data.packing.image import Broken, Square, decode
from nettally.data.packing.pack import Options, pack

RGB, GREY = Square(16), Square(16, grey=True)


def squared(data: bytes, square: Square = RGB) -> np.ndarray:
    made = decode(io.BytesIO(data), square)
    assert made.dtype == np.uint8
    assert made.shape == (square.side, square.side, square.channels)
    return made


def near(one: np.ndarray, two: np.ndarray, most: float = 4) -> bool:
    return float(np.abs(one.astype(int) - two.astype(int)).mean()) < most


def flat(colour, mode: str = "RGB", size=(20, 20)) -> Image.Image:
    return Image.new(mode, size, colour)


PLAIN = picture(1)
WANT = np.asarray(PLAIN.resize((21, 16), Image.Resampling.BOX))[:, 2:18]


def test_a_plain_image():
    assert np.array_equal(squared(encoded(PLAIN, "PNG")), WANT)
    assert near(squared(encoded(PLAIN, "JPEG", quality=95)), WANT)


@pytest.mark.parametrize("form", ["GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "MPO"])
def test_other_formats(form):
    try:
        data = encoded(PLAIN, form)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow has no {form}")
    assert near(squared(data), WANT, 8)


def test_the_longer_side_is_cut_on_both_ends_and_rounding_is_down():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200  # the middle third
    made = squared(encoded(Image.fromarray(wide), "PNG"), Square(10))
    assert (made == 200).all()
    high = encoded(Image.fromarray(wide.transpose(1, 0, 2)), "PNG")
    assert (squared(high, Square(10)) == 200).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 1), (1, 400), (4000, 1), (5000, 3)])
def test_images_of_a_pixel_or_a_row_are_enlarged(size):
    image = Image.new("RGB", size, (10, 200, 30))
    made = squared(encoded(image, "PNG"))
    assert (made == (10, 200, 30)).all()


def test_a_very_long_image_is_what_the_whole_of_it_would_have_been():
    """It is cut before it is rescaled, and no one can tell."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (3, 301, 3), dtype=np.uint8))
    made = squared(encoded(image, "PNG"))
    whole = image.resize((round(301 * 16 / 3), 16), Image.Resampling.BICUBIC)
    left = (whole.width - 16) // 2
    assert near(made, np.asarray(whole)[:, left : left + 16], 3)


def test_grey_images_become_three_equal_channels_and_colours_become_grey():
    grey = picture(2, mode="L")
    made = squared(encoded(grey, "PNG"))
    assert (made == made[:, :, :1]).all()
    assert near(squared(encoded(grey, "JPEG", quality=95))[:, :, :1], made[:, :, :1])
    assert squared(encoded(flat((255, 0, 0)), "PNG"), GREY)[0, 0, 0] == 76  # .299 of 255
    assert squared(encoded(flat(200, "L"), "PNG"), GREY)[0, 0, 0] == 200
    assert squared(encoded(flat(1, "1"), "PNG"))[0, 0].tolist() == [255] * 3


def test_cmyk_as_adobe_writes_it_inverted():
    """Pillow writes CMYK JPEGs as Photoshop does: inverted, with Adobe's marker."""
    image = flat((0, 255, 255, 0), "CMYK")  # no cyan, all magenta and yellow: red
    data = encoded(image, "JPEG", quality=95)
    assert b"Adobe" in data
    assert near(squared(data), np.broadcast_to((255, 0, 0), (16, 16, 3)))
    assert near(squared(encoded(image, "TIFF")), np.broadcast_to((255, 0, 0), (16, 16, 3)))


def test_ycck_is_cmyk_with_its_colours_turned():
    """The transform byte of Adobe's marker at 2: the decoder turns YCC into CMY first.

    Stored are 255, 255, 255, 255. As Y, Cb and Cr that is red 255, green 121, blue 255 of 255,
    and cyan 0, magenta 134, yellow 0; inverted 255, 121, 255, and no black: green of 134.
    """
    data = bytearray(encoded(flat((0, 0, 0, 0), "CMYK"), "JPEG", quality=95))
    data[data.index(b"Adobe") + 11] = 2
    assert near(squared(bytes(data)), np.broadcast_to((0, 134, 0), (16, 16, 3)), 2)


def test_palettes_and_16_bits():
    palette = PLAIN.quantize(64)
    assert near(squared(encoded(palette, "PNG")), np.asarray(WANT), 12)
    deep = np.full((20, 20), 257 * 100, np.uint16)
    deep[:, 10:] = 65535
    made = squared(encoded(Image.fromarray(deep), "PNG"))
    assert made[0, 0].tolist() == [100] * 3  # and not 255, to which Pillow would clip it
    assert made[0, 15].tolist() == [255] * 3
    assert squared(encoded(Image.fromarray(deep), "TIFF"))[0, 0, 0] == 100


@pytest.mark.parametrize(("mode", "colour"), [("RGBA", (255, 0, 0, 0)), ("LA", (0, 0))])
def test_what_is_transparent_is_white(mode, colour):
    assert (squared(encoded(flat(colour, mode), "PNG")) == 255).all()


def test_half_transparent_is_half_white_also_in_palettes():
    made = squared(encoded(flat((255, 0, 0, 128), "RGBA"), "PNG"))
    assert made[0, 0].tolist() == pytest.approx([255, 127, 127], abs=1)
    palette = flat(3, "P")
    palette.putpalette([0, 0, 0] * 4)
    assert (squared(encoded(palette, "PNG", transparency=3)) == 255).all()
    assert (squared(encoded(palette, "GIF", transparency=3)) == 255).all()
    assert (squared(encoded(flat((1, 2, 3)), "PNG", transparency=(1, 2, 3))) == 255).all()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_what_moves_the_first_frame_is_taken(form):
    frames = [flat((250, 0, 0)), flat((0, 250, 0)), flat((0, 0, 250))]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    assert near(squared(data), np.broadcast_to((250, 0, 0), (16, 16, 3)), 8)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(PLAIN, "JPEG", quality=95, exif=exif)


def test_exif_turns_an_image_only_if_asked():
    """The data of 2012 took no notice of it, nor does torchvision."""
    assert near(squared(turned(3)), WANT)
    upright = squared(turned(3), RGB._replace(upright=True))
    around = PLAIN.transpose(Image.Transpose.ROTATE_180).resize((21, 16), Image.Resampling.BOX)
    assert near(upright, np.asarray(around)[:, 2:18])
    assert not near(upright, WANT, 10)
    assert near(squared(turned(1), RGB._replace(upright=True)), WANT)


def test_large_jpegs_are_decoded_small_and_it_makes_little_difference():
    big = picture(5, 1200, 900)
    data = encoded(big, "JPEG", quality=92)
    made = squared(data, Square(32))
    with Image.open(io.BytesIO(data)) as opened:
        whole = opened.convert("RGB").resize((43, 32), Image.Resampling.BOX)
    want = np.asarray(whole)[:, 5:37]
    assert near(made, want, 1)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A grey PNG of whatever size its header tells."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )  # fmt: skip


JPEG = encoded(picture(3, 200, 150), "JPEG", quality=95)
BROKEN = {
    "cut off in the middle": (JPEG[: len(JPEG) // 2], "truncated"),
    "cut off near the end": (JPEG[: len(JPEG) - 200], "truncated"),
    "cut off in the header": (JPEG[:100], ""),
    "a png cut off": (encoded(PLAIN, "PNG")[:200], ""),
    "a gif cut off": (encoded(PLAIN, "GIF")[:300], ""),
    "a text": (b"<html>404</html>", "no image that is known here"),
    "an eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image that is known here"),
    "a bomb": (png(30_000, 30_000), "too many pixels"),
    "fewer pixels than told": (png(100, 100, b"\0" * 50), ""),
    "32 bits": (encoded(Image.new("F", (20, 20), 0.5), "TIFF"), "32 bits"),
    "32 bits in whole numbers": (encoded(Image.new("I", (20, 20), 70000), "TIFF"), "32 bits"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_images_are_told_and_never_packed_half_grey(name):
    data, said = BROKEN[name]
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(Broken) as caught:
        squared(data)
    assert said in str(caught.value)
    assert str(caught.value)


def test_odd_images_warn_nobody():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        squared(png(10_000, 9_500, b"\0" * (10_001 * 9_500)), Square(2))  # a warning of Pillow's
    assert not told


def test_all_of_them_in_a_folder(tmp_path):
    """The broken ones are listed with the reason; the others are there, each once."""
    inside = tmp_path / "in" / "a"
    inside.mkdir(parents=True)
    for name, (data, _) in BROKEN.items():
        (inside / f"broken {name}.jpg").write_bytes(data)
    (inside / "broken empty.jpg").write_bytes(b"")
    (inside / "broken link.jpg").symlink_to("nowhere")
    good = [encoded(picture(i), "JPEG") for i in range(5)]
    for i, data in enumerate(good):
        (inside / f"good {i}.jpg").write_bytes(data)
    out = tmp_path / "out"
    report = pack(find(str(tmp_path / "in")), str(out), Options(RGB, shard=3), workers=1)
    assert (report.packed, report.broken) == (5, len(BROKEN) + 2)
    told = dict(report.manifest.broken)
    assert set(told) == {f"a/broken {name}.jpg" for name in [*BROKEN, "empty", "link"]}
    assert all(told.values())
    assert told["a/broken empty.jpg"] == "the file is empty"
    assert told["a/broken link.jpg"] == "can't read the file: No such file or directory"
    raw = b"".join(path.read_bytes() for path in sorted(out.glob("train-*.u8")))
    assert len(raw) == 5 * 16 * 16 * 3
    found = {raw[at : at + 768] for at in range(0, len(raw), 768)}
    assert found == {squared(data).tobytes() for data in good}
