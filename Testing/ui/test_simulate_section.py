"""The part of the panel that makes a radiograph from a CT."""

from __future__ import annotations

from typing import Any

import pytest

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.simulate_section import SimulateSection


@pytest.fixture
def section(parent: Any) -> SimulateSection:
    made = SimulateSection(parent)
    parent.layout().addWidget(made.widget)
    parent.show()
    qt_api.process_events()
    return made


def test_it_is_shown_only_with_a_ct(section: SimulateSection) -> None:
    assert not section.widget.isVisible()
    section.show([("c1", "Chest CT")], [])
    assert section.widget.isVisible()
    assert not section._button.isEnabled()
    section.show([], [("s1", "Bones")])
    assert not section.widget.isVisible()


def test_the_only_ct_and_segmentation_are_chosen_and_asked_for(section: SimulateSection) -> None:
    heard: list[tuple[str, str, float]] = []
    section.asked.connect(lambda *values: heard.append(values))
    section.show([("c1", "Chest CT")], [("s1", "Bones")])
    section._score.setValue(-2.5)
    section._button.click()
    assert heard == [("c1", "s1", -2.5)]


def test_of_several_none_is_guessed_and_a_choice_stays(section: SimulateSection) -> None:
    both = [("c1", "Chest CT"), ("c2", "Abdomen")]
    section.show(both, [("s1", "Bones")])
    assert not section._button.isEnabled()
    section._scan.widget.setCurrentIndex(2)
    assert section._button.isEnabled()
    section.show(both, [("s1", "Bones"), ("s2", "Organs")])
    assert section._button.isEnabled()
    section.show([("c1", "Chest CT"), ("c3", "Other")], [("s1", "Bones")])
    assert not section._button.isEnabled()


def test_a_running_job_disables_it(section: SimulateSection) -> None:
    section.show([("c1", "Chest CT")], [("s1", "Bones")])
    section.enable(False)
    assert not section._button.isEnabled()
    section.enable(True)
    assert section._button.isEnabled()
