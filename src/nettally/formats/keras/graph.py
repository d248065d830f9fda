"""Keras' models as their files write them: layers, what calls what, in the order that works.

A Functional model's layers name, for each of their calls, the outputs of others' calls that it
takes; a Sequential's layers stand in a row. Models stand in models as layers do.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from ...errors import ReadError, closest
from ..encodings.json import array, fields
from .config import MODELS, Inbound, Ref, Spec, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LAYERS = 100_000
MAX_EDGES = 500_000
MAX_NESTED = 30

CONSTANT = "_CONSTANT_VALUE"
TENSOR = "__keras_tensor__"


class Model:
    """Layers by name; the calls' outputs that go in, and that come out."""

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.file = file
        self.sequential = False
        self.layers: dict[str, Spec] = {}
        self.inputs: list[Ref] = []
        self.outputs: list[Ref] = []
        self.built: tuple[int | None, ...] | None = None
        self.stated: dict[Ref, tuple[int | None, ...]] = {}
        self.trainable = True
        self.starts = False  # whether a Sequential begins with its input

    def specs(self) -> Iterator[Spec]:
        """All layers, those of models inside too."""
        for spec in self.layers.values():
            yield spec
            if spec.model is not None:
                yield from spec.model.specs()


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
    graph = Model(str(config.get("name") or entry.get("name") or class_name)[:200], file)
    graph.trainable = config.get("trainable") is not False
    graph.sequential = "input_layers" not in config
    if len(layers) > MAX_LAYERS:
        raise ReadError("the model has too many layers", where=file, values=f"{len(layers):,}")
    for index, each in enumerate(layers):
        spec = _spec(each, index, file, depth)
        if spec.name in graph.layers:
            raise ReadError(
                f"two layers are called '{spec.name[:80]}'", where=file, hint="rename one of them"
            )
        graph.layers[spec.name] = spec
    if graph.sequential:
        graph.starts = any(spec.cls == "InputLayer" for spec in list(graph.layers.values())[:1])
        graph.built = _built(graph, config, layers)
        return graph
    edges = 0
    new = False  # Keras 3 writes calls as objects
    for each, spec in zip(layers, graph.layers.values(), strict=True):
        nodes = array(each.get("inbound_nodes") or [])
        if nodes is None:
            raise spec.error("its inbound_nodes are no list")
        spec.inbound = [_inbound(node, spec, graph) for node in nodes]
        new = new or any(isinstance(node, dict) and "args" in node for node in nodes)
        edges += sum(len(node.refs()) for node in spec.inbound)
        if edges > MAX_EDGES:
            raise ReadError("the layers have too many inputs", where=file, values=f"{edges:,}")
    for spec in graph.layers.values():
        if spec.model is not None:
            # a model that was built with inputs has a call of its own, which is not written; calls
            # are counted from it, but in the inbound_nodes of Keras 3, and there in Sequentials
            has_own_call = not spec.model.sequential or spec.model.starts
            spec.base = int(has_own_call and not new)
            spec.base_out = int(has_own_call and not (new and spec.model.sequential))
    graph.inputs = _ends(config.get("input_layers"), graph, "input_layers")
    graph.outputs = _ends(config.get("output_layers"), graph, "output_layers")
    return graph


def _spec(value: Any, index: int, file: str, depth: int) -> Spec:
    """One layer."""
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
    spec.build = (fields(entry.get("build_config")) or {}).get("input_shape")
    if isinstance(entry.get("shared_object_id"), int):
        spec.owner = ("shared", entry["shared_object_id"], class_name)
    if class_name in MODELS or ("layers" in config and "input_layers" in config):
        spec.model = model({"class_name": class_name, "config": config}, file, depth + 1)
    return spec


def _built(graph: Model, config: dict[str, Any], layers: list[Any]) -> Any:
    """The input's shape of a Sequential, where its first layer or the model states it."""
    if not graph.layers:
        raise ReadError("the model has no layers", where=graph.file)
    first = next(iter(graph.layers.values()))
    for key in ("batch_shape", "batch_input_shape"):
        if (shape := shape_of(first, first.config.get(key))) is not None:
            return shape
    if first.model is not None and first.model.built is not None:
        return first.model.built
    for value in (config.get("build_input_shape"), first.build):
        if (shape := shape_of(first, value)) is not None:
            return shape
    return None


def _ends(listed: Any, graph: Model, key: str) -> list[Ref]:
    """The calls' outputs that a model takes or gives: one, a list, or an object of them."""
    refs: list[Ref] = []

    def walk(value: Any) -> None:
        ref = _ref(value)
        if ref is not None:
            refs.append(ref)
        elif isinstance(value, (list, dict)):
            for each in array(value) or (fields(value) or {}).values():
                walk(each)
        elif value is not None:
            raise ReadError(f"its {key} are no layers", where=graph.file, values=f"{value!r:.60}")

    walk(listed)
    for ref in refs:
        if ref.layer not in graph.layers:
            raise ReadError(
                f"{key} names '{ref.layer[:80]}', which is no layer",
                where=graph.file,
                hint=closest(ref.layer, graph.layers),
            )
    if not refs:
        raise ReadError(f"the model has no {key}", where=graph.file)
    return refs


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
            return Inbound((_old(node, spec, graph),), {})
        args = array(_tensors(call.get("args") or [], spec, graph))
        kwargs = fields(_tensors(call.get("kwargs") or {}, spec, graph))
        if args is None or kwargs is None:
            raise spec.error("its inbound_nodes are no calls")
        return Inbound(tuple(args), kwargs)
    listed = array(node)
    if listed is None:
        raise spec.error("its inbound_nodes are no calls", f"{node!r:.60}")
    if not listed:
        return Inbound((), {})
    more: dict[str, Any] = {}
    single = isinstance(listed[0], str)
    for each in [listed] if single else map(array, listed):
        if each is not None and len(each) > 3:
            more.update(fields(_old(each[3], spec, graph)) or {})
    refs = _old(listed, spec, graph)
    several = array(refs)
    return Inbound((several[0] if several and len(several) == 1 else refs,), more)


def _old(value: Any, spec: Spec, graph: Model) -> Any:
    """Refs in place of what names them in files before Keras 3."""
    ref = _ref(value)
    if ref is not None and ref.layer in graph.layers:
        return ref
    listed, members = array(value), fields(value)
    if listed is not None:
        if ref is not None and len(listed) == 4:
            raise _missing(spec, ref, graph)
        if len(listed) >= 3 and listed[0] == CONSTANT:
            return listed[2]
        return [_old(each, spec, graph) for each in listed]
    if members is not None:
        return {key: _old(each, spec, graph) for key, each in members.items()}
    return value


def _tensors(value: Any, spec: Spec, graph: Model) -> Any:
    """Refs in place of Keras 3's tensors, whose shapes are kept."""
    listed, members = array(value), fields(value)
    if listed is not None:
        return [_tensors(each, spec, graph) for each in listed]
    if members is None:
        return value
    if members.get("class_name") != TENSOR:
        return {key: _tensors(each, spec, graph) for key, each in members.items()}
    config = fields(members.get("config")) or {}
    ref = _ref(config.get("keras_history"))
    if ref is None:
        raise spec.error("a tensor that it reads has no history")
    if ref.layer not in graph.layers:
        raise _missing(spec, ref, graph)
    shape = shape_of(spec, config.get("shape"))
    if shape is not None:
        graph.stated[ref] = shape
    return ref


def _missing(spec: Spec, ref: Ref, graph: Model) -> ReadError:
    return spec.error(
        f"it reads '{ref.layer[:80]}', which is no layer", hint=closest(ref.layer, graph.layers)
    )


def order(graph: Model) -> list[tuple[Spec, int]]:
    """The calls of a Functional so that each stands behind what it reads, else as in the file.

    Raises ReadError for a cycle, and for a call that is not there. Nearly linear.
    """
    alive = reached(graph)
    specs = list(graph.layers.values())
    place = {spec.name: index for index, spec in enumerate(specs)}
    input_names = {ref.layer for ref in graph.inputs}
    waiting: dict[tuple[int, int], int] = {}
    readers: dict[tuple[int, int], list[tuple[int, int]]] = {}
    ready: list[tuple[int, int]] = []
    for index, spec in enumerate(specs):
        for call, inbound in enumerate(spec.inbound):
            if spec.name in input_names or (spec.name, call) not in alive:
                continue
            needs: set[tuple[int, int]] = set()
            for ref in inbound.refs():
                source = specs[place[ref.layer]]
                if ref.layer not in input_names:
                    needs.add((place[ref.layer], actual(source, ref, spec)))
            waiting[index, call] = len(needs)
            for need in needs:
                readers.setdefault(need, []).append((index, call))
            if not needs:
                ready.append((index, call))
    heapq.heapify(ready)
    done: list[tuple[Spec, int]] = []
    while ready:
        now = heapq.heappop(ready)
        del waiting[now]
        done.append((specs[now[0]], now[1]))
        for reader in readers.get(now, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if waiting:
        names = list(dict.fromkeys(specs[index].name[:40] for index, _ in waiting))
        raise ReadError(
            "the layers read each other in a circle",
            where=graph.file,
            values=", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else ""),
        )
    return done


def actual(source: Spec, ref: Ref, reader: Spec, *, end: bool = False) -> int:
    """Which call a Ref means: of a layer that was called once, that one, whatever its number."""
    calls = len(source.inbound)
    if calls == 1:
        return 0
    call = ref.call - (source.base_out if end else source.base)
    if not 0 <= call < calls:
        raise reader.error(
            f"it reads call {ref.call} of '{source.name[:60]}'", f"which has {calls} calls"
        )
    return call


def reached(graph: Model) -> set[tuple[str, int]]:
    """The calls that lead to an output; Keras, too, leaves out all others."""
    input_names = {ref.layer for ref in graph.inputs}
    calls: set[tuple[str, int]] = set()
    stack = [(ref, graph.layers[ref.layer], True) for ref in graph.outputs]
    while stack:
        ref, reader, end = stack.pop()
        source = graph.layers[ref.layer]
        if ref.layer in input_names:
            continue
        key = ref.layer, actual(source, ref, reader, end=end)
        if key not in calls:
            calls.add(key)
            stack += [(each, source, False) for each in source.inbound[key[1]].refs()]
    return calls
