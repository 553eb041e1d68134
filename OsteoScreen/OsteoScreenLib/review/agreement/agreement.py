"""Everything that a study's locked reads say of agreement, from one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.agreement import pairs
from OsteoScreenLib.review.agreement.accuracy import Accuracy, accuracies
from OsteoScreenLib.review.agreement.areas import Area, Gain, areas, gains
from OsteoScreenLib.review.agreement.change import Change, ChangedRead, changed_reads, changes
from OsteoScreenLib.review.agreement.kappa import Fleiss
from OsteoScreenLib.review.agreement.mrmc import Average, averages
from OsteoScreenLib.review.agreement.pairs import Pair
from OsteoScreenLib.review.agreement.ratings import Ratings, ratings_from
from OsteoScreenLib.review.agreement.readings import readings_of
from OsteoScreenLib.review.agreement.times import TimeSpent, times
from OsteoScreenLib.review.nouns import LockedRead, Protocol, ReviewCase


@dataclass(frozen=True)
class Agreement:
    """Made by `measure_agreement`. Only `within` looks at repeats (and times at all reads); everything else at first times.

    cases : of the study; cases_read : of them, read by anyone. models : name and SHA-256 of the bundles that were shown. between,
    together : readers with each other, two at a time and all. within : readers with themselves. with_model, with_reference :
    against the model and the reference. accuracies, areas, gains, averages : on the protocol's target. remarks : sentences on what
    a figure should be read with.
    """

    protocol: Protocol
    readers: tuple[str, ...]
    cases: int
    cases_read: int
    reads: int
    models: tuple[tuple[str, str], ...]
    between: tuple[Pair, ...]
    together: tuple[Fleiss, ...]
    within: tuple[Pair, ...]
    with_model: tuple[Pair, ...]
    with_reference: tuple[Pair, ...]
    accuracies: tuple[Accuracy, ...]
    areas: tuple[Area, ...]
    gains: tuple[Gain, ...]
    averages: tuple[Average, ...]
    changes: tuple[Change, ...]
    changed_reads: tuple[ChangedRead, ...]
    times: tuple[TimeSpent, ...]
    remarks: tuple[str, ...]


def measure_agreement(reads: Sequence[LockedRead], cases: Sequence[ReviewCase], protocol: Protocol) -> Agreement:
    """Measure all of it; parts for which there are no reads, no reference or no model are empty.

    Raises `InputError`: "no-reads" when nothing is locked yet; "case" and "duplicate" as `readings_of` does.
    """
    if not reads:
        raise InputError("No read of this study is locked yet; read some cases first.", code="no-reads")
    readings = readings_of(reads, cases, protocol)
    return Agreement(
        protocol=protocol,
        readers=readings.readers,
        cases=len(readings.cases),
        cases_read=len({read.task.case for read in readings.reads}),
        reads=len(readings.reads),
        models=tuple(sorted({(read.model.model, read.model.bundle_sha256) for read in readings.reads if read.model.decision})),
        between=pairs.between_readers(readings),
        together=pairs.all_readers(readings),
        within=pairs.within_readers(readings),
        with_model=pairs.with_model(readings),
        with_reference=pairs.with_reference(readings),
        accuracies=accuracies(readings),
        areas=areas(readings),
        gains=gains(readings),
        averages=_averages(ratings_from(readings)),
        changes=changes(readings),
        changed_reads=changed_reads(readings),
        times=times(readings),
        remarks=readings.remarks,
    )


def _averages(ratings: Ratings) -> tuple[Average, ...]:
    return averages(ratings) if len(ratings.readers) > 1 and len(set(ratings.truth.values())) == 2 else ()
