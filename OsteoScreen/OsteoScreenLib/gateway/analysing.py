"""One analyser at work: it takes case after case from the queue, and leaves results that are only to be sent."""

from __future__ import annotations

import time
from pathlib import Path

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.gateway.analysers import Analyser, GivenBack
from OsteoScreenLib.gateway.ledger import Case, QueueFull
from OsteoScreenLib.gateway.shared import Shared, code_of, pause_after, place_of

_NOT_THE_IMAGE = {"out", "option"}  # codes of `InputError` that blame what the gateway asked for


class Analysing:
    """Works until `shared.stopping`. objects : kinds of results that a case must have. ready : the models are loaded.

    wrong : what the user has to mend before the models can be loaded; then the thread has ended.
    """

    def __init__(self, shared: Shared, analyser: Analyser, objects: tuple[str, ...]) -> None:
        self._shared, self._analyser, self._objects = shared, analyser, objects
        self.ready = False
        self.wrong: InputError | None = None

    def run(self) -> None:
        """The thread."""
        shared = self._shared
        try:
            while not shared.stopping.is_set() and self.wrong is None:
                if not self.ready:
                    self._warm()
                    continue
                try:
                    case = shared.ledger.claim() if shared.has_room_to_work() else None
                except QueueFull:
                    case = None
                if case is None:
                    shared.wait()
                else:
                    self._take(case)
        finally:
            self._analyser.close()

    def _warm(self) -> None:
        """Load the models, again and again if need be: a machine that is short of memory now may have some later."""
        shared, attempts = self._shared, 0
        while not shared.stopping.is_set():
            try:
                self._analyser.warm(shared.stopping)
                self.ready = True
                shared.journal.info("analyser ready")
                return
            except GivenBack:
                return
            except InputError as error:
                self.wrong = error
                return
            except Exception as error:
                shared.journal.error("analyser not ready", code=code_of(error), place=place_of(error))
                shared.stopping.wait(pause_after(attempts))
                attempts += 1

    def _take(self, case: Case) -> None:
        shared, began = self._shared, time.monotonic()
        attempt = shared.spool.attempt(case.key)
        try:
            self._analyse(case, attempt)
        except GivenBack:
            shared.note(lambda: shared.ledger.move(case.key, "received", "given-back", keep_attempts=True))
            shared.journal.info("analysis given back", case=case.key)
        except InputError as error:
            self._refuse(case, error)
        except Exception as error:  # whatever it was, the queue goes on
            self._put_off(case, code_of(error), place_of(error))
        else:
            shared.note(lambda: shared.ledger.move(case.key, "sending"))
            shared.metrics.analyses.labels("analysed").inc()
            shared.metrics.analysis_seconds.observe(time.monotonic() - began)
            shared.journal.info("analysed", case=case.key, seconds=round(time.monotonic() - began, 3))
            shared.tell()
        finally:
            shared.spool.abandon(attempt)

    def _analyse(self, case: Case, attempt: Path) -> None:
        shared = self._shared
        following = shared.ledger.next("received", but=case.key)
        ahead = shared.spool.image(following.key) if following else None
        files = self._analyser.analyse(shared.spool.image(case.key), attempt, ahead, shared.leaving)
        missing = [kind for kind in self._objects if kind not in files]
        if missing:  # an image without the UIDs that results have to name, or without any bone
            raise InputError("This image gives not all the objects that are to be sent.", f"no-{missing[0]}")
        shared.spool.settle(case.key, attempt)

    def _refuse(self, case: Case, error: InputError) -> None:
        """No image for this model: nothing is sent. First make sure that it is not the analyser itself that is at fault."""
        shared = self._shared
        if error.code in _NOT_THE_IMAGE or not self._still_well():
            self._put_off(case, error.code)
            return
        shared.note(lambda: shared.ledger.move(case.key, "refused", error.code))
        shared.spool.drop(case.key)
        shared.metrics.analyses.labels("refused").inc()
        shared.journal.info("analysis refused", case=case.key, code=error.code)

    def _still_well(self) -> bool:
        """Whether the models can still be loaded; somebody may have removed them meanwhile."""
        try:
            self._analyser.warm(self._shared.leaving)
        except Exception as error:
            self.ready = False
            self._shared.journal.error("analyser not ready", code=code_of(error), place=place_of(error))
        return self.ready

    def _put_off(self, case: Case, code: str, place: str = "") -> None:
        """An attempt went wrong by a fault. What is the machine's fault, a disk without room, costs the case no attempt."""
        shared = self._shared
        full = not shared.has_room_to_work()
        given_up = not full and case.attempts + 1 >= shared.limits.attempts
        if given_up:
            shared.note(lambda: shared.ledger.move(case.key, "failed", code))
        else:
            delay = pause_after(case.attempts)
            shared.note(
                lambda: shared.ledger.move(case.key, "received", code, keep_attempts=True, attempted=not full, delay=delay)
            )
        outcome = "failed" if given_up else "again"
        shared.metrics.analyses.labels(outcome).inc()
        (shared.journal.error if given_up else shared.journal.warning)(
            f"analysis {outcome}", case=case.key, code=code, place=place or None
        )
