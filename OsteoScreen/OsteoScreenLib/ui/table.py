"""What is on the table, for a panel to show. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from OsteoScreenLib.bones.quality import MaskQuality
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site
from OsteoScreenLib.classifier.prediction import TARGETS
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.saliency_methods import GRAD_CAM, SALIENCY_METHODS, SaliencyMethod
from OsteoScreenLib.scene.heatmap import HeatStyle
from OsteoScreenLib.scene.volume_image import volumes_in_scene
from OsteoScreenLib.ui.shelf import Shelf
from OsteoScreenLib.workbench import remarks
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import NO_STORED_ANSWER, Desk
from OsteoScreenLib.workbench.effect_rows import EffectRow, at_rest
from OsteoScreenLib.workbench.numbers import EffectCell, Numbers
from OsteoScreenLib.workbench.reading import Reading, Result
from OsteoScreenLib.workbench.toggles import Toggles
from OsteoScreenLib.workbench.verdict_line import VerdictLine, verdict_line
from OsteoScreenLib.worker import model_folders
from OsteoScreenLib.worker.requests import AnalysisOptions

COLUMNS = ("removed", "added", "percentile", "share", "iou")  # that a reader can choose; Δ of the present mode is always there
FIRST_COLUMNS = frozenset({"percentile"})
NOTHING_OPEN = "Open a radiograph, then press Analyse."


class Table:
    """progress : (sentence, fraction, seconds left or None) of the running job. idle_sentence : what to do, or what was done.
    preview_on : covered pixels are shown as the model sees them. devices, models : what can be chosen. cursor_bones : bones under
    the cursor. targets : classes that Δ and heatmap can be about. columns : which of `COLUMNS` the reader wants to see beside the
    bones. controls_on : effects are compared with controls, in the background.
    """

    def __init__(self, desk: Desk, device: str) -> None:
        self._desk = desk
        self._shelf = Shelf(desk.answers)
        self._options = AnalysisOptions(device=device)
        self._heatmap_due: float | None = None  # when the heatmap of an answer is drawn whose bones are shown already
        self.preview_on = True
        self.columns = FIRST_COLUMNS
        self.controls_on = True
        self.progress: tuple[str, float, float | None] | None = None
        self.idle_sentence = NOTHING_OPEN
        self.devices: list[str] = ["auto", "cpu"]
        self.models: list[tuple[str, str]] = []
        self.cursor_bones: list[str] = []
        self.targets = TARGETS

    @property
    def case(self) -> Case | None:
        """The case on the table."""
        return self._shelf.current.case if self._shelf.current else None

    @property
    def analysed_count(self) -> int:
        """How many cases have an answer."""
        return sum(place.case.result is not None for place in self._shelf)

    @property
    def volumes(self) -> list[tuple[str, str]]:
        """(id, name) of what can be chosen: the cases, then volumes that another part of the application has loaded."""
        taken = [place.volume.GetID() for place in self._shelf if place.volume is not None]
        others = [(volume_id, name) for volume_id, name in volumes_in_scene() if volume_id not in taken]
        return [(place.case.token, place.case.reading.source.name) for place in self._shelf] + others

    @property
    def volume_id(self) -> str:
        """Which of `volumes` is on the table, "" for none."""
        return self._shelf.token

    @property
    def reading(self) -> Reading | None:
        """The radiograph on the table."""
        return self.case.reading if self.case else None

    @property
    def result(self) -> Result | None:
        """Its answer."""
        return self.case.result if self.case else None

    @property
    def numbers(self) -> Numbers | None:
        """The answer in figures."""
        numbers = self.case.numbers() if self.case else None
        if numbers is None or numbers.state != "computing" or self._desk.asking:
            return numbers
        if self.result is not None and self.result.stored:
            return replace(numbers, state="not stored", sentence=NO_STORED_ANSWER)
        return replace(numbers, state="unanswered", sentence="This was not computed; press Recompute.")

    @property
    def masks_edited(self) -> bool:
        """The masks were changed, so numbers that depend on them are old."""
        return self.case is not None and self.case.masks_edited

    @property
    def effects(self) -> dict[str, EffectCell]:
        """Δ by bone and group, in the present mode."""
        effects = self.case.effects() if self.case else {}
        if self._desk.asking:
            return effects
        return {name: EffectCell() if cell.state == "computing" else cell for name, cell in effects.items()}

    @property
    def rows(self) -> dict[str, EffectRow]:
        """All that the table says, by row: all bones, groups, bones."""
        rows = self.case.table.rows() if self.case else {}
        desk = self._desk
        asking, controls, drawing = desk.asking, desk.controls_open or (desk.asking and self.controls_on), desk.drawing
        return {name: at_rest(row, effects=asking, controls=controls, heatmap=drawing) for name, row in rows.items()}

    def verdict(self, rows: Mapping[str, EffectRow]) -> VerdictLine:
        """Whether the model's answer comes from bone. rows : as `rows` gives them."""
        return verdict_line(self.case, rows) if self.case else VerdictLine()

    @property
    def toggles(self) -> Toggles | None:
        """What is switched."""
        return self.case.toggles if self.case else None

    @property
    def covered_count(self) -> int:
        """How many bones that were found are covered."""
        return len(self.case.toggles.covered & self.case.found) if self.case else 0

    @property
    def can_undo(self) -> bool:
        """A switch can be taken back."""
        return self.case is not None and self.case.can_undo

    @property
    def can_redo(self) -> bool:
        """A switch can be done again."""
        return self.case is not None and self.case.can_redo

    @property
    def site(self) -> Site:
        """Whose bones the tree lists: the answer's, else those that the chosen model would be given."""
        if self.result:
            return self.result.masks.site
        try:
            return model_folders.site_of(self._options.model)
        except InputError:  # said when it is asked for an answer
            return CHEST_FRONTAL

    @property
    def bone_areas(self) -> dict[str, int]:
        """Pixels of each bone that was found."""
        return self.result.masks.areas() if self.result else {}

    @property
    def bone_quality(self) -> Mapping[str, MaskQuality]:
        """How good each bone's mask looks, found or not."""
        return self.case.quality if self.case else {}

    @property
    def pixel_mm2(self) -> float | None:
        """Area of one pixel, None when the spacing is unknown."""
        spacing = self.reading.spacing_mm if self.reading else None
        return None if spacing is None else spacing[0] * spacing[1]

    @property
    def banners(self) -> list[tuple[remarks.Severity, str]]:
        """(severity, sentence) above the answer."""
        return remarks.banners(self.reading, self.result)

    @property
    def busy(self) -> bool:
        """A job that the reader waits for is running."""
        return self._desk.busy or self._heatmap_due is not None

    @property
    def model_id(self) -> str:
        """The chosen classifier."""
        return self._options.model

    @property
    def device(self) -> str:
        """Where the network is to run."""
        return self._options.device

    @property
    def heat_style(self) -> HeatStyle:
        """How the heatmap is shown."""
        return self._shelf.current.scene.heat_style if self._shelf.current else HeatStyle()

    @property
    def heat_method(self) -> str:
        """How the heatmap that is shown was made, "" when there is none."""
        saliency = self.case.saliency if self.case else None
        return saliency.method if saliency is not None else ""

    @property
    def saliency_method(self) -> str:
        """The key of the method that the heatmap is, or will be, made by."""
        return self.case.saliency_method.key if self.case else GRAD_CAM

    @property
    def saliency_methods(self) -> tuple[SaliencyMethod, ...]:
        """The methods that the model can give; only the default one before the first answer."""
        keys = self.result.saliency_methods if self.result else (GRAD_CAM,)
        return tuple(SALIENCY_METHODS[key] for key in keys if key in SALIENCY_METHODS)

    @property
    def drawing_heatmap(self) -> bool:
        """A heatmap is being made."""
        return self._desk.drawing

    @property
    def can_edit_masks(self) -> bool:
        """There are masks to correct."""
        return self.result is not None
