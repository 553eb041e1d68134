"""Between the reader's hands and the case: opens, analyses, switches, saves. No Qt in here; the panel shows what this says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.explain.covering import MODES
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.scene.heatmap import HeatStyle
from OsteoScreenLib.scene.view import CaseView
from OsteoScreenLib.scene.volume_image import image_of, node_of
from OsteoScreenLib.scene.watch import SceneWatch
from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.opening import Opening
from OsteoScreenLib.ui.picture import Picture
from OsteoScreenLib.ui.saving import Made, Saving
from OsteoScreenLib.ui.shelf import Place
from OsteoScreenLib.ui.simulating import Simulating
from OsteoScreenLib.ui.switches import Switches
from OsteoScreenLib.ui.table import COLUMNS, FIRST_COLUMNS, NOTHING_OPEN
from OsteoScreenLib.workbench import table_text
from OsteoScreenLib.workbench.answers import Patch, Question
from OsteoScreenLib.workbench.desk import BUSY, Desk
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.numbers import Numbers
from OsteoScreenLib.workbench.reading import ImageSource, Reading, Result
from OsteoScreenLib.workbench.toggles import Toggles
from OsteoScreenLib.worker import model_folders

PIECE_SECONDS = 0.06  # in which the view draws the first piece of an answer before the next one comes
QUIET_SECONDS = 0.8  # without a stroke of the brush, before corrected masks are computed with


class Presenter(Switches):
    """What is on the table, and what the reader can do with it.

    changed : emitted with the part that a view has to show again: "volumes", "reading", "models", "devices", "busy", "progress",
        "result", "heat", "bones", "toggles", "columns", "effects", "banners" or "cursor".
    text_found : what was seen, in words, in a picture that is to be saved; `answer_text` goes on with it.
    message : (severity, sentence) for the reader. log : a line for the log.
    """

    def __init__(self, desk: Desk, host: Host, view: CaseView) -> None:
        self.changed: Event[[str]] = Event()
        self.message: Event[[str, str]] = Event()
        self.log: Event[[str]] = Event()
        self.text_found: Event[[str]] = Event()
        super().__init__(desk, host.remembered("device", "auto"))
        self.columns = frozenset(host.remembered("columns", " ".join(FIRST_COLUMNS)).split()) & frozenset(COLUMNS)
        self.controls_on = host.remembered("controls", "1") == "1"
        self._host, self._view = host, view
        self._opening_volume: Any = None
        self._job_token = ""  # of the case that the running job is about, whatever is on the table meanwhile
        self._picture = Picture(view, desk)
        self._simulating = Simulating(desk, self.open_file)
        self._several = Opening()
        self._saving = Saving(desk, self.message)
        self._dirty = self._new_controls = (
            False  # what the scene does not hold yet; controls alone can wait for the last of them
        )
        self._about: tuple[str, Toggles] | None = None  # case and toggles that the effects were last told for
        self._told_numbers: Numbers | None = None
        self._edited_at: dict[str, float] = {}
        self._reserved = ""  # why nothing is opened or analysed here
        self._listen()
        self.refresh_models()

    def _listen(self) -> None:
        desk, view = self._desk, self._view
        desk.opened.connect(self._on_opened)
        desk.analysed.connect(self._on_analysed)
        desk.answered.connect(self._on_answered)
        desk.covered.connect(self._on_covered)
        desk.explained.connect(self._on_explained)
        desk.saved.connect(self._on_saved)
        desk.text_found.connect(self.text_found.emit)
        desk.masks_read.connect(self._on_masks_read)
        desk.model_added.connect(self._on_model_added)
        desk.devices_known.connect(self._on_devices)
        desk.progressed.connect(self._on_progress)
        desk.failed.connect(self._on_failed)
        desk.not_stored.connect(lambda sentence: self.message.emit("info", sentence))
        desk.busy_changed.connect(self._on_busy)
        desk.logged.connect(self.log.emit)
        self._shelf.changed.connect(self._on_case_changed)
        view.names_at_cursor(self._on_cursor)
        view.keys(self._on_key)
        self._watch = SceneWatch(
            on_volumes_changed=lambda: self._tell("volumes"),
            on_case_broken=self._on_case_broken,
            on_scene_closing=self._on_scene_closing,
            on_scene_imported=self.take_from_scene,
            on_scene_saving=self.save_state,
            on_bones_edited=self._on_bones_edited,
        )

    # Opening

    def open_file(self, path: str | Path) -> None:
        """Open an image file."""
        self._open(ImageSource(name=Path(path).name, path=str(path)))

    def open_files(self, files: Sequence[tuple[str, str]]) -> None:
        """Open files one after another, each (path, name). All of them stay as cases; the first is on the table in the end."""
        if self.busy:
            self.message.emit("warning", BUSY)
        else:
            self._several.begin(files)
            self._open_next()

    def _open_next(self) -> None:
        source = self._several.next()
        if source is not None:
            self._open(source)
            return
        if self._several.remark:
            self.message.emit("info", self._several.remark)
        first = next(iter(self._several.opened), "")
        if first in self._shelf and first != self._shelf.token:
            self._shelf.choose(first)
            self._on_the_table()

    def open_volume(self, volume_id: str) -> None:
        """Put a case, or a volume of the scene, on the table."""
        if volume_id == self._shelf.token:
            return
        if self.busy:
            self.message.emit("warning", BUSY)
            self._tell("volumes")
        elif volume_id in self._shelf:
            self.save_state()
            self._shelf.choose(volume_id)
            self._on_the_table()
        elif (node := node_of(volume_id)) is not None:
            self._tell("volumes")  # the former choice stands until the volume is open
            image = image_of(node)
            self._open(ImageSource(image.name, "", image.array, image.spacing_mm, image.header_path), node)
        else:
            self.message.emit("error", "This volume is no longer in the scene; choose another one.")

    @property
    def scans(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """(CT, segmentations) that a radiograph can be simulated from, as (id, name)."""
        return self._simulating.choices

    def simulate(self, scan_id: str, segmentation_id: str, t_score: float) -> None:
        """Make a radiograph from a CT in the scene and open it."""
        if self.busy:
            self.message.emit("warning", BUSY)
        elif self._ready():
            self._simulating.simulate(scan_id, segmentation_id, t_score)

    def set_overrides(self, rotate: int | None, flip: str | None, invert: bool | None) -> None:
        """The reader says how the image lies; None asks the image."""
        place = self._shelf.current
        if place is not None:
            former = place.case.reading.source
            if (former.rotate, former.flip, former.invert) != (rotate, flip, invert):
                self._open(replace(place.source(), rotate=rotate, flip=flip, invert=invert), place.volume)

    def _open(self, source: ImageSource, volume: Any = None) -> None:
        if self.busy:
            self.message.emit("warning", BUSY)
        elif self._ready():
            self._opening_volume, self._job_token = volume, self._shelf.token
            self._desk.open(source)
            return
        self._several.stop()
        self._tell("reading", "volumes")  # what the reader chose is not so

    def _ready(self) -> bool:
        problem = self._reserved or self._host.make_ready()
        if problem:
            self.message.emit("error", problem)
        return not problem

    def _on_opened(self, reading: Reading) -> None:
        place, self._job_token = self._shelf.place(self._job_token), ""
        if place is not None and place.is_of(reading.source, self._opening_volume) and place.scene.is_whole():
            place.scene.set_pixels(reading.pixels, reading.spacing_mm)
            place.case.take_reading(reading)
        else:
            place = self._shelf.make(reading, self._opening_volume, self._several.running)
        self._opening_volume = None
        self.idle_sentence = "Press Analyse." if place.case.result is None else "Ready."
        self._on_the_table()
        self._dirty = True
        if self._several.running:
            self._several.opened.append(place.case.token)
            self._open_next()

    def _on_the_table(self, fit: bool = True) -> None:
        """Show what is on the table now, and ask for what is not known of it."""
        self.cursor_bones = []
        self._attach()
        self._show(fit)
        self._tell_all()
        self._explain()
        self._ask()

    # Analysing

    def analyse(self) -> None:
        """Analyse the radiograph on the table. Pressed twice, it is done once."""
        place = self._shelf.current
        if place is None:
            self.message.emit("warning", "Open a radiograph first: choose a loaded volume or a file.")
        elif not self.busy and self._ready():
            self._job_token = place.case.token
            self._desk.analyse(place.source(), self._options)

    def cancel(self) -> None:
        """Stop what is running; what was there before stays."""
        was_busy = self._desk.busy
        self._several.stop()
        self._desk.cancel()
        self._saving.tell({})
        self.progress = None
        if was_busy:
            self.idle_sentence = "Cancelled; nothing was changed."
        self._job_token = ""
        self._tell("progress", "busy", "reading", "volumes")
        self._ask()

    def release(self) -> None:
        """End the analysis process and give its memory back."""
        self._desk.release()
        self.idle_sentence = "The model's memory was given back; the next question to it loads it again."
        self._tell("progress", "busy", "result", "effects")

    def _on_analysed(self, reading: Reading, result: Result) -> None:
        place, self._job_token = self._shelf.place(self._job_token or self._shelf.token), ""
        if place is None or not place.scene.is_whole():
            return  # the radiograph left the scene meanwhile
        case, scene = place.case, place.scene
        turned = reading.image_sha256 != case.reading.image_sha256
        if turned:
            scene.set_pixels(reading.pixels, reading.spacing_mm)
        scene.set_saliency(None)
        corrected = None if turned else self._corrected_masks(place, result)
        if corrected is None:
            scene.set_bones(result.masks)
        else:
            corrected = corrected.corrected_from(result.masks.digests, result.masks.facts)
            result = replace(result, masks=corrected, masks_sha256=corrected.sha256)
            self.message.emit("info", "Your corrected masks were kept; open the image anew to have the bones drawn again.")
        self._edited_at.pop(case.token, None)
        case.take_result(reading, result, corrected=corrected is not None)
        scene.set_outlines(case.toggles.hidden)
        self.idle_sentence = f"Analysed in {sum(result.seconds.values()):.1f} s on {result.device} ({result.precision})."
        self._attach()
        self._show(fit=turned)
        self._tell_all()
        # Bones and heatmap in one go would hold the window up for longer than a reader should notice.
        self._heatmap_due = time.monotonic() + PIECE_SECONDS
        self._ask()

    def _corrected_masks(self, place: Place, result: Result) -> BoneMasks | None:
        """The reader's masks where he has corrected them by hand; no analysis may throw that work away."""
        if place.case.result is None or not (place.case.corrected or place.case.masks_edited):
            return None
        masks = place.scene.bone_masks(result.masks.site)
        return masks if masks.sha256 != result.masks_sha256 else None

    def choose_model(self, model_id: str) -> None:
        """Take another classifier for the next analysis."""
        self._options = replace(self._options, model=model_id)
        if self.result is not None and self.result.model.id != model_id:
            self.idle_sentence = "Another model is chosen; press Analyse for its answer."
        # Before an answer the tree lists the bones of the site that the model reads.
        self._tell("models", "progress", *([] if self.result else ["bones"]))

    def choose_device(self, device: str) -> None:
        """Choose where the network runs from the next analysis on."""
        self._options = replace(self._options, device=device)
        self._host.remember("device", device)
        self._tell("devices")

    def refresh_models(self) -> None:
        """Look into the model folders again."""
        self.models = model_folders.titles("classifier")
        if self._options.model not in dict(self.models):
            self._options = replace(self._options, model=model_folders.CLASSIFIER)
        self._tell("models")

    def add_model(self, folder: str | Path) -> None:
        """Verify a model bundle and copy it to the user's models."""
        if self.busy:
            self.message.emit("warning", BUSY)
        elif self._ready():
            self._desk.add_model(str(folder))

    # Lent to a reading, which brings the cases and takes them away

    def reserve(self, why: str) -> None:
        """From now on nothing is opened or analysed here but what `put_on_table` brings. why : one sentence; "" ends it."""
        self._reserved = why

    def put_on_table(self, place: Place) -> None:
        """Show an analysed case whose radiograph is in the scene and in the view already; zoom and place stay."""
        result = place.case.result
        if result is None:
            raise ValueError("a case without a result is not put on this table")
        self._shelf.put(place)
        place.scene.set_bones(result.masks)
        place.scene.set_outlines(place.case.toggles.hidden)
        self.idle_sentence = "The stored answer is on the table."
        self._on_the_table(fit=False)

    def put_away(self) -> None:
        """Every case leaves the table and the scene, and its answers the memory."""
        for place in self._shelf:
            self._shelf.forget(place.case.token)
            self._desk.answers.forget(place.case.reading.image_sha256)
        self._edited_at.clear()
        self._leave_table()

    # Looking

    def set_heat_style(self, style: HeatStyle) -> None:
        """How the heatmap is shown."""
        if self._shelf.current:
            self._shelf.current.scene.set_heat_style(style)
        self._tell("heat")

    def hold_untouched(self, held: bool) -> None:
        """While held, the bare radiograph is shown."""
        if held != self._picture.held:
            self._picture.held = held
            self._show()

    def show_preview(self, on: bool) -> None:
        """Show covered pixels as the model sees them, or the radiograph."""
        self.preview_on = on
        self._ask()
        self._tell("toggles")

    def set_columns(self, columns: frozenset[str]) -> None:
        """Which of `COLUMNS` are shown beside the bones."""
        self.columns = columns & frozenset(COLUMNS)
        self._host.remember("columns", " ".join(name for name in COLUMNS if name in self.columns))
        self._tell("columns")

    def set_controls(self, on: bool) -> None:
        """Compare effects with controls in the background, or do not."""
        self.controls_on = on
        self._host.remember("controls", "1" if on else "0")
        self._ask()
        self._tell("columns", "effects")

    @property
    def table_text(self) -> str:
        """The table beside the bones for the clipboard, tab-separated; "" before the first answer."""
        return table_text.tab_separated(self.case) if self.case and self.result else ""

    def _on_case_changed(self, token: str, part: str) -> None:
        self._dirty = True
        place = self._shelf.current
        if place is None or token != self._shelf.token:
            return
        if part == "toggles":
            place.scene.set_outlines(place.case.toggles.hidden)
            self._explain()
            self._ask()
            self._tell("toggles", "result")
            # What single bones are worth does not depend on what is covered, or outlined, now.
            about = (token, place.case.toggles.with_changes(covered=frozenset(), hidden=frozenset()))
            if about != self._about:
                self._about = about
                self._tell("effects")
        elif part == "masks":
            self._tell("result", "effects")

    def _explain(self) -> None:
        """The heatmap follows the target and the method; another map is never shown under this one's name."""
        place = self._shelf.current
        if place is None or place.case.result is None or place.case.result.saliency is None:
            return
        if (place.case.saliency is None) != (place.scene.heatmap is None):
            place.scene.set_saliency(place.case.saliency)
        if place.case.saliency is None or (not place.case.result.overlap and place.case.found):
            self._desk.explain(place.case.toggles.target, place.case.saliency_method.key)
        self._tell("heat")

    def _ask(self) -> None:
        """Ask for what the reader looks at, then for the Δ of both modes, then for controls of the present one.

        Masks that are being changed are asked about later.
        """
        place = self._shelf.current
        if place is None or place.case.result is None:
            return
        question = place.case.question_now
        if question.untouched:
            self._picture.uncover(place)
        if not place.case.masks_edited:
            self._desk.ask(question, want_patch=self.preview_on and not question.untouched)
            case, mode = place.case, place.case.toggles.mode
            modes = sorted(MODES, key=lambda other: other != mode)
            controls = case.table.controls(mode) if self.controls_on else ()
            self._desk.sweep([one for each in modes for one in case.questions(each)], controls)
        self._show()

    def _on_answered(self, controls: bool) -> None:
        self._dirty = self._dirty or not controls
        self._new_controls = self._new_controls or controls
        if self.numbers != self._told_numbers:  # a control's answer changes nothing but its row
            self._tell("result")
        self._tell("effects")

    def _on_covered(self, question: Question, patch: Patch) -> None:
        place = self._shelf.current
        if place is not None and place.case.result is not None and question == place.case.question_now:
            self._picture.cover(place, question, patch)
            self._show()

    def _on_explained(self, saliency: SaliencyMap, overlap: tuple[Overlap, ...]) -> None:
        place = self._shelf.current
        if place is None or place.case.result is None:
            return
        wanted = place.case.toggles.target, place.case.saliency_method.title
        if (saliency.target, saliency.method) == wanted:
            place.case.take_saliency(saliency, overlap)
            self._explain()
        self._tell("effects")

    # Masks corrected by hand

    def edit_masks(self) -> None:
        """Open the host's editor on the bones."""
        place = self._shelf.current
        if place is None or place.scene.segmentation is None:
            self.message.emit("warning", "There are no masks yet; press Analyse first.")
        elif not self._host.edit_masks(place.scene.segmentation, place.scene.radiograph):
            self.message.emit(
                "info", "Masks are corrected in 3D Slicer's Segment Editor: save the scene here and open it there."
            )

    def import_masks(self, path: str | Path) -> None:
        """Take bone masks from a DICOM segmentation or a .seg.nrrd file, as if they had been drawn by hand."""
        if self.case is None or self.case.result is None:
            self.message.emit("warning", "Masks need an answer to belong to; press Analyse first, then import them.")
        elif self.busy:
            self.message.emit("warning", BUSY)
        else:
            self._job_token = self.case.token
            self._desk.read_masks(str(path))

    def _on_masks_read(self, masks: BoneMasks) -> None:
        place, self._job_token = self._shelf.place(self._job_token or self._shelf.token), ""
        if place is None or place.case.result is None or not place.scene.is_whole():
            return  # the radiograph left the scene meanwhile
        place.scene.set_bones(masks)
        place.scene.set_outlines(place.case.toggles.hidden)
        self._edited_at.pop(place.case.token, None)
        place.case.take_masks(masks)
        if place is self._shelf.current:
            self._on_the_table(fit=False)
        count = len(masks.names)
        self.message.emit("info", f"{count} {'bone was' if count == 1 else 'bones were'} imported; the figures follow.")

    def recompute(self) -> None:
        """Take the scene's masks now, without waiting for the brush to rest."""
        self._edited_at.pop(self._shelf.token, None)
        place = self._shelf.current
        if place is None or place.case.result is None or place.scene.segmentation is None:
            return
        masks = place.scene.bone_masks(place.case.result.masks.site)
        if masks.sha256 == place.case.result.masks_sha256 == place.case.result.masks.sha256:
            place.case.mark_masks(False)
        else:
            place.case.take_masks(masks)
            self._attach()
            self.log.emit("Corrected masks were taken over.")
        self._tell("bones", "reading", "result", "effects")
        self._explain()
        self._ask()

    def _on_bones_edited(self, token: str) -> None:
        place = self._shelf.place(token)
        if place is not None:
            self._edited_at[token] = time.monotonic()
            place.case.mark_masks(True)

    # Results

    def save_results(self, folder: str | Path, dicom: bool = False) -> None:
        """Write report, overlay, numbers and masks of what is shown now; with `dicom` the objects for a PACS too."""
        self._saving.save(self.case, str(folder), dicom)

    def make_objects(self, folder: str, done: Made) -> bool:
        """Write the results with their DICOM objects for somebody else; `done` is told the files, none when it failed.

        Returns False, after a message, when that cannot be begun.
        """
        return self._saving.save(self.case, folder, True, done)

    def answer_text(self, mask: bool | None) -> None:
        """What becomes of the text in the pictures: it is covered, or stays; None saves nothing."""
        self._saving.answer_text(mask)

    def save_screenshot(self, path: str | Path) -> None:
        """The image view as it is displayed, as a PNG file."""
        self._view.screenshot(Path(path))
        self.message.emit("info", f"The view was saved as {Path(path).name}.")

    def save_state(self) -> None:
        """Write every case's state into the scene, so that a saved scene brings it back."""
        self._shelf.save()
        self._dirty = self._new_controls = False

    # The loop

    def warm_up(self) -> None:
        """Start the analysis process and load the model before it is asked for."""
        self._desk.warm_up(self._options)

    def poll(self) -> None:
        """Called by the window's timer every few tens of milliseconds."""
        self._desk.poll()
        self._saving.poll()
        if self._heatmap_due is not None and time.monotonic() >= self._heatmap_due:
            self._heatmap_due = None
            self._tell("busy")
            self._explain()
        edited = self._edited_at.get(self._shelf.token)
        if edited is not None and time.monotonic() - edited >= QUIET_SECONDS and not self._desk.busy:
            self.recompute()
        due = self._dirty or (self._new_controls and not self._desk.controls_open)
        if due and not self._desk.busy and not self._desk.sweeping:
            self.save_state()

    def enter(self) -> None:
        """The module comes to the front: remember how the reader's scene is shown, then show the case."""
        self._view.capture()
        self._show()

    def leave(self) -> None:
        """The module goes to the back: the reader's layout and layers as they were."""
        self.save_state()
        self._view.restore()

    def close(self) -> None:
        """End everything that runs. Safe to call twice."""
        self._watch.close()
        self._desk.close()
        self._view.close()

    # What the worker and the scene say

    def _on_saved(self, files: dict[str, str]) -> None:
        if self._saving.tell(files):
            return
        report = files.get("report", next(iter(files.values()), ""))
        self.idle_sentence = f"The results were saved in {Path(report).parent}."
        self.message.emit("info", self.idle_sentence)

    def _on_model_added(self, model_id: str, title: str) -> None:
        self.refresh_models()
        self.choose_model(model_id)
        self.message.emit("info", f"{title} was added and is chosen for the next analysis.")

    def _on_devices(self, devices: list[str]) -> None:
        self.devices = ["auto", *(device for device in devices if device != "auto")]
        self._tell("devices")

    def _on_progress(self, sentence: str, fraction: float, seconds_left: float | None) -> None:
        self.progress = (sentence, fraction, seconds_left)
        self._tell("progress")

    def _on_failed(self, sentence: str, details: str) -> None:
        self.progress, self._job_token = None, ""
        if details:
            self.log.emit(details)
        self.message.emit("error", sentence)
        self._show()
        self._tell("progress", "busy", "reading", "volumes", "result", "effects")
        if not self._desk.busy:  # it was the job that failed, and no question in the background
            self._saving.tell({})
            if self._several.running:
                self._open_next()

    def _on_busy(self, busy: bool) -> None:
        if not busy:
            self.progress = None
        self._tell("busy", "progress")

    def _on_cursor(self, names: list[str]) -> None:
        self.cursor_bones = names
        if self._shelf.current is not None:
            self._picture.mark(self._shelf.current, names)
        self._tell("cursor")

    def _on_key(self, key: str, pressed: bool) -> None:
        if key == "space":
            self.hold_untouched(pressed)
        elif pressed and key.isdigit() and not self._reserved:
            self.turn_group(int(key))

    def _on_case_broken(self, token: str) -> None:
        place = self._shelf.place(token)
        if place is None:
            return
        was_current = token == self._shelf.token
        self._shelf.forget(token)
        self._edited_at.pop(token, None)
        if was_current:
            self._leave_table()
        self._tell("volumes")
        name = place.case.reading.source.name
        self.message.emit("warning", f"A part of {name} was removed from the scene, and its case with it; open it again.")

    def _on_scene_closing(self) -> None:
        self._shelf.clear()
        self._edited_at.clear()
        self._leave_table()

    def _leave_table(self) -> None:
        """Nothing is on the table any more; what was being computed about it is stopped."""
        self._several.stop()
        self._desk.cancel()
        self._saving.tell({})
        self._desk.detach()
        self._picture.clear()
        self._job_token, self._heatmap_due, self.cursor_bones = "", None, []
        self.progress, self.idle_sentence = None, NOTHING_OPEN
        self._tell_all()

    def take_from_scene(self) -> None:
        """Put the saved cases of an opened scene back on the table; not while a job runs, which is about what lies there now."""
        if self._reserved:
            return
        former = self._shelf.token
        count, problems = self._shelf.take_from_scene()
        for problem in problems:
            self.message.emit("warning", problem)
        for place in self._shelf:
            if place.case.masks_edited:  # they were being corrected when the scene was saved
                self._edited_at.setdefault(place.case.token, time.monotonic())
        if self.busy and former in self._shelf:
            self._shelf.choose(former)
            self._tell("volumes")
            return
        if count and self._shelf.current is not None:
            self._shelf.current.scene.set_outlines(self._shelf.current.case.toggles.hidden)
            self.idle_sentence = "The saved case is on the table."
            self._on_the_table()
        self._tell("volumes")

    # Small helps

    def _attach(self) -> None:
        case = self.case
        # Masks that were changed since are not those of the answer; they are taken over first.
        if case is not None and case.result is not None and case.result.masks.sha256 == case.result.masks_sha256:
            self._desk.attach(case.token, case.reading, case.result, replace(self._options, model=case.result.model.id))
        else:
            self._desk.detach()

    def _show(self, fit: bool = False) -> None:
        self._picture.show(self._shelf.current, self.preview_on, self.cursor_bones, fit)

    def _tell(self, *parts: str) -> None:
        for part in parts:
            if part == "result":
                self._told_numbers = self.numbers
            self.changed.emit(part)

    def _tell_all(self) -> None:
        self._tell(
            "volumes", "reading", "busy", "progress", "bones", "toggles", "columns", "result", "effects", "heat", "banners"
        )
