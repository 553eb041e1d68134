"""A study and the real viewer window in which it is read: keys and mouse go the way they come from the screen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from builders import make_masks, make_radiograph
from radiograph.synthetic import data_set, save
from workbench import cases

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.review.creating import create_study
from OsteoScreenLib.review.nouns import Protocol, ReviewCase
from OsteoScreenLib.review.sources import CaseSource
from OsteoScreenLib.review.study import ReviewStudy
from OsteoScreenLib.workbench import stored_case
from OsteoScreenLib.workbench.answers import Answer, Answers
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.reading import ImageSource, Reading, Result
from OsteoScreenLib.workbench.worker_client import WorkerClient

SHAPE = (120, 100)
NAME, ID = "Mustermann", "PAT-4711"
SURE = {"normal": (0.81, 0.12, 0.07), "osteopenia": (0.13, 0.78, 0.09), "osteoporosis": (0.04, 0.13, 0.83)}


def make_study(folder: Path, truth: list[str], protocol: Protocol) -> ReviewStudy:
    """A study of one DICOM file a class in `truth`; the files' names and headers tell the patient and the class."""
    (folder / "originals").mkdir(parents=True)
    sources = []
    for at, name in enumerate(truth):
        grey = np.rint(make_radiograph(SHAPE, seed=at).pixels * 4095).astype("u2")
        dataset = data_set(grey, PatientName=f"{NAME}^Erika{at}", PatientID=f"{ID}{at:02d}", PatientBirthDate="19470811")
        sources.append(CaseSource(save(dataset, folder / "originals" / f"{NAME}_{name}_{at:02d}.dcm"), truth=name))
    return create_study(folder / "study", protocol, sources)


def readings_of(study: ReviewStudy, client: WorkerClient) -> dict[str, Reading]:
    """Every radiograph of a study as the worker reads it."""
    desk, found = Desk(client), {}

    def take(case: ReviewCase, outcome: Any) -> None:
        assert isinstance(outcome, Reading), outcome
        found[case.id] = outcome

    for case in study.cases:
        desk.fetch(ImageSource(case.id, path=str(study.image_path(case))), lambda outcome, case=case: take(case, outcome))
        end = time.monotonic() + 60
        while case.id not in found:
            assert time.monotonic() < end
            desk.poll()
            time.sleep(0.002)
    desk.close()
    return found


def store_answers(study: ReviewStudy, readings: Mapping[str, Reading], says: Mapping[str, str]) -> None:
    """The model's results of every case, with every toggle answered. says : pseudonym → the model's class."""
    for name, opened in readings.items():
        decision = says[name]
        masks, grid = make_masks(SHAPE), np.zeros((6, 5), np.float32)
        grid[CLASSES.index(decision), 1:4] = 1.0  # the map tells the class too
        matrix = np.array([[20.0, 0, 9.5], [0, 20.0, 9.5], [0, 0, 1]])
        heat = SaliencyMap(grid, matrix, SHAPE, np.eye(3), SHAPE, "osteoporosis", "logit", "Grad-CAM", "blocks.11")
        model = cases.result().model
        result = Result(
            model, SURE[decision], masks, masks.sha256, heat, cases.result().statements, "cpu", "fp32", {"analyse": 0.4},
            {"schema_version": 1, "prediction": {"decision": decision, "domain": None}},
        )  # fmt: skip
        case = Case(opened, Answers())
        case.take_result(opened, result)
        for at, question in enumerate(q for mode in ("remove", "add-back") for q in case.questions(mode)):  # type: ignore[arg-type]
            if case.answers.get(question) is None:
                part = 0.3 + 0.01 * (at % 30) + 0.1 * CLASSES.index(decision)
                case.answers.put(question, Answer((0.9 - part, 0.1, part), 40))
        stored_case.store(study.folder, name, opened, case, [(heat, ())], {})


class Room:
    """The viewer's window with both tabs, and hands that type and click.

    said : (severity, sentence) so far.
    """

    def __init__(self, application: Any, qapp: Any, client: WorkerClient, settings: Path) -> None:
        from OsteoScreenLib.hosts.desktop.host import DesktopHost
        from OsteoScreenLib.hosts.desktop.settings import Settings
        from OsteoScreenLib.hosts.desktop.window import ViewerWindow
        from OsteoScreenLib.scene.view import CaseView
        from OsteoScreenLib.ui.presenter import Presenter
        from OsteoScreenLib.ui.review_presenter import ReviewPresenter
        from OsteoScreenLib.ui.tabs import REVIEW, Tabs

        self.qapp, kept = qapp, Settings(settings)
        self.window = ViewerWindow(application, kept)
        self.window.resize(1000, 900)
        self.host = DesktopHost(self.window, kept)
        self.desk = Desk(client)
        self.view = CaseView("Red")
        self.presenter = Presenter(self.desk, self.host, self.view)
        self.reviewing = ReviewPresenter(self.presenter, self.desk, self.host, self.view)
        self.tabs = Tabs(self.window, self.presenter, self.reviewing, self.host)
        self.tab = self.tabs.review
        self.window.hold_panel(self.tabs.widget)
        self.window.may_close = self.tab.may_close
        self.said: list[tuple[str, str]] = []
        self.reviewing.message.connect(lambda *values: self.said.append(values))
        self.window.show()
        self.window.activateWindow()
        self.tabs.show(REVIEW)
        self.breathe()

    def close(self) -> None:
        """In the order in which the hosts do it."""
        self.tabs.close()
        self.reviewing.close()
        self.presenter.close()
        self.window.close()
        self.window.deleteLater()
        self.qapp.processEvents()

    def breathe(self) -> None:
        """Let what waits in the event loop happen."""
        for _ in range(3):
            self.qapp.processEvents()

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Let the event loop run until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"it did not happen within {seconds:g} s; said so far: {self.said}"
            self.qapp.processEvents()
            time.sleep(0.001)

    # Hands

    def press(self, keys: str) -> None:
        """A key combination, as the keyboard sends it to the window."""
        from PySide6 import QtGui, QtTest

        for at in range((sequence := QtGui.QKeySequence(keys)).count()):
            held = sequence[at]
            QtTest.QTest.keyClick(self.window.windowHandle(), held.key(), held.keyboardModifiers())
        self.breathe()

    def write(self, text: str) -> None:
        """Letters, as the keyboard sends them to the window."""
        from PySide6 import QtTest

        for letter in text:
            QtTest.QTest.keyClick(self.window.windowHandle(), letter)
        self.breathe()

    def click(self, widget: Any, x: float = 0.5, y: float = 0.5) -> None:
        """The left mouse button at this share of a widget's width and height, which has to be in sight."""
        from PySide6 import QtCore, QtTest

        self._bring_into_sight(widget)
        assert widget.isVisible() and widget.isEnabled(), widget.toolTip()
        place = QtCore.QPoint(int(widget.width() * x), int(widget.height() * y))
        there = widget.mapTo(self.window, place)
        hit = self.window.childAt(there)
        assert hit is widget or widget.isAncestorOf(hit), (widget, hit)
        QtTest.QTest.mouseClick(
            self.window.windowHandle(), QtCore.Qt.MouseButton.LeftButton, QtCore.Qt.KeyboardModifier.NoModifier, there
        )
        self.breathe()

    def _bring_into_sight(self, widget: Any) -> None:
        """As the wheel would."""
        if self.tab._content.isAncestorOf(widget):
            self.tab._area.ensureWidgetVisible(widget)
            self.breathe()

    # A reader's steps

    def sign_in(self, study: ReviewStudy, code: str, monkeypatch: Any) -> None:
        """Choose the study's folder, type a code, Enter; until the first radiograph is on the table."""
        from OsteoScreenLib.ui import qt_api

        monkeypatch.setattr(qt_api, "ask_for_folder", lambda *_: str(study.folder))
        self.click(self.tab.sign_in._open)
        self.click(self.tab.sign_in._code)
        self.write(code)
        self.press("Return")
        assert self.reviewing.signed_in, self.said
        self.until_ready()

    def until_ready(self) -> None:
        """A radiograph, or the end of the list, is on the table."""
        self.until(lambda: self.reviewing.can_enter or self.session.task is None or self.session.phase is None)

    @property
    def session(self) -> Any:
        """The session at work."""
        return self.reviewing._session

    # What can be seen and found

    def texts(self) -> list[str]:
        """Everything that any widget of the window says, hidden or not: texts, titles, tooltips, items, values."""
        from PySide6 import QtWidgets

        found: list[str] = []
        for widget in [self.window, *self.window.findChildren(QtWidgets.QWidget)]:
            own = [
                f"{widget.windowTitle()}|{widget.toolTip()}|{widget.statusTip()}|{widget.whatsThis()}|{widget.accessibleName()}"
            ]
            for name in ("text", "title", "toPlainText", "currentText", "placeholderText", "shown_text", "value"):
                said = getattr(widget, name, None)
                if said is not None:
                    own.append(f"{name}={said() if callable(said) else said}")
            if isinstance(widget, QtWidgets.QComboBox):
                own += [widget.itemText(at) for at in range(widget.count())]
            if isinstance(widget, QtWidgets.QTreeWidget):
                own += _tree_texts(widget.invisibleRootItem(), widget.columnCount())
            own += [f"{action.text()}|{action.toolTip()}" for action in widget.actions()]
            found.append(f"{type(widget).__name__}: {' / '.join(own)}")
        return found

    def scene(self) -> list[str]:
        """Every node, with its name, attributes, parameters and references, and every item of the subject hierarchy."""
        import slicer
        import slicer.util

        found = []
        for node in slicer.util.getNodesByClass("vtkMRMLNode"):
            if node.IsA("vtkMRMLColorNode"):
                continue  # tables of colours stay in a scene for all cases
            name = re.sub(r"_\d+$", "", node.GetName() or "")  # counted since the process began
            words = [node.GetClassName(), name, *(f"{name}={node.GetAttribute(name)}" for name in node.GetAttributeNames())]
            if node.IsA("vtkMRMLScriptedModuleNode"):
                words += [f"{name}={node.GetParameter(name)}" for name in node.GetParameterNames()]
            storage = node.GetStorageNode() if node.IsA("vtkMRMLStorableNode") else None
            words += [storage.GetFileName() or ""] if storage is not None else []
            found.append(" ".join(words))
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        if hierarchy is not None:
            import vtk

            items = vtk.vtkIdList()
            hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
            found += [f"item {hierarchy.GetItemName(items.GetId(at))}" for at in range(items.GetNumberOfIds())]
        return found

    def observed(self) -> dict[str, Any]:
        """All that a reader could come upon, without what differs from run to run: tokens, addresses and the time shown."""
        self.breathe()
        texts = [text for text in self.texts() if not re.search(r"text=\d+:\d\d", text)]
        said = [*texts, *self.scene(), f"status {self.window.statusBar().currentMessage()}", *self.tabs.analyse.log.lines]
        picture = self.view.frame()
        painted = self.window.slice_widget.draw_now()
        return {
            "said": sorted(re.sub(r"[0-9a-f]{32}|0x[0-9a-f]+", "*", one) for one in said),
            "picture": picture,
            "painted": (painted.width(), painted.height()),
            "panel": _pixels(self.tabs.widget.grab().toImage(), self._clock()),
        }

    def _clock(self) -> Any:
        from PySide6 import QtCore

        clock = self.tab.bar._time
        return QtCore.QRect(clock.mapTo(self.tabs.widget, QtCore.QPoint(0, 0)), clock.size())


def _pixels(image: Any, blank: Any) -> np.ndarray:
    """uint8 (rows, columns, 4) of a QImage, with a rectangle left out."""
    from PySide6 import QtGui

    image = image.convertToFormat(QtGui.QImage.Format.Format_RGBA8888)
    pixels = np.array(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width()]
    pixels[max(blank.top(), 0) : blank.bottom() + 1, max(blank.left(), 0) : blank.right() + 1] = 0
    return pixels


def _tree_texts(item: Any, columns: int) -> list[str]:
    found = []
    for at in range(item.childCount()):
        child = item.child(at)
        found += [f"{child.text(column)}|{child.toolTip(column)}|{child.data(column, 0x0100)}" for column in range(columns)]
        found += _tree_texts(child, columns)
    return found


@contextmanager
def reading_room(application: Any, qapp: Any, client: WorkerClient, settings: Path) -> Iterator[Room]:
    """A room that is closed whatever happens."""
    room = Room(application, qapp, client, settings)
    try:
        yield room
    finally:
        room.close()
