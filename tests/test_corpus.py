"""Every collected file is read as corpus.yaml says, or refused for the reason that stands there.

``scripts/corpus-table`` prints what differs, and ``--adopt`` writes it.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import corpus_table
from corpus_table import WITH, asked, by_itself, collected, confirmations, confirmed, load, look
from malformed import INPUTS, MALFORMED
from nettally import formats
from nettally.counting.tally import tally
from nettally.errors import NettallyError
from nettally.formats import Source
from targets import SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = load()
CORPUS_KINDS = [kind for kind in EXPECTED if kind != "malformed"]

SECONDS = {"caffe": 15, "onnx": 10, "onnx-node-tests": 10, "keras-json": 10}
"""Processor time that the files of a kind may take together; 5 for the others. Under 60 in all."""


def test_the_seconds_are_under_a_minute() -> None:
    assert sum(SECONDS.get(kind, 5) for kind in CORPUS_KINDS) <= 60


def test_no_file_is_expected_to_crash() -> None:
    lines = [line for lines in EXPECTED.values() for line in lines.values()]
    assert len(lines) > 700
    assert not [line for line in lines if not ("→" in line or line.startswith("refused · "))]


def test_each_collected_file_has_its_line(corpus: Path) -> None:
    for kind, paths in collected(corpus).items():
        assert sorted({asked(key)[0] for key in EXPECTED[kind]}) == paths
        files = [path for path in paths if path not in EXPECTED[kind]]
        assert not files, "each is also read as it is"


@pytest.mark.parametrize("kind", CORPUS_KINDS)
def test_corpus(corpus: Path, kind: str) -> None:
    told = confirmations()
    differ: list[str] = []
    seconds: dict[str, float] = {}
    for key, line in EXPECTED[kind].items():
        found = look(corpus / kind, key)
        seconds[key] = found.seconds
        _, bad = confirmed(told.get(f"{kind}/{key}", []), found.counted)
        _, wrong = by_itself(corpus / kind / asked(key)[0], found.counted)
        if found.line != line:
            differ.append(f"{key}\n  expected {line}\n  found    {found.line}")
        differ += [f"{key}\n  {each}" for each in bad + wrong]
    assert not differ, "\n".join([*differ, "scripts/corpus-table prints this too"])
    slowest = sorted(seconds, key=seconds.__getitem__, reverse=True)[:5]
    said = "\n".join(f"{seconds[key]:.2f} s {key}" for key in slowest)
    assert sum(seconds.values()) < SECONDS.get(kind, 5), said


def test_what_others_published_is_about_files_in_the_table() -> None:
    keys = {f"{kind}/{key}" for kind, lines in EXPECTED.items() for key in lines}
    assert not set(confirmations()) - keys
    assert len(confirmations()) >= 40


def test_a_figure_that_differs_is_seen() -> None:
    """The comparison itself: what it is given to find, it finds."""
    counted = tally(formats.read("lenet-5"))
    wrong = corpus_table.parse_claim("parameters = 1", work="nobody")
    good, bad = confirmed([wrong], counted)
    assert not good
    assert bad == ["parameters = 1 (nobody), ours: " + f"{counted.parameters:,}"]
    assert confirmed([wrong], None)[1] == ["parameters = 1 (nobody), ours: refused"]


def test_what_an_onnx_file_states_is_compared(corpus: Path) -> None:
    folder = corpus / "onnx-node-tests/onnx-1.16.2-wheel"
    path = folder / "test_maxpool_2d_default.onnx"
    other = look(folder, "test_maxpool_2d_strides.onnx").counted
    assert by_itself(path, look(folder, path.name).counted) == (["sizes: the file itself"], [])
    assert by_itself(path, other)[1] == ["an output is stated as 1x3x31x31, ours: 1x3x10x10"]


TINY = "mlcommons__tiny/benchmark/training"
TWICE = [
    (
        f"{TINY}/anomaly_detection/trained_models/ad01.h5.model_config.json",
        f"{TINY}/anomaly_detection/trained_models/ToyCar/baseline_tf23/model/model_ToyCar_quant.tflite",
    ),
    (
        f"{TINY}/image_classification/trained_models/pretrainedResnet.h5.model_config.json",
        f"{TINY}/image_classification/trained_models/pretrainedResnet.tflite",
    ),
    (
        f"{TINY}/streaming_wakeword/trained_models/str_ww_ref_model.h5.model_config.json",
        f"{TINY}/streaming_wakeword/trained_models/str_ww_ref_model.tflite",
    ),
    (
        f"{TINY}/visual_wake_words/trained_models/vww_96.h5.model_config.json",
        f"{TINY}/visual_wake_words/trained_models/vww_96_int8.tflite",
    ),
]
"""Networks that are there from Keras, and as what TensorFlow's converter made of them."""


@pytest.mark.parametrize(("keras", "tflite"), TWICE)
def test_a_network_in_two_formats_does_the_same_work(keras: str, tflite: str) -> None:
    one, two = EXPECTED["keras-json"][keras], EXPECTED["tflite"][tflite]
    assert one.split(" · ")[2] == two.split(" · ")[2]
    assert one.split(" · ")[0] == two.split(" · ")[0]


# --- files that are wrong -----------------------------------------------------------------------


def test_ten_wrong_files_a_format() -> None:
    assert set(MALFORMED) == set(formats.FORMATS)
    assert all(len(cases) >= 10 for cases in MALFORMED.values())
    listed = [f"{name}/{what}" for name, cases in MALFORMED.items() for what in cases]
    assert sorted(EXPECTED["malformed"]) == sorted(listed)


@pytest.mark.parametrize("name", list(MALFORMED))
def test_malformed(name: str, tmp_path: Path) -> None:
    for what, data in MALFORMED[name].items():
        line = EXPECTED["malformed"][f"{name}/{what}"]
        assert corpus_table.look_malformed(name, what, tmp_path) == line, what
        assert line.startswith("refused · "), what
        assert data


def test_a_message_names_the_file_and_is_short(tmp_path: Path) -> None:
    for name, cases in MALFORMED.items():
        reader = formats.format_module(name)
        for what, data in cases.items():
            source = Source(
                f"some{SUFFIXES[name]}",
                data.encode() if isinstance(data, str) else data,
                INPUTS.get(name, {}),
            )
            with pytest.raises(NettallyError) as caught:
                tally(reader.read(source))
            said = str(caught.value)
            assert said.startswith(f"some{SUFFIXES[name]}"), what
            assert len(said) < 1000, what


# --- the command --------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nettally", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", list(MALFORMED))
def test_the_command_ends_with_0_or_2(name: str, tmp_path: Path) -> None:
    """Three files: one that is read, one that is cut off, one that is wrong."""
    from seeds import MADE

    seed = MADE[name][0]
    good = seed.encode() if isinstance(seed, str) else seed
    bad = next(iter(MALFORMED[name].values()))
    files = [good, good[: len(good) // 2], bad.encode() if isinstance(bad, str) else bad]
    codes: list[int] = []
    for i, data in enumerate(files):
        path = tmp_path / f"x{i}{SUFFIXES[name]}"
        path.write_bytes(data)
        sizes = ["--input", "3x32x32"] if name in INPUTS else []
        done = command("tally", str(path), *sizes)
        assert done.returncode in (0, 2), done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert bool(done.stdout) == (done.returncode == 0)
        assert bool(done.stderr) == (done.returncode == 2)
        if done.returncode == 2:
            assert done.stderr.startswith("error: ")
            assert str(path) in done.stderr
        codes.append(done.returncode)
    assert codes[0] == 0
    assert codes[2] == 2


def test_the_command_on_collected_files(corpus: Path) -> None:
    """The first, the middle and the last file of each kind, in the table and as JSON."""
    for kind, paths in collected(corpus).items():
        for path in {paths[0], paths[len(paths) // 2], paths[-1]}:
            line = EXPECTED[kind][path]
            done = command("tally", str(corpus / kind / path))
            assert done.returncode == (2 if line.startswith("refused") else 0), done.stderr
            assert "Traceback" not in done.stderr
            told = line.split(" · ")[1]
            if done.returncode == 0:
                assert told.removeprefix("at least ").split()[0] in done.stdout
            else:
                assert told.partition(": ")[2] in done.stderr or told in done.stderr


def test_a_table_written_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {
        "x": {
            "a/b/c.cfg": "1x3 → 1x4 · 0 parameters",
            "a/b/d #1.cfg": "refused · it's: wrong",
            f"a/e.cfg{WITH}3x4": "CRASHED · ",
            "f.cfg": "? → ?",
        },
        "nothing": {},
    }
    text = corpus_table.written(lines, {"x/f.cfg": ["parameters: somebody"]})
    monkeypatch.setattr(corpus_table, "TABLE", tmp_path / "table.yaml")
    (tmp_path / "table.yaml").write_text(text, "utf-8")
    assert corpus_table.load() == lines
    assert "f.cfg: '? → ?'  # parameters: somebody\n" in text
