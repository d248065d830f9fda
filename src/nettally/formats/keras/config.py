"""A layer as a file of Keras says it: its class, its settings, and what it was called with.

Keras 1, 2 and 3 write these differently; here they look alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ...errors import ReadError
from ...network import MAX_SIZE
from ..encodings.json import array, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

KERAS_1 = {
    "nb_filter": "filters",
    "output_dim": "units",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "filter_length": "kernel_size",
    "pool_length": "pool_size",
    "stride": "strides",
    "bias": "use_bias",
    "p": "rate",
    "atrous_rate": "dilation_rate",
    "inner_activation": "recurrent_activation",
    "dim_ordering": "dim_ordering",
}
"""Settings of Keras 1 by their names since."""

CLASSES_1 = {
    **{f"Convolution{axes}D": f"Conv{axes}D" for axes in (1, 2, 3)},
    **{f"Convolution{axes}DTranspose": f"Conv{axes}DTranspose" for axes in (2, 3)},
    **{f"AtrousConvolution{axes}D": f"Conv{axes}D" for axes in (1, 2)},
    **{f"SeparableConvolution{axes}D": f"SeparableConv{axes}D" for axes in (1, 2)},
    **{
        f"{where}{short}Pool{axes}D": f"{where}{long}Pooling{axes}D"
        for where in ("", "Global")
        for short, long in (("Max", "Max"), ("Avg", "Average"))
        for axes in (1, 2, 3)
    },
    **{f"{name}V{version}": name for name in ("LSTM", "GRU") for version in (1, 2)},
    **{f"BatchNormalizationV{version}": "BatchNormalization" for version in (1, 2)},
    "SyncBatchNormalization": "BatchNormalization",
    "Deconvolution2D": "Conv2DTranspose",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
}
"""Other names of the same classes."""

QKERAS = {
    f"Q{name}": name
    for name in (
        *("Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
        *("Conv2DTranspose", "Dense", "Activation", "BatchNormalization", "AveragePooling2D"),
        *("GlobalAveragePooling2D", "LSTM", "GRU", "SimpleRNN"),
    )
}
"""QKeras' layers, as the layers that they are with fewer bits."""

MODELS = ("Sequential", "Functional", "Model")


class Ref(NamedTuple):
    """An output of a layer's call: the layer's name, which call, which output."""

    layer: str
    call: int
    output: int

    def __str__(self) -> str:
        return self.layer if not self.call and not self.output else ":".join(map(str, self))


class Inbound:
    """One call of a layer: positional arguments and named ones, with Refs where tensors stand.

    refs: the tensors, in order; those of masks and training flags are none. sources: the same,
    their calls counted from 0.
    """

    __slots__ = ("args", "kwargs", "refs", "sources")

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.refs: list[Ref] = []
        self.sources: list[Ref] = []
        _collect(list(args), self.refs)
        for key, value in kwargs.items():
            if key not in ("mask", "training"):
                _collect(value, self.refs)


def _collect(value: Any, refs: list[Ref]) -> None:
    if isinstance(value, Ref):
        refs.append(value)
        return
    for each in array(value) or (fields(value) or {}).values():
        _collect(each, refs)


def parts(value: Any) -> int:
    """How many values there are in what JSON has, a long text for one every 16 characters."""
    if isinstance(value, str):
        return 1 + len(value) // 16
    if isinstance(value, (tuple, list)):
        return 1 + sum(map(parts, cast("list[Any]", value)))
    members = fields(value)
    return 1 if members is None else 1 + sum(map(parts, members.values()))


class Spec:
    """A layer of the file. Every getter raises ReadError that names the layer.

    class_name: its class as the file has it; cls: the same under today's name, if it is Keras' own.
    owner: what its parameters belong to, the same for two layers that the file says are one.
    model: a nested model's graph; inner: the layer that a wrapper holds. built: the shape that it
    was built for. base, base_out: the number of its first call, in inbound_nodes and in outputs.
    """

    # fmt: off
    __slots__ = ("base", "base_out", "built", "class_name", "cls", "config", "file", "inbound",
                 "inner", "model", "module", "name", "owner", "trainable")
    # fmt: on

    def __init__(self, name: str, class_: str, config: dict[str, Any], file: str) -> None:
        self.name = name
        self.class_name = class_
        self.cls = CLASSES_1.get(class_) or QKERAS.get(class_) or class_
        self.file = file
        self.module = ""
        self.inbound: list[Inbound] = []
        self.model: Any = None
        self.inner: Spec | None = None
        self.base = self.base_out = 0
        self.built: Any = None
        self.trainable = config.get("trainable") is not False
        first = self.cls != "Embedding" and not KERAS_1.keys().isdisjoint(config)
        self.config = _settled(config) if first else config
        shared = config.get("shared_object_id")
        self.owner: Any = ("shared", shared, class_) if isinstance(shared, int) else id(self)

    def error(self, what: str, values: str = "", hint: str = "") -> ReadError:
        name = self.name if len(self.name) <= 80 else self.name[:77] + "..."
        return ReadError(
            f"{name} ({self.class_name[:60]}): {what}", where=self.file, values=values, hint=hint
        )

    def __contains__(self, key: str) -> bool:
        return self.config.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        value = self.config.get(key)
        return default if value is None else value

    def integer(self, key: str, default: int | None = None, least: int = 1) -> int:
        value = self.get(key, default)
        values = array(value)
        return self.whole(key, values[0] if values and len(values) == 1 else value, least)

    def whole(self, key: str, value: Any, least: int) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            what = "is missing" if value is None else "must be a whole number"
            raise self.error(f"'{key}' {what}", "" if value is None else f"{key} {value!r:.60}")
        if not least <= value <= MAX_SIZE:
            raise self.error(
                f"'{key}' must be {f'at least {least}' if value < least else 'at most 2^31 - 1'}",
                f"{key} {value}",
            )
        return value

    def sizes(self, key: str, axes: int, default: Any = None, least: int = 1) -> tuple[int, ...]:
        """One number an axis; a single one stands for all."""
        value = self.get(key, default)
        values = list(value) if isinstance(value, tuple) else array(value)
        if values is None:
            return (self.whole(key, value, least),) * axes
        if len(values) == 1 and axes > 1 and not isinstance(values[0], list):
            values = values * axes
        if len(values) != axes:
            raise self.error(f"'{key}' needs {axes} values", f"{key} {str(values)[:60]}")
        return tuple([self.whole(key, each, least) for each in values])

    def integers(self, key: str, default: Any = None) -> tuple[int, ...]:
        """A list of whole numbers of any sign, or one."""
        value = self.get(key, default)
        listed = array(value)
        values: list[Any] = [value] if listed is None else listed
        if len(values) > 32:
            raise self.error(f"'{key}' has too many values", f"{len(values)}")
        return tuple([self.whole(key, each, -MAX_SIZE) for each in values])

    def axis(self, key: str = "axis", default: int = -1) -> int:
        """One axis: a whole number, or a list of one."""
        return self.integer(key, default, -MAX_SIZE)

    def boolean(self, key: str, default: bool) -> bool:
        value = self.get(key, default)
        if isinstance(value, (int, float)):
            return bool(value)
        raise self.error(f"'{key}' is true or false", f"{key} {value!r:.60}")

    def number(self, key: str, default: float) -> float:
        value = self.get(key, default)
        values, scalar = array(value), fields(value)
        if values and len(values) == 1:
            value = values[0]
        if scalar is not None:  # of numpy: {"type": "ndarray", "value": 0.3}
            value = scalar.get("value")
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self.error(f"'{key}' must be a number", f"{key} {value!r:.60}")
        return float(value)

    def text(self, key: str, default: str = "") -> str:
        value = self.get(key, default)
        if not isinstance(value, str):
            raise self.error(f"'{key}' must be a word", f"{key} {value!r:.60}")
        return value

    def one_of(self, key: str, default: str, words: tuple[str, ...]) -> str:
        word = self.text(key, default).lower()
        if word not in words:
            raise self.error(f"'{key}' is one of {', '.join(words)}", f"{key} {word[:40]}")
        return word

    def last(self) -> bool:
        """Whether the channels stand last, as they do where nothing is said."""
        return self.one_of("data_format", "channels_last", FORMATS) != "channels_first"


FORMATS = ("channels_last", "channels_first")


def _settled(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of Keras 1 under the names that they have since."""
    settings = {KERAS_1.get(key, key): value for key, value in config.items()}
    if "dim_ordering" in config:  # th: Theano's; tf: TensorFlow's
        settings["data_format"] = FORMATS[int(config["dim_ordering"] == "th")]
    rows, columns = config.get("nb_row"), config.get("nb_col")
    if rows is not None and columns is not None:
        depth = config.get("kernel_dim3")
        settings["kernel_size"] = [rows, columns] if depth is None else [rows, columns, depth]
    deep = [config.get(f"kernel_dim{i}") for i in (1, 2, 3)]
    if None not in deep:
        settings["kernel_size"] = deep
    return settings


def shape_of(spec: Spec, value: Any) -> tuple[int | None, ...] | None:
    """A shape as a file states it, None for sizes that are left open; None for no shape."""
    values = array(value)
    if values is None:
        return None
    sizes: list[int | None] = []
    if len(values) > 32 or any(isinstance(each, (list, dict, str, float)) for each in values):
        return None
    for each in values:
        if each is not None and not (isinstance(each, int) and 0 <= each <= MAX_SIZE):
            raise spec.error("a shape has a size that cannot be", str(values)[:80])
        sizes.append(each)
    return tuple(sizes)
