"""Reading modules while other things happen: signals, errors, threads, forks, tasks, other reads.

Run as a script it sends as many signals as it is told to, 1,000 unless it is told:
``python tests/test_pytorch_interrupted.py 1000``.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

import nettally
from everyday import Everyday, made, module_with, read, seed
from everyday_keeping import KEEPING
from everyday_writing import WRITING
from picture import differences, picture, random_states, settings
from random_modules import random_module

SIGNALS = 60
READERS = 8
STEPS = 40


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.b = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(inplace=True), nn.Dropout(0.2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.b(self.a(x))


# 64 places of (8 filters of 72 and 8 of 8), 12 times; a block has 584 + 16 + 72
BLOCKS = Everyday(
    lambda: nn.Sequential(*[Residual(8) for _ in range(12)]), (2, 8, 8, 8), 983_040, 8_064,
    mode="train",
)  # fmt: skip
POOL: dict[str, Everyday] = {
    "blocks": BLOCKS,
    **{name: WRITING[name] for name in ("average of weights", "memory bank", "draw that decides")},
    **{name: WRITING[name] for name in ("statistics and a question", "masked at random")},
    **{name: KEEPING[name] for name in ("many containers", "cache with slots", "list of pairs")},
}
"""Modules whose forwards draw no random numbers but torch's."""


@pytest.fixture(autouse=True)
def _one_thread_of_torch() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def numbers(everyday: Everyday, module: nn.Module, inputs: Any) -> tuple[int, int]:
    tally = nettally.tally(read(everyday, module, inputs))
    return tally.macs, tally.parameters


def right(everyday: Everyday) -> tuple[int, int]:
    return everyday.macs, everyday.parameters


# --- signals -------------------------------------------------------------------------------------


@contextmanager
def interrupting() -> Iterator[Callable[[float, Callable[[], Any]], bool]]:
    """Within it, a function that runs another one and interrupts it after some seconds.

    It answers whether the interrupt came before the end. Where Python has to ignore an interrupt,
    as in a destructor, nothing is printed.
    """

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def run(delay: float, action: Callable[[], Any]) -> bool:
        try:
            signal.setitimer(signal.ITIMER_REAL, delay)
            try:
                action()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            return True
        return False

    handler, hook = signal.signal(signal.SIGALRM, interrupt), sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield run
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        sys.unraisablehook = hook


def faults_of_interrupts(signals: int) -> tuple[int, list[str]]:
    """How many reads were interrupted, and what was wrong after one of them."""
    rng = random.Random(signals)
    interrupted, faults = 0, []
    pool = [*POOL.values(), *(random_module(i) for i in range(0, 40, 2))]
    built = [made(everyday) for everyday in pool]
    spent: list[float] = []
    for everyday, (module, inputs) in zip(pool, built, strict=True):
        for _ in range(2):
            start = time.perf_counter()
            read(everyday, module, inputs)
            took = time.perf_counter() - start
        spent.append(took)
    built = [made(everyday) for everyday in pool]
    before = [picture(*each) for each in built]
    around = [random_states(), settings()]
    with interrupting() as run:
        for i in range(signals):
            k = rng.randrange(len(pool))
            module, inputs = built[k]
            delay = max(rng.uniform(0, spent[k]), 1e-6)
            changed: list[str] = []
            try:
                interrupted += run(delay, lambda k=k, m=module, x=inputs: read(pool[k], m, x))
            except Exception as error:
                changed.append(f"the read raises {type(error).__name__}: {error}")
            changed += differences(before[k], picture(module, inputs))
            changed += differences(around[0], random_states())
            changed += differences(around[1], settings())
            try:
                if numbers(pool[k], module, inputs) != right(pool[k]):
                    changed.append("the next read gives other numbers")
            except Exception as error:
                changed.append(f"the next read raises {type(error).__name__}: {error}")
            if changed:
                faults.append(f"signal {i}: {len(changed)} changed, as {changed[0][:300]}")
                built[k] = made(pool[k])
                before[k] = picture(*built[k])
                around = [random_states(), settings()]
    return interrupted, faults


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that send signals")
def test_an_interrupt_at_any_moment_changes_nothing() -> None:
    interrupted, faults = faults_of_interrupts(SIGNALS)
    assert not faults, f"{len(faults)} of {interrupted}:\n" + "\n".join(faults[:5])
    assert interrupted > SIGNALS // 4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_error_raised_in_another_thread_changes_nothing() -> None:
    """As notebooks and servers stop a worker: an exception is put into a thread that reads."""

    class Stop(BaseException):
        pass

    module, inputs = made(BLOCKS)
    before, around = picture(module), settings()
    rng, stopped = random.Random(0), 0
    for _ in range(SIGNALS // 2):
        ready, over = threading.Event(), threading.Event()
        outcome: list[str] = []

        def work(
            ready: threading.Event = ready,
            over: threading.Event = over,
            outcome: list[str] = outcome,
        ) -> None:
            try:
                ready.set()
                while not over.is_set():
                    read(BLOCKS, module, inputs)
            except Stop:
                outcome.append("stopped")
            except BaseException as error:
                outcome.append(repr(error))

        thread = threading.Thread(target=work)
        thread.start()
        ready.wait()
        time.sleep(rng.uniform(0, 0.01))
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stop)
        )
        thread.join(5)
        over.set()  # Python drops an exception that comes while it runs a callback of its own
        thread.join()
        assert outcome in (["stopped"], [])
        stopped += len(outcome)
        assert numbers(BLOCKS, module, inputs) == right(BLOCKS)
    assert stopped > SIGNALS // 4
    assert not differences(before, picture(module))
    assert not differences(around, settings())


@pytest.mark.parametrize(
    "error", [KeyError, MemoryError, RecursionError, KeyboardInterrupt, SystemExit, GeneratorExit]
)
@pytest.mark.parametrize("name", ["average of weights", "many containers", "memory bank"])
def test_a_forward_that_raises_changes_nothing(name: str, error: type[BaseException]) -> None:
    """What is no Exception goes through as it is."""
    everyday = POOL[name]
    module, inputs = made(everyday)
    forward = type(module).forward

    def failing(self: Any, x: torch.Tensor) -> torch.Tensor:
        forward(self, x)
        raise error

    type(module).forward = failing
    before = [picture(module), random_states(), settings()]
    with pytest.raises((error, nettally.NettallyError)) as caught:
        read(everyday, module, inputs)
    assert isinstance(caught.value, error) or isinstance(caught.value.__cause__, error)
    assert isinstance(caught.value, error) or issubclass(error, Exception)
    after = [picture(module), random_states(), settings()]
    assert [line for i in range(3) for line in differences(before[i], after[i])] == []


# --- a read within a read ------------------------------------------------------------------------

ANSWERS: list[int] = []
OTHER = nn.Sequential(nn.Linear(7, 3), nn.BatchNorm1d(3))


def reads_another(self: Any, x: torch.Tensor) -> torch.Tensor:
    ANSWERS.append(nettally.tally(nettally.read(OTHER, (2, 7))).macs)
    return self.inner(x)


def reads_its_own_part(self: Any, x: torch.Tensor) -> torch.Tensor:
    y = self.inner(x)
    ANSWERS.append(nettally.tally(nettally.read(self.inner, tuple(x.shape))).macs)
    return self.inner(y)


def reads_itself(self: Any, x: torch.Tensor) -> torch.Tensor:
    if self.depth < 3:
        self.depth += 1
        ANSWERS.append(nettally.tally(nettally.read(self, tuple(x.shape))).macs)
    return self.inner(x)


def reads_on_its_own_tensors(self: Any, x: torch.Tensor) -> torch.Tensor:
    ANSWERS.append(nettally.tally(nettally.read(self.inner, input_data=self.inner(x))).macs)
    return x


def reads_with_an_error(self: Any, x: torch.Tensor) -> torch.Tensor:
    try:
        nettally.read(self.inner, (2, 99))
    except nettally.NettallyError:
        ANSWERS.append(0)
    return self.inner(x)


def prints_a_summary(self: Any, x: torch.Tensor) -> torch.Tensor:
    summary = nettally.summary(self.inner, tuple(x.shape), verbose=0)
    ANSWERS.append(summary.total_mult_adds)
    assert "Linear" in str(summary)
    return self.inner(x)


NESTED: dict[str, tuple[Callable[..., Any], int, list[int]]] = {
    # 3 × 4 × 4 is one call of the inner layer, 2 × 7 × 3 of the other module
    "another": (reads_another, 48, [42]),
    "its own part": (reads_its_own_part, 96, [48]),
    "itself, three deep": (reads_itself, 48, [48, 48, 48]),
    "its own tensors": (reads_on_its_own_tensors, 48, [48]),
    "with an error": (reads_with_an_error, 48, [0]),
    "a summary": (prints_a_summary, 48, [48]),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_forward_may_read(name: str) -> None:
    forward, macs, answers = NESTED[name]
    module = module_with(forward, inner=nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), depth=0)
    module.inner.register_forward_hook(lambda *_: nettally.read(OTHER, (1, 7)) and None)
    before = [picture(module, OTHER), random_states(), settings()]
    ANSWERS.clear()
    tally = nettally.tally(nettally.read(module, (3, 4)))
    assert (tally.macs, tally.parameters) == (macs, 28)
    assert answers == ANSWERS
    ANSWERS.clear()
    after = [picture(module, OTHER), random_states(), settings()]
    assert [line for i in range(3) for line in differences(before[i], after[i])] == []


# --- threads -------------------------------------------------------------------------------------


class Classifier(nn.Module):
    """With dropout from torch's own random numbers, or with noise from a generator of its own."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.head = nn.Linear(16, 3)
        self.generator = torch.Generator().manual_seed(1) if own else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        if self.generator is None:
            return self.head(nn.functional.dropout(y, 0.2, self.training))
        return self.head(y + torch.rand(y.shape, generator=self.generator))


# 4 × (8 × 16 + 16 × 3); 144 + 32 + 51
CLASSIFIER = Everyday(lambda: Classifier(False), (4, 8), 704, 227)


def trained(module: nn.Module, numbers_of_data: torch.Generator) -> list[str]:
    """Forty steps of training; what is not as it has to be meanwhile."""
    faults: list[str] = []
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    for step in range(STEPS):
        x = torch.randn(4, 8, generator=numbers_of_data)
        loss = nn.functional.cross_entropy(module(x), torch.tensor([0, 1, 2, step % 3]))
        if not (module.training and torch.is_grad_enabled() and loss.requires_grad):
            faults.append(f"step {step} is not in training")
        if type(loss) is not torch.Tensor or loss.is_meta:
            faults.append(f"step {step} gives {type(loss)} on {loss.device}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return faults


class Crowd:
    """Threads that run at once; what they raise is kept."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.threads: list[threading.Thread] = []

    def start(self, action: Callable[..., Any], *args: Any) -> threading.Thread:
        def run() -> None:
            try:
                self.faults += action(*args) or []
            except BaseException as error:
                self.faults.append(f"{type(error).__name__}: {error}"[:300])

        thread = threading.Thread(target=run, daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def join(self) -> None:
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive(), "a thread hangs"


@contextmanager
def quick_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def train_both(readers: Callable[[list[nn.Module], threading.Event, Crowd], Any]) -> list[Any]:
    """Two trainings at once, one of which draws torch's own numbers, beside readers; all states."""
    torch.manual_seed(7)
    modules: list[nn.Module] = [Classifier(own=False), Classifier(own=True)]
    crowd, done = Crowd(), threading.Event()
    torch.manual_seed(8)
    with quick_switches():
        readers(modules, done, crowd)
        data = [torch.Generator().manual_seed(i) for i in range(2)]
        trainers = [crowd.start(trained, modules[i], data[i]) for i in range(2)]
        for thread in trainers:
            thread.join(120)
        done.set()
        crowd.join()
    assert crowd.faults == []
    return [picture(*modules, identity=False), torch.get_rng_state().tolist()]


def test_threads_read_while_others_train() -> None:
    """Eight readers of the same modules and of those in training: each number is right.

    The trainings end with the bits that they end with alone, and so do torch's random numbers.
    """
    pool = list(POOL.values())
    built = [made(everyday) for everyday in pool]
    before = [picture(*each) for each in built]
    rounds = [0] * READERS

    def reader(i: int, trainees: list[nn.Module], done: threading.Event) -> list[str]:
        order, faults = random.Random(i), []
        while not done.is_set() or rounds[i] < 5:
            k = order.randrange(len(pool))
            if numbers(pool[k], *built[k]) != right(pool[k]):
                faults.append(f"other numbers of module {k}")
            if numbers(CLASSIFIER, trainees[i % 2], (4, 8)) != right(CLASSIFIER):
                faults.append("other numbers of a module in training")
            rounds[i] += 1
        return faults

    def eight(trainees: list[nn.Module], done: threading.Event, crowd: Crowd) -> None:
        for i in range(READERS):
            crowd.start(reader, i, trainees, done)

    alone = train_both(lambda *_: None)
    beside = train_both(eight)
    assert not differences(alone[0], beside[0])
    assert alone[1] == beside[1]
    changed = [
        line for k in range(len(pool)) for line in differences(before[k], picture(*built[k]))
    ]
    assert changed == []
    assert min(rounds) >= 5


def test_a_training_is_the_same_twice() -> None:
    """What the test above relies on; and other random numbers give another training."""
    first, second = train_both(lambda *_: None), train_both(lambda *_: None)
    assert not differences(first[0], second[0])

    def draws(*_: Any) -> None:
        torch.rand(1)

    assert differences(first[0], train_both(draws)[0])


# --- forks and tasks -----------------------------------------------------------------------------


def in_a_child(action: Callable[[], str]) -> str:
    """What the action answers in a forked process, which ends after a minute at the latest."""
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # later Pythons warn of forks beside threads
        pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)
            try:
                answer = action()
            except BaseException as error:
                answer = f"{type(error).__name__}: {error}"
            os.write(theirs, answer.encode()[:4000])
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        answer = file.read().decode()
    os.waitpid(pid, 0)
    return answer or "the child died"


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def reads_all() -> str:
    for name, everyday in POOL.items():
        module, inputs = made(everyday)
        before = picture(module, inputs)
        if numbers(everyday, module, inputs) != right(everyday):
            return f"other numbers of {name}"
        if changed := differences(before, picture(module, inputs)):
            return f"{name}: {changed[0]}"
    return "right"


@needs_fork
def test_a_child_reads() -> None:
    assert in_a_child(reads_all) == "right"
    assert reads_all() == "right"


@needs_fork
def test_a_child_reads_that_was_forked_while_others_read() -> None:
    """No lock is held in the child, whose other threads are gone."""
    done, crowd = threading.Event(), Crowd()
    ready = threading.Barrier(4)

    def reader() -> list[str]:
        module, inputs = made(BLOCKS)
        numbers(BLOCKS, module, inputs)
        ready.wait()  # a first read holds the locks of imports, and torch.manual_seed one of torch
        while not done.is_set():
            if numbers(BLOCKS, module, inputs) != right(BLOCKS):
                return ["other numbers"]
        return []

    with quick_switches():
        for _ in range(3):
            crowd.start(reader)
        ready.wait()
        answers = [in_a_child(reads_all) for _ in range(6)]
        done.set()
        crowd.join()
    assert answers == ["right"] * 6
    assert crowd.faults == []


def test_tasks_read_at_once() -> None:
    """Some in the loop's own thread, some in others."""
    pool = list(POOL.values())
    built = [made(everyday) for everyday in pool]
    before = [picture(*each) for each in built]

    async def one(k: int, in_a_thread: bool) -> bool:
        await asyncio.sleep(0)
        if in_a_thread:
            answer = await asyncio.to_thread(numbers, pool[k], *built[k])
        else:
            answer = numbers(pool[k], *built[k])
        await asyncio.sleep(0)
        return answer == right(pool[k]) and torch.is_grad_enabled()

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*[one(i % len(pool), i % 2 == 0) for i in range(60)])

    around = [settings(), torch.get_rng_state().tolist()]
    with quick_switches():
        assert all(asyncio.run(all_of_them()))
    assert [settings(), torch.get_rng_state().tolist()] == around
    assert [
        line for k in range(len(pool)) for line in differences(before[k], picture(*built[k]))
    ] == []


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    seed(0)
    sent = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    caught, wrong = faults_of_interrupts(sent)
    sys.stdout.write("\n".join([*wrong[:20], f"{sent} signals, {caught} reads interrupted, "]))
    sys.stdout.write(f"{len(wrong)} with faults\n")
    sys.exit(bool(wrong))
