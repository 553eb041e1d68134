"""The noun `Toggles`: what a reader has switched for one case. Frozen, so that undo is a list of earlier values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from OsteoScreenLib.classifier.prediction import TARGETS
from OsteoScreenLib.explain.covering import LARGEST_MARGIN, MODES, Mode
from OsteoScreenLib.explain.fills import FILLS, Fill
from OsteoScreenLib.explain.saliency_methods import DEFAULT_METHOD, GRAD_CAM, SALIENCY_METHODS


@dataclass(frozen=True)
class Toggles:
    """What the model is shown, and which outlines the reader sees.

    covered : bones that the model does not see (column "Model sees" unticked).
    hidden : bones whose outline is off (column "Outline" unticked); it changes nothing that the model is shown.
    mode, fill : see `explain.covering` and `explain.fills`. margin_px : widening of covered masks, in pixels.
    seed : of "noise", of "linear" and of the controls.
    target : the class that Δ and the heatmap are about; osteoporosis unless the reader chooses another one.
    saliency : how the heatmap is made, a key of `SALIENCY_METHODS`, or `DEFAULT_METHOD` as long as the reader chose none.
    """

    covered: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    mode: Mode = "remove"
    fill: Fill = "mean"
    margin_px: float = 0.0
    seed: int = 0
    target: str = "osteoporosis"
    saliency: str = DEFAULT_METHOD

    def with_changes(self, **changes: Any) -> Toggles:
        """A copy with some fields replaced."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """JSON values; `from_json` gives the same toggles back."""
        return {**vars(self), "covered": sorted(self.covered), "hidden": sorted(self.hidden)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Toggles:
        """Read what `to_json` wrote. Raises `ValueError` where a value is not one of those that exist."""
        toggles = cls(
            frozenset(map(str, values["covered"])),
            frozenset(map(str, values["hidden"])),
            values["mode"],
            values["fill"],
            float(values["margin_px"]),
            int(values["seed"]),
            str(values["target"]),
            str(values.get("saliency", GRAD_CAM)),  # not there in a scene that was saved before there was a choice
        )
        known = toggles.mode in MODES and toggles.fill in FILLS and toggles.target in TARGETS
        if (
            not known
            or toggles.saliency not in (DEFAULT_METHOD, *SALIENCY_METHODS)
            or not 0 <= toggles.margin_px <= LARGEST_MARGIN
        ):
            raise ValueError(f"toggles hold an unknown value: {dict(values)}")
        return toggles
