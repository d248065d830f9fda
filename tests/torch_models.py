"""Models of torchvision and timm without weights: their names, how to build one, what it takes.

Used by the tests of the PyTorch reader, by torch_truth.py and by torch_peers.py. torchvision's
wheel looks for two operators of its own which its binary part declares; beside another build of
torch that part does not load, and the import fails. We declare them, without an implementation,
which is enough for every model that does not call them.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import warnings
from typing import Any

import torch
from torch import nn

import torch_nets

SIZE_OF_SEGMENTATION = 224  # the published 520 costs more and shows no more
SIZE_OF_FLOW = 128  # RAFT's smallest


def torchvision_ready() -> None:
    """Makes `import torchvision` (and timm, which imports it) work beside any build of torch."""
    try:
        with quiet():
            import torchvision
    except RuntimeError:
        arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            # already declared when the import failed for the second time
            with contextlib.suppress(RuntimeError):
                torch.library.define(f"torchvision::{name}", arguments)
        with quiet():
            import torchvision  # noqa: F401 - whether it can be imported


@contextlib.contextmanager
def quiet() -> Any:
    """Neither warnings nor prints: importing and building these models makes many."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def version(source: str) -> str:
    """The version of the package that a model comes from; our own nets have none."""
    return "" if source == "nets" else importlib.metadata.version(source)


def torchvision_models() -> list[tuple[str, str]]:
    """(model, family) of all that torchvision registers; the family is the kind of task first."""
    torchvision_ready()
    import torchvision

    found: list[tuple[str, str]] = []
    for kind in ("", "segmentation", "video", "optical_flow", "detection"):
        module = getattr(torchvision.models, kind) if kind else torchvision.models
        for name in torchvision.models.list_models(module=module):
            builder = torchvision.models.get_model_builder(name)
            found.append((name, f"{kind or 'classification'}/{builder.__module__.split('.')[-1]}"))
    return found


def timm_models() -> list[tuple[str, str]]:
    """(model, family) of all that timm registers; the family is timm's own module."""
    torchvision_ready()
    with quiet():
        import timm

        return [
            (name, module)
            for module in sorted(timm.list_modules())
            for name in timm.list_models(module=module)
        ]


def build(source: str, model: str) -> nn.Module:
    """The module with the package's defaults and no weights loaded, in eval mode."""
    with quiet():
        if source == "nets":
            made = torch_nets.NETS[model][0]()
        elif source == "torchvision":
            torchvision_ready()
            import torchvision

            keywords: dict[str, Any] = {"weights": None}
            kind = torchvision.models.get_model_builder(model).__module__.split(".")[2]
            if kind in ("segmentation", "detection"):
                keywords["weights_backbone"] = None
            if model in ("googlenet", "inception_v3"):
                keywords["init_weights"] = False  # it would take a minute, with scipy
            made = torchvision.models.get_model(model, **keywords)
        else:
            torchvision_ready()
            import timm

            made = timm.create_model(model, pretrained=False)
    return made.eval()


def input_shapes(source: str, model: str, module: nn.Module) -> list[tuple[tuple[int, ...], str]]:
    """The shape and dtype of each argument: the size of the default weights, batch 1."""
    if source == "nets":
        return list(torch_nets.NETS[model][1])
    if source == "timm":
        config: Any = module.pretrained_cfg
        return [((1, *config["input_size"]), "float32")]
    import torchvision

    kind = torchvision.models.get_model_builder(model).__module__.split(".")[2]
    if kind == "segmentation":
        return [((1, 3, SIZE_OF_SEGMENTATION, SIZE_OF_SEGMENTATION), "float32")]
    if kind == "optical_flow":
        return [((1, 3, SIZE_OF_FLOW, SIZE_OF_FLOW), "float32")] * 2
    if kind == "detection":
        return [((1, 3, 320, 320), "float32")]
    # a vision transformer takes one size only, and not always that of its weights
    if isinstance(side := getattr(module, "image_size", None), int):
        return [((1, 3, side, side), "float32")]
    transforms: Any = torchvision.models.get_model_weights(model).DEFAULT.transforms()
    crop = transforms.crop_size
    size = (crop[0], crop[0]) if len(crop) == 1 else tuple(crop)
    return [((1, 3, 16, *size) if kind == "video" else (1, 3, *size), "float32")]


def arguments(shapes: list[tuple[tuple[int, ...], str]], device: str) -> tuple[torch.Tensor, ...]:
    """Tensors of those shapes: ones, and zeros where they are indices."""
    return tuple(
        torch.ones(shape, device=device)
        if dtype == "float32"
        else torch.zeros(shape, dtype=getattr(torch, dtype), device=device)
        for shape, dtype in shapes
    )


def written(shapes: list[tuple[tuple[int, ...], str]]) -> str:
    """1x3x224x224, joined by semicolons; a dtype that is not float32 follows a colon."""
    return ";".join(
        "x".join(map(str, shape)) + ("" if dtype == "float32" else f":{dtype}")
        for shape, dtype in shapes
    )
