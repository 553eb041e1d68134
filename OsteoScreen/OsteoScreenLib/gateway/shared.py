"""What the gateway's threads share: the queue with its files, the journal, and how they wait for each other."""

from __future__ import annotations

import random
import re
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from OsteoScreenLib.exchange.pacs.retrying import growing
from OsteoScreenLib.gateway.journal import Journal
from OsteoScreenLib.gateway.ledger import Ledger, QueueFull
from OsteoScreenLib.gateway.metrics import Metrics
from OsteoScreenLib.gateway.settings import Limits
from OsteoScreenLib.gateway.spool import Spool

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
_IDLE_SECONDS = 0.5
_WORKING_SHARE = 0.25  # of the reserve: cases that are there may use the rest of it, for finishing them frees space


@dataclass(frozen=True)
class Shared:
    """stopping : begin nothing new. leaving : give back what is under way, at once."""

    spool: Spool
    ledger: Ledger
    limits: Limits
    journal: Journal
    metrics: Metrics
    stopping: threading.Event = field(default_factory=threading.Event)
    leaving: threading.Event = field(default_factory=threading.Event)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def tell(self) -> None:
        """There is something new in the queue."""
        with self._news:
            self._news.notify_all()

    def wait(self) -> None:
        """Until there is something new, or a moment has passed."""
        with self._news:
            if not self.stopping.is_set():
                self._news.wait(_IDLE_SECONDS)

    def has_room_to_work(self) -> bool:
        """Whether results can be written."""
        return self.spool.has_room(share=_WORKING_SHARE)

    def note(self, write: Callable[[], None]) -> None:
        """Write to the queue, waiting for room on its disk. What cannot be noted before the end is done again, to the same result."""
        while True:
            try:
                return write()
            except QueueFull:
                self.journal.error("queue not written", code="disk-full")
                if self.stopping.wait(_IDLE_SECONDS):
                    return None


def pause_after(attempts: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds to wait after so many attempts went wrong: twice as long each time, half of it by chance, at most five minutes."""
    return growing(attempts, FIRST_PAUSE, LONGEST_PAUSE, chance)


def code_of(error: Exception) -> str:
    """What the journal says of a fault; its sentence might quote the image."""
    return str(getattr(error, "code", "") or type(error).__name__)


def place_of(error: Exception) -> str:
    """Where in the program a fault arose and of which kind it was, from its traceback, without what that quotes; "" if unknown."""
    details = getattr(error, "details", "") or "".join(traceback.format_exception(error))
    frames = re.findall(r'File "([^"]+)", line (\d+)', details)
    kinds = re.findall(r"^([A-Za-z_][\w.]*)(?::|$)", details, re.MULTILINE)
    return f"{kinds[-1]} at {Path(frames[-1][0]).name}:{frames[-1][1]}" if frames and kinds else ""
