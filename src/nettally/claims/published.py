"""Where claims come from: a file, texts, or what comes with a network of the zoo."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..counting.tally import Tally
from ..errors import ClaimError
from ..formats import names_zoo, zoo
from ..network import Network
from .claim import Claim, Claims, load, read_claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from ..counting.tally import Net

    Published: TypeAlias = Claims | Claim | Iterable[Claim | str] | str | os.PathLike[str]
    """Claims as functions take them, see ``as_claims``."""

ENDINGS = (".yaml", ".yml", ".json")


def as_claims(claims: Published) -> Claims:
    """Claims, a claim, the text of one, several of either, or the path of a file of claims.

    A text is a path where there is such a file, or where it ends as one; "-" is standard input. A
    text that is no claim is among the claims, with its error. Raises ClaimError for what is neither
    a text nor a claim, and ReadError for a file that can't be read.
    """
    if isinstance(claims, Claims):
        return claims
    if isinstance(claims, os.PathLike) or (isinstance(claims, str) and _names_a_file(claims)):
        return load(os.fspath(claims))
    if isinstance(claims, (str, Claim)):
        return Claims("", (_as_claim(claims),))
    try:
        several = list(claims)
    except TypeError:
        raise _no_claim(claims) from None
    return Claims("", tuple(_as_claim(each) for each in several))


def _names_a_file(text: str) -> bool:
    return text == "-" or text.lower().endswith(ENDINGS) or os.path.isfile(text)


def _as_claim(claim: Claim | str) -> Claim:
    if isinstance(claim, Claim):
        return claim
    if isinstance(claim, str):
        return read_claim(claim)
    raise _no_claim(claim)


def _no_claim(what: Any) -> ClaimError:
    return ClaimError(
        "this is neither a claim, a list of claims nor the path of a file of claims",
        values=f"it is of the type {type(what).__name__}: {repr(what)[:60]}",
        hint="a text, as in 'conv1.neurons = 253,440'",
    )


def no_claims_about(counted: Tally) -> ClaimError:
    """The complaint where no claims are known: none are given, and none come with nettally."""
    return ClaimError(
        f"no claims about {counted.network.name} come with nettally",
        hint="claims='parameters = 60 million', a list of claims, or the path of a file",
    )


def joined(several: Sequence[Claims]) -> Claims:
    """The claims of several files as those of one."""
    return Claims(
        "; ".join(dict.fromkeys(each.work for each in several if each.work)),
        tuple(claim for each in several for claim in each.claims),
        ", ".join(each.source for each in several if each.source),
    )


def own_claims(network: Net) -> Claims | None:
    """The claims that come with a network of the zoo, by its name or as it was read; else None."""
    path: str | None = None
    if isinstance(network, (str, os.PathLike)):
        name = os.fspath(network)
        path = zoo.claims_path(name) if names_zoo(name) else None
    elif isinstance(network, Tally):
        path = zoo.claims_of(network.network)
    elif isinstance(network, Network):
        path = zoo.claims_of(network)
    return None if path is None else load(path)
