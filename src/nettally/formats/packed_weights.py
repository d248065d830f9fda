"""Weights that were packed into fewer bits, and how many parameters they stand for.

A packing is known by the names, kinds and sizes of the tensors that lie side by side: ``PACKINGS``
says what each tool writes. The letters in it are unknown sizes, which are solved for. Where the
sizes don't tell how many numbers were packed, a tensor stands for an unknown number of parameters.
"""

from __future__ import annotations

import re
from functools import cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from .named_tensor import LEARNED, listing
from .tensor_patterns import Term, ends, match, pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .named_tensor import NamedTensor

PACKINGS = """
GPTQ: qweight word I/p O; scales real G O; ?qzeros word G O/p; ?g_idx|perm whole I => weight O I
AWQ: qweight word I O/p; scales real G O; ?qzeros word G O/p => weight O I
AWQ for GEMV: qweight word O I/p; qzeros word O Z; scales real O Z*p => weight O I
AWQ for fast GEMV: qweight word O/4 I; scales|qzeros real G O => weight O I
Marlin: B word I/16 O*16/p; s real G O; ?workspace whole ~ => weight O I
Marlin 2:4: B_24 word I/32 O*16/p; s real G O; B_meta|workspace whole ~ => weight O I
EXL2: q_weight word R O; q_invperm|q_perm whole I; q_scale|q_scale_max|q_groups any ~ => weight O I
EXL3: trellis word A B C; ?suh real A*16; ?svh real B*16; ?su|sv|mcg|mul1 any ~ => weight B*16 A*16
AQLM: codes whole A B K; codebooks real K V C D; scales real ~ => weight A*C B*D
HIGGS: weight word O/p I; scales real O G; tables|tables2 real ~ => weight O I
HQQ: W_q whole ~; shape = ..; scale any ~
  ?zero|nbits|group_size|axis|packing|channel_wise|optimize|quant_scale|quant_zero any ~
  ?stores_quant_config|compute_dtype|offload_meta|round_zero|unpack_view_dtype any ~
  ?view_as_float|meta any ~ => weight ..
compressed-tensors: weight_packed word ~; weight_shape = ..; weight_scale real ~
  ?weight_zero_point|weight_g_idx|input_scale|input_zero_point|output_scale any ~ => weight ..
compressed-tensors: weight_packed word O I/p; weight_scale real O G; weight_zero_point word O/p G
  ?weight_g_idx|input_scale|input_zero_point any ~ => weight O I
compressed-tensors, sparse: *.bitmask byte ~; *.compressed any ~; *.shape = ..
  ?*.row_offsets any ~ => * ..
NVFP4: weight_packed byte .. G*8; weight_scale e4m3 .. G
  ?weight_global_scale|input_global_scale real ~ => weight .. G*16
MXFP4: weight_packed byte .. G*16; weight_scale scale8 .. G; ?input_global_scale real ~
  => weight .. G*32
NVFP4: * byte .. G*8; *_scale e4m3 .. G; ?*_scale_2|*_input_scale|input_scale real ~ => * .. G*16
MXFP4: * byte .. G*16; *_scale|*_scale_inv|scale scale8 .. G; ?input_scale real ~ => * .. G*32
MXFP4: *_blocks byte .. G 16; *_scales byte .. G => * .. G*32
MXFP4: *.blocks byte .. G 16; *.scales byte .. G => * .. G*32
MXFP4: qweight byte .. G*16; scales scale8 .. G; ?weight|dqweight real ~
  ?*_global_scale|act_global_scale|weight_global_scale real ~
  ?forward_hadamard_matrix|backward_hadamard_matrix real ~ => weight .. G*32
NVFP4: qweight byte .. G*8; scales any .. G; ?weight|dqweight real ~
  ?weight_global_scale|act_global_scale real ~
  ?forward_hadamard_matrix|backward_hadamard_matrix real ~ => weight .. G*16
MXFP4 of MLX: weight word .. G*4; scales byte .. G => weight .. G*32
NVFP4 of MLX: weight word .. G*2; scales byte .. G => weight .. G*16
MXFP8 of MLX: weight word .. G*8; scales byte .. G => weight .. G*32
BitNet: weight uint8 O/4 I; weight_scale real 1 => weight O I
Quanto: *._data uint8 R/p S; *._scale real R 1; ?*._shift|input_scale|output_scale any ~ => * R S
bitsandbytes: *.quant_state.bitsandbytes__nf4|*.quant_state.bitsandbytes__fp4 = ..; * any ~
  *.absmax any ~; ?*.quant_map|*.nested_absmax|*.nested_quant_map any ~ => * ..
bitsandbytes: * uint8 N 1; *.absmax any ~
  ?*.quant_map|*.nested_absmax|*.nested_quant_map any ~ => * N*2
torchao: *_qdata int8 O I; *_scale real O 1; ?*_zero_point any ~ => * O I
8 bits: *_qdata|*._data float8 ..; *_scale|*._scale real ~; ?input_scale|output_scale real ~ => * ..
8 bits: *._data int8 ..; *._scale real ~; ?input_scale|output_scale real ~ => * ..
8 bits: * int8 ..; *_scale|*_scales|*_scale_inv|scale|scales|SCB real ~
  ?*_zero_point|*_input_scale|weight_format|input_scale|input_zero_point|output_scale any ~
  ?activation_scale|CB|SCBt any ~ => * ..
8 bits: * float8 ..; ?*_scale|*_scales|*_scale_inv|scale|scales|scale_inv any ~
  ?*_scale_2|*_input_scale|*_activation_scale|input_scale|input_scale_inv|output_scale any ~
  ?activation_scale|scale_weight|scale_input|weight_zero_point any ~ => * ..
MLX: weight word ~; scales|biases real ~ => ?
QuIP#: Qidxs whole ~ => ?
VPTQ: indices any ~; centroids|res_centroids any ~ => ?
SpQR: dense_weights whole ~ => ?
"""
"""What packings look like, one a line (a line that begins with a space continues it): the tool, the
packed tensor, what lies beside it, and the weight that they stand for, all with names, kinds of
numbers and sizes, as ``tensor_patterns`` describes them. "?": how many they stand for is not known.

After AutoGPTQ, AutoAWQ, exllamav2 and 3, IST-DASLab's marlin, vLLM's compressed-tensors, NVIDIA's
ModelOpt, MLX, bitsandbytes, HQQ, optimum-quanto, torchao and transformers' integrations.
"""

INDICES = re.compile(
    r"(ids?|index|idx|indices|masks?|buckets?|mapping|offsets?|lengths?|counts?|steps?|labels?|"
    r"tokens?|order|perm|version)$"
)
"""How names end of whole numbers that are no weights."""


class Packing(NamedTuple):
    """A line of ``PACKINGS``. weight, sizes: the parameter; "?" where it is not known."""

    tool: str
    terms: tuple[Term, ...]
    weight: str
    sizes: tuple[str, ...]


class Group(NamedTuple):
    """Tensors that are one packed weight: the packed one first. sizes: None where not known."""

    tool: str
    weight: str
    sizes: tuple[int, ...] | None
    tensors: tuple[NamedTensor, ...]


@cache
def _packings() -> dict[str, tuple[Packing, ...]]:
    """The packings by the end of the packed tensor's name; "" where it may have any."""
    by_end: dict[str, list[Packing]] = {}
    for line in PACKINGS.strip().replace("\n  =>", " =>").replace("\n ", ";").split("\n"):
        tool, _, rule = line.partition(": ")
        left, _, right = rule.partition(" => ")
        weight, *sizes = right.split()
        packing = Packing(tool, pattern(left), weight, tuple(sizes))
        for name in packing.terms[0].names:
            by_end.setdefault(name.lstrip("*"), []).append(packing)
    return {end: tuple(each) for end, each in by_end.items()}


@cache
def _stating() -> tuple[str, ...]:
    terms = [t for each in _packings().values() for packing in each for t in packing.terms]
    return tuple({name.lstrip("*") for term in terms if term.kind == "=" for name in term.names})


def states_sizes(name: str) -> bool:
    """Whether a tensor of this name says by its values how large another is."""
    return name.endswith(_stating())


def unpacked(tensors: Sequence[NamedTensor]) -> tuple[list[NamedTensor], list[str]]:
    """The tensors with weights for what they are packed in, and notes on how they were packed.

    Scales, zero points and the like are kept and not learned. What may be packed in a way that is
    not known has the role ``unknown``, and nothing that lies beside it counts but weight and bias.
    """
    weights = groups(tensors)
    inside = {each.name: group for group in weights for each in group.tensors}
    names = {tensor.name for tensor in tensors} - set(inside)
    entries: list[NamedTensor] = []
    for tensor in tensors:
        group = inside.get(tensor.name)
        if group is None:
            unknown = may_be_packed(tensor)
            entries.append(tensor._replace(role="unknown") if unknown else tensor)
            continue
        home = group.weight.rpartition(".")[0]
        if tensor.name != group.tensors[0].name:
            entries.append(tensor._replace(role="buffer", home=home))
        elif group.sizes is None:
            entries.append(tensor._replace(role="unknown"))
        else:
            name = tensor.name if group.weight in names else group.weight
            weight = tensor._replace(name=name, shape=group.sizes, role="parameter")
            entries.append(weight._replace(home=home))
    homes = {tensor.module for tensor in entries if tensor.role == "unknown"}
    for place, tensor in enumerate(entries if homes else ()):
        if tensor.module in homes and not tensor.role and tensor.last not in LEARNED:
            entries[place] = tensor._replace(role="buffer")
    return entries, [*_packed_notes(weights), *_unknown_notes(entries, inside)]


def may_be_packed(tensor: NamedTensor) -> bool:
    """Whether whole numbers with several axes may hold several each, and are no indices."""
    kind, bits = tensor.numbers
    if kind not in ("int", "uint") or bits > 32 or tensor.role or INDICES.search(tensor.last):
        return False
    if tensor.last in LEARNED:
        return kind == "uint" or (bits > 8 and len(tensor.shape) > 1)
    if "weight" in tensor.last and len(tensor.shape) > 1:
        return True
    return sum(size > 1 for size in tensor.shape) > 1


def _packed_notes(weights: Sequence[Group]) -> list[str]:
    """How many weights each tool packed, into what, and what is kept beside them."""
    sentences: dict[tuple[str, str], list[Group]] = {}
    for group in weights:
        if group.sizes is not None and _is_told(group):
            last, dtype = group.tensors[0].last, group.tensors[0].dtype
            sentences.setdefault((group.tool, f"{last} of {dtype}"), []).append(group)
    notes: list[str] = []
    for (tool, packed), each in sentences.items():
        count = sum(prod(group.sizes or ()) for group in each)
        beside = dict.fromkeys(t.last for group in each for t in group.tensors[1:])
        notes.append(
            f"weights that were packed ({tool}) are counted as what they stand for: "
            f"{len(each):,} {packed}, {count:,} weights"
            + (f"; kept and not learned: {listing(list(beside))}" if beside else "")
        )
    return notes


def _is_told(group: Group) -> bool:
    """Whether anything was unpacked, or is kept beside it."""
    packed = group.tensors[0]
    return len(group.tensors) > 1 or (group.weight, group.sizes) != (packed.name, packed.shape)


def _unknown_notes(tensors: Sequence[NamedTensor], inside: Mapping[str, Group]) -> list[str]:
    unknown = [tensor for tensor in tensors if tensor.role == "unknown"]
    tools = dict.fromkeys(inside[t.name].tool for t in unknown if t.name in inside)
    names = [f"{tensor.name} ({tensor.dtype})" for tensor in unknown]
    by_tools = f" by {listing(list(tools))}" if tools else ""
    sentence = (
        f"the parameters are more than these: weights are packed{by_tools} in whole numbers, and "
        f"the file does not say how many: {listing(names)}"
    )
    return [sentence] if unknown else []


def groups(tensors: Iterable[NamedTensor]) -> list[Group]:
    """The packed weights of a file, each with the tensors that it lies in."""
    by_name = {tensor.name: tensor for tensor in tensors}
    weights: list[Group] = []
    taken: set[str] = set()
    candidates = [t for t in by_name.values() if t.numbers.whole or t.numbers == ("real", 8)]
    # what has a name of its own goes before what may have any
    for named in (True, False):
        for tensor in candidates:
            if tensor.name not in taken and (group := _group(tensor, by_name, named=named)):
                weights.append(group)
                taken.update(each.name for each in group.tensors)
    return weights


def _group(tensor: NamedTensor, by_name: Mapping[str, NamedTensor], *, named: bool) -> Group | None:
    packings = _packings()
    for end in ends(tensor.name) if named else ("",):
        for packing in packings.get(end, ()):
            fit = match(packing.terms, end, tensor, by_name)
            if fit is None:
                continue
            if packing.weight == "?":
                return Group(packing.tool, tensor.name, None, fit.tensors)
            sizes = fit.equations.sizes(packing.sizes)
            # each number that was packed takes a bit at least, whatever a file states
            bits = sum(prod(each.shape) * max(each.numbers.bits, 1) for each in fit.tensors)
            if sizes is not None and prod(sizes) <= bits:
                return Group(packing.tool, fit.full(packing.weight), sizes, fit.tensors)
    return None
