"""Scores by reader, case and modality with the truth of each case: what analyses of many readers and many cases start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.review.agreement.readings import Readings, readings_of
from OsteoScreenLib.review.nouns import LockedRead, Protocol, ReviewCase


@dataclass(frozen=True)
class Ratings:
    """Not every reader need have scored every case (split-plot designs).

    truth : case → whether it has the condition; no case without a score. scores : (reader, case, modality) → score, higher for the
    condition; no score of a case without a truth.
    """

    truth: Mapping[str, bool]
    scores: Mapping[tuple[str, str, str], float]

    @property
    def readers(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted({reader for reader, _, _ in self.scores}))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Sorted in reverse, so that "unaided" comes before "aided"."""
        return tuple(sorted({modality for _, _, modality in self.scores}, reverse=True))

    def cases(self, positive: bool) -> tuple[str, ...]:
        """With that truth, sorted."""
        return tuple(sorted(case for case, truth in self.truth.items() if truth == positive))

    @property
    def fully_crossed(self) -> bool:
        """Every reader scored every case in every modality."""
        return len(self.scores) == len(self.readers) * len(self.truth) * len(self.modalities)

    def array(self, modality: str, positive: bool) -> np.ndarray:
        """float64 (readers, cases of that truth), NaN where a reader has not scored a case."""
        readers = {reader: row for row, reader in enumerate(self.readers)}
        cases = {case: column for column, case in enumerate(self.cases(positive))}
        found = np.full((len(readers), len(cases)), np.nan)
        for (reader, case, of), score in self.scores.items():
            if of == modality and case in cases:
                found[readers[reader], cases[case]] = score
        return found


def ratings_of(reads: Sequence[LockedRead], cases: Sequence[ReviewCase], protocol: Protocol) -> Ratings:
    """The confidences of a study's first times, where the reference is known; the modalities are "unaided" and "aided".

    Raises `InputError` as `readings_of` does.
    """
    return ratings_from(readings_of(reads, cases, protocol))


def ratings_from(readings: Readings) -> Ratings:
    """The same, of reads that are in order already."""
    scores = {
        (reader, case, readings.aided(phase)): float(read.opinion.confidence)
        for phase in readings.phases
        for reader in readings.readers
        for case, read in readings.of(reader, phase).items()
        if case in readings.truth
    }
    scored = sorted({case for _, case, _ in scores})
    positive = readings.positive(readings.truth[case] for case in scored)
    return Ratings(truth=dict(zip(scored, map(bool, positive), strict=True)), scores=scores)
