"""The collected files and what each is read as; ``scripts/corpus-table`` is the command.

corpus.yaml states for each file a line, "1x3x227x227 → 1x1000 · 60,965,224 parameters · …" or
"refused · the reason". This reads all of them again and prints the lines that differ; ``--adopt``
writes them. A figure that somebody else has published of the same file stands in
corpus_confirmed.yaml, as a claim, and is named in a comment: all other figures are only ours.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from malformed import INPUTS, MALFORMED
from nettally import formats
from nettally.claims.check import judge
from nettally.claims.claim import Claim, parse_claim
from nettally.counting.tally import Tally, tally
from nettally.errors import NettallyError
from nettally.formats import read
from targets import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).resolve().parent
TABLE = HERE / "corpus.yaml"
CONFIRMED = HERE / "corpus_confirmed.yaml"
WITH = " given "
"""Between a file and the inputs or options that it is read with."""

Lines = dict[str, dict[str, str]]
"""What is expected: the kind of files, then the file, with what it is read with, then the line."""


class Found(NamedTuple):
    """A file as it is read now. counted: None where it is refused."""

    line: str
    seconds: float
    counted: Tally | None


def corpus() -> Path:
    """The folder of collected files; it need not be there."""
    beside = HERE.parents[1] / "shared"
    return Path(os.environ.get("NETTALLY_SHARED") or beside) / "corpus"


def collected(folder: Path) -> dict[str, list[str]]:
    """The network files of the index, by kind, each as a path from its kind's folder."""
    found: dict[str, list[str]] = {}
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            kind, path = row["format"], row["file"]
            if kind != "oracle":  # figures, and no networks
                found.setdefault(kind, []).append(path.removeprefix(f"{kind}/"))
    return {kind: sorted(paths) for kind, paths in found.items()}


def asked(key: str) -> tuple[str, dict[str, tuple[int, ...]], dict[str, str]]:
    """A key of the table: the file, the sizes of its inputs, the options."""
    path, _, given = key.partition(WITH)
    inputs: dict[str, tuple[int, ...]] = {}
    options: dict[str, str] = {}
    for word in given.split():
        name, _, value = word.rpartition("=")
        if name in ("phase", "stage"):
            options[name] = value
        else:
            inputs[name] = tuple(map(int, value.split("x")))
    return path, inputs, options


def look(folder: Path, key: str) -> Found:
    """Read and count one file, and put it in a line."""
    path, inputs, options = asked(key)
    name = str(folder / path)
    begun = time.process_time()
    try:
        counted = tally(read(name, inputs=inputs or None, options=options))
        line = described(counted)
    except NettallyError as error:
        counted, line = None, f"refused · {refusal(error, name)}"
    except Exception as error:
        counted, line = None, f"CRASHED · {error!r}"
    return Found(line, time.process_time() - begun, counted)


def look_malformed(name: str, what: str, folder: Path) -> str:
    """The line of one of the files in malformed.py, which is written to a folder."""
    path = folder / f"x{SUFFIXES[name]}"
    data = MALFORMED[name][what]
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    reader = formats.format_module(name)
    source = formats.Source(
        str(path), b"" if getattr(reader, "BINARY", False) else path.read_bytes(),
        INPUTS.get(name, {}), None, str(path),
    )  # fmt: skip
    try:
        return described(tally(reader.read(source)))
    except NettallyError as error:
        return f"refused · {refusal(error, str(path))}"
    except Exception as error:
        return f"CRASHED · {error!r}"


def refusal(error: NettallyError, path: str) -> str:
    """What is wrong, and where in the file."""
    where = error.where.removeprefix(path).strip()
    if where.startswith(":"):
        where = f"line {where[1:]}"
    return f"{where}: {error.what}" if where else error.what


def described(counted: Tally) -> str:
    """The line of a network."""
    network = counted.network
    shapes = {**network.inputs, **{row.name: row.shape for row in counted.rows}}
    ins = listed([sizes(shape) for shape in network.inputs.values()])
    outs = listed([sizes(shapes.get(name)) for name in network.outputs])
    parts = [
        f"{ins} → {outs}",
        f"{'' if counted.parameters_complete else 'at least '}{counted.parameters:,} parameters",
        f"{'' if counted.complete else 'at least '}{counted.macs:,} MACs",
        "1 layer" if len(counted.rows) == 1 else f"{len(counted.rows):,} layers",
    ]
    if counted.unknown:
        kinds = Counter(row.node.layer.fields().get("type") or "?" for row in counted.unknown)
        opaque = Counter(
            {k: n for k, n in kinds.items() if k != "?"}
        )  # the others only wait for their inputs
        told = [kind if n == 1 else f"{n} {kind}" for kind, n in opaque.most_common(6)]
        told += [f"{len(opaque) - 6} kinds more"] if len(opaque) > 6 else []
        waiting = f"{kinds['?']} after it" if kinds["?"] else ""
        parts.append("not known: " + ", ".join(filter(None, [*told, waiting])))
    return " · ".join(parts)


def sizes(shape: Any) -> str:
    return "?" if shape is None else "x".join(str(int(size)) for size in shape) or "scalar"


def listed(names: list[str]) -> str:
    if len(names) > 4:
        names = [*names[:3], f"{len(names) - 3} more"]
    return ", ".join(names) or "nothing"


# --- the file -----------------------------------------------------------------------------------


def load() -> Lines:
    """The expected lines, the folders put together again: kind, then file."""
    tree = yaml.safe_load(TABLE.read_text("utf-8")) if TABLE.exists() else {}
    found: Lines = {}
    for kind, folders in tree.items():
        found[kind] = {
            f"{place}/{key}" if place != "." else key: line
            for place, lines in (folders or {}).items()
            for key, line in lines.items()
        }
    return found


def confirmations() -> dict[str, list[Claim]]:
    """By file (its kind, then its path): claims, and whose they are."""
    tree = yaml.safe_load(CONFIRMED.read_text("utf-8"))
    found: dict[str, list[Claim]] = {}
    for work in tree:
        more = {"work": work["by"], "accounting": work.get("accounting", "")}
        for path, said in work["files"].items():
            for text in [said] if isinstance(said, str) else said:
                found.setdefault(path, []).append(parse_claim(text, **more))
    return found


def confirmed(told: list[Claim], counted: Tally | None) -> tuple[list[str], list[str]]:
    """The quantities that the claims confirm, each with whose they are; and what differs."""
    good: dict[str, list[str]] = {}
    bad: list[str] = []
    for claim in told:
        verdict = judge(counted, claim) if counted is not None else None
        if verdict is not None and verdict.tallies:
            good.setdefault(claim.work, []).append(claim.subject)
        else:
            ours = "refused" if verdict is None else f"{verdict.ours:,}"
            bad.append(f"{claim.text} ({claim.work}), ours: {ours}")
    return [f"{', '.join(dict.fromkeys(names))}: {by}" for by, names in good.items()], bad


def stated(path: Path) -> list[tuple[int, ...] | None]:
    """The sizes that an ONNX file itself states of its outputs, None where it does not."""
    found: list[tuple[int, ...] | None] = []
    for graph in _parts(path.read_bytes(), 7):
        for output in _parts(graph, 12):
            tensors = [tensor for kind in _parts(output, 2) for tensor in _parts(kind, 1)]
            shapes = [shape for tensor in tensors for shape in _parts(tensor, 2)]
            dims = [_parts(dim, 1) for shape in shapes for dim in _parts(shape, 1)]
            whole = bool(shapes) and all(len(dim) == 1 for dim in dims)
            found.append(tuple(dim[0] for dim in dims) if whole else None)
    return found


def _parts(data: bytes, number: int) -> list[Any]:
    """The fields of that number in a message of protocol buffers."""
    found: list[Any] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 128:
                return value

    while at < len(data):
        tag = varint()
        size = {1: 8, 5: 4}.get(tag & 7, 0)
        value: Any = varint() if not size else None
        if tag & 7 == 2:
            at, value = at + value, data[at : at + value]
        at += size
        if tag >> 3 == number:
            found.append(value)
    return found


def by_itself(path: Path, counted: Tally | None) -> tuple[list[str], list[str]]:
    """Like ``confirmed``, for the sizes that an ONNX file states of its outputs."""
    if path.suffix != ".onnx" or counted is None:
        return [], []
    shapes = {**counted.network.inputs, **{row.name: row.shape for row in counted.rows}}
    ours = [shapes.get(name) for name in counted.network.outputs]
    given = stated(path)
    if len(given) != len(ours):
        if None in given:  # a sequence: how many tensors are in it is not stated
            return [], []
        return [], [f"{len(given)} outputs are stated, ours are {len(ours)}"]
    pairs = [(one, two) for one, two in zip(given, ours, strict=True) if one and two]
    bad = [f"an output is stated as {sizes(one)}, ours: {sizes(two)}" for one, two in pairs
           if one != two]  # fmt: skip
    return ["sizes: the file itself"] if len(pairs) == len(ours) and not bad else [], bad


def written(lines: Lines, marks: Mapping[str, list[str]]) -> str:
    """The table as YAML: kinds, then folders, then files."""
    out = [HEAD]
    for kind, files in lines.items():
        out.append(f"\n{kind}:" if files else f"\n{kind}: {{}}")
        for folder, inside in _folders(files):
            out.append(f"  {_quoted(folder)}:")
            for key in inside:
                name = key.removeprefix(f"{folder}/")
                line = f"    {_quoted(name)}: {_quoted(files[key])}"
                mark = "; ".join(marks.get(f"{kind}/{key}", []))
                out.append(f"{line}  # {mark}" if mark else line)
    return "\n".join(out) + "\n"


HEAD = """\
# What each collected file is read as; tests/test_corpus.py holds the readers to it.
#
# A line is: sizes of the inputs → sizes of the outputs · parameters · multiply-accumulates ·
# layers, "at least" where something is not known, and what that is; or the reason of a refusal.
# Sizes are whole, the batch first. "FILE given SIZES" is read with --input, or with --phase.
# A comment names the quantities that somebody else has published of the same network, and who;
# tests/corpus_confirmed.yaml has the figures. All others nobody but nettally vouches for: look
# at the difference before adopting it with scripts/corpus-table --adopt.
# The files under `malformed` are made in tests/malformed.py."""


def _folders(files: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The files by their project, without the folders that all of one project have in common."""
    projects: dict[str, list[str]] = {}
    for key in files:
        projects.setdefault(key.split("/")[0] if "/" in key else ".", []).append(key)
    for project, keys in projects.items():
        dirs = [os.path.dirname(asked(key)[0]) for key in keys]
        common = os.path.commonpath(dirs) if project != "." else "."
        yield common, keys


def _quoted(text: str) -> str:
    """A plain scalar where that can be one."""
    if re.fullmatch(r"[\w.][^\n]*", text) and not re.search(r": |:$| #|\s$", text):
        return text
    if "'" in text and not re.search(r'["\\]', text):
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


# --- the command --------------------------------------------------------------------------------


def measure(folder: Path, before: Lines, kinds: list[str]) -> tuple[Lines, dict[str, Any]]:
    """All files as they are read now, in the order of the index; those with inputs after them."""
    lines: Lines = {}
    facts: dict[str, Any] = {"seconds": {}, "marks": {}, "bad": []}
    told = confirmations()
    for kind, paths in collected(folder).items():
        if kinds and kind not in kinds:
            lines[kind] = before.get(kind, {})
            continue
        known = before.get(kind, {})
        keys = [key for path in paths for key in (path, *_variants(path, known))]
        for key in keys:
            found = look(folder / kind, key)
            lines.setdefault(kind, {})[key] = found.line
            facts["seconds"][f"{kind}/{key}"] = found.seconds
            good, bad = confirmed(told.get(f"{kind}/{key}", []), found.counted)
            own, wrong = by_itself(folder / kind / asked(key)[0], found.counted)
            facts["marks"][f"{kind}/{key}"] = good + own
            facts["bad"] += [f"{kind}/{key}: {each}" for each in bad + wrong]
    if not kinds or "malformed" in kinds:
        with TemporaryDirectory() as place:
            lines["malformed"] = {
                f"{name}/{what}": look_malformed(name, what, Path(place))
                for name, cases in MALFORMED.items()
                if name in formats.FORMATS
                for what in cases
            }
    else:
        lines["malformed"] = before.get("malformed", {})
    every = {f"{kind}/{key}" for kind, files in lines.items() for key in files}
    if not kinds:
        facts["bad"] += [f"{path}: no such file" for path in told if path not in every]
    return lines, facts


def _variants(path: str, known: Mapping[str, str]) -> list[str]:
    return [key for key in known if key.startswith(path + WITH)]


def summary(lines: Lines, marks: Mapping[str, list[str]]) -> str:
    """How many of each kind are read exactly, read in part, refused and why."""
    out: list[str] = []
    for kind, files in lines.items():
        plain = {key: line for key, line in files.items() if WITH not in key}
        refused = Counter(
            re.sub(r"'[^']*'|\d+", "…", line.partition(" · ")[2])
            for line in plain.values()
            if line.startswith("refused")
        )
        part = sum(" · at least" in line for line in plain.values())
        whole = len(plain) - part - sum(refused.values())
        vouched = sum(bool(marks.get(f"{kind}/{key}")) for key in files)
        out.append(
            f"{kind:<16} {len(plain):>3} files: {whole} exact, {part} at least, "
            f"{sum(refused.values())} refused; {vouched} confirmed by others"
        )
        if kind == "malformed":
            continue
        out += [f"{'':<20}{n} refused: {reason}" for reason, n in refused.most_common()]
    return "\n".join(out)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/corpus-table", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="all, where none is named")
    parser.add_argument("--adopt", action="store_true", help="write what is read now")
    parser.add_argument("--add", metavar="'KIND/FILE given SIZES'", action="append", default=[])
    parser.add_argument("--whole", action="store_true", help="print the whole table")
    parser.add_argument("--slowest", type=int, default=5, metavar="N")
    given = parser.parse_args()
    if given.adopt and given.kinds:
        parser.error("--adopt writes the lines of all kinds")
    folder = corpus()
    if not folder.is_dir():
        print(f"the collected files are not there: {folder}")
        return 2
    before = load()
    for key in given.add:
        kind, _, rest = key.partition("/")
        before.setdefault(kind, {})[rest] = ""
    lines, facts = measure(folder, before, given.kinds)
    marks = facts["marks"]
    text = written(lines, marks)
    if given.whole:
        print(text)
    changed = 0
    for kind, files in lines.items():
        old = before.get(kind, {})
        for key in dict.fromkeys([*old, *files]):
            if old.get(key) != files.get(key):
                changed += 1
                print(f"{kind}/{key}\n  - {old.get(key) or '(nothing)'}\n  + {files.get(key)}")
    for each in facts["bad"]:
        print(f"NOT CONFIRMED {each}")
    print(f"\n{summary(lines, marks)}\n")
    seconds = facts["seconds"]
    print(f"{len(seconds)} files in {sum(seconds.values()):.1f} s; the slowest:")
    for key in sorted(seconds, key=seconds.__getitem__, reverse=True)[: given.slowest]:
        print(f"  {seconds[key]:6.2f} s  {key}")
    print(f"\n{changed} lines differ from tests/corpus.yaml")
    crashed = [key for files in lines.values() for key in files if files[key][:7] == "CRASHED"]
    if given.adopt and crashed:
        print(f"not written: {len(crashed)} crash, as {crashed[0]}")
    elif given.adopt:
        TABLE.write_text(text, "utf-8")
    return int(bool(changed or facts["bad"] or crashed))


if __name__ == "__main__":
    sys.exit(main())
