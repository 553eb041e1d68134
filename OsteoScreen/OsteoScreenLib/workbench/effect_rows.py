"""What one row of the bone tree says beside its boxes: both Δ, where they lie among controls, and how much of the heatmap is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from OsteoScreenLib.explain.chance import Chance
from OsteoScreenLib.explain.covering import Mode
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.workbench.numbers import EffectCell

CellState = Literal["current", "computing", "stale", "no room", "none"]
RowOf = Literal["all", "group", "bone"]


@dataclass(frozen=True)
class ChanceCell:
    """Where a Δ lies among the Δ of its controls.

    chance : None unless the state is "current" or "stale". state : "no room" where no control of that size has a place.
    """

    chance: Chance | None = None
    state: CellState = "none"


@dataclass(frozen=True)
class OverlapCell:
    """How much of the heatmap lies here. overlap : None unless the state is "current" or "stale"."""

    overlap: Overlap | None = None
    state: CellState = "none"


NO_EFFECT, NO_CHANCE, NO_OVERLAP = EffectCell(), ChanceCell(), OverlapCell()


@dataclass(frozen=True)
class EffectRow:
    """All bones together, a group, or a bone.

    removed, removed_chance : Δ of mode "remove" and its rank among controls. added, added_chance : the same of mode "add-back".
    overlap : of the heatmap for the target, by the method that is chosen.
    """

    of: RowOf
    removed: EffectCell = NO_EFFECT
    removed_chance: ChanceCell = NO_CHANCE
    added: EffectCell = NO_EFFECT
    added_chance: ChanceCell = NO_CHANCE
    overlap: OverlapCell = NO_OVERLAP

    def effect(self, mode: Mode) -> EffectCell:
        """Δ in a mode."""
        return self.removed if mode == "remove" else self.added

    def chance(self, mode: Mode) -> ChanceCell:
        """Its rank among controls."""
        return self.removed_chance if mode == "remove" else self.added_chance

    @property
    def mass_share(self) -> float | None:
        """Share of the heatmap's sum, 0 to 1; None while it is not known or where it is not defined."""
        return None if self.overlap.overlap is None else self.overlap.overlap.mass_share

    @property
    def iou(self) -> float | None:
        """Intersection over union with the heatmap's bright part (Otsu's threshold), 0 to 1."""
        return None if self.overlap.overlap is None else self.overlap.overlap.iou_otsu


def at_rest(row: EffectRow, *, effects: bool, controls: bool, heatmap: bool) -> EffectRow:
    """The row without "computing" where nothing is being computed.

    effects, controls, heatmap : whether Δ, controls, a heatmap are still being computed or wait for it.
    """
    removed, added = (NO_EFFECT if cell.state == "computing" and not effects else cell for cell in (row.removed, row.added))
    ranks = (
        NO_CHANCE if cell.state == "computing" and not controls else cell for cell in (row.removed_chance, row.added_chance)
    )
    removed_chance, added_chance = ranks
    overlap = NO_OVERLAP if row.overlap.state == "computing" and not heatmap else row.overlap
    return replace(row, removed=removed, added=added, removed_chance=removed_chance, added_chance=added_chance, overlap=overlap)
