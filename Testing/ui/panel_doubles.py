"""A scripted presenter and host for the panel's tests: they record what the panel asks for and say what a test tells them to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.bones.quality import MaskQuality
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site
from OsteoScreenLib.classifier.prediction import CLASSES, TARGETS
from OsteoScreenLib.explain.chance import against_chance
from OsteoScreenLib.explain.overlap import ALL_BONES, Overlap
from OsteoScreenLib.explain.saliency_methods import GRAD_CAM, SALIENCY_METHODS
from OsteoScreenLib.radiograph.radiograph import Note
from OsteoScreenLib.workbench.effect_rows import ChanceCell, EffectRow, OverlapCell, RowOf
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.numbers import ClassRow, EffectCell, Numbers
from OsteoScreenLib.workbench.reading import ImageSource, Reading
from OsteoScreenLib.workbench.toggles import Toggles
from OsteoScreenLib.workbench.verdict_line import VerdictLine

RESEARCH = ("info", "Research use only: not for diagnosis or for decisions on treatment.")
SIMULATED = (
    "warning",
    "This model was trained on simulated radiographs, not on patients; its answer is no evidence about a patient.",
)


@dataclass(frozen=True)
class HeatStyle:
    """As `scene.heatmap.HeatStyle`, which needs Slicer's modules."""

    visible: bool = True
    opacity: float = 0.4
    threshold: float = 0.15
    colour_map: str = "plasma"


def reading(
    name: str = "chest_0042.dcm",
    *notes: Note,
    spacing_mm: tuple[float, float] | None = (0.143, 0.143),
    view: str = "PA",
    site: str = "CHEST",
    sex: str = "F",
    age: str = "062Y",
    **overrides: Any,
) -> Reading:
    """An opened radiograph of 2500 rows and 2048 columns."""
    source = {"path": name, "patient_sex": sex, "patient_age": age}
    facts = {"shape": [2500, 2048], "view": view, "site": site, "spacing_mm": spacing_mm, "source": source}
    pixels = np.zeros((2500, 2048), np.float32)
    return Reading(ImageSource(name, path=name, **overrides), pixels, spacing_mm, "a" * 64, facts, notes)


def numbers(
    now: tuple[float, float, float] | None = None,
    untouched: tuple[float, float, float] = (0.121, 0.367, 0.512),
    state: Any = "current",
    target: str = "osteoporosis",
    reference: Any = "untouched",
) -> Numbers:
    """An answer; Δ is the plain difference from `untouched`."""
    rows = []
    for index, name in enumerate(CLASSES):
        after = None if now is None else now[index]
        rows.append(ClassRow(name, untouched[index], after, None if after is None else 100 * (untouched[index] - after)))
    delta = None if now is None else 100 * (untouched[2] - now[2])
    sentence = "Nothing is covered: this is the answer on the untouched radiograph."
    if now is not None:
        sentence = f"With 3 bones covered, P(osteoporosis) is {100 * now[2]:.1f} % instead of {100 * untouched[2]:.1f} %."
    decision_now = None if now is None else ("osteoporosis" if now[2] >= 0.415 else "osteopenia")
    return Numbers(
        tuple(rows),
        "osteoporosis",
        decision_now,
        target,
        state,
        reference,
        delta,
        None if now is None else 0.42,
        9000,
        sentence,
    )


def bone_areas() -> dict[str, int]:
    """All bones but a few that were not found, each of another size."""
    missing = {"C7", "L2", "left humerus", "right humerus"}
    return {name: 2000 + 137 * at for at, name in enumerate(CHEST_FRONTAL.by_name) if name not in missing}


def effects(state: Any = "current") -> dict[str, EffectCell]:
    """Δ of every group and bone, some positive, some negative."""
    names = [*CHEST_FRONTAL.groups, *CHEST_FRONTAL.by_name]
    if state == "computing":
        return dict.fromkeys(names, EffectCell(state="computing"))
    return {name: EffectCell(8.1 * float(np.sin(at)), 0.4 * float(np.sin(at)), state) for at, name in enumerate(names)}


def rows_of(
    removed: Mapping[str, EffectCell], added: Mapping[str, EffectCell] | None = None, chance: Any = None, overlap: Any = None
) -> dict[str, EffectRow]:
    """Rows with these Δ; chance, overlap : by name → cell."""
    groups = CHEST_FRONTAL.groups
    rows = {}
    for name, cell in removed.items():
        of: RowOf = "all" if name == ALL_BONES else "group" if name in groups else "bone"
        ranked, laid = ((cells or {}).get(name) for cells in (chance, overlap))
        rank, lies = ranked or ChanceCell(), laid or OverlapCell()
        rows[name] = EffectRow(of, cell, rank, (added or {}).get(name, cell), rank, lies)
    return rows


def rows(state: Any = "current") -> dict[str, EffectRow]:
    """Every figure of every row, each of another size."""
    removed = {ALL_BONES: EffectCell(22.5, 1.1, state), **effects(state)}
    added = {
        name: replace(cell, delta_points=None if state == "computing" else at / 9)
        for at, (name, cell) in enumerate(removed.items())
    }
    if state == "computing":
        return rows_of(removed, added, *(dict.fromkeys(removed, kind(state="computing")) for kind in (ChanceCell, OverlapCell)))
    random = np.random.default_rng(5)
    chance = {
        name: ChanceCell(against_chance(cell.delta_points or 0.0, list(random.normal(0, 2, 20))), state)
        for name, cell in removed.items()
    }
    chance["L1"] = ChanceCell(state="no room")
    overlap = {name: OverlapCell(overlap_of(name, (at + 1) / 60), state) for at, name in enumerate(removed)}
    return rows_of(removed, added, chance, overlap)


def overlap_of(name: str, share: float) -> Overlap:
    """An overlap that lies on a bone as by chance one and a half times."""
    sweep = tuple(share * step / 10 for step in range(1, 10))
    return Overlap("bone", name, share / 1.5, share, 1.5, share / 2, 0.0, share / 3, share / 4, sweep)


class ScriptedPresenter:
    """Every method of the presenter is recorded in `calls`; every property is an attribute that a test sets."""

    def __init__(self) -> None:
        self.changed: Event[[str]] = Event()
        self.message: Event[[str, str]] = Event()
        self.log: Event[[str]] = Event()
        self.text_found: Event[[str]] = Event()
        self.calls: list[tuple[Any, ...]] = []
        self.volumes: list[tuple[str, str]] = []
        self.volume_id = ""
        self.scans: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
        self.reading: Reading | None = None
        self.models = [("chest-sim-classifier", "Bone density on simulated chest radiographs")]
        self.model_id = "chest-sim-classifier"
        self.devices, self.device = ["auto", "cpu"], "auto"
        self.busy = False
        self.progress: tuple[str, float, float | None] | None = None
        self.idle_sentence = "Open a radiograph, then press Analyse."
        self.numbers: Numbers | None = None
        self.heat_style, self.heat_method, self.targets = HeatStyle(), "", TARGETS
        self.toggles: Toggles | None = None
        self.can_undo = self.can_redo = self.can_edit_masks = False
        self.rows: dict[str, EffectRow] = {}
        self.columns, self.controls_on = frozenset({"percentile"}), True
        self.saliency_method, self.saliency_methods = GRAD_CAM, tuple(SALIENCY_METHODS.values())
        self.drawing_heatmap = False
        self.verdict_line, self.table_text = VerdictLine(), ""
        self.masks_edited = False
        self.covered_count = 0
        self.bone_areas: dict[str, int] = {}
        self.bone_quality: dict[str, MaskQuality] = {}
        self.pixel_mm2: float | None = None
        self.site: Site = CHEST_FRONTAL
        self.banners: list[tuple[str, str]] = [RESEARCH]
        self.preview_on = True
        self.cursor_bones: list[str] = []
        self.poll = lambda: None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *values: self.calls.append((name, *values))

    def tell(self, *parts: str) -> None:
        """Say that these parts changed."""
        for part in parts:
            self.changed.emit(part)

    def verdict(self, rows: Mapping[str, EffectRow]) -> VerdictLine:
        """The scripted one."""
        return self.verdict_line

    def analysed(self) -> ScriptedPresenter:
        """As after an analysis of a radiograph."""
        notes = (
            Note("clipped", "warning", "A tenth of the image is white: grey values were cut off."),
            Note("lossy", "info", "The image went through lossy compression."),
        )
        self.reading = reading("chest_0042.dcm", *notes)
        self.volumes, self.volume_id = [("t1", "chest_0042.dcm"), ("v2", "2: CXR PA erect")], "t1"
        self.numbers, self.toggles = numbers(), Toggles()
        self.heat_method, self.can_edit_masks = "Grad-CAM", True
        self.rows, self.bone_areas, self.pixel_mm2 = rows(), bone_areas(), 0.02
        self.verdict_line = VerdictLine(
            "looks at bone", "Looks at bone: covering Spine moves the answer by 8.1 percentage points.", "current"
        )
        self.banners = [RESEARCH, SIMULATED]
        self.idle_sentence = "Analysed in 2.4 s on cpu (bf16)."
        return self


class ScriptedHost:
    """Answers dialogs with what a test put into `answer`, and remembers."""

    name = "OsteoScreen"
    documentation_url = "https://example.org/"

    def __init__(self) -> None:
        self.answer = ""
        self.asked: list[str] = []
        self.kept: dict[str, str] = {}
        self.said: list[str] = []

    def current_volume_id(self) -> str:
        """None."""
        return ""

    def ask_for_image(self) -> str:
        """The scripted answer."""
        self.asked.append("image")
        return self.answer

    def ask_for_folder(self, title: str) -> str:
        """The scripted answer."""
        self.asked.append(title)
        return self.answer

    def worker_python(self) -> Path:
        """None is needed."""
        return Path()

    def make_ready(self) -> str:
        """Ready."""
        return ""

    def edit_masks(self, segmentation_node: Any, radiograph_node: Any) -> bool:
        """No editor."""
        return False

    def remember(self, key: str, value: str) -> None:
        """Kept in memory."""
        self.kept[key] = value

    def remembered(self, key: str, default: str) -> str:
        """From memory."""
        return self.kept.get(key, default)

    def status(self, text: str) -> None:
        """Recorded."""
        self.said.append(text)
