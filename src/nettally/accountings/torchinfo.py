"""torchinfo 1.8.0: ``summary(model, input_size=...)``.

It sees the calls of modules, by hooks, and adds up those of leaves: each weight and bias times the
output's sizes but the second, if the class is called ``Conv``, and else times the first size only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import product
from ..counting.accounting import Accounting
from .by_calls import register_tool
from .calls.facts import ROOT, Facts, Tool, ToolCount
from .calls.worksheet import Worksheet, left_out, noun, tool_count
from .kinds import OTHER_NORMS, each

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..network import Call, Shape

DIFFERENT = {
    "linear": "other positions of linear layers",
    "conv_transpose": "output positions of transposed convolutions",
}
BIASES = "biases"
NORMS = "norms' parameters"
TABLES = "tables"
PARAMETERS = "other parameters"

WIDTHS = {
    "float64": 8, "complex64": 8, "int64": 8, "complex128": 16, "float16": 2, "bfloat16": 2,
    "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
"""Bytes a value, where they are not 4."""


def count(facts: Facts, tool: Tool) -> ToolCount:
    """Its total_params, trainable_params, total_mult_adds and the bytes that it prints."""
    sheet = Worksheet(facts, tool.per_mac)
    output_bytes = 0
    for call in facts.calls:
        module = facts.modules.get(call.path)
        if module is None or not module.leaf or not call.outputs:
            continue
        learned = tuple(facts.learned(call.path))
        if not learned:
            continue
        y = call.outputs[0]
        width = next((WIDTHS.get(each.dtype, 4) for each in module.stored if each.learned), 4)
        output_bytes += 2 * width * product(y)
        _call(facts, sheet, call, module.type, learned, y)
    all_parameters, trained = _parameters(facts)
    others = {
        "total_output_bytes": output_bytes,
        "total_param_bytes": _bytes(facts),
        "total_input": _inputs(facts),
    }
    return tool_count(
        facts,
        tool,
        sheet,
        all_parameters,
        left_out(facts),
        trainable=trained,
        others=others,
    )


def _call(
    facts: Facts,
    sheet: Worksheet,
    call: Call,
    kind: str,
    learned: tuple[tuple[str, Shape], ...],
    y: Shape,
) -> None:
    """One call of a leaf: its weights for its weighted sums, and its biases."""
    weights = biases = 0
    for name, shape in learned:
        if name in ("weight", "bias"):
            times = product((*y[:1], *y[2:])) if "Conv" in kind else y[0] if y else 0
        elif "weight" in name or "bias" in name:
            times = product(y[:2])
        else:
            continue
        if "weight" in name:
            weights += product(shape) * times
        else:
            biases += product(shape) * times
    summing = [place for place in range(call.first, call.last) if facts.macs[place]]
    if summing:
        row = facts.rows[summing[0]]
        label = DIFFERENT.get(row.node.layer.kind, f"{noun(row)} counted otherwise")
        sheet.sums(call.first, call.last, weights, label)
        sheet.at_call(call, BIASES, biases)
    elif "Norm" in kind:
        sheet.at_call(call, NORMS, weights + biases)
    elif "Embedding" in kind:
        sheet.at_call(call, TABLES, weights)
    else:
        sheet.at_call(call, PARAMETERS, weights + biases)


# --- parameters ---------------------------------------------------------------------------------


class _Line:
    """A line of its table. total, trained: of all that is in the module. again: shown before."""

    __slots__ = ("again", "depth", "leaf", "path", "total", "trained")

    def __init__(self, path: str, depth: int, leaf: bool) -> None:
        self.path, self.depth, self.leaf = path, depth, leaf
        self.total = self.trained = 0
        self.again = False


def _parameters(facts: Facts) -> tuple[int, int]:
    """Its totals: leaves once, and of others what their leaves do not hold, if that is more than 0.

    So a tensor that two modules share is counted twice.
    """
    sizes = _subtrees(facts)
    places = _places(facts)
    lines: list[_Line] = []
    seen: set[str] = set()
    for call in facts.calls:
        module = facts.modules[call.path]
        line = _Line(call.path, places[call.path].count(".") + 1 if call.path else 0, module.leaf)
        line.total, line.trained = sizes[call.path]
        line.again = call.path in seen
        seen.add(call.path)
        lines.append(line)
    lines = _with_containers(facts, lines, seen, places, sizes)
    return _leftovers(lines, "total"), _leftovers(lines, "trained")


def _with_containers(
    facts: Facts,
    lines: list[_Line],
    seen: set[str],
    places: Mapping[str, str],
    sizes: Mapping[str, tuple[int, int]],
) -> list[_Line]:
    """The lines, with one for each module that holds others and was not called itself."""
    first = {place: path for path, place in places.items()}
    open_at: dict[int, str] = {}
    shown: list[_Line] = []
    containers: dict[str, _Line] = {}
    for line in lines:
        parts = places[line.path].split(".") if line.path else []
        for depth in range(1, line.depth):
            path = first.get(".".join(parts[:depth]), "")
            above = containers.get(path)
            if open_at.get(depth) == path or (shown and above is not None and shown[-1] is above):
                continue
            if above is None:
                above = containers[path] = _Line(path, depth, facts.modules[path].leaf)
            above.total, above.trained = sizes[path]
            above.again = path in seen
            seen.add(path)
            shown.append(above)
            open_at[depth] = path
        open_at[line.depth] = line.path
        depth = line.depth + 1
        while depth in open_at:
            del open_at[depth]
            depth += 1
        shown.append(line)
    return shown


def _leftovers(lines: list[_Line], field: str) -> int:
    """The sum over the lines that are not shown again."""
    below = [0] * (len(lines) + 1)  # of the lines from each on
    ends: list[int] = [len(lines)] * len(lines)
    open_lines: list[int] = []
    for i, line in enumerate(lines):
        while open_lines and lines[open_lines[-1]].depth >= line.depth:
            ends[open_lines.pop()] = i
        open_lines.append(i)
    total = 0
    for i in range(len(lines) - 1, -1, -1):
        line = lines[i]
        value = 0
        if not line.again:
            value = getattr(line, field)
            if not line.leaf:
                value -= below[i + 1] - below[ends[i]]
            total += value if line.leaf else max(value, 0)
        below[i] = below[i + 1] + value
    return total


def _subtrees(facts: Facts) -> dict[str, tuple[int, int]]:
    """For each module all parameters in it, shared ones once, and those that are trained."""
    modules = facts.modules
    simple = not any(module.also for module in modules.values()) and not any(
        tensor.same for module in modules.values() for tensor in module.stored
    )
    if simple:
        total: dict[str, int] = dict.fromkeys(modules, 0)
        trained: dict[str, int] = dict.fromkeys(modules, 0)
        for path in reversed(list(modules)):  # each after all that is in it
            for tensor in modules[path].stored:
                if tensor.learned:
                    n = product(tensor.shape)
                    total[path] += n
                    trained[path] += n if tensor.trained else 0
            if path:
                above = path.rpartition(".")[0]
                total[above] = total.get(above, 0) + total[path]
                trained[above] = trained.get(above, 0) + trained[path]
        return {path: (total[path], trained[path]) for path in modules}
    tensors: dict[str, dict[str, tuple[int, int]]] = {}

    def gather(path: str) -> dict[str, tuple[int, int]]:
        if path not in tensors:
            gathered = tensors[path] = {}
            for child in facts.children.get(path, ()):
                gathered.update(gather(child))
            for tensor in modules[path].stored:
                if tensor.learned:
                    n = product(tensor.shape)
                    name = tensor.same or (f"{path}.{tensor.name}" if path else tensor.name)
                    gathered[name] = (n, n if tensor.trained else 0)
        return tensors[path]

    subtrees: dict[str, tuple[int, int]] = {}
    for path in modules:
        sizes = gather(path).values()
        subtrees[path] = (sum(n for n, _ in sizes), sum(n for _, n in sizes))
    return subtrees


def _places(facts: Facts) -> dict[str, str]:
    """For each module the last of its names, as its walk of the tree leaves it."""
    modules = facts.modules
    if not any(module.also for module in modules.values()):
        return {path: path for path in modules}
    places: dict[str, str] = {}
    stack: list[tuple[str, str]] = [(ROOT, ROOT)]
    names: dict[str, list[tuple[str, str]]] = {}
    for path, module in modules.items():
        for name in (path, *module.also):
            if name:
                above, _, last = name.rpartition(".")
                names.setdefault(above, []).append((last, path))
    while stack:
        path, place = stack.pop()
        places[path] = place
        stack.extend(
            (child, f"{place}.{last}" if place else last)
            for last, child in reversed(names.get(path, []))
        )
    return places


# --- bytes --------------------------------------------------------------------------------------


def _bytes(facts: Facts) -> int:
    """Of the parameters of leaves that were called, each module once."""
    total = 0
    for path in dict.fromkeys(call.path for call in facts.calls):
        module = facts.modules[path]
        if module.leaf:
            total += sum(
                product(tensor.shape) * WIDTHS.get(tensor.dtype, 4)
                for tensor in module.stored
                if tensor.learned
            )
    return total


STORAGE = 64
"""What Python's ``sys.getsizeof`` says of a storage beside its values."""


def _inputs(facts: Facts) -> int:
    return sum(
        product(shape) * WIDTHS.get(facts.dtypes.get(name, ""), 4) + STORAGE
        for name, shape in facts.inputs.items()
    )


_UNSEEN_FUNCTIONS = "it sees calls of modules, and not matrix products and attention by functions"
_ONCE = {"weights_by_batch": 1, "biases_by_batch": 1}

register_tool(
    Tool(
        accounting=Accounting(
            name="torchinfo",
            title="mult-adds: weights and biases of a module, once a position; norms by parameter",
            source="torchinfo 1.8.0, layer_info.py, calculate_macs",
            counts=each(
                {
                    "conv conv_map conv_transpose": {
                        "weights_at_outputs": 1,
                        "biases_at_outputs": 1,
                    },
                    f"linear local elman subsample batch_norm {OTHER_NORMS} prelu": _ONCE,
                    "matmul einsum": {"weights_by_batch": 1},
                    "conv_sum": {"weights_at_outputs": 1},
                    "rnn gru lstm": {"weights_by_steps": 1, "biases_by_steps": 1},
                    "conv_elman conv_lstm": {
                        "macs": 1,
                        "plain_biases": 1,
                        "norm_tensors_by_batch": 1,
                    },
                }
            ),
            unit="mult-adds",
            by_calls=True,
            leaves_out=("attention", "rbf"),  # functions, and tensors that are called otherwise
        ),
        title="torchinfo",
        version="1.8.0",
        call="summary(model, input_size=...)",
        rule=count,
        says={
            "other positions of linear layers": "a linear layer counts once an example, not "
            "once a position of the sequence or map",
            "output positions of transposed convolutions": "transposed convolutions count at "
            "each position of their output",
            "unseen MultiheadAttention": "nn.MultiheadAttention is not a leaf, and its "
            "projections are not called as modules: it counts nothing of it",
            "unseen": _UNSEEN_FUNCTIONS,
        },
    )
)
