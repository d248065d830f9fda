"""Processes that know each other, for the tests of columns: what runs in each, and how they start.

A process that hangs is ended, and the test fails with what the others had to say.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

import nettally
from nettally.building.build import Built, build
from nettally.formats import Source, native
from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.training.columns import (
    Plan,
    build_column,
    channels_of,
    gather_from_ranks,
    link,
    plan,
    predicted_traffic,
    scatter,
    traffic_of,
)

SECONDS = 50
"""How long a test's processes may take, all together."""


class Ranks:
    """So many processes, which wait for tasks until the end. ``seconds``: how long one may take."""

    def __init__(self, ranks: int, seconds: float = SECONDS) -> None:
        self.ranks, self.seconds = ranks, seconds
        self.folder = tempfile.TemporaryDirectory()
        context = multiprocessing.get_context("spawn")
        pairs = [context.Pipe() for _ in range(ranks)]
        self.pipes = [ours for ours, _ in pairs]
        self.processes = [
            context.Process(
                target=_process, args=(rank, ranks, self.folder.name, theirs), daemon=True
            )
            for rank, (_, theirs) in enumerate(pairs)
        ]
        for process in self.processes:
            process.start()
        for _, theirs in pairs:
            theirs.close()
        self.seconds, seconds = 2 * SECONDS, self.seconds  # importing takes long on a busy machine
        self(stands)
        self.seconds = seconds

    def __call__(self, task: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What ``task(rank, *arguments)`` returns on each rank: values, and no tensors."""
        for pipe in self.pipes:
            pipe.send((task, arguments))
        end = time.monotonic() + self.seconds
        answers: dict[int, tuple[str, Any]] = {}
        while len(answers) < self.ranks and not any(how for how, _ in answers.values()):
            left = max(end - time.monotonic(), 0.0)
            ready = multiprocessing.connection.wait(
                [pipe for rank, pipe in enumerate(self.pipes) if rank not in answers], left
            )
            if not ready:
                answers |= {
                    rank: ("hangs", f"no answer in {self.seconds} s")
                    for rank in range(self.ranks)
                    if rank not in answers
                }
            for pipe in ready:
                rank = self.pipes.index(pipe)
                try:
                    answers[rank] = pipe.recv()
                except EOFError:
                    answers[rank] = ("is gone", f"exit status {self.processes[rank].exitcode}")
        wrong = [f"rank {rank} {how}: {what}" for rank, (how, what) in answers.items() if how]
        if wrong:
            self.end()  # the others may wait for it for ever
        assert not wrong, "\n".join(wrong)
        return [answers[rank][1] for rank in range(self.ranks)]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        for pipe in self.pipes:
            pipe.close()
        self.folder.cleanup()

    @property
    def alive(self) -> bool:
        return all(process.is_alive() for process in self.processes)


def _process(rank: int, ranks: int, folder: str, pipe: Any) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # a machine's own name may not resolve
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/met",
        rank=rank,
        world_size=ranks,
        timeout=timedelta(seconds=SECONDS),
    )
    while True:
        try:
            task, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("", task(rank, *arguments)))
        except BaseException:
            pipe.send(("fails", traceback.format_exc()))


# --- networks -----------------------------------------------------------------------------------


def net(text: str, name: str = "net") -> Network:
    return native.read(Source("net.yaml", f"nettally: 1\nname: {name}\n{text}".encode()))


def random_net(seed: int, columns: int = 2) -> Network:
    """A network of layers, merges and branches as they come, each of which fits what it reads."""
    chosen = Random(seed)
    nodes: list[Node] = []
    shapes: dict[str, tuple[int, ...]] = {"data": (1, 2 * columns, 9, 9)}

    def add(kind: str, *inputs: str, **fields: Any) -> str:
        layer = layer_class(kind)(**fields)
        name = f"{kind}{len(nodes)}"
        nodes.append(Node(name, layer, inputs))
        shapes[name] = tuple(map(int, layer.shape(tuple(shapes[each] for each in inputs))))
        return name

    def window(at: str, filters: int) -> str:
        channels = shapes[at][1]
        fits = [g for g in (1, columns, 2 * columns, channels) if not (channels % g or filters % g)]
        groups = chosen.choice(fits)
        kind = chosen.choice(["conv", "conv", "conv", "local", "conv_transpose"])
        fields: dict[str, Any] = {"bias": chosen.random() < 0.8}
        return add(kind, at, filters=filters, kernel=3, padding=1, groups=groups, **fields)

    at = "data"
    for _ in range(chosen.randint(4, 12)):
        channels, space = shapes[at][1], shapes[at][2:]
        before = chosen.choice([name for name in shapes if name != "data"] or ["data"])
        step = chosen.choice(
            ["window"] * 4 + ["plain"] * 3 + ["lrn", "held", "merge", "concat", "branch", "pool"]
        )
        if step == "window":
            at = window(at, chosen.choice([2, 4, 6]) * columns)
        elif step == "plain":
            kind = chosen.choice(["relu", "tanh", "prelu", "batch_norm", "scale", "dropout"])
            at = add(kind, at, **({"rate": 0.0} if kind == "dropout" else {}))
        elif step == "lrn":
            groups = chosen.choice([g for g in (1, columns, channels) if channels % g == 0])
            across = chosen.choice(["channels", "space"])
            at = add("lrn", at, size=3, alpha=0.5, groups=groups, across=across)
        elif step == "held":
            kind = chosen.choice(["softmax", "l2_norm", "layer_norm", "prelu", "group_norm"])
            fields = {"layer_norm": {"axes": 3}, "prelu": {"shared": True}}
            groups = {"groups": chosen.choice([1, channels])} if kind == "group_norm" else {}
            at = add(kind, at, **fields.get(kind, {}), **groups)
        elif step == "merge" and shapes[before] == shapes[at]:
            at = add(chosen.choice(["add", "multiply", "maximum", "average"]), at, before)
        elif step == "concat" and shapes[before][2:] == space:
            at = add("concat", at, before)
        elif step == "branch":
            at = before
        elif step == "pool" and space[0] > 4:
            at = add(chosen.choice(["max_pool", "average_pool"]), at, kernel=3, stride=2)
    window(at, 2 * columns)  # something to split, whatever came before
    at = window(at, 2 * columns)
    if chosen.random() < 0.6:
        at = add("linear", at, features=4 * columns)
        at = add("linear", add("relu", at), features=5)
    return Network(f"random{seed}", {"data": shapes["data"]}, tuple(nodes))


# --- what runs on each rank ---------------------------------------------------------------------


def away(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, relative to the largest of their values."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    scale = theirs.abs().max().item() or 1.0
    return (ours - theirs).abs().max().item() / scale


def begun(network: Network, columns: int, rank: int, dtype: torch.dtype, at: str = "cpu") -> Any:
    """The plan, the whole network and the rank's column, with the same weights, drawn at random."""
    made = plan(network, columns)
    torch.manual_seed(1)
    whole = build(network).to(at, dtype)
    with torch.no_grad():
        for name, tensor in whole.named_parameters():
            if dtype == torch.float64:  # else torch's own start, for nets of a real size
                tensor.normal_(1.0 if "norm" in name else 0.0, 0.3)
    column = build_column(made, rank).to(at, dtype)
    column.load_state_dict(scatter(made, whole.state_dict(), rank))
    return made, whole, column


def batch_of(network: Network, images: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randn(images, *shape[1:], generator=generator, dtype=dtype)
        for shape in network.inputs.values()
    ]


def outputs_of(module: Built, inputs: list[Tensor]) -> list[Tensor]:
    given = module(*inputs)
    return [given] if isinstance(given, Tensor) else list(given)


def loss_of(outputs: list[Tensor]) -> Tensor:
    """A loss that depends on every output, each value by a weight of its own."""
    generator = torch.Generator().manual_seed(3)
    weights = [torch.randn(y.shape[1:], generator=generator).to(y) for y in outputs]
    losses = [(y * w).sum() for y, w in zip(outputs, weights, strict=True)]
    return torch.stack(losses).sum() / len(outputs[0])


def compared(
    network: Network, columns: int, rank: int, dtype: torch.dtype, at: str = "cpu"
) -> dict[str, Any]:
    """How far a column is from the whole, in every way; and what it sent beside the prediction."""
    images = 2
    made, whole, column = begun(network, columns, rank, dtype, at)
    inputs = [x.to(at) for x in batch_of(network, images, dtype)]
    outputs = {}
    losses = {}
    gradients = {}
    for which, module in (("whole", whole), ("column", column)):
        given = [x.clone().requires_grad_() for x in inputs]
        outputs[which] = outputs_of(module, given)
        losses[which] = loss_of(outputs[which])
        losses[which].backward()
        gradients[which] = [x.grad for x in given]
    found = {
        "output": max(map(away, outputs["column"], outputs["whole"])),
        "loss": away(losses["column"], losses["whole"]),
        **{
            f"gradient of the input {name}": away(ours, theirs)
            for name, ours, theirs in zip(
                network.inputs, gradients["column"], gradients["whole"], strict=True
            )
            if theirs is not None
        },
        **gradients_away(made, whole, column, rank),
        **{
            f"buffer {name}": away(dict(column.named_buffers())[name], part)
            for name, part in scatter(made, dict(whole.named_buffers()), rank).items()
        },
    }
    column.zero_grad()
    traffic_of(column).reset()
    loss_of(outputs_of(column, inputs)).backward()
    return {"away": found, **traffic_beside(made, column, images, inputs[0].element_size())}


def traffic_beside(made: Plan, column: Built, images: int, itemsize: int) -> dict[str, Any]:
    sent = traffic_of(column)
    predicted = predicted_traffic(made, images, itemsize)
    return {
        "forward": dict(sent.forward),
        "backward": dict(sent.backward),
        "forward expected": {r.exchange.name: r.forward for r in predicted.rows if r.forward},
        "backward expected": {r.exchange.name: r.backward for r in predicted.rows if r.backward},
        "total": (sent.total, predicted.total),
        "shown": repr(sent),
    }


def gradients_away(made: Plan, whole: Built, column: Built, rank: int) -> dict[str, float]:
    theirs = {name: p.grad for name, p in whole.named_parameters() if p.grad is not None}
    ours = {name: p.grad for name, p in column.named_parameters() if p.grad is not None}
    assert theirs.keys() == ours.keys()
    scattered = scatter(made, theirs, rank)
    scale = {name: theirs[name].abs().max().item() for name in theirs}
    # A bias before a normalisation has a gradient that is 0 but for rounding. Nets in double are
    # made by chance and have such; those in single precision have none, and are held to their own.
    double = next(iter(theirs.values())).dtype == torch.float64
    floor = max(scale.values()) * (1e-4 if double else 1e-30)
    return {
        f"gradient of {name}": (ours[name] - part).abs().max().item() / max(scale[name], floor)
        for name, part in scattered.items()
    }


def nets_in_columns(rank: int, texts: Mapping[str, str], columns: int) -> dict[str, Any]:
    return {
        name: compared(net(text, name), columns, rank, torch.float64)
        for name, text in texts.items()
    }


def on_a_gpu(rank: int, text: str) -> dict[str, Any]:
    """Both ranks on one GPU: what they exchange goes by way of the machine's own memory."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return compared(net(text), 2, rank, torch.float32, "cuda:0")


def random_nets(rank: int, seeds: range, columns: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for seed in seeds:
        network = random_net(seed, columns)
        kept[network.name] = compared(network, columns, rank, torch.float64)
        kept[network.name]["net"] = str(network)
    return kept


def zoo_net(rank: int, name: str) -> dict[str, Any]:
    """The zoo's net at its own size, in single precision, as it is used: dropout leaves all."""
    network = nettally.read(name)
    made, whole, column = begun(network, 2, rank, torch.float32)
    (images,) = batch_of(network, 2, torch.float32)
    labels = torch.tensor([3, 141])
    found: dict[str, Any] = {}
    outputs = {}
    for which, module in (("whole", whole), ("column", column)):
        outputs[which] = module.eval()(images)
        found[which] = functional.nll_loss(outputs[which].log(), labels)
        found[which].backward()
    distances = {
        "output": away(outputs["column"], outputs["whole"]),
        "loss": away(found["column"], found["whole"]),
        **gradients_away(made, whole, column, rank),
    }
    return {"away": distances, **traffic_beside(made, column, 2, 4)}


def trained(rank: int, text: str, steps: int) -> dict[str, Any]:
    """Steps of SGD with momentum: how far the gathered column is from the whole after each."""
    network = net(text)
    made, whole, column = begun(network, 2, rank, torch.float64)
    inputs = batch_of(network, 4, torch.float64)
    distances: list[float] = []
    losses: list[float] = []
    optimizers = [
        torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
        for module in (whole, column)
    ]
    for _ in range(steps):
        for module, optimizer in zip((whole, column), optimizers, strict=True):
            optimizer.zero_grad()
            loss = loss_of(outputs_of(module, inputs))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        together = gather_from_ranks(made, column.state_dict(), tolerance=0.0)
        distances.append(max(away(together[name], t) for name, t in whole.state_dict().items()))
    return {"away": distances, "losses": losses}


class _Masked(nn.Module):
    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask


def masked(rank: int, text: str) -> dict[str, float]:
    """Dropout by masks that are drawn for the whole, and cut where the plan says so."""
    network = net(text)
    made, whole, column = begun(network, 2, rank, torch.float64)
    inputs = batch_of(network, 3, torch.float64)
    generator = torch.Generator().manual_seed(4)
    cut: dict[str, bool] = {}
    for node in network.nodes:
        if node.layer.kind != "dropout":
            continue
        shape = whole.values(*inputs, of=[node.name])[node.name].shape
        mask = (torch.rand(shape, generator=generator) < 0.5).double()
        cut[node.name] = made.split_values[node.name]
        begin, end = channels_of(made, rank).get(node.name, (0, shape[1]))
        part = mask[:, begin:end]
        setattr(whole, node.name, _Masked(mask))
        setattr(column, node.name, _Masked(part))
    assert sorted(cut.values()) == [False, True, True], cut
    results = [outputs_of(module, inputs) for module in (whole, column)]
    for outputs in results:
        loss_of(outputs).backward()
    return {
        "output": away(results[1][0], results[0][0]),
        **gradients_away(made, whole, column, rank),
    }


def half(rank: int, text: str) -> dict[str, Any]:
    """Under autocast to bfloat16, channels last, and of a copy: what is near, and what is sent."""
    import copy

    network = net(text)
    made, whole, column = begun(network, 2, rank, torch.float32)
    layout: Any = torch.channels_last
    whole, column = whole.to(memory_format=layout), copy.deepcopy(column).to(memory_format=layout)
    (images,) = batch_of(network, 4, torch.float32)
    images = images.contiguous(memory_format=layout)
    outputs = []
    for module in (whole, column):
        with torch.autocast("cpu", torch.bfloat16):
            outputs.append(module(images))
        loss_of([outputs[-1].float()]).backward()
    gradients = gradients_away(made, whole, column, rank)
    kept = column.values(images, of=["exchange_relu2"])["exchange_relu2"]
    traffic_of(column).reset()
    with torch.autocast("cpu", torch.bfloat16):
        loss_of([column(images).float()]).backward()
    sent = traffic_of(column)
    return {
        "output": away(outputs[1].float(), outputs[0].float()),
        "gradients": gradients,
        "sent": {name: (sent.forward[name], sent.backward.get(name, 0)) for name in sent.forward},
        "single": {
            row.exchange.name: (row.forward, row.backward)
            for row in predicted_traffic(made, 4).rows
        },
        "layout": kept.is_contiguous(memory_format=layout),
    }


def broken(rank: int, text: str, way: str) -> dict[str, Any]:
    """The same comparison with an exchange that is wrong: a check that can't fail is none."""
    swap = link.Link.swap

    def turned(*arguments: Any) -> list[Tensor]:
        return swap(*arguments)[::-1]

    with pytest.MonkeyPatch.context() as patched:
        if way == "gradients are not summed":
            patched.setattr(link, "_sum", lambda parts: parts[0])
        elif way == "parts in the wrong order":
            patched.setattr(link.Link, "swap", turned)
        else:
            assert way == "counted twice"
            passed = staticmethod(lambda ctx, gradient: (gradient, None))
            patched.setattr(link._CountedOnce, "backward", passed)
        return compared(net(text), 2, rank, torch.float64)["away"]


def wrong_rank(rank: int) -> str:
    made = plan(net("input: 4x8x8\nlayers:\n  - conv1: conv 4, 3x3\n"))
    try:
        build_column(made, 1 - rank)
    except nettally.NettallyError as error:
        return str(error)
    return "built"


def stands(rank: int) -> None:
    dist.barrier()


def leaves(rank: int) -> None:
    if rank == 1:
        raise RuntimeError("this rank has left")
    dist.barrier()  # to which nobody else comes


def sleeps(rank: int) -> None:
    if rank == 1:
        time.sleep(SECONDS)


def compiled(rank: int, text: str) -> dict[str, Any]:
    """A column under torch.compile, whose graphs end at the exchanges."""
    network = net(text)
    made, whole, column = begun(network, 2, rank, torch.float64)
    inputs = batch_of(network, 2, torch.float64)
    loss_of(outputs_of(whole, inputs)).backward()
    traffic_of(column).reset()
    loss_of([torch.compile(column, backend="aot_eager", dynamic=False)(*inputs)]).backward()
    distances = gradients_away(made, whole, column, rank)
    return {"away": distances, **traffic_beside(made, column, 2, 8)}
