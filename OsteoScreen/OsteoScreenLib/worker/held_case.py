"""The case that the worker holds: a radiograph with its bones and classifier, and what is prepared for covering them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from OsteoScreenLib.errors import OsteoScreenError

if TYPE_CHECKING:
    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.classifier.classifier import Classifier
    from OsteoScreenLib.explain.controls import Controls
    from OsteoScreenLib.explain.covering import BoneCutouts, Coverer
    from OsteoScreenLib.radiograph.radiograph import Radiograph

KEPT_COVERERS = 6  # ways of covering kept prepared; each may hold one full-size picture


class NoCase(OsteoScreenError):
    """The case that a request names is not held: the process was started after it, or another case took its place."""

    code = "no-case"


@dataclass
class HeldCase:
    """What questions about one case need.

    stages : seconds of reading, gate and segmenting, for the report; empty for a case that was handed over.
    coverers : (mode, fill, margin, seed) → what is prepared for covering that way, the last used at the end.
    """

    token: str
    radiograph: Radiograph
    masks: BoneMasks
    classifier: Classifier
    stages: Mapping[str, float] = field(default_factory=dict)
    coverers: OrderedDict[tuple[str, str, float, int], Coverer] = field(default_factory=OrderedDict)
    cutouts: BoneCutouts | None = None
    _controls: tuple[Coverer, int, Controls] | None = None

    def controls(self, coverer: Coverer, seed: int) -> Controls:
        """The controls of one of the coverers, made at their first use."""
        from OsteoScreenLib.explain.controls import Controls

        if self._controls is None or self._controls[0] is not coverer or self._controls[1] != seed:
            self._controls = (coverer, seed, Controls(coverer, seed))
        return self._controls[2]

    def coverer(self, mode: str, fill: str, margin_px: float, seed: int) -> Coverer:
        """The coverer of a way of covering, made at its first use."""
        from OsteoScreenLib.explain.covering import BoneCutouts, Coverer

        key = (mode, fill, margin_px, seed)
        if key not in self.coverers:
            if self.cutouts is None:
                self.cutouts = BoneCutouts(self.masks)
            self.coverers[key] = Coverer(
                self.radiograph.pixels,
                self.masks,
                mode,  # type: ignore[arg-type]
                fill,  # type: ignore[arg-type]
                margin_px,
                seed,
                self.cutouts,
            )
            while len(self.coverers) > KEPT_COVERERS:
                self.coverers.popitem(last=False)
        self.coverers.move_to_end(key)
        return self.coverers[key]


def running_on(classifier: Classifier) -> dict[str, str]:
    """Where a classifier's answers come from, as the protocol says it."""
    return {"device": classifier.device.type, "precision": classifier.precision}
