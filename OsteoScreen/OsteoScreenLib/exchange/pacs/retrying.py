"""Asks again what may succeed later, with growing pauses in which many callers do not fall into step."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from OsteoScreenLib.exchange.pacs.faults import PacsUnreachable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0

_Answer = TypeVar("_Answer")


def pause_s(attempt: int, asked_s: float | None = None, chance: Callable[[], float] = random.random) -> float:
    """Seconds to wait after a failed attempt (0 for the first): doubling, cut at half a minute, of which a random half is left out.

    asked_s : what the PACS asked for (Retry-After); it is kept to, up to the longest pause.
    """
    return max(growing(attempt, FIRST_PAUSE_S, LONGEST_PAUSE_S, chance), min(asked_s or 0.0, LONGEST_PAUSE_S))


def growing(attempt: int, first: float, longest: float, chance: Callable[[], float]) -> float:
    """A pause after a failed attempt (0 for the first): `first`, doubling up to `longest`, of which a random half is left out."""
    return min(first * 2.0 ** min(attempt, 64), longest) * (0.5 + 0.5 * chance())


def again(action: Callable[[], _Answer], retries: int, sleep: Callable[[float], None] = time.sleep) -> _Answer:
    """The answer of `action`, which is called up to `retries` times more while it raises `PacsUnreachable`; nothing else is retried."""
    for attempt in range(retries):
        try:
            return action()
        except PacsUnreachable as error:
            sleep(pause_s(attempt, error.wait_s))
    return action()
