"""What is to go to an archive: the objects are made, looked into, sent on the reader's word, and leave the disk again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_desk import PacsDesk
from OsteoScreenLib.workbench.pacs_nouns import OutgoingObject, SendOutcome
from OsteoScreenLib.worker.private_folders import PrivateFolders

NO_OBJECTS = "No DICOM object can be made of this radiograph; open it from its DICOM file, then analyse it."
_OBJECTS = ("seg", "sr", "sc", "pr", "saliency")  # of the result files, those that are DICOM objects

Make = Callable[[str, Callable[[dict[str, str]], None]], bool]
"""Writes the objects of what is shown into a folder and then tells their files; False, after a message, when it cannot be begun."""


class PacsSending:
    """objects, outcomes : what would be sent, and what became of it. preparing : the objects are being made. running : they go.

    changed : "objects" or "outcomes". message : (severity, sentence) for the reader. later : called with what is to be done when
    nothing else runs.
    """

    def __init__(
        self,
        desk: PacsDesk,
        make: Make,
        files: PrivateFolders,
        message: Event[[str, str]],
        later: Callable[[Callable[[], object]], None],
    ) -> None:
        self.changed: Event[[str]] = Event()
        self.objects: tuple[OutgoingObject, ...] = ()
        self.outcomes: tuple[SendOutcome, ...] = ()
        self.preparing = self.running = False
        self._desk, self._make, self._files, self._message, self._later = desk, make, files, message, later
        self._folder: Path | None = None  # that the objects lie in
        self._making = self._looking = False
        self._name = ""  # of the archive
        self._confirmed = ""  # how far sending had come, for a reader who stops it
        desk.looked.connect(self._on_looked)
        desk.sent.connect(self._on_sent)
        desk.progressed.connect(self._on_progress)
        desk.failed.connect(lambda sentence, code: self._on_failed())

    def prepare(self) -> None:
        """Make the objects of what is shown, and list what they would carry. Nothing is sent."""
        self.put_away()
        folder = self._files.new()
        self.preparing = self._making = True
        self._folder = folder
        if not self._make(str(folder), lambda files: self._on_made(folder, files)):
            self._making = False
            self.put_away()
        self.changed.emit("objects")

    def send(self, name: str, paths: Sequence[str]) -> None:
        """Send these of the objects, which the reader has confirmed, to an archive."""
        known = {one.path for one in self.objects}
        chosen = [path for path in paths if path in known]
        if chosen:
            self.running, self._name, self._confirmed = True, name, ""
            self._desk.send(name, chosen)

    def stop(self) -> None:
        """The request that runs is given up; a reader who was sending is told how far it was."""
        running, self.running = self.running, False
        if running:
            so_far = (
                f"{self._confirmed}; what the archive has taken stays there" if self._confirmed else "nothing was confirmed"
            )
            self._message.emit("warning", f"Sending was stopped: {so_far}. Sending again does no harm.")

    def put_away(self) -> None:
        """The objects leave the disk; those that are still being made as soon as they are."""
        if self._folder is not None and not self._making:
            self._files.remove(self._folder)
        self._folder, self.preparing, self._looking = None, False, False
        self.objects, self.outcomes = (), ()

    def _on_made(self, folder: Path, files: dict[str, str]) -> None:
        self._making = False
        if folder != self._folder:  # put away meanwhile
            self._files.remove(folder)
            return
        paths = [files[name] for name in _OBJECTS if name in files]
        if paths:
            self._later(lambda: self._look(folder, paths))
            return
        self.put_away()
        self.changed.emit("objects")
        if files:  # without any, what went wrong was told
            self._message.emit("error", NO_OBJECTS)

    def _look(self, folder: Path, paths: Sequence[str]) -> None:
        if folder == self._folder:
            self._looking = True
            self._desk.look(paths)

    def _on_looked(self, objects: tuple[OutgoingObject, ...]) -> None:
        if self._looking:
            self.objects, self.preparing, self._looking = objects, False, False
            self.changed.emit("objects")

    def _on_sent(self, outcomes: tuple[SendOutcome, ...]) -> None:
        self.running, self.outcomes = False, outcomes
        self.changed.emit("outcomes")
        failed = [outcome for outcome in outcomes if outcome.problem]
        stored = len(outcomes) - len(failed)
        if failed:
            self._message.emit("error", f"{stored} of {len(outcomes)} objects were stored in {self._name}. {failed[0].problem}")
        else:
            self._message.emit("info", f"{stored} {'object was' if stored == 1 else 'objects were'} stored in {self._name}.")

    def _on_progress(self, fraction: float, sentence: str) -> None:
        self._confirmed = sentence

    def _on_failed(self) -> None:
        self.running = False
        if self._looking:
            self.put_away()
            self.changed.emit("objects")
