"""Writes torch_peers.csv: what other counters really print (scripts/torch-truth --peers).

Each tool is called as its own README calls it, on a freshly built module on the CPU, whose weights
are random; exact numbers are asked for wherever the tool can give them. One process for each model,
since two of the tools replace functions of torch and do not always put them back.

    torchinfo       summary(model, input_data=[...]): total_params, trainable_params,
                    total_mult_adds, total_output_bytes, total_param_bytes, total_input
    fvcore          FlopCountAnalysis(model, inputs): total, by_operator, unsupported_ops
    thop            profile(model, inputs): macs, params
    flop_counter    torch's own, a forward without gradients in eval mode: flops, by_operator
    ptflops/pytorch get_model_complexity_info(as_strings=False, backend="pytorch"): macs, params
    ptflops/aten    the same with backend="aten"
    calflops        calculate_flops(output_as_string=False): flops, macs, params

A tool that raises, or takes more than a minute, has one row with the field `error`.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import inspect
import io
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

import torch_models
import torch_nets

TABLE = Path(__file__).with_name("torch_peers.csv")
COLUMNS = ("source", "model", "tool", "version", "field", "value")
SECONDS = 60
LARGEST = 145_000_000  # parameters of the largest of torchvision's that is run: VGG-19
TIMM = """
    vit_tiny_patch16_224 deit_tiny_distilled_patch16_224 beit_base_patch16_224
    eva02_tiny_patch14_224 swin_tiny_patch4_window7_224 swinv2_cr_tiny_ns_224 convnext_atto
    convnextv2_atto mixer_s32_224 resmlp_12_224 gmlp_s16_224 xcit_nano_12_p16_224
    coatnet_nano_rw_224 levit_128s mobilevit_xxs mobilevitv2_050 efficientformer_l1
    efficientvit_b0 efficientvit_m0 fastvit_t8 repvit_m0_9 edgenext_xx_small poolformer_s12
    crossvit_tiny_240 pit_ti_224 cait_xxs24_224 twins_pcpvt_small visformer_tiny volo_d1_224
    convit_tiny coat_lite_tiny nest_tiny pvt_v2_b0 mvitv2_tiny focalnet_tiny_srf inception_v4
    dpn48b dla34 hrnet_w18_small res2net50_14w_8s resnest14d skresnet18 ghostnet_100
    mobilenetv4_conv_small tinynet_a rexnet_100 regnetx_002 nf_regnet_b0 selecsls42
    legacy_seresnet18 hiera_tiny_224 davit_tiny gcvit_xxtiny sequencer2d_s halonet26t
    lambda_resnet26t botnet26t_256 tiny_vit_5m_224 mambaout_femto starnet_s1 shvit_s1
    swiftformer_xs repvgg_a0 resnetv2_18 vgg11 tresnet_m efficientnet_lite0 test_vit cspresnet50
    mobilenetv3_small_050 xception41 nasnetalarge pnasnet5large vovnet39a
    naflexvit_base_patch16_gap
""".split()  # noqa: SIM905 - a line a list would be 140 lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="forget what was run before")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--only", default="", help="models whose name contains this")
    given = parser.parse_args()
    if given.again:
        given.table.unlink(missing_ok=True)
    rows: list[dict[str, str]] = []
    if given.table.exists():
        with given.table.open(newline="") as file:
            rows = list(csv.DictReader(file))
    done = {(row["source"], row["model"]) for row in rows}
    wanted = jobs()
    left = [job for job in wanted if job not in done and given.only in job[1]]
    sys.stderr.write(f"{len(wanted)} models, {len(left)} to run\n")
    new = not given.table.exists()
    context = multiprocessing.get_context("spawn")
    with (
        given.table.open("a", newline="") as file,
        context.Pool(2, initializer=os.nice, initargs=(15,), maxtasksperchild=1) as pool,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        for found in pool.imap_unordered(run, left):
            rows += found
            writer.writerows(found)
            file.flush()
            errors = [f"{row['tool']} {row['value']}" for row in found if row["field"] == "error"]
            sys.stderr.write(f"{found[0]['source']}:{found[0]['model']} {errors}\n")
    order = {job: place for place, job in enumerate(wanted)}
    rows.sort(key=lambda row: order.get((row["source"], row["model"]), len(order)))
    with given.table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def jobs() -> list[tuple[str, str]]:
    """(source, model): our nets, torchvision's classifiers but the largest, and those of TIMM."""
    torch_models.torchvision_ready()
    import torchvision

    small = [
        name
        for name, family in torch_models.torchvision_models()
        if family.startswith("classification/")
        and torchvision.models.get_model_weights(name).DEFAULT.meta["num_params"] < LARGEST
    ]
    registered = {name for name, _ in torch_models.timm_models()}
    return [
        *(("nets", name) for name in torch_nets.NETS),
        *(("torchvision", name) for name in small),
        *(("timm", name) for name in TIMM if name in registered),
    ]


def run(job: tuple[str, str]) -> list[dict[str, str]]:
    """The rows of one model, of every tool."""
    source, model = job
    torch.set_num_threads(1)
    torch_models.torchvision_ready()  # ptflops imports it too, where it is there
    signal.signal(signal.SIGALRM, raise_timeout)
    rows: list[dict[str, str]] = []
    for tool, (package, call) in TOOLS.items():
        torch.manual_seed(0)
        signal.alarm(SECONDS)
        try:
            module = torch_models.build(source, model)
            shapes = torch_models.input_shapes(source, model, module)
            with torch_models.quiet():
                fields = call(module, torch_models.arguments(shapes, "cpu"))
        except Exception as error:
            fields = {"error": told(error)}
        finally:
            signal.alarm(0)
        version = importlib.metadata.version(package)
        for field, value in fields.items():
            values = (source, model, tool, version, field, str(value))
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def raise_timeout(*_: Any) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def told(error: BaseException) -> str:
    """The type and first line of the error that began it, at most 160 characters."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:160]


def torchinfo(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    from torchinfo import summary

    found = summary(module, input_data=list(arguments), verbose=0)
    names = (
        "total_params",
        "trainable_params",
        "total_mult_adds",
        "total_output_bytes",
        "total_param_bytes",
        "total_input",
    )
    return {name: exact(getattr(found, name)) for name in names}


def fvcore(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    from fvcore.nn import FlopCountAnalysis

    found = FlopCountAnalysis(module, arguments)
    found.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {
        "total": exact(found.total()),
        "by_operator": written(found.by_operator()),
        "unsupported_ops": written(found.unsupported_ops()),
    }


def thop(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    from thop import profile

    macs, params = profile(module, inputs=arguments, verbose=False)
    return {"macs": exact(macs), "params": exact(params)}


def flop_counter(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(*arguments)
    return {
        "flops": counter.get_total_flops(),
        "by_operator": written(counter.get_flop_counts().get("Global", {})),
    }


def ptflops(backend: str) -> Callable[..., dict[str, Any]]:
    def call(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> dict[str, Any]:
        from ptflops import get_model_complexity_info

        # it takes one tensor, or several by name
        given: Any = arguments[0]
        if len(arguments) > 1:
            given = dict(zip(inspect.signature(module.forward).parameters, arguments, strict=False))
        said = io.StringIO()
        # What goes wrong it prints, and returns None.
        error, sys.stderr = sys.stderr, said
        try:
            macs, params = get_model_complexity_info(
                module,
                (1,),
                as_strings=False,
                print_per_layer_stat=False,
                input_constructor=lambda _: given,
                backend=backend,
                ost=io.StringIO(),
            )
        finally:
            sys.stderr = error
        if macs is None:
            raise RuntimeError(said.getvalue().strip().splitlines()[-1])
        return {"macs": exact(macs), "params": exact(params)}

    return call


def calflops(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    from calflops import calculate_flops

    flops, macs, params = calculate_flops(
        model=module,
        args=list(arguments),
        output_as_string=False,
        print_results=False,
        print_detailed=False,
    )
    return {"flops": exact(flops), "macs": exact(macs), "params": exact(params)}


TOOLS: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "torchinfo": ("torchinfo", torchinfo),
    "fvcore": ("fvcore", fvcore),
    "thop": ("thop", thop),
    "flop_counter": ("torch", flop_counter),
    "ptflops/pytorch": ("ptflops", ptflops("pytorch")),
    "ptflops/aten": ("ptflops", ptflops("aten")),
    "calflops": ("calflops", calflops),
}


def exact(value: Any) -> int | float:
    """An int where the value is one."""
    return int(value) if float(value).is_integer() else float(value)


def written(counts: Any) -> str:
    return json.dumps({str(key): exact(value) for key, value in counts.items()}, sort_keys=True)


if __name__ == "__main__":
    main()
