"""Writes torch_truth.csv: what torch itself says of a few hundred models (scripts/torch-truth).

Parameters and buffers are sums of numel() over model.parameters() and model.buffers(), each tensor
once. MACs are half of what torch.utils.flop_counter.FlopCounterMode counts, in eval mode, with the
fast path of attention off and its mathematical form on, so that attention is seen as the matrix
products that it is. Where the model lets us, it is built and run on the meta device; the column
`way` says what was needed:

    meta            built and run there
    built real      its constructor needs numbers; moved to the meta device afterwards
    cpu             its forward needs numbers; run on the CPU

A model that cannot be counted keeps its row, with the reason. Rows are written as they come, and a
second run goes on where the first was stopped; `--again` begins anew.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import multiprocessing
import os
import re
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import torch_models
import torch_nets
import torch_peers

TABLE = Path(__file__).with_name("torch_truth.csv")
COLUMNS = (
    "source",
    "model",
    "family",
    "version",
    "input",
    "parameters",
    "buffers",
    "macs",
    "way",
    "operators",
    "failure",
)
SECONDS = 240
LARGEST_ON_CPU = 300_000_000  # parameters
A_FAMILY = 2  # models taken of each, the smallest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="forget what was counted before")
    parser.add_argument("--all", action="store_true", help="every model of timm")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--only", default="", help="models whose name contains this")
    given = parser.parse_args()
    if given.again:
        given.table.unlink(missing_ok=True)
    rows = {(row["source"], row["model"]): row for row in read(given.table)}
    wanted = jobs(given.all)
    left = [job for job in wanted if job[:2] not in rows and given.only in job[1]]
    sys.stderr.write(f"{len(wanted)} models, {len(left)} to count\n")
    context = multiprocessing.get_context("spawn")
    new = not given.table.exists()
    with (
        given.table.open("a", newline="") as file,
        context.Pool(2, initializer=os.nice, initargs=(15,), maxtasksperchild=60) as pool,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        for row in pool.imap_unordered(count, left):
            rows[row["source"], row["model"]] = row
            writer.writerow(row)
            file.flush()
            sys.stderr.write(f"{row['source']}:{row['model']} {row['macs']} {row['failure']}\n")
    order = {job[:2]: place for place, job in enumerate(wanted)}
    last = len(order)
    counted = sorted(rows.values(), key=lambda row: order.get((row["source"], row["model"]), last))
    with given.table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(counted)


def read(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def jobs(everything: bool) -> list[tuple[str, str, str]]:
    """(source, model, family): our nets, torchvision's, and of timm's the smallest of each kind."""
    ours = [("nets", name, "nets") for name in torch_nets.NETS]
    torchvisions = [("torchvision", *found) for found in torch_models.torchvision_models()]
    timms = [("timm", *found) for found in torch_models.timm_models()]
    if not everything:
        chosen = smallest(timms)
        timms = [job for job in timms if job in chosen or job[1] in torch_peers.TIMM]
    return [*ours, *torchvisions, *timms]


def smallest(timms: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Of each kind of name in each of timm's modules, those with the fewest parameters.

    Building all on the meta device takes minutes, so the sizes are kept in the temporary folder.
    """
    sizes = Path(tempfile.gettempdir(), "nettally-timm-sizes.json")
    known: dict[str, int] = json.loads(sizes.read_text()) if sizes.exists() else {}
    missing = [name for _, name, _ in timms if name not in known]
    if missing:
        with multiprocessing.get_context("spawn").Pool(2, os.nice, (15,)) as pool:
            known |= dict(zip(missing, pool.map(size, missing, chunksize=10), strict=True))
        sizes.write_text(json.dumps(known, indent=0))
    kept: list[tuple[str, str, str]] = []
    kinds = itertools.groupby(
        sorted(timms, key=lambda job: (job[2], kind(job[1]), known[job[1]], job[1])),
        key=lambda job: (job[2], kind(job[1])),
    )
    for _, of_a_kind in kinds:
        kept += itertools.islice(of_a_kind, A_FAMILY)
    return kept


def kind(name: str) -> str:
    """The letters before a number: resnetv2 of resnetv2_50x1_bit, tf_efficientnet of its b0."""
    head = re.match(r"(?:tf_|ig_|gluon_|legacy_|test_)?[a-z]+(?:v\d|\dv\d)?", name)
    return head.group() if head else name


def size(model: str) -> int:
    signal.signal(signal.SIGALRM, raise_timeout)
    signal.alarm(60)
    try:
        with torch.device("meta"):
            made = torch_models.build("timm", model)
        return sum(p.numel() for p in made.parameters())
    except Exception:
        return 10**12  # cannot be built there; last of its kind
    finally:
        signal.alarm(0)


def raise_timeout(*_: Any) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def count(job: tuple[str, str, str]) -> dict[str, Any]:
    """The row of one model; never raises."""
    source, model, family = job
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row |= {"source": source, "model": model, "family": family}
    row["version"] = torch_models.version(source)
    signal.signal(signal.SIGALRM, raise_timeout)
    signal.alarm(SECONDS)
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        fill(row, source, model)
    except Exception as error:
        row["failure"] = told(error)
    finally:
        signal.alarm(0)
    return row


def fill(row: dict[str, Any], source: str, model: str) -> None:
    try:
        with torch.device("meta"):
            module = torch_models.build(source, model)
        row["way"] = "meta"
    except TimeoutError:
        raise
    except Exception:
        module = torch_models.build(source, model)
        row["way"] = "built real"
    row["parameters"] = sum(p.numel() for p in module.parameters())
    row["buffers"] = sum(b.numel() for b in module.buffers())
    shapes = torch_models.input_shapes(source, model, module)
    row["input"] = torch_models.written(shapes)
    try:
        counted = counts(module.to("meta"), torch_models.arguments(shapes, "meta"))
    except TimeoutError:
        raise
    except Exception as error:
        row["way"] = "cpu"
        row["failure"] = told(error)
        if row["parameters"] > LARGEST_ON_CPU:
            return
        module = torch_models.build(source, model)
        counted = counts(module, torch_models.arguments(shapes, "cpu"))
        row["failure"] = ""
    total = sum(counted.values())
    assert total % 2 == 0, total
    row["macs"] = total // 2
    row["operators"] = json.dumps(counted, sort_keys=True)


def counts(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> dict[str, int]:
    """FLOPs by operator, as the counter has them."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    module.requires_grad_(False)  # else its tracker of modules fails on two families of timm
    with torch_models.quiet(), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        module(*arguments)
    by_operator = counter.get_flop_counts().get("Global", {})
    return {str(operator): int(flops) for operator, flops in by_operator.items()}


def told(error: Exception) -> str:
    """The type and the first line of an error, at most 160 characters."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:160]


if __name__ == "__main__":
    main()
