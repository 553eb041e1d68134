"""What is said before a number is read."""

from __future__ import annotations

import pytest
from workbench.cases import reading, result

from OsteoScreenLib.workbench.remarks import banners, marks, outside_population, years


def test_research_use_stands_first_and_simulated_training_beside_every_answer() -> None:
    before = banners(None, None)
    assert len(before) == 1 and before[0][1].startswith("Research use only")
    said = [sentence for _, sentence in banners(reading(), result())]
    assert any("simulated" in sentence for sentence in said)
    assert marks(reading(), result())[0] == "Research use only"
    assert any("simulated" in line for line in marks(reading(), result()))
    assert marks(reading(), None) == ["Research use only"]


@pytest.mark.parametrize(
    ("sex", "age", "sentences"),
    [("F", "061Y", 0), ("M", "061Y", 1), ("F", "034Y", 1), ("M", "020Y", 2), ("", "", 0), ("O", "", 0)],
)
def test_patients_outside_the_population(sex: str, age: str, sentences: int) -> None:
    patient = reading(sex=sex, age=age)
    assert len(outside_population(patient)) == sentences
    assert ("Patient outside the study's population" in marks(patient, result())) == bool(sentences)


@pytest.mark.parametrize(("text", "number"), [("061Y", 61), ("18M", 1), ("010D", 0), ("61", 61), ("", None), ("old", None)])
def test_ages(text: str, number: float | None) -> None:
    assert years(text) == number
