"""The panel: its sections in order, what the reader does to the presenter, what the presenter says to the sections."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.banners import Banners, MessageBar
from OsteoScreenLib.ui.bone_tree import BoneTree
from OsteoScreenLib.ui.contribution_section import ContributionSection
from OsteoScreenLib.ui.covering_section import CoveringSection
from OsteoScreenLib.ui.deeds import Deeds
from OsteoScreenLib.ui.heatmap_section import HeatmapSection
from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.input_section import InputSection
from OsteoScreenLib.ui.log_section import LogSection
from OsteoScreenLib.ui.models_dialog import ModelsDialog
from OsteoScreenLib.ui.pacs_windows import PacsWindows
from OsteoScreenLib.ui.panel_frame import PanelFrame
from OsteoScreenLib.ui.qt_api import Widget, repeating, shortcut
from OsteoScreenLib.ui.result_section import ResultSection
from OsteoScreenLib.ui.run_section import RunSection
from OsteoScreenLib.ui.style import WORDS, Colours
from OsteoScreenLib.ui.table_tools import TableTools
from OsteoScreenLib.ui.wheel_guard import WheelGuard
from OsteoScreenLib.workbench.toggles import Toggles

if TYPE_CHECKING:
    from OsteoScreenLib.ui.presenter import Presenter

POLL_MS = 15
DRAW_SECONDS = 0.015  # for parts that have changed, in one tick
LOOK_AT_PALETTE_EVERY = 1.0  # seconds: a theme can change while the panel is open
LEAST_TREE_HEIGHT = 200
PARTS = ("volumes", "reading", "models", "devices", "busy", "progress", "result", "heat", "bones", "toggles", "columns",
         "effects", "banners", "cursor")  # fmt: skip
_WITH_DICOM = "save-dicom"  # under which the host remembers the tick box
_MASKS = "Bone masks (*.dcm *.nrrd);;All files (*)"
_UNEXPECTED = "Something went wrong inside OsteoScreen ({}); go on, and copy the log below when you ask for help."


class Panel:
    """Everything that the reader has beside the image. It holds no state of the case; the presenter does.

    `widget` scrolls inside; in a scroll area it fits where there is room for its least height. `close()` stops the timer and listens no more; the presenter is its owner's to close.
    """

    def __init__(self, parent: Widget, presenter: Presenter, host: Host) -> None:
        self._presenter, self._host = presenter, host
        self._endings: list[Callable[[], None]] = []
        self._waiting: set[str] = set()  # parts that changed while the presenter was being polled
        self._polling = self._closed = False
        self._deeds = Deeds(self._on_message, self._tell_fault)
        self._dialog: ModelsDialog | None = None
        self._pacs: PacsWindows | None = None
        self._current = ""  # the tree's current row
        self._last_fault = ""
        self._answered = False

        self._frame = frame = PanelFrame(parent, host)
        self.widget = frame.widget
        self.banners, self.messages = Banners(self.widget), MessageBar(self.widget)
        self.input = InputSection(frame.add_middle("Radiograph").body)
        self.run = RunSection(frame.add_middle("Model").body)
        self.result = ResultSection(frame.add_middle("Answer").body)
        self.contributions = ContributionSection(frame.add_middle("Contributions").body)
        self.heatmap = HeatmapSection(frame.add_middle("Heatmap").body)
        self.covering = CoveringSection(frame.add_middle("Covering").body)
        self.tree = BoneTree(frame.add_below("Bones", True).body)
        self.log = LogSection(frame.add_below("Log", False).body)
        parts: tuple[Any, ...] = (
            *(self.input, self.run, self.result, self.contributions, self.heatmap, self.covering),
            *(self.tree, self.log),
        )
        for section, part in zip(frame.sections.values(), parts, strict=True):
            section.body_layout.addWidget(part.widget)
        frame.lay_out([self.banners.widget, self.messages.widget, self.run.strip], "Bones", "Log")
        self.tools = TableTools(frame.sections["Bones"].body)
        frame.sections["Bones"].body_layout.addWidget(self.tools.widget)
        self.tree.widget.setMinimumHeight(LEAST_TREE_HEIGHT)
        self._wheel = WheelGuard(self.widget)
        self._wheel.watch(self.widget)

        self.result.choose_dicom(host.remembered(_WITH_DICOM, "0") == "1")
        self._bind_hands()
        self._bind_presenter()
        self._colours = Colours.of(self.widget)
        self._looked = time.monotonic()
        self.refresh()
        self._frame.fit()
        self._timer = repeating(self.widget, POLL_MS, self._tick)
        self._timer.start()

    # What the presenter says

    def refresh(self) -> None:
        """Show everything as the presenter has it."""
        for part in PARTS:
            self._show(part)

    def _bind_presenter(self) -> None:
        presenter = self._presenter
        self._endings = [
            presenter.changed.connect(self._on_changed),
            presenter.message.connect(self._on_message),
            presenter.log.connect(self.log.add),
            presenter.text_found.connect(partial(self._deeds.do, self._ask_about_text)),
        ]

    def _on_changed(self, part: str) -> None:
        # Numbers come in by the dozen while a sweep runs; each part is then drawn once.
        if self._polling:
            self._waiting.add(part)
        else:
            self._show(part)

    def _show(self, part: str) -> None:
        shown: dict[str, Callable[[], None]] = {
            "volumes": self._show_volumes,
            "reading": self._show_reading,
            "models": self._show_models,
            "devices": lambda: self.run.show_devices(self._presenter.devices, self._presenter.device),
            "busy": self._show_busy,
            "progress": self._show_progress,
            "result": self._show_result,
            "heat": self._show_heat,
            "bones": self._show_bones,
            "toggles": self._show_toggles,
            "columns": self._show_columns,
            "effects": self._show_effects,
            "banners": lambda: self.banners.show([(str(kind), text) for kind, text in self._presenter.banners]),
            "cursor": self._show_cursor,
        }
        if part in shown and not self._closed:
            shown[part]()

    def _show_volumes(self) -> None:
        self.input.show_volumes(self._presenter.volumes, self._presenter.volume_id)
        self.input.simulate.show(*self._presenter.scans)

    def _show_reading(self) -> None:
        reading = self._presenter.reading
        self.input.show_reading(reading)
        self.run.show_ready(reading is not None)
        self._frame.sections["Radiograph"].set_summary(reading.source.name if reading is not None else "")

    def _show_models(self) -> None:
        models, chosen = self._presenter.models, self._presenter.model_id
        self.run.show_models(models, chosen)
        self._frame.sections["Model"].set_summary(dict(models).get(chosen, ""))
        if self._dialog is not None:
            self._dialog.refresh()

    def _show_busy(self) -> None:
        busy = self._presenter.busy
        self.run.show_busy(busy)
        self.input.enable(not busy)
        self.result.enable_saving(not busy)
        self._show_progress()

    def _show_progress(self) -> None:
        progress, idle = self._presenter.progress, self._presenter.idle_sentence
        if self._presenter.busy and progress is not None:
            self.run.show_progress(*progress)
        elif self._presenter.busy:
            self.run.show_idle("Starting…")
        else:
            # What the message above says need not be read twice.
            self.run.show_idle("" if idle == self.messages.shown[1] else idle)

    def _show_result(self) -> None:
        numbers = self._presenter.numbers
        if numbers is not None and not self._answered:
            self._frame.go_to("Answer")  # a reader who has waited for it must not look for it
        self._answered = numbers is not None
        self.result.show(numbers, self._presenter.masks_edited)
        decision = (numbers.decision_now or numbers.decision_untouched) if numbers is not None else ""
        self._frame.sections["Answer"].set_summary(decision, f"The model's class: {decision}" if decision else "")
        self.tools.enable(self._presenter.can_edit_masks)

    def _show_heat(self) -> None:
        presenter = self._presenter
        toggles = presenter.toggles or Toggles()
        drawing: Literal["computing", "none"] = "computing" if presenter.drawing_heatmap else "none"
        state = "there" if presenter.heat_method else drawing
        methods = presenter.saliency_methods
        style, target = presenter.heat_style, toggles.target
        self.heatmap.show(style, target, presenter.targets, presenter.saliency_method, methods, state)

    def _show_bones(self) -> None:
        presenter = self._presenter
        self.tree.show_bones(presenter.site, presenter.bone_areas, presenter.pixel_mm2, presenter.bone_quality)
        self.tools.enable(presenter.can_edit_masks)

    def _show_toggles(self) -> None:
        presenter = self._presenter
        toggles = presenter.toggles or Toggles()
        self.covering.show_toggles(toggles, presenter.can_undo, presenter.can_redo)
        self.covering.show_preview(presenter.preview_on)
        self.tree.show_toggles(toggles)
        count = presenter.covered_count
        self._frame.sections["Covering"].set_summary("nothing covered" if not count else f"{count} covered")
        self._show_heat()  # the target is one of the toggles

    def _show_columns(self) -> None:
        self.tree.show_columns(self._presenter.columns)
        self.tools.show(self._presenter.columns, self._presenter.controls_on)

    def _show_effects(self) -> None:
        presenter = self._presenter
        rows = presenter.rows
        verdict = presenter.verdict(rows)
        self.tree.show_rows(rows)
        self.contributions.show(presenter.site, rows, presenter.toggles or Toggles(), verdict)
        self._frame.sections["Contributions"].set_summary(verdict.kind, verdict.sentence)

    def _show_cursor(self) -> None:
        names = ", ".join(self._presenter.cursor_bones)
        self._frame.sections["Bones"].set_summary(
            names, f"Under the cursor: {names}" if names else "Bones under the cursor", True
        )

    def _on_message(self, severity: str, sentence: str) -> None:
        self.messages.show(severity, sentence)
        self.log.add(f"{time.strftime('%H:%M:%S')} {WORDS.get(severity, severity)}: {sentence}")
        self._host.status(sentence)
        for other in (self._dialog, self._pacs):
            if other is not None:
                other.show_message(severity, sentence)
        self._show_progress()

    # What the reader does

    def _bind_hands(self) -> None:
        presenter = self._presenter
        on = self._deeds.on
        on(self.input.volume_chosen, presenter.open_volume)
        on(self.input.open_asked, self._open)
        on(self.input.pacs_asked, lambda: self.pacs.open_images())
        on(self.input.overrides_changed, presenter.set_overrides)
        on(self.input.simulate.asked, presenter.simulate)
        on(self.run.analyse_asked, presenter.analyse)
        on(self.run.cancel_asked, presenter.cancel)
        on(self.run.model_chosen, presenter.choose_model)
        on(self.run.device_chosen, presenter.choose_device)
        on(self.run.add_model_asked, self.show_models_dialog)
        on(self.run.release_asked, presenter.release)
        on(self.result.save_asked, self._save_results)
        on(self.result.send_asked, lambda: self.pacs.open_results())
        on(self.result.prior_asked, lambda: self.pacs.ask_for_prior())
        on(self.result.screenshot_asked, self._save_screenshot)
        on(self.result.recompute_asked, presenter.recompute)
        on(self.heatmap.style_changed, presenter.set_heat_style)
        on(self.heatmap.target_chosen, presenter.set_target)
        on(self.heatmap.method_chosen, presenter.set_saliency)
        on(self.tools.edit_asked, presenter.edit_masks)
        on(self.tools.import_asked, self._import_masks)
        on(self.tools.columns_chosen, presenter.set_columns)
        on(self.tools.controls_chosen, presenter.set_controls)
        on(self.tools.copy_asked, self._copy_table)
        covering = self.covering
        on(covering.mode_chosen, presenter.set_mode)
        on(covering.fill_chosen, presenter.set_fill)
        on(covering.margin_chosen, presenter.set_margin)
        on(covering.all_asked, presenter.all_shown)
        on(covering.none_asked, presenter.none_shown)
        on(covering.only_asked, lambda: presenter.only(self._current) if self._current else None)
        on(covering.invert_asked, presenter.invert_shown)
        on(covering.reset_asked, presenter.reset)
        on(covering.undo_asked, presenter.undo)
        on(covering.redo_asked, presenter.redo)
        on(covering.hold_changed, presenter.hold_untouched)
        on(covering.preview_changed, presenter.show_preview)
        on(self.tree.covered_asked, presenter.set_covered)
        on(self.tree.hidden_asked, presenter.set_hidden)
        on(self.tree.only_asked, presenter.only)
        on(self.tree.current_changed, self._on_current)
        on(self.messages.closed, self._show_progress)
        for keys, action in (("Ctrl+Z", presenter.undo), ("Ctrl+Shift+Z", presenter.redo), ("Ctrl+Y", presenter.redo)):
            shortcut(keys, self.widget, partial(self._deeds.do, action))

    def _tell_fault(self, error: Exception) -> None:
        """A fault of ours: the log has the details, and the reader can go on."""
        details = "".join(traceback.format_exception(error))
        if details != self._last_fault:
            self._last_fault = details
            self.log.add(details)
            self._on_message("error", _UNEXPECTED.format(type(error).__name__))

    def _open(self) -> None:
        path = self._host.ask_for_image()
        if path:
            self._presenter.open_file(path)

    def _save_results(self, dicom: bool) -> None:
        self._host.remember(_WITH_DICOM, "1" if dicom else "0")
        folder = self._host.ask_for_folder("Save the results in this folder")
        if folder:
            self._presenter.save_results(folder, dicom)

    def _ask_about_text(self, seen: str) -> None:
        question = (
            f"{seen}.\n\nCover it in the pictures? “Yes” covers it, “No” leaves it, and the model sees all of it either way."
        )
        self._presenter.answer_text(qt_api.ask_or_stop(self.widget, "Text in the image", question))

    def _import_masks(self) -> None:
        path = qt_api.ask_for_file(self.widget, "Import bone masks", "", _MASKS)
        if path:
            self._presenter.import_masks(path)

    def _save_screenshot(self) -> None:
        path = qt_api.ask_for_save_name(self.widget, "Save the image view", "osteoscreen.png", "PNG image (*.png)")
        if path:
            self._presenter.save_screenshot(path if path.lower().endswith(".png") else f"{path}.png")

    def _copy_table(self) -> None:
        text = self._presenter.table_text
        if text:
            qt_api.set_clipboard_text(text)
            self._on_message("info", f"The table was copied: {text.count(chr(10)) - 1} rows, for a spreadsheet.")

    def _on_current(self, subject: str) -> None:
        self._current = subject
        self.covering.show_current(subject)

    def show_models_dialog(self) -> ModelsDialog:
        """Show the models, and how to add one."""
        if self._dialog is None:
            self._dialog = ModelsDialog(self.widget, self._host.ask_for_folder)
            self._deeds.on(self._dialog.add_asked, self._presenter.add_model)
            self._deeds.on(self._dialog.removed, lambda model_id: self._presenter.refresh_models())
        self._dialog.show_message("", "")
        self._dialog.open()
        return self._dialog

    @property
    def pacs(self) -> PacsWindows:
        """The windows for an archive, made at their first use."""
        if self._pacs is None:
            self._pacs = PacsWindows(self.widget, self._presenter, self._host)
            self._pacs.message.connect(self._on_message)
            self._pacs.fault.connect(self._tell_fault)
        return self._pacs

    # The loop and the end

    def _tick(self) -> None:
        if self._closed or self._polling:
            return  # a dialog inside the poll runs the event loop, and with it this timer
        qt_api.yield_interpreter()
        self._polling = True
        try:
            self._deeds.do(self._presenter.poll)
        finally:
            self._polling = False
        began = time.monotonic()
        for part in PARTS:
            # An answer changes nearly every part; what does not fit into one tick comes with the next.
            if part in self._waiting and time.monotonic() - began < DRAW_SECONDS:
                self._waiting.discard(part)
                self._show(part)
        if self._frame.fit():
            self.restyle()
        if time.monotonic() - self._looked >= LOOK_AT_PALETTE_EVERY:
            self._looked = time.monotonic()
            if Colours.of(self.widget) != self._colours:
                self.restyle()

    def restyle(self) -> None:
        """Take the palette's colours again, for example after the application's theme has changed."""
        self._colours = Colours.of(self.widget)
        for part in (self.banners, self.messages, self.input, self.run, self.result):
            part.restyle()
        for other in (self._dialog, self._pacs):
            if other is not None:
                other.restyle()

    def forget(self) -> None:
        """Show, and keep, nothing of what was said so far: neither the message nor the log."""
        self.messages.clear()
        self.log.clear()
        self._last_fault = ""
        if self._dialog is not None:
            self._dialog.show_message("", "")
        if self._pacs is not None:
            self._pacs.forget()

    def close(self) -> None:
        """Stop the timer and listen no more. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._deeds.close()
        self._timer.close()
        self.messages.close()
        self._frame.close()
        for end in self._endings:
            end()
        for other in (self._dialog, self._pacs):
            if other is not None:
                other.close()
