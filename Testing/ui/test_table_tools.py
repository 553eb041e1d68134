"""The buttons below the bones tell what the reader wants, and change nothing by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from OsteoScreenLib.ui.table import COLUMNS
from OsteoScreenLib.ui.table_tools import TableTools


@pytest.fixture
def tools(parent: Any) -> TableTools:
    made = TableTools(parent)
    parent.layout().addWidget(made.widget)
    parent.show()
    return made


@pytest.fixture
def told(tools: TableTools) -> list[Any]:
    said: list[Any] = []
    tools.edit_asked.connect(lambda: said.append("edit"))
    tools.copy_asked.connect(lambda: said.append("copy"))
    tools.columns_chosen.connect(said.append)
    tools.controls_chosen.connect(said.append)
    return said


def test_each_column_is_offered_and_ticked_when_it_is_granted(tools: TableTools, told: list[Any]) -> None:
    assert list(tools._actions) == list(COLUMNS)
    tools.show(frozenset({"share"}), True)
    assert [key for key, action in tools._actions.items() if action.isChecked()] == ["share"]
    tools._actions["iou"].trigger()
    assert told == [frozenset({"share", "iou"})] and not tools._actions["iou"].isChecked()
    tools.show(told[0], True)
    assert tools._actions["iou"].isChecked()
    tools._actions["share"].trigger()
    assert told[1] == frozenset({"iou"})


def test_controls_can_be_left_out(tools: TableTools, told: list[Any]) -> None:
    tools.show(frozenset(), True)
    tools._controls.trigger()
    assert told == [False] and tools._controls.isChecked(), "not granted yet"
    tools.show(frozenset(), False)
    assert not tools._controls.isChecked()


def test_buttons_wait_for_an_answer(tools: TableTools, told: list[Any]) -> None:
    tools._copy.click()
    assert told == [] and not tools._edit.isEnabled()
    tools.enable(True)
    tools._copy.click()
    tools._edit.click()
    assert told == ["copy", "edit"]
