"""Content items of the structured report: numbers, codes and texts from plain values.

A number is written twice, as PS3.3 C.18.1 allows: Numeric Value in `SIGNIFICANT_DIGITS` significant digits, which is what viewers
show, and Floating Point Value as the whole double. Whole numbers are exact in Numeric Value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from OsteoScreenLib.bones.vocabulary import Bone, Code
from OsteoScreenLib.exchange.dicom import report_codes as terms
from OsteoScreenLib.exchange.dicom.codes import concept

if TYPE_CHECKING:
    from highdicom.sr import (
        CodeContentItem,
        ContentItem,
        FindingSite,
        Measurement,
        NumContentItem,
        QualitativeEvaluation,
        TextContentItem,
    )
    from pydicom.dataset import Dataset

SIGNIFICANT_DIGITS = 6


def number(name: Code, value: float, unit: Code = terms.NO_UNITS, method: Code | None = None) -> Measurement:
    """A measurement of a group (TID 300). value : finite; an `int` is written exactly. method : how it was measured."""
    from highdicom.sr import Measurement

    how = None if method is None else concept(method)
    measurement = Measurement(name=concept(name), value=value, unit=concept(unit), method=how)
    shorten(measurement[0])
    return measurement


def percent(name: Code, share: float) -> Measurement:
    """A share of 0 to 1 in per cent."""
    return number(name, 100.0 * float(share), terms.PERCENT)


def number_item(name: Code, value: float, unit: Code, relationship: str = "CONTAINS") -> NumContentItem:
    """A number outside a measurement."""
    from highdicom.sr import NumContentItem

    exact = value if isinstance(value, int) else float(value)
    item = NumContentItem(name=concept(name), value=exact, unit=concept(unit), relationship_type=relationship)
    shorten(item)
    return item


def shorten(item: Dataset) -> None:
    """Round Numeric Value where the exact value stands beside it; write a whole number without a decimal point."""
    measured = item.MeasuredValueSequence[0]
    if "FloatingPointValue" in measured:
        measured.NumericValue = f"{float(measured.FloatingPointValue):.{SIGNIFICANT_DIGITS}g}"
    else:
        measured.NumericValue = f"{int(measured.NumericValue):d}"


def answer(question: Code, value: Code) -> QualitativeEvaluation:
    """A question of a group with its coded answer."""
    from highdicom.sr import QualitativeEvaluation

    return QualitativeEvaluation(name=concept(question), value=concept(value))


def code_item(name: Code, value: Code, relationship: str = "CONTAINS") -> CodeContentItem:
    """A coded value."""
    from highdicom.sr import CodeContentItem

    return CodeContentItem(name=concept(name), value=concept(value), relationship_type=relationship)


def text_item(name: Code, text: str, relationship: str = "CONTAINS") -> TextContentItem:
    """A text; control characters other than line ends, which no text may hold (PS3.5 6.1.3), become blanks."""
    from highdicom.sr import TextContentItem

    clean = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text).strip() or "-"
    return TextContentItem(name=concept(name), value=clean, relationship_type=relationship)


def modified(item: ContentItem, *modifiers: ContentItem) -> ContentItem:
    """The item with what qualifies it below it."""
    from highdicom.sr import ContentSequence

    item.ContentSequence = ContentSequence(modifiers)
    return item


def site_of(bone: Bone) -> FindingSite:
    """Where a bone is: the structure, and its side."""
    from highdicom.sr import FindingSite

    side = bone.side_code
    return FindingSite(anatomic_location=concept(bone.code), laterality=None if side is None else concept(side))
