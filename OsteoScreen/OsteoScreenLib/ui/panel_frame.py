"""The panel's frame: sentences stay above, bones and log below, and what lies between them scrolls."""

from __future__ import annotations

from functools import partial
from typing import Any

from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.qt_api import Qt, QtGui, QtWidgets, Widget, get, single_shot
from OsteoScreenLib.ui.sections import Section

LEAST_WIDTH, LEAST_MIDDLE_HEIGHT, MARGIN = 360, 200, 6
SCROLL_BAR = 20  # pixels beside what scrolls
_SETTLED_MS = 60  # after which a new layout has its places


class PanelFrame:
    """Holds the sections by title. Whether one is folded is remembered beyond this run."""

    def __init__(self, parent: Widget, host: Host) -> None:
        self._host = host
        self._fitting, self._letters = (0, 0), 0
        self._going_to = ""
        self.sections: dict[str, Section] = {}
        self.widget = QtWidgets.QWidget(parent)
        self._middle = QtWidgets.QScrollArea(self.widget)
        self._content = QtWidgets.QWidget(self._middle)
        self._scrolled = QtWidgets.QVBoxLayout(self._content)
        self._scrolled.setContentsMargins(0, 0, 4, 0)
        self._scrolled.setSpacing(4)
        self._splitter = QtWidgets.QSplitter(Qt.Orientation.Vertical, self.widget)
        self._column = QtWidgets.QVBoxLayout(self.widget)
        self._column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        self._column.setSpacing(4)
        self._later = single_shot(self.widget, _SETTLED_MS, self._go)

    def add_middle(self, title: str) -> Section:
        """A section among those that scroll."""
        section = self._section(self._content, title, True)
        self._scrolled.addWidget(section.widget)
        return section

    def add_below(self, title: str, expanded: bool) -> Section:
        """A section that does not scroll."""
        return self._section(self.widget, title, expanded)

    def lay_out(self, above: list[Widget], lower: str, last: str) -> None:
        """Put everything in its place. lower : the section that shares the height with what scrolls; last : the one at the end."""
        self._scrolled.addStretch(1)
        self._middle.setWidgetResizable(True)
        self._middle.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self._middle.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._middle.setWidget(self._content)
        self._middle.setMinimumHeight(LEAST_MIDDLE_HEIGHT)
        splitter = self._splitter
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._middle)
        splitter.addWidget(self.sections[lower].widget)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([690, 310])
        # A scroll area around the panel would else give it the height that it likes best, not that which there is.
        policy = QtWidgets.QSizePolicy.Policy
        splitter.setSizePolicy(policy.Preferred, policy.Ignored)
        for widget in above:
            self._column.addWidget(widget)
        self._column.addWidget(splitter, 1)
        self._column.addWidget(self.sections[last].widget)

    def fit(self) -> bool:
        """Give what scrolls the width that its contents need, and no more height than they have. Cheap; called often.

        Returns whether the font has changed.
        """
        letters = int(QtGui.QFontMetrics(get(self.widget, "font")).height())
        changed = letters != self._letters
        if changed:
            self._letters = letters
            for section in self.sections.values():
                section.fit()
        least, wanted = get(self._content, "minimumSizeHint"), get(self._content, "sizeHint")
        # Sentences that wrap make the contents higher where the panel is narrow.
        height = int(self._content.heightForWidth(int(get(self._content, "width"))))
        fitting = (int(least.width()) + SCROLL_BAR, height if height > 0 else int(wanted.height()))
        self._splitter.setMinimumHeight(int(get(self._splitter, "minimumSizeHint").height()))
        if fitting != self._fitting:
            self._fitting = fitting
            self._middle.setMinimumWidth(fitting[0])
            self.widget.setMinimumWidth(max(LEAST_WIDTH, fitting[0] + 2 * MARGIN))
            self._middle.setMaximumHeight(max(fitting[1], LEAST_MIDDLE_HEIGHT))
        return changed

    def go_to(self, title: str) -> None:
        """Scroll a section of the middle to the top, once the layout has settled; not where it is to be seen as a whole."""
        self._going_to = title
        self._later.start()

    def close(self) -> None:
        """Stop what waits."""
        self._later.close()

    def _go(self) -> None:
        section = get(self.sections[self._going_to].widget, "geometry")
        bar = self._middle.verticalScrollBar()
        top, room = int(get(bar, "value")), int(get(self._middle.viewport(), "height"))
        if section.top() < top or section.bottom() > top + room:
            bar.setValue(section.top())

    def _section(self, parent: Any, title: str, expanded: bool) -> Section:
        key = f"section/{title}"
        section = Section(parent, title, self._host.remembered(key, "1" if expanded else "0") == "1")
        section.toggled.connect(partial(self._remember, key))
        self.sections[title] = section
        return section

    def _remember(self, key: str, expanded: bool) -> None:
        self._host.remember(key, "1" if expanded else "0")
