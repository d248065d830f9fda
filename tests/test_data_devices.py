"""The same on a GPU, where there is one; and on the meta device, that no device is left out."""

from __future__ import annotations

import pytest
import torch

from data_files import packed
from nettally.data.augment import Scaling, augment, centre_crop, draw, noise, ten_crops
from nettally.data.packed import Loader, open_packed

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.mark.parametrize("pad", [0, 3])
@pytest.mark.parametrize("size", [(24, 20), (30, 30)])
@pytest.mark.parametrize("subtract", [(30, 30, 3), (3,)])
def test_all_that_is_computed_is_on_the_images_device(size, pad, subtract):
    """The meta device refuses what is computed with a tensor of another one."""
    images = torch.empty(9, 30, 30, 3, dtype=torch.uint8, device="meta")
    room = 30 - size[0] + 2 * pad, 30 - size[1] + 2 * pad
    draws = draw(torch.Generator(), 9, room=room, mirror=True)
    scaling = Scaling(torch.zeros(subtract), torch.ones(3))
    of = noise("code", torch.eye(3))
    made = augment(images, draws, size, scaling, of, pad=pad, dtype=torch.bfloat16)
    assert (made.device.type, made.shape, made.dtype) == ("meta", (9, 3, *size), torch.bfloat16)
    assert centre_crop(images, size, scaling).device.type == "meta"
    assert ten_crops(images, size, scaling).shape == (9, 10, 3, *size)


@gpu
def test_the_loader_brings_what_the_split_holds(tmp_path):
    packed(tmp_path, 50, train=400, test=0, shape=(40, 40, 3))
    split = open_packed(str(tmp_path)).splits["train"]
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    big = torch.randn(2000, 2000, device="cuda")
    at = 0
    for images, labels in Loader(split, order, 32, device="cuda"):
        big = big @ big / big.norm()  # the computation is busy, the copies go on beside it
        which = order[at : at + len(images)]
        assert images.device.type == labels.device.type == "cuda"
        assert torch.equal(images.cpu(), split.images(which))
        assert torch.equal(labels.cpu(), split.labels[which])
        at += len(images)
    assert at == 400


@gpu
@pytest.mark.parametrize("pad", [0, 3])
@pytest.mark.parametrize("name", ["paper", "code", "common"])
@pytest.mark.parametrize("size", [(24, 20), (30, 30)])
def test_a_gpu_crops_what_the_processor_crops(size, name, pad):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (9, 30, 30, 3), dtype=torch.uint8, generator=generator)
    room = 30 - size[0] + 2 * pad, 30 - size[1] + 2 * pad
    draws = draw(generator, 9, room=room, mirror=True)
    scaling = Scaling(torch.rand(30, 30, 3) * 255, torch.tensor([50.0, 60, 70]))
    of = noise(name, torch.tensor([[900.0, 700, 500], [700, 1000, 650], [500, 650, 1100]]))
    for layout in (False, True):
        here = augment(images, draws, size, scaling, of, pad=pad, channels_last=layout)
        there = augment(images.cuda(), draws, size, scaling, of, pad=pad, channels_last=layout)
        assert there.stride() == here.stride()
        torch.testing.assert_close(there.cpu(), here, rtol=1e-5, atol=1e-5)
    for crop in (centre_crop, ten_crops):
        here, there = crop(images, size, scaling), crop(images.cuda(), size, scaling)
        torch.testing.assert_close(there.cpu(), here, rtol=1e-5, atol=1e-5)
