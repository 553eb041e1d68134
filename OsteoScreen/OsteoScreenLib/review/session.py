"""One reader reading one study: going about, entering, locking, skipping. No Qt, no scene, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.review.entries import Entry
from OsteoScreenLib.review.nouns import ModelFacts, Task
from OsteoScreenLib.review.session_state import SessionState

KEEP_SECONDS = 10.0  # between two notes of the time that a case has taken so far, for the case of a crash
MOST_GONE = 3  # radiographs in a row that cannot be opened; after them a whole folder or drive is missing, not a case


class Session(SessionState):
    """The state of reading. Views listen and hold no state of their own.

    changed : emitted with "case" (another task is current, or none), "phase" (of the same task), "draft" or "list" (a status).
    message : (severity "info", "warning" or "error", one sentence) for the reader; a label such as "Case 7" stands for the case.

    Nothing here raises for what a reader does: a refused step is a message, and what was entered stays.

    Parameters
    ----------
    study : what is read. reader : his code. store : his open store, which belongs to the session from now on.
    worklist : his. seconds : a clock that never runs backwards.
    """

    # Going about; what was entered is kept

    def start(self) -> None:
        """Sign in and go where the reader stopped: his last task if it is not finished, else the next unread one."""
        if not self._signed_in:
            self._signed_in = True
            self._entries.record("signed-in")
        last = self._progress.last
        if last is not None and last in self._progress.places and self._progress.is_open(last):
            self._show(last)
        else:
            self._show(self._progress.open_after(last, self.tasks))

    def walk(self, tasks: Sequence[Task] | None) -> None:
        """Let `next`, `previous` and `next_unread` go through these tasks only, as a filter leaves them; None is all."""
        wanted = set(self.tasks if tasks is None else tasks)
        self._walked = tuple(task for task in self.tasks if task in wanted)

    def go(self, task: Task) -> None:
        """Put a task on the table."""
        if task not in self._progress.places:
            self.message.emit("warning", "This case is not in your list; choose one that is.")
        elif task != self._task or self._gone:  # one that could not be opened is tried again
            self._gone = 0
            self._show(task, again=True)

    def next(self) -> None:
        """The next task of the list, whatever its status."""
        self._step(1, "This is the last case of the list.")

    def previous(self) -> None:
        """The one before it."""
        self._step(-1, "This is the first case of the list.")

    def next_unread(self) -> None:
        """The next task that is neither finished nor skipped, from the beginning again after the last; without one the table is empty."""
        self._show(self.upcoming or self._still_open())

    def first_unread(self) -> None:
        """The first task of the list that is neither finished nor skipped."""
        self._show(self._progress.open_after(None, self._walked))

    def leave(self) -> None:
        """Nothing is on the table and no time is counted; `start` comes back to the task if it is not finished."""
        self._put_away()
        self._take_up(None)
        self.changed.emit("case")

    # Reading

    def shown(self) -> None:
        """The radiograph of the task on the table is on the screen: time counts from now on."""
        self._gone = 0
        if self._phase is not None:
            self._watch.start()

    def hidden(self) -> None:
        """It is not on the screen any more (another module, a minimised window): no time is counted until `shown`."""
        self._watch.stop()

    def touch(self) -> None:
        """Call it on every input: key, mouse button, mouse move, wheel."""
        self._watch.touch()

    def tick(self) -> None:
        """Call it from the window's timer: what is not on the disk yet is written, the time so far every few seconds."""
        if self._watch.running and self._seconds() - self._kept_at >= KEEP_SECONDS:
            self._keep()
        self._entries.tick()

    def write(self) -> bool:
        """Write what is entered now; False, and a message, while the disk takes nothing."""
        if self._phase is not None:
            self._keep()
        return self._entries.write()

    def edit(self, draft: Draft) -> None:
        """Take what is entered now. Ignored where nothing can be entered any more."""
        self.touch()
        if self._phase is not None and draft != self._draft:
            self._draft = draft
            self._keep()
            self.changed.emit("draft")

    def lock(self) -> bool:
        """Lock what is entered, then go to the second phase or to the next unread task. False, and a message, where it is refused."""
        if missing := self.missing:
            self.message.emit("warning", missing)
            return False
        task, phase = self._task, self._phase
        assert task is not None and phase is not None
        former = self.locked("first")
        opinion = self._draft.opinion(former.opinion if former is not None else None)
        facts = self._facts if self.model_visible else ModelFacts(self._facts.model, self._facts.bundle_sha256)
        try:
            read = self._store.lock(task, phase, opinion, facts, *(round(seconds, 3) for seconds in self._watch.times))
        except OsteoScreenError as error:
            stored = self._store.locked(task, phase) if getattr(error, "code", "") == "locked" else None
            if stored is None:
                self._keep()
                self.message.emit("error", f"{error} The read is not locked, and what you entered stays here.")
                return False
            self.message.emit("warning", f"{self.label(task)} was locked before, perhaps in another window; that read counts.")
            read = stored
        self._entries.drop(task, phase)
        self._progress.take(read)
        if self._progress.phase(task) is None:
            self._take_up(task)
            self.next_unread()
        else:
            running, facts = self._watch.running, self._facts
            self._take_up(task)
            self._facts = facts
            if running:
                self._watch.start()
            self.changed.emit("phase")
            self.changed.emit("list")
        return True

    def skip(self, reason: str) -> bool:
        """Pass over the task with a reason and go to the next unread one; it can still be read later. False without a reason."""
        if self._task is None or self._phase is None:
            return False
        if not reason.strip():
            self.message.emit("warning", "Say why this case is skipped.")
            return False
        self._skip(self._task, reason.strip())
        self.next_unread()
        return True

    def cannot_open(self, task: Task, reason: str) -> None:
        """The radiograph of a task cannot be opened: pass over it with one sentence and go on.

        reason : without a file's name, for example "its image is gone". When several in a row cannot be opened the session stays
        where it is, for then it is not a case that is missing but the drive.
        """
        if task != self._task:
            return
        self._gone += 1
        if self._phase is None:
            self.message.emit("warning", f"{self.label(task)} cannot be shown: {reason}.")
        elif self._gone > MOST_GONE:
            several = "see that the study's folder and the drive with its images are there, then go on with any case"
            self.message.emit("error", f"{self.label(task)} and those before it cannot be opened: {reason}; {several}.")
        else:
            self.message.emit("warning", f"{self.label(task)} was passed over: {reason}; it can be read once it is back.")
            self._skip(task, reason)
            self.next_unread()

    def set_model(self, task: Task, facts: ModelFacts) -> None:
        """Which model's results belong to a task. What it said enters a read only where the reader could see it."""
        if task == self._task and self.protocol.mode != "alone":
            self._facts = facts

    def close(self) -> None:
        """Write what is entered and close the store. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._put_away()
            self._entries.write()
            self._store.close()

    # Small helps

    def _step(self, step: int, sentence: str) -> None:
        outside = -1 if step > 0 else len(self.tasks)  # of the list, before its begin or after its end
        here = outside if self._task is None else self._progress.places[self._task]
        ahead = [task for task in self._walked if (self._progress.places[task] - here) * step > 0]
        if ahead:
            self.go(ahead[0] if step > 0 else ahead[-1])
        else:
            self.message.emit("info", sentence)

    def _still_open(self) -> Task | None:
        """The task on the table if it may go on being read: there is no other."""
        task = self._task
        return task if task is not None and task in self._walked and self._progress.is_open(task) else None

    def _show(self, task: Task | None, again: bool = False) -> None:
        """Put another task, or none, on the table; the same one only when it is to be opened again."""
        if task is not None and task == self._task and not again:
            return
        self._put_away()
        self._take_up(task)
        if task is None:
            self.message.emit("info", self._nothing_left())
        else:
            self._entries.record("opened", task, {"phase": self._phase or "looked at"})
            self._progress.opened(task)
        self.changed.emit("case")
        self.changed.emit("list")

    def _put_away(self) -> None:
        """What is entered, and the time it took, is kept with the task that leaves the table."""
        self._watch.stop()
        if self._phase is not None:
            self._keep()

    def _take_up(self, task: Task | None) -> None:
        """The state of a task as it was left."""
        self._task, self._facts = task, ModelFacts()
        self._phase = None if task is None else self._progress.phase(task)
        self._draft = Draft()
        self._watch.set()
        if task is None:
            return
        last = next((read for phase in ("second", "first") if (read := self.locked(phase)) is not None), None)
        if self._phase is None:
            self._draft = Draft.from_values(asdict(last.opinion)) if last is not None else Draft()
            return
        entry = self._entries.entry(task, self._phase) or Entry(Draft() if last is None else Draft.of(last.opinion))
        self._draft = entry.draft
        self._watch.set(entry.active_seconds, entry.idle_seconds)
        self._kept_at = self._seconds()

    def _keep(self) -> None:
        if self._task is not None and self._phase is not None:
            self._kept_at = self._seconds()
            self._entries.put(self._task, self._phase, Entry(self._draft, *(round(one, 3) for one in self._watch.times)))

    def _skip(self, task: Task, reason: str) -> None:
        self._entries.record("skipped", task, {"phase": self._phase, "reason": reason})
        self._progress.skipped(task)

    def _nothing_left(self) -> str:
        tally = self.tally
        if not self.at_end:
            return "Nothing is left to read among the cases that are listed; clear the filter to see the others."
        skipped = f", {tally.skipped} skipped; choose a skipped one to read it after all" if tally.skipped else ""
        return f"That was the end of the list: {tally.done} of {tally.total} read{skipped}."
