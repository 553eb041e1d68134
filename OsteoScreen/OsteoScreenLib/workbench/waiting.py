"""Questions that wait for the worker: what the reader asks now, the sweep that fills the table meanwhile, then its controls."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from OsteoScreenLib.workbench.answers import Answers, Question

BATCH_SECONDS = 0.06  # what one request of the sweep may take, because a reader's question waits behind it
FIRST_BATCH, LARGEST_BATCH = 2, 32


class Waiting:
    """At most one question, one heatmap, and a sweep with its controls.

    question : the reader's, None when there is none. with_patch : he also wants to see what the model is shown.
    heatmap : (target, method's key) of the heatmap that is wanted, None for none.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.question: Question | None = None
        self.with_patch = False
        self.heatmap: tuple[str, str] | None = None
        self._sweep: deque[Question] = deque()
        self._next_controls: deque[Question] = deque()  # taken from the iterator already
        self._controls: Iterator[Question] = iter(())
        self._set_seconds = BATCH_SECONDS / FIRST_BATCH

    @property
    def sweeping(self) -> bool:
        """The sweep has open questions."""
        while self._sweep and self._answers.settled(self._sweep[0]):
            self._sweep.popleft()
        return bool(self._sweep)

    @property
    def controls_open(self) -> bool:
        """Controls are still to be asked."""
        self._take_controls(1)
        return bool(self._next_controls)

    def ask(self, question: Question, patch_missing: bool) -> None:
        """The reader's question; the former one is dropped, and nothing waits if all is known.

        patch_missing : the picture has to be fetched, even where the answer is known.
        """
        open_ = patch_missing or not self._answers.settled(question)
        self.question, self.with_patch = (question if open_ else None), patch_missing

    def sweep(self, questions: Iterable[Question], controls: Iterable[Question] = ()) -> None:
        """These take the place of the last sweep; what is known is left out. controls : taken only when they are due."""
        self._sweep = deque(self._answers.missing(questions))
        self._controls = iter(controls)
        self._next_controls.clear()

    def batch(self) -> tuple[Question, ...]:
        """The sweep's next questions that are covered in one way, as many as a reader's question can wait behind."""
        return self._alike(self._sweep) if self.sweeping else ()

    def controls(self) -> tuple[Question, ...]:
        """The same of the controls."""
        self._take_controls(self._count)
        return self._alike(self._next_controls) if self._next_controls else ()

    @property
    def _count(self) -> int:
        return int(min(max(BATCH_SECONDS / self._set_seconds, 1), LARGEST_BATCH))

    def _alike(self, queue: deque[Question]) -> tuple[Question, ...]:
        first = queue[0]
        alike = (
            one
            for one in dict.fromkeys(queue)
            if replace(one, covered=first.covered, draw=first.draw) == first and not self._answers.settled(one)
        )
        return tuple(one for one, _ in zip(alike, range(self._count), strict=False))

    def _take_controls(self, count: int) -> None:
        """Have so many controls at hand that were not answered yet, or all that are left."""
        while self._next_controls and self._answers.settled(self._next_controls[0]):
            self._next_controls.popleft()
        while len(self._next_controls) < count:
            one = next(self._controls, None)
            if one is None:
                return
            if not self._answers.settled(one):
                self._next_controls.append(one)

    def took(self, seconds: float, questions: int) -> None:
        """So many questions were answered in that time; the next batch is made to fit."""
        self._set_seconds = max((self._set_seconds + seconds / questions) / 2, 1e-4)

    def settle(self, question: Question, with_patch: bool) -> None:
        """A question was answered, with or without its picture."""
        if question == self.question and (with_patch or not self.with_patch):
            self.question = None

    def drop(self, questions: tuple[Question, ...]) -> None:
        """Give up the reader's question if it is one of these, else the sweep."""
        if self.question in questions:
            self.question = None
        else:
            self._clear_sweep()

    def clear(self) -> None:
        """Nothing waits any more."""
        self.question = self.heatmap = None
        self._clear_sweep()

    def _clear_sweep(self) -> None:
        self._sweep.clear()
        self._next_controls.clear()
        self._controls = iter(())
