"""Small configurations of transformers, and what is counted of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import seeds
from nettally.counting.tally import tally
from nettally.formats import Source, language_models

if TYPE_CHECKING:
    from nettally.counting.tally import Tally


def counted(fields: dict[str, Any], inputs: dict[str, tuple[int, ...]] | None = None) -> Tally:
    return tally(language_models.network(fields, Source("config.json", b"", inputs or {})))


def config(kind: str, **changes: Any) -> dict[str, Any]:
    """A configuration of a few thousand parameters."""
    for seed in seeds.LANGUAGE_MODELS:
        fields = json.loads(seed)
        if fields["model_type"] == kind:
            return {**fields, **changes}
    raise KeyError(kind)
