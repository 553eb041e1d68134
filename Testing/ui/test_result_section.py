"""The answer in figures and words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ui.panel_doubles import numbers

from OsteoScreenLib.ui.result_section import ResultSection, low_bone_mass, percent, points


@pytest.fixture
def section(parent: Any) -> ResultSection:
    made = ResultSection(parent)
    parent.layout().addWidget(made.widget)
    parent.resize(360, 400)
    parent.show()
    return made


def test_before_the_first_analysis(section: ResultSection) -> None:
    section.show(None)
    assert section._words.text() == "No answer yet."
    assert not section._table.isVisible() and not section._save.isVisible() and not section._recompute.isVisible()


def test_untouched_only(section: ResultSection) -> None:
    section.show(numbers())
    assert section.shown_rows == [
        ["Class (▸ target)", "Untouched", "Shown now", "Δ points"],
        ["normal", "12.1 %", "–", "–"],
        ["osteopenia", "36.7 %", "–", "–"],
        ["▸ osteoporosis", "51.2 %", "–", "–"],
        ["low bone mass", "87.9 %", "–", "–"],
    ]
    assert section._decision.text() == "The model's class: osteoporosis"
    section.show(replace(numbers(), expected_t_score=-2.04))
    assert section._decision.text() == "The model's class: osteoporosis (expected T-score −2.0)"
    section.show(numbers())
    assert not section._state.isVisible()


def test_covered_bones(section: ResultSection) -> None:
    section.show(numbers((0.31, 0.42, 0.27)))
    assert section.shown_rows[1:] == [
        ["normal", "12.1 %", "31.0 %", "−18.9"],
        ["osteopenia", "36.7 %", "42.0 %", "−5.3"],
        ["▸ osteoporosis", "51.2 %", "27.0 %", "+24.2"],
        ["low bone mass", "87.9 %", "69.0 %", "+18.9"],
    ]
    assert section._decision.text() == "The model's class: osteoporosis; as shown now: osteopenia"
    assert section._words.text().startswith("With 3 bones covered")
    assert "untouched − shown now" in section._cells[0][3].toolTip()


def test_the_target_is_marked_without_colour(section: ResultSection) -> None:
    section.show(numbers((0.31, 0.42, 0.27), target="low bone mass"))
    assert [row[0] for row in section.shown_rows[1:]] == ["normal", "osteopenia", "osteoporosis", "▸ low bone mass"]
    assert section._cells[4][0].font().bold() and not section._cells[3][0].font().bold()
    assert "Δ log-odds: +0.42" in section._cells[4][0].toolTip()


def test_add_back_says_what_it_is_against(section: ResultSection) -> None:
    section.show(numbers((0.31, 0.42, 0.27), reference="all covered"))
    assert "shown now − every bone covered" in section._cells[0][3].toolTip()
    assert "every bone covered" in section._cells[1][2].toolTip()


def test_while_it_is_computed(section: ResultSection) -> None:
    section.show(numbers(state="computing"))
    assert [row[2:] for row in section.shown_rows[1:]] == [["…", "…"]] * 4
    assert section._state.isVisible() and "Computing" in section._state.text()
    assert not section._recompute.isVisible()


def test_stale_numbers_are_marked_and_can_be_computed_again(section: ResultSection) -> None:
    heard: list[str] = []
    section.recompute_asked.connect(lambda: heard.append("recompute"))
    section.show(numbers((0.31, 0.42, 0.27), state="stale"))
    assert section._state.isVisible() and section._state.text().startswith("⚠ Stale: the masks were changed")
    section._recompute.click()
    assert heard == ["recompute"]
    section.show(numbers((0.31, 0.42, 0.27)))
    assert not section._state.isVisible() and not section._recompute.isVisible()


def test_changed_masks_are_marked_where_nothing_is_covered(section: ResultSection) -> None:
    section.show(numbers(), masks_changed=True)
    assert section._state.isVisible() and section._recompute.isVisible()


def test_what_can_be_saved(section: ResultSection) -> None:
    heard: list[str] = []
    section.save_asked.connect(lambda dicom: heard.append(f"save, DICOM: {dicom}"))
    section.send_asked.connect(lambda: heard.append("send"))
    section.prior_asked.connect(lambda: heard.append("earlier"))
    section._prior.click()  # before an answer too
    section.screenshot_asked.connect(lambda: heard.append("screenshot"))
    section.show(numbers())
    section._save.click()
    section._screenshot.click()
    section._send.click()
    section._dicom.click()
    section._save.click()
    section.enable_saving(False)
    section._save.click()
    section._send.click()
    assert heard == ["earlier", "save, DICOM: False", "screenshot", "send", "save, DICOM: True"]


@pytest.mark.parametrize(
    "probability,text",
    [
        (0.0, "0.0 %"),
        (0.0002, "< 0.1 %"),
        (0.0005, "0.1 %"),
        (0.5, "50.0 %"),
        (0.9994, "99.9 %"),
        (0.9996, "> 99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_percentages(probability: float, text: str) -> None:
    assert percent(probability) == text


@pytest.mark.parametrize("delta,text", [(3.24, "+3.2"), (-0.44, "−0.4"), (0.04, "0.0"), (-0.04, "0.0"), (100.0, "+100.0")])
def test_points_have_a_sign_where_there_is_something(delta: float, text: str) -> None:
    assert points(delta) == text


def test_low_bone_mass_adds_up_what_is_known() -> None:
    known = numbers((0.31, 0.42, 0.27)).rows
    both = low_bone_mass(known)
    assert (
        both.untouched == pytest.approx(0.879) and both.now == pytest.approx(0.69) and both.delta_points == pytest.approx(18.9)
    )
    half = (known[0], replace(known[1], now=None, delta_points=None), known[2])
    assert (low_bone_mass(half).now, low_bone_mass(half).delta_points) == (None, None)
