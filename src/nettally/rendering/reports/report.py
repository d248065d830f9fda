"""The report of a network: what it says is counted, checked, explained and drawn here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...accountings.reckoning import reconcile
from ...claims.check import check
from ...claims.published import as_claims, own_claims
from ...counting.tally import Tally, tally
from ...errors import NettallyError
from ...files import plain_only
from ...formats import names_zoo, zoo
from ...network import Network
from ...record import Record
from ...versions import version_of
from ..drawing import draw, style_for
from . import page
from .audit import Audit, CaptionedSvg, Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...claims.check import Verdict
    from ...claims.claim import Claims
    from ...claims.published import Published
    from ...counting.accounting import Accounting
    from ...counting.tally import Net
    from ...explaining import Explanations
    from ...formats import Sizes

    File = tuple[str, str, str, int]
    """What it is, its name, its SHA-256 and its bytes."""

MOST_EXPLAINED = 40
"""Claims whose difference is searched for; each takes some tenths of a second."""

CAPTIONS = {
    "volumes": "The layers' outputs, to scale, and the windows that read them.",
    "blocks": "The layers and how they are connected; modules alike are folded.",
    "bars": "Where the parameters, the multiply-accumulates, the memory and the neurons are.",
}


class Report(Record):
    """The whole audit as one page, which needs no script and no network."""

    audit: Audit

    def __repr__(self) -> str:
        return f"<Report on {self.audit.name}: {page.summary(self.audit)}>"

    def __str__(self) -> str:
        return self.html()

    def html(self) -> str:
        """The page."""
        return page.report(self.audit)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file. Raises NettallyError where that can't be."""
        text = self.html()
        try:
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise NettallyError(
                f"can't write the page: {error.strerror}", where=os.fspath(path)
            ) from None

    def _repr_html_(self) -> str:
        """The page in a frame, so that its style and the notebook's do not meet."""
        from html import escape

        return (
            f'<iframe title="{escape(self.audit.name)}: report" sandbox="" '
            'style="width:100%;height:36em;box-sizing:border-box;'
            'border:1px solid rgba(128,128,128,.4)" '
            f'srcdoc="{escape(self.html())}"></iframe>'
        )


def report(
    network: Net,
    claims: Published | None = None,
    *,
    accounting: Accounting | str | os.PathLike[str] | None = None,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Report:
    """The whole audit of a network: verdict, claims, explanations, figures, tables, accountings.

    network, accounting, input_size, input_data: as ``tally`` takes them. claims: as ``check`` takes
    them; without any, the network is counted and drawn. Raises what ``tally`` and ``check`` raise.
    """
    published = own_claims(network) if claims is None else as_claims(claims)
    counted = tally(network, accounting, input_size=input_size, input_data=input_data)
    files: list[File] = []
    name = counted.network.name
    call = f"nettally.report({name})"
    if isinstance(network, (str, os.PathLike)):
        text = os.fspath(network)
        name = text if names_zoo(text) else os.path.basename(text)
        call = f"nettally.report({text!r})"
        source = published.source if published is not None else ""
        files = files_of(text, claims=None if claims is None else [source] if source else [])
    elif not isinstance(network, (Network, Tally)):
        call = f"nettally.report(a {type(network).__name__})"
    every_work = claims is not None
    return Report(audit_of(counted, name, published, call, files, every_work=every_work))


def audit_of(
    counted: Tally,
    name: str,
    published: Claims | None,
    command: str,
    files: Sequence[File],
    notes: Sequence[str] = (),
    *,
    every_work: bool = True,
) -> Audit:
    """Everything that a report says. command: how it was asked for. files: what was read.

    every_work: the figure marks all claims that do not tally, and not the work's own only.
    """
    verdicts = check(counted, published) if published is not None else ()
    work = published.work if published is not None else ""
    return Audit(
        name=name,
        tally=counted,
        provenance=Provenance(command, version_of("nettally") or "not installed", tuple(files)),
        work=work,
        verdicts=tuple(verdicts),
        explained=_explained(counted, verdicts),
        reckonings=reconcile(counted),
        figures=_figures(
            counted, [each for each in verdicts if every_work or each.claim.work == work]
        ),
        notes=tuple(notes),
    )


def _explained(counted: Tally, verdicts: Sequence[Verdict]) -> Mapping[int, Explanations]:
    """An explanation of each claim that differs, by its place; the formulas' say what was tried."""
    from ...explaining import explain

    places = [place for place, verdict in enumerate(verdicts) if verdict.status == "differs"]
    return {
        place: explain(counted, verdicts[place].claim, verdicts)
        for place in places[:MOST_EXPLAINED]
    }


def _figures(counted: Tally, verdicts: Sequence[Verdict]) -> tuple[CaptionedSvg, ...]:
    """The network drawn, a chain to scale and another by its blocks, and where its numbers are.

    Claims that do not tally are marked on the first. A network of which nothing but the
    parameters is known has no shape to draw.
    """
    if not counted.network.inputs or not any(row.shape for row in counted.rows):
        return ()
    styles = (style_for(counted), "bars")
    return tuple(
        CaptionedSvg(draw(counted, style, theme="auto", claims=marked).svg(), CAPTIONS[style])
        for style, marked in zip(styles, (verdicts, ()), strict=True)
    )


def files_of(
    net: str, companion: str | None = None, claims: Sequence[str] | None = None
) -> list[File]:
    """What was read of a network that is named. Folders and standard input are left out.

    companion: the path of a second file. claims: the paths of the files of claims; None: the zoo's.
    """
    named: list[tuple[str, str, str]] = []
    if names_zoo(net):
        named.append(
            ("network", f"zoo/{net}/network.yaml", os.path.join(zoo.ROOT, net, "network.yaml"))
        )
        zoo_claims = zoo.claims_path(net)
        if claims is None and zoo_claims is not None:
            named.append(("claims", f"zoo/{net}/claims.yaml", zoo_claims))
    else:
        code, colon, _ = net.partition(".py:")  # file.py:Class
        path = f"{code}.py" if colon else net
        named.append(("network", path, path))
    if companion:
        named.append(("parameters", companion, companion))
    named += [("claims", path, path) for path in claims or ()]
    files: list[File] = []
    for what, name, path in named:
        if os.path.isfile(path):
            files.append((what, name, *_digest(path)))
    return files


def _digest(path: str) -> tuple[str, int]:
    from hashlib import file_digest

    with open(path, "rb", opener=plain_only) as file:
        digest = file_digest(file, "sha256").hexdigest()
        return digest, file.tell()
