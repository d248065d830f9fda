"""Tensors of a file that a network keeps and does not learn, known by their names and sizes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .tensor_patterns import Term, ends, match, pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .named_tensor import NamedTensor

BUFFERS = """
running statistics: running_mean|running_var|num_batches_tracked any ~
running statistics: cluster_size|embed_avg real ~; cluster_size real ~; embed_avg real ~
causal masks: *attn.bias|*attention.bias any 1 1 N N
causal masks: bias any 1 1 N N; masked_bias any ~
causal masks: mask|causal_mask|attn_mask|attention_mask|tril any 1 1 N N
causal masks: causal_mask|attn_mask|attention_mask|tril any .. N N
causal masks: masked_bias real
causal masks: masked_bias real 1
rotary tables: inv_freq|original_inv_freq|*rope.freqs|*rotary_emb.freqs|*rotary_pos_emb.freqs real N
rotary tables: freqs_cis|freqs_cos|freqs_sin|cos_cached|sin_cached any ~
positions: relative_coords_table real .. 2
positions: positional_encoding_gaussian_matrix real 2 N
noise schedules: betas|alphas_cumprod|alphas_cumprod_prev|sqrt_alphas_cumprod\
|sqrt_one_minus_alphas_cumprod|log_one_minus_alphas_cumprod|sqrt_recip_alphas_cumprod\
|sqrt_recipm1_alphas_cumprod|posterior_variance|posterior_log_variance_clipped\
|posterior_mean_coef1|posterior_mean_coef2 real N; alphas_cumprod real N
vectors of spectral normalization: weight_u|weight_v real N; weight_orig real ~
vectors of spectral normalization: *0._u|*0._v real N; *original real ~
masks of pruning: *_mask any ..; *_orig real ..
scales and ranges of quantizers: scale real ~; zero_point whole ~
scales and ranges of quantizers: min_val|max_val|eps|histogram real ~; min_val|max_val real ~
scales and ranges of quantizers: k_scale|v_scale|q_scale|kv_scale|prob_output_scale real
scales and ranges of quantizers: k_scale|v_scale|q_scale|kv_scale|prob_output_scale real 1
scales and ranges of quantizers: scaled_fp8 any N
means and deviations of pixels: pixel_mean|pixel_std real ~
means and deviations of pixels: mean|std real .. C 1 1; mean real .. C 1 1; std real .. C 1 1
anchors: anchors real L A 2
anchors: anchor_grid real ~
filters and windows: noise_const real N N
filters and windows: resample_filter|*spectrogram.window|*mel_scale.fb real ~
averages: w_avg real N
averages: *model_ema.decay real
states of optimizers: exp_avg|exp_avg_sq|max_exp_avg_sq|momentum_buffer real ~
markers of fairseq: _float_tensor|version real 1
"""
"""What is kept and not learned, one kind a line: the tensor, and what has to lie beside it, as
``tensor_patterns`` describes them."""

AVERAGES = ("model_ema.", "ema_model.", "ema.", "module_ema.")
"""How names begin of what may be averages of the other parameters."""


@cache
def _patterns() -> dict[str, tuple[tuple[str, tuple[Term, ...]], ...]]:
    """The patterns by the end of the name."""
    by_end: dict[str, list[tuple[str, tuple[Term, ...]]]] = {}
    for line in BUFFERS.strip().split("\n"):
        what, _, rule = line.partition(": ")
        terms = pattern(rule)
        for name in terms[0].names:
            by_end.setdefault(name.lstrip("*"), []).append((what, terms))
    return {end: tuple(each) for end, each in by_end.items()}


def buffers(tensors: Sequence[NamedTensor]) -> dict[str, str]:
    """The names of tensors that are not learned, each with what it is."""
    by_name = {tensor.name: tensor for tensor in tensors}
    patterns = _patterns()
    reasons = averages(tensors)
    last_parts = tuple(patterns)
    for tensor in tensors:
        if not tensor.name.endswith(last_parts):
            continue
        for end in ends(tensor.name):
            for what, terms in patterns.get(end, ()):
                if match(terms, end, tensor, by_name):
                    reasons.setdefault(tensor.name, what)
    return reasons


def averages(tensors: Sequence[NamedTensor]) -> dict[str, str]:
    """Copies of all parameters, averaged in training: each has the name and sizes of another.

    Names are compared without dots, which some tools leave out, and without their first part.
    """
    copies = [tensor for tensor in tensors if tensor.name.startswith(AVERAGES)]
    if not copies:
        return {}
    others = {
        (name.replace(".", ""), tensor.shape)
        for tensor in tensors
        if not tensor.name.startswith(AVERAGES)
        for name in (tensor.name, tensor.name.partition(".")[2])
    }
    pairs = [(each.name.partition(".")[2].replace(".", ""), each.shape) for each in copies]
    if not all(shape in ((), (1,)) or (name, shape) in others for name, shape in pairs):
        return {}
    return {tensor.name: "averages of the parameters" for tensor in copies}
