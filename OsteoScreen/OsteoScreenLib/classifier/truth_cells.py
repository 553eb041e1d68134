"""The cells of a table that say what is true of an image: text becomes a class or a T-score, or one phrase says why it cannot.

Each reader takes the stripped text of a cell and raises `ValueError` with the end of a sentence.
"""

from __future__ import annotations

import math

from OsteoScreenLib.classifier.prediction import CLASSES

_ABSENT = {"", "na", "n/a", "nan", "none", "null", "unknown", "-", "?"}


def class_of(t_score: float) -> int:
    """0 normal (T ≥ -1), 1 osteopenia, 2 osteoporosis (T ≤ -2.5): places in `CLASSES`.

    The classes of the World Health Organization by T-score (WHO Technical Report Series 843, 1994).
    """
    return 0 if t_score >= -1.0 else 1 if t_score > -2.5 else 2


def is_absent(text: str) -> bool:
    """Whether a cell of an optional column says that nothing is known."""
    return text.lower() in _ABSENT


def number_in(text: str, example: str) -> float:
    """A finite number; with a point, as in `example`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is no number; write for example {example}")
    return value


def label_in(text: str) -> int:
    """A class by its name, as its place in `CLASSES`."""
    if text.lower() not in CLASSES:
        raise ValueError(f"'{text}' is no class; write {', '.join(CLASSES[:-1])} or {CLASSES[-1]}")
    return CLASSES.index(text.lower())
