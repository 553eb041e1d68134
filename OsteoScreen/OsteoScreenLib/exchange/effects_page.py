"""A cohort's effects of bones as one HTML page that needs no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.exchange.pages import template
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.bone_effects_summary import CohortEffects
from OsteoScreenLib.study.bone_effects_table import HEAD, MEANING, sentences, table_words


def write_effects_page(folder: Path, effects: CohortEffects) -> Path:
    """Write effects.html into an existing folder; its path."""
    return write_text(folder / "effects.html", effects_page(effects))


def effects_page(effects: CohortEffects) -> str:
    """The page as HTML text without any outside reference; bars show Δ of the bones shown alone, on one scale."""
    values = [None if row.delta is None else row.delta.value for row in effects.rows]
    known = [0.0, *(value for value in values if value is not None)]
    low, span = min(known), (max(known) - min(known)) or 1.0
    rows = [
        {"of": row.of, "words": words, **_bar(value, low, span)}
        for row, words, value in zip(effects.rows, table_words(effects), values, strict=True)
    ]
    return template("effects.html.j2").render(
        model=effects.facts["model"]["title"],
        statements=effects.facts["statements"],
        sentences=sentences(effects),
        meaning=MEANING,
        head=HEAD,
        rows=rows,
        left_out=effects.left_out,
        version=__version__,
    )


def _bar(value: float | None, low: float, span: float) -> dict[str, Any]:
    """Where a bar from zero to the value begins and how wide it is, in per cent of its cell."""
    if value is None:
        return {"left": 0.0, "width": None, "against": False}
    return {"left": 100 * (min(value, 0.0) - low) / span, "width": 100 * abs(value) / span, "against": value < 0}
