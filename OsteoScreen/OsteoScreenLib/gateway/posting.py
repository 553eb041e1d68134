"""Sends what is ready, case by case, and only forgets a case's files when the destination has all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from OsteoScreenLib.gateway.delivering import Courier, Delivery
from OsteoScreenLib.gateway.ledger import Case, QueueFull
from OsteoScreenLib.gateway.shared import Shared, code_of, pause_after


class Posting:
    """Works until `shared.stopping`. objects : kinds of results that are sent, in this order."""

    def __init__(self, shared: Shared, courier: Courier, objects: tuple[str, ...]) -> None:
        self._shared, self._courier, self._objects = shared, courier, objects

    def run(self) -> None:
        """The thread. A destination that does not answer is left alone longer and longer; its cases lose no attempt by that."""
        shared, silent = self._shared, 0
        while not shared.stopping.is_set():
            case = shared.ledger.next("sending")
            if case is None:
                shared.wait()
            elif self._post(case):
                silent = 0
            else:
                shared.stopping.wait(pause_after(silent))
                silent += 1

    def _post(self, case: Case) -> bool:
        """Send one case. Returns whether the destination answered."""
        shared = self._shared
        files = [shared.spool.results(case.key) / f"{kind}.dcm" for kind in self._objects]
        if not all(path.is_file() for path in files):  # somebody emptied the folder
            again = shared.spool.image(case.key).is_file()
            shared.note(lambda: shared.ledger.move(case.key, "received" if again else "failed", "results-lost"))
            shared.journal.error("results lost", case=case.key)
            return True
        delivery = self._deliver(files)
        shared.metrics.objects_sent.inc(delivery.stored)
        if delivery.complete:
            self._done(case, delivery)
        elif delivery.unreachable:
            shared.metrics.deliveries.labels("unreachable").inc()
            shared.journal.warning("destination unreachable", case=case.key, code=delivery.code)
        else:
            self._refused(case, delivery.refusals[0])
        return not delivery.unreachable

    def _deliver(self, files: Sequence[Path]) -> Delivery:
        try:
            return self._courier.deliver(files)
        except Exception as error:  # whatever it was, the queue goes on
            return Delivery(0, refusals=(code_of(error),))

    def _done(self, case: Case, delivery: Delivery) -> None:
        shared = self._shared
        try:
            shared.ledger.move(case.key, "done")
        except QueueFull:  # make room for the note
            shared.spool.drop_image(case.key)
            shared.note(lambda: shared.ledger.move(case.key, "done"))
        shared.spool.drop(case.key)
        shared.metrics.deliveries.labels("complete").inc()
        shared.metrics.turnaround_seconds.observe(max(0.0, time.time() - case.arrived))
        shared.journal.info("sent", case=case.key, objects=delivery.stored)

    def _refused(self, case: Case, code: str) -> None:
        shared = self._shared
        given_up, delay = case.attempts + 1 >= shared.limits.attempts, pause_after(case.attempts)
        if given_up:
            shared.note(lambda: shared.ledger.move(case.key, "failed", code))
        else:
            shared.note(lambda: shared.ledger.move(case.key, "sending", code, keep_attempts=True, attempted=True, delay=delay))
        shared.metrics.deliveries.labels("refused").inc()
        tell = shared.journal.error if given_up else shared.journal.warning
        tell("destination refused", case=case.key, code=code, given_up=given_up)
