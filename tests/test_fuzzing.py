"""A short turn of each fuzzing target, the same each time; scripts/fuzz goes on from there."""

from __future__ import annotations

import pytest

import mutate
from nettally import formats
from seeds import MADE, seeds
from targets import TARGETS

FILES = 150
"""How many changed files are tried of each; some formats read 10,000 a second, some 100."""


def test_each_format_has_seeds_and_a_target() -> None:
    assert set(formats.FORMATS) < set(TARGETS)
    assert set(MADE) == set(TARGETS)


@pytest.mark.parametrize("name", list(MADE))
def test_seeds_and_what_is_near_them(name: str) -> None:
    run = TARGETS[name].run
    made = seeds(name)[: len(MADE[name])]
    for seed in made:
        run(seed)
    mutator = mutate.Mutator(made, seed=20260101)
    for _ in range(FILES):
        run(mutator.next())


@pytest.mark.parametrize("name", list(formats.FORMATS))
def test_the_first_seed_is_read(name: str) -> None:
    reader = formats.format_module(name)
    seed = seeds(name)[0]
    assert reader.sniff(seed[: formats.HEAD], "x" + TARGETS[name].suffix)
    sizes = {"": (3, 32, 32)} if name == "cuda_convnet" else {}
    assert reader.read(formats.Source("x", seed, sizes)).nodes


def test_the_same_seed_makes_the_same_files() -> None:
    one, two = (mutate.Mutator([b"a 12 b\nc", b"\0\1"], seed=7) for _ in range(2))
    made = [one.next() for _ in range(200)]
    assert made == [two.next() for _ in range(200)]
    assert len(set(made)) > 100
    assert max(map(len, made)) <= mutate.LONGEST


def test_what_a_target_must_not_do_is_seen() -> None:
    """An error that is not ours comes out of a target; the fuzzer keeps what comes out."""

    def wrong(_: bytes) -> None:
        raise IndexError

    target = TARGETS["expression"]._replace(run=wrong)
    with pytest.raises(IndexError):
        target.run(b"")
