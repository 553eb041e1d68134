"""Reading a store as a whole, whoever has it open and wherever it was copied from.

A store that is open on this machine is read under SQLite's own locks. Any other is read from a temporary copy, so that reading
leaves no trace beside it and needs no right to write there.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.request import pathname2url

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review.nouns import Event
from OsteoScreenLib.review.store_file import WAIT_SECONDS, Contents, events_after, read_header


def read_store(path: Path) -> Contents:
    """All that a store holds, whoever has it open; with `damage` said where the file or its chain is torn.

    Raises
    ------
    InputError
        "gone", "empty", "format", "newer", or "torn" when not even the owner can be read; the sentence names the file.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path.name} in {path.parent}.", code="gone")
    if path.with_name(
        f"{path.name}-shm"
    ).exists():  # open on this machine, or left by a process that died: SQLite's own locks hold
        with suppress(sqlite3.Error, InputError):
            uri = f"file:{pathname2url(str(path.resolve()))}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
                contents = _contents(connection)
                if not contents.damage:
                    return contents
    for attempt in range(4):
        before = _stamp(path)
        try:
            contents = _copied_contents(path)
        except InputError as error:
            damage: InputError | None = InputError(f"{path.name} {error}", code=error.code)
        except OSError as error:
            raise OsteoScreenError(f"{path.name} could not be read ({error.strerror}); copy it again.") from error
        else:
            if not contents.damage:
                return contents
            damage = None
        if _stamp(path) == before:  # nobody wrote while it was copied, so another look would see the same
            break
        time.sleep(0.05 * (attempt + 1))
    if damage:
        raise damage
    return contents


def _copied_contents(path: Path) -> Contents:
    with tempfile.TemporaryDirectory(prefix="osteoscreen-") as folder:
        copy = Path(folder) / "store.sqlite"
        shutil.copyfile(path, copy)
        for suffix in ("-wal", "-journal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                return _contents(connection)
        except sqlite3.Error as error:
            raise InputError("is damaged; copy it again from where it was made.", code="torn") from error


def _contents(connection: sqlite3.Connection) -> Contents:
    header = read_header(connection)
    events: list[Event] = []
    drafts: dict[tuple[str, int, str], str] = {}
    damage = ""
    connection.execute("BEGIN")  # one view of it all, whatever others add meanwhile
    try:
        for event in events_after(connection, header, None):
            events.append(event)
        drafts = {(case, repeat, phase): body for case, repeat, phase, body in connection.execute("SELECT * FROM drafts")}
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        damage = "" if found == "ok" else str(found)
    except (sqlite3.Error, InputError) as error:
        damage = str(error)
    return Contents(header, tuple(events), drafts, damage)


def _stamp(path: Path) -> list[tuple[int, int]]:
    stamps = []
    for name in (path.name, f"{path.name}-wal"):
        with suppress(OSError):
            status = path.with_name(name).stat()
            stamps.append((status.st_size, status.st_mtime_ns))
    return stamps
