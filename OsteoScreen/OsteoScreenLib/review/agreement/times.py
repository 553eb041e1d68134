"""How long reads take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.review.agreement.readings import Readings
from OsteoScreenLib.review.nouns import Phase


@dataclass(frozen=True)
class TimeSpent:
    """Of one reader in one phase, repeats too. Seconds of active time: median and quartiles of a read; and the sums of both kinds."""

    who: str
    phase: Phase
    aided: str
    reads: int
    median: float
    lower_quartile: float
    upper_quartile: float
    active: float
    idle: float


def times(readings: Readings) -> tuple[TimeSpent, ...]:
    """Of every reader in every phase that they read."""
    found = []
    for phase in readings.phases:
        for reader in readings.readers:
            reads = [read for read in readings.reads if read.reader == reader and read.phase == phase]
            if reads:
                active = np.array([read.active_seconds for read in reads])
                low, middle, high = (float(value) for value in np.percentile(active, [25, 50, 75]))
                idle = float(sum(read.idle_seconds for read in reads))
                found.append(
                    TimeSpent(reader, phase, readings.aided(phase), len(reads), middle, low, high, float(active.sum()), idle)
                )
    return tuple(found)
