"""What analyses one radiograph for the gateway: the warm inference process of this machine. Ray's workers are in `ray_workers`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.workbench.worker_client import WorkerClient, WorkerFault

_POLL_SECONDS = 0.01


class GivenBack(OsteoScreenError):
    """The service is leaving, so the analysis was ended; the case is as it was."""


class Analyser(Protocol):
    """Analyses one radiograph after another. Used by one thread at a time."""

    def warm(self, leave: threading.Event) -> None:
        """Load the models. leave : as for `analyse`. Raises `OsteoScreenError`, `InputError` when the options are wrong."""

    def analyse(self, image: Path, out: Path, following: Path | None, leave: threading.Event) -> Mapping[str, Path]:
        """Write the results of `image` into the folder `out`; kind of object ("seg", "sr", …) → file.

        following : what will be asked next, if that is known. leave : set when the service has to go at once.
        Raises `InputError` for an image that is not analysed, `GivenBack`, and `OsteoScreenError` for a fault worth another attempt.
        """

    def close(self) -> None:
        """End what was started."""


class ProcessAnalyser:
    """An inference process of its own, kept warm.

    options : as the `analyse` request takes them, `objects` among them. seconds : patience with one image. threads : of the
    processor, None for one a core. Sums are rounded in another order with other threads, so single pixels at a bone's edge may differ.
    """

    def __init__(self, options: Mapping[str, Any], seconds: float, threads: int | None = None) -> None:
        self._options, self._seconds = dict(options), seconds
        self._client = WorkerClient(environment={} if threads is None else {"OMP_NUM_THREADS": str(threads)})

    def warm(self, leave: threading.Event) -> None:
        """See `Analyser`."""
        self._ask("load", {**self._options, "command": "analyse"}, "loading the models", leave)

    def analyse(self, image: Path, out: Path, following: Path | None, leave: threading.Event) -> Mapping[str, Path]:
        """See `Analyser`."""
        body = {
            **self._options,
            "path": str(image),
            "out": str(out),
            "next": str(following) if following else None,
        }
        answer = self._ask("analyse", body, "analysing a radiograph", leave)
        return {kind: Path(path) for kind, path in answer["files"].items()}

    def _ask(self, kind: str, body: Mapping[str, Any], doing: str, leave: threading.Event) -> Mapping[str, Any]:
        deadline = time.monotonic() + self._seconds
        self._client.submit(kind, body, doing=doing)
        while (answer := self._client.poll()) is None:
            if leave.is_set():
                self._client.cancel()
                raise GivenBack("The gateway is leaving; the radiograph is analysed after the next start.")
            if time.monotonic() > deadline:
                self._client.cancel()
                raise WorkerFault(
                    f"There was no answer within {self._seconds:g} s while {doing}; it was ended.", code="timeout"
                )
            time.sleep(_POLL_SECONDS)
        return answer.body

    def close(self) -> None:
        """See `Analyser`."""
        self._client.close()
