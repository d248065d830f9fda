"""Each command that answers about NET is a function of the same name, which takes NET as it comes.

NET is a name, a path, a torch module with its size, a Network or a Tally. The commands are those
that say so of their arguments, so that a new one is held to the same.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import nettally
from nettally import cli
from nettally.cli.arguments import Net
from nettally.cli.parser import COMMANDS
from nettally.network import Network

NAME = "lenet-5"
CLAIMS = ("parameters = 60,000", "parameters = 61,706")
ACTS = {"export", "train"}
"""These write a file or a run; what they take besides NET is torch's."""


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 24 * 24, 10))


SIZE = (1, 1, 28, 28)


class Question(NamedTuple):
    """ask: the function with what it needs besides NET. answer: what all kinds of NET have in
    common of what it gives. options: the command's, for the same question."""

    ask: Callable[..., Any]
    answer: Callable[[Any], Any]
    options: tuple[str, ...] = ()


def texts(explanations: Any) -> list[str]:
    return [each.text for each in explanations.found]


def both(net: Any, **sizes: Any) -> Any:
    return nettally.diff(net, net, **sizes)


QUESTIONS = {
    "check": Question(
        lambda net, **sizes: nettally.check(net, CLAIMS, **sizes),
        lambda verdicts: [(each.status, int(each.ours)) for each in verdicts],
    ),
    "diff": Question(both, lambda difference: (difference.same, int(difference.b.parameters))),
    "draw": Question(
        nettally.draw, lambda figure: (type(figure).__name__, figure.width, figure.height)
    ),
    "explain": Question(
        lambda net, **sizes: nettally.explain(net, CLAIMS[1], (), **sizes),
        lambda found: (int(found.verdict.ours), texts(found)),
        (CLAIMS[1],),
    ),
    "memory": Question(
        nettally.memory, lambda memory: (memory.training.total, memory.inference.parameters)
    ),
    "reconcile": Question(
        nettally.reconcile,
        lambda found: {each.accounting.name: int(each.parameters) for each in found},
    ),
    "report": Question(
        lambda net, **sizes: nettally.report(net, CLAIMS, **sizes),
        lambda report: [each.status for each in report.audit.verdicts],
    ),
    "tally": Question(nettally.tally, lambda counted: (int(counted.parameters), int(counted.macs))),
}


def commands_about_a_network() -> list[str]:
    names: list[str] = []
    for name in COMMANDS:
        parameters = COMMANDS.find(name).command().params
        if any(isinstance(each.type, Net) for each in parameters):
            names.append(name)
    return sorted(names)


def test_the_commands_are_these() -> None:
    assert set(commands_about_a_network()) == set(QUESTIONS) | ACTS


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_function_is_public(name: str) -> None:
    assert name in nettally.__all__
    assert callable(getattr(nettally, name))


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_kind_of_network_gives_the_same_answer(name: str, tmp_path: Path) -> None:
    """A name, the path of the same network in a file (as text too), the Network, its Tally."""
    question = QUESTIONS[name]
    network = nettally.read(NAME)
    path = tmp_path / f"{NAME}.yaml"
    path.write_text(nettally.write(network), "utf-8")
    kinds = [NAME, path, str(path), network, nettally.tally(network)]
    answers = [question.answer(question.ask(net)) for net in kinds]
    assert answers == [answers[0]] * len(kinds)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_module_is_taken_with_its_size(name: str) -> None:
    """As a size or as data, it answers as the Network that is read of it. It is left as it was."""
    question = QUESTIONS[name]
    module = small().train()
    network = nettally.read(module, SIZE)
    sizes: list[dict[str, Any]] = [
        {"input_size": SIZE},
        {"input_size": SIZE[1:]},
        {"input_data": torch.zeros(SIZE)},
    ]
    answer = question.answer(question.ask(network))
    for size in sizes:
        assert question.answer(question.ask(module, **size)) == answer
    assert module.training


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_module_without_a_size_says_what_to_give(name: str) -> None:
    with pytest.raises(nettally.NettallyError, match=r"input_size=\("):
        QUESTIONS[name].ask(small())


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(
    ("what", "words"),
    [
        (3, "of the type int: 3"),
        (None, "of the type NoneType: None"),
        (["alexnet"], "of the type list"),
        (nn.Linear, "the class Linear(.|\n)*try: an instance of it"),
    ],
)
def test_another_type_says_what_is_taken(name: str, what: Any, words: str) -> None:
    with pytest.raises(nettally.NettallyError) as refusal:
        QUESTIONS[name].ask(what)
    text = str(refusal.value)
    assert text.startswith("this is neither a name, a path nor a torch module")
    assert refusal.match(words)


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_has_been_read_takes_no_other_size(name: str) -> None:
    if name == "diff":
        return  # the size is for the one that is still to be read: see below
    network = nettally.read(NAME)
    for net in (network, nettally.tally(network)):
        with pytest.raises(nettally.NettallyError, match="has been read, with the sizes") as told:
            QUESTIONS[name].ask(net, input_size=(1, 28, 28))
        assert told.match(r"data 1x1x32x32|input 1x1x32x32")


@pytest.mark.parametrize("size", [3, "3x4", (1.5, 2, 3), [(3, 4, 4), (3, 4, 4)], {"data": 3}])
def test_what_is_no_size_says_what_one_is(size: Any) -> None:
    with pytest.raises(nettally.NettallyError, match="not the size of an input"):
        nettally.tally(NAME, input_size=size)


@pytest.mark.parametrize(
    "size", [(3, 227, 227), [3, 227, 227], [(3, 227, 227)], {"data": (3, 227, 227)}]
)
def test_sizes_of_a_name_are_written_as_those_of_a_module(size: Any) -> None:
    counted = nettally.tally("alexnet", input_size=size)
    assert counted.network.inputs == {"data": (1, 3, 227, 227)}


def test_a_size_is_for_the_one_that_is_still_to_be_read() -> None:
    network = nettally.read("alexnet")
    difference = nettally.diff(network, "alexnet", input_size=(3, 227, 227))
    assert difference.inputs == {"data": ((1, 3, 224, 224), (1, 3, 227, 227))}


@pytest.mark.parametrize("name", QUESTIONS)
def test_sizes_are_named(name: str) -> None:
    """By position a size could be mistaken for a claim, an accounting, a style."""
    parameters = inspect.signature(getattr(nettally, name)).parameters
    for size in ("input_size", "input_data"):
        assert parameters[size].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[size].default is None


# --- the same answer as the command's ---------------------------------------------------------


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert cli.run([*words, "--format", "json"]) in (0, 1)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("net", ["alexnet", "read", "tally"])
def test_without_claims_those_of_the_zoo_are_judged(
    net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network: Any = "alexnet" if net == "alexnet" else nettally.read("alexnet")
    network = nettally.tally(network) if net == "tally" else network
    verdicts = nettally.check(network)
    assert [each.status for each in verdicts] == [
        each["status"] for each in printed(capsys, "check", "alexnet")["verdicts"]
    ]
    audit = nettally.report(network).audit
    assert audit.verdicts == tuple(verdicts)


@pytest.mark.parametrize("net", ["alexnet", "read"])
def test_an_explanation_carries_the_claims_of_the_zoo(
    net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network = "alexnet" if net == "alexnet" else nettally.read("alexnet")
    answer = printed(capsys, "explain", "alexnet", "conv1.neurons = 253,440")
    explanations = nettally.explain(network, "conv1.neurons = 253,440")
    assert texts(explanations) == [each["text"] for each in answer["explanations"]]
    assert explanations.found[0].supports
    assert not nettally.explain(network, "conv1.neurons = 253,440", ()).found[0].supports


@pytest.mark.parametrize("net", ["alexnet", "read", "tally"])
def test_without_a_claim_each_that_differs_is_explained(
    net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network: Any = "alexnet" if net == "alexnet" else nettally.read("alexnet")
    network = nettally.tally(network) if net == "tally" else network
    answers = nettally.explain(network)
    assert cli.run(["explain", "alexnet", "--format", "json"]) == 1
    printed_verdicts = json.loads(capsys.readouterr().out)["verdicts"]
    assert [each.status for each in answers.verdicts] == [v["status"] for v in printed_verdicts]
    differing = [each for each in printed_verdicts if each["status"] == "differs"]
    assert len(answers) == len(differing) > 2
    for place, answer in answers.by_place.items():
        assert answers.verdicts[place].claim == answer.claim
        assert texts(answer) == [each["text"] for each in printed_verdicts[place]["explanations"]]
    assert cli.run(["explain", "alexnet"]) == 1
    assert capsys.readouterr().out.split() == str(answers).split()
    assert "<table" in (answers._repr_html_() or "")
    assert "<svg" in (answers._repr_svg_() or "")


def test_claims_that_are_given_are_those_that_are_explained() -> None:
    """As texts, as verdicts, and without any; what is no claim is among the verdicts."""
    claims = ["conv1.neurons = 253,440", "neuron = 5", "parameters = 60 million"]
    answers = nettally.explain("alexnet", claims=claims)
    assert [each.status for each in answers.verdicts] == ["differs", "invalid", "truncates"]
    assert answers == nettally.explain("alexnet", claims=answers.verdicts)
    assert repr(answers) == "<ExplainedClaims of alexnet: 1 of 3 differ>"
    assert nettally.explain("alexnet", claims=()) == ()
    with pytest.raises(nettally.NettallyError, match="no claims about Sequential come with"):
        nettally.explain(small(), input_size=SIZE)


def test_an_accounting_is_a_name_a_file_or_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_name = nettally.tally("resnet-50", "keras")
    answer = printed(capsys, "tally", "resnet-50", "--accounting", "keras")
    assert int(by_name.parameters) == answer["totals"]["parameters"]
    assert by_name.parameters == nettally.tally(nettally.tally("resnet-50"), "keras").parameters
    itself = nettally.tally("resnet-50", nettally.ACCOUNTINGS["keras"])
    assert itself.parameters == by_name.parameters
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntitle: twice\nsource: us\ncounts:\n  '*': {macs: 2}\n")
    assert nettally.tally(NAME, path).operations == 2 * nettally.tally(NAME).macs
    with pytest.raises(nettally.NettallyError, match="did you mean 'keras'"):
        nettally.tally(NAME, "kears")
    with pytest.raises(nettally.NettallyError, match="neither the name of an accounting, a file"):
        nettally.tally(NAME, 3)  # type: ignore[arg-type]


def test_a_tally_keeps_its_accounting() -> None:
    keras = nettally.tally(NAME, accounting="keras")
    assert nettally.tally(keras) is keras
    assert nettally.tally(keras, working=True).accounting.name == "keras"
    assert nettally.diff(keras, NAME).b.accounting.name == "keras"
    assert nettally.diff(NAME, keras).a.accounting.name == "keras"
    with pytest.raises(nettally.NettallyError, match="different accountings"):
        nettally.diff(keras, nettally.tally(NAME))
    assert nettally.diff(keras, nettally.tally(NAME), "torch").a.accounting.name == "torch"


# --- claims -------------------------------------------------------------------------------------


def test_claims_are_taken_in_any_form(tmp_path: Path) -> None:
    text = "parameters = 60,000"
    path = tmp_path / "claims.yaml"
    path.write_text(f"nettally: 1\nwork: some\nclaims:\n  - claim: {text}\n", "utf-8")
    claim = nettally.check(NAME, text)[0].claim
    for claims in (text, [text], claim, (claim,), path, str(path)):
        assert [each.status for each in nettally.check(NAME, claims)] == ["exact"]


@pytest.mark.parametrize("claims", [3, [3], object()])
def test_what_is_no_claim_says_what_is_taken(claims: Any) -> None:
    with pytest.raises(nettally.NettallyError, match="neither a claim, a list of claims nor the"):
        nettally.check(NAME, claims)


def test_a_text_is_a_claim_unless_it_names_a_file() -> None:
    with pytest.raises(nettally.NettallyError, match=r"clams\.yaml: can't open the file"):
        nettally.check(NAME, "clams.yaml")
    (verdict,) = nettally.check(NAME, "parameters 60 million")
    assert verdict.status == "invalid"
    assert verdict.detail.startswith("a claim needs =, <, <=, > or >=")


def test_a_claim_that_is_none_leaves_the_others_judged() -> None:
    verdicts = nettally.check(NAME, ["parameter = 60,000", "parameters = 60,000"])
    assert [each.status for each in verdicts] == ["invalid", "exact"]
    assert nettally.report(NAME, verdicts[0].claim).audit.verdicts[0].status == "invalid"


def test_a_network_without_claims_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of one's own that is called as ours are is one's own, and has no claims of ours."""
    with pytest.raises(nettally.NettallyError, match="no claims about Sequential come with"):
        nettally.check(small(), input_size=SIZE)
    inside = tmp_path / "zoo" / "alexnet"
    inside.mkdir(parents=True)
    (inside / "network.yaml").write_text(nettally.write(nettally.read(NAME)), "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(nettally.NettallyError, match="no claims about lenet-5 come with"):
        nettally.check(nettally.read("zoo/alexnet/network.yaml"))


def test_claims_go_with_an_edited_network() -> None:
    """What the paper says is asked of the change: that is what a change is made for."""
    network = nettally.read("alexnet")
    smaller = network.replace(nodes=network.nodes[:1], outputs=(network.nodes[0].name,))
    assert isinstance(smaller, Network)
    status = {each.claim.text: each.status for each in nettally.check(smaller)}
    assert status["conv1.neurons = 253,440"] == "differs"
    assert status["fc8.neurons = 1000"] == "invalid"


# --- the face itself ------------------------------------------------------------------------------


def test_dir_is_the_public_face() -> None:
    """Also after everything has been used, which binds rooms in the package."""
    code = (
        "import nettally; first = dir(nettally); "
        "[getattr(nettally, name) for name in first if name not in ('build',)]; "
        "nettally.check('alexnet'); assert dir(nettally) == first; print(*first)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted([*nettally.__all__, "__version__"])
    assert not [name for name in nettally.__all__ if name.startswith("_")]


def test_memory_is_a_function_with_functions() -> None:
    from nettally.counting import memory as room

    counted = nettally.tally("alexnet")
    estimate = nettally.memory(counted, optimizer="adamw")
    assert estimate.training == nettally.memory.training(counted, optimizer="adamw")
    assert estimate.inference == nettally.memory.inference(counted)
    assert nettally.memory.training is room.training
    assert nettally.memory.parameters(counted) == {"float32": 4 * int(counted.parameters)}
    assert "nettally.memory" in repr(nettally.memory)


def test_a_module_is_followed_as_it_trains_and_as_it_is_used() -> None:
    class WithAuxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.auxiliary = (nn.Linear(8, 8) for _ in range(3))

        def forward(self, x: torch.Tensor) -> Any:
            x = torch.sigmoid(self.first(x))
            return (self.second(x), self.auxiliary(x)) if self.training else self.second(x)

    module = WithAuxiliary()
    estimate = nettally.memory(module, input_size=(4, 8))
    assert estimate.training.tally.macs == 3 * 4 * 64
    assert estimate.inference.tally.macs == 2 * 4 * 64
    assert estimate.training == nettally.memory.training(module, input_size=(4, 8))
    assert estimate.inference == nettally.memory.inference(module, input_size=(4, 8))


def test_a_network_is_recognised_without_torch() -> None:
    """Nothing is a torch module before something has imported torch; nothing here imports it."""
    code = (
        "import sys, nettally\n"
        "for what in ('alexnet', nettally.read('alexnet')): nettally.tally(what)\n"
        "try: nettally.tally(3)\n"
        "except nettally.NettallyError as error: print(error.values)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["it is of the type int: 3", "False"]
