"""Where Caffe's nets get their data, and what the file says about its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ReadError, closest
from ...network import MAX_SIZE, Shape
from ..graph_builder import MAX_WHICH, by_axis
from .builder import CaffeBuilder, Pending, with_batch
from .net import MAX_AXES

if TYPE_CHECKING:
    from ..encodings.protobuf_tree import Message
    from .net import Spec
    from .training import Roles

WITH_LABEL = frozenset(
    ("Data", "ImageData", "MemoryData", "WindowData", "AnnotatedData", "VideoData")
)
"""Sources whose second top has one label an example."""


_STATED = frozenset(("Input", "DummyData", "MemoryData"))
"""Sources that state whole shapes."""


def give_size_to_first(b: CaffeBuilder, parts: Roles) -> None:
    """Give a size without a name to the only input, or to the first that the layers read."""
    names = [name for name in b.net.message.texts("input") if name in parts.free]
    names += [top for s in parts.network if not s.bottoms for top in s.tops if top in s.read]
    names = names or parts.free
    if "" in b.input_sizes and names:
        b.input_sizes.setdefault(names[0], b.input_sizes.pop(""))


def declared(b: CaffeBuilder) -> None:
    """The net's ``input`` fields, with their ``input_shape`` or four ``input_dim`` each."""
    net = b.net.message
    names = net.texts("input")
    shapes = [shape.integers("dim") for shape in net.messages("input_shape")]
    dims = net.integers("input_dim")
    if shapes and dims:
        raise net.error(
            "the sizes of the inputs are given both ways, 'input_shape' and 'input_dim'",
            net.all("input_dim")[0],
        )
    if dims:
        if len(dims) != 4 * len(names):
            raise net.error(
                "each input has four 'input_dim': batch, channels, height, width",
                net.all("input_dim")[-1],
                values=f"{len(dims)} for {len(names)} inputs ({', '.join(names)[:200]})",
            )
        shapes = [dims[place : place + 4] for place in range(0, len(dims), 4)]
    if shapes and len(shapes) != len(names):
        raise net.error(
            "each input has one 'input_shape'",
            net.all("input_shape")[-1],
            values=f"{len(shapes)} for {len(names)} inputs ({', '.join(names)[:200]})",
        )
    for index, name in enumerate(names):
        shape = _checked(net, tuple(shapes[index])) if shapes else None
        put(
            b, None, name, shape, "as the file says" if shapes else "the file gives the net no size"
        )


def _checked(message: Message, shape: Shape) -> Shape:
    if not shape or len(shape) > MAX_AXES or not all(1 <= size <= MAX_SIZE for size in shape):
        sizes = [size if size <= MAX_SIZE else "over 2^31" for size in shape[: MAX_AXES + 1]]
        raise message.error(
            "an input has a size that cannot be",
            values=by_axis(sizes) or "none",
            hint="sizes are between 1 and 2^31 - 1"
            + (f", of at most {MAX_AXES} axes" if len(shape) > MAX_AXES else ""),
        )
    return shape


def put(
    b: CaffeBuilder, spec: Spec | None, blob: str, shape: Shape | None, why: str, note: str = ""
) -> None:
    """Let a blob be an input, of the size that the user gave, or that the file has."""
    before = b.blobs.get(blob)
    name = before.name if isinstance(before, Pending) else b.free(blob)
    if shape is not None and len(shape) == 1:
        shape = (*shape, 1)
    if blob in b.input_sizes:
        b.used.add(blob)
        size = _fitted(blob, b.input_sizes[blob], shape)
        b.blobs[blob] = Pending(spec, name, size, "as it was given")
        return
    batch_of_1 = shape if shape is None or b.batch_kept else (1, *shape[1:])
    b.blobs[blob] = Pending(spec, name, batch_of_1, why, note, shape)


def _fitted(blob: str, size: Shape, known: Shape | None) -> Shape:
    """What the user gave, with a batch."""
    if not all(1 <= each <= MAX_SIZE for each in size):
        raise ReadError(
            "an input has a size that cannot be", values=f"{blob} {by_axis(size)[:200]}"
        )
    if known is None or len(size) == len(known):
        return size if known else with_batch(size)
    if len(size) == len(known) - 1:
        return (1, *size)
    raise ReadError(
        f"the input '{blob[:60]}' has {len(known) - 1} axes, without the batch",
        values=f"{by_axis(size)} given, the file has {by_axis(known)}",
        hint=f"--input {blob}={by_axis(known[1:])}",
    )


def data_source(b: CaffeBuilder, s: Spec) -> None:
    """A layer without bottoms: its tops are inputs of the network."""
    shapes, why = _shapes(b, s)
    image = s.type not in _STATED and "input_param" not in s.body
    for index, top in enumerate(s.tops):
        shape = shapes[index] if index < len(shapes) else None
        note = f"input '{top}' of '{s.label}': {why}" if image and shape and not index else ""
        put(b, s, top, shape, why, note)


def _shapes(b: CaffeBuilder, s: Spec) -> tuple[list[Shape | None], str]:
    """The shapes of the tops, as far as the file says; and what they were taken from."""
    if s.type == "Input" or "input_param" in s.body:
        shapes = _stated(s, s.sub("input_param"))
        return shapes, "as the file says" if shapes else "the Input layer has no shape"
    if s.type == "DummyData":
        return _stated(s, s.sub("dummy_data_param")), "as the file says"
    if s.type == "MemoryData":
        settings = s.sub("memory_data_param")
        names = ("batch_size", "channels", "height", "width")
        sizes = settings.integers("dim") or [settings.integer(name, 0) for name in names]
        shape = _checked(settings, tuple(sizes))
        return [shape, (shape[0], 1)], "as the file says"
    shape, why = _image(b, s)
    label: Shape | None = (shape[0] if shape else 1, 1)
    return [shape, label if s.type in WITH_LABEL else None], why


def _stated(s: Spec, settings: Message) -> list[Shape | None]:
    """One shape for all tops, or one for each: as such, or by four sizes that repeat."""
    shapes = [_checked(m, tuple(m.integers("dim"))) for m in settings.messages("shape")]
    columns = [settings.integers(name) for name in ("num", "channels", "height", "width")]
    count = len(s.tops)
    if not shapes and any(columns):
        rows = max(map(len, columns))
        if any(len(column) not in (1, rows) for column in columns):
            raise s.error(
                "it has one size of each kind, or one for each top",
                values=", ".join(str(len(column)) for column in columns) + f" for {count} tops",
            )
        columns = [column * rows if len(column) == 1 else column for column in columns]
        shapes = [_checked(settings, shape) for shape in zip(*columns, strict=True)]
    if len(shapes) not in (0, 1, count):
        raise s.error(
            "it has one shape, or one for each top", values=f"{len(shapes)} for {count} tops"
        )
    return [*(shapes * count if len(shapes) == 1 else shapes)]


_SETTINGS = {
    "Data": ("data_param", "in the database that it loads"),
    "AnnotatedData": ("data_param", "in the database that it loads"),
    "ImageData": ("image_data_param", ""),
    "WindowData": ("window_data_param", ""),
    "VideoData": ("video_data_param", ""),
    "DenseImageData": ("dense_image_data_param", ""),
    "ImageSegData": ("image_data_param", ""),
    "HDF5Data": ("hdf5_data_param", "in the HDF5 files that it loads"),
    "Python": ("data_param", "decided by the Python layer"),
}
"""The settings of a source, and where the size of its data is when the file does not have it."""


def _image(b: CaffeBuilder, s: Spec) -> tuple[Shape | None, str]:
    """The first top of a layer that loads images: the crop, or the size they are brought to."""
    name, whence = _SETTINGS.get(s.type, ("data_param", ""))
    settings, transform = s.sub(name), s.sub("transform_param")
    crop = transform.integer("crop_size", 0) or settings.integer("crop_size", 0)
    high, wide = transform.integer("crop_h", 0), transform.integer("crop_w", 0)
    new = settings.integer("new_height", 0), settings.integer("new_width", 0)
    resized = {
        (each.integer("height", 0), each.integer("width", 0))
        for each in transform.messages("resize_param")  # several in forks, of which one is drawn
    }
    sizes = [
        ((crop, crop), f"crop_size {crop}"),
        ((high, wide), f"crop_h {high}, crop_w {wide}"),
        (new, f"new_height {new[0]}, new_width {new[1]}"),
        *((size, f"resize_param {by_axis(size)}") for size in sorted(resized)),
    ]
    stated = [(size, why) for size, why in sizes if all(size)]
    if not stated:
        return None, f"its size is {whence or f'in what the {s.type} layer loads'}"
    size, why = stated[0]
    if size in resized and len(stated) > 1:
        return None, f"it is one of several: {', '.join(why for _, why in stated[:MAX_WHICH])}"
    channels, reason = _channels(b, s, settings, transform)
    return (max(settings.integer("batch_size", 1), 1), channels, *size), f"{why}, {reason}"


def _channels(b: CaffeBuilder, s: Spec, settings: Message, transform: Message) -> tuple[int, str]:
    """How many channels the images of a source have, and what says so."""
    means = len(transform.all("mean_value"))
    if means > 1:
        return means, f"{means} channels by its mean_value"
    if transform.boolean("force_gray", False) or not settings.boolean("is_color", True):
        return 1, "1 channel (gray)"
    if transform.boolean("force_color", False) or "is_color" in settings:
        return 3, "3 channels (colour)"
    channels = b.channels.get(s.tops[0], 0) if s.tops else 0
    if channels:
        return channels, f"{channels} channel{'s' * (channels > 1)} by the stored weights"
    return 3, "3 channels are assumed"


def settle(b: CaffeBuilder) -> None:
    """ReadError where an input that the layers read has no size, or a given size no input."""
    if b.missing:
        (blob, (spec, _, _, why, *_)), *others = b.missing.items()
        label = f" of '{spec.label}'" if spec is not None else ""
        more = ", ".join(other for other, _ in others)[:200]
        raise ReadError(
            f"the size of input '{blob[:60]}'{label} is not in the file"
            + (f", nor those of {more}" if more else ""),
            where=spec.body.where if spec is not None else b.file,
            values=why,
            hint=" ".join(f"--input {each[:60]}=3x224x224" for each in list(b.missing)[:8])
            + ", with its own size",
        )
    known = list(b.inputs)
    for unused in b.input_sizes.keys() - b.used:
        raise ReadError(
            f"no input is called '{unused[:60]}'" if unused else "the size is of no input",
            where=b.file,
            values=f"inputs: {', '.join(known)[:400]}",
            hint=closest(unused, known) if unused else f"--input {[*known, 'data'][0]}=...",
        )
