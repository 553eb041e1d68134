"""A folder belongs to one run: what the run is stands in run.json, and another run is turned away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_text

RUN = "run.json"


def claim_folder(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write run.json, or see that the one that is there tells of the same run; what stands in it.

    folder : exists. facts : JSON values that decide the result; "versions", of packages, may differ, and those that the run began
    with stay.

    Raises
    ------
    InputError
        run-differs, naming what differs; out when the folder holds something else.
    """
    if begun(folder, facts):
        return facts
    try:
        held: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf-8"))
        differs = [key for key in facts if key != "versions" and held[key] != facts[key]]
    except (ValueError, KeyError, TypeError):
        held, differs = {}, [RUN]
    if not differs:
        return held
    raise InputError(
        f"{folder} holds a run that differs in: {', '.join(differs)}; choose another folder with --out, or the same options.",
        code="run-differs",
    )


def begun(folder: Path, facts: Mapping[str, Any]) -> bool:
    """Whether run.json was written just now; False where the folder holds one already.

    Raises `InputError` (out) when the folder holds something else.
    """
    path = folder / RUN
    if path.is_file():
        return False
    if any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise InputError(
            f"{folder} is not empty and holds no run of this command; choose another folder with --out.", code="out"
        )
    write_text(path, json.dumps(facts, indent=2) + "\n")
    return True
