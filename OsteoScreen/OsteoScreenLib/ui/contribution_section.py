"""What the model goes by: the verdict in one sentence, and the chart of contributions, of the groups or of the bones of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from OsteoScreenLib.bones.vocabulary import Site
from OsteoScreenLib.explain.overlap import ALL_BONES
from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.contribution_chart import ContributionBar, ContributionChart
from OsteoScreenLib.ui.effect_cells import meaning
from OsteoScreenLib.ui.qt_api import QtWidgets, get
from OsteoScreenLib.workbench.effect_rows import EffectRow
from OsteoScreenLib.workbench.toggles import Toggles
from OsteoScreenLib.workbench.verdict_line import VerdictLine

GROUPS = ""
_NOTHING = "No answer yet."
_ABOUT = (
    "Whether the model's answer on this image comes from bone: each bone group covered, against controls, regions of as many pixels "
    "elsewhere. It says what the model goes by; it says nothing about the patient, and not that the answer is right."
)
_VERDICT_WORDS = {
    "computing": "Does it look at bone? The groups are being compared with controls…",
    "none": "Does it look at bone? Not compared with controls.",
}


class ContributionSection:
    """Shows what `EffectRow`s say; which of them is the reader's choice, and nobody else's business."""

    def __init__(self, parent: Any) -> None:
        self._site: Site | None = None
        self._rows: Mapping[str, EffectRow] = {}
        self._toggles = Toggles()
        self._of = GROUPS
        self.widget = QtWidgets.QWidget(parent)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._choice = Choice(self.widget, "Groups, or the bones of one group")
        self._choice.chosen.connect(self._choose)
        self._chart = ContributionChart(self.widget)
        self._verdict = QtWidgets.QLabel("", self.widget)
        self._verdict.setWordWrap(True)
        self._verdict.setToolTip(_ABOUT)
        self._caption = QtWidgets.QLabel(_NOTHING, self.widget)
        self._caption.setWordWrap(True)
        for part in (self._verdict, self._choice.widget, self._chart, self._caption):
            column.addWidget(part)
        self._show()

    def show(self, site: Site, rows: Mapping[str, EffectRow], toggles: Toggles, verdict: VerdictLine) -> None:
        """Show these rows, in the toggles' mode and for their target, and the verdict. rows : empty before the first answer."""
        if site is not self._site:
            self._site, self._of = site, GROUPS
        self._rows, self._toggles = rows, toggles
        old = "* Of the masks before they were changed. " if verdict.state == "stale" else ""
        self._verdict.setText(f"{old}{verdict.sentence or _VERDICT_WORDS[verdict.state]}")
        font = get(self._verdict, "font")
        font.setItalic(verdict.state != "current")
        self._verdict.setFont(font)
        self._show()

    @property
    def shown_bars(self) -> list[ContributionBar]:
        """The bars from the top."""
        if self._site is None:
            return []
        names = self._site.groups[self._of] if self._of else [ALL_BONES, *self._site.groups]
        known = [(name, self._rows[name]) for name in names if name in self._rows]
        return [ContributionBar.of(name[:1].upper() + name[1:], row, self._toggles) for name, row in known]

    def _choose(self, group: str) -> None:
        self._of = group
        self._show()

    def _show(self) -> None:
        site, there = self._site, bool(self._rows)
        groups = [group for group in (site.groups if site is not None else {}) if group in self._rows]
        if self._of not in groups:
            self._of = GROUPS
        self._choice.show([(GROUPS, "Groups"), *((group, f"Bones: {group}") for group in groups)], self._of)
        bars = self.shown_bars
        self._verdict.setVisible(there)
        self._choice.widget.setVisible(there)
        self._chart.setVisible(there)
        self._chart.show_bars(bars)
        self._chart.setToolTip(
            f"{meaning(self._toggles)}\nShaded: 5 to 95 % of the Δ of controls, regions of as many pixels elsewhere; the line "
            "ends it. A bar beyond the line is larger than chance at the 5 % level."
        )
        if not there:
            self._caption.setText(_NOTHING)
            return
        what = "removed" if self._toggles.mode == "remove" else "added back"
        compared = "; shaded: controls, 5 to 95 %" if any(bar.chance is not None for bar in bars) else ""
        old = " * Of the masks before they were changed." if any(bar.stale for bar in bars) else ""
        self._caption.setText(f"Δ {what}, points of P({self._toggles.target}){compared}.{old}")
