"""A bone's effect against chance: its rank among the effects of controls (see `controls`).

p = (1 + controls with at least the effect) / (1 + controls), which is never zero and, where the bones' place is exchangeable with
the controls' places, is at most α with probability at most α (Phipson and Smyth, "Permutation p-values should never be zero",
Statistical Applications in Genetics and Molecular Biology 2010). Effects that differ by less than what two computations of the
same picture may differ count as equal, and equal effects count against the bone. The rank is the same in percentage points and
in log-odds, for both grow with the same probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONTROLS = 20  # of each effect: the fewest among which it can lie above the 95th percentile
EQUAL_POINTS = 1e-3  # percentage points; the bound on one picture's answer alone and in a stream, 1e-5 in probability


@dataclass(frozen=True)
class Chance:
    """Where an effect lies among its controls' effects.

    draws : controls. p_value : that a control supports the target at least as much, one-sided; p_two_sided : that one is at
    least as extreme on the effect's side, twice the smaller tail, at most 1.
    percentile : 100 · (1 − p_value). Above 95 the effect is larger than chance at the 5 % level; 20 controls are the fewest that
    can show it. 0 : no control's effect was smaller.
    quantiles : of the controls' Δ, in percentage points, by share ("0.05" … "0.95", linear interpolation). effects : the
    controls' Δ themselves, by draw.
    """

    draws: int
    percentile: float
    p_value: float
    p_two_sided: float
    quantiles: Mapping[str, float]
    effects: tuple[float, ...] = ()


def against_chance(delta_points: float, control_points: Sequence[float]) -> Chance | None:
    """Rank one effect among its controls' effects, both in percentage points; None without controls."""
    if not control_points:
        return None
    controls = np.asarray(control_points, float)
    draws = len(controls)
    above = (1 + int(np.count_nonzero(controls >= delta_points - EQUAL_POINTS))) / (1 + draws)
    below = (1 + int(np.count_nonzero(controls <= delta_points + EQUAL_POINTS))) / (1 + draws)
    return Chance(
        draws=draws,
        percentile=100 * (1 - above),
        p_value=above,
        p_two_sided=min(1.0, 2 * min(above, below)),
        quantiles={str(share): float(value) for share, value in zip(QUANTILES, np.quantile(controls, QUANTILES), strict=True)},
        effects=tuple(map(float, controls)),
    )
