"""One layer in one line, as our own file writes it: ``conv 96, 11x11, stride 4, rounding up``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import Num, formula

if TYPE_CHECKING:
    from ..network import Layer, Node, Shape


def size(shape: Shape | None) -> str | None:
    """A shape without a batch of one: ``96x55x55``; with one, ``8 of 96x55x55``; ``scalar``."""
    if shape is None:
        return None
    if not shape:
        return "scalar"
    if len(shape) < 2:  # a vector, or a single number, without a batch
        return "".join(str(int(n)) for n in shape) or "1"
    each = "x".join(str(int(n)) for n in shape[1:])
    return each if int(shape[0]) == 1 else f"{int(shape[0])} of {each}"


def described(node: Node) -> str:
    """The node's layer in one line: its kind, and the fields that are not their defaults."""
    return " ".join((node.layer.kind, ", ".join(phrases(node.layer, node.written)))).rstrip()


def phrases(layer: Layer, written: Any = None) -> list[str]:
    """The fields that are not their defaults, a phrase each: ``96``, ``11x11``, ``stride 4``."""
    texts: list[str] = []
    for name, value in fields(layer).items():
        as_written = (written or {}).get(name, value)
        text = shown(
            as_written if isinstance(as_written, (Num, str)) else value,
            once=name not in layer.positional,
        )
        if name in layer.positional:
            texts.append(text)
        elif value is True:
            texts.append(name)
        elif value is False:
            texts.append(f"no {name}")
        else:
            texts.append(f"{name} {text}")
    return texts


def fields(layer: Layer) -> dict[str, Any]:
    """The fields that are not their defaults, positional ones first and always."""
    settled = _settled(layer)
    values = layer.fields()
    first = {name: values[name] for name in layer.positional if name in values}
    rest = {
        name: value
        for name, value in values.items()
        if name not in first and value != settled.get(name)
    }
    return {**first, **rest}


def _settled(layer: Layer) -> dict[str, Any]:
    """The defaults as the layer itself settles them: stride 1 is (1, 1) for a square kernel."""
    values = layer.fields()
    defaults = layer._defaults
    arguments = {
        name: value
        for name, value in values.items()
        if name in layer.positional or name not in defaults or _required(value, defaults[name])
    }
    try:
        return type(layer)(**arguments).fields()
    except Exception:  # a layer that can't be made of its first fields alone: show all of them
        return dict(defaults)


def _required(value: Any, default: Any) -> bool:
    """Whether a layer can't be made without the field: a table, the parts of a sum."""
    return default == () and value != ()


def shown(value: Any, *, once: bool = True) -> str:
    """A field's value: ``11x11``, ``0:3``, ``48·2``. once: what is the same on each axis, once."""
    if isinstance(value, Num):
        return formula(value).replace(" · ", "·").replace(",", "")
    if isinstance(value, tuple):
        return _sizes(value, once)
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sizes(values: tuple[Any, ...], once: bool) -> str:
    if not values:
        return "none"
    if all(isinstance(each, tuple) and each and isinstance(each[0], str) for each in values):
        parts = [f"{each[0]} {_sizes(each[1], False) if each[1] else 1}" for each in values[:6]]
        return ", ".join(parts) + (f" and {len(values) - 6:,} more" if len(values) > 6 else "")
    if all(isinstance(each, int) for each in values):
        same = once and len(set(values)) == 1
        return str(values[0]) if same else "x".join(str(each) for each in values)
    if len(values) <= 3 and all(isinstance(each, tuple) and len(each) == 2 for each in values):
        pairs = [f"{a}" if a == b else f"{a}:{b}" for a, b in values]
        return pairs[0] if len(set(pairs)) == 1 else "x".join(pairs)
    return (
        f"a table of {len(values)}"
        if any(isinstance(each, tuple) for each in values)
        else f"{len(values)} parts"
    )
