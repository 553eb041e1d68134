"""The panel's table of bones, as the file effects.json holds it, → `BoneTable`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from OsteoScreenLib.exchange.prior_result import BoneTable, TableEffect, TableRow
from OsteoScreenLib.explain.analysis import EffectOf
from OsteoScreenLib.explain.fills import FILLS

EFFECTS = "effects.json"
SCHEMA = "urn:osteoscreen:effects:1"


_SUBJECTS: Mapping[str, EffectOf] = {"all": "set", "group": "group", "bone": "bone"}


def table_of(text: str, masks_sha256: str, target: str) -> BoneTable | None:
    """The rows that are about these masks and this target; None where there are none, or the text is no such file.

    masks_sha256 : of the masks that the report is about. Rows "of former masks" and rows that were not computed are left out.
    """
    try:
        held = json.loads(text)
        if held["schema"] != SCHEMA or held["masks_sha256"] != masks_sha256 or held["target"] != target:
            return None
        if held["fill"] not in FILLS:
            return None
        rows = [_row(row) for row in held["rows"] if row["state"] == "current"]
        kept = tuple(row for row in rows if row.removed is not None or row.added is not None)
        return BoneTable(held["fill"], float(held["margin_px"]), int(held["seed"]), kept) if kept else None
    except (KeyError, TypeError, ValueError):
        return None


def _row(row: Mapping[str, Any]) -> TableRow:
    return TableRow(_SUBJECTS[row["of"]], str(row["name"]), _effect(row, "removed"), _effect(row, "added"))


def _effect(row: Mapping[str, Any], mode: str) -> TableEffect | None:
    points, log_odds = row[f"delta_{mode}_points"], row[f"delta_{mode}_log_odds"]
    if points is None or log_odds is None:
        return None
    rank = tuple(row[f"{name}_{mode}"] for name in ("percentile", "p", "controls"))
    if None in rank or not rank[2]:
        return TableEffect(float(points), float(log_odds))
    return TableEffect(float(points), float(log_odds), float(rank[0]), float(rank[1]), int(rank[2]))
