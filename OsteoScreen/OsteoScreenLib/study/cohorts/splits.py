"""Splits by patient: no patient in two of them, every class in its share, the same for the same seed.

A patient has the worst class of its images. Within a class, patients are ordered by a hash of seed and name, so that a split
depends neither on the order of the rows nor on a random generator's version. How many patients of each class go where is a
controlled rounding of the shares (Cox 1987, J Am Stat Assoc 82: 520-524): every class within one patient of its share in each split, and
so the splits as a whole. A class with few patients is spread first: one patient for each split, as far as they go.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohort_cells import SPLITS, Split

SHARES = (70.0, 10.0, 20.0)
_SPREAD: tuple[Split, ...] = ("training", "test", "validation")  # where the few patients of a rare class go first


def read_shares(text: str) -> tuple[float, float, float]:
    """Shares of training, validation and test as "70,10,20". Raises `InputError` (option)."""
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if len(shares) != 3 or not all(0 <= share < float("inf") for share in shares) or sum(shares) <= 0:
        raise InputError("The shares of training, validation and test are three numbers, for example 70,10,20.", code="option")
    return shares[0], shares[1], shares[2]


def split_by_patient(
    rows: Sequence[CohortRow],
    shares: tuple[float, float, float] = SHARES,
    seed: int = 0,
    together: Iterable[Iterable[str]] = (),
) -> Mapping[str, Split]:
    """The split of each patient.

    shares : of training, validation and test, in any unit; a share of 0 leaves that split empty. together : groups of patients who
    share images and stay in one split, as if they were one. A split that the table gives stays; patients without one are added
    so that the whole comes close to the shares.

    Raises
    ------
    InputError
        given-splits: rows of one patient are in different given splits. one-patient: there are too few patients to split.
    """
    given = given_splits(rows)
    label: dict[str, int] = {}
    for row in rows:
        label[row.patient] = max(row.label, label.get(row.patient, 0))
    units = _units(label, together)
    splits: dict[str, Split] = dict(given)
    strata: dict[int, list[list[str]]] = defaultdict(list)
    fixed: dict[int, dict[Split, int]] = defaultdict(lambda: dict.fromkeys(SPLITS, 0))
    for unit in units:
        stratum = max(label[patient] for patient in unit)
        decided = sorted({given[patient] for patient in unit if patient in given}, key=SPLITS.index)
        if decided:
            fixed[stratum][decided[0]] += 1
            splits.update({patient: decided[0] for patient in unit if patient not in given})
        else:
            strata[stratum].append(unit)
    wanted = [split for split, share in zip(SPLITS, shares, strict=True) if share > 0]
    if strata and len(units) < len(wanted):
        who = f"one patient ({next(iter(label))})" if len(label) == 1 else f"{len(units)} patients who can be kept apart"
        raise InputError(
            f"All images are of {who}, too few for {len(wanted)} splits; add patients, or ask for fewer splits, "
            "for example --split 0,0,100.",
            code="one-patient",
        )
    share = {split: one / sum(shares) for split, one in zip(SPLITS, shares, strict=True)}
    counts = _counts({stratum: len(found) for stratum, found in strata.items()}, fixed, share)
    for stratum, found in strata.items():
        ordered = iter(sorted(found, key=lambda unit: _order(seed, unit)))
        for split in SPLITS:
            for unit in itertools.islice(ordered, counts[stratum][split]):
                splits.update(dict.fromkeys(unit, split))
    return splits


def given_splits(rows: Sequence[CohortRow]) -> dict[str, Split]:
    """The splits that the table itself gives, by patient. Raises `InputError` (given-splits) where a patient has two."""
    first: dict[str, CohortRow] = {}
    given: dict[str, Split] = {}
    for row in rows:
        if row.split is None:
            continue
        other = first.setdefault(row.patient, row)
        if other.split != row.split:
            raise InputError(
                f"Rows {other.number} and {row.number}, column split: patient {row.patient} stands in {other.split} and in {row.split}; "
                "give all images of a patient the same split, or leave the column empty.",
                code="given-splits",
            )
        given[row.patient] = row.split
    return given


def absent_classes(rows: Sequence[CohortRow], splits: Mapping[str, Split]) -> tuple[tuple[Split, int], ...]:
    """Which class (a place in `CLASSES`) is absent from which split, among the splits that have images and classes that exist."""
    there: dict[Split, set[int]] = defaultdict(set)
    for row in rows:
        there[splits[row.patient]].add(row.label)
    known = sorted({row.label for row in rows})
    return tuple((split, label) for split in SPLITS if split in there for label in known if label not in there[split])


def require_classes(rows: Sequence[CohortRow], splits: Mapping[str, Split], needed: Sequence[Split] = SPLITS) -> None:
    """Raise `InputError` (absent-class) in one sentence unless each of these splits has images of every class."""
    there = {(splits[row.patient], row.label) for row in rows}
    for split in needed:
        missing = [name for place, name in enumerate(CLASSES) if (split, place) not in there]
        if missing:
            raise InputError(
                f"The split {split} has no image of {' or '.join(missing)}; add patients of that class, or give larger shares.",
                code="absent-class",
            )


def _units(patients: Iterable[str], together: Iterable[Iterable[str]]) -> list[list[str]]:
    """Patients who stay together: the connected groups of `together`, everyone else alone. Sorted."""
    from scipy.cluster.hierarchy import DisjointSet

    joined = DisjointSet(patients)
    for group in together:
        held = [patient for patient in group if patient in joined]
        for one, other in itertools.pairwise(held):
            joined.merge(one, other)
    return sorted(sorted(unit) for unit in joined.subsets())


def _order(seed: int, unit: Sequence[str]) -> str:
    return hashlib.sha256(f"{seed}\0{unit[0]}".encode()).hexdigest()


def _counts(
    free: Mapping[int, int], fixed: Mapping[int, Mapping[Split, int]], share: Mapping[Split, float]
) -> dict[int, dict[Split, int]]:
    """How many units of each class go to each split, besides those that are fixed."""
    strata = sorted(free)
    wanted = {stratum: _wanted(free[stratum], fixed[stratum], share) for stratum in strata}
    options = [_roundings(free[stratum], fixed[stratum], wanted[stratum], share) for stratum in strata]
    whole = {split: sum(wanted[stratum][split] for stratum in strata) for split in SPLITS}

    def misfit(choice: Sequence[Mapping[Split, int]]) -> tuple[float, float]:
        """How far the splits as a whole, then the classes in them, are from their shares: squares, rounded against noise."""
        of_all = sum((sum(counts[split] for counts in choice) - whole[split]) ** 2 for split in SPLITS)
        of_classes = sum(
            (counts[split] - wanted[stratum][split]) ** 2
            for stratum, counts in zip(strata, choice, strict=True)
            for split in SPLITS
        )
        return round(of_all, 6), round(of_classes, 6)

    best = min(itertools.product(*options), key=misfit)
    return dict(zip(strata, best, strict=True))


def _wanted(free: int, fixed: Mapping[Split, int], share: Mapping[Split, float]) -> dict[Split, float]:
    """What each split should get of the free units, so that with the fixed ones it comes close to its share."""
    total = free + sum(fixed.values())
    lacking = {split: max(share[split] * total - fixed[split], 0.0) for split in SPLITS}
    whole = sum(lacking.values())
    return {split: free * (lacking[split] / whole if whole else share[split]) for split in SPLITS}


def _roundings(
    free: int, fixed: Mapping[Split, int], wanted: Mapping[Split, float], share: Mapping[Split, float]
) -> list[dict[Split, int]]:
    """Whole numbers next to the wanted ones, that sum to `free` and leave no split without the class where that can be."""
    least = {split: int(wanted[split] + 1e-9) for split in SPLITS}
    empty = [split for split in _SPREAD if share[split] > 0 and not fixed[split]][:free]
    least |= {split: max(least[split], 1) for split in empty}
    while sum(least.values()) > free:
        most = max(SPLITS, key=lambda split: (least[split] - (split in empty), least[split] - wanted[split]))
        least[most] -= 1
    left = free - sum(least.values())
    below = [split for split in SPLITS if least[split] < wanted[split] - 1e-9]
    return [{split: least[split] + (split in more) for split in SPLITS} for more in itertools.combinations(below, left)]
