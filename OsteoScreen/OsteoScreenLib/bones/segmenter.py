"""What a segmenter is: a radiograph in, bone masks out."""

from __future__ import annotations

from typing import Protocol

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.radiograph.radiograph import Radiograph


class Segmenter(Protocol):
    """Draws named bones on an upright radiograph. Implementations: embedded, TorchXRayVision, masks from a file."""

    name: str

    def segment(self, radiograph: Radiograph) -> BoneMasks:
        """Masks at the radiograph's own size; bones it cannot draw are absent from the table."""
        ...
