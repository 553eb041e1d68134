"""A prior result as JSON for programs: the nouns' own field names, numbers unrounded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from OsteoScreenLib.exchange.prior_result import PriorResult


def to_table(result: PriorResult) -> dict[str, Any]:
    """Plain dictionaries, lists, texts and numbers."""
    table = asdict(result)
    table["prediction"]["low_bone_mass_probability"] = result.prediction.low_bone_mass
    return {"research_use_only": True, **table}


def to_json(result: PriorResult) -> str:
    """The same as text."""
    return json.dumps(to_table(result), indent=2, ensure_ascii=False, allow_nan=False)
