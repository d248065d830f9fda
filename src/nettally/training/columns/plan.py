"""One column's network: the nodes with their shares, and the steps between columns among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...building.build import refuse_unknown
from ...counting.tally import tally
from ...errors import NetworkError
from ...network import NOTHING, Node
from .link import CountedOnce, Crossing, Exchanged, OwnPart, SumOfGradients
from .rules import AS_IT_IS, OWN_PART, WHOLE_FOR_ALL, WHOLE_FOR_OWN, Rule, rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...counting.rows import Row
    from ...counting.tally import Tally
    from ...network import Layer, Network, Shape


class Exchange(NamedTuple):
    """A step between the columns that sends something.

    name: its node in one column's network. value: the node whose value, or the gradient of whose
    value, is sent. before: the first node that reads it; "" for the network's output. shape: of the
    whole value, without the batch. forward, backward: whether something is sent then; backward, in
    training.
    """

    name: str
    value: str
    before: str
    shape: Shape
    forward: bool
    backward: bool


def laid_out(
    network: Network, columns: int
) -> tuple[Network, tuple[Exchange, ...], dict[str, bool]]:
    """One column's network, the exchanges in it, and of each node whether its value is split.

    Raises NetworkError where the network can't be split.
    """
    counted = tally(network)
    refuse_unknown(counted)
    _refuse_columns(network)
    rules = _rules(counted, columns)
    if not any(each.split for each in rules.values()):
        raise _nothing_to_split(counted, columns)
    _refuse_sharing(network, rules)
    writer = _Writer(counted, rules, columns)
    for row in counted.rows:
        writer.write(row)
    outputs = tuple([writer.read(name, WHOLE_FOR_ALL, "") for name in network.outputs])
    local = network.replace(
        nodes=tuple(writer.nodes),
        outputs=outputs,
        title=f"one of {columns} columns of {network.title or network.name}",
        modules=NOTHING,
        calls=(),
    )
    return local, tuple(writer.exchanges), {name: each.split for name, each in rules.items()}


def _rules(counted: Tally, columns: int) -> dict[str, Rule]:
    split: dict[str, bool] = dict.fromkeys(counted.network.inputs, False)
    followed = _followed(counted.network)
    rules: dict[str, Rule] = {}
    for row in counted.rows:
        inputs = tuple([split[name] for name in row.node.inputs])
        rules[row.name] = rule(row, inputs, columns, row.name not in followed)
        split[row.name] = rules[row.name].split
    return rules


def _followed(network: Network) -> set[str]:
    """The values that a weighted layer comes after."""
    followed: set[str] = set()
    for node in reversed(network.nodes):
        if node.layer.weighted or node.name in followed:
            followed.update(node.inputs)
    return followed


# --- writing ------------------------------------------------------------------------------------


class _Writer:
    """Writes the nodes of one column in order, each step between columns before its first reader.

    A step is written once for a value, whoever else reads it.
    """

    def __init__(self, counted: Tally, rules: Mapping[str, Rule], columns: int) -> None:
        self.rules = rules
        self.columns = columns
        self.nodes: list[Node] = []
        self.exchanges: list[Exchange] = []
        self.shapes: dict[str, Any] = dict(counted.network.inputs)
        self.shapes.update((row.name, row.shape) for row in counted.rows)
        self.taken = set(self.shapes)
        self.steps: dict[tuple[str, str], str] = {}
        self.learned = _learned(counted)
        self.summed = {  # the values of which each rank makes something of its own
            name
            for row in counted.rows
            for name, how in zip(row.node.inputs, rules[row.name].reads, strict=True)
            if how == WHOLE_FOR_OWN
        }

    def write(self, row: Row) -> None:
        """The share of a node, after the steps that it reads."""
        node, node_rule = row.node, self.rules[row.name]
        pairs = zip(node.inputs, node_rule.reads, strict=True)
        inputs = tuple([self.read(name, how, node.name) for name, how in pairs])
        # what the source wrote tells the whole's numbers; words, as "same", stay true
        written = {key: value for key, value in node.written.items() if isinstance(value, str)}
        kept = node.written if node_rule.layer is node.layer else written
        self.nodes.append(node.replace(layer=node_rule.layer, inputs=inputs, written=kept))

    def read(self, value: str, how: str, reader: str) -> str:
        """The name under which a reader finds a value in the way that it wants it."""
        split = value in self.rules and self.rules[value].split
        if how == AS_IT_IS or (how == WHOLE_FOR_ALL and not split):
            return value
        if how == OWN_PART:
            return self.step("part", OwnPart(self.columns), value, value, reader)
        if not split:
            return self.step("sum", SumOfGradients(self.columns), value, value, reader)
        summed = value in self.summed
        layer = Exchanged(self.columns, summed)
        exchange = self.step("exchange", layer, value, value, reader)
        if how == WHOLE_FOR_ALL and summed:
            return self.step("once", CountedOnce(self.columns), exchange, value, reader)
        return exchange

    def step(self, word: str, layer: Crossing, source: str, value: str, reader: str) -> str:
        """The name of a step of this kind for a value, which is written if it is not there yet."""
        if (word, value) in self.steps:
            return self.steps[word, value]
        name = f"{word}_{value.replace('.', '_')}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        self.steps[word, value] = name
        self.nodes.append(Node(name, layer, (source,)))
        forward = word == "exchange"
        backward = word != "once" and self.learned[value] and (layer.summed or not forward)
        if forward or backward:
            shape = tuple(map(int, self.shapes[value][1:]))
            self.exchanges.append(Exchange(name, value, reader, shape, forward, backward))
        return name


def _learned(counted: Tally) -> dict[str, bool]:
    """Of each value, whether something learned has a part in it, so that its gradient is asked."""
    learned: dict[str, bool] = dict.fromkeys(counted.network.inputs, False)
    for row in counted.rows:
        learned[row.name] = bool(row.parameters) or any(learned[name] for name in row.node.inputs)
    return learned


# --- what can't be split ------------------------------------------------------------------------


def _nothing_to_split(counted: Tally, columns: int) -> NetworkError:
    seen: list[str] = []
    followed = _followed(counted.network)
    for row in counted.rows:
        layer: Layer = row.node.layer
        fields = layer.fields()
        if layer.kind == "linear":
            last = "" if row.name in followed else ", the last, which each column computes whole"
            seen.append(f"{row.name} has {fields['features']} features{last}")
        elif "filters" in fields:
            seen.append(f"{row.name} has {fields['filters']} filters")
    more = f" and {len(seen) - 4} more" if len(seen) > 4 else ""
    return NetworkError(
        f"{counted.network.name} has no layer whose filters can be dealt to {columns} columns",
        where=str(counted.network.source or ""),
        values="; ".join(seen[:4]) + more or "no convolution and no fully connected layer",
        hint="a number of columns that divides the filters",
    )


def _refuse_sharing(network: Network, rules: Mapping[str, Rule]) -> None:
    """Shared parameters are followed where owner and user have the same share of them."""
    for node in network.nodes:
        for tensor, owner in node.shared.items():
            whose = owner.rpartition(".")[0]
            if owner in rules and whose not in rules:
                why = f"'{tensor}' is computed by {owner}"
            elif whose in rules and whose != node.name and (
                rules[whose].split != rules[node.name].split
                or network[whose].layer.kind != node.layer.kind
            ):  # fmt: skip
                why = f"'{tensor}' is {owner}, of which the columns have another share"
            else:
                continue
            raise NetworkError(
                f"{node.name}: what it shares can't be split with it",
                where=str(node.source or network.source or ""),
                values=why,
                hint="one process, or data-parallel ones",
            )


def _refuse_columns(network: Network) -> None:
    """A network that is described as columns already, each layer of each a node of its own."""
    by_name = {node.name: node for node in network.nodes}
    for node in network.nodes:
        if node.layer.kind not in ("concat", "conv_sum") or len(node.inputs) < 2:
            continue
        chains = [_chain(name, by_name) for name in node.inputs]
        common = set.intersection(*map(set, chains))
        layers = [[by_name[name].layer for name in chain if name not in common] for chain in chains]
        if all(each == layers[0] for each in layers) and any(layer.weighted for layer in layers[0]):
            raise NetworkError(
                f"{network.name} is described in columns already, and would be split once more",
                where=str(node.source or network.source or ""),
                values=f"{node.name} joins {_listed(node.inputs)}, which come of equal layers",
                hint="the same network with its columns as groups of one layer, as 'alexnet' is "
                "that of 'alexnet-two-column'",
            )


def _chain(name: str, by_name: Mapping[str, Node]) -> list[str]:
    """The names from a node up, as long as there is one way up."""
    chain: list[str] = []
    while name in by_name:
        chain.append(name)
        if len(by_name[name].inputs) != 1:
            break
        (name,) = by_name[name].inputs
    return chain


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)
