"""The activations that ``neuron=`` names, with their parameters in brackets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...layers import layer_class
from .ini import near

if TYPE_CHECKING:
    from ...network import Layer
    from .ini import Section

PARAMETERS = {
    "ident": 0, "logistic": 0, "abs": 0, "relu": 0, "nrelu": 0, "softrelu": 0, "square": 0,
    "sqrt": 0, "log": 1, "tanh": 2, "abstanh": 2, "brelu": 1, "linear": 2, "drelu": 1,
}  # fmt: skip
"""The activations of the code's ``layer.py`` in all its versions, and how many numbers each has."""

PLAIN = {
    "ident": "identity", "logistic": "sigmoid", "abs": "abs", "relu": "relu",
    "nrelu": "relu",  # the noise is added in training only
    "softrelu": "softplus", "square": "square", "sqrt": "sqrt",
}  # fmt: skip


def new(kind: str, **fields: Any) -> Layer:
    """A layer of a kind, whose fields are checked when it is made and not by the types."""
    return layer_class(kind)(**fields)


def neurons(section: Section) -> list[Layer]:
    """The layers that the section's ``neuron`` stands for, in order; none where it is empty.

    A ``subtract`` among them takes the chain's own input less what stands before it.
    Raises ReadError for a name that is not known, and for a wrong number of parameters.
    """
    written = section.get("neuron")
    if not written:
        return []
    name, bracket, rest = written.partition("[")
    name = name.strip()
    if name not in PARAMETERS:
        raise section.error(
            f"no activation is called '{name[:60]}'", "neuron", hint=near(name, PARAMETERS)
        )
    words = rest.strip().removesuffix("]").split(",") if bracket else []
    count = PARAMETERS[name]
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    closed = rest.strip().endswith("]") == bool(bracket)
    fits = closed and len(words) == len(values) == count
    if not fits or not all(abs(value) < 1e30 for value in values):
        shape = ("", "[a]", "[a,b]")[count]
        raise section.error(
            f"neuron {name} takes {count or 'no'} number{'s' * (count != 1)}",
            "neuron",
            values=written[:60],
            hint=f"write neuron={name}{shape}",
        )
    if name in PLAIN:
        return [new(PLAIN[name])]
    a = values[0]
    if name == "log":
        return [new("log", offset=a)]
    if name == "brelu":
        return [new("clipped_relu", limit=a)]
    if name == "linear":
        return [new("affine", slope=a, offset=values[1])]
    if name == "tanh":
        return [new("tanh", scale=a, slope=values[1])]
    if name == "abstanh":
        return [new("tanh", scale=a, slope=abs(values[1])), new("abs")]
    if a == 0:
        raise section.error("drelu divides by its number", "neuron", values=written)
    # x - a·tanh(x / a)
    return [new("tanh", scale=a, slope=1 / a), new("subtract")]
