"""The gateway's working threads, one for each analyser and one that sends, started and stopped together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.gateway.analysers import Analyser
from OsteoScreenLib.gateway.analysing import Analysing
from OsteoScreenLib.gateway.delivering import Courier
from OsteoScreenLib.gateway.posting import Posting
from OsteoScreenLib.gateway.shared import Shared

_LEAVING_SECONDS = 5.0


class Work:
    """objects : kinds of results that are made and sent."""

    def __init__(self, shared: Shared, analysers: Sequence[Analyser], courier: Courier, objects: tuple[str, ...]) -> None:
        self._shared = shared
        self._analysing = [Analysing(shared, one, objects) for one in analysers]
        runs = [*(one.run for one in self._analysing), Posting(shared, courier, objects).run]
        self._threads = [threading.Thread(target=run, name=f"work {number}", daemon=True) for number, run in enumerate(runs)]

    @property
    def ready(self) -> bool:
        """Whether at least one analyser has its models loaded."""
        return any(one.ready for one in self._analysing)

    @property
    def wrong(self) -> InputError | None:
        """What the user has to mend before anything can be analysed."""
        return next((one.wrong for one in self._analysing if one.wrong is not None), None)

    @property
    def alive(self) -> bool:
        """Whether every thread still runs."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float) -> None:
        """Finish what is being analysed and sent within `grace` seconds; an analysis that takes longer is given back."""
        self._shared.stopping.set()
        self._shared.tell()
        self._join(grace)
        self._shared.leaving.set()
        self._join(_LEAVING_SECONDS)

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
