"""Sentences above everything, and the message that comes and goes."""

from __future__ import annotations

from typing import Any

import pytest
from ui.panel_doubles import RESEARCH, SIMULATED

from OsteoScreenLib.ui import banners, qt_api
from OsteoScreenLib.ui.banners import Banners, MessageBar


def test_each_banner_has_sign_sentence_and_order(parent: Any) -> None:
    shown = Banners(parent)
    parent.show()
    assert not shown.widget.isVisible()
    shown.show([RESEARCH, SIMULATED, ("error", "<b>No</b> model.")])
    labels = [label for label in shown._labels if label.isVisible()]
    assert [label.text()[0] for label in labels] == ["ℹ", "⚠", "✖"]
    assert SIMULATED[1] in labels[1].text()
    assert "<b>" not in labels[2].text()
    assert labels[1].accessibleName() == f"Warning: {SIMULATED[1]}"
    assert shown.shown == [RESEARCH, SIMULATED, ("error", "<b>No</b> model.")]


def test_banners_that_are_no_longer_true_go(parent: Any) -> None:
    shown = Banners(parent)
    parent.show()
    shown.show([RESEARCH, SIMULATED])
    shown.show([RESEARCH])
    assert [label.isVisible() for label in shown._labels] == [True, False]
    shown.show([])
    assert not shown.widget.isVisible()


def wait_until_gone(bar: MessageBar) -> bool:
    import time

    end = time.monotonic() + 0.3
    while time.monotonic() < end and bar.shown[1]:
        qt_api.process_events()
    return not bar.shown[1]


@pytest.mark.parametrize("severity,goes", [("info", True), ("warning", False), ("error", False)])
def test_only_remarks_go_by_themselves(parent: Any, monkeypatch: pytest.MonkeyPatch, severity: str, goes: bool) -> None:
    monkeypatch.setattr(banners, "INFO_STAYS_MS", 30)
    bar = MessageBar(parent)
    parent.show()
    bar.show(severity, "The results were saved.")
    assert bar.widget.isVisible()
    assert wait_until_gone(bar) is goes
    assert bar.widget.isVisible() is not goes
    bar.close()


def test_a_later_message_takes_the_place_of_a_remark_and_stays(parent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banners, "INFO_STAYS_MS", 30)
    bar = MessageBar(parent)
    bar.show("info", "Saved.")
    bar.show("error", "The disk is full.")
    assert not wait_until_gone(bar)
    assert bar.shown == ("error", "The disk is full.")


def test_a_message_is_closed_by_hand(parent: Any) -> None:
    heard: list[int] = []
    bar = MessageBar(parent)
    bar.closed.connect(lambda: heard.append(1))
    bar.show("error", "No.")
    bar._close.click()
    bar.clear()
    assert (bar.shown, heard) == (("", ""), [1])
