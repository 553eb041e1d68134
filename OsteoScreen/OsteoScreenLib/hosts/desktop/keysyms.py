"""Qt's keys by the names that VTK uses, which are those of X11."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.ui.qt_api import Qt

_NAMED = {
    "Key_Space": "space",
    "Key_Escape": "Escape",
    "Key_Return": "Return",
    "Key_Enter": "KP_Enter",
    "Key_Backspace": "BackSpace",
    "Key_Delete": "Delete",
    "Key_Insert": "Insert",
    "Key_Home": "Home",
    "Key_End": "End",
    "Key_PageUp": "Prior",
    "Key_PageDown": "Next",
    "Key_Shift": "Shift_L",
    "Key_Control": "Control_L",
    "Key_Alt": "Alt_L",
    "Key_Meta": "Super_L",
    "Key_Plus": "plus",
    "Key_Minus": "minus",
    "Key_Comma": "comma",
    "Key_Period": "period",
    "Key_Slash": "slash",
}
_BY_KEY = {getattr(Qt.Key, name): symbol for name, symbol in _NAMED.items()}


def key_symbol(event: Any) -> str:
    """The X11 name of the key of a QKeyEvent; "" for keys that nobody listens to.

    Letters and digits come from the key rather than from its text, so that they are found with Ctrl held down too.
    """
    key = event.key()
    if key in _BY_KEY:
        return _BY_KEY[key]
    code = int(key)
    if int(Qt.Key.Key_0) <= code <= int(Qt.Key.Key_9):
        return chr(code)
    if int(Qt.Key.Key_A) <= code <= int(Qt.Key.Key_Z):
        letter = chr(code)
        return letter if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else letter.lower()
    if int(Qt.Key.Key_F1) <= code <= int(Qt.Key.Key_F12):
        return f"F{code - int(Qt.Key.Key_F1) + 1}"
    return ""
