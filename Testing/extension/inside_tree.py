"""Run with the panel's tests from an installed tree: it is really the tree that is tested. Not collected on its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import OsteoScreenLib
from OsteoScreenLib.bundle import embedded_bundle

TREE = Path(os.environ["OSTEOSCREEN_TREE"]).resolve()


def test_the_library_comes_from_the_tree() -> None:
    assert Path(OsteoScreenLib.__file__).resolve().parents[1] == TREE
    assert embedded_bundle("chest-gate", "gate").folder.resolve().is_relative_to(TREE)


def test_a_process_that_the_tests_start_takes_it_from_there_too() -> None:
    """Workers get the tree's folder from the client; other children inherit it."""
    program = "import OsteoScreenLib; print(OsteoScreenLib.__file__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).resolve().is_relative_to(TREE)
