"""The heatmap's colour maps, read from one table, so that pictures, reports and viewers show the same colours."""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from OsteoScreenLib.files import resource_folder

COLOUR_MAPS: tuple[str, ...] = ("plasma", "viridis", "inferno", "cividis")
"""The maps that exist, the default first. All are perceptually uniform and ordered for colour-blind readers too."""


@cache
def colours(name: str) -> np.ndarray:
    """uint8 (256, 3) sRGB for values from 0 to 1, read-only. Raises `ValueError` for a name that is not in `COLOUR_MAPS`."""
    if name not in COLOUR_MAPS:
        raise ValueError(f"there is no colour map called '{name}'; choose one of {', '.join(COLOUR_MAPS)}")
    lines = json.loads(resource_folder("ColourMaps.json").read_text(encoding="utf-8"))["maps"][name]
    return np.frombuffer(bytes.fromhex("".join(lines)), np.uint8).reshape(256, 3)
