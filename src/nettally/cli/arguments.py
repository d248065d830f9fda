"""Kinds of arguments, and what a shell completes for each.

Completing reads files, since those are data; it runs no code of a module. What can't be read has
nothing to complete: a shell has no place for a complaint.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ..errors import NettallyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..network import Network

OPEN = "open"
"""The type of a completion that is the beginning of a longer word: no space follows it."""


def _fitting(names: Iterable[str], incomplete: str, kind: str = "plain") -> list[CompletionItem]:
    return [CompletionItem(name, kind) for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> CompletionItem:
    return CompletionItem(incomplete, type="file")


class Net(click.types.StringParamType):
    """A zoo name or a file."""

    name = "net"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The zoo's names that fit, and files."""
        from ..formats.zoo import names

        return [*_fitting(names(), incomplete), _files(incomplete)]


class AccountingName(click.types.StringParamType):
    """An accounting, by its name or in a file. It is read when used."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The accountings' names; where none fits, files."""
        from ..accountings import ACCOUNTINGS

        return _fitting(ACCOUNTINGS, incomplete) or [_files(incomplete)]


class Columns(click.types.StringParamType):
    """Columns of a table, with commas between them."""

    name = "list"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The columns that are not in the list yet, behind those that are."""
        from ..rendering.tables.columns import COLUMNS

        before, comma, last = incomplete.rpartition(",")
        listed = before.split(",")
        return [
            CompletionItem(f"{before}{comma}{name}", help=column.help)
            for name, column in COLUMNS.items()
            if name.startswith(last) and name not in listed
        ]


class LayerName(click.types.StringParamType):
    """A layer of NET, or of a run's network. modules: modules too."""

    name = "name"

    def __init__(self, *, modules: bool = False) -> None:
        self.modules = modules

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The layers that fit, in their order; and the modules that they stand in."""
        network = _network(ctx)
        if network is None:
            return []
        layers = [node.name for node in network.nodes]
        return _fitting(layers + (_modules(network) if self.modules else []), incomplete)


class ClaimText(click.types.StringParamType):
    """A claim about NET: ``conv1.neurons = 253,440``."""

    name = "claim"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The claims that come with NET; layers, then what can be asked of one."""
        from ..counting.quantities import SUMS
        from ..counting.quantity_names import FIELDS, SHAPES

        network = _network(ctx)
        if network is None:
            return []
        layers = [node.name for node in network.nodes]
        about, dot, _ = incomplete.rpartition(".")
        quantities = [*SUMS, *SHAPES, *FIELDS, "share"] if about in layers else []
        return [
            *_fitting(_claims(ctx), incomplete),
            *_fitting(SUMS, incomplete),
            *_fitting([f"{about}{dot}{each}" for each in quantities], incomplete),
            *_fitting([f"{name}." for name in layers if name != about], incomplete, OPEN),
        ]


def _network(ctx: click.Context) -> Network | None:
    """The network that the line names, where reading it runs no code and waits for nobody."""
    from ..formats import names_code, read

    net, run = _first_argument(ctx, "net"), _first_argument(ctx, "path")
    if run is not None:
        net = os.path.join(run, "network.yaml")
    if net is None or net == "-" or names_code(net):
        return None
    if os.sep in net and not os.path.isfile(net):
        return None
    try:
        return read(net)
    except (NettallyError, OSError):
        return None


def _first_argument(ctx: click.Context, name: str) -> str | None:
    """The first argument, if that is its name; also behind an option that has no value yet."""
    first = next((p for p in ctx.command.params if isinstance(p, click.Argument)), None)
    if first is None or first.name != name:
        return None
    return ctx.params.get(name) or next(iter(ctx.args), None)


def _modules(network: Network) -> list[str]:
    """The modules that layers stand in, and those around them."""
    names: dict[str, None] = {}
    for node in network.nodes:
        parts = node.module.split(".") if node.module else []
        names.update(dict.fromkeys(".".join(parts[: i + 1]) for i in range(len(parts))))
    return list(names)


def _claims(ctx: click.Context) -> list[str]:
    from ..claims.published import own_claims

    net = _first_argument(ctx, "net")
    try:
        published = own_claims(net) if net is not None else None
    except (NettallyError, OSError):
        return []
    return [] if published is None else [claim.text for claim in published.claims]


NET = Net()
ACCOUNTING = AccountingName()
COLUMNS = Columns()
LAYER = LayerName()
LAYER_OR_MODULE = LayerName(modules=True)
CLAIM = ClaimText()
