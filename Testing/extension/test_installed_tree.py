"""What CMake installs works without the checkout: the panel's tests pass in it, and a worker of it analyses the sample."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from extension.installed_tree import InstalledTree

REPOSITORY = Path(__file__).resolve().parents[2]
SUITE = ("hosts", "scene", "ui", "workbench")  # in the order in which pytest finds them


@pytest.fixture
def environment(installed_tree: InstalledTree) -> dict[str, str]:
    """The tree stands in front of everything else, also of the checkout that is installed for editing."""
    tree = str(installed_tree.module)
    return {**os.environ, "OSTEOSCREEN_TREE": tree, "PYTHONPATH": tree, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def test_a_worker_of_the_tree_analyses_the_sample(
    installed_tree: InstalledTree, environment: dict[str, str], tmp_path: Path
) -> None:
    sample = installed_tree.module / "Resources" / "SampleData" / "simulated_chest_osteoporosis.dcm"
    command = [
        sys.executable,
        "-m",
        "OsteoScreenLib.cli",
        "analyse",
        str(sample),
        "--out",
        str(tmp_path / "out"),
        "--device",
        "cpu",
    ]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    analysis = json.loads(next((tmp_path / "out").rglob("analysis.json")).read_text(encoding="utf-8"))
    assert "osteoporosis" in json.dumps(analysis)
    assert next((tmp_path / "out").rglob("report.html")).stat().st_size > 10_000


def test_the_panels_tests_pass_in_the_tree(installed_tree: InstalledTree, environment: dict[str, str]) -> None:
    """Every test of the panel's rooms, with its first values; with OSTEOSCREEN_TREE_SUITE=all every repetition, which takes minutes."""
    rooms = [str(REPOSITORY / "Testing" / room) for room in SUITE]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(REPOSITORY)]
    command += ["-o", f"pythonpath={installed_tree.module} {REPOSITORY / 'Testing'}"]
    if os.environ.get("OSTEOSCREEN_TREE_SUITE") != "all":
        command += ["-p", "extension.first_of_each"]
        environment["PYTHONPATH"] += os.pathsep + str(REPOSITORY / "Testing")
    command += [
        "-k",
        "not every_real_file",
        str(Path(__file__).with_name("inside_tree.py")),
        *rooms,
    ]  # real files ask about values too
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
