"""What a process says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from OsteoScreenLib.worker import machine


def peak_of_a_child(before: str = "") -> int:
    """What a new process says after it has carried out `before`."""
    code = f"{before}\nfrom OsteoScreenLib.worker.machine import peak_memory_bytes; print(peak_memory_bytes())"
    environment = os.environ | {"PYTHONPATH": str(Path(machine.__file__).parents[2])}
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment).stdout)


def test_the_peak_of_memory_is_the_process_s_own() -> None:
    held = np.ones(400 * 2**20, np.uint8)  # here, in the process that starts the other
    assert machine.peak_memory_bytes() > held.nbytes > 4 * peak_of_a_child() > 2**22


def test_what_was_held_for_a_moment_counts() -> None:
    assert peak_of_a_child("held = b'1' * 2**28; del held") > 2**28
