"""The desk's own nouns: the case that is asked about, and one request to the worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.workbench import messages
from OsteoScreenLib.workbench.answers import Question
from OsteoScreenLib.workbench.reading import Reading, Result
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions

State = Literal[
    "idle",
    "opening",
    "fetching",
    "analysing",
    "saving",
    "adding",
    "simulating",
    "holding",
    "covering",
    "controls",
    "explaining",
    "greeting",
    "loading",
]

LARGEST_DRIFT = 1e-3  # in probability, between a case's answer and the same answer after the case was taken in again


@dataclass(frozen=True)
class DeskCase:
    """The case whose questions are asked. key : all that a case held by the worker consists of."""

    reading: Reading
    result: Result
    options: AnalysisOptions
    key: tuple[str, ...]

    @classmethod
    def of(cls, reading: Reading, result: Result, options: AnalysisOptions) -> DeskCase:
        """Put it together."""
        facts = json.dumps(dict(reading.facts), sort_keys=True)
        on = messages.computed_on(result.device, result.precision)
        return cls(reading, result, options, (reading.image_sha256, result.model.sha256, on, result.masks_sha256, facts))

    @property
    def computed_on(self) -> str:
        """Device and number format, as a question names them."""
        return self.key[2]

    def concerns(self, question: Question) -> bool:
        """The question is about this image, model, device and masks."""
        mine = (question.image_sha256, question.model_sha256, question.computed_on) == self.key[:3]
        return mine and (question.untouched or question.masks_sha256 == self.key[3])

    def taken_in(self, answer: Message) -> DeskCase | None:
        """The case as the worker holds it now: this one; with the answer of another device; or None if the model changed."""
        values = answer.body
        now = messages.probabilities_from(values["probabilities"])
        if messages.model_from(values["model"]).sha256 != self.result.model.sha256:
            return None
        device, precision = str(values["device"]), str(values["precision"])
        if messages.computed_on(device, precision) == self.computed_on:
            drift = max(abs(one - other) for one, other in zip(now, self.result.probabilities, strict=True))
            return self if drift <= LARGEST_DRIFT else None
        return DeskCase.of(
            self.reading, replace(self.result, probabilities=now, device=device, precision=precision), self.options
        )

    def map_key(self, target: str, method: str) -> tuple[str, ...]:
        """What a heatmap depends on. method : the title that the map bears, as `SaliencyMap.method`."""
        return (*self.key[:3], target, method)

    def overlap_key(self, target: str, method: str) -> tuple[str, ...]:
        """What its overlap with the bones depends on."""
        return (*self.key[:4], target, method)


@dataclass(frozen=True)
class Request:
    """One request to the worker.

    state : what the desk is doing meanwhile. kind, body, arrays, doing : as `WorkerClient.submit` takes them.
    answered : called with the answer. job : the reader waits for it. needs_case : the worker has to hold the case for it, and
    the case's token is put into the body when it is sent. questions : those that it asks. refused : called with what went wrong,
    which then is nobody else's business.
    """

    state: State
    kind: str
    answered: Callable[[Message], None]
    doing: str
    body: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    job: bool = False
    needs_case: bool = False
    questions: tuple[Question, ...] = ()
    refused: Callable[[OsteoScreenError], None] | None = None
