"""Events in plain Python: who changes the state tells, who shows it listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

Arguments = ParamSpec("Arguments")


class Event(Generic[Arguments]):
    """Something that can happen. `event.connect(callback)` listens, `event.emit(…)` tells every listener in order."""

    def __init__(self) -> None:
        self._listeners: list[Callable[Arguments, object]] = []

    def connect(self, callback: Callable[Arguments, object]) -> Callable[[], None]:
        """Listen. Returns a function that ends it; calling that twice does no harm."""
        self._listeners.append(callback)

        def disconnect() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return disconnect

    def emit(self, *arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        """Tell every listener. A listener that is disconnected meanwhile is not called any more."""
        for listener in tuple(self._listeners):
            if listener in self._listeners:
                listener(*arguments, **named)
