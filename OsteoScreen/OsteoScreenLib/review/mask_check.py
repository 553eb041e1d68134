"""`MaskCheck`: what one reader has found of one case's masks, bone by bone. No window, no disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.nouns import MaskVerdict

REASONS = (
    "wrong bone or number",
    "part of the bone is missing",
    "covers more than the bone",
    "wrong side",
    "bone not visible",
    "bone visible but not outlined",
    "image quality",
)
"""Offered to a reader who rejects a mask; any other words will do."""


class MaskCheck:
    """Goes through a case's bones. A verdict is taken with `take` once the store has it.

    bones : in the order in which they are looked at. verdicts : given earlier, oldest first; those of other readers or cases are
    passed over, so that no reader is led by another.
    """

    def __init__(self, case: str, reader: str, bones: Sequence[str], verdicts: Iterable[MaskVerdict] = ()) -> None:
        if not bones:
            raise InputError("There are no bones to check; analyse the radiograph first.", code="masks-no-bones")
        self.case, self.reader, self.bones = case, reader, tuple(bones)
        self._verdicts: dict[str, MaskVerdict] = {}
        for verdict in verdicts:
            self.take(verdict)
        self._current = next((bone for bone in self.bones if bone not in self._verdicts), self.bones[0])

    @property
    def current(self) -> str:
        """The bone that is being looked at."""
        return self._current

    @property
    def verdicts(self) -> Mapping[str, MaskVerdict]:
        """Bone → the verdict that counts; bones without one are absent."""
        return dict(self._verdicts)

    @property
    def open(self) -> tuple[str, ...]:
        """Bones without a verdict."""
        return tuple(bone for bone in self.bones if bone not in self._verdicts)

    def choose(self, bone: str) -> None:
        """Look at this bone. Raises `InputError` for one that is not among them."""
        if bone not in self.bones:
            raise InputError(f"There is no bone {bone} to check here.", code="unknown-bone")
        self._current = bone

    def step(self, by: int) -> str:
        """Look at the next bone (by = 1) or the one before (by = -1); it stays at either end. Returns it."""
        at = self.bones.index(self._current) + by
        self._current = self.bones[min(max(at, 0), len(self.bones) - 1)]
        return self._current

    def step_to_open(self) -> str:
        """Look at the next bone without a verdict, from the top again after the last; stays when there is none. Returns it."""
        at = self.bones.index(self._current)
        round_trip = (*self.bones[at + 1 :], *self.bones[: at + 1])
        self._current = next((bone for bone in round_trip if bone not in self._verdicts), self._current)
        return self._current

    def take(self, verdict: MaskVerdict) -> None:
        """From now on this verdict counts for its bone."""
        if (verdict.reader, verdict.case) == (self.reader, self.case) and verdict.bone in self.bones:
            self._verdicts[verdict.bone] = verdict
