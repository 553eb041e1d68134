"""The columns of figures beside the bones: what each is called, how its cells are written, and by what it is sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from OsteoScreenLib.explain.covering import Mode
from OsteoScreenLib.ui.effect_cells import (
    BAR_WIDTH,
    SHARE_WIDTH,
    bar_length,
    bar_scale,
    effect_bar,
    effect_text,
    effect_tooltip,
    share_bar,
    signed,
)
from OsteoScreenLib.workbench.effect_rows import ChanceCell, EffectRow, OverlapCell
from OsteoScreenLib.workbench.toggles import Toggles

SIGNIFICANT = 0.05
_OLD = "* Belongs to the masks before they were changed."
_GENEROUS = (
    "Of bones that are added back, percentiles are somewhat too generous where many bones overlap: little is free there, "
    "and controls hit bones as well."
)


@dataclass(frozen=True)
class Look:
    """One cell. bar : what `icon` draws it from, None for no bar. stale : of former masks. strong : beyond chance."""

    text: str
    tip: str
    bar: tuple[Any, ...] | None = None
    stale: bool = False
    strong: bool = False


@dataclass(frozen=True)
class Scale:
    """Where bars are full: points of Δ on either side; share and IoU between 0 and 1."""

    points: float
    share: float
    iou: float


@dataclass(frozen=True)
class Column:
    """key : as `ui.table.COLUMNS` names it. head : two lines at most. widest : the widest text, for the column's width.

    look : how a cell is shown. value : what it is sorted by, None where there is none. computing : its figure is on its way.
    """

    key: str
    head: str
    tip: str
    widest: str
    bar_width: int
    look: Callable[[EffectRow, Toggles, Scale], Look]
    value: Callable[[EffectRow, Mode], float | None]
    computing: Callable[[EffectRow, Mode], bool]


def icon(look: Look, pixel_ratio: float) -> Any | None:
    """QIcon of a cell's bar, None for none."""
    if look.bar is None:
        return None
    if look.bar[0] == "effect":
        return effect_bar(look.bar[1], look.stale, pixel_ratio)
    return share_bar(look.bar[1], look.stale, look.bar[2], pixel_ratio)


def scale_of(rows: Iterable[EffectRow], modes: Iterable[Mode]) -> Scale:
    """The smallest steps that hold every figure of these rows; Δ of these modes."""
    every, shown = list(rows), list(modes)
    points = bar_scale(row.effect(mode) for row in every for mode in shown)
    return Scale(points, _step(row.mass_share for row in every), _step(row.iou for row in every))


def _step(values: Iterable[float | None]) -> float:
    largest = max((value for value in values if value is not None), default=0.0)
    return next((step for step in (0.05, 0.1, 0.2, 0.3, 0.5, 0.7) if step >= largest), 1.0)


def _effect_column(key: str, mode: Mode, head: str, tip: str) -> Column:
    def look(row: EffectRow, toggles: Toggles, scale: Scale) -> Look:
        cell = row.effect(mode)
        length = bar_length(cell, scale.points)
        tip = effect_tooltip(cell, toggles.with_changes(mode=mode))
        return Look(effect_text(cell), tip, None if length is None else ("effect", length), cell.state == "stale")

    return Column(
        key,
        head,
        tip,
        "−88.8*",
        BAR_WIDTH,
        look,
        lambda row, _: row.effect(mode).delta_points,
        lambda row, _: row.effect(mode).state == "computing",
    )


def _percentile_look(row: EffectRow, toggles: Toggles, scale: Scale) -> Look:
    cell, chance = row.chance(toggles.mode), row.chance(toggles.mode).chance
    if chance is None:
        return Look(_PERCENTILE_WORDS.get(cell.state, "–"), _PERCENTILE_TIPS.get(cell.state, "Not compared with controls."))
    low, middle, high = (signed(chance.quantiles[share], 2) for share in ("0.05", "0.5", "0.95"))
    lines = [
        f"Percentile {chance.percentile:.1f}: Δ against {chance.draws} controls, regions of as many pixels elsewhere. "
        f"p {chance.p_value:.3f} one-sided, {chance.p_two_sided:.3f} two-sided.",
        f"The controls' Δ: median {middle}, 5 to 95 % {low} to {high} points.",
    ]
    if toggles.mode == "add-back":
        lines.append(_GENEROUS)
    if cell.state == "stale":
        lines.append(_OLD)
    text = f"{chance.percentile:.0f}" + ("*" if cell.state == "stale" else "")
    bar = ("share", round(chance.percentile), 95)
    return Look(text, "\n".join(lines), bar, cell.state == "stale", chance.p_value <= SIGNIFICANT)


_PERCENTILE_WORDS = {"computing": "…", "no room": "n/a"}
_PERCENTILE_TIPS = {
    "computing": "Controls are being computed in the background. What you switch is answered first.",
    "no room": "No control: nowhere else on this radiograph are as many pixels free.",
    "stale": _OLD,
}


def _percentile(row: EffectRow, mode: Mode) -> float | None:
    cell: ChanceCell = row.chance(mode)
    return None if cell.chance is None else cell.chance.percentile


def _overlap_column(
    key: str, head: str, tip: str, widest: str, write: Callable[[EffectRow], str], value: Callable[[EffectRow], float | None]
) -> Column:
    def look(row: EffectRow, toggles: Toggles, scale: Scale) -> Look:
        cell, number = row.overlap, value(row)
        if cell.overlap is None or number is None:
            return Look("…" if cell.state == "computing" else "–", _no_overlap(cell))
        stale = cell.state == "stale"
        full = scale.share if key == "share" else scale.iou
        bar = ("share", round(100 * min(number / full, 1.0)), -1)
        return Look(write(row) + ("*" if stale else ""), _overlap_tip(cell), bar, stale)

    return Column(
        key, head, tip, widest, SHARE_WIDTH, look, lambda row, _: value(row), lambda row, _: row.overlap.state == "computing"
    )


def _no_overlap(cell: OverlapCell) -> str:
    if cell.state == "computing":
        return "The heatmap is being computed."
    return "There is no heatmap." if cell.overlap is None else "Not defined: the heatmap is empty or the same everywhere."


def _overlap_tip(cell: OverlapCell) -> str:
    one = cell.overlap
    assert one is not None
    lines = []
    if one.mass_share is not None:
        times = "" if one.enrichment is None else f": {one.enrichment:.2f} times what chance would give"
        area = f"of the image's area {100 * one.area_share:.1f} %{times}"
        lines.append(f"Of the heatmap's sum {100 * one.mass_share:.1f} % lies here, {area}.")
    if one.iou_otsu is not None:
        lines.append(f"IoU with the map's bright part (Otsu's threshold) {one.iou_otsu:.3f}.")
    if one.iou_matched is not None:
        lines.append(f"IoU with as many of its brightest pixels as this has {one.iou_matched:.3f}.")
    if one.pointing is not None:
        lines.append("The map's largest value lies here." if one.pointing >= 0.5 else "The map's largest value lies elsewhere.")
    lines.append("Overlap alone does not say that the model reads bone.")
    return "\n".join([*lines, _OLD] if cell.state == "stale" else lines)


def _one_decimal(row: EffectRow) -> str:
    return f"{100 * (row.mass_share or 0.0):.1f}"


def _two_decimals(row: EffectRow) -> str:
    return f"{row.iou or 0.0:.2f}"


FIGURES: tuple[Column, ...] = (
    _effect_column(
        "removed", "remove", "Δ removed\npoints", "What the answer loses when this is covered, in percentage points."
    ),
    _effect_column(
        "added", "add-back", "Δ added\npoints", "What this gives back when every other bone is covered, in percentage points."
    ),
    Column(
        "percentile",
        "Percen-\ntile",
        "Where Δ of the present mode lies among the Δ of 20 controls: regions of as many pixels, of the same shape, elsewhere. "
        "Above 95 (bold): larger than chance at the 5 % level. Of 40 rows about two are so by chance alone.",
        "100*",
        SHARE_WIDTH,
        _percentile_look,
        _percentile,
        lambda row, mode: row.chance(mode).state == "computing",
    ),
    _overlap_column(
        "share",
        "Heat\nshare %",
        "How much of the heatmap's sum lies on this, in per cent.",
        "88.8*",
        _one_decimal,
        lambda row: row.mass_share,
    ),
    _overlap_column(
        "iou",
        "Heat\nIoU",
        "Intersection over union with the heatmap's bright part (Otsu's threshold), 0 to 1.",
        "0.88*",
        _two_decimals,
        lambda row: row.iou,
    ),
)


def shown_figures(columns: frozenset[str], mode: Mode) -> frozenset[str]:
    """The chosen columns, and always Δ of the present mode."""
    return columns | {"removed" if mode == "remove" else "added"}


def order_by(
    column: Column | None, names: Iterable[str], rows: Mapping[str, EffectRow], mode: Mode, falling: bool
) -> dict[str, int]:
    """name → rank. column : None for the order in which the names stand. What has no figure comes last, in that order."""
    listed = list(names)
    if column is None:
        return {name: rank for rank, name in enumerate(listed)}

    def key(name: str) -> tuple[bool, float]:
        value = column.value(rows[name], mode) if name in rows else None
        return value is None, 0.0 if value is None else -value if falling else value

    return {name: rank for rank, name in enumerate(sorted(listed, key=key))}
