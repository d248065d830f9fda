"""What the argument of ``nettally check`` means: the one place that decides.

docs/checking.md has the same table for users.
"""

from __future__ import annotations

import os

from ..errors import NettallyError
from ..formats import names_code

NETWORK = "a network"
TABLE = "a table"
MODEL_FOLDER = "the folder of a model"
README = "a README"
PROJECT = "the project of this folder"
"""What ``check`` is asked to check."""

TABLES = (".csv", ".tsv", ".tex")
READMES = (".md", ".markdown", ".rst")


def kind_of(argument: str | None) -> str:
    """What an argument of ``check`` is, by its name and by what lies there.

    A name that has a colon in it and is no file is a module's, "-" is a network on standard input,
    and what is none of the others is a network: of the zoo, or in a file of any format.
    """
    if argument is None:
        return PROJECT
    if argument == "-" or names_code(argument):
        return NETWORK
    if os.path.isdir(argument):
        return MODEL_FOLDER
    suffix = os.path.splitext(argument)[1].lower()
    if suffix in TABLES:
        return TABLE
    return README if suffix in READMES else NETWORK


def network_to_check(argument: str | None) -> str:
    """The argument where it is a network. Raises NettallyError for what is not checked yet."""
    kind = kind_of(argument)
    if kind != NETWORK or argument is None:
        raise NettallyError(
            f"check does not take {kind} yet",
            where=argument or "",
            hint="name a network, and its claims: nettally check NET --claims FILE",
        )
    return argument
