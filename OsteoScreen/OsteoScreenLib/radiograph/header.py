"""Reading DICOM attributes from headers that may be wrong: a value that cannot be read is absent, never an exception."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def value(dataset: Dataset, keyword: str) -> Any:
    """The attribute's value as pydicom gives it, None when absent, empty or unreadable."""
    try:
        found = dataset.get(keyword)
    except Exception:  # pydicom converts lazily, and a bad value raises whatever the conversion raised
        return None
    return None if found is None or (hasattr(found, "__len__") and len(found) == 0) else found


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """All values as stripped text."""
    found = value(dataset, keyword)
    if found is None:
        return []
    many = found if isinstance(found, list | tuple) or type(found).__name__ == "MultiValue" else [found]
    return [str(one).strip(" \0") for one in many]


def text(dataset: Dataset, keyword: str) -> str:
    """The first value as stripped text, empty when absent."""
    return next(iter(texts(dataset, keyword)), "")


def word(dataset: Dataset, keyword: str) -> str:
    """The first value as a code string: stripped, upper case."""
    return text(dataset, keyword).upper()


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """All values as floats; a value that is no number becomes NaN."""
    found = value(dataset, keyword)
    if found is None:
        found = _raw_parts(dataset, keyword)
    many = found if isinstance(found, list | tuple) or type(found).__name__ == "MultiValue" else [found]
    return [_number(one) for one in many]


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first value as a finite float, else None."""
    found = numbers(dataset, keyword)
    return found[0] if found and math.isfinite(found[0]) else None


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The first value as an int, None when absent or not a whole number."""
    found = number(dataset, keyword)
    return int(found) if found is not None and found == int(found) else None


def is_uid(text: str) -> bool:
    """Whether a text is a UID (PS3.5 9.1): up to 64 characters, numbers with dots between them.

    Leading zeros, which the standard forbids, are common in archives and do no harm.
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def uid(dataset: Dataset, keyword: str) -> str:
    """The one UID that an attribute holds, empty when it holds none, several, or something else."""
    found = texts(dataset, keyword)
    return found[0] if len(found) == 1 and is_uid(found[0]) else ""


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, empty when absent."""
    from pydicom.sequence import Sequence

    found = value(dataset, keyword)
    return list(found) if isinstance(found, Sequence) else []


def _number(found: Any) -> float:
    if isinstance(found, bytes):
        found = found.decode("ascii", "replace")
    try:
        # A decimal comma is against the standard and common in old exports.
        return float(str(found).strip(" \0").replace(",", "."))
    except ValueError:
        return math.nan


def _raw_parts(dataset: Dataset, keyword: str) -> list[Any]:
    """The undecoded parts of a text value that pydicom refuses to convert."""
    try:
        element: Any = dataset.get_item(keyword)
    except Exception:
        return []
    raw = getattr(element, "value", None)
    return raw.split(b"\\") if isinstance(raw, bytes) and raw else []
