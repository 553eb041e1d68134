"""Measures what finds text in the pixels: lines drawn on radiographs, and radiographs without any."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import resource_folder


@dataclass(frozen=True)
class BurnedInFigures:
    """images : radiographs. drawn : texts drawn on them, `found` of which at least one letter was covered; `ink` : the mean share of
    their letters that was covered. marked : images that were taken to show text before any was drawn, by name. seconds : an image.
    """

    images: int
    drawn: int
    found: int
    ink: float
    marked: tuple[str, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def as_text(self) -> str:
        """Three lines for a terminal."""
        marked = f": {', '.join(self.marked)}" if self.marked else ""
        return (
            f"text drawn {self.drawn} times on {self.images} radiographs: found {self.found} times "
            f"({100 * self.found / self.drawn:.1f} %), {100 * self.ink:.1f} % of its letters covered\n"
            f"text seen in radiographs as they are: {len(self.marked)} of {self.images}{marked}\n"
            f"{self.seconds:.2f} s a radiograph"
        )


def measure_burned_in(images: Sequence[Path], count: int, seed: int) -> BurnedInFigures:
    """Draw `count` texts on radiographs in turn, and look for them. images : files; the simulated samples if none.

    Raises InputError for a file that is no readable radiograph.
    """
    from OsteoScreenLib.exchange.privacy.burned_in import find_text
    from OsteoScreenLib.radiograph.read import read_radiograph
    from OsteoScreenLib.study.burned_text import burn_text

    if count < 1:
        raise InputError("At least one text has to be drawn; give --count 1 or more.", "option")
    paths = list(images) or sorted(resource_folder("SampleData").glob("*.dcm"))
    rng = np.random.default_rng(seed)
    pictures = [read_radiograph(path).pixels for path in paths]
    started = time.perf_counter()
    marked = tuple(path.name for path, picture in zip(paths, pictures, strict=True) if find_text(picture))
    seconds = (time.perf_counter() - started) / len(paths)
    shares: list[float] = []
    while len(shares) < count:
        burned = burn_text(pictures[len(shares) % len(pictures)], rng)
        if not burned.ink.any():  # white on white is nothing to find
            continue
        covered = np.zeros(burned.ink.shape, bool)
        for area in find_text(burned.pixels):
            covered[area.box] = True
        shares.append(float(covered[burned.ink].mean()))
    return BurnedInFigures(len(paths), count, sum(share > 0 for share in shares), float(np.mean(shares)), marked, seconds)
