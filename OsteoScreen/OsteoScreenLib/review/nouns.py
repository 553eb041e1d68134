"""What a reader study is made of. Every room of the review speaks of these; nothing here touches a disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError

# "blind": read, lock, then see the model and read again. "open": the model is there from the start. "alone": no model at all.
ReadingMode = Literal["blind", "open", "alone"]
# "first" is locked before anything of the model is shown (in mode "open" there is only it); "second" after it.
Phase = Literal["first", "second"]
Verdict = Literal["accepted", "fixed", "rejected"]
FINDINGS = (
    "vertebral fracture", "rib fracture", "other fracture", "implant or prosthesis", "device or line", "scoliosis", "degenerative change",
    "lung opacity", "pleural effusion", "poor positioning", "poor exposure", "other",
)  # fmt: skip
QUALITIES = ("good", "limited", "not readable")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def checked_code(code: str, what: str = "reader's code") -> str:
    """Itself without blanks around it. Raises `InputError` (code) for what may not name a reader, machine or case in a file."""
    code = code.strip()
    if not _CODE.fullmatch(code):
        raise InputError(
            f"'{code}' is no {what}: use 1 to 32 letters, digits, '-' and '_', and no name of a person.", code="code"
        )
    return code


@dataclass(frozen=True)
class Protocol:
    """How a study is read; fixed when the study is made.

    title : for people. site : body site. mode : see `ReadingMode`. readers : their codes; empty lets anyone with a code read.
    each_case : how many of the readers read each case; 0 is all of them. repeats : share of a reader's cases that come a second
    time. seed : of order, repeats and assignment. findings : that can be ticked. target : class whose ROC and effects are shown.
    """

    title: str
    site: str = "chest-frontal"
    mode: ReadingMode = "blind"
    readers: tuple[str, ...] = ()
    each_case: int = 0
    repeats: float = 0.0
    seed: int = 0
    findings: tuple[str, ...] = FINDINGS
    target: str = "osteoporosis"

    def __post_init__(self) -> None:
        if self.mode not in get_args(ReadingMode):
            raise InputError(f"There is no reading mode '{self.mode}'; choose blind, open or alone.", code="protocol")
        if self.target not in CLASSES:
            raise InputError(f"There is no class '{self.target}'; the classes are {', '.join(CLASSES)}.", code="protocol")
        if not 0 <= self.repeats <= 1:
            raise InputError("The share of repeats lies between 0 and 1.", code="protocol")
        if not 0 <= self.each_case <= max(len(self.readers), 0 if self.readers else self.each_case):
            raise InputError(
                f"{self.each_case} readers a case are more than the {len(self.readers)} there are.", code="protocol"
            )
        if len({checked_code(code) for code in self.readers}) < len(self.readers):
            raise InputError("A reader's code is named twice; name each once.", code="protocol")


@dataclass(frozen=True)
class ReviewCase:
    """One radiograph of a study under its pseudonym.

    id : pseudonym, for example "C-00012". image : path of the copy inside the study's folder, with "/"; "" where the original is read,
    whose path only `ReviewStudy.image_path` knows. sha256 : of the file that is read. group : pseudonym of the patient, so that images
    of one are known. truth : class by reference (DXA), None when it is not known; t_score likewise. Neither is shown to a reader before
    the study is over.
    """

    id: str
    image: str
    sha256: str = ""
    group: str = ""
    truth: str | None = None
    t_score: float | None = None
    view: str = ""

    def __post_init__(self) -> None:
        checked_code(self.id, "case's pseudonym")
        if self.truth is not None and self.truth not in CLASSES:
            raise InputError(f"'{self.truth}' is no class; the classes are {', '.join(CLASSES)}.", code="truth")


@dataclass(frozen=True, order=True)
class Task:
    """One thing to read: a case, for the `repeat`-th time (0 is the first)."""

    case: str
    repeat: int = 0


@dataclass(frozen=True)
class Opinion:
    """What a reader thinks of one radiograph.

    decision : one of `CLASSES`. confidence : 0 to 100, how sure the reader is that the patient has the protocol's target class (0
    surely not, 100 surely); ROC curves are drawn from it. quality : one of `QUALITIES`. changed_because : in a second read, why it
    differs from the first, or "".
    """

    decision: str
    confidence: int
    quality: str = "good"
    findings: tuple[str, ...] = ()
    comment: str = ""
    changed_because: str = ""

    def __post_init__(self) -> None:
        if self.decision not in CLASSES:
            raise InputError("Choose normal, osteopenia or osteoporosis.", code="opinion")
        if not 0 <= self.confidence <= 100:
            raise InputError("The confidence is a whole number from 0 to 100.", code="opinion")
        if self.quality not in QUALITIES:
            raise InputError(f"The image quality is one of {', '.join(QUALITIES)}.", code="opinion")


@dataclass(frozen=True)
class ModelFacts:
    """Which model a reader was shown, and what it said. Empty where there is none.

    probabilities : of `CLASSES`, in their order.
    """

    model: str = ""
    bundle_sha256: str = ""
    decision: str = ""
    probabilities: tuple[float, ...] = ()


@dataclass(frozen=True)
class LockedRead:
    """One read that can no longer change.

    active_seconds, idle_seconds : of its phase. at : UTC, ISO 8601. id : of the event in the store.
    """

    id: str
    reader: str
    machine: str
    task: Task
    phase: Phase
    opinion: Opinion
    model: ModelFacts
    active_seconds: float
    idle_seconds: float
    at: str
    app: str


@dataclass(frozen=True)
class MaskVerdict:
    """What a reader found of one bone's mask. version : of the mask that was judged; 0 is the model's own, 1 the first correction."""

    reader: str
    case: str
    bone: str
    verdict: Verdict
    version: int = 0
    reason: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise InputError("A mask is accepted, fixed or rejected.", code="verdict")
        if self.verdict == "rejected" and not self.reason.strip():
            raise InputError("Say why the mask is rejected.", code="verdict")


@dataclass(frozen=True)
class Event:
    """One line of a reader's store; never changed once written.

    kind : "signed-in", "opened", "locked", "skipped", "mask", "note". sequence : 1, 2, 3 … within one store. body : JSON values.
    """

    id: str
    reader: str
    machine: str
    sequence: int
    at: str
    kind: str
    task: Task | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
