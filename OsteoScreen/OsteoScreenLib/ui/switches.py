"""What a reader can switch; every switch is one step that can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from OsteoScreenLib.ui.table import Table


class Switches(Table):
    """The toggles of the case on the table. Without one, nothing happens."""

    def set_covered(self, names: Iterable[str], covered: bool) -> None:
        """The model sees these bones no longer, or again."""
        if self.case:
            self.case.set_covered(names, covered)

    def set_hidden(self, names: Iterable[str], hidden: bool) -> None:
        """Outlines off or on."""
        if self.case:
            self.case.set_hidden(names, hidden)

    def turn_group(self, number: int) -> None:
        """Cover the group of this number, from 1, or show it again where it is covered."""
        name = dict(enumerate(self.site.groups, start=1)).get(number, "")
        if self.case and name in self.case.subjects():
            bones = self.case.subjects()[name]
            self.case.set_covered(bones, covered=not bones <= self.case.toggles.covered)

    def only(self, name: str) -> None:
        """The model sees this bone or group alone."""
        if self.case and name in self.case.subjects():
            self.case.show_only(self.case.subjects()[name])

    def all_shown(self) -> None:
        """The model sees every bone."""
        if self.case:
            self.case.show_all()

    def none_shown(self) -> None:
        """The model sees no bone."""
        if self.case:
            self.case.show_none()

    def invert_shown(self) -> None:
        """Covered bones are shown and shown ones covered."""
        if self.case:
            self.case.invert()

    def reset(self) -> None:
        """Every toggle as at the beginning."""
        if self.case:
            self.case.reset()

    def undo(self) -> None:
        """Take the last switch back."""
        if self.case:
            self.case.undo()

    def redo(self) -> None:
        """Do it again."""
        if self.case:
            self.case.redo()

    def set_mode(self, mode: str) -> None:
        """Remove, or add back."""
        self._switch(mode=mode)

    def set_fill(self, fill: str) -> None:
        """What covered pixels are replaced with."""
        self._switch(fill=fill)

    def set_margin(self, margin_px: float) -> None:
        """How far covered masks are widened, in pixels."""
        self._switch(margin_px=float(margin_px))

    def set_target(self, target: str) -> None:
        """The class that Δ and the heatmap are about."""
        if self.case:
            self.case.set_target(target)

    def set_saliency(self, method: str) -> None:
        """How the heatmap is made."""
        if self.case:
            self.case.set_saliency(method)

    def _switch(self, **changes: Any) -> None:
        if self.case:
            self.case.switch(self.case.toggles.with_changes(**changes))
