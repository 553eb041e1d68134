"""What must be read before a number is: sentences that stand above the answer, and short marks drawn on the image itself."""

from __future__ import annotations

import re
from typing import Literal

from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY
from OsteoScreenLib.workbench.reading import Reading, Result

Severity = Literal["info", "warning", "error"]

# WHO: T-score classes are for postmenopausal women and for men from 50 (ISCD official positions, adult, 2019 and 2023).
YOUNGEST = 50


def banners(reading: Reading | None, result: Result | None) -> list[tuple[Severity, str]]:
    """(severity, sentence) in the order in which they are to be read."""
    found: list[tuple[Severity, str]] = [("info", RESEARCH_USE_ONLY)]
    if result is not None:
        found += [("warning", statement) for statement in result.statements if statement != RESEARCH_USE_ONLY]
    if reading is not None:
        found += [("warning", sentence) for sentence in outside_population(reading)]
    return found


def marks(reading: Reading | None, result: Result | None) -> list[str]:
    """Short lines for the image itself, so that a screenshot cannot lose them."""
    lines = ["Research use only"]
    if result is not None and domain_level(result) == "out":
        lines.append("Unlike the model's training images: do not trust the answer")
    elif result is not None and domain_level(result) == "borderline":
        lines.append("At the edge of the model's training images")
    if result is not None and result.model.simulated:
        lines.append("Answer of a model trained on simulated images")
    if reading is not None and outside_population(reading):
        lines.append("Patient outside the study's population")
    return lines


def domain_level(result: Result) -> str:
    """What the model's input check says: "in", "borderline", "out", or "" where there is none."""
    return str(((result.analysis.get("prediction") or {}).get("domain") or {}).get("level") or "")


def outside_population(reading: Reading) -> list[str]:
    """Why the patient, as far as the header says, is not one that the study or the classes are about."""
    source = reading.facts.get("source") or {}
    sex, age = str(source.get("patient_sex") or ""), years(str(source.get("patient_age") or ""))
    sentences = []
    if sex == "M":
        sentences.append("The published study examined women only; the patient is a man.")
    if age is not None and age < YOUNGEST:
        sentences.append(
            f"The patient is {age:g} years old; the classes by T-score are meant for postmenopausal women and men from {YOUNGEST}."
        )
    return sentences


def years(age: str) -> float | None:
    """A DICOM age string ("056Y", "18M") in years; None when it is not one."""
    match = re.fullmatch(r"(\d{1,3})([DWMY]?)", age)
    if match is None:
        return None
    number = int(match[1])
    return {"D": number // 365, "W": number // 52, "M": number // 12}.get(match[2], number)
