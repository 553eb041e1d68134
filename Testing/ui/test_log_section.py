"""The log: what is kept, and copied."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.log_section import MOST_LINES, LogSection


def test_lines_are_kept_in_order_and_copied(parent: Any) -> None:
    log = LogSection(parent)
    log.add("worker ready")
    log.add("Traceback\n  one\n  two")
    log._copy.click()
    assert qt_api.clipboard_text() == "worker ready\nTraceback\n  one\n  two"
    assert log._text.toPlainText() == qt_api.clipboard_text()


def test_old_lines_go(parent: Any) -> None:
    log = LogSection(parent)
    for number in range(MOST_LINES + 5):
        log.add(f"line {number}")
    assert (len(log.lines), log.lines[0]) == (MOST_LINES, "line 5")
    assert log._text.blockCount() == MOST_LINES


def test_the_log_is_no_markup_and_cannot_be_written(parent: Any) -> None:
    log = LogSection(parent)
    log.add("<b>bold</b>")
    assert log._text.toPlainText() == "<b>bold</b>"
    assert log._text.isReadOnly()
