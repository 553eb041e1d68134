"""What a check of a cohort found, as one sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
_NAMED = 8  # rows that a sentence names


@dataclass(frozen=True)
class Finding:
    """code : the kind of finding, for programs. severity : error (the cohort is wrong there), warning (look at it), info.

    rows : numbers of the table's rows, the head being row 1. column : of `COLUMNS`, empty for the cohort as a whole.
    sentence : for a person. left_out : the rows are not in the cleaned cohort. emptied : their value in `column` is left empty there.
    """

    code: str
    severity: Severity
    rows: tuple[int, ...]
    column: str
    sentence: str
    left_out: bool = False
    emptied: bool = False


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then warnings; within a severity by code and row."""
    return tuple(sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), finding.code, finding.rows)))


def row_words(numbers: Sequence[int]) -> str:
    """ "Row 3", "Rows 3 and 9", "Rows 3, 9, 14 and 12 more"."""
    if len(numbers) == 1:
        return f"Row {numbers[0]}"
    if len(numbers) > _NAMED + 1:
        return f"Rows {', '.join(map(str, numbers[:_NAMED]))} and {len(numbers) - _NAMED} more"
    return f"Rows {listed([str(number) for number in numbers])}"


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
