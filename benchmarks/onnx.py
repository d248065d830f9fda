"""How long nettally takes over ONNX files, and what memory: python benchmarks/onnx.py [RUNS]

The files are made here: AlexNet with its 244 MB of weights, the same with 2 GB, and chains of
100,000 and 50,000 nodes. Other programs are measured beside ours in the same run, turn by turn,
where a Python has them: this one, or the one that NETTALLY_ONNX_PYTHON names, with onnx and
onnx_tool. Standard library only. Nothing here is a test; docs/benchmarks.md says what was measured.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

from run import Line, Run, process  # noqa: E402

import onnx_files as w  # noqa: E402

OTHER = os.environ.get("NETTALLY_ONNX_PYTHON", sys.executable)
NODES = 100_000
LAYERS = (  # AlexNet as bvlc_alexnet.onnx has it: filters, channels a group, kernel, groups
    (96, 3, 11, 1),
    (256, 48, 5, 2),
    (384, 256, 3, 1),
    (384, 192, 3, 2),
    (256, 192, 3, 2),
)
TALLY = """
import gc, sys, nettally
gc.set_threshold(2_000_000)  # as the command does
tally = nettally.tally(nettally.read(sys.argv[1]))
print(tally.parameters, tally.macs, tally.neurons)
gc.disable()  # and this too: Python looks for garbage once more before it ends
"""
INFER = "import sys, onnx; onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))"
TOOL = "import sys, onnx_tool; onnx_tool.model_profile(sys.argv[1], None, save_profile=sys.argv[2])"


def alexnet(path: Path, hidden: int = 4096) -> None:
    """AlexNet with weights of zeros; ``hidden`` 4096 units make 244 MB, 18,900 make 2 GB."""
    nodes: list[bytes] = []
    weights: list[tuple[str, tuple[int, ...]]] = []
    last = "data"
    for i, (filters, seen, kernel, groups) in enumerate(LAYERS, 1):
        weights += [(f"conv{i}_w", (filters, seen, kernel, kernel)), (f"conv{i}_b", (filters,))]
        pad = [0] * 4 if i == 1 else [kernel // 2] * 4
        nodes.append(
            w.node(
                "Conv",
                [last, f"conv{i}_w", f"conv{i}_b"],
                [f"conv{i}"],
                kernel_shape=[kernel, kernel],
                strides=[4, 4] if i == 1 else [1, 1],
                pads=pad,
                group=groups,
            )
        )
        nodes.append(w.node("Relu", [f"conv{i}"], [f"relu{i}"]))
        last = f"relu{i}"
        if i in (1, 2):
            nodes.append(w.node("LRN", [last], [f"norm{i}"], size=5, alpha=1e-4, beta=0.75))
            last = f"norm{i}"
        if i in (1, 2, 5):
            fields = {"kernel_shape": [3, 3], "strides": [2, 2]}
            if i == 5:
                fields["pads"] = [0, 0, 1, 1]
            nodes.append(w.node("MaxPool", [last], [f"pool{i}"], **fields))
            last = f"pool{i}"
    nodes.append(w.node("Flatten", [last], ["flat"]))
    last, seen = "flat", 9216
    for name, units in (("fc6", hidden), ("fc7", hidden), ("fc8", 1000)):
        weights += [(f"{name}_w", (units, seen)), (f"{name}_b", (units,))]
        nodes.append(w.node("Gemm", [last, f"{name}_w", f"{name}_b"], [name], transB=1))
        last, seen = name, units
    parts = [w.block(1, node) for node in nodes]
    parts += [w.block(2, "alexnet"), w.block(11, w.info("data", [1, 3, 224, 224]))]
    parts.append(w.block(12, w.info("fc8", [1, 1000])))
    tensors = []
    for name, dims in weights:
        head = b"".join(w.number(1, size) for size in dims) + w.number(2, w.FLOAT)
        head += w.block(8, name)
        size = 4
        for each in dims:
            size *= each
        raw = w.varint(9 << 3 | 2) + w.varint(size)
        tensors.append((w.varint(5 << 3 | 2) + w.varint(len(head + raw) + size) + head + raw, size))
    graph = sum(map(len, parts)) + sum(len(head) + size for head, size in tensors)
    with open(path, "wb") as file:
        file.write(w.number(1, 8) + w.block(8, w.opset("", 13)) + w.varint(7 << 3 | 2))
        file.write(w.varint(graph) + b"".join(parts))
        for head, size in tensors:
            file.write(head)
            if hidden == 4096:
                file.write(bytes(size))
            else:
                file.seek(size, os.SEEK_CUR)  # a hole reads as zeros
        file.truncate(file.tell())


def chain(path: Path, count: int) -> None:
    nodes = [w.node("Relu", [f"v{i}"], [f"v{i + 1}"], f"relu{i}") for i in range(count)]
    ends = [w.info("v0", [1, 3, 8, 8])], [w.info(f"v{count}", [1, 3, 8, 8])]
    path.write_bytes(w.model(w.graph(nodes, *ends)))


def has(module: str) -> bool:
    done = subprocess.run([OTHER, "-c", f"import {module}"], capture_output=True, check=False)
    return done.returncode == 0


def other(*arguments: str) -> Run:
    return process(*arguments, python=OTHER)


def beside(count: int, ours: tuple[str, ...], theirs: tuple[str, ...] | None) -> tuple[Run, Run]:
    """The median of whole processes of both, turn by turn; without theirs, ours twice."""
    runs: list[tuple[Run, Run]] = []
    for turn in range(count + 1):
        one = process(*ours)
        two = other(*theirs) if theirs is not None else one
        for run in (one, two):
            if run.code:
                sys.exit(f"a process ended with {run.code}: {ours} beside {theirs}")
        if turn:
            runs.append((one, two))
    return tuple(  # type: ignore[return-value]
        Run(median(r.seconds for r in each), max(r.memory for r in each), 0)
        for each in zip(*runs, strict=True)
    )


def against(what: str, ours: Run, theirs: Run, time: float, memory: float | None) -> list[Line]:
    detail = f"{ours.seconds:.2f} s to {theirs.seconds:.2f} s"
    lines = [Line(f"{what}: time", ours.seconds / theirs.seconds, "x", time, detail)]
    if memory is not None:
        detail = f"{ours.memory / 1e6:.0f} MB to {theirs.memory / 1e6:.0f} MB"
        lines.append(Line(f"{what}: memory", ours.memory / theirs.memory, "x", memory, detail))
    return lines


def measured(folder: Path, count: int) -> list[Line]:
    small, large = folder / "alexnet.onnx", folder / "alexnet-2gb.onnx"
    alexnet(small)
    alexnet(large, 18_900)
    tally = ("-m", "nettally", "tally")
    lines: list[Line] = []
    table = ("-c", TOOL, str(small), str(folder / "table.csv"))
    known = has("onnx_tool")
    ours, theirs = beside(count, (*tally, str(small)), table if known else None)
    if known:
        lines += against("AlexNet, 244 MB, to onnx-tool", ours, theirs, 1 / 4, 1 / 8)
    else:
        lines.append(Line("AlexNet, 244 MB, a process", ours.seconds, "s", None, "no onnx_tool"))
    big, _ = beside(count, (*tally, str(large)), None)
    size = f"{large.stat().st_size / 1e9:.2f} GB; {big.seconds:.2f} s, {big.memory / 1e6:.0f} MB"
    lines.append(
        Line("AlexNet, 2 GB, memory to 244 MB's", big.memory / ours.memory, "x", 1.1, size)
    )
    long, half = folder / "chain.onnx", folder / "half.onnx"
    chain(long, NODES)
    chain(half, NODES // 2)
    code = ("-c", TALLY)
    infer = ("-c", INFER, str(long)) if has("onnx") else None
    ours, theirs = beside(count, (*code, str(long)), infer)
    if infer is not None:
        lines += against(f"chain of {NODES:,}, to onnx's shapes", ours, theirs, 1, None)
    shorter, _ = beside(count, (*code, str(half)), None)
    detail = f"{ours.seconds:.2f} s to {shorter.seconds:.2f} s"
    growth = ours.seconds / shorter.seconds
    lines.append(Line(f"chain of {NODES:,}, to half of it", growth, "x", 2.4, detail))
    return lines


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    where = f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} CPUs"
    print(f"{where}, load {os.getloadavg()[0]:.1f}; {count} turns")
    with tempfile.TemporaryDirectory() as folder:
        for line in measured(Path(folder), count):
            print(line, flush=True)


if __name__ == "__main__":
    main()
