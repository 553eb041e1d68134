"""The reads of one reader on one machine: only added to, saved before they count as saved, and never locked twice."""

from __future__ import annotations

import json
import math
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, get_args

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review import store_file as file
from OsteoScreenLib.review.nouns import Event, LockedRead, MaskVerdict, ModelFacts, Opinion, Phase, Task, Verdict, checked_code
from OsteoScreenLib.review.records import (
    KINDS,
    Header,
    event_id,
    last_verdicts,
    read_body,
    read_of,
    text_of,
    verdict_body,
    verdict_of,
)
from OsteoScreenLib.review.store_opening import open_for_writing, publish


def utc_now() -> datetime:
    """The computer's clock."""
    return datetime.now(UTC)


class ReaderStore:
    """An append-only store, open for writing; used from one thread.

    path : where it belongs. file : where it is kept, which is `path` unless that cannot be written or is on a network drive.
    remark : "" or one sentence for the reader on what was found when it was opened.
    """

    def __init__(self, path: Path, reader: str, machine: str, app: str, clock: Callable[[], datetime] = utc_now) -> None:
        """Use `open`."""
        self.path, self.app, self.remark = path, app, ""
        self.reader, self.machine = checked_code(reader), checked_code(machine, "machine code")
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._header = Header(secrets.token_hex(8), self.reader, self.machine, self._time())
        self._events: list[Event] = []
        self._reads: dict[tuple[Task, Phase], LockedRead] = {}
        self._begin()

    @classmethod
    def open(cls, path: Path, reader: str, machine: str, app: str, clock: Callable[[], datetime] = utc_now) -> Self:
        """Open the store at `path`, and make it when there is none.

        Parameters
        ----------
        path : as `places.store_path` gives it. reader, machine : codes. app : version of OsteoScreen, kept with each read.
        clock : gives the time of day; it may run backwards, the store's times do not.

        A file that may not be changed, or on a network drive, is carried on on this computer; a damaged one is put aside as
        `.torn` and what its chain still proves is kept; `remark` says so.

        Raises
        ------
        InputError
            "reader" when the file is another reader's or another machine's, "newer" when it is of a newer OsteoScreen, "format".
        OsteoScreenError
            When no place can be written.
        """
        return cls(path, reader, machine, app, clock)

    def append(self, kind: str, task: Task | None = None, body: Mapping[str, Any] | None = None) -> Event:
        """Save one event; it is on the disk when this returns.

        kind : one of `records.KINDS` but "locked" and "mask", which have `lock` and `judge`. body : JSON values. Its `at` is never
        before the last event's; where the clock says so, `body["clock"]` is what it said. Raises `OsteoScreenError` when it cannot
        be saved.
        """
        if kind not in KINDS or kind in ("locked", "mask"):
            raise ValueError(f"append() takes {', '.join(KINDS)}, without 'locked' and 'mask', not {kind!r}")
        return self._write(kind, task, body or {})

    def lock(
        self, task: Task, phase: Phase, opinion: Opinion, model: ModelFacts, active_seconds: float, idle_seconds: float
    ) -> LockedRead:
        """Save a read for good; it is on the disk when this returns, and its draft is gone.

        Raises
        ------
        InputError
            "locked" when this task and phase is locked already; the stored read stays as it is.
        OsteoScreenError
            When it cannot be saved (a full disk, for example); it is not locked then, and its draft is still there.
        """
        if phase not in get_args(Phase) or not all(
            math.isfinite(value) and value >= 0 for value in (active_seconds, idle_seconds)
        ):
            raise ValueError(f"no phase {phase!r}, or no times {active_seconds}, {idle_seconds}")
        body = read_body(phase, opinion, model, active_seconds, idle_seconds, self.app)
        event = self._write("locked", task, body)
        with suppress(sqlite3.Error):  # so that a copy of the one file has the read; it is safe without
            self._open_connection().execute("PRAGMA wal_checkpoint(PASSIVE)")
        return read_of(event)

    def judge(self, case: str, bone: str, verdict: Verdict, version: int = 0, reason: str = "") -> MaskVerdict:
        """Save what the reader finds of one bone's mask; a later verdict on it counts instead. Errors as of `append` and `MaskVerdict`."""
        MaskVerdict(self.reader, case, bone, verdict, version, reason)
        return verdict_of(self._write("mask", Task(case), verdict_body(bone, verdict, version, reason)))

    def events(self) -> tuple[Event, ...]:
        """All events in their order, those of another window of this reader too."""
        self._look()
        return tuple(self._events)

    def reads(self) -> tuple[LockedRead, ...]:
        """All locked reads in the order in which they were locked."""
        self._look()
        return tuple(self._reads.values())

    def locked(self, task: Task, phase: Phase) -> LockedRead | None:
        """The locked read of a task and phase, None while there is none."""
        self._look()
        return self._reads.get((task, phase))

    def verdicts(self) -> tuple[MaskVerdict, ...]:
        """The last verdict on each bone of each case, sorted by these."""
        return last_verdicts(self.events())

    def keep_draft(self, task: Task, phase: Phase, body: Mapping[str, Any]) -> None:
        """Keep what is entered but not locked, in place of what was kept before; it outlives the process.

        Raises `InputError` (locked) when the read is locked, `OsteoScreenError` when it cannot be saved.
        """
        text = text_of(body)
        with self._transaction(synced=False) as connection:
            self._refuse_locked(task, phase)
            connection.execute("INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?)", (task.case, task.repeat, phase, text))

    def draft(self, task: Task, phase: Phase) -> dict[str, Any] | None:
        """What was kept of a read that is not locked; None when nothing was."""
        query = "SELECT body FROM drafts WHERE case_id = ? AND repeat = ? AND phase = ?"
        try:
            row = self._open_connection().execute(query, (task.case, task.repeat, phase)).fetchone()
        except sqlite3.Error as error:
            raise file.fault(error, self.file, "read") from error
        return json.loads(row[0]) if row else None

    def close(self) -> None:
        """Close the file; where it is kept elsewhere, put a copy of it where it belongs, if that can be written."""
        if self._closed:
            return
        self._look()
        self._closed = True
        self._disconnect()
        if self.file != self.path:
            publish(self.path, file.Contents(self._header, tuple(self._events)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, kind: str, task: Task | None, body: Mapping[str, Any]) -> Event:
        with self._transaction() as connection:
            if kind == "locked" and task:
                self._refuse_locked(task, body["phase"])
                key = (task.case, task.repeat, body["phase"])
                connection.execute("DELETE FROM drafts WHERE case_id = ? AND repeat = ? AND phase = ?", key)
            event = self._following(kind, task, body)
            file.insert(connection, event)
        self._take(event)
        return event

    def _following(self, kind: str, task: Task | None, body: Mapping[str, Any]) -> Event:
        last = self._events[-1] if self._events else None
        at = self._time()
        if last and at < last.at:
            body = {**body, "clock": at}
            at = last.at
        sequence = last.sequence + 1 if last else 1
        text = text_of(body)
        identity = event_id(last.id if last else self._header.root, sequence, at, kind, task, text)
        return Event(identity, self.reader, self.machine, sequence, at, kind, task, json.loads(text))

    def _refuse_locked(self, task: Task, phase: Phase) -> None:
        if (task, phase) in self._reads:
            at = self._reads[task, phase].at
            raise InputError(f"This read was locked at {at} and stays as it is; go on with the next one.", code="locked")

    @contextmanager
    def _transaction(self, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """All that is written inside is saved at its end or not at all; the events are up to date inside."""
        if not self._closed and self._is_gone():
            self._begin()
        connection = self._open_connection()
        try:
            file.sync_each_commit(connection, synced)
            connection.execute("BEGIN IMMEDIATE")
            self._refresh()
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            if file.is_damage(error):
                self._begin()
                raise OsteoScreenError(f"{self.remark} Try again.") from error
            if isinstance(error, sqlite3.Error):
                raise file.fault(error, self.file) from error
            raise

    def _refresh(self) -> None:
        last = self._events[-1] if self._events else None
        for event in file.events_after(self._open_connection(), self._header, last):
            self._take(event)

    def _look(self) -> None:
        """Take in what another window wrote; where that fails, what is known already is still true."""
        with suppress(sqlite3.Error, OsteoScreenError):
            self._refresh()

    def _take(self, event: Event) -> None:
        self._events.append(event)
        if event.kind == "locked":
            read = read_of(event)
            self._reads[read.task, read.phase] = read

    def _open_connection(self) -> sqlite3.Connection:
        if self._closed:
            raise OsteoScreenError(f"The reads of {self.reader} are closed; sign in again.")
        if self._connection is None:  # the file was gone and could not be written again yet
            self._begin()
        assert self._connection is not None
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _begin(self) -> None:
        """Open the file, or open it again where it is gone or damaged, with all that is known of it."""
        self._disconnect()
        opened = open_for_writing(self.path, self._header, tuple(self._events))
        self._connection, self.file, self._header, self.remark = opened.connection, opened.file, opened.header, opened.remark
        self._inode = os.stat(self.file).st_ino
        self._events, self._reads = [], {}
        for event in opened.events:
            self._take(event)

    def _is_gone(self) -> bool:
        try:
            return os.stat(self.file).st_ino != self._inode
        except OSError:
            return True

    def _time(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds")
