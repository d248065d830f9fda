"""Crops, reflections, the mean and colour noise: on a whole batch, on the device that holds it.

Everything here is a pure function of a batch of uint8 images (n, height, width, channels) and of
numbers that were drawn before (``draw``), so that a batch can be cut up among machines and still
be what it would have been on one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import NettallyError

SMALL = 64 * 64
"""Crops of fewer pixels than this are gathered all at once on a CPU too: a loop over images
would take longer than its work."""


class Draws(NamedTuple):
    """What is drawn for each image: its crop's place, whether it is mirrored, its colours.

    top, left: int64 (n,). mirrored: bool (n,). colour: float32 (n, 3), of N(0, 1). On the CPU.
    """

    top: Tensor
    left: Tensor
    mirrored: Tensor
    colour: Tensor

    def part(self, begin: int, end: int) -> Draws:
        """The draws of the images from ``begin`` to ``end``: of one machine, or a micro-batch."""
        return Draws(*(each[begin:end] for each in self))


def draw(
    generator: torch.Generator,
    count: int,
    *,
    room: tuple[int, int],
    mirror: bool,
    inclusive: bool = True,
    together: int = 1,
) -> Draws:
    """Draw for ``count`` images, from the generator and nothing else.

    room: by how many rows and columns a crop can be shifted: the data's side less the crop's, and
    twice the padding. inclusive: whether the last place counts; the paper's 2048 crops (4.1) are
    32 x 32 x 2, so it does not there, while the code of 2012 draws one of 33 x 33.
    together: that many images, from each multiple of it on, share one place and one reflection (in
    the code of 2012, 32: convdata_jpeg.py, ``crop_chunk``). The colours are each image's own.
    """
    if count < 0 or min(room) < 0 or together < 1:
        raise NettallyError(
            "a crop cannot be drawn",
            values=f"{count} images, room {room[0]} x {room[1]}, {together} together",
            hint="the crop must not be larger than the data",
        )
    groups = -(-count // together)
    places = [each + 1 if inclusive else max(each, 1) for each in room]
    top = torch.randint(places[0], (groups,), generator=generator)
    left = torch.randint(places[1], (groups,), generator=generator)
    # drawn also where it is not used: what is drawn afterwards does not depend on it
    mirrored = torch.randint(2, (groups,), generator=generator).bool() & mirror
    colour = torch.randn(count, 3, generator=generator)
    if together > 1:
        top, left, mirrored = (
            each.repeat_interleave(together)[:count] for each in (top, left, mirrored)
        )
    return Draws(top, left, mirrored, colour)


class Noise(NamedTuple):
    """Colour noise: pixel + ``factors @ colour``, in units of 0..255, all of it / ``divide``.

    factors: float32 (channels, 3); colour is drawn of N(0, 1).
    """

    name: str
    factors: Tensor
    divide: float


NOISES = ("paper", "code", "common")

COMMON_VARIANCES = (0.2175, 0.0188, 0.0045)
COMMON_VECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
"""As they are copied, of [0, 1] RGB; a vector is a column. First seen in fb.resnet.torch."""

SPREAD = 0.1
"""The standard deviation of the paper's α, and "color_noise" of the code."""


def noise(name: str, covariance: Tensor) -> Noise:
    """One of the three variants, of data with this covariance of a pixel (0..255, as packed).

    With P the covariance's eigenvectors (columns), λ its eigenvalues and z ~ N(0, 1):

    - ``paper`` (section 4.1): + P (α λ), α ~ N(0, .1). λ is a variance, so the formula depends on
      the unit. In 0..255 it would shift a photograph by about 1,400; pixels are therefore in
      [0, 1], λ there is λ / 255² of ours, and the shift is 255 times that: P (.1 λ / 255) z.
    - ``code`` (convdata_jpeg.py): + P (.1 √λ z), then all of it / 1.1, "so that the overall scale
      of the training data doesn't become too different from the test data".
    - ``common``: the paper's formula with constants (λ = .2175, .0188, .0045) that were computed
      of ImageNet once and are copied everywhere. Their sum, .24, is about that of the variances of
      Tiny ImageNet's channels in [0, 1] (.277², .269², .282²): they are variances, no deviations.

    Of grey images the one axis is brightness; ``common`` is of RGB only, and refused.
    """
    channels = covariance.shape[0]
    if name not in NOISES:
        from ..errors import closest

        raise NettallyError(
            "no colour noise is called so", values=repr(name[:60]), hint=closest(name, NOISES)
        )
    if channels not in (1, 3) or (name == "common" and channels != 3):
        raise NettallyError(
            f"the colour noise '{name}' is not for such images",
            values=f"{channels} channel{'s' * (channels != 1)}",
            hint="'paper' and 'code' take grey images too" if channels == 1 else "leave it out",
        )
    if name == "common":
        vectors = torch.tensor(COMMON_VECTORS, dtype=torch.float64)
        steps = torch.tensor(COMMON_VARIANCES, dtype=torch.float64) * (SPREAD * 255)
    else:
        variances, vectors = torch.linalg.eigh(covariance.to("cpu", torch.float64))
        variances = variances.clamp(min=0)
        # a vector's sign is a library's choice; the same draw should be the same noise everywhere
        heaviest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
        vectors = (vectors * torch.where(heaviest < 0, -1.0, 1.0)).flip(1)
        variances = variances.flip(0)  # the largest first, as they are usually listed
        steps = SPREAD * (variances / 255 if name == "paper" else variances.sqrt())
    factors = torch.zeros(channels, 3, dtype=torch.float64)
    factors[:, :channels] = vectors * steps
    return Noise(name, factors.float(), 1 + SPREAD if name == "code" else 1.0)


class Scaling(NamedTuple):
    """What is subtracted from the pixels (0..255), and what they are divided by then.

    subtract: float32 (height, width, channels), the data's size or the crop's, or (channels,).
    divide: a number, or (channels,).
    """

    subtract: Tensor
    divide: Tensor | float = 1.0


def augment(
    images: Tensor,
    draws: Draws,
    size: tuple[int, int],
    scaling: Scaling,
    noise: Noise | None = None,
    *,
    pad: int = 0,
    channels_last: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Crop, mirror, subtract, add noise, divide: uint8 (n, H, W, C) → float (n, C, h, w).

    A mean of the data's size is subtracted before the crop is taken and mirrored (the paper); one
    of the crop's size is subtracted from each crop as it is, mirrored or not (the code of 2012).
    pad: rows and columns around the image, of which crops are taken too; what lies outside of the
    image is 0 in the result, whatever is subtracted and added.
    """
    height, width = images.shape[1:3]
    _check(images, size, scaling, pad)
    rows, columns = height - size[0] + 2 * pad, width - size[1] + 2 * pad
    if len(draws.top) and (int(draws.top.max()) > rows or int(draws.left.max()) > columns):
        raise NettallyError(
            "a crop lies outside of the images",
            values=f"{size[0]}x{size[1]} of {height}x{width}, padded by {pad}",
            hint="draw it with the room that the data has",
        )
    if len(draws.top) != len(images):
        raise NettallyError(
            "not every image has a crop", values=f"{len(images)} images, {len(draws.top)} draws"
        )
    shift = None
    if noise is not None:
        shift = draws.colour @ noise.factors.T
    factor: Tensor | float = 1 / scaling.divide
    if noise is not None and noise.divide != 1:
        factor = factor / noise.divide
    work = _Work(images, draws, size, scaling.subtract, shift, factor, pad)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    if images.device.type == "cpu" and not pad and size[0] * size[1] >= SMALL:
        shape = (len(images), images.shape[3], *size)
        crops = torch.empty(shape, dtype=dtype, memory_format=layout)
        _one_by_one(work, crops.permute(0, 2, 3, 1))
        return crops
    crops = _all_at_once(work).permute(0, 3, 1, 2)
    return crops.to(dtype).contiguous(memory_format=layout)


class _Work(NamedTuple):
    """What is to be done: (pixel - subtract + shift) * factor. shift: (n, C), on the CPU."""

    images: Tensor
    draws: Draws
    size: tuple[int, int]
    subtract: Tensor
    shift: Tensor | None
    factor: Tensor | float
    pad: int


def _check(images: Tensor, size: tuple[int, int], scaling: Scaling, pad: int = 0) -> None:
    """Refuse what does not fit together."""
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise NettallyError(
            "these are no packed images",
            values=f"{images.dtype}, {'x'.join(map(str, images.shape))}",
            hint="uint8, (n, height, width, channels)",
        )
    data = tuple(images.shape[1:])
    if not (1 <= size[0] <= data[0] + 2 * pad and 1 <= size[1] <= data[1] + 2 * pad):
        raise NettallyError(
            "the crop is larger than the images",
            values=f"{size[0]}x{size[1]} of {data[0]}x{data[1]}" + f", padded by {pad}" * (pad > 0),
        )
    fits = {data, (size[0], size[1], data[2]), (data[2],)}
    if tuple(scaling.subtract.shape) not in fits:
        raise NettallyError(
            "the mean fits neither the images nor the crops",
            values=f"{'x'.join(map(str, scaling.subtract.shape))} for {'x'.join(map(str, data))}",
            hint="was the network trained with other data?",
        )


def _one_by_one(work: _Work, out: Tensor) -> None:
    """Into ``out`` (n, h, w, C), whatever its layout: what an image takes stays in the cache.

    Rows are worked on as rows of w C numbers: what is short and innermost, the channels, is slow.
    """
    images, draws, (high, wide), subtract, shift, factor, _ = work
    height, width, channels = images.shape[1:]
    row = wide * channels
    flat = images.view(len(images), height, width * channels)
    whole = subtract.shape == images.shape[1:]
    as_is = mirror_image = subtract
    if whole:
        as_is = subtract.reshape(height, width * channels)
        mirror_image = subtract.flip(1).reshape(height, width * channels)
    else:
        as_is = subtract.repeat(wide) if subtract.ndim == 1 else subtract.reshape(high, row)
    shifts = None if shift is None else shift.repeat(1, wide)
    factors = factor.repeat(wide) if isinstance(factor, Tensor) else factor
    scratch = torch.empty(high, row)
    directly = out.dtype == scratch.dtype and out.is_contiguous()
    places = zip(draws.top.tolist(), draws.left.tolist(), draws.mirrored.tolist(), strict=True)
    for i, (top, left, mirrored) in enumerate(places):
        into = out[i].view(high, row) if directly else scratch
        begin = left * channels
        if mirrored:
            crop = images[i, top : top + high, left : left + wide].flip(1)
            into.copy_(crop.view(high, row))
        else:
            into.copy_(flat[i, top : top + high, begin : begin + row])
        if whole and mirrored:
            begin = (width - left - wide) * channels
            into.sub_(mirror_image[top : top + high, begin : begin + row])
        elif whole:
            into.sub_(as_is[top : top + high, begin : begin + row])
        else:
            into.sub_(as_is)
        if shifts is not None:
            into.add_(shifts[i])
        if isinstance(factors, Tensor) or factors != 1:
            into.mul_(factors)
        if not directly:
            out[i].copy_(scratch.view(high, wide, channels))


def _all_at_once(work: _Work) -> Tensor:
    """The same by index arithmetic, without a loop: for devices, small crops and padding."""
    images, draws, size, subtract, shift, factor, pad = work
    device = images.device
    height, width = images.shape[1:3]
    subtract = subtract.to(device)
    # to the device first: small copies, and the arithmetic is done there
    mirrored = draws.mirrored.to(device, non_blocking=True)
    whole = subtract.shape == images.shape[1:]
    inside = None
    if size == (height, width) and not pad:  # nothing to crop
        flips = mirrored[:, None, None, None]
        crops = torch.where(flips, images.flip(2), images).to(torch.float32)
        if whole:
            subtract = torch.where(flips, subtract.flip(1), subtract)
    else:
        rows = draws.top.to(device, non_blocking=True)[:, None] - pad
        rows = rows + torch.arange(size[0], device=device)
        along = torch.arange(size[1], device=device)
        along = torch.where(mirrored[:, None], size[1] - 1 - along, along)
        columns = draws.left.to(device, non_blocking=True)[:, None] + along - pad
        if pad:
            rows_within = (rows >= 0) & (rows < height)
            columns_within = (columns >= 0) & (columns < width)
            inside = rows_within[:, :, None] & columns_within[:, None, :]
            rows, columns = rows.clamp_(0, height - 1), columns.clamp_(0, width - 1)
        rows, columns = rows[:, :, None], columns[:, None, :]
        which = torch.arange(len(images), device=device)[:, None, None]
        crops = images[which, rows, columns].to(torch.float32)
        if whole:
            subtract = subtract[rows, columns]
    crops.sub_(subtract)
    if shift is not None:
        crops.add_(shift.to(device, non_blocking=True)[:, None, None, :])
    if isinstance(factor, Tensor) or factor != 1:
        crops.mul_(factor.to(device) if isinstance(factor, Tensor) else factor)
    if inside is not None:
        crops.mul_(inside[..., None])
    return crops


def centre_crop(
    images: Tensor,
    size: tuple[int, int],
    scaling: Scaling,
    *,
    channels_last: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The crop in the middle, less the mean: uint8 (n, H, W, C) → float (n, C, h, w).

    Where the room is odd, the place is rounded down.
    """
    _check(images, size, scaling)
    top, left = (images.shape[1] - size[0]) // 2, (images.shape[2] - size[1]) // 2
    return _fixed(images, (top, left, False), size, scaling, channels_last, dtype)


def ten_crops(
    images: Tensor,
    size: tuple[int, int],
    scaling: Scaling,
    *,
    channels_last: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The four corners and the middle, and the reflections of the five (section 4.1 of the paper).

    uint8 (n, H, W, C) → float (n, 10, C, h, w); top left, top right, bottom left, bottom right,
    middle, then the same mirrored.
    """
    _check(images, size, scaling)
    down, right = images.shape[1] - size[0], images.shape[2] - size[1]
    five = ((0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2))
    views = [
        _fixed(images, (top, left, mirrored), size, scaling, channels_last, dtype)
        for mirrored in (False, True)
        for top, left in five
    ]
    return torch.stack(views, 1)


def _fixed(
    images: Tensor,
    place: tuple[int, int, bool],
    size: tuple[int, int],
    scaling: Scaling,
    channels_last: bool,
    dtype: torch.dtype,
) -> Tensor:
    """One crop, the same of every image."""
    top, left, mirrored = place
    crops = images[:, top : top + size[0], left : left + size[1]]
    subtract = scaling.subtract.to(images.device)
    if subtract.shape == images.shape[1:]:
        subtract = subtract[top : top + size[0], left : left + size[1]]
        subtract = subtract.flip(1) if mirrored else subtract
    crops = crops.flip(2) if mirrored else crops
    values = crops.to(torch.float32).sub_(subtract)
    if isinstance(scaling.divide, Tensor) or scaling.divide != 1:
        divide = scaling.divide
        values /= divide.to(images.device) if isinstance(divide, Tensor) else divide
    values = values.permute(0, 3, 1, 2)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return values.to(dtype).contiguous(memory_format=layout)
