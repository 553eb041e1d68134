"""Questions that wait for the worker: what the reader asks now, and the sweep that fills the bone tree meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from OsteoScreenLib.workbench.answers import Answers, Question

BATCH_SECONDS = 0.06  # what one request of the sweep may take, because a reader's question waits behind it
FIRST_BATCH, LARGEST_BATCH = 2, 32


class Waiting:
    """At most one question, one heatmap's target, and a sweep.

    question : the reader's, None when there is none. with_patch : he also wants to see what the model is shown.
    target : the class that a heatmap is wanted for, "" for none.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.question: Question | None = None
        self.with_patch = False
        self.target = ""
        self._sweep: deque[Question] = deque()
        self._set_seconds = BATCH_SECONDS / FIRST_BATCH

    @property
    def sweeping(self) -> bool:
        """The sweep has open questions."""
        while self._sweep and self._answers.settled(self._sweep[0]):
            self._sweep.popleft()
        return bool(self._sweep)

    def ask(self, question: Question, patch_missing: bool) -> None:
        """The reader's question; the former one is dropped, and nothing waits if all is known.

        patch_missing : the picture has to be fetched, even where the answer is known.
        """
        open_ = patch_missing or not self._answers.settled(question)
        self.question, self.with_patch = (question if open_ else None), patch_missing

    def sweep(self, questions: Iterable[Question]) -> None:
        """These take the place of the last sweep; what is known is left out."""
        self._sweep = deque(self._answers.missing(questions))

    def batch(self) -> tuple[Question, ...]:
        """The sweep's next questions that are covered in one way, as many as a reader's question can wait behind."""
        if not self.sweeping:
            return ()
        count = int(min(max(BATCH_SECONDS / self._set_seconds, 1), LARGEST_BATCH))
        first = self._sweep[0]
        alike = (
            one
            for one in self._sweep
            if replace(one, covered=first.covered, draw=first.draw) == first and not self._answers.settled(one)
        )
        return tuple(one for one, _ in zip(alike, range(count), strict=False))

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
            self._sweep.clear()

    def clear(self) -> None:
        """Nothing waits any more."""
        self.question, self.target = None, ""
        self._sweep.clear()
