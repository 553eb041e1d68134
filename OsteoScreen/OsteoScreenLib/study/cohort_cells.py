"""The cells of a cohort's table: what stands there as text becomes a value, or one phrase says why it cannot.

Each reader takes the stripped text of a cell and raises `ValueError` with the end of a sentence.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Literal

from OsteoScreenLib.classifier.truth_cells import number_in

Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")

_SPLIT_WORDS: dict[str, Split] = {
    "training": "training", "train": "training", "validation": "validation", "valid": "validation", "val": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_SEX_WORDS = {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M", "o": "O", "other": "O"}


def split_in(text: str) -> Split:
    """A split by one of its usual names."""
    if text.lower() not in _SPLIT_WORDS:
        raise ValueError(f"'{text}' is no split; write training, validation or test")
    return _SPLIT_WORDS[text.lower()]


def sex_in(text: str) -> str:
    """F, M or O as DICOM writes them (PS3.3, C.7.1.1); a code that is not known stays as it stands there."""
    return _SEX_WORDS.get(text.lower(), text)


def age_in(text: str) -> float:
    """Years, as a number or as DICOM's age string (034Y, 018M; PS3.5, 6.2)."""
    aged = re.fullmatch(r"(\d{1,3})([YMWD])", text.upper())
    if aged:
        return int(aged[1]) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[aged[2]]
    return number_in(text, "67")


def date_in(text: str) -> str:
    """ISO 8601: a day (2019-04-03), or a month or a year where no more is known. DICOM's 20190403 and a time behind it are read."""
    if re.fullmatch(r"\d{4}", text) and text != "0000":
        return text
    try:
        if re.fullmatch(r"\d{4}-\d{2}", text):
            return date.fromisoformat(f"{text}-01").isoformat()[:7]
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise ValueError(f"'{text}' is no date; write for example 2019-04-03") from None
