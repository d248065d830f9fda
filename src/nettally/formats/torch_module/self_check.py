"""The self-check: torch runs the module on tensors without values, and every shape is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...errors import ReadError
from .fallback import Weighted, mapped
from .process import State

if TYPE_CHECKING:
    from ...network import Network, Shape
    from .inputs import Inputs

Seen = tuple[str, tuple["Shape", ...], tuple["Shape", ...]]


def compare(network: Network, twin: nn.Module, inputs: Inputs) -> Network:
    """The network itself, with a note of what was compared. Raises ReadError where they differ.

    twin: of the module, its tensors without values; torch runs it by itself.
    """
    try:
        theirs, macs = run_by_torch(twin, inputs.positional, inputs.named)
    except Exception as error:  # whatever the module's own code raises
        message = f"no self-check: torch can't run this forward without values ({error})"
        return network.replace(notes=(*network.notes, message))
    known = {name for name, _ in twin.named_modules()}
    ours: list[Seen] = [
        (call.path, call.inputs, call.outputs) for call in network.calls if call.path in known
    ]
    for i in range(max(len(ours), len(theirs))):
        a = ours[i] if i < len(ours) else None
        b = theirs[i] if i < len(theirs) else None
        if a != b:
            raise ReadError(
                "the self-check fails: a shape is not torch's",
                where=(a or b or ("",))[0],
                values=f"ours {_described(a)}; torch's {_described(b)}",
                hint="this is our mistake: please report it, with the module",
            )
    counted, left_out = _macs(network)
    message = f"self-check: torch gives all {len(ours):,} calls of modules the same shapes"
    if macs == counted:
        message += f", and its own counter the same {macs:,} multiply-accumulates"
    elif macs == counted - left_out:
        message += (
            f"; its own counter leaves out the {left_out:,} multiply-accumulates of products with "
            "vectors"
        )
    else:
        message += (
            f"; its own counter has {macs:,} multiply-accumulates, {abs(counted - macs):,} "
            f"{'fewer' if macs < counted else 'more'} than ours"
        )
    return network.replace(notes=(*network.notes, message))


def _macs(network: Network) -> tuple[int, int]:
    """All multiply-accumulates, and those of them that torch 2.13's counter does not know.

    These are products of a matrix or a vector with a vector (aten's mv, dot), and bilinear forms.
    """
    shapes = dict(network.inputs)
    macs = left_out = 0
    for node in network.nodes:
        xs = tuple([shapes[name] for name in node.inputs])
        y = shapes[node.name] = node.layer.shape(xs)
        work = node.layer.work(xs, y).macs
        macs += work
        kind = node.layer.kind
        if (kind == "matmul" and len(xs[-1]) == 1) or (kind == "einsum" and len(xs) > 2):
            left_out += work
    return macs, left_out


def _described(seen: Seen | None) -> str:
    if seen is None:
        return "no call"
    path, inputs, outputs = seen
    shown = [", ".join("x".join(map(str, x)) for x in each) for each in (inputs, outputs)]
    return f"{path or 'the module'}: {shown[0]} to {shown[1]}"


def run_by_torch(twin: nn.Module, args: Any, kwargs: Any) -> tuple[list[Seen], int]:
    """What torch itself does: each call of a module with its shapes, and its counter's sums.

    The attention fast path, into which the counter does not see, is not for tensors on meta.
    """
    names: dict[int, str] = {}
    for name, each in twin.named_modules():
        names.setdefault(id(each), name)
    seen: list[Seen | None] = []
    open_calls: list[tuple[int, tuple[Shape, ...]]] = []

    def before(each: nn.Module, inputs: Any, named: Any) -> None:
        open_calls.append((len(seen), _shapes((inputs, named))))
        seen.append(None)

    def after(each: nn.Module, inputs: Any, named: Any, output: Any) -> None:
        place, shapes = open_calls.pop()
        seen[place] = (names.get(id(each), type(each).__name__), shapes, _shapes(output))

    below = Weighted()
    for each in twin.modules():
        each.register_forward_pre_hook(before, with_kwargs=True)
        each.register_forward_hook(after, with_kwargs=True)
    state = State()
    try:
        with torch.no_grad(), below:
            twin(*args, **kwargs)
    finally:
        state.restore()
    return [each for each in seen if each is not None], below.macs


def _shapes(value: Any) -> tuple[Shape, ...]:
    shapes: list[Shape] = []

    def take(x: torch.Tensor) -> None:
        shapes.append(tuple(x.shape))

    mapped(value, take)
    return tuple(shapes)
