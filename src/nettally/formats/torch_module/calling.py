"""Calls of modules, while a forward is followed: a node where the module is one layer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules import module as internals

from ...errors import LayerError
from ...network import NOTHING, Call
from .fallback import mapped
from .modules import HANDLERS, handler_of, is_sequence, several_of
from .repeating import COMPOSITE, Repeating
from .shadow import Current, Shadow

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...network import Shape
    from .following import Following
    from .trace import Trace
    from .twin import Twins

without_overrides = torch._C.DisableTorchFunction


def calling(trace: Trace, following: Following) -> Callable[..., Any]:
    """What runs the twin of a module, in the place of ``nn.Module.__call__``.

    It is one function, since every call of a module goes through it: a further one would cost
    time, and a further frame at each level of nested modules.
    """
    paths, calls, nodes, key = trace.paths, trace.calls, trace.nodes, trace.key
    call_impl = nn.Module._call_impl
    repeating, values, handlers = Repeating(trace), following.values, HANDLERS
    tensor_types = (torch.Tensor, nn.Parameter)

    def called(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if Current.trace is not trace:  # in another thread, or after the run
            return call_impl(self, *args, **kwargs)
        state = self.__dict__
        path = paths.get(id(self))
        if path is None:
            path = trace.adopt(self)
        trace.spelled = NOTHING
        first = len(nodes)
        place = len(calls)
        calls.append(None)
        x = None
        if len(args) == 1 and not kwargs and type(args[0]) in tensor_types:
            x = args[0].__dict__.get(key)
        # as they go in: a layer may work in place
        sizes = _shapes(key, (args, kwargs)) if x is None else (x.sizes,)
        hooked = (
            state["_forward_hooks"]
            or state["_forward_pre_hooks"]
            or internals._global_forward_hooks
            or internals._global_forward_pre_hooks
        )
        output = same = None
        if not hooked and "forward" not in state:
            kind = type(self)
            known = handlers.get(kind)
            if known is not None and known[0] is kind.forward:
                handler = known[1]
            else:
                handler = handler_of(kind)
            with without_overrides():
                if handler is not None:
                    if x is not None:
                        value = x.value
                        try:
                            y = handler(trace, self, path, x)
                        except LayerError:  # torch says it in its own words
                            del nodes[first:]
                            y = None
                        if type(y) is Shadow and not values:  # as nearly always
                            depth = trace.depth
                            calls[place] = Call(path, depth, sizes, (y.sizes,), first, len(nodes))
                            return args[0] if y is x else following.handle(y)
                        if y is not None:
                            output = _handed_out(following, self, args[0], x, y, value)
                elif not values:
                    if (several := several_of(kind)) is not None:
                        result = several(
                            trace, self, path, *following.lowered(args), **following.lowered(kwargs)
                        )
                        output = following.raised(result)
                    elif kind in COMPOSITE:
                        same = repeating.key_of(self, following.lowered((args, kwargs)))
                        if same is not None:
                            result = repeating.again(same, path, self)
                            output = None if result is None else following.raised(result)
        if output is None:
            outer = trace.path
            trace.path = path
            trace.depth += 1
            if hooked:
                output = call_impl(self, *args, **kwargs)
            elif x is not None and is_sequence(type(self)) and "forward" not in state:
                output = in_turn(self, args[0], x)
            else:
                output = self.forward(*args, **kwargs)
            # not in a finally: where the forward fails, the path says where
            trace.path = outer
            trace.depth -= 1
            if same is not None:
                with without_overrides():
                    given = following.lowered(output)
                    repeating.keep(same, path, self, first, place + 1, given)
        outputs = _shapes(key, output)
        calls[place] = Call(path, trace.depth, sizes, outputs, first, len(nodes))
        return output

    def in_turn(self: nn.Module, tensor: Any, x: Shadow | None) -> Any:
        """What ``nn.Sequential`` does; between two layers nobody needs a stand-in."""
        for module in self._modules.values():
            state = module.__dict__
            y = None
            if (
                x is not None
                and not following.values
                and "_compiled_call_impl" in state
                and "forward" not in state
                and not state["_forward_hooks"]
                and not state["_forward_pre_hooks"]
                and not internals._global_forward_hooks
                and not internals._global_forward_pre_hooks
                and (handler := handler_of(type(module))) is not None
            ):
                path = paths.get(id(module)) or trace.adopt(module)  # type: ignore[arg-type] - as above
                trace.spelled = NOTHING
                first, place = len(nodes), len(calls)
                calls.append(None)
                sizes = (x.sizes,)
                try:
                    with without_overrides():
                        y = handler(trace, module, path, x)
                except LayerError:
                    del nodes[first:]
                if type(y) is Shadow:
                    calls[place] = Call(path, trace.depth, sizes, (y.sizes,), first, len(nodes))
                    if y is not x:
                        x, tensor = y, None
                    continue
                del calls[place:]
            if tensor is None:
                with without_overrides():
                    tensor = following.handle(x)  # type: ignore[arg-type] - one of the two is there
            tensor = module(tensor)  # type: ignore[misc] - as above
            x = tensor.__dict__.get(key) if type(tensor) is torch.Tensor else None
        if tensor is None:
            with without_overrides():
                tensor = following.handle(x)  # type: ignore[arg-type] - as above
        return tensor

    return called


def _handed_out(
    following: Following,
    module: nn.Module,
    tensor: torch.Tensor,
    x: Shadow,
    y: Any,
    value: torch.Tensor | None,
) -> Any:
    """The stand-in for what a layer gives: the same one as came in, where nothing was to do.

    value: that of x, before a layer that works in place has changed it.
    """
    if following.values:
        x.value = value
        real = following.privately(type(module).forward, (module, tensor), {})
        if real is tensor:
            x.become(y).value = value
            return tensor
        places: list[Shadow] = []
        mapped(y, places.append)
        names = iter(places)

        def of_place(each: torch.Tensor) -> torch.Tensor:
            return following.computed(each, next(names))

        return mapped(real, of_place)
    if y is x:
        return tensor
    return following.handle(y) if type(y) is Shadow else following.raised(y)


def _shapes(key: str, value: Any) -> tuple[Shape, ...]:
    """The shapes of the tensors in it, through containers."""
    if type(value) is torch.Tensor and (x := value.__dict__.get(key)) is not None:
        return (x.sizes,)
    shapes: list[Shape] = []

    def take(each: Any) -> None:
        shapes.append(tuple(each.shape))

    with without_overrides():
        mapped(value, take)
    return tuple(shapes)


class _Guard(threading.local):
    """What runs a module that is no twin, in this thread; None where no forward is followed."""

    call: Callable[[nn.Module], Callable[..., Any]] | None = None


guard = _Guard()


class Guarded:
    """Lets calls of modules that are no twins come to us, in threads that follow a forward.

    It takes the place of ``nn.Module._compiled_call_impl``, which is None, and gives None to all
    others. Only reads that meet such modules put it there.
    """

    def __get__(self, module: nn.Module | None, owner: type | None = None) -> Any:
        call = guard.call
        return None if call is None or module is None else call(module)


class Guarding:
    """While it is entered, the modules that this thread meets past the twin are twinned too."""

    lock = threading.Lock()
    users = 0

    def __init__(self, twins: Twins, called: Callable[..., Any]) -> None:
        self.twins, self.called = twins, called

    def call(self, module: nn.Module) -> Callable[..., Any]:
        with without_overrides():
            twin = self.twins.of(module)

        def run(*args: Any, **kwargs: Any) -> Any:
            return self.called(twin, *args, **kwargs)

        return run

    def __enter__(self) -> None:
        guard.call = self.call
        with Guarding.lock:
            Guarding.users += 1
            nn.Module._compiled_call_impl = Guarded()  # type: ignore[assignment] - answers None, as it is

    def __exit__(self, *_: object) -> None:
        guard.call = None
        with Guarding.lock:
            Guarding.users -= 1
            if not Guarding.users:
                nn.Module._compiled_call_impl = None
