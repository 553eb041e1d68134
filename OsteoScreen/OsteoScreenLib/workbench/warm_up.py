"""What is done before anything is asked: look for the worker's libraries and devices, then load the models."""

from __future__ import annotations

import time

from OsteoScreenLib.workbench import messages
from OsteoScreenLib.workbench.desk_events import DeskEvents
from OsteoScreenLib.workbench.desk_nouns import Request
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions

GREETING_SECONDS = 0.4  # between two looks whether the libraries are there; nothing waits behind a look


class WarmUp:
    """Requests for idle moments. events : tells of the devices."""

    def __init__(self, events: DeskEvents) -> None:
        self._events = events
        self._look_at: float | None = None
        self._load: AnalysisOptions | None = None

    def begin(self, options: AnalysisOptions | None) -> None:
        """Look for the devices from now on, and load the models of `options` if given."""
        self._look_at, self._load = time.monotonic(), options

    def stop(self) -> None:
        """Do nothing more."""
        self._look_at = self._load = None

    def next_request(self) -> Request | None:
        """What is to be sent now, None when there is nothing or it is too early."""
        if self._look_at is not None:
            due = time.monotonic() >= self._look_at
            return Request("greeting", "hello", self._on_greeting, "starting", {"devices": "if-ready"}) if due else None
        if self._load is None:
            return None
        body, self._load = {**messages.options_request(self._load), "command": "analyse"}, None
        return Request("loading", "load", lambda _: None, "loading the models", body)

    def _on_greeting(self, answer: Message) -> None:
        if "devices" not in answer.body:
            self._look_at = time.monotonic() + GREETING_SECONDS
            return
        self._look_at = None
        libraries = ", ".join(f"{name} {version}" for name, version in answer.body["libraries"].items())
        self._events.logged.emit(f"OsteoScreen {answer.body['osteoscreen']}, Python {answer.body['python']}, {libraries}")
        self._events.devices_known.emit(messages.device_words(answer))
