"""The report's table of how much of the heatmap lies on the bones."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.explain.analysis import Analysis
from OsteoScreenLib.explain.overlap import POINTING_TOLERANCE, Overlap

MEANING = (
    "Share: how much of the heatmap's sum lies on these bones. Times chance: that share over their share of the image; a map that knows "
    "nothing of bones has 1. IoU: overlap with the bright part of the map (Otsu's threshold), and with as many of its brightest pixels as "
    f"the bones have. Peak: the map's maximum lies within {100 * POINTING_TOLERANCE:g} % of the image's longer side of them. "
    "Overlap alone does not say that the model reads bone."
)


def overlap_rows(analysis: Analysis) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(all bones and the groups, the single bones), each as words for a row; both empty without a heatmap or bones."""
    rows = [_row(one) for one in analysis.overlap]
    return [row for row in rows if row["kind"] != "bone"], [row for row in rows if row["kind"] == "bone"]


def _row(one: Overlap) -> dict[str, Any]:
    return {
        "kind": {"all": "set"}.get(one.of, one.of),
        "name": one.name,
        "area": f"{100 * one.area_share:.1f} %",
        "share": "–" if one.mass_share is None else f"{100 * one.mass_share:.1f} %",
        "enrichment": _number(one.enrichment),
        "otsu": _number(one.iou_otsu),
        "matched": _number(one.iou_matched),
        "peak": "–" if one.pointing is None else "yes" if one.pointing >= 0.5 else "",
    }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
