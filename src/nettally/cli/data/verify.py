"""``nettally data verify``: packed data against its checksums."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...rendering.escape import escape
from ..output import prose, show
from ..process import DIFFERS, TALLIES
from ..progress import RateBar

if TYPE_CHECKING:
    import click

    from ..options import Run


def run(path: str) -> int:
    """Hold every file against its checksum. 1 where one differs."""
    from ...data.packing.place import size_text
    from ...data.packing.verify import verify

    with RateBar("reading", "bytes") as bar:
        checked = verify(path, bar.show)
    if not checked.wrong:
        message = f"{checked.files:,} files, {size_text(checked.bytes)}: all as they were packed"
        show("\n".join(prose(message)) + "\n")
        return TALLIES
    lines = [f"{len(checked.wrong):,} of {checked.files:,} files are not as they were packed:"]
    lines += [f"  {escape(name)}: {escape(what)}" for name, what in checked.wrong]
    show("\n".join(lines) + "\n")
    return DIFFERS


def command() -> click.Command:
    """The command and its options."""
    import click

    from .. import options as o

    @click.command(
        "verify",
        short_help="Hold packed data against its checksums.",
        epilog=o.examples("nettally data verify packed/"),
    )
    @click.argument("path", metavar="OUT", type=click.Path())
    def verify_command(path: str) -> Run:
        """Read every file of a packed folder and hold it against its checksum.

        Exit code 1 where one differs.
        """
        return o.with_extra("train", partial(run, path))

    return verify_command
