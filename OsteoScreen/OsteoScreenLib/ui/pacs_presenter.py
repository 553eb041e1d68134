"""Between the windows for the PACS and the child that talks to it: what was found, what would be sent, what came of it. No Qt in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.pacs_sending import PacsSending
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_desk import PacsDesk
from OsteoScreenLib.workbench.pacs_nouns import (
    ConnectionFacts,
    FetchedFile,
    FoundSeries,
    NewConnection,
    Search,
)
from OsteoScreenLib.worker.private_folders import PrivateFolders

_CHOSEN = "pacs"  # under which the host remembers the archive that was used last


class Table(Protocol):
    """What of the panel's presenter is needed here."""

    @property
    def busy(self) -> bool:
        """A job that the reader waits for is running."""
        ...

    def open_files(self, files: Sequence[tuple[str, str]]) -> None:
        """Open files as cases, each (path, name)."""

    def import_masks(self, path: str) -> None:
        """Take bone masks from a file for the case on the table."""

    def make_objects(self, folder: str, done: Callable[[dict[str, str]], None]) -> bool:
        """Write the DICOM objects of what is shown into a folder; False, with a message, when that cannot be begun."""


class PacsPresenter:
    """changed : "connections", "added" (a new one was stored), "found", "busy", "progress", "objects", "outcomes", or "prior".

    message : (severity, sentence) for the reader, severity "" to clear. connections, chosen : the archives, and the one that is
    asked. series, remark : what was found. sending : what would be sent, and what became of it. prior : rows of an earlier result.
    progress : (fraction, sentence).
    """

    def __init__(self, desk: PacsDesk, host: Host, table: Table) -> None:
        self.changed: Event[[str]] = Event()
        self.message: Event[[str, str]] = Event()
        self.connections: tuple[ConnectionFacts, ...] = ()
        self.chosen = host.remembered(_CHOSEN, "")
        self.series: tuple[FoundSeries, ...] = ()
        self.remark = ""
        self.prior: tuple[tuple[str, str], ...] = ()
        self.progress = (0.0, "")
        self._desk, self._host, self._table = desk, host, table
        self._files = PrivateFolders()
        self._adding = ""  # the connection that is being stored
        self._after: tuple[Callable[[], object], ...] = ()  # done one by one, when nothing else runs
        self.sending = PacsSending(desk, table.make_objects, self._files, self.message, self._later)
        self.sending.changed.connect(self.changed.emit)
        desk.connections_known.connect(self._on_connections)
        desk.tested.connect(lambda name, sentence: self.message.emit("info", sentence))
        desk.found.connect(self._on_found)
        desk.fetched.connect(self._on_fetched)
        desk.prior_known.connect(self._on_prior)
        desk.progressed.connect(self._on_progress)
        desk.busy_changed.connect(self._on_busy)
        desk.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """A request to the archive runs."""
        return self._desk.busy

    @property
    def waiting(self) -> bool:
        """`poll` has something to do."""
        return self._desk.busy or bool(self._after)

    @property
    def facts(self) -> ConnectionFacts | None:
        """The archive that is chosen."""
        return next((one for one in self.connections if one.name == self.chosen), None)

    @property
    def secret_typed(self) -> bool:
        """The chosen archive's secret was typed."""
        return self._desk.has_secret(self.chosen)

    # Connections

    def begin(self) -> None:
        """A window opens: read which archives are known."""
        if not self._desk.busy and self._ready():
            self._desk.ask_connections()

    def choose(self, name: str) -> None:
        """Ask this archive from now on."""
        self.chosen = name
        self._host.remember(_CHOSEN, name)
        self.series, self.remark = (), ""
        self._tell("connections", "found")

    def set_secret(self, name: str, secret: str) -> None:
        """The reader typed a secret."""
        self._desk.set_secret(name, secret)

    def add(self, new: NewConnection) -> None:
        """Store a connection and choose it."""
        if self._ready():
            self._adding = str(new.values.get("name", ""))
            self._desk.add_connection(new)

    def remove(self) -> None:
        """Forget the chosen connection."""
        if self.chosen:
            self._desk.remove_connection(self.chosen)

    def test(self) -> None:
        """Ask whether the chosen archive is there."""
        if self._may_ask():
            self._desk.test_connection(self.chosen)

    # Bringing

    def search(self, search: Search) -> None:
        """Search the chosen archive."""
        if self._may_ask():
            self.series, self.remark = (), ""
            self._tell("found")
            self._desk.find(self.chosen, search)

    def fetch(self, rows: Sequence[int]) -> None:
        """Bring the series of these rows and open what came."""
        wanted = [self.series[row] for row in rows if 0 <= row < len(self.series)]
        if wanted and self._may_ask():
            self._desk.fetch(self.chosen, wanted, str(self._files.new()))

    def send(self, paths: Sequence[str]) -> None:
        """Send these of the objects, which the reader has confirmed, to the chosen archive."""
        if self._may_ask():
            self.sending.send(self.chosen, paths)

    def put_away(self) -> None:
        """The reader is done with the objects: what runs about them is stopped, and they leave the disk."""
        if self.sending.running:
            self.cancel()
        self.sending.put_away()

    # An earlier result

    def show_prior(self, path: str) -> None:
        """Read an earlier result from a file."""
        if self._ready():
            self._desk.ask_prior(path)

    # The loop and the end

    def cancel(self) -> None:
        """Stop what runs."""
        self._desk.cancel()
        if self.sending.running:
            self.sending.stop()
        else:
            self.message.emit("info", "Stopped.")

    def poll(self) -> None:
        """Called by the window's timer."""
        self._desk.poll()
        if self._after and not self._desk.busy and not self._table.busy:
            first, *others = self._after
            self._after = tuple(others)
            first()

    def forget(self) -> None:
        """Keep nothing of what was found or is to be sent."""
        self._after = ()
        self.sending.running = False  # what was going on is not told any more
        self._desk.cancel()
        self.sending.put_away()
        self.series, self.remark, self.prior = (), "", ()
        self._tell("found", "objects", "prior")

    def close(self) -> None:
        """End the child; files of this session are deleted. Safe to call twice."""
        self._after = ()
        self._desk.close()
        self._files.close()

    def _ready(self) -> bool:
        problem = self._host.make_ready()
        if problem:
            self.message.emit("error", problem)
        return not problem

    def _may_ask(self) -> bool:
        facts = self.facts
        if facts is None:
            self.message.emit("warning", "Choose an archive first, or press Add… for a new one.")
        elif facts.secret == "missing" and not self.secret_typed:
            self.message.emit("warning", f"{facts.name} wants a password or a token; type it above.")
        elif self._desk.busy:
            self.message.emit("warning", "The last request is still running; cancel it or wait for it.")
        else:
            self.message.emit("", "")
            return True
        return False

    def _tell(self, *parts: str) -> None:
        for part in parts:
            self.changed.emit(part)

    # What the child says

    def _on_connections(self, connections: tuple[ConnectionFacts, ...]) -> None:
        self.connections = connections
        added, self._adding = self._adding, ""
        if added:
            self.choose(added)
            self._tell("added")
            return
        if self.facts is None:
            self.chosen = connections[0].name if len(connections) == 1 else ""
        self._tell("connections")

    def _on_found(self, series: tuple[FoundSeries, ...], remark: str) -> None:
        self.series = series
        count = "Nothing was found." if not series else "1 series" if len(series) == 1 else f"{len(series)} series"
        self.remark = f"{count}; {remark}" if remark and series else remark or count
        self._tell("found")

    def _on_fetched(self, files: tuple[FetchedFile, ...], problems: tuple[str, ...]) -> None:
        images = [(one.path, one.name) for one in files if one.kind == "image"]
        others = [one for one in files if one.kind != "image"]
        sentence = f"{len(files)} {'file' if len(files) == 1 else 'files'} came."
        if problems:
            more = f" (and {len(problems) - 1} more like this)" if len(problems) > 1 else ""
            self.message.emit("error" if not files else "warning", f"{'' if not files else sentence + ' '}{problems[0]}{more}")
        else:
            self.message.emit("info", sentence)
        if images:
            self._later(lambda: self._table.open_files(images))
        for one in others:
            self._take(one)

    def _take(self, file: FetchedFile) -> None:
        """What is no image: an earlier result is shown, masks are imported."""
        if file.kind == "report":
            self._later(lambda: self.show_prior(file.path))
        elif file.kind == "masks":
            self._later(lambda: self._table.import_masks(file.path))

    def _later(self, action: Callable[[], object]) -> None:
        self._after = (*self._after, action)

    def _on_prior(self, rows: tuple[tuple[str, str], ...]) -> None:
        self.prior = rows
        self._tell("prior")

    def _on_progress(self, fraction: float, sentence: str) -> None:
        self.progress = (fraction, sentence)
        self._tell("progress")

    def _on_busy(self, busy: bool) -> None:
        if busy:
            self.progress = (0.0, "")
        self._tell("busy")

    def _on_failed(self, sentence: str, code: str) -> None:
        if code == "not-allowed":  # what was typed is of no use, and is asked for again
            self._desk.set_secret(self.chosen, "")
            self._tell("connections")
        self._adding = ""
        self.message.emit("error", sentence)
