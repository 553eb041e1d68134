"""A blind read: whatever the model has said, nothing that a reader can see, point at or look up differs until the read is locked."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acceptance.reading_room import Room, make_study, reading_room, readings_of, store_answers
from acceptance.tables import KeptClient

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.nouns import Protocol
from OsteoScreenLib.review.study import ReviewStudy

pytestmark = pytest.mark.timeout(600)
TRUTH = ["osteoporosis", "normal", "osteopenia", "normal"]


@pytest.fixture
def studies(tmp_path: Path, client: KeptClient) -> tuple[ReviewStudy, ReviewStudy]:
    """The same study twice, with a model that said the one, and one that said another thing, of every case."""
    first = make_study(tmp_path / "first", TRUTH, Protocol("A study", seed=4, repeats=0.25))
    shutil.copytree(first.folder, tmp_path / "second")
    second = replace(first, folder=tmp_path / "second")
    readings = readings_of(first, client)
    for shift, study in enumerate((first, second)):
        says = {case.id: CLASSES[(at + shift) % 3] for at, case in enumerate(study.cases)}
        store_answers(study, readings, says)
    return first, second


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "machine"))


def look(room: Room, phases: list[str]) -> list[dict[str, Any]]:
    """Read the whole list with the same hands; what could be observed at every blind read, and after it was begun."""
    seen = []
    while room.session.task is not None:
        phases.append(room.session.phase)
        seen.append(room.observed())
        room.press("2")
        room.press("Right")
        seen.append(room.observed())
        room.press("Ctrl+Return")
        room.until(lambda: room.reviewing.model_there)
        room.press("Ctrl+1")
        room.press("Ctrl+Return")
        room.until_ready()
    seen.append(room.observed())
    return seen


def test_nothing_differs_while_a_read_is_blind(studies, view, slicer_application, qapp, client, tmp_path, monkeypatch) -> None:
    seen = []
    for at, study in enumerate(studies):
        phases: list[str] = []
        slicer_application.mrmlScene().Clear(0)
        with reading_room(slicer_application, qapp, client, tmp_path / f"{at}.ini") as room:
            room.sign_in(study, "anna", monkeypatch)
            seen.append(look(room, phases))
            assert phases == ["first"] * 5
    assert len(seen[0]) == len(seen[1]) == 11
    for one, other in zip(*seen, strict=True):
        assert one["said"] == other["said"]
        for picture in ("picture", "panel"):
            np.testing.assert_array_equal(one[picture], other[picture])
