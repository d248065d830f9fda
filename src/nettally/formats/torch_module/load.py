"""Modules by name: ``package.module:factory``, ``file.py:Class(3)``, ``torchvision:resnet50``.

To name a module in this way is to ask for its code to be imported and run; it is said in a note.
"""

from __future__ import annotations

import ast
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ...errors import ReadError, closest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...network import Shape

LARGE = 100_000
"""Tensors of more values than this are not filled when a module is built only to be counted."""


class Loaded(NamedTuple):
    """A module that was built, the size its makers give for its input, and what was done."""

    module: nn.Module
    name: str
    size: Shape | None
    notes: tuple[str, ...]


def load(spec: str, *, weights: bool = False) -> Loaded:
    """Import and build what ``spec`` names, with values in its weights only if they are asked for.

    Raises ReadError, BuildError.
    """
    where, _, what = spec.partition(":")
    name, args, kwargs = _called(what, spec)
    if where == "torchvision":
        return _from_torchvision(name, args, kwargs, weights)
    if where == "timm":
        return _from_timm(name, args, kwargs, weights)
    space = _file(where, spec) if where.endswith(".py") else _module(where, spec)
    target = space
    for part in name.split("."):
        if not hasattr(target, part):
            raise ReadError(
                f"{where} has no '{part}'",
                where=spec,
                hint=closest(part, [each for each in vars(target) if not each.startswith("_")]),
            )
        target = getattr(target, part)
    note = f"imported {where}, whose code was run"
    if isinstance(target, nn.Module):
        return Loaded(target, type(target).__name__, None, (note,))
    if not callable(target):
        raise ReadError(f"'{name}' is neither a module nor makes one", where=spec)
    module = _built(lambda: target(*args, **kwargs), spec, weights)
    return Loaded(module, name, None, (f"{note}; called {what}",))


def _called(text: str, spec: str) -> tuple[str, list[Any], dict[str, Any]]:
    """``Net(3, width=64)``: a dotted name, and arguments that are plain values."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if isinstance(tree, ast.Call):
            args = [ast.literal_eval(each) for each in tree.args]
            kwargs = {str(each.arg): ast.literal_eval(each.value) for each in tree.keywords}
            tree = tree.func
        name = ast.unparse(tree)
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError
    except (SyntaxError, ValueError, TypeError, RecursionError):
        plain = text.replace("-", "_").replace(".", "_")
        if plain.isidentifier():
            return text, [], {}
        raise ReadError(
            "this does not name a module",
            where=spec[:200],
            hint="package.module:factory, file.py:Class or file.py:Class(3, width=64), with plain "
            "values as arguments",
        ) from None
    return name, args, kwargs


def _file(path: str, spec: str) -> Any:
    from importlib.util import module_from_spec, spec_from_file_location

    if not os.path.isfile(path):
        raise ReadError("there is no such file", where=path)
    folder = os.path.dirname(os.path.abspath(path))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = os.path.basename(path)[:-3]
    file_spec = spec_from_file_location(name, path)
    if file_spec is None or file_spec.loader is None:
        raise ReadError("this is no file of Python", where=path)
    module = module_from_spec(file_spec)
    sys.modules.setdefault(name, module)
    loader = file_spec.loader
    _own_errors(lambda: loader.exec_module(module), f"{path} can't be imported", spec)
    return module


def _module(name: str, spec: str) -> Any:
    from importlib import import_module  # noqa: TID251 - the module that the user names

    if not all(part.isidentifier() for part in name.split(".")):
        raise ReadError(
            "this is neither a file nor names a module",
            where=spec[:200],
            hint="package.module:factory, file.py:Class, torchvision:resnet50, timm:convnext_base",
        )
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return _own_errors(lambda: import_module(name), f"{name} can't be imported", spec)
    except ModuleNotFoundError as error:
        raise ReadError(
            f"no module is called '{error.name}'", where=spec, hint=f"pip install {error.name}?"
        ) from None


class BuildError(ReadError):
    """The user's own code failed while it was imported or built; its error is the cause."""


def _own_errors(action: Callable[[], Any], what: str, spec: str) -> Any:
    try:
        return action()
    except (ModuleNotFoundError, ReadError):
        raise
    except Exception as error:
        raise BuildError(
            f"{what}: {type(error).__name__}: {error}",
            where=spec,
            hint="its own traceback is above",
        ) from error


class WithoutWeights(TorchFunctionMode):
    """Parameters that are made while it is entered have sizes and no values.

    torch's layers make theirs by ``torch.empty``; what else is large is left unfilled too. The
    small tensors that constructors compute with (``torch.arange``, ``torch.linspace``) are real.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        if func in _EMPTY and keywords.get("device") is None:
            kind = keywords.get("dtype") or torch.get_default_dtype()
            if kind.is_floating_point and (func is torch.empty or _large(args, keywords)):
                keywords = {**keywords, "device": "meta"}
        return func(*args, **keywords)


_EMPTY = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full, torch.normal}


def _large(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    sizes = kwargs.get("size", args[0] if args and not isinstance(args[0], int) else args)
    n = 1
    for size in sizes if isinstance(sizes, (tuple, list)) else ():
        n *= size if isinstance(size, int) else 1
    return n > LARGE


def _built(make: Callable[[], Any], spec: str, weights: bool) -> nn.Module:
    """The module without weights, or, where its constructor needs them, with."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = None
        if not weights:
            try:
                with WithoutWeights():
                    module = make()
            except Exception:  # its constructor wants values
                module = None
        if module is None:
            module = _own_errors(make, f"{spec.partition(':')[2]} can't be built", spec)
    if not isinstance(module, nn.Module):
        raise ReadError(
            "what was made is no torch module",
            where=spec,
            values=f"it is a {type(module).__name__}",
        )
    return module


def _from_torchvision(name: str, args: list[Any], kwargs: dict[str, Any], weights: bool) -> Loaded:
    try:
        from torchvision import models
    except ModuleNotFoundError:
        raise ReadError(
            "torchvision is not installed",
            where=f"torchvision:{name}",
            hint="pip install torchvision",
        ) from None
    except RuntimeError as error:
        raise ReadError(
            f"torchvision can't be imported: {str(error).splitlines()[0]}",
            where=f"torchvision:{name}",
            values=f"torch {torch.__version__}",
            hint="its build does not fit this torch: install both from the same index, both for "
            "CPUs or both for CUDA",
        ) from None
    known = models.list_models()
    if name not in known:
        raise ReadError(f"torchvision has no model '{name}'", hint=closest(name, known))
    size: Shape | None = None
    known_weights = list(models.get_model_weights(name))
    if known_weights:
        crop = getattr(known_weights[0].transforms(), "crop_size", None)
        if crop:
            size = (1, 3, *(crop * 2 if len(crop) == 1 else crop))
    kwargs.setdefault("weights", None)
    from inspect import signature

    if "weights_backbone" in signature(models.get_model_builder(name)).parameters:
        kwargs.setdefault("weights_backbone", None)
    module = _built(lambda: models.get_model(name, *args, **kwargs), f"torchvision:{name}", weights)
    import torchvision

    return Loaded(module, name, size, (f"built by torchvision {torchvision.__version__}",))


def _from_timm(name: str, args: list[Any], kwargs: dict[str, Any], weights: bool) -> Loaded:
    try:
        import timm
    except ModuleNotFoundError:
        raise ReadError(
            "timm is not installed", where=f"timm:{name}", hint="pip install timm"
        ) from None
    except RuntimeError as error:
        raise ReadError(
            f"timm can't be imported: {str(error).splitlines()[0]}",
            where=f"timm:{name}",
            values=f"torch {torch.__version__}",
            hint="it imports torchvision, whose build must fit this torch",
        ) from None
    if not timm.is_model(name):
        raise ReadError(
            f"timm has no model '{name}'", hint=closest(name.partition(".")[0], timm.list_models())
        )
    kwargs.setdefault("pretrained", False)
    module = _built(lambda: timm.create_model(name, *args, **kwargs), f"timm:{name}", weights)
    settings = getattr(module, "pretrained_cfg", None) or {}
    size = settings.get("input_size")
    note = f"built by timm {timm.__version__}"
    return Loaded(module, name, (1, *size) if size else None, (note,))
