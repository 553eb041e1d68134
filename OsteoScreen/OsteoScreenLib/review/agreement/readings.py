"""The locked reads of a study, put in order for counting: who read what when, what the reference and the model say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES, members_of
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.nouns import LockedRead, ModelFacts, Phase, Protocol, ReviewCase

PHASES: tuple[Phase, ...] = ("first", "second")
PLACE = {name: place for place, name in enumerate(CLASSES)}


@dataclass(frozen=True, eq=False)
class Readings:
    """Made by `readings_of`.

    readers : codes, sorted. cases : pseudonym → case, of the whole study. truth : case → place of its class in `CLASSES`, where it
    is known. model : case → what the model says of it, where it was shown to anyone and all were shown the same. remarks :
    sentences on what a count should be read with.
    """

    protocol: Protocol
    readers: tuple[str, ...]
    cases: Mapping[str, ReviewCase]
    truth: Mapping[str, int]
    model: Mapping[str, ModelFacts]
    reads: tuple[LockedRead, ...]
    by: Mapping[tuple[str, str, int], Mapping[str, LockedRead]]
    remarks: tuple[str, ...]

    def of(self, reader: str, phase: Phase, repeat: int = 0) -> Mapping[str, LockedRead]:
        """Case → one reader's read of that phase, sorted by case."""
        return self.by.get((reader, phase, repeat), {})

    def decisions(self, reader: str, phase: Phase, repeat: int = 0) -> dict[str, int]:
        """Case → place of the reader's class in `CLASSES`."""
        return {case: PLACE[read.opinion.decision] for case, read in self.of(reader, phase, repeat).items()}

    @property
    def phases(self) -> tuple[Phase, ...]:
        """That someone has read."""
        there = {read.phase for read in self.reads}
        return tuple(phase for phase in PHASES if phase in there)

    def aided(self, phase: Phase) -> str:
        """ "aided" when a reader of that phase sees the model, else "unaided"."""
        return "aided" if phase == "second" or self.protocol.mode == "open" else "unaided"

    def patients(self, cases: Iterable[str]) -> np.ndarray:
        """(cases,) patients' pseudonyms; a case whose patient is not known is a patient of its own."""
        # A group and a case may have the same pseudonym without being the same.
        return np.array([f"g:{self.cases[case].group}" if self.cases[case].group else f"c:{case}" for case in cases], dtype=str)

    def positive(self, places: Iterable[int]) -> np.ndarray:
        """bool, whether classes (their places) belong to the protocol's target."""
        return np.isin(np.fromiter(places, dtype=int), members_of(self.protocol.target))


def readings_of(reads: Sequence[LockedRead], cases: Sequence[ReviewCase], protocol: Protocol) -> Readings:
    """Put the reads in order. The same reads in another order give the same.

    Raises `InputError`: "case" for a read of a case that is not in the study; "duplicate"
    when a reader has two reads of one task and phase.
    """
    known = {case.id: case for case in cases}
    by: dict[tuple[str, str, int], dict[str, LockedRead]] = {}
    for read in sorted(reads, key=lambda read: (read.task, read.reader, read.phase)):
        case = read.task.case
        if case not in known:
            raise InputError(f"A read of {case} is not of this study; leave that reader's store out.", code="case")
        held = by.setdefault((read.reader, read.phase, read.task.repeat), {})
        if case in held:
            raise InputError(
                f"Reader {read.reader} has two {read.phase} reads of {case}; merge the stores first.", code="duplicate"
            )
        held[case] = read
    kept = tuple(read for key in sorted(by) for read in by[key].values())
    model, remarks = _model(kept)
    return Readings(
        protocol=protocol,
        readers=tuple(sorted({read.reader for read in kept})),
        cases=known,
        truth={case.id: PLACE[case.truth] for case in cases if case.truth is not None},
        model=model,
        reads=kept,
        by=by,
        remarks=(*remarks, *_about(kept, known)),
    )


def _model(reads: Sequence[LockedRead]) -> tuple[dict[str, ModelFacts], list[str]]:
    told: dict[str, set[ModelFacts]] = {}
    for read in reads:
        if read.model.decision:
            told.setdefault(read.task.case, set()).add(read.model)
    remarks = []
    bundles = {(facts.model, facts.bundle_sha256) for all_facts in told.values() for facts in all_facts}
    if len(bundles) > 1:
        remarks.append(f"Readers were shown {len(bundles)} different models or versions of one; figures of the model mix them.")
    torn = sorted(case for case, facts in told.items() if len(facts) > 1)
    if torn:
        remarks.append(
            f"Different answers of a model were shown for {len(torn)} cases; these are left out where readers stand against the model."
        )
    return {case: next(iter(facts)) for case, facts in told.items() if len(facts) == 1}, remarks


def _about(reads: Sequence[LockedRead], cases: Mapping[str, ReviewCase]) -> list[str]:
    remarks = []
    unreadable = sum(read.opinion.quality == "not readable" for read in reads)
    if unreadable:
        remarks.append(f"{unreadable} of {len(reads)} reads call the image not readable; their classes count like all others.")
    read = {one.task.case for one in reads}
    groups = [cases[case].group for case in read if cases[case].group]
    if len(set(groups)) < len(groups):
        remarks.append(
            f"{len(read)} images were read of {len(set(groups)) + len(read) - len(groups)} patients; intervals count the images of a patient as belonging together."
        )
    unknown = sum(cases[case].truth is None for case in read)
    if unknown:
        remarks.append(
            f"The reference of {unknown} of the {len(read)} cases that were read is not known; they count only where none is needed."
        )
    return remarks
