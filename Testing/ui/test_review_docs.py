"""The keys of a reading as the documentation lists them are the keys that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the desktop packages (requirements-desktop.txt) are not installed here")

from OsteoScreenLib.ui.review_keys import KEYS

DOCS = Path(__file__).resolve().parents[2] / "Resources" / "Docs" / "review.md"


def test_every_key_is_documented_and_no_other() -> None:
    table = DOCS.read_text(encoding="utf-8").partition("| key | |")[2].partition("\n\n")[0]
    documented = dict(re.findall(r"^\| `(.+)` \| (.+) \|$", table, re.MULTILINE))
    single = {key.keys: key.does for key in KEYS if not key.name.startswith("group-")}
    groups = {"Ctrl+1` … `Ctrl+9": "Cover or show bone group 1 … 9 (once the read is locked)"}
    assert documented == single | groups
    assert [key.keys for key in KEYS if key.name.startswith("group-")] == [f"Ctrl+{at}" for at in range(1, 10)]
