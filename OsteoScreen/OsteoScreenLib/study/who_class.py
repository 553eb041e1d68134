"""The classes of the World Health Organization by T-score (WHO Technical Report Series 843, 1994)."""

from __future__ import annotations


def class_of(t_score: float) -> int:
    """0 normal (T ≥ -1), 1 osteopenia, 2 osteoporosis (T ≤ -2.5): places in `CLASSES`."""
    return 0 if t_score >= -1.0 else 1 if t_score > -2.5 else 2
