"""What torchvision publishes of its models, parameters and operations: ours, or why not.

``Weights.meta["num_params"]`` and ``["_ops"]`` (printed as GFLOPS, in truth multiply-accumulates in
10⁹, to three decimals) for every classification, segmentation, video and optical-flow weight.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

import nettally
import torch_models
from nettally.formats.torch_module.load import WithoutWeights

TASKS = ("", "segmentation", "video", "optical_flow")


def _weights() -> list[tuple[str, str, Any]]:
    try:
        torch_models.torchvision_ready()
    except (ImportError, RuntimeError):
        return []
    from torchvision import models

    found: list[tuple[str, str, Any]] = []
    for task in TASKS:
        space = getattr(models, task) if task else models
        for name in models.list_models(module=space):
            found += [(task, name, each) for each in models.get_model_weights(name)]
    return found


WEIGHTS = _weights()

AUXILIARY = "its weights come with the auxiliary head, which get_model leaves out unless asked"

EXPLAINED = {
    "GoogLeNet_Weights.IMAGENET1K_V1": (
        "parameters",
        "published without the two auxiliary classifiers that the constructor builds",
        {"aux_logits": False},
    ),
    **{
        f"{name}_Weights.COCO_WITH_VOC_LABELS_V1": ("both", AUXILIARY, {"aux_loss": True})
        for name in (
            "DeepLabV3_MobileNet_V3_Large", "DeepLabV3_ResNet101", "DeepLabV3_ResNet50",
            "FCN_ResNet101", "FCN_ResNet50",
        )
    },
}  # fmt: skip
"""What differs from the network as it is built by its name alone, why, and how to get it."""


def _sizes(task: str, name: str, weights: Any, module: Any) -> list[tuple[int, ...]]:
    if task == "optical_flow":
        return [(1, 3, 512, 512)] * 2  # what it was taken at is not published; 512 gives it
    meta = weights.transforms()
    if task == "segmentation":
        return [(1, 3, *meta.resize_size * (3 - len(meta.resize_size)))]
    crop = tuple(meta.crop_size) * (3 - len(meta.crop_size))
    return [(1, 3, 16, *crop) if task == "video" else (1, 3, *crop)]


def counted(task: str, name: str, weights: Any, **more: Any) -> nettally.Tally:
    from torchvision import models

    if task == "segmentation":
        more["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        more["init_weights"] = False
    if name.startswith("vit_"):
        crop = weights.transforms().crop_size[0]
        more["image_size"] = crop
    with torch_models.quiet(), WithoutWeights():
        module = models.get_model(name, weights=None, **more)
    return nettally.tally(nettally.read(module, _sizes(task, name, weights, module)))


@pytest.mark.skipif(not WEIGHTS, reason="torchvision is not installed")
@pytest.mark.parametrize(
    ("task", "name", "weights"), WEIGHTS, ids=[f"{task}:{each}" for task, _, each in WEIGHTS]
)
def test_torchvision_publishes_what_we_count(task: str, name: str, weights: Any) -> None:
    published = weights.meta["num_params"], weights.meta["_ops"]
    differs, _, how = EXPLAINED.get(str(weights), ("", "", {}))
    tally = counted(task, name, weights)
    ours = tally.parameters, round(tally.macs / 1e9, 3)
    if differs:
        assert ours[0] != published[0]
        tally = counted(task, name, weights, **how)
        ours = tally.parameters, round(tally.macs / 1e9, 3)
    assert ours == published
    assert torch.is_grad_enabled()
