"""Every number that was computed once: the cache of answers, in the window's own process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from OsteoScreenLib.explain.covering import Mode
from OsteoScreenLib.explain.fills import SEEDED, Fill


@dataclass(frozen=True)
class Question:
    """Which image, shown how, to which model: all that an answer depends on, and nothing else.

    image_sha256, model_sha256, masks_sha256 : of pixels, model manifest and bone masks. computed_on : device and number format,
    for they change the last digits. mode, fill, margin_px, seed, covered : as in `Toggles`.
    draw : 0 for these bones themselves, i ≥ 1 for their i-th control (see `explain.controls`).
    Make one with `asked`, which gives equal questions for equal pictures.
    """

    image_sha256: str
    model_sha256: str
    computed_on: str
    masks_sha256: str = ""
    mode: Mode = "remove"
    fill: Fill = "mean"
    margin_px: float = 0.0
    seed: int = 0
    covered: frozenset[str] = frozenset()
    draw: int = 0

    @property
    def untouched(self) -> bool:
        """Nothing is covered."""
        return not self.covered and not self.draw


@dataclass(frozen=True)
class Answer:
    """probabilities : (normal, osteopenia, osteoporosis). area_px : covered pixels."""

    probabilities: tuple[float, float, float]
    area_px: int


@dataclass(frozen=True)
class Patch:
    """What the model is shown inside a box: pixels float32, box = (first row, end row, first column, end column)."""

    box: tuple[int, int, int, int]
    pixels: np.ndarray


def asked(question: Question) -> Question:
    """The question without what makes no difference to the picture: the untouched image has no mode, fill or masks, and only
    some fills and the controls have a seed."""
    if question.untouched:
        return Question(question.image_sha256, question.model_sha256, question.computed_on)
    return question if question.fill in SEEDED or question.draw or not question.seed else replace(question, seed=0)


class Answers:
    """Answers by question. Small (a few hundred bytes each), so none is thrown away by itself while the window is open."""

    def __init__(self) -> None:
        self._answers: dict[Question, Answer] = {}
        self._unanswerable: set[Question] = set()  # controls for which there is no room

    def settled(self, question: Question) -> bool:
        """The question need not be asked: it was answered, or it has no answer."""
        one = asked(question)
        return one in self._answers or one in self._unanswerable

    def get(self, question: Question) -> Answer | None:
        """The answer if it was computed before, else None."""
        return self._answers.get(asked(question))

    def put(self, question: Question, answer: Answer | None) -> None:
        """Keep an answer; None says that there is none."""
        if answer is None:
            self._unanswerable.add(asked(question))
        else:
            self._answers[asked(question)] = answer

    def forget(self, image_sha256: str) -> None:
        """Throw away all about one image."""
        self._answers = {
            question: answer for question, answer in self._answers.items() if question.image_sha256 != image_sha256
        }
        self._unanswerable = {question for question in self._unanswerable if question.image_sha256 != image_sha256}

    def missing(self, questions: Iterable[Question]) -> list[Question]:
        """Those still to be asked, each once, in order."""
        return [question for question in dict.fromkeys(map(asked, questions)) if not self.settled(question)]

    def to_json(self, image_sha256: str) -> list[dict[str, Any]]:
        """All answers about one image as JSON values. Controls stand beside one another, for they differ in nothing but the draw."""
        entries: dict[tuple[Any, ...], dict[str, Any]] = {}
        known = [*self._answers.items(), *((question, None) for question in self._unanswerable)]
        for question, answer in known:
            if question.image_sha256 != image_sha256:
                continue
            values = {**vars(question), "draw": min(question.draw, 1)}
            alike = tuple(values.values())
            if alike not in entries:
                entries[alike] = {"question": {**values, "covered": sorted(question.covered)}}
            if question.draw:
                drawn = None if answer is None else [*answer.probabilities, answer.area_px]
                entries[alike].setdefault("draws", {})[str(question.draw)] = drawn
            elif answer is not None:
                entries[alike]["answer"] = vars(answer)
        return list(entries.values())

    def add_json(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Take in what `to_json` wrote. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        for entry in entries:
            question = Question(**{**entry["question"], "covered": frozenset(entry["question"]["covered"])})
            if "draws" not in entry:
                self.put(question, _answer(entry["answer"]["probabilities"], entry["answer"]["area_px"]))
                continue
            for draw, values in entry["draws"].items():
                answer = None if values is None else _answer(values[:3], values[3])
                self.put(replace(question, draw=int(draw)), answer)


def _answer(probabilities: Iterable[float], area_px: float) -> Answer:
    first, second, third = (float(value) for value in probabilities)
    return Answer((first, second, third), int(area_px))
