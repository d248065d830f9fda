"""Crops, reflections, the mean and colour noise, held against plain loops and their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nettally.data import augment as module
from nettally.data.augment import (
    COMMON_VARIANCES,
    Draws,
    Noise,
    Scaling,
    augment,
    centre_crop,
    draw,
    noise,
    ten_crops,
)
from nettally.errors import NettallyError


def plainly(
    images: Tensor,
    draws: Draws,
    size: tuple[int, int],
    scaling: Scaling,
    noise: Noise | None,
    pad: int,
) -> np.ndarray:
    """The same by a loop over pixels, as the docstring has it."""
    n, height, width, channels = images.shape
    made = np.zeros((n, channels, *size))
    subtract = scaling.subtract.double().numpy()
    divide = torch.as_tensor(scaling.divide).double().expand(channels).numpy()
    of_data = subtract.shape == (height, width, channels)
    for i in range(n):
        shift = np.zeros(channels)
        if noise is not None:
            shift = noise.factors.double().numpy() @ draws.colour[i].double().numpy()
        for y in range(size[0]):
            for x in range(size[1]):
                along = size[1] - 1 - x if draws.mirrored[i] else x
                row, column = int(draws.top[i]) + y - pad, int(draws.left[i]) + along - pad
                if not (0 <= row < height and 0 <= column < width):
                    continue
                pixel = images[i, row, column].double().numpy()
                if of_data:
                    less = subtract[row, column]
                else:
                    less = subtract if subtract.ndim == 1 else subtract[y, x]
                value = (pixel - less + shift) / (noise.divide if noise else 1) / divide
                made[i, :, y, x] = value
    return made


@st.composite
def cases(choose: st.DrawFn):
    """A batch, its draws, the crop's size, the scaling, noise or none, padding."""
    height, width = choose(st.integers(1, 7)), choose(st.integers(1, 7))
    pad = choose(st.integers(0, 2))
    size = choose(st.integers(1, height + 2 * pad)), choose(st.integers(1, width + 2 * pad))
    channels, n = choose(st.sampled_from([1, 3])), choose(st.integers(1, 4))
    generator = torch.Generator().manual_seed(choose(st.integers(0, 2**30)))
    images = torch.randint(
        0, 256, (n, height, width, channels), dtype=torch.uint8, generator=generator
    )
    room = height - size[0] + 2 * pad, width - size[1] + 2 * pad
    draws = draw(generator, n, room=room, mirror=choose(st.booleans()))
    shape = choose(st.sampled_from([(height, width, channels), (*size, channels), (channels,)]))
    subtract = torch.rand(shape, generator=generator) * 255
    divide = choose(st.sampled_from([1.0, 2.5, None]))
    if divide is None:
        divide = torch.rand(channels, generator=generator) + 0.5
    of = None
    if choose(st.booleans()):
        some = torch.rand(channels, channels, dtype=torch.float64, generator=generator) * 40
        of = noise(choose(st.sampled_from(["paper", "code"])), some @ some.T)
    return images, draws, size, Scaling(subtract, divide), of, pad


@given(cases(), st.booleans(), st.booleans())
def test_augment_is_what_a_loop_makes(case, channels_last, small):
    images, draws, size, scaling, of, pad = case
    held, module.SMALL = module.SMALL, module.SMALL if small else 0
    try:
        made = augment(images, draws, size, scaling, of, pad=pad, channels_last=channels_last)
    finally:
        module.SMALL = held
    assert made.dtype == torch.float32
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert made.is_contiguous(memory_format=layout)
    want = plainly(images, draws, size, scaling, of, pad)
    np.testing.assert_allclose(made.numpy(), want, atol=2e-4, rtol=1e-5)


@pytest.mark.parametrize("layout", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loop_over_images_and_the_index_arithmetic_agree_at_full_size(
    layout, dtype, monkeypatch
):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (5, 100, 110, 3), dtype=torch.uint8, generator=generator)
    draws = draw(generator, 5, room=(20, 30), mirror=True)
    scaling = Scaling(torch.rand(100, 110, 3) * 255, torch.tensor([1.0, 2, 3]))
    of = noise("code", SOME)
    one = augment(images, draws, (80, 80), scaling, of, channels_last=layout, dtype=dtype)
    monkeypatch.setattr(module, "SMALL", 10**9)
    two = augment(images, draws, (80, 80), scaling, of, channels_last=layout, dtype=dtype)
    assert one.dtype == two.dtype == dtype
    assert one.stride() == two.stride()
    torch.testing.assert_close(one, two)


def test_a_mean_of_the_datas_size_is_mirrored_with_the_image_and_one_of_the_crops_is_not():
    images = torch.zeros(1, 2, 2, 1, dtype=torch.uint8)
    draws = Draws(*(torch.tensor([0]),) * 2, torch.tensor([True]), torch.zeros(1, 3))
    mean = torch.tensor([[1.0], [2.0]]).expand(2, 2, 1)
    whole = augment(images, draws, (2, 2), Scaling(mean))
    assert whole[0, 0].tolist() == [[-2, -1], [-2, -1]]
    crop = torch.tensor([[1.0], [2.0]])[None]  # 1 x 2, the size of the crop
    part = augment(images, draws, (1, 2), Scaling(crop))
    assert part[0, 0].tolist() == [[-1, -2]]


@given(st.integers(0, 40), st.integers(1, 9), st.booleans(), st.integers(0, 2**20))
def test_neighbours_that_belong_together_share_a_place_and_a_reflection(n, together, mirror, seed):
    generator = torch.Generator().manual_seed(seed)
    draws = draw(generator, n, room=(5, 3), mirror=mirror, together=together)
    for each in (draws.top, draws.left, draws.mirrored):
        assert len(each) == n
        for begin in range(0, n, together):
            assert len(set(each[begin : begin + together].tolist())) == 1
    assert draws.colour.shape == (n, 3)
    assert mirror or not draws.mirrored.any()
    again = draw(
        torch.Generator().manual_seed(seed), n, room=(5, 3), mirror=mirror, together=together
    )
    assert all(torch.equal(a, b) for a, b in zip(draws, again, strict=True))


@pytest.mark.parametrize(("inclusive", "highest"), [(True, 4), (False, 3)])
def test_all_places_are_drawn_alike_the_last_only_where_it_counts(inclusive, highest):
    generator = torch.Generator().manual_seed(0)
    draws = draw(generator, 20_000, room=(4, 0), mirror=True, inclusive=inclusive)
    counts = torch.bincount(draws.top)
    assert len(counts) == highest + 1
    share = 20_000 / (highest + 1)
    assert (counts - share).abs().max() < 5 * math.sqrt(share)
    assert draws.left.max() == 0
    assert abs(float(draws.mirrored.float().mean()) - 0.5) < 0.02
    assert abs(float(draws.colour.std()) - 1) < 0.02


def test_a_part_of_the_draws_is_what_the_whole_has_there():
    whole = draw(torch.Generator().manual_seed(3), 10, room=(9, 9), mirror=True)
    part = whole.part(4, 7)
    assert torch.equal(part.top, whole.top[4:7])
    assert torch.equal(part.colour, whole.colour[4:7])


SOME = torch.tensor([[900.0, 700, 500], [700, 1000, 650], [500, 650, 1100]], dtype=torch.float64)


@pytest.mark.parametrize("name", ["paper", "code"])
def test_the_noise_varies_as_its_definition_says(name):
    """Var(P (s z)) = P s² Pᵀ, with s = .1 λ / 255 (paper) or .1 √λ (code)."""
    made = noise(name, SOME)
    variances, vectors = np.linalg.eigh(SOME.numpy())
    steps = 0.1 * (variances / 255 if name == "paper" else np.sqrt(variances))
    want = vectors @ np.diag(steps**2) @ vectors.T
    factors = made.factors.double().numpy()
    np.testing.assert_allclose(factors @ factors.T, want, rtol=1e-5)
    assert made.divide == (1.1 if name == "code" else 1)
    drawn = draw(torch.Generator().manual_seed(0), 200_000, room=(0, 0), mirror=False).colour
    measured = np.cov((drawn @ made.factors.T).double().numpy().T)
    np.testing.assert_allclose(measured, want, rtol=0.03, atol=0.01 * want.max())


def test_the_code_adds_a_tenth_of_the_covariance_itself():
    factors = noise("code", SOME).factors.double()
    torch.testing.assert_close(factors @ factors.T, SOME / 100, rtol=1e-5, atol=1e-4)


def test_the_common_constants_are_the_papers_formula_with_imagenets_variances():
    """A data set whose covariance in [0, 1] has those eigenvalues and vectors gives that noise."""
    vectors = np.array(module.COMMON_VECTORS)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=2e-3)  # as they are printed
    covariance = vectors @ np.diag(COMMON_VARIANCES) @ vectors.T * 255**2
    common = noise("common", torch.from_numpy(covariance)).factors.double().numpy()
    paper = noise("paper", torch.from_numpy(covariance)).factors.double().numpy()
    np.testing.assert_allclose(common @ common.T, paper @ paper.T, rtol=0.02, atol=0.05)
    # as the constants are used elsewhere: [0, 1] RGB + vectors @ (alpha * values), alpha ~ N(0, .1)
    alpha = np.array([0.3, -0.2, 0.5])
    want = (vectors * alpha * np.array(COMMON_VARIANCES)).sum(1) * 255
    np.testing.assert_allclose(common @ (alpha / 0.1), want, rtol=1e-5)


def test_the_sum_of_the_constants_is_that_of_variances():
    """Tiny ImageNet's channels are commonly given as deviating by .277, .269 and .282 of 1."""
    variances = sum(value**2 for value in (0.277, 0.269, 0.282))
    assert abs(sum(COMMON_VARIANCES) / variances - 1) < 0.06
    as_deviations = sum(value**2 for value in COMMON_VARIANCES)
    assert as_deviations / variances < 0.25


def test_grey_images_have_one_axis_brightness():
    made = noise("paper", torch.tensor([[2500.0]]))
    assert made.factors.shape == (1, 3)
    assert made.factors[0].tolist() == pytest.approx([0.1 * 2500 / 255, 0, 0])
    images = torch.full((2, 4, 4, 1), 10, dtype=torch.uint8)
    draws = draw(torch.Generator().manual_seed(0), 2, room=(0, 0), mirror=False)
    out = augment(images, draws, (4, 4), Scaling(torch.zeros(1)), made)
    shift = out[:, 0, 0, 0] - 10
    torch.testing.assert_close(shift, draws.colour[:, 0] * made.factors[0, 0])


def test_the_same_covariance_gives_the_same_signs():
    flipped = torch.tensor([1.0, -1, 1], dtype=torch.float64).diag()
    one, two = noise("code", SOME), noise("code", flipped @ SOME @ flipped)
    for factors in (one.factors, two.factors):
        heaviest = factors.gather(0, factors.abs().argmax(0, keepdim=True))
        assert (heaviest > 0).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: noise("papre", SOME), "no colour noise is called so"),
        (lambda: noise("papre", SOME), "did you mean 'paper'?"),
        (lambda: noise("common", SOME[:1, :1]), "'common' is not for such images"),
        (lambda: noise("paper", SOME[:2, :2]), "2 channels"),
        (lambda: draw(torch.Generator(), 3, room=(-1, 0), mirror=True), "room -1 x 0"),
        (lambda: draw(torch.Generator(), 3, room=(1, 0), mirror=True, together=0), "0 together"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, said):
    with pytest.raises(NettallyError) as caught:
        call()
    assert said in str(caught.value)


BATCH = torch.zeros(2, 6, 6, 3, dtype=torch.uint8)
DRAWS = draw(torch.Generator().manual_seed(0), 2, room=(2, 2), mirror=True)
FLAT = Scaling(torch.zeros(3))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: augment(BATCH.float(), DRAWS, (4, 4), FLAT), "these are no packed images"),
        (lambda: augment(BATCH[0], DRAWS, (4, 4), FLAT), "(n, height, width, channels)"),
        (lambda: augment(BATCH, DRAWS, (7, 4), FLAT), "7x4 of 6x6"),
        (lambda: augment(BATCH, DRAWS, (9, 4), FLAT, pad=1), "9x4 of 6x6, padded by 1"),
        (lambda: centre_crop(BATCH, (4, 7), FLAT), "larger than the images"),
        (lambda: ten_crops(BATCH, (0, 4), FLAT), "larger than the images"),
        (lambda: augment(BATCH, DRAWS, (4, 4), Scaling(torch.zeros(1))), "the mean fits neither"),
        (lambda: augment(BATCH[:1], DRAWS, (4, 4), FLAT), "1 images, 2 draws"),
        (
            lambda: augment(BATCH, DRAWS._replace(top=torch.tensor([0, 3])), (4, 4), FLAT),
            "a crop lies outside of the images",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(call, said):
    with pytest.raises(NettallyError) as caught:
        call()
    assert said in str(caught.value)


def test_the_ten_crops_are_the_corners_the_middle_and_their_reflections():
    images = torch.arange(5 * 7 * 3).view(1, 5, 7, 3).to(torch.uint8)
    made = ten_crops(images, (3, 4), Scaling(torch.zeros(3)))
    assert made.shape == (1, 10, 3, 3, 4)
    pixels = images[0].permute(2, 0, 1).float()
    five = [pixels[:, y : y + 3, x : x + 4] for y, x in ((0, 0), (0, 3), (2, 0), (2, 3), (1, 1))]
    for i, want in enumerate(five):
        assert torch.equal(made[0, i], want)
        assert torch.equal(made[0, i + 5], want.flip(2))
    assert torch.equal(made[:, 4], centre_crop(images, (3, 4), Scaling(torch.zeros(3))))


@pytest.mark.parametrize("layout", [False, True])
def test_the_ten_crops_have_the_mean_of_their_place(layout):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 6, 6, 3), dtype=torch.uint8, generator=generator)
    mean = torch.rand(6, 6, 3, generator=generator) * 255
    made = ten_crops(images, (4, 4), Scaling(mean, torch.tensor([1.0, 2, 4])), channels_last=layout)
    less = ((images.float() - mean) / torch.tensor([1.0, 2, 4])).permute(0, 3, 1, 2)
    torch.testing.assert_close(made[:, 3], less[:, :, 2:, 2:])
    torch.testing.assert_close(made[:, 8], less[:, :, 2:, 2:].flip(3))
    centre = centre_crop(images, (4, 4), Scaling(mean, 2.0), channels_last=layout)
    torch.testing.assert_close(
        centre, (images.float() - mean).permute(0, 3, 1, 2)[:, :, 1:5, 1:5] / 2
    )
    want = torch.channels_last if layout else torch.contiguous_format
    assert centre.is_contiguous(memory_format=want)
    own = ten_crops(images, (4, 4), Scaling(mean[:4, :4]))  # of the crop's size: never mirrored
    torch.testing.assert_close(
        own[:, 5], (images[:, :4, :4].flip(2).float() - mean[:4, :4]).permute(0, 3, 1, 2)
    )
