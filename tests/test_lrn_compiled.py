"""What is compiled for local response normalisation: how it comes to be there, and how it is used.

The numbers it makes are held to torch's in test_lrn.py, beside those of the other ways.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from nettally.building.response_normalization import (
    compiled,
    compiling,
    how_it_runs,
    local_response_norm,
)
from nettally.building.response_normalization.whole import Terms, whole, whole_gradient

SOURCE = Path(compiled.__file__).with_name("kernel.c")
FLOAT = "STORED=1"
HERE = compiled.function(torch.float32)

needs = pytest.mark.skipif(
    HERE.function is None, reason=f"nothing is compiled here: {HERE.description}"
)


def test_where_there_is_a_compiler_it_is_used() -> None:
    """Otherwise a kernel that is wrong would only make the other tests be skipped."""
    try:
        compiling._compiler()
    except compiling.NotCompiled:
        pytest.skip("no compiler is here")
    if os.environ.get(compiling.SWITCH) == "0":
        pytest.skip("it is switched off")
    for kind in (torch.float32, torch.float64, torch.bfloat16):
        assert how_it_runs(kind).startswith("compiled by "), how_it_runs(kind)


# --- what it computes ---------------------------------------------------------------------------


@needs
@given(data=st.data())
def test_of_any_shape_and_strides(data: st.DataObject) -> None:
    groups = data.draw(st.integers(1, 3))
    channels = groups * data.draw(st.integers(1, 6))
    space = data.draw(st.lists(st.integers(0, 7), min_size=1, max_size=3))
    shape = (data.draw(st.integers(0, 3)), channels, *space)
    order = data.draw(st.permutations(range(len(shape))))
    back = [order.index(i) for i in range(len(shape))]
    across = data.draw(st.booleans())
    beta = data.draw(st.sampled_from([0.75, 0.5, 1.0, 0.3]))
    terms = Terms(data.draw(st.integers(1, 20)), 0.7, beta, 1.5, groups, across)
    torch.manual_seed(data.draw(st.integers(0, 9)))
    # laid out in another order, and every second value of a larger tensor
    x, g = (
        torch.randn(*[shape[i] for i in order], 2, dtype=torch.double)[..., 0].permute(back)
        for _ in range(2)
    )
    ours, best = compiled.normalised(x, terms), whole(x, terms)
    torch.testing.assert_close(ours, best, rtol=1e-12, atol=1e-13)
    ours, best = compiled.gradient(x, g, terms), whole_gradient(x, g, terms)
    torch.testing.assert_close(ours, best, rtol=1e-12, atol=1e-13)


@needs
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("size", [3, 5, 4])
def test_infinities_and_nan_are_where_torchs_are(size: int, across: bool) -> None:
    """And what is beside them is as right as ever: the fast way to a power is not taken there."""
    terms = Terms(size, 0.7, 0.75, 1.0, 2, across)
    for odd in (float("inf"), float("nan"), -float("inf"), 1e25, 1e19, 1e13, 0.0):
        x = torch.randn(2, 32, 9, 9)
        x[1, 5, 4, 4] = odd
        g = torch.randn_like(x)
        pairs = (
            (compiled.normalised(x, terms), whole(x, terms)),
            (compiled.gradient(x, g, terms), whole_gradient(x, g, terms)),
        )
        for ours, best in pairs:
            torch.testing.assert_close(ours, best, rtol=1e-5, atol=1e-6, equal_nan=True)
    x = torch.zeros(1, 4, 3, 3)  # 0 over 0
    no_base = Terms(size, 0.7, 0.75, 0.0, 2, across)
    assert torch.isnan(whole(x, no_base)).all()
    assert torch.isnan(compiled.normalised(x, no_base)).all()  # type: ignore[arg-type]
    below = Terms(size, 0.7, 0.75, -5.0, 2, across)
    assert torch.isnan(compiled.normalised(x, below)).all()  # type: ignore[arg-type]


@needs
def test_an_infinity_as_torchs_own_has_it() -> None:
    x = torch.randn(2, 8, 4, 4)
    x[0, 3, 1, 1] = float("inf")
    best = functional.local_response_norm(x, 5, 0.7)
    torch.testing.assert_close(local_response_norm(x, 5, 0.7), best, equal_nan=True)


@needs
def test_powers_to_a_floats_rounding() -> None:
    """Over all of its range; the worst is told where this fails."""
    d = torch.logspace(-37, 38, 200_000, dtype=torch.double).float().reshape(1, 1, -1)
    for beta in (0.75, 0.5, 1.0):
        # one neighbour, x of 1, alpha of 0: what is left is d^-beta for a k
        for k in (1e-30, 1e-20, 0.1, 1.0, 3.0, 1e20):
            terms = Terms(1, 0.0, beta, k, 1, False)
            got = compiled.normalised(torch.ones(1, 1, 64), terms)
            assert got is not None
            torch.testing.assert_close(got.double(), got.double() * 0 + k**-beta, rtol=4e-7, atol=0)
        # … and d as 1 · x², within what a float holds of x²
        x = d.sqrt()
        got = compiled.normalised(x, Terms(1, 1.0, beta, 0.0, 1, False))
        assert got is not None
        best = x.double() * (x * x).double() ** -beta
        torch.testing.assert_close(got.double(), best, rtol=6e-7, atol=0)


@needs
def test_many_threads_at_once() -> None:
    x = torch.randn(8, 16, 33, 33)
    g = torch.randn_like(x)
    terms = Terms(5, 0.7, 0.75, 1.5, 2, False)
    best = compiled.normalised(x, terms), compiled.gradient(x, g, terms)

    def once(_: int) -> bool:
        y, dx = compiled.normalised(x, terms), compiled.gradient(x, g, terms)
        return torch.equal(y, best[0]) and torch.equal(dx, best[1])  # type: ignore[arg-type]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(once, range(64)))


@needs
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_on_threads_of_its_own(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch's are not to be had."""
    x = torch.randn(8, 16, 33, 33)
    terms = Terms(5, 0.7, 0.75, 1.5, 2, False)
    best = compiled.normalised(x, terms)
    monkeypatch.setattr(compiled, "_openmp", lambda: None)
    monkeypatch.setattr(compiled, "ALONE", 1000)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert torch.equal(compiled.normalised(x, terms), best)  # type: ignore[arg-type]


@needs
def test_no_memory_for_the_buffers() -> None:
    def failing(*_: Any) -> int:
        return 1

    with pytest.raises(MemoryError, match="no memory for the buffers of local response norm"):
        compiled._run(failing, torch.ones(1, 2, 3), None, Terms(1, 1.0, 1.0, 1.0, 1, False))


# --- in processes of their own ------------------------------------------------------------------


def run(code: str, **environment: str) -> str:
    """What a fresh process prints."""
    known = {**os.environ, "PYTHONPATH": str(Path(compiled.__file__).parents[3]), **environment}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(
        command, env=known, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


HOW = """
    import torch
    from nettally.building.response_normalization import how_it_runs, local_response_norm
    from torch.nn import functional
    x = torch.randn(2, 8, 5, 5)
    best = functional.local_response_norm(x, 5, 0.7)
    torch.testing.assert_close(local_response_norm(x, 5, 0.7), best)
    print(how_it_runs())
"""


@needs
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_fork_after_it_was_used() -> None:
    """The child has not the threads that its parent started, and must not wait for them."""
    code = """
        import os, signal, torch
        from nettally.building.response_normalization import local_response_norm
        torch.set_num_threads(2)
        x = torch.randn(8, 32, 55, 55)
        best = local_response_norm(x, 5)
        child = os.fork()
        if not child:
            signal.alarm(60)
            y = local_response_norm(x, 5)
            torch.set_num_threads(1)  # torch's own comparison would wait
            same = torch.equal(y, best)
            os._exit(0 if same else 1)
        print(os.waitpid(child, 0)[1])
    """
    known = {**os.environ, "PYTHONPATH": str(Path(compiled.__file__).parents[3])}
    command = [sys.executable, "-c", textwrap.dedent(code)]  # Python may warn of the fork
    done = subprocess.run(
        command, env=known, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.strip() == "0", done.stderr


def test_it_can_be_switched_off() -> None:
    said = run(HOW, NETTALLY_COMPILE="0")
    assert said == "by torch's operations, in blocks: NETTALLY_COMPILE is 0"


def compiler(folder: Path, script: str) -> str:
    """A PATH with a compiler of ours alone."""
    folder.mkdir()
    for name in ("cc", "gcc", "clang"):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "echo 'x.c:1: error: no such thing' >&2; exit 1",
            "cc failed: x.c:1: error: no such thing",
        ),
        ("exit 3", "cc failed: exit status 3"),
        # what -o names
        ('while [ "$1" != -o ]; do shift; done; echo rubbish > "$2"', "can't be loaded"),
        ("exit 0", "can't be loaded"),  # it says that all is well, and makes nothing
    ],
)
def test_a_broken_compiler_is_done_without(script: str, why: str, tmp_path: Path) -> None:
    path = compiler(tmp_path / "bin", script)
    said = run(HOW, PATH=path, CC="", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert said.startswith("by torch's operations, in blocks: ")
    assert why in said


def test_no_compiler(tmp_path: Path) -> None:
    said = run(HOW, PATH=str(tmp_path), CC="", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert said == "by torch's operations, in blocks: no C compiler was found"


@needs
@pytest.mark.parametrize(
    ("there", "instead", "why"),
    [
        (b"lrn_run", b"another", "has not the function"),
        (b"size / 2 * shift", b"size / 3 * shift", "does not compute what it should"),
        (b"0.15625f", b"0.35625f", "does not compute what it should"),
        (b"-2 * t->beta", b"-1 * t->beta", "does not compute what it should"),
        (b"rest of this file", b"", None),
    ],
)
def test_wrong_numbers_are_found_out(
    there: bytes, instead: bytes, why: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constant changed, as a compiler's fault might; the last changes nothing, and is taken."""
    source = tmp_path / "kernel.c"
    text = SOURCE.read_bytes()
    assert there in text or why is None
    source.write_bytes(text.replace(there, instead))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "_lrn_compiled.py"))
    found = compiled.function.__wrapped__(torch.float32)
    assert (found.function is None) == (why is not None)
    assert why is None or why in found.description


# --- where it is kept ---------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nettally"


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that something was compiled in."""
    seen: list[str] = []
    compile_ = compiling._compile

    def noted(compiler: list[str], text: bytes, defined: str, folder: Path, name: str) -> Path:
        seen.append(str(folder))
        return compile_(compiler, text, defined, folder, name)

    monkeypatch.setattr(compiling, "_compile", noted)
    return seen


@needs
def test_it_is_compiled_once_and_kept(cache: Path, compilations: list[str]) -> None:
    for _ in range(2):
        assert compiling.load(SOURCE, FLOAT)[0].lrn_run
    assert compilations == [str(cache)]
    (kept,) = cache.iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == stat.S_IMODE(kept.stat().st_mode) == 0o700
    compiling.load(SOURCE, "STORED=2")
    assert len(compilations) == 2


@needs
def test_what_was_changed_or_cut_short_is_not_loaded(cache: Path, compilations: list[str]) -> None:
    compiling.load(SOURCE, FLOAT)
    (kept,) = cache.iterdir()
    whole_ = kept.read_bytes()
    kept.unlink()  # it is mapped into this process, and must not be written over there
    kept.write_bytes(whole_[:1000])
    assert compiling.load(SOURCE, FLOAT)[0].lrn_run
    assert len(compilations) == 2
    assert kept.read_bytes() == whole_
    kept.chmod(0o777)  # somebody else may have written to it
    compiling.load(SOURCE, FLOAT)
    assert len(compilations) == 3


@needs
def test_a_folder_that_others_write_to_is_not_used(cache: Path, compilations: list[str]) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    assert compiling.load(SOURCE, FLOAT)[0].lrn_run
    assert not list(cache.iterdir())
    assert compilations != [str(cache)]
    assert not Path(compilations[0]).exists()  # a folder for this process alone, and gone


@needs
def test_nor_one_that_is_anothers_or_a_link(
    cache: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = cache.parent.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    cache.parent.mkdir()
    cache.symlink_to(elsewhere)
    compiling.load(SOURCE, FLOAT)
    assert not list(elsewhere.iterdir())
    cache.unlink()
    cache.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    compiling.load(SOURCE, FLOAT)
    assert not list(cache.iterdir())
    assert len(compilations) == 2


@needs
def test_a_cache_that_can_not_be_written(cache: Path, compilations: list[str]) -> None:
    cache.parent.write_text("a file where the folder should be")
    assert compiling.load(SOURCE, FLOAT)[0].lrn_run
    assert len(compilations) == 1


@needs
def test_a_full_disk(cache: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    mkstemp = compiling.tempfile.mkstemp

    def full(*args: Any, dir: Any, **more: Any) -> Any:
        if Path(dir) == cache:
            raise OSError(28, "No space left on device")
        return mkstemp(*args, dir=dir, **more)

    monkeypatch.setattr(compiling.tempfile, "mkstemp", full)
    assert compiling.load(SOURCE, FLOAT)[0].lrn_run
    assert len(compilations) == 2


@needs
def test_processes_that_race(tmp_path: Path) -> None:
    known = {
        **os.environ,
        "PYTHONPATH": str(Path(compiled.__file__).parents[3]),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(HOW)]
    racing = [
        subprocess.Popen(command, env=known, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for each in racing:
        said, _ = each.communicate(timeout=300)
        assert each.returncode == 0
        assert said.startswith("compiled by ")
    names = [path.name for path in (tmp_path / "cache" / "nettally").iterdir()]
    assert all(name.endswith(".so") for name in names)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no compiler is here")
    with pytest.raises(compiling.NotCompiled) as caught:
        compiling.load(tmp_path / "none.c", FLOAT)
    assert str(caught.value) == "none.c can't be read: No such file or directory"


def test_how_it_runs_is_said() -> None:
    assert how_it_runs() == HERE.description or how_it_runs().endswith(HERE.description)
    assert how_it_runs(torch.int32).endswith("in blocks: not for torch.int32")
    assert "no kernel for mps" in how_it_runs(device="mps")
