"""A module's network: its forward is followed, on stand-ins for its inputs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...errors import NettallyError, ReadError
from ...network import NOTHING, Calls, Network
from .calling import Guarding, calling
from .calls import prepare
from .common import reached_by_code
from .copying import with_numpy
from .following import Following
from .inputs import Inputs, stand_ins
from .inventory import dtype_name, modules_of, unused
from .left_behind import left_behind
from .operators import Beneath
from .process import State, aside, room_for_values
from .shadow import Current, DependsOnValues, Slipped
from .trace import Alike, Hooked, Met, Trace, Written
from .twin import Twins, Unhooked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set

    from ...network import Module


MODES = ("eval", "train", "same")


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
    module, notes = _unwrapped(module)
    prepare()

    def run(values: bool) -> Run:
        needs: set[type[BaseException]] = set()
        while True:
            this = Run(module, name, values, needs)
            try:
                this.follow(input_size, input_data, dtypes, keywords, mode, notes)
            except (Met, Slipped, Hooked, Alike, Written) as again:
                if type(again) in needs:
                    raise AssertionError from again
                needs.add(type(again))
            else:
                return this

    try:
        this = run(values=False)
    except (DependsOnValues, ForwardError) as error:
        if not depends_on_values(error) or any(x.is_meta for x in module.parameters()):
            raise
        sizes: dict[torch.device, int] = {}
        for tensor in {id(x): x for x in (*module.parameters(), *module.buffers())}.values():
            sizes[tensor.device] = sizes.get(tensor.device, 0) + tensor.nbytes
        room_for_values(sizes)
        this = run(values=True)
        source = "the values given" if input_data is not None else "random values"
        notes.append(f"what the forward does depends on values: it was run on {source}")
    network = this.network(notes)
    if self_check:
        from .self_check import compare

        by_torch = Run(module, name, False, {Hooked})
        by_torch.prepare(input_size, input_data, dtypes, keywords, mode, [])
        return compare(network, by_torch.twin, by_torch.inputs)
    return network


def _unwrapped(module: nn.Module) -> tuple[nn.Module, list[str]]:
    """The module without what trains it in parallel or compiles it, and notes that say so."""
    notes: list[str] = []
    while isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)) or hasattr(
        module, "_orig_mod"
    ):
        inner: Any = module._orig_mod if hasattr(module, "_orig_mod") else module.module
        notes.append(f"read without {type(module).__name__} around it")
        module = inner
    return module, notes


class Run:
    """One run of a module's twin.

    needs: what the run before has met, each of which costs time: Met, calls of modules that are
    reached past the twin; Slipped, calls that get past torch's function protocol; Hooked, hooks
    that the forward itself registers; Alike, parameters that it makes of stand-ins; Written, large
    arrays that it writes to.
    """

    def __init__(
        self, module: nn.Module, name: str, values: bool, needs: Set[type[BaseException]]
    ) -> None:
        self.module, self.guarded = module, Met in needs
        self.trace = trace = Trace(module, _device(module), values)
        trace.name = name or type(module).__name__
        trace.guarded = self.guarded
        self.modules = modules_of(trace)
        self.following = Following(trace, Slipped in needs, Alike in needs)
        trace.shadow_of = self.following.shadow_of
        self.called = calling(trace, self.following)
        hooks = None if Hooked in needs else Unhooked(trace.hooked)
        self.twins = Twins(self.following.stand_in, self.called, trace.listed, hooks)
        self.twins.common, self.common = reached_by_code(trace.modules.values())
        self.twins.written = Written in needs
        self.twin = module
        self.inputs = Inputs((), {}, {})
        self.outputs: tuple[str, ...] = ()

    def prepare(
        self,
        input_size: Any,
        input_data: Any,
        dtypes: Any,
        keywords: Mapping[str, Any],
        mode: str,
        notes: list[str],
    ) -> None:
        """Makes the twin, and the stand-ins for its inputs."""
        with_numpy()
        self.twin = self.twins.of(self.module)
        training = {"eval": False, "train": True}.get(mode)
        for path, module in self.trace.modules.items():
            twin = self.twins.memo[id(module)]
            self.trace.paths[id(twin)] = path
            if training is not None:
                twin.__dict__["training"] = training
        self.inputs = stand_ins(
            self.trace, self.following, self.twins, self.module, input_size, input_data, dtypes,
            keywords, notes,
        )  # fmt: skip

    def follow(
        self,
        input_size: Any,
        input_data: Any,
        dtypes: Any,
        keywords: Mapping[str, Any],
        mode: str,
        notes: list[str],
    ) -> None:
        """Runs the twin; what it did is in the trace, whose outputs are named."""
        trace = self.trace
        outer = Current.trace
        with aside():
            self.prepare(input_size, input_data, dtypes, keywords, mode, notes)
            state = State()
            try:
                try:
                    Current.trace = trace
                    output = self._output(notes)
                finally:
                    Current.trace = outer
                    state.restore()
            finally:  # again, should an interrupt have come in between
                Current.trace = outer
                state.restore()
                self.twins.retire()
            with torch._C.DisableTorchFunction():
                self.outputs = tuple(dict.fromkeys(_named(trace, output)))
            del output
            notes.extend(self._release())

    def _release(self) -> list[str]:
        """Lets go of the twin and of all stand-ins. Notes of what outlives them."""
        notes: list[str] = []
        shared = sorted(self.twins.shared)
        if shared:
            notes.append(
                f"{', '.join(shared)} of the module can't be copied: what the forward changes of "
                "that is changed"
            )
        self.twins.clear()
        self.inputs = self.inputs._replace(positional=(), named={})
        handles = self.following.handles
        names = left_behind(handles, self.trace.key)
        handles.clear()
        if names:
            self._take_back()
            notes.append(
                f"the forward has left stand-ins in {', '.join(names)}, where they have no values"
            )
        return notes

    def _take_back(self) -> None:
        """The parameters and buffers that the forward has exchanged past the twin, by a global."""
        trace = self.trace
        for names, table in (
            (trace.parameter_names, "_parameters"),
            (trace.buffer_names, "_buffers"),
        ):
            for number, name in names.items():
                path, _, word = name.rpartition(".")
                stored = trace.modules[path].__dict__[table]
                now = stored.get(word)
                if now is not None and trace.key in now.__dict__:
                    stored[word] = trace.tensors[number]

    def _output(self, notes: list[str]) -> Any:
        """What the twin's forward gives."""
        trace, inputs = self.trace, self.inputs
        following = self.following
        guarding = Guarding(self.twins, self.called) if self.guarded else nullcontext()
        beneath = Beneath(following) if following.beneath else nullcontext()
        try:
            with guarding, beneath, following:
                torch._C._set_grad_enabled(False)
                following.started = True
                output = self.twin(*inputs.positional, **inputs.named)
        except NettallyError as error:
            error.so_far = _so_far(trace, inputs, notes)  # type: ignore[attr-defined] - read by the command alone
            raise
        except Exception as error:
            if trace.again is not None:  # which torch has made another error of
                raise trace.again from error
            if "read-only" in str(error) and not self.twins.written:
                raise Written from error
            _ask_for_values(error)
            raise _failed(error, trace, inputs, notes) from error
        if trace.again is not None:  # which somebody has caught
            raise trace.again
        return output

    def network(self, notes: list[str]) -> Network:
        return _network(self.trace, self.modules, self.inputs, self.outputs, notes)


def depends_on_values(error: ReadError) -> bool:
    """Whether the forward can't be followed without values: a call has no shape without them."""
    cause = error.__cause__
    return isinstance(error, DependsOnValues) or isinstance(cause, NotImplementedError)


def structure(module: nn.Module) -> Network:
    """The modules and the tensors that they store. The forward is not run: no shapes, no layers."""
    trace = Trace(module, _device(module))
    return Network(type(module).__name__, {}, (), ("",), modules=modules_of(trace))


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
        yield trace.name_of(trace.shadow_of(output))
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


def _network(
    trace: Trace,
    modules: dict[str, Module],
    inputs: Inputs,
    outputs: tuple[str, ...],
    notes: list[str],
) -> Network:
    notes = [*notes, *unused(trace)]
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
            name: dtype_name(kind)
            for name, kind in trace.dtypes.items()
            if kind is not torch.float32
        },
    )


def _ask_for_values(error: BaseException) -> None:
    """Raises DependsOnValues where an error comes of a stand-in's having none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DependsOnValues):  # of which somebody has made another error
            raise cause
        text = str(cause)
        if "on meta tensors" in text or "<stand-in" in text:
            raise DependsOnValues(
                "the forward asks for the values of a tensor",
                values=text.splitlines()[0][:100],
                hint="give them with input_data=...",
            ) from error
        cause = cause.__cause__


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
