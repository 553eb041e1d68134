"""The SQLite file of one reader on one machine: its tables, its lines, and a whole new file from them.

The database itself keeps the promise: events can be added at the end and nowhere else, never changed, never deleted, and a read is
locked once. Connections that write use a write-ahead log (https://www.sqlite.org/wal.html) and are synced at each commit.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.review.nouns import Event
from OsteoScreenLib.review.records import Header, event_id, task_of, text_of

FORMAT = 1
BESIDE = ("-wal", "-shm", "-journal")  # SQLite's own files next to a database
_APPLICATION = 0x4F535256  # "OSRV", by which `file` and SQLite know the format
WAIT_SECONDS = 5.0
_COLUMNS = "sequence, id, at, kind, case_id, repeat, phase, body"
_SCHEMA = (
    "CREATE TABLE store (row INTEGER PRIMARY KEY CHECK (row = 1), uid TEXT NOT NULL, reader TEXT NOT NULL,"
    " machine TEXT NOT NULL, made TEXT NOT NULL)",
    "CREATE TABLE events (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, kind TEXT NOT NULL,"
    " case_id TEXT, repeat INTEGER, phase TEXT, body TEXT NOT NULL,"
    " CHECK (kind <> 'locked' OR (case_id IS NOT NULL AND repeat IS NOT NULL AND coalesce(phase, '') IN ('first', 'second'))))",
    "CREATE UNIQUE INDEX locked_once ON events (case_id, repeat, phase) WHERE kind = 'locked'",
    "CREATE TABLE drafts (case_id TEXT NOT NULL, repeat INTEGER NOT NULL, phase TEXT NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY (case_id, repeat, phase))",
    # REPLACE would delete without asking the triggers on DELETE, so what it could replace is refused here.
    "CREATE TRIGGER events_follow BEFORE INSERT ON events WHEN"
    " NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM events)"
    " OR NEW.at < (SELECT at FROM events ORDER BY sequence DESC LIMIT 1)"
    " OR EXISTS (SELECT 1 FROM events WHERE id = NEW.id)"
    " OR (NEW.kind = 'locked' AND EXISTS (SELECT 1 FROM events WHERE kind = 'locked' AND case_id = NEW.case_id"
    " AND repeat = NEW.repeat AND phase = NEW.phase))"
    " BEGIN SELECT RAISE(ABORT, 'events are only added at the end'); END",
    "CREATE TRIGGER store_once BEFORE INSERT ON store WHEN EXISTS (SELECT 1 FROM store)"
    " BEGIN SELECT RAISE(ABORT, 'a store has one owner'); END",
    *(
        f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'never changed'); END"
        for table in ("events", "store")
        for verb in ("UPDATE", "DELETE")
    ),
)


@dataclass(frozen=True)
class Contents:
    """What a store holds. events : in their order. drafts : (case, repeat, phase) → JSON. damage : "", or what is wrong behind them."""

    header: Header
    events: tuple[Event, ...]
    drafts: Mapping[tuple[str, int, str], str] = field(default_factory=dict)
    damage: str = ""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes, in autocommit. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        # Where the disk cannot hold a write-ahead log, SQLite keeps to its rollback journal, which is as safe.
        for pragma in (
            "journal_mode = WAL", "fullfsync = ON", "checkpoint_fullfsync = ON", "recursive_triggers = ON", "trusted_schema = OFF",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        sync_each_commit(connection, True)
    except BaseException:
        connection.close()
        raise
    return connection


def sync_each_commit(connection: sqlite3.Connection, wanted: bool) -> None:
    """Whether a commit survives even a power cut, or, sooner done, only the end of the process at any moment."""
    connection.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")


def make(connection: sqlite3.Connection, header: Header) -> Header:
    """Make the tables in an empty file, all or none; the header that the file has now, which is another one's if it was not empty."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _SCHEMA:
                connection.execute(statement)
            row = (header.uid, header.reader, header.machine, header.made)
            connection.execute("INSERT INTO store VALUES (1, ?, ?, ?, ?)", row)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return read_header(connection)


def insert(connection: sqlite3.Connection, event: Event) -> None:
    """Add one event at the end. Raises `sqlite3.IntegrityError` where it does not belong there."""
    case, repeat = (event.task.case, event.task.repeat) if event.task else (None, None)
    phase = event.body["phase"] if event.kind == "locked" else None
    row = (event.sequence, event.id, event.at, event.kind, case, repeat, phase, text_of(event.body))
    connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def read_header(connection: sqlite3.Connection) -> Header:
    """Whose store it is. Raises `InputError` ("empty", "format", "newer"), whose sentence lacks the file's name at its start."""
    application, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise InputError("is empty; copy it again if it should hold reads.", code="empty")
    if application != _APPLICATION:
        raise InputError("is no store of reads; choose another file.", code="format")
    if version > FORMAT:
        raise InputError("was written by a newer OsteoScreen; update this one to read it.", code="newer")
    return Header(*connection.execute("SELECT uid, reader, machine, made FROM store").fetchone())


def events_after(connection: sqlite3.Connection, header: Header, last: Event | None = None) -> Iterator[Event]:
    """The events behind `last`, all if None. Raises `InputError` (torn) at the first that does not hang on the chain."""
    before, sequence = (last.id, last.sequence) if last else (header.root, 0)
    rows = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE sequence > ? ORDER BY sequence", (sequence,))
    for number, identity, at, kind, case, repeat, phase, body in rows:
        task = task_of(case, repeat)
        values = _values(body)
        fits = number == sequence + 1 and event_id(before, number, at, kind, task, body) == identity
        if not fits or values is None or (kind == "locked" and phase != values.get("phase")):
            raise InputError(f"its line {sequence + 1} is not as it was written", code="torn")
        before, sequence = identity, number
        yield Event(identity, header.reader, header.machine, number, at, kind, task, values)


def last_line(connection: sqlite3.Connection) -> tuple[int, str]:
    """Sequence and id of the last event; 0 and "" while there is none."""
    found = connection.execute("SELECT sequence, id FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
    return found or (0, "")


def write_store(path: Path, contents: Contents) -> Path:
    """A file with these events and no drafts, in place of what lies at `path`; whole or not at all.

    Raises `OsteoScreenError` when it cannot be written. Nobody may have the old file open.
    """

    def write(temporary: Path) -> None:
        try:
            with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = MEMORY")
                make(connection, contents.header)
                add_all(connection, contents.events, {})
        except sqlite3.Error as error:
            raise fault(error, path) from error

    return write_atomically(path, write)


def add_all(connection: sqlite3.Connection, events: Sequence[Event], drafts: Mapping[tuple[str, int, str], str]) -> None:
    """Add events at the end, and drafts where there is none, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for event in events:
            insert(connection, event)
        for key, body in drafts.items():
            connection.execute("INSERT OR IGNORE INTO drafts VALUES (?, ?, ?, ?)", (*key, body))
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def fault(error: sqlite3.Error, path: Path, done: str = "saved") -> OsteoScreenError:
    """What SQLite says as one sentence for the reader. done : what could not be done."""
    name = str(getattr(error, "sqlite_errorname", ""))
    for start, (what, advice) in _FAULTS.items():
        if name.startswith(start):
            return OsteoScreenError(f"This could not be {done} because {what} ({path.parent}); {advice}")
    return OsteoScreenError(f"This could not be {done} in {path.name} in {path.parent} ({error}); sign in again.")


def is_damage(error: BaseException) -> bool:
    """Whether an error of SQLite, or of `events_after`, says that the file itself is damaged."""
    name = str(getattr(error, "sqlite_errorname", ""))
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or getattr(error, "code", "") == "torn"


_FAULTS = {
    "SQLITE_FULL": ("the disk is full", "free some space and try again."),
    "SQLITE_IOERR": ("the disk is full or does not answer", "free some space or connect it again, and try again."),
    "SQLITE_READONLY": ("the file may not be changed", "allow writing there and sign in again."),
    "SQLITE_CANTOPEN": ("the file cannot be opened", "allow writing there and sign in again."),
    "SQLITE_BUSY": ("another window is writing", "close it or wait a moment, and try again."),
    "SQLITE_LOCKED": ("another window is writing", "close it or wait a moment, and try again."),
    "SQLITE_CORRUPT": ("the file was damaged", "sign in again, and what can be saved is saved."),
    "SQLITE_NOTADB": ("the file was damaged", "sign in again, and what can be saved is saved."),
}


def _values(body: str) -> dict[str, Any] | None:
    with suppress(ValueError, TypeError):
        values = json.loads(body)
        return values if isinstance(values, dict) else None
    return None
