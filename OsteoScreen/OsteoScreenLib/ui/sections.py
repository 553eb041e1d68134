"""A part of the panel under a title that folds it away."""

from __future__ import annotations

from OsteoScreenLib.ui.elided_text import ElidedText
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, get
from OsteoScreenLib.workbench.events import Event

_NO_LIMIT = 16777215  # Qt's own largest size


class Section:
    """Title, a few words beside it, and a body.

    widget : the whole. body : where the contents go, in `body_layout`. toggled : (expanded) by the reader's hand.
    minor : a section inside a section, drawn with less weight.
    """

    def __init__(self, parent: Widget, title: str, expanded: bool = True, tip: str = "", minor: bool = False) -> None:
        self.toggled: Event[[bool]] = Event()
        self._expanded = expanded
        self._words, self._tooltip, self._always = "", "", False
        self._name, self._tip = title, tip
        self.widget = QtWidgets.QWidget(parent)
        outer = QtWidgets.QVBoxLayout(self.widget)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0 if minor else 2)

        self._head = QtWidgets.QWidget(self.widget)
        head = QtWidgets.QVBoxLayout(self._head)
        head.setContentsMargins(0, 0, 0, 0)
        head.setSpacing(0)
        self._title = QtWidgets.QToolButton(self._head)
        self._title.setText(title)
        self._title.setAutoRaise(True)
        self._title.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._title.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        font = get(self._title, "font")
        font.setBold(not minor)
        self._title.setFont(font)
        self._title.clicked.connect(lambda checked=False: self._turn())
        self._summary = ElidedText(self._head, True)
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(0, 0, 4, 0)
        row.addWidget(self._title)
        row.addWidget(self._summary, 1)
        head.addLayout(row)
        if not minor:
            line = QtWidgets.QFrame(self._head)
            line.setFrameShape(QtWidgets.QFrame.Shape.HLine)
            line.setFrameShadow(QtWidgets.QFrame.Shadow.Sunken)
            head.addWidget(line)
        outer.addWidget(self._head)

        self.body = QtWidgets.QWidget(self.widget)
        self.body_layout = QtWidgets.QVBoxLayout(self.body)
        self.body_layout.setContentsMargins(4, 2, 4, 4)
        self.body_layout.setSpacing(4)
        outer.addWidget(self.body, 1)
        self._show()

    @property
    def expanded(self) -> bool:
        """Whether the body is to be seen."""
        return self._expanded

    def set_expanded(self, expanded: bool) -> None:
        """Fold or unfold; tells nobody."""
        self._expanded = expanded
        self._show()

    def set_summary(self, words: str, tooltip: str = "", always: bool = False) -> None:
        """A few words beside the title, shown while the section is folded, or always."""
        self._words, self._tooltip, self._always = words, tooltip, always
        self._show_summary()

    @property
    def summary(self) -> str:
        """The words beside the title, "" while they are not shown."""
        return self._summary.shown_text

    def _turn(self) -> None:
        self.set_expanded(not self._expanded)
        self.toggled.emit(self._expanded)

    def _show(self) -> None:
        self._title.setArrowType(Qt.ArrowType.DownArrow if self._expanded else Qt.ArrowType.RightArrow)
        self._title.setToolTip(self._tip or f"{'Fold' if self._expanded else 'Unfold'} {self._name}")
        self._title.setAccessibleName(f"{self._name}, {'unfolded' if self._expanded else 'folded'}")
        self.body.setVisible(self._expanded)
        self.fit()
        self._show_summary()

    def fit(self) -> None:
        """Take the height of the font as it is now."""
        self._summary.fit()
        # Folded, it takes no more room than its title, also in a splitter.
        self.widget.setMaximumHeight(_NO_LIMIT if self._expanded else int(get(self._head, "minimumSizeHint").height()))

    def _show_summary(self) -> None:
        shown = self._always or not self._expanded
        self._summary.show_text(self._words if shown else "", self._tooltip if shown else "")
