"""Images that are read for someone else than the case on the table: one that is waited for, one ahead of its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.workbench import messages
from OsteoScreenLib.workbench.desk_nouns import Request
from OsteoScreenLib.workbench.reading import ImageSource, Reading

Fetched = Callable[[Reading | OsteoScreenError], None]
"""Called with the radiograph, or with what went wrong."""


class Fetches:
    """At most one of each kind is open; a newer wish takes the place of an older one.

    wanted : is waited for. ahead : is read when nothing else is asked.
    """

    def __init__(self) -> None:
        self.wanted: Request | None = None
        self.ahead: Request | None = None

    def ask(self, source: ImageSource, done: Fetched, ahead: bool) -> None:
        """Take a wish. An image that is being read already is not read again: the `done` that was given first is told."""
        body, arrays = messages.image_request(source)
        body = {**body, "discreet": True}
        if self.wanted is not None and self.wanted.body == body:
            return
        if self.ahead is not None and self.ahead.body == body:
            if not ahead:
                self.wanted, self.ahead = self.ahead, None
            return
        request = Request(
            "fetching",
            "read",
            lambda answer: done(messages.reading_from(replace(source, path="", header_path=""), answer)),
            f"reading {source.name}",
            body,
            arrays,
            refused=done,
        )
        if ahead:
            self.ahead = request
        else:
            self.wanted = request

    def settle(self, request: Request) -> None:
        """It was answered, or refused."""
        if request is self.wanted:
            self.wanted = None
        elif request is self.ahead:
            self.ahead = None
