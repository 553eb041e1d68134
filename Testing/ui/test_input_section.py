"""Which radiograph, what is known of it, and how it lies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ui.panel_doubles import reading

from OsteoScreenLib.radiograph.radiograph import Note
from OsteoScreenLib.ui.badges import _TITLES, _UNKNOWN, badges, facts_line, unknown_facts
from OsteoScreenLib.ui.input_section import InputSection
from OsteoScreenLib.ui.style import LEAST_CONTRAST, SIGNS, contrast

LIBRARY = Path(__file__).resolve().parents[2] / "OsteoScreen" / "OsteoScreenLib"


@pytest.fixture
def section(parent: Any) -> InputSection:
    made = InputSection(parent)
    parent.layout().addWidget(made.widget)
    parent.resize(360, 400)
    parent.show()
    return made


def told(section: InputSection) -> list[tuple[Any, ...]]:
    heard: list[tuple[Any, ...]] = []
    section.volume_chosen.connect(lambda name: heard.append(("volume", name)))
    section.open_asked.connect(lambda: heard.append(("open",)))
    section.overrides_changed.connect(lambda *values: heard.append(("overrides", *values)))
    return heard


def test_a_volume_is_chosen_by_its_id(section: InputSection) -> None:
    heard = told(section)
    section.show_volumes([("v1", "one"), ("v2", "two")], "v1")
    assert heard == []
    section._volumes.widget.setCurrentIndex(1)
    assert heard == [("volume", "v2")]


def test_without_a_choice_the_box_asks_for_one(section: InputSection) -> None:
    heard = told(section)
    section.show_volumes([("v1", "one")], "")
    assert section._volumes.widget.currentText().startswith("Choose a radiograph")
    section._volumes.widget.setCurrentIndex(1)
    assert heard == [("volume", "v1")]


def test_open_asks_for_a_file(section: InputSection) -> None:
    heard = told(section)
    section._open.click()
    assert heard == [("open",)]


def test_warnings_come_first_and_say_so_without_colour(section: InputSection) -> None:
    section.show_reading(
        reading("a.dcm", Note("lossy", "info", "It was compressed."), Note("clipped", "warning", "Greys were cut off."))
    )
    assert [badge.title for badge in section.shown_badges] == ["Grey values clipped", "Lossy compression"]
    shown = section._flow.text().replace("\u00a0", " ")
    assert f"{SIGNS['warning']} Grey values clipped" in shown
    assert f"{SIGNS['info']} Lossy compression" in shown
    assert section._flow.accessibleName() == "Warning: Greys were cut off.; Note: It was compressed."


def test_a_badge_tells_its_sentence_on_hover_and_on_click(section: InputSection) -> None:
    section.show_reading(reading("a.dcm", Note("clipped", "warning", "Greys were cut off.")))
    assert not section._sentence.isVisible()
    section._flow.linkHovered.emit("0")
    assert section._flow.toolTip() == "Warning: Greys were cut off."
    section._flow.linkActivated.emit("0")
    assert section._sentence.isVisible()
    assert section._sentence.text() == "Warning: Greys were cut off."
    section._flow.linkActivated.emit("0")
    assert not section._sentence.isVisible()


def test_the_badges_text_is_readable(section: InputSection) -> None:
    section.show_reading(reading("a.dcm", Note("clipped", "warning", "x"), Note("lossy", "info", "y")))
    pairs = re.findall(r"[^-]color:#(\w{6});.*?background-color:#(\w{6})", section._flow.text())
    assert len(pairs) == 2
    for pair in pairs:
        text, behind = (tuple(bytes.fromhex(colour)) for colour in pair)
        assert contrast(text, behind) >= LEAST_CONTRAST  # type: ignore[arg-type]


def test_unknown_facts_are_named_once(section: InputSection) -> None:
    bare = reading(
        "a.png",
        Note("no-dicom", "info", "No DICOM information."),
        Note("no-spacing", "warning", "Lengths cannot be measured."),
        spacing_mm=None,
        view="",
        site="",
        sex="",
        age="",
    )
    assert unknown_facts(bare) == ["pixel spacing", "view", "body part", "sex", "age"]
    found = badges(bare)
    assert [(badge.title, badge.severity) for badge in found] == [
        ("Unknown: pixel spacing, view, body part, sex, age", "warning")
    ]
    assert "No DICOM information. Lengths cannot be measured." in found[0].sentence


def test_one_unknown_fact_is_a_remark() -> None:
    found = badges(reading(view=""))
    assert [(badge.title, badge.severity) for badge in found] == [("Unknown: view", "info")]


def test_a_reading_that_is_whole_has_no_badge(section: InputSection) -> None:
    section.show_reading(reading())
    assert section.shown_badges == []
    assert not section._flow.isVisible()


def test_the_facts_in_one_line() -> None:
    assert facts_line(reading()).replace("\u00a0", " ") == "2048 × 2500 px · 0.143 mm/px · PA · Chest · woman 62 y"
    odd = reading(spacing_mm=(0.2, 0.1), view="", site="", sex="M", age="18M")
    assert facts_line(odd).replace("\u00a0", " ") == "2048 × 2500 px · 0.1 × 0.2 mm/px · man 18 m"
    assert "None" not in facts_line(reading(spacing_mm=None, sex="", age="old", view="", site=""))


def test_every_note_that_can_come_has_few_words() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py") if "ui" not in path.parts)
    codes = set(re.findall(r'\bNote\(\s*"([a-z-]+)"', sources)) | set(re.findall(r'self\._note\(\s*"([a-z-]+)"', sources))
    assert len(codes) > 30
    assert codes <= set(_TITLES) | set(_UNKNOWN)
    assert all(len(title) <= 24 for title in _TITLES.values())


def test_a_note_of_tomorrow_is_shown_by_its_code(section: InputSection) -> None:
    section.show_reading(reading("a.dcm", Note("grid-lines", "info", "Grid lines.")))
    assert section.shown_badges[0].title == "Grid lines"


def test_words_from_a_file_are_no_markup(section: InputSection) -> None:
    section.show_reading(reading("<b>x</b>.dcm", Note("<i>odd</i>", "warning", "<img src=x>")))
    assert "<i>" not in section._flow.text()
    section._flow.linkActivated.emit("0")
    assert section._sentence.text() == "Warning: <img src=x>"
    assert section._sentence.textFormat() == section._facts.textFormat()


def test_overrides_are_told_together(section: InputSection) -> None:
    heard = told(section)
    section.show_reading(reading())
    section._turn.widget.setCurrentIndex(3)
    section._mirror.widget.setCurrentIndex(1)
    section._grey.widget.setCurrentIndex(2)
    assert heard == [
        ("overrides", 270, None, None),
        ("overrides", 270, "horizontal", None),
        ("overrides", 270, "horizontal", True),
    ]
    assert section._placing.summary == "90° right, left to right, inverted"
    section._grey.widget.setCurrentIndex(0)
    assert heard[-1] == ("overrides", 270, "horizontal", None)


def test_a_reading_shows_its_own_overrides(section: InputSection) -> None:
    heard = told(section)
    section.show_reading(reading(rotate=0, flip="none", invert=False))
    assert (section._turn.value, section._mirror.value, section._grey.value) == (0, None, False)
    assert section._placing.summary == "as stored, as stored"
    section.show_reading(reading())
    assert section._placing.summary == "automatic"
    assert heard == []


def test_while_a_job_runs_the_input_stays(section: InputSection) -> None:
    section.show_reading(reading())
    section.enable(False)
    assert not section._open.isEnabled() and not section._turn.widget.isEnabled() and not section._volumes.widget.isEnabled()
    section.enable(True)
    assert section._open.isEnabled()
