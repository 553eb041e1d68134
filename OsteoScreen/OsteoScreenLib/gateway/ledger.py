"""The durable queue: which cases there are and how far each has come. SQLite in WAL mode, every commit synced to the disk.

    received → analysing → sending → done
                   └→ refused (not what the model reads; nothing is sent)
                   └→ failed  (after so many attempts; the radiograph is kept)

A case is known by the SHA-256 of its SOP Instance UID; no UID and nothing of the patient is stored. Once a case is `sending`, its
results are fixed and it is never analysed again, so whatever is killed whenever, only one set of results can ever be sent.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from OsteoScreenLib.errors import InputError, OsteoScreenError

State = Literal["received", "analysing", "sending", "done", "refused", "failed"]
STATES: tuple[State, ...] = get_args(State)
OPEN: tuple[State, ...] = ("received", "analysing", "sending", "failed")
"""States in which a case still needs its files."""
INTERRUPTIONS = 25  # so often may the whole service die over a case before it is put aside as a danger

_COLUMNS = "key, state, code, attempts, interruptions, not_before, arrived, changed, bytes, origin"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS cases (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN {STATES}),
    code TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    arrived REAL NOT NULL,
    changed REAL NOT NULL,
    bytes INTEGER NOT NULL,
    origin TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due ON cases (state, arrived);
"""


@dataclass(frozen=True)
class Case:
    """One radiograph. code : why it was refused, failed or is tried again. attempts : that went wrong in its present state.

    interruptions : how often the service ended while this was analysed. not_before, arrived, changed : seconds since 1970.
    origin : "store" or "watch".
    """

    key: str
    state: State
    code: str
    attempts: int
    interruptions: int
    not_before: float
    arrived: float
    changed: float
    bytes: int
    origin: str


class QueueFull(OsteoScreenError):
    """The queue could not be written, mostly because the disk is full; what was to be noted was not."""


class Ledger:
    """The queue in one file, for the threads of one process; a second process is refused while the first lives.

    Raises `InputError` when the file is in use or is no queue, and `QueueFull` from whatever writes when the disk is full.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock = clock, threading.RLock()
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
            # Locked for as long as this process lives, however it ends; needs no shared memory, so any file system will do.
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise InputError(
                    f"Another gateway is at work in {path.parent}; give this one a --folder of its own.", "folder"
                ) from error
            raise QueueFull(f"The queue {path} cannot be opened ({error}); check the disk.") from error
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{path} is no queue of a gateway or is damaged ({error}); choose another --folder.", "folder"
            ) from error

    def close(self) -> None:
        """Write everything into the one file and let it go."""
        with self._lock:
            self._database.close()

    def add(self, key: str, size: int, origin: str, state: State = "received", code: str = "") -> None:
        """A new case, or one that is to begin anew. On the disk when this returns."""
        now = self._clock()
        self._write(
            "INSERT OR REPLACE INTO cases (key, state, code, arrived, changed, bytes, origin) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, state, code, now, now, size, origin),
        )

    def case(self, key: str) -> Case | None:
        """What is known of a case; None if nothing."""
        return self._one(f"SELECT {_COLUMNS} FROM cases WHERE key = ?", (key,))

    def next(self, state: State, but: str = "") -> Case | None:
        """The case in a state that is due and has waited longest, other than `but`."""
        query = f"SELECT {_COLUMNS} FROM cases WHERE state = ? AND not_before <= ? AND key != ? ORDER BY arrived, key LIMIT 1"
        return self._one(query, (state, self._clock(), but))

    def claim(self) -> Case | None:
        """Take the next received case for analysis; nobody else gets it until it is moved again."""
        with self._lock:
            case = self.next("received")
            if case is not None:
                self.move(case.key, "analysing", keep_attempts=True)
            return case

    def move(
        self,
        key: str,
        state: State,
        code: str = "",
        *,
        keep_attempts: bool = False,
        attempted: bool = False,
        delay: float = 0.0,
    ) -> None:
        """Note how far a case has come. attempted : one more attempt went wrong. delay : seconds before it is due again."""
        attempts = "attempts + 1" if attempted else "attempts" if keep_attempts else "0"
        now = self._clock()
        self._write(
            f"UPDATE cases SET state = ?, code = ?, attempts = {attempts}, not_before = ?, changed = ? WHERE key = ?",
            (state, code, now + delay if delay else 0.0, now, key),
        )

    def recover(self) -> int:
        """After a start: all is due at once, also what was being analysed when the last process ended. Returns how much that was.

        A case over which the service died many times has failed, so that it cannot stop the others for ever.
        """
        with self._lock:
            count = self.counts()["analysing"]
            self._write("UPDATE cases SET not_before = 0 WHERE not_before > 0", ())  # whatever the clock said then
            self._write(
                "UPDATE cases SET interruptions = interruptions + 1, "
                f"state = CASE WHEN interruptions + 1 >= {INTERRUPTIONS} THEN 'failed' ELSE 'received' END, "
                f"code = CASE WHEN interruptions + 1 >= {INTERRUPTIONS} THEN 'service-died' ELSE code END WHERE state = 'analysing'",
                (),
            )
            return count

    def retry_failed(self) -> int:
        """Failed cases begin anew. Returns how many."""
        with self._lock:
            count = self.counts()["failed"]
            self._write(
                "UPDATE cases SET state = 'received', code = '', attempts = 0, interruptions = 0, not_before = 0 WHERE state = 'failed'",
                (),
            )
            return count

    def counts(self) -> dict[State, int]:
        """Cases in each state."""
        with self._lock:
            rows = self._database.execute("SELECT state, count(*) FROM cases GROUP BY state").fetchall()
        found = dict(rows)
        return {state: int(found.get(state, 0)) for state in STATES}

    def keys(self, *states: State) -> list[str]:
        """Keys of all cases in these states."""
        with self._lock:
            marks = ", ".join("?" * len(states))
            return [str(row[0]) for row in self._database.execute(f"SELECT key FROM cases WHERE state IN ({marks})", states)]

    def oldest_waiting(self) -> float:
        """Seconds that the case which has waited longest has waited; 0 when none does."""
        with self._lock:
            row = self._database.execute(
                "SELECT min(arrived) FROM cases WHERE state IN ('received', 'analysing', 'sending')"
            ).fetchone()
        return max(0.0, self._clock() - row[0]) if row and row[0] is not None else 0.0

    def _one(self, query: str, values: tuple[Any, ...]) -> Case | None:
        with self._lock:
            row = self._database.execute(query, values).fetchone()
        return None if row is None else Case(*row)

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._lock:
            try:
                self._database.execute(statement, values)
            except sqlite3.OperationalError as error:
                raise QueueFull(f"The queue could not be written ({error}); free some space on its disk.") from error
