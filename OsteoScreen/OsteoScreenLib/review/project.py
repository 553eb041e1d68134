"""All readers' stores as one view of the project: the same whatever is merged, in whatever order, however often."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review.nouns import Event, LockedRead, MaskVerdict, Phase
from OsteoScreenLib.review.places import READS, SUFFIX, machine_code, reserve_folder
from OsteoScreenLib.review.records import last_verdicts, read_of
from OsteoScreenLib.review.store_file import BESIDE, Contents, write_store
from OsteoScreenLib.review.store_reading import read_store


@dataclass(frozen=True)
class Conflict:
    """A reader read one task twice, on two machines. counted : the read that counts. other : the one that does not."""

    counted: LockedRead
    other: LockedRead

    def as_text(self) -> str:
        """One sentence."""
        counted, other = self.counted, self.other
        again = f" (repeat {other.task.repeat})" if other.task.repeat else ""
        return (
            f"{other.reader} read {other.task.case}{again} twice: what was locked on machine {counted.machine} at {counted.at} "
            f"counts, the {other.phase} read locked on machine {other.machine} at {other.at} does not."
        )


@dataclass(frozen=True)
class ProjectView:
    """What a study has come to.

    events : of all stores, by time. reads : one for each reader, task and phase, in the order of these. verdicts : each reader's
    last word on each bone of each case. conflicts : reads that do not count, in the order of the reads. remarks : sentences on files
    that could not be taken in; they are no part of what makes two views the same.
    """

    events: tuple[Event, ...]
    reads: tuple[LockedRead, ...]
    verdicts: tuple[MaskVerdict, ...]
    conflicts: tuple[Conflict, ...]
    remarks: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """16 digits (of a SHA-256) that two views share when they hold the same events."""
        return hashlib.sha256("".join(event.id for event in self.events).encode("ascii")).hexdigest()[:16]


def stores_of(study: Path) -> list[Path]:
    """The stores in a study's folder, and those of this computer that could not be kept there, sorted by name."""
    reads = study / READS
    found = [path for folder in (reads, reserve_folder(reads)) if folder.is_dir() for path in folder.glob(f"*{SUFFIX}")]
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: (path.name, str(path)))


def merged(source: Path | Iterable[Path]) -> ProjectView:
    """The view of a study's folder, or of stores wherever they lie. No file is changed.

    A store that cannot be read, or is damaged, is left out with a remark, all but the events that its chain proves. A reader who
    read one task on two machines is counted once: with the machine on which its first lock is the earliest, by the machines' clocks.
    """
    events: dict[str, Event] = {}
    remarks: list[str] = []
    for path in stores_of(source) if isinstance(source, Path) else source:
        try:
            contents = read_store(path)
            for event in contents.events:
                if event.kind == "locked":
                    read_of(event)
        except OsteoScreenError as error:
            remarks.append(str(error))
            continue
        except (KeyError, TypeError, ValueError):
            remarks.append(
                f"{path.name} holds reads that this OsteoScreen does not understand; update it, or leave the file out."
            )
            continue
        events.update((event.id, event) for event in contents.events)
        if contents.damage:
            remarks.append(f"{path.name} is damaged ({contents.damage}); what stands before that counts. Copy the file again.")
    ordered = tuple(sorted(events.values(), key=_by_time))
    reads, conflicts = _counted(read_of(event) for event in ordered if event.kind == "locked")
    return ProjectView(ordered, reads, last_verdicts(ordered), conflicts, tuple(remarks))


def copy_in(source: Path, study: Path) -> tuple[str, ...]:
    """Take the stores of another copy of a study, a folder or one file, into this study's; a sentence on each.

    This machine's own stores are not touched, an older copy never takes the place of a newer one, and reads that do not go on from
    those that lie here already are put beside them, so that they count too. Raises `InputError` (gone) where there is no store,
    `OsteoScreenError` when this study cannot be written.
    """
    given = [source] if source.is_file() else stores_of(source) or sorted(source.glob(f"*{SUFFIX}"))
    if not given:
        raise InputError(
            f"There are no reads in {source}; choose a study's folder, its folder 'reads', or one file of it.", code="gone"
        )
    reads = study / READS
    reads.mkdir(parents=True, exist_ok=True)
    here = {path: {event.id for event in _events_of(path)} for path in stores_of(study)}
    said = []
    for path in given:
        try:
            contents = read_store(path)
        except InputError as error:
            said.append(str(error))
        else:
            said.append(_take_in(path.name, contents, reads, here))
    return tuple(said)


def _take_in(name: str, contents: Contents, reads: Path, here: dict[Path, set[str]]) -> str:
    ids = {event.id for event in contents.events}
    count = len(ids.difference(*here.values()))
    if contents.damage:
        return f"{name} is damaged ({contents.damage}) and was not taken; copy it again."
    if not count:
        return f"{name} holds nothing new."
    stem = f"{contents.header.reader}@{contents.header.machine}"
    target = reads / f"{stem}{SUFFIX}"
    if contents.header.machine == machine_code() or not here.get(target, set()) <= ids:
        target = reads / f"{stem}+{contents.events[-1].id[:6]}{SUFFIX}"
    for suffix in BESIDE:  # what a copied write-ahead log held is among the events
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    write_store(target, contents)
    here[target] = ids
    return f"{name}: {count} new events were taken."


def _events_of(path: Path) -> tuple[Event, ...]:
    try:
        return read_store(path).events
    except OsteoScreenError:
        return ()


def _counted(reads: Iterable[LockedRead]) -> tuple[tuple[LockedRead, ...], tuple[Conflict, ...]]:
    """The reads that count and the ones that do not, whatever the order of `reads`."""
    counted: list[LockedRead] = []
    conflicts: list[Conflict] = []
    for _, group in groupby(sorted(reads, key=_by_task), key=lambda read: (read.reader, read.task)):
        locked = list(group)
        earliest = min(locked, key=_by_lock)
        begun = {read.machine for read in locked if read.phase == "first"} - {earliest.machine}
        best: dict[Phase, LockedRead] = {}
        for read in sorted(locked, key=lambda read: (read.machine != earliest.machine, *_by_lock(read))):
            # A second read belongs to the first read of its machine, and does not count where that one does not.
            if read.phase in best or (read.phase == "second" and read.machine in begun):
                conflicts.append(Conflict(best.get(read.phase, earliest), read))
            else:
                best[read.phase] = read
        counted.extend(best[phase] for phase in sorted(best))
    return tuple(counted), tuple(conflicts)


def _by_time(event: Event) -> tuple[str, str, str, int, str]:
    return event.at, event.reader, event.machine, event.sequence, event.id


def _by_lock(read: LockedRead) -> tuple[str, str, str]:
    return read.at, read.machine, read.id


def _by_task(read: LockedRead) -> tuple[object, ...]:
    return read.reader, read.task, *_by_lock(read)
