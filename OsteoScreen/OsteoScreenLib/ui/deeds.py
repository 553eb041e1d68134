"""What a reader asks for is carried out, and nothing that goes wrong in it ends the window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.workbench.events import Event


class Deeds:
    """tell : called with ("error", one sentence) where the sentence is for the reader. fault : with every other exception."""

    def __init__(self, tell: Callable[[str, str], object], fault: Callable[[Exception], object]) -> None:
        self._tell, self._fault = tell, fault
        self._closed = False

    def on(self, event: Event[...], action: Callable[..., object]) -> None:
        """Carry out an action at every event, with the event's values."""
        event.connect(partial(self.do, action))

    def do(self, action: Callable[..., object], *values: Any) -> None:
        """Carry out an action now; nothing after `close`."""
        if self._closed:
            return
        try:
            action(*values)
        except OsteoScreenError as error:
            self._tell("error", str(error))
        except Exception as error:
            self._fault(error)

    def close(self) -> None:
        """Carry out nothing more."""
        self._closed = True
