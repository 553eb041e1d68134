"""The table beside the bones as text: for the clipboard, and as the files effects.csv and effects.json.

Every line says what its numbers belong to, so that none can be taken for another image's, model's or setting's.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.effect_rows import ChanceCell, EffectRow
from OsteoScreenLib.workbench.messages import computed_on
from OsteoScreenLib.workbench.numbers import EffectCell
from OsteoScreenLib.workbench.reading import Result
from OsteoScreenLib.workbench.verdict_line import verdict_line

CSV, JSON = "effects.csv", "effects.json"
FORMAT = "urn:osteoscreen:effects:1"

# key in the files → (head with its unit for a person; {target} stands for the class).
COLUMNS: Mapping[str, str] = {
    "of": "Row",
    "name": "Bone or group",
    "delta_removed_points": "Δ removed (points of P({target}))",
    "delta_removed_log_odds": "Δ removed (log-odds)",
    "percentile_removed": "Percentile among controls, removed (0-100)",
    "p_removed": "One-sided p, removed",
    "controls_removed": "Controls, removed",
    "delta_added_points": "Δ added back (points of P({target}))",
    "delta_added_log_odds": "Δ added back (log-odds)",
    "percentile_added": "Percentile among controls, added back (0-100)",
    "p_added": "One-sided p, added back",
    "controls_added": "Controls, added back",
    "saliency_share": "Share of heatmap (0-1)",
    "enrichment": "Share against area (1 is chance)",
    "iou_otsu": "IoU, Otsu (0-1)",
    "iou_matched": "IoU, same area (0-1)",
    "state": "State",
}
SETTINGS: Mapping[str, str] = {
    "image": "Image",
    "model": "Model",
    "target": "Target",
    "fill": "Fill",
    "margin_px": "Margin (px)",
    "seed": "Seed",
    "saliency_method": "Heatmap method",
    "computed_on": "Computed on",
}

Values = dict[str, Any]


def tab_separated(case: Case) -> str:
    """For a spreadsheet: heads with units, then one line a row. Needs a result."""
    target = case.toggles.target
    heads = [head.format(target=target) for head in (*COLUMNS.values(), *SETTINGS.values())]
    lines = [heads, *([_written(value) for value in line.values()] for line in _lines(case))]
    return "".join("\t".join(line) + "\n" for line in lines)


def files(case: Case) -> dict[str, str]:
    """File name → text: effects.csv, one line a row, and effects.json, the same with what must stand beside it."""
    if case.result is None:
        return {}
    rows = case.table.rows()
    verdict = verdict_line(case, rows)
    written = io.StringIO()
    writer = csv.DictWriter(written, [*COLUMNS, *SETTINGS], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in line.items()} for line in _lines(case))
    table = {
        "schema": FORMAT,
        "research_use_only": True,
        "statements": list(case.result.statements),
        "image_sha256": case.reading.image_sha256,
        "masks_sha256": case.result.masks_sha256,
        "model_sha256": case.result.model.sha256,
        **_settings(case, case.result),
        "verdict": None if verdict.state != "current" else {"kind": verdict.kind, "sentence": verdict.sentence},
        "rows": [_row(name, row) for name, row in rows.items()],
    }
    return {CSV: written.getvalue(), JSON: json.dumps(table, indent=2, ensure_ascii=False, allow_nan=False) + "\n"}


def _lines(case: Case) -> list[Values]:
    if case.result is None:
        return []
    settings = _settings(case, case.result)
    return [_row(name, row) | settings for name, row in case.table.rows().items()]


def _row(name: str, row: EffectRow) -> Values:
    overlap = row.overlap.overlap
    values: Values = {"of": row.of, "name": name}
    for mode, effect, chance in (
        ("removed", row.removed, row.removed_chance),
        ("added", row.added, row.added_chance),
    ):
        values |= _effect(mode, effect, chance)
    values["saliency_share"] = None if overlap is None else overlap.mass_share
    values["enrichment"] = None if overlap is None else overlap.enrichment
    values["iou_otsu"] = None if overlap is None else overlap.iou_otsu
    values["iou_matched"] = None if overlap is None else overlap.iou_matched
    stale = "stale" in {row.removed.state, row.added.state, row.overlap.state}
    values["state"] = "of former masks" if stale else "current"
    return {key: values[key] for key in COLUMNS}


def _effect(mode: str, effect: EffectCell, cell: ChanceCell) -> Values:
    chance = cell.chance
    return {
        f"delta_{mode}_points": effect.delta_points,
        f"delta_{mode}_log_odds": effect.delta_log_odds,
        f"percentile_{mode}": None if chance is None else chance.percentile,
        f"p_{mode}": None if chance is None else chance.p_value,
        f"controls_{mode}": 0 if cell.state == "no room" else None if chance is None else chance.draws,
    }


def _settings(case: Case, result: Result) -> Values:
    toggles = case.toggles
    return {
        "image": case.reading.source.name,
        "model": result.model.id,
        "target": toggles.target,
        "fill": toggles.fill,
        "margin_px": toggles.margin_px,
        "seed": toggles.seed,
        "saliency_method": case.saliency.method if case.saliency is not None else None,
        "computed_on": computed_on(result.device, result.precision),
    }


def _written(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
