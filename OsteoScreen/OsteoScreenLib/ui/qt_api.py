"""The one door to Qt: PythonQt inside 3D Slicer, qtpy with PySide6 on the desktop.

The panel imports Qt from here only. PythonQt turns the getters of Qt properties into plain values (`button.text` instead of
`button.text()`), has no context managers, no QThread worth having and its own file dialogs; what differs is evened out here.
Property values are read with `get(widget, "text")` and nothing else, and dialogs are called as `qt_api.ask(…)`, through the
module, so that a test can put something else in their place.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

IN_PYTHONQT = "PythonQt" in sys.modules or "PythonQt" in sys.builtin_module_names

# Qt's own names differ in type between the bindings, so a type checker is told nothing about them.
QtCore: Any
QtGui: Any
QtWidgets: Any
if IN_PYTHONQT:
    import qt as _flat

    QtCore = QtGui = QtWidgets = _flat
else:
    from qtpy import QtCore, QtGui, QtWidgets

Qt: Any = QtCore.Qt
Widget = Any  # a QWidget of either binding


def get(qobject: Any, name: str) -> Any:
    """The value of a Qt property; the only way in which the panel reads one."""
    return qobject.property(name)


class signals_blocked:
    """Within the block these objects tell nobody that they change; afterwards they are as they were."""

    def __init__(self, *qobjects: Any) -> None:
        self._qobjects = qobjects
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before = [bool(qobject.blockSignals(True)) for qobject in self._qobjects]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for qobject, before in zip(self._qobjects, self._before, strict=True):
            qobject.blockSignals(before)


class painting:
    """A painter on a widget or image that is ended even when the body raises; a painter left open crashes the process."""

    def __init__(self, device: Any) -> None:
        self._painter = QtGui.QPainter(device)

    def __enter__(self) -> Any:
        return self._painter

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._painter.end()


class Timer:
    """Calls `callback()` in the window's thread: every `milliseconds`, or once. Dies with its parent."""

    def __init__(self, parent: Any, milliseconds: int, callback: Callable[[], object], *, once: bool = False) -> None:
        self._callback: Callable[[], object] | None = callback
        self._timer = QtCore.QTimer(parent)
        self._timer.setInterval(milliseconds)
        self._timer.setSingleShot(once)
        self._timer.timeout.connect(self._ring)

    def _ring(self) -> None:
        if self._callback is not None:
            self._callback()

    def start(self) -> None:
        """Start, or start over: a single shot that is started again before it rang rings once, later."""
        if self._callback is not None:
            self._timer.start()

    def stop(self) -> None:
        """Stop; it can be started again."""
        self._timer.stop()

    def close(self) -> None:
        """Stop for good and let go of the callback."""
        self._callback = None
        self._timer.stop()

    @property
    def active(self) -> bool:
        """Whether it is running."""
        return bool(get(self._timer, "active"))


def single_shot(parent: Any, milliseconds: int, callback: Callable[[], object]) -> Timer:
    """A timer that rings once after each `start()`. It is not started yet."""
    return Timer(parent, milliseconds, callback, once=True)


def repeating(parent: Any, milliseconds: int, callback: Callable[[], object]) -> Timer:
    """A timer that rings again and again after `start()`. It is not started yet."""
    return Timer(parent, milliseconds, callback)


def shortcut(keys: str, parent: Widget, callback: Callable[[], object]) -> Any:
    """A key combination ("Ctrl+Z") that works while the focus is inside `parent`, and not elsewhere in the application."""
    made = QtGui.QShortcut(QtGui.QKeySequence(keys), parent)
    made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    made.activated.connect(lambda: callback())
    return made


class WindowShortcut:
    """A key combination that works wherever the focus is in the window, as long as `parent` is to be seen and enabled.

    A text field that is written in keeps the keys that it needs. Dies with its parent.
    """

    def __init__(self, keys: str, parent: Widget, callback: Callable[[], object]) -> None:
        self._made = QtGui.QShortcut(QtGui.QKeySequence(keys), parent)
        self._made.setContext(Qt.ShortcutContext.WindowShortcut)
        self._made.activated.connect(lambda: callback())

    def set_keys(self, keys: str) -> None:
        """Other keys; "" for none."""
        self._made.setKey(QtGui.QKeySequence(keys))


def key_text(keys: str) -> str:
    """A key combination as Qt writes it ("ctrl+enter" → "Ctrl+Enter"); "" for what is none."""
    sequence = QtGui.QKeySequence(keys.strip())
    text = str(sequence.toString(QtGui.QKeySequence.SequenceFormat.PortableText))
    dangling = text.endswith("+") and text != "+" and not text.endswith("++")  # modifiers without a key
    return "" if dangling else text


def yield_interpreter() -> None:
    """Called from a timer: gives Python's helper threads their turn.

    While its event loop idles, Slicer's main thread keeps the interpreter lock; without this a thread that reads the worker's
    pipe gets a few milliseconds in every twenty. On the desktop the lock is free while Qt waits, and nothing is done.
    """
    if IN_PYTHONQT:
        time.sleep(0.003)


def image_from_rgb(pixels: np.ndarray) -> Any:
    """uint8 (rows, columns, 3) → QImage that owns its memory (PythonQt cannot wrap a buffer)."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"image_from_rgb needs uint8 (rows, columns, 3), got {pixels.dtype} {pixels.shape}")
    rows, columns = pixels.shape[:2]
    image = QtGui.QImage()
    image.loadFromData(b"P6 %d %d 255\n" % (columns, rows) + np.ascontiguousarray(pixels).tobytes())
    return image


def event_xy(event: Any) -> tuple[float, float]:
    """(x, y) of a mouse, wheel or drop event in the widget's coordinates, on Qt 5 and 6."""
    for name in ("position", "localPos", "posF", "pos"):
        place = getattr(event, name, None)
        if place is not None:
            point = place() if callable(place) else place
            return float(point.x()), float(point.y())
    raise TypeError(f"{type(event).__name__} has no position")


def application() -> Any:
    """The running QApplication; a new one where there is none (never inside Slicer, which has its own)."""
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


def process_events() -> None:
    """Let waiting events run; for tests and for the moment before something short and blocking."""
    QtWidgets.QApplication.processEvents()


def clipboard_text() -> str:
    """What lies in the clipboard."""
    return str(QtWidgets.QApplication.clipboard().text())


def set_clipboard_text(text: str) -> None:
    """Put a text into the clipboard."""
    QtWidgets.QApplication.clipboard().setText(text)


def elided(text: str, width: int, widget: Widget) -> str:
    """The text cut to `width` pixels in the widget's font, with "…" at its end."""
    metrics = QtGui.QFontMetrics(get(widget, "font"))
    return str(metrics.elidedText(text, Qt.TextElideMode.ElideRight, width))


def text_width(text: str, widget: Widget) -> int:
    """Width of a text in the widget's font, in pixels."""
    return int(QtGui.QFontMetrics(get(widget, "font")).boundingRect(text).width())


def show_folder(path: str) -> bool:
    """Open a folder in the system's file manager; whether that worked."""
    return bool(QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(path)))


def ask_for_file(parent: Widget, title: str, folder: str = "", pattern: str = "") -> str:
    """A file to open, chosen by the user; "" when he changed his mind. pattern : "Images (*.png *.dcm);;All files (*)"."""
    return _name(QtWidgets.QFileDialog.getOpenFileName(parent, title, folder, pattern))


def ask_for_save_name(parent: Widget, title: str, folder: str = "", pattern: str = "") -> str:
    """A file to write, chosen by the user (who is asked before one is overwritten); "" when he changed his mind."""
    return _name(QtWidgets.QFileDialog.getSaveFileName(parent, title, folder, pattern))


def ask_for_folder(parent: Widget, title: str, folder: str = "") -> str:
    """A folder, chosen by the user; "" when he changed his mind."""
    return _name(QtWidgets.QFileDialog.getExistingDirectory(parent, title, folder))


def ask(parent: Widget, title: str, question: str) -> bool:
    """A yes-or-no question; "no" is what Enter and Escape mean."""
    buttons = QtWidgets.QMessageBox.StandardButton
    answer = QtWidgets.QMessageBox.question(parent, title, question, buttons.Yes | buttons.No, buttons.No)
    return bool(answer == buttons.Yes)


def ask_or_stop(parent: Widget, title: str, question: str) -> bool | None:
    """A yes-or-no question that can be left with "cancel", which is None and what Enter and Escape mean."""
    buttons = QtWidgets.QMessageBox.StandardButton
    answer = QtWidgets.QMessageBox.question(parent, title, question, buttons.Yes | buttons.No | buttons.Cancel, buttons.Cancel)
    return True if answer == buttons.Yes else False if answer == buttons.No else None


def say(parent: Widget, title: str, sentence: str, severity: str = "info") -> None:
    """One sentence that the user must have seen. severity : "info", "warning" or "error"."""
    boxes = {"warning": QtWidgets.QMessageBox.warning, "error": QtWidgets.QMessageBox.critical}
    boxes.get(severity, QtWidgets.QMessageBox.information)(parent, title, sentence)


def _name(answer: Any) -> str:
    """PythonQt answers with a string, PySide6 with (name, filter)."""
    name = answer[0] if isinstance(answer, (tuple, list)) else answer
    return str(name or "")
