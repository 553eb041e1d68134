"""What a gateway did, as one JSON object a line: cases by their key, never a patient's data."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from datetime import UTC, datetime
from typing import TextIO

_LONGEST = 300
_SHOWN_KEY = 16  # hexadecimal digits of a case's key


class Journal:
    """Writes events to a stream. A stream that takes nothing more (a full disk, a closed pipe) stops nobody.

    Callers hand over what they know to be free of patient data: codes, counts, keys, addresses, AE titles.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()

    def info(self, event: str, **facts: str | int | float | bool | None) -> None:
        """Something happened as it should."""
        self._write("info", event, facts)

    def warning(self, event: str, **facts: str | int | float | bool | None) -> None:
        """Something was refused or has to be tried again."""
        self._write("warning", event, facts)

    def error(self, event: str, **facts: str | int | float | bool | None) -> None:
        """Something needs a person."""
        self._write("error", event, facts)

    def _write(self, level: str, event: str, facts: dict[str, str | int | float | bool | None]) -> None:
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event}
        shown = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in facts.items()}
        if isinstance(key := shown.get("case"), str):
            shown["case"] = key[:_SHOWN_KEY]
        text = json.dumps({**line, **shown}, ensure_ascii=True)
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()
