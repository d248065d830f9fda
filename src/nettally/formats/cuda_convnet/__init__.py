"""Reads the layer files of cuda-convnet (Krizhevsky 2011 to 2014), and their parameter files.

A layer file names the layers and their inputs; its parameter file gives, for the same names, the
learning rates, and the numbers of normalisations and dropout. See docs/formats/cuda-convnet.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import ReadError
from ..graph_builder import listing
from ..source import Format, Source, read_bytes
from .builder import CudaConvnetBuilder, Extent, Plan
from .convolution import Convolution
from .feature_maps import (
    Blur,
    Crop,
    MapPool,
    Nailbed,
    Norm,
    Pool,
    Recolor,
    Reflect,
    Resize,
)
from .ini import Section, near, parse
from .input import extents, images, infer, input_from_user
from .values import Concat, Cost, Data, Dropout, Elementwise, Neuron, Softmax, Sum
from .weights import (
    FullyConnected,
    SplitFullyConnected,
    TreeFullyConnected,
    Weighted,
    split_shared,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...network import Network

FORMAT = Format(
    "cuda-convnet",
    (".cfg",),
    "the programs of 2011 and 2012, and cuda-convnet2 of 2014",
    ("sizes of the classes of a treefc, which stand with the data",),
    sizes_follow_input=True,
)

COSTS = (
    *("logreg", "ce", "bce", "dce", "sum2", "gsum2"),
    *("crossent", "crossent2", "msm", "tica", "rflickr"),
)

TYPES: dict[str, type[Plan]] = {
    "data": Data, "conv": Convolution, "local": Convolution, "fc": FullyConnected,
    "sfc": SplitFullyConnected, "treefc": TreeFullyConnected, "pool": Pool, "cmpool": MapPool,
    "rnorm": Norm, "cnorm": Norm, "cmrnorm": Norm, "softmax": Softmax, "neuron": Neuron,
    "hs": Dropout, "dropout": Dropout, "dropout2": Dropout, "concat": Concat, "pass": Concat,
    "eltsum": Elementwise, "eltmax": Elementwise, "sum": Sum, "nailbed": Nailbed, "blur": Blur,
    "href": Reflect, "resize": Resize, "rscale": Resize, "crop": Crop, "rgb2yuv": Recolor,
    "rgb2lab": Recolor, **{f"cost.{name}": Cost for name in COSTS},
}  # fmt: skip
"""The types of layers of cuda-convnet, of the code of 2012 and of cuda-convnet2."""

MAX_EDGES = 200_000
"""How many inputs all the layers may have together."""

PARAMETERS = frozenset(
    (
        *("epsw", "epsb", "momw", "momb", "wc", "wball", "wcnorm", "wcnormmin", "wcnormmax"),
        *("supereps", "supermom", "schedw", "schedb", "quantf", "quantb", "updateperiod"),
        *("coeff", "topk", "posweight", "setsize", "threads"),
        *("scale", "pow", "mindiv", "enable", "keep", "coeffs", "domax"),
    )
)
"""The keys of parameter files."""

RATES = frozenset(("epsw", "epsb", "momw", "coeff", "pow", "enable"))
"""Of these, a parameter file has one at least."""


def sniff(head: bytes, name: str) -> bool:
    """Whether this is a layer file or a parameter file of cuda-convnet; Darknet's is neither."""
    if b"\0" in head or b"[" not in head:
        return False
    sections: list[dict[str, str]] = []
    names: list[str] = []
    for line in head.decode("utf-8", "replace").split("\n"):
        bare = line.strip()
        if bare.startswith("[") and "]" in bare:
            sections.append({})
            names.append(bare[1 : bare.index("]")])
        elif sections and bare[:1] not in ("", "#", ";"):
            key, _, value = bare.replace(":", "=", 1).partition("=")
            sections[-1][key.strip().lower()] = value.strip()
    if not names or names[0] in ("net", "network"):
        return False
    return any(
        "type" in keys and ("inputs" in keys or "dataidx" in keys or keys["type"] in TYPES)
        for keys in sections
    ) or _is_parameters([set(keys) for keys in sections])


def _is_parameters(sections: Sequence[set[str]]) -> bool:
    """Whether the sections' keys are a parameter file's; beside a rate, some may be unknown."""
    if any({"type", "inputs"} & keys for keys in sections):
        return False
    if any({"epsw", "momw"} & keys for keys in sections):
        return all(PARAMETERS & keys for keys in sections)
    return any(RATES & keys for keys in sections) and all(keys <= PARAMETERS for keys in sections)


def read(source: Source) -> Network:
    """The network of a layer file; with ``source.companion``, joined to its parameter file.

    Raises ReadError with ``file:line`` for whatever is wrong in either; for a parameter file alone;
    and where the input's size is neither given nor decided by the file.
    """
    sections, odd = parse(source.text, source.name)
    if _is_parameters([set(section.keys()) for section in sections.values()]):
        raise ReadError(
            "this is a cuda-convnet parameter file: it gives the learning rates and such of the "
            "layers of a layer file, and describes no network",
            where=source.name,
            values=f"{len(sections)} layers: {listing(list(sections))}",
            hint=f"nettally tally LAYERS.cfg --params {os.path.basename(source.name)}",
        )
    if not sections:
        raise ReadError("the file has no layers", where=source.name)
    plans = _plans(sections)
    joined = _join(plans, source.companion) if source.companion is not None else []

    read_by = {
        source.name for plan in plans if not isinstance(plan, Cost) for source in plan.inputs
    }
    data = [plan for plan in plans if isinstance(plan, Data) and plan.name in read_by]
    if not data:
        raise ReadError(
            "no layer reads any data",
            where=source.name,
            values=f"{len(plans)} layers: {listing([plan.name for plan in plans])}",
            hint="a network begins with a layer of type data",
        )
    channels = images(plans)
    known, batch = input_from_user(data, channels, source)
    builder = CudaConvnetBuilder(source.name, plans, joined=source.companion is not None)
    unknown = [plan for plan in data if plan.name not in known]
    if unknown:
        side, why = infer(plans, unknown, channels, known, source.name)
        known.update({plan.name: Extent(channels[plan.name], side) for plan in unknown})
        builder.note(why)
    sizes = extents(plans, known)
    for plan in data:
        builder.heads[plan.name] = builder.input(plan.name, (batch, *known[plan.name].shape))
    for note in _beside(plans, read_by):
        builder.note(note)
    for plan in plans:
        if not isinstance(plan, (Data, Cost)):
            builder.build(plan, [sizes[source.name] for source in plan.inputs], sizes[plan.name])
    return builder.network(notes=[*joined, *odd])


def _plans(sections: Mapping[str, Section]) -> list[Plan]:
    """The layers, in order, each with its inputs before it."""
    known: dict[str, Plan] = {}
    edges = 0
    for name, section in sections.items():
        if "type" not in section:
            raise section.error(
                "the layer has no type",
                values=f"given: {', '.join(section.keys())[:200] or 'nothing'}",
                hint="add a line type=conv, fc, pool, ...",
            )
        kind = section.get("type")
        if kind not in TYPES:
            raise section.error(
                f"no type of layer is called '{kind[:60]}'", "type", hint=near(kind, TYPES)
            )
        inputs: list[Plan] = []
        words = section.words("inputs") if kind != "data" else []
        edges += len(words)
        if edges > MAX_EDGES:
            raise section.error("the layers have too many inputs", values=f"over {MAX_EDGES:,}")
        for word in words:
            plan = known.get(word)
            if plan is None:
                raise _undefined(section, word, sections, known)
            if isinstance(plan, Cost):
                raise section.error(f"its input '{word}' is a cost and has no output", "inputs")
            inputs.append(plan)
        plan = TYPES[kind](section, inputs)
        if isinstance(plan, Weighted):
            plan.share(known)
        known[name] = plan
    plans = list(known.values())
    split_shared(plans)
    return plans


def _undefined(
    section: Section, word: str, sections: Mapping[str, Section], known: Mapping[str, Plan]
) -> ReadError:
    """Why an input is not there: it comes later, or never."""
    later = sections.get(word)
    if later is section:
        return section.error("it is its own input", "inputs", hint=near(word, known))
    if later is not None:
        return section.error(
            f"its input '{word}' is defined after it",
            "inputs",
            values=f"[{word}] stands at line {later.line}",
            hint=f"move [{word}] before [{section.name}]",
        )
    return section.error(
        f"its input '{word[:60]}' is not defined", "inputs", hint=near(word, known)
    )


def _join(plans: Sequence[Plan], companion: str) -> list[str]:
    """Give each layer its section of the parameter file; what does not match, in sentences."""
    params, odd = parse(Source(companion, read_bytes(companion)).text, companion)
    if not _is_parameters([set(section.keys()) for section in params.values()]):
        raise ReadError(
            "this is not a cuda-convnet parameter file",
            where=companion,
            values=f"sections: {listing(list(params)) or 'none'}",
            hint="the layer file stands first, the parameter file after --params",
        )
    for plan in plans:
        if plan.name in params:
            plan.join(params[plan.name])
    names = {plan.name for plan in plans}
    extra = [name for name in params if name not in names]
    missing = [plan.name for plan in plans if plan.trained and plan.params is None]
    notes: list[str] = []
    if extra:
        notes.append(f"{companion} has sections for no layer: {listing(extra)}")
    if missing:
        notes.append(f"{companion} has no section for {listing(missing)}")
    return [*notes, *odd]


def _beside(plans: Sequence[Plan], read_by: set[str]) -> list[str]:
    """What the file has beside the network: costs, and the data that only they read."""
    costs = [plan for plan in plans if isinstance(plan, Cost)]
    notes = [
        f"{cost.name} ({cost.type} of {', '.join(source.name for source in cost.inputs)}) is "
        "training's cost: it has no output and is not counted"
        for cost in costs[:20]
    ]
    labels = [plan.name for plan in plans if isinstance(plan, Data) and plan.name not in read_by]
    if labels:
        notes.append(f"{listing(labels)}: data that only costs read; no input of the network")
    return notes
