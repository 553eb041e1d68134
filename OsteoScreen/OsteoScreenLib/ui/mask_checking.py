"""Between the reader's hands and a case's masks: which bone, which verdict, the brush, and what is kept. No Qt in here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal

from OsteoScreenLib.bones import quality
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.events import Event
from OsteoScreenLib.review.mask_check import MaskCheck
from OsteoScreenLib.review.mask_keeper import MaskKeeper
from OsteoScreenLib.review.nouns import MaskVerdict
from OsteoScreenLib.scene.bone_brush import BoneBrush
from OsteoScreenLib.scene.bone_emphasis import emphasise, hidden_bones, hide_outline
from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.mask_nouns import BoneRow, MaskSubject

SIZES_MM = (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64)
"""Diameters of the brush."""
_FIRST_SIZE = 6
_AGAIN_SECONDS = 5.0  # after which a disk that was full is tried again
Editing = Literal["", "brush", "editor"]


class MaskChecking:
    """What the reader can do with the masks of the case on the table.

    changed : "case" (another one, or none), "bones" (verdicts, masks), "current" (the bone) or "brush" (how masks are edited).
    message : (severity, one sentence). Nothing here raises for what a reader does.

    host : offers the editor where it has one, and remembers the brush. view_name : the slice view that is painted in.
    seconds : a clock that never runs backwards.
    """

    def __init__(self, host: Host, view_name: str = "Red", *, seconds: Callable[[], float] = time.monotonic) -> None:
        self.changed: Event[[str]] = Event()
        self.message: Event[[str, str]] = Event()
        self._host, self._view_name, self._seconds = host, view_name, seconds
        self._subject: MaskSubject | None = None
        self._check: MaskCheck | None = None
        self._keeper: MaskKeeper | None = None
        self._looks: Mapping[str, quality.MaskQuality] = {}
        self._brush: BoneBrush | None = None
        self._in_editor = False
        self._lit = ""  # the bone whose outline was off before it was looked at
        self._unwritten: list[MaskKeeper] = []  # of cases that were left while the disk was full
        self._try_at = 0.0
        self._size = _size_in(host.remembered("brush", str(_FIRST_SIZE)))
        self._erase = False

    # The case

    def open(self, subject: MaskSubject) -> None:
        """Put a case's masks on the table: the reader's last version of them, else the model's own."""
        self.leave()
        keeper = MaskKeeper(
            *(
                subject.case,
                subject.reader,
                subject.versions,
                subject.masks,
                subject.radiograph,
                subject.judge,
                subject.verdicts,
            )
        )
        self._check = MaskCheck(subject.case, subject.reader, tuple(subject.masks.site.by_name), subject.verdicts)
        self._subject, self._keeper = subject, keeper
        self._looks = quality.assess(subject.masks)
        if keeper.problem:
            self.message.emit("warning", keeper.problem)
        if keeper.number:
            self._show_masks()
        self._emphasise()
        self._tell("case", "bones", "current", "brush")

    def leave(self) -> None:
        """Take the masks off the table. What was painted is kept; while the disk does not take it, it waits in memory."""
        if self._subject is None or self._keeper is None:
            return
        self._finish_editing()
        self._write()
        if self._keeper.waiting:
            self._unwritten.append(self._keeper)
        scene, masks = self._subject.scene, self._subject.masks
        if scene.is_whole() and scene.segmentation is not None:
            if self._keeper.number or self._keeper.waiting:
                self._show_masks(masks)  # the model's own, which its numbers belong to
            self._emphasise("")
        self._lit = ""
        self._subject = self._check = self._keeper = None
        self._tell("case", "bones", "current", "brush")

    def poll(self) -> None:
        """Called by the window's timer: what the disk did not take is tried again."""
        if (self._unwritten or (self._keeper is not None and self._keeper.waiting)) and self._seconds() >= self._try_at:
            self._write(silent=True)

    def close(self) -> None:
        """Leave, and try for the last time to write what waits. Safe to call twice."""
        self.leave()
        if self._unwritten:
            self._write()

    @property
    def there(self) -> bool:
        """Masks are on the table."""
        return self._subject is not None

    @property
    def rows(self) -> tuple[BoneRow, ...]:
        """Every bone of the site, in the vocabulary's order."""
        if self._subject is None or self._check is None or self._keeper is None:
            return ()
        verdicts, agreement, masks = self._check.verdicts, self._keeper.dice(), self._keeper.masks
        return tuple(
            BoneRow(
                bone.name,
                bone.group,
                bone.colour,
                verdicts.get(bone.name),
                agreement.get(bone.name),
                bone.name in masks.table,
                self._looks.get(bone.name),
            )
            for bone in masks.site.bones
        )

    @property
    def current(self) -> str:
        """The bone that is looked at; "" when there is none."""
        return self._check.current if self._check is not None else ""

    @property
    def version(self) -> int:
        """Number of the reader's version on the table; 0 for the model's own."""
        return self._keeper.number if self._keeper is not None else 0

    # Going from bone to bone

    def choose(self, bone: str) -> None:
        """Look at a bone."""
        if self._check is not None and bone in self._check.bones and bone != self._check.current:
            self._finish_editing()
            self._check.choose(bone)
            self._emphasise()
            self._tell("current")

    def step(self, by: int) -> None:
        """The next bone (1) or the one before (-1)."""
        if self._check is not None:
            self._finish_editing()
            self._check.step(by)
            self._emphasise()
            self._tell("current")

    # Verdicts

    def accept(self) -> None:
        """The bone's mask is right as it is now, and on to the next one. A mask that the reader has corrected is "fixed"."""
        self._finish_editing()
        if self._keeper is not None:
            self._judge_current("fixed" if self._keeper.is_corrected(self.current) else "accepted", "")

    def reject(self, reason: str) -> None:
        """The bone's mask is wrong and stays so, and on to the next one. Without a reason it says that one is needed."""
        self._finish_editing()
        self._judge_current("rejected", reason)

    def _judge_current(self, verdict: Literal["accepted", "fixed", "rejected"], reason: str) -> None:
        subject, check, keeper = self._subject, self._check, self._keeper
        if subject is None or check is None or keeper is None:
            return
        self._write()
        if keeper.waiting:
            return  # the message says why; the order of the store's events is that of the reader's decisions
        bone = check.current
        try:
            check.take(subject.judge(subject.case, bone, verdict, keeper.number_of(bone), reason.strip()))
        except OsteoScreenError as error:
            self.message.emit("error", str(error))
            return
        check.step_to_open()
        self._emphasise()
        self._tell("bones", "current")

    # Correcting

    @property
    def editing(self) -> Editing:
        """ "brush": the reader paints in the view; "editor": in the host's own editor; "" otherwise."""
        return "brush" if self._brush is not None else "editor" if self._in_editor else ""

    def fix(self) -> None:
        """Begin to correct the bone's mask; while it is being corrected, keep the correction and go on."""
        if self.editing:
            self.keep()
        elif self._subject is not None:
            self._begin_editing(self._subject)

    def keep(self) -> None:
        """Save the correction as a new version, and go to the next bone."""
        if self._check is not None and self.editing:
            bone = self._check.current
            self._finish_editing()
            if bone in self._check.verdicts:
                self._check.step_to_open()
            self._emphasise()
            self._tell("current")

    def discard(self) -> None:
        """Throw away what was painted since the correction was begun."""
        if self.editing:
            self._end_brush()
            self._in_editor = False
            self._show_masks()
            self._tell("bones", "brush")

    def _begin_editing(self, subject: MaskSubject) -> None:
        scene = subject.scene
        if scene.segmentation is None or self._keeper is None:
            self.message.emit("warning", "The masks left the scene; open the case again.")
            return
        if self._host.edit_masks(scene.segmentation, scene.radiograph):
            self._in_editor = True
        else:
            diameter = SIZES_MM[self._size]
            self._brush = BoneBrush(scene, self._keeper.masks, self.current, diameter, self._on_stroke, self._view_name)
            self._brush.erase = self._erase = False
        self._tell("brush")

    def _on_stroke(self) -> None:
        self._emphasise()  # a bone that was not drawn before has a segment from its first stroke on
        self._tell("brush")

    def _finish_editing(self) -> None:
        """Take what was drawn, and put away brush or editor."""
        if not self.editing or self._subject is None or self._keeper is None:
            return
        scene = self._subject.scene
        if self._brush is not None:
            masks = self._brush.strokes.masks()
        else:
            masks = scene.bone_masks(self._subject.masks.site) if scene.segmentation is not None else self._keeper.masks
        self._end_brush()
        self._in_editor = False
        if self._keeper.take(masks):
            self._show_masks()
            self._write()
        self._tell("bones", "brush")

    def _end_brush(self) -> None:
        if self._brush is not None:
            self._brush.close()
            self._brush = None

    # The brush

    @property
    def brush_size(self) -> int:
        """Which of `SIZES_MM`."""
        return self._size

    @property
    def unit(self) -> str:
        """Of the brush: "mm", or "px" where the radiograph's spacing is unknown."""
        known = self._subject is not None and self._subject.radiograph.spacing_mm is not None
        return "mm" if known else "px"

    @property
    def erasing(self) -> bool:
        """The brush takes away."""
        return self._erase

    @property
    def can_undo(self) -> bool:
        """There is a stroke to take back."""
        return self._brush is not None and self._brush.strokes.can_undo

    @property
    def can_redo(self) -> bool:
        """There is a stroke to do again."""
        return self._brush is not None and self._brush.strokes.can_redo

    def set_brush_size(self, index: int) -> None:
        """Another of `SIZES_MM`."""
        self._size = min(max(index, 0), len(SIZES_MM) - 1)
        self._host.remember("brush", str(self._size))
        if self._brush is not None:
            self._brush.diameter_mm = SIZES_MM[self._size]
            self._brush.refresh()
        self._tell("brush")

    def set_erasing(self, erase: bool) -> None:
        """Paint or erase."""
        self._erase = erase
        if self._brush is not None:
            self._brush.erase = erase
            self._brush.refresh()
        self._tell("brush")

    def undo(self) -> None:
        """Take the last stroke back."""
        if self._brush is not None:
            self._brush.undo()

    def redo(self) -> None:
        """Do it again."""
        if self._brush is not None:
            self._brush.redo()

    def as_the_model_drew_it(self) -> None:
        """The bone's mask as the model drew it; it can be undone."""
        if self._brush is not None and self._subject is not None:
            self._brush.replace(self._subject.masks.mask(self.current))

    # Small helps

    def _write(self, silent: bool = False) -> None:
        """Write what waits, of cases that were left too; what the disk does not take goes on waiting."""
        keepers = [*self._unwritten, *([self._keeper] if self._keeper is not None else [])]
        waited = any(keeper.waiting for keeper in keepers)
        try:
            for keeper in keepers:
                keeper.write(self._take)
                if keeper in self._unwritten:
                    self._unwritten.remove(keeper)
        except OsteoScreenError as error:
            self._try_at = self._seconds() + _AGAIN_SECONDS
            if not silent:
                self.message.emit("error", str(error))
            return
        if waited and silent:
            self.message.emit("info", "The corrected masks are saved now.")
            self._tell("bones")

    def _take(self, verdict: MaskVerdict) -> None:
        if self._check is not None:
            self._check.take(verdict)  # passes over those of another case

    def _show_masks(self, masks: BoneMasks | None = None) -> None:
        """Put masks into the scene, the present ones by default; outlines that were off stay off."""
        if self._subject is None or self._keeper is None or self._subject.scene.segmentation is None:
            return
        scene = self._subject.scene
        hidden = hidden_bones(scene.segmentation, self._subject.masks.site.by_name)
        scene.set_bones(self._keeper.masks if masks is None else masks)
        scene.set_outlines(hidden)
        self._emphasise()

    def _emphasise(self, bone: str | None = None) -> None:
        """Let the current bone stand out, or none (""). One whose outline was off is off again when it is left."""
        segmentation = self._subject.scene.segmentation if self._subject is not None else None
        if segmentation is None:
            return
        bone = self.current if bone is None else bone
        if self._lit and self._lit != bone:
            hide_outline(segmentation, self._lit)
            self._lit = ""
        if emphasise(segmentation, bone):
            self._lit = bone

    def _tell(self, *parts: str) -> None:
        for part in parts:
            self.changed.emit(part)


def _size_in(text: str) -> int:
    """A remembered size; the first one where it is none."""
    return int(text) if text.isdigit() and int(text) < len(SIZES_MM) else _FIRST_SIZE
