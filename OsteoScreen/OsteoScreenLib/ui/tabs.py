"""The panel's two tabs: Analyse, for one radiograph and its model; Review, for reading a study."""

from __future__ import annotations

from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.panel import Panel
from OsteoScreenLib.ui.presenter import Presenter
from OsteoScreenLib.ui.qt_api import QtWidgets, Widget
from OsteoScreenLib.ui.review_presenter import ReviewPresenter
from OsteoScreenLib.ui.review_tab import ReviewTab

ANALYSE, REVIEW = 0, 1


class Tabs:
    """widget : the whole. analyse : today's panel. review : the other one.

    While a read is blind, Analyse is empty and cannot be entered. `close()` stops timers; the presenters are their owner's to close.
    """

    def __init__(self, parent: Widget, presenter: Presenter, reviewing: ReviewPresenter, host: Host) -> None:
        self._reviewing = reviewing
        self.widget = QtWidgets.QTabWidget(parent)
        self.widget.setDocumentMode(True)
        self.analyse = Panel(self.widget, presenter, host)
        self.review = ReviewTab(self.widget, reviewing, presenter, host)
        self.widget.addTab(self.analyse.widget, "Analyse")
        self.widget.addTab(self.review.widget, "Review")
        self._status = host.status
        self._endings = [
            reviewing.emptied.connect(self._on_emptied),
            reviewing.changed.connect(self._on_changed),
            self.review.analyse_asked.connect(lambda: self.show(ANALYSE)),
        ]
        self._open_analyse()

    def show(self, index: int) -> None:
        """Bring a tab to the front."""
        self.widget.setCurrentIndex(index)

    def _on_emptied(self) -> None:
        self.show(REVIEW)
        self.analyse.forget()
        self.review.forget()
        self._status("")
        self._open_analyse()

    def _on_changed(self, part: str) -> None:
        if part in ("study", "model"):
            self._open_analyse()

    def _open_analyse(self) -> None:
        open_now = self._reviewing.analyse_open
        self.widget.setTabEnabled(ANALYSE, open_now)
        self.widget.setTabToolTip(ANALYSE, "" if open_now else "Closed while you read without the model")

    def close(self) -> None:
        """Stop timers and listen no more. Safe to call twice."""
        for end in self._endings:
            end()
        self.review.close()
        self.analyse.close()
