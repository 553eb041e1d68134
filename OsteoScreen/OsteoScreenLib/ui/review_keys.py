"""The keys of a reading: what each does, the keys that come along, and what a reader has put in their place.

They act wherever the focus is, as long as the Review tab is to be seen; a text that is being written keeps its letters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.qt_api import Widget, WindowShortcut, key_text

_SETTING = "review-key/{}"


@dataclass(frozen=True)
class Key:
    """name : in settings and code. does : for the reader. keys : as Qt writes them, "Ctrl+Return"."""

    name: str
    does: str
    keys: str


KEYS = (
    Key("normal", "Class: normal", "1"),
    Key("osteopenia", "Class: osteopenia", "2"),
    Key("osteoporosis", "Class: osteoporosis", "3"),
    Key("surer", "Confidence: 5 more", "Right"),
    Key("less-sure", "Confidence: 5 less", "Left"),
    Key("one-surer", "Confidence: 1 more", "Shift+Right"),
    Key("one-less-sure", "Confidence: 1 less", "Shift+Left"),
    Key("quality", "Image quality: the next one", "Q"),
    Key("findings", "To the findings; the space bar ticks", "F"),
    Key("comment", "To the comment", "C"),
    Key("because", "To “changed because” (second read)", "W"),
    Key("image", "Back from a text to the image", "Esc"),
    Key("lock", "Lock this read and go on", "Ctrl+Return"),
    Key("skip", "Skip this case, with a reason", "S"),
    Key("next", "Next case", "PgDown"),
    Key("previous", "Previous case", "PgUp"),
    Key("unread", "First case that is not read", "U"),
    Key("search", "Search the worklist", "Ctrl+F"),
    Key("heatmap", "Heatmap on and off (once the read is locked)", "H"),
    Key("outlines", "Bone outlines on and off (once the read is locked)", "O"),
    Key("answer", "All bones, toggles and tables (once the read is locked)", "T"),
    *(Key(f"group-{at}", f"Cover or show bone group {at} (once the read is locked)", f"Ctrl+{at}") for at in range(1, 10)),
    Key("masks", "Check the bone masks, and close the check (once the read is locked)", "M"),
    Key("mask-next", "Masks: next bone", "Down"),
    Key("mask-previous", "Masks: previous bone", "Up"),
    Key("mask-accept", "Masks: accept", "A"),
    Key("mask-fix", "Masks: fix, and keep the correction", "X"),
    Key("mask-reject", "Masks: reject, with a reason", "R"),
    Key("brush-erase", "Brush: erase, or paint again", "E"),
    Key("brush-larger", "Brush: larger", "+"),
    Key("brush-smaller", "Brush: smaller", "-"),
    Key("brush-undo", "Brush: take the last stroke back", "Z"),
    Key("brush-redo", "Brush: do it again", "Shift+Z"),
)
_BY_NAME = {key.name: key for key in KEYS}


class ReviewKeys:
    """What the keys are now, and the shortcuts made of them. A change acts at once and is kept in the host's settings."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._now = {key.name: host.remembered(_SETTING.format(key.name), key.keys) for key in KEYS}
        self._shortcuts: dict[str, Any] = {}

    def __getitem__(self, name: str) -> str:
        return self._now[name]

    @property
    def now(self) -> Mapping[str, str]:
        """Name → keys."""
        return dict(self._now)

    def bind(self, name: str, parent: Widget, action: Callable[[], object]) -> None:
        """From now on this key calls `action`, while `parent` is to be seen and enabled."""
        self._shortcuts[name] = WindowShortcut(self._now[name], parent, partial(_call, action))

    def tip(self, words: str, name: str) -> str:
        """ "Lock (Ctrl+Return)": for a tooltip."""
        return f"{words} ({self._now[name]})" if self._now[name] else words

    def change(self, name: str, keys: str) -> None:
        """Put other keys in the place of an action's; "" for none.

        Raises `InputError` (key) for what is no key and for keys that another action has.
        """
        wanted = key_text(keys)
        if keys.strip() and not wanted:
            raise InputError(f"“{keys}” is no key; write for example Ctrl+Return, F5 or N.", code="key")
        taken = next((other for other, held in self._now.items() if held and held == wanted and other != name), None)
        if taken is not None:
            raise InputError(f"{wanted} is already the key of “{_BY_NAME[taken].does}”; change that one first.", code="key")
        self._now[name] = wanted
        self._host.remember(_SETTING.format(name), wanted)
        if name in self._shortcuts:
            self._shortcuts[name].set_keys(wanted)

    def reset(self) -> None:
        """All keys as they come along."""
        for key in KEYS:
            self._now[key.name] = ""
        for key in KEYS:
            self.change(key.name, key.keys)


def _call(action: Callable[[], object]) -> None:
    action()
