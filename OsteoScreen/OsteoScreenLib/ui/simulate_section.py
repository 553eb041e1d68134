"""A radiograph from a CT in the scene: which CT, which segmentation, which bone density."""

from __future__ import annotations

from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.qt_api import QtWidgets, Widget
from OsteoScreenLib.ui.sections import Section
from OsteoScreenLib.workbench.events import Event

Pairs = list[tuple[str, str]]


class SimulateSection:
    """Shown only while the scene holds a CT. asked : (CT's id, segmentation's id, T-score)."""

    def __init__(self, parent: Widget) -> None:
        self.asked: Event[[str, str, float]] = Event()
        self._t_score = 0.0
        self._enabled = True
        tip = "Make a radiograph with known bones from a CT and its segmentation in the scene"
        section = Section(parent, "Simulate from a CT", False, tip, True)
        self.widget = section.widget
        grid = QtWidgets.QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        self._scan = Choice(self.widget, "The chest CT", "Choose a CT…")
        self._bones = Choice(
            self.widget, "Its segmentation, with the structures' names of TotalSegmentator", "Choose a segmentation…"
        )
        for choice in (self._scan, self._bones):
            choice.chosen.connect(lambda value: self._fit())
        self._score = QtWidgets.QDoubleSpinBox(self.widget)
        self._score.setRange(-5.0, 2.0)
        self._score.setSingleStep(0.5)
        self._score.setDecimals(1)
        self._score.setToolTip("Bone density of the simulated body, as the T-score that its simulated DXA gives")
        self._score.valueChanged.connect(self._on_score)
        self._button = QtWidgets.QPushButton("Simulate radiograph", self.widget)
        self._button.setToolTip("Project the CT's anatomy like a chest radiograph, save it as DICOM and open it")
        self._button.clicked.connect(lambda checked=False: self._ask())
        for row, (title, widget) in enumerate(
            (("CT", self._scan.widget), ("Bones", self._bones.widget), ("T-score", self._score))
        ):
            label = QtWidgets.QLabel(title, self.widget)
            label.setBuddy(widget)
            grid.addWidget(label, row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(self._button, 2, 2)
        section.body_layout.addLayout(grid)
        self.show([], [])

    def show(self, scans: Pairs, segmentations: Pairs) -> None:
        """Offer these (id, name); where there is only one it is chosen."""
        for choice, pairs in ((self._scan, scans), (self._bones, segmentations)):
            known = choice.value in [value for value, _ in pairs]
            choice.show(pairs, choice.value if known else pairs[0][0] if len(pairs) == 1 else None)
        self.widget.setVisible(bool(scans))
        self._fit()

    def enable(self, enabled: bool) -> None:
        """While a job runs, no other is begun."""
        self._enabled = enabled
        self._fit()

    def _on_score(self, value: float) -> None:
        self._t_score = float(value)

    def _fit(self) -> None:
        self._button.setEnabled(self._enabled and self._scan.value is not None and self._bones.value is not None)

    def _ask(self) -> None:
        if self._scan.value is not None and self._bones.value is not None:
            self.asked.emit(str(self._scan.value), str(self._bones.value), self._t_score)
