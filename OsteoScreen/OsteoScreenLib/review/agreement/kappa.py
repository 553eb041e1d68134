"""Agreement beyond chance: Cohen's kappa, plain and weighted, and Fleiss' kappa of many readers.

Cohen 1960 (doi 10.1177/001316446002000104) and 1968 (doi 10.1037/h0026256); Fleiss 1971 (doi 10.1037/h0031619), for cases with
different numbers of readers as by Gwet 2008 (doi 10.1348/000711006X126600). Where each patient has one image the standard error of
Cohen's kappa is that of Fleiss, Cohen and Everitt (1969, doi 10.1037/h0028106).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.agreement.estimate import Estimate, estimate

Weights = Literal["none", "linear", "quadratic"]
_K = len(CLASSES)


@dataclass(frozen=True)
class Fleiss:
    """Of one phase. kappa : None where chance alone would agree always. cases : with two reads or more. readers : who read them."""

    phase: str
    aided: str
    kappa: Estimate | None
    cases: int
    readers: int


def agreement_weights(weights: Weights) -> np.ndarray:
    """(3, 3) in the order of `CLASSES`: 1 for the same class, less the further apart they are; "none" gives 0 there."""
    if weights not in get_args(Weights):
        raise ValueError(f"unknown weights {weights!r}")
    apart = np.abs(np.subtract.outer(np.arange(_K), np.arange(_K))) / (_K - 1)
    return 1.0 - {"none": (apart > 0).astype(float), "linear": apart, "quadratic": apart**2}[weights]


def cohen_kappa(one: np.ndarray, other: np.ndarray, patients: np.ndarray, weights: Weights = "none") -> Estimate | None:
    """Of two decisions on each image.

    one, other : int (n,), places in `CLASSES`. patients : (n,). None of nothing, and where both always name one and the same class.
    """
    if not len(one):
        return None
    worth = agreement_weights(weights)
    shares = np.bincount(one, minlength=_K) / len(one), np.bincount(other, minlength=_K) / len(other)
    by_chance_one, by_chance_other = worth @ shares[1], shares[0] @ worth
    chance = float(shares[0] @ worth @ shares[1])
    if 1 - chance < 1e-12:
        return None
    held = worth[one, other]
    observed = float(held.mean())
    moved = by_chance_one[one] + by_chance_other[other] - 2 * chance
    influence = (held - observed) / (1 - chance) - (1 - observed) * moved / (1 - chance) ** 2
    return estimate((observed - chance) / (1 - chance), influence, patients)


def fleiss_kappa(counts: np.ndarray, patients: np.ndarray) -> Estimate | None:
    """Of many readers.

    counts : int (cases, 3), how many readers named each class of a case; cases with fewer than two reads are left out, and each
    case counts the same however many read it. patients : (cases,). None of nothing, and where all always name one class.
    """
    enough = counts.sum(axis=1) >= 2
    counts, patients = counts[enough].astype(float), patients[enough]
    if not len(counts):
        return None
    readers = counts.sum(axis=1, keepdims=True)
    shares = counts / readers
    agreeing = ((counts * (counts - 1)).sum(axis=1, keepdims=True) / (readers * (readers - 1)))[:, 0]
    overall = shares.mean(axis=0)
    observed, chance = float(agreeing.mean()), float(np.square(overall).sum())
    if 1 - chance < 1e-12:
        return None
    moved = 2 * (shares @ overall - chance)
    influence = (agreeing - observed) / (1 - chance) - (1 - observed) * moved / (1 - chance) ** 2
    return estimate((observed - chance) / (1 - chance), influence, patients)
