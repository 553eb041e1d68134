"""`osteoscreen bench review`: how soon a long worklist and the next case are on the screen, in a fresh process without a display."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from OsteoScreenLib.benchmarks.panel import Figure, PanelFigures
from OsteoScreenLib.errors import OsteoScreenError

LONGEST_SECONDS = 3600


def measure_review(image: Path, cases: int, steps: int) -> PanelFigures:
    """Sign in to a study of many cases, then read through one of full-size images. Raises `OsteoScreenError` when that fails.

    image : a radiograph. cases : in the long worklist. steps : how many cases are read one after another.
    """
    package = str(Path(__file__).resolve().parents[2])
    with tempfile.TemporaryDirectory() as scratch:
        own = {"PYTHONPATH": package, "QT_QPA_PLATFORM": "offscreen", "OSTEOSCREEN_SETTINGS": scratch}
        command = [
            sys.executable,
            "-m",
            "OsteoScreenLib.benchmarks.review_room_run",
            str(image),
            str(cases),
            str(steps),
            scratch,
        ]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                encoding="utf-8",
                env=os.environ | own,
                check=False,
                timeout=LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise OsteoScreenError(
                f"The reading did not finish within {LONGEST_SECONDS} s; run it again with fewer --steps or other programs closed."
            ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OsteoScreenError(f"The reading could not be measured ({last}); open the viewer to see what is wrong.")
    answer = json.loads(done.stdout.splitlines()[-1])
    return PanelFigures(tuple(Figure(**figure) for figure in answer["figures"]), answer["device"], answer["conditions"])
