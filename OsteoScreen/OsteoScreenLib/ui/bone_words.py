"""How a bone is named beside its figures: full name, area, and a swatch of its outline's colour."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.bones.vocabulary import Bone
from OsteoScreenLib.ui.qt_api import QtCore, QtGui, painting


def full_name(bone: Bone) -> str:
    """ "right rib 5 (Fifth rib, right side of the patient)"."""
    side = f", {bone.side} side of the patient" if bone.side != "midline" else ""
    return f"{bone.name} ({bone.code.meaning}{side})"


def area_words(pixels: int, pixel_mm2: float | None, several: bool) -> str:
    """Area in pixels and, where the spacing is known, in square millimetres."""
    known = "mm² unknown without pixel spacing" if pixel_mm2 is None else f"{pixels * pixel_mm2:,.0f} mm²"
    return f"{'Areas together' if several else 'Area'} {pixels:,} px, {known}"


def swatch(colour: tuple[int, int, int], found: bool, pixel_ratio: float) -> Any:
    """QIcon with the bone's colour, as its outline in the image has it; an empty frame for a bone that was not found."""
    side = 11
    pixmap = QtGui.QPixmap(round(side * pixel_ratio), round(side * pixel_ratio))
    pixmap.setDevicePixelRatio(pixel_ratio)
    pixmap.fill(QtGui.QColor(0, 0, 0, 0))
    with painting(pixmap) as painter:
        if found:
            painter.fillRect(QtCore.QRectF(0, 0, side, side), QtGui.QColor(*colour))
        painter.setPen(QtGui.QPen(QtGui.QColor(128, 128, 128), 1.0))
        painter.drawRect(QtCore.QRectF(0.5, 0.5, side - 1, side - 1))
    icon = QtGui.QIcon(pixmap)
    icon.addPixmap(pixmap, QtGui.QIcon.Mode.Selected)  # or the style would mix the selection's colour in
    return icon
