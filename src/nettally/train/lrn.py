"""Local response normalisation, exact and fast on processors; the layer "lrn" is made of it."""

from __future__ import annotations

from ..layers._torch.lrn import LocalResponseNorm, local_response_norm

__all__ = ["LocalResponseNorm", "local_response_norm"]
