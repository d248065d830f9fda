"""Keras' models as their files write them: layers, what calls what, in the order that works.

A Functional model's layers name, for each of their calls, the outputs of others' calls that it
takes; a Sequential's layers stand in a row. Models stand in models as layers do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ReadError, closest
from ..encodings.json import array, fields
from ..graph_builder import listing, ordered
from .config import MODELS, Inbound, Ref, Spec, parts, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LAYERS = 100_000
MAX_EDGES = 500_000
MAX_NESTED = 30

MAX_REPEATED = 2_000_000
"""What models that are called again may cost, beside what the file lists: CALL for each call of a
layer, and 1 for each value of its settings."""
CALL = 80

CONSTANT = "_CONSTANT_VALUE"
TENSOR = "__keras_tensor__"


class Call(NamedTuple):
    """One call of a layer that leads to an output. read: which of what it gives others read."""

    spec: Spec
    number: int
    inbound: Inbound | None
    read: set[int]


class Model:
    """Layers by name; the calls' outputs that go in, and that come out."""

    def __init__(self, name: str, file: str, *, trainable: bool, sequential: bool) -> None:
        self.name = name
        self.file = file
        self.trainable = trainable
        self.sequential = sequential
        self.layers: dict[str, Spec] = {}
        self.inputs: list[Ref] = []
        self.input_names: set[str] = set()
        self.outputs: list[Ref] = []
        self.starts = False  # whether a Sequential begins with its input
        self.built: tuple[int | None, ...] | None = None
        self.shapes: dict[Ref, tuple[int | None, ...]] = {}  # as the file states them
        self.calls: list[Call] = []  # in the order that works
        self.unused: list[str] = []  # layers that lead to no output
        self.cost_once = self.cost = 0  # of making each layer once; of running the model

    def specs(self) -> Iterator[Spec]:
        """All layers, those of models inside too."""
        for spec in self.layers.values():
            yield spec
            if spec.model is not None:
                yield from spec.model.specs()

    def meant(self, ref: Ref, reader: Spec | None) -> Ref:
        """The call that a Ref means, counted from 0; reader None: the model's own outputs.

        Of a layer that was called once, it is that call, whatever its number.
        """
        source = self.layers[ref.layer]
        calls = len(source.inbound)
        if calls <= 1 or ref.layer in self.input_names:
            return Ref(ref.layer, 0, ref.output)
        call = ref.call - (source.base_out if reader is None else source.base)
        if not 0 <= call < calls:
            raise (reader or source).error(
                f"it reads call {ref.call} of '{source.name[:60]}'", f"which has {calls} calls"
            )
        return Ref(ref.layer, call, ref.output)


def model(entry: dict[str, Any], file: str, depth: int = 0) -> Model:
    """A serialised Functional or Sequential. Raises ReadError where it is none."""
    class_name, config = entry["class_name"], entry["config"]
    if depth > MAX_NESTED:
        raise ReadError("models nest too deep", where=file, values=f"more than {MAX_NESTED} levels")
    if isinstance(config, list):  # Sequential before Keras 2.2.3
        config = {"name": "sequential", "layers": config}
    config = fields(config) or {}
    layers = array(config.get("layers"))
    if layers is None:
        raise ReadError(
            f"the model is a {class_name[:60]} that lists no layers: its graph is code",
            where=file,
            values=f"config: {', '.join(list(config)[:8])[:120]}",
            hint="a Functional or Sequential model lists them; a subclassed one must be exported, "
            "to ONNX for example",
        )
    graph = Model(
        str(config.get("name") or entry.get("name") or class_name)[:200],
        file,
        trainable=config.get("trainable") is not False,
        sequential="input_layers" not in config,
    )
    if len(layers) > MAX_LAYERS:
        raise ReadError("the model has too many layers", where=file, values=f"{len(layers):,}")
    for index, each in enumerate(layers):
        spec = layer(each, index, file, depth)
        if spec.name in graph.layers:
            raise ReadError(
                f"two layers are called '{spec.name[:80]}'", where=file, hint="rename one of them"
            )
        graph.layers[spec.name] = spec
    if graph.sequential:
        _row(graph, config)
    else:
        _connect(graph, config, layers)
    _weigh(graph, depth)
    return graph


def layer(value: Any, index: int, file: str, depth: int) -> Spec:
    """One layer. Raises ReadError where it is none."""
    entry = fields(value) or {}
    class_name = entry.get("class_name")
    if not isinstance(class_name, str):
        raise ReadError(f"layer {index} has no class_name", where=file)
    config: Any = entry.get("config")
    if isinstance(config, list) and class_name in MODELS:
        config = {"name": entry.get("name"), "layers": config}
    config = fields(config if config is not None else {})
    if config is None:
        raise ReadError(f"layer {index}, {class_name[:60]}, has no config", where=file)
    name = entry.get("name") or config.get("name")
    if not isinstance(name, str):
        name = f"{class_name.lower()}_{index}"
    if len(name) > 1000:
        raise ReadError(f"layer {index} has a name of {len(name):,} characters", where=file)
    spec = Spec(name, class_name, config, file)
    module = entry.get("module")
    spec.module = module if isinstance(module, str) else ""
    spec.built = (fields(entry.get("build_config")) or {}).get("input_shape")
    if isinstance(entry.get("shared_object_id"), int):
        spec.owner = ("shared", entry["shared_object_id"], class_name)
    if class_name in MODELS or ("layers" in config and "input_layers" in config):
        spec.model = model({"class_name": class_name, "config": config}, file, depth + 1)
    elif (fields(config.get("layer")) or {}).get("class_name"):
        spec.inner = layer(config["layer"], index, file, depth + 1)
    return spec


def _row(graph: Model, config: dict[str, Any]) -> None:
    """A Sequential: its calls, and its input's shape where a layer or the model states it."""
    specs = list(graph.layers.values())
    if not specs:
        raise ReadError("the model has no layers", where=graph.file)
    first = specs[0]
    graph.starts = first.cls == "InputLayer"
    graph.calls = [Call(spec, 0, None, {0}) for spec in specs if spec.cls != "InputLayer"]
    stated = [first.config.get(key) for key in ("batch_shape", "batch_input_shape")]
    stated += [first.model and first.model.built, config.get("build_input_shape"), first.built]
    shapes = (each if isinstance(each, tuple) else shape_of(first, each) for each in stated)
    graph.built = next((shape for shape in shapes if shape is not None), None)


def _connect(graph: Model, config: dict[str, Any], layers: list[Any]) -> None:
    """A Functional: what calls what, from which inputs, to which outputs."""
    edges = 0
    new = False  # Keras 3 writes calls as objects
    for each, spec in zip(layers, graph.layers.values(), strict=True):
        nodes = array(each.get("inbound_nodes") or [])
        if nodes is None:
            raise spec.error("its inbound_nodes are no list")
        spec.inbound = [_inbound(node, spec, graph) for node in nodes]
        new = new or any(isinstance(node, dict) and "args" in node for node in nodes)
        edges += sum(len(node.refs) for node in spec.inbound)
        if edges > MAX_EDGES:
            raise ReadError(
                "the layers have too many inputs", where=graph.file, values=f"{edges:,}"
            )
    for spec in graph.layers.values():
        if spec.model is not None:
            # a model that was built with inputs has a call of its own, which is not written; calls
            # are counted from it, but in the inbound_nodes of Keras 3, and there in Sequentials
            has_own_call = not spec.model.sequential or spec.model.starts
            spec.base = int(has_own_call and not new)
            spec.base_out = int(has_own_call and not (new and spec.model.sequential))
    ends = [_ends(config.get(key), graph, key) for key in ("input_layers", "output_layers")]
    for key, refs in zip(("input_layers", "output_layers"), ends, strict=True):
        if not refs:
            raise ReadError(f"the model has no {key}", where=graph.file)
    graph.inputs, outputs = ends
    graph.input_names = {ref.layer for ref in graph.inputs}
    graph.outputs = [graph.meant(ref, None) for ref in outputs]
    _arrange(graph)
    stated = list(graph.shapes.items())
    graph.shapes = {graph.meant(ref, graph.layers[ref.layer]): shape for ref, shape in stated}


def _weigh(graph: Model, depth: int) -> None:
    """Ask before the work whether models that are called again make it too much."""
    weights: dict[str, int] = {}
    for spec, number, inbound, _ in graph.calls:
        innermost = spec  # of wrappers, one in another
        while innermost.inner is not None:
            innermost = innermost.inner
        inner: Model | None = innermost.model
        cost = CALL
        if number or depth:
            if spec.model is None and spec.name not in weights:
                weights[spec.name] = parts(spec.config)
            cost += weights.get(spec.name, 0)
            if inbound is not None:
                cost += parts([inbound.args, *inbound.kwargs.values()])
        graph.cost += cost + (inner.cost if inner is not None else 0)
        if not number:
            graph.cost_once += cost + (inner.cost_once if inner is not None else 0)
    if graph.cost > graph.cost_once + MAX_REPEATED:
        raise ReadError(
            "models and layers are called again too often",
            where=graph.file,
            values=f"'{graph.name[:60]}' takes {graph.cost:,} steps, once {graph.cost_once:,}",
        )


def _arrange(graph: Model) -> None:
    """The calls that lead to an output, each behind what it reads, else as in the file.

    Keras, too, leaves out all others. Raises ReadError for a cycle, and for a call that is not
    there. Nearly linear.
    """
    for spec in graph.layers.values():
        for inbound in spec.inbound:
            inbound.sources = [graph.meant(ref, spec) for ref in inbound.refs]
    inputs = graph.input_names
    read: dict[tuple[str, int], set[int]] = {}
    needs: dict[tuple[str, int], list[tuple[str, int]]] = {}
    waiting = [ref for ref in graph.outputs if ref.layer not in inputs]
    while waiting:
        ref = waiting.pop()
        key = ref.layer, ref.call
        read.setdefault(key, set()).add(ref.output)
        if key in needs:
            continue
        source = graph.layers[ref.layer]
        if not source.inbound:
            raise source.error(f"it reads call {ref.call}, and is never called")
        refs = [each for each in source.inbound[ref.call].sources if each.layer not in inputs]
        needs[key] = [(each.layer, each.call) for each in refs]
        waiting += refs
    alive = [
        (spec, number)
        for spec in graph.layers.values()
        for number in range(len(spec.inbound))
        if (spec.name, number) in needs
    ]
    places = {(spec.name, number): place for place, (spec, number) in enumerate(alive)}
    order = ordered([[places[need] for need in needs[key]] for key in places])
    if len(order) < len(alive):
        circle = set(range(len(alive))).difference(order)
        raise ReadError(
            "the layers read each other in a circle",
            where=graph.file,
            values=listing(list(dict.fromkeys(alive[place][0].name for place in sorted(circle)))),
        )
    for spec, number in (alive[place] for place in order):
        graph.calls.append(Call(spec, number, spec.inbound[number], read[spec.name, number]))
    used = {spec.name for spec, _ in alive} | inputs
    graph.unused = [
        spec.name
        for spec in graph.layers.values()
        if spec.name not in used and not spec.module.startswith("keras.src.ops")
    ]


def _ends(listed: Any, graph: Model, key: str) -> list[Ref]:
    """The calls' outputs that a model takes or gives: one, a list, or an object of them."""
    ref = _ref(listed)
    if ref is None and isinstance(listed, (list, dict)):
        each = array(listed) or (fields(listed) or {}).values()
        return [ref for one in each for ref in _ends(one, graph, key)]
    if ref is None and listed is None:
        return []
    if ref is None:
        raise ReadError(f"its {key} are no layers", where=graph.file, values=f"{listed!r:.60}")
    if ref.layer not in graph.layers:
        raise ReadError(
            f"{key} names '{ref.layer[:80]}', which is no layer",
            where=graph.file,
            hint=closest(ref.layer, graph.layers),
        )
    return [ref]


def _ref(value: Any) -> Ref | None:
    """``["conv1", 0, 0]``, with or without further arguments behind it."""
    values = array(value)
    if values is None or not 3 <= len(values) <= 4:
        return None
    name, call, output = values[:3]
    if isinstance(name, str) and type(call) is int and type(output) is int and name != CONSTANT:
        return Ref(name, call, output)
    return None


def _inbound(node: Any, spec: Spec, graph: Model) -> Inbound:
    """One call, as Keras 3 writes it (an object) or as those before (lists of lists)."""
    call = fields(node)
    if call is not None:
        if "args" not in call and "kwargs" not in call:
            return Inbound((_refs(node, spec, graph),), {})
        args = array(_refs(call.get("args") or [], spec, graph))
        kwargs = fields(_refs(call.get("kwargs") or {}, spec, graph))
        if args is None or kwargs is None:
            raise spec.error("its inbound_nodes are no calls")
        return Inbound(tuple(args), kwargs)
    listed = array(node)
    if listed is None:
        raise spec.error("its inbound_nodes are no calls", f"{node!r:.60}")
    if not listed:
        return Inbound((), {})
    more: dict[str, Any] = {}
    for each in [listed] if isinstance(listed[0], str) else map(array, listed):
        if each is not None and len(each) > 3:
            more.update(fields(_refs(each[3], spec, graph)) or {})
    refs = _refs(listed, spec, graph)
    several = array(refs)
    return Inbound((several[0] if several and len(several) == 1 else refs,), more)


def _refs(value: Any, spec: Spec, graph: Model) -> Any:
    """Refs in place of what names tensors: lists before Keras 3, then objects with their shapes."""
    listed, members = array(value), fields(value)
    if listed is not None:
        ref = _ref(listed)
        if ref is not None and ref.layer in graph.layers:
            return ref
        if ref is not None and len(listed) == 4:
            raise _missing(spec, ref, graph)
        if len(listed) >= 3 and listed[0] == CONSTANT:
            return listed[2]
        return [_refs(each, spec, graph) for each in listed]
    if members is None:
        return value
    if members.get("class_name") != TENSOR:
        return {key: _refs(each, spec, graph) for key, each in members.items()}
    config = fields(members.get("config")) or {}
    ref = _ref(config.get("keras_history"))
    if ref is None:
        raise spec.error("a tensor that it reads has no history")
    if ref.layer not in graph.layers:
        raise _missing(spec, ref, graph)
    shape = shape_of(spec, config.get("shape"))
    if (
        shape is not None and len(shape) > 1
    ):  # Keras itself does not look at it; [None] says nothing
        graph.shapes[ref] = shape
    return ref


def _missing(spec: Spec, ref: Ref, graph: Model) -> ReadError:
    return spec.error(
        f"it reads '{ref.layer[:80]}', which is no layer", hint=closest(ref.layer, graph.layers)
    )
