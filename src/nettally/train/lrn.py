"""Local response normalisation, exact and fast; the layer "lrn" is made of it."""

from __future__ import annotations

from ..layers._torch.lrn import LocalResponseNorm, how_it_runs, local_response_norm

__all__ = ["LocalResponseNorm", "how_it_runs", "local_response_norm"]
