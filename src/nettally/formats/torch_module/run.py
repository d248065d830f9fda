"""Following a module's forward: what is put in its place, what is put back, what comes out."""

from __future__ import annotations

import random
import sys
from contextlib import nullcontext
from threading import get_ident
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules import module as internals

from ...errors import LayerError, NettallyError, ReadError
from ...network import NOTHING, Call, Calls, Module, Network, StoredTensor
from .calls import prepare
from .fallback import mapped, tensors_in, unknown
from .inputs import Inputs, stand_ins
from .lent import Lent
from .modules import SEVERAL, handler_of
from .shadow import Current, DependsOnValues, Shadow, note
from .trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from ...network import Shape

MODES = ("eval", "train", "same")

OWN = ("_parameters", "_buffers")

CHANGES = (
    "register_buffer", "register_parameter", "add_module", "register_forward_hook",
    "register_forward_pre_hook", "register_full_backward_hook",
)  # fmt: skip
"""Methods by which a forward may change a module, beside setting its attributes."""


class ForwardError(ReadError):
    """The module's own forward failed. so_far: the network up to there."""

    so_far: Network


def read_module(
    module: nn.Module,
    input_size: Any = None,
    input_data: Any = None,
    *,
    mode: str = "eval",
    dtypes: Any = None,
    name: str = "",
    keywords: Mapping[str, Any] = NOTHING,
    self_check: bool = False,
) -> Network:
    """The network that a module's forward is, as it runs.

    input_size: sizes, the batch first, as torchinfo has them: one shape, or a list of them, or a
    dict by the forward's argument names. input_data: tensors in place of sizes, or a tuple, list or
    dict of them; their values are used only where the forward asks for them. keywords: further
    arguments of the forward. mode: "eval", "train", or "same" for the module's own. dtypes: of the
    inputs. self_check: torch runs the module too, on tensors without values, and the shapes that
    go into and come out of every module are compared. Raises ReadError; ForwardError, whose cause
    is the module's own error, where the forward fails.
    """
    if not isinstance(module, nn.Module):
        raise ReadError(
            "this is neither a name, a path nor a torch module",
            values=f"it is a {type(module).__name__}",
        )
    if mode not in MODES:
        raise ReadError("no such mode", values=f"mode {mode!r}", hint="it is eval, train or same")
    notes: list[str] = []
    while isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)) or hasattr(
        module, "_orig_mod"
    ):
        inner: Any = module._orig_mod if hasattr(module, "_orig_mod") else module.module
        notes.append(f"read without {type(module).__name__} around it")
        module = inner
    prepare()

    def run(values: bool) -> tuple[Trace, Inputs, Any]:
        compiles = DYNAMO in sys.modules
        try:
            return once(values, compiles)
        except _Compiled:  # the forward has only now made torch's compiler appear
            return once(values, True)

    def once(values: bool, compiles: bool) -> tuple[Trace, Inputs, Any]:
        trace = Trace(module, _device(module), values)
        trace.name = name or type(module).__name__
        given = stand_ins(trace, module, input_size, input_data, dtypes, keywords, notes)
        with _uncompiled(), _Following(trace, module, mode):
            try:
                return trace, given, module(*given.positional, **given.named)
            except NettallyError as error:
                error.so_far = _so_far(trace, given, notes)  # type: ignore[attr-defined]
                raise
            except Exception as error:
                if not compiles and DYNAMO in sys.modules:
                    raise _Compiled from error
                raise _failed(error, trace, given, notes) from error

    try:
        trace, given, made = run(values=False)
    except (DependsOnValues, ForwardError) as error:
        if not depends_on_values(error) or any(x.is_meta for x in module.parameters()):
            raise
        trace, given, made = run(values=True)
        source = "the values given" if input_data is not None else "random values"
        notes.append(f"what the forward does depends on values: it was run on {source}")
    outputs = tuple(dict.fromkeys(_named(trace, made)))
    network = _network(trace, given, outputs, notes)
    if self_check:
        from .self_check import compare

        return compare(network, module, given, mode)
    return network


DYNAMO = "torch._dynamo"


SCRIPTED = torch.jit.ScriptFunction
"""A function of TorchScript: it does not ask for overrides, so it is called by way of us."""


class _Compiled(Exception):
    """A forward that compiles parts of itself has failed, and is to be followed uncompiled."""


def _uncompiled() -> AbstractContextManager[Any]:
    """What is compiled by ``torch.compile`` runs as it was written."""
    if DYNAMO in sys.modules:
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


def depends_on_values(error: ReadError) -> bool:
    """Whether the forward can't be followed without values: a call has no shape without them."""
    cause = error.__cause__
    return isinstance(error, DependsOnValues) or isinstance(cause, NotImplementedError)


def structure(module: nn.Module) -> Network:
    """The modules and what they hold, without a run of the forward: no shapes, no layers."""
    trace = Trace(module, _device(module))
    return Network(type(module).__name__, {}, (), ("",), modules=_modules(trace))


def _device(module: nn.Module) -> torch.device:
    """Where the forward is told that its tensors are; on the CPU if they are nowhere."""
    for tensor in module.parameters():
        if not tensor.is_meta:
            return tensor.device
        break
    return torch.device("cpu")


def _named(trace: Trace, output: Any) -> Iterator[str]:
    """The names of the tensors in what the forward returns, through any container."""
    if isinstance(output, torch.Tensor):
        yield trace.name_of(trace.stand_in(output))
    elif isinstance(output, dict):
        for each in output.values():
            yield from _named(trace, each)
    elif isinstance(output, (tuple, list, set)):
        for each in output:
            yield from _named(trace, each)
    elif hasattr(output, "__dataclass_fields__"):
        for field in output.__dataclass_fields__:
            yield from _named(trace, getattr(output, field))
    elif hasattr(output, "__dict__") and not isinstance(output, (type, nn.Module)):
        for each in vars(output).values():
            if isinstance(each, (torch.Tensor, dict, tuple, list)):
                yield from _named(trace, each)


def _network(trace: Trace, inputs: Inputs, outputs: tuple[str, ...], notes: list[str]) -> Network:
    modules = _modules(trace)
    notes = [*notes, *_unused(trace)]
    details = tuple(
        [f"followed by torch's own shape functions: {', '.join(trace.fallbacks)}"]
        if trace.fallbacks
        else []
    )
    nodes = tuple(trace.nodes)
    calls = Calls([each for each in trace.calls if each is not None])
    calls.inputs, calls.nodes = inputs.shapes, nodes
    return Network(
        trace.name,
        inputs.shapes,
        nodes,
        outputs or tuple(inputs.shapes)[:1],
        None,
        tuple(notes),
        "",
        details,
        modules,
        calls,
        {
            name: _dtype_name(kind)
            for name, kind in trace.dtypes.items()
            if kind is not torch.float32
        },
    )


def _modules(trace: Trace) -> dict[str, Module]:
    """Every module with what it holds itself; a tensor's first name is its own."""
    made: dict[str, Module] = {}
    parameters, buffers = trace.parameter_names, trace.buffer_names
    for path, module in trace.modules.items():
        state = module.__dict__
        held: tuple[StoredTensor, ...] = ()
        own, kept = state["_parameters"], state["_buffers"]
        if own or kept:
            start = path + "." if path else ""
            found: list[StoredTensor] = []
            for name, tensor in own.items():
                if tensor is not None:
                    first = parameters[id(tensor)]
                    same = "" if first == start + name else first
                    found.append(
                        StoredTensor(
                            name,
                            tuple(tensor.shape),
                            _dtype_name(tensor.dtype),
                            True,
                            tensor.requires_grad,
                            same,
                        )
                    )
            for name, tensor in kept.items():
                if tensor is not None:
                    first = buffers[id(tensor)]
                    same = "" if first == start + name else first
                    found.append(
                        StoredTensor(
                            name, tuple(tensor.shape), _dtype_name(tensor.dtype), False, False, same
                        )
                    )
            held = tuple(found)
        kind = type(module)
        also = tuple(trace.also[path]) if path in trace.also else ()
        names = OPTIONS.get(kind)
        options = {name: getattr(module, name) for name in names} if names else NOTHING
        made[path] = Module(
            kind.__name__, held, not state["_modules"], kind.__module__, also, options
        )
    return made


_CELL = ("input_size", "hidden_size", "bias")
_RECURRENT = (*_CELL, "num_layers", "batch_first", "bidirectional", "proj_size")
OPTIONS: dict[type, tuple[str, ...]] = {
    **dict.fromkeys((nn.RNN, nn.LSTM, nn.GRU), _RECURRENT),
    **dict.fromkeys((nn.RNNCell, nn.LSTMCell, nn.GRUCell), _CELL),
    nn.MultiheadAttention: ("embed_dim", "num_heads", "batch_first", "add_zero_attn"),
    nn.TransformerEncoderLayer: ("activation_relu_or_gelu",),
    nn.Softmax: ("dim",),
    **dict.fromkeys((nn.Upsample, nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d), ("mode",)),
}
"""Settings that tools count by and no layer states."""

_kinds: dict[torch.dtype, str] = {}


def _dtype_name(kind: torch.dtype) -> str:
    """``float32``."""
    name = _kinds.get(kind)
    if name is None:
        name = _kinds[kind] = str(kind).removeprefix("torch.")
    return name


def _unused(trace: Trace) -> list[str]:
    """Nodes for what the forward did not touch, so that it is counted; and a sentence about it."""
    notes: list[str] = []
    idle: dict[str, int] = {}
    for names, tensors in ((trace.parameter_names, OWN[0]), (trace.buffer_names, OWN[1])):
        # how often a batch was seen is a number that nobody counts
        missing = [
            key
            for key, name in names.items()
            if key not in trace.owners and not name.endswith("num_batches_tracked")
        ]
        if not missing:
            continue
        living = {
            id(tensor): tensor
            for module in trace.modules.values()
            for tensor in module.__dict__[tensors].values()
            if tensor is not None
        }
        for key in missing:
            stand_in = trace.buffer(living[key])
            if tensors == OWN[0]:
                full = names[key]
                idle[full.rpartition(".")[0]] = idle.get(full.rpartition(".")[0], 0) + (
                    stand_in.numel()
                )
            trace.name_of(note(stand_in, name=None, stored=living[key]))
    if idle:
        tops = _tops(trace, idle)
        total = sum(idle.values())
        shown = ", ".join(tops[:6]) + (f" and {len(tops) - 6} more" if len(tops) > 6 else "")
        notes.append(f"{total:,} parameters are not used by this forward, and are counted: {shown}")
    return notes


def _tops(trace: Trace, idle: dict[str, int]) -> list[str]:
    """The names of what is not used: of a whole module once, and not of all that is in it."""
    called = {call.path for call in trace.calls if call is not None}
    tops: dict[str, None] = {}
    for path in idle:
        parts = path.split(".") if path else []
        for n in range(1, len(parts) + 1):
            start = ".".join(parts[:n])
            inside = start + "."
            if not any(each == start or each.startswith(inside) for each in called):
                tops.setdefault(start)
                break
        else:
            tops.setdefault(path or "the module's own")
    return list(tops)


def _so_far(trace: Trace, inputs: Inputs, notes: list[str]) -> Network:
    last = (trace.nodes[-1].name,) if trace.nodes else tuple(inputs.shapes)[:1]
    return Network(trace.name, inputs.shapes, tuple(trace.nodes), last, None, tuple(notes))


def _failed(error: Exception, trace: Trace, inputs: Inputs, notes: list[str]) -> ForwardError:
    failure = ForwardError(
        f"the forward of {trace.name} fails: {type(error).__name__}: {error}",
        where=trace.path or trace.name,
        values=f"{len(trace.nodes):,} layers were counted before",
        hint="is the input of the sizes that it expects? Its own traceback is above",
    )
    failure.so_far = _so_far(trace, inputs, notes)
    return failure


class _Following:
    """While it is entered, calls of modules and reads of their tensors come to us, in this thread.

    On leaving, everything is as it was: torch's methods, the modules' modes and attributes, and
    the states of the generators of random numbers.
    """

    def __init__(self, trace: Trace, root: nn.Module, mode: str) -> None:
        self.trace, self.root, self.mode = trace, root, mode

    def __enter__(self) -> None:
        if Current.busy():
            raise ReadError(
                "a module is being read already",
                hint="one at a time: nettally.read is not for threads",
            )
        trace = self.trace
        Current.trace = trace
        self.thread = get_ident()
        self.random = (torch.get_rng_state(), random.getstate())
        self.buffers: list[tuple[torch.Tensor, torch.Tensor]] = []
        if trace.values:
            torch.manual_seed(0)
            self.buffers = [(each, each.clone()) for each in self.root.buffers()]
        self.modes: list[tuple[dict[str, Any], bool]] = []
        self.lists: list[tuple[Any, Any]] = []
        training = {"eval": False, "train": True}.get(self.mode)
        for module in trace.modules.values():
            state = module.__dict__
            if training is not None and state["training"] is not training:
                self.modes.append((state, state["training"]))
                state["training"] = training
            for name, value in state.items():
                kind = type(value)
                if (kind is list or kind is dict or kind is set) and name not in internals_names:
                    self.lists.append((value, value.copy()))
        self.grad = torch.no_grad()
        self.grad.__enter__()
        self.lent = follow(trace, self.thread)

    def __exit__(self, *_: object) -> None:
        self.lent.give_back()
        Current.trace = None  # type: ignore[assignment]
        for module, state, inner in self.trace.saved.values():
            now = module.__dict__
            now.clear()
            now.update(state)
            for living, saved in inner:
                if not _same(living.items(), saved.items()):
                    living.clear()
                    living.update(saved)
        for state, training in self.modes:
            state["training"] = training
        for value, before in self.lists:
            a, b = (value.items(), before.items()) if type(value) is dict else (value, before)
            if not _same(a, b):
                value.clear()
                if isinstance(value, list):
                    value.extend(before)
                else:
                    value.update(before)
        for living, saved in self.buffers:
            if not torch.equal(living, saved):
                living.copy_(saved)
        self.grad.__exit__(None, None, None)
        torch.set_rng_state(self.random[0])
        random.setstate(self.random[1])


def _same(living: Any, saved: Any) -> bool:
    """Whether both hold the very same objects in the same order; they are not compared further."""
    if len(living) != len(saved):
        return False
    for a, b in zip(living, saved, strict=True):
        if a is not b and not (type(a) is tuple and len(a) == 2 and a[0] is b[0] and a[1] is b[1]):
            return False
    return True


internals_names = frozenset(nn.Module().__dict__)
"""What torch itself keeps in every module."""


def follow(trace: Trace, thread: int) -> Lent:
    """Put our own methods in the place of ``nn.Module``'s, for this thread."""
    lent = Lent()
    plain_call, plain_get = lent.plain("__call__"), lent.plain("__getattr__")
    plain_set, plain_delete = lent.plain("__setattr__"), lent.plain("__delattr__")
    paths, calls, nodes = trace.paths, trace.calls, trace.nodes
    call_impl = nn.Module._call_impl

    def called(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if get_ident() != thread or trace.bypassed:
            return plain_call(self, *args, **kwargs)
        state = self.__dict__
        path = paths.get(id(self))
        if path is None:  # made during the forward
            trace.adopt(self)
            path = paths[id(self)]
        trace.spelled = NOTHING
        first = len(nodes)
        place = len(calls)
        calls.append(None)
        hooked = (
            state["_forward_hooks"]
            or state["_forward_pre_hooks"]
            or internals._global_forward_hooks
            or internals._global_forward_pre_hooks
        )
        if not hooked:
            x = args[0] if args else None
            output = None
            if len(args) == 1 and not kwargs and type(x) is Shadow:
                handler = handler_of(type(self))
                if handler is not None:
                    sizes = x.sizes  # as they went in: it may work in place
                    before = x.value
                    try:
                        output = handler(trace, self, path, x)
                    except LayerError:  # torch says it in its own words
                        del nodes[first:]
                        output = None
                    if type(output) is Shadow:
                        if trace.values:
                            _compute(trace, self, before, output)
                        calls[place] = Call(
                            path, trace.depth, (sizes,), (output.sizes,), first, len(nodes)
                        )
                        return output
            if output is None and type(self) in SEVERAL and not trace.values:
                output = SEVERAL[type(self)](trace, self, path, *args, **kwargs)
            if output is not None:
                calls[place] = Call(
                    path, trace.depth, _shapes((args, kwargs)), _shapes(output), first, len(nodes)
                )
                return output
        outer = trace.path
        sizes = _shapes((args, kwargs)) if not kwargs and len(args) != 1 else _shapes(args)
        if kwargs:
            sizes = _shapes((args, kwargs))
        trace.path = path
        trace.depth += 1
        if hooked:
            output = call_impl(self, *args, **kwargs)
        else:
            output = self.forward(*args, **kwargs)
        # not in a finally: where the forward fails, the path says where
        trace.path = outer
        trace.depth -= 1
        calls[place] = Call(path, trace.depth, sizes, _shapes(output), first, len(nodes))
        return output

    plain_script: Any = SCRIPTED.__call__

    def scripted(self: Any, *args: Any, **kwargs: Any) -> Any:
        tensors = tensors_in((args, kwargs))
        if get_ident() != thread or not any(type(x) is Shadow for x in tensors):
            return plain_script(self, *args, **kwargs)
        return unknown(self, args, kwargs)

    def got(self: nn.Module, name: str) -> Any:
        state = self.__dict__
        held = state.get("_parameters")
        if held is not None and name in held:
            tensor = held[name]
            if tensor is None or trace.bypassed or get_ident() != thread:
                return tensor
            if type(tensor) is Shadow:
                return tensor
            return trace.parameter(tensor)
        kept = state.get("_buffers")
        if kept is not None and name in kept:
            tensor = kept[name]
            if tensor is None or trace.bypassed or get_ident() != thread:
                return tensor
            if type(tensor) is Shadow:
                return tensor
            return trace.buffer(tensor)
        modules = state.get("_modules")
        if modules is not None and name in modules:
            return modules[name]
        return plain_get(self, name)

    def _save(module: nn.Module) -> None:
        if id(module) not in trace.saved and get_ident() == thread:
            state = module.__dict__
            inner = [
                (held, dict(held))
                for name, held in state.items()
                if name in internals_names and isinstance(held, dict)
            ]
            trace.saved[id(module)] = (module, dict(state), inner)

    def set_(self: nn.Module, name: str, value: Any) -> None:
        _save(self)
        plain_set(self, name, value)

    def deleted(self: nn.Module, name: str) -> None:
        _save(self)
        plain_delete(self, name)

    def saving(plain: Any) -> Any:
        def changes(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            _save(self)
            return plain(self, *args, **kwargs)

        return changes

    lent.lend("__call__", called)
    lent.lend("__getattr__", got)
    lent.lend("__setattr__", set_)
    lent.lend("__delattr__", deleted)
    lent.put(SCRIPTED, "__call__", scripted)
    for name in CHANGES:
        lent.lend(name, saving(lent.plain(name)))
    return lent


def _compute(trace: Trace, module: nn.Module, x: Any, y: Shadow) -> None:
    """The values of what a module of torch's own makes, by its own forward."""
    trace.bypassed = True
    try:
        note(y, value=module.forward(x))
    finally:
        trace.bypassed = False


def _shapes(value: Any) -> tuple[Shape, ...]:
    """The shapes of the tensors in it, through containers."""
    kind = type(value)
    if kind is Shadow:
        return (value.sizes,)
    if kind is tuple and len(value) == 1 and type(value[0]) is Shadow:
        return (value[0].sizes,)
    shapes: list[Shape] = []

    def take(x: Any) -> None:
        shapes.append(x.sizes if type(x) is Shadow else tuple(x.shape))

    mapped(value, take)
    return tuple(shapes)
