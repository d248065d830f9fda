"""Triton's kernels for local response normalisation, in Triton's interpreter: no GPU is needed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nettally.building.response_normalization import on_gpu as ours

KERNELS = """
    import torch
    from nettally.building.response_normalization import on_gpu as ours
    from nettally.building.response_normalization.whole import Terms, whole, whole_gradient
    torch.manual_seed(0)
    last, first = torch.channels_last, torch.contiguous_format
    for shape in ((2, 6, 3, 5), (1, 70, 5, 7), (3, 12, 1), (2, 8)):
        for size, groups, beta in ((1, 1, 0.75), (2, 2, 0.6), (5, 1, 0.75), (4, 2, 1.0)):
            for kind in ours.KINDS:
                for laid in (first, last) if len(shape) == 4 else (first,):
                    terms = Terms(size, 0.7, beta, 1.5, groups, False)
                    x = torch.randn(shape).to(kind).to(memory_format=laid)
                    g = torch.randn(shape).to(kind)
                    y, dx = ours.normalised(x, terms), ours.gradient(x, g, terms)
                    assert y.dtype == dx.dtype == kind
                    assert y.stride() == dx.stride() == x.stride()
                    step = torch.finfo(kind).eps
                    wide = x.double(), g.double()
                    best = whole(wide[0], terms), whole_gradient(*wide, terms)
                    torch.testing.assert_close(y.double(), best[0], rtol=8 * step, atol=step)
                    torch.testing.assert_close(dx.double(), best[1], rtol=8 * step, atol=8 * step)
    x = torch.full((1, 8, 1), float("inf"))
    assert ours.normalised(x, Terms(5, 0.7, 0.75, 1.5, 1, False)).isnan().all()
    print("all alike")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_tritons_kernels_in_its_interpreter() -> None:
    """What they compute; not that they run on a GPU, nor how fast."""
    here = [str(Path(ours.__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(here), "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KERNELS)],
        env=known, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "all alike", done.stderr
