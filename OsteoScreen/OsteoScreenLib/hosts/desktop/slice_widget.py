"""The slice view as a Qt widget: VTK draws off screen, the widget paints the pixels and hands mouse and keys on.

No native window and no OpenGL context shared with Qt: this alone worked on every platform.
"""

from __future__ import annotations

from typing import Any

import vtk
from vtk.util.numpy_support import vtk_to_numpy

from OsteoScreenLib.hosts.desktop.keysyms import key_symbol
from OsteoScreenLib.hosts.desktop.slice_view import SliceView
from OsteoScreenLib.ui.qt_api import Qt, QtGui, QtWidgets, event_xy, painting, single_shot

ZOOM_PER_NOTCH = 1.2  # a notch of the wheel is 120 eighths of a degree
NOTCH = 120.0
KEYS_OF_SLICES = frozenset("fFbBvVgGrR")  # Slicer moves through slices with them; a radiograph has one
EMPTY = "Drop a radiograph here, or choose File › Open image…"
_BUTTONS = {
    Qt.MouseButton.LeftButton: "LeftButton",
    Qt.MouseButton.MiddleButton: "MiddleButton",
    Qt.MouseButton.RightButton: "RightButton",
}


class SliceWidget(QtWidgets.QWidget):
    """Paints a `SliceView`. Left drag: window/level. Wheel: zoom about the cursor. Middle or Shift + left drag: move.

    Right drag: zoom. Double click: show all. frames : how many frames were drawn, for measurements.
    """

    def __init__(self, view: SliceView, parent: Any) -> None:
        super().__init__(parent)
        self._view = view
        self._interactor = view.interactor()
        self._pixels = vtk.vtkUnsignedCharArray()
        self._image: Any = None
        self._keys_down: dict[int, str] = {}
        self.frames = 0
        self._timer = single_shot(self, 0, self._draw)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(240, 240)
        policy = QtWidgets.QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, policy)
        self.setAccessibleName("Radiograph")
        view.set_render_request(self._want_frame)

    # Frames

    def _want_frame(self) -> None:
        # However many changes the scene reports in one turn of the event loop, one frame is drawn.
        if not self._timer.active and self.isVisible():
            self._timer.start()

    def _draw(self) -> None:
        if not self.isVisible():
            return
        self._view.forceRender()
        width, height = self._view.rgba_into(self._pixels)
        buffer = vtk_to_numpy(self._pixels)
        bottom_up = QtGui.QImage(buffer.data, width, height, 4 * width, QtGui.QImage.Format.Format_RGBX8888)
        self._image = _flipped(bottom_up)
        self._image.setDevicePixelRatio(self.devicePixelRatioF())
        self.frames += 1
        self.update()

    def draw_now(self) -> Any:
        """Draw a frame at once and return it as QImage, in pixels of the screen; None while the widget is hidden."""
        self._timer.stop()
        self._draw()
        return self._image

    def paintEvent(self, event: Any) -> None:
        """Paint the last frame."""
        if self._image is not None and self._image.devicePixelRatio() != self.devicePixelRatioF():
            self._take_size()  # the window was moved to another screen
        with painting(self) as painter:
            if self._image is None:
                painter.fillRect(self.rect(), Qt.GlobalColor.black)
            else:
                painter.drawImage(0, 0, self._image)
            if not self._view.mrmlSliceCompositeNode().GetBackgroundVolumeID():
                painter.setPen(QtGui.QColor(190, 190, 190))
                painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), EMPTY)

    def resizeEvent(self, event: Any) -> None:
        """Give the view the new size; an image that was shown whole stays whole."""
        self._take_size()

    def _take_size(self) -> None:
        scale = self.devicePixelRatioF()
        fitted = self._view.is_fitted()
        self._view.set_size(round(self.width() * scale), round(self.height() * scale), scale)
        if fitted:
            self._view.fit()

    def showEvent(self, event: Any) -> None:
        """Draw what changed while the widget was hidden."""
        self._timer.start()

    def closing(self) -> None:
        """Draw nothing any more; the view is about to be closed."""
        self._view.set_render_request(None)
        self._timer.close()

    # Mouse

    def _place(self, event: Any, repeat: int = 0) -> tuple[int, int]:
        """Tell the interactor where the mouse is, in pixels from the bottom left, and return it."""
        scale = self.devicePixelRatioF()
        x, y = event_xy(event)
        column, row = int(x * scale), self._view.renderWindow().GetSize()[1] - 1 - int(y * scale)
        held = event.modifiers()
        control, shift = (
            int(bool(held & modifier)) for modifier in (Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier)
        )
        self._interactor.SetEventInformation(column, row, control, shift, chr(0), repeat, None)
        self._interactor.SetAltKey(int(bool(held & Qt.KeyboardModifier.AltModifier)))
        return column, row

    def _invoke(self, event: Any, what: str, repeat: int = 0) -> None:
        self._place(event, repeat)
        button = _BUTTONS.get(event.button())
        if button is not None:
            self._interactor.InvokeEvent(f"{button}{what}Event")

    def mousePressEvent(self, event: Any) -> None:
        """Begin a drag."""
        self._invoke(event, "Press")

    def mouseReleaseEvent(self, event: Any) -> None:
        """End it."""
        self._invoke(event, "Release")

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Show all of the image. Slicer's window/level mode would reset the window here, which the menu does.

        For a tool that has the left button, such as a brush, the second of two quick clicks is a click like the first.
        """
        if self._view.mouse_is_lent():
            self._invoke(event, "Press")
        elif event.button() == Qt.MouseButton.LeftButton:
            self._view.fit()

    def mouseMoveEvent(self, event: Any) -> None:
        """Go on with a drag, or tell what lies under the cursor."""
        self._place(event)
        self._interactor.InvokeEvent("MouseMoveEvent")

    def enterEvent(self, event: Any) -> None:
        """The mouse is over the image."""
        self._interactor.InvokeEvent("EnterEvent")

    def leaveEvent(self, event: Any) -> None:
        """It is no longer."""
        self._interactor.InvokeEvent("LeaveEvent")

    def wheelEvent(self, event: Any) -> None:
        """Zoom about the cursor. A radiograph has one slice, which Slicer's own wheel would leave."""
        turned = event.angleDelta().y()
        if turned:
            column, row = self._place(event)
            self._view.zoom(ZOOM_PER_NOTCH ** (-turned / NOTCH), column, row)
        event.accept()

    # Keys

    def keyPressEvent(self, event: Any) -> None:
        """Hand a key to whoever listens to the interactor; the repeats of a key held down are left out."""
        symbol = key_symbol(event)
        if event.isAutoRepeat() and symbol:
            return
        if not symbol:
            event.ignore()  # arrows, Tab and the like: they would leave the only slice, or are Qt's
            return
        self._keys_down[_physical(event)] = symbol
        self._send_key(symbol, "KeyPressEvent", event.modifiers())

    def keyReleaseEvent(self, event: Any) -> None:
        """The key was let go."""
        symbol = None if event.isAutoRepeat() else self._keys_down.pop(_physical(event), None)
        if symbol is None:
            event.ignore()
            return
        self._send_key(symbol, "KeyReleaseEvent", event.modifiers())

    def focusOutEvent(self, event: Any) -> None:
        """A key that is held while the focus goes elsewhere would never be let go."""
        for symbol in self._keys_down.values():
            self._send_key(symbol, "KeyReleaseEvent", Qt.KeyboardModifier.NoModifier)
        self._keys_down.clear()

    def _send_key(self, symbol: str, what: str, held: Any) -> None:
        control, shift = (
            int(bool(held & modifier)) for modifier in (Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier)
        )
        code = symbol if len(symbol) == 1 else chr(0)
        self._interactor.SetKeyEventInformation(control, shift, code, 0, symbol)
        if symbol not in KEYS_OF_SLICES:
            self._interactor.InvokeEvent(what)


def _flipped(image: Any) -> Any:
    """The image upside down, in memory of its own."""
    return image.flipped(Qt.Orientation.Vertical) if hasattr(image, "flipped") else image.mirrored(False, True)


def _physical(event: Any) -> int:
    """The key itself: with Shift held its release has another name. Where the platform does not tell, its name."""
    return int(event.nativeScanCode()) or int(event.key())
