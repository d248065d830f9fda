"""Published ways to count the work of training a language model: formulas of the whole network.

An accounting adds up what each layer does. These do not: they are formulas of a few totals, and are
written as claims write them, in the names of what can be asked of a tally. docs/decisions/0016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import expression
from ..counting.quantities import NotDerivable, evaluate, measure
from ..counting.values import single_number
from ..errors import NettallyError

if TYPE_CHECKING:
    from ..counting.tally import Tally


class Way(NamedTuple):
    """One published way.

    formula: FLOPs of all tokens of the input, of a training step (forward and backward) unless the
    title says otherwise. source: where it stands.
    """

    name: str
    title: str
    formula: str
    source: str


WAYS = (
    Way(
        "kaplan-2020-forward",
        "2N and the causal half of attention, forward; N without embeddings",
        "2 * non_embedding * tokens + attention.macs",
        "Kaplan et al. 2020 (arXiv 2001.08361), table 1",
    ),
    Way(
        "kaplan-2020",
        "6N; N without embeddings",
        "6 * non_embedding * tokens",
        "Kaplan et al. 2020 (arXiv 2001.08361), section 2.1",
    ),
    Way(
        "gpt-3",
        "6N; N active parameters, with embeddings",
        "6 * active * tokens",
        "Brown et al. 2020 (arXiv 2005.14165), table D.1",
    ),
    Way(
        "megatron-2021",
        "products, the forward pass of the layers done twice (recomputation)",
        "4 * flops - 2 * input_embedding * tokens",
        "Narayanan et al. 2021 (arXiv 2104.04473), equation 3",
    ),
    Way(
        "hoffmann-2022",
        "products, the look-up as one, and softmax, three times",
        "3 * (flops + 2 * input_embedding * tokens + 3 * scores)",
        "Hoffmann et al. 2022 (arXiv 2203.15556), appendix F",
    ),
    Way(
        "palm",
        "6N and attention over the full square; N all parameters",
        "6 * parameters * tokens + 6 * attention.macs",
        "Chowdhery et al. 2022 (arXiv 2204.02311), appendix B",
    ),
    Way(
        "llm-foundry",
        "6N and attention over the full square; N all parameters",
        "6 * parameters * tokens + 6 * attention.macs",
        "mosaicml/llm-foundry, scripts/train/benchmarking/collect_results.py",
    ),
    Way(
        "nanogpt",
        "6N and attention over the full square; N without learned positions",
        "6 * (parameters - learned_positions) * tokens + 6 * attention.macs",
        "karpathy/nanoGPT, model.py, estimate_mfu",
    ),
    Way(
        "torchtitan",
        "6N and attention over the full square; N active, without the input embedding",
        "6 * (active - input_embedding) * tokens + 6 * attention.macs",
        "pytorch/torchtitan, and AI-Hypercomputer/maxtext for mixtures",
    ),
)
"""In the order of their years. attention.macs are those of queries with keys and of their softmax
with values, over the full square: twice 2·s²·width for a sequence of s tokens and a layer."""


class Estimate(NamedTuple):
    """What one way gives. flops: of all tokens of the input."""

    way: Way
    flops: int
    tokens: int

    @property
    def per_token(self) -> int:
        """Rounded down: half a square of attention may not divide evenly."""
        return self.flops // self.tokens


def estimates(counted: Tally) -> tuple[Estimate, ...]:
    """What the published ways give for a language model; those that do not apply are left out.

    None of them does where no table of tokens is read.
    """
    try:
        tokens = single_number(measure(counted, "", "tokens"))
    except (NettallyError, NotDerivable):
        return ()
    if not isinstance(tokens, int) or not tokens or not counted.complete:
        return ()
    return tuple(
        Estimate(way, flops, int(tokens))
        for way in WAYS
        if (flops := _flops(way, counted)) is not None
    )


def _flops(way: Way, counted: Tally) -> int | None:
    try:
        flops = single_number(evaluate(expression.parse(way.formula), counted))
    except (NettallyError, NotDerivable):
        return None
    return flops if isinstance(flops, int) else None
