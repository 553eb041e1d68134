"""Opening a reader's store for writing: find all there is of it, choose where it goes on, and bring that place up to date."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review.nouns import Event
from OsteoScreenLib.review.places import SUFFIX, is_writable, on_network_drive, reserve_folder
from OsteoScreenLib.review.records import Header
from OsteoScreenLib.review.store_file import (
    BESIDE,
    Contents,
    add_all,
    connect,
    events_after,
    fault,
    last_line,
    make,
    write_store,
)
from OsteoScreenLib.review.store_reading import read_store


@dataclass(frozen=True)
class Opened:
    """A store open for writing. file : where it is kept. events : all of it. remark : "", or sentences for the reader."""

    connection: sqlite3.Connection
    file: Path
    header: Header
    events: tuple[Event, ...]
    remark: str


def open_for_writing(path: Path, new: Header, known: tuple[Event, ...] = ()) -> Opened:
    """Open the store that belongs at `path`, and make it when there is none.

    The longest of what lies at `path`, what lies in the reserve folder of this computer, and what is `known` already goes on: at
    `path`, or in the reserve folder when `path` cannot be written or is on a network drive, where SQLite's locks do not hold.

    new : header of the store if there is none yet, and the owner that a found one must have. Errors: see `ReaderStore.open`.
    """
    places = (path, reserve_folder(path.parent) / path.name)
    remarks: list[str] = []
    found = [contents for place in places if (contents := _found(place, new, remarks))] + [Contents(new, known)]
    best = max(found, key=lambda contents: len(contents.events))
    if known and best is found[-1]:
        remarks.append(f"The file {path.name} is written again, with all the reads of this window.")
    elif remarks:
        remarks.append(
            f"Locked reads that are kept: {sum(event.kind == 'locked' for event in best.events)}; see which are missing."
        )
    failure = OsteoScreenError(f"Reads cannot be saved in {path.parent}; allow writing there and sign in again.")
    for place, unfit in zip(places, (_unfit(path), ""), strict=True):
        try:
            if unfit or not is_writable(place):
                continue
            connection, header, events = _go_on_at(place, best)
        except sqlite3.Error as error:
            unfit, failure = "it cannot be written", fault(error, place)
            continue
        if place != path:
            why = _unfit(path) or "it cannot be written"
            remarks.append(
                f"The study's own file is not used because {why}; your reads are saved on this computer, in {place.parent}."
            )
        return Opened(connection, place, header, events, " ".join(remarks))
    raise failure


def publish(path: Path, contents: Contents) -> None:
    """Put a copy of a store that is kept elsewhere where it belongs, unless something else or something newer lies there.

    Quietly does nothing where that is not allowed: the store itself is safe.
    """
    if any(path.with_name(path.name + suffix).exists() for suffix in BESIDE) or not is_writable(path):
        return
    with suppress(OsteoScreenError):
        if path.exists() and not _goes_on(contents.events, read_store(path).events):
            return
        write_store(path, contents)


def _unfit(path: Path) -> str:
    return "it lies on a network drive" if on_network_drive(path) else ""


def _goes_on(events: tuple[Event, ...], start: tuple[Event, ...]) -> bool:
    # An id tells all that came before it, so that one comparison is enough.
    return len(start) <= len(events) and (not start or events[len(start) - 1].id == start[-1].id)


def _found(place: Path, owner: Header, remarks: list[str]) -> Contents | None:
    """What lies at `place`; a damaged file is put aside, and what its chain still proves is taken."""
    if not place.is_file():
        return None
    contents: Contents | None = None
    try:
        contents = read_store(place)
    except InputError as error:
        if error.code == "empty":
            return None
        if error.code != "torn":
            raise
    if contents and (contents.header.reader, contents.header.machine) != (owner.reader, owner.machine):
        whose = f"{contents.header.reader} on machine {contents.header.machine}"
        raise InputError(f"{place.name} holds the reads of {whose}; sign in with that code or move the file.", code="reader")
    if contents is None or contents.damage:
        aside = _put_aside(place, f"{place.name}.torn-{secrets.token_hex(3)}")
        remarks.append(f"The file {place.name} was damaged" + (f" and put aside as {aside.name}." if aside else "."))
    return contents


def _go_on_at(place: Path, best: Contents) -> tuple[sqlite3.Connection, Header, tuple[Event, ...]]:
    """Open `place` with all of `best` in it. What does not belong to it there is put aside under a name that is merged too."""
    connection = connect(place)
    try:
        header = make(connection, best.header)
        count, last = last_line(connection)
        if header == best.header and (not count or last in {event.id for event in best.events[count - 1 : count]}):
            add_all(connection, best.events[count:], best.drafts)
            return connection, header, best.events
        if header == best.header and count > len(best.events):  # another window went on meanwhile, or these are other reads
            with suppress(InputError):
                return connection, header, best.events + tuple(events_after(connection, header, *best.events[-1:]))
    except BaseException:
        connection.close()
        raise
    connection.close()
    if _put_aside(place, f"{place.stem}+{secrets.token_hex(3)}{SUFFIX}") is None:
        raise sqlite3.OperationalError(f"{place.name} holds other reads and cannot be renamed")
    return _go_on_at(place, best)


def _put_aside(path: Path, name: str) -> Path | None:
    """Rename a file and SQLite's files beside it; None where that is not allowed."""
    try:
        for suffix in (*BESIDE, ""):
            with suppress(FileNotFoundError):
                os.replace(path.with_name(path.name + suffix), path.with_name(name + suffix))
    except OSError:
        return None
    return path.with_name(name)
